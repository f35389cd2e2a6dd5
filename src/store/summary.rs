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
        self.root.or(self.earliest)
    }

    /// Takes in a span; `held` gives those that are in it already.
    pub(super) fn add<'a>(
        &mut self,
        index: SpanIndex,
        span: Span<'_>,
        held: impl Fn(SpanIndex) -> Option<Span<'a>>,
    ) {
        let is_before = |known: Option<SpanIndex>| {
            let known = known.and_then(&held).map(rank);
            known.is_none_or(|known| rank(span) < known)
        };
        self.end = if self.earliest.is_none() {
            span.end()
        } else {
            self.end.max(span.end())
        };
        if is_before(self.earliest) {
            self.start = span.start();
            self.earliest = Some(index);
        }
        if span.is_root() && is_before(self.root) {
            self.root = Some(index);
        }
        if span.is_error() {
            self.n_errors += 1;
            if is_before(self.error) {
                self.error = Some(index);
            }
        }
    }
}
