//! The way on, to a real Agent or to Datadog: a thread of its own that sends requests, so that neither a
//! client nor the loop waits for it. Decides nothing about spans, and keeps none that have arrived.
//!
//! ```text
//! handlers ──ForwardQueue::ask──▶ ┌ 64 requests, 32 MiB ┐ ──▶ worker ──HTTP──▶ Agent, intakes
//! the loop ──…Queue::send───────▶ └ full: drop, count   ┘        └─ what became of them ─▶ inbox
//! ```
//!
//! For Datadog there is such a queue for each intake, smaller ones for counts and lines.
//!
//! `agent` and `intake` each are a way in and a way to make one attempt; `worker`, `queue` and `ledger`
//! are the same for both.

mod agent;
mod check;
mod connection;
mod intake;
mod ledger;
mod queue;
mod tls;
mod worker;

use std::time::Duration;

pub use agent::{AgentAnswer, ForwardQueue};
pub use check::check;
pub use intake::IntakeQueue;
pub use ledger::Ended;
use worker::Worker;

/// How much waits for the receiver, and how long it is waited for.
///
/// For Datadog the first three are those of spans; counts and lines have less beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardLimits {
    /// Requests that wait at most, beside those that are being sent.
    pub requests_max: usize,
    /// Bytes of all requests at most. A single one above it passes alone.
    pub bytes_max: u32,
    /// Requests that are sent at the same time.
    pub senders: usize,
    /// How long a client waits for the Agent's answer.
    pub answer_wait_max: Duration,
    /// How long the receiver may take for an answer.
    pub attempt_max: Duration,
    /// How long one request is tried again.
    pub give_up_after: Duration,
    /// How long the program waits for the rest when it ends.
    pub drain_max: Duration,
    /// The user is told of trouble once in so long.
    pub told_every: Duration,
    /// Bytes of requests that did not arrive and are kept for whoever asks at the end.
    pub leftover_bytes_max: usize,
}

impl Default for ForwardLimits {
    fn default() -> Self {
        Self {
            requests_max: 64,
            bytes_max: 32 * 1024 * 1024,
            senders: 4,
            answer_wait_max: Duration::from_secs(1),
            attempt_max: Duration::from_secs(10),
            give_up_after: Duration::from_secs(60),
            drain_max: Duration::from_secs(2),
            told_every: Duration::from_secs(60),
            leftover_bytes_max: 0,
        }
    }
}

/// The thread that sends, and the way in.
#[derive(Debug)]
pub struct Forwarder<Q> {
    queue: Q,
    worker: Worker,
}

impl<Q> Forwarder<Q> {
    /// Where requests are put.
    pub fn queue(&self) -> &Q {
        &self.queue
    }

    /// Sends what waits, for as long as the limits allow; then says what became of it. What was not
    /// sent by then is counted as dropped.
    pub fn stop(mut self) -> Ended {
        self.worker.end();
        self.worker.ledger().rest()
    }
}
