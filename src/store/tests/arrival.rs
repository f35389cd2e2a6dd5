//! Whatever way the spans of a trace come, the trace is the same.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::sample::Index;

use super::*;

/// The spans in another order, and cut into chunks elsewhere.
fn shuffled(spans: &[Plan], keys: &[Index], cut: usize) -> Store {
    let mut order: Vec<_> = spans.iter().zip(keys).collect();
    order.sort_by_key(|(_, key)| key.index(usize::MAX));
    let order: Vec<_> = order.into_iter().map(|(span, _)| *span).collect();
    let mut store = Store::new(PLENTY);
    for piece in order.chunks(cut) {
        deliver(&mut store, id(7, 7), piece);
    }
    store
}

fn facts(trace: &TraceEntry) -> impl PartialEq + std::fmt::Debug {
    let mut spans = spans(trace);
    spans.sort();
    let summary = trace.summary();
    (
        spans,
        trace.head().map(Plan::of),
        (trace.start(), trace.duration(), summary.end),
        (trace.n_orphans(), trace.is_complete(), summary.n_errors),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_chunking_gives_the_same_trace(
        plans in vec((span_within(120), any::<Index>()), 1..120),
        cuts in (1..90_usize, 1..9_usize),
    ) {
        let distinct: BTreeMap<_, _> =
            plans.iter().map(|(span, key)| (span.identity(), (*span, *key))).collect();
        let (plans, keys): (Vec<_>, Vec<_>) = distinct.into_values().unzip();
        let (one, other) = (shuffled(&plans, &keys, cuts.0), shuffled(&plans, &vec![keys[0]; plans.len()], cuts.1));
        prop_assert_eq!(facts(only_trace(&one)), facts(only_trace(&other)));
        prop_assert_eq!(one.counters().spans_shown, other.counters().spans_shown);
    }

    #[test]
    fn the_newest_snapshot_of_each_span_is_shown_where_the_first_stood(
        deliveries in vec(vec(span_within(5), 1..8), 1..8),
    ) {
        let mut store = Store::new(PLENTY);
        let mut expected: Vec<Plan> = Vec::new();
        for spans in &deliveries {
            deliver(&mut store, id(7, 7), spans);
            for span in spans {
                match expected.iter_mut().find(|held| held.identity() == span.identity()) {
                    Some(held) => *held = *span,
                    None => expected.push(*span),
                }
            }
        }
        prop_assert_eq!(spans(only_trace(&store)), expected);
    }
}

#[test]
fn a_retry_is_shown_once_and_counted() {
    for n_spans in [1, 3, 100] {
        let plans: Vec<_> = (1..=n_spans).map(|id| Plan { id, ..SPAN }).collect();
        let mut store = Store::new(PLENTY);
        deliver(&mut store, id(7, 7), &plans);
        let bytes = store.bytes();
        for retry in 1..4 {
            deliver(&mut store, id(7, 7), &plans);
            assert_eq!(spans(only_trace(&store)), plans);
            assert_eq!(store.counters().spans_duplicate, retry * n_spans);
        }
        let grown = store.bytes() - bytes;
        assert!(
            grown < 64 * plans.len() + 2_048,
            "{grown} bytes for retries"
        );
    }
}

#[test]
fn a_span_twice_in_one_chunk_is_one_span() {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, id(7, 7), &[SPAN, SPAN]);
    assert_eq!(spans(only_trace(&store)), [SPAN]);
    assert_eq!(store.counters().spans_duplicate, 1);
}

#[test]
fn equal_ids_with_another_start_are_two_spans() {
    let mut store = Store::new(PLENTY);
    let later = Plan { start: 11, ..SPAN };
    deliver(&mut store, id(7, 7), &[SPAN]);
    deliver(&mut store, id(7, 7), &[later]);
    assert_eq!(spans(only_trace(&store)), [SPAN, later]);
    assert_eq!(store.counters().spans_duplicate, 0);
}

#[test]
fn a_snapshot_that_moves_to_another_parent_waits_for_that_one() {
    let mut store = Store::new(PLENTY);
    let child = |parent| Plan {
        id: 2,
        parent,
        ..SPAN
    };
    deliver(&mut store, id(7, 7), &[SPAN, child(1)]);
    assert!(only_trace(&store).is_complete());
    deliver(&mut store, id(7, 7), &[child(9)]);
    assert!(!only_trace(&store).is_complete());
    deliver(&mut store, id(7, 7), &[child(1)]);
    assert!(only_trace(&store).is_complete());
}

#[test]
fn traces_that_differ_in_the_high_half_stay_two() {
    let mut store = Store::new(PLENTY);
    let one = deliver(&mut store, id(1, 7), &[SPAN]);
    let two = deliver(&mut store, id(2, 7), &[SPAN]);
    assert_ne!(one, two);
    assert_eq!(
        deliver(&mut store, id(1, 7), &[Plan { id: 2, ..SPAN }]),
        one
    );
    let found = |id| store.find(id).map(TraceEntry::key);
    assert_eq!((found(id(1, 7)), found(id(2, 7))), (one, two));
    assert_eq!(found(id(0, 7)), None);
}

#[test]
fn a_chunk_without_the_high_half_joins_its_trace_whichever_comes_first() {
    for order in [[id(1, 7), id(0, 7)], [id(0, 7), id(1, 7)]] {
        let mut store = Store::new(PLENTY);
        for (place, trace_id) in (1..).zip(order) {
            deliver(&mut store, trace_id, &[Plan { id: place, ..SPAN }]);
        }
        let trace = only_trace(&store);
        assert_eq!((trace.trace_id(), trace.n_spans()), (id(1, 7), 2));
    }
}

#[test]
fn a_chunk_without_the_high_half_joins_the_newest_of_several() {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, id(1, 7), &[SPAN]);
    let newest = deliver(&mut store, id(2, 7), &[SPAN]);
    assert_eq!(
        deliver(&mut store, id(0, 7), &[Plan { id: 2, ..SPAN }]),
        newest
    );
}

#[test]
fn an_empty_chunk_makes_no_trace() {
    let mut store = Store::new(PLENTY);
    let touched = store.insert(received(vec![TraceChunk::default()]), Now::default());
    assert_eq!((touched.len(), store.n_traces()), (0, 0));
    assert_eq!(store.counters().chunks_received, 1);
    assert_laws(&store);
}

#[test]
fn a_delivery_names_each_trace_once_in_order_of_first_arrival() {
    let mut store = Store::new(PLENTY);
    let known = deliver(&mut store, id(1, 1), &[SPAN]).unwrap();
    let other = Plan { id: 2, ..SPAN };
    let chunks = [(9, SPAN), (1, other), (9, other), (8, SPAN)];
    let chunks = chunks.map(|(low, span)| chunk(id(1, low), &[span]));
    let touched = store.insert(received(chunks.into()), Now::default());
    assert_eq!(
        touched,
        [known, TraceKey(known.0 + 1), TraceKey(known.0 + 2)]
    );
}

#[test]
fn traces_by_the_thousand_with_the_same_low_half_stay_apart() {
    let mut store = Store::new(PLENTY);
    let chunks = (1..=3_000)
        .map(|high| chunk(id(high, 7), &[SPAN]))
        .collect();
    store.insert(received(chunks), Now::default());
    assert_eq!(
        (store.n_traces(), store.counters().spans_shown),
        (3_000, 3_000)
    );
    let newest = store.find(id(3_000, 7)).unwrap().key();
    let late = chunk(id(3_000, 7), &[Plan { id: 2, ..SPAN }]);
    let touched = store.insert(received(vec![late]), Now::default());
    assert_eq!(touched, [newest]);
}
