//! OTLP in JSON to the same messages as protobuf becomes.
//!
//! Read by our own reader and not by the serde implementations of the messages' crate, which are too
//! strict for what is sent: they refuse `null`, enums by name, `NaN` as a double, counts as strings,
//! and say neither where nor in which field. As the collector does (`pdata/ptrace/json.go`), fields
//! are taken in camel case and in the snake case of the definition, and unknown ones are left out.

use std::borrow::Cow;

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
use crate::json::{self, Kind};
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
    let mut reader = Reader {
        json: json::Reader::new(text.as_bytes()),
        budget: Budget::new(limit_bytes),
        depth_left: DEPTH_MAX,
    };
    let request = reader.request()?;
    reader.json.end()?;
    Ok(request)
}

struct Reader<'a> {
    json: json::Reader<'a>,
    budget: Budget,
    depth_left: usize,
}

type Read<T> = Result<T, DecodeError>;

impl Reader<'_> {
    fn request(&mut self) -> Read<ExportTraceServiceRequest> {
        let mut request = ExportTraceServiceRequest::default();
        self.members(|reader, name| {
            match name {
                "resourceSpans" | "resource_spans" => {
                    request.resource_spans = reader.list(Self::resource_spans)?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(request)
    }

    fn resource_spans(&mut self) -> Read<ResourceSpans> {
        let mut spans = ResourceSpans::default();
        self.members(|reader, name| {
            match name {
                "resource" => spans.resource = reader.optional(Self::resource)?,
                "scopeSpans" | "scope_spans" => {
                    spans.scope_spans = reader.list(Self::scope_spans)?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(spans)
    }

    fn resource(&mut self) -> Read<Resource> {
        let mut resource = Resource::default();
        self.members(|reader, name| {
            match name {
                "attributes" => resource.attributes = reader.list(Self::attribute)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(resource)
    }

    fn scope_spans(&mut self) -> Read<ScopeSpans> {
        let mut spans = ScopeSpans::default();
        self.members(|reader, name| {
            match name {
                "scope" => spans.scope = reader.optional(Self::scope)?,
                "spans" => spans.spans = reader.list(Self::span)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(spans)
    }

    fn scope(&mut self) -> Read<InstrumentationScope> {
        let mut scope = InstrumentationScope::default();
        self.members(|reader, name| {
            match name {
                "name" => scope.name = reader.text()?,
                "version" => scope.version = reader.text()?,
                "attributes" => scope.attributes = reader.list(Self::attribute)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(scope)
    }

    fn span(&mut self) -> Read<Span> {
        let mut span = Span::default();
        self.members(|reader, name| {
            match name {
                "traceId" | "trace_id" => span.trace_id = reader.id(16)?,
                "spanId" | "span_id" => span.span_id = reader.id(8)?,
                "parentSpanId" | "parent_span_id" => {
                    span.parent_span_id = reader.id(8)?;
                }
                "traceState" | "trace_state" => span.trace_state = reader.text()?,
                "flags" => span.flags = reader.whole()?,
                "name" => span.name = reader.text()?,
                "kind" => span.kind = reader.named(SpanKind::from_str_name)?,
                "startTimeUnixNano" | "start_time_unix_nano" => {
                    span.start_time_unix_nano = reader.whole()?;
                }
                "endTimeUnixNano" | "end_time_unix_nano" => {
                    span.end_time_unix_nano = reader.whole()?;
                }
                "attributes" => span.attributes = reader.list(Self::attribute)?,
                "events" => span.events = reader.list(Self::event)?,
                "links" => span.links = reader.list(Self::link)?,
                "status" => span.status = reader.optional(Self::status)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(span)
    }

    fn event(&mut self) -> Read<Event> {
        let mut event = Event::default();
        self.members(|reader, name| {
            match name {
                "timeUnixNano" | "time_unix_nano" => event.time_unix_nano = reader.whole()?,
                "name" => event.name = reader.text()?,
                "attributes" => event.attributes = reader.list(Self::attribute)?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    event.dropped_attributes_count = reader.whole()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(event)
    }

    fn link(&mut self) -> Read<Link> {
        let mut link = Link::default();
        self.members(|reader, name| {
            match name {
                "traceId" | "trace_id" => link.trace_id = reader.id(16)?,
                "spanId" | "span_id" => link.span_id = reader.id(8)?,
                "traceState" | "trace_state" => link.trace_state = reader.text()?,
                "attributes" => link.attributes = reader.list(Self::attribute)?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    link.dropped_attributes_count = reader.whole()?;
                }
                "flags" => link.flags = reader.whole()?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(link)
    }

    fn status(&mut self) -> Read<Status> {
        let mut status = Status::default();
        self.members(|reader, name| {
            match name {
                "message" => status.message = reader.text()?,
                "code" => status.code = reader.named(StatusCode::from_str_name)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(status)
    }

    fn attribute(&mut self) -> Read<KeyValue> {
        let mut attribute = KeyValue::default();
        self.members(|reader, name| {
            match name {
                "key" => attribute.key = reader.text()?,
                "value" => attribute.value = reader.optional(Self::any_value)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(attribute)
    }

    /// A value. It calls itself as deep as `DEPTH_MAX` and JSON's own bound let it.
    fn any_value(&mut self) -> Read<AnyValue> {
        let mut any = AnyValue::default();
        self.json.kind()?;
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(self.error(Problem::TooDeep { max: DEPTH_MAX }));
        };
        self.depth_left = depth_left;
        self.members(|reader, name| {
            let read = match name {
                _ if reader.json.kind()? == Kind::Null => return reader.skip(),
                "stringValue" | "string_value" => reader.text().map(Value::StringValue)?,
                "boolValue" | "bool_value" => reader.bool().map(Value::BoolValue)?,
                "intValue" | "int_value" => reader.whole().map(Value::IntValue)?,
                "doubleValue" | "double_value" => reader.double().map(Value::DoubleValue)?,
                "bytesValue" | "bytes_value" => reader.bytes().map(Value::BytesValue)?,
                "arrayValue" | "array_value" => {
                    let values = reader.values(Self::any_value)?;
                    Value::ArrayValue(ArrayValue { values })
                }
                "kvlistValue" | "kvlist_value" => {
                    let values = reader.values(Self::attribute)?;
                    Value::KvlistValue(KeyValueList { values })
                }
                _ => return reader.skip(),
            };
            any.value = Some(read);
            Ok(())
        })?;
        self.depth_left += 1;
        Ok(any)
    }

    /// The one field that arrays and lists have.
    fn values<T>(&mut self, item: fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut values = Vec::new();
        self.members(|reader, name| {
            match name {
                "values" => values = reader.list(item)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(values)
    }
}

/// What every message is read with. Each of these reads the value that comes next.
impl Reader<'_> {
    /// What is wrong with the value that comes next.
    #[cold]
    fn error(&self, problem: Problem) -> DecodeError {
        DecodeError::new(problem, self.json.offset())
    }

    #[cold]
    fn wrong(&self, expected: &'static str, found: Kind) -> DecodeError {
        self.error(wrong_type(expected, found))
    }

    fn skip(&mut self) -> Read<()> {
        Ok(self.json.skip()?)
    }

    /// Reads the members of an object one after another, or steps over null.
    fn members(&mut self, mut read: impl FnMut(&mut Self, &str) -> Read<()>) -> Read<()> {
        match self.json.kind()? {
            Kind::Null => return self.skip(),
            Kind::Object => {}
            found => return Err(self.wrong("an object", found)),
        }
        let mut object = self.json.open();
        while let Some(name) = self.json.key(&mut object)? {
            let name = text_of(name);
            read(self, &name).map_err(|error| error.in_key(name.as_bytes()))?;
        }
        Ok(())
    }

    fn list<T>(&mut self, item: fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        match self.json.kind()? {
            Kind::Null => return self.skip().map(|()| Vec::new()),
            Kind::Array => {}
            found => return Err(self.wrong("an array", found)),
        }
        let mut items = Vec::new();
        let mut array = self.json.open();
        while self.json.item(&mut array)? {
            let counted = self.budget.message::<T>();
            counted.map_err(|problem| self.error(problem.into()))?;
            let item = item(self).map_err(|error| error.in_element(items.len()))?;
            items.push(item);
        }
        Ok(items)
    }

    fn optional<T>(&mut self, read: fn(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.json.kind()? == Kind::Null {
            return self.skip().map(|()| None);
        }
        read(self).map(Some)
    }

    fn text(&mut self) -> Read<String> {
        match self.json.kind()? {
            Kind::Null => return self.skip().map(|()| String::new()),
            Kind::Text => {}
            found => return Err(self.wrong("a string", found)),
        }
        let start = self.json.offset();
        let text = self.json.string()?;
        let counted = self.budget.string(text.len());
        counted.map_err(|problem| DecodeError::new(problem.into(), start))?;
        Ok(text_of(text).into_owned())
    }

    fn bool(&mut self) -> Read<bool> {
        match self.json.kind()? {
            Kind::Bool => Ok(self.json.bool()?),
            found => Err(self.wrong("true or false", found)),
        }
    }

    /// What stands in a number, or in a string in its place; and what is wrong with it, if it says
    /// nothing.
    fn number<T>(&mut self, read: impl Fn(&str) -> Result<T, Problem>) -> Read<T> {
        let found = self.json.kind()?;
        let start = self.json.offset();
        let digits = match found {
            Kind::Number => self.json.number()?.into(),
            Kind::Null => {
                self.skip()?;
                "0".into()
            }
            Kind::Text => text_of(self.json.string()?),
            _ => return Err(self.wrong("a number", found)),
        };
        read(&digits).map_err(|problem| DecodeError::new(problem, start))
    }

    fn whole<T: Whole>(&mut self) -> Read<T> {
        self.number(|digits| {
            T::read(digits).ok_or_else(|| {
                let sentence = format!("expected {}, found {}", T::EXPECTED, printable(digits));
                Problem::Malformed(sentence.into())
            })
        })
    }

    fn double(&mut self) -> Read<f64> {
        // A number is one to `parse` too.
        let problem = |_no_number| wrong_type("a number", Kind::Text);
        self.number(|digits| digits.parse().map_err(problem))
    }

    fn id(&mut self, n_bytes: usize) -> Read<Vec<u8>> {
        match self.json.kind()? {
            Kind::Null => return self.skip().map(|()| Vec::new()),
            Kind::Text => {}
            found => return Err(self.wrong("an id in hex", found)),
        }
        let start = self.json.offset();
        let hex = self.json.string()?;
        let malformed = |sentence| DecodeError::new(Problem::Malformed(sentence), start);
        check_id(hex.len() / 2, n_bytes).map_err(malformed)?;
        let byte = |pair: &[u8]| {
            let mut digits = pair.iter().map(|digit| char::from(*digit).to_digit(16));
            let byte = digits.try_fold(0, |byte, digit| Some(byte * 16 + digit?))?;
            let is_whole = pair.len() == 2;
            u8::try_from(byte).ok().filter(|_| is_whole)
        };
        let bytes: Option<Vec<u8>> = hex.chunks(2).map(byte).collect();
        bytes.ok_or_else(|| malformed("expected an id in hex".into()))
    }

    fn bytes(&mut self) -> Read<Vec<u8>> {
        let found = self.json.kind()?;
        let start = self.json.offset();
        let text = self.text()?;
        let alphabet = if text.contains(['-', '_']) {
            URL_SAFE
        } else {
            STANDARD
        };
        let padding = DecodePaddingMode::Indifferent;
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
        let bytes = GeneralPurpose::new(&alphabet, config).decode(text);
        bytes.map_err(|_no_base64| DecodeError::new(wrong_type("bytes in base64", found), start))
    }

    /// An enum: a number, or its name, which the collector takes as well.
    fn named<T: Into<i32>>(&mut self, of_name: fn(&str) -> Option<T>) -> Read<i32> {
        let mut ahead = self.json;
        if ahead.kind()? == Kind::Text
            && let Some(named) = of_name(&text_of(ahead.string()?))
        {
            self.json = ahead;
            return Ok(named.into());
        }
        self.whole()
    }
}

fn wrong_type(expected: &'static str, found: Kind) -> Problem {
    let found = match found {
        Kind::Null => "null",
        Kind::Bool => "a truth value",
        Kind::Number => "a number",
        Kind::Text => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    };
    Problem::WrongType { expected, found }
}

/// A string of a body that is UTF-8.
fn text_of(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).unwrap_or_default()),
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
