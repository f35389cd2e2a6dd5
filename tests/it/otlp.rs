//! Recorded OTLP of real programs, through the built program: what each said it sent is what the
//! export has. And the port for it, and its answers.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::clients::otlp::{check_ddtrace, check_sdk};
use crate::support::{Finished, Headless, post};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

#[track_caller]
fn check_recorded(name: &str, check: fn(&Value, &[Value])) {
    let program = Headless::start(&["--otlp", "127.0.0.1:0"]);
    let payloads = fixtures().join("payloads");
    let meta = fs::read_to_string(payloads.join(format!("{name}.meta.json"))).unwrap();
    let meta: Value = meta.parse().unwrap();
    let headers = meta["headers"].as_array().unwrap().iter();
    let content_type = headers
        .filter(|pair| pair[0] == "content-type")
        .map(|pair| format!("Content-Type: {}\r\n", pair[1].as_str().unwrap()));
    let headers: String = content_type.collect();
    let body = fs::read(payloads.join(name)).unwrap();
    let path = meta["path"].as_str().unwrap();
    let answer = post(program.otlp_url(), path, &headers, &body);
    assert_eq!(answer.status, 200);
    let finished = program.finish();
    let sent = fixtures().join(format!("expected/{name}.sent.json"));
    let sent: Vec<Value> = serde_json::from_slice(&fs::read(sent).unwrap()).unwrap();
    check(&finished.export, &sent);
}

#[test]
fn recorded_spans_of_the_sdk_are_what_it_said_it_sent() {
    check_recorded("otlp-sdk-1451.protobuf", check_sdk);
    check_recorded("otlp-sdk-1451.json", check_sdk);
}

#[test]
fn recorded_spans_of_ddtrace_are_what_it_said_it_sent() {
    check_recorded("otlp-ddtrace-4160.protobuf", check_ddtrace);
    check_recorded("otlp-ddtrace-4160.json", check_ddtrace);
}

#[test]
fn answers_are_in_the_words_of_otlp() {
    let program = Headless::start(&["--otlp", "127.0.0.1:0"]);
    let (protobuf, json) = ("application/x-protobuf", "application/json");
    let check = |path: &str, content_type: &str, body: &[u8], expect: (u16, &str, &str)| {
        let header = match content_type {
            "" => String::new(),
            content_type => format!("Content-Type: {content_type}\r\n"),
        };
        for url in [program.otlp_url(), program.url()] {
            let answer = post(url, path, &header, body);
            let (status, head, body) = (answer.status, answer.head, answer.body);
            let (expected, expected_type, begins) = expect;
            assert_eq!(status, expected, "{path} {content_type}: {body}");
            assert!(
                head.contains(&format!("content-type: {expected_type}")),
                "{head}"
            );
            assert!(body.starts_with(begins), "{body}");
            assert_eq!(body.is_empty(), begins.is_empty(), "{body}");
        }
    };
    check("/v1/traces", protobuf, b"", (200, protobuf, ""));
    check("/v1/traces", json, b"{}", (200, json, "{}"));
    check(
        "/v1/traces",
        "application/json; charset=utf-8",
        b"{}",
        (200, json, "{}"),
    );
    check("/v1/traces", "", b"", (200, protobuf, ""));
    check("/v1/traces", "", b" {}", (200, json, "{}"));
    check(
        "/v1/traces",
        "text/csv",
        b"a",
        (415, "text/plain", "OTLP is not read as text/csv. "),
    );
    check(
        "/v1/traces",
        protobuf,
        b"\x0a\x05",
        (
            400,
            "text/plain",
            ".resource_spans[0]: the body is cut short",
        ),
    );
    let refused = r#"{"code":3,"message":"[\"resourceSpans\"]: expected an array, found a number at byte 17"}"#;
    check(
        "/v1/traces",
        json,
        br#"{"resourceSpans":1}"#,
        (400, json, refused),
    );
    for path in ["/v1/logs", "/v1/metrics"] {
        check(path, protobuf, b"whatever", (200, protobuf, ""));
        check(path, json, b"{}", (200, json, "{}"));
    }
    let finished = program.finish();
    let request = |path: &str| {
        let mut requests = finished.export["requests"].as_array().unwrap().iter();
        requests.find(|request| request["path"] == path).cloned()
    };
    assert!(request("/v1/logs").is_some() && request("/v1/metrics").is_some());
    assert_eq!(finished.export["counters"]["payloads_refused"], 6);
}

#[test]
fn the_port_for_otlp_is_told_and_keeps_the_rules_of_the_other() {
    let program = Headless::start(&["--otlp", "127.0.0.1:0", "--token", "s3cret"]);
    let url = program.otlp_url().to_owned();
    assert_ne!(url, program.url());
    let json = "Content-Type: application/json\r\n";
    assert_eq!(post(&url, "/v1/traces", json, b"{}").status, 404);
    assert_eq!(post(&url, "/s3cret/v1/traces", json, b"{}").status, 200);
    let finished: Finished = program.finish();
    assert_eq!(finished.export["counters"]["payloads_refused"], 1);
    let off = Headless::start(&[]).finish();
    assert_eq!(off.events[0]["otlp"], Value::Null);
}

#[test]
fn a_packed_body_is_unpacked() {
    let program = Headless::start(&["--otlp", "127.0.0.1:0"]);
    let body = fs::read(fixtures().join("payloads/otlp-sdk-1451.protobuf")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&body).unwrap();
    let headers = "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n";
    let packed = encoder.finish().unwrap();
    assert_eq!(
        post(program.otlp_url(), "/v1/traces", headers, &packed).status,
        200
    );
    let finished = program.finish();
    assert_eq!(finished.export["counters"]["spans_received"], 7);
}
