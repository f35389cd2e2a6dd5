//! The counters: one name for the header, the headless summary and the export.
//!
//! Laws: `spans_received = spans_shown + spans_evicted + spans_duplicate`, and `logs_received =
//! logs_joined + logs_unjoined`: a line that joins later moves, one that is evicted stays where it was
//! counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ingest::{RequestClass, RequestRecord};
use crate::sampler::{Fate, Sampler};

/// What is counted for paths nobody serves, and for what has no path.
const OTHER: &str = "other";

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What came, what is shown, and what became of the rest.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
            /// Requests by the endpoint that answered them; `other` for paths nobody serves.
            pub requests_by_endpoint: BTreeMap<Box<str>, u64>,
            /// Traces by what became of them.
            pub traces_by_verdict: BTreeMap<Box<str>, u64>,
        }

        impl Counters {
            /// The largest of them.
            pub(crate) fn largest(&self) -> u64 {
                let maps = [&self.requests_by_endpoint, &self.traces_by_verdict];
                let in_maps = maps.into_iter().flat_map(BTreeMap::values).copied();
                [$(self.$name),*].into_iter().chain(in_maps).max().unwrap_or(0)
            }

            /// Adds other counters to these, one by one, each as far as it goes.
            pub fn add(&mut self, other: &Self) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
                for (ours, theirs) in [
                    (&mut self.requests_by_endpoint, &other.requests_by_endpoint),
                    (&mut self.traces_by_verdict, &other.traces_by_verdict),
                ] {
                    for (name, number) in theirs {
                        let ours = ours.entry(name.clone()).or_default();
                        *ours = ours.saturating_add(*number);
                    }
                }
            }
        }
    };
}

counters! {
    /// Trace, stats and log payloads that were accepted.
    payloads_received,
    /// Trace, stats and log payloads that were not answered 2xx.
    payloads_refused,
    /// Bytes of the bodies of both.
    bytes_received,
    /// Chunks decoded, the empty ones too.
    chunks_received,
    /// Spans decoded.
    spans_received,
    /// Spans held.
    spans_shown,
    /// Spans of evicted traces.
    spans_evicted,
    /// Chunks that refused payloads had announced.
    chunks_undecodable,
    /// Spans that were held already: retries, and snapshots replaced by newer ones.
    spans_duplicate,
    /// Traces held that lack their root or a parent.
    traces_open,
    /// Traces held that have a root and every parent.
    traces_complete,
    /// Traces that went because the budget was reached.
    traces_evicted,
    /// Log lines read.
    logs_received,
    /// Log lines that belong to a trace.
    logs_joined,
    /// Log lines that do not.
    logs_unjoined,
    /// Log lines that could not be taken.
    logs_dropped,
    /// Log lines that went because the budget was reached, with their trace or alone.
    logs_evicted,
    /// Relay messages read.
    relay_messages,
    /// Relay messages known to be lost.
    relay_lost,
    /// Traces the clients say they sampled away before sending.
    client_dropped_p0_traces,
    /// Spans the clients say they sampled away before sending.
    client_dropped_p0_spans,
    /// Traces a client says it could not send.
    client_unsent_traces,
    /// Spans that clients say they counted in the statistics they compute.
    client_hits,
    /// Those of them that have not arrived as spans.
    client_hits_without_span,
    /// Spans that clients say they began.
    client_spans_created,
    /// Spans that clients say they ended.
    client_spans_finished,
    /// Chunks that clients say they did not send.
    client_trace_chunks_dropped,
    /// Payloads passed on.
    forwarded_payloads,
    /// Spans passed on.
    forwarded_spans,
    /// Bytes of the bodies passed on.
    forwarded_bytes,
    /// Payloads that could not be passed on.
    forward_failed,
    /// Payloads dropped before they could be passed on.
    forward_dropped,
    /// Spans that were to go to Datadog and that no intake takes.
    forward_refused,
}

/// How many traces the simulated Agent keeps, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulated {
    /// Those it keeps.
    pub n_kept: u64,
    /// Those and the ones it drops.
    pub n_judged: u64,
}

impl Counters {
    /// Leaves of an export's counts of lines those that it does not hold, of so many that belong to
    /// traces and so many that do not: no more than it says were evicted.
    pub(crate) fn keep_evicted_lines(&mut self, n_joined: u64, n_loose: u64) {
        let joined = self.logs_joined.saturating_sub(n_joined);
        let unjoined = self.logs_unjoined.saturating_sub(n_loose);
        self.logs_joined = joined.min(self.logs_evicted);
        self.logs_unjoined = unjoined.min(self.logs_evicted - self.logs_joined);
        self.logs_received = self.logs_joined + self.logs_unjoined;
        self.logs_evicted = self.logs_received;
    }

    /// The counter of complete traces, or of open ones.
    pub(super) fn traces(&mut self, complete: bool) -> &mut u64 {
        if complete {
            &mut self.traces_complete
        } else {
            &mut self.traces_open
        }
    }

    /// Counts a trace by what became of it, and no longer by what had become of it before.
    pub(super) fn count_fate(&mut self, before: Option<Fate>, after: Fate) {
        if before == Some(after) {
            return;
        }
        let counts = &mut self.traces_by_verdict;
        if let Some(before) = before.and_then(|before| counts.get_mut(before.name())) {
            *before = before.saturating_sub(1);
        }
        match counts.get_mut(after.name()) {
            Some(number) => raise(number, 1),
            None => {
                counts.insert(after.name().into(), 1);
            }
        }
    }

    /// Of how many traces that came it is known what became of them, and how many of them are kept; those
    /// that were evicted count as well.
    pub fn simulated(&self) -> Simulated {
        let count = |fate: Fate| {
            let counted = self.traces_by_verdict.get(fate.name());
            counted.copied().unwrap_or(0)
        };
        let kept = Sampler::NAMES
            .iter()
            .map(|(sampler, _)| count(Fate::Kept(*sampler)));
        let n_kept = kept.fold(0, u64::saturating_add);
        let n_dropped = count(Fate::Dropped).saturating_add(count(Fate::DroppedByRate));
        Simulated {
            n_kept,
            n_judged: n_kept.saturating_add(n_dropped),
        }
    }

    /// Leaves of an export's counts of traces those that it does not hold.
    pub(crate) fn keep_evicted_traces(&mut self, held: &BTreeMap<&'static str, u64>) {
        for (name, number) in &mut self.traces_by_verdict {
            let held = held.get(&**name).copied().unwrap_or(0);
            *number = number.saturating_sub(held);
        }
    }

    pub(super) fn count_request(&mut self, record: &RequestRecord) {
        let endpoint = if record.endpoint.is_empty() {
            OTHER
        } else {
            &record.endpoint
        };
        self.count_requests(endpoint, 1);
        if record.class == RequestClass::Other {
            return;
        }
        raise(&mut self.bytes_received, record.bytes);
        if record.is_refused_payload() {
            raise(&mut self.payloads_refused, 1);
            raise(&mut self.chunks_undecodable, record.announced_chunks);
        } else {
            raise(&mut self.payloads_received, 1);
        }
    }

    /// What was no request, and has no line in the log of requests.
    pub(super) fn count_unreadable(&mut self, n_unreadable: u64) {
        if n_unreadable > 0 {
            self.count_requests(OTHER, n_unreadable);
        }
    }

    fn count_requests(&mut self, endpoint: &str, by: u64) {
        match self.requests_by_endpoint.get_mut(endpoint) {
            Some(number) => raise(number, by),
            None => {
                self.requests_by_endpoint.insert(endpoint.into(), by);
            }
        }
    }
}

/// Numbers up to here are whole in any reader of JSON, and no counter gets there by counting.
const EXACT_MAX: u64 = 1 << 53;

/// Adds to a counter of what strangers claim, which must not spoil an export.
pub(super) fn raise_to_exact(counter: &mut u64, by: u64) {
    *counter = counter.saturating_add(by).min(EXACT_MAX);
}

/// Adds to a counter. What clients announce and what files say has no limit; a counter has.
pub(super) fn raise(counter: &mut u64, by: u64) {
    *counter = counter.saturating_add(by);
}
