//! The mapping by rules, and how a request is read: what all of these tests are made with.

mod bytes;
mod names;
mod tags;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1 as resource_messages;
use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};

use super::*;
use crate::trace::Span as Mapped;

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        key_strindex: 0,
    }
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn texts(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let pairs = pairs.iter();
    pairs.map(|(key, value)| pair(key, text(value))).collect()
}

/// A span of its own trace, with a kind and attributes.
fn span(kind: SpanKind, attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: vec![0, 0, 0, 0, 0, 0, 0, 7],
        name: "otel name".to_owned(),
        kind: kind.into(),
        start_time_unix_nano: 1_000,
        end_time_unix_nano: 1_500,
        attributes,
        ..Span::default()
    }
}

fn request(resource: Vec<KeyValue>, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource_messages::Resource {
                attributes: resource,
                ..resource_messages::Resource::default()
            }),
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

/// What a request becomes, from protobuf and from JSON, which must be the same.
#[track_caller]
fn received(request: &ExportTraceServiceRequest) -> TracerPayload {
    let mut builder = ChunkBuilder::default();
    let bytes = request.encode_to_vec();
    let payload = decode(&bytes, Encoding::Protobuf, &mut builder).unwrap();
    let json = serde_json::to_vec(request).unwrap();
    let twin = decode(&json, Encoding::Json, &mut builder).unwrap();
    assert_eq!(payload.chunks.len(), twin.chunks.len());
    for (chunk, other) in payload.chunks.iter().zip(&twin.chunks) {
        assert_eq!(chunk.facts(), other.facts());
        assert_eq!(chunk.len(), other.len());
        for (span, other) in chunk.spans().zip(other.spans()) {
            assert!(span.same_as(other), "{span:?} and {other:?}");
        }
    }
    payload
}

/// The only span of a request, in words.
#[track_caller]
fn check_span(resource: &[(&str, &str)], sent: Span, check: impl FnOnce(Mapped<'_>)) {
    let payload = received(&request(texts(resource), vec![sent]));
    assert_eq!((payload.n_chunks, payload.n_spans()), (1, 1));
    check(payload.chunks[0].span(0).unwrap());
}

#[test]
fn ids_times_and_the_service_are_those_that_were_sent() {
    let mut sent = span(SpanKind::Internal, Vec::new());
    sent.parent_span_id = vec![0xff; 8];
    check_span(&[("service.name", "My Service")], sent.clone(), |span| {
        assert_eq!(
            span.trace_id().to_string(),
            "0102030405060708090a0b0c0d0e0f10"
        );
        assert_eq!((span.span_id().0, span.parent_id().0), (7, u64::MAX));
        assert_eq!((span.start().0, span.duration()), (1_000, 500));
        assert_eq!(span.service(), "My Service");
        assert_eq!(span.meta_text("service.name"), None);
        assert_eq!(span.meta_text("_dd.p.tid").unwrap(), "0102030405060708");
        assert_eq!(
            span.meta_text("otel.trace_id").unwrap(),
            "0102030405060708090a0b0c0d0e0f10"
        );
    });
    sent.attributes = texts(&[("service.name", "own")]);
    check_span(
        &[("service.name", "of the resource")],
        sent.clone(),
        |span| {
            assert_eq!(span.service(), "own");
        },
    );
    // What has not ended has a duration below zero; the Agent's normalisation mends it.
    sent.attributes.clear();
    (sent.start_time_unix_nano, sent.end_time_unix_nano) = (u64::MAX, 0);
    check_span(&[], sent, |span| {
        assert_eq!(span.service(), "otlpresourcenoservicename");
        assert_eq!((span.start().0, span.duration()), (-1, 1));
    });
}

#[test]
fn ids_of_zeros_are_taken_and_ids_of_other_lengths_refused() {
    let check = |change: fn(&mut Span), expect: Option<&str>| {
        let mut sent = span(SpanKind::Internal, Vec::new());
        change(&mut sent);
        let request = request(Vec::new(), vec![span(SpanKind::Internal, vec![]), sent]);
        let bodies = [
            (Encoding::Protobuf, request.encode_to_vec()),
            (Encoding::Json, serde_json::to_vec(&request).unwrap()),
        ];
        for (encoding, body) in bodies {
            let decoded = decode(&body, encoding, &mut ChunkBuilder::default());
            match (decoded, expect) {
                (Ok(_), None) => {}
                (Err(error), Some(expect)) => {
                    let error = error.to_string();
                    assert!(error.contains(expect), "{error}");
                    assert!(error.contains("[0]") && error.contains("[1]"), "{error}");
                }
                (decoded, expect) => panic!("{decoded:?} instead of {expect:?}"),
            }
        }
    };
    check(|span| span.trace_id = vec![0; 16], None);
    check(|span| span.trace_id.clear(), None);
    check(|span| span.span_id = vec![0; 8], None);
    check(|span| span.parent_span_id.clear(), None);
    let sixteen = Some("expected an id of 16 bytes, found ");
    check(|span| span.trace_id = vec![1; 8], sixteen);
    check(|span| span.trace_id = vec![1; 17], sixteen);
    check(
        |span| span.span_id = vec![1; 16],
        Some("expected an id of 8 bytes, found 16"),
    );
    check(
        |span| span.parent_span_id = vec![1; 3],
        Some("expected an id of 8 bytes, found 3"),
    );
    check(
        |span| {
            span.links.push(Link {
                trace_id: vec![1],
                ..Link::default()
            });
        },
        Some("expected an id of 16 bytes, found 1"),
    );
}

#[test]
fn who_decided_stands_on_the_first_span_of_a_chunk() {
    let check = |attributes: [Vec<KeyValue>; 2], expect: (i32, Option<&str>)| {
        let spans = attributes.map(|attributes| span(SpanKind::Internal, attributes));
        let payload = received(&request(Vec::new(), spans.into()));
        let chunk = &payload.chunks[0];
        let facts = chunk.facts().unwrap();
        assert_eq!(facts.priority, Some(expect.0));
        assert_eq!(facts.tags, [("_dd.otlp_sr".into(), "1.00".into())].into());
        let makers: Vec<_> = chunk
            .spans()
            .map(|span| span.meta_text("_dd.p.dm"))
            .collect();
        assert_eq!(makers[0].map(|text| text.to_str().unwrap()), expect.1);
        assert_eq!(makers[1], None);
    };
    let named = |priority| vec![pair("sampling.priority", Value::IntValue(priority))];
    check([vec![], vec![]], (1, Some("-9")));
    check([named(2), vec![]], (2, Some("-4")));
    check([named(2), named(-1)], (-1, None));
    check([vec![], named(0)], (0, None));
    check(
        [texts(&[("sampling.priority", "2")]), vec![]],
        (1, Some("-9")),
    );
    let by_client = vec![
        pair("_sampling_priority_v1", Value::IntValue(1)),
        pair("_dd.p.dm", text("-0")),
    ];
    check([by_client, vec![]], (1, Some("-0")));
}

#[test]
fn spans_are_grouped_by_trace_within_a_resource() {
    let of = |trace: u8, number: u8| Span {
        trace_id: [vec![trace; 8], vec![7; 8]].concat(),
        span_id: vec![number; 8],
        ..Span::default()
    };
    let mut request = request(Vec::new(), vec![of(1, 1), of(2, 2), of(1, 3)]);
    let resource_spans = &mut request.resource_spans;
    let more = ScopeSpans {
        spans: vec![of(2, 4), of(1, 5)],
        ..ScopeSpans::default()
    };
    resource_spans[0].scope_spans.push(more);
    resource_spans.push(ResourceSpans {
        scope_spans: vec![ScopeSpans {
            spans: vec![of(1, 6)],
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    });
    let payload = received(&request);
    let chunks: Vec<_> = payload
        .chunks
        .iter()
        .map(|chunk| {
            let numbers = chunk.spans().map(|span| span.span_id().0.to_be_bytes()[0]);
            (
                chunk.trace_id().to_string().as_bytes()[1] - b'0',
                numbers.collect::<Vec<_>>(),
            )
        })
        .collect();
    // The low halves of both traces are the same.
    assert_eq!(chunks, [(1, vec![1, 3, 5]), (2, vec![2, 4]), (1, vec![6])]);
    assert_eq!(payload.n_chunks, 3);
}

#[test]
fn the_sender_is_named_by_its_resource() {
    let check = |resource: &[(&str, &str)], expect: [&str; 3]| {
        let tracer = received(&request(texts(resource), Vec::new())).tracer;
        let said = [
            &*tracer.language,
            &*tracer.language_version,
            &*tracer.tracer_version,
        ];
        assert_eq!(said, expect);
    };
    check(
        &[
            ("telemetry.sdk.language", "Python"),
            ("telemetry.sdk.version", "1.45.1"),
            ("process.runtime.version", "3.11.7"),
        ],
        ["python", "3.11.7", "otlp-1.45.1"],
    );
    check(&[], ["", "", ""]);
}

/// Recorded bodies of both kinds.
fn recorded() -> Vec<Vec<u8>> {
    let payloads = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let names = ["otlp-sdk-1451", "otlp-ddtrace-4160"];
    let names = names
        .iter()
        .flat_map(|name| [".protobuf", ".json"].map(|end| format!("{name}{end}")));
    names
        .map(|name| std::fs::read(payloads.join(name)).unwrap())
        .collect()
}
