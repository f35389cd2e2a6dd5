//! Spans in JSON over HTTP to the built program: what it exports is what it exports of the msgpack
//! that says the same.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Answer, Finished, Headless, post};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

#[track_caller]
fn accepted(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, body));
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// The exported traces without what says when and how they came.
fn traces(finished: &Finished) -> Value {
    let mut traces = finished.export["traces"].clone();
    for trace in traces.as_array_mut().unwrap() {
        trace.as_object_mut().unwrap().remove("arrivals");
    }
    traces
}

#[test]
fn a_body_in_json_exports_as_its_msgpack_does() {
    let names = [
        "docproc-v04-412-1",
        "docproc-pywriter-v04-412-2",
        "error-span-v04-412",
        "fanout-40-asyncio-v04-412",
        "span-events-native-v04-412",
        "span-links-v04-412",
        "tag-types-v04-412",
    ];
    let (as_json, as_msgpack) = (Headless::start(&[]), Headless::start(&[]));
    for (index, name) in names.iter().enumerate() {
        let body = fs::read(fixture(&format!("payloads/{name}.msgpack"))).unwrap();
        let same: Value = rmp_serde::from_slice(&body).unwrap();
        let path = ["/v0.2/traces", "/v0.3/traces", "/v0.4/traces"][index % 3];
        let answer = post(as_json.url(), path, JSON, same.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = post(as_msgpack.url(), "/v0.4/traces", "", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let (as_json, as_msgpack) = (as_json.finish(), as_msgpack.finish());
    assert_eq!(traces(&as_json), traces(&as_msgpack));
    assert!(as_json.export["traces"].as_array().unwrap().len() >= names.len());
    assert_eq!(as_json.export["counters"]["payloads_refused"], 0);
}

#[test]
fn spans_without_chunks_become_traces() {
    let program = Headless::start(&[]);
    let spans = json!([
        { "trace_id": 1, "span_id": u64::MAX, "name": "a", "start": 1, "duration": 5 },
        { "trace_id": 2, "span_id": 20, "name": "b", "start": 2, "duration": 5 },
        { "trace_id": 1, "span_id": 11, "parent_id": u64::MAX.to_string(), "name": "c", "start": 3, "duration": 1 },
    ])
    .to_string();
    let ok = |path, body: &str| {
        accepted(
            &post(program.url(), path, JSON, body.as_bytes()),
            200,
            "OK\n",
        );
    };
    ok("/v0.1/spans", &spans);
    ok("/spans", r#"[{"trace_id": 3, "span_id": 30, "name": "d"}]"#);
    ok(
        "/v0.2/traces",
        r#"[[{"trace_id": 4, "span_id": 40, "name": "e"}]]"#,
    );
    let msgpack = "Content-Type: application/msgpack\r\n";
    for path in ["/v0.1/spans", "/spans", "/v0.2/traces"] {
        let answer = post(program.url(), path, msgpack, &[0x90]);
        assert_eq!(answer.status, 415, "{answer:?}");
    }
    let finished = program.finish();
    let exported = finished.export["traces"].as_array().unwrap();
    let roots: Vec<_> = exported.iter().map(|trace| &trace["root"]).collect();
    assert_eq!(roots, ["a", "b", "d", "e"]);
    assert_eq!(exported[0]["spans"][1]["parent_id"], u64::MAX.to_string());
    assert_eq!(finished.export["counters"]["chunks_received"], 4);
    assert_eq!(finished.export["counters"]["payloads_refused"], 3);
}

#[test]
fn what_a_recorded_client_sends_without_an_agent_is_shown() {
    let program = Headless::start(&[]);
    let body = fs::read(fixture("json/agentless-416.json.zst")).unwrap();
    let meta = fs::read_to_string(fixture("json/agentless-416.json.zst.meta.json")).unwrap();
    let meta: Value = meta.parse().unwrap();
    let headers = meta["headers"].as_array().unwrap().iter();
    let headers = headers.map(|pair| [0, 1].map(|side| pair[side].as_str().unwrap()));
    // What the test's own request says of itself is left out.
    let headers = headers.filter(|[name, _]| !["host", "content-length"].contains(name));
    let headers: Vec<_> = headers.map(|pair| pair.join(": ") + "\r\n").collect();
    let headers = headers.concat();
    let answer = post(
        program.url(),
        meta["path"].as_str().unwrap(),
        &headers,
        &body,
    );
    accepted(&answer, 202, "{}");
    let lines = br#"[{"message":"a line"}]"#;
    accepted(&post(program.url(), "/v1/input", JSON, lines), 202, "{}");
    let finished = program.finish();

    let sent: Value = serde_json::from_slice(&zstd::decode_all(&body[..]).unwrap()).unwrap();
    let exported = finished.export["traces"].as_array().unwrap();
    assert_eq!(exported.len(), 2);
    for (exported, sent) in exported.iter().zip(sent["traces"].as_array().unwrap()) {
        assert_eq!(exported["tracer"]["tracer_version"], sent["tracerVersion"]);
        let first = &sent["spans"][0];
        let high = first["meta"]["_dd.p.tid"].as_str().unwrap();
        let low = first["trace_id"].as_str().unwrap();
        assert_eq!(exported["trace_id"], format!("{high}{low}"));
        let spans = exported["spans"].as_array().unwrap();
        for (span, sent) in spans.iter().zip(sent["spans"].as_array().unwrap()) {
            for id in ["span_id", "parent_id"] {
                let sent = u64::from_str_radix(sent[id].as_str().unwrap(), 16).unwrap();
                assert_eq!(span[id], sent.to_string());
            }
            for field in [
                "name", "resource", "service", "error", "start", "duration", "type", "meta",
                "metrics",
            ] {
                assert_eq!(span[field], sent[field], "{field}");
            }
        }
    }
    let counters = &finished.export["counters"];
    assert_eq!(
        (&counters["spans_received"], &counters["logs_received"]),
        (&json!(4), &json!(1))
    );
}

#[test]
fn json_that_is_cut_or_wrong_is_refused_with_the_place() {
    let program = Headless::start(&[]);
    let refused = |path, body: &str, reason: &str| {
        let headers = format!("{JSON}X-Datadog-Trace-Count: 1\r\n");
        let answer = post(program.url(), path, &headers, body.as_bytes());
        accepted(&answer, 400, &format!("{reason}\n"));
    };
    refused(
        "/v0.4/traces",
        r#"[[{"trace_id":1},{"meta":{"http.url":7}}]]"#,
        r#"[0][1].meta["http.url"]: expected a string, found an integer at byte 37"#,
    );
    refused(
        "/v0.1/spans",
        r#"[{"trace_id":1},{"name":"a"#,
        "[1].name: the body is cut short: its JSON does not end at byte 26",
    );
    refused(
        "/v1/input",
        r#"{"traces":[{"spans":[{"trace_id":"x"}]}]}"#,
        ".traces[0].spans[0].trace_id: expected an id of 16 hex digits, found a string that is none at byte 33",
    );
    let depth = "[".repeat(1_000_000);
    refused(
        "/v0.4/traces",
        &depth,
        "[0][0]: expected a span, found an array at byte 2",
    );
    let finished = program.finish();
    assert_eq!(finished.export["counters"]["chunks_undecodable"], 4);
    assert_eq!(finished.events_named("refused").count(), 4);
}
