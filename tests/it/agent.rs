//! Request to reply, over the real server on loopback and on a unix socket.

mod endpoints;
mod hostile;
mod limits;
mod no_http;
mod start;

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use modtrace_tui::ingest::{Inbound, Request, RequestRecord};
use modtrace_tui::io::agent::{Agent, AgentSettings};
use modtrace_tui::io::inbox::{self, InboxLimits, InboxReceiver};

use crate::support::{Client, request};

/// Nothing here takes long: what has not come by then never comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A v0.4 payload without a trace.
const NO_TRACES: &[u8] = &[0x90];

/// An agent on a free port, and the end of the inbox that the loop would read.
struct Server {
    agent: Agent,
    receiver: InboxReceiver,
}

impl Server {
    fn start() -> Self {
        Self::with(|_| {}, InboxLimits::default())
    }

    fn with(change: impl FnOnce(&mut AgentSettings), inbox: InboxLimits) -> Self {
        let mut settings = AgentSettings::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        change(&mut settings);
        let (inbox, receiver) = inbox::channel(inbox);
        let agent = Agent::start(settings, inbox).unwrap();
        Self { agent, receiver }
    }

    fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.agent.local_addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client::new(stream)
    }

    fn connect_uds(&self) -> Client<UnixStream> {
        let stream = UnixStream::connect(self.agent.uds_path().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client::new(stream)
    }

    /// What comes next, at least one item.
    fn inbound(&mut self) -> Vec<Inbound> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut batch = Vec::new();
        let receiving = self.receiver.recv_many(&mut batch, 1);
        let received = async { tokio::time::timeout(PATIENCE, receiving).await };
        assert_ne!(runtime.block_on(received), Ok(0), "the agent has gone");
        batch
    }

    fn request(&mut self) -> Request {
        let mut batch = self.inbound();
        match (batch.pop(), batch.pop()) {
            (Some(Inbound::Request(request)), None) => *request,
            other => panic!("expected one request, got {other:?}"),
        }
    }

    fn record(&mut self) -> RequestRecord {
        self.request().record
    }
}

/// A directory for one test, removed with it.
struct TestDirectory(std::path::PathBuf);

impl TestDirectory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("modtrace-tui-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}
