//! The format `datadog`: an array of chunks, each an array of v0.4 spans with integer ids, as any
//! agent takes it as `application/json`. Made to be sent, not to be exact: what such JSON cannot
//! hold is left out (metrics that are no finite number, fields that v0.4 has no name for) or
//! repaired as the Agent would (U+FFFD for what is not UTF-8). The exact form is `json`.

use std::io;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::text::{Base64, write_json};
use super::{End, Layout, Scope};
use crate::store::{LogEntry, SpanIndex, Store, TraceEntry};
use crate::trace::{
    Attribute, ChunkFacts, Entries, Field, Presence, SamplingPriority, Span, SpanEvent, Text,
    UnixNanos, Value, tag,
};

/// Writes the format `datadog`.
#[derive(Debug)]
pub(super) struct Datadog;

impl Layout for Datadog {
    fn begin(&self, out: &mut Vec<u8>, _: &Store, _: (Scope, UnixNanos)) -> io::Result<()> {
        out.push(b'[');
        Ok(())
    }

    fn begin_trace(&self, out: &mut Vec<u8>, _: &TraceEntry, _: &Store) -> io::Result<()> {
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
        let is_head = trace.summary().head() == Some(index);
        let span = DatadogSpan {
            span,
            trace_id_high,
            priority: is_head.then(|| chunk_priority(trace)).flatten(),
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

/// What was said of a whole chunk, if no span of the trace says a priority: v0.4 has no other place
/// for it than a span.
fn chunk_priority(trace: &TraceEntry) -> Option<i32> {
    let mut spans = trace.spans().map(|(_, span)| span);
    if spans.any(|span| span.metric(tag::SAMPLING_PRIORITY).is_some()) {
        return None;
    }
    let facts = trace
        .arrivals()
        .iter()
        .filter_map(|arrival| arrival.facts.as_deref());
    let mut said = facts.filter_map(ChunkFacts::said_priority);
    said.next().map(|SamplingPriority(number)| number)
}

struct DatadogSpan<'a> {
    span: Span<'a>,
    /// For the first span of a chunk, if it does not carry the tag itself.
    trace_id_high: Option<String>,
    /// For the span that names the trace, if no span says it.
    priority: Option<i32>,
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
        let high = high.map(|high| (tag::TRACE_ID_HIGH, TagJson::Text(high.into())));
        let priority = self.priority.map(|priority| {
            let number = Plain(Value::Int(priority.into()));
            (tag::SAMPLING_PRIORITY, TagJson::Plain(number))
        });
        let tags: [(_, ReadTag, _); 3] = [
            (Attribute::Meta, meta_tag, high),
            (Attribute::Metrics, metric, priority),
            (Attribute::MetaStruct, struct_tag, None),
        ];
        for (attribute, read, added) in tags {
            let entries = span.attribute(attribute).map(Value::entries);
            let entries = entries.unwrap_or_default();
            if added.is_some() || !entries.is_empty() {
                map.serialize_entry(attribute.name(), &Tags(entries, read, added))?;
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

/// Tags, and one that is added to them.
struct Tags<'a>(Entries<'a>, ReadTag, Option<(&'static str, TagJson<'a>)>);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entries, read, added) = self;
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in *entries {
            if let Some(tag) = read(value) {
                map.serialize_entry(&key.to_lossy(), &tag)?;
            }
        }
        if let Some((key, value)) = added {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The type an agent requires of a member: it refuses a whole payload for one of another type.
#[derive(Clone, Copy)]
enum MemberType {
    Id,
    Time,
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
    ("time_unix_nano", MemberType::Time),
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
                (MemberType::Time, value) => {
                    if let Some(nanos) = SpanEvent::nanos(value) {
                        map.serialize_entry(name, &nanos)?;
                    }
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
