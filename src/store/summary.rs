//! What a list row says about a trace, kept up to date span by span.

use super::SpanIndex;
use crate::trace::{Span, SpanId, UnixNanos};

/// The extent of a trace and its spans of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// The earliest span without a parent.
    pub root: Option<SpanIndex>,
    /// The earliest span of all.
    pub earliest: Option<SpanIndex>,
    /// The earliest span with the error flag.
    pub error: Option<SpanIndex>,
    /// How many spans have the error flag.
    pub n_errors: u32,
    /// When the earliest span began.
    pub start: UnixNanos,
    /// When the last span to end ended.
    pub end: UnixNanos,
    root_rank: Rank,
    error_rank: Rank,
    earliest_rank: Rank,
}

/// Which of two spans is the earlier: by start, then by id, so that the order of arrival does not
/// show.
type Rank = (UnixNanos, SpanId);

impl Summary {
    /// The span that names the trace: the root, else the earliest span.
    pub fn head(&self) -> Option<SpanIndex> {
        self.root.or(self.earliest)
    }

    pub(super) fn add(&mut self, index: SpanIndex, span: Span<'_>) {
        let rank = (span.start(), span.span_id());
        let is_first = self.earliest.is_none();
        self.end = if is_first {
            span.end()
        } else {
            self.end.max(span.end())
        };
        if is_first || rank < self.earliest_rank {
            self.start = span.start();
            self.earliest = Some(index);
            self.earliest_rank = rank;
        }
        if span.is_root() && (self.root.is_none() || rank < self.root_rank) {
            self.root = Some(index);
            self.root_rank = rank;
        }
        if span.is_error() {
            self.n_errors += 1;
            if self.error.is_none() || rank < self.error_rank {
                self.error = Some(index);
                self.error_rank = rank;
            }
        }
    }

    /// A newer snapshot with the same id and start has taken the place of a span. Returns whether all
    /// spans have to be looked at again: it no longer is what it was noted for.
    pub(super) fn replace(&mut self, index: SpanIndex, (old, new): (Span<'_>, Span<'_>)) -> bool {
        let rank = (new.start(), new.span_id());
        let mut is_lost = false;
        if new.is_root() && (self.root.is_none() || rank < self.root_rank) {
            self.root = Some(index);
            self.root_rank = rank;
        } else if !new.is_root() {
            is_lost |= self.root == Some(index);
        }
        if new.is_error() && (self.error.is_none() || rank < self.error_rank) {
            self.error = Some(index);
            self.error_rank = rank;
        } else if !new.is_error() {
            is_lost |= self.error == Some(index);
        }
        self.n_errors = self
            .n_errors
            .saturating_sub(u32::from(old.is_error()))
            .saturating_add(u32::from(new.is_error()));
        is_lost |= new.end() < old.end() && old.end() == self.end;
        self.end = self.end.max(new.end());
        is_lost
    }
}
