//! The traces that the user has marked. They are evicted last; what else is done with them is said elsewhere.

use super::{Store, TraceKey};

impl Store {
    /// Marks a trace, or takes its mark off. One that was evicted gets none.
    pub fn toggle_mark(&mut self, key: TraceKey) {
        let was_marked = self.marks.remove(&key);
        if !was_marked && self.trace(key).is_some() {
            self.marks.insert(key);
        }
        self.revision += 1;
    }

    /// Takes every mark off.
    pub fn take_marks_off(&mut self) {
        self.marks.clear();
        self.revision += 1;
    }

    /// Whether a trace is marked.
    pub fn is_marked(&self, key: TraceKey) -> bool {
        self.marks.contains(&key)
    }

    /// The marked traces in order of first arrival, the oldest first.
    pub fn marked(&self) -> impl ExactSizeIterator<Item = TraceKey> {
        self.marks.iter().copied()
    }

    /// Whether a trace is evicted last: somebody looks at it, or it is marked.
    pub(super) fn is_held(&self, key: TraceKey) -> bool {
        self.held.contains(&key) || self.is_marked(key)
    }
}
