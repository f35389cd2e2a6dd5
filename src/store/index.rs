//! Finding the spans of one trace by id: which are duplicates, which wait for a parent.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::SpanIndex;
use crate::trace::{Span, SpanId, UnixNanos};

/// Traces with fewer spans than this are scanned; larger ones get a [`SpanMap`].
pub(super) const SCANNED_SPANS_MAX: usize = 64;

/// Ids of the spans of a large trace.
#[derive(Debug, Default)]
pub(super) struct SpanMap {
    by_identity: HashMap<(SpanId, UnixNanos), SpanIndex>,
    /// The first span with each id.
    by_id: HashMap<SpanId, SpanIndex>,
    n_waiting_for: HashMap<SpanId, u32>,
    n_orphans: u32,
}

impl SpanMap {
    /// The span with this id and start.
    pub(super) fn find(&self, span: Span<'_>) -> Option<SpanIndex> {
        self.by_identity
            .get(&(span.span_id(), span.start()))
            .copied()
    }

    /// The span with an id and a start.
    pub(super) fn at(&self, id: SpanId, start: UnixNanos) -> Option<SpanIndex> {
        self.by_identity.get(&(id, start)).copied()
    }

    /// The first span with this id.
    pub(super) fn first(&self, id: SpanId) -> Option<SpanIndex> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn add(&mut self, index: SpanIndex, span: Span<'_>) {
        self.by_identity
            .insert((span.span_id(), span.start()), index);
        if let Entry::Vacant(place) = self.by_id.entry(span.span_id()) {
            place.insert(index);
            self.n_orphans -= self.n_waiting_for.remove(&span.span_id()).unwrap_or(0);
        }
        self.wait(span);
    }

    /// A newer snapshot took the place of a span.
    pub(super) fn replace(&mut self, old: Span<'_>, new: Span<'_>) {
        if let Some(waiting) = self.n_waiting_for.get_mut(&old.parent_id()) {
            *waiting -= 1;
            self.n_orphans -= 1;
            if *waiting == 0 {
                self.n_waiting_for.remove(&old.parent_id());
            }
        }
        self.wait(new);
    }

    fn wait(&mut self, span: Span<'_>) {
        if !span.is_root() && !self.by_id.contains_key(&span.parent_id()) {
            *self.n_waiting_for.entry(span.parent_id()).or_default() += 1;
            self.n_orphans += 1;
        }
    }

    /// How many spans name a parent that is not here.
    pub(super) fn n_orphans(&self) -> u32 {
        self.n_orphans
    }

    /// What it occupies, by the layout of the standard library's table: a control byte and the
    /// pair, at a load of seven eighths.
    pub(super) fn heap_bytes(&self) -> usize {
        self.by_identity.capacity() * (size_of::<((SpanId, UnixNanos), SpanIndex)>() + 1)
            + self.by_id.capacity() * (size_of::<(SpanId, SpanIndex)>() + 1)
            + self.n_waiting_for.capacity() * (size_of::<(SpanId, u32)>() + 1)
    }
}

/// How many of a few spans name a parent that is not among them.
pub(super) fn count_orphans<'a>(spans: &(impl Iterator<Item = Span<'a>> + Clone)) -> u32 {
    let orphans = spans.clone().filter(|span| {
        !span.is_root()
            && !spans
                .clone()
                .any(|other| other.span_id() == span.parent_id())
    });
    u32::try_from(orphans.count()).unwrap_or(u32::MAX)
}
