//! What is ready when, and that each span is in it once.

use super::super::tests::{NOW, agent, all, chunks, span, stats, tracer, traces};
use super::*;
use crate::forward::payload::PAYLOAD_BYTES_MAX;
use crate::forward::{Coding, Intake};
use crate::trace::SpanId;
use serde_json::json;

fn courier(which: Which) -> Courier {
    let settings = CourierSettings {
        payload: PayloadSettings {
            agent: agent(),
            coding: Coding::Gzip,
            bytes_max: PAYLOAD_BYTES_MAX,
        },
        added: AddedTags::default(),
        which,
        lines: LinesGo::default(),
    };
    Courier::new(settings, NOW)
}

fn after(seconds: i64) -> UnixNanos {
    NOW.plus(seconds * 1_000_000_000)
}

fn intakes(requests: &[IntakeRequest]) -> Vec<Intake> {
    requests.iter().map(|request| request.intake).collect()
}

#[test]
fn a_payload_goes_after_five_seconds_and_its_counts_when_their_bucket_is_over() {
    let mut courier = courier(Which::All);
    let came = chunks(&json!([[span(1, 2)], [span(3, 4)]]));
    let tracer = tracer("python");
    for chunk in &came {
        courier.take(all(chunk, &tracer), NOW);
    }
    courier.tick(after(4));
    assert!(courier.ready().is_empty());
    courier.tick(after(5));
    let ready = courier.ready();
    assert_eq!(intakes(&ready), [Intake::Traces]);
    assert_eq!((ready[0].spans().len(), ready[0].n_traces()), (2, 2));
    assert_eq!(traces(&ready[0]).tracer_payloads.len(), 1);
    courier.tick(after(31));
    let ready = courier.ready();
    assert_eq!(intakes(&ready), [Intake::Stats]);
    let counted = &stats(&ready[0]).stats[0].stats[0].stats[0];
    assert_eq!(counted.hits, 2);
    courier.tick(after(100));
    assert!(courier.ready().is_empty());
}

#[test]
fn at_the_end_everything_goes_and_nothing_goes_again() {
    let mut courier = courier(Which::All);
    let came = chunks(&json!([[span(1, 2)]]));
    courier.take(all(&came[0], &tracer("python")), NOW);
    courier.drain();
    assert_eq!(intakes(&courier.ready()), [Intake::Traces, Intake::Stats]);
    courier.drain();
    assert!(courier.ready().is_empty());
}

#[test]
fn a_clock_that_is_set_back_keeps_nothing() {
    let mut courier = courier(Which::All);
    let came = chunks(&json!([[span(1, 2)]]));
    courier.take(all(&came[0], &tracer("python")), NOW);
    courier.tick(after(-3_600));
    assert_eq!(intakes(&courier.ready()), [Intake::Traces]);
}

#[test]
fn only_what_the_simulated_agent_keeps_goes_if_it_is_asked_and_all_is_counted() {
    let mut courier = courier(Which::Sampled);
    let came = chunks(&json!([[span(1, 2)]]));
    let tracer = tracer("python");
    let outgoing = Outgoing {
        verdict: courier.which().verdict(None),
        ..all(&came[0], &tracer)
    };
    courier.take(outgoing, NOW);
    courier.drain();
    assert_eq!(intakes(&courier.ready()), [Intake::Stats]);
    assert_eq!(courier.left_out().n_sampled_spans, 1);
}

#[test]
fn what_no_agent_takes_is_counted() {
    let mut courier = courier(Which::All);
    let came = chunks(&json!([[span(1, SpanId::NONE.0)]]));
    courier.take(all(&came[0], &tracer("python")), NOW);
    courier.take_stats(b"\xc1", &tracer("python"), NOW);
    courier.drain();
    assert_eq!((courier.ready().len(), courier.n_refused()), (0, 2));
}
