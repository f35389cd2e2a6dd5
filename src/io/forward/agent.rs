//! The way to a real Agent: requests as they came, and its answers for the clients that wait for them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{HOST, HeaderName, HeaderValue};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::connection::{Answer, Connection, ExchangeError};
use super::ledger::Ledger;
use super::queue::Queue;
use super::tls::Stream;
use super::worker::{Cargo, Destination, Tried, Worker};
use super::{ForwardLimits, Forwarder};
use crate::config::AgentAddress;
use crate::forward::retry::{Attempt, Next, retry_after};
use crate::forward::{IntakeRequest, Ticket};
use crate::ingest::Original;
use crate::io::clock;
use crate::io::inbox::Inbox;

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

/// A request as it came.
#[derive(Debug)]
struct Passing {
    original: Original,
    /// Whoever waits for the answer.
    waiter: Option<oneshot::Sender<AgentAnswer>>,
}

impl Cargo for Passing {
    fn heap_bytes(&self) -> usize {
        self.original.heap_bytes()
    }

    fn path(&self) -> &str {
        &self.original.path
    }

    fn body(&self) -> &Bytes {
        &self.original.body
    }

    fn n_spans(&self) -> u64 {
        self.original.n_spans
    }

    fn tickets(&self) -> &[Ticket] {
        &[]
    }

    fn leftover(&self) -> Option<IntakeRequest> {
        None
    }

    fn let_go(&mut self) {
        self.waiter = None;
    }
}

/// The way in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ForwardQueue {
    queue: Queue<Passing>,
    answer_wait_max: Duration,
    /// What our requests say of their sender, by which one is known that has come back.
    mark: Arc<str>,
}

impl Forwarder<ForwardQueue> {
    /// Starts the thread. Nothing is sent before there is something to send.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(to: AgentAddress, limits: ForwardLimits, inbox: Inbox) -> io::Result<Self> {
        let ledger = Arc::new(Ledger::new(format!("The Agent at {to}"), limits, inbox));
        let (queue, lane) = Queue::new(limits, &ledger);
        // Another number in each process, and no secret.
        let number = RandomState::new().build_hasher().finish();
        let queue = ForwardQueue {
            queue,
            answer_wait_max: limits.answer_wait_max,
            mark: format!("modtrace-tui-{number:016x}").into(),
        };
        let worker = Worker::start(Agent { to }, vec![lane], ledger)?;
        Ok(Self { queue, worker })
    }
}

impl ForwardQueue {
    /// Puts a request there; if there is no room, it is dropped and counted.
    pub fn send(&self, original: Original) {
        self.put(original, None);
    }

    /// The same, and waits for the answer until a moment. Who asks while the Agent does not answer, or
    /// is behind, does not wait at all.
    pub async fn ask(&self, original: Original, until: Instant) -> Option<AgentAnswer> {
        if !self.queue.ledger().is_quick() || until <= Instant::now() {
            self.send(original);
            return None;
        }
        let (waiter, answer) = oneshot::channel();
        self.put(original, Some(waiter));
        match timeout_at(until, answer).await {
            Ok(answer) => answer.ok(),
            Err(_elapsed) => {
                self.queue.ledger().answered(false);
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
            self.queue.ledger().came_back();
        }
        is_ours
    }

    fn put(&self, mut original: Original, waiter: Option<oneshot::Sender<AgentAnswer>>) {
        let via = format!("1.1 {}", self.mark);
        original
            .headers
            .push(("Via".into(), via.into_bytes().into()));
        self.queue.put(Passing { original, waiter });
    }
}

/// A real Agent.
struct Agent {
    to: AgentAddress,
}

impl Destination for Agent {
    type Cargo = Passing;
    type Open = Connection;

    /// In another form, if the Agent does not know this one.
    async fn attempt(&self, cargo: &mut Passing, open: &mut Connection) -> Tried {
        loop {
            let answer = match self.exchange(&cargo.original, open).await {
                Ok(answer) => answer,
                Err(error) => return Tried::unanswered(error.to_string()),
            };
            let unknown = matches!(answer.status, 404 | 415);
            if let (true, Some(other)) = (unknown, cargo.original.as_v04()) {
                cargo.original = other;
                continue;
            }
            let tried = Tried {
                attempt: Attempt::Answered(answer.status),
                error: format!("answers with status {}", answer.status),
                asked: answer
                    .header("retry-after")
                    .and_then(|asked| retry_after(asked, clock::wall())),
            };
            if tried.attempt.next() == Next::Done
                && let Some(waiter) = cargo.waiter.take()
            {
                // Whoever waited may have gone.
                let _unread = waiter.send(answer.into_agents());
            }
            return tried;
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        None
    }
}

impl Agent {
    async fn exchange(
        &self,
        original: &Original,
        open: &mut Connection,
    ) -> Result<Answer, ExchangeError> {
        let request = self.request(original)?;
        open.exchange(request, self.connect()).await
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match &self.to {
            AgentAddress::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((&**host, *port)).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            AgentAddress::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }

    fn request(&self, original: &Original) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let (before, authority) = match &self.to {
            AgentAddress::Tcp { path, .. } => (&**path, self.to.to_string()),
            // As tracers do.
            AgentAddress::Unix(_) => ("", "localhost".to_owned()),
        };
        let mut request = Request::builder()
            .method(&*original.method)
            .uri(format!("{before}{}", original.path))
            .header(HOST, authority)
            .body(Full::new(original.body.clone()))?;
        for (name, value) in &original.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            // What cannot be said in a header was not read in one either, but for texts out of lines.
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
                request.headers_mut().append(name, value);
            }
        }
        Ok(request)
    }
}

impl Answer {
    fn into_agents(self) -> AgentAnswer {
        AgentAnswer {
            status: self.status,
            rates_version: self.headers.get("datadog-rates-payload-version").cloned(),
            body: self.body,
        }
    }
}
