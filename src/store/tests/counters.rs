//! The counters: names that the header, the headless summary and exports share.

use super::super::Counters;
use super::*;

/// In the order in which they are documented.
const NAMES: &str = "payloads_received payloads_refused bytes_received chunks_received \
    spans_received spans_shown spans_evicted chunks_undecodable spans_duplicate traces_open \
    traces_complete traces_evicted logs_received logs_joined logs_unjoined logs_dropped \
    logs_evicted relay_messages relay_lost client_dropped_p0_traces client_dropped_p0_spans \
    client_unsent_traces client_hits client_hits_without_span client_spans_created \
    client_spans_finished client_trace_chunks_dropped forwarded_payloads forwarded_spans forwarded_bytes forward_failed forward_dropped forward_refused \
    requests_by_endpoint traces_by_verdict";

#[test]
fn counters_are_written_under_their_names_in_their_order() {
    let json = serde_json::to_value(Counters::default()).unwrap();
    let names: Vec<_> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names.join(" "),
        NAMES.split_whitespace().collect::<Vec<_>>().join(" ")
    );
}

#[test]
fn counters_come_back_and_add_up_without_running_over() {
    let mut counters = Counters {
        spans_received: u64::MAX,
        chunks_received: 2,
        ..Counters::default()
    };
    counters.requests_by_endpoint.insert("/info".into(), 3);
    let json = serde_json::to_string(&counters).unwrap();
    assert_eq!(serde_json::from_str::<Counters>(&json).unwrap(), counters);
    counters.add(&counters.clone());
    assert_eq!(
        (counters.spans_received, counters.chunks_received),
        (u64::MAX, 4)
    );
    assert_eq!(counters.requests_by_endpoint["/info"], 6);
    assert_eq!(counters.largest(), u64::MAX);
}

#[test]
fn what_is_kept_is_counted_without_what_is_unknown() {
    let mut counters = Counters::default();
    for (name, number) in [
        ("kept_priority", 3),
        ("kept_error", 2),
        ("dropped", 1),
        ("dropped_rate", 56),
        ("unknown", 7),
    ] {
        counters.traces_by_verdict.insert(name.into(), number);
    }
    let simulated = counters.simulated();
    assert_eq!((simulated.n_kept, simulated.n_judged), (5, 62));
}

#[test]
fn counters_of_a_file_at_their_limit_stay_there() {
    let mut store = Store::new(PLENTY);
    store.restore_counters(&Counters {
        chunks_received: u64::MAX,
        spans_evicted: u64::MAX,
        client_dropped_p0_spans: u64::MAX,
        ..Counters::default()
    });
    let mut delivery = received(vec![chunk(id(1, 1), &[SPAN])]);
    delivery.client_dropped_p0_spans = 1;
    store.insert(delivery, Now::default());
    let counters = store.counters();
    assert_eq!(counters.client_dropped_p0_spans, u64::MAX);
    assert_eq!(
        (counters.chunks_received, counters.spans_shown),
        (u64::MAX, 1)
    );
}
