//! An export, replayed: its traces go through the simulated Agent again, as they came.

use std::collections::HashMap;

use serde_json::Value;

use super::{Answer, Object, same};
use crate::export::SimulatedJson;
use crate::sampler::{Delivery, Model, Process, Verdict};
use crate::store::{Arrival, SpanIndex, Store, TraceEntry, TraceKey};
use crate::trace::{ChunkBuilder, PayloadForm, TraceChunk, TracerPayload, UnixNanos};

/// What of a verdict is compared; the reason is only words for it.
const COMPARED: [&str; 4] = ["kept", "by", "tracer", "agent"];

/// Whether a file that begins so is an export.
pub fn is_export(beginning: &[u8]) -> bool {
    let mut rest = beginning;
    [&b"{"[..], b"\"format\"", b":", b"\"modtrace\""]
        .iter()
        .all(|token| {
            rest = rest.trim_ascii_start();
            let after = rest.strip_prefix(*token);
            rest = after.unwrap_or_default();
            after.is_some()
        })
}

/// The spans of a trace that came at once.
#[derive(Debug)]
struct Came<'a> {
    at: UnixNanos,
    trace: &'a TraceEntry,
    arrival: &'a Arrival,
    first_span: usize,
}

/// What the model makes of each trace of an export, and whether that is what the export says was
/// simulated when it was written. An export does not hold what clients dropped before they sent.
pub fn traces(store: &Store, mut model: Model) -> impl Iterator<Item = Answer> {
    let mut came: Vec<Came<'_>> = store.traces().flat_map(arrivals).collect();
    came.sort_by_key(|came| came.at);
    let mut verdicts = HashMap::new();
    let mut builder = ChunkBuilder::default();
    for delivery in came.chunk_by(|one, next| is_one_delivery(one, next)) {
        deliver(delivery, &mut model, &mut builder, &mut verdicts);
    }
    store
        .traces()
        .filter_map(move |trace| Some(answer(trace, *verdicts.get(&trace.key())?)))
}

/// When its spans came: those of the first arrival stand first.
fn arrivals(trace: &TraceEntry) -> impl Iterator<Item = Came<'_>> {
    let mut next_span = 0;
    trace.arrivals().iter().map(move |arrival| {
        let first_span = next_span;
        next_span += usize::try_from(arrival.n_spans).unwrap_or(usize::MAX);
        Came {
            at: arrival.at,
            trace,
            arrival,
            first_span,
        }
    })
}

/// Two requests do not come in one nanosecond from one client.
fn is_one_delivery(one: &Came<'_>, other: &Came<'_>) -> bool {
    one.at == other.at && one.trace.tracer().runtime_id == other.trace.tracer().runtime_id
}

fn deliver(
    delivery: &[Came<'_>],
    model: &mut Model,
    builder: &mut ChunkBuilder,
    verdicts: &mut HashMap<TraceKey, Verdict>,
) {
    let Some(first) = delivery.first() else {
        return;
    };
    let tracer = first.trace.tracer();
    let chunks = delivery.iter().filter_map(|came| chunk(came, builder));
    let payload = TracerPayload {
        tracer: tracer.clone().into(),
        chunks: chunks.collect(),
        n_chunks: delivery.len(),
        form: PayloadForm::default(),
    };
    let process = Process::of(&payload, None);
    let sent = Delivery {
        at: first.at,
        language: &tracer.language,
        env: &tracer.env,
        form: payload.form,
    };
    let mut turn = model.begin(sent, process, payload.n_chunks, 0);
    let came = delivery.iter().filter(|came| came.n_spans() > 0);
    for (came, chunk) in came.zip(&payload.chunks) {
        turn.chunk_came(came.arrival.via, chunk);
        let known = verdicts.get(&came.trace.key()).copied();
        let root = known.and_then(|known| known.tracer());
        let facts = came.arrival.facts.as_deref();
        let Some(verdict) = model.decide(&mut turn, chunk, facts, root) else {
            continue;
        };
        let verdict = known.map_or(verdict, |known| known.joined(verdict));
        verdicts.insert(came.trace.key(), verdict);
    }
}

impl Came<'_> {
    /// How many of its spans the trace has: of duplicates it has none.
    fn n_spans(&self) -> usize {
        let n_left = self.trace.n_spans().saturating_sub(self.first_span);
        n_left.min(usize::try_from(self.arrival.n_spans).unwrap_or(usize::MAX))
    }
}

fn chunk(came: &Came<'_>, builder: &mut ChunkBuilder) -> Option<TraceChunk> {
    let places = came.first_span..came.first_span + came.n_spans();
    let places = places.filter_map(|place| u32::try_from(place).ok());
    let spans = places.filter_map(|place| came.trace.span(SpanIndex(place)));
    builder.copied(came.trace.trace_id(), spans)
}

fn answer(trace: &TraceEntry, verdict: Verdict) -> Answer {
    let computed = simulated(trace, verdict);
    let agrees = trace.verdict().map(|then| {
        let then = simulated(trace, then);
        let mut names = COMPARED.iter();
        names.all(|name| same(member(&computed, name), member(&then, name)))
    });
    let mut members = Object::new();
    members.insert("trace_id".to_owned(), trace.trace_id().to_string().into());
    members.extend(computed);
    Answer {
        computed: members,
        agrees,
    }
}

fn simulated(trace: &TraceEntry, verdict: Verdict) -> Object {
    let simulated = SimulatedJson::new(verdict, &trace.sampling(), trace.trace_id());
    match serde_json::to_value(simulated) {
        Ok(Value::Object(members)) => members,
        _ => Object::new(),
    }
}

fn member<'a>(object: &'a Object, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}
