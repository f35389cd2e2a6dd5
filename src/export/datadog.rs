//! The format `datadog`: an array of chunks, each an array of v0.4 spans with integer ids, as any
//! agent takes it as `application/json`. Made to be sent, not to be exact: what such JSON cannot
//! hold is left out (metrics that are no finite number, fields that v0.4 has no name for) or
//! repaired as the Agent would (U+FFFD for what is not UTF-8). The exact form is `json`.

use std::io;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::text::{Base64, write_json};
use super::{End, Layout};
use crate::store::{LogEntry, SpanIndex, Store, TraceEntry};
use crate::trace::{Attribute, Entries, Field, Presence, Span, Text, UnixNanos, Value, tag};

/// Writes the format `datadog`.
#[derive(Debug)]
pub(super) struct Datadog;

impl Layout for Datadog {
    fn begin(&self, out: &mut Vec<u8>, _: &Store, _: UnixNanos) -> io::Result<()> {
        out.push(b'[');
        Ok(())
    }

    fn begin_trace(&self, out: &mut Vec<u8>, _: &TraceEntry) -> io::Result<()> {
        out.push(b'[');
        Ok(())
    }

    fn span(
        &self,
        out: &mut Vec<u8>,
        trace: &TraceEntry,
        index: SpanIndex,
        span: Span<'_>,
    ) -> io::Result<()> {
        let high = trace.trace_id().high();
        let is_unsaid = high != 0 && span.meta_text(tag::TRACE_ID_HIGH).is_none();
        let trace_id_high = (index.0 == 0 && is_unsaid).then(|| format!("{high:016x}"));
        let span = DatadogSpan {
            span,
            trace_id_high,
        };
        write_json(out, &span)
    }

    fn holds_lines(&self) -> bool {
        false
    }

    fn end_spans(&self, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(b"\n]");
        Ok(())
    }

    fn line(&self, _: &mut Vec<u8>, _: &LogEntry, _: Option<&TraceEntry>) -> io::Result<()> {
        Ok(())
    }

    fn end_trace(&self, _: &mut Vec<u8>, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn end_traces(&self, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(b"\n]\n");
        Ok(())
    }

    fn end(&self, _: &mut Vec<u8>, _: &Store, _: End) -> io::Result<()> {
        Ok(())
    }
}

struct DatadogSpan<'a> {
    span: Span<'a>,
    /// For the first span of a chunk, if it does not carry the tag itself.
    trace_id_high: Option<String>,
}

impl Serialize for DatadogSpan<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = self.span;
        let mut map = serializer.serialize_map(None)?;
        for field in Field::ALL {
            let is_sent = span.presence(field) == Presence::Present;
            match span.field_text(field) {
                Some(text) if is_sent => map.serialize_entry(field.name(), &text.to_lossy())?,
                None if field.is_id() => {
                    map.serialize_entry(field.name(), &span.field_number(field))?;
                }
                None if is_sent => {
                    map.serialize_entry(field.name(), &span.field_number(field).cast_signed())?;
                }
                _ => {}
            }
        }
        let high = self.trace_id_high.as_deref();
        if high.is_some() || !span.meta().is_empty() {
            let meta = Tags(span.meta(), meta_tag as ReadTag, high);
            map.serialize_entry("meta", &meta)?;
        }
        let tags: [(_, ReadTag); 2] = [
            (Attribute::Metrics, metric),
            (Attribute::MetaStruct, struct_tag),
        ];
        for (attribute, read) in tags {
            if let Some(Value::Map(entries)) = span.attribute(attribute) {
                map.serialize_entry(attribute.name(), &Tags(entries, read, None))?;
            }
        }
        for (attribute, members) in [
            (Attribute::SpanLinks, LINK_MEMBERS),
            (Attribute::SpanEvents, EVENT_MEMBERS),
        ] {
            if let Some(list @ Value::Array(_)) = span.attribute(attribute) {
                map.serialize_entry(attribute.name(), &Maps(list, members))?;
            }
        }
        map.end()
    }
}

/// What a tag's value becomes; `None` leaves the tag out.
type ReadTag = fn(Value<'_>) -> Option<TagJson<'_>>;

/// A tag's value as an agent takes it.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum TagJson<'a> {
    Text(std::borrow::Cow<'a, str>),
    Plain(Plain<'a>),
    Bytes(Base64<'a>),
}

/// `meta` holds strings: anything else becomes its JSON text.
fn meta_tag(value: Value<'_>) -> Option<TagJson<'_>> {
    Some(match value {
        Value::Null => TagJson::Text("".into()),
        Value::Text(text) => TagJson::Text(text.to_lossy()),
        Value::Bytes(bytes) => TagJson::Bytes(Base64(bytes)),
        other => {
            let mut text = Vec::new();
            write_json(&mut text, &Plain(other)).ok()?;
            TagJson::Text(String::from_utf8(text).ok()?.into())
        }
    })
}

fn metric(value: Value<'_>) -> Option<TagJson<'_>> {
    let is_finite = value.as_f64().is_some_and(f64::is_finite);
    is_finite.then_some(TagJson::Plain(Plain(value)))
}

fn struct_tag(value: Value<'_>) -> Option<TagJson<'_>> {
    match value {
        Value::Bytes(bytes) | Value::Text(Text(bytes)) => Some(TagJson::Bytes(Base64(bytes))),
        _ => None,
    }
}

/// The attributes of events are maps that name their type; v1.0 has other ones.
fn any_value(value: Value<'_>) -> Option<TagJson<'_>> {
    let is_map = |value: Value<'_>| matches!(value, Value::Map(_));
    let array = value.entries().find("array_value").map(Value::entries);
    let mut items = array
        .and_then(|array| array.find("values"))
        .map(Value::items);
    let are_maps = items.as_mut().is_none_or(|items| items.all(is_map));
    (is_map(value) && are_maps).then_some(TagJson::Plain(Plain(value)))
}

struct Tags<'a>(Entries<'a>, ReadTag, Option<&'a str>);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entries, read, high) = self;
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in *entries {
            if let Some(tag) = read(value) {
                map.serialize_entry(&key.to_lossy(), &tag)?;
            }
        }
        if let Some(high) = high {
            map.serialize_entry(tag::TRACE_ID_HIGH, high)?;
        }
        map.end()
    }
}

/// The type an agent requires of a member: it refuses a whole payload for one of another type.
#[derive(Clone, Copy)]
enum MemberType {
    Id,
    Flags,
    Text,
    Texts,
    AnyValues,
}

/// After `SpanLink` and `SpanEvent` in `pkg/proto/datadog/trace/span.proto` of
/// `DataDog/datadog-agent`.
const LINK_MEMBERS: &[(&str, MemberType)] = &[
    ("trace_id", MemberType::Id),
    ("trace_id_high", MemberType::Id),
    ("span_id", MemberType::Id),
    ("attributes", MemberType::Texts),
    ("tracestate", MemberType::Text),
    ("flags", MemberType::Flags),
];
const EVENT_MEMBERS: &[(&str, MemberType)] = &[
    ("time_unix_nano", MemberType::Id),
    ("name", MemberType::Text),
    ("attributes", MemberType::AnyValues),
];

/// A list of maps, each with the members an agent reads.
struct Maps<'a>(Value<'a>, &'static [(&'static str, MemberType)]);

impl Serialize for Maps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let maps = self.0.items().filter_map(|item| match item {
            Value::Map(entries) => Some(Members(entries, self.1)),
            _ => None,
        });
        serializer.collect_seq(maps)
    }
}

struct Members<'a>(Entries<'a>, &'static [(&'static str, MemberType)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, member_type) in self.1 {
            let Some(value) = self.0.find(name) else {
                continue;
            };
            match (member_type, value) {
                (MemberType::Id, Value::Int(_) | Value::Uint(_)) => {
                    map.serialize_entry(name, &value.as_id())?;
                }
                (MemberType::Flags, Value::Int(flags)) if u32::try_from(flags).is_ok() => {
                    map.serialize_entry(name, &flags)?;
                }
                (MemberType::Text, Value::Text(text)) => {
                    map.serialize_entry(name, &text.to_lossy())?;
                }
                (MemberType::Texts, Value::Map(entries)) => {
                    map.serialize_entry(name, &Tags(entries, meta_tag, None))?;
                }
                (MemberType::AnyValues, Value::Map(entries)) => {
                    map.serialize_entry(name, &Tags(entries, any_value, None))?;
                }
                _ => {}
            }
        }
        map.end()
    }
}

/// A value as JSON has it.
struct Plain<'a>(Value<'a>);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(bool) => serializer.serialize_bool(bool),
            Value::Int(int) => serializer.serialize_i64(int),
            Value::Uint(uint) => serializer.serialize_u64(uint),
            // Not finite: serde_json writes null.
            Value::Float(float) => serializer.serialize_f64(float),
            Value::Text(text) => serializer.serialize_str(&text.to_lossy()),
            Value::Bytes(bytes) => Base64(bytes).serialize(serializer),
            Value::Array(items) => serializer.collect_seq(items.map(Plain)),
            Value::Map(entries) => {
                let entries = entries.map(|(key, value)| (key.to_lossy(), Plain(value)));
                serializer.collect_map(entries)
            }
        }
    }
}
