//! The traces that are held as a tape, to be decided again under other settings.

use super::{Store, TraceEntry, TraceKey};
use crate::sampler::replay::{Came, Tape, TapedTrace};
use crate::sampler::{Delivery, Process, RareSpans};
use crate::trace::{PayloadForm, SamplingMechanism, Span, TraceChunk, UnixNanos, Via};

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
    /// Rules are written by users, or set from Datadog's side.
    const RULES: [u8; 3] = [3, 11, 12];
    let mechanism = entry.sampling().mechanism();
    let is_drawn = mechanism.is_none_or(|SamplingMechanism(number)| matches!(number, 0 | 1));
    let is_ruled = mechanism.is_some_and(|SamplingMechanism(number)| RULES.contains(&number));
    TapedTrace {
        id: entry.trace_id(),
        start: entry.start(),
        duration: entry.duration(),
        obeys_rules: entry.summary().root().is_some() && (is_drawn || is_ruled),
    }
}

/// How a chunk of a trace came. Of chunks that were put together the last arrival counts.
fn came<'a>(entry: &'a TraceEntry, place: usize, chunk: &'a TraceChunk) -> Option<Came<'a>> {
    let arrivals = entry.arrivals();
    let arrival = arrivals.get(place).or(arrivals.last())?;
    let tracer = entry.tracer();
    let read_at = || -> UnixNanos { chunk.spans().map(Span::end).max().unwrap_or_default() };
    Some(Came {
        delivery: Delivery {
            at: match arrival.via {
                Via::File => read_at(),
                _ => arrival.at,
            },
            language: &tracer.language,
            env: &tracer.env,
            form: PayloadForm::default(),
        },
        process: Process::of_chunk(tracer, Some(chunk), entry.relay()),
        facts: arrival.facts.as_deref(),
    })
}
