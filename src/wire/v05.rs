//! v0.5: a dictionary of strings, then chunks of spans whose strings are indexes into it.
//!
//! After `pkg/proto/pbgo/trace/decoder_v05.go` in `DataDog/datadog-agent`. The format has no room
//! for links, events or unknown fields; links and events come as JSON in tags, and stay tags.

use super::decoded_bytes_max;
use super::error::{DecodeError, Problem};
use super::msgpack::Reader;
use super::value::{Decoder, Twin};
use crate::trace::{Attribute, ChunkBuilder, Field, Role, StrId, TooLarge, TracerPayload};

/// Elements of every span.
const SPAN_LENGTH: usize = 12;

/// Decodes a body. What follows the two parts is ignored, as the Agent does.
pub fn decode(body: &[u8], builder: &mut ChunkBuilder) -> Result<TracerPayload, DecodeError> {
    decode_within(body, builder, decoded_bytes_max(body.len()))
}

pub(super) fn decode_within(
    body: &[u8],
    builder: &mut ChunkBuilder,
    limit_bytes: usize,
) -> Result<TracerPayload, DecodeError> {
    let mut decoder = Decoder::begin(body, builder, limit_bytes);
    let start = decoder.reader.offset();
    let n_parts = decoder.reader.array()?;
    if n_parts != 2 {
        return Err(wrong_length(2, n_parts, start));
    }
    let dictionary =
        Dictionary::read(&mut decoder.reader, limit_bytes).map_err(|error| error.in_element(0))?;
    let mut payload = TracerPayload::default();
    let mut spans = Spans {
        decoder,
        dictionary,
    };
    spans
        .chunks(&mut payload)
        .map_err(|error| error.in_element(1))?;
    Ok(payload)
}

fn wrong_length(expected: usize, found: usize, offset: usize) -> DecodeError {
    DecodeError::new(Problem::WrongLength { expected, found }, offset)
}

/// The strings of a payload.
struct Dictionary<'a> {
    strings: Vec<Entry<'a>>,
    /// The number of the chunk that is being read; what an entry knows of another is void.
    chunk: u32,
}

/// A string of the payload.
struct Entry<'a> {
    text: &'a [u8],
    twin: Twin,
}

impl<'a> Dictionary<'a> {
    fn read(reader: &mut Reader<'a>, limit_bytes: usize) -> Result<Self, DecodeError> {
        let start = reader.offset();
        let length = reader.array()?;
        // An empty string is one byte there and an entry here, so the count has the limit of all.
        if length.saturating_mul(size_of::<Entry<'_>>()) > limit_bytes {
            return Err(DecodeError::new(
                Problem::TooLarge(TooLarge { limit_bytes }),
                start,
            ));
        }
        let mut strings = Vec::with_capacity(length);
        for index in 0..length {
            let text = reader.key().map_err(|error| error.in_element(index))?;
            strings.push(Entry {
                text,
                twin: Twin::default(),
            });
        }
        Ok(Self { strings, chunk: 0 })
    }
}

/// The second part of the body.
struct Spans<'a, 'b> {
    decoder: Decoder<'a, 'b>,
    dictionary: Dictionary<'a>,
}

impl<'a> Spans<'a, '_> {
    fn chunks(&mut self, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        payload.n_chunks = self.decoder.array_or_nil()?;
        for index in 0..payload.n_chunks {
            self.dictionary.chunk = self.dictionary.chunk.wrapping_add(1);
            self.chunk()
                .and_then(|()| self.decoder.finish(&mut payload.chunks))
                .map_err(|error| error.in_element(index))?;
        }
        Ok(())
    }

    fn chunk(&mut self) -> Result<(), DecodeError> {
        for index in 0..self.decoder.array_or_nil()? {
            self.span().map_err(|error| error.in_element(index))?;
        }
        Ok(())
    }

    fn span(&mut self) -> Result<(), DecodeError> {
        let start = self.decoder.reader.offset();
        let length = self.decoder.reader.array()?;
        if length != SPAN_LENGTH {
            return Err(wrong_length(SPAN_LENGTH, length, start));
        }
        self.decoder.begin_span()?;
        for field in [Field::Service, Field::Name, Field::Resource] {
            self.text_field(field)?;
        }
        for field in [
            Field::TraceId,
            Field::SpanId,
            Field::ParentId,
            Field::Start,
            Field::Duration,
            Field::Error,
        ] {
            self.decoder
                .number_field(field)
                .map_err(|error| error.in_field(field.name()))?;
        }
        for attribute in [Attribute::Meta, Attribute::Metrics] {
            self.tags(attribute)
                .map_err(|error| error.in_field(attribute.name()))?;
        }
        self.text_field(Field::Type)
    }

    fn text_field(&mut self, field: Field) -> Result<(), DecodeError> {
        if self.decoder.reader.nil() {
            self.decoder.builder.set_null(field);
            return Ok(());
        }
        let text = self.text(Role::Field(field));
        let (id, _) = text.map_err(|error| error.in_field(field.name()))?;
        self.decoder.builder.set_text(field, id);
        Ok(())
    }

    /// Tags by index, or nil.
    fn tags(&mut self, attribute: Attribute) -> Result<(), DecodeError> {
        if self.decoder.reader.nil() {
            self.decoder.builder.attribute(attribute).null();
            return Ok(());
        }
        let n_tags = self.decoder.reader.map()?;
        let opened = self.decoder.builder.attribute(attribute).open_map();
        for _ in 0..n_tags {
            let (id, key) = self.text(Role::Key)?;
            self.decoder.builder.writer().key(id);
            self.tag(attribute, id).map_err(|error| error.in_key(key))?;
        }
        self.decoder.builder.writer().close(opened);
        Ok(())
    }

    fn tag(&mut self, attribute: Attribute, key: StrId) -> Result<(), DecodeError> {
        if attribute == Attribute::Metrics {
            return self.decoder.number();
        }
        if self.decoder.reader.nil() {
            self.decoder.builder.writer().null();
            return Ok(());
        }
        let (id, _) = self.text(Role::ValueOf(key))?;
        self.decoder.builder.writer().text(id);
        Ok(())
    }

    /// A string by its index.
    fn text(&mut self, role: Role) -> Result<(StrId, &'a [u8]), DecodeError> {
        let start = self.decoder.reader.offset();
        let index = self.decoder.reader.id()?;
        let length = self.dictionary.strings.len();
        let entry = usize::try_from(index)
            .ok()
            .and_then(|at| self.dictionary.strings.get_mut(at));
        let Some(entry) = entry else {
            return Err(DecodeError::new(
                Problem::DictionaryIndex { index, length },
                start,
            ));
        };
        let (chunk, text) = (self.dictionary.chunk, entry.text);
        let builder = &mut *self.decoder.builder;
        let id = entry.twin.id((chunk, builder), text, role);
        let id = id.map_err(|problem| self.decoder.too_large(problem))?;
        Ok((id, text))
    }
}

#[cfg(test)]
mod tests;
