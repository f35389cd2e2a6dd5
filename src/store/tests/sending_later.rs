//! What was opened and goes on to Datadog from there, and what is missing at the end.

use super::departing::{courier, store, with_id};
use super::*;
use crate::forward::courier::Which;
use crate::forward::{Contents, Forwarded, Intake, IntakeRequest, Ticket};
use crate::sampler::{AgentDecision, Sampler, Verdict};
use crate::store::{Missing, Restored, SpanIndex, UNSENT_BYTES_MAX, Went};
use crate::trace::SpanId;

/// What is kept of a trace in a file, put into a store from which what was opened is to go.
fn opened(which: Which, said: &[Restored<'static>]) -> Store {
    let mut store = Store::new(PLENTY);
    for (number, said) in (1_u64..).zip(said) {
        let said = Restored {
            verdict: said.verdict,
            forwarded: said.forwarded.clone(),
            counted: said.counted.clone(),
            ..Restored::default()
        };
        let spans = [with_id(number * 10), with_id(number * 10 + 1)];
        store.restore(id(0, number), chunk(id(0, number), &spans), said);
    }
    store.with_courier(courier(which))
}

fn kept() -> Verdict {
    let agent = AgentDecision {
        by: Some(Sampler::Priority),
        rate: None,
    };
    Verdict::new(None, agent, Some(Sampler::Priority))
}

fn with_verdict(verdict: Option<Verdict>) -> Restored<'static> {
    Restored {
        verdict,
        ..Restored::default()
    }
}

/// Hands over all that is wanted; gives the ids of the spans that went, and how many were counted.
fn carried(store: &mut Store) -> (Vec<u64>, u64) {
    while store.depart_next(Now::default()) {}
    let courier = store.courier_mut().unwrap();
    courier.drain();
    let requests = courier.ready();
    let n_hits = requests.iter().map(|request| match request.contents {
        Contents::Groups { n_hits, .. } => n_hits,
        _ => 0,
    });
    let n_hits = n_hits.sum();
    let tickets = requests.iter().flat_map(IntakeRequest::spans);
    let spans = tickets.map(|ticket| {
        let entry = store.trace(TraceKey(ticket.trace)).unwrap();
        entry.span(SpanIndex(ticket.span)).unwrap().span_id().0
    });
    (spans.collect(), n_hits)
}

#[test]
fn what_was_opened_goes_as_the_sampler_said_and_what_is_chosen_goes() {
    let verdicts = [Some(kept()), Some(Verdict::default()), None].map(with_verdict);
    let mut store = opened(Which::Sampled, &verdicts);
    store.want_opened_sent();
    assert_eq!(carried(&mut store), (vec![10, 11], 6));
    // Counted once, whatever goes later.
    store.want_sent([TraceKey(0), TraceKey(1)]);
    assert_eq!(carried(&mut store), (vec![20, 21], 0));
    let mut store = opened(Which::All, &verdicts);
    store.want_opened_sent();
    assert_eq!(carried(&mut store).0, [10, 11, 20, 21, 30, 31]);
}

#[test]
fn what_a_file_says_to_have_gone_or_to_be_counted_does_not_go_and_is_not_counted_again() {
    let said = |forwarded, counted| Restored {
        forwarded,
        counted,
        ..Restored::default()
    };
    let files = [
        said(Went::All, Went::All),
        said(Went::Only(vec![SpanId(21)]), Went::All),
        said(Went::Only(Vec::new()), Went::Only(vec![SpanId(30)])),
        said(Went::None, Went::None),
    ];
    let mut store = opened(Which::All, &files);
    assert!(store.missing().is_nothing());
    store.want_opened_sent();
    assert_eq!(store.missing().n_spans, 5);
    assert_eq!(carried(&mut store), (vec![20, 30, 31, 40, 41], 3));
    assert_eq!(store.missing().n_spans, 5);
    assert_eq!(store.missing().traces.len(), 3);
}

#[test]
fn what_is_missing_is_what_was_handed_over_and_did_not_arrive() {
    let mut store = store(Which::All);
    deliver(&mut store, id(0, 7), &[with_id(1), with_id(2), with_id(3)]);
    let ticket = |trace, span| Ticket {
        trace,
        span,
        version: 0,
    };
    store.forwarded(&Forwarded {
        arrived: vec![ticket(0, 1)],
        returned: vec![ticket(0, 2), ticket(9, 0), ticket(9, 1)],
        ..Forwarded::default()
    });
    let requests = [request(10), request(UNSENT_BYTES_MAX), request(0)];
    assert_eq!(store.keep_unsent(requests, 2), 4);
    let expected = Missing {
        traces: [TraceKey(0)].into(),
        n_spans: 2,
        n_requests: 1,
        n_lost_requests: 4,
        n_lost_spans: 2,
        n_refused_spans: 0,
    };
    assert_eq!(store.missing(), expected);
    let entry = store.trace(TraceKey(0)).unwrap();
    assert_eq!((entry.n_forwarded(), entry.n_missing()), (1, 2));
}

/// A request with statistics.
fn request(n_bytes: usize) -> IntakeRequest {
    IntakeRequest {
        intake: Intake::Stats,
        headers: Vec::new(),
        body: vec![0; n_bytes].into(),
        plain_bytes: n_bytes,
        contents: Contents::Groups {
            n_groups: 1,
            n_hits: 1,
        },
    }
}

fn with_lines(n_bytes: usize) -> IntakeRequest {
    IntakeRequest {
        intake: Intake::Logs,
        contents: Contents::Lines { n_lines: 1 },
        ..request(n_bytes)
    }
}

#[test]
fn requests_that_have_not_gone_are_sent_once_and_as_they_were() {
    let mut store = store(Which::All);
    store.keep_unsent([request(1), request(2)], 0);
    assert!(!store.depart_next(Now::default()), "nobody wants it sent");
    store.want_opened_sent();
    assert_eq!(store.forwarding().n_unsent_wanted(), 2);
    // One that comes back meanwhile waits for the next time.
    store.keep_unsent([request(3)], 0);
    while store.depart_next(Now::default()) {}
    let sent = store.courier_mut().unwrap().ready();
    assert_eq!(sent, [request(1), request(2)]);
    assert_eq!(store.missing().n_requests, 1);
    assert!(!store.forwarding().wants_more());
}

#[test]
fn requests_with_lines_stay_if_no_lines_go() {
    let mut store = store(Which::All);
    store.keep_unsent([with_lines(1), request(2), with_lines(3)], 0);
    store.want_opened_sent();
    while store.depart_next(Now::default()) {}
    assert_eq!(store.courier_mut().unwrap().ready(), [request(2)]);
    let stay: Vec<_> = store.forwarding().unsent().cloned().collect();
    assert_eq!(stay, [with_lines(1), with_lines(3)]);
}

#[test]
fn small_requests_are_bounded_like_large_ones() {
    let mut store = store(Which::All);
    let n_max = u64::try_from(UNSENT_BYTES_MAX / size_of::<IntakeRequest>()).unwrap();
    let n_lost = store.keep_unsent((0..n_max).map(|_| request(1)), 0);
    assert!(n_lost > 0);
    assert_eq!(store.missing().n_requests, n_max - n_lost);
}

#[test]
fn spans_for_which_there_was_no_room_go_later_and_are_lost_with_their_trace() {
    let mut store = store(Which::All);
    let kept = deliver(&mut store, id(0, 1), &[with_id(1), with_id(2)]).unwrap();
    let evicted = deliver(&mut store, id(0, 2), &[with_id(3)]).unwrap();
    assert_eq!(carried(&mut store), (vec![1, 2, 3], 3));
    let of = |trace: TraceKey, span| Ticket {
        trace: trace.0,
        span,
        version: 0,
    };
    store.put_off(&[of(kept, 1), of(evicted, 0), of(TraceKey(99), 0)]);
    assert_eq!(store.forwarding().n_wanted(), 2);
    store.remove(Some(evicted));
    assert_laws(&store);
    // Counted once.
    assert_eq!(carried(&mut store), (vec![2], 0));
    let missing = store.missing();
    assert_eq!((missing.n_spans, missing.n_lost_spans), (2, 1));
}
