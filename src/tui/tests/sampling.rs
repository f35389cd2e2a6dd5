//! What the screen of sampling says of a burst and of a mixed load, and where its rows lead.

use super::fixture::{SpanSpec, at, chunk, payload, root};
use super::terminal::Seat;
use crate::ingest::{Brought, Inbound};
use crate::trace::TraceChunk;

/// What came at a moment from ddtrace for Python in the environment `dev`.
fn python(chunks: Vec<TraceChunk>, millis: i64) -> Inbound {
    let mut inbound = payload(chunks, at(millis));
    if let Inbound::Request(request) = &mut inbound
        && let Brought::Spans(received) = &mut request.brought
    {
        received.payload.tracer.language = "python".into();
        received.payload.tracer.env = "dev".into();
        received.payload.tracer.runtime_id = "one".into();
    }
    inbound
}

/// Ids that fall all over the place, as those of tracers do.
fn id(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn automatic(number: u64, resource: &str, duration_ms: i64) -> SpanSpec {
    root(id(number), resource, duration_ms).tag("_dd.p.dm", "-1")
}

fn one(number: u64, span: SpanSpec) -> TraceChunk {
    chunk(id(number), &[span])
}

/// So many at once, after so many others.
fn burst(first: u64, n_traces: u64) -> Vec<TraceChunk> {
    let span = |number: u64| {
        let millis = 200 + i64::try_from(number % 17).unwrap() * 25;
        automatic(number, "POST /v1/generate", millis)
    };
    (first..first + n_traces)
        .map(|number| one(number, span(number)))
        .collect()
}

fn after_a_burst(width: u16, height: u16) -> Seat {
    let mut seat = Seat::new(width, height);
    seat.millis = 10_000;
    seat.inbound(python(burst(0, 50), 10_000));
    seat.keys("3");
    seat
}

/// A minute of two services, of which one is busy, with errors and what a person rejects.
fn mixed(width: u16, height: u16) -> Seat {
    let mut seat = Seat::new(width, height);
    for second in 0..60_u64 {
        let number = |place: u64| second * 100 + place;
        let n_busy = if second < 20 { 4 } else { 40 };
        let mut chunks = Vec::new();
        for place in 0..n_busy {
            let number = number(place);
            let millis = 150 + i64::try_from(number * 37 % 400).unwrap();
            let mut span = automatic(number, "POST /v1/generate", millis);
            if number % 29 == 3 {
                span = span.failed("CudaOOM", "out of memory");
                span.duration_ns *= 5;
            }
            chunks.push(one(number, span));
        }
        let mut quiet = automatic(number(90), "embed", 40);
        quiet.service = "embedder".into();
        chunks.push(one(number(90), quiet));
        let mut health = root(id(number(91)), "GET /healthz", 3)
            .metric("_sampling_priority_v1", -1.0)
            .tag("_dd.p.dm", "-4");
        if second % 20 == 7 {
            health = health.failed("TimeoutError", "no answer");
        }
        chunks.push(one(number(91), health));
        seat.millis = 10_000 + i64::try_from(second).unwrap() * 1_000;
        let millis = seat.millis;
        seat.inbound(python(chunks, millis));
    }
    seat.keys("3");
    seat
}

const SIZES: [(u16, u16); 3] = [(120, 36), (80, 24), (60, 15)];

#[test]
fn a_burst_of_fifty_at_every_size() {
    for (width, height) in SIZES {
        let seat = after_a_burst(width, height);
        insta::assert_snapshot!(format!("burst_{width}x{height}"), seat.picture());
    }
}

#[test]
fn a_minute_of_mixed_load_at_every_size() {
    for (width, height) in SIZES {
        let seat = mixed(width, height);
        insta::assert_snapshot!(format!("mixed_{width}x{height}"), seat.picture());
    }
}
