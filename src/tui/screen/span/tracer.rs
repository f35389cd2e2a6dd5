//! What was said beside the spans: of the tracer, in the formats that have room for more than its
//! language, and of each chunk of the trace.

use crate::store::TraceEntry;
use crate::trace::{ChunkFacts, Tags, Text, TracerInfo};
use crate::tui::screen::detail::{Detail, Room};

/// More chunks or tags than this are counted, not shown.
const ENTRIES_MAX: usize = 200;

/// The tracer, if its payload said something of it, and the chunks of which something was said.
pub(super) fn tracer(trace: &TraceEntry, room: Room) -> Vec<Detail> {
    let arrivals = trace.arrivals().iter();
    let said = arrivals.filter_map(|arrival| arrival.facts.as_deref());
    let n_chunks = said.clone().count();
    let chunks = Detail::some(said, ENTRIES_MAX, |facts| chunk(facts, room));
    let tracer = Detail::heading("tracer", fields(trace.tracer(), room));
    let chunks = Detail::heading("said of chunks", chunks).map(|heading| Detail {
        value: n_chunks.to_string(),
        ..heading
    });
    tracer.into_iter().chain(chunks).collect()
}

fn fields(tracer: &TracerInfo, room: Room) -> Vec<Detail> {
    let of_payload = [
        ("env", &tracer.env),
        ("version", &tracer.app_version),
        ("host", &tracer.hostname),
        ("container", &tracer.container_id),
        ("runtime id", &tracer.runtime_id),
    ];
    let is_said = of_payload.iter().any(|(_, text)| !text.is_empty());
    if !is_said && tracer.tags.is_empty() {
        return Vec::new();
    }
    let of_tracer = [
        ("language", &tracer.language),
        ("language version", &tracer.language_version),
        ("tracer version", &tracer.tracer_version),
    ];
    let texts = of_tracer.into_iter().chain(of_payload);
    let said = texts.filter(|(_, text)| !text.is_empty());
    let said = said.map(|(label, text)| Detail::text(label, Text::from(&**text), room));
    said.chain(tags(&tracer.tags, room)).collect()
}

fn chunk(facts: &ChunkFacts, room: Room) -> Detail {
    let priority = facts
        .priority
        .map(|priority| format!("priority {priority}"));
    let dropped = facts
        .dropped_trace
        .then(|| "dropped by the tracer".to_owned());
    let value: Vec<String> = priority.into_iter().chain(dropped).collect();
    let origin = (!facts.origin.is_empty())
        .then(|| Detail::text("origin", Text::from(&*facts.origin), room));
    Detail {
        below: origin.into_iter().chain(tags(&facts.tags, room)).collect(),
        ..Detail::new("chunk", value.join(", "))
    }
}

fn tags(tags: &Tags, room: Room) -> Vec<Detail> {
    Detail::some(tags.iter(), ENTRIES_MAX, |(key, value)| {
        let label = Detail::label(Text::from(&**key), room);
        Detail::text(label, Text::from(&**value), room)
    })
}
