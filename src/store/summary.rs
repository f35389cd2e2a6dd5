//! What a list row says about a trace, kept up to date span by span.

use super::SpanIndex;
use crate::trace::{Span, SpanId, UnixNanos};

/// The extent of a trace and its spans of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    root: Place,
    earliest: Place,
    error: Place,
    /// How many spans have the error flag.
    pub n_errors: u32,
    /// When the earliest span began.
    pub start: UnixNanos,
    /// When the last span to end ended.
    pub end: UnixNanos,
}

/// The index of a span, or none, in four bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place(u32);

impl Default for Place {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Place {
    fn index(self) -> Option<SpanIndex> {
        (self != Self::default()).then_some(SpanIndex(self.0))
    }
}

/// Which of two spans is the earlier: by start, then by id, so that the order of arrival does not
/// show.
type Rank = (UnixNanos, SpanId);

fn rank(span: Span<'_>) -> Rank {
    (span.start(), span.span_id())
}

impl Summary {
    /// The span that names the trace: the root, else the earliest span.
    pub fn head(&self) -> Option<SpanIndex> {
        self.root().or(self.earliest())
    }

    /// The earliest span without a parent.
    pub fn root(&self) -> Option<SpanIndex> {
        self.root.index()
    }

    /// The earliest span of all.
    pub fn earliest(&self) -> Option<SpanIndex> {
        self.earliest.index()
    }

    /// The earliest span with the error flag.
    pub fn error(&self) -> Option<SpanIndex> {
        self.error.index()
    }

    /// Takes in a span; `held` gives those that are in it already.
    pub(super) fn add<'a>(
        &mut self,
        index: SpanIndex,
        span: Span<'_>,
        held: impl Fn(SpanIndex) -> Option<Span<'a>>,
    ) {
        let is_before = |known: Place| {
            let known = known.index().and_then(&held).map(rank);
            known.is_none_or(|known| rank(span) < known)
        };
        let place = Place(index.0);
        self.end = if self.earliest().is_none() {
            span.end()
        } else {
            self.end.max(span.end())
        };
        if is_before(self.earliest) {
            self.start = span.start();
            self.earliest = place;
        }
        if span.is_root() && is_before(self.root) {
            self.root = place;
        }
        if span.is_error() {
            self.n_errors += 1;
            if is_before(self.error) {
                self.error = place;
            }
        }
    }

    /// A newer snapshot with the same id and start has taken the place of a span. Returns whether all
    /// spans have to be looked at again: it no longer is what it was noted for.
    pub(super) fn replace<'a>(
        &mut self,
        index: SpanIndex,
        (old, new): (Span<'_>, Span<'_>),
        held: impl Fn(SpanIndex) -> Option<Span<'a>>,
    ) -> bool {
        // It keeps its rank, so what it was noted for before others it is still.
        let is_before = |known: Place| {
            let known = known.index().and_then(&held).map(rank);
            known.is_none_or(|known| rank(new) < known)
        };
        let (place, mut is_lost) = (Place(index.0), false);
        if new.is_root() && is_before(self.root) {
            self.root = place;
        } else if !new.is_root() {
            is_lost |= self.root == place;
        }
        if new.is_error() && is_before(self.error) {
            self.error = place;
        } else if !new.is_error() {
            is_lost |= self.error == place;
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
