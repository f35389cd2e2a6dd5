//! What goes on to Datadog: each span once, as it comes or when it is wanted. Makes no request, and sends none.

use std::sync::Arc;

use super::counters::raise;
use super::entry::{Inserted, Part};
use super::{SpanIndex, Store, TraceEntry, TraceKey};
use crate::forward::courier::{Courier, Taken, Which};
use crate::forward::{CountedBy, Outgoing, Placed, Places, Ticket, TopLevel};
use crate::ingest::Received;
use crate::sampler::Verdict;
use crate::trace::{ChunkFacts, Now, PayloadForm, TracerInfo, UnixNanos, Via};

/// What is said of all chunks of a delivery.
#[derive(Clone, Debug)]
pub(super) struct Departure {
    form: PayloadForm,
    received: UnixNanos,
    top_level: TopLevel,
    counted_by: CountedBy,
    /// Who sent it, with what chunks before said of that.
    tracer: Arc<TracerInfo>,
}

impl Departure {
    pub(super) fn of(received: &Received, tracer: &Arc<TracerInfo>) -> Self {
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
            tracer: Arc::clone(tracer),
        }
    }

    /// Of spans that came some time ago. How their chunk came is no longer known, but for what follows from
    /// it; who sent it only of the first one of a trace.
    pub(super) fn later(entry: &TraceEntry, part: &Part, counted_by: CountedBy, now: Now) -> Self {
        let facts = entry.facts_of(part);
        let says_priority = facts.is_some_and(|facts| facts.priority.is_some());
        Self {
            form: if says_priority {
                PayloadForm::V10
            } else {
                PayloadForm::Older
            },
            received: now.wall,
            top_level: TopLevel::Unknown,
            counted_by,
            tracer: entry.tracer_of(part),
        }
    }
}

impl Store {
    /// The same, with spans going on to Datadog.
    #[must_use]
    pub fn with_courier(mut self, courier: Courier) -> Self {
        self.forwarding.courier = Some(Box::new(courier));
        self
    }

    /// Whoever takes spans on, if they go anywhere.
    pub fn courier_mut(&mut self) -> Option<&mut Courier> {
        self.forwarding.courier.as_deref_mut()
    }

    /// Hands over the spans that a chunk brought: what is held has gone, unless it was a snapshot of a
    /// span that had not ended.
    pub(super) fn depart(
        &mut self,
        key: TraceKey,
        inserted: Inserted,
        (departure, facts): (&mut Departure, Option<&ChunkFacts>),
        verdict: Option<Verdict>,
    ) {
        let Some(which) = self.forwarding.which() else {
            return;
        };
        if !inserted.renewed.is_empty() {
            self.renew(key, &inserted.renewed);
        }
        if which == Which::ByHand {
            return;
        }
        let Some(entry) = self.trace(key) else { return };
        let verdict = which.verdict(verdict);
        let n_new = u32::try_from(inserted.n_new).unwrap_or(u32::MAX);
        let all = u32::try_from(entry.n_spans()).unwrap_or(u32::MAX);
        let new = (all.saturating_sub(n_new)..all).map(SpanIndex);
        let renewed = inserted.renewed.into_iter();
        for part in entry.parts(renewed.chain(new)) {
            self.hand_over(key, &part, departure, (facts, verdict));
        }
    }

    fn renew(&mut self, key: TraceKey, renewed: &[SpanIndex]) {
        self.change(key, |entry| {
            if entry.departed().is_some() {
                let departed = entry.departed_mut();
                for span in renewed {
                    departed.renew(*span);
                }
            }
        });
    }

    /// Hands over spans of one chunk. Those that do not go stay; all are counted from then on.
    pub(super) fn hand_over(
        &mut self,
        key: TraceKey,
        part: &Part,
        departure: &mut Departure,
        (facts, verdict): (Option<&ChunkFacts>, Option<Verdict>),
    ) {
        let Some(mut courier) = self.forwarding.courier.take() else {
            return;
        };
        let mut taken = Taken::default();
        if let Some(entry) = self.trace(key)
            && let Some(chunk) = entry.chunk_of(part)
        {
            let outgoing = Outgoing {
                chunk,
                facts,
                tracer: &departure.tracer,
                form: departure.form,
                received: departure.received,
                trace: key.0,
                places: Places::Only(&part.places),
                top_level: departure.top_level,
                counted_by: departure.counted_by,
                verdict,
            };
            taken = courier.take(outgoing, departure.received);
        }
        self.forwarding.courier = Some(courier);
        if let Some(client) = taken.client {
            departure.tracer = Arc::new(client);
        }
        self.change(key, |entry| {
            let departed = entry.departed_mut();
            for Placed { span, .. } in &part.places {
                departed.hand(SpanIndex(*span));
                departed.count(SpanIndex(*span));
            }
            for Ticket { span, .. } in taken.stayed {
                departed.stay(SpanIndex(span));
            }
            for Ticket { span, .. } in &taken.refused {
                departed.refuse(SpanIndex(*span));
            }
        });
        let n_refused = super::count(taken.refused.len());
        raise(&mut self.counters.forward_refused, n_refused);
        raise(&mut self.forwarding.n_refused_spans, n_refused);
    }
}
