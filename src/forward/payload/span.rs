//! A span as the message of the intake. What the message has no room for becomes text or is left out, as
//! [`super::value`] says.

use libdd_trace_protobuf::pb;

use super::super::Prepared;
use super::marks::Marks;
use super::value::{any_value, bytes, plain_text};
use crate::normalize::{Normalized, NormalizedLink, TagValue};
use crate::trace::{Attribute, SpanEvent, Value};

/// Where the Agent says that a span enters a service (`pkg/trace/traceutil/span.go`, `SetTopLevel`).
const TOP_LEVEL: &str = "_top_level";
const LINK_NAME: &str = "link.name";

/// The span at a place of a chunk.
pub(super) fn message(prepared: &Prepared<'_>, marks: &Marks, place: usize) -> pb::Span {
    let Some(span) = prepared.chunk().spans().get(place) else {
        return pb::Span::default();
    };
    let mut message = pb::Span {
        service: span.service().to_owned(),
        name: span.name().to_owned(),
        resource: span.resource().to_owned(),
        trace_id: span.trace_id().low(),
        span_id: span.span_id().0,
        parent_id: span.parent_id().0,
        start: span.start().0,
        duration: span.duration(),
        error: span.error(),
        r#type: span.span_type().to_owned(),
        ..pb::Span::default()
    };
    let meta = span.meta();
    message.meta = meta
        .map(|(key, value)| (key.into_owned(), tag_text(value)))
        .collect();
    let added = prepared.added().iter();
    let added = added.map(|(key, value)| (key.to_owned(), value.to_owned()));
    message.meta.extend(added);
    let metrics = span.metrics();
    message.metrics = metrics
        .filter_map(|(key, value)| Some((key.into_owned(), value.as_f64()?)))
        .collect();
    if prepared.chunk().is_top_level(place) {
        message.metrics.insert(TOP_LEVEL.to_owned(), 1.0);
    }
    message.meta_struct = structs(span);
    message.span_links = span.links().map(link).collect();
    message.span_events = span.sent().events().map(event).collect();
    marks.write(place, &mut message);
    message
}

fn tag_text(value: TagValue<'_>) -> String {
    match value {
        TagValue::Text(text) => text.into_owned(),
        TagValue::Other(value) => plain_text(value),
    }
}

fn structs(span: &Normalized<'_>) -> std::collections::HashMap<String, Vec<u8>> {
    let structs = span.sent().attribute(Attribute::MetaStruct);
    let structs = structs.map(Value::entries).unwrap_or_default();
    structs
        .filter_map(|(key, value)| Some((key.to_lossy().into_owned(), bytes(value)?.to_vec())))
        .collect()
}

fn link(link: NormalizedLink<'_>) -> pb::SpanLink {
    let sent = link.sent;
    let attributes = sent.attributes;
    let mut attributes: std::collections::HashMap<_, _> = attributes
        .map(|(key, value)| (key.to_lossy().into_owned(), plain_text(value)))
        .collect();
    if let Some(name) = link.name {
        attributes.insert(LINK_NAME.to_owned(), name.into_owned());
    }
    pb::SpanLink {
        trace_id: sent.trace_id.low(),
        trace_id_high: sent.trace_id.high(),
        span_id: sent.span_id.0,
        attributes,
        tracestate: sent.tracestate.to_lossy().into_owned(),
        flags: sent
            .flags
            .and_then(|flags| u32::try_from(flags).ok())
            .unwrap_or_default(),
    }
}

fn event(event: SpanEvent<'_>) -> pb::SpanEvent {
    let attributes = event.attributes;
    pb::SpanEvent {
        time_unix_nano: event.time.0.cast_unsigned(),
        name: event.name.to_lossy().into_owned(),
        attributes: attributes
            .map(|(key, value)| (key.to_lossy().into_owned(), any_value(value)))
            .collect(),
    }
}
