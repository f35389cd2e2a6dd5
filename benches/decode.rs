//! How fast payloads are decoded: into packed chunks by us, and, in the same run, into owned strings
//! and maps by `rmp-serde`. 64 different payloads in turn, so that nothing is guessed from the last
//! one. Items are spans.
//!
//! ```text
//! cargo bench --bench decode
//! ```

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "a bench that cannot go on says where"
)]

mod payload;

use std::collections::HashMap;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use modtrace_tui::trace::ChunkBuilder;
use modtrace_tui::wire::{v04, v05};

const N_PAYLOADS: u64 = 64;
const N_TRACES: usize = 100;

fn main() {
    divan::main();
}

/// Runs a decoder over one payload after another.
fn run(
    bencher: Bencher<'_, '_>,
    generate: fn(usize, u64) -> Vec<u8>,
    mut decode: impl FnMut(&[u8]) -> usize,
) {
    let payloads: Vec<_> = (0..N_PAYLOADS)
        .map(|seed| generate(N_TRACES, seed))
        .collect();
    let n_spans: usize = (0..N_PAYLOADS)
        .map(|seed| payload::n_spans(N_TRACES, seed))
        .sum();
    let n_bytes: usize = payloads.iter().map(Vec::len).sum();
    assert_eq!(
        payloads.iter().map(|body| decode(body)).sum::<usize>(),
        n_spans
    );
    bencher
        .counter(ItemsCount::new(n_spans))
        .counter(BytesCount::new(n_bytes))
        .bench_local(|| payloads.iter().map(|body| decode(body)).sum::<usize>());
}

fn packed_v04() -> impl FnMut(&[u8]) -> usize {
    let mut builder = ChunkBuilder::default();
    move |body| v04::decode(body, &mut builder).unwrap().n_spans()
}

fn packed_v05() -> impl FnMut(&[u8]) -> usize {
    let mut builder = ChunkBuilder::default();
    move |body| v05::decode(body, &mut builder).unwrap().n_spans()
}

/// What a decoder that takes the first thing at hand makes of a span.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct OwnedSpan {
    service: String,
    name: String,
    resource: String,
    r#type: String,
    trace_id: u64,
    span_id: u64,
    parent_id: u64,
    start: i64,
    duration: i64,
    error: i32,
    meta: HashMap<String, String>,
    metrics: HashMap<String, f64>,
}

fn owned_v04(body: &[u8]) -> usize {
    let chunks: Vec<Vec<OwnedSpan>> = rmp_serde::from_slice(body).unwrap();
    black_box(&chunks).iter().map(Vec::len).sum()
}

/// A span of v0.5: strings are places in the dictionary.
#[derive(serde::Deserialize)]
struct IndexedSpan {
    service: usize,
    name: usize,
    resource: usize,
    trace_id: u64,
    span_id: u64,
    parent_id: u64,
    start: i64,
    duration: i64,
    error: i32,
    meta: HashMap<usize, usize>,
    metrics: HashMap<usize, f64>,
    r#type: usize,
}

fn owned_v05(body: &[u8]) -> usize {
    let (strings, chunks): (Vec<String>, Vec<Vec<IndexedSpan>>) =
        rmp_serde::from_slice(body).unwrap();
    let text = |place: usize| strings[place].clone();
    let span = |span: IndexedSpan| OwnedSpan {
        service: text(span.service),
        name: text(span.name),
        resource: text(span.resource),
        r#type: text(span.r#type),
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent_id: span.parent_id,
        start: span.start,
        duration: span.duration,
        error: span.error,
        meta: span
            .meta
            .into_iter()
            .map(|(key, value)| (text(key), text(value)))
            .collect(),
        metrics: span
            .metrics
            .into_iter()
            .map(|(key, value)| (text(key), value))
            .collect(),
    };
    let chunks: Vec<Vec<OwnedSpan>> = chunks
        .into_iter()
        .map(|chunk| chunk.into_iter().map(span).collect())
        .collect();
    black_box(&chunks).iter().map(Vec::len).sum()
}

mod rich {
    use super::*;

    #[divan::bench]
    fn v04_packed(bencher: Bencher<'_, '_>) {
        run(bencher, payload::rich_v04, packed_v04());
    }

    #[divan::bench]
    fn v04_owned(bencher: Bencher<'_, '_>) {
        run(bencher, payload::rich_v04, owned_v04);
    }

    #[divan::bench]
    fn v05_packed(bencher: Bencher<'_, '_>) {
        run(bencher, payload::rich_v05, packed_v05());
    }

    #[divan::bench]
    fn v05_owned(bencher: Bencher<'_, '_>) {
        run(bencher, payload::rich_v05, owned_v05);
    }
}

mod light {
    use super::*;

    #[divan::bench]
    fn v04_packed(bencher: Bencher<'_, '_>) {
        run(bencher, payload::light_v04, packed_v04());
    }

    #[divan::bench]
    fn v04_owned(bencher: Bencher<'_, '_>) {
        run(bencher, payload::light_v04, owned_v04);
    }

    #[divan::bench]
    fn v05_packed(bencher: Bencher<'_, '_>) {
        run(bencher, payload::light_v05, packed_v05());
    }

    #[divan::bench]
    fn v05_owned(bencher: Bencher<'_, '_>) {
        run(bencher, payload::light_v05, owned_v05);
    }
}
