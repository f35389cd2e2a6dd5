//! What clients told, beside spans as they come.

use std::sync::Arc;

use super::*;
use crate::ingest::{Brought, Request, RequestClass, RequestRecord};
use crate::stats::{
    ClientStats, ClientTelemetry, StatsBucket, StatsCounts, StatsGroup, TelemetrySums,
};

const SECOND: i64 = 1_000_000_000;

/// Spans of the resource `r`, each as likely counted as its metrics say.
fn counted_chunk(trace: u64, spans: &[(u64, &[(&str, f64)])]) -> TraceChunk {
    let mut builder = ChunkBuilder::default();
    for (id, metrics) in spans {
        builder.begin_span().unwrap();
        for (field, text) in [
            (Field::Service, "s"),
            (Field::Name, "n"),
            (Field::Resource, "r"),
        ] {
            let text = builder.text(text.as_bytes()).unwrap();
            builder.set_text(field, text);
        }
        builder.set_number(Field::TraceId, trace);
        builder.set_number(Field::SpanId, *id);
        builder.set_number(Field::Start, SECOND.cast_unsigned());
        let keys = metrics
            .iter()
            .map(|(key, value)| (builder.text(key.as_bytes()).unwrap(), *value));
        let keys: Vec<_> = keys.collect();
        let opened = builder.attribute(Attribute::Metrics).open_map();
        for (key, value) in keys {
            builder.writer().key(key);
            builder.writer().float(value);
        }
        builder.writer().close(opened);
    }
    builder.finish().pop().unwrap()
}

const TOP: &[(&str, f64)] = &[("_dd.top_level", 1.0)];
const SNAPSHOT: &[(&str, f64)] = &[("_dd.top_level", 1.0), ("_dd.partial_version", 1.0)];

fn deliver_counted(store: &mut Store, chunk: TraceChunk) {
    let mut received = received(vec![chunk]);
    received.client_computed_stats = true;
    store.insert(received, Now::default());
}

fn tell(store: &mut Store, brought: Brought) {
    let record = RequestRecord {
        at: UnixNanos(1),
        via: Via::Http,
        method: "POST".into(),
        path: "/v0.6/stats".into(),
        endpoint: "/v0.6/stats".into(),
        class: RequestClass::Stats,
        status: 200,
        bytes: 1,
        client: Arc::default(),
        note: Box::default(),
        announced_chunks: 0,
    };
    store.take_request(Request { record, brought }, Now::default());
}

fn tell_hits(store: &mut Store, hits: u64) {
    let group = StatsGroup {
        service: "s".into(),
        name: "n".into(),
        resource: "r".into(),
        counts: StatsCounts {
            hits,
            ..StatsCounts::default()
        },
        ..StatsGroup::default()
    };
    let bucket = StatsBucket {
        start: UnixNanos(0),
        duration: 10 * SECOND,
        groups: vec![group],
    };
    let stats = ClientStats {
        buckets: vec![bucket],
        ..ClientStats::default()
    };
    tell(store, Brought::Stats(Box::new(stats)));
}

#[track_caller]
fn check(store: &Store, hits: u64, n_missing: u64) {
    let counters = store.counters();
    assert_eq!(
        (counters.client_hits, counters.client_hits_without_span),
        (hits, n_missing)
    );
}

#[test]
fn each_span_that_its_client_counts_is_counted_once() {
    let mut store = Store::new(PLENTY);
    let spans: &[(u64, &[(&str, f64)])] = &[(1, TOP), (2, &[]), (3, SNAPSHOT), (1, TOP)];
    deliver_counted(&mut store, counted_chunk(7, spans));
    deliver_counted(&mut store, counted_chunk(7, spans));
    tell_hits(&mut store, 9);
    check(&store, 9, 8);
    // What was a snapshot has ended now, and comes twice.
    deliver_counted(&mut store, counted_chunk(7, &[(3, TOP)]));
    deliver_counted(&mut store, counted_chunk(7, &[(3, TOP)]));
    check(&store, 9, 7);
    assert_eq!(store.told().compared()[0].n_arrived, 2);
}

#[test]
fn what_arrived_stays_counted_when_it_is_evicted() {
    let mut store = Store::new(20_000);
    for trace in 1..200 {
        deliver_counted(&mut store, counted_chunk(trace, &[(1, TOP)]));
    }
    assert!(store.counters().traces_evicted > 100);
    tell_hits(&mut store, 199);
    check(&store, 199, 0);
    assert!(store.bytes() <= 20_000);
}

#[test]
fn spans_that_no_client_counts_are_not_compared() {
    let mut store = Store::new(PLENTY);
    store.insert(
        received(vec![counted_chunk(7, &[(1, TOP)])]),
        Now::default(),
    );
    tell_hits(&mut store, 9);
    check(&store, 9, 0);
    assert!(!store.told().is_compared());
}

#[test]
fn telemetry_is_summed_under_its_counters() {
    let mut store = Store::new(PLENTY);
    for _ in 0..2 {
        let telemetry = ClientTelemetry {
            sums: TelemetrySums {
                spans_created: 5,
                spans_finished: 4,
                trace_chunks_dropped: 3,
                ..TelemetrySums::default()
            },
            ..ClientTelemetry::default()
        };
        tell(&mut store, Brought::Telemetry(Box::new(telemetry)));
    }
    let counters = store.counters();
    let said = [
        counters.client_spans_created,
        counters.client_spans_finished,
        counters.client_trace_chunks_dropped,
    ];
    assert_eq!(said, [10, 8, 6]);
    assert_eq!(store.told().sums().telemetry.spans_created, 10);
}

#[test]
fn however_much_is_claimed_the_counters_can_be_written_and_read() {
    let mut store = Store::new(PLENTY);
    for _ in 0..3 {
        tell_hits(&mut store, u64::MAX);
    }
    check(&store, 1 << 53, 1 << 53);
}
