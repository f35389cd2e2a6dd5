//! A JSON value as the msgpack that v0.4 would hold, for fields the model has no name for.

use rmp::encode as msgpack;

use super::number::Number;
use crate::json::{Kind, Raw};

/// Writes a value; `None` where it nests too deep. Writing to memory cannot fail.
pub(super) fn encode(out: &mut Vec<u8>, value: Raw<'_>, depth_left: usize) -> Option<()> {
    match value.kind() {
        Kind::Null => msgpack::write_nil(out).ok()?,
        Kind::Bool => msgpack::write_bool(out, value.text() == "true").ok()?,
        Kind::Number => number(out, value.text())?,
        Kind::Text => msgpack::write_str(out, &value.string()?).ok()?,
        Kind::Array | Kind::Object if depth_left == 0 => return None,
        Kind::Array => {
            let length = u32::try_from(value.items().count()).ok()?;
            msgpack::write_array_len(out, length).ok()?;
            for item in value.items() {
                encode(out, item, depth_left - 1)?;
            }
        }
        Kind::Object => {
            let length = u32::try_from(value.entries().count()).ok()?;
            msgpack::write_map_len(out, length).ok()?;
            for (key, entry) in value.entries() {
                msgpack::write_str(out, &key).ok()?;
                encode(out, entry, depth_left - 1)?;
            }
        }
    }
    Some(())
}

fn number(out: &mut Vec<u8>, text: &str) -> Option<()> {
    match Number::of(text) {
        Number::Int(int) => {
            msgpack::write_sint(out, int).ok()?;
        }
        Number::Uint(uint) => {
            msgpack::write_uint(out, uint).ok()?;
        }
        Number::Float(float) => msgpack::write_f64(out, float).ok()?,
        Number::Wide(digits) => msgpack::write_str(out, digits).ok()?,
    }
    Some(())
}
