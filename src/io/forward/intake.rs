//! The way on to Datadog: requests that are complete but for the key, sent by a thread of their own,
//! again where it helps, and no more once the key is refused. The key is in no record and no sentence.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::runtime::Builder;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::ForwardLimits;
use super::ledger::Ledger;
use super::tls::Opener;
use crate::forward::proxy::Proxy;
use crate::forward::retry::{Attempt, Backoff, Next, retry_after};
use crate::forward::settings::{Address, ForwardSettings};
use crate::forward::{Intake, IntakeRequest};
use crate::ingest::Forwarded;
use crate::io::clock;
use crate::io::inbox::Inbox;

/// An answer is short.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The way in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct IntakeQueue {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    bytes_max: u32,
    ledger: Arc<Ledger>,
    is_refused: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Job {
    request: IntakeRequest,
    _room: OwnedSemaphorePermit,
}

impl IntakeQueue {
    /// Puts a request there; if there is no room, or the key is refused, it is counted and dropped.
    pub fn send(&self, request: IntakeRequest) {
        let bytes = u32::try_from(request.heap_bytes()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes.min(self.bytes_max));
        let (Ok(place), Ok(room)) = (self.jobs.try_reserve(), room) else {
            return self.ledger.dropped();
        };
        self.ledger.taken();
        if self.is_refused.load(Ordering::Relaxed) {
            return self.ledger.failed(REFUSED);
        }
        place.send(Job {
            request,
            _room: room,
        });
    }
}

const REFUSED: &str = "refuses the key (403): nothing more is sent. DD_API_KEY is not a key of this site; \
                       DD_SITE says which";

/// The thread that sends.
#[derive(Debug)]
pub struct IntakeForwarder {
    queue: IntakeQueue,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl IntakeForwarder {
    /// Starts the thread. Nothing is sent before there is something to send.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(
        settings: ForwardSettings,
        proxy: Option<Proxy>,
        limits: ForwardLimits,
        inbox: Inbox,
    ) -> io::Result<Self> {
        let to = format!("Datadog ({})", settings.site);
        let ledger = Arc::new(Ledger::new(to, limits, inbox));
        let (jobs, receiver) = mpsc::channel(limits.requests_max.max(1));
        let permits = usize::try_from(limits.bytes_max).unwrap_or(Semaphore::MAX_PERMITS);
        let is_refused = Arc::new(AtomicBool::new(false));
        let queue = IntakeQueue {
            jobs,
            room: Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS))),
            bytes_max: limits.bytes_max.max(1),
            ledger: Arc::clone(&ledger),
            is_refused: Arc::clone(&is_refused),
        };
        let (stop, stopped) = watch::channel(false);
        let sender = Sender {
            settings: Arc::new(settings),
            opener: Opener::new(proxy),
            limits,
            ledger,
            backoff: Arc::default(),
            is_refused,
        };
        let run = move || run(&sender, receiver, stopped);
        let thread = thread::Builder::new().name("forward".into()).spawn(run)?;
        Ok(Self {
            queue,
            stop,
            thread: Some(thread),
        })
    }

    /// Where requests are put.
    pub fn queue(&self) -> &IntakeQueue {
        &self.queue
    }

    /// Sends what waits, for as long as the limits allow; then says what became of it.
    pub fn stop(mut self) -> Forwarded {
        self.end();
        self.queue.ledger.rest()
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by the panic hook.
            let _ended = thread.join();
        }
    }
}

impl Drop for IntakeForwarder {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(sender: &Sender, jobs: mpsc::Receiver<Job>, mut stopped: watch::Receiver<bool>) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .thread_name("forward-resolve")
        .build();
    let Ok(runtime) = runtime else {
        tracing::error!("the thread that sends on cannot wait for anything");
        return;
    };
    runtime.block_on(async {
        let jobs = Arc::new(Mutex::new(jobs));
        let mut senders = JoinSet::new();
        for _ in 0..sender.limits.senders.max(1) {
            senders.spawn(sender.clone().work(Arc::clone(&jobs), stopped.clone()));
        }
        let telling = async {
            loop {
                sender.ledger.changed().await;
                sender.ledger.tell();
                sleep(super::TELL_PAUSE).await;
            }
        };
        let draining = async {
            let _gone = stopped.wait_for(|stopped| *stopped).await;
            let all = async { while senders.join_next().await.is_some() {} };
            timeout(sender.limits.drain_max, all).await.is_ok()
        };
        tokio::select! {
            _is_empty = draining => {}
            () = telling => {}
        }
    });
    runtime.shutdown_background();
}

#[derive(Clone)]
struct Sender {
    settings: Arc<ForwardSettings>,
    opener: Opener,
    limits: ForwardLimits,
    ledger: Arc<Ledger>,
    backoff: Arc<std::sync::Mutex<Backoff>>,
    is_refused: Arc<AtomicBool>,
}

/// A connection and what it leads to.
type Open = Option<(Intake, SendRequest<Full<Bytes>>)>;

/// What an attempt came to.
struct Tried {
    attempt: Attempt,
    error: String,
    asked: Option<std::time::Duration>,
}

impl Sender {
    async fn work(self, jobs: Arc<Mutex<mpsc::Receiver<Job>>>, mut stopped: watch::Receiver<bool>) {
        let mut open = None;
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
                Some(job) => self.deliver(job, &mut open).await,
                None => return,
            }
        }
    }

    async fn deliver(&self, job: Job, open: &mut Open) {
        let begun = Instant::now();
        let n_spans = u64::try_from(job.request.n_spans()).unwrap_or(u64::MAX);
        let Job {
            mut request,
            _room: room,
        } = job;
        let body = Bytes::from(std::mem::take(&mut request.body));
        loop {
            if self.is_refused.load(Ordering::Relaxed) {
                return self.ledger.failed(REFUSED);
            }
            let tried = self.attempt((&request, &body), open).await;
            let next = tried.attempt.next();
            let backoff = self.note(next);
            let is_late = begun.elapsed() >= self.limits.give_up_after;
            match next {
                Next::Done => {
                    self.ledger.arrived(n_spans, body.len());
                    break;
                }
                Next::Stop => {
                    self.is_refused.store(true, Ordering::Relaxed);
                    return self.ledger.failed(REFUSED);
                }
                Next::Retry if !is_late => {
                    self.ledger.retried(&tried.error);
                    let random = RandomState::new().build_hasher().finish();
                    sleep(backoff.wait(random, tried.asked)).await;
                }
                Next::Retry | Next::GiveUp => return self.ledger.failed(&tried.error),
            }
        }
        drop(room);
    }

    fn note(&self, next: Next) -> Backoff {
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        backoff.note(next);
        *backoff
    }

    async fn attempt(&self, request: (&IntakeRequest, &Bytes), open: &mut Open) -> Tried {
        let exchange = self.exchange(request, open);
        let outcome = timeout(self.limits.attempt_max, exchange).await;
        match outcome {
            Ok(Ok((status, asked))) => Tried {
                attempt: Attempt::Answered(status),
                error: format!("answers with status {status}"),
                asked: asked.and_then(|asked| retry_after(&asked, clock::wall())),
            },
            Ok(Err(error)) => Tried {
                attempt: Attempt::NoAnswer,
                error: format!("cannot be reached ({error})"),
                asked: None,
            },
            Err(_elapsed) => Tried {
                attempt: Attempt::NoAnswer,
                error: format!("does not answer within {:?}", self.limits.attempt_max),
                asked: None,
            },
        }
    }

    async fn exchange(
        &self,
        (request, body): (&IntakeRequest, &Bytes),
        open: &mut Open,
    ) -> Result<(u16, Option<String>), Box<dyn std::error::Error + Send + Sync>> {
        let address = self.settings.address(request.intake);
        let message = self.message(address, request, body)?;
        let mut connection = match open.take() {
            Some((intake, mut connection)) if intake == request.intake => {
                match connection.ready().await {
                    Ok(()) => connection,
                    Err(_closed) => self.connect(address).await?,
                }
            }
            _ => self.connect(address).await?,
        };
        let response = connection.send_request(message).await?;
        let asked = response.headers().get("retry-after");
        let asked = asked.and_then(|value| value.to_str().ok());
        let asked = asked.map(str::to_owned);
        let status = response.status().as_u16();
        // Read to its end, so that the connection can be used again.
        Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await?;
        *open = Some((request.intake, connection));
        Ok((status, asked))
    }

    async fn connect(
        &self,
        address: &Address,
    ) -> Result<SendRequest<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let stream = self.opener.open(address).await?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Its end is seen by whoever sends next.
            let _closed = driver.await;
        });
        Ok(connection)
    }

    fn message(
        &self,
        address: &Address,
        request: &IntakeRequest,
        body: &Bytes,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut key = HeaderValue::from_str(self.settings.key.expose())?;
        key.set_sensitive(true);
        let mut message = Request::post(&*address.path)
            .header(HOST, address.authority())
            .header("DD-API-KEY", key);
        for (name, value) in &request.headers {
            message = message.header(*name, value);
        }
        message.body(Full::new(body.clone()))
    }
}
