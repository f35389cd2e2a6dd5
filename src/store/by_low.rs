//! The newest trace for each low half of a trace id. Holds keys alone: the ids stand in the traces.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use super::TraceKey;
use super::entries::Entries;

/// Finds traces by the low half of their ids.
#[derive(Debug, Default)]
pub(super) struct ByLow {
    newest: HashTable<TraceKey>,
    hasher: RandomState,
}

impl ByLow {
    pub(super) fn with_capacity(n_traces: usize) -> Self {
        Self {
            newest: HashTable::with_capacity(n_traces),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn get(&self, entries: &Entries, low: u64) -> Option<TraceKey> {
        let hash = self.hasher.hash_one(low);
        let is_it = |key: &TraceKey| low_of(entries, *key) == low;
        self.newest.find(hash, is_it).copied()
    }

    /// Puts a trace in front, before it is among the entries. Returns the one that was there.
    pub(super) fn insert(
        &mut self,
        entries: &Entries,
        low: u64,
        key: TraceKey,
    ) -> Option<TraceKey> {
        let hash = self.hasher.hash_one(low);
        let is_it = |key: &TraceKey| low_of(entries, *key) == low;
        if let Some(known) = self.newest.find_mut(hash, is_it) {
            return Some(std::mem::replace(known, key));
        }
        let hasher = &self.hasher;
        let hash_of = |key: &TraceKey| hasher.hash_one(low_of(entries, *key));
        self.newest.insert_unique(hash, key, hash_of);
        None
    }

    /// Takes a trace out that has left the entries, for an older one if there is one. Returns whether it
    /// was here.
    pub(super) fn replace(&mut self, low: u64, key: TraceKey, older: Option<TraceKey>) -> bool {
        let hash = self.hasher.hash_one(low);
        let Ok(mut found) = self.newest.find_entry(hash, |known| *known == key) else {
            return false;
        };
        match older {
            Some(older) => *found.get_mut() = older,
            None => drop(found.remove()),
        }
        true
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.newest.len()
    }
}

/// A key whose trace has gone is looked for by itself only.
fn low_of(entries: &Entries, key: TraceKey) -> u64 {
    entries.get(key).map_or(0, |entry| entry.trace_id().low())
}
