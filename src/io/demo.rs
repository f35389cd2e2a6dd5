//! The built-in sample service: a client of our own HTTP endpoint that sends what ddtrace 4.1.2
//! would, the same bytes over the same way. Knows nothing of the program it sends to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Story, Token};
use crate::trace::UnixNanos;

mod batch;
mod encode;
mod failure;
mod lines;
mod process;
mod requests;
mod sketch;
mod story;

use sketch::Chunk;
use story::{Payload, Script};

/// As ddtrace: five attempts, three seconds each.
const ATTEMPTS: u32 = 5;
const ATTEMPT_WAIT: Duration = Duration::from_secs(3);
const RETRY_WAIT: Duration = Duration::from_millis(100);
/// Longer pauses are taken in parts, so that a clock that is set back does not stop the story.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Every so many payloads one is v0.4, to show that both are read.
const V04_EVERY: u64 = 3;

/// Where the sample service sends.
#[derive(Clone, Debug)]
pub(crate) struct DemoTarget {
    /// The address we listen on; an unspecified one stands for loopback.
    pub(crate) address: SocketAddr,
    /// The first segment of every path.
    pub(crate) token: Option<Token>,
}

/// Plays a story until `stop` says true or nobody can say so any more.
pub(crate) async fn run(
    target: DemoTarget,
    story: Story,
    clock: fn() -> UnixNanos,
    mut stop: watch::Receiver<bool>,
) {
    tokio::select! {
        () = play(&target, story, clock) => {}
        _stopped = stop.wait_for(|stop| *stop) => {}
    }
}

async fn play(target: &DemoTarget, story: Story, clock: fn() -> UnixNanos) {
    let mut script = Script::begin(story, clock());
    let mut client = Client::new(target);
    client.request(Method::GET, "/info", 0, Bytes::new()).await;
    loop {
        let payloads = script.due(clock());
        for payload in &payloads {
            client.send(payload).await;
        }
        client.send_lines(&payloads).await;
        match script.wait(clock()) {
            Some(wait) => tokio::time::sleep(wait.min(PAUSE_MAX)).await,
            // The story is told; the connection stays open, as that of an idle service.
            None => std::future::pending().await,
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error("no answer: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("no request: {0}")]
    Request(#[from] hyper::http::Error),
}

/// One keep-alive connection, opened again when it breaks.
struct Client {
    address: SocketAddr,
    prefix: String,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// The task that moves the connection's bytes; dropped with the client.
    tasks: JoinSet<()>,
    n_payloads: u64,
}

impl Client {
    fn new(target: &DemoTarget) -> Self {
        let prefix = target
            .token
            .as_ref()
            .map(|token| format!("/{}", token.as_str()));
        Self {
            address: reachable(target.address),
            prefix: prefix.unwrap_or_default(),
            connection: None,
            tasks: JoinSet::new(),
            n_payloads: 0,
        }
    }

    async fn send(&mut self, chunks: &[Chunk]) {
        self.n_payloads += 1;
        let (path, body) = if self.n_payloads.is_multiple_of(V04_EVERY) {
            ("/v0.4/traces", encode::v04(chunks))
        } else {
            ("/v0.5/traces", encode::v05(chunks))
        };
        let body = Bytes::from(body);
        for attempt in 1..=ATTEMPTS {
            if self
                .request(Method::POST, path, chunks.len(), body.clone())
                .await
            {
                return;
            }
            tokio::time::sleep(RETRY_WAIT * attempt).await;
        }
        tracing::warn!(
            path,
            chunks = chunks.len(),
            "the sample service drops a payload"
        );
    }

    /// What the service printed meanwhile, as a log shipper sends it.
    async fn send_lines(&mut self, payloads: &[Payload]) {
        let (body, n_lines) = lines::body(payloads.iter().flatten());
        if n_lines > 0 {
            let logs = "/api/v2/logs";
            self.request(Method::POST, logs, 0, body.into()).await;
        }
    }

    /// Whether it was taken.
    async fn request(&mut self, method: Method, path: &str, n_chunks: usize, body: Bytes) -> bool {
        let attempt =
            tokio::time::timeout(ATTEMPT_WAIT, self.attempt(method, path, n_chunks, body));
        match attempt.await {
            Ok(Ok(status)) => status.is_success(),
            Ok(Err(error)) => {
                tracing::info!(%error, path, "the sample service could not send");
                self.connection = None;
                false
            }
            Err(_time_out) => {
                self.connection = None;
                false
            }
        }
    }

    async fn attempt(
        &mut self,
        method: Method,
        path: &str,
        n_chunks: usize,
        body: Bytes,
    ) -> Result<StatusCode, SendError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header("user-agent", "Tracer/1.0.0")
            .header("x-datadog-trace-count", n_chunks)
            .header("content-type", content_type(path))
            .header("datadog-meta-lang", "python")
            .header("datadog-meta-lang-version", "3.11.7")
            .header("datadog-meta-lang-interpreter", "CPython")
            .header("datadog-meta-tracer-version", "4.1.2")
            .header("datadog-client-computed-top-level", "true")
            .header("datadog-send-real-http-status", "1")
            .header("host", self.address.to_string())
            .body(Full::new(body))?;
        let connection = self.connect().await?;
        connection.ready().await?;
        let answer = connection.send_request(request).await?;
        let status = answer.status();
        // Read to its end, so that the connection can be used again.
        answer.into_body().collect().await?;
        Ok(status)
    }

    async fn connect(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, SendError> {
        let open = self
            .connection
            .take()
            .filter(|connection| !connection.is_closed());
        let connection = if let Some(connection) = open {
            connection
        } else {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
            self.tasks.shutdown().await;
            self.tasks.spawn(async move {
                // Its end is seen by whoever sends next.
                let _closed = driver.await;
            });
            sender
        };
        Ok(self.connection.insert(connection))
    }
}

fn content_type(path: &str) -> &'static str {
    if path.ends_with("/logs") {
        "application/json"
    } else {
        "application/msgpack"
    }
}

fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests;
