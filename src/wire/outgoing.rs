//! The one way out: spans of any format as v0.4, which every Agent takes. What v0.4 has no room for
//! beside the spans (what was said of a chunk or of a whole payload) goes onto the first span of a
//! chunk, where an Agent looks for it. Reads nothing.
//!
//! After `pkg/proto/pbgo/trace/span_gen.go` in `DataDog/datadog-agent`: it refuses a whole payload for a
//! member of another type, so what it has no type for is left out.

use std::borrow::Cow;

use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str_len, write_u32, write_uint,
};

use crate::trace::{
    Attribute, ChunkFacts, Entries, Field, Presence, Span, SpanEvent, SpanLink, Text, TraceChunk,
    TracerInfo, TracerPayload, Value, tag,
};

/// How deep the attributes of an event may be.
const DEPTH_MAX: usize = 8;

/// Chunks as v0.4, one after another, without the array around them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunks {
    bytes: Vec<u8>,
    n_chunks: u32,
}

impl Chunks {
    /// Adds the chunks of a payload.
    pub(crate) fn push(&mut self, payload: &TracerPayload) {
        for chunk in &payload.chunks {
            let said = Said::of(chunk, &payload.tracer);
            array(&mut self.bytes, chunk.len());
            for (place, span) in chunk.spans().enumerate() {
                let said = if place == 0 { Some(&said) } else { None };
                write_span(&mut self.bytes, span, said);
            }
            self.n_chunks = self.n_chunks.saturating_add(1);
        }
    }

    /// How many there are.
    pub(crate) fn n_chunks(&self) -> u32 {
        self.n_chunks
    }

    /// What they occupy in memory.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The whole body.
    pub(crate) fn into_body(self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes.len() + 5);
        infallible(write_array_len(&mut body, self.n_chunks));
        body.extend_from_slice(&self.bytes);
        body
    }
}

/// What is said beside the spans of a chunk, where none of them says it: on the first one.
#[derive(Debug, Default)]
struct Said {
    meta: Vec<(&'static str, String)>,
    priority: Option<i32>,
}

impl Said {
    fn of(chunk: &TraceChunk, tracer: &TracerInfo) -> Self {
        let says = |key: &str| chunk.spans().any(|span| span.meta_text(key).is_some());
        let facts = chunk.facts();
        let high = chunk.trace_id().high();
        let high = (high != 0).then(|| format!("{high:016x}"));
        let decided = facts.and_then(|facts| facts.tag(tag::DECISION_MAKER));
        let texts = [
            (tag::TRACE_ID_HIGH, high),
            (
                tag::DECISION_MAKER,
                decided.map(|text| text.to_lossy().into()),
            ),
            (tag::ORIGIN, facts.map(|facts| facts.origin.to_string())),
            ("env", Some(tracer.env.to_string())),
            ("version", Some(tracer.app_version.to_string())),
        ];
        let texts = texts.into_iter();
        let texts = texts.filter_map(|(key, text)| Some((key, text?)));
        let meta = texts.filter(|(key, text)| !text.is_empty() && !says(key));
        let is_unsaid = || {
            let mut spans = chunk.spans();
            spans.all(|span| span.metric(tag::SAMPLING_PRIORITY).is_none())
        };
        let priority = facts.and_then(ChunkFacts::said_priority);
        Self {
            meta: meta.collect(),
            priority: priority.map(|priority| priority.0).filter(|_| is_unsaid()),
        }
    }
}

/// Memory does not fail to be written to.
fn infallible<T, E>(_written: Result<T, E>) {}

fn length(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn array(out: &mut Vec<u8>, number: usize) {
    infallible(write_array_len(out, length(number)));
}

fn map(out: &mut Vec<u8>, number: usize) {
    infallible(write_map_len(out, length(number)));
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    infallible(write_str_len(out, length(text.len())));
    // Also what is no UTF-8, which the Agent repairs.
    out.extend_from_slice(text);
}

fn key(out: &mut Vec<u8>, name: &str) {
    text(out, name.as_bytes());
}

fn uint(out: &mut Vec<u8>, number: u64) {
    infallible(write_uint(out, number));
}

fn write_span(out: &mut Vec<u8>, span: Span<'_>, said: Option<&Said>) {
    let is_sent = |field: &Field| {
        // The Agent takes no number for one that has no room in its type.
        field.is_id() || span.presence(*field) == Presence::Present
    };
    let fields: Vec<Field> = Field::ALL.into_iter().filter(is_sent).collect();
    let meta = Tags::read(span.meta(), meta_tag, said.map(|said| &*said.meta));
    let metrics = Metrics::read(span, said.and_then(|said| said.priority));
    let structs = structs(span);
    let links: Vec<SpanLink<'_>> = span.links().collect();
    let events: Vec<SpanEvent<'_>> = span.events().collect();
    let was_sent = |attribute| span.attribute(attribute).is_some();
    let has = [
        !meta.is_empty() || was_sent(Attribute::Meta),
        !metrics.is_empty() || was_sent(Attribute::Metrics),
        !structs.is_empty(),
        !links.is_empty(),
        !events.is_empty(),
    ];
    let [has_meta, has_metrics, has_structs, has_links, has_events] = has;
    map(out, fields.len() + has.iter().filter(|has| **has).count());
    for field in fields {
        key(out, field.name());
        match span.field_text(field) {
            Some(said) => text(out, said.as_bytes()),
            None if field.is_id() => uint(out, span.field_number(field)),
            None => infallible(write_sint(out, span.field_number(field).cast_signed())),
        }
    }
    if has_meta {
        key(out, Attribute::Meta.name());
        meta.write(out);
    }
    if has_metrics {
        key(out, Attribute::Metrics.name());
        metrics.write(out);
    }
    if has_structs {
        key(out, Attribute::MetaStruct.name());
        map(out, structs.len());
        for (name, bytes) in structs {
            text(out, name.as_bytes());
            infallible(write_bin(out, bytes));
        }
    }
    if has_links {
        key(out, Attribute::SpanLinks.name());
        array(out, links.len());
        for link in &links {
            write_link(out, link);
        }
    }
    if has_events {
        key(out, Attribute::SpanEvents.name());
        array(out, events.len());
        for event in &events {
            write_event(out, event);
        }
    }
}

/// Tags whose values are strings.
struct Tags<'a>(Vec<(&'a [u8], Cow<'a, [u8]>)>);

impl<'a> Tags<'a> {
    fn read(
        entries: Entries<'a>,
        read: fn(Value<'a>) -> Option<Cow<'a, [u8]>>,
        added: Option<&'a [(&'static str, String)]>,
    ) -> Self {
        let sent = entries.filter_map(|(name, value)| Some((name.as_bytes(), read(value)?)));
        let added = added.unwrap_or_default().iter();
        let added = added.map(|(name, value)| (name.as_bytes(), value.as_bytes().into()));
        Self(sent.chain(added).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self, out: &mut Vec<u8>) {
        map(out, self.0.len());
        for (name, value) in &self.0 {
            text(out, name);
            text(out, value);
        }
    }
}

/// `meta` holds strings: numbers become their text, nil the empty one.
fn meta_tag(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    Some(match value {
        Value::Text(Text(bytes)) | Value::Bytes(bytes) => bytes.into(),
        Value::Null => b"".into(),
        Value::Bool(value) => value.to_string().into_bytes().into(),
        Value::Int(value) => value.to_string().into_bytes().into(),
        Value::Uint(value) => value.to_string().into_bytes().into(),
        Value::Float(value) => value.to_string().into_bytes().into(),
        Value::Array(_) | Value::Map(_) => return None,
    })
}

/// The numeric tags, and the priority that no span says.
struct Metrics<'a> {
    sent: Vec<(Text<'a>, Value<'a>)>,
    priority: Option<i32>,
}

impl<'a> Metrics<'a> {
    fn read(span: Span<'a>, priority: Option<i32>) -> Self {
        let sent = span.metrics();
        let sent = sent.filter(|(_, value)| value.as_f64().is_some());
        Self {
            sent: sent.collect(),
            priority,
        }
    }

    fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.priority.is_none()
    }

    fn write(&self, out: &mut Vec<u8>) {
        map(out, self.sent.len() + usize::from(self.priority.is_some()));
        for (name, value) in &self.sent {
            text(out, name.as_bytes());
            scalar(out, *value);
        }
        if let Some(priority) = self.priority {
            key(out, tag::SAMPLING_PRIORITY);
            infallible(write_sint(out, priority.into()));
        }
    }
}

fn structs(span: Span<'_>) -> Vec<(Text<'_>, &[u8])> {
    let entries = span.attribute(Attribute::MetaStruct).map(Value::entries);
    let entries = entries.unwrap_or_default();
    let structs = entries.filter_map(|(name, value)| match value {
        Value::Bytes(bytes) | Value::Text(Text(bytes)) => Some((name, bytes)),
        _ => None,
    });
    structs.collect()
}

fn write_link(out: &mut Vec<u8>, link: &SpanLink<'_>) {
    let attributes = Tags::read(link.attributes, meta_tag, None);
    let flags = link.flags.and_then(|flags| u32::try_from(flags).ok());
    let optional = [
        !attributes.is_empty(),
        !link.tracestate.is_empty(),
        flags.is_some(),
    ];
    map(out, 3 + optional.iter().filter(|has| **has).count());
    key(out, "trace_id");
    uint(out, link.trace_id.low());
    key(out, "trace_id_high");
    uint(out, link.trace_id.high());
    key(out, "span_id");
    uint(out, link.span_id.0);
    if !attributes.is_empty() {
        key(out, "attributes");
        attributes.write(out);
    }
    if !link.tracestate.is_empty() {
        key(out, "tracestate");
        text(out, link.tracestate.as_bytes());
    }
    if let Some(flags) = flags {
        key(out, "flags");
        infallible(write_u32(out, flags));
    }
}

fn write_event(out: &mut Vec<u8>, event: &SpanEvent<'_>) {
    // Anything but maps that name their type makes the Agent refuse it all.
    let attributes = event.attributes;
    let attributes = attributes.filter(|(_, value)| matches!(value, Value::Map(_)));
    let attributes: Vec<_> = attributes.collect();
    map(out, 3);
    key(out, "time_unix_nano");
    uint(out, event.time.0.max(0).cast_unsigned());
    key(out, "name");
    text(out, event.name.as_bytes());
    key(out, "attributes");
    map(out, attributes.len());
    for (name, value) in attributes {
        text(out, name.as_bytes());
        any(out, value, DEPTH_MAX);
    }
}

/// A value as it came. What is nested deeper than any event is nil.
fn any(out: &mut Vec<u8>, value: Value<'_>, depth: usize) {
    match value {
        Value::Array(items) if depth > 0 => {
            let items: Vec<_> = items.collect();
            array(out, items.len());
            for item in items {
                any(out, item, depth - 1);
            }
        }
        Value::Map(entries) if depth > 0 => {
            let entries: Vec<_> = entries.collect();
            map(out, entries.len());
            for (name, value) in entries {
                text(out, name.as_bytes());
                any(out, value, depth - 1);
            }
        }
        other => scalar(out, other),
    }
}

fn scalar(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Bool(value) => infallible(write_bool(out, value)),
        Value::Int(value) => infallible(write_sint(out, value)),
        Value::Uint(value) => uint(out, value),
        Value::Float(value) => infallible(write_f64(out, value)),
        Value::Text(Text(bytes)) => text(out, bytes),
        Value::Bytes(bytes) => infallible(write_bin(out, bytes)),
        Value::Null | Value::Array(_) | Value::Map(_) => infallible(write_nil(out)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::ChunkBuilder;
    use crate::wire::v04;

    /// Decoded again, field by field the same.
    #[track_caller]
    fn check(payload: &TracerPayload) {
        let mut chunks = Chunks::default();
        chunks.push(payload);
        let body = chunks.into_body();
        let again = v04::decode(&body, &mut ChunkBuilder::default()).unwrap();
        assert_eq!(again.chunks.len(), payload.chunks.len());
        for (one, other) in payload.chunks.iter().zip(&again.chunks) {
            assert_eq!(one.len(), other.len());
            for (one, other) in one.spans().zip(other.spans()) {
                assert!(one.same_as(other), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn recorded_spans_are_the_same_again() {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/payloads");
        let mut n_payloads = 0;
        for entry in std::fs::read_dir(fixtures).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.ends_with(".msgpack") || !name.contains("v04") {
                continue;
            }
            let body = std::fs::read(&path).unwrap();
            let payload = v04::decode(&body, &mut ChunkBuilder::default()).unwrap();
            check(&payload);
            n_payloads += 1;
        }
        assert!(n_payloads >= 5, "{n_payloads} payloads were found");
    }
}
