//! Printed spans: what serde reads in a line is what we read.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::trace::{Presence, Span, Value};

fn read(line: &str) -> Result<TracerPayload, DecodeError> {
    decode(Raw::whole(line).unwrap(), &mut ChunkBuilder::default())
}

#[track_caller]
fn check_error(span: Json, expected: &str) {
    let line = json!({"traces": [[span]]}).to_string();
    assert_eq!(read(&line).unwrap_err().to_string(), expected, "{line}");
}

#[test]
fn lines_with_spans_are_told_from_others() {
    let is = |line| is_traces(Raw::whole(line).unwrap());
    assert!(is(r#"{"traces": [[{"trace_id": "AB"}]]}"#));
    assert!(is(r#"{"traces": []}"#));
    assert!(!is(r#"{"traces": 5}"#));
    assert!(!is(r#"{"traces": ["a"]}"#));
    assert!(!is(r#"{"event": "x", "traces": [[]]}"#));
    assert!(!is("[]"));
    assert!(begins_traces(r#"{"traces": [[{"#));
    assert!(begins_traces(r#" { "traces""#));
    assert!(!begins_traces(r#"{"traces_seen": 1"#));
    assert!(!begins_traces(r#"{"event""#));
}

#[test]
fn ids_are_hex_in_either_case_and_numbers_too() {
    let span = json!({"trace_id": "F520A4F69E68AEF2", "span_id": "8912eae04297a60a", "parent_id": u64::MAX, "error": true, "start": -1, "duration": 5.0});
    let payload = read(&json!({"traces": [[span]]}).to_string()).unwrap();
    let span = payload.chunks[0].span(0).unwrap();
    assert_eq!(payload.chunks[0].trace_id().0, 0xF520_A4F6_9E68_AEF2);
    assert_eq!(span.span_id().0, 0x8912_EAE0_4297_A60A);
    assert_eq!(span.parent_id().0, u64::MAX);
    assert_eq!((span.error(), span.start().0, span.duration()), (1, -1, 5));
    assert_eq!(span.presence(Field::Service), Presence::Absent);
}

#[test]
fn errors_name_their_place() {
    check_error(
        json!({"span_id": "no id"}),
        "[0][0].span_id: expected an id of 16 hex digits, found a string at byte 23",
    );
    check_error(
        json!({"meta": {"a": 1}}),
        "[0][0].meta[\"a\"]: expected a string, found a number at byte 25",
    );
    check_error(
        json!([]),
        "[0][0]: expected a span, found an array at byte 12",
    );
    check_error(
        json!({"name": null, "start": "soon"}),
        "[0][0].start: expected a whole number, found a string at byte 33",
    );
}

#[test]
fn a_small_line_does_not_become_a_large_payload() {
    // Every span is a record of 64 bytes in memory and two characters in the line.
    let line = format!(r#"{{"traces":[[{}{{}}]]}}"#, "{},".repeat(2_000_000));
    assert!(read(&line).is_err());
}

fn same(value: Value<'_>, json: &Json) -> bool {
    match (value, json) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(bool), Json::Bool(other)) => bool == *other,
        (Value::Int(int), Json::Number(number)) => number.as_i64() == Some(int),
        (Value::Uint(uint), Json::Number(number)) => number.as_u64() == Some(uint),
        (Value::Float(float), Json::Number(number)) => number.as_f64() == Some(float),
        (Value::Text(text), Json::String(other)) => text == other.as_str(),
        (Value::Array(items), Json::Array(others)) => {
            items.count() == others.len()
                && items.zip(others).all(|(item, other)| same(item, other))
        }
        (Value::Map(entries), Json::Object(others)) => {
            entries.count() == others.len()
                && entries
                    .zip(others)
                    .all(|((key, value), (name, other))| key == name.as_str() && same(value, other))
        }
        _ => false,
    }
}

#[track_caller]
fn check_span(span: Span<'_>, json: &Json) {
    let ids = [
        ("span_id", span.span_id().0),
        ("parent_id", span.parent_id().0),
    ];
    for (name, id) in ids {
        assert_eq!(format!("{id:016X}"), json[name].as_str().unwrap());
    }
    for (name, text) in [
        ("service", span.service()),
        ("name", span.name()),
        ("resource", span.resource()),
    ] {
        assert_eq!(text, json[name].as_str().unwrap());
    }
    assert_eq!(Some(span.start().0), json["start"].as_i64());
    assert_eq!(Some(span.duration()), json["duration"].as_i64());
    let attributes: Vec<_> = span.attributes().collect();
    for (attribute, value) in &attributes {
        assert!(same(*value, &json[attribute.name()]), "{json}");
    }
    let named = ["meta", "metrics", "span_links"];
    let expected = named.iter().filter(|name| json.get(**name).is_some());
    assert_eq!(attributes.len(), expected.count());
}

#[test]
fn recorded_lines_say_what_serde_reads_in_them() {
    let recorded = [
        include_str!("../../../tests/fixtures/lines/logwriter-412.stdout.txt"),
        include_str!("../../../tests/fixtures/lines/logwriter-partial-412.stdout.txt"),
        include_str!("../../../tests/fixtures/lines/logwriter-links-412.stdout.txt"),
        include_str!("../../../tests/fixtures/lines/logwriter-error-412.stdout.txt"),
    ];
    let mut n_spans = 0;
    for line in recorded.iter().flat_map(|text| text.lines()) {
        let Ok(object) = Raw::whole(line) else {
            continue;
        };
        if !is_traces(object) {
            continue;
        }
        let expected: Json = serde_json::from_str(line).unwrap();
        let payload = read(line).unwrap();
        assert_eq!(payload.n_chunks, 1);
        assert_eq!(&*payload.tracer.language, "python");
        let spans = expected["traces"][0].as_array().unwrap();
        assert_eq!(payload.chunks[0].len(), spans.len());
        for (span, expected) in payload.chunks[0].spans().zip(spans) {
            check_span(span, expected);
            n_spans += 1;
        }
    }
    assert_eq!(n_spans, 26);
}

proptest! {
    #[test]
    fn any_object_is_a_payload_or_an_error(text in r#"\{"traces":\[\[\{("(meta|metrics|trace_id|x|error|span_links)":("[0-9A-F]{16}"|[0-9]{1,20}|null|true|\{"a":[1-9]\}|\[\{\}\]),?){0,4}"#) {
        for end in ["}]]}", "]]}", "}]}", "}],5]}"] {
            let line = format!("{}{end}", text.trim_end_matches(','));
            if let Ok(object) = Raw::whole(&line) {
                let _ = decode(object, &mut ChunkBuilder::default());
            }
        }
    }
}
