//! Bodies of strangers: what JSON may look like, what is told of what is wrong, what the limits hold.

use opentelemetry_proto::tonic::common::v1::ArrayValue;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn json_is_taken_as_clients_write_it() {
    let check = |value: &str, expect: &str| {
        let body = format!(
            r#"{{"later":[{{}}],"resource_spans":[{{"scopeSpans":[{{"scope":null,"spans":[{{
            "trace_id":"0102030405060708090A0B0C0D0E0F10","spanId":"0000000000000007",
            "parentSpanId":"","kind":"SPAN_KIND_CLIENT","startTimeUnixNano":1000,
            "endTimeUnixNano":"1500","droppedEventsCount":0,"unknown":{{"a":[1]}},
            "status":{{"code":"STATUS_CODE_ERROR","message":null}},"events":null,
            "attributes":[{{"key":"k","value":{value}}}]}}]}}]}}]}}"#
        );
        let payload = decode(
            body.as_bytes(),
            Encoding::Json,
            &mut ChunkBuilder::default(),
        );
        let payload = payload.unwrap_or_else(|error| panic!("{value}: {error}"));
        let span = payload.chunks[0].span(0).unwrap();
        assert_eq!(
            (span.start().0, span.duration(), span.error()),
            (1_000, 500, 1)
        );
        assert_eq!(span.name(), "client.request");
        let number = span.metric("k").map(|number| number.to_string());
        let text = span
            .meta_text("k")
            .map(|text| text.to_str().unwrap().to_owned());
        assert_eq!(number.or(text).unwrap(), expect, "{value}");
    };
    check(r#"{"intValue":"7"}"#, "7");
    check(r#"{"intValue":7}"#, "7");
    check(r#"{"intValue":7.0}"#, "7");
    check(r#"{"int_value":"-7"}"#, "-7");
    check(r#"{"doubleValue":"NaN"}"#, "NaN");
    check(r#"{"doubleValue":"-Infinity"}"#, "-inf");
    check(r#"{"doubleValue":5e-324}"#, &5e-324.to_string());
    check(r#"{"doubleValue":1}"#, "1");
    check(r#"{"boolValue":true}"#, "true");
    check(r#"{"bytesValue":"_wA"}"#, "/wA=");
    check(r#"{"stringValue":"\u00e9\n"}"#, "é\n");
    check(r#"{"stringValue":null}"#, "");
    check(r#"{"arrayValue":{}}"#, "[]");
    check(
        r#"{"kvlistValue":{"values":[{"key":"a"}]}}"#,
        r#"{"a":null}"#,
    );
    check("{}", "");
    check("null", "");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let check = |body: &[u8], encoding: Encoding, expect: &str| {
        let error = decode(body, encoding, &mut ChunkBuilder::default()).unwrap_err();
        assert_eq!(error.to_string(), expect);
    };
    let json = |body: &str, expect| check(body.as_bytes(), Encoding::Json, expect);
    json(
        "{",
        "the body is cut short: its JSON does not end at byte 1",
    );
    json("{x", "the body is no JSON from here on at byte 1");
    json("[]", "expected an object, found an array at byte 0");
    json(
        r#"{"resourceSpans":[{},{"scopeSpans":[{"spans":[{"kind":"x"}]}]}]}"#,
        r#"["resourceSpans"][1]["scopeSpans"][0]["spans"][0]["kind"]: expected a whole number of 32 bits, found x at byte 54"#,
    );
    // In one pass: what comes after the first mistake is not looked at.
    json(
        r#"{"resourceSpans":1,"#,
        r#"["resourceSpans"]: expected an array, found a number at byte 17"#,
    );
    json("{} x", "the body is no JSON from here on at byte 3");
    json(
        r#"{"resourceSpans":[{},]}"#,
        r#"["resourceSpans"][1]: the body is no JSON from here on at byte 21"#,
    );
    check(
        b"\xff",
        Encoding::Json,
        "the body is no text in UTF-8 at byte 0",
    );
    let protobuf = |body: &[u8], expect| check(body, Encoding::Protobuf, expect);
    protobuf(
        b"\x0a\x00\x0a\x02\x12\x05",
        ".resource_spans[1].scope_spans[0]: the body is cut short: it needs 5 more bytes and has 0 at byte 6",
    );
    protobuf(
        b"\x0b",
        "expected a field of a protobuf message, found a group or an unknown type of field at byte 1",
    );
    let error = decode(
        b"\x0a\x06\x12\x04\x12\x02\x2a\x00\x0a\x00",
        Encoding::Protobuf,
        &mut ChunkBuilder::default(),
    );
    assert!(error.is_ok(), "an empty name is a name");
    let not_text = decode(
        b"\x0a\x07\x12\x05\x12\x03\x2a\x01\xff",
        Encoding::Protobuf,
        &mut ChunkBuilder::default(),
    );
    let said = not_text.unwrap_err().to_string();
    assert!(
        said.contains("Span.name") && said.contains("UTF-8"),
        "{said}"
    );
}

/// Bytes in a field of a message, in one of another, and so on.
fn wrapped(numbers: &[u8], inner: Vec<u8>) -> Vec<u8> {
    numbers.iter().rev().fold(inner, |inner, number| {
        let mut outer = vec![number << 3 | 2];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        [outer, inner].concat()
    })
}

fn nested(depth: usize) -> AnyValue {
    (0..depth).fold(AnyValue::default(), |inner, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue {
            values: vec![inner],
        })),
    })
}

#[test]
fn values_nest_as_deep_as_a_constant() {
    let with_depth = |depth: usize| {
        let attribute = KeyValue {
            key: "deep".to_owned(),
            value: Some(nested(depth)),
            key_strindex: 0,
        };
        request(Vec::new(), vec![span(SpanKind::Internal, vec![attribute])])
    };
    received(&with_depth(30));
    let mut value = Vec::new();
    for _ in 0..1_000 {
        value = wrapped(&[5, 1], value);
    }
    let body = wrapped(&[1, 2, 2, 9, 2], value);
    let error = decode(&body, Encoding::Protobuf, &mut ChunkBuilder::default()).unwrap_err();
    assert!(
        matches!(error.problem(), Problem::TooDeep { .. }),
        "{error}"
    );
    let open = r#"{"arrayValue":{"values":["#.repeat(1_000);
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"value":{open}"#
    );
    assert!(
        decode(
            body.as_bytes(),
            Encoding::Json,
            &mut ChunkBuilder::default()
        )
        .is_err()
    );
}

/// A body that wants to become much more than it is.
#[track_caller]
fn check_too_large(body: &[u8], encoding: Encoding) {
    const LIMIT_BYTES: usize = 1 << 20;
    let error = decode_within(body, encoding, &mut ChunkBuilder::default(), LIMIT_BYTES);
    let error = error.unwrap_err();
    assert!(matches!(error.problem(), Problem::TooLarge(_)), "{error}");
}

#[test]
fn a_small_body_does_not_become_a_large_payload() {
    let empty = |number: u8| [number << 3 | 2, 0].repeat(20_000);
    check_too_large(&empty(1), Encoding::Protobuf);
    check_too_large(&wrapped(&[1], empty(2)), Encoding::Protobuf);
    check_too_large(&wrapped(&[1, 2], empty(2)), Encoding::Protobuf);
    // The keys of an entity.
    check_too_large(&wrapped(&[1, 1, 3], empty(3)), Encoding::Protobuf);
    for number in [9, 11, 13] {
        let body = wrapped(&[1, 2, 2], empty(number));
        check_too_large(&body, Encoding::Protobuf);
    }
    let objects = "{},".repeat(20_000);
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{objects}{{}}]}}]}}]}}"#);
    check_too_large(body.as_bytes(), Encoding::Json);
    // A resource's tags stand on each of its spans.
    let names: Vec<_> = (0..1_000).map(|name| format!("tag {name}")).collect();
    let tags: Vec<_> = names.iter().map(|name| (&**name, "x")).collect();
    let request = request(texts(&tags), vec![Span::default(); 1_000]);
    check_too_large(&request.encode_to_vec(), Encoding::Protobuf);
}

#[test]
fn a_hundred_thousand_spans_under_a_long_tag_are_taken_in_time() {
    // One of them would be compared a hundred thousand times, were it not looked up once.
    let long = "x".repeat(1 << 20);
    let long = &*long;
    let resource = texts(&[("long", long), ("db.namespace", long), ("db.system", long)]);
    let spans = vec![
        Span {
            span_id: vec![1; 8],
            ..Span::default()
        };
        100_000
    ];
    let body = request(resource, spans).encode_to_vec();
    let payload = decode(&body, Encoding::Protobuf, &mut ChunkBuilder::default()).unwrap();
    assert_eq!(payload.n_spans(), 100_000);
    assert!(payload.heap_bytes() < 40 << 20, "{}", payload.heap_bytes());
}

/// Decodes bytes of which nothing is known, then a span with the same builder, which must not
/// notice.
fn survives(body: &[u8], limit_bytes: usize) {
    let good = request(Vec::new(), vec![span(SpanKind::Server, Vec::new())]).encode_to_vec();
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let mut builder = ChunkBuilder::default();
        if let Ok(payload) = decode_within(body, encoding, &mut builder, limit_bytes) {
            // What is counted apart: the allocator's share of the last chunk, and the facts of all.
            let facts = payload.chunks.len() * 512;
            assert!(payload.heap_bytes() <= limit_bytes + 64 + facts);
        }
        let payload = decode(&good, Encoding::Protobuf, &mut builder).unwrap();
        assert_eq!((payload.n_chunks, payload.n_spans()), (1, 1));
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_payload_or_an_error(body in vec(any::<u8>(), 0..512)) {
        survives(&body, 1 << 20);
    }

    #[test]
    fn bytes_that_look_like_protobuf_give_a_payload_or_an_error(
        body in vec(prop_oneof![any::<u8>(), Just(0x0a), Just(0x12), Just(0x4a), 0..16_u8], 0..256)
    ) {
        survives(&body, 1 << 20);
    }

    #[test]
    fn changed_and_cut_recordings_give_a_payload_or_an_error(
        which in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        limit_bytes in 256_usize..200_000,
    ) {
        thread_local!(static RECORDED: Vec<Vec<u8>> = recorded());
        let mut body = RECORDED.with(|bodies| which.get(bodies).clone());
        for (place, byte) in changes {
            *place.get_mut(&mut body) = byte;
        }
        survives(&body, limit_bytes);
        body.truncate(cut.index(body.len()));
        survives(&body, limit_bytes);
    }
}
