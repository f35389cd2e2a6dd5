//! The laws of the store, and what becomes of odd deliveries.

mod arrival;
mod budget;
mod counters;
mod departing;
mod departing_lines;
mod hearing;
mod joining;
mod judging;
mod lines;
mod sending_later;
mod starting;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{KnownBy, LogEntry, Store, TraceEntry, TraceKey};
use crate::ingest::Received;
use crate::trace::{
    Attribute, ChunkBuilder, Field, Now, Span, TraceChunk, TraceId, TracerInfo, TracerPayload,
    UnixNanos, Via, tag,
};

/// More than any test brings.
const PLENTY: usize = 64 << 20;

/// The few things about a span that the store looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Plan {
    id: u64,
    start: i64,
    parent: u64,
    duration: i64,
    error: i32,
    version: u8,
}

const SPAN: Plan = Plan {
    id: 1,
    start: 10,
    parent: 0,
    duration: 5,
    error: 0,
    version: 0,
};

impl Plan {
    fn of(span: Span<'_>) -> Self {
        Self {
            id: span.span_id().0,
            start: span.start().0,
            parent: span.parent_id().0,
            duration: span.duration(),
            error: span.error(),
            version: span.name().as_bytes().first().copied().unwrap_or(0),
        }
    }

    fn write(self, builder: &mut ChunkBuilder) {
        let name = builder.text(&[self.version]).unwrap();
        builder.set_text(Field::Name, name);
        builder.set_number(Field::SpanId, self.id);
        builder.set_number(Field::ParentId, self.parent);
        builder.set_number(Field::Start, self.start.cast_unsigned());
        builder.set_number(Field::Duration, self.duration.cast_unsigned());
        builder.set_number(Field::Error, i64::from(self.error).cast_unsigned());
    }

    /// Whom it is: a span with the same identity is the same span.
    fn identity(self) -> (u64, i64) {
        (self.id, self.start)
    }
}

/// Spans of one trace. A high half of 0 goes unsaid.
fn chunk(id: TraceId, spans: &[Plan]) -> TraceChunk {
    tagged_chunk(id, spans, "")
}

/// The same, the first span tagged with a container, unless that is empty.
fn tagged_chunk(id: TraceId, spans: &[Plan], container: &str) -> TraceChunk {
    let mut builder = ChunkBuilder::default();
    for (place, span) in spans.iter().enumerate() {
        builder.begin_span().unwrap();
        builder.set_number(Field::TraceId, id.low());
        span.write(&mut builder);
        let high = (id.high() != 0).then(|| format!("{:016x}", id.high()));
        let high = high.map(|high| (tag::TRACE_ID_HIGH, high));
        let container = (!container.is_empty()).then(|| ("modal.task_id", container.to_owned()));
        let tags: Vec<_> = high.into_iter().chain(container).collect();
        if place > 0 || tags.is_empty() {
            continue;
        }
        let opened = builder.attribute(Attribute::Meta).open_map();
        for (key, value) in tags {
            let key = builder.text(key.as_bytes()).unwrap();
            let value = builder.text(value.as_bytes()).unwrap();
            builder.writer().key(key);
            builder.writer().text(value);
        }
        builder.writer().close(opened);
    }
    builder.finish().pop().unwrap()
}

fn received(chunks: Vec<TraceChunk>) -> Received {
    let n_chunks = chunks.len();
    Received::new(
        UnixNanos(1),
        Via::Http,
        TracerPayload {
            tracer: TracerInfo::default().into(),
            chunks,
            n_chunks,
            form: crate::trace::PayloadForm::default(),
        },
    )
}

/// Delivers spans of one trace; the key of the trace they came to.
fn deliver(store: &mut Store, id: TraceId, spans: &[Plan]) -> Option<TraceKey> {
    let touched = store.insert(received(vec![chunk(id, spans)]), Now::default());
    assert_laws(store);
    touched.first().copied()
}

fn id(high: u64, low: u64) -> TraceId {
    TraceId::from_halves(high, low)
}

fn spans(trace: &TraceEntry) -> Vec<Plan> {
    trace.spans().map(|(_, span)| Plan::of(span)).collect()
}

fn only_trace(store: &Store) -> &TraceEntry {
    assert_eq!(store.n_traces(), 1);
    store.traces().next().unwrap()
}

/// What holds at any time.
#[track_caller]
fn assert_laws(store: &Store) {
    let counters = store.counters();
    assert_eq!(
        counters.spans_received,
        counters.spans_shown + counters.spans_evicted + counters.spans_duplicate
    );
    let n_shown: usize = store.traces().map(TraceEntry::n_spans).sum();
    assert_eq!(counters.spans_shown, super::count(n_shown));
    let n_complete = store.traces().filter(|trace| trace.is_complete()).count();
    assert_eq!(counters.traces_complete, super::count(n_complete));
    assert_eq!(store.traces().count(), store.n_traces());
    assert_eq!(
        counters.traces_open + counters.traces_complete,
        super::count(store.n_traces())
    );
    let n_judged: u64 = counters.traces_by_verdict.values().sum();
    let n_received = super::count(store.n_traces()) + counters.traces_evicted;
    assert_eq!(n_judged, n_received);
    assert!(store.bytes() <= store.memory_bytes_max());
    let n_held = store.n_traces() + store.n_logs();
    assert_eq!(store.bytes() == 0, n_held == 0);
    assert_line_laws(store);
    for trace in store.traces() {
        assert_trace_laws(trace);
        assert_eq!(store.trace(trace.key()).unwrap().key(), trace.key());
        assert_eq!(
            store.find(trace.trace_id()).unwrap().trace_id(),
            trace.trace_id()
        );
    }
}

/// A line is in the trace that it says, and nowhere else; every line is counted once.
#[track_caller]
fn assert_line_laws(store: &Store) {
    let counters = store.counters();
    assert_eq!(
        counters.logs_received,
        counters.logs_joined + counters.logs_unjoined
    );
    let n_held = super::count(store.n_logs());
    assert_eq!(counters.logs_received, n_held + counters.logs_evicted);
    assert_eq!(store.logs().count(), store.n_logs());
    assert!(store.logs().map(LogEntry::key).is_sorted());
    for line in store.logs() {
        assert_eq!(store.log(line.key()).unwrap().key(), line.key());
        let trace = line.joined().map(|joined| store.trace(joined.trace));
        let is_there = trace.is_none_or(|trace| trace.unwrap().logs().contains(&line.key()));
        assert!(is_there, "{:?} is not in its trace", line.key());
    }
    let of_traces = store
        .traces()
        .map(|trace| trace.logs().len())
        .sum::<usize>();
    let joined = store.logs().filter(|line| line.joined().is_some()).count();
    assert_eq!(of_traces, joined);
    assert!(store.traces().all(|trace| trace.logs().is_sorted()));
    let of_entries = |trace: &TraceEntry| trace.bytes() + super::ENTRY_OVERHEAD_BYTES;
    let traces = store.traces().map(of_entries).sum::<usize>();
    let held = traces + store.logs.bytes() + store.shared_bytes();
    assert_eq!(store.bytes(), held);
    let loose = store.logs().filter(|line| line.joined().is_none());
    let loose_bytes = loose.map(super::logs::line_bytes).sum::<usize>();
    assert_eq!(store.logs.loose_bytes(), loose_bytes);
}

/// What is kept up to date span by span is what a look at all spans gives.
#[track_caller]
fn assert_trace_laws(trace: &TraceEntry) {
    let spans = spans(trace);
    assert_eq!(spans.len(), trace.n_spans());
    let is_root = |span: &&Plan| span.parent == 0 || span.parent == span.id;
    let orphans = spans
        .iter()
        .filter(|span| !is_root(span) && !spans.iter().any(|other| other.id == span.parent));
    assert_eq!(trace.n_orphans(), super::count_u32(orphans.count()));
    let rank = |span: &&Plan| (span.start, span.id);
    let root = spans.iter().filter(is_root).min_by_key(rank);
    let head = root.or(spans.iter().min_by_key(rank));
    assert_eq!(trace.head().map(Plan::of).as_ref(), head);
    let n_errors = spans.iter().filter(|span| span.error != 0).count();
    assert_eq!(trace.summary().n_errors, super::count_u32(n_errors));
    let end = |span: &Plan| span.start.saturating_add(span.duration.max(0));
    assert_eq!(Some(trace.summary().end.0), spans.iter().map(end).max());
    let start = spans.iter().map(|span| span.start).min();
    assert_eq!(Some(trace.summary().start.0), start);
    for (index, span) in trace.spans() {
        assert_eq!(trace.span(index).map(Plan::of), Some(Plan::of(span)));
    }
}

/// Spans with ids, parents and starts that often meet.
fn span_within(n_ids: u64) -> impl Strategy<Value = Plan> {
    (
        0..n_ids,
        0..3_i64,
        0..n_ids,
        -1..9_i64,
        0..2_i32,
        b'a'..b'c',
    )
        .prop_map(|(id, start, parent, duration, error, version)| Plan {
            id,
            start,
            parent,
            duration,
            error,
            version,
        })
}
