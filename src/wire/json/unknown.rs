//! A JSON value as the msgpack that v0.4 would hold, for fields the model has no name for and for
//! tags that are msgpack in themselves.

use rmp::encode as msgpack;

use super::number::Number;
use super::{DecodeError, Problem};
use crate::json::{Kind, Reader};
use crate::trace::ATTRIBUTE_DEPTH_MAX;

/// Writes the value that comes next. It calls itself as deep as `depth_left`, a constant, lets it.
pub(super) fn encode(
    out: &mut Vec<u8>,
    reader: &mut Reader<'_>,
    depth_left: usize,
) -> Result<(), DecodeError> {
    match reader.kind()? {
        Kind::Null => {
            reader.skip()?;
            written(msgpack::write_nil(out));
        }
        Kind::Bool => written(msgpack::write_bool(out, reader.bool()?)),
        Kind::Number => number(out, reader.number()?),
        Kind::Text => text(out, &reader.string()?),
        Kind::Array | Kind::Object if depth_left == 0 => {
            let max = ATTRIBUTE_DEPTH_MAX;
            return Err(DecodeError::new(Problem::TooDeep { max }, reader.offset()));
        }
        Kind::Array => {
            let (start, mut length) = (out.len(), 0);
            let mut array = reader.open();
            while reader.item(&mut array)? {
                encode(out, reader, depth_left - 1).map_err(|error| error.in_element(length))?;
                length += 1;
            }
            insert_head(out, start, |head| {
                msgpack::write_array_len(head, u32::try_from(length).unwrap_or(u32::MAX)).map(drop)
            });
        }
        Kind::Object => {
            let (start, mut length) = (out.len(), 0_u32);
            let mut object = reader.open();
            while let Some(key) = reader.key(&mut object)? {
                text(out, &key);
                encode(out, reader, depth_left - 1).map_err(|error| error.in_key(&key))?;
                length = length.saturating_add(1);
            }
            insert_head(out, start, |head| {
                msgpack::write_map_len(head, length).map(drop)
            });
        }
    }
    Ok(())
}

/// Puts the head of an array or map before what it holds, as how much that is is known afterwards.
fn insert_head<E>(
    out: &mut Vec<u8>,
    start: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) {
    let mut head = Vec::new();
    written(write(&mut head));
    out.splice(start..start, head);
}

/// A string, whether it is UTF-8 or not.
fn text(out: &mut Vec<u8>, text: &[u8]) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    written(msgpack::write_str_len(out, length).map(drop));
    out.extend_from_slice(text);
}

fn number(out: &mut Vec<u8>, digits: &str) {
    match Number::of(digits) {
        Number::Int(int) => written(msgpack::write_sint(out, int).map(drop)),
        Number::Uint(uint) => written(msgpack::write_uint(out, uint).map(drop)),
        Number::Float(float) => written(msgpack::write_f64(out, float)),
        Number::Wide(digits) => text(out, digits.as_bytes()),
    }
}

/// Writing to memory cannot fail.
fn written<E>(_result: Result<(), E>) {}
