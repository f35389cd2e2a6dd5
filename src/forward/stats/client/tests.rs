//! What clients counted, passed on: every hit goes once, and no two payloads of one time say counts of
//! the same client.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::super::super::tests::{NOW, agent, stats, tracer};
use super::*;

const SECOND: i64 = 1_000_000_000;

fn body(runtime_id: &str, start: i64, hits: u64) -> Vec<u8> {
    let group = json!({"Service": "Api Service", "Name": "request", "Resource": "GET /",
        "HTTPStatusCode": 200, "Type": "web", "Hits": hits, "Errors": 1, "Duration": 10 * hits,
        "Synthetics": false, "TopLevelHits": hits,
        "SpanKind": "server", "PeerTags": ["a:b"], "IsTraceRoot": 1});
    let payload = json!({"Hostname": "", "Env": "Prod", "Version": "1", "RuntimeID": runtime_id,
        "Sequence": 3, "ContainerID": "c", "Stats": [
            {"Start": start, "Duration": 10 * SECOND, "Stats": [group]}]});
    rmp_serde::to_vec_named(&payload).unwrap()
}

fn payloads(requests: &[IntakeRequest]) -> Vec<pb::ClientStatsPayload> {
    let read = requests.iter().map(stats).inspect(|payload| {
        assert!(payload.client_computed);
        assert_eq!(payload.agent_version, "7.79.0");
    });
    read.flat_map(|payload| payload.stats).collect()
}

fn groups(payloads: &[pb::ClientStatsPayload]) -> impl Iterator<Item = &pb::ClientGroupedStats> {
    let buckets = payloads.iter().flat_map(|payload| &payload.stats);
    buckets.flat_map(|bucket| &bucket.stats)
}

#[test]
fn one_payload_of_a_time_goes_on_as_it_came() {
    let mut aggregator = ClientAggregator::new(agent(), NOW);
    let python = tracer("python");
    let start = NOW.0 - 10 * SECOND;
    let at_once = aggregator.add(&body("r", start, 7), &python, NOW).unwrap();
    assert_eq!((at_once, aggregator.n_groups()), (vec![], 1));
    assert_eq!(aggregator.flush(NOW), []);
    let payloads = payloads(&aggregator.flush(NOW.plus(30 * SECOND)));
    assert_eq!((payloads.len(), aggregator.n_groups()), (1, 0));
    let payload = &payloads[0];
    assert_eq!(
        (&*payload.env, &*payload.runtime_id, payload.sequence),
        ("prod", "r", 3)
    );
    assert_eq!((&*payload.lang, &*payload.container_id), ("python", ""));
    assert_eq!(payload.agent_aggregation, "");
    let bucket = &payload.stats[0];
    assert_eq!(
        (bucket.start, bucket.agent_time_shift),
        (start.cast_unsigned(), 0)
    );
    let group = &bucket.stats[0];
    assert_eq!((group.hits, group.errors, group.top_level_hits), (7, 1, 7));
    assert_eq!(
        (&*group.service, group.http_status_code),
        ("api_service", 200)
    );
    assert_eq!(
        (group.is_trace_root, &*group.peer_tags),
        (1, &["a:b".to_owned()][..])
    );
}

#[test]
fn counts_of_several_clients_of_a_time_are_added() {
    let mut aggregator = ClientAggregator::new(agent(), NOW);
    let python = tracer("python");
    let start = NOW.0 - 4 * SECOND;
    let mut went = Vec::new();
    for (runtime_id, hits) in [("a", 5), ("b", 7), ("c", 9)] {
        let body = body(runtime_id, start, hits);
        went.extend(payloads(&aggregator.add(&body, &python, NOW).unwrap()));
    }
    let who: Vec<_> = went.iter().map(|payload| &*payload.runtime_id).collect();
    assert_eq!(who, ["a", "b", "c"]);
    for payload in &went {
        assert_eq!(payload.agent_aggregation, "distributions");
        let mut groups = payload.stats.iter().flat_map(|bucket| &bucket.stats);
        assert!(groups.all(|group| (group.hits, group.errors, group.duration) == (0, 0, 0)));
    }
    let sums = payloads(&aggregator.drain());
    assert_eq!((sums.len(), &*sums[0].agent_aggregation), (1, "counts"));
    let bucket = &sums[0].stats[0];
    // An odd second, which no bucket counted here has.
    assert_eq!(bucket.start / 1_000_000_000 % 2, 1);
    let group = &bucket.stats[0];
    assert_eq!((group.hits, group.errors, group.duration), (21, 3, 210));
    assert_eq!(group.top_level_hits, 0);
}

#[test]
fn times_that_are_too_old_or_ahead_are_moved_and_say_by_how_much() {
    let mut aggregator = ClientAggregator::new(agent(), NOW);
    let python = tracer("python");
    for (start, hits) in [(NOW.0 - 3_600 * SECOND, 1), (NOW.0 + 3_600 * SECOND, 2)] {
        aggregator
            .add(&body("r", start, hits), &python, NOW)
            .unwrap();
    }
    for payload in payloads(&aggregator.drain()) {
        let bucket = &payload.stats[0];
        let moved = bucket.start.cast_signed();
        assert!((moved - NOW.0).abs() <= 21 * SECOND, "{moved}");
        let sent = moved - bucket.agent_time_shift;
        assert_eq!((sent - NOW.0).abs(), 3_600 * SECOND);
    }
}

#[test]
fn what_is_no_statistics_is_refused_with_its_place() {
    let mut aggregator = ClientAggregator::new(agent(), NOW);
    let error = aggregator.add(b"\x81\xa5Stats\xc3", &tracer(""), NOW);
    assert!(error.unwrap_err().to_string().contains("Stats"));
    assert_eq!(aggregator.n_groups(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_hit_goes_once(
        sent in prop::collection::vec((0..4_u8, -40..20_i64, 0..1_000_u64, 0..5_i64), 0..30),
    ) {
        let mut aggregator = ClientAggregator::new(agent(), NOW);
        let python = tracer("python");
        let (mut now, mut expected) = (NOW, 0);
        let mut went = Vec::new();
        for (client, start, hits, later) in sent {
            now = now.plus(later * SECOND);
            let body = body(&client.to_string(), now.0 + start * SECOND, hits);
            went.extend(payloads(&aggregator.add(&body, &python, now).unwrap()));
            went.extend(payloads(&aggregator.flush(now)));
            expected += hits;
        }
        went.extend(payloads(&aggregator.drain()));
        prop_assert_eq!(groups(&went).map(|group| group.hits).sum::<u64>(), expected);
        prop_assert_eq!(groups(&went).map(|group| group.top_level_hits).sum::<u64>(), expected);
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for payload in went.iter().filter(|payload| payload.agent_aggregation == "counts") {
            *counts.entry(payload.stats[0].start).or_default() += 1;
        }
        prop_assert!(counts.values().all(|n| *n == 1), "{counts:?}");
    }
}
