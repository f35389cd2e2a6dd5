//! How fast payloads are decoded: into packed chunks by us, and, in the same run, into owned strings
//! and maps by `rmp-serde`. 64 different payloads in turn, so that nothing is guessed from the last
//! one. Items are spans. `benches/peer` compares with more contenders.
//!
//! ```text
//! cargo bench --bench decode
//! ```

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench reads the clock, prints, and says where it cannot go on"
)]

#[path = "support/naive.rs"]
mod naive;
#[path = "support/ours.rs"]
mod ours;
#[path = "support/payload.rs"]
mod payload;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};

use ours::Decoder;
use payload::{Format, Tags};

const N_PAYLOADS: u64 = 64;
const N_TRACES: usize = 100;

fn main() {
    divan::main();
}

/// Runs a decoder over one payload after another.
fn run(
    bencher: Bencher<'_, '_>,
    (format, tags): (Format, Tags),
    mut decode: impl FnMut(&[u8]) -> usize,
) {
    let payloads: Vec<_> = (0..N_PAYLOADS)
        .map(|seed| payload::encode(format, tags, N_TRACES, seed))
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

fn run_packed(bencher: Bencher<'_, '_>, format: Format, tags: Tags) {
    let mut decoder = Decoder::new(format);
    run(bencher, (format, tags), |body| {
        decoder.decode(body).n_spans()
    });
}

fn run_owned(bencher: Bencher<'_, '_>, format: Format, tags: Tags) {
    let decode = match format {
        Format::V05 => naive::decode_v05,
        _ => naive::decode_v04,
    };
    run(bencher, (format, tags), |body| {
        black_box(decode(body)).iter().map(Vec::len).sum()
    });
}

#[divan::bench(args = Format::ALL)]
fn rich_packed(bencher: Bencher<'_, '_>, format: Format) {
    run_packed(bencher, format, Tags::Rich);
}

#[divan::bench(args = [Format::V04, Format::V05])]
fn rich_owned(bencher: Bencher<'_, '_>, format: Format) {
    run_owned(bencher, format, Tags::Rich);
}

#[divan::bench(args = Format::ALL)]
fn light_packed(bencher: Bencher<'_, '_>, format: Format) {
    run_packed(bencher, format, Tags::Light);
}

#[divan::bench(args = [Format::V04, Format::V05])]
fn light_owned(bencher: Bencher<'_, '_>, format: Format) {
    run_owned(bencher, format, Tags::Light);
}
