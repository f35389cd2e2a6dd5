//! Requests to payloads and rejections.

use super::*;
use crate::trace::TracerInfo;

fn body(format: TraceFormat, bytes: &[u8]) -> RequestBody<'_> {
    RequestBody {
        kind: PayloadKind::Traces(format),
        content_type: Some("application/msgpack"),
        content_encoding: None,
        headers: TraceHeaders::default(),
        bytes,
        at: UnixNanos(7),
        via: Via::Http,
    }
}

/// One chunk with one span without fields.
const V04: &[u8] = &[0x91, 0x91, 0x80];
const V05: &[u8] = &[
    0x92, 0x91, 0xa0, 0x91, 0x91, 0x9c, 0, 0, 0, 1, 2, 0, 3, 4, 0, 0x80, 0x80, 0,
];

const V07: &[u8] = b"\x82\xadlanguage_name\xa2go\xa6chunks\x91\x81\xa5spans\x91\x80";
const V10: &[u8] = b"\x83\x03\xa2go\x04\0\x0b\x91\x81\x04\x91\x81\x04\x01";

#[track_caller]
fn check(request: &RequestBody<'_>, expect: Result<usize, (u16, &str)>) {
    let brought = bring(request, &mut ChunkBuilder::default());
    match (brought, expect) {
        (Ok(Brought::Spans(received)), Ok(n_spans)) => {
            assert_eq!(received.payload.n_spans(), n_spans);
        }
        (Err(rejection), Err((status, reason))) => {
            assert_eq!(rejection.status, status, "{rejection}");
            assert!(rejection.reason.contains(reason), "{rejection}");
        }
        (brought, expect) => panic!("{brought:?} instead of {expect:?}"),
    }
}

#[test]
fn each_format_is_decoded_as_its_own() {
    check(&body(TraceFormat::V03, V04), Ok(1));
    check(&body(TraceFormat::V04, V04), Ok(1));
    check(&body(TraceFormat::V05, V05), Ok(1));
    check(&body(TraceFormat::V07, V07), Ok(1));
    check(&body(TraceFormat::V10, V10), Ok(1));
}

#[test]
fn an_array_at_v07_and_v10_is_taken_as_v04() {
    for format in [TraceFormat::V07, TraceFormat::V10] {
        check(&body(format, V04), Ok(1));
        check(&body(format, &[0xc0]), Ok(0));
        check(&body(format, b""), Err((400, "at byte 0")));
    }
}

#[test]
fn a_payload_says_more_of_its_tracer_than_the_headers() {
    for (format, bytes) in [(TraceFormat::V07, V07), (TraceFormat::V10, V10)] {
        let mut request = body(format, bytes);
        request.headers.tracer = TracerInfo {
            language: "python".into(),
            language_version: "3.11".into(),
            ..TracerInfo::default()
        }
        .into();
        let Ok(Brought::Spans(received)) = bring(&request, &mut ChunkBuilder::default()) else {
            panic!("no spans came");
        };
        let tracer = received.payload.tracer;
        assert_eq!(
            (&*tracer.language, &*tracer.language_version),
            ("go", "3.11")
        );
    }
}

#[test]
fn json_is_told_from_msgpack_by_its_first_byte() {
    let span = br#" [[{"trace_id": 1, "span_id": 2}]]"#;
    for format in [
        TraceFormat::V02,
        TraceFormat::V03,
        TraceFormat::V04,
        TraceFormat::V10,
    ] {
        check(&body(format, span), Ok(1));
    }
    check(&body(TraceFormat::V01, &span[2..span.len() - 1]), Ok(1));
    check(
        &body(TraceFormat::V04, b"{}"),
        Err((
            400,
            "expected an array of chunks, found an object at byte 0",
        )),
    );
    check(&body(TraceFormat::V04, b"\n[["), Err((400, "at byte 3")));
}

#[test]
fn the_oldest_formats_are_json_only() {
    for format in [TraceFormat::V01, TraceFormat::V02] {
        check(&body(format, V04), Err((415, "unsupported media type")));
        check(&body(format, b""), Err((415, "unsupported media type")));
        let unlabelled = |bytes| RequestBody {
            content_type: None,
            ..body(format, bytes)
        };
        check(&unlabelled(V04), Err((415, "unsupported media type")));
        check(&unlabelled(b""), Err((400, "at byte 0")));
        check(&unlabelled(b"[]"), Ok(0));
        check(&unlabelled(b"\x80"), Err((400, "at byte 0")));
    }
}

#[test]
fn the_intake_takes_spans_and_lines() {
    let intake = |bytes| RequestBody {
        kind: PayloadKind::Intake,
        content_type: Some("application/json"),
        ..body(TraceFormat::V04, bytes)
    };
    check(
        &intake(br#"{"traces": [{"spans": [{"trace_id": "a"}, {"trace_id": "a"}]}]}"#),
        Ok(2),
    );
    check(&intake(br#"{"traces":[]}"#), Ok(0));
    check(
        &intake(br#"{"traces":[{"spans":[{"span_id":"x"}]}]}"#),
        Err((400, ".traces[0].spans[0].span_id: expected an id of 16")),
    );
    let lines = bring(
        &intake(br#"[{"message":"a"},{"message":"b"}]"#),
        &mut ChunkBuilder::default(),
    );
    assert!(
        matches!(&lines, Ok(Brought::Logs(lines)) if lines.len() == 2),
        "{lines:?}"
    );
}

#[test]
fn what_the_body_says_of_the_tracer_comes_before_the_headers() {
    let mut request = RequestBody {
        kind: PayloadKind::Intake,
        ..body(
            TraceFormat::V04,
            br#"{"traces":[{"languageName":"nodejs","spans":[{}]}]}"#,
        )
    };
    Arc::make_mut(&mut request.headers.tracer).language = "python".into();
    let Ok(Brought::Spans(received)) = bring(&request, &mut ChunkBuilder::default()) else {
        panic!("no spans came");
    };
    assert_eq!(&*received.payload.tracer.language, "nodejs");
}

#[test]
fn packed_bodies_are_unpacked() {
    let packed = zstd::encode_all(V04, 0).unwrap();
    let request = RequestBody {
        content_encoding: Some("zstd"),
        ..body(TraceFormat::V04, &packed)
    };
    check(&request, Ok(1));
    let broken = RequestBody {
        content_encoding: Some("gzip"),
        ..body(TraceFormat::V04, V04)
    };
    check(&broken, Err((400, "cannot be decompressed as gzip")));
    let unknown = RequestBody {
        content_encoding: Some("br"),
        ..body(TraceFormat::V04, V04)
    };
    check(
        &unknown,
        Err((415, "send gzip, deflate, zstd, or the body as it is")),
    );
}

#[test]
fn the_content_decides_and_not_what_it_is_called() {
    for content_type in [None, Some("application/json"), Some("text/plain"), Some("")] {
        check(
            &RequestBody {
                content_type,
                ..body(TraceFormat::V04, V04)
            },
            Ok(1),
        );
        check(
            &RequestBody {
                content_type,
                ..body(TraceFormat::V05, V05)
            },
            Ok(1),
        );
    }
    let labelled = RequestBody {
        content_type: Some("Text/JSON; charset=x"),
        ..body(TraceFormat::V04, b"nul")
    };
    check(&labelled, Err((400, "its JSON does not end at byte 3")));
    let identity = RequestBody {
        content_encoding: Some("Identity"),
        ..body(TraceFormat::V04, V04)
    };
    check(&identity, Ok(1));
}

#[test]
fn undecodable_bodies_are_refused_with_the_place() {
    check(&body(TraceFormat::V04, b""), Err((400, "at byte 0")));
    check(&body(TraceFormat::V05, b""), Err((400, "at byte 0")));
    check(
        &body(
            TraceFormat::V04,
            &[0x91, 0x91, 0x81, 0xa4, b'n', b'a', b'm', b'e', 5],
        ),
        Err((
            400,
            "[0][0].name: expected a string, found an integer at byte 8",
        )),
    );
    check(
        &body(TraceFormat::V05, b"[[]]"),
        Err((400, "expected an array")),
    );
}

#[test]
fn what_the_headers_say_comes_along() {
    let mut request = body(TraceFormat::V04, V04);
    request.headers.tracer = TracerInfo {
        language: "python".into(),
        ..TracerInfo::default()
    }
    .into();
    request.headers.client_dropped_p0_traces = 3;
    request.headers.client_dropped_p0_spans = 9;
    let Ok(Brought::Spans(received)) = bring(&request, &mut ChunkBuilder::default()) else {
        panic!("no spans came");
    };
    assert_eq!(&*received.payload.tracer.language, "python");
    assert_eq!(
        (
            received.client_dropped_p0_traces,
            received.client_dropped_p0_spans
        ),
        (3, 9)
    );
    assert_eq!((received.at, received.via), (UnixNanos(7), Via::Http));
}
