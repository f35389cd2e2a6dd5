//! What was to go to Datadog and has not arrived there, when nothing more is sent. Keeps nothing itself.

use std::collections::BTreeSet;

use super::counters::raise;
use super::departed::{Departed, Leg};
use super::wanted::Wish;
use super::{SpanIndex, Store, TraceEntry, TraceKey};

/// What was to go to Datadog and has not arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// The traces of which spans are missing.
    pub traces: BTreeSet<TraceKey>,
    /// Those spans.
    pub n_spans: u64,
    /// Requests with statistics or log lines that are held.
    pub n_requests: u64,
    /// Such requests that are held no more.
    pub n_lost_requests: u64,
    /// Spans that were not taken, of traces that were evicted.
    pub n_lost_spans: u64,
    /// Spans that no intake takes: without an id, say, or larger than a payload may be.
    pub n_refused_spans: u64,
}

impl Missing {
    /// Whether everything has arrived.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether some of it is held.
    pub fn is_held(&self) -> bool {
        self.n_spans > 0 || self.n_requests > 0
    }

    /// Whether some of it is held, or would be if it were to be kept.
    pub fn can_be_kept(&self) -> bool {
        self.is_held() || self.n_lost_requests > 0
    }
}

impl Store {
    /// What was to go to Datadog and has not arrived.
    pub fn missing(&self) -> Missing {
        let forwarding = &self.forwarding;
        let mut missing = Missing {
            n_requests: super::count(forwarding.unsent().len()),
            n_lost_requests: forwarding.unsent.n_lost,
            n_lost_spans: forwarding.n_lost_spans,
            n_refused_spans: forwarding.n_refused_spans,
            ..Missing::default()
        };
        for trace in self.traces() {
            let n_spans = u64::from(trace.n_missing()) + self.n_waiting(trace);
            if n_spans > 0 {
                missing.traces.insert(trace.key());
                missing.n_spans += n_spans;
            }
        }
        missing
    }

    /// A trace goes: what had come back of it, or waited for its turn, will not arrive.
    pub(super) fn forget_way(&mut self, entry: &TraceEntry) {
        let returned = entry.departed().map_or(0, Departed::n_returned);
        let n_lost = u64::from(returned) + self.n_waiting(entry);
        raise(&mut self.forwarding.n_lost_spans, n_lost);
        self.forwarding.wanted.remove(&entry.key());
    }

    /// How many spans of a trace wait to be handed over for the first time.
    fn n_waiting(&self, entry: &TraceEntry) -> u64 {
        let Some(wanted) = self.forwarding.wanted.get(&entry.key()) else {
            return 0;
        };
        let which = self.forwarding.which().unwrap_or_default();
        let goes = match wanted.wish {
            Wish::Chosen => true,
            Wish::AsItCame => which
                .verdict(entry.verdict())
                .is_none_or(|verdict| verdict.is_kept()),
        };
        let waits = |span: &SpanIndex| {
            let departed = entry.departed();
            *span >= wanted.from && departed.is_none_or(|departed| departed.leg(*span) == Leg::Here)
        };
        let n_waiting = entry.left().filter(waits).count();
        if goes { super::count(n_waiting) } else { 0 }
    }
}
