//! One request to the Agent after another: again and again where it is not reached, in another form
//! where it does not know one, and given up where it says no.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::ForwardLimits;
use super::connection::{Connection, Exchanged};
use super::ledger::Ledger;
use super::queue::Job;
use crate::config::AgentAddress;
use crate::forward::retry::{Attempt, Backoff, Next, retry_after};
use crate::io::clock;

/// What all senders know.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    to: Arc<AgentAddress>,
    limits: ForwardLimits,
    ledger: Arc<Ledger>,
    backoff: Arc<std::sync::Mutex<Backoff>>,
}

/// What an attempt came to.
struct Tried {
    attempt: Attempt,
    error: String,
    asked: Option<Duration>,
}

impl Sender {
    pub(super) fn new(to: AgentAddress, limits: ForwardLimits, ledger: Arc<Ledger>) -> Self {
        Self {
            to: Arc::new(to),
            limits,
            ledger,
            backoff: Arc::default(),
        }
    }

    pub(super) fn limits(&self) -> ForwardLimits {
        self.limits
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes requests and sends them, until it is stopped and none is left.
    pub(super) async fn work(
        self,
        jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut connection = Connection::default();
        loop {
            let job = {
                let mut jobs = jobs.lock().await;
                tokio::select! {
                    biased;
                    job = jobs.recv() => job,
                    _gone = stopped.wait_for(|stopped| *stopped) => jobs.try_recv().ok(),
                }
            };
            match job {
                Some(job) => self.deliver(job, &mut connection).await,
                None => return,
            }
        }
    }

    async fn deliver(&self, mut job: Job, connection: &mut Connection) {
        let begun = Instant::now();
        loop {
            let tried = match self.attempt(&job, connection).await {
                Ok(exchanged) => {
                    let status = exchanged.answer.status;
                    let unknown = matches!(status, 404 | 415);
                    if let (true, Some(other)) = (unknown, job.original.as_v04()) {
                        job.original = other;
                        continue;
                    }
                    if Attempt::Answered(status).next() == Next::Done {
                        self.note(Next::Done);
                        let original = &job.original;
                        self.ledger.arrived(original.n_spans, original.body.len());
                        if let Some(waiter) = job.waiter {
                            // Whoever waited may have gone.
                            let _unread = waiter.send(exchanged.answer);
                        }
                        return;
                    }
                    refused(&exchanged)
                }
                Err(error) => Tried {
                    attempt: Attempt::NoAnswer,
                    error,
                    asked: None,
                },
            };
            // Whoever waits is not to wait for another attempt.
            job.waiter = None;
            let wait = self.wait(&tried);
            let is_late = begun.elapsed() >= self.limits.give_up_after;
            match wait {
                Some(wait) if !is_late => {
                    self.ledger.retried(&tried.error);
                    sleep(wait).await;
                }
                _ => return self.ledger.failed(&tried.error),
            }
        }
    }

    async fn attempt(&self, job: &Job, connection: &mut Connection) -> Result<Exchanged, String> {
        let begun = Instant::now();
        let exchange = connection.exchange(&self.to, &job.original);
        let exchanged = match timeout(self.limits.attempt_max, exchange).await {
            Ok(Ok(exchanged)) => Ok(exchanged),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_elapsed) => {
                *connection = Connection::default();
                Err(format!(
                    "does not answer within {:?}",
                    self.limits.attempt_max
                ))
            }
        };
        let in_time = exchanged.is_ok() && begun.elapsed() <= self.limits.answer_wait_max;
        self.ledger.answered(in_time);
        exchanged
    }

    /// How long to wait before it is tried again; `None` if it is not.
    fn wait(&self, tried: &Tried) -> Option<Duration> {
        let next = tried.attempt.next();
        let backoff = self.note(next);
        let random = RandomState::new().build_hasher().finish();
        (next == Next::Retry).then(|| backoff.wait(random, tried.asked))
    }

    fn note(&self, next: Next) -> Backoff {
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        backoff.note(next);
        *backoff
    }
}

/// An answer that says no.
fn refused(exchanged: &Exchanged) -> Tried {
    let status = exchanged.answer.status;
    let asked = exchanged.retry_after.as_deref();
    Tried {
        attempt: Attempt::Answered(status),
        error: format!("answers with status {status}"),
        asked: asked.and_then(|asked| retry_after(asked, clock::wall())),
    }
}
