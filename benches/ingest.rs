//! Requests a second over loopback, one trace each, with one and with four connections: our agent
//! beside the floor (the same HTTP server, which reads the body and answers without looking at it),
//! and beside another agent when `MODTRACE_BENCH_PEER=http://127.0.0.1:PORT` names one.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock and the environment, prints, and fails loudly"
)]

mod payload;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use modtrace_tui::io::agent::{Agent, AgentSettings};
use modtrace_tui::io::inbox::{self, InboxLimits};
use tokio::task::LocalSet;

/// How long each contender is asked in each round.
const ROUND: Duration = Duration::from_millis(1_500);

/// Rounds; the contenders take turns, and the median round counts.
const N_ROUNDS: usize = 5;

/// Different payloads that are sent in turn.
const N_PAYLOADS: u64 = 64;

/// Who is asked: a name, where, and the name of the thread that serves, where it is one of ours.
struct Contender {
    name: &'static str,
    address: SocketAddr,
    thread: Option<&'static str>,
}

/// What came of a round.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    requests_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us_per_request: f64,
}

fn main() {
    let settings = AgentSettings::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (inbox, receiver) = inbox::channel(InboxLimits::default());
    let agent = Agent::start(settings, inbox).unwrap();
    let draining = thread::spawn(move || drain(receiver));
    let mut contenders = vec![
        Contender {
            name: "floor",
            address: start_floor(),
            thread: Some("floor"),
        },
        Contender {
            name: "modtrace-tui",
            address: agent.local_addr(),
            thread: Some("agent"),
        },
    ];
    if let Ok(url) = std::env::var("MODTRACE_BENCH_PEER") {
        let address = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .parse();
        let address = address.expect("MODTRACE_BENCH_PEER is http://IP:PORT");
        contenders.push(Contender {
            name: "peer",
            address,
            thread: None,
        });
    }
    let requests: Vec<Vec<u8>> = (0..N_PAYLOADS).map(request).collect();
    for n_connections in [1, 4] {
        println!("{n_connections} connection(s), 1 trace a request, v0.4");
        let medians = measure(&contenders, &requests, n_connections);
        print_table(&contenders, &medians);
    }
    agent.stop();
    println!("{} spans arrived", draining.join().unwrap());
}

/// Takes everything out of the inbox, as the loop would, and counts the spans.
fn drain(mut receiver: inbox::InboxReceiver) -> usize {
    use modtrace_tui::ingest::{Brought, Inbound};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut n_spans = 0;
    let mut batch = Vec::new();
    while runtime.block_on(receiver.recv_many(&mut batch, 256)) > 0 {
        for inbound in batch.drain(..) {
            if let Inbound::Request(request) = inbound
                && let Brought::Spans(received) = request.brought
            {
                n_spans += received.payload.n_spans();
            }
        }
    }
    n_spans
}

/// The server that does nothing with what it reads.
fn start_floor() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let serving = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(acknowledge));
                tokio::task::spawn_local(serving);
            }
        });
    };
    thread::Builder::new()
        .name("floor".into())
        .spawn(serve)
        .unwrap();
    address
}

async fn acknowledge(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let _body = request.into_body().collect().await?;
    let mut response = Response::new(Full::new(Bytes::from_static(
        modtrace_tui::io::agent::RATES_KEEP_ALL,
    )));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}

/// A request as ddtrace sends it.
fn request(seed: u64) -> Vec<u8> {
    let body = payload::rich_v04(1, seed);
    let head = format!(
        "PUT /v0.4/traces HTTP/1.1\r\nHost: 127.0.0.1:8126\r\nuser-agent: Tracer/1.0.0\r\n\
         datadog-meta-lang: python\r\ndatadog-meta-lang-version: 3.11.7\r\n\
         datadog-meta-lang-interpreter: CPython\r\ndatadog-meta-tracer-version: 4.1.2\r\n\
         datadog-client-computed-top-level: true\r\ndatadog-send-real-http-status: 1\r\n\
         x-datadog-trace-count: 1\r\ncontent-type: application/msgpack\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

fn measure(contenders: &[Contender], requests: &[Vec<u8>], n_connections: usize) -> Vec<Round> {
    let mut rounds = vec![Vec::new(); contenders.len()];
    for _ in 0..N_ROUNDS {
        for (rounds, contender) in rounds.iter_mut().zip(contenders) {
            rounds.push(one_round(contender, requests, n_connections));
        }
    }
    rounds.into_iter().map(median).collect()
}

fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|a, b| a.requests_per_s.total_cmp(&b.requests_per_s));
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

fn one_round(contender: &Contender, requests: &[Vec<u8>], n_connections: usize) -> Round {
    let cpu_before = contender.thread.map(cpu_of_thread);
    let begun = Instant::now();
    let mut latencies: Vec<Duration> = thread::scope(|scope| {
        let asking = || ask_for_a_round(contender.address, requests);
        let threads: Vec<_> = (0..n_connections).map(|_| scope.spawn(asking)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let elapsed = begun.elapsed();
    let cpu = cpu_before.zip(contender.thread.map(cpu_of_thread));
    latencies.sort();
    let n_requests = latencies.len();
    let at = |index: usize| {
        latencies
            .get(index)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    };
    Round {
        requests_per_s: n_requests as f64 / elapsed.as_secs_f64(),
        p50_us: at(n_requests / 2),
        p99_us: at(n_requests * 99 / 100),
        cpu_us_per_request: cpu.map_or(f64::NAN, |(before, after)| {
            (after - before) * 1e6 / n_requests as f64
        }),
    }
}

/// Sends one request after another over one connection, and returns how long each took.
fn ask_for_a_round(address: SocketAddr, requests: &[Vec<u8>]) -> Vec<Duration> {
    let stream = TcpStream::connect(address).expect("the contender accepts a connection");
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    let mut latencies = Vec::with_capacity(100_000);
    let begun = Instant::now();
    for request in requests.iter().cycle() {
        let asked = Instant::now();
        stream.get_mut().write_all(request).unwrap();
        read_answer(&mut stream, &mut line, &mut body);
        latencies.push(asked.elapsed());
        if begun.elapsed() > ROUND {
            break;
        }
    }
    latencies
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

/// CPU seconds of the threads of this process with a name, on Linux.
fn cpu_of_thread(name: &str) -> f64 {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return f64::NAN;
    };
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let path = task.path();
        let comm = fs::read_to_string(path.join("comm")).ok()?;
        let schedstat = fs::read_to_string(path.join("schedstat")).ok()?;
        let on_cpu: f64 = schedstat.split(' ').next()?.parse().ok()?;
        (comm.trim() == name).then_some(on_cpu)
    });
    nanoseconds.sum::<f64>() / 1e9
}

fn print_table(contenders: &[Contender], medians: &[Round]) {
    println!(
        "  {:<14}{:>12}{:>10}{:>10}{:>14}",
        "", "requests/s", "p50 us", "p99 us", "cpu us/req"
    );
    for (contender, round) in contenders.iter().zip(medians) {
        println!(
            "  {:<14}{:>12.0}{:>10.0}{:>10.0}{:>14.1}",
            contender.name,
            round.requests_per_s,
            round.p50_us,
            round.p99_us,
            round.cpu_us_per_request
        );
    }
    if let [floor, ours, rest @ ..] = medians {
        println!(
            "  {:.2} of the floor's requests/s; p99 {:.2} times the floor's",
            ours.requests_per_s / floor.requests_per_s,
            ours.p99_us / floor.p99_us
        );
        for peer in rest {
            println!(
                "  {:.1} times the peer's requests/s; p99 {:.2} of the peer's",
                ours.requests_per_s / peer.requests_per_s,
                ours.p99_us / peer.p99_us
            );
        }
    }
}
