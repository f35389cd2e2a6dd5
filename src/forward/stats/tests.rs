//! Statistics, decoded as an intake decodes them and compared with a count of another kind.

mod sketches;
mod time;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::tests::{NOW, agent, all, chunks, inflated, recorded, span, stats, tracer};
use super::super::{AddedTags, Contents, Outgoing, Places, TopLevel};
use super::*;
use crate::trace::TraceChunk;

const SECOND: i64 = 1_000_000_000;

/// Counts, and drains at the end.
#[track_caller]
fn counted(outgoing: &[Outgoing<'_>]) -> Vec<pb::ClientStatsPayload> {
    let added = AddedTags::default();
    let mut concentrator = Concentrator::new(agent(), NOW);
    for outgoing in outgoing {
        concentrator.add(&Prepared::new(*outgoing, &added).unwrap(), NOW);
    }
    drained(&mut concentrator)
}

#[track_caller]
fn drained(concentrator: &mut Concentrator) -> Vec<pb::ClientStatsPayload> {
    let requests = concentrator.drain();
    assert_eq!(concentrator.n_groups(), 0);
    assert_eq!(concentrator.drain(), []);
    let payloads = requests.iter().map(stats).inspect(|payload| {
        assert!(!payload.client_computed);
        assert_eq!(payload.split_payload, requests.len() > 1);
    });
    payloads.flat_map(|payload| payload.stats).collect()
}

fn groups(payloads: &[pb::ClientStatsPayload]) -> Vec<&pb::ClientGroupedStats> {
    let buckets = payloads.iter().flat_map(|payload| &payload.stats);
    buckets.flat_map(|bucket| &bucket.stats).collect()
}

/// The one group of one root with these tags and metrics.
#[track_caller]
fn group_of(meta: Json, metrics: Json) -> pb::ClientGroupedStats {
    let mut root = span(1, 1);
    (root["meta"], root["metrics"]) = (meta, metrics);
    let chunks = chunks(&json!([[root]]));
    let python = tracer("python");
    let payloads = counted(&[all(&chunks[0], &python)]);
    let groups = groups(&payloads);
    assert_eq!(groups.len(), 1);
    groups[0].clone()
}

/// What the test counts itself of a span: bucket, service, resource, error.
type Told = BTreeMap<(u64, String, String), (u64, u64, u64, u64)>;

fn told(payloads: &[pb::ClientStatsPayload]) -> Told {
    let mut told = Told::new();
    for bucket in payloads.iter().flat_map(|payload| &payload.stats) {
        for group in &bucket.stats {
            let key = (bucket.start, group.service.clone(), group.resource.clone());
            let sums = told.entry(key).or_default();
            sums.0 += group.hits;
            sums.1 += group.errors;
            sums.2 += group.top_level_hits;
            sums.3 += group.duration;
        }
    }
    told
}

#[derive(Clone, Debug)]
struct Made {
    service: u8,
    resource: u8,
    seconds_later: i64,
    duration: i64,
    is_error: bool,
    is_measured: bool,
    kind: &'static str,
}

fn any_made() -> impl Strategy<Value = Made> {
    let kinds = prop::sample::select(vec!["", "internal", "server", "Client"]);
    let numbers = (0..3_u8, 0..4_u8, 0..40_i64, 0..20 * SECOND);
    (numbers, any::<bool>(), any::<bool>(), kinds).prop_map(|(numbers, error, measured, kind)| {
        Made {
            service: numbers.0,
            resource: numbers.1,
            seconds_later: numbers.2,
            duration: numbers.3,
            is_error: error,
            is_measured: measured,
            kind,
        }
    })
}

fn built(made: &[Made]) -> Vec<TraceChunk> {
    let spans = made.iter().zip(1_u64..).map(|(made, id)| {
        let mut span = span(1, id);
        span["parent_id"] = json!(u64::from(id != 1));
        span["service"] = json!(format!("service-{}", made.service));
        span["resource"] = json!(format!("resource {}", made.resource));
        span["start"] = json!(NOW.0 + made.seconds_later * SECOND);
        span["duration"] = json!(made.duration);
        span["error"] = json!(i32::from(made.is_error));
        span["metrics"] = json!({"_dd.measured": i32::from(made.is_measured)});
        span["meta"] = json!({"span.kind": made.kind});
        span
    });
    chunks(&json!([spans.collect::<Vec<_>>()]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hits_errors_and_durations_are_those_of_a_plain_count(
        made in prop::collection::vec(any_made(), 1..60),
    ) {
        let mut expected = Told::new();
        for (place, one) in made.iter().enumerate() {
            let is_top_level = place == 0 || one.service != made[0].service;
            if !(is_top_level || one.is_measured || ["server", "Client"].contains(&one.kind)) {
                continue;
            }
            let end = NOW.0 + one.seconds_later * SECOND + one.duration;
            let bucket = u64::try_from(end / 10_000_000_000 * 10_000_000_000).unwrap();
            let key = (bucket, format!("service-{}", one.service), format!("resource {}", one.resource));
            let sums = expected.entry(key).or_default();
            sums.0 += 1;
            sums.1 += u64::from(one.is_error);
            sums.2 += u64::from(is_top_level);
            sums.3 += one.duration.cast_unsigned();
        }
        let chunks = built(&made);
        let python = tracer("python");
        let outgoing = Outgoing { top_level: TopLevel::ByUs, ..all(&chunks[0], &python) };
        let payloads = counted(&[outgoing]);
        prop_assert_eq!(told(&payloads), expected);
        for group in groups(&payloads) {
            let n_in = |summary: &[u8]| rounded(DDSketch::from_encoded(summary).unwrap().count());
            prop_assert_eq!(n_in(&group.ok_summary), group.hits - group.errors);
            prop_assert_eq!(n_in(&group.error_summary), group.errors);
        }
    }
}

#[test]
fn recorded_spans_are_counted_as_their_metrics_ask_for() {
    let mut n_counted = 0;
    for recorded in recorded() {
        let spans = recorded.chunks.iter().flat_map(TraceChunk::spans);
        let is_asked = spans.filter(|span| crate::stats::is_counted(*span));
        let n_asked: usize = is_asked.count();
        let payloads = counted(&recorded.outgoing());
        let hits: u64 = groups(&payloads).iter().map(|group| group.hits).sum();
        assert_eq!(hits, n_asked as u64, "{}", recorded.name);
        n_counted += n_asked;
    }
    assert!(n_counted > 100, "only {n_counted} spans");
}

#[test]
fn what_a_client_counts_itself_is_not_counted_again() {
    let chunks = chunks(&json!([[span(1, 1)]]));
    let python = tracer("python");
    let outgoing = Outgoing {
        counted_by: CountedBy::Client,
        ..all(&chunks[0], &python)
    };
    assert_eq!(counted(&[outgoing]), []);
}

#[test]
fn of_a_chunk_only_the_new_spans_are_counted() {
    let mut other = span(1, 2);
    other["service"] = json!("other");
    let chunks = chunks(&json!([[span(1, 1), other]]));
    let python = tracer("python");
    let outgoing = Outgoing {
        places: Places::Only(&[(1, 1)].map(super::super::tests::placed)),
        ..all(&chunks[0], &python)
    };
    let payloads = counted(&[outgoing]);
    let groups = groups(&payloads);
    assert_eq!((groups.len(), &*groups[0].service), (1, "other"));
}

#[test]
fn a_thinned_trace_stands_for_more() {
    let group = group_of(json!({}), json!({"_sample_rate": 0.25}));
    assert_eq!((group.hits, group.top_level_hits, group.errors), (4, 4, 0));
    assert_eq!(group.duration, 4_000_000);
    let group = group_of(json!({}), json!({"_sample_rate": 1.5}));
    assert_eq!(group.hits, 1);
}

#[test]
fn a_span_that_still_runs_is_not_counted() {
    let mut root = span(1, 1);
    root["metrics"] = json!({"_dd.partial_version": 3});
    let chunks = chunks(&json!([[root]]));
    let python = tracer("python");
    assert_eq!(counted(&[all(&chunks[0], &python)]), []);
}

#[test]
fn the_payload_says_whose_it_is() {
    let mut root = span(1, 1);
    root["meta"] = json!({"env": "prod", "version": "2", "_dd.git.commit.sha": "abc",
        "_dd.hostname": "box"});
    let chunks = chunks(&json!([[root], [span(2, 2)]]));
    let python = tracer("python");
    let payloads = counted(&[all(&chunks[0], &python), all(&chunks[1], &python)]);
    let mut said: Vec<_> = payloads
        .iter()
        .map(|of| {
            (
                &*of.env,
                &*of.version,
                &*of.git_commit_sha,
                &*of.hostname,
                &*of.lang,
            )
        })
        .collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [
            ("none", "", "", "", "python"),
            ("prod", "2", "abc", "box", "python")
        ]
    );
}

#[test]
fn the_key_is_the_agents() {
    let mut child = span(1, 2);
    child["parent_id"] = json!(1);
    child["metrics"] = json!({"_dd.measured": 1, "http.status_code": 404, "grpc.code": 5});
    child["meta"] = json!({"span.kind": "client", "http.status_code": "200", "_dd.svc_src": "redis",
        "peer.service": "db", "out.host": "10.0.0.1:5432,10.0.0.2:5432", "db.name": ""});
    let mut root = span(1, 1);
    root["meta"] = json!({"_dd.origin": "synthetics-browser", "http.status_code": "201",
        "rpc.grpc.status_code": "StatusCode.DEADLINE_EXCEEDED"});
    let chunks = chunks(&json!([[root, child]]));
    let python = tracer("python");
    let payloads = counted(&[all(&chunks[0], &python)]);
    let groups = groups(&payloads);
    let by_root = |said: pb::Trilean| {
        let mut groups = groups.iter();
        groups
            .find(|group| group.is_trace_root == i32::from(said))
            .unwrap()
    };
    let (root, child) = (by_root(pb::Trilean::True), by_root(pb::Trilean::False));
    assert_eq!((root.http_status_code, &*root.grpc_status_code), (201, "4"));
    assert!(root.synthetics && root.peer_tags.is_empty());
    assert_eq!((root.top_level_hits, child.top_level_hits), (1, 0));
    assert_eq!(
        (child.http_status_code, &*child.grpc_status_code),
        (404, "5")
    );
    assert_eq!(
        (&*child.span_kind, &*child.service_source),
        ("client", "redis")
    );
    assert_eq!(
        child.peer_tags,
        ["out.host:blocked-ip-address:5432", "peer.service:db"]
    );
}

#[test]
fn a_service_that_replaces_another_names_it() {
    let meta = json!({"_dd.base_service": "api", "peer.service": "db"});
    let group = group_of(meta, json!({}));
    assert_eq!(group.peer_tags, ["_dd.base_service:api"]);
    let meta = json!({"_dd.base_service": "api", "span.kind": "server"});
    assert_eq!(group_of(meta, json!({})).peer_tags, Vec::<String>::new());
}

#[test]
fn addresses_are_left_out_as_the_agent_does() {
    #[track_caller]
    fn check(sent: &str, expected: &str) {
        let meta = json!({"span.kind": "client", "out.host": sent});
        let group = group_of(meta, json!({}));
        assert_eq!(group.peer_tags, [format!("out.host:{expected}")]);
    }
    check("db.example.com:5432", "db.example.com:5432");
    check("10.1.2.3", "blocked-ip-address");
    check("127.0.0.1:80", "127.0.0.1:80");
    check("169.254.169.254", "169.254.169.254");
    check(
        "ip-10-1-2-3.ec2.internal",
        "ip-blocked-ip-address.ec2.internal",
    );
    check("http://10.1.2.3:80", "http://blocked-ip-address:80");
    check("[2001:db8::1]:443", "blocked-ip-address:443");
    check("2001:db8::1", "blocked-ip-address");
    check("10.1.2.3,10.1.2.4,a", "blocked-ip-address,a");
    check("10.1.2", "10.1.2");
    check("10.1.2.300", "10.1.2.300");
    check("abc", "abc");
}

#[test]
fn statuses_of_grpc_become_their_numbers() {
    #[track_caller]
    fn check(sent: &str, expected: &str) {
        let group = group_of(json!({"grpc.status.code": sent}), json!({}));
        assert_eq!(group.grpc_status_code, expected, "{sent}");
    }
    check("0", "0");
    check("OK", "0");
    check("Canceled", "1");
    check("ALREADY_EXISTS", "6");
    check("AlreadyExists", "6");
    check("StatusCode.UNAUTHENTICATED", "16");
    check("nonsense", "");
}

#[test]
fn many_groups_are_split_and_none_is_lost() {
    let spans: Vec<_> = (1..=9_001_u64)
        .map(|id| {
            let mut span = span(1, id);
            span["resource"] = json!(format!("GET /{id}"));
            span
        })
        .collect();
    let chunks = chunks(&json!([spans]));
    let (python, added) = (tracer("python"), AddedTags::default());
    let mut concentrator = Concentrator::new(agent(), NOW);
    concentrator.add(
        &Prepared::new(all(&chunks[0], &python), &added).unwrap(),
        NOW,
    );
    assert_eq!(concentrator.n_groups(), 9_001);
    let requests = concentrator.drain();
    assert_eq!(requests.len(), 3);
    let mut resources: Vec<String> = Vec::new();
    for request in &requests {
        let payload = stats(request);
        assert!(payload.split_payload);
        let here = groups(&payload.stats);
        let Contents::Groups { n_groups, n_hits } = request.contents else {
            panic!("{:?}", request.contents);
        };
        assert_eq!((n_groups, n_hits), (here.len(), here.len() as u64));
        assert!(n_groups <= 4_000);
        resources.extend(here.iter().map(|group| group.resource.clone()));
    }
    resources.sort_unstable();
    resources.dedup();
    assert_eq!(resources.len(), 9_001);
}

#[test]
fn beyond_a_limit_new_groups_are_counted_as_left_out_and_known_ones_go_on() {
    let spans: Vec<_> = (1..=10_005_u64)
        .map(|id| {
            let mut span = span(1, id);
            span["resource"] = json!(format!("GET /{id}"));
            span
        })
        .chain([{
            let mut again = span(1, 30_000);
            again["resource"] = json!("GET /1");
            again
        }])
        .collect();
    let chunks = chunks(&json!([spans]));
    let (python, added) = (tracer("python"), AddedTags::default());
    let mut concentrator = Concentrator::new(agent(), NOW);
    concentrator.add(
        &Prepared::new(all(&chunks[0], &python), &added).unwrap(),
        NOW,
    );
    assert_eq!(
        (concentrator.n_groups(), concentrator.n_left_out()),
        (10_000, 5)
    );
    let payloads = drained(&mut concentrator);
    let hits: u64 = groups(&payloads).iter().map(|group| group.hits).sum();
    assert_eq!(hits, 10_001);
}

#[test]
fn statistics_have_the_headers_of_the_intake() {
    let chunks = chunks(&json!([[span(1, 1)]]));
    let (python, added) = (tracer("python"), AddedTags::default());
    let mut concentrator = Concentrator::new(agent(), NOW);
    concentrator.add(
        &Prepared::new(all(&chunks[0], &python), &added).unwrap(),
        NOW,
    );
    let request = concentrator.drain().pop().unwrap();
    let names: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    assert_eq!(names[0], ("Content-Type", "application/msgpack"));
    assert_eq!(names[1], ("Content-Encoding", "gzip"));
    assert_eq!(names[2], ("X-Datadog-Reported-Languages", "python"));
    let payload = stats(&request);
    assert_eq!(
        (&*payload.agent_env, &*payload.agent_version),
        ("none", "7.79.0")
    );
    assert_eq!(payload.agent_hostname, "");
}

/// After `stats_gen.go` in `pkg/proto/pbgo/trace`: an intake finds members by these names, and reads
/// sketches as bytes.
#[test]
fn statistics_have_the_names_of_the_agents_own() {
    let chunks = chunks(&json!([[span(1, 1)]]));
    let (python, added) = (tracer("python"), AddedTags::default());
    let mut concentrator = Concentrator::new(agent(), NOW);
    concentrator.add(
        &Prepared::new(all(&chunks[0], &python), &added).unwrap(),
        NOW,
    );
    let plain = inflated(&concentrator.drain().pop().unwrap());
    let has = |bytes: &[u8]| plain.windows(bytes.len()).any(|window| window == bytes);
    let names = "AgentHostname AgentEnv Stats AgentVersion ClientComputed SplitPayload Hostname Env \
        Version Lang TracerVersion RuntimeID Sequence AgentAggregation Service ContainerID Tags \
        GitCommitSha ImageTag ProcessTagsHash ProcessTags Start Duration AgentTimeShift Name Resource \
        HTTPStatusCode Type DBType Hits Errors OkSummary ErrorSummary Synthetics TopLevelHits SpanKind \
        PeerTags IsTraceRoot GRPCStatusCode HTTPMethod HTTPEndpoint srv_src";
    for name in names.split_whitespace() {
        let length = u8::try_from(name.len()).unwrap();
        let key = [&[0xa0 | length], name.as_bytes()].concat();
        assert!(has(&key), "no {name}");
    }
    assert!(has(b"OkSummary\xc4") && has(b"ErrorSummary\xc4"));
}
