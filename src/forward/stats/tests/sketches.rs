//! Percentiles that an intake reads from the sketches.

use super::*;

/// Durations have ten bits before they are counted, which is 0.2 % at most; the bins make 1 %.
const TOLERANCE: f64 = 0.012;

fn summary(durations: &[i64]) -> Vec<u8> {
    let spans = durations.iter().zip(1_u64..).map(|(duration, id)| {
        let mut span = span(1, id);
        span["duration"] = json!(duration);
        // All in one bucket, however long they are.
        span["start"] = json!(NOW.0 - duration);
        span
    });
    let chunks = chunks(&json!([spans.collect::<Vec<_>>()]));
    let python = tracer("python");
    let payloads = counted(&[all(&chunks[0], &python)]);
    let groups = groups(&payloads);
    assert_eq!(groups.len(), 1);
    groups[0].ok_summary.clone()
}

/// As an intake reads it: the value of the bin in which so large a part of all has been passed.
fn percentile(summary: &[u8], part: f64) -> f64 {
    let sketch = DDSketch::from_encoded(summary).unwrap();
    let rank = part * (sketch.count() - 1.0);
    let mut n_below = 0.0;
    for (value, n) in sketch.ordered_bins() {
        n_below += n;
        if n_below > rank {
            return value;
        }
    }
    panic!("an empty sketch");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn percentiles_are_within_one_per_cent(
        mut durations in prop::collection::vec(1_000..600 * SECOND, 1..300),
    ) {
        let summary = summary(&durations);
        durations.sort_unstable();
        for part in [0.0, 0.5, 0.75, 0.95, 0.99, 1.0] {
            let place = usize::try_from(rounded((part * (durations.len() - 1) as f64).floor())).unwrap();
            let exact = durations[place] as f64;
            let read = percentile(&summary, part);
            prop_assert!((read - exact).abs() <= exact * TOLERANCE, "{part}: {read}, not {exact}");
        }
    }
}

#[test]
fn the_bins_are_the_agents() {
    use prost::Message as _;
    let summary = summary(&[0, 1_000_000, 1_000_000, i64::from(i32::MAX)]);
    let message = libdd_ddsketch::pb::DdSketch::decode(&*summary).unwrap();
    let mapping = message.mapping.unwrap();
    let accuracy = (mapping.gamma - 1.0) / (mapping.gamma + 1.0);
    assert!((accuracy - 0.01).abs() < 1e-12, "{accuracy}");
    assert_eq!((mapping.index_offset, mapping.interpolation), (0.0, 0));
    assert!((message.zero_count - 1.0).abs() < f64::EPSILON);
    let store = message.positive_values.unwrap();
    assert!(store.contiguous_bin_counts.len() <= 2_048);
    // Where `LogarithmicMapping.Index` of `DataDog/sketches-go` puts a millisecond, cut to ten bits.
    let cut = sketched(1_000_000);
    assert!(cut <= 1_000_000.0 && cut > 998_000.0, "{cut}");
    let index = i32::try_from(rounded((cut.ln() / GAMMA.ln()).floor())).unwrap();
    let place = usize::try_from(index - store.contiguous_bin_index_offset).unwrap();
    assert!((store.contiguous_bin_counts[place] - 2.0).abs() < f64::EPSILON);
}

#[test]
fn our_own_reader_of_sketches_agrees() {
    let durations: Vec<i64> = (1..=1_000).map(|n| n * 1_000_000).collect();
    let summary = summary(&durations);
    let body = rmp_serde::to_vec_named(&pb::ClientStatsPayload {
        stats: vec![bucket(
            0,
            vec![pb::ClientGroupedStats {
                hits: 1_000,
                ok_summary: summary,
                ..pb::ClientGroupedStats::default()
            }],
        )],
        ..pb::ClientStatsPayload::default()
    });
    let read = crate::wire::stats::decode(&body.unwrap()).unwrap();
    let latency = read.buckets[0].groups[0].counts.ok.latency().unwrap();
    assert_eq!(latency.n, 1_000);
    for (read, exact) in [
        (latency.p50, 500e6),
        (latency.p95, 950e6),
        (latency.p99, 990e6),
    ] {
        // Two kinds of bins.
        assert!(
            (read as f64 - exact).abs() < exact * 0.025,
            "{read}, not {exact}"
        );
    }
}
