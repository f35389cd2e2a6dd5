//! What the simulated Agent makes of each chunk that comes, kept with its trace and counted.

use super::{Store, TraceEntry, TraceKey};
use crate::sampler::{Fate, Model, Turn, Verdict};
use crate::trace::{Span, TraceChunk, Via};

/// What becomes of a chunk, and what its trace had come to before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// `None` for a trace that begins with it.
    before: Option<Fate>,
    /// `None` for a piece that does not count.
    verdict: Option<Verdict>,
}

impl Store {
    /// The same, judging what comes by another model.
    #[must_use]
    pub fn with_model(mut self, model: Model) -> Self {
        self.model = model;
        self
    }

    /// The simulated Agents.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Whether a trace is held whose id has this low half.
    pub(crate) fn holds_id(&self, low: u64) -> bool {
        self.by_low.contains_key(&low)
    }

    /// What becomes of a chunk. Spans in a file came to nobody when they are read: an Agent would have
    /// got them when the last of them had ended.
    pub(super) fn judge(&mut self, turn: &mut Turn<'_>, chunk: &TraceChunk, via: Via) -> Judged {
        if via == Via::File
            && let Some(end) = chunk.spans().map(Span::end).max()
        {
            turn.set_time(end);
        }
        let known = self.twin_for(chunk.trace_id());
        let known = known.and_then(|key| self.trace(key));
        let root = known.and_then(|entry| entry.verdict()?.tracer());
        Judged {
            before: known.map(TraceEntry::fate),
            verdict: self.model.decide(turn, chunk, chunk.facts(), root),
        }
    }

    /// Adds what became of a chunk to its trace.
    pub(super) fn give_verdict(&mut self, key: TraceKey, judged: Judged) {
        let Some(entry) = self.entry_mut(key) else {
            return;
        };
        if let Some(verdict) = judged.verdict {
            let joined = entry.verdict().map_or(verdict, |held| held.joined(verdict));
            entry.set_verdict(joined);
        }
        let after = entry.fate();
        self.counters.count_fate(judged.before, after);
    }

    /// Puts back what an export says became of a trace, and counts it. Of a trace in pieces the last
    /// word counts.
    pub(super) fn restore_verdict(
        &mut self,
        key: TraceKey,
        before: Option<Fate>,
        said: Option<Verdict>,
    ) {
        let Some(entry) = self.entry_mut(key) else {
            return;
        };
        if let Some(verdict) = said {
            entry.set_verdict(verdict);
        }
        let after = entry.fate();
        self.counters.count_fate(before, after);
    }
}
