//! The load generator: requests as ddtrace sends them, one after another over each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::payload::{self, Format, Tags};

/// Different payloads that are sent in turn.
const N_PAYLOADS: u64 = 64;

/// What is sent, and over how many connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) format: Format,
    pub(crate) n_traces: usize,
    pub(crate) n_connections: usize,
}

/// What came of a round.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) elapsed: Duration,
    /// Sorted.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) n_spans: usize,
}

/// A request that never tells the same trace twice.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Where trace ids stand, and which.
    ids: Vec<(usize, u64)>,
    n_spans: usize,
}

impl Request {
    /// As ddtrace sends it.
    pub(crate) fn new(format: Format, tags: Tags, n_traces: usize, seed: u64) -> Self {
        let body = payload::encode(format, tags, n_traces, seed);
        let head = format!(
            "PUT {} HTTP/1.1\r\nHost: 127.0.0.1:8126\r\nuser-agent: Tracer/1.0.0\r\n\
             datadog-meta-lang: python\r\ndatadog-meta-lang-version: 3.11.7\r\n\
             datadog-meta-lang-interpreter: CPython\r\ndatadog-meta-tracer-version: 4.1.2\r\n\
             datadog-client-computed-top-level: true\r\ndatadog-send-real-http-status: 1\r\n\
             x-datadog-trace-count: {n_traces}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            format.path(),
            format.content_type(),
            body.len()
        );
        let bytes = [head.into_bytes(), body].concat();
        let mut from = 0;
        let ids = payload::trace_ids(n_traces, seed).into_iter().map(|id| {
            // In order of the spans, so that each is looked for behind the one before.
            let rest = bytes.get(from..).unwrap_or_default();
            let place = rest.windows(8).position(|part| part == id.to_be_bytes());
            from += place.expect("trace ids are written at full width") + 8;
            (from - 8, id)
        });
        Self {
            ids: ids.collect(),
            n_spans: payload::n_spans(n_traces, seed),
            bytes,
        }
    }

    /// Gives its traces ids that no other call gives.
    pub(crate) fn renew(&mut self) {
        let mixed_in = fresh();
        for (place, id) in &self.ids {
            let id = (id ^ mixed_in).to_be_bytes();
            self.bytes[*place..place + 8].copy_from_slice(&id);
        }
    }

    /// Lets all of its spans begin at a time, in nanoseconds; v0.4 alone.
    pub(crate) fn begin_at(&mut self, time: u64) {
        let mark = b"\xa5start\xcf";
        let mut from = 0;
        while let Some(place) = find(&self.bytes[from..], mark) {
            from += place + mark.len();
            self.bytes[from..from + 8].copy_from_slice(&time.to_be_bytes());
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|known| known == part)
}

// Not every bench takes all of it.
const _: fn(&mut Request, u64) = Request::begin_at;
const _: fn(Load) -> Vec<Request> = Load::requests;
const _: fn(Load, SocketAddr, &[Request], Duration) -> Answers = Load::run;

impl Load {
    pub(crate) fn requests(self) -> Vec<Request> {
        (0..N_PAYLOADS)
            .map(|seed| Request::new(self.format, Tags::Rich, self.n_traces, seed))
            .collect()
    }

    /// Asks for a while.
    pub(crate) fn run(self, address: SocketAddr, requests: &[Request], round: Duration) -> Answers {
        let begun = Instant::now();
        let mut answers = thread::scope(|scope| {
            let asking = |place: usize| {
                // Each connection begins elsewhere, so that no two send the same at once.
                let (before, after) = requests.split_at(place * requests.len() / 8);
                let mut turn = [after, before].concat();
                scope.spawn(move || {
                    let mut asker = Asker::connect(address);
                    for round_trip in 0.. {
                        let place = round_trip % turn.len();
                        turn[place].renew();
                        asker.ask(&turn[place]);
                        if begun.elapsed() > round {
                            break;
                        }
                    }
                    asker.answers
                })
            };
            let threads: Vec<_> = (0..self.n_connections).map(asking).collect();
            let mut sum = Answers::default();
            for thread in threads {
                let part = thread.join().unwrap();
                sum.latencies.extend(part.latencies);
                sum.n_spans += part.n_spans;
            }
            sum
        });
        answers.elapsed = begun.elapsed();
        answers.latencies.sort();
        answers
    }
}

/// What no other call gives: the low bit, which keeps an id from being 0, stays as it is.
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed) << 1
}

/// A connection, and what was answered on it.
pub(crate) struct Asker {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
    pub(crate) answers: Answers,
}

impl Asker {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the contender accepts a connection");
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
            line: String::new(),
            body: Vec::new(),
            answers: Answers::default(),
        }
    }

    /// Sends a request, and waits for its answer.
    pub(crate) fn ask(&mut self, request: &Request) {
        let asked = Instant::now();
        self.stream.get_mut().write_all(&request.bytes).unwrap();
        read_answer(&mut self.stream, &mut self.line, &mut self.body);
        self.answers.latencies.push(asked.elapsed());
        self.answers.n_spans += request.n_spans;
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>, line: &mut String, body: &mut Vec<u8>) {
    let mut n_bytes = 0;
    let mut is_first = true;
    loop {
        line.clear();
        stream.read_line(line).unwrap();
        assert!(!is_first || line.contains(" 200 "), "answered {line:?}");
        is_first = false;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            n_bytes = value.trim().parse().unwrap();
        }
    }
    body.resize(n_bytes, 0);
    stream.read_exact(body).unwrap();
}
