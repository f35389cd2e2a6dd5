//! What became of requests that were sent on. Sends none, and decides nothing.

use std::time::Duration;

use super::retry::Attempt;
use crate::trace::UnixNanos;

/// Attempts that are told at once at most; of more, the newest.
const EXCHANGES_MAX: usize = 256;

/// A span on its way, as whoever handed it over numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    /// The trace.
    pub trace: u64,
    /// The span of that trace.
    pub span: u32,
    /// Which snapshot of it: what becomes of an older one says nothing of a newer one.
    pub version: u32,
}

/// One attempt to deliver a request, as the panel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When it ended.
    pub at: UnixNanos,
    /// Where it went: `/api/v0.2/traces`.
    pub path: Box<str>,
    /// Spans in it.
    pub n_spans: u64,
    /// Bytes of its body, as they were sent.
    pub n_bytes: u64,
    /// What it came to.
    pub attempt: Attempt,
    /// Why it failed, in the words of a sentence whose subject is the receiver; empty if it did not.
    pub error: Box<str>,
    /// How long it took.
    pub took: Duration,
}

/// What became of requests that were sent on, since it was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Requests that arrived.
    pub payloads: u64,
    /// Spans in them.
    pub spans: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Requests that were sent and not taken.
    pub failed: u64,
    /// Requests that were not sent, for lack of room or of time.
    pub dropped: u64,
    /// Why the last one failed.
    pub last_error: Option<Box<str>>,
    /// Spans that arrived, of those that have tickets.
    pub arrived: Vec<Ticket>,
    /// Spans that will not.
    pub returned: Vec<Ticket>,
    /// Every attempt, the newest last.
    pub exchanges: Vec<Exchange>,
}

impl Forwarded {
    /// Adds what became of others, later.
    pub fn add(&mut self, later: Self) {
        let numbers = [
            (&mut self.payloads, later.payloads),
            (&mut self.spans, later.spans),
            (&mut self.bytes, later.bytes),
            (&mut self.failed, later.failed),
            (&mut self.dropped, later.dropped),
        ];
        for (number, more) in numbers {
            *number = number.saturating_add(more);
        }
        self.last_error = later.last_error.or(self.last_error.take());
        self.arrived.extend(later.arrived);
        self.returned.extend(later.returned);
        self.exchanges.extend(later.exchanges);
        let excess = self.exchanges.len().saturating_sub(EXCHANGES_MAX);
        self.exchanges.drain(..excess);
    }
}
