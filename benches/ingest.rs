//! What can be sent over loopback: to the program without a screen, to the program that draws, to the
//! floor (the same HTTP server, which reads the body and answers `{}`), and to another agent when
//! `MODTRACE_BENCH_PEER=http://127.0.0.1:PORT` names one (with `MODTRACE_BENCH_PEER_PID`, what it costs
//! is measured too). Each runs in a process of its own; they take turns.
//!
//! ```text
//! cargo bench --bench ingest
//! cargo bench --bench ingest -- floor 127.0.0.1:PORT     only serves as the floor
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock and the environment, prints, and fails loudly"
)]

#[path = "support/compare.rs"]
mod compare;
#[path = "support/load.rs"]
mod load;
#[path = "support/payload.rs"]
mod payload;
#[path = "support/program.rs"]
mod program;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::LocalSet;

use compare::{median, say};
use load::{Answers, Asker, Load, Request as TraceRequest};
use payload::{Format, Tags};
use program::Program;

/// How long each contender is asked in each round.
const ROUND: Duration = Duration::from_secs(1);

/// Rounds that count.
const N_ROUNDS: usize = 5;

const LOADS: [Load; 4] = [
    Load {
        format: Format::V04,
        n_traces: 1,
        n_connections: 1,
    },
    Load {
        format: Format::V04,
        n_traces: 1,
        n_connections: 4,
    },
    Load {
        format: Format::V04,
        n_traces: 100,
        n_connections: 1,
    },
    Load {
        format: Format::V05,
        n_traces: 100,
        n_connections: 1,
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, floor, address] = arguments.as_slice()
        && floor == "floor"
    {
        return serve_floor(address.parse().expect("an address such as 127.0.0.1:8126"));
    }
    let mut contenders = vec![
        Program::floor(),
        Program::headless("256MiB"),
        Program::screen(),
    ];
    contenders.extend(peer());
    for load in LOADS {
        compare_under(load, &contenders);
    }
    drop(contenders);
    compare_memory();
}

fn peer() -> Option<Program> {
    let url = std::env::var("MODTRACE_BENCH_PEER").ok()?;
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let address = address.parse();
    let address = address.expect("MODTRACE_BENCH_PEER is http://IP:PORT");
    let pid = std::env::var("MODTRACE_BENCH_PEER_PID").ok();
    let pid = pid.map(|pid| pid.parse().expect("MODTRACE_BENCH_PEER_PID is a number"));
    Some(Program::running("peer", address, pid))
}

/// The server that does nothing with what it reads.
fn serve_floor(address: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let serving = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(acknowledge));
            tokio::task::spawn_local(serving);
        }
    });
}

async fn acknowledge(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let _body = request.into_body().collect().await?;
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}

/// What a contender did under a load: medians of its rounds.
struct Figures {
    requests_per_s: f64,
    spans_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us_per_request: f64,
}

impl Figures {
    fn of(rounds: &[(Answers, f64)]) -> Self {
        let median_of = |figure: fn(&(Answers, f64)) -> f64| {
            median(rounds.iter().map(figure).collect::<Vec<_>>())
        };
        Self {
            requests_per_s: median_of(|(answers, _)| {
                answers.latencies.len() as f64 / answers.elapsed.as_secs_f64()
            }),
            spans_per_s: median_of(|(answers, _)| {
                answers.n_spans as f64 / answers.elapsed.as_secs_f64()
            }),
            p50_us: median_of(|(answers, _)| percentile_us(answers, 50)),
            p99_us: median_of(|(answers, _)| percentile_us(answers, 99)),
            cpu_us_per_request: median_of(|(answers, cpu_s)| {
                cpu_s * 1e6 / answers.latencies.len() as f64
            }),
        }
    }
}

fn percentile_us(answers: &Answers, percent: usize) -> f64 {
    let place = answers.latencies.len() * percent / 100;
    let latency = answers.latencies.get(place);
    latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
}

fn compare_under(load: Load, contenders: &[Program]) {
    let requests = load.requests();
    let mut rounds: Vec<Vec<(Answers, f64)>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..=N_ROUNDS {
        for (contender, rounds) in contenders.iter().zip(&mut rounds) {
            let before = contender.cpu_s();
            let answers = load.run(contender.address, &requests, ROUND);
            // What is stored and drawn after the last answer counts as well.
            thread::sleep(Duration::from_millis(50));
            if round > 0 {
                rounds.push((answers, contender.cpu_s() - before));
            }
        }
    }
    let figures: Vec<_> = rounds.iter().map(|rounds| Figures::of(rounds)).collect();
    print_table(load, contenders, &figures);
}

fn print_table(load: Load, contenders: &[Program], figures: &[Figures]) {
    let Load {
        format,
        n_traces,
        n_connections,
    } = load;
    println!("{format:?}, {n_traces} trace(s) a request, {n_connections} connection(s)");
    println!(
        "  {:<10}{:>12}{:>12}{:>10}{:>10}{:>14}",
        "", "requests/s", "spans/s", "p50 us", "p99 us", "cpu us/req"
    );
    for (contender, figures) in contenders.iter().zip(figures) {
        println!(
            "  {:<10}{:>12.0}{:>12.0}{:>10.0}{:>10.0}{:>14.1}",
            contender.name,
            figures.requests_per_s,
            figures.spans_per_s,
            figures.p50_us,
            figures.p99_us,
            figures.cpu_us_per_request
        );
    }
    let [floor, headless, screen, peers @ ..] = figures else {
        return;
    };
    for (name, ours) in [("headless", headless), ("screen", screen)] {
        let others = [floor].into_iter().zip(["floor"]);
        for (other, other_name) in others.chain(peers.iter().zip(["peer"])) {
            let key = format!("ingest.{name}.{format:?}.{n_traces}x{n_connections}");
            let say = |what, ratio| say(&format!("{key}.{what}.{other_name}"), ratio);
            say("requests", ours.requests_per_s / other.requests_per_s);
            say("p99", ours.p99_us / other.p99_us);
            say("cpu", ours.cpu_us_per_request / other.cpu_us_per_request);
        }
    }
}

/// Bytes a span that the whole program takes for a million, and beside the peer for as many as that
/// takes in a short time.
fn compare_memory() {
    for (name, tags) in [("rich", Tags::Rich), ("light", Tags::Light)] {
        let ours = Program::headless("1GiB");
        let n_spans = send(&ours, tags, 100, 1_000_000);
        let bytes = ours.resident_bytes();
        println!(
            "{n_spans} {name} spans: {:.0} MiB",
            bytes / f64::from(1 << 20)
        );
        say(&format!("memory.{name}"), bytes / n_spans as f64);
    }
    let Some(peer) = peer() else { return };
    let ours = Program::headless("1GiB");
    let grown = [&ours, &peer].map(|program| {
        let before = program.resident_bytes();
        let n_spans = send(program, Tags::Rich, 1, 100_000);
        (program.resident_bytes() - before) / n_spans as f64
    });
    println!(
        "one trace a request: {:.0} bytes a span, peer {:.0}",
        grown[0], grown[1]
    );
    say("memory.peer", grown[0] / grown[1]);
}

/// Sends so many spans, no two payloads alike, and returns how many there were.
fn send(program: &Program, tags: Tags, n_traces: usize, n_spans: usize) -> usize {
    let mut asker = Asker::connect(program.address);
    for seed in 1_000.. {
        asker.ask(&TraceRequest::new(Format::V04, tags, n_traces, seed));
        if asker.answers.n_spans >= n_spans {
            break;
        }
    }
    thread::sleep(Duration::from_millis(500));
    asker.answers.n_spans
}
