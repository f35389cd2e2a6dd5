//! What a span of v0.4 keeps of what was sent, and what its errors name.

use serde_json::{Value as Json, json};

use super::*;
use crate::trace::{Presence, Span, TraceChunk, Value};
use crate::wire::Problem;

/// The body that says this, with the shortest form of every number.
fn body(json: &Json) -> Vec<u8> {
    rmp_serde::to_vec(json).unwrap()
}

fn payload(body: &[u8]) -> TracerPayload {
    decode(body, &mut ChunkBuilder::default()).unwrap()
}

/// The chunk with one span with these fields.
fn chunk(fields: &Json) -> TraceChunk {
    payload(&body(&json!([[fields]]))).chunks.pop().unwrap()
}

#[track_caller]
fn check(fields: &Json, expect: impl FnOnce(Span<'_>)) {
    expect(chunk(fields).span(0).unwrap());
}

#[track_caller]
fn refused(body: &[u8], expect: &str) {
    let error = decode(body, &mut ChunkBuilder::default()).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

#[track_caller]
fn field_refused(fields: &Json, expect: &str) {
    refused(&body(&json!([[fields]])), expect);
}

#[test]
fn what_is_missing_stays_missing_and_nil_stays_nil() {
    check(
        &json!({ "name": null, "start": null, "meta": null, "service": "" }),
        |span| {
            for field in Field::ALL {
                let expect = match field {
                    Field::Name | Field::Start => Presence::Null,
                    Field::Service => Presence::Present,
                    _ => Presence::Absent,
                };
                assert_eq!(span.presence(field), expect, "{field:?}");
            }
            assert_eq!(span.attribute(Attribute::Meta), Some(Value::Null));
            assert_eq!(span.attribute(Attribute::Metrics), None);
        },
    );
    check(
        &json!({ "meta": {}, "metrics": {}, "span_links": [] }),
        |span| {
            assert!(
                span.attribute(Attribute::Meta)
                    .unwrap()
                    .entries()
                    .is_empty()
            );
            assert_eq!(span.attributes().count(), 3);
        },
    );
}

#[test]
fn the_type_of_a_metric_is_kept() {
    let metrics = json!({ "a": 1, "b": 1.0, "c": -1, "d": u64::MAX, "e": null, "f": 0.1 });
    check(&json!({ "metrics": metrics }), |span| {
        let values: Vec<_> = span.metrics().map(|(_, value)| value).collect();
        let expect = [
            Value::Int(1),
            Value::Float(1.0),
            Value::Int(-1),
            Value::Uint(u64::MAX),
            Value::Null,
            Value::Float(0.1),
        ];
        assert_eq!(values, expect);
    });
}

#[test]
fn nan_and_short_floats_are_kept() {
    let mut bytes = b"\x91\x91\x81\xa7metrics\x82\xa1a\xcb\x7f\xf8\0\0\0\0\0\0\xa1b\xca".to_vec();
    bytes.extend(0.1_f32.to_be_bytes());
    let payload = payload(&bytes);
    let span = payload.chunks[0].span(0).unwrap();
    assert!(span.metric("a").unwrap().is_nan());
    assert_eq!(span.metric("b"), Some(f64::from(0.1_f32)));
}

#[test]
fn ids_are_64_bits_whatever_their_sign() {
    let fields = json!({ "trace_id": u64::MAX, "span_id": -1, "parent_id": i64::MIN });
    check(&fields, |span| {
        assert_eq!(span.trace_id().low(), u64::MAX);
        assert_eq!(span.span_id().0, u64::MAX);
        assert_eq!(span.parent_id().0, 1 << 63);
    });
}

#[test]
fn an_error_may_be_a_number_or_a_boolean() {
    for (error, expect) in [
        (json!(0), 0),
        (json!(1), 1),
        (json!(true), 1),
        (json!(-7), -7),
    ] {
        check(&json!({ "error": error }), |span| {
            assert_eq!(span.error(), expect);
        });
    }
    field_refused(
        &json!({ "error": 1_u64 << 31 }),
        "[0][0].error: the number 2147483648 does not fit in 32 bits with a sign at byte 9",
    );
}

#[test]
fn links_and_events_are_kept_as_they_came() {
    let link = json!({ "trace_id": 1, "span_id": 2, "flags": 1_u32 << 31, "new": [null, true] });
    let event = json!({ "name": "e", "time_unix_nano": 5, "attributes": { "k": { "type": 1 } } });
    check(
        &json!({ "span_links": [link, null], "span_events": [event] }),
        |span| {
            let links: Vec<_> = span.links().collect();
            assert_eq!(links.len(), 2);
            assert_eq!((links[0].span_id.0, links[0].flags), (2, Some(1 << 31)));
            let link = span
                .attribute(Attribute::SpanLinks)
                .unwrap()
                .items()
                .next()
                .unwrap();
            let new: Vec<_> = link.entries().find("new").unwrap().items().collect();
            assert_eq!(new, [Value::Null, Value::Bool(true)]);
            assert_eq!(span.events().next().unwrap().time.0, 5);
        },
    );
}

#[test]
fn an_event_may_say_its_time_as_a_float() {
    let event = |time: serde_json::Value| json!({ "name": "e", "time_unix_nano": time });
    let times = [
        (
            json!(1_795_204_425_000_000_000.0),
            1_795_204_425_000_000_000,
        ),
        (json!(1e300), i64::MAX),
        (json!(-1.0), 0),
        (json!("5"), 0),
    ];
    for (sent, expected) in times {
        check(&json!({ "span_events": [event(sent)] }), |span| {
            assert_eq!(span.events().next().unwrap().time.0, expected);
        });
    }
}

#[test]
fn fields_without_a_name_here_are_kept_as_bytes() {
    let fields = json!({ "later": { "a": [1, 2] }, "name": "n", "": 3 });
    check(&fields, |span| {
        assert_eq!(span.name(), "n");
        let unknown: Vec<_> = span
            .attribute(Attribute::Unknown)
            .unwrap()
            .entries()
            .collect();
        assert_eq!(
            unknown[0],
            (
                "later".into(),
                Value::Bytes(&[0x81, 0xa1, b'a', 0x92, 1, 2])
            )
        );
        assert_eq!(unknown[1], ("".into(), Value::Bytes(&[3])));
        assert_eq!(unknown.len(), 2);
    });
    let two = payload(&body(&json!([[{ "x": 1 }, { "name": "n" }]])));
    assert_eq!(
        two.chunks[0].span(1).unwrap().attribute(Attribute::Unknown),
        None
    );
}

#[test]
fn structured_tags_are_bytes() {
    let payload = payload(b"\x91\x91\x81\xabmeta_struct\x82\xa1a\xc4\x02\x81\x00\xa1b\xc0");
    let span = payload.chunks[0].span(0).unwrap();
    let tags: Vec<_> = span
        .attribute(Attribute::MetaStruct)
        .unwrap()
        .entries()
        .collect();
    assert_eq!(
        tags,
        [
            ("a".into(), Value::Bytes(&[0x81, 0])),
            ("b".into(), Value::Null)
        ]
    );
}

#[test]
fn text_that_is_not_utf8_is_kept() {
    let payload = payload(b"\x91\x91\x82\xa4name\xa2\xff\xfe\xa4meta\x81\xa1\xff\xc4\x01\xfe");
    let span = payload.chunks[0].span(0).unwrap();
    assert_eq!(span.name().as_bytes(), b"\xff\xfe");
    let (key, value) = span.meta().next().unwrap();
    assert_eq!(
        (key.as_bytes(), value.as_text().unwrap().as_bytes()),
        (&b"\xff"[..], &b"\xfe"[..])
    );
}

#[test]
fn empty_and_missing_chunks_are_counted_and_bring_nothing() {
    let bare = payload(&body(&json!([[], null, [{}], [null]])));
    assert_eq!(
        (bare.n_chunks, bare.chunks.len(), bare.n_spans()),
        (4, 1, 1)
    );
    assert_eq!(payload(&[0x90]).n_chunks, 0);
    assert_eq!(payload(&[0xc0]).n_chunks, 0);
}

#[test]
fn what_follows_the_payload_is_ignored() {
    assert_eq!(payload(&[0x91, 0x91, 0x80, 0xc1, 0xff]).n_spans(), 1);
}

#[test]
fn the_high_half_of_the_trace_id_comes_from_its_tag() {
    let fields = json!({ "trace_id": 1, "meta": { "_dd.p.tid": "6b00acf300000000" } });
    check(&fields, |span| {
        assert_eq!(
            span.trace_id().to_string(),
            "6b00acf3000000000000000000000001"
        );
    });
}

#[test]
fn errors_name_the_field() {
    refused(
        &[],
        "the body is cut short: it needs 1 more bytes and has 0 at byte 0",
    );
    refused(&[5], "expected an array, found an integer at byte 0");
    refused(
        &[0x91, 0x80],
        "[0]: expected an array, found a map at byte 1",
    );
    refused(
        &[0x91, 0x92, 0x80, 0xa0],
        "[0][1]: expected a map, found a string at byte 3",
    );
    refused(
        &[0x91, 0x91, 0x81, 0x05, 0x05],
        "[0][0]: expected a string, found an integer at byte 3",
    );
    field_refused(
        &json!({ "meta": { "foo": 1 } }),
        r#"[0][0].meta["foo"]: expected a string, found an integer at byte 13"#,
    );
    field_refused(
        &json!({ "metrics": { "foo": "1" } }),
        r#"[0][0].metrics["foo"]: expected a number, found a string at byte 16"#,
    );
    field_refused(
        &json!({ "start": 1.5 }),
        "[0][0].start: expected an integer, found a float at byte 9",
    );
    field_refused(
        &json!({ "span_links": [{}, 1] }),
        "[0][0].span_links[1]: expected a map, found an integer at byte 16",
    );
}

#[test]
fn values_nest_as_deep_as_the_model_holds_and_no_deeper() {
    let nested = |depth: usize| {
        let mut body = b"\x91\x91\x81\xabspan_events\x91\x81\xa1a".to_vec();
        body.extend(vec![0x91; depth - 2]);
        body.push(0xc0);
        body
    };
    assert_eq!(payload(&nested(64)).n_spans(), 1);
    let error = decode(&nested(65), &mut ChunkBuilder::default()).unwrap_err();
    assert_eq!(*error.problem(), Problem::TooDeep { max: 64 });
    assert!(decode(&nested(1_000_000), &mut ChunkBuilder::default()).is_err());
}
