//! Where requests for the Agent are put: bounded in number and in bytes, and never waited for.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::ForwardLimits;
use super::ledger::Ledger;
use crate::ingest::Original;

/// What the Agent answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentAnswer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// `Datadog-Rates-Payload-Version`.
    pub rates_version: Option<HeaderValue>,
}

/// A request on its way, with the room it takes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) original: Original,
    /// Whoever waits for the answer.
    pub(super) waiter: Option<oneshot::Sender<AgentAnswer>>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// The way in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ForwardQueue {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    bytes_max: u32,
    answer_wait_max: Duration,
    ledger: Arc<Ledger>,
    /// What our requests say of their sender, by which one is known that has come back.
    mark: Arc<str>,
}

pub(super) fn channel(
    limits: ForwardLimits,
    ledger: &Arc<Ledger>,
) -> (ForwardQueue, mpsc::Receiver<Job>) {
    let (jobs, receiver) = mpsc::channel(limits.requests_max.max(1));
    let permits = usize::try_from(limits.bytes_max).unwrap_or(Semaphore::MAX_PERMITS);
    // Another number in each process, and no secret.
    let number = RandomState::new().build_hasher().finish();
    let queue = ForwardQueue {
        jobs,
        room: Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS))),
        bytes_max: limits.bytes_max.max(1),
        answer_wait_max: limits.answer_wait_max,
        ledger: Arc::clone(ledger),
        mark: format!("modtrace-tui-{number:016x}").into(),
    };
    (queue, receiver)
}

impl ForwardQueue {
    /// Puts a request there; if there is no room, it is dropped and counted.
    pub fn send(&self, original: Original) {
        self.put(original, None);
    }

    /// The same, and waits for the answer until a moment. Who asks while the Agent does not answer, or
    /// is behind, does not wait at all.
    pub async fn ask(&self, original: Original, until: Instant) -> Option<AgentAnswer> {
        if !self.ledger.is_quick() || until <= Instant::now() {
            self.send(original);
            return None;
        }
        let (waiter, answer) = oneshot::channel();
        self.put(original, Some(waiter));
        match timeout_at(until, answer).await {
            Ok(answer) => answer.ok(),
            Err(_elapsed) => {
                self.ledger.answered(false);
                None
            }
        }
    }

    /// How long a client waits at most.
    pub fn answer_wait_max(&self) -> Duration {
        self.answer_wait_max
    }

    /// Whether a value of the header `Via` says that a request was sent by us; then that is told.
    pub fn has_come_back(&self, via: &[u8]) -> bool {
        let mark = self.mark.as_bytes();
        let is_ours = via.windows(mark.len()).any(|part| part == mark);
        if is_ours {
            self.ledger.came_back();
        }
        is_ours
    }

    fn put(&self, mut original: Original, waiter: Option<oneshot::Sender<AgentAnswer>>) {
        let via = format!("1.1 {}", self.mark);
        original
            .headers
            .push(("Via".into(), via.into_bytes().into()));
        let bytes = u32::try_from(original.heap_bytes()).unwrap_or(u32::MAX);
        let bytes = bytes.min(self.bytes_max);
        let Ok(place) = self.jobs.try_reserve() else {
            return self.ledger.dropped();
        };
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else {
            return self.ledger.dropped();
        };
        self.ledger.taken();
        place.send(Job {
            original,
            waiter,
            _room: room,
        });
    }
}
