//! Eviction: whole traces, by our own count, in an order that spares what somebody looks at.

use proptest::collection::vec;
use proptest::sample::Index;

use super::*;
use crate::store::Restored;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_stand_after_every_delivery_in_any_budget(
        deliveries in vec(
            ((0..3_u64, 0..4_u64), vec(span_within(6), 1..7), any::<Index>()),
            1..30,
        ),
        memory in prop_oneof![0..4_000_usize, 0..20_000_usize],
    ) {
        let mut store = Store::new(memory);
        for ((high, low), spans, held) in &deliveries {
            let keys: Vec<_> = store.traces().map(TraceEntry::key).collect();
            let held = (!keys.is_empty()).then(|| keys[held.index(keys.len())]);
            store.hold(held.into_iter().collect());
            deliver(&mut store, id(*high, *low), spans);
            let lost = held.is_some_and(|held| store.trace(held).is_none());
            prop_assert!(!lost || store.n_traces() == 0, "held, yet evicted before others");
        }
    }

    #[test]
    fn a_restored_trace_counts_like_a_delivered_one(
        deliveries in vec(((0..3_u64, 0..4_u64), vec(span_within(6), 1..7)), 1..20),
        memory in 0..10_000_usize,
        counted in (0..99_u64, 0..99_u64, 0..99_u64),
    ) {
        let mut store = Store::new(memory);
        let counters = super::super::Counters {
            spans_shown: counted.0,
            spans_evicted: counted.1,
            spans_duplicate: counted.2,
            ..Default::default()
        };
        store.restore_counters(&counters);
        for ((high, low), spans) in &deliveries {
            let trace_id = id(*high, *low);
            let chunk = chunk(id(0, *low), spans);
            store.restore(trace_id, chunk, Restored::default());
            assert_laws(&store);
        }
        prop_assert!(store.counters().spans_evicted >= counted.1);
    }
}

#[test]
fn nothing_is_left_of_traces_that_went() {
    let mut store = Store::new(20_000);
    for low in 1..500 {
        deliver(&mut store, id(0, low), &[SPAN]);
    }
    let counters = store.counters();
    assert!(counters.traces_evicted > 400);
    assert_eq!(store.by_low.len(), store.n_traces());
    assert_eq!(store.entries.len(), store.n_traces());
    let huge: Vec<_> = (1..2_000).map(|id| Plan { id, ..SPAN }).collect();
    deliver(&mut store, id(0, 1_000), &huge);
    assert_eq!((store.n_traces(), store.bytes()), (0, 0));
    assert!(store.by_low.len() == 0 && store.entries.len() == 0);
}

#[test]
fn the_oldest_goes_first_but_unfinished_and_held_ones_later() {
    let mut store = Store::new(PLENTY);
    let unfinished = deliver(&mut store, id(0, 1), &[Plan { parent: 9, ..SPAN }]).unwrap();
    let held = deliver(&mut store, id(0, 2), &[SPAN]).unwrap();
    let plain: Vec<_> = (3..6)
        .map(|low| deliver(&mut store, id(0, low), &[SPAN]).unwrap())
        .collect();
    store.hold(vec![held]);
    let mut order = Vec::new();
    while let Some(next) = store.next_to_evict() {
        order.push(next);
        store.remove(Some(next));
    }
    assert_eq!(order, [&plain[..], &[unfinished, held]].concat());
}

#[test]
fn a_marked_trace_goes_last_and_its_mark_with_it() {
    let mut store = Store::new(PLENTY);
    let keys: Vec<_> = (1..5)
        .map(|low| deliver(&mut store, id(0, low), &[SPAN]).unwrap())
        .collect();
    for key in [keys[2], keys[0], keys[3], keys[3]] {
        store.toggle_mark(key);
    }
    assert_eq!(store.marked().collect::<Vec<_>>(), [keys[0], keys[2]]);
    let mut order = Vec::new();
    while let Some(next) = store.next_to_evict() {
        order.push(next);
        store.remove(Some(next));
        assert!(!store.is_marked(next));
    }
    assert_eq!(order, [keys[1], keys[3], keys[0], keys[2]]);
    assert_eq!(store.marked().len(), 0);
}

#[test]
fn a_trace_between_its_twins_can_go() {
    for gone in 0..3 {
        let mut store = Store::new(PLENTY);
        let keys: Vec<_> = (1..4)
            .map(|high| deliver(&mut store, id(high, 7), &[SPAN]).unwrap())
            .collect();
        store.remove(Some(keys[gone]));
        assert_laws(&store);
        for (high, (place, key)) in (1..4).zip(keys.iter().enumerate()) {
            let found = store.find(id(high, 7)).map(TraceEntry::key);
            assert_eq!(found, (place != gone).then_some(*key));
        }
    }
}
