//! The newest spans by id, for lines that name a span and no trace that is known.

use crate::store::TraceKey;
use crate::trace::SpanId;

/// One place for each of so many spans; a newer one with the same place takes it.
const PLACES: usize = 1 << 16;

/// A table of one mebibyte, made when the first such line comes.
#[derive(Debug)]
pub(super) struct RecentSpans {
    places: Box<[(SpanId, TraceKey)]>,
}

impl RecentSpans {
    pub(super) fn new() -> Self {
        Self {
            places: vec![(SpanId::NONE, TraceKey(0)); PLACES].into(),
        }
    }

    /// How many spans it can hold.
    pub(super) fn capacity() -> usize {
        PLACES
    }

    pub(super) fn add(&mut self, span: SpanId, trace: TraceKey) {
        if let Some(found) = self.places.get_mut(place(span)) {
            *found = (span, trace);
        }
    }

    /// The trace of a span, which may be evicted by now.
    pub(super) fn find(&self, span: SpanId) -> Option<TraceKey> {
        let (found, trace) = self.places.get(place(span))?;
        (*found == span && span != SpanId::NONE).then_some(*trace)
    }
}

/// Ids are random, except where somebody writes them by hand; those differ in their low bits.
fn place(span: SpanId) -> usize {
    let mixed = span.0 ^ (span.0 >> 32);
    usize::try_from(mixed).unwrap_or(usize::MAX) % PLACES
}
