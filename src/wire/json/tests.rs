//! Bodies in JSON against the msgpack that says the same; and what strangers make of them.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::trace::{Attribute, Entries, Field, Presence, Span, Value};
use crate::wire::sent::{self, Sent, SentSpan};
use crate::wire::v04;

fn fixture(name: &str) -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/json");
    fs::read(fixtures.join(name)).unwrap()
}

fn chunks(body: &str) -> Result<TracerPayload, DecodeError> {
    decode_chunks(body.as_bytes(), &mut ChunkBuilder::default())
}

#[track_caller]
fn check(span: &Json, expect: impl FnOnce(Span<'_>)) {
    let payload = chunks(&json!([[span]]).to_string()).unwrap();
    expect(payload.chunks[0].span(0).unwrap());
}

#[track_caller]
fn refused(body: &str, expect: &str) {
    assert_eq!(chunks(body).unwrap_err().to_string(), expect);
}

/// Asserts that two payloads say the same, absent ids told from ids that are 0.
#[track_caller]
fn check_twins(payload: &TracerPayload, twin: &TracerPayload) {
    assert_eq!(payload.n_chunks, twin.n_chunks);
    assert_eq!(payload.chunks.len(), twin.chunks.len());
    for (chunk, twin) in payload.chunks.iter().zip(&twin.chunks) {
        assert_eq!(chunk.trace_id(), twin.trace_id());
        assert_eq!(chunk.len(), twin.len());
        for (span, twin) in chunk.spans().zip(twin.spans()) {
            assert!(span.same_as(twin), "{span:?}\nis not\n{twin:?}");
            for field in Field::ALL {
                assert_eq!(span.presence(field), twin.presence(field), "{field:?}");
            }
        }
    }
}

/// Whether JSON has a way to say a value, base64 left aside.
fn is_sayable(value: &Sent) -> bool {
    match value {
        Sent::Bytes(_) => false,
        Sent::Array(items) => items.iter().all(is_sayable),
        Sent::Map(entries) => entries.iter().all(|(_, value)| is_sayable(value)),
        // Kept as msgpack, two NaNs are told apart.
        Sent::Float(float) => !float.is_nan(),
        _ => true,
    }
}

/// Writes a value as a client would that writes floats as Python does.
fn write(out: &mut String, value: &Sent) {
    let text = |text: &str| serde_json::to_string(text).unwrap();
    match value {
        Sent::Nil => out.push_str("null"),
        Sent::Bool(bool) => *out += &bool.to_string(),
        Sent::Int(int) => *out += &int.to_string(),
        Sent::Uint(uint) => *out += &uint.to_string(),
        Sent::Float(float) => *out += &format!("{float:?}").replace("inf", "Infinity"),
        Sent::Text(string) => *out += &text(string),
        Sent::Bytes(bytes) => *out += &text(&STANDARD.encode(bytes)),
        Sent::Array(items) => write_all(out, "[]", items, write),
        Sent::Map(entries) => write_all(out, "{}", entries, |out, (key, value)| {
            *out += &(text(key) + ": ");
            write(out, value);
        }),
    }
}

fn write_all<T>(out: &mut String, ends: &str, items: &[T], mut item: impl FnMut(&mut String, &T)) {
    let (open, close) = ends.split_at(1);
    *out += open;
    for (index, one) in items.iter().enumerate() {
        *out += if index == 0 { "" } else { " ,\n" };
        item(out, one);
    }
    *out += close;
}

fn write_chunks(chunks: &[Vec<SentSpan>]) -> String {
    let mut out = String::new();
    write_all(&mut out, "[]", chunks, |out, chunk| {
        write_all(out, "[]", chunk, |out, span| {
            write(out, &Sent::Map(span.clone()));
        });
    });
    out
}

/// The chunks with the fields that JSON has a way to say.
fn sayable() -> impl Strategy<Value = Vec<Vec<SentSpan>>> {
    let keep = |(name, value): &(String, Sent)| {
        matches!(&**name, "meta_struct" | "metrics") || is_sayable(value)
    };
    sent::chunks(sent::span_v04()).prop_map(move |mut chunks| {
        let spans = chunks.iter_mut().flatten();
        spans.for_each(|span| span.retain(keep));
        chunks
    })
}

/// Bytes that look like the beginning of something more often than chance would have it.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\\",
        "\"meta\":{",
        "\"metrics\":{",
        "\"later\":",
        "\"span_links\":[",
        "\"meta_struct\":{",
        "\"trace_id\":",
        "\"spans\":[",
        "\"traces\":[",
        "\"a\":",
        "\"AAA=\"",
        "1",
        "-1",
        "1e999",
        "18446744073709551616",
        "null",
        "true",
        "NaN",
        " ",
        "\\ud800",
        "\u{0}",
        "é",
    ]);
    vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

const FORMS: [Form; 3] = [Form::Chunks, Form::Spans, Form::Traces];

fn survives(body: &[u8], limit_bytes: usize) {
    let mut builder = ChunkBuilder::default();
    for form in FORMS {
        match decode(body, &mut builder, limit_bytes, form) {
            Ok(payload) => assert!(payload.heap_bytes() <= limit_bytes + 64),
            Err(error) => assert!(error.offset() <= body.len(), "{error}"),
        }
        let after = decode_chunks(br#"[[{"name":"n"}]]"#, &mut builder).unwrap();
        assert_eq!(after.chunks[0].span(0).unwrap().name(), "n");
    }
}

proptest! {
    #[test]
    fn json_and_msgpack_of_the_same_spans_say_the_same(sent in sayable()) {
        let payload = chunks(&write_chunks(&sent)).unwrap();
        let twin = v04::decode(&sent::encode_v04(&sent), &mut ChunkBuilder::default()).unwrap();
        check_twins(&payload, &twin);
    }

    #[test]
    fn a_flat_array_says_the_same_as_its_one_chunk(sent in sayable()) {
        let spans = sent.concat();
        let mut flat = write_chunks(std::slice::from_ref(&spans));
        flat.pop();
        let payload = decode_spans(&flat.as_bytes()[1..], &mut ChunkBuilder::default()).unwrap();
        let twin = v04::decode(&sent::encode_v04(&[spans]), &mut ChunkBuilder::default()).unwrap();
        prop_assert_eq!(payload.n_chunks, usize::from(twin.n_spans() > 0));
        check_twins(&TracerPayload { n_chunks: 1, ..payload }, &twin);
    }

    #[test]
    fn a_body_cut_anywhere_is_an_error_with_its_place(sent in sayable(), cut in any::<prop::sample::Index>()) {
        let body = write_chunks(&sent).into_bytes();
        let cut = &body[..cut.index(body.len())];
        let error = decode_chunks(cut, &mut ChunkBuilder::default()).unwrap_err();
        prop_assert!(error.offset() <= cut.len());
        prop_assert!(matches!(error.problem(), Problem::JsonEnds | Problem::WrongType { .. }), "{}", error);
    }

    #[test]
    fn bytes_that_look_like_json_give_a_payload_or_an_error(body in pieces(), limit_bytes in 256_usize..4_000) {
        for head in ["", "[[{", "[{", "{\"traces\":[{\"spans\":[{"] {
            survives(&[head.as_bytes(), &body].concat(), limit_bytes);
        }
    }

    #[test]
    fn any_bytes_give_a_payload_or_an_error(body in vec(any::<u8>(), 0..256)) {
        survives(&body, 1 << 20);
        survives(&[b"[[{\"", &body[..]].concat(), 1 << 20);
    }
}

#[test]
fn every_cut_of_a_recorded_body_is_an_error_with_its_place() {
    let agentless = zstd::decode_all(&fixture("agentless-416.json.zst")[..]).unwrap();
    let bodies = [
        (fixture("encoder-412.json"), Form::Chunks),
        (agentless, Form::Traces),
    ];
    let mut builder = ChunkBuilder::default();
    for (body, form) in bodies {
        for length in 0..body.len() {
            let error = decode(&body[..length], &mut builder, 1 << 20, form).unwrap_err();
            assert_eq!(*error.problem(), Problem::JsonEnds, "{error}");
            assert_eq!(error.offset(), length, "{error}");
        }
        assert!(decode(&body, &mut builder, 1 << 20, form).is_ok());
    }
}

/// The spans of a body, which a library reads too, as the one of another encoder.
#[test]
fn ddtraces_json_says_the_same_as_its_msgpack() {
    let body = fixture("encoder-412.json");
    let payload = decode_chunks(&body, &mut ChunkBuilder::default()).unwrap();
    let twin = v04::decode(
        &fixture("encoder-412.msgpack"),
        &mut ChunkBuilder::default(),
    )
    .unwrap();
    assert_eq!((payload.n_chunks, payload.n_spans()), (2, 4));
    for (span, twin) in spans(&payload).zip(spans(&twin)) {
        // One writes links with hex ids, and no parent as null; the order of tags is each its own.
        assert_eq!(said(span), said(twin));
        let links = |span: Span<'_>| {
            let links = span.links().map(|link| {
                let attributes = format!("{:?}", link.attributes);
                (link.trace_id, link.span_id, attributes)
            });
            links.collect::<Vec<_>>()
        };
        assert_eq!(links(span), links(twin));
    }
}

fn spans(payload: &TracerPayload) -> impl Iterator<Item = Span<'_>> {
    payload
        .chunks
        .iter()
        .flat_map(crate::trace::TraceChunk::spans)
}

/// The fields and the tags of a span, each set sorted; an absent field reads as zero.
fn said(span: Span<'_>) -> (Vec<String>, Vec<String>) {
    let fields = Field::ALL.map(|field| match span.field_text(field) {
        Some(text) => format!("{field:?} {text}"),
        None => format!("{field:?} {}", span.field_number(field)),
    });
    let tag = |(key, value): (crate::trace::Text<'_>, Value<'_>)| match value.as_f64() {
        Some(number) => format!("{key} {number}"),
        None => format!("{key} {value:?}"),
    };
    let mut tags: Vec<_> = span.meta().chain(span.metrics()).map(tag).collect();
    tags.sort();
    (fields.to_vec(), tags)
}

#[test]
fn the_agentless_form_says_the_same_as_what_goes_to_an_agent() {
    let body = zstd::decode_all(&fixture("agentless-416.json.zst")[..]).unwrap();
    let payload = decode_traces(&body, &mut ChunkBuilder::default()).unwrap();
    let twin = fixture("agentless-416.msgpack");
    let twin = v04::decode(&twin, &mut ChunkBuilder::default()).unwrap();
    assert_eq!((payload.n_chunks, payload.n_spans()), (2, 4));
    let expected = TracerInfo {
        language: "python".into(),
        language_version: "3.11.7".into(),
        tracer_version: "4.16.0".into(),
        runtime_id: spans(&payload)
            .find_map(|span| span.meta_text("runtime-id"))
            .map(|text| text.to_string().into())
            .unwrap(),
        env: "dev".into(),
        hostname: "vm".into(),
        ..TracerInfo::default()
    };
    assert_eq!(*payload.tracer, expected);
    for (chunk, twin) in payload.chunks.iter().zip(&twin.chunks) {
        assert_eq!(chunk.trace_id(), twin.trace_id());
    }
    // What only the one or the other says: the intake is told what an Agent would work out, and has
    // links as a tag.
    let only_agentless = ["_dd.compute_stats", "_trace_root", "_dd.span_links"];
    for (span, twin) in spans(&payload).zip(spans(&twin)) {
        let ((fields, mut tags), (twin_fields, twin_tags)) = (said(span), said(twin));
        tags.retain(|tag| !only_agentless.iter().any(|key| tag.starts_with(key)));
        assert_eq!(fields, twin_fields);
        assert_eq!(tags, twin_tags);
        let structs = |span: Span<'_>| {
            let structs = span.attribute(Attribute::MetaStruct).map(Value::entries);
            structs.map(|entries: Entries<'_>| {
                entries
                    .map(|(key, value)| match value {
                        Value::Bytes(bytes) => (
                            key.to_string(),
                            rmp_serde::from_slice::<Json>(bytes).unwrap(),
                        ),
                        other => panic!("{other:?}"),
                    })
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(structs(span), structs(twin));
    }
    assert_eq!(
        spans(&payload)
            .filter(|span| span.attribute(Attribute::MetaStruct).is_some())
            .count(),
        1
    );
}

#[test]
fn ids_keep_all_64_bits_as_numbers_and_as_decimal_strings() {
    for id in [u64::MAX, 1 << 53, (1 << 53) + 1, 0] {
        for written in [json!(id), json!(id.to_string())] {
            check(
                &json!({ "trace_id": written, "span_id": written, "parent_id": written }),
                |span| {
                    assert_eq!(
                        (span.trace_id().low(), span.span_id().0, span.parent_id().0),
                        (id, id, id)
                    );
                },
            );
        }
    }
    check(&json!({ "span_id": -1 }), |span| {
        assert_eq!(span.span_id().0, u64::MAX);
    });
    let expected = "[0][0].span_id: expected an id of 64 bits, found";
    for text in [
        "",
        "-1",
        "+1",
        "f520a4f69e68aef2",
        "18446744073709551616",
        " 1",
    ] {
        refused(
            &json!([[{ "span_id": text }]]).to_string(),
            &format!("{expected} a string that is none at byte 13"),
        );
    }
    refused(
        r#"[[{"span_id":1.5}]]"#,
        &format!("{expected} a float at byte 13"),
    );
    refused(
        r#"[[{"span_id":1e3}]]"#,
        &format!("{expected} a float at byte 13"),
    );
    refused(
        r#"[[{"span_id":18446744073709551616}]]"#,
        "[0][0].span_id: the number 18446744073709551616 does not fit in 64 bits at byte 13",
    );
    refused(
        r#"[[{"span_id":true}]]"#,
        &format!("{expected} a boolean at byte 13"),
    );
}

#[test]
fn absent_null_and_empty_are_told_apart() {
    let fields = json!({ "name": null, "start": null, "parent_id": null, "meta": null, "metrics": {}, "span_links": [] });
    check(&fields, |span| {
        for field in Field::ALL {
            let expect = match field {
                Field::Name | Field::Start | Field::ParentId => Presence::Null,
                _ => Presence::Absent,
            };
            assert_eq!(span.presence(field), expect, "{field:?}");
        }
        assert_eq!(span.attribute(Attribute::Meta), Some(Value::Null));
        assert_eq!(span.attribute(Attribute::MetaStruct), None);
        assert_eq!(span.attributes().count(), 3);
    });
    let bare = chunks("[[], null, [{}], [null]]").unwrap();
    assert_eq!(
        (bare.n_chunks, bare.chunks.len(), bare.n_spans()),
        (4, 1, 1)
    );
    assert_eq!(chunks("null").unwrap().n_chunks, 0);
    assert_eq!(chunks(" [] trailing").unwrap().n_chunks, 0);
}

#[test]
fn of_equal_keys_the_last_counts() {
    let body = r#"[[{"name":"a","name":"b","error":1,"error":null,"meta":{"k":"1","k":"2"},"meta":{"k":"3","k":"4"}}]]"#;
    let payload = chunks(body).unwrap();
    let span = payload.chunks[0].span(0).unwrap();
    assert_eq!(span.name(), "b");
    assert_eq!(span.presence(Field::Error), Presence::Null);
    assert_eq!(span.meta_text("k"), Some("4".into()));
}

#[test]
fn half_a_pair_is_replaced_and_bytes_that_are_no_text_are_kept() {
    let mut body = br#"[[{"name":"\ud83d \ud83d\ude00","service":""#.to_vec();
    body.extend(b"\xff\"}]]");
    let payload = decode_chunks(&body, &mut ChunkBuilder::default()).unwrap();
    let span = payload.chunks[0].span(0).unwrap();
    assert_eq!(span.name(), "\u{fffd} \u{1f600}");
    assert_eq!(span.service().as_bytes(), b"\xff");
}

#[test]
fn a_metric_is_a_number_that_a_float_can_hold() {
    let body = r#"[[{"metrics":{"a":1,"b":1.0,"c":NaN,"d":-Infinity,"e":36893488147419103000,"f":1e-999,"g":null}}]]"#;
    let payload = chunks(body).unwrap();
    let metrics: Vec<_> = payload.chunks[0]
        .span(0)
        .unwrap()
        .metrics()
        .map(|(_, value)| value)
        .collect();
    let expected = [
        Value::Int(1),
        Value::Float(1.0),
        Value::Float(f64::NAN),
        Value::Float(f64::NEG_INFINITY),
        Value::Float(36_893_488_147_419_103_000.0),
        Value::Float(0.0),
        Value::Null,
    ];
    assert_eq!(metrics, expected);
    refused(
        r#"[[{"metrics":{"a":-1e999}}]]"#,
        r#"[0][0].metrics["a"]: expected a number, found one beyond the range of floats at byte 18"#,
    );
}

#[test]
fn errors_name_the_field_and_the_byte() {
    refused("", "the body is cut short: its JSON does not end at byte 0");
    refused(
        "5",
        "expected an array of chunks, found an integer at byte 0",
    );
    refused(
        "[{}]",
        "[0]: expected an array of spans, found an object at byte 1",
    );
    refused(
        r#"[[{},"x"]]"#,
        "[0][1]: expected a span, found a string at byte 5",
    );
    refused(
        r#"[[{"name":5}]]"#,
        "[0][0].name: expected a string, found an integer at byte 10",
    );
    refused(
        r#"[[],[{},{"meta":{"http.url":["x"]}}]]"#,
        r#"[1][1].meta["http.url"]: expected a string, found an array at byte 28"#,
    );
    refused(
        r#"[[{"meta":[]}]]"#,
        "[0][0].meta: expected an object, found an array at byte 10",
    );
    refused(
        r#"[[{"metrics":{"a":"1"}}]]"#,
        r#"[0][0].metrics["a"]: expected a number, found a string at byte 18"#,
    );
    refused(
        r#"[[{"meta_struct":{"a":"="}}]]"#,
        r#"[0][0].meta_struct["a"]: expected base64, found a string that is none at byte 22"#,
    );
    refused(
        r#"[[{"span_events":[{},1]}]]"#,
        "[0][0].span_events[1]: expected an object, found an integer at byte 21",
    );
    refused(
        r#"[[{"error":4294967296}]]"#,
        "[0][0].error: the number 4294967296 does not fit in 32 bits with a sign at byte 11",
    );
    refused(
        r#"[[{"meta":{"a":"b",}}]]"#,
        "[0][0].meta: the body is no JSON from here on at byte 19",
    );
    refused(
        r#"[[{"later":{"a":tru}}]]"#,
        r#"[0][0]["later"]["a"]: the body is no JSON from here on at byte 19"#,
    );
}

#[test]
fn spans_without_chunks_are_grouped_by_their_trace() {
    let body = br#"[{"trace_id":1,"span_id":10},{"trace_id":2,"span_id":20},{"trace_id":1,"span_id":11},null]"#;
    let payload = decode_spans(body, &mut ChunkBuilder::default()).unwrap();
    let groups: Vec<Vec<_>> = payload
        .chunks
        .iter()
        .map(|chunk| chunk.spans().map(|span| span.span_id().0).collect())
        .collect();
    assert_eq!(groups, [vec![10, 11], vec![20]]);
    assert_eq!(payload.n_chunks, 2);
    let error = decode_spans(b"[[{}]]", &mut ChunkBuilder::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "[0]: expected a span, found an array at byte 1"
    );
}

#[test]
fn a_start_in_seconds_becomes_nanoseconds_in_the_agentless_form_only() {
    let start = |body: &str| {
        let payload = decode_traces(body.as_bytes(), &mut ChunkBuilder::default()).unwrap();
        payload.chunks[0].span(0).unwrap().start().0
    };
    let agentless = |digits: &str| {
        start(&format!(
            r#"{{"traces":[{{"spans":[{{"start":{digits}}}]}}]}}"#
        ))
    };
    assert_eq!(agentless("1795639355"), 1_795_639_355_000_000_000);
    assert_eq!(agentless("1795639355006367022"), 1_795_639_355_006_367_022);
    assert_eq!(agentless("99999999999"), i64::MAX);
    assert_eq!(
        (agentless("0"), agentless("5"), agentless("-1")),
        (0, 5, -1)
    );
    assert_eq!(
        start(r#"{"traces":[[{"start":1795639355}]]}"#),
        1_795_639_355
    );
}

#[test]
fn what_the_agentless_form_says_beside_its_spans_may_be_anything() {
    let body = br#"{"v":[1],"traces":[{"languageName":7,"env":{"a":[]},"tracerVersion":"6","spans":null},null,{}]}"#;
    let payload = decode_traces(body, &mut ChunkBuilder::default()).unwrap();
    assert_eq!((payload.n_chunks, payload.n_spans()), (3, 0));
    assert_eq!(
        (&*payload.tracer.language, &*payload.tracer.tracer_version),
        ("", "6")
    );
}

/// The most that a body may have, of one thing that wants to become deep or much.
#[track_caller]
fn check_hostile(head: &str, repeated: &str, expect: impl Fn(&Problem) -> bool) {
    let n_times = 25 * 1024 * 1024 / repeated.len();
    let body = [head, &repeated.repeat(n_times)].concat();
    for form in FORMS {
        let error = decode(body.as_bytes(), &mut ChunkBuilder::default(), 400_000, form);
        if let Err(error) = error {
            let is_other_form = matches!(error.problem(), Problem::WrongType { .. });
            assert!(is_other_form || expect(error.problem()), "{error}");
        }
    }
}

#[test]
fn neither_depth_nor_number_of_values_is_up_to_the_bytes() {
    let too_deep = |problem: &Problem| matches!(problem, Problem::TooDeep { .. } | Problem::NoJson);
    for head in [
        "",
        "[[{\"later\":",
        "[[{\"span_links\":",
        "{\"traces\":[{\"spans\":[{\"meta\":{\"a\":",
        "{\"traces\":[{\"spans\":[{\"meta_struct\":{\"a\":",
        "{\"traces\":[{\"hostname\":",
    ] {
        check_hostile(head, "[", too_deep);
        check_hostile(head, "{\"a\":", too_deep);
    }
    let too_large = |problem: &Problem| matches!(problem, Problem::TooLarge(_) | Problem::NoJson);
    check_hostile("[[{}", ",{}", too_large);
    check_hostile("[[{}]", ",[{}]", too_large);
    check_hostile("[{}", ",{}", too_large);
    check_hostile("{\"traces\":[{\"spans\":[{}", ",{}", too_large);
}
