//! What became of requests that were passed on, between two looks of the loop; and the one sentence a
//! minute that says what goes wrong. Sends nothing on.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ForwardLimits;
use super::worker::Cargo;
use crate::forward::{Exchange, Forwarded, IntakeRequest};
use crate::ingest::Inbound;
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
    /// Whether the receiver answered in time, last.
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
    leftovers: Leftovers,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has arrived.
    Arrived,
    /// It was sent and not taken, for this reason.
    Failed(Box<str>),
    /// There was no room for it, in this respect.
    NoRoom(Limit),
    /// The program ended before.
    NoTime,
}

/// What bounds a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// So many requests.
    Requests(usize),
    /// So many bytes of all of them.
    Bytes(u32),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests(1) => f.write_str("1 request waits already"),
            Self::Requests(number) => write!(f, "{number} requests wait already"),
            Self::Bytes(number) => write!(
                f,
                "the requests that wait may take no more than {} together",
                size(*number)
            ),
        }
    }
}

/// `32 MiB`, `1000 bytes`.
fn size(bytes: u32) -> String {
    const MIB: u32 = 1024 * 1024;
    match bytes / MIB {
        0 => format!("{bytes} bytes"),
        mib => format!("{mib} MiB"),
    }
}

/// What is left when everything has ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// What was not told before.
    pub rest: Forwarded,
    /// Requests that did not arrive and are to be kept.
    pub leftovers: Vec<IntakeRequest>,
    /// Such requests that there was no room for.
    pub n_lost: u64,
}

/// Requests that did not arrive and are to be kept, as far as there is room.
#[derive(Debug, Default)]
struct Leftovers {
    requests: Vec<IntakeRequest>,
    bytes: usize,
    n_lost: u64,
}

impl Leftovers {
    fn extend(&mut self, request: Option<IntakeRequest>, bytes_max: usize) {
        let Some(request) = request else { return };
        let bytes = self.bytes.saturating_add(request.heap_bytes());
        if bytes <= bytes_max {
            self.bytes = bytes;
            self.requests.push(request);
        } else {
            self.n_lost += 1;
        }
    }
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

    /// How much waits at most, and how long.
    pub(super) fn limits(&self) -> ForwardLimits {
        self.limits
    }

    /// Whether it makes sense to wait for an answer: the last one came in time, and not too many other
    /// requests go first.
    pub(super) fn is_quick(&self) -> bool {
        /// More are what has gathered while the receiver did not answer.
        const TURNS_MAX: usize = 4;
        let n_before = self.n_waiting.load(Ordering::Relaxed);
        self.answers.load(Ordering::Relaxed) && n_before < TURNS_MAX * self.limits.senders.max(1)
    }

    /// The receiver answered in time, or did not.
    pub(super) fn answered(&self, in_time: bool) {
        self.answers.store(in_time, Ordering::Relaxed);
    }

    /// A request waits.
    pub(super) fn taken(&self) {
        self.n_waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// It waits no more.
    pub(super) fn released(&self) {
        self.n_waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether no request waits.
    pub(super) fn is_idle(&self) -> bool {
        self.n_waiting.load(Ordering::Relaxed) == 0
    }

    /// An attempt was made.
    pub(super) fn attempted(&self, exchange: Exchange) {
        self.note(Forwarded {
            exchanges: vec![exchange],
            ..Forwarded::default()
        });
    }

    /// A request has ended so.
    pub(super) fn ended(&self, cargo: &impl Cargo, fate: &Fate) {
        let tickets = cargo.tickets().to_vec();
        if *fate == Fate::Arrived {
            return self.note(Forwarded {
                payloads: 1,
                spans: cargo.n_spans(),
                bytes: u64::try_from(cargo.body().len()).unwrap_or(u64::MAX),
                arrived: tickets,
                ..Forwarded::default()
            });
        }
        let leftover = cargo.leftover();
        self.with(|untold| {
            untold
                .leftovers
                .extend(leftover, self.limits.leftover_bytes_max);
        });
        let lost = Forwarded {
            returned: tickets,
            ..Forwarded::default()
        };
        match fate {
            Fate::Failed(error) => {
                self.note(Forwarded {
                    failed: 1,
                    last_error: Some(printable(error, ERROR_BYTES_MAX)),
                    ..lost
                });
                self.trouble(1, &format!("{} {error}", self.to));
            }
            Fate::NoRoom(limit) => {
                let error = format!("there is no room for it: {limit}");
                self.note(Forwarded {
                    dropped: 1,
                    last_error: Some(error.as_str().into()),
                    ..lost
                });
                self.trouble(1, &format!("{} is too slow, and {error}", self.to));
            }
            Fate::NoTime | Fate::Arrived => self.note(Forwarded { dropped: 1, ..lost }),
        }
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

    /// What was not told, at the end.
    pub(super) fn rest(&self) -> Ended {
        self.with(|untold| {
            let outcome = std::mem::take(&mut untold.outcome);
            let leftovers = std::mem::take(&mut untold.leftovers);
            Ended {
                rest: Forwarded {
                    last_error: untold.last_error.take(),
                    ..outcome
                },
                leftovers: leftovers.requests,
                n_lost: leftovers.n_lost,
            }
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Untold) -> T) -> T {
        // Numbers are right whoever panicked.
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut untold)
    }
}
