//! The lines in which ddtrace prints its spans when it takes itself for a Lambda function, and
//! dd-trace-js with `DD_TRACE_EXPERIMENTAL_EXPORTER=log`: `{"traces": [[{…}]]}`, one chunk a line.
//!
//! After `ddtrace/internal/encoding.py::JSONEncoderV2` in `DataDog/dd-trace-py`: ids are 16 hex
//! digits, everything else is as in v0.4. What is missing stays missing.

use super::decoded_bytes_max;
use super::error::{DecodeError, Problem};
use crate::json::{Kind, Raw};
use crate::trace::{
    ATTRIBUTE_DEPTH_MAX, Attribute, ChunkBuilder, Field, StrId, TooLarge, TracerPayload,
};

/// The member that makes an object a line with spans.
const TRACES: &str = "traces";

/// Whether an object is a line with spans.
pub(crate) fn is_traces(object: Raw<'_>) -> bool {
    // It stands first; to look through every log line for it would cost more than to read them.
    let first = object.entries().next();
    first.is_some_and(|(key, value)| {
        key == TRACES
            && value.kind() == Kind::Array
            && value.items().all(|chunk| chunk.kind() == Kind::Array)
    })
}

/// Whether a text is the beginning of a line with spans, which may have broken off.
pub(crate) fn begins_traces(text: &str) -> bool {
    let inner = text.trim_start().strip_prefix('{');
    let key = inner.and_then(|inner| inner.trim_start().strip_prefix("\"traces\""));
    key.is_some_and(|rest| {
        let rest = rest.trim_start();
        rest.is_empty() || rest.starts_with(':')
    })
}

/// Decodes the object of a line.
pub(crate) fn decode(
    object: Raw<'_>,
    builder: &mut ChunkBuilder,
) -> Result<TracerPayload, DecodeError> {
    builder.reset(decoded_bytes_max(object.text().len()));
    let mut decoder = Decoder {
        line: object.text(),
        builder,
    };
    let mut payload = TracerPayload::default();
    let chunks = object.get(TRACES).into_iter().flat_map(Raw::items);
    for (index, chunk) in chunks.enumerate() {
        payload.n_chunks += 1;
        decoder
            .chunk(chunk, &mut payload)
            .map_err(|error| error.in_element(index))?;
    }
    let first = payload.chunks.first().and_then(|chunk| chunk.span(0));
    let language = first.and_then(|span| span.meta_text("language"));
    payload.tracer.language = language.map_or_else(Box::default, |text| text.to_lossy().into());
    Ok(payload)
}

struct Decoder<'a, 'b> {
    line: &'a str,
    builder: &'b mut ChunkBuilder,
}

impl Decoder<'_, '_> {
    fn chunk(&mut self, chunk: Raw<'_>, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        if chunk.kind() != Kind::Array {
            return Err(self.wrong_type("an array of spans", chunk));
        }
        for (index, span) in chunk.items().enumerate() {
            self.span(span).map_err(|error| error.in_element(index))?;
        }
        payload.chunks.append(&mut self.builder.finish());
        let checked = self.builder.check();
        checked.map_err(|problem| self.too_large(problem, chunk))
    }

    fn span(&mut self, span: Raw<'_>) -> Result<(), DecodeError> {
        if span.kind() != Kind::Object {
            return Err(self.wrong_type("a span", span));
        }
        let begun = self.builder.begin_span();
        begun.map_err(|problem| self.too_large(problem, span))?;
        let mut unknown = Vec::new();
        for (key, value) in span.entries() {
            let field = Field::ALL.into_iter().find(|field| field.name() == key);
            let attribute = attribute(&key);
            let taken = match (field, attribute) {
                (Some(field), _) => self
                    .field(field, value)
                    .map_err(|error| error.in_field(field.name())),
                (None, Some(attribute)) => self
                    .attribute(attribute, value)
                    .map_err(|error| error.in_field(attribute.name())),
                (None, None) => {
                    unknown.push((key.into_owned(), value));
                    Ok(())
                }
            };
            taken?;
        }
        self.unknown(&unknown)
    }

    fn field(&mut self, field: Field, value: Raw<'_>) -> Result<(), DecodeError> {
        if value.kind() == Kind::Null {
            self.builder.set_null(field);
            return Ok(());
        }
        if let Field::Service | Field::Name | Field::Resource | Field::Type = field {
            let text = self.string(value)?;
            self.builder.set_text(field, text);
            return Ok(());
        }
        let bits = match field {
            Field::TraceId | Field::SpanId | Field::ParentId => id(value),
            Field::Error => error_flag(value),
            _ => whole(value).map(i64::cast_unsigned),
        };
        let expected = if field.is_id() {
            "an id of 16 hex digits"
        } else {
            "a whole number"
        };
        let bits = bits.ok_or_else(|| self.wrong_type(expected, value))?;
        self.builder.set_number(field, bits);
        Ok(())
    }

    fn attribute(&mut self, attribute: Attribute, value: Raw<'_>) -> Result<(), DecodeError> {
        let expected = match attribute {
            Attribute::Meta | Attribute::Metrics | Attribute::MetaStruct => Kind::Object,
            _ => Kind::Array,
        };
        if value.kind() != expected && value.kind() != Kind::Null {
            return Err(self.wrong_type("a map, or a list of links or events", value));
        }
        if attribute == Attribute::Meta {
            return self.meta(value);
        }
        self.builder.attribute(attribute);
        self.value(value, ATTRIBUTE_DEPTH_MAX)
    }

    /// The string tags; nil stays nil.
    fn meta(&mut self, value: Raw<'_>) -> Result<(), DecodeError> {
        let mut writer = self.builder.attribute(Attribute::Meta);
        if value.kind() == Kind::Null {
            writer.null();
            return Ok(());
        }
        let opened = writer.open_map();
        let mut previous = None;
        for (name, tag) in value.entries() {
            let key = self.builder.key(previous, name.as_bytes());
            let key = key.map_err(|problem| self.too_large(problem, tag))?;
            self.builder.writer().key(key);
            self.meta_value(key, tag)
                .map_err(|error| error.in_key(name.as_bytes()))?;
            previous = Some(key);
        }
        self.builder.writer().close(opened);
        Ok(())
    }

    fn meta_value(&mut self, key: StrId, tag: Raw<'_>) -> Result<(), DecodeError> {
        if tag.kind() == Kind::Null {
            self.builder.writer().null();
            return Ok(());
        }
        let text = tag
            .string()
            .ok_or_else(|| self.wrong_type("a string", tag))?;
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
                let text = self.string(value)?;
                self.builder.writer().text(text);
            }
            Kind::Array | Kind::Object if depth_left == 0 => {
                let max = ATTRIBUTE_DEPTH_MAX;
                return Err(DecodeError::new(
                    Problem::TooDeep { max },
                    self.offset(value),
                ));
            }
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

    /// A number as wide as it is written: `1` is whole, `1.0` is not.
    fn number(&mut self, value: Raw<'_>) -> Result<(), DecodeError> {
        let text = value.text();
        let mut writer = self.builder.writer();
        if let Ok(int) = text.parse() {
            writer.int(int);
        } else if let Ok(uint) = text.parse() {
            writer.uint(uint);
        } else if let Ok(float) = text.parse() {
            writer.float(float);
        } else {
            return Err(self.wrong_type("a number", value));
        }
        Ok(())
    }

    /// Fields that the model has no name for, as the msgpack that v0.4 would hold.
    fn unknown(&mut self, unknown: &[(String, Raw<'_>)]) -> Result<(), DecodeError> {
        if unknown.is_empty() {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(unknown.len());
        for (name, value) in unknown {
            let mut bytes = Vec::new();
            if encode(&mut bytes, *value, ATTRIBUTE_DEPTH_MAX).is_none() {
                return Err(self.wrong_type("a value", *value));
            }
            let id = self.builder.raw(&bytes);
            let id = id.map_err(|problem| self.too_large(problem, *value))?;
            kept.push((self.intern(name, *value)?, id));
        }
        let mut writer = self.builder.attribute(Attribute::Unknown);
        let opened = writer.open_map();
        for (name, value) in kept {
            writer.key(name);
            writer.bytes(value);
        }
        writer.close(opened);
        Ok(())
    }

    fn string(&mut self, value: Raw<'_>) -> Result<StrId, DecodeError> {
        match value.string() {
            Some(text) => self.intern(&text, value),
            None => Err(self.wrong_type("a string", value)),
        }
    }

    fn intern(&mut self, text: &str, at: Raw<'_>) -> Result<StrId, DecodeError> {
        let id = self.builder.text(text.as_bytes());
        id.map_err(|problem| self.too_large(problem, at))
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
    fn wrong_type(&self, expected: &'static str, found: Raw<'_>) -> DecodeError {
        let problem = Problem::WrongType {
            expected,
            found: match found.kind() {
                Kind::Null => "null",
                Kind::Bool => "a boolean",
                Kind::Number => "a number",
                Kind::Text => "a string",
                Kind::Array => "an array",
                Kind::Object => "an object",
            },
        };
        DecodeError::new(problem, self.offset(found))
    }
}

fn attribute(name: &str) -> Option<Attribute> {
    Attribute::ALL
        .into_iter()
        .find(|attribute| *attribute != Attribute::Unknown && attribute.name() == name)
}

/// 16 hex digits, upper or lower case; a number where somebody prints one.
fn id(value: Raw<'_>) -> Option<u64> {
    match value.string() {
        Some(hex) => {
            let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            let fits = (1..=16).contains(&hex.len());
            if is_hex && fits {
                u64::from_str_radix(&hex, 16).ok()
            } else {
                None
            }
        }
        None => {
            let number = value.number()?;
            let unsigned = number.parse().ok();
            unsigned.or_else(|| number.parse().ok().map(i64::cast_unsigned))
        }
    }
}

/// A whole number of 64 bits; a float without a fraction is one too.
fn whole(value: Raw<'_>) -> Option<i64> {
    let number = value.number()?;
    let digits = number.strip_suffix(".0").unwrap_or(number);
    let signed = digits.parse().ok();
    signed.or_else(|| digits.parse().ok().map(u64::cast_signed))
}

fn error_flag(value: Raw<'_>) -> Option<u64> {
    let flag = match (value.kind(), value.text()) {
        (Kind::Bool, text) => i32::from(text == "true"),
        _ => i32::try_from(whole(value)?).ok()?,
    };
    Some(i64::from(flag).cast_unsigned())
}

/// A value as msgpack; `None` where it nests too deep. Writing to memory cannot fail.
fn encode(out: &mut Vec<u8>, value: Raw<'_>, depth_left: usize) -> Option<()> {
    use rmp::encode as msgpack;
    let length = |length: usize| u32::try_from(length).ok();
    match value.kind() {
        Kind::Null => msgpack::write_nil(out).ok()?,
        Kind::Bool => msgpack::write_bool(out, value.text() == "true").ok()?,
        Kind::Number => {
            let text = value.text();
            if let Ok(int) = text.parse() {
                msgpack::write_sint(out, int).ok()?;
            } else if let Ok(uint) = text.parse() {
                msgpack::write_uint(out, uint).ok()?;
            } else {
                msgpack::write_f64(out, text.parse().ok()?).ok()?;
            }
        }
        Kind::Text => msgpack::write_str(out, &value.string()?).ok()?,
        Kind::Array | Kind::Object if depth_left == 0 => return None,
        Kind::Array => {
            msgpack::write_array_len(out, length(value.items().count())?).ok()?;
            for item in value.items() {
                encode(out, item, depth_left - 1)?;
            }
        }
        Kind::Object => {
            msgpack::write_map_len(out, length(value.entries().count())?).ok()?;
            for (key, entry) in value.entries() {
                msgpack::write_str(out, &key).ok()?;
                encode(out, entry, depth_left - 1)?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
