//! Spans that go on to Datadog: each once.

use libdd_trace_protobuf::pb::{AgentPayload, TracerPayload as ClientPayload};

use super::*;
use crate::forward::courier::{Courier, CourierSettings, LinesGo, Which};
use crate::forward::{Contents, Forwarded, Intake, IntakeRequest, Ticket};
use crate::store::{Offer, SpanIndex, Went};

pub(super) fn courier(which: Which) -> Courier {
    courier_with(which, LinesGo::default())
}

pub(super) fn courier_with(which: Which, lines: LinesGo) -> Courier {
    let settings = CourierSettings {
        which,
        lines,
        ..CourierSettings::default()
    };
    Courier::new(settings, UnixNanos(1))
}

pub(super) fn store(which: Which) -> Store {
    Store::new(PLENTY).with_courier(courier(which))
}

/// Everything that went, in its order.
fn requests(store: &mut Store) -> Vec<IntakeRequest> {
    let courier = store.courier_mut().unwrap();
    courier.drain();
    courier.ready()
}

/// All spans that went, in their order.
fn tickets(store: &mut Store) -> Vec<Ticket> {
    let requests = requests(store);
    requests
        .iter()
        .flat_map(|request| request.spans().to_vec())
        .collect()
}

/// What went, and how many spans were counted.
fn gone_and_counted(store: &mut Store) -> (Vec<Ticket>, u64) {
    let (mut gone, mut n_counted) = (Vec::new(), 0);
    for request in requests(store) {
        gone.extend_from_slice(request.spans());
        if let Contents::Groups { n_hits, .. } = request.contents {
            n_counted += n_hits;
        }
    }
    (gone, n_counted)
}

/// Has the rest of a trace sent.
fn send(store: &mut Store, key: TraceKey) {
    store.want_sent([key]);
    while store.depart_next(Now::default()) {}
    assert_laws(store);
}

fn arrived(tickets: &[Ticket]) -> Forwarded {
    Forwarded {
        arrived: tickets.to_vec(),
        ..Forwarded::default()
    }
}

fn returned(tickets: &[Ticket]) -> Forwarded {
    Forwarded {
        returned: tickets.to_vec(),
        ..Forwarded::default()
    }
}

/// Which spans are said to be there.
fn forwarded(store: &Store) -> Went<Vec<u32>> {
    match only_trace(store).forwarded() {
        Went::None => Went::None,
        Went::All => Went::All,
        Went::Only(spans) => Went::Only(spans.map(|span| span.0).collect()),
    }
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

pub(super) fn with_id(id: u64) -> Plan {
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

#[test]
fn by_hand_nothing_goes_but_what_is_chosen_and_that_once() {
    let mut store = store(Which::ByHand);
    let chosen = deliver(&mut store, id(0, 7), &[with_id(1), with_id(2)]).unwrap();
    let other = deliver(&mut store, id(0, 8), &[with_id(3)]).unwrap();
    assert!(gone(&mut store).is_empty());
    let Offer {
        n_traces,
        n_spans,
        n_bytes,
        n_gone,
    } = store.offer(&[chosen, other]);
    assert_eq!((n_traces, n_spans, n_gone), (2, 3, 0));
    assert!(n_bytes > 0);
    send(&mut store, chosen);
    let (went, n_counted) = gone_and_counted(&mut store);
    assert_eq!((went.len(), n_counted), (2, 2));
    // On its way already.
    assert_eq!(store.offer(&[chosen]).n_gone, 2);
    send(&mut store, chosen);
    assert!(gone(&mut store).is_empty());
    // What comes later has yet to be chosen.
    deliver(&mut store, id(0, 7), &[with_id(4)]);
    assert!(gone(&mut store).is_empty());
    assert_eq!(store.offer(&[chosen]).n_spans, 1);
    send(&mut store, chosen);
    assert_eq!(gone(&mut store), [4]);
}

#[test]
fn what_was_not_taken_may_go_again_and_is_not_counted_again() {
    let mut store = store(Which::All);
    let key = deliver(&mut store, id(0, 7), &[with_id(1), with_id(2), with_id(3)]).unwrap();
    let (went, n_counted) = gone_and_counted(&mut store);
    assert_eq!((went.len(), n_counted), (3, 3));
    store.forwarded(&arrived(&went[1..2]));
    store.forwarded(&returned(&[went[0], went[2]]));
    assert_laws(&store);
    assert_eq!(forwarded(&store), Went::Only(vec![1]));
    assert_eq!(only_trace(&store).n_missing(), 2);
    assert_eq!(
        (store.offer(&[key]).n_spans, store.offer(&[key]).n_gone),
        (2, 1)
    );
    send(&mut store, key);
    let (again, n_counted) = gone_and_counted(&mut store);
    assert_eq!(again, [went[0], went[2]]);
    assert_eq!(n_counted, 0);
    store.forwarded(&arrived(&again));
    assert_eq!(forwarded(&store), Went::All);
    assert_eq!(only_trace(&store).n_missing(), 0);
}

#[test]
fn what_is_said_of_evicted_traces_reaches_no_other() {
    let mut store = store(Which::All);
    deliver(&mut store, id(0, 7), &[with_id(1)]);
    let went = tickets(&mut store);
    let gone_trace = store.next_to_evict();
    store.remove(gone_trace);
    deliver(&mut store, id(0, 7), &[with_id(1)]);
    store.forwarded(&arrived(&went));
    assert_eq!(only_trace(&store).n_forwarded(), 0);
}

#[test]
fn a_trace_that_was_evicted_before_its_turn_is_lost() {
    let mut store = store(Which::ByHand);
    let key = deliver(&mut store, id(0, 7), &[with_id(1)]).unwrap();
    store.want_sent([key]);
    store.remove(Some(key));
    assert!(!store.depart_next(Now::default()));
    assert!(gone(&mut store).is_empty());
    assert_eq!(store.missing().n_lost_spans, 1);
}

/// A span that may be a snapshot of one that has not ended.
fn deliver_written(store: &mut Store, span: &serde_json::Value) {
    let body = rmp_serde::to_vec_named(&serde_json::json!([[span]])).unwrap();
    let payload = crate::wire::v04::decode(&body, &mut ChunkBuilder::default()).unwrap();
    store.insert(received(payload.chunks), Now::default());
    assert_laws(store);
}

/// A span, with metrics that say whether it has ended.
fn span_with(metrics: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "trace_id": 7, "span_id": 1, "parent_id": 0, "start": 10, "duration": 5,
        "service": "s", "name": "n", "resource": "r", "metrics": metrics,
    })
}

#[test]
fn what_had_not_ended_goes_again_when_it_has() {
    for which in [Which::All, Which::ByHand] {
        let mut store = store(which);
        deliver_written(
            &mut store,
            &span_with(&serde_json::json!({"_dd.partial_version": 1})),
        );
        let key = only_trace(&store).key();
        send(&mut store, key);
        let (snapshot, n_counted) = gone_and_counted(&mut store);
        assert_eq!((snapshot.len(), n_counted), (1, 0), "{which:?}");
        store.forwarded(&arrived(&snapshot));
        deliver_written(&mut store, &span_with(&serde_json::json!({})));
        assert_eq!(only_trace(&store).n_forwarded(), 0, "{which:?}");
        send(&mut store, key);
        let (ended, n_counted) = gone_and_counted(&mut store);
        assert_eq!(
            (ended[0].span, n_counted),
            (snapshot[0].span, 1),
            "{which:?}"
        );
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
        assert_eq!(offer.n_spans, u64::try_from(n_spans).unwrap(), "{name}");
        assert!(
            (0.8..1.25).contains(&(offered / went)),
            "{name}: {offered} of {went}"
        );
    }
}

/// Spans of one trace, each a chunk with tags of its own.
fn written(tags: &[serde_json::Value]) -> Vec<TraceChunk> {
    let chunks = tags.iter().zip(1_u64..).map(|(tags, id)| {
        serde_json::json!([{
            "trace_id": 7, "span_id": id, "parent_id": id - 1, "start": 10, "duration": 5,
            "service": "s", "name": "n", "resource": "r", "meta": tags,
        }])
    });
    let body = rmp_serde::to_vec_named(&chunks.collect::<Vec<_>>()).unwrap();
    let payload = crate::wire::v04::decode(&body, &mut ChunkBuilder::default()).unwrap();
    payload.chunks
}

fn sent_by(language: &str, chunks: Vec<TraceChunk>) -> Received {
    let mut received = received(chunks);
    received.payload.tracer = TracerInfo {
        language: language.into(),
        ..TracerInfo::default()
    }
    .into();
    received
}

/// Language and version of each client, with how many spans it sent.
fn clients(store: &mut Store) -> Vec<(String, String, usize)> {
    let requests = requests(store).into_iter();
    let traces = requests.filter(|request| request.intake == Intake::Traces);
    let clients = traces.flat_map(|request| {
        let mut plain = Vec::new();
        let mut packed = flate2::read::GzDecoder::new(&*request.body);
        std::io::Read::read_to_end(&mut packed, &mut plain).unwrap();
        let payload: AgentPayload = prost::Message::decode(&*plain).unwrap();
        payload.tracer_payloads
    });
    let spans = |client: &ClientPayload| client.chunks.iter().map(|chunk| chunk.spans.len()).sum();
    clients
        .map(|client| {
            let n_spans = spans(&client);
            (client.language_name, client.app_version, n_spans)
        })
        .collect()
}

#[test]
fn each_process_of_a_trace_is_the_client_of_its_own_spans() {
    let of = |process: &str, language: &str| serde_json::json!({"runtime-id": process, "language": language});
    let chunks = || written(&[of("a", "python"), of("b", "javascript")]);
    let expected = [
        ("python".to_owned(), String::new(), 1),
        ("javascript".to_owned(), String::new(), 1),
    ];
    for which in [Which::All, Which::ByHand] {
        let mut store = store(which);
        let mut chunks = chunks();
        let second = chunks.split_off(1);
        store.insert(sent_by("python", chunks), Now::default());
        store.insert(sent_by("javascript", second), Now::default());
        let key = only_trace(&store).key();
        send(&mut store, key);
        assert_eq!(clients(&mut store), expected, "{which:?}");
    }
}

#[test]
fn what_a_chunk_says_of_its_client_holds_for_those_behind_it() {
    let (none, said) = (serde_json::json!({}), serde_json::json!({"version": "1.2"}));
    let tags = [none.clone(), said, none];
    let mut store = store(Which::All);
    store.insert(sent_by("python", written(&tags)), Now::default());
    let of = |version: &str, n_spans| ("python".to_owned(), version.to_owned(), n_spans);
    assert_eq!(clients(&mut store), [of("", 1), of("1.2", 2)]);
}

#[test]
fn what_becomes_of_a_snapshot_says_nothing_of_the_span_when_it_has_ended() {
    let mut store = store(Which::All);
    deliver_written(
        &mut store,
        &span_with(&serde_json::json!({"_dd.partial_version": 1})),
    );
    let snapshot = tickets(&mut store);
    deliver_written(&mut store, &span_with(&serde_json::json!({})));
    let ended = tickets(&mut store);
    assert_eq!((snapshot.len(), ended.len()), (1, 1));
    // The newer one is refused before the older one arrives.
    store.forwarded(&returned(&ended));
    store.forwarded(&arrived(&snapshot));
    assert_eq!(
        (only_trace(&store).n_forwarded(), store.missing().n_spans),
        (0, 1)
    );
    // The other way round.
    let key = only_trace(&store).key();
    send(&mut store, key);
    store.forwarded(&arrived(&ended));
    store.forwarded(&returned(&snapshot));
    assert_eq!(forwarded(&store), Went::All);
    assert!(store.missing().is_nothing());
}

#[test]
fn spans_that_no_agent_takes_are_counted_and_not_offered_again() {
    for which in [Which::All, Which::ByHand] {
        let mut store = store(which);
        let key = deliver(&mut store, id(0, 7), &[with_id(0), with_id(1)]).unwrap();
        send(&mut store, key);
        let (went, n_counted) = gone_and_counted(&mut store);
        assert_eq!((went.len(), n_counted), (0, 0), "{which:?}");
        assert_eq!(store.counters().forward_refused, 2, "{which:?}");
        assert_eq!(store.missing().n_refused_spans, 2, "{which:?}");
        assert_eq!(store.offer(&[key]).n_spans, 0, "{which:?}");
    }
}

#[test]
fn a_large_trace_goes_in_steps_and_each_span_once() {
    let mut store = store(Which::ByHand);
    let spans: Vec<_> = (1..=12_000).map(with_id).collect();
    let key = deliver(&mut store, id(0, 7), &spans).unwrap();
    store.want_sent([key]);
    let mut n_steps = 0;
    while store.depart_next(Now::default()) {
        n_steps += 1;
        let n_left = 12_000_u64.saturating_sub(n_steps * 2_000);
        assert_eq!(store.missing().n_spans, 12_000);
        assert_eq!(store.offer(&[key]).n_spans, n_left);
    }
    assert_eq!(n_steps, 6);
    let (mut went, n_counted) = gone_and_counted(&mut store);
    went.sort_unstable();
    went.dedup();
    assert_eq!((went.len(), n_counted), (12_000, 12_000));
}

#[test]
fn what_clients_count_goes_on_but_not_by_hand() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/client/stats-v06-412.msgpack"
    );
    let body = std::fs::read(path).unwrap();
    let n_requests = [Which::All, Which::Sampled, Which::ByHand].map(|which| {
        let mut store = store(which);
        let stats = crate::stats::ClientStats {
            body: body.as_slice().into(),
            ..crate::stats::ClientStats::default()
        };
        store.hear_stats(stats, UnixNanos(1));
        requests(&mut store).len()
    });
    assert_eq!(n_requests, [1, 1, 0]);
}

#[test]
fn what_the_simulated_agent_drops_goes_unless_only_what_it_keeps_is_to() {
    let rejected = serde_json::json!({
        "trace_id": 7, "span_id": 1, "parent_id": 0, "start": 10, "duration": 5,
        "service": "s", "name": "n", "resource": "r", "metrics": {"_sampling_priority_v1": -1},
    });
    let gone = [Which::All, Which::Sampled].map(|which| {
        let mut store = store(which);
        deliver_written(&mut store, &rejected);
        let verdict = only_trace(&store).verdict();
        assert!(verdict.is_some_and(|verdict| !verdict.is_kept()));
        let (gone, n_counted) = gone_and_counted(&mut store);
        (gone.len(), n_counted)
    });
    assert_eq!(gone, [(1, 1), (0, 1)]);
}
