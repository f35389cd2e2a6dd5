//! The traces by key, in order of first arrival.
//!
//! Keys only grow and mostly the oldest go, so a queue that is searched for its keys does what a
//! tree would with half the memory, and is gone through as fast as it can be.

use std::collections::VecDeque;

use super::{TraceEntry, TraceKey};

/// Bytes for each trace beside the entry itself: its place here and that of its allocation.
pub(super) const PLACE_BYTES: usize = size_of::<Box<TraceEntry>>() + 16;

#[derive(Debug, Default)]
pub(super) struct Entries(VecDeque<Box<TraceEntry>>);

impl Entries {
    pub(super) fn with_capacity(n_traces: usize) -> Self {
        Self(VecDeque::with_capacity(n_traces))
    }

    /// Adds a trace with a key above all that are here.
    pub(super) fn push(&mut self, entry: Box<TraceEntry>) {
        self.0.push_back(entry);
    }

    pub(super) fn get(&self, key: TraceKey) -> Option<&TraceEntry> {
        let place = self.place(key)?;
        self.0.get(place).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, key: TraceKey) -> Option<&mut TraceEntry> {
        let place = self.place(key)?;
        self.0.get_mut(place).map(Box::as_mut)
    }

    pub(super) fn contains(&self, key: TraceKey) -> bool {
        self.place(key).is_some()
    }

    pub(super) fn remove(&mut self, key: TraceKey) -> Option<Box<TraceEntry>> {
        let place = self.place(key)?;
        self.0.remove(place)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &TraceEntry> {
        self.0.iter().map(Box::as_ref)
    }

    /// The oldest trace whose key is not below this one.
    pub(super) fn first_from(&self, key: TraceKey) -> Option<&TraceEntry> {
        let place = self.0.partition_point(|known| known.key() < key);
        self.0.get(place).map(Box::as_ref)
    }

    /// Keys follow each other with few gaps, so a trace stands where it would without any, or a little
    /// before.
    fn place(&self, key: TraceKey) -> Option<usize> {
        let first = self.0.front()?.key();
        let without_gaps = usize::try_from(key.0.checked_sub(first.0)?).ok()?;
        let there = self.0.get(without_gaps);
        if there.is_some_and(|entry| entry.key() == key) {
            return Some(without_gaps);
        }
        self.0.binary_search_by_key(&key, |entry| entry.key()).ok()
    }
}
