//! What was to go to Datadog and has not arrived there, when nothing more is sent. Keeps nothing itself.

use std::collections::BTreeSet;

use super::counters::raise;
use super::{Store, TraceEntry, TraceKey};

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
    /// A trace goes whose spans may have waited for room: those will not arrive.
    pub(super) fn forget_wish(&mut self, entry: &TraceEntry) {
        if self.forwarding.wanted.remove(&entry.key()).is_some() {
            let n_lost = super::count(entry.left().count());
            raise(&mut self.forwarding.n_lost_spans, n_lost);
        }
    }

    /// What was to go to Datadog and has not arrived.
    pub fn missing(&self) -> Missing {
        let forwarding = &self.forwarding;
        let mut missing = Missing {
            n_requests: super::count(forwarding.unsent().len()),
            n_lost_requests: forwarding.unsent.n_lost,
            n_lost_spans: forwarding.n_lost_spans,
            ..Missing::default()
        };
        for trace in self.traces() {
            // One that waits for its turn has no other spans to go than those that are not there.
            let n_spans = if forwarding.wanted.contains_key(&trace.key()) {
                super::count(trace.n_spans()).saturating_sub(trace.n_forwarded().into())
            } else {
                trace.n_missing().into()
            };
            if n_spans > 0 {
                missing.traces.insert(trace.key());
                missing.n_spans += n_spans;
            }
        }
        missing
    }
}
