//! Bodies of `/v0.6/stats`, as recorded and as strangers might send them.

use std::collections::HashMap;

use libdd_ddsketch::{DDSketch, pb};
use proptest::prelude::*;
use prost::Message as _;
use rmp_serde::to_vec_named;
use serde_json::json;

use super::*;
use crate::stats::Sketch;

const RECORDED: &[u8] = include_bytes!("../../../tests/fixtures/client/stats-v06-412.msgpack");

fn encoded(value: &serde_json::Value) -> Vec<u8> {
    to_vec_named(value).unwrap()
}

#[track_caller]
fn check_error(body: &[u8], expected: &str) {
    assert_eq!(decode(body).unwrap_err().to_string(), expected);
}

#[test]
fn what_a_real_tracer_counted_is_read() {
    let stats = decode(RECORDED).unwrap();
    assert_eq!(
        (&*stats.source.language, &*stats.source.tracer_version),
        ("python", "4.1.2")
    );
    assert_eq!(
        &*stats.source.runtime_id,
        "229bbbee-0c0d-4ac3-96dd-03e934100e21"
    );
    let [bucket] = &stats.buckets[..] else {
        panic!("one bucket was sent");
    };
    assert_eq!(bucket.start, UnixNanos(1_795_206_414_000_000_000));
    assert_eq!(bucket.end(), UnixNanos(1_795_206_415_000_000_000));
    let [group] = &bucket.groups[..] else {
        panic!("one group was sent");
    };
    let names = [&group.service, &group.name, &group.resource, &group.kind];
    assert_eq!(
        names.map(|name| &**name),
        [
            "document-processor",
            "document.process",
            "process",
            "serverless"
        ]
    );
    let counts = &group.counts;
    assert_eq!(
        (counts.hits, counts.errors, counts.top_level_hits),
        (5, 0, 5)
    );
    assert_eq!(counts.duration, 361_527_585);
    let latency = counts.ok.latency().unwrap();
    assert_eq!((latency.n, counts.error.latency()), (5, None));
    // Their sum is 361.5 ms: the five are a fifth of it on average.
    assert!(latency.p50 < latency.max && latency.max < 361_527_585);
    assert!(latency.max > 361_527_585 / 5);
}

#[test]
fn durations_fall_into_the_bins_of_the_tracer() {
    let mut sent = DDSketch::default();
    let mut expected = Sketch::default();
    for nanos in [0.0, 1.0, 17.0, 1_234.5, 9e6, 7.5e9, 3.6e12] {
        sent.add(nanos).unwrap();
        expected.add(nanos, 1);
    }
    assert_eq!(sketch::read(&sent.encode_to_vec()).unwrap(), expected);
}

#[test]
fn bins_of_other_widths_and_sparse_ones_are_read() {
    let mapping = pb::IndexMapping {
        gamma: 1.0202,
        index_offset: 0.0,
        interpolation: 0,
    };
    // The bins of 5 ms, 9 s and 1 ms: the logarithms, divided by that of gamma.
    let store = pb::Store {
        bin_counts: HashMap::from([(771, 3.0), (1_146, 1.0)]),
        contiguous_bin_counts: vec![2.0, f64::NAN, -1.0, f64::INFINITY],
        contiguous_bin_index_offset: 690,
    };
    let message = pb::DdSketch {
        mapping: Some(mapping),
        positive_values: Some(store),
        negative_values: None,
        zero_count: 1.0,
    };
    let latency = sketch::read(&message.encode_to_vec())
        .unwrap()
        .latency()
        .unwrap();
    let near = |found: u64, expected: f64| (found as f64 / expected - 1.0).abs() < 0.03;
    assert_eq!(latency.n, 7);
    assert!(
        near(latency.p50, 5e6) && near(latency.max, 9e9),
        "{latency:?}"
    );
}

#[test]
fn keys_may_be_missing_unknown_or_nil() {
    assert_eq!(decode(b"\x80").unwrap(), ClientStats::default());
    let body = encoded(&json!({
        "New": [{"a": [1, null]}],
        "Env": null,
        "Stats": [null, {"Start": null, "Stats": null, "New": 1}, {"Stats": [null, {"Hits": 2, "New": {}}]}],
    }));
    let stats = decode(&body).unwrap();
    assert_eq!((stats.buckets.len(), stats.hits_and_errors()), (3, (2, 0)));
}

#[test]
fn counts_are_read_however_they_are_written_and_spoil_no_sum() {
    let body = encoded(&json!({"Stats": [{"Stats": [
        {"Hits": 2.0, "Errors": -1},
        {"Hits": u64::MAX, "Errors": 1e300},
    ]}]}));
    let stats = decode(&body).unwrap();
    assert_eq!(stats.hits_and_errors(), (COUNT_MAX + 2, COUNT_MAX));
}

#[test]
fn an_error_names_the_place() {
    check_error(
        b"",
        "the body is cut short: it needs 1 more bytes and has 0 at byte 0",
    );
    check_error(b"\x90", "expected a map, found an array at byte 0");
    check_error(
        &encoded(&json!({"Stats": [{}, {"Stats": [{"Hits": "x"}]}]})),
        r#".Stats[1].Stats[0]["Hits"]: expected a number, found a string at byte 23"#,
    );
    check_error(
        &encoded(&json!({"Stats": [{"Stats": [{"OkSummary": "\u{7}"}]}]})),
        r#".Stats[0].Stats[0]["OkSummary"]: the durations are no sketch: it is not the protobuf message at byte 27"#,
    );
    let many = encoded(&json!({"Stats": [{"Stats": vec![json!(null); GROUPS_MAX + 1]}]}));
    let error = decode(&many).unwrap_err().to_string();
    assert!(error.contains("more than 16384 groups at once"), "{error}");
}

#[track_caller]
fn check_no_sketch(message: &pb::DdSketch) {
    assert!(sketch::read(&message.encode_to_vec()).is_err());
}

#[test]
fn a_sketch_that_promises_too_much_takes_no_memory() {
    assert!(sketch::read(&vec![0; 100_000]).is_err());
    // A store whose bytes end long before the billion bins that it announces.
    assert!(sketch::read(b"\x12\x85\x80\x80\x80\x08\x12\x80\xa8\xd6\xb9\x07").is_err());
    for gamma in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        check_no_sketch(&pb::DdSketch {
            mapping: Some(pb::IndexMapping {
                gamma,
                index_offset: 0.0,
                interpolation: 0,
            }),
            ..pb::DdSketch::default()
        });
    }
    let far = pb::DdSketch {
        mapping: Some(pb::IndexMapping {
            gamma: 1.01,
            index_offset: -1e300,
            interpolation: 0,
        }),
        positive_values: Some(pb::Store {
            contiguous_bin_counts: vec![1.0; 100],
            contiguous_bin_index_offset: i32::MAX,
            ..pb::Store::default()
        }),
        ..pb::DdSketch::default()
    };
    let latency = sketch::read(&far.encode_to_vec())
        .unwrap()
        .latency()
        .unwrap();
    assert_eq!((latency.n, latency.max), (100, u64::MAX));
}

proptest! {
    #[test]
    fn any_bytes_are_statistics_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _decoded = decode(&bytes);
        let _sketch = sketch::read(&bytes);
    }

    #[test]
    fn recorded_bytes_with_faults_are_statistics_or_an_error(
        faults in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = RECORDED.to_vec();
        for (place, byte) in faults {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Err(error) = decode(&bytes) {
            prop_assert!(error.offset() <= bytes.len());
        }
        let _cut = decode(&bytes[..end.index(bytes.len())]);
    }
}
