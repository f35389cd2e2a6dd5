//! What it costs to decide a chunk: reading what the samplers ask of it, counting it, drawing. Items are
//! chunks of 64 deliveries with many tags, each of other traces; the time of one is to stay under 2 µs.
//!
//! ```text
//! cargo bench --bench sampler
//! ```

#![expect(clippy::unwrap_used, reason = "a bench says where it cannot go on")]

#[path = "support/payload.rs"]
mod payload;

use divan::Bencher;
use divan::counter::ItemsCount;
use modtrace_tui::sampler::{
    AgentModel, Delivery, Model, Probabilistic, Process, RareSettings, RareSpans, Reader, Services,
    Settings, Verdict,
};
use modtrace_tui::trace::{ChunkBuilder, PayloadForm, TraceChunk, TracerPayload, UnixNanos};
use modtrace_tui::wire::v04;

use payload::{Format, Tags};

const N_PAYLOADS: u64 = 64;
const N_TRACES: usize = 100;

fn main() {
    divan::main();
}

fn payloads() -> Vec<TracerPayload> {
    let mut builder = ChunkBuilder::default();
    (0..N_PAYLOADS)
        .map(|seed| {
            let body = payload::encode(Format::V04, Tags::Rich, N_TRACES, seed);
            v04::decode(&body, &mut builder).unwrap()
        })
        .collect()
}

/// Deliveries come 250 ms apart, so that every twentieth opens a bucket.
fn delivery(place: i64) -> Delivery<'static> {
    Delivery {
        at: UnixNanos(place * 250_000_000),
        language: "python",
        env: "",
        form: PayloadForm::default(),
    }
}

fn decide(model: &mut Model, payloads: &[TracerPayload]) -> Verdict {
    let mut last = Verdict::default();
    for (place, payload) in (0..).zip(payloads) {
        let n_chunks = payload.n_chunks;
        let mut turn = model.begin(delivery(place), Process::of(payload, None), n_chunks, 0);
        for chunk in &payload.chunks {
            last = model
                .decide(&mut turn, chunk, chunk.facts(), None)
                .unwrap_or_default();
        }
    }
    last
}

fn bench_decide(bencher: Bencher<'_, '_>, settings: &Settings) {
    let payloads = payloads();
    let n_chunks: usize = payloads.iter().map(|payload| payload.chunks.len()).sum();
    bencher
        .counter(ItemsCount::new(n_chunks))
        .with_inputs(|| Model::new(AgentModel::Agent, settings.clone()))
        .bench_local_refs(|model| decide(model, &payloads));
}

/// As an Agent comes.
#[divan::bench]
fn decide_by_default(bencher: Bencher<'_, '_>) {
    bench_decide(bencher, &Settings::default());
}

/// All of its samplers on: each span is normalised and hashed.
#[divan::bench]
fn decide_with_rare(bencher: Bencher<'_, '_>) {
    let settings = Settings {
        rare: Some(RareSettings::default()),
        ..Settings::default()
    };
    bench_decide(bencher, &settings);
}

#[divan::bench]
fn decide_by_percentage(bencher: Bencher<'_, '_>) {
    let settings = Settings {
        probabilistic: Some(Probabilistic::of_percentage(10.0)),
        ..Settings::default()
    };
    bench_decide(bencher, &settings);
}

/// Reading alone.
#[divan::bench]
fn read_digests(bencher: Bencher<'_, '_>) {
    let payloads = payloads();
    let chunks: Vec<&TraceChunk> = payloads
        .iter()
        .flat_map(|payload| &payload.chunks)
        .collect();
    bencher
        .counter(ItemsCount::new(chunks.len()))
        .with_inputs(Services::default)
        .bench_local_refs(|services| {
            let mut reader = Reader {
                delivery: delivery(1),
                default_env: "none",
                services,
                rare: RareSpans::LeftOut,
            };
            let read = |chunk: &&&TraceChunk| reader.read(chunk, chunk.facts()).is_ok();
            chunks.iter().filter(read).count()
        });
}
