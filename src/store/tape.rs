//! The traces that are held as a tape, to be decided again under other settings.

use super::{Store, TraceEntry, TraceKey};
use crate::sampler::replay::{Came, Tape, TapedTrace};
use crate::sampler::{Delivery, Process, RareSpans, came_at};
use crate::trace::{PayloadForm, SamplingMechanism, TraceChunk};

impl Store {
    /// Reads everything that the samplers ask of the traces that are held.
    pub fn tape(&self, rare: RareSpans) -> Tape {
        let mut tape = Tape::new(self.model(), rare);
        let mut from = Some(TraceKey(0));
        while let Some(next) = from {
            from = self.tape_from(&mut tape, next, usize::MAX);
        }
        tape
    }

    /// Reads so many traces from a key on, and says where to go on; all of them are on the tape once
    /// it says nothing.
    pub fn tape_from(&self, tape: &mut Tape, from: TraceKey, n_traces: usize) -> Option<TraceKey> {
        let mut next = from;
        for _ in 0..n_traces {
            let Some(entry) = self.trace_from(next) else {
                tape.finish();
                return None;
            };
            next = TraceKey(entry.key().0.saturating_add(1));
            tape.add_trace(taped(entry));
            for (place, chunk) in entry.chunks().enumerate() {
                if let Some(came) = came(entry, place, chunk) {
                    tape.add_chunk(chunk, came);
                }
            }
        }
        Some(next)
    }
}

fn taped(entry: &TraceEntry) -> TapedTrace {
    let mechanism = entry.sampling().mechanism();
    let is_drawn = mechanism.is_none_or(SamplingMechanism::is_rate);
    let is_ruled = mechanism.is_some_and(SamplingMechanism::is_rule);
    TapedTrace {
        id: entry.trace_id(),
        start: entry.start(),
        duration: entry.duration(),
        obeys_rules: entry.summary().root().is_some() && (is_drawn || is_ruled),
    }
}

/// How a chunk of a trace came: chunks and arrivals stand in one order, but where chunks have gone, or
/// were put together in an export.
fn came<'a>(entry: &'a TraceEntry, place: usize, chunk: &'a TraceChunk) -> Option<Came<'a>> {
    let arrivals = entry.arrivals();
    let arrival = arrivals.get(place).or(arrivals.last())?;
    let tracer = entry.tracer();
    Some(Came {
        delivery: Delivery {
            at: came_at(arrival.via, arrival.at, chunk),
            language: &tracer.language,
            env: &tracer.env,
            form: PayloadForm::default(),
        },
        process: Process::of_chunk(tracer, Some(chunk), entry.relay()),
        facts: arrival.facts.as_deref(),
    })
}
