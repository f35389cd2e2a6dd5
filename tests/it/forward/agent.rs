//! A stand-in for a real Agent: it keeps every request as it came, and answers, or does not, as a test
//! wants.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// What is done with a request.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// It is kept, and answered.
    Take(String),
    /// It is not kept, and answered with this status and further headers.
    Refuse(u16, &'static str),
    /// It is not kept; the connection ends without a word.
    Reset,
    /// It is kept, and never answered.
    Silence,
}

/// The rates that a [`Plan::Take`] mostly answers.
pub(super) const RATES: &str = r#"{"rate_by_service":{"service:,env:":0.25}}"#;

pub(super) fn take() -> Plan {
    Plan::Take(RATES.into())
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    n_asked: usize,
}

type Decide = dyn Fn(usize, &Seen) -> Plan + Send + Sync;

/// The Agent. Its threads end with the test's process.
pub(super) struct MockAgent {
    address: Option<SocketAddr>,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl MockAgent {
    /// One that decides by the number of the request, from 0, and what it is.
    pub(super) fn start(decide: impl Fn(usize, &Seen) -> Plan + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), decide)
    }

    /// The same on a port that is bound already.
    pub(super) fn start_on(
        listener: TcpListener,
        decide: impl Fn(usize, &Seen) -> Plan + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let agent = Self::new(Some(address));
        let (state, decide) = (Arc::clone(&agent.state), Arc::new(decide));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, decide) = (Arc::clone(&state), Arc::clone(&decide));
                let writer = stream.try_clone().unwrap();
                thread::spawn(move || serve(BufReader::new(stream), writer, &state, &*decide));
            }
        });
        agent
    }

    /// The same on a unix socket.
    pub(super) fn start_at(
        path: &Path,
        decide: impl Fn(usize, &Seen) -> Plan + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let agent = Self::new(None);
        let (state, decide) = (Arc::clone(&agent.state), Arc::new(decide));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, decide) = (Arc::clone(&state), Arc::clone(&decide));
                let writer = stream.try_clone().unwrap();
                thread::spawn(move || serve(BufReader::new(stream), writer, &state, &*decide));
            }
        });
        agent
    }

    /// The same with TLS, as `localhost`.
    pub(super) fn start_tls(decide: impl Fn(usize, &Seen) -> Plan + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let agent = Self::new(Some(listener.local_addr().unwrap()));
        let (state, decide) = (Arc::clone(&agent.state), Arc::new(decide));
        let config = Arc::new(tls());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, decide) = (Arc::clone(&state), Arc::clone(&decide));
                let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = Arc::new(Mutex::new(StreamOwned::new(session, stream)));
                let reader = BufReader::new(Shared(Arc::clone(&stream)));
                thread::spawn(move || serve(reader, Shared(stream), &state, &*decide));
            }
        });
        agent
    }

    fn new(address: Option<SocketAddr>) -> Self {
        Self {
            address,
            state: Arc::default(),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address.unwrap())
    }

    /// What was kept so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.state.0.lock().unwrap().seen.clone()
    }

    /// Forgets what was kept.
    pub(super) fn forget(&self) {
        self.state.0.lock().unwrap().seen.clear();
    }

    /// How many requests came, kept or not.
    pub(super) fn n_asked(&self) -> usize {
        self.state.0.lock().unwrap().n_asked
    }
}

/// Both ends of a stream that cannot be cloned; requests and answers take turns.
struct Shared(Arc<Mutex<StreamOwned<ServerConnection, TcpStream>>>);

impl Read for Shared {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap().read(bytes)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().flush()
    }
}

/// The certificate that the tests trust.
pub(super) fn certificate() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls/localhost.cert.pem")
}

fn tls() -> ServerConfig {
    let chain = vec![CertificateDer::from_pem_file(certificate()).unwrap()];
    let key = certificate().with_file_name("localhost.key.pem");
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    config.with_single_cert(chain, key).unwrap()
}

fn serve(
    mut reader: impl BufRead,
    mut writer: impl Write,
    state: &(Mutex<State>, Condvar),
    decide: &Decide,
) {
    while let Some(seen) = read(&mut reader) {
        let number = {
            let mut state = state.0.lock().unwrap();
            state.n_asked += 1;
            state.n_asked - 1
        };
        let plan = decide(number, &seen);
        if matches!(plan, Plan::Take(_) | Plan::Silence) {
            state.0.lock().unwrap().seen.push(seen);
        }
        let (status, headers, body) = match plan {
            Plan::Take(body) => (200, "Datadog-Rates-Payload-Version: v7\r\n", body),
            Plan::Refuse(status, headers) => (status, headers, "no\n".to_owned()),
            Plan::Reset => return,
            Plan::Silence => {
                // Nobody ever says that it may go on.
                let mut guard = state.0.lock().unwrap();
                loop {
                    guard = state.1.wait(guard).unwrap();
                }
            }
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        if writer.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = || {
        let mut line = String::new();
        let n_bytes = reader.read_line(&mut line).ok()?;
        (n_bytes > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut seen = Seen {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    let length = seen.header("content-length").unwrap_or("0").parse().ok()?;
    seen.body = vec![0; length];
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}
