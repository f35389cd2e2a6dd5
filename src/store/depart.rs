//! What of a delivery goes on to Datadog: each span once, when it comes. Holds nothing itself.

use super::{Store, TraceEntry, TraceKey};
use crate::forward::courier::Courier;
use crate::forward::{CountedBy, Outgoing, Places, TopLevel};
use crate::ingest::Received;
use crate::sampler::Verdict;
use crate::trace::{PayloadForm, Span, TraceChunk, TracerInfo, UnixNanos, Via};

/// What is said of all chunks of a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    form: PayloadForm,
    received: UnixNanos,
    top_level: TopLevel,
    counted_by: CountedBy,
}

impl Departure {
    pub(super) fn of(received: &Received) -> Self {
        let is_printed = matches!(received.via, Via::Stdout | Via::Stderr | Via::File);
        Self {
            form: received.payload.form,
            received: received.at,
            top_level: match received.client_computed_top_level {
                true => TopLevel::ByClient,
                false if is_printed => TopLevel::Unknown,
                false => TopLevel::ByUs,
            },
            counted_by: if received.client_computed_stats {
                CountedBy::Client
            } else {
                CountedBy::Us
            },
        }
    }
}

impl Store {
    /// The same, with spans going on to Datadog as they come.
    #[must_use]
    pub fn with_courier(mut self, courier: Courier) -> Self {
        self.courier = Some(Box::new(courier));
        self
    }

    /// Whoever takes spans on, if they go anywhere.
    pub fn courier_mut(&mut self) -> Option<&mut Courier> {
        self.courier.as_deref_mut()
    }

    /// Hands over the spans of a chunk that are not held: before it is inserted. What is held has gone,
    /// unless it was a snapshot of a span that had not ended.
    pub(super) fn depart(
        &mut self,
        known: Option<TraceKey>,
        (departure, tracer): (Departure, &TracerInfo),
        chunk: &TraceChunk,
        verdict: Option<Verdict>,
    ) {
        let Some(mut courier) = self.courier.take() else {
            return;
        };
        let entry = known.and_then(|key| self.trace(key));
        let new = new_places(entry, chunk);
        let outgoing = Outgoing {
            chunk,
            facts: chunk.facts(),
            tracer,
            form: departure.form,
            received: departure.received,
            places: match &new {
                None => Places::All,
                Some(places) => Places::Only(places),
            },
            top_level: departure.top_level,
            counted_by: departure.counted_by,
            verdict: courier.which().verdict(verdict),
        };
        if new.as_ref().is_none_or(|places| !places.is_empty()) {
            courier.take(outgoing, departure.received);
        }
        self.courier = Some(courier);
    }
}

/// The places of spans that have not come before; `None` if that is true of all.
fn new_places(entry: Option<&TraceEntry>, chunk: &TraceChunk) -> Option<Vec<usize>> {
    let has_gone = |span: Span<'_>| {
        let held = entry.and_then(|entry| entry.held(span));
        held.is_some_and(|held| !held.is_snapshot() || held.same_as(span))
    };
    let mut seen = std::collections::HashSet::with_capacity(chunk.len());
    let mut is_new =
        |span: Span<'_>| seen.insert((span.span_id(), span.start())) && !has_gone(span);
    let places: Vec<usize> = chunk
        .spans()
        .enumerate()
        .filter(|(_, span)| is_new(*span))
        .map(|(place, _)| place)
        .collect();
    (places.len() < chunk.len()).then_some(places)
}
