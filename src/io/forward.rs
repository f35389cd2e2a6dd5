//! The way on to a real Agent: a thread of its own that sends requests as they came, so that neither a
//! client nor the loop waits for it. Decides nothing about spans, and keeps none that have arrived.
//!
//! ```text
//! handlers ──ForwardQueue::ask──▶ ┌ 64 requests, 32 MiB ┐ ──▶ senders ──HTTP──▶ Agent
//! the loop ──ForwardQueue::send─▶ └ full: drop, count   ┘        └─ what became of them ─▶ inbox
//! ```

mod check;
mod connection;
mod intake;
mod ledger;
mod queue;
mod sender;
mod tls;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::AgentAddress;
use crate::ingest::Forwarded;
use crate::io::inbox::Inbox;

pub use check::check;
pub use intake::{IntakeForwarder, IntakeQueue};
use ledger::Ledger;
use queue::Job;
pub use queue::{AgentAnswer, ForwardQueue};
use sender::Sender;

/// How much waits for the Agent, and how long it is waited for.
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
    /// How long the Agent may take for an answer.
    pub attempt_max: Duration,
    /// How long one request is tried again.
    pub give_up_after: Duration,
    /// How long the program waits for the rest when it ends.
    pub drain_max: Duration,
    /// The user is told of trouble once in so long.
    pub told_every: Duration,
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
        }
    }
}

/// What became of requests is told at most once in so long.
const TELL_PAUSE: Duration = Duration::from_millis(50);

/// The thread that sends.
#[derive(Debug)]
pub struct Forwarder {
    queue: ForwardQueue,
    ledger: Arc<Ledger>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Forwarder {
    /// Starts the thread. Nothing is sent before there is something to send.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(to: AgentAddress, limits: ForwardLimits, inbox: Inbox) -> io::Result<Self> {
        let ledger = Arc::new(Ledger::new(format!("The Agent at {to}"), limits, inbox));
        let (queue, jobs) = queue::channel(limits, &ledger);
        let (stop, stopped) = watch::channel(false);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .thread_name("forward-resolve")
            .build()?;
        let sender = Sender::new(to, limits, Arc::clone(&ledger));
        let run = move || run(runtime, &sender, jobs, stopped);
        let thread = thread::Builder::new().name("forward".into()).spawn(run)?;
        Ok(Self {
            queue,
            ledger,
            stop,
            thread: Some(thread),
        })
    }

    /// Where requests for the Agent are put.
    pub fn queue(&self) -> &ForwardQueue {
        &self.queue
    }

    /// Sends what waits, for as long as the limits allow; then says what became of it. What was not
    /// sent by then is counted as dropped.
    pub fn stop(mut self) -> Forwarded {
        self.end();
        self.ledger.rest()
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by the panic hook.
            let _ended = thread.join();
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(
    runtime: Runtime,
    sender: &Sender,
    jobs: mpsc::Receiver<Job>,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = sender.limits();
    let ledger = sender.ledger();
    runtime.block_on(async {
        let jobs = Arc::new(Mutex::new(jobs));
        let mut senders = JoinSet::new();
        for _ in 0..limits.senders.max(1) {
            let sending = sender.clone().work(Arc::clone(&jobs), stopped.clone());
            senders.spawn(sending);
        }
        let telling = async {
            loop {
                ledger.changed().await;
                ledger.tell();
                tokio::time::sleep(TELL_PAUSE).await;
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
