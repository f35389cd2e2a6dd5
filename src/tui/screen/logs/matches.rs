//! Which lines match the filter, kept up to date in small steps: a new filter is compared with so
//! many bytes a step, newest lines first, so that typing never waits for a million lines.

use std::collections::VecDeque;

use crate::query::Query;
use crate::store::{LogEntry, LogKey, Store};

/// How many bytes of lines are looked at in one step.
const BYTES_PER_STEP: usize = 2 << 20;
/// What looking at any line costs, as bytes.
const LINE_COST_BYTES: usize = 128;
/// Time between two looks for lines that went from the middle.
const SWEEP_NS: u64 = 500_000_000;

/// The matching lines.
#[derive(Debug, Default)]
pub(super) struct Matches {
    filter: Query,
    /// Those that match, in order of arrival.
    keys: VecDeque<LogKey>,
    /// The newest line that was taken.
    newest: Option<LogKey>,
    /// Lines that the filter has not been compared with; the newest stands last.
    unsearched: Vec<LogKey>,
    /// Whether the filter is new and all lines are to be looked at.
    is_fresh: bool,
    swept_uptime_ns: u64,
}

impl Matches {
    pub(super) fn keys(&self) -> &VecDeque<LogKey> {
        &self.keys
    }

    /// The newest line that was taken, whether it matches or not.
    pub(super) fn newest(&self) -> Option<LogKey> {
        self.newest
    }

    pub(super) fn filter(&self) -> &Query {
        &self.filter
    }

    pub(super) fn is_searching(&self) -> bool {
        !self.unsearched.is_empty()
    }

    pub(super) fn set_filter(&mut self, filter: Query) {
        if filter == self.filter {
            return;
        }
        self.filter = filter;
        self.keys.clear();
        self.unsearched.clear();
        self.is_fresh = true;
    }

    /// Takes new lines, goes on comparing, and forgets those that went.
    pub(super) fn refresh(&mut self, store: &Store, uptime_ns: u64) {
        self.add_new(store);
        self.search(store);
        self.forget_evicted(store, uptime_ns);
    }

    /// Goes on comparing while the view is paused, with none that came since. Returns whether there
    /// was anything to compare.
    pub(super) fn refresh_paused(&mut self, store: &Store) -> bool {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        if is_fresh {
            let known = store.logs().map(LogEntry::key);
            let known = known.take_while(|key| Some(*key) <= self.newest);
            if self.filter.is_empty() {
                self.keys = known.collect();
            } else {
                self.unsearched = known.collect();
            }
        }
        let is_searching = self.is_searching();
        self.search(store);
        is_fresh || is_searching
    }

    /// Lines newer than any taken: all match the empty filter, the others wait their turn.
    fn add_new(&mut self, store: &Store) {
        let known = self.newest.filter(|_| !std::mem::take(&mut self.is_fresh));
        let newest_first = store.logs().rev().map(LogEntry::key);
        let mut new: Vec<LogKey> = newest_first
            .take_while(|key| known.is_none_or(|known| *key > known))
            .collect();
        self.newest = new.first().copied().or(self.newest);
        new.reverse();
        if self.filter.is_empty() {
            self.keys.extend(new);
        } else {
            self.unsearched.extend(new);
        }
    }

    fn search(&mut self, store: &Store) {
        let mut n_bytes = 0;
        while n_bytes < BYTES_PER_STEP {
            let Some(key) = self.unsearched.pop() else {
                return;
            };
            n_bytes += LINE_COST_BYTES;
            let Some(entry) = store.log(key) else {
                continue;
            };
            n_bytes += entry.record().line().len();
            if self.filter.matches_log(entry)
                && let Err(place) = self.keys.binary_search(&key)
            {
                self.keys.insert(place, key);
            }
        }
    }

    /// Mostly the oldest go. With a trace its lines go from the middle: they are swept out now and
    /// then, in one walk through both.
    fn forget_evicted(&mut self, store: &Store, uptime_ns: u64) {
        let is_gone = |key: &LogKey| store.log(*key).is_none();
        while self.keys.front().is_some_and(is_gone) {
            self.keys.pop_front();
        }
        let n_known = self.keys.len() + self.unsearched.len();
        let is_whole = self.filter.is_empty() && n_known == store.n_logs();
        let is_due = uptime_ns.saturating_sub(self.swept_uptime_ns) >= SWEEP_NS;
        // Matches of a filter that is not empty do not show by their number that some went.
        if is_whole || !is_due {
            return;
        }
        self.swept_uptime_ns = uptime_ns;
        let mut held = store.logs().map(LogEntry::key).peekable();
        self.keys.retain(|key| {
            while held.next_if(|held| held < key).is_some() {}
            held.peek() == Some(key)
        });
    }
}
