//! What a span of v0.5 keeps of what was sent, and what its errors name.

use serde_json::{Value as Json, json};

use super::*;
use crate::trace::{Presence, Value};

fn body(json: &Json) -> Vec<u8> {
    rmp_serde::to_vec(json).unwrap()
}

fn payload(body: &[u8]) -> TracerPayload {
    decode(body, &mut ChunkBuilder::default()).unwrap()
}

#[track_caller]
fn refused(json: &Json, expect: &str) {
    let error = decode(&body(json), &mut ChunkBuilder::default()).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

/// A v0.5 map: its keys are numbers, which JSON does not have.
fn with_maps(meta: &[u8], metrics: &[u8]) -> Vec<u8> {
    let mut body =
        b"\x92\x93\xa0\xa1s\xa1a\x91\x91\x9c\x01\x02\x00\x07\x08\x09\x0a\x0b\x01".to_vec();
    body.extend(meta);
    body.extend(metrics);
    body.push(0);
    body
}

#[test]
fn a_span_reads_its_strings_from_the_dictionary() {
    let payload = payload(&with_maps(
        b"\x81\x01\x02",
        b"\x82\x01\xcb\x40\x04\0\0\0\0\0\0\x02\x03",
    ));
    let span = payload.chunks[0].span(0).unwrap();
    assert_eq!(
        (span.service(), span.name(), span.resource()),
        ("s".into(), "a".into(), "".into())
    );
    assert_eq!(span.trace_id().low(), 7);
    assert_eq!((span.span_id().0, span.parent_id().0), (8, 9));
    assert_eq!((span.start().0, span.duration(), span.error()), (10, 11, 1));
    assert!(
        Field::ALL
            .iter()
            .all(|field| span.presence(*field) == Presence::Present)
    );
    assert_eq!(span.meta_text("s"), Some("a".into()));
    let metrics: Vec<_> = span.metrics().collect();
    assert_eq!(
        metrics,
        [("s".into(), Value::Float(2.5)), ("a".into(), Value::Int(3))]
    );
}

#[test]
fn strings_are_resolved_again_in_each_chunk() {
    let span = |trace_id: u64| json!([1, 2, 1, trace_id, 8, 0, 0, 0, 0, {}, {}, 0]);
    let chunks = json!([[span(1), span(1)], [], [span(2)]]);
    let payload = payload(&body(&json!([["", "s", "a"], chunks])));
    assert_eq!((payload.n_chunks, payload.chunks.len()), (3, 2));
    for chunk in &payload.chunks {
        for span in chunk.spans() {
            assert_eq!((span.service(), span.name()), ("s".into(), "a".into()));
        }
    }
}

#[test]
fn nil_stands_for_a_field_that_was_not_set() {
    let span = json!([null, 0, 0, null, 1, null, 0, 0, null, null, null, null]);
    let payload = payload(&body(&json!([[null], [[span]]])));
    let span = payload.chunks[0].span(0).unwrap();
    assert_eq!(span.presence(Field::Service), Presence::Null);
    assert_eq!(span.presence(Field::ParentId), Presence::Null);
    assert_eq!(span.presence(Field::Name), Presence::Present);
    assert_eq!(span.attribute(Attribute::Meta), Some(Value::Null));
}

#[test]
fn a_payload_whose_traces_were_all_dropped_is_fine() {
    let payload = payload(&[0x92, 0x91, 0xa0, 0x90]);
    assert_eq!((payload.n_chunks, payload.chunks.len()), (0, 0));
}

#[test]
fn errors_name_the_field() {
    let span = json!([0, 0, 1, 0, 0, 0, 0, 0, 0, {}, {}, 0]);
    refused(
        &json!([["a"], [[span]]]),
        "[1][0][0].resource: dictionary index 1 out of range: it has 1 strings at byte 9",
    );
    let span = json!([-1, 0, 0, 0, 0, 0, 0, 0, 0, {}, {}, 0]);
    refused(
        &json!([["a"], [[span]]]),
        "[1][0][0].service: dictionary index 18446744073709551615 out of range: it has 1 strings \
         at byte 7",
    );
    refused(
        &json!([[], [[[0]]]]),
        "[1][0][0]: expected 12 elements, found 1 at byte 4",
    );
    refused(
        &json!([[], [], []]),
        "expected 2 elements, found 3 at byte 0",
    );
    refused(
        &json!([[1], []]),
        "[0][0]: expected a string, found an integer at byte 2",
    );
    refused(&json!([]), "expected 2 elements, found 0 at byte 0");
    let error = decode(
        &with_maps(b"\x81\x01\xa1x", b""),
        &mut ChunkBuilder::default(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"[1][0][0].meta["s"]: expected an integer, found a string at byte 21"#
    );
}

#[test]
fn a_dictionary_of_nothing_but_empty_strings_is_bounded() {
    let mut body = vec![0x92, 0xdd, 0, 1, 0, 0];
    body.extend(vec![0xa0; 65_536]);
    body.push(0x90);
    assert!(decode_within(&body, &mut ChunkBuilder::default(), 65_536 * 24).is_ok());
    let error = decode_within(&body, &mut ChunkBuilder::default(), 65_536 * 23).unwrap_err();
    assert!(matches!(error.problem(), Problem::TooLarge(_)), "{error}");
}
