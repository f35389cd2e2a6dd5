//! What a payload of v0.7 says of itself, of its chunks and in its spans.

use serde_json::{Value as Json, json};

use super::*;
use crate::trace::{SamplingFacts, SamplingPriority, TraceId, TracerInfo};

fn body(json: &Json) -> Vec<u8> {
    rmp_serde::to_vec(json).unwrap()
}

fn payload(body: &[u8]) -> TracerPayload {
    decode(body, &mut ChunkBuilder::default()).unwrap()
}

/// What is said of a chunk with this beside one span.
#[track_caller]
fn check(chunk: Json, expect: Option<&ChunkFacts>) {
    let mut chunk = chunk;
    chunk["spans"] = json!([{ "trace_id": 1, "meta": { "a": "b" } }]);
    let payload = payload(&body(&json!({ "chunks": [chunk] })));
    assert_eq!(payload.chunks[0].facts(), expect);
    let span = payload.chunks[0].span(0).unwrap();
    assert_eq!(
        (span.meta().count(), span.metrics().count()),
        (1, 0),
        "no span gains a tag"
    );
}

#[track_caller]
fn refused(body: &[u8], expect: &str) {
    let error = decode(body, &mut ChunkBuilder::default()).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

#[test]
fn the_example_of_the_document_is_read() {
    let payload =
        payload(b"\x81\xa6chunks\x91\x82\xa8priority\x01\xa5spans\x91\x81\xa8trace_id\x01");
    assert_eq!((payload.n_chunks, payload.n_spans()), (1, 1));
    let chunk = &payload.chunks[0];
    assert_eq!(chunk.trace_id(), TraceId(1));
    assert_eq!(chunk.facts().unwrap().priority, Some(1));
    assert!(payload.tracer.is_empty());
}

#[test]
fn what_is_said_of_the_tracer_stays_with_the_payload() {
    let said = json!({
        "container_id": "c", "language_name": "python", "language_version": "3.11",
        "tracer_version": "4.1.2", "runtime_id": "r", "env": "prod", "hostname": "h",
        "app_version": "1.0", "tags": { "z": "1", "a": "2" }, "later": [{ "unknown": 1 }],
        "chunks": [{ "spans": [{ "trace_id": 1 }] }],
    });
    let payload = payload(&body(&said));
    let expect = TracerInfo {
        language: "python".into(),
        language_version: "3.11".into(),
        tracer_version: "4.1.2".into(),
        container_id: "c".into(),
        runtime_id: "r".into(),
        env: "prod".into(),
        hostname: "h".into(),
        app_version: "1.0".into(),
        tags: Box::new([("z".into(), "1".into()), ("a".into(), "2".into())]),
    };
    assert_eq!(*payload.tracer, expect);
    assert_eq!(payload.chunks[0].facts(), None);
    assert_eq!(payload.chunks[0].span(0).unwrap().attributes().count(), 0);
}

#[test]
fn what_is_said_of_a_chunk_stays_with_it() {
    let priority = |priority| ChunkFacts {
        priority: Some(priority),
        ..ChunkFacts::default()
    };
    check(json!({}), None);
    check(
        json!({ "priority": null, "origin": null, "tags": null, "dropped_trace": null }),
        None,
    );
    check(
        json!({ "origin": "", "tags": {}, "dropped_trace": false, "later": [[1]] }),
        None,
    );
    check(json!({ "priority": 0 }), Some(&priority(0)));
    check(json!({ "priority": -128 }), Some(&priority(-128)));
    let all = json!({
        "priority": 2, "origin": "rum", "dropped_trace": true, "tags": { "_dd.p.dm": "-4", "b": null },
    });
    let expect = ChunkFacts {
        priority: Some(2),
        origin: "rum".into(),
        dropped_trace: true,
        tags: Box::new([("_dd.p.dm".into(), "-4".into()), ("b".into(), "".into())]),
    };
    check(all, Some(&expect));
}

#[test]
fn nil_and_bin_are_taken_where_the_agent_is_stricter() {
    let payload = payload(
        b"\x83\xc4\x03env\xc4\x01p\xa4tags\xc0\xa6chunks\x94\xc0\x80\x81\xa5spans\xc0\x81\xa5spans\x92\xc0\x80",
    );
    assert_eq!(&*payload.tracer.env, "p");
    assert_eq!(
        (payload.n_chunks, payload.chunks.len(), payload.n_spans()),
        (4, 1, 1)
    );
    assert_eq!(
        decode(
            &body(&json!({ "chunks": null })),
            &mut ChunkBuilder::default()
        )
        .unwrap()
        .n_chunks,
        0
    );
    assert_eq!(
        decode(&[0x80, 1], &mut ChunkBuilder::default())
            .unwrap()
            .n_chunks,
        0
    );
}

#[test]
fn texts_that_are_not_utf8_are_repaired() {
    let payload = payload(b"\x81\xa3env\xa2a\xff");
    assert_eq!(&*payload.tracer.env, "a\u{fffd}");
}

#[test]
fn spans_of_several_traces_in_a_chunk_keep_what_is_said_of_it() {
    let spans = json!([{ "trace_id": 1 }, { "trace_id": 2 }]);
    let payload = payload(&body(
        &json!({ "chunks": [{ "spans": spans, "priority": 2 }] }),
    ));
    assert_eq!((payload.n_chunks, payload.chunks.len()), (1, 2));
    for chunk in &payload.chunks {
        assert_eq!(chunk.facts().unwrap().priority, Some(2));
    }
}

#[test]
fn errors_name_the_place_and_the_byte() {
    refused(
        b"",
        "the body is cut short: it needs 1 more bytes and has 0 at byte 0",
    );
    refused(&[0x90], "expected a map, found an array at byte 0");
    refused(
        b"\x81\xa6chunks\x91\x81\xa5spans\x91\x81\xa4name\x05",
        ".chunks[0].spans[0].name: expected a string, found an integer at byte 23",
    );
    refused(
        b"\x81\xa6chunks\x91\x81\xa8priority\xa1a",
        ".chunks[0].priority: expected an integer, found a string at byte 19",
    );
    refused(
        &body(&json!({ "chunks": [{ "priority": 1_u64 << 31 }] })),
        ".chunks[0].priority: the number 2147483648 does not fit in 32 bits with a sign at byte 19",
    );
    refused(
        &body(&json!({ "tags": { "a": 1 } })),
        ".tags[\"a\"]: expected a string, found an integer at byte 9",
    );
    refused(
        &body(&json!({ "chunks": [{ "dropped_trace": 1 }] })),
        ".chunks[0].dropped_trace: expected a boolean, found an integer at byte 24",
    );
}

#[test]
fn sampling_is_read_from_the_chunk_where_no_span_says_it() {
    let facts = ChunkFacts {
        priority: Some(2),
        tags: Box::new([("_dd.p.dm".into(), "-4".into())]),
        ..ChunkFacts::default()
    };
    let sampling = SamplingFacts::default().or_of_chunk(&facts);
    assert_eq!(sampling.priority, Some(SamplingPriority::USER_KEEP));
    assert_eq!(sampling.mechanism().unwrap().0, 4);
    let said = SamplingFacts {
        priority: Some(SamplingPriority::AUTO_REJECT),
        ..SamplingFacts::default()
    };
    assert_eq!(
        said.or_of_chunk(&facts).priority,
        Some(SamplingPriority::AUTO_REJECT)
    );
    let none = ChunkFacts {
        priority: Some(-128),
        ..ChunkFacts::default()
    };
    assert_eq!(SamplingFacts::default().or_of_chunk(&none).priority, None);
}
