//! The contender that takes the first thing at hand: `rmp-serde` into owned strings and maps, kept
//! by trace.

use std::collections::{HashMap, VecDeque};

#[derive(Default, serde::Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub(crate) struct Span {
    service: String,
    name: String,
    resource: String,
    r#type: String,
    trace_id: u64,
    span_id: u64,
    parent_id: u64,
    start: i64,
    duration: i64,
    error: i32,
    meta: HashMap<String, String>,
    metrics: HashMap<String, f64>,
}

impl Span {
    /// Whether a text is in a name or in the value of a tag.
    pub(crate) fn contains(&self, part: &str) -> bool {
        [&self.service, &self.name, &self.resource, &self.r#type]
            .into_iter()
            .chain(self.meta.values())
            .any(|text| text.contains(part))
    }

    /// So that nothing of it is left out because nobody reads it.
    pub(crate) fn weight(&self) -> u64 {
        let numbers = self.span_id ^ self.parent_id ^ u64::from(self.error.unsigned_abs());
        let times = self.start.wrapping_add(self.duration).cast_unsigned();
        numbers ^ times ^ (self.metrics.len() as u64)
    }
}

/// The spans of each trace.
pub(crate) type Traces = Vec<Vec<Span>>;

pub(crate) fn decode_v04(body: &[u8]) -> Traces {
    rmp_serde::from_slice(body).unwrap()
}

/// A span of v0.5: strings are places in the dictionary.
#[derive(serde::Deserialize)]
struct IndexedSpan {
    service: usize,
    name: usize,
    resource: usize,
    trace_id: u64,
    span_id: u64,
    parent_id: u64,
    start: i64,
    duration: i64,
    error: i32,
    meta: HashMap<usize, usize>,
    metrics: HashMap<usize, f64>,
    r#type: usize,
}

pub(crate) fn decode_v05(body: &[u8]) -> Traces {
    let (strings, chunks): (Vec<String>, Vec<Vec<IndexedSpan>>) =
        rmp_serde::from_slice(body).unwrap();
    let text = |place: usize| strings[place].clone();
    let span = |span: IndexedSpan| Span {
        service: text(span.service),
        name: text(span.name),
        resource: text(span.resource),
        r#type: text(span.r#type),
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent_id: span.parent_id,
        start: span.start,
        duration: span.duration,
        error: span.error,
        meta: span
            .meta
            .into_iter()
            .map(|(key, value)| (text(key), text(value)))
            .collect(),
        metrics: span
            .metrics
            .into_iter()
            .map(|(key, value)| (text(key), value))
            .collect(),
    };
    chunks
        .into_iter()
        .map(|chunk| chunk.into_iter().map(span).collect())
        .collect()
}

/// Traces by id, the oldest out first.
#[derive(Default)]
pub(crate) struct Store {
    traces: HashMap<u64, Vec<Span>>,
    arrived: VecDeque<u64>,
}

impl Store {
    pub(crate) fn insert(&mut self, chunks: Traces, traces_max: usize) {
        for chunk in chunks {
            let Some(id) = chunk.first().map(|span| span.trace_id) else {
                continue;
            };
            let arrived = &mut self.arrived;
            let trace = self.traces.entry(id).or_insert_with(|| {
                arrived.push_back(id);
                Vec::new()
            });
            trace.extend(chunk);
            while self.arrived.len() > traces_max {
                let oldest = self.arrived.pop_front();
                oldest.and_then(|id| self.traces.remove(&id));
            }
        }
    }

    pub(crate) fn traces(&self) -> impl Iterator<Item = &[Span]> {
        self.traces.values().map(Vec::as_slice)
    }
}

// Not every bench takes all of it.
const _: [fn(&[u8]) -> Traces; 2] = [decode_v04, decode_v05];
const _: fn(&mut Store, Traces, usize) = Store::insert;
const _: fn(&Span) -> u64 = Span::weight;
const _: fn(&Span, &str) -> bool = Span::contains;
const _: fn(&Store) -> usize = |store| store.traces().count();
