//! Giving up what is oldest, so that the budget is kept: whole traces with their lines, each counted.

use super::counters::raise;
use super::{ENTRY_OVERHEAD_BYTES, Store, TraceEntry, TraceKey, count};

/// Lines that belong to no trace may take a quarter of the budget before they go first.
const LOOSE_SHARE: usize = 4;
/// How far eviction looks for a complete trace before it takes the oldest, complete or not.
const EVICTION_LOOKAHEAD: usize = 64;

impl Store {
    /// Gives up what is oldest until the budget is kept. Lines without a trace go first as far as
    /// they take more than their share; then traces with their lines; then what is left.
    pub(super) fn evict(&mut self) {
        let loose_max = self.memory_bytes_max / LOOSE_SHARE;
        while self.bytes() > self.memory_bytes_max {
            if self.logs.loose_bytes() > loose_max && self.remove_loose_line() {
                continue;
            }
            let next = self.next_to_evict();
            let is_looked_at = next.is_none_or(|key| self.is_held(key));
            if is_looked_at && self.remove_loose_line() {
                continue;
            }
            if next.is_none() {
                break;
            }
            self.remove(next);
        }
    }

    /// The oldest complete trace that nobody looks at and nobody marked; if the oldest ones are all unfinished, the
    /// oldest of them; if everything is looked at, the oldest.
    pub(super) fn next_to_evict(&self) -> Option<TraceKey> {
        let unheld = || self.traces().filter(|entry| !self.is_held(entry.key()));
        let complete = unheld()
            .take(EVICTION_LOOKAHEAD)
            .find(|entry| entry.is_complete());
        let chosen = complete
            .or_else(|| unheld().next())
            .or_else(|| self.traces().next());
        chosen.map(TraceEntry::key)
    }

    pub(super) fn remove(&mut self, key: Option<TraceKey>) {
        let Some(entry) = key.and_then(|key| self.entries.remove(key)) else {
            return;
        };
        self.marks.remove(&entry.key());
        self.bytes = self
            .bytes
            .saturating_sub(entry.bytes() + ENTRY_OVERHEAD_BYTES);
        raise(&mut self.counters.traces_evicted, 1);
        raise(&mut self.counters.spans_evicted, count(entry.n_spans()));
        self.counters.spans_shown -= count(entry.n_spans());
        *self.counters.traces(entry.is_complete()) -= 1;
        self.forget_way(&entry);
        self.unlink(&entry);
        self.remove_lines(&entry);
        self.remember_requests(&entry);
        self.evicted.push(entry);
    }

    /// Takes a trace that was removed out of the chain of its twins.
    fn unlink(&mut self, removed: &TraceEntry) {
        let low = removed.trace_id().low();
        let (key, older) = (removed.key(), removed.older_twin());
        if self.by_low.replace(low, key, older) {
            return;
        }
        let newer = self
            .twins(low)
            .find(|entry| entry.older_twin() == Some(key));
        if let Some(newer) = newer.map(TraceEntry::key)
            && let Some(newer) = self.entry_mut(newer)
        {
            newer.set_older_twin(older);
        }
    }
}
