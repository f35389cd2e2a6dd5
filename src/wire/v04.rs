//! v0.4, and v0.3, which has the same body: an array of chunks, each an array of spans, each a map.
//!
//! What the client said is kept as it said it: what is missing stays missing, nil stays nil. After
//! `pkg/proto/pbgo/trace/span_gen.go` in `DataDog/datadog-agent`; fields unknown there, which the
//! Agent skips, are kept as bytes.

use super::decoded_bytes_max;
use super::error::DecodeError;
use super::value::{Decoder, TagKind};
use crate::trace::{Attribute, ChunkBuilder, Field, StrId, TracerPayload};

/// Decodes a body. What follows the array is ignored, as the Agent does.
pub fn decode(body: &[u8], builder: &mut ChunkBuilder) -> Result<TracerPayload, DecodeError> {
    decode_within(body, builder, decoded_bytes_max(body.len()))
}

pub(super) fn decode_within(
    body: &[u8],
    builder: &mut ChunkBuilder,
    limit_bytes: usize,
) -> Result<TracerPayload, DecodeError> {
    let mut decoder = Decoder::begin(body, builder, limit_bytes);
    let mut payload = TracerPayload::default();
    let mut unknown = Unknown::new();
    payload.n_chunks = decoder.array_or_nil()?;
    for index in 0..payload.n_chunks {
        let chunk = decoder.spans(&mut unknown);
        chunk
            .and_then(|()| decoder.finish(&mut payload.chunks))
            .map_err(|error| error.in_element(index))?;
    }
    Ok(payload)
}

/// A field that the model has no name for: its name, and the bytes of its value.
type UnknownField = (StrId, StrId);

/// The unknown fields of the span that is being read.
pub(super) type Unknown = Vec<UnknownField>;

/// What the value of a span's field becomes.
pub(super) enum Content {
    Plain(Field),
    Tags(Attribute, TagKind),
    Maps(Attribute),
}

/// A span's field by its name, here and in JSON.
pub(super) fn content(name: &[u8]) -> Option<Content> {
    Some(match name {
        b"service" => Content::Plain(Field::Service),
        b"name" => Content::Plain(Field::Name),
        b"resource" => Content::Plain(Field::Resource),
        b"type" => Content::Plain(Field::Type),
        b"trace_id" => Content::Plain(Field::TraceId),
        b"span_id" => Content::Plain(Field::SpanId),
        b"parent_id" => Content::Plain(Field::ParentId),
        b"start" => Content::Plain(Field::Start),
        b"duration" => Content::Plain(Field::Duration),
        b"error" => Content::Plain(Field::Error),
        b"meta" => Content::Tags(Attribute::Meta, TagKind::Text),
        b"metrics" => Content::Tags(Attribute::Metrics, TagKind::Number),
        b"meta_struct" => Content::Tags(Attribute::MetaStruct, TagKind::Bytes),
        b"span_links" => Content::Maps(Attribute::SpanLinks),
        b"span_events" => Content::Maps(Attribute::SpanEvents),
        _ => return None,
    })
}

impl Decoder<'_, '_> {
    /// The spans of a chunk, or nil.
    pub(super) fn spans(&mut self, unknown: &mut Unknown) -> Result<(), DecodeError> {
        for index in 0..self.array_or_nil()? {
            self.span(unknown)
                .map_err(|error| error.in_element(index))?;
        }
        Ok(())
    }

    /// A span. A nil instead of one is skipped, as `normalizeTrace` does.
    fn span(&mut self, unknown: &mut Unknown) -> Result<(), DecodeError> {
        if self.reader.nil() {
            return Ok(());
        }
        let n_fields = self.reader.map()?;
        self.begin_span()?;
        for _ in 0..n_fields {
            let name = self.reader.key()?;
            match content(name) {
                Some(content) => self.field(&content)?,
                None => unknown.push(self.unknown_field(name)?),
            }
        }
        write_unknown(self.builder, unknown);
        Ok(())
    }

    fn field(&mut self, content: &Content) -> Result<(), DecodeError> {
        match *content {
            Content::Plain(field) => self
                .plain(field)
                .map_err(|error| error.in_field(field.name())),
            Content::Tags(attribute, kind) => self
                .tags(attribute, kind)
                .map_err(|error| error.in_field(attribute.name())),
            Content::Maps(attribute) => self
                .maps(attribute)
                .map_err(|error| error.in_field(attribute.name())),
        }
    }

    fn plain(&mut self, field: Field) -> Result<(), DecodeError> {
        match field {
            Field::Service | Field::Name | Field::Resource | Field::Type => {
                if self.reader.nil() {
                    self.builder.set_null(field);
                    return Ok(());
                }
                let text = self.reader.text()?;
                let text = self.builder.field_text(field, text);
                let text = text.map_err(|problem| self.too_large(problem))?;
                self.builder.set_text(field, text);
                Ok(())
            }
            _ => self.number_field(field),
        }
    }

    fn unknown_field(&mut self, name: &[u8]) -> Result<UnknownField, DecodeError> {
        let value = self.reader.raw().map_err(|error| error.in_key(name))?;
        Ok((self.intern(name)?, self.keep(value)?))
    }
}

/// Writes the unknown fields of the current span, if it has any.
pub(super) fn write_unknown(builder: &mut ChunkBuilder, unknown: &mut Unknown) {
    if unknown.is_empty() {
        return;
    }
    let mut writer = builder.attribute(Attribute::Unknown);
    let opened = writer.open_map();
    for (name, value) in unknown.drain(..) {
        writer.key(name);
        writer.bytes(value);
    }
    writer.close(opened);
}

#[cfg(test)]
mod tests;
