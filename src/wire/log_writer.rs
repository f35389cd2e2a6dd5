//! The lines in which ddtrace prints its spans when it takes itself for a Lambda function, and
//! dd-trace-js with `DD_TRACE_EXPERIMENTAL_EXPORTER=log`: `{"traces": [[{…}]]}`, a chunk a list.
//!
//! After `ddtrace/internal/encoding.py::JSONEncoderV2` in `DataDog/dd-trace-py`: ids are 16 hex
//! digits, everything else is as in v0.4. What is missing stays missing, null is nil, and a tag of
//! another type than its map asks for is kept as it is. A list's place may be taken by ddtrace's
//! agentless form, `{"spans": [{…}], "languageName": …}`.

mod number;
mod unknown;

use super::decoded_bytes_max;
use super::error::{DecodeError, Problem};
use super::header::shortened;
use crate::json::{Kind, Raw};
use crate::trace::{
    ATTRIBUTE_DEPTH_MAX, Attribute, ChunkBuilder, Field, StrId, TooLarge, TraceChunk, TracerPayload,
};
use number::Number;

/// The member that makes an object a line with spans.
const TRACES: &str = "traces";

/// The member that makes an object the agentless form of a chunk.
const SPANS: &str = "spans";

/// Whether an object is a line with spans: `traces` stands first, and holds lists of objects. To
/// look through every log line for it would cost more than to read them.
pub(crate) fn is_traces(object: Raw<'_>) -> bool {
    let chunks = after_traces(object.text())
        .and_then(|rest| within(rest, ':'))
        .and_then(|rest| within(rest, '['));
    let Some(chunks) = chunks else {
        return false;
    };
    match within(chunks, '[') {
        Some(spans) => spans.starts_with(['{', ']']),
        None => Raw::first(chunks).is_ok_and(|(chunk, _)| {
            chunk
                .get(SPANS)
                .is_some_and(|spans| spans.kind() == Kind::Array)
        }),
    }
}

fn within(text: &str, mark: char) -> Option<&str> {
    text.strip_prefix(mark).map(str::trim_start)
}

/// Whether a text is the beginning of a line with spans, which may have broken off.
pub(crate) fn begins_traces(text: &str) -> bool {
    after_traces(text.trim_start()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// What follows the key of an object whose first is `traces`.
fn after_traces(object: &str) -> Option<&str> {
    let key = object.strip_prefix('{')?.trim_start();
    let rest = key.strip_prefix('"')?.strip_prefix(TRACES)?;
    Some(rest.strip_prefix('"')?.trim_start())
}

/// Decodes the object of a line. Places are counted from its bracket.
pub(crate) fn decode(
    object: Raw<'_>,
    builder: &mut ChunkBuilder,
) -> Result<TracerPayload, DecodeError> {
    decode_within(object, builder, decoded_bytes_max(object.text().len()))
}

fn decode_within(
    object: Raw<'_>,
    builder: &mut ChunkBuilder,
    limit_bytes: usize,
) -> Result<TracerPayload, DecodeError> {
    builder.reset(limit_bytes);
    let mut decoder = Decoder {
        line: object.text(),
        builder,
        unknown: Vec::new(),
    };
    let mut payload = TracerPayload::default();
    let traces = object.entries().filter(|(key, _)| key == TRACES);
    for (_, chunks) in traces {
        decoder
            .chunks(chunks, &mut payload)
            .map_err(|error| error.in_field(TRACES))?;
    }
    if payload.tracer.language.is_empty() {
        let spans = payload.chunks.iter().flat_map(TraceChunk::spans);
        let language = spans
            .into_iter()
            .find_map(|span| span.meta_text("language"));
        payload.tracer.language = language
            .map(|text| shortened(text.as_bytes()))
            .unwrap_or_default();
    }
    Ok(payload)
}

struct Decoder<'a, 'b> {
    /// What places are counted in.
    line: &'a str,
    builder: &'b mut ChunkBuilder,
    /// Fields of the current span that the model has no name for: name, and value as msgpack.
    unknown: Vec<(StrId, StrId)>,
}

impl<'a> Decoder<'a, '_> {
    fn chunks(&mut self, chunks: Raw<'a>, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        self.require(chunks, Kind::Array, "an array of chunks")?;
        for (index, chunk) in chunks.items().enumerate() {
            payload.n_chunks += 1;
            let decoded = if chunk.kind() == Kind::Object {
                self.agentless_chunk(chunk, payload)
            } else {
                self.chunk(chunk, payload)
            };
            decoded.map_err(|error| error.in_element(index))?;
        }
        Ok(())
    }

    /// `{"hostname", "env", "languageName", "languageVersion", "tracerVersion", "runtimeID", "spans"}`.
    fn agentless_chunk(
        &mut self,
        chunk: Raw<'a>,
        payload: &mut TracerPayload,
    ) -> Result<(), DecodeError> {
        for (key, value) in chunk.entries() {
            let text = || {
                let text = value.string().unwrap_or_default();
                shortened(text.as_bytes())
            };
            match &*key {
                SPANS => self
                    .chunk(value, payload)
                    .map_err(|error| error.in_field(SPANS))?,
                "languageName" => payload.tracer.language = text(),
                "languageVersion" => payload.tracer.language_version = text(),
                "tracerVersion" => payload.tracer.tracer_version = text(),
                _ => {}
            }
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: Raw<'a>, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        if chunk.kind() == Kind::Null {
            return Ok(());
        }
        self.require(chunk, Kind::Array, "an array of spans")?;
        for (index, span) in chunk.items().enumerate() {
            self.span(span).map_err(|error| error.in_element(index))?;
        }
        payload.chunks.append(&mut self.builder.finish());
        let checked = self.builder.check();
        checked.map_err(|problem| self.too_large(problem, chunk))
    }

    /// A span. A null instead of one is skipped, as in v0.4.
    fn span(&mut self, span: Raw<'a>) -> Result<(), DecodeError> {
        if span.kind() == Kind::Null {
            return Ok(());
        }
        self.require(span, Kind::Object, "a span")?;
        let begun = self.builder.begin_span();
        begun.map_err(|problem| self.too_large(problem, span))?;
        for (key, value) in span.entries() {
            if let Some(field) = field(&key) {
                self.field(field, value)
                    .map_err(|error| error.in_field(field.name()))?;
            } else if let Some(attribute) = attribute(&key) {
                self.attribute(attribute, value)
                    .map_err(|error| error.in_field(attribute.name()))?;
            } else {
                self.unknown_field(&key, value)
                    .map_err(|error| error.in_key(key.as_bytes()))?;
            }
        }
        self.write_unknown();
        Ok(())
    }

    fn field(&mut self, field: Field, value: Raw<'_>) -> Result<(), DecodeError> {
        if value.kind() == Kind::Null {
            self.builder.set_null(field);
            return Ok(());
        }
        if let Field::Service | Field::Name | Field::Resource | Field::Type = field {
            self.require(value, Kind::Text, "a string")?;
            let text = self.text(value)?;
            self.builder.set_text(field, text);
            return Ok(());
        }
        let bits = match field {
            Field::Start | Field::Duration => number::time(value),
            Field::Error => number::error_flag(value),
            _ => number::id(value),
        };
        let bits = bits.map_err(|problem| DecodeError::new(problem, self.offset(value)))?;
        self.builder.set_number(field, bits);
        Ok(())
    }

    fn attribute(&mut self, attribute: Attribute, value: Raw<'_>) -> Result<(), DecodeError> {
        if value.kind() == Kind::Null {
            self.builder.attribute(attribute).null();
            return Ok(());
        }
        if let Attribute::Meta | Attribute::Metrics | Attribute::MetaStruct = attribute {
            self.require(value, Kind::Object, "an object")?;
            return self.tags(attribute, value);
        }
        self.require(value, Kind::Array, "an array of objects")?;
        self.builder.attribute(attribute);
        self.value(value, ATTRIBUTE_DEPTH_MAX)
    }

    /// A map of tags. Spans of one chunk have mostly the same, so the builder guesses.
    fn tags(&mut self, attribute: Attribute, map: Raw<'_>) -> Result<(), DecodeError> {
        let opened = self.builder.attribute(attribute).open_map();
        let mut previous = None;
        for (name, tag) in map.entries() {
            let key = self.builder.key(previous, name.as_bytes());
            let key = key.map_err(|problem| self.too_large(problem, tag))?;
            self.builder.writer().key(key);
            self.tag(key, tag)
                .map_err(|error| error.in_key(name.as_bytes()))?;
            previous = Some(key);
        }
        self.builder.writer().close(opened);
        Ok(())
    }

    fn tag(&mut self, key: StrId, tag: Raw<'_>) -> Result<(), DecodeError> {
        let Some(text) = tag.string() else {
            return self.value(tag, ATTRIBUTE_DEPTH_MAX - 1);
        };
        let text = self.builder.value_of(key, text.as_bytes());
        let text = text.map_err(|problem| self.too_large(problem, tag))?;
        self.builder.writer().text(text);
        Ok(())
    }

    /// Any value. It calls itself as deep as `depth_left`, a constant, lets it.
    fn value(&mut self, value: Raw<'_>, depth_left: usize) -> Result<(), DecodeError> {
        match value.kind() {
            Kind::Null => self.builder.writer().null(),
            Kind::Bool => self.builder.writer().bool(value.text() == "true"),
            Kind::Number => self.number(value)?,
            Kind::Text => {
                let text = self.text(value)?;
                self.builder.writer().text(text);
            }
            Kind::Array | Kind::Object if depth_left == 0 => return Err(self.too_deep(value)),
            Kind::Array => {
                let opened = self.builder.writer().open_array();
                for (index, item) in value.items().enumerate() {
                    self.value(item, depth_left - 1)
                        .map_err(|error| error.in_element(index))?;
                }
                self.builder.writer().close(opened);
            }
            Kind::Object => {
                let opened = self.builder.writer().open_map();
                for (key, entry) in value.entries() {
                    let name = self.intern(&key, entry)?;
                    self.builder.writer().key(name);
                    self.value(entry, depth_left - 1)
                        .map_err(|error| error.in_key(key.as_bytes()))?;
                }
                self.builder.writer().close(opened);
            }
        }
        Ok(())
    }

    fn number(&mut self, value: Raw<'_>) -> Result<(), DecodeError> {
        let mut writer = self.builder.writer();
        match Number::of(value.text()) {
            Number::Int(int) => writer.int(int),
            Number::Uint(uint) => writer.uint(uint),
            Number::Float(float) => writer.float(float),
            Number::Wide(digits) => {
                let text = self.intern(digits, value)?;
                self.builder.writer().text(text);
            }
        }
        Ok(())
    }

    fn unknown_field(&mut self, name: &str, value: Raw<'_>) -> Result<(), DecodeError> {
        let mut bytes = Vec::new();
        unknown::encode(&mut bytes, value, ATTRIBUTE_DEPTH_MAX)
            .ok_or_else(|| self.too_deep(value))?;
        let id = self.builder.raw(&bytes);
        let id = id.map_err(|problem| self.too_large(problem, value))?;
        let name = self.intern(name, value)?;
        self.unknown.push((name, id));
        Ok(())
    }

    fn write_unknown(&mut self) {
        if self.unknown.is_empty() {
            return;
        }
        let mut writer = self.builder.attribute(Attribute::Unknown);
        let opened = writer.open_map();
        for (name, value) in self.unknown.drain(..) {
            writer.key(name);
            writer.bytes(value);
        }
        writer.close(opened);
    }

    /// The text of a string; of anything else, the empty one.
    fn text(&mut self, value: Raw<'_>) -> Result<StrId, DecodeError> {
        let text = value.string().unwrap_or_default();
        self.intern(&text, value)
    }

    fn intern(&mut self, text: &str, at: Raw<'_>) -> Result<StrId, DecodeError> {
        let id = self.builder.text(text.as_bytes());
        id.map_err(|problem| self.too_large(problem, at))
    }

    fn require(
        &self,
        value: Raw<'_>,
        kind: Kind,
        expected: &'static str,
    ) -> Result<(), DecodeError> {
        if value.kind() == kind {
            return Ok(());
        }
        let problem = wrong_type(expected, value);
        Err(DecodeError::new(problem, self.offset(value)))
    }

    fn offset(&self, value: Raw<'_>) -> usize {
        let start = self.line.as_ptr().addr();
        value.text().as_ptr().addr().saturating_sub(start)
    }

    #[cold]
    fn too_large(&self, problem: TooLarge, at: Raw<'_>) -> DecodeError {
        DecodeError::new(Problem::TooLarge(problem), self.offset(at))
    }

    #[cold]
    fn too_deep(&self, at: Raw<'_>) -> DecodeError {
        let max = ATTRIBUTE_DEPTH_MAX;
        DecodeError::new(Problem::TooDeep { max }, self.offset(at))
    }
}

/// Another type than the format asks for.
#[cold]
fn wrong_type(expected: &'static str, found: Raw<'_>) -> Problem {
    let found = match found.kind() {
        Kind::Null => "null",
        Kind::Bool => "a boolean",
        Kind::Number if found.text().contains(['.', 'e', 'E', 'N', 'I']) => "a float",
        Kind::Number => "an integer",
        Kind::Text => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    };
    Problem::WrongType { expected, found }
}

fn field(name: &str) -> Option<Field> {
    Field::ALL.into_iter().find(|field| field.name() == name)
}

fn attribute(name: &str) -> Option<Attribute> {
    Attribute::ALL
        .into_iter()
        .find(|attribute| *attribute != Attribute::Unknown && attribute.name() == name)
}

#[cfg(test)]
mod tests;
