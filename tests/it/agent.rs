//! Request to reply, over the real server on loopback and on a unix socket.

mod endpoints;
mod hostile;
mod limits;
mod no_http;
mod start;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use modtrace_tui::ingest::{Inbound, Request, RequestRecord};
use modtrace_tui::io::agent::{Agent, AgentSettings};
use modtrace_tui::io::inbox::{self, InboxLimits, InboxReceiver};

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

/// A client that says exactly what it is told to.
struct Client<S>(BufReader<S>);

/// An answer as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl<S: Read + Write> Client<S> {
    fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a request and reads its answer.
    fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.ask_with(method, path, "", body)
    }

    fn ask_with(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.write(&request(method, path, headers, body));
        let answer = self.answer();
        if method == "HEAD" {
            Answer {
                body: String::new(),
                ..answer
            }
        } else {
            self.with_body(answer)
        }
    }

    /// Reads the head of an answer.
    fn answer(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let n_bytes = self.0.read_line(&mut head).unwrap();
            assert_ne!(n_bytes, 0, "the connection ended after {head:?}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_lowercase(),
            body: String::new(),
        }
    }

    fn with_body(&mut self, mut answer: Answer) -> Answer {
        let length = answer.head.split("content-length: ").nth(1).unwrap();
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    fn full_answer(&mut self) -> Answer {
        let answer = self.answer();
        self.with_body(answer)
    }

    /// Whether the agent has ended the connection; waits until it does.
    fn has_ended(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(n_bytes) => n_bytes == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A request as bytes. `headers` end with a line break each.
fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: agent\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
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
