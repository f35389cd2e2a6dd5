//! What the screen of latency says of a small fleet, and where its rows lead.

use super::fixture::{SpanSpec, at, chunk, payload, root};
use super::terminal::{Seat, options};
use crate::analysis::StartKind;
use crate::store::Store;
use crate::trace::TraceChunk;
use crate::tui::app::{Listening, UiOptions};
use crate::tui::theme::Glyphs;

const GENERATE: &str = "POST /v1/generate";

/// A request on a container, from a moment on.
fn request(id: u64, task: &str, start_ms: i64, duration_ms: i64) -> SpanSpec {
    SpanSpec {
        start_ms,
        ..root(id, GENERATE, duration_ms)
    }
    .tag("modal.task_id", task)
}

/// The init of a container, which ends shortly before a moment.
fn init(id: u64, task: &str, ends_ms: i64, duration_ms: i64) -> TraceChunk {
    let mut span = request(id, task, ends_ms - duration_ms, duration_ms);
    span.name = "modal.init".into();
    span.resource = "modal.init".into();
    chunk(id, &[span])
}

/// A request with what it does: a cold one imports and loads, all of them decode.
fn worked(span: SpanSpec, import_ms: i64, load_ms: i64) -> TraceChunk {
    let id = span.id;
    let below = |place: u64, name: &str, after_ms: i64, duration_ms: i64| {
        let start_ms = span.start_ms + after_ms;
        SpanSpec::under(id, id * 1_000 + place, name, start_ms, duration_ms)
    };
    let mut spans = vec![span.clone()];
    if import_ms > 0 {
        spans.push(below(1, "import torch", 0, import_ms));
    }
    if load_ms > 0 {
        spans.push(below(2, "model.load", import_ms, load_ms));
    }
    let decode = below(3, "vllm.decode", import_ms + load_ms, 200).metric("modal.infer_ms", 200.0);
    spans.push(decode);
    chunk(id, &spans)
}

/// Four containers that start, and what they serve: cold 4, of which one waited beside the first, and one was
/// restored; warm 12 and one that came long after its container was ready; one of a container that may be
/// older, and one of none that is known; another resource beside.
fn fleet() -> Vec<TraceChunk> {
    let mut chunks = Vec::new();
    for (place, task) in ["ta-01AAAA", "ta-01BBBB"].into_iter().enumerate() {
        let number = u64::try_from(place).unwrap();
        let from = i64::try_from(place).unwrap() * 500;
        chunks.push(init(100 + number, task, 4_000 + from, 4_000));
        let cold = request(200 + number, task, 4_010 + from, 1_600 + from / 5);
        chunks.push(worked(cold.metric("modal.model_load_ms", 410.0), 700, 410));
        for nth in 0..6 {
            let after = i64::try_from(nth).unwrap();
            let id = 300 + number * 10 + nth;
            let warm = request(id, task, 6_500 + from + after * 600, 350 + after * 50);
            chunks.push(worked(warm, 0, 0));
        }
    }
    // It began while the first one ran.
    chunks.push(worked(request(400, "ta-01AAAA", 4_100, 1_500), 650, 380));
    chunks.push(init(401, "ta-01CCCC", 2_000, 3_000));
    let failed = request(402, "ta-01CCCC", 9_000, 310);
    let failed = failed.failed(
        "OutOfMemoryError",
        "CUDA out of memory. Tried to allocate 2.40 GiB",
    );
    chunks.push(worked(failed, 0, 0));
    let restored = request(403, "ta-01DDDD", 8_000, 1_200).metric("cold_start", 1.0);
    chunks.push(worked(restored, 0, 450));
    chunks.push(worked(request(404, "ta-01EEEE", 9_500, 420), 0, 0));
    chunks.push(chunk(
        405,
        &[SpanSpec {
            start_ms: 9_600,
            ..root(405, GENERATE, 380)
        }],
    ));
    let embed = |id, start_ms| {
        let mut span = request(id, "ta-01AAAA", start_ms, 40);
        span.resource = "POST /v1/embed".into();
        chunk(id, &[span])
    };
    chunks.extend([embed(500, 10_500), embed(501, 10_700)]);
    chunks
}

fn shown(width: u16, height: u16) -> Seat {
    shown_with(width, height, options())
}

fn shown_with(width: u16, height: u16, options: UiOptions) -> Seat {
    let mut seat = Seat::with(width, height, options);
    seat.millis = 12_000;
    seat.inbound(payload(fleet(), at(12_000)));
    seat.keys("4");
    seat
}

const SIZES: [(u16, u16); 3] = [(120, 36), (80, 24), (60, 15)];

#[test]
fn a_small_fleet_at_every_size() {
    for (width, height) in SIZES {
        let seat = shown(width, height);
        insta::assert_snapshot!(format!("fleet_{width}x{height}"), seat.picture());
    }
}

#[test]
fn by_container_and_on_a_log_axis_at_every_size() {
    for (width, height) in SIZES {
        let mut seat = shown(width, height);
        seat.keys("oLG");
        insta::assert_snapshot!(format!("by_container_{width}x{height}"), seat.picture());
    }
}

#[test]
fn the_rule_lies_on_top() {
    for (width, height) in SIZES {
        let mut seat = shown(width, height);
        seat.keys("C");
        insta::assert_snapshot!(format!("rule_{width}x{height}"), seat.picture());
    }
}

#[test]
fn in_ascii_nothing_else_is_used() {
    let options = UiOptions {
        glyphs: Glyphs::Ascii,
        ..options()
    };
    let mut seat = shown_with(120, 36, options);
    for keys in ["", "o", "oooC"] {
        seat.keys(keys);
        assert!(seat.lines().iter().all(|line| line.is_ascii()), "{keys}");
    }
}
