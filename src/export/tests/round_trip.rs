//! Exporting, opening and exporting again gives the same bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::generate::{Node, Said, SpanPlan, chunk, span};
use super::*;
use crate::logs::JoinedBy;
use crate::store::{LogEntry, TraceEntry};
use crate::trace::Attribute;

#[track_caller]
pub(super) fn check_comes_back(store: &Store) {
    let first = export(store, "json");
    let mut again = Store::new(PLENTY);
    match open(first.as_bytes(), &mut again, Now::default()) {
        Ok(opened) => assert!(opened.warnings.is_empty(), "{opened:?}\n{first}"),
        Err(error) => panic!("{error}\n{first}"),
    }
    assert_eq!(export(&again, "json"), first);
    assert_eq!(again.counters(), store.counters());
    for (before, after) in store.traces().zip(again.traces()) {
        assert_eq!(before.trace_id(), after.trace_id());
        assert_eq!(before.n_spans(), after.n_spans());
        for ((_, span), (_, twin)) in before.spans().zip(after.spans()) {
            assert!(span.same_as(twin), "{first}");
        }
        assert_eq!(before.container(), after.container());
        let lines = |store: &Store, trace: &TraceEntry| -> Vec<(String, Option<JoinedBy>)> {
            let lines = trace.logs().iter().map(|key| store.log(*key).unwrap());
            let of = |line: &LogEntry| {
                let by = line.joined().map(|joined| joined.by);
                (line.record().line().to_owned(), by)
            };
            lines.map(of).collect()
        };
        assert_eq!(lines(store, before), lines(&again, after));
    }
    assert_eq!(store.n_logs(), again.n_logs());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_was_captured_comes_back_byte_by_byte(
        deliveries in vec((1..4_u64, vec(span(), 1..4)), 1..5),
    ) {
        let mut store = Store::new(PLENTY);
        for (trace_id_low, spans) in &deliveries {
            deliver(&mut store, chunk(*trace_id_low, spans));
        }
        store.record(request("/v0.4/traces", 200));
        store.record(request("/v0.4/\u{202e}traces", 400));
        check_comes_back(&store);
    }

    #[test]
    fn a_file_opens_into_any_budget_and_the_law_stands(
        deliveries in vec((1..9_u64, vec(span(), 1..4)), 1..9),
        memory in 0..20_000_usize,
    ) {
        let mut store = Store::new(PLENTY);
        for (trace_id_low, spans) in &deliveries {
            deliver(&mut store, chunk(*trace_id_low, spans));
        }
        let mut small = Store::new(memory);
        open(export(&store, "json").as_bytes(), &mut small, Now::default()).unwrap();
        let counters = small.counters();
        prop_assert_eq!(
            counters.spans_received,
            counters.spans_shown + counters.spans_evicted + counters.spans_duplicate
        );
        prop_assert_eq!(counters.spans_received, store.counters().spans_received);
        prop_assert!(small.n_traces() == 0 || small.bytes() <= memory);
    }

    #[test]
    fn a_datadog_export_is_json_and_opens_whatever_was_captured(
        deliveries in vec((1..4_u64, vec(span(), 1..4)), 1..4),
    ) {
        let mut store = Store::new(PLENTY);
        for (trace_id_low, spans) in &deliveries {
            deliver(&mut store, chunk(*trace_id_low, spans));
        }
        let again = opened(&export(&store, "datadog"));
        prop_assert_eq!(again.counters().spans_shown, store.counters().spans_shown);
    }
}

pub(super) fn plain_span(span_id: u64, parent_id: u64) -> SpanPlan {
    SpanPlan {
        span_id: Said::This(span_id),
        parent_id: Said::This(parent_id),
        texts: [
            Said::This(b"document-processor".to_vec()),
            Said::This(b"document.process".to_vec()),
            Said::This(b"document.process".to_vec()),
            Said::Nothing,
        ],
        start: Said::This(1_795_205_181_950_551_406),
        duration: Said::This(124_675),
        error: Said::This(0),
        attributes: Vec::new(),
    }
}

pub(super) fn with_trace_id_high(mut span: SpanPlan, high: &str) -> SpanPlan {
    let tag = (b"_dd.p.tid".to_vec(), Node::Text(high.into()));
    span.attributes
        .push((Attribute::Meta, Node::Map(vec![tag])));
    span
}

#[test]
fn a_trace_whose_newest_snapshots_lost_the_high_half_keeps_its_id() {
    let mut store = Store::new(PLENTY);
    let first = with_trace_id_high(plain_span(1, 0), "6b00a83d00000000");
    deliver(&mut store, chunk(5, &[first]));
    deliver(&mut store, chunk(5, &[plain_span(1, 0), plain_span(2, 1)]));
    assert_eq!(store.n_traces(), 1);
    check_comes_back(&store);
}

#[test]
fn values_nested_as_deep_as_decoders_allow_come_back() {
    let mut node = Node::Null;
    for _ in 0..63 {
        node = Node::Map(vec![(vec![0xff], node)]);
    }
    let mut span = plain_span(1, 0);
    span.attributes
        .push((Attribute::SpanEvents, Node::Array(vec![node])));
    let mut store = Store::new(PLENTY);
    deliver(&mut store, chunk(5, &[span]));
    check_comes_back(&store);
}

#[test]
fn two_files_one_after_another_make_one_capture() {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, chunk(5, &[plain_span(1, 0)]));
    let file = export(&store, "json");
    let mut both = opened(&file);
    let more = open(file.as_bytes(), &mut both, Now::default()).unwrap();
    assert_eq!(
        more.kept,
        Kept {
            n_traces: 1,
            n_spans: 1,
            ..Kept::default()
        }
    );
    let counters = both.counters();
    assert_eq!(
        (
            counters.spans_received,
            counters.spans_shown,
            counters.spans_duplicate
        ),
        (2, 1, 1)
    );
}
