//! What is made to be sent to an agent.

use super::generate::{Node, SpanPlan, chunk};
use super::round_trip::{plain_span, with_trace_id_high};
use super::*;
use crate::trace::{Attribute, ChunkFacts, Span, TraceId};

#[test]
fn spans_have_integer_ids_and_what_an_agent_would_refuse_is_left_out() {
    let mut span = plain_span(u64::MAX, 7);
    span.attributes = vec![
        (
            Attribute::Meta,
            Node::Map(vec![
                (b"text".to_vec(), Node::Text(vec![b'a', 0xff])),
                (b"number".to_vec(), Node::Int(1)),
            ]),
        ),
        (
            Attribute::Metrics,
            Node::Map(vec![
                (b"one".to_vec(), Node::Float(1.0)),
                (b"nan".to_vec(), Node::Float(f64::NAN)),
                (b"text".to_vec(), Node::Text(b"1".to_vec())),
            ]),
        ),
        (
            Attribute::MetaStruct,
            Node::Map(vec![(b"s".to_vec(), Node::Bytes(vec![0x81, 0xa1]))]),
        ),
        (
            Attribute::SpanLinks,
            Node::Array(vec![
                Node::Map(vec![
                    (b"trace_id".to_vec(), Node::Int(-1)),
                    (b"span_id".to_vec(), Node::Text(b"no id".to_vec())),
                ]),
                Node::Null,
            ]),
        ),
        (
            Attribute::SpanEvents,
            Node::Array(vec![Node::Map(vec![(
                b"time_unix_nano".to_vec(),
                Node::Float(1.5e18),
            )])]),
        ),
        (Attribute::Unknown, Node::Map(vec![])),
    ];
    let mut store = Store::new(PLENTY);
    deliver(&mut store, chunk(u64::MAX, &[span]));
    let expected = r#"[
[
{"service":"document-processor","name":"document.process","resource":"document.process","trace_id":18446744073709551615,"span_id":18446744073709551615,"parent_id":7,"start":1795205181950551406,"duration":124675,"error":0,"meta":{"text":"a�","number":"1"},"metrics":{"one":1.0},"meta_struct":{"s":"gaE="},"span_links":[{"trace_id":18446744073709551615}],"span_events":[{"time_unix_nano":1500000000000000000}]}
]
]
"#;
    assert_eq!(export(&store, "datadog"), expected);
}

#[test]
fn the_first_span_says_the_high_half_of_the_id_exactly_once() {
    let mut store = Store::new(PLENTY);
    let said = with_trace_id_high(plain_span(1, 0), "6b00a83d00000000");
    deliver(&mut store, chunk(5, &[plain_span(2, 1)]));
    deliver(&mut store, chunk(5, &[said]));
    let file = export(&store, "datadog");
    let tags: Vec<_> = file
        .lines()
        .map(|line| line.matches(r#""_dd.p.tid":"6b00a83d00000000""#).count())
        .collect();
    assert_eq!(tags, [0, 0, 1, 1, 0, 0]);
    let id = TraceId(0x6b00_a83d_0000_0000_0000_0000_0000_0005);
    assert_eq!(opened(&file).find(id).unwrap().n_spans(), 2);
}

#[test]
fn the_priority_of_a_chunk_is_said_on_the_root_unless_a_span_says_one() {
    let with_priority = |mut span: SpanPlan, priority| {
        let tag = (b"_sampling_priority_v1".to_vec(), Node::Int(priority));
        span.attributes
            .push((Attribute::Metrics, Node::Map(vec![tag])));
        span
    };
    let (root, child) = (plain_span(1, 0), plain_span(2, 1));
    let cases = [
        (vec![child.clone(), root.clone()], 2, Some(2), [false, true]),
        (
            vec![child.clone(), root.clone()],
            -128,
            None,
            [false, false],
        ),
        (
            vec![with_priority(child, -1), root],
            2,
            Some(-1),
            [true, false],
        ),
    ];
    for (spans, of_chunk, expected, said) in cases {
        let mut store = Store::new(PLENTY);
        let mut chunks = chunk(5, &spans);
        for chunk in &mut chunks {
            chunk.set_facts(ChunkFacts {
                priority: Some(of_chunk),
                ..ChunkFacts::default()
            });
        }
        deliver(&mut store, chunks);
        let file = export(&store, "datadog");
        let again = opened(&file);
        let trace = again.find(TraceId(5)).unwrap();
        let priority = trace.sampling().priority.map(|priority| priority.0);
        assert_eq!(priority, expected, "{file}");
        let says = |(_, span): (_, Span<'_>)| span.metric("_sampling_priority_v1").is_some();
        assert!(trace.spans().map(says).eq(said), "{file}");
    }
}

#[test]
fn a_file_of_chunks_is_counted_as_if_received() {
    let file = r#"[[{"trace_id":1,"span_id":2,"start":3,"duration":4,"meta":{"$float":"NaN"},"novel":[1]},
        {"trace_id":9,"span_id":2,"parent_id":-1,"error":1}],[]]"#;
    let mut store = Store::new(PLENTY);
    let read = open(file.as_bytes(), &mut store, Now::default()).unwrap();
    assert_eq!(
        read,
        Opened {
            form: FileForm::Chunks,
            kept: Kept {
                n_traces: 1,
                n_spans: 2,
                ..Kept::default()
            },
            warnings: vec!["Members that this version does not know were left out: 1.".into()]
        }
    );
    let counters = store.counters();
    assert_eq!((counters.chunks_received, counters.spans_received), (2, 2));
    let first = store.find(TraceId(1)).unwrap().head().unwrap();
    assert_eq!(first.meta_text("$float").unwrap(), "NaN");
    let second = store.find(TraceId(9)).unwrap().head().unwrap();
    assert_eq!(second.parent_id().0, u64::MAX);
}
