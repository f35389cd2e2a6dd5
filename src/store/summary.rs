//! What a list row says about a trace, kept up to date span by span.

use super::SpanIndex;
use crate::trace::{Span, UnixNanos};

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
    root_start: UnixNanos,
    error_start: UnixNanos,
}

impl Summary {
    /// The span that names the trace: the root, else the earliest span.
    pub fn head(&self) -> Option<SpanIndex> {
        self.root.or(self.earliest)
    }

    pub(super) fn add(&mut self, index: SpanIndex, span: Span<'_>) {
        if self.earliest.is_none() || span.start() < self.start {
            self.start = span.start();
            self.end = if self.earliest.is_none() {
                span.end()
            } else {
                self.end
            };
            self.earliest = Some(index);
        }
        self.end = self.end.max(span.end());
        if span.is_root() && (self.root.is_none() || span.start() < self.root_start) {
            self.root = Some(index);
            self.root_start = span.start();
        }
        if span.is_error() {
            self.n_errors += 1;
            if self.error.is_none() || span.start() < self.error_start {
                self.error = Some(index);
                self.error_start = span.start();
            }
        }
    }
}
