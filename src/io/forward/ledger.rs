//! What became of requests that were passed on, between two looks of the loop; and the one sentence a
//! minute that says what goes wrong. Sends nothing to the Agent.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ForwardLimits;
use crate::ingest::{Forwarded, Inbound};
use crate::io::inbox::Inbox;
use crate::trace::printable;

/// Bytes of an error that are shown.
const ERROR_BYTES_MAX: usize = 200;

/// Shared by everybody who puts something into the queue or takes something out.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Who gets them: `The Agent at 127.0.0.1:8125`.
    to: String,
    limits: ForwardLimits,
    inbox: Inbox,
    untold: Mutex<Untold>,
    changed: Notify,
    /// Whether the Agent answered in time, last.
    answers: AtomicBool,
    /// Requests that were taken and have not ended.
    n_waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Untold {
    outcome: Forwarded,
    /// When the user was told of trouble last, and how many requests were lost since.
    told_at: Option<Instant>,
    n_lost: u64,
    /// What went wrong last, told or not.
    last_error: Option<Box<str>>,
}

impl Ledger {
    pub(super) fn new(to: String, limits: ForwardLimits, inbox: Inbox) -> Self {
        Self {
            to,
            limits,
            inbox,
            untold: Mutex::default(),
            changed: Notify::new(),
            answers: AtomicBool::new(true),
            n_waiting: AtomicUsize::new(0),
        }
    }

    /// Whether it makes sense to wait for an answer: the last one came in time, and not too many other
    /// requests go first.
    pub(super) fn is_quick(&self) -> bool {
        /// More are what has gathered while the Agent did not answer.
        const TURNS_MAX: usize = 4;
        let n_before = self.n_waiting.load(Ordering::Relaxed);
        self.answers.load(Ordering::Relaxed) && n_before < TURNS_MAX * self.limits.senders.max(1)
    }

    /// The Agent answered in time, or did not.
    pub(super) fn answered(&self, in_time: bool) {
        self.answers.store(in_time, Ordering::Relaxed);
    }

    /// A request waits.
    pub(super) fn taken(&self) {
        self.n_waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// It has arrived.
    pub(super) fn arrived(&self, n_spans: u64, n_bytes: usize) {
        self.ended(Forwarded {
            payloads: 1,
            spans: n_spans,
            bytes: u64::try_from(n_bytes).unwrap_or(u64::MAX),
            ..Forwarded::default()
        });
    }

    /// It will not arrive.
    pub(super) fn failed(&self, error: &str) {
        self.ended(Forwarded {
            failed: 1,
            last_error: Some(printable(error, ERROR_BYTES_MAX)),
            ..Forwarded::default()
        });
        self.trouble(1, &format!("{} {error}", self.to));
    }

    fn ended(&self, outcome: Forwarded) {
        self.n_waiting.fetch_sub(1, Ordering::Relaxed);
        self.note(outcome);
    }

    /// There was no room for a request.
    pub(super) fn dropped(&self) {
        let error = format!(
            "there is no room for it: {} requests wait already",
            self.limits.requests_max
        );
        self.note(Forwarded {
            dropped: 1,
            last_error: Some(error.as_str().into()),
            ..Forwarded::default()
        });
        self.trouble(1, &format!("{} is too slow, and {error}", self.to));
    }

    /// A request of ours has come back to us.
    pub(super) fn came_back(&self) {
        let error =
            "is this program itself: what is passed on comes back. Name the real Agent's address";
        self.note(Forwarded {
            failed: 1,
            last_error: Some(error.into()),
            ..Forwarded::default()
        });
        self.trouble(1, &format!("{} {error}", self.to));
    }

    /// It is tried again.
    pub(super) fn retried(&self, error: &str) {
        let told = format!("{} {error}; it is tried again", self.to);
        self.note(Forwarded {
            last_error: Some(printable(error, ERROR_BYTES_MAX)),
            ..Forwarded::default()
        });
        self.trouble(0, &told);
    }

    fn note(&self, outcome: Forwarded) {
        self.with(|untold| {
            untold.last_error = outcome.last_error.clone().or(untold.last_error.take());
            untold.outcome.add(outcome);
        });
        self.changed.notify_one();
    }

    /// Says a sentence, unless one was said a moment ago.
    fn trouble(&self, n_lost: u64, sentence: &str) {
        tracing::debug!("{sentence}");
        let lost = self.with(|untold| {
            untold.n_lost += n_lost;
            let now = Instant::now();
            let is_due = untold
                .told_at
                .is_none_or(|told_at| now.duration_since(told_at) >= self.limits.told_every);
            if !is_due {
                return None;
            }
            untold.told_at = Some(now);
            Some(std::mem::take(&mut untold.n_lost))
        });
        let Some(lost) = lost else {
            return;
        };
        let lost = match lost {
            0 => String::new(),
            1 => " (1 request lost)".to_owned(),
            lost => format!(" ({lost} requests lost)"),
        };
        let notice = printable(&format!("{sentence}{lost}."), 2 * ERROR_BYTES_MAX);
        // Where there is no room, the counters have it.
        let _sent = self.inbox.try_send(Inbound::Notice(notice.into()));
    }

    /// Waits until there is something to tell.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Tells the loop what became of requests, if it has room; else later.
    pub(super) fn tell(&self) {
        let Ok(slot) = self.inbox.try_reserve(0) else {
            return self.changed.notify_one();
        };
        let outcome = self.with(|untold| std::mem::take(&mut untold.outcome));
        if outcome != Forwarded::default() {
            slot.send(Inbound::Forwarded(outcome));
        }
    }

    /// What was not told, at the end: whatever still waits will not arrive.
    pub(super) fn rest(&self) -> Forwarded {
        let n_waiting = self.n_waiting.swap(0, Ordering::Relaxed);
        let mut outcome = self.with(|untold| {
            let outcome = std::mem::take(&mut untold.outcome);
            Forwarded {
                last_error: untold.last_error.take(),
                ..outcome
            }
        });
        outcome.dropped += u64::try_from(n_waiting).unwrap_or(u64::MAX);
        outcome
    }

    fn with<T>(&self, change: impl FnOnce(&mut Untold) -> T) -> T {
        // Numbers are right whoever panicked.
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut untold)
    }
}
