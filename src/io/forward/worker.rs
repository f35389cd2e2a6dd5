//! The thread that delivers requests, some at a time: again and again where a receiver is not reached, and
//! given up where it says no. Each lane has its own queue, senders and back-off, so that none waits for
//! another. Knows no receiver, and decides nothing about spans.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::ForwardLimits;
use super::ledger::Ledger;
use super::queue::{Lane, Parcel};
use crate::forward::retry::{Attempt, Backoff, Next};
use crate::forward::{Exchange, IntakeRequest, Ticket};
use crate::io::clock;
use crate::trace::printable;

/// What became of requests is told at most once in so long.
const TELL_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a path that are shown.
const PATH_BYTES_MAX: usize = 120;

/// A request, as far as it matters for its delivery.
pub(super) trait Cargo: fmt::Debug + Send + 'static {
    /// What it occupies in memory.
    fn heap_bytes(&self) -> usize;
    /// Where it goes, without what may be a secret.
    fn path(&self) -> &str;
    /// Its body.
    fn body(&self) -> &Bytes;
    /// Spans in it.
    fn n_spans(&self) -> u64;
    /// The spans that somebody wants to hear of again.
    fn tickets(&self) -> &[Ticket];
    /// What is to be kept of it if it does not arrive.
    fn leftover(&self) -> Option<IntakeRequest>;
    /// An attempt has failed: whoever waits for the answer is not to wait for another.
    fn let_go(&mut self);
}

/// Somewhere that requests are delivered.
pub(super) trait Destination: Send + Sync + 'static {
    /// What is delivered.
    type Cargo: Cargo;
    /// What is kept open between two attempts.
    type Open: Default + Send;

    /// Makes one attempt, however long it takes.
    fn attempt(
        &self,
        cargo: &mut Self::Cargo,
        open: &mut Self::Open,
    ) -> impl Future<Output = Tried> + Send;

    /// Why nothing is sent there any more, if that is so.
    fn refusal(&self) -> Option<&'static str>;
}

/// When an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Before the end: there is time for another.
    Usual,
    /// While the program ends.
    Last,
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) attempt: Attempt,
    /// Why it failed, the receiver being the subject.
    pub(super) error: String,
    /// How long the receiver asks to be left alone.
    pub(super) asked: Option<Duration>,
}

impl Tried {
    /// No answer came.
    pub(super) fn unanswered(error: String) -> Self {
        Self {
            attempt: Attempt::NoAnswer,
            error,
            asked: None,
        }
    }
}

/// The thread.
#[derive(Debug)]
pub(super) struct Worker {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    ledger: Arc<Ledger>,
}

impl Worker {
    /// Starts the thread. Nothing is sent before there is something to send.
    pub(super) fn start<D: Destination>(
        destination: D,
        lanes: Vec<Lane<D::Cargo>>,
        ledger: Arc<Ledger>,
    ) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .thread_name("forward-resolve")
            .build()?;
        let sender = Sender {
            destination: Arc::new(destination),
            ledger: Arc::clone(&ledger),
            backoff: Arc::default(),
            stopped,
        };
        let run = move || run(runtime, sender, lanes);
        let thread = thread::Builder::new().name("forward".into()).spawn(run)?;
        Ok(Self {
            stop,
            thread: Some(thread),
            ledger,
        })
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Sends what waits, for as long as the limits allow. What was not sent by then counts as dropped.
    pub(super) fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by the panic hook.
            let _ended = thread.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn run<D: Destination>(runtime: Runtime, sender: Sender<D>, lanes: Vec<Lane<D::Cargo>>) {
    let ledger = Arc::clone(&sender.ledger);
    let limits = ledger.limits();
    runtime.block_on(async {
        let mut senders = JoinSet::new();
        for lane in lanes {
            let jobs = Arc::new(Mutex::new(lane.jobs));
            let of_lane = sender.with_own_backoff();
            for _ in 0..lane.n_senders {
                senders.spawn(of_lane.clone().work(Arc::clone(&jobs)));
            }
        }
        let mut stopped = sender.stopped;
        let telling = async {
            loop {
                ledger.changed().await;
                ledger.tell();
                sleep(TELL_PAUSE).await;
            }
        };
        let draining = async {
            // Whoever could stop it is gone.
            let _gone = stopped.wait_for(|stopped| *stopped).await;
            let all = async { while senders.join_next().await.is_some() {} };
            timeout(limits.drain_max, all).await.is_ok()
        };
        tokio::select! {
            _is_empty = draining => {}
            () = telling => {}
        }
    });
    // Nobody waits for the name of a host.
    runtime.shutdown_background();
}

/// One who sends.
struct Sender<D> {
    destination: Arc<D>,
    ledger: Arc<Ledger>,
    /// Shared by those of a lane.
    backoff: Arc<std::sync::Mutex<Backoff>>,
    /// Whether the end has come.
    stopped: watch::Receiver<bool>,
}

impl<D> Clone for Sender<D> {
    fn clone(&self) -> Self {
        Self {
            destination: Arc::clone(&self.destination),
            ledger: Arc::clone(&self.ledger),
            backoff: Arc::clone(&self.backoff),
            stopped: self.stopped.clone(),
        }
    }
}

impl<D: Destination> Sender<D> {
    /// The first of another lane.
    fn with_own_backoff(&self) -> Self {
        Self {
            backoff: Arc::default(),
            ..self.clone()
        }
    }

    /// Takes requests and sends them, until it is stopped and none is left.
    async fn work(mut self, jobs: Arc<Mutex<mpsc::Receiver<Parcel<D::Cargo>>>>) {
        let mut open = D::Open::default();
        loop {
            let parcel = {
                let mut jobs = jobs.lock().await;
                tokio::select! {
                    biased;
                    parcel = jobs.recv() => parcel,
                    _gone = self.stopped.wait_for(|stopped| *stopped) => jobs.try_recv().ok(),
                }
            };
            match parcel {
                Some(parcel) => self.deliver(parcel, &mut open).await,
                None => return,
            }
        }
    }

    async fn deliver(&mut self, mut parcel: Parcel<D::Cargo>, open: &mut D::Open) {
        let begun = Instant::now();
        loop {
            if let Some(refusal) = self.destination.refusal() {
                return parcel.failed(refusal);
            }
            let turn = self.turn();
            let tried = self.attempt(parcel.cargo_mut(), open).await;
            let next = tried.attempt.next();
            let backoff = self.note(next);
            if next == Next::Done {
                return parcel.arrived();
            }
            parcel.cargo_mut().let_go();
            let is_late = begun.elapsed() >= self.limits().give_up_after;
            if next != Next::Retry || is_late {
                return parcel.failed(&tried.error);
            }
            self.ledger.retried(&tried.error);
            let random = RandomState::new().build_hasher().finish();
            self.pause(backoff.wait(random, tried.asked), turn).await;
        }
    }

    /// Waits before the next attempt. A request that has not been tried since the end came is tried at once.
    async fn pause(&mut self, wait: Duration, turn: Turn) {
        let stopped = self.stopped.wait_for(|stopped| *stopped);
        tokio::select! {
            () = sleep(wait) => {}
            _gone = stopped, if turn == Turn::Usual => {}
        }
    }

    async fn attempt(&self, cargo: &mut D::Cargo, open: &mut D::Open) -> Tried {
        let begun = Instant::now();
        let limit = self.limits().attempt_max;
        let tried = match timeout(limit, self.destination.attempt(cargo, open)).await {
            Ok(tried) => tried,
            Err(_elapsed) => {
                *open = D::Open::default();
                Tried::unanswered(format!("does not answer within {limit:?}"))
            }
        };
        let took = begun.elapsed();
        let is_answer = tried.attempt != Attempt::NoAnswer;
        self.ledger
            .answered(is_answer && took <= self.limits().answer_wait_max);
        let is_done = tried.attempt.next() == Next::Done;
        self.ledger.attempted(Exchange {
            at: clock::wall(),
            path: printable(cargo.path(), PATH_BYTES_MAX),
            n_spans: cargo.n_spans(),
            n_bytes: u64::try_from(cargo.body().len()).unwrap_or(u64::MAX),
            attempt: tried.attempt,
            error: if is_done {
                Box::default()
            } else {
                tried.error.as_str().into()
            },
            took,
        });
        tried
    }

    fn turn(&self) -> Turn {
        if *self.stopped.borrow() {
            Turn::Last
        } else {
            Turn::Usual
        }
    }

    fn limits(&self) -> ForwardLimits {
        self.ledger.limits()
    }

    fn note(&self, next: Next) -> Backoff {
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        backoff.note(next);
        *backoff
    }
}
