//! Which traces match the filter, kept up to date in small steps: a new filter is compared with so
//! many spans and lines a step, newest traces first, so that typing never waits for a large store.

use std::collections::{HashSet, VecDeque};

use crate::query::{Query, Search};
use crate::store::{Store, TraceKey};

/// How many spans and log lines are looked at for a frame, which waits for it: some 4 ms for a word of
/// letters, up to 20 ms for one of digits, which is compared with numbers and ids too.
const LOOKS_PER_FRAME: usize = 100_000;
/// How many between frames, before keys and requests have their turn again.
const LOOKS_PER_TURN: usize = 25_000;

/// More changed traces than this are not remembered one by one.
const TOUCHED_MAX: usize = 100_000;

/// The matching traces.
#[derive(Debug, Default)]
pub(super) struct Matches {
    search: Search,
    /// Those that match, in order of first arrival.
    keys: VecDeque<TraceKey>,
    /// The newest trace that was looked at.
    newest: Option<TraceKey>,
    /// Traces that came or grew since the last step.
    touched: HashSet<TraceKey>,
    /// Traces that the filter has not been compared with; the newest stands last.
    unsearched: Vec<TraceKey>,
    n_evicted: u64,
    /// Whether the filter is new and all traces are to be looked at.
    is_fresh: bool,
}

impl Matches {
    pub(super) fn keys(&self) -> &VecDeque<TraceKey> {
        &self.keys
    }

    /// The newest trace there is, whether it matches or not.
    pub(super) fn newest(&self) -> Option<TraceKey> {
        self.newest
    }

    pub(super) fn filter(&self) -> &Query {
        self.search.query()
    }

    pub(super) fn is_searching(&self) -> bool {
        !self.unsearched.is_empty()
    }

    pub(super) fn touch(&mut self, touched: &[TraceKey]) {
        if !self.filter().is_empty() {
            self.touched.extend(touched);
        }
        if self.touched.len() > TOUCHED_MAX {
            // Paused for long: cheaper to look at everything again than to remember it all.
            self.touched.clear();
            self.unsearched.clear();
            self.is_fresh = true;
        }
    }

    pub(super) fn set_filter(&mut self, filter: Query) {
        if filter == *self.filter() {
            return;
        }
        let narrows = filter.narrows(self.filter()) && !self.is_searching() && !self.is_fresh;
        self.search = Search::new(filter);
        if narrows {
            self.unsearched = self.keys.drain(..).collect();
        } else {
            self.keys.clear();
            self.is_fresh = true;
            self.touched.clear();
            self.unsearched.clear();
        }
    }

    /// Takes over new, changed and evicted traces, and goes on comparing.
    pub(super) fn refresh(&mut self, store: &Store) {
        self.add_new(store);
        if !self.touched.is_empty() {
            self.compare_touched(store);
        }
        self.look(store, LOOKS_PER_FRAME);
        let n_evicted = store.counters().traces_evicted;
        if self.n_evicted != n_evicted {
            self.n_evicted = n_evicted;
            self.forget_evicted(store);
        }
    }

    /// Goes on comparing while the view is paused: with the traces it knew, and none that came since.
    /// Returns whether there was anything to compare.
    pub(super) fn refresh_paused(&mut self, store: &Store) -> bool {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        if is_fresh {
            let keys = store.traces().map(crate::store::TraceEntry::key);
            let known = keys.take_while(|key| Some(*key) <= self.newest);
            if self.filter().is_empty() {
                self.keys = known.collect();
            } else {
                self.unsearched = known.collect();
            }
        }
        let is_searching = self.is_searching();
        self.look(store, LOOKS_PER_FRAME);
        is_fresh || is_searching
    }

    /// Mostly the oldest go; the whole list is looked through only if others went as well.
    fn forget_evicted(&mut self, store: &Store) {
        let is_gone = |key: &TraceKey| store.trace(*key).is_none();
        while self.keys.front().is_some_and(is_gone) {
            self.keys.pop_front();
        }
        let is_whole = self.filter().is_empty() && self.keys.len() == store.n_traces();
        if !is_whole {
            self.keys.retain(|key| !is_gone(key));
        }
    }

    /// Traces newer than any looked at: all match the empty filter, the others wait their turn.
    fn add_new(&mut self, store: &Store) {
        let known = self.newest.filter(|_| !std::mem::take(&mut self.is_fresh));
        let newest_first = store.traces().rev().map(crate::store::TraceEntry::key);
        let mut new: Vec<TraceKey> = newest_first
            .take_while(|key| known.is_none_or(|known| *key > known))
            .collect();
        self.newest = new.first().copied().or(known);
        new.reverse();
        if self.filter().is_empty() {
            self.keys.extend(new);
        } else {
            for key in &new {
                self.touched.remove(key);
            }
            self.unsearched.extend(new);
        }
    }

    fn compare_touched(&mut self, store: &Store) {
        for key in std::mem::take(&mut self.touched) {
            if self.unsearched.binary_search(&key).is_ok() {
                continue;
            }
            let matches = store
                .trace(key)
                .is_some_and(|trace| self.search.matches_trace(store, trace));
            match (self.keys.binary_search(&key), matches) {
                (Err(place), true) => self.keys.insert(place, key),
                (Ok(place), false) => {
                    self.keys.remove(place);
                }
                _ => {}
            }
        }
    }

    /// Goes on comparing between two frames.
    pub(super) fn go_on(&mut self, store: &Store) {
        self.look(store, LOOKS_PER_TURN);
    }

    fn look(&mut self, store: &Store, n_looks_max: usize) {
        let mut n_looks = 0;
        while n_looks < n_looks_max {
            let Some(key) = self.unsearched.pop() else {
                return;
            };
            let Some(trace) = store.trace(key) else {
                continue;
            };
            n_looks += trace.n_spans() + trace.logs().len();
            if self.search.matches_trace(store, trace)
                && let Err(place) = self.keys.binary_search(&key)
            {
                self.keys.insert(place, key);
            }
        }
    }
}
