//! What there is to say about a span, as a tree of labelled values: the error first, then what it
//! is, what a real Agent would change of it, how it was sampled, its tags, links and events. No
//! ratatui in here.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::agent::agent;
use super::sampling::sampling;
use crate::store::TraceEntry;
use crate::trace::{Attribute, Entries, Span, SpanId, Text, UnixNanos, Value, tag};
use crate::tui::screen::detail::{Detail, Room, Tone, json};
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// More tags, links or events than this are counted, not shown.
const ENTRIES_MAX: usize = 2_000;
/// Values inside of values inside of values: how far down.
const DEPTH_MAX: usize = 12;
/// Bytes of a binary value that are shown.
const BASE64_BYTES_MAX: usize = 3 * 1024;

/// Everything about a span of a trace. Takes as long however many spans the trace has, so how long none
/// of its children ran has to be said; so has what a local root knows of its start.
pub(crate) fn details(
    trace: &TraceEntry,
    span: Span<'_>,
    self_time: Option<i64>,
    started: Vec<Detail>,
    room: Room,
) -> Vec<Detail> {
    let agent = agent(trace, span, room);
    let mut details: Vec<Detail> = agent.as_ref().err().cloned().into_iter().collect();
    details.extend(error(span, room));
    details.extend(identity(trace, span, self_time, room));
    details.extend(started);
    details.extend(agent.ok().flatten());
    details.extend(sampling(trace, span, room.glyphs));
    details.extend(tags(span, room));
    details.extend(Detail::heading("links", links(span, room)));
    details.extend(Detail::heading("events", events(trace, span, room)));
    details.extend(super::tracer::tracer(trace, room));
    details
}

fn error(span: Span<'_>, room: Room) -> Vec<Detail> {
    let kind = span.meta_text(tag::ERROR_TYPE);
    let message = span.error_message();
    let stack = span.meta_text(tag::ERROR_STACK);
    let is_said = kind.or(message).or(stack).is_some();
    if !span.is_error() && !is_said {
        return Vec::new();
    }
    let first = match (span.is_error(), is_said) {
        (true, true) => None,
        (true, false) => Some("flagged, without type, message or stack"),
        (false, _) => Some("described, but the span is not flagged"),
    };
    let first = first.map(|words| Detail::new("error", words));
    let texts = [("error", kind), ("message", message)];
    let texts = texts.into_iter().filter_map(|(label, text)| {
        let text = text.filter(|text| !text.is_empty())?;
        Some(Detail::text(label, text, room))
    });
    let toned = first.into_iter().chain(texts).map(|detail| Detail {
        tone: Tone::Error,
        ..detail
    });
    toned
        .chain(stack.map(|stack| Detail {
            tone: Tone::Error,
            ..Detail::stack("stack", stack, room)
        }))
        .collect()
}

fn identity(trace: &TraceEntry, span: Span<'_>, self_time: Option<i64>, room: Room) -> Vec<Detail> {
    let glyphs = room.glyphs;
    let texts = |texts: &[(&str, Text<'_>)]| -> Vec<Detail> {
        let said = texts.iter().filter(|(_, text)| !text.is_empty());
        said.map(|(label, text)| Detail::name(*label, *text, room))
            .collect()
    };
    // A resource that only repeats the name is left out, as in the waterfall.
    let resource = Some(span.resource()).filter(|resource| *resource != span.name());
    let mut details = texts(&[
        ("name", span.name()),
        ("resource", resource.unwrap_or_default()),
    ]);
    let duration = text::duration(span.duration(), glyphs);
    let duration = if span.is_snapshot() {
        format!("{duration}  open: a snapshot of a span that still runs")
    } else {
        format!("{duration}  {} ns", span.duration())
    };
    let self_time = self_time.map(|self_time| {
        let share = crate::tui::screen::waterfall::percent(self_time, trace.duration());
        format!("{}{share}", text::duration(self_time, glyphs))
    });
    let parent_id = span.parent_id();
    let parent = trace.span_with_id(parent_id);
    let parent = match parent.and_then(|parent| trace.span(parent)) {
        _ if span.is_root() => format!("{parent_id}  this is a root"),
        Some(parent) => format!("{parent_id}  {}", text::show(parent.name(), glyphs)),
        None => format!("{parent_id}  not seen: this is an orphan"),
    };
    details.push(Detail::new("duration", duration));
    details.extend(self_time.map(|self_time| Detail::new("self", self_time)));
    details.extend(texts(&[
        ("service", span.service()),
        ("type", span.span_type()),
        ("kind", span.meta_text(tag::SPAN_KIND).unwrap_or_default()),
    ]));
    details.push(Detail::new("start", moment(trace, span.start(), glyphs)));
    details.push(Detail::new("span id", span.span_id().to_string()));
    details.push(Detail {
        whole: Some(parent_id.to_string()),
        ..Detail::new("parent", parent)
    });
    details.push(Detail::new("trace id", trace.trace_id().to_string()));
    details
}

/// `14:02:12.871 UTC  +1.47s`
fn moment(trace: &TraceEntry, at: UnixNanos, glyphs: Glyphs) -> String {
    let from_start = at.since(trace.summary().start);
    let sign = if from_start < 0 { "" } else { "+" };
    let from_start = text::duration(from_start, glyphs);
    format!("{} UTC  {sign}{from_start}", text::time_of_day(at))
}

fn tags(span: Span<'_>, room: Room) -> Vec<Detail> {
    let shown = [
        Attribute::Meta,
        Attribute::Metrics,
        Attribute::MetaStruct,
        Attribute::Unknown,
    ];
    let groups = shown.into_iter().filter_map(|attribute| {
        let mut below = entries(span.attribute(attribute)?.entries(), room, DEPTH_MAX);
        // The program's own tags before the tracer's. Stable: of a key that came twice the last one
        // counts, and stands last.
        let rank = |tag: &Detail| tag.label.starts_with('_');
        below.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.label.cmp(&b.label)));
        Detail::heading(attribute.name(), below)
    });
    groups.collect()
}

fn links(span: Span<'_>, room: Room) -> Vec<Detail> {
    let typed = span.links().take(ENTRIES_MAX).map(|link| {
        let mut below = entries(link.attributes, room, DEPTH_MAX);
        if !link.tracestate.is_empty() {
            below.push(Detail::text("tracestate", link.tracestate, room));
        }
        if let Some(flags) = link.flags {
            below.push(Detail::new("flags", flags.to_string()));
        }
        let value = format!("trace {}  span {}", link.trace_id, link.span_id);
        Detail {
            below,
            ..Detail::new("link", value)
        }
    });
    let said = span.meta_text(tag::SPAN_LINKS_JSON);
    let said = said.map_or(Vec::new(), |said| json::items(said, room));
    let said = said.into_iter().map(|item| {
        let member = |name: &str| item.member(name).unwrap_or_default().to_owned();
        // The trace id alone is not enough to go anywhere; span ids are hex in this form.
        let span_id = member("span_id");
        let span_id =
            u64::from_str_radix(&span_id, 16).map_or(span_id, |number| SpanId(number).to_string());
        let value = format!("trace {}  span {span_id}", member("trace_id"));
        Detail {
            value,
            ..item.named("link")
        }
    });
    typed.chain(said).collect()
}

fn events(trace: &TraceEntry, span: Span<'_>, room: Room) -> Vec<Detail> {
    let typed = span.events().take(ENTRIES_MAX).map(|event| Detail {
        below: entries(event.attributes, room, DEPTH_MAX),
        ..Detail::new(
            text::show(event.name, room.glyphs),
            moment(trace, event.time, room.glyphs),
        )
    });
    let said = span.meta_text(tag::SPAN_EVENTS_JSON);
    let said = said.map_or(Vec::new(), |said| json::items(said, room));
    let said = said.into_iter().map(|item| {
        let at = item.member("time_unix_nano").and_then(|at| at.parse().ok());
        let value = at.map(|at| moment(trace, UnixNanos(at), room.glyphs));
        let name = item.member("name").unwrap_or("event").to_owned();
        Detail {
            value: value.unwrap_or_default(),
            ..item.named(&name)
        }
    });
    typed.chain(said).collect()
}

fn entries(entries: Entries<'_>, room: Room, depth: usize) -> Vec<Detail> {
    Detail::some(entries, ENTRIES_MAX, |(key, value)| {
        value_detail(Detail::label(key, room), value, room, depth)
    })
}

fn value_detail(label: String, value: Value<'_>, room: Room, depth: usize) -> Detail {
    let plain = |value: String| Detail::new(label.clone(), value);
    match value {
        Value::Null => plain("null".to_owned()),
        Value::Bool(bool) => plain(bool.to_string()),
        Value::Int(int) => plain(int.to_string()),
        Value::Uint(uint) => plain(uint.to_string()),
        Value::Float(float) => plain(number_words(float)),
        Value::Text(text) => {
            json::detail(&label, text, room).unwrap_or_else(|| Detail::text(label, text, room))
        }
        Value::Bytes(bytes) => plain(bytes_words(bytes, room.glyphs)),
        Value::Array(_) | Value::Map(_) if depth == 0 => plain(room.glyphs.ellipsis().to_owned()),
        Value::Array(items) => {
            let items = (0..).zip(items.take(ENTRIES_MAX));
            let below: Vec<Detail> = items
                .map(|(n, item): (usize, _)| value_detail(n.to_string(), item, room, depth - 1))
                .collect();
            Detail {
                below,
                ..Detail::new(label, "[ ]")
            }
        }
        Value::Map(members) => Detail {
            below: entries(members, room, depth - 1),
            ..Detail::new(label, "{ }")
        },
    }
}

/// A float as short as it is exact: `16`, `0.3`, `1e300`.
fn number_words(float: f64) -> String {
    if float.abs() < 1e16 {
        float.to_string()
    } else {
        format!("{float:?}")
    }
}

fn bytes_words(bytes: &[u8], glyphs: Glyphs) -> String {
    let shown = bytes.get(..BASE64_BYTES_MAX).unwrap_or(bytes);
    let rest = if shown.len() < bytes.len() {
        glyphs.ellipsis()
    } else {
        ""
    };
    format!(
        "{} bytes  {}{rest}",
        bytes.len(),
        BASE64_STANDARD.encode(shown)
    )
}
