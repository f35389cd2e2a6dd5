//! What the simulated Agent makes of each chunk that comes, kept with its trace and counted.

use super::{Store, TraceEntry, TraceKey};
use crate::sampler::{Model, Turn, Verdict};
use crate::trace::{TraceChunk, Via};

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
        self.by_low.get(&self.entries, low).is_some()
    }

    /// What becomes of a chunk of a trace that may be known; `None` for a piece that does not count.
    pub(super) fn judge(
        &mut self,
        known: Option<TraceKey>,
        turn: &mut Turn<'_>,
        chunk: &TraceChunk,
        via: Via,
    ) -> Option<Verdict> {
        turn.chunk_came(via, chunk);
        let known = known.and_then(|key| self.trace(key)?.verdict());
        let root = known.and_then(|verdict| verdict.tracer());
        self.model.decide(turn, chunk, chunk.facts(), root)
    }

    /// Adds what became of a chunk to its trace.
    pub(super) fn add_verdict(
        &mut self,
        key: TraceKey,
        known: Option<TraceKey>,
        verdict: Option<Verdict>,
    ) {
        let held = self.trace(key).and_then(TraceEntry::verdict);
        let joined = verdict.map(|verdict| held.map_or(verdict, |held| held.joined(verdict)));
        self.set_verdict(key, known, joined);
    }

    /// Gives a trace its verdict, if there is one, and counts it once: anew unless it was known. Of a
    /// trace in pieces the last word counts.
    pub(super) fn set_verdict(
        &mut self,
        key: TraceKey,
        known: Option<TraceKey>,
        verdict: Option<Verdict>,
    ) {
        let Some(entry) = self.entry_mut(key) else {
            return;
        };
        let before = known.map(|_| entry.fate());
        if let Some(verdict) = verdict {
            entry.set_verdict(verdict);
        }
        let after = entry.fate();
        self.counters.count_fate(before, after);
    }
}
