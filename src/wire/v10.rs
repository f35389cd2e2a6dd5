//! v1.0: maps with numbers for names, strings that are sent once and then only named by their
//! place, attributes with types.
//!
//! After `pkg/proto/pbgo/trace/idx` in `DataDog/datadog-agent`, and `msgpack_decoder/v1` in
//! `DataDog/libdatadog`. A span becomes what the same tracer would have sent as v0.4, after
//! `msgpack_encoder/v04/span_v1.rs` there, with two differences: what is said of a chunk goes to its
//! first span, where tracers put it, and lists keep their form. Nothing said of the payload goes to
//! spans.
//!
//! ```text
//! {7: "prod", 11: [{6: <16 bytes>, 1: priority, 7: mechanism, 4: [{1: "svc", 2: "op", 4: id, …}]}]}
//! ```
//!
//! Tracers write a chunk's id and priority after its spans. So spans are stepped over first, and
//! read once everything about their chunk is known.

mod attributes;
mod chunk;
mod linked;
mod span;
mod strings;

use super::decoded_bytes_max;
use super::error::{DecodeError, Problem};
use super::msgpack::{Item, Reader, wrong_type};
use super::said::Room;
use super::value::{Decoder, Use};
use crate::trace::{ChunkBuilder, StrId, TracerInfo, TracerPayload};
use attributes::Tag;
use strings::{StringIndex, Strings};

/// Decodes a body. What follows the map is ignored, as the Agent does.
pub fn decode(body: &[u8], builder: &mut ChunkBuilder) -> Result<TracerPayload, DecodeError> {
    decode_within(body, builder, decoded_bytes_max(body.len()))
}

pub(super) fn decode_within(
    body: &[u8],
    builder: &mut ChunkBuilder,
    limit_bytes: usize,
) -> Result<TracerPayload, DecodeError> {
    builder.reset(limit_bytes);
    let mut payload = Payload {
        decoder: Decoder {
            reader: Reader::new(body),
            builder,
        },
        strings: Strings::within(limit_bytes),
        tags: Vec::new(),
        limit_bytes,
        room: Room::within(limit_bytes),
        decoded: TracerPayload::default(),
    };
    payload.fields()?;
    Ok(payload.decoded)
}

/// A payload that is being read.
struct Payload<'a, 'b> {
    decoder: Decoder<'a, 'b>,
    strings: Strings<'a>,
    /// The attributes of the span that is being read.
    tags: Vec<Tag<'a>>,
    limit_bytes: usize,
    /// For all chunks with what is said of them.
    room: Room,
    decoded: TracerPayload,
}

/// A place in the payload to return to: what follows it, and how many strings came before it.
#[derive(Clone, Copy)]
struct Mark<'a> {
    reader: Reader<'a>,
    n_strings: usize,
}

/// A text about the tracer.
type About = fn(&mut TracerInfo) -> &mut Box<str>;

/// A text about the tracer by its number on the wire.
fn about(number: u64) -> Option<(&'static str, About)> {
    Some(match number {
        2 => ("container_id", |tracer| &mut tracer.container_id),
        3 => ("language_name", |tracer| &mut tracer.language),
        4 => ("language_version", |tracer| &mut tracer.language_version),
        5 => ("tracer_version", |tracer| &mut tracer.tracer_version),
        6 => ("runtime_id", |tracer| &mut tracer.runtime_id),
        7 => ("env", |tracer| &mut tracer.env),
        8 => ("hostname", |tracer| &mut tracer.hostname),
        9 => ("app_version", |tracer| &mut tracer.app_version),
        _ => return None,
    })
}

impl<'a> Payload<'a, '_> {
    fn fields(&mut self) -> Result<(), DecodeError> {
        let mut room = Room::of_tracer();
        for _ in 0..self.decoder.reader.map()? {
            let Some(number) = self.field()? else {
                continue;
            };
            match (number, about(number)) {
                (1, _) => self.table().map_err(|error| error.in_field("strings"))?,
                (10, _) => {
                    let tags = self.flat_tags(&mut room);
                    self.decoded.tracer.tags =
                        tags.map_err(|error| error.in_field("attributes"))?;
                }
                (11, _) => self.chunks().map_err(|error| error.in_field("chunks"))?,
                (_, Some((name, place))) => {
                    let index = self.string().map_err(|error| error.in_field(name))?;
                    let text = room.text(self.strings.text(index), self.decoder.reader.offset());
                    *place(&mut self.decoded.tracer) =
                        text.map_err(|error| error.in_field(name))?;
                }
                _ => self.skip()?,
            }
        }
        Ok(())
    }

    /// All strings at once, which nobody sends. Only before any other, as in the Agent, which leaves
    /// out empty ones too.
    fn table(&mut self) -> Result<(), DecodeError> {
        let start = self.decoder.reader.offset();
        if !self.strings.is_new() {
            return Err(DecodeError::new(Problem::LateStrings, start));
        }
        for index in 0..self.decoder.reader.array()? {
            let start = self.decoder.reader.offset();
            let text = self.decoder.reader.text();
            text.and_then(|text| self.strings.push(text, start))
                .map_err(|error| error.in_element(index))?;
        }
        Ok(())
    }

    fn chunks(&mut self) -> Result<(), DecodeError> {
        let n_chunks = self.decoder.array_or_nil()?;
        self.decoded.n_chunks += n_chunks;
        for index in 0..n_chunks {
            self.chunk().map_err(|error| error.in_element(index))?;
        }
        Ok(())
    }

    /// The number of the next field; `None` if nil is its value, which is as good as no field.
    fn field(&mut self) -> Result<Option<u64>, DecodeError> {
        let number = self.decoder.reader.id()?;
        Ok((!self.decoder.reader.nil()).then_some(number))
    }

    /// A string: itself, or the place of one that came before.
    fn string(&mut self) -> Result<StringIndex, DecodeError> {
        let start = self.decoder.reader.offset();
        match self.decoder.reader.item()? {
            Item::Text(text) => self.strings.add(text, start),
            Item::Int(index) => self.strings.find(index.cast_unsigned(), start),
            Item::Uint(index) => self.strings.find(index, start),
            other => Err(wrong_type("a string or its index", other, start)),
        }
    }

    /// A string as one of the chunk.
    fn id(&mut self, index: StringIndex, used: Use) -> Result<StrId, DecodeError> {
        self.strings.id(index, used, &mut self.decoder)
    }

    /// Steps over a value. The strings in it count: later ones are named by their place.
    fn skip(&mut self) -> Result<(), DecodeError> {
        let start = self.decoder.reader.offset();
        let strings = &mut self.strings;
        let reader = &mut self.decoder.reader;
        reader.walk(|text| strings.add(text, start).map(|_| ()))
    }

    /// Steps over a value, to return to it later.
    fn pass(&mut self) -> Result<Mark<'a>, DecodeError> {
        let mark = Mark {
            reader: self.decoder.reader,
            n_strings: self.strings.n_read(),
        };
        self.skip()?;
        Ok(mark)
    }

    /// Reads what was stepped over.
    fn at<T>(
        &mut self,
        mark: Mark<'a>,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let reader = std::mem::replace(&mut self.decoder.reader, mark.reader);
        let n_strings = self.strings.go_to(mark.n_strings);
        let result = read(self);
        self.decoder.reader = reader;
        self.strings.go_to(n_strings);
        result
    }

    /// The length of a flat list, in groups.
    fn groups(&mut self, group: usize) -> Result<usize, DecodeError> {
        let start = self.decoder.reader.offset();
        let found = self.decoder.reader.array()?;
        if found.is_multiple_of(group) {
            return Ok(found / group);
        }
        Err(DecodeError::new(Problem::Uneven { group, found }, start))
    }

    /// The halves of an id of 16 bytes, the high one first.
    fn trace_id(&mut self) -> Result<(u64, u64), DecodeError> {
        let start = self.decoder.reader.offset();
        let bytes = match self.decoder.reader.item()? {
            Item::Bytes(bytes) => bytes,
            other => return Err(wrong_type("16 bytes", other, start)),
        };
        let halves = bytes.split_first_chunk().and_then(|(high, rest)| {
            let low = <[u8; 8]>::try_from(rest).ok()?;
            Some((u64::from_be_bytes(*high), u64::from_be_bytes(low)))
        });
        halves.ok_or_else(|| {
            let problem = Problem::WrongBytes {
                expected: 16,
                found: bytes.len(),
            };
            DecodeError::new(problem, start)
        })
    }
}

#[cfg(test)]
mod tests;
