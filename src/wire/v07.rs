//! v0.7: a map, what the tracer says of itself and its chunks; a chunk is a map too, whose spans are
//! those of v0.4.
//!
//! After `pkg/proto/pbgo/trace/tracer_payload_gen.go` in `DataDog/datadog-agent`. What is said of a
//! chunk or of the payload stays there: no span gains a tag. Keys without a meaning are skipped, as
//! there; nil and `bin` are taken where the Agent is stricter.

use std::sync::Arc;

use super::decoded_bytes_max;
use super::error::DecodeError;
use super::msgpack::Reader;
use super::said::{Room, about};
use super::v04::Unknown;
use super::value::Decoder;
use crate::trace::{ChunkBuilder, ChunkFacts, Tags, TracerPayload};

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
        unknown: Unknown::new(),
        limit_bytes,
        room: Room::within(limit_bytes),
        tracer_room: Room::of_tracer(),
        decoded: TracerPayload::default(),
    };
    payload.fields()?;
    Ok(payload.decoded)
}

/// A payload that is being read.
struct Payload<'a, 'b> {
    decoder: Decoder<'a, 'b>,
    unknown: Unknown,
    limit_bytes: usize,
    /// For all chunks with what is said of them.
    room: Room,
    tracer_room: Room,
    decoded: TracerPayload,
}

impl Payload<'_, '_> {
    fn fields(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.decoder.reader.map()? {
            match self.decoder.reader.key()? {
                b"chunks" => self.chunks().map_err(|error| error.in_field("chunks"))?,
                name => self.about_tracer(name)?,
            }
        }
        Ok(())
    }

    fn about_tracer(&mut self, name: &[u8]) -> Result<(), DecodeError> {
        let (reader, room) = (&mut self.decoder.reader, &mut self.tracer_room);
        let tracer = Arc::make_mut(&mut self.decoded.tracer);
        if name == b"tags" {
            tracer.tags = tags(reader, room).map_err(|error| error.in_field("tags"))?;
            return Ok(());
        }
        match about(tracer, name) {
            Some((name, place)) => {
                *place = text(reader, room).map_err(|error| error.in_field(name))?;
                Ok(())
            }
            None => reader.skip().map_err(|error| error.in_key(name)),
        }
    }

    fn chunks(&mut self) -> Result<(), DecodeError> {
        let n_chunks = self.decoder.array_or_nil()?;
        self.decoded.n_chunks += n_chunks;
        for index in 0..n_chunks {
            self.chunk().map_err(|error| error.in_element(index))?;
        }
        Ok(())
    }

    /// A chunk. A nil instead of one is empty.
    fn chunk(&mut self) -> Result<(), DecodeError> {
        let mut facts = ChunkFacts::default();
        if !self.decoder.reader.nil() {
            let mut room = Room::within(self.limit_bytes);
            for _ in 0..self.decoder.reader.map()? {
                match self.decoder.reader.key()? {
                    b"spans" => {
                        let spans = self.decoder.spans(&mut self.unknown);
                        spans.map_err(|error| error.in_field("spans"))?;
                    }
                    name => said(&mut facts, name, &mut self.decoder.reader, &mut room)?,
                }
            }
        }
        self.decoder
            .finish_with(&facts, &mut self.decoded, &mut self.room)
    }
}

/// What a field says of its chunk.
fn said(
    facts: &mut ChunkFacts,
    name: &[u8],
    reader: &mut Reader<'_>,
    room: &mut Room,
) -> Result<(), DecodeError> {
    if reader.nil() {
        return Ok(());
    }
    match name {
        b"priority" => match reader.i32_or_bool() {
            Ok(priority) => facts.priority = Some(priority),
            Err(error) => return Err(error.in_field("priority")),
        },
        b"origin" => {
            facts.origin = text(reader, room).map_err(|error| error.in_field("origin"))?;
        }
        b"tags" => facts.tags = tags(reader, room).map_err(|error| error.in_field("tags"))?,
        b"dropped_trace" => {
            let is_dropped = reader.bool();
            facts.dropped_trace = is_dropped.map_err(|error| error.in_field("dropped_trace"))?;
        }
        _ => reader.skip().map_err(|error| error.in_key(name))?,
    }
    Ok(())
}

/// A text, or nil.
fn text(reader: &mut Reader<'_>, room: &mut Room) -> Result<Box<str>, DecodeError> {
    let text = reader.key()?;
    room.text(text, reader.offset())
}

/// Tags, or nil.
fn tags(reader: &mut Reader<'_>, room: &mut Room) -> Result<Tags, DecodeError> {
    if reader.nil() {
        return Ok(Tags::default());
    }
    let mut tags = Vec::new();
    for _ in 0..reader.map()? {
        let key = reader.key()?;
        let value = reader.key().map_err(|error| error.in_key(key))?;
        tags.push(room.tag((key, value), reader.offset())?);
    }
    Ok(tags.into())
}

#[cfg(test)]
mod tests;
