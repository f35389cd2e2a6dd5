//! What the simulated Agent makes of what comes, and that every trace is counted once for it.

use super::*;
use crate::sampler::{Model, Pieces, Redraw, Sampler};
use crate::wire::{v04, v05};

const SECOND: i64 = 1_000_000_000;

/// A recorded delivery, as if it came at a time.
fn recorded(name: &str, at: i64) -> Received {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/payloads");
    let body = std::fs::read(format!("{folder}/{name}.msgpack")).unwrap();
    let builder = &mut ChunkBuilder::default();
    let payload = v04::decode(&body, builder).or_else(|_| v05::decode(&body, builder));
    Received {
        at: UnixNanos(at),
        payload: payload.unwrap(),
        ..received(Vec::new())
    }
}

fn counts(store: &Store) -> BTreeMap<&str, u64> {
    let counts = store.counters().traces_by_verdict.iter();
    counts
        .filter(|(_, number)| **number > 0)
        .map(|(name, number)| (&**name, *number))
        .collect()
}

/// One trace after another of one process, each with one span.
fn send(store: &mut Store, ids: std::ops::Range<u64>, at: i64) {
    // Ids as clients draw them, anywhere among all.
    let id = |number: u64| id(0, number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let chunks = ids.map(|number| part(id(number), SPAN, 1)).collect();
    let received = Received {
        at: UnixNanos(at),
        ..received(chunks)
    };
    store.insert(received, Now::default());
    assert_laws(store);
}

#[test]
fn a_first_burst_is_kept_whole_and_one_after_load_is_not() {
    let mut store = Store::new(PLENTY);
    send(&mut store, 0..50, 1_000 * SECOND);
    assert_eq!(counts(&store), BTreeMap::from([("kept_priority", 50)]));
    // 1,000 in five seconds are 200 a second, so 10 of 200: a rate of 0.05, once it is answered.
    send(&mut store, 50..1_050, 1_010 * SECOND);
    send(&mut store, 1_050..1_051, 1_015 * SECOND);
    send(&mut store, 1_051..1_052, 1_016 * SECOND);
    let before = counts(&store).get("dropped_rate").copied().unwrap_or(0);
    send(&mut store, 1_052..2_052, 1_016 * SECOND);
    let dropped = counts(&store)["dropped_rate"] - before;
    assert!((930..=970).contains(&dropped), "{dropped} of 1,000");
}

#[test]
fn what_the_client_decided_by_a_rule_is_not_drawn_again() {
    let mut store = Store::new(PLENTY);
    store.insert(recorded("50-concurrent-rule03-412", SECOND), Now::default());
    assert_laws(&store);
    assert!(
        store
            .traces()
            .all(|trace| trace.verdict().unwrap().tracer().is_none())
    );
    let n_kept = store
        .traces()
        .filter(|trace| trace.verdict().unwrap().is_kept());
    let n_said = store
        .traces()
        .filter(|trace| !trace.sampling().priority.unwrap().is_reject());
    assert_eq!(n_kept.count(), n_said.count());
}

#[test]
fn a_piece_that_came_early_because_we_asked_for_it_is_not_counted() {
    let names = ["1", "2", "3"].map(|part| format!("partial-flush-v04-412-chunk-{part}"));
    let mut store = Store::new(PLENTY).with_model(Model::default().with_pieces(Pieces::LeftOut));
    for name in &names[..2] {
        store.insert(recorded(name, SECOND), Now::default());
        assert_laws(&store);
        assert_eq!(counts(&store), BTreeMap::from([("unknown", 1)]));
    }
    store.insert(recorded(&names[2], SECOND), Now::default());
    assert_eq!(counts(&store), BTreeMap::from([("kept_priority", 1)]));
    let verdict = only_trace(&store).verdict().unwrap();
    assert_eq!(verdict.kept_by(), Some(Sampler::Priority));
    let redraw = Redraw {
        is_kept: true,
        rate: 1.0,
    };
    assert_eq!(verdict.tracer(), Some(redraw));
}

/// One span of a trace, with a priority and an error flag.
fn part(id: TraceId, plan: Plan, priority: i32) -> TraceChunk {
    let mut builder = ChunkBuilder::default();
    builder.begin_span().unwrap();
    builder.set_number(Field::TraceId, id.low());
    plan.write(&mut builder);
    let opened = builder.attribute(Attribute::Metrics).open_map();
    let key = builder.text(tag::SAMPLING_PRIORITY.as_bytes()).unwrap();
    builder.writer().key(key);
    builder.writer().float(f64::from(priority));
    builder.writer().close(opened);
    builder.finish().pop().unwrap()
}

#[test]
fn an_error_below_a_rejected_root_is_kept_whichever_comes_first() {
    for child_first in [true, false] {
        let mut store = Store::new(PLENTY);
        send(&mut store, 0..1_000, 1_000 * SECOND);
        send(&mut store, 1_000..1_001, 1_005 * SECOND);
        send(&mut store, 1_001..1_002, 1_006 * SECOND);
        // An id that falls beyond any low rate.
        let far = (1..1_000)
            .find(|low| crate::sampler::place(*low) > 0.9)
            .unwrap();
        let child = Plan {
            id: 2,
            parent: 1,
            error: 1,
            ..SPAN
        };
        let mut parts = [part(id(0, far), child, 1), part(id(0, far), SPAN, 1)];
        if !child_first {
            parts.reverse();
        }
        for part in parts {
            let received = Received {
                at: UnixNanos(1_007 * SECOND),
                ..received(vec![part])
            };
            store.insert(received, Now::default());
            assert_laws(&store);
        }
        let verdict = store.find(id(0, far)).unwrap().verdict().unwrap();
        assert_eq!(verdict.kept_by(), Some(Sampler::Error), "{child_first}");
        assert!(!verdict.tracer().unwrap().is_kept);
    }
}
