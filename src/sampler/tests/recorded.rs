//! What is read of payloads that real clients sent.

use super::*;
use crate::wire::v05;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/payloads");

fn read(name: &str) -> Vec<Digest> {
    let body = std::fs::read(format!("{FOLDER}/{name}.msgpack")).unwrap();
    let mut builder = ChunkBuilder::default();
    let payload = v04::decode(&body, &mut builder).or_else(|_| v05::decode(&body, &mut builder));
    let payload = payload.unwrap();
    let mut services = Services::default();
    let mut reader = Reader {
        delivery: Delivery {
            language: "python",
            ..Delivery::default()
        },
        default_env: "none",
        services: &mut services,
        rare: RareSpans::LeftOut,
    };
    let chunks = payload.chunks.iter();
    let digests = chunks.map(|chunk| reader.read(chunk, chunk.facts()).unwrap());
    digests.collect()
}

/// Checks how many chunks have which priority, and how many of those the client drew by a rate.
#[track_caller]
fn check(name: &str, expected: &[(i32, usize, usize)]) {
    let mut read_as: BTreeMap<i32, (usize, usize)> = BTreeMap::new();
    for digest in read(name) {
        let SamplingPriority(said) = digest.priority.unwrap();
        let (n, n_drawn) = read_as.entry(said).or_default();
        (*n, *n_drawn) = (*n + 1, *n_drawn + usize::from(digest.is_drawn));
        assert!(
            (digest.weight - 1.0).abs() < f32::EPSILON,
            "{name}: {digest:?}"
        );
    }
    let read_as: Vec<_> = read_as
        .into_iter()
        .map(|(said, (n, drawn))| (said, n, drawn))
        .collect();
    assert_eq!(read_as, expected, "{name}");
}

#[test]
fn a_decision_is_by_rate_where_the_client_says_so_or_had_no_rate_yet() {
    check("50-concurrent-default-412", &[(1, 50, 50)]);
    check("50-concurrent-agentrate05-412", &[(0, 26, 26), (1, 24, 24)]);
}

#[test]
fn what_a_rule_a_limit_or_a_person_decided_is_not_drawn_again() {
    check("50-concurrent-rule03-412", &[(-1, 39, 0), (2, 11, 0)]);
    check("50-concurrent-ratelimit10-412", &[(-1, 39, 0), (2, 11, 0)]);
    check(
        "50-concurrent-manual-412",
        &[(-1, 17, 0), (1, 16, 16), (2, 17, 0)],
    );
}

#[test]
fn only_the_piece_with_the_root_is_drawn_again() {
    check("partial-flush-v04-412-chunk-1", &[(1, 2, 0)]);
    check("partial-flush-v04-412-chunk-3", &[(1, 1, 1)]);
    check("bg-child-after-root-412-2", &[(1, 1, 0)]);
    check("distributed-412-1", &[(1, 1, 0)]);
    check("distributed-412-2", &[(1, 1, 1)]);
    check("w3c-headers-412", &[(1, 1, 0)]);
}

#[test]
fn only_a_root_without_a_rate_of_its_own_gets_the_agents() {
    let stamped = |name| {
        read(name)
            .iter()
            .filter(|digest| digest.stamps_rate)
            .count()
    };
    assert_eq!(stamped("50-concurrent-default-412"), 50);
    assert_eq!(stamped("50-concurrent-agentrate05-412"), 0);
    assert_eq!(stamped("50-concurrent-rule03-412"), 0);
    assert_eq!(stamped("bg-child-after-root-412-2"), 0);
}

#[test]
fn spans_that_a_span_rule_keeps_are_kept_out_of_dropped_chunks() {
    let single = |name| {
        let digests = read(name);
        let kept = digests
            .iter()
            .filter(|digest| digest.single_spans == SingleSpans::Some);
        (kept.count(), digests.len())
    };
    assert_eq!(single("span-sampling-412"), (5, 5));
    assert_eq!(single("50-concurrent-rule03-412"), (0, 50));
}

#[test]
fn a_delivery_without_traces_has_nothing_to_decide() {
    assert_eq!(read("p0-dropped-empty-412").len(), 0);
}

#[test]
fn what_an_error_counts_as_is_read_only_of_errors() {
    let errors = read("error-span-v04-412");
    assert!(errors.iter().any(|digest| digest.signed.is_some()));
    let none = read("50-concurrent-default-412");
    assert!(none.iter().all(|digest| digest.signed.is_none()));
}
