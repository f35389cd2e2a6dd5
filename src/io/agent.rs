//! The agent: an HTTP server where tracers expect the Datadog Agent, on TCP and on a unix socket.
//! Runs in a thread of its own, so that no answer waits for drawing; it never touches the store.
//!
//! ```text
//! accept ─▶ connection ─▶ request ─▶ route ─▶ body ─▶ ingest::bring ─▶ inbox ─▶ answer
//! ```

mod address;
mod body;
mod connection;
mod holder;
mod passing;
mod rates;
mod record;
mod reply;
mod request;
mod route;
mod server;
mod token;
mod unreadable;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

pub use address::{Port, StartError};
pub use rates::RateAnswers;
pub use token::Token;

/// The table the agent is driven by, for tests from outside.
#[doc(hidden)]
pub use crate::wire::endpoint::{Action, ENDPOINTS, Endpoint, Methods};

use super::forward::ForwardQueue;
use super::inbox::Inbox;
use crate::wire::endpoint::{InfoSettings, info};

/// How the agent is to be started.
#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// The TCP address; port 0 is any free one.
    pub listen: SocketAddr,
    /// A unix socket as well.
    pub uds: Option<PathBuf>,
    /// A second TCP address, where programs look for an OTLP collector.
    pub otlp: Option<SocketAddr>,
    /// What every path must begin with.
    pub token: Option<Token>,
    /// What is taken at most.
    pub limits: Limits,
    /// What is answered to accepted spans.
    pub rates: watch::Receiver<RateAnswers>,
    /// Whether `/info` says that tracers may drop what they reject.
    pub client_drop_p0s: bool,
    /// Where requests go on to, and whose rates tracers are answered then.
    pub forward: Option<ForwardQueue>,
}

impl AgentSettings {
    /// Settings for an address with everything else as it is by default: every trace is kept.
    pub fn new(listen: SocketAddr) -> Self {
        let rates = watch::Sender::new(RateAnswers::keep_all()).subscribe();
        Self {
            listen,
            uds: None,
            otlp: None,
            token: None,
            limits: Limits::default(),
            rates,
            client_drop_p0s: false,
            forward: None,
        }
    }
}

/// What the agent takes at most. What waits for the loop is limited by
/// [`InboxLimits`](super::inbox::InboxLimits).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one body.
    pub body_bytes_max: usize,
    /// Bytes of all bodies that are being read or decoded.
    pub body_bytes_in_flight_max: usize,
    /// How long a body waits for its part of those.
    pub body_room_wait_max: Duration,
    /// How long a body may take to arrive. Clients give up after 3 s; a slow tunnel may not.
    pub body_read_max: Duration,
    /// How long the head of a request may take, from its first byte.
    pub header_read_max: Duration,
    /// How long a head or a body may take while others wait for a connection and none is idle.
    pub crowded_read_max: Duration,
    /// What was no request is told once in so long for each kind; the others are counted.
    pub alike_told_every: Duration,
    /// Open connections, TCP and unix socket together.
    pub connections_max: usize,
    /// Bytes of the read buffer of a connection, and so of the head of a request.
    pub head_bytes_max: usize,
    /// Bodies above this are decoded aside, so that small ones need not wait for them.
    pub decode_inline_bytes_max: usize,
    /// How long requests that have begun may take when the agent stops.
    pub stop_wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: crate::ingest::BODY_BYTES_MAX,
            body_bytes_in_flight_max: 64 * 1024 * 1024,
            body_room_wait_max: Duration::from_secs(1),
            body_read_max: Duration::from_secs(30),
            header_read_max: Duration::from_secs(10),
            crowded_read_max: Duration::from_secs(3),
            alike_told_every: Duration::from_secs(10),
            connections_max: 256,
            head_bytes_max: 128 * 1024,
            decode_inline_bytes_max: 1024 * 1024,
            stop_wait_max: Duration::from_millis(1_200),
        }
    }
}

/// The running agent. It stops when this is dropped.
#[derive(Debug)]
pub struct Agent {
    local_addr: SocketAddr,
    otlp_addr: Option<SocketAddr>,
    uds: Option<address::SocketFile>,
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Binds the addresses and serves them. When it returns, clients can connect.
    pub fn start(settings: AgentSettings, inbox: Inbox) -> Result<Self, StartError> {
        let (tcp, local_addr) = address::bind_tcp(settings.listen, Port::Agent)?;
        let otlp = settings.otlp;
        let otlp = otlp.map(|address| address::bind_tcp(address, Port::Otlp));
        let (otlp, otlp_addr) = otlp.transpose()?.unzip();
        let uds = settings.uds.as_deref().map(address::bind_uds).transpose()?;
        let (uds_listener, uds) = uds.unzip();
        let info = info(&InfoSettings {
            receiver_port: local_addr.port(),
            receiver_socket: uds
                .as_ref()
                .map(|file| file.path().display().to_string())
                .unwrap_or_default(),
            body_bytes_max: settings.limits.body_bytes_max,
            client_drop_p0s: settings.client_drop_p0s,
        });
        let (stop, stopped) = watch::channel(());
        let shared = server::Shared::new(settings, inbox, info.into());
        let listeners = address::Listeners {
            tcp,
            otlp,
            uds: uds_listener,
        };
        let thread = server::spawn(listeners, shared, stopped).map_err(StartError::Thread)?;
        Ok(Self {
            local_addr,
            otlp_addr,
            uds,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The TCP address that was bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The second TCP address that was bound, if one was asked for.
    pub fn otlp_addr(&self) -> Option<SocketAddr> {
        self.otlp_addr
    }

    /// The unix socket, if one was asked for.
    pub fn uds_path(&self) -> Option<&Path> {
        self.uds.as_ref().map(address::SocketFile::path)
    }

    /// Accepts nothing more, gives requests that have begun a moment, and removes the socket file.
    /// Waits until that is done.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by the panic hook.
            let _ended = thread.join();
        }
    }
}
