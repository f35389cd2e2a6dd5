//! Which lines an export has written, so that each is in it once: a line that waits may join a trace,
//! or leave one, while the export is under way.

use std::collections::HashMap;

use crate::store::{LogEntry, LogKey, Store, TraceEntry};

/// Lines looked at in one piece of work, so that a million of them that belong to traces do not
/// hold the loop up.
const LOOKED_AT: usize = 64;

/// The lines that had come when the export began.
#[derive(Debug)]
pub(super) struct LinesSoFar {
    end: LogKey,
    /// The lines that waited then, and whether they have been written since.
    waiting: HashMap<LogKey, bool>,
    next_loose: LogKey,
    n_loose: u64,
}

impl LinesSoFar {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            end: store.next_log_key(),
            waiting: store.waiting_logs().map(|key| (key, false)).collect(),
            next_loose: LogKey(0),
            n_loose: 0,
        }
    }

    /// How many lines of a trace there are to write.
    pub(super) fn n_of_trace(&self, trace: &TraceEntry) -> u64 {
        let n_lines = trace.logs().partition_point(|key| *key < self.end);
        u64::try_from(n_lines).unwrap_or(u64::MAX)
    }

    /// The line of a trace that comes next, from a key on.
    pub(super) fn next_of_trace<'s>(
        &self,
        store: &'s Store,
        trace: &TraceEntry,
        from: LogKey,
    ) -> Option<&'s LogEntry> {
        let place = trace.logs().partition_point(|key| *key < from);
        let key = trace.logs().get(place).filter(|key| **key < self.end)?;
        store.log(*key)
    }

    /// A line of a trace was written.
    pub(super) fn wrote(&mut self, key: LogKey) {
        if let Some(is_written) = self.waiting.get_mut(&key) {
            *is_written = true;
        }
    }

    /// The next line that is in no trace of the export, `Some(None)` if there is none among those
    /// that were looked at, `None` after the last.
    pub(super) fn next_loose<'s>(&mut self, store: &'s Store) -> Option<Option<&'s LogEntry>> {
        let lines = store.logs_from(self.next_loose);
        let mut some_looked_at = false;
        for line in lines.take(LOOKED_AT) {
            if line.key() >= self.end {
                break;
            }
            some_looked_at = true;
            self.next_loose = LogKey(line.key().0.saturating_add(1));
            let is_written = match self.waiting.get(&line.key()) {
                Some(is_written) => *is_written,
                None => line.joined().is_some(),
            };
            if !is_written {
                return Some(Some(line));
            }
        }
        some_looked_at.then_some(None)
    }

    pub(super) fn wrote_loose(&mut self) {
        self.n_loose += 1;
    }

    /// How many lines were written that are in no trace.
    pub(super) fn n_loose(&self) -> u64 {
        self.n_loose
    }
}
