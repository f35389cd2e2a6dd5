//! Changing a trace that is held: what it occupies is counted, and the caller told. Which change that is, is
//! decided elsewhere.

use super::{Store, TraceEntry, TraceKey};

impl Store {
    /// Changes a trace, and counts what it occupies then.
    pub(super) fn change<T>(
        &mut self,
        key: TraceKey,
        change: impl FnOnce(&mut TraceEntry) -> T,
    ) -> Option<T> {
        let entry = self.entries.get_mut(key)?;
        let bytes = entry.bytes();
        let changed = change(entry);
        self.bytes = (self.bytes + entry.bytes()).saturating_sub(bytes);
        Some(changed)
    }

    /// What is shown of a trace has changed, though none of its spans has.
    pub(super) fn note_changed(&mut self, key: TraceKey) {
        self.revision += 1;
        let revision = self.revision;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.set_revision(revision);
        }
        self.note_touched(key);
    }

    /// The caller is to be told of a trace.
    pub(super) fn note_touched(&mut self, key: TraceKey) {
        if self.changed.last() != Some(&key) {
            self.changed.push(key);
        }
    }
}
