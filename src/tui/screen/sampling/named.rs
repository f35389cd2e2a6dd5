//! Traces that log lines name and of which no span came.

use std::collections::HashSet;

use crate::store::{LogKey, Store};

/// More are not told apart.
const TRACES_MAX: usize = 10_000;

/// The low halves of the ids that lines name, as far as no trace has one.
#[derive(Debug, Default)]
pub(super) struct Named {
    next: LogKey,
    lows: HashSet<u64>,
}

impl Named {
    /// Reads the lines that have come since.
    pub(super) fn refresh(&mut self, store: &Store) {
        for line in store.logs_from(self.next) {
            let low = line.record().ids.trace.low();
            if low != 0 && line.joined().is_none() && self.lows.len() < TRACES_MAX {
                self.lows.insert(low);
            }
        }
        self.next = store.next_log_key();
        self.lows.retain(|low| !store.holds_id(*low));
    }

    /// How many there are. Once traces have been evicted nobody knows.
    pub(super) fn n_missing(&self, store: &Store) -> usize {
        match store.counters().traces_evicted {
            0 => self.lows.len(),
            _ => 0,
        }
    }
}
