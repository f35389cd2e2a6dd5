//! Allocations a trace: decoding alone, and decoding and inserting. Apart from `fresh`, because
//! counting costs those most who allocate most.
//!
//! ```text
//! cargo run --release --manifest-path benches/peer/Cargo.toml --bin allocations
//! ```

#[path = "../support/compare.rs"]
mod compare;
mod contenders;
#[path = "../support/naive.rs"]
mod naive;
#[path = "../support/ours.rs"]
mod ours;
#[path = "../support/payload.rs"]
mod payload;

use modtrace_tui::ingest::Received;
use modtrace_tui::store::Store;
use modtrace_tui::trace::{Now, UnixNanos, Via};

use compare::say;
use contenders::{N_PAYLOADS, N_TRACES};
use ours::Decoder;
use payload::Format;

fn main() {
    for format in Format::ALL {
        let bodies = contenders::bodies(format);
        for (name, mut pass) in contenders::all(format, &bodies) {
            let n_spans = pass();
            assert!(name == "floor" || n_spans == contenders::n_spans());
            let n_allocations = a_trace(|| assert!(pass() < usize::MAX));
            println!("{format:?} {name:<12}{n_allocations:>8.1} allocations a trace");
        }
        let inserted = a_trace(|| insert(format, &bodies));
        say(&format!("allocations.{format:?}"), inserted);
    }
}

fn a_trace(work: impl FnOnce()) -> f64 {
    let counted = allocation_counter::measure(work);
    counted.count_total as f64 / (N_PAYLOADS as f64 * N_TRACES as f64)
}

/// Everything that is held, its index and its trace entries with it.
fn insert(format: Format, bodies: &[Vec<u8>]) {
    let mut decoder = Decoder::new(format);
    let mut store = Store::new(1 << 30);
    for body in bodies {
        let received = Received::new(UnixNanos(1), Via::Http, decoder.decode(body));
        store.insert(received, Now::default());
    }
}
