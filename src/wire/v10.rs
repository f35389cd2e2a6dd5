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

use std::sync::Arc;

use super::decoded_bytes_max;
use super::error::{DecodeError, Problem};
use super::msgpack::{Item, Reader, wrong_type};
use super::said::{Room, about};
use super::value::Decoder;
use crate::trace::{ChunkBuilder, PayloadForm, Role, StrId, TracerPayload};
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
    let mut payload = Payload {
        decoder: Decoder::begin(body, builder, limit_bytes),
        strings: Strings::within(limit_bytes),
        tags: Vec::new(),
        limit_bytes,
        room: Room::within(limit_bytes),
        decoded: TracerPayload {
            form: PayloadForm::V10,
            ..TracerPayload::default()
        },
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

/// The texts about the tracer, under their names in v0.7, from number 2 on.
const ABOUT: [&str; 8] = [
    "container_id",
    "language_name",
    "language_version",
    "tracer_version",
    "runtime_id",
    "env",
    "hostname",
    "app_version",
];

impl<'a> Payload<'a, '_> {
    fn fields(&mut self) -> Result<(), DecodeError> {
        let mut room = Room::of_tracer();
        for _ in 0..self.decoder.reader.map()? {
            let Some(number) = self.field()? else {
                continue;
            };
            match number {
                1 => self.table().map_err(|error| error.in_field("strings"))?,
                10 => {
                    let tags = self.flat_tags(&mut room);
                    Arc::make_mut(&mut self.decoded.tracer).tags =
                        tags.map_err(|error| error.in_field("attributes"))?;
                }
                11 => self.chunks().map_err(|error| error.in_field("chunks"))?,
                other => self.about_tracer(other, &mut room)?,
            }
        }
        Ok(())
    }

    fn about_tracer(&mut self, number: u64, room: &mut Room) -> Result<(), DecodeError> {
        let place = usize::try_from(number)
            .ok()
            .and_then(|at| at.checked_sub(2));
        let Some(name) = place.and_then(|place| ABOUT.get(place)) else {
            return self.skip();
        };
        let index = self.string().map_err(|error| error.in_field(name))?;
        let text = room.text(self.strings.text(index), self.decoder.reader.offset());
        let tracer = Arc::make_mut(&mut self.decoded.tracer);
        if let Some((name, place)) = about(tracer, name.as_bytes()) {
            *place = text.map_err(|error| error.in_field(name))?;
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
    fn id(&mut self, index: StringIndex, role: Role) -> Result<StrId, DecodeError> {
        self.strings.id(index, role, &mut self.decoder)
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
