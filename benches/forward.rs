//! What sending on costs, and whether it holds: the built program with `--forward datadog` before an
//! intake that fails half of what it is asked (by 429, by 503, by ending the connection), and the same
//! program that sends nothing on, each under a client that sends so many spans a second as ddtrace does.
//!
//! ```text
//! cargo bench --bench forward                  30 seconds each, 10,000 spans a second, 50 % fail
//! cargo bench --bench forward -- 300 5000 100  five minutes each, 5,000 spans a second, all fail
//! ```
//!
//! A client's time counts from when its request was due, so that one that waits makes those behind it
//! late as well.
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

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flate2::read::GzDecoder;
use libdd_trace_protobuf::pb;
use prost::Message as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use load::{Asker, Request};
use payload::{Format, Tags};

/// Traces in a request, of three to eight spans each.
const N_TRACES: usize = 20;

/// Different payloads that are sent in turn.
const N_PAYLOADS: u64 = 64;

/// What the store may hold: full after a few seconds, so that growth is something else.
const MEMORY: &str = "16MiB";

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// How long, and how much.
#[derive(Clone, Copy)]
struct Load {
    seconds: u64,
    spans_per_s: u64,
    percent_fail: usize,
}

fn main() {
    let arguments = std::env::args();
    let mut numbers = arguments.filter_map(|argument| argument.parse().ok());
    let load = Load {
        seconds: numbers.next().unwrap_or(30),
        spans_per_s: numbers.next().unwrap_or(10_000),
        percent_fail: numbers
            .next()
            .map_or(50, |percent| usize::try_from(percent).unwrap()),
    };
    let off = run(load, None);
    let intake = Intake::start(load.percent_fail);
    let on = run(load, Some(intake.address));
    print_table(load, &off, &on);
    print_counts(&on, &intake);
}

// The intake

/// Takes some requests, and fails the others in turn.
struct Intake {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    n_asked: AtomicUsize,
    /// Paths and bodies of what was taken.
    taken: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Intake {
    fn start(percent_fail: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &state, percent_fail));
            }
        });
        Self { address, state }
    }
}

/// Answers what comes over a connection, until it ends or a request's turn is to end it.
fn serve(stream: &TcpStream, state: &State, percent_fail: usize) {
    let mut reader = BufReader::new(stream);
    while let Some((path, body)) = read_request(&mut reader) {
        let number = state.n_asked.fetch_add(1, Ordering::Relaxed);
        let n_failed = |n_asked: usize| n_asked * percent_fail / 100;
        let is_to_fail = n_failed(number + 1) > n_failed(number);
        let answer: &[u8] = match n_failed(number) % 3 {
            _ if !is_to_fail => {
                state.taken.lock().unwrap().push((path, body));
                b"HTTP/1.1 202 X\r\nContent-Length: 2\r\n\r\n{}"
            }
            0 => b"HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n",
            1 => b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n",
            _ => return,
        };
        let mut writer = stream;
        if writer.write_all(answer).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut n_bytes = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            n_bytes = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; n_bytes];
    reader.read_exact(&mut body).ok()?;
    Some((path, body))
}

/// What arrived at the intake.
#[derive(Default)]
struct Arrived {
    spans: u64,
    /// Spans that had arrived before.
    again: u64,
    /// Spans that were counted.
    hits: u64,
}

impl Arrived {
    fn of(intake: &Intake) -> Self {
        let mut arrived = Self::default();
        let mut seen: HashMap<(u64, u64), u64> = HashMap::new();
        for (path, body) in &*intake.state.taken.lock().unwrap() {
            let mut plain = Vec::new();
            GzDecoder::new(&**body).read_to_end(&mut plain).unwrap();
            if path == "/api/v0.2/stats" {
                let payload: pb::StatsPayload = rmp_serde::from_slice(&plain).unwrap();
                let buckets = payload.stats.into_iter().flat_map(|client| client.stats);
                let groups = buckets.flat_map(|bucket| bucket.stats);
                arrived.hits += groups.map(|group| group.hits).sum::<u64>();
                continue;
            }
            let payload = pb::AgentPayload::decode(&*plain).unwrap();
            let clients = payload.tracer_payloads.into_iter();
            let chunks = clients.flat_map(|client| client.chunks);
            for span in chunks.flat_map(|chunk| chunk.spans) {
                let times = seen.entry((span.trace_id, span.span_id)).or_default();
                arrived.again += u64::from(*times > 0);
                *times += 1;
            }
        }
        arrived.spans = u64::try_from(seen.len()).unwrap();
        arrived
    }
}

// The program

/// The built program, without a screen.
struct Ours {
    child: Child,
    address: SocketAddr,
    last_line: JoinHandle<String>,
    folder: PathBuf,
}

impl Ours {
    fn start(intake: Option<SocketAddr>) -> Self {
        let folder = std::env::temp_dir().join(format!("modtrace-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
        command
            .args(["--headless", "--listen", "127.0.0.1:0", "--memory", MEMORY])
            .env_clear()
            .env("HOME", &folder)
            .stdout(Stdio::piped());
        if let Some(address) = intake {
            command
                .args(["--forward", "datadog"])
                .env("DD_API_KEY", KEY)
                .env("DD_APM_DD_URL", format!("http://{address}"));
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let listening: Value = serde_json::from_str(&first).unwrap();
        let url = listening["url"].as_str().unwrap();
        let address = url.trim_start_matches("http://").parse().unwrap();
        let last_line = thread::spawn(move || {
            let lines = lines.lines().map_while(Result::ok);
            lines.last().unwrap_or_default()
        });
        Self {
            child,
            address,
            last_line,
            folder,
        }
    }

    /// Ends it, and returns its counters and how long that took.
    fn finish(mut self) -> (Value, Duration) {
        let asked = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let ended = asked.elapsed();
        assert!(status.success(), "{status}");
        let summary: Value = serde_json::from_str(&self.last_line.join().unwrap()).unwrap();
        fs::remove_dir_all(&self.folder).unwrap();
        (summary["counters"].clone(), ended)
    }
}

/// What came of a run.
struct Outcome {
    /// Sorted.
    latencies: Vec<Duration>,
    n_spans: u64,
    elapsed: Duration,
    cpu_s: f64,
    /// Bytes at the start and after each interval.
    resident: Vec<f64>,
    counters: Value,
    ended: Duration,
}

fn run(load: Load, intake: Option<SocketAddr>) -> Outcome {
    let ours = Ours::start(intake);
    let pid = ours.child.id().to_string();
    let process = pid.clone();
    let (stop, stopped) = mpsc::channel::<()>();
    let looking = thread::spawn(move || {
        let mut resident = vec![compare::resident_bytes(&pid)];
        while stopped.recv_timeout(LOOK_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
            resident.push(compare::resident_bytes(&pid));
        }
        resident.push(compare::resident_bytes(&pid));
        resident
    });
    let begun = Instant::now();
    let (mut latencies, n_spans) = send(load, ours.address);
    let elapsed = begun.elapsed();
    drop(stop);
    let resident = looking.join().unwrap();
    let cpu_s = compare::cpu_s(&process);
    let (counters, ended) = ours.finish();
    latencies.sort();
    Outcome {
        latencies,
        n_spans,
        elapsed,
        cpu_s,
        resident,
        counters,
        ended,
    }
}

/// Sends at an even pace over one connection.
fn send(load: Load, address: SocketAddr) -> (Vec<Duration>, u64) {
    let mut requests: Vec<Request> = (0..N_PAYLOADS)
        .map(|seed| Request::new(Format::V04, Tags::Rich, N_TRACES, seed))
        .collect();
    let mut asker = Asker::connect(address);
    let mut latencies = Vec::new();
    let begun = Instant::now();
    let round = Duration::from_secs(load.seconds);
    for place in (0..requests.len()).cycle() {
        let n_spans = u64::try_from(asker.answers.n_spans).unwrap();
        let due = Duration::from_micros(n_spans * 1_000_000 / load.spans_per_s);
        if due >= round {
            return (latencies, n_spans);
        }
        if let Some(request) = requests.get_mut(place) {
            request.renew();
            request.begin_at(now_ns());
            thread::sleep(due.saturating_sub(begun.elapsed()));
            asker.ask(request);
            latencies.push(begun.elapsed().saturating_sub(due));
        }
    }
    unreachable!("the turns have no end")
}

fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

// What is printed

fn print_table(load: Load, off: &Outcome, on: &Outcome) {
    let Load {
        seconds,
        spans_per_s,
        percent_fail,
    } = load;
    println!("{spans_per_s} spans/s for {seconds} s, --memory {MEMORY}, {percent_fail} % fail");
    println!("  {:<34}{:>12}{:>12}", "", "off", "datadog");
    let row = |name: &str, figure: &dyn Fn(&Outcome) -> f64| {
        println!("  {name:<34}{:>12.2}{:>12.2}", figure(off), figure(on));
    };
    row("spans/s", &|it| {
        it.n_spans as f64 / it.elapsed.as_secs_f64()
    });
    for percent in [50, 99] {
        row(&format!("client waits, p{percent}, ms"), &|it| {
            percentile_ms(it, percent)
        });
    }
    row("longest, ms", &|it| percentile_ms(it, 100));
    row("its CPU a span, us", &|it| {
        it.cpu_s * 1e6 / it.n_spans as f64
    });
    let n_looks = off.resident.len().min(on.resident.len());
    for look in 0..n_looks {
        let name = match look {
            0 => "memory at the start, MiB".to_owned(),
            look if look + 1 == n_looks => "at the end".to_owned(),
            look => format!("after {} s", look as u64 * LOOK_EVERY.as_secs()),
        };
        row(&name, &|it| {
            it.resident
                .get(look)
                .map_or(f64::NAN, |bytes| bytes / f64::from(1 << 20))
        });
    }
    row("seconds to end", &|it| it.ended.as_secs_f64());
}

fn percentile_ms(outcome: &Outcome, percent: usize) -> f64 {
    let last = outcome.latencies.len().saturating_sub(1);
    let latency = outcome.latencies.get(last * percent / 100);
    latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}

/// What went and what did not; and whether that is the same by the client, by us and at the intake.
fn print_counts(on: &Outcome, intake: &Intake) {
    let arrived = Arrived::of(intake);
    let count = |name: &str| on.counters[name].as_u64().expect(name);
    let n_asked = intake.state.n_asked.load(Ordering::Relaxed);
    let n_taken = intake.state.taken.lock().unwrap().len();
    let n_lost_requests = count("forward_failed") + count("forward_dropped");
    let n_lost = on.n_spans - count("forwarded_spans");
    println!("the intake was asked {n_asked} times and took {n_taken} requests");
    for (name, number) in [
        ("spans sent", on.n_spans),
        ("spans received", count("spans_received")),
        ("spans evicted", count("spans_evicted")),
        ("spans forwarded", count("forwarded_spans")),
        ("spans not forwarded", n_lost),
        ("requests lost: tried in vain", count("forward_failed")),
        ("requests lost: never tried", count("forward_dropped")),
        ("spans at the intake", arrived.spans),
        ("of them more than once", arrived.again),
        ("spans counted at the intake", arrived.hits),
    ] {
        println!("  {name:<34}{number:>12}");
    }
    assert_eq!(count("spans_received"), on.n_spans, "all was received");
    assert_eq!(arrived.again, 0, "nothing arrives twice");
    assert_eq!(
        arrived.spans,
        count("forwarded_spans"),
        "what went is known"
    );
    assert!(n_lost == 0 || n_lost_requests > 0, "what is lost is told");
    assert!(
        arrived.hits == on.n_spans || n_lost_requests > 0,
        "all is counted"
    );
}
