//! Sketches, and which spans a client counts.

use proptest::prelude::*;

use super::*;
use crate::trace::{Attribute, ChunkBuilder, TraceChunk};

#[track_caller]
fn check_near(found: u64, expected: f64) {
    let ratio = found as f64 / expected;
    assert!((0.99..1.01).contains(&ratio), "{found} for {expected}");
}

#[test]
fn quantiles_of_many_durations_are_within_one_per_cent() {
    let mut sketch = Sketch::default();
    for millis in 1..=1_000 {
        sketch.add(f64::from(millis) * 1e6, 1);
    }
    let latency = sketch.latency().unwrap();
    assert_eq!(latency.n, 1_000);
    check_near(latency.p50, 500e6);
    check_near(latency.p95, 950e6);
    check_near(latency.p99, 990e6);
    check_near(latency.max, 1_000e6);
    assert_eq!(Sketch::default().latency(), None);
}

proptest! {
    #[test]
    fn any_durations_have_quantiles_in_order(
        durations in prop::collection::vec((any::<f64>(), any::<u64>()), 1..40),
    ) {
        let mut sketch = Sketch::default();
        for (nanos, n) in &durations {
            sketch.add(*nanos, *n);
        }
        if let Some(latency) = sketch.latency() {
            prop_assert!(latency.p50 <= latency.p95 && latency.p95 <= latency.p99);
            prop_assert!(latency.p99 <= latency.max);
        }
        prop_assert!(sketch.bins().iter().all(|(bin, n)| *bin <= sketch::BIN_MAX && *n > 0));
    }

    #[test]
    fn two_sketches_together_are_the_sketch_of_both(
        one in prop::collection::vec(0.0..1e12_f64, 0..40),
        other in prop::collection::vec(0.0..1e12_f64, 0..40),
    ) {
        let of = |durations: &mut dyn Iterator<Item = &f64>| {
            let mut sketch = Sketch::default();
            durations.for_each(|nanos| sketch.add(*nanos, 1));
            sketch
        };
        let mut sum = of(&mut one.iter());
        sum.merge(&of(&mut other.iter()));
        prop_assert_eq!(sum, of(&mut one.iter().chain(&other)));
    }
}

fn chunk(metrics: &[(&str, f64)], kind: &str) -> TraceChunk {
    let mut builder = ChunkBuilder::default();
    builder.begin_span().unwrap();
    let metrics: Vec<_> = metrics
        .iter()
        .map(|(key, value)| (builder.text(key.as_bytes()).unwrap(), *value))
        .collect();
    let mut writer = builder.attribute(Attribute::Metrics);
    let map = writer.open_map();
    for (key, value) in metrics {
        writer.key(key);
        writer.float(value);
    }
    writer.close(map);
    let texts = ["span.kind", kind].map(|text| builder.text(text.as_bytes()).unwrap());
    let mut writer = builder.attribute(Attribute::Meta);
    let map = writer.open_map();
    writer.key(texts[0]);
    writer.text(texts[1]);
    writer.close(map);
    builder.finish().pop().unwrap()
}

#[track_caller]
fn check_counted(metrics: &[(&str, f64)], kind: &str, expected: bool) {
    let chunk = chunk(metrics, kind);
    assert_eq!(is_counted(chunk.span(0).unwrap()), expected);
}

#[test]
fn the_edges_of_services_and_processes_are_counted() {
    check_counted(&[("_dd.top_level", 1.0)], "", true);
    check_counted(&[("_top_level", 1.0)], "internal", true);
    check_counted(&[("_dd.measured", 1.0)], "", true);
    check_counted(&[], "client", true);
    check_counted(&[], "SERVER", true);
    check_counted(&[], "internal", false);
    check_counted(&[("_dd.top_level", 0.0)], "", false);
    check_counted(
        &[("_dd.top_level", 1.0), ("_dd.partial_version", 0.0)],
        "server",
        false,
    );
}

#[test]
fn long_and_broken_texts_are_cut_at_a_character() {
    let long = "é".repeat(5_000);
    let kept = kept_text(long.as_bytes());
    assert_eq!((kept.len(), kept.contains('\u{fffd}')), (5_000, false));
    assert_eq!(kept_text(b"a\xffb"), "a\u{fffd}b");
    assert!(kept_text(&[0x80; 9_000]).len() < 30_000);
}
