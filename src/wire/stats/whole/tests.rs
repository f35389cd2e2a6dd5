//! Bodies that clients sent, read whole: what is passed on is what came.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn packed(body: &serde_json::Value) -> Vec<u8> {
    rmp_serde::to_vec_named(body).unwrap()
}

#[test]
fn what_the_crate_writes_comes_back() {
    let group = pb::ClientGroupedStats {
        service: "s".into(),
        name: "n".into(),
        resource: "r".into(),
        http_status_code: 404,
        r#type: "web".into(),
        db_type: "sql".into(),
        hits: 3,
        errors: 1,
        duration: u64::MAX,
        ok_summary: vec![1, 2],
        error_summary: vec![3],
        synthetics: true,
        top_level_hits: 2,
        span_kind: "client".into(),
        peer_tags: vec!["a:b".into()],
        is_trace_root: pb::Trilean::False.into(),
        grpc_status_code: "5".into(),
        http_method: "GET".into(),
        http_endpoint: "/a".into(),
        service_source: "redis".into(),
        span_derived_primary_tags: vec!["c:d".into()],
        additional_metric_tags: vec!["e:f".into()],
    };
    let payload = pb::ClientStatsPayload {
        hostname: "h".into(),
        env: "e".into(),
        version: "v".into(),
        stats: vec![pb::ClientStatsBucket {
            start: 10,
            duration: 20,
            stats: vec![group],
            agent_time_shift: 0,
        }],
        lang: "python".into(),
        tracer_version: "4".into(),
        runtime_id: "id".into(),
        sequence: 9,
        agent_aggregation: "counts".into(),
        service: "svc".into(),
        container_id: "c".into(),
        tags: vec!["t:u".into()],
        git_commit_sha: "sha".into(),
        image_tag: "img".into(),
        process_tags_hash: 7,
        process_tags: "p:q".into(),
    };
    let body = rmp_serde::to_vec_named(&payload).unwrap();
    assert_eq!(decode_whole(&body).unwrap(), payload);
}

#[test]
fn it_counts_what_the_other_reader_counts_in_recorded_bodies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut folders = vec![folder];
    let mut n_read = 0;
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let meta = path.with_extension("msgpack.meta.json");
            let Ok(meta) = std::fs::read_to_string(meta) else {
                continue;
            };
            let is_body = path.extension().is_some_and(|end| end == "msgpack");
            if !is_body || !meta.contains("\"/v0.6/stats\"") {
                continue;
            }
            let body = std::fs::read(&path).unwrap();
            let (whole, read) = (
                decode_whole(&body).unwrap(),
                super::super::decode(&body).unwrap(),
            );
            assert_eq!(whole.env, &*read.source.env);
            let groups = whole.stats.iter().flat_map(|bucket| &bucket.stats);
            let sums = groups.fold((0, 0), |(hits, errors), group| {
                (hits + group.hits, errors + group.errors)
            });
            assert_eq!(sums, read.hits_and_errors());
            n_read += 1;
        }
    }
    assert!(n_read >= 2, "only {n_read} recorded bodies");
}

#[test]
fn what_is_missing_nil_or_of_another_width_is_taken() {
    let body = packed(
        &json!({"Env": null, "Unknown": {"a": [1, 2]}, "Tags": null, "Stats": [
        {"Start": 1.0, "Stats": [{"Hits": -3, "Errors": 2.0, "Synthetics": 1, "IsTraceRoot": 9,
            "HTTPStatusCode": 99_999_999_999_u64, "OkSummary": null}, {}]}, {"Stats": null}]}),
    );
    let payload = decode_whole(&body).unwrap();
    let group = &payload.stats[0].stats[0];
    assert_eq!((group.hits, group.errors, group.synthetics), (0, 2, true));
    assert_eq!((group.is_trace_root, group.http_status_code), (0, 0));
    assert_eq!((payload.stats[0].start, payload.stats.len()), (1, 2));
}

#[test]
fn what_is_wrong_or_too_much_is_told_with_its_place() {
    #[track_caller]
    fn check(body: &serde_json::Value, expected: &str) {
        let error = decode_whole(&packed(body)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    check(&json!([]), "a map");
    check(&json!({"Stats": [{"Stats": [{"Hits": "many"}]}]}), "Hits");
    check(&json!({"Tags": vec!["a:b"; 300]}), "256");
    check(&json!({"Stats": vec![json!({}); 2_000]}), "1024");
    assert!(decode_whole(b"").is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_statistics_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _either = decode_whole(&bytes);
    }

    #[test]
    fn a_damaged_body_is_statistics_or_an_error(place in any::<prop::sample::Index>(), byte: u8) {
        let group = json!({"Hits": 3, "PeerTags": ["a:b"], "OkSummary": "x", "Service": "s"});
        let mut body = packed(&json!({"Tags": ["a"], "Stats": [{"Start": 1, "Stats": [group]}]}));
        let place = place.index(body.len());
        body[place] = byte;
        let _either = decode_whole(&body);
    }
}
