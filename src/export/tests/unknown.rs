//! Members that this version does not know: each is counted, wherever it stands, so that nobody writes such a
//! file over; and none of ours is taken for one.

use serde_json::{Value as Json, json};

use super::round_trip::check_comes_back;
use super::*;

/// A file that says everything that one can.
fn full() -> Json {
    json!({
        "format": "modtrace",
        "version": 1,
        "captured_by": "modtrace-tui 0.1.0",
        "exported_at": "2026-11-20T19:53:45.287Z",
        "counters": { "spans_received": 1, "requests_by_endpoint": { "other": 1 } },
        "forward": {
            "to": "datadog datadoghq.eu",
            "last_error": null,
            "unsent": [{ "intake": "logs", "headers": { "User-Agent": "a" }, "body": "AA==", "plain_bytes": 1, "n": 1 }],
        },
        "traces": [{
            "trace_id": "6b00a83d000000006f0dbd9e7942056a",
            "root": "r", "service": "s", "resource": "r", "start": 1, "duration": 1, "error": 0,
            "complete": true,
            "outcome": "ok",
            "arrivals": [{ "at": 1, "via": "http", "spans": 1, "priority": 1, "tags": { "k": "v" } }],
            "tracer": { "language": "python", "language_version": "3", "tracer_version": "4", "tags": { "k": "v" } },
            "container": container(),
            "start_kind": "cold",
            "start_evidence": "it says so",
            "local_roots": [{
                "span_id": "5", "start": 1, "container": container(), "start_kind": "cold", "start_evidence": "it says so",
            }],
            "sampling": {
                "priority": 1, "decision_maker": "-1", "mechanism": "default", "rule_rate": null, "agent_rate": 1.0,
                "limit_rate": null,
                "simulated": {
                    "kept": true, "by": "priority", "tracer": { "kept": true, "rate": 1.0 },
                    "agent": { "kept": true, "by": "priority", "rate": 1.0 }, "reason": "because",
                },
            },
            "forwarded": ["5"],
            "forward_counted": "all",
            "spans": [{ "span_id": "5", "parent_id": "0", "name": "n", "start": 1, "duration": 1, "meta": { "k": "v" } }],
            "logs": [line()],
        }],
        "logs": [line()],
        "requests": [{
            "at": 1, "method": "PUT", "path": "/", "status": 200, "bytes": 1, "client": "c", "via": "http", "note": "",
        }],
        "client_stats": {
            "buckets": 1, "hits": 1, "errors": 0, "hits_without_span": 0, "any_counted": true, "any_uncounted": false,
            "clients": [{
                "service": "s", "env": "e", "version": "1", "runtime_id": "x", "language": "python",
                "tracer_version": "4", "buckets": 1, "hits": 1, "errors": 0, "told_until": 1,
            }],
            "told": [{
                "service": "s", "name": "n", "resource": "r", "type": "web", "hits": 1, "errors": 0,
                "top_level_hits": 1, "duration": 1, "spans_arrived": 0, "compared_by": "resource",
                "ok": { "n": 1, "p50": 1, "p95": 1, "p99": 1, "max": 1, "bins": [[1024, 1]] }, "error": null,
            }],
            "clients_evicted": 0, "groups_evicted": 0, "spans_untold": 0,
            "telemetry": {},
        },
        "findings": [],
    })
}

fn container() -> Json {
    json!({
        "task_id": "ta-1", "region": "r", "cloud": "c", "environment": "e", "image_id": "i", "gpu": "g",
        "runtime_id": "x", "known_by": "relay",
    })
}

fn line() -> Json {
    json!({
        "time": 1, "trace_id": null, "span_id": null, "level": "info", "message": "m", "source": "stdout",
        "joined_by": null, "fields": { "k": { "of": "theirs" } }, "line": "m", "at": 1, "container": null, "n_cut": 1,
    })
}

/// Maps whose members are whatever somebody said.
const FREE: [&str; 4] = ["tags", "meta", "fields", "requests_by_endpoint"];

/// Where the objects in a value are.
fn objects(value: &Json, at: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Json)> = match value {
        Json::Object(members) => {
            found.push(at.to_owned());
            let members = members.iter().filter(|(name, _)| !FREE.contains(&&***name));
            members.map(|(name, value)| (name.clone(), value)).collect()
        }
        Json::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(place, item)| (place.to_string(), item))
                .collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in inner {
        objects(value, &format!("{at}/{name}"), found);
    }
}

#[track_caller]
fn check_warnings(file: &Json, expected: &[&str]) -> Store {
    let mut store = Store::new(PLENTY);
    let opened = open(file.to_string().as_bytes(), &mut store, Now::default());
    assert_eq!(opened.unwrap().warnings, expected, "{file}");
    store
}

const ONE: &str = "Members that this version does not know were left out: 1.";

#[test]
fn a_member_that_nobody_knows_is_counted_wherever_it_stands() {
    check_comes_back(&check_warnings(&full(), &[]));
    let mut places = Vec::new();
    objects(&full(), "", &mut places);
    assert_eq!(places.len(), 24, "{places:#?}");
    for place in places {
        let mut file = full();
        file.pointer_mut(&place).unwrap()["annotations"] = json!({ "by": ["somebody"] });
        check_warnings(&file, &[ONE]);
    }
}

#[test]
fn findings_of_another_version_are_counted_each() {
    let mut file = full();
    file["findings"] = json!([{ "code": "x" }, { "code": "y" }]);
    check_warnings(&file, &[&ONE.replace('1', "2")]);
    file["findings"] = Json::Null;
    check_warnings(&file, &[]);
}
