//! What it costs to hold spans: inserting them, evicting to make room, writing them to an export
//! and reading that. Items are spans. The store's own count of bytes for each span, beside the
//! payload's, is printed first.
//!
//! ```text
//! cargo bench --bench store
//! ```

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and one that cannot go on says where"
)]

mod payload;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use modtrace_tui::export::{FORMATS, open, write_all};
use modtrace_tui::ingest::Received;
use modtrace_tui::store::{Store, TraceKey};
use modtrace_tui::trace::{ChunkBuilder, Now, TracerPayload, UnixNanos, Via};
use modtrace_tui::wire::v04;

const N_PAYLOADS: u64 = 64;
const N_TRACES: usize = 100;
const PLENTY: usize = 1 << 30;
/// Room for a few payloads, so that each insert evicts what an earlier one brought.
const SCARCE: usize = 1 << 20;

type Generate = fn(usize, u64) -> Vec<u8>;

fn main() {
    print_bytes("rich", payload::rich_v04);
    print_bytes("light", payload::light_v04);
    divan::main();
}

fn print_bytes(name: &str, generate: Generate) {
    let n_bytes: usize = (0..N_PAYLOADS)
        .map(|seed| generate(N_TRACES, seed).len())
        .sum();
    let mut store = Store::new(PLENTY);
    fill(&mut store, deliveries(generate));
    println!(
        "{name}: {} bytes held a span, {} bytes a span on the wire",
        store.bytes() / n_spans(),
        n_bytes / n_spans(),
    );
}

fn n_spans() -> usize {
    (0..N_PAYLOADS)
        .map(|seed| payload::n_spans(N_TRACES, seed))
        .sum()
}

fn deliveries(generate: Generate) -> Vec<TracerPayload> {
    let mut builder = ChunkBuilder::default();
    (0..N_PAYLOADS)
        .map(|seed| v04::decode(&generate(N_TRACES, seed), &mut builder).unwrap())
        .collect()
}

fn fill(store: &mut Store, payloads: Vec<TracerPayload>) {
    for payload in payloads {
        let received = Received {
            at: UnixNanos(1),
            via: Via::Http,
            payload,
            client_dropped_p0_traces: 0,
            client_dropped_p0_spans: 0,
            relay: None,
        };
        store.insert(received, Now::default());
    }
}

fn bench_insert(bencher: Bencher<'_, '_>, memory_bytes_max: usize, held: &[TraceKey]) {
    bencher
        .counter(ItemsCount::new(n_spans()))
        .with_inputs(|| {
            let mut store = Store::new(memory_bytes_max);
            store.hold(held.to_vec());
            (store, deliveries(payload::rich_v04))
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
    fill(&mut store, deliveries(payload::rich_v04));
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
