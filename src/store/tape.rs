//! The traces that are held as a tape, to be decided again under other settings.

use super::{Store, TraceEntry};
use crate::sampler::replay::{Came, Tape, TapedTrace};
use crate::sampler::{Delivery, Process, RareSpans};
use crate::trace::{PayloadForm, SamplingMechanism, Span, TraceChunk, UnixNanos, Via};

impl Store {
    /// Reads everything that the samplers ask of the traces that are held.
    pub fn tape(&self, rare: RareSpans) -> Tape {
        let mut tape = Tape::new(self.model().settings(), rare);
        for entry in self.traces() {
            tape.add_trace(taped(entry));
            for (place, chunk) in entry.chunks().enumerate() {
                if let Some(came) = came(entry, place, chunk) {
                    tape.add_chunk(chunk, came);
                }
            }
        }
        tape.finish();
        tape
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
