//! What it costs to hold spans and log lines: inserting and joining them, evicting to make room,
//! writing them to an export and reading that. Items are spans, and lines where `log` is in the name.
//! The store's own count of bytes for each, beside what came, is printed first.
//!
//! ```text
//! cargo bench --bench store
//! cargo bench --bench store -- ratios
//! ```
//!
//! The second compares with a store of owned strings and maps, and the store's own count with what the
//! process holds, each in a process of its own.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock, prints, and says where it cannot go on"
)]

#[path = "support/compare.rs"]
mod compare;
#[path = "support/naive.rs"]
mod naive;
#[path = "support/payload.rs"]
mod payload;

use std::hint::black_box;
use std::process::Command;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use modtrace_tui::export::{FORMATS, open, write_all};
use modtrace_tui::ingest::Received;
use modtrace_tui::logs::{LogRecord, LogSource};
use modtrace_tui::store::{Store, TraceKey};
use modtrace_tui::trace::{ChunkBuilder, Now, TracerPayload, UnixNanos, Via};
use modtrace_tui::wire::v04;

use compare::{resident_bytes, say, take_turns};
use payload::{Format, Tags};

const N_PAYLOADS: u64 = 64;
const N_TRACES: usize = 100;
const PLENTY: usize = 1 << 30;
/// Room for a few payloads, so that each insert evicts what an earlier one brought.
const SCARCE: usize = 1 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, hold, what] = arguments.as_slice()
        && hold == "hold"
    {
        return print_held(what);
    }
    if compare::is_asked() {
        return print_ratios();
    }
    print_bytes("rich", Tags::Rich);
    print_bytes("light", Tags::Light);
    print_log_bytes();
    divan::main();
}

fn rich(seed: u64) -> Vec<u8> {
    payload::encode(Format::V04, Tags::Rich, N_TRACES, seed)
}

fn print_bytes(name: &str, tags: Tags) {
    let n_bytes: usize = (0..N_PAYLOADS)
        .map(|seed| payload::encode(Format::V04, tags, N_TRACES, seed).len())
        .sum();
    let mut store = Store::new(PLENTY);
    fill(&mut store, deliveries(tags));
    println!(
        "{name}: {} bytes held a span, {} bytes a span on the wire",
        store.bytes() / n_spans(),
        n_bytes / n_spans(),
    );
}

fn print_log_bytes() {
    let lines = lines();
    let n_bytes: usize = lines.iter().map(String::len).sum();
    let mut store = filled();
    let before = store.bytes();
    take_lines(&mut store, parse(&lines));
    let held = store.bytes() - before;
    println!(
        "log: {} bytes held a line, {} bytes a line as it came",
        held / lines.len(),
        n_bytes / lines.len(),
    );
}

/// Two structlog lines for each span, in the form of the guides: nested ids, the trace in decimal.
fn lines() -> Vec<String> {
    let mut builder = ChunkBuilder::default();
    let mut lines = Vec::new();
    for seed in 0..N_PAYLOADS {
        let payload = v04::decode(&rich(seed), &mut builder).unwrap();
        for chunk in &payload.chunks {
            let trace = chunk.trace_id().0;
            for span in chunk.spans() {
                let span = span.span_id();
                for (event, level) in [("processing_document", "info"), ("extracted", "warning")] {
                    lines.push(format!(
                        r#"{{"document_id": "doc-{seed}", "pages": 3, "event": "{event}", "level": "{level}", "timestamp": "2026-11-20T20:26:27.118768Z", "modal": {{"environment": "dev", "region": "us-east-1", "task_id": "ta-01ABCDEF{}"}}, "dd": {{"trace_id": "{trace}", "span_id": "{span}"}}}}"#,
                        seed % 8
                    ));
                }
            }
        }
    }
    lines
}

fn parse(lines: &[String]) -> Vec<LogRecord> {
    let record = |line: &String| LogRecord::parse(line, LogSource::Stdout, UnixNanos(1));
    lines.iter().map(record).collect()
}

/// Lines come in pieces, as they are read.
fn take_lines(store: &mut Store, mut records: Vec<LogRecord>) {
    while !records.is_empty() {
        let rest = records.split_off(records.len().min(512));
        store.insert_logs(records, Now::default());
        records = rest;
    }
}

/// Spans are here already.
#[divan::bench]
fn join_logs(bencher: Bencher<'_, '_>) {
    let lines = lines();
    bencher
        .counter(ItemsCount::new(lines.len()))
        .with_inputs(|| (filled(), parse(&lines)))
        .bench_local_values(|(mut store, records)| {
            take_lines(&mut store, records);
            assert_eq!(store.counters().logs_unjoined, 0);
            store
        });
}

/// The lines of each payload come before its spans. Items are lines, but the spans are inserted too.
#[divan::bench]
fn join_waiting_logs(bencher: Bencher<'_, '_>) {
    let lines = lines();
    let per_payload = lines.len().div_ceil(deliveries(Tags::Rich).len());
    bencher
        .counter(ItemsCount::new(lines.len()))
        .with_inputs(|| {
            let records = lines.chunks(per_payload).map(parse).collect::<Vec<_>>();
            (Store::new(PLENTY), records, deliveries(Tags::Rich))
        })
        .bench_local_values(|(mut store, records, payloads)| {
            for (records, payload) in records.into_iter().zip(payloads) {
                take_lines(&mut store, records);
                fill(&mut store, vec![payload]);
            }
            store
        });
}

/// From the text of a line to the line under its span.
#[divan::bench]
fn parse_and_join_logs(bencher: Bencher<'_, '_>) {
    let lines = lines();
    bencher
        .counter(ItemsCount::new(lines.len()))
        .with_inputs(filled)
        .bench_local_values(|mut store| {
            for lines in lines.chunks(512) {
                store.insert_logs(parse(lines), Now::default());
            }
            store
        });
}

/// Lines of no trace, in a store that has no room for them.
#[divan::bench]
fn evict_logs(bencher: Bencher<'_, '_>) {
    let lines: Vec<String> = (0..50_000)
        .map(|number| format!("INFO 2026-11-20 20:26:27 worker: step {number} done"))
        .collect();
    bencher
        .counter(ItemsCount::new(lines.len()))
        .with_inputs(|| (Store::new(SCARCE), parse(&lines)))
        .bench_local_values(|(mut store, records)| {
            take_lines(&mut store, records);
            store
        });
}

fn n_spans() -> usize {
    (0..N_PAYLOADS)
        .map(|seed| payload::n_spans(N_TRACES, seed))
        .sum()
}

fn deliveries(tags: Tags) -> Vec<TracerPayload> {
    let mut builder = ChunkBuilder::default();
    (0..N_PAYLOADS)
        .map(|seed| {
            let body = payload::encode(Format::V04, tags, N_TRACES, seed);
            v04::decode(&body, &mut builder).unwrap()
        })
        .collect()
}

fn fill(store: &mut Store, payloads: Vec<TracerPayload>) {
    for payload in payloads {
        let received = Received::new(UnixNanos(1), Via::Http, payload);
        store.insert(received, Now::default());
    }
}

fn bench_insert(bencher: Bencher<'_, '_>, memory_bytes_max: usize, held: &[TraceKey]) {
    bencher
        .counter(ItemsCount::new(n_spans()))
        .with_inputs(|| {
            let mut store = Store::new(memory_bytes_max);
            store.hold(held.to_vec());
            (store, deliveries(Tags::Rich))
        })
        .bench_local_values(|(mut store, payloads)| {
            fill(&mut store, payloads);
            store
        });
}

#[divan::bench]
fn insert(bencher: Bencher<'_, '_>) {
    bench_insert(bencher, PLENTY, &[]);
}

#[divan::bench]
fn insert_and_evict(bencher: Bencher<'_, '_>) {
    bench_insert(bencher, SCARCE, &[]);
}

/// The trace on the screen is the oldest, and stays.
#[divan::bench]
fn insert_and_evict_beside_a_held_trace(bencher: Bencher<'_, '_>) {
    bench_insert(bencher, SCARCE, &[TraceKey(0)]);
}

fn filled() -> Store {
    let mut store = Store::new(PLENTY);
    fill(&mut store, deliveries(Tags::Rich));
    store
}

#[divan::bench(args = ["json", "datadog"])]
fn write_export(bencher: Bencher<'_, '_>, name: &str) {
    let format = FORMATS.iter().find(|format| format.name == name).unwrap();
    let store = filled();
    bencher
        .counter(ItemsCount::new(n_spans()))
        .bench_local(|| write_all(format, &store, UnixNanos(0), &mut std::io::sink()).unwrap());
}

#[divan::bench]
fn read_export(bencher: Bencher<'_, '_>) {
    let mut file = Vec::new();
    write_all(&FORMATS[0], &filled(), UnixNanos(0), &mut file).unwrap();
    bencher
        .counter(ItemsCount::new(n_spans()))
        .counter(BytesCount::of_slice(&file))
        .with_inputs(|| Store::new(PLENTY))
        .bench_local_values(|mut store| {
            open(&*file, &mut store, Now::default()).unwrap();
            store
        });
}

/// Against owned strings and maps: decoding, inserting and evicting; then what each holds.
fn print_ratios() {
    let bodies: Vec<_> = (0..N_PAYLOADS).map(rich).collect();
    let mut builder = ChunkBuilder::default();
    let ours = || {
        let mut store = Store::new(SCARCE);
        for body in &bodies {
            fill(&mut store, vec![v04::decode(body, &mut builder).unwrap()]);
        }
        black_box(store);
    };
    let naive = || {
        let mut store = naive::Store::default();
        for body in &bodies {
            store.insert(naive::decode_v04(body), 10 * N_TRACES);
        }
        black_box(store);
    };
    let times = take_turns(
        7,
        &mut [("ours", Box::new(ours)), ("naive", Box::new(naive))],
    );
    for (name, time) in ["ours", "naive"].iter().zip(&times) {
        println!(
            "insert and evict, {name}: {:.0} ns/span",
            time / n_spans() as f64
        );
    }
    say("store.insert.naive", times[0] / times[1]);
    let ours = held("ours");
    say("store.held.naive", ours / held("naive"));
    held("window");
}

/// Bytes a span of the process that holds a million; in a process of its own, since no allocator
/// gives everything back.
fn held(what: &str) -> f64 {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["hold", what]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    let last = said.split_whitespace().next_back().unwrap_or_default();
    last.parse().unwrap_or(f64::NAN)
}

fn print_held(what: &str) {
    if what == "window" {
        return print_window();
    }
    let before = resident_bytes("self");
    let (mut ours, mut naive) = (Store::new(PLENTY), naive::Store::default());
    let mut builder = ChunkBuilder::default();
    let mut n_spans = 0;
    for seed in 0.. {
        match what {
            "naive" => naive.insert(naive::decode_v04(&rich(seed)), usize::MAX),
            _ => fill(
                &mut ours,
                vec![v04::decode(&rich(seed), &mut builder).unwrap()],
            ),
        }
        n_spans += payload::n_spans(N_TRACES, seed);
        if n_spans >= 1_000_000 {
            break;
        }
    }
    let grown = resident_bytes("self") - before;
    black_box((
        &ours,
        naive.traces().flatten().map(naive::Span::weight).max(),
    ));
    println!(
        "held by {what}, bytes a span of {n_spans}: {:.0}",
        grown / n_spans as f64
    );
}

/// A full store: what it counts against what the process holds, and how that grows while its content is
/// replaced five times.
fn print_window() {
    const WINDOW: usize = 64 << 20;
    let before = resident_bytes("self");
    let mut store = Store::new(WINDOW);
    let mut builder = ChunkBuilder::default();
    let mut seeds = 0..;
    let mut turn_over = |store: &mut Store| {
        let spans_before = store.counters().spans_evicted;
        for seed in seeds.by_ref() {
            fill(store, vec![v04::decode(&rich(seed), &mut builder).unwrap()]);
            let held = store.counters().spans_received - store.counters().spans_evicted;
            if store.counters().spans_evicted > spans_before + held {
                break;
            }
        }
        resident_bytes("self") - before
    };
    let full = turn_over(&mut store);
    say("window.count.resident", store.bytes() as f64 / full);
    let after = (0..5).map(|_| turn_over(&mut store)).fold(full, f64::max);
    say("window.growth", after / full);
}
