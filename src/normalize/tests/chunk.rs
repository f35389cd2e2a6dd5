//! Spans that come together: what drops them, and what they say as a chunk.

use super::*;
use crate::trace::{ChunkFacts, SamplingPriority};

fn span(span_id: u64, parent_id: u64, service: &str) -> Sent {
    Sent {
        span_id,
        parent_id,
        service: service.as_bytes().to_vec(),
        meta: Vec::new(),
        metrics: Vec::new(),
        ..Sent::default()
    }
}

#[track_caller]
fn check<T: std::fmt::Debug + PartialEq>(
    spans: &[Sent],
    request: Request<'_>,
    read: impl Fn(&NormalizedChunk<'_>) -> T,
    expected: &T,
) {
    let chunks = chunks_of(spans);
    let all = chunks.iter().flat_map(TraceChunk::spans);
    let chunk = normalize_chunk(all, None, request).unwrap();
    assert_eq!(read(&chunk), *expected);
}

#[track_caller]
fn check_dropped(spans: &[Sent], expected: &str) {
    let chunks = chunks_of(spans);
    let all = chunks.iter().flat_map(TraceChunk::spans);
    let dropped = normalize_chunk(all, None, REQUEST).unwrap_err();
    assert_eq!(dropped.reason(), expected);
}

#[test]
fn one_bad_span_drops_its_chunk() {
    check_dropped(&[], "empty_trace");
    check_dropped(&[span(1, 0, "a"), span(0, 1, "a")], "span_id_zero");
    let foreign = Sent {
        trace_id: 7,
        ..span(2, 1, "a")
    };
    check_dropped(&[span(1, 0, "a"), foreign], "foreign_span");
    let zero = Sent {
        trace_id: 0,
        ..span(2, 1, "a")
    };
    check_dropped(std::slice::from_ref(&zero), "trace_id_zero");
    // The trace is compared before it is looked at.
    check_dropped(&[span(1, 0, "a"), zero], "foreign_span");
}

#[test]
fn spans_with_one_id_stay_and_are_counted() {
    let spans = [span(1, 0, "a"), span(2, 1, "a"), span(2, 1, "b")];
    let read = |chunk: &NormalizedChunk<'_>| (chunk.n_duplicate_ids(), chunk.spans().len());
    check(&spans, REQUEST, read, &(1, 3));
}

#[track_caller]
fn check_root(spans: &[Sent], expected: u64) {
    check(
        spans,
        REQUEST,
        |chunk| chunk.root().unwrap().span_id().0,
        &expected,
    );
}

#[test]
fn the_root_is_the_last_without_a_parent_or_an_orphan_or_the_last() {
    check_root(&[span(1, 0, "a"), span(2, 0, "a"), span(3, 2, "a")], 2);
    check_root(&[span(3, 2, "a"), span(2, 99, "a"), span(4, 99, "a")], 2);
    check_root(&[span(1, 2, "a"), span(2, 1, "a")], 2);
    // As Zipkin has it: the parent is taken away before the root is looked for.
    let zipkin = Sent {
        trace_id: 5,
        ..span(5, 5, "a")
    };
    let child = Sent {
        trace_id: 5,
        ..span(6, 5, "a")
    };
    check_root(&[zipkin, child], 5);
}

#[track_caller]
fn check_top_level(spans: &[Sent], request: Request<'_>, expected: &[bool]) {
    let read = |chunk: &NormalizedChunk<'_>| {
        let places = 0..chunk.spans().len();
        places
            .map(|place| chunk.is_top_level(place))
            .collect::<Vec<_>>()
    };
    check(spans, request, read, &expected.to_vec());
}

#[test]
fn a_span_enters_a_service_as_a_root_an_orphan_or_below_another_service() {
    let spans = [
        span(1, 0, "Web App"),
        span(2, 1, "web_app"),
        span(3, 2, "db"),
        span(4, 99, "web_app"),
    ];
    check_top_level(&spans, REQUEST, &[true, false, true, true]);
    let marked = Sent {
        metrics: vec![(b"_dd.top_level".to_vec(), 1.0)],
        ..span(2, 1, "db")
    };
    let by_client = Request {
        has_top_level: true,
        ..REQUEST
    };
    check_top_level(&[span(1, 0, "web"), marked], by_client, &[false, true]);
}

#[test]
fn the_chunk_says_what_its_root_or_any_span_says() {
    let root = Sent {
        meta: tags(&[
            ("_dd.origin", "rum"),
            ("_dd.hostname", "box"),
            ("env", "Prod"),
        ]),
        ..span(2, 0, "a")
    };
    let child = Sent {
        meta: tags(&[
            ("_dd.p.dm", "-4"),
            ("_dd.origin", "other"),
            ("version", "1.2"),
            ("env", "x"),
        ]),
        metrics: vec![(b"_sampling_priority_v1".to_vec(), 2.0)],
        ..span(1, 2, "a")
    };
    let spans = [child, root];
    let read = |chunk: &NormalizedChunk<'_>| {
        let texts = [chunk.hostname(), chunk.env(), chunk.app_version()];
        let dm = chunk.decision_maker().unwrap().to_string();
        (
            chunk.priority(),
            chunk.origin().to_owned(),
            dm,
            texts.map(|text| text.unwrap().into_owned()),
        )
    };
    let texts = ["box", "prod", "1.2"].map(str::to_owned);
    let expected = (
        Some(SamplingPriority(2)),
        "rum".to_owned(),
        "-4".to_owned(),
        texts,
    );
    check(&spans, REQUEST, read, &expected);
}

#[test]
fn what_the_format_says_of_the_chunk_comes_first() {
    let root = Sent {
        meta: tags(&[("_dd.origin", "rum"), ("_dd.p.dm", "-4")]),
        metrics: vec![
            (b"_sampling_priority_v1".to_vec(), 2.0),
            (b"_sample_rate".to_vec(), 0.5),
        ],
        ..span(1, 0, "a")
    };
    let chunk = chunk_of(&root);
    let read = |facts: &ChunkFacts| {
        let chunk = normalize_chunk(chunk.spans(), Some(facts), REQUEST).unwrap();
        assert_eq!(chunk.client_rate().to_string(), "0.5");
        (
            chunk.priority().unwrap().0,
            chunk.origin().to_owned(),
            chunk.decision_maker().unwrap().to_string(),
        )
    };
    let facts = |priority| ChunkFacts {
        priority: Some(priority),
        origin: "synthetics".into(),
        tags: [("_dd.p.dm".into(), "-3".into())].into(),
        ..ChunkFacts::default()
    };
    let said = |priority| (priority, "synthetics".to_owned(), "-3".to_owned());
    assert_eq!(read(&facts(0)), said(0));
    assert_eq!(read(&facts(-128)), said(2));
    assert_eq!(
        read(&ChunkFacts::default()),
        (2, "rum".to_owned(), "-4".to_owned())
    );
}
