//! Spans that go on to Datadog: each once.

use super::*;
use crate::forward::courier::{Courier, CourierSettings, LinesGo, Which};
use crate::forward::payload::{PAYLOAD_BYTES_MAX, PayloadSettings};
use crate::forward::{AddedTags, AgentFacts, Coding, Ticket};
use crate::store::SpanIndex;

fn store(which: Which) -> Store {
    let settings = CourierSettings {
        payload: PayloadSettings {
            agent: AgentFacts::default(),
            coding: Coding::Gzip,
            bytes_max: PAYLOAD_BYTES_MAX,
        },
        added: AddedTags::default(),
        which,
        lines: LinesGo::default(),
    };
    Store::new(PLENTY).with_courier(Courier::new(settings, UnixNanos(1)))
}

/// All spans that went, in their order.
fn tickets(store: &mut Store) -> Vec<Ticket> {
    let courier = store.courier_mut().unwrap();
    courier.drain();
    let mut gone = Vec::new();
    for request in courier.ready() {
        gone.extend_from_slice(request.spans());
    }
    gone
}

/// Their ids.
fn gone(store: &mut Store) -> Vec<u64> {
    let tickets = tickets(store).into_iter();
    let id = |ticket: Ticket| {
        let entry = store.trace(TraceKey(ticket.trace)).unwrap();
        entry.span(SpanIndex(ticket.span)).unwrap().span_id().0
    };
    tickets.map(id).collect()
}

fn with_id(id: u64) -> Plan {
    Plan { id, ..SPAN }
}

#[test]
fn what_comes_again_does_not_go_again() {
    let mut store = store(Which::All);
    let trace = id(0, 7);
    deliver(&mut store, trace, &[with_id(1), with_id(2)]);
    assert_eq!(gone(&mut store), [1, 2]);
    // The same again, with one more, twice.
    deliver(
        &mut store,
        trace,
        &[with_id(2), with_id(3), with_id(3), with_id(1)],
    );
    assert_eq!(gone(&mut store), [3]);
    deliver(&mut store, trace, &[with_id(1)]);
    assert!(gone(&mut store).is_empty());
}

#[test]
fn equal_ids_in_other_traces_or_at_other_times_are_other_spans() {
    let mut store = store(Which::All);
    deliver(&mut store, id(0, 7), &[with_id(1)]);
    deliver(&mut store, id(0, 8), &[with_id(1)]);
    deliver(
        &mut store,
        id(0, 7),
        &[Plan {
            start: 11,
            ..with_id(1)
        }],
    );
    assert_eq!(gone(&mut store), [1, 1, 1]);
}

#[test]
fn without_anybody_to_take_them_spans_go_nowhere() {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, id(0, 7), &[with_id(1)]);
    assert!(store.courier_mut().is_none());
}

proptest! {
    #[test]
    fn each_span_goes_once_however_deliveries_overlap(
        deliveries in proptest::collection::vec(proptest::collection::vec(1..20_u64, 1..8), 1..8)
    ) {
        let mut store = store(Which::All);
        let mut came = std::collections::BTreeSet::new();
        for ids in &deliveries {
            let spans: Vec<_> = ids.iter().map(|id| with_id(*id)).collect();
            store.insert(received(vec![chunk(id(0, 7), &spans)]), Now::default());
            came.extend(ids.iter().copied());
        }
        let mut gone = gone(&mut store);
        gone.sort_unstable();
        prop_assert_eq!(gone, came.into_iter().collect::<Vec<_>>());
    }
}

/// Which payloads were recorded from clients, by their names.
const RECORDED: [&str; 7] = [
    "docproc-v04-412-1",
    "docproc-v05-412-2",
    "docproc-pywriter-v04-412-1",
    "distributed-412-1",
    "ddtags-412-1",
    "error-span-v04-412",
    "50-concurrent-default-412",
];

fn recorded(name: &str) -> Vec<TraceChunk> {
    let path = format!(
        "{}/tests/fixtures/payloads/{name}.msgpack",
        env!("CARGO_MANIFEST_DIR")
    );
    let body = std::fs::read(path).unwrap();
    let mut builder = ChunkBuilder::default();
    let decoded = crate::wire::v05::decode(&body, &mut builder);
    let decoded =
        decoded.or_else(|_| crate::wire::v04::decode(&body, &mut ChunkBuilder::default()));
    decoded.unwrap().chunks
}

#[test]
fn what_is_offered_is_about_as_large_as_what_goes() {
    for name in RECORDED {
        let mut store = store(Which::ByHand);
        store.insert(received(recorded(name)), Now::default());
        let keys: Vec<_> = store.traces().map(TraceEntry::key).collect();
        let offer = store.offer(&keys);
        store.want_sent(keys.iter().copied());
        while store.depart_next(Now::default()) {}
        let courier = store.courier_mut().unwrap();
        courier.flush();
        let went: Vec<_> = courier.ready();
        let n_spans: usize = went.iter().map(|request| request.spans().len()).sum();
        let n_bytes: usize = went.iter().map(|request| request.plain_bytes).sum();
        let (offered, went) = (offer.n_bytes as f64, n_bytes as f64);
        println!(
            "{name}: {n_spans} spans, offered {offered}, went {went}: {:.2}",
            offered / went
        );
        assert_eq!(offer.n_spans, u64::try_from(n_spans).unwrap(), "{name}");
        assert!(
            (0.8..1.25).contains(&(offered / went)),
            "{name}: {offered} of {went}"
        );
    }
}
