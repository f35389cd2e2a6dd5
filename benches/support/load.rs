//! The load generator: requests as ddtrace sends them, one after another over each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
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

/// A request, and how many spans are in it.
pub(crate) type Request = (Vec<u8>, usize);

impl Load {
    pub(crate) fn requests(self) -> Vec<Request> {
        (0..N_PAYLOADS)
            .map(|seed| request(self.format, Tags::Rich, self.n_traces, seed))
            .collect()
    }

    /// Asks for a while.
    pub(crate) fn run(self, address: SocketAddr, requests: &[Request], round: Duration) -> Answers {
        let begun = Instant::now();
        let mut answers = thread::scope(|scope| {
            let asking = |place: usize| {
                // Each connection begins elsewhere, so that no two send the same at once.
                let (before, after) = requests.split_at(place * requests.len() / 8);
                let turn = after.iter().chain(before).cycle();
                scope.spawn(move || ask(address, turn.take_while(|_| begun.elapsed() < round)))
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

/// A request as ddtrace sends it.
pub(crate) fn request(format: Format, tags: Tags, n_traces: usize, seed: u64) -> Request {
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
    let n_spans = payload::n_spans(n_traces, seed);
    ([head.into_bytes(), body].concat(), n_spans)
}

/// Sends one request after another over one connection.
pub(crate) fn ask<R: std::borrow::Borrow<Request>>(
    address: SocketAddr,
    requests: impl Iterator<Item = R>,
) -> Answers {
    let stream = TcpStream::connect(address).expect("the contender accepts a connection");
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    let mut answers = Answers::default();
    for request in requests {
        let (bytes, n_spans) = request.borrow();
        let asked = Instant::now();
        stream.get_mut().write_all(bytes).unwrap();
        read_answer(&mut stream, &mut line, &mut body);
        answers.latencies.push(asked.elapsed());
        answers.n_spans += n_spans;
    }
    answers
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
