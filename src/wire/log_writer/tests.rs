//! Lines as ddtrace prints them, read by us and by `serde_json`: both must say the same.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::trace::{Attribute, Field, Presence, Span, Value};
use crate::wire::Problem;
use crate::wire::json::Form;
use crate::wire::sent::{self, Sent, SentSpan};

fn fixture(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lines");
    fs::read_to_string(fixtures.join(name)).unwrap()
}

fn decoded(line: &str) -> Result<TracerPayload, DecodeError> {
    decode(Raw::whole(line).unwrap(), &mut ChunkBuilder::default())
}

/// The one span of a line.
#[track_caller]
fn check(span: &str, expect: impl FnOnce(Span<'_>)) {
    let payload = decoded(&format!("{{\"traces\": [[{span}]]}}")).unwrap();
    expect(payload.chunks[0].span(0).unwrap());
}

fn decode_within(
    object: Raw<'_>,
    builder: &mut ChunkBuilder,
    limit_bytes: usize,
) -> Result<TracerPayload, DecodeError> {
    json::decode(object.text().as_bytes(), builder, limit_bytes, Form::Traces)
}

fn field(name: &str) -> Option<Field> {
    Field::ALL.into_iter().find(|field| field.name() == name)
}

fn attribute(name: &str) -> Option<Attribute> {
    let mut named = Attribute::ALL.into_iter().take(5);
    named.find(|attribute| attribute.name() == name)
}

#[track_caller]
fn refused(line: &str, expect: &str) {
    assert_eq!(decoded(line).unwrap_err().to_string(), expect);
}

fn same(value: Value<'_>, json: &Json) -> bool {
    match (value, json) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(bool), Json::Bool(json)) => bool == *json,
        (Value::Int(int), Json::Number(json)) => json.as_i64() == Some(int),
        (Value::Uint(uint), Json::Number(json)) => json.as_u64() == Some(uint),
        (Value::Float(float), Json::Number(json)) => json.is_f64() && json.as_f64() == Some(float),
        (Value::Text(text), Json::String(json)) => text == json.as_str(),
        (Value::Array(items), Json::Array(json)) => {
            items.count() == json.len() && items.zip(json).all(|(value, json)| same(value, json))
        }
        (Value::Map(entries), Json::Object(json)) => {
            entries.count() == json.len()
                && entries
                    .zip(json)
                    .all(|((key, value), (name, json))| key == name.as_str() && same(value, json))
        }
        _ => false,
    }
}

/// Asserts that a span says what the object says, in its order, and nothing else.
#[track_caller]
fn check_span(span: Span<'_>, json: &Json) {
    let json = json.as_object().unwrap();
    let mut attributes = span.attributes();
    for (name, json) in json {
        if let Some(attribute) = attribute(name) {
            let (found, value) = attributes.next().unwrap();
            assert_eq!(found, attribute);
            assert!(same(value, json), "{name}: {value:?} instead of {json}");
            continue;
        }
        let field = field(name).unwrap();
        assert_eq!(span.presence(field), Presence::Present);
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        match (span.field_text(field), json) {
            (Some(text), Json::String(json)) => assert_eq!(text, json.as_str()),
            (None, Json::String(json)) => assert_eq!(span.field_number(field), hex(json)),
            (None, json) => assert_eq!(Some(span.field_number(field)), json.as_u64()),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(attributes.next().is_none());
    for field in Field::ALL {
        let is_there = json.contains_key(field.name());
        assert_eq!(
            span.presence(field) == Presence::Present,
            is_there,
            "{field:?}"
        );
    }
}

/// Decodes the lines with spans of a recording; gives the spans there were.
#[track_caller]
fn check_recording(name: &str) -> usize {
    let mut n_spans = 0;
    for line in fixture(name).lines() {
        let Ok(object) = Raw::whole(line) else {
            continue;
        };
        let json: Json = serde_json::from_str(line).unwrap();
        assert_eq!(is_traces(object), json.get("traces").is_some(), "{line}");
        if !is_traces(object) {
            continue;
        }
        assert!(begins_traces(line));
        let payload = decoded(line).unwrap();
        let json = json["traces"].as_array().unwrap();
        assert_eq!(
            (payload.n_chunks, payload.chunks.len()),
            (json.len(), json.len())
        );
        assert!(
            payload.heap_bytes() <= line.len() * 2,
            "{}",
            payload.heap_bytes()
        );
        for (chunk, json) in payload.chunks.iter().zip(json) {
            let json = json.as_array().unwrap();
            assert_eq!(chunk.len(), json.len());
            for (span, json) in chunk.spans().zip(json) {
                check_span(span, json);
                n_spans += 1;
            }
            let high = json[0]["meta"]["_dd.p.tid"].as_str();
            let high = high.map(|hex| u64::from_str_radix(hex, 16).unwrap());
            assert_eq!(chunk.trace_id().high(), high.unwrap_or_default());
            assert_eq!(
                &*payload.tracer.language,
                json[0]["meta"]["language"].as_str().unwrap_or_default()
            );
        }
    }
    n_spans
}

#[test]
fn recorded_lines_say_what_serde_reads() {
    assert_eq!(check_recording("logwriter-412.stdout.txt"), 8);
    assert_eq!(check_recording("logwriter-error-412.stdout.txt"), 3);
    assert_eq!(check_recording("logwriter-links-412.stdout.txt"), 2);
    assert_eq!(check_recording("logwriter-partial-412.stdout.txt"), 13);
    assert_eq!(check_recording("modal-serve-131.stdout.txt"), 44);
    assert_eq!(check_recording("modal-serve-16x.stdout.txt"), 44);
    assert_eq!(check_recording("docproc-v04-412.stdout.txt"), 0);
}

/// A recorded HTTP payload printed as a line says the same as over HTTP, span by span.
#[test]
fn a_payload_printed_as_a_line_is_the_same_as_over_http() {
    let payloads = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    for name in [
        "docproc-v04-412-1",
        "docproc-v04-412-2",
        "docproc-pywriter-v04-412-2",
    ] {
        let body = fs::read(payloads.join(format!("{name}.msgpack"))).unwrap();
        let twin = crate::wire::v04::decode(&body, &mut ChunkBuilder::default()).unwrap();
        let mut traces: Json = rmp_serde::from_slice(&body).unwrap();
        let spans = traces.as_array_mut().unwrap().iter_mut();
        for span in spans.flat_map(|chunk| chunk.as_array_mut().unwrap()) {
            for id in ["trace_id", "span_id", "parent_id"] {
                if let Some(id) = span.get_mut(id) {
                    *id = format!("{:016X}", id.as_u64().unwrap()).into();
                }
            }
        }
        let line = json!({ "traces": traces }).to_string();
        let payload = decoded(&line).unwrap();
        assert_eq!(payload.n_chunks, twin.n_chunks);
        for (chunk, twin) in payload.chunks.iter().zip(&twin.chunks) {
            assert_eq!(chunk.trace_id(), twin.trace_id());
            assert_eq!(chunk.len(), twin.len());
            for (span, twin) in chunk.spans().zip(twin.spans()) {
                assert!(span.same_as(twin), "{span:?} {twin:?}");
            }
        }
    }
}

#[test]
fn ids_are_hex_in_either_case_or_numbers() {
    let ids = [
        (r#""F520A4F69E68AEF2""#, 0xf520_a4f6_9e68_aef2),
        (r#""f520a4f69e68aef2""#, 0xf520_a4f6_9e68_aef2),
        (r#""1""#, 1),
        (r#""0000000000000000""#, 0),
        (
            r#""6b00a83d000000006f0dbd9e7942056a""#,
            0x6f0d_bd9e_7942_056a,
        ),
        (r#""17661803041614180082""#, 17_661_803_041_614_180_082),
        ("17661803041614180082", 17_661_803_041_614_180_082),
        ("-1", u64::MAX),
    ];
    for (text, id) in ids {
        check(
            &format!("{{\"trace_id\": {text}, \"span_id\": {text}}}"),
            |span| {
                assert_eq!(
                    (span.span_id().0, span.trace_id().low()),
                    (id, id),
                    "{text}"
                );
            },
        );
    }
    for text in [r#""""#, r#""+1""#, r#""xyz""#, r#""99999999999999999999""#] {
        refused(
            &format!("{{\"traces\":[[{{\"span_id\":{text}}}]]}}"),
            ".traces[0][0].span_id: expected an id of 16 hex digits, found a string that is none at byte 23",
        );
    }
}

#[test]
fn tags_keep_the_width_and_the_type_they_are_written_with() {
    let metrics = r#"{"a": 31564, "b": 1.0, "c": NaN, "d": -Infinity, "e": 18446744073709551615,
                      "f": 36893488147419103232, "g": null, "h": "text", "i": 1e2, "j": 1e999}"#;
    check(&format!("{{\"metrics\": {metrics}}}"), |span| {
        let values: Vec<_> = span.metrics().map(|(_, value)| value).collect();
        let expected = [
            Value::Int(31564),
            Value::Float(1.0),
            Value::Float(f64::NAN),
            Value::Float(f64::NEG_INFINITY),
            Value::Uint(u64::MAX),
            Value::Float(36_893_488_147_419_103_232.0),
            Value::Null,
            Value::Text("text".into()),
            Value::Float(100.0),
            Value::Text("1e999".into()),
        ];
        assert_eq!(values, expected);
    });
    check(
        r#"{"meta": {"a": true, "b": ["x", {}]}, "error": true}"#,
        |span| {
            let values: Vec<_> = span.meta().map(|(_, value)| value).collect();
            assert_eq!(values[0], Value::Bool(true));
            assert_eq!(values[1].items().next(), Some(Value::Text("x".into())));
            assert_eq!(span.error(), 1);
        },
    );
}

#[test]
fn what_is_missing_stays_missing_and_null_is_nil() {
    check(
        r#"{"name": null, "start": null, "meta": null, "span_links": []}"#,
        |span| {
            for field in Field::ALL {
                let expect = match field {
                    Field::Name | Field::Start => Presence::Null,
                    _ => Presence::Absent,
                };
                assert_eq!(span.presence(field), expect, "{field:?}");
            }
            assert_eq!(span.attribute(Attribute::Meta), Some(Value::Null));
            assert_eq!(span.attribute(Attribute::Metrics), None);
            assert!(matches!(
                span.attribute(Attribute::SpanLinks),
                Some(Value::Array(_))
            ));
        },
    );
}

#[test]
fn fields_without_a_name_are_kept_as_msgpack() {
    let json = json!({ "a": [1, -1, 1.5, null, true, "x", u64::MAX], "b": {} });
    check(
        &format!("{{\"later\": {json}, \"even_later\": 7}}"),
        |span| {
            let unknown = span.attribute(Attribute::Unknown).unwrap().entries();
            let kept: Vec<_> = unknown
                .map(|(name, value)| match value {
                    Value::Bytes(bytes) => {
                        (name.to_string(), rmp_serde::from_slice(bytes).unwrap())
                    }
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(
                kept,
                [
                    ("later".to_owned(), json.clone()),
                    ("even_later".to_owned(), json!(7))
                ]
            );
        },
    );
}

#[test]
fn links_name_their_spans_in_hex() {
    let recording = fixture("logwriter-links-412.stdout.txt");
    let payload = decoded(recording.lines().nth(1).unwrap()).unwrap();
    let link = payload.chunks[0].span(0).unwrap().links().next().unwrap();
    assert_eq!(
        link.trace_id.to_string(),
        "6b00ad2700000000a54493106109c533"
    );
    assert_eq!(link.span_id.0, 0x4704_887c_64d1_d256);
    assert_eq!(link.attributes.count(), 3);
}

#[test]
fn the_agentless_form_brings_its_spans_and_the_tracer() {
    let line = r#"{"traces":[{"hostname":"h","env":"dev","languageName":"python","languageVersion":"3.11.7",
        "tracerVersion":"4.16.0","runtimeID":"r","spans":[{"trace_id":"00000000000000ff","span_id":"000000000000000a"}]}]}"#;
    let object = Raw::whole(line).unwrap();
    assert!(is_traces(object));
    let payload = decoded(line).unwrap();
    assert_eq!((payload.n_chunks, payload.n_spans()), (1, 1));
    assert_eq!(payload.chunks[0].trace_id().0, 255);
    let tracer = &payload.tracer;
    assert_eq!(
        [
            &*tracer.language,
            &*tracer.language_version,
            &*tracer.tracer_version
        ],
        ["python", "3.11.7", "4.16.0"]
    );
}

#[test]
fn other_objects_are_no_lines_with_spans() {
    let is = |text| is_traces(Raw::whole(text).unwrap());
    assert!(is(r#"{"traces": [[{"a": 1}]]}"#) && is(r#" { "traces" : [ [ ] ] } "#));
    for other in [
        r#"{"event": "x", "traces": [[{}]]}"#,
        r#"{"traces": []}"#,
        r#"{"traces": 3}"#,
        r#"{"traces": ["a"]}"#,
        r#"{"traces": [[1]]}"#,
        r#"{"traces": [{"id": 1}]}"#,
        r#"{"traces": [{"spans": 1}]}"#,
        r#"{"traces_": [[{}]]}"#,
        "{}",
        r#"[{"traces": 1}]"#,
        r#""traces""#,
    ] {
        assert!(!is(other), "{other}");
    }
    assert!(!begins_traces(r#"{"traces"#) && begins_traces(r#" {"traces""#));
    assert!(begins_traces(r#"{"traces": [[{"tr"#) && !begins_traces(r#"{"traces" x"#));
}

#[test]
fn errors_name_the_place() {
    refused(
        r#"{"traces":[[{"name":5}]]}"#,
        ".traces[0][0].name: expected a string, found an integer at byte 20",
    );
    refused(
        r#"{"traces":[[],[{},{"meta":[]}]]}"#,
        ".traces[1][1].meta: expected an object, found an array at byte 26",
    );
    refused(
        r#"{"traces":[[{"duration":1.5}]]}"#,
        ".traces[0][0].duration: expected an integer, found a float at byte 24",
    );
    refused(
        r#"{"traces":[[{"error":4294967296}]]}"#,
        ".traces[0][0].error: the number 4294967296 does not fit in 32 bits with a sign at byte 21",
    );
    refused(
        r#"{"traces":[["x"]]}"#,
        ".traces[0][0]: expected a span, found a string at byte 12",
    );
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    for field in ["later", "span_links"] {
        let error = decoded(&format!("{{\"traces\":[[{{\"{field}\":{deep}}}]]}}")).unwrap_err();
        assert!(
            matches!(error.problem(), Problem::TooDeep { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_small_line_does_not_become_a_large_payload() {
    let line = format!("{{\"traces\":[[{}{{}}]]}}", "{},".repeat(30_000));
    let object = Raw::whole(&line).unwrap();
    let error = decode_within(object, &mut ChunkBuilder::default(), 400_000).unwrap_err();
    assert!(matches!(error.problem(), Problem::TooLarge(_)), "{error}");
}

/// What a client might send, printed; `None` where JSON has no way to say it.
fn print(value: &Sent) -> Option<Json> {
    Some(match value {
        Sent::Nil => Json::Null,
        Sent::Bool(bool) => (*bool).into(),
        Sent::Int(int) => (*int).into(),
        Sent::Uint(uint) => (*uint).into(),
        Sent::Float(float) => serde_json::Number::from_f64(*float)?.into(),
        Sent::Text(text) => text.as_str().into(),
        Sent::Bytes(_) => return None,
        Sent::Array(items) => items.iter().map(print).collect::<Option<_>>()?,
        Sent::Map(entries) => {
            let mut map = serde_json::Map::new();
            for (key, value) in entries {
                map.insert(key.clone(), print(value)?);
            }
            (map.len() == entries.len()).then_some(map)?.into()
        }
    })
}

/// The fields of a span that can be printed, and how.
fn printed(span: SentSpan) -> (SentSpan, Json) {
    let mut kept = SentSpan::new();
    let mut json = serde_json::Map::new();
    for (name, value) in span {
        let text = match (&*name, &value) {
            ("trace_id" | "span_id" | "parent_id", Sent::Uint(id)) => {
                Some(format!("{id:016X}").into())
            }
            _ => print(&value),
        };
        if let Some(text) = text {
            json.insert(name.clone(), text);
            kept.push((name, value));
        }
    }
    (kept, json.into())
}

proptest! {
    #[test]
    fn what_was_printed_comes_back(sent in sent::chunks(sent::span_v04())) {
        let chunks: Vec<Vec<_>> = sent
            .into_iter()
            .map(|chunk| chunk.into_iter().map(printed).collect())
            .collect();
        let json: Vec<Vec<_>> = chunks
            .iter()
            .map(|chunk| chunk.iter().map(|(_, json)| json).collect())
            .collect();
        let line = json!({ "traces": json }).to_string();
        let payload = decoded(&line).unwrap();
        prop_assert_eq!(payload.n_chunks, chunks.len());
        let full: Vec<_> = chunks.iter().filter(|chunk| !chunk.is_empty()).collect();
        prop_assert_eq!(payload.chunks.len(), full.len());
        for (chunk, sent) in payload.chunks.iter().zip(full) {
            prop_assert_eq!(chunk.len(), sent.len());
            for (span, (sent, _)) in chunk.spans().zip(sent) {
                sent::check(span, sent);
            }
        }
    }

    #[test]
    fn changed_and_cut_lines_give_a_payload_or_an_error(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in prop::sample::select(b"\"\\{}[],:0aN-. \x00".to_vec()),
        cut in any::<prop::sample::Index>(),
        limit_bytes in 256_usize..20_000,
    ) {
        thread_local!(static LINES: String = [
            "logwriter-412.stdout.txt", "logwriter-error-412.stdout.txt", "logwriter-links-412.stdout.txt",
        ].map(fixture).concat());
        let line = LINES.with(|lines| which.get(&lines.lines().collect::<Vec<_>>()).to_owned().to_owned());
        let mut line = line.into_bytes();
        *place.get_mut(&mut line) = byte;
        let mut builder = ChunkBuilder::default();
        for length in [line.len(), cut.index(line.len())] {
            let text = String::from_utf8_lossy(&line[..length]);
            let _ = begins_traces(&text);
            let Ok((object, _)) = Raw::first(&text) else {
                continue;
            };
            let _ = is_traces(object);
            if let Ok(payload) = decode_within(object, &mut builder, limit_bytes) {
                prop_assert!(payload.heap_bytes() <= limit_bytes + 64);
            }
        }
    }
}
