//! OTLP in JSON to the same messages as protobuf becomes.
//!
//! Read by our own reader and not by the serde implementations of the messages' crate, which are too
//! strict for what is sent: they refuse `null`, enums by name, `NaN` as a double, counts as strings,
//! and say neither where nor in which field. As the collector does (`pdata/ptrace/json.go`), fields
//! are taken in camel case and in the snake case of the definition, and unknown ones are left out.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::size::{Budget, DEPTH_MAX, check_id};
use crate::json::{Kind, Raw};
use crate::wire::error::{DecodeError, Problem};

/// Reads a body; its messages take at most `limit_bytes`.
pub(super) fn read(
    body: &[u8],
    limit_bytes: usize,
) -> Result<ExportTraceServiceRequest, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let problem = Problem::Malformed("the body is no text in UTF-8".into());
        DecodeError::new(problem, error.valid_up_to())
    })?;
    let whole = Raw::whole(text)?;
    let mut reader = Reader {
        body,
        budget: Budget::new(limit_bytes),
        depth_left: DEPTH_MAX,
    };
    reader.request(whole)
}

struct Reader<'a> {
    body: &'a [u8],
    budget: Budget,
    depth_left: usize,
}

type Read<T> = Result<T, DecodeError>;

impl<'a> Reader<'a> {
    fn request(&mut self, raw: Raw<'a>) -> Read<ExportTraceServiceRequest> {
        let mut request = ExportTraceServiceRequest::default();
        self.members(raw, |reader, name, value| {
            match name {
                "resourceSpans" | "resource_spans" => {
                    request.resource_spans = reader.list(value, Self::resource_spans)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(request)
    }

    fn resource_spans(&mut self, raw: Raw<'a>) -> Read<ResourceSpans> {
        let mut spans = ResourceSpans::default();
        self.members(raw, |reader, name, value| {
            match name {
                "resource" => spans.resource = reader.optional(value, Self::resource)?,
                "scopeSpans" | "scope_spans" => {
                    spans.scope_spans = reader.list(value, Self::scope_spans)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(spans)
    }

    fn resource(&mut self, raw: Raw<'a>) -> Read<Resource> {
        let mut resource = Resource::default();
        self.members(raw, |reader, name, value| {
            if name == "attributes" {
                resource.attributes = reader.list(value, Self::attribute)?;
            }
            Ok(())
        })?;
        Ok(resource)
    }

    fn scope_spans(&mut self, raw: Raw<'a>) -> Read<ScopeSpans> {
        let mut spans = ScopeSpans::default();
        self.members(raw, |reader, name, value| {
            match name {
                "scope" => spans.scope = reader.optional(value, Self::scope)?,
                "spans" => spans.spans = reader.list(value, Self::span)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(spans)
    }

    fn scope(&mut self, raw: Raw<'a>) -> Read<InstrumentationScope> {
        let mut scope = InstrumentationScope::default();
        self.members(raw, |reader, name, value| {
            match name {
                "name" => scope.name = reader.text(value)?,
                "version" => scope.version = reader.text(value)?,
                "attributes" => scope.attributes = reader.list(value, Self::attribute)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(scope)
    }

    fn span(&mut self, raw: Raw<'a>) -> Read<Span> {
        let mut span = Span::default();
        self.members(raw, |reader, name, value| {
            match name {
                "traceId" | "trace_id" => span.trace_id = reader.id(value, 16)?,
                "spanId" | "span_id" => span.span_id = reader.id(value, 8)?,
                "parentSpanId" | "parent_span_id" => {
                    span.parent_span_id = reader.id(value, 8)?;
                }
                "traceState" | "trace_state" => span.trace_state = reader.text(value)?,
                "flags" => span.flags = reader.whole(value)?,
                "name" => span.name = reader.text(value)?,
                "kind" => span.kind = reader.kind(value)?,
                "startTimeUnixNano" | "start_time_unix_nano" => {
                    span.start_time_unix_nano = reader.whole(value)?;
                }
                "endTimeUnixNano" | "end_time_unix_nano" => {
                    span.end_time_unix_nano = reader.whole(value)?;
                }
                "attributes" => span.attributes = reader.list(value, Self::attribute)?,
                "events" => span.events = reader.list(value, Self::event)?,
                "links" => span.links = reader.list(value, Self::link)?,
                "status" => span.status = reader.optional(value, Self::status)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(span)
    }

    fn event(&mut self, raw: Raw<'a>) -> Read<Event> {
        let mut event = Event::default();
        self.members(raw, |reader, name, value| {
            match name {
                "timeUnixNano" | "time_unix_nano" => event.time_unix_nano = reader.whole(value)?,
                "name" => event.name = reader.text(value)?,
                "attributes" => event.attributes = reader.list(value, Self::attribute)?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    event.dropped_attributes_count = reader.whole(value)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(event)
    }

    fn link(&mut self, raw: Raw<'a>) -> Read<Link> {
        let mut link = Link::default();
        self.members(raw, |reader, name, value| {
            match name {
                "traceId" | "trace_id" => link.trace_id = reader.id(value, 16)?,
                "spanId" | "span_id" => link.span_id = reader.id(value, 8)?,
                "traceState" | "trace_state" => link.trace_state = reader.text(value)?,
                "attributes" => link.attributes = reader.list(value, Self::attribute)?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    link.dropped_attributes_count = reader.whole(value)?;
                }
                "flags" => link.flags = reader.whole(value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(link)
    }

    fn status(&mut self, raw: Raw<'a>) -> Read<Status> {
        let mut status = Status::default();
        self.members(raw, |reader, name, value| {
            match name {
                "message" => status.message = reader.text(value)?,
                "code" => status.code = reader.status_code(value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(status)
    }

    fn attribute(&mut self, raw: Raw<'a>) -> Read<KeyValue> {
        let mut attribute = KeyValue::default();
        self.members(raw, |reader, name, value| {
            match name {
                "key" => attribute.key = reader.text(value)?,
                "value" => attribute.value = reader.optional(value, Self::any_value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(attribute)
    }

    /// A value. It calls itself as deep as `DEPTH_MAX` and JSON's own bound let it.
    fn any_value(&mut self, raw: Raw<'a>) -> Read<AnyValue> {
        let mut any = AnyValue::default();
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(self.error(Problem::TooDeep { max: DEPTH_MAX }, raw));
        };
        self.depth_left = depth_left;
        self.members(raw, |reader, name, value| {
            let read = match name {
                _ if value.kind() == Kind::Null => return Ok(()),
                "stringValue" | "string_value" => reader.text(value).map(Value::StringValue)?,
                "boolValue" | "bool_value" => reader.bool(value).map(Value::BoolValue)?,
                "intValue" | "int_value" => reader.whole(value).map(Value::IntValue)?,
                "doubleValue" | "double_value" => reader.double(value).map(Value::DoubleValue)?,
                "bytesValue" | "bytes_value" => reader.bytes(value).map(Value::BytesValue)?,
                "arrayValue" | "array_value" => {
                    let values = reader.values(value, Self::any_value)?;
                    Value::ArrayValue(ArrayValue { values })
                }
                "kvlistValue" | "kvlist_value" => {
                    let values = reader.values(value, Self::attribute)?;
                    Value::KvlistValue(KeyValueList { values })
                }
                _ => return Ok(()),
            };
            any.value = Some(read);
            Ok(())
        })?;
        self.depth_left += 1;
        Ok(any)
    }

    /// The one field that arrays and lists have.
    fn values<T>(&mut self, raw: Raw<'a>, item: fn(&mut Self, Raw<'a>) -> Read<T>) -> Read<Vec<T>> {
        let mut values = Vec::new();
        self.members(raw, |reader, name, value| {
            if name == "values" {
                values = reader.list(value, item)?;
            }
            Ok(())
        })?;
        Ok(values)
    }
}

/// What every message is read with.
impl<'a> Reader<'a> {
    #[cold]
    fn error(&self, problem: Problem, raw: Raw<'a>) -> DecodeError {
        let begin = self.body.as_ptr().addr();
        let offset = raw.text().as_ptr().addr().saturating_sub(begin);
        DecodeError::new(problem, offset)
    }

    #[cold]
    fn wrong(&self, expected: &'static str, raw: Raw<'a>) -> DecodeError {
        let found = match raw.kind() {
            Kind::Null => "null",
            Kind::Bool => "a truth value",
            Kind::Number => "a number",
            Kind::Text => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        };
        self.error(Problem::WrongType { expected, found }, raw)
    }

    /// Reads the members of an object one after another.
    fn members(
        &mut self,
        raw: Raw<'a>,
        mut read: impl FnMut(&mut Self, &str, Raw<'a>) -> Read<()>,
    ) -> Read<()> {
        match raw.kind() {
            Kind::Null => return Ok(()),
            Kind::Object => {}
            _ => return Err(self.wrong("an object", raw)),
        }
        for (name, value) in raw.entries() {
            read(self, &name, value).map_err(|error| error.in_key(name.as_bytes()))?;
        }
        Ok(())
    }

    fn list<T>(&mut self, raw: Raw<'a>, item: fn(&mut Self, Raw<'a>) -> Read<T>) -> Read<Vec<T>> {
        match raw.kind() {
            Kind::Null => return Ok(Vec::new()),
            Kind::Array => {}
            _ => return Err(self.wrong("an array", raw)),
        }
        let mut items = Vec::new();
        for (index, raw) in raw.items().enumerate() {
            let counted = self.budget.message::<T>();
            counted.map_err(|problem| self.error(problem.into(), raw))?;
            let item = item(self, raw).map_err(|error| error.in_element(index))?;
            items.push(item);
        }
        Ok(items)
    }

    fn optional<T>(
        &mut self,
        raw: Raw<'a>,
        read: fn(&mut Self, Raw<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        if raw.kind() == Kind::Null {
            return Ok(None);
        }
        read(self, raw).map(Some)
    }

    fn text(&mut self, raw: Raw<'a>) -> Read<String> {
        let text = match raw.string() {
            Some(text) => text,
            None if raw.kind() == Kind::Null => return Ok(String::new()),
            None => return Err(self.wrong("a string", raw)),
        };
        let counted = self.budget.string(text.len());
        counted.map_err(|problem| self.error(problem.into(), raw))?;
        Ok(text.into_owned())
    }

    fn bool(&self, raw: Raw<'a>) -> Read<bool> {
        match (raw.kind(), raw.text()) {
            (Kind::Bool, text) => Ok(text == "true"),
            _ => Err(self.wrong("true or false", raw)),
        }
    }

    /// What stands in a number, or in a string in its place.
    fn digits(&self, raw: Raw<'a>) -> Read<String> {
        match raw.number() {
            Some(digits) => Ok(digits.to_owned()),
            None if raw.kind() == Kind::Null => Ok("0".to_owned()),
            None => {
                let text = raw.string().ok_or_else(|| self.wrong("a number", raw))?;
                Ok(text.into_owned())
            }
        }
    }

    fn whole<T: Whole>(&self, raw: Raw<'a>) -> Read<T> {
        let digits = self.digits(raw)?;
        T::read(&digits).ok_or_else(|| {
            let sentence = format!("expected {}, found {}", T::EXPECTED, printable(&digits));
            self.error(Problem::Malformed(sentence.into()), raw)
        })
    }

    fn double(&self, raw: Raw<'a>) -> Read<f64> {
        let digits = self.digits(raw)?;
        digits
            .parse()
            .map_err(|_no_number| self.wrong("a number", raw))
    }

    fn id(&mut self, raw: Raw<'a>, n_bytes: usize) -> Read<Vec<u8>> {
        if raw.kind() == Kind::Null {
            return Ok(Vec::new());
        }
        let hex = raw
            .string()
            .ok_or_else(|| self.wrong("an id in hex", raw))?;
        let malformed = |sentence: Box<str>| self.error(Problem::Malformed(sentence), raw);
        check_id(hex.len() / 2, n_bytes).map_err(malformed)?;
        let byte = |pair: &[u8]| {
            let mut digits = pair.iter().map(|digit| char::from(*digit).to_digit(16));
            let byte = digits.try_fold(0, |byte, digit| Some(byte * 16 + digit?))?;
            let is_whole = pair.len() == 2;
            u8::try_from(byte).ok().filter(|_| is_whole)
        };
        let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
        bytes.ok_or_else(|| malformed("expected an id in hex".into()))
    }

    fn bytes(&mut self, raw: Raw<'a>) -> Read<Vec<u8>> {
        let text = self.text(raw)?;
        let alphabet = if text.contains(['-', '_']) {
            URL_SAFE
        } else {
            STANDARD
        };
        let padding = DecodePaddingMode::Indifferent;
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
        let bytes = GeneralPurpose::new(&alphabet, config).decode(text);
        bytes.map_err(|_no_base64| self.wrong("bytes in base64", raw))
    }

    /// An enum: a number, or its name, which the collector takes as well.
    fn kind(&self, raw: Raw<'a>) -> Read<i32> {
        let name = raw.string();
        let named = name.and_then(|name| SpanKind::from_str_name(&name));
        named.map_or_else(|| self.whole(raw), |kind| Ok(kind.into()))
    }

    fn status_code(&self, raw: Raw<'a>) -> Read<i32> {
        let name = raw.string();
        let named = name.and_then(|name| StatusCode::from_str_name(&name));
        named.map_or_else(|| self.whole(raw), |code| Ok(code.into()))
    }
}

/// A whole number of some width.
trait Whole: Sized {
    const EXPECTED: &'static str;

    fn read(digits: &str) -> Option<Self>;
}

macro_rules! whole {
    ($($type:ident $expected:literal)*) => {$(
        impl Whole for $type {
            const EXPECTED: &'static str = $expected;

            fn read(digits: &str) -> Option<Self> {
                // `1e3` and `5.0` are whole numbers too.
                digits.parse().ok().or_else(|| {
                    let float: f64 = digits.parse().ok()?;
                    let is_whole = float.fract() == 0.0 && float.abs() < 9e18;
                    #[expect(clippy::cast_possible_truncation, reason = "it was looked at before")]
                    is_whole.then_some(float as i64)?.try_into().ok()
                })
            }
        }
    )*};
}
whole!(
    u64 "a whole number of 64 bits"
    i64 "a whole number of 64 bits"
    u32 "a whole number of 32 bits"
    i32 "a whole number of 32 bits"
);

fn printable(text: &str) -> Box<str> {
    crate::trace::printable(text, 48)
}
