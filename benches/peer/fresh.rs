//! Decoding beside Datadog's own library (`libdd-trace-utils`), `rmp-serde` and the floor, on the same
//! 64 different payloads of 100 traces in turn.
//!
//! ```text
//! cargo run --release --manifest-path benches/peer/Cargo.toml
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

use compare::{say, take_turns};
use payload::Format;

const N_ROUNDS: usize = 9;

fn main() {
    for format in Format::ALL {
        compare_on(format);
    }
}

fn compare_on(format: Format) {
    let bodies = contenders::bodies(format);
    let n_spans = contenders::n_spans();
    let contenders = contenders::all(format, &bodies);
    let names: Vec<_> = contenders.iter().map(|(name, _)| *name).collect();
    let mut turns: Vec<compare::Contender<'_>> = Vec::new();
    for (name, mut pass) in contenders {
        assert!(name == "floor" || pass() == n_spans, "{name} loses spans");
        turns.push((name, Box::new(move || assert!(pass() < usize::MAX))));
    }
    let times = take_turns(N_ROUNDS, &mut turns);
    let ns_of = |wanted: &str| {
        let place = names.iter().position(|name| *name == wanted);
        place.map(|place| times[place] / n_spans as f64)
    };
    let ours = ns_of("ours").unwrap_or(f64::NAN);
    for name in &names {
        let ns = ns_of(name).unwrap_or(f64::NAN);
        println!(
            "{format:?} {name:<12}{ns:>8.0} ns/span{:>8.2} of ours",
            ns / ours
        );
    }
    if let Some(floor) = ns_of("floor") {
        say(&format!("fresh.{format:?}.floor"), ours / floor);
    }
    for name in ["from_slice", "from_bytes", "owned"] {
        if let Some(ns) = ns_of(name) {
            say(&format!("fresh.{format:?}.{name}"), ns / ours);
        }
    }
}
