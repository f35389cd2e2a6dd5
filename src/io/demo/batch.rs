//! A batch of documents: the local entrypoint spawns forty workers and waits for what they bring. Which
//! container takes which of them, and how each fares. Pure.

use super::failure;
use super::process::Gpu;
use super::requests::{Before, MODEL, span};
use super::sketch::{Dice, Sketch};

pub(super) const TOTAL_BATCHES: i64 = 40;
/// Workers that nobody hears of again: their container claimed them and was killed.
const LOST: i64 = 3;
/// The container that is killed has served so many before.
const SERVED_BEFORE_KILLED: usize = 4;
/// Of those that are heard of, by their turn.
const OUT_OF_MEMORY_AT: usize = 5;
const BROKEN_AT: usize = 17;
/// The last one has the thickest document, and the entrypoint waits for it.
const SLOWEST_US: i64 = 1_900_000;
/// From the end of a worker until the entrypoint knows.
const RESULT_US: i64 = 18_000;

/// How a worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    OutOfMemory,
    Broken,
}

/// One worker that is heard of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) batch: i64,
    /// Which of the containers takes it.
    pub(super) lane: usize,
    pub(super) before: Before,
    /// Microseconds after the fan-out began.
    pub(super) from_us: i64,
    pub(super) lasts_us: i64,
    fate: Fate,
}

/// A container while the batch runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    /// Microseconds after the fan-out began, from which on it takes an input.
    pub(super) free_us: i64,
    pub(super) before: Before,
    pub(super) n_served: usize,
    /// Claims three inputs at once, and is killed with them.
    pub(super) doomed: bool,
}

/// Who takes what: each input goes to the container that is free first.
pub(super) fn plan(dice: &mut Dice, lanes: &mut [Lane]) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut batch = 0;
    while batch < TOTAL_BATCHES {
        let open = lanes.iter_mut().enumerate();
        let Some((index, lane)) = open.min_by_key(|(_, lane)| lane.free_us) else {
            break;
        };
        if lane.doomed && lane.n_served == SERVED_BEFORE_KILLED {
            lane.free_us = i64::MAX;
            batch += LOST;
            continue;
        }
        let fate = match jobs.len() {
            OUT_OF_MEMORY_AT => Fate::OutOfMemory,
            BROKEN_AT => Fate::Broken,
            _ => Fate::Done,
        };
        let compile = match lane.before {
            Before::Nothing => dice.between(250_000, 420_000),
            Before::Requests => 0,
        };
        let lasts_us = if batch == TOTAL_BATCHES - 1 {
            SLOWEST_US
        } else {
            compile + dice.between(180_000, 520_000)
        };
        jobs.push(Job {
            batch,
            lane: index,
            before: lane.before,
            from_us: lane.free_us,
            lasts_us,
            fate,
        });
        lane.before = Before::Requests;
        lane.n_served += 1;
        lane.free_us += lasts_us + 6_000;
        batch += 1;
    }
    jobs
}

/// What the entrypoint does meanwhile, and the id of the span that the workers are under.
pub(super) fn entrypoint(dice: &mut Dice, jobs: &[Job]) -> (Sketch, u64) {
    let ends = jobs.iter().map(|job| job.from_us + job.lasts_us);
    let lasts = ends.max().unwrap_or(0) + RESULT_US;
    let mut sketch = Sketch::default();
    let root = sketch.add(dice, 0, span("batch.process", "", 0, lasts + 9_000));
    sketch
        .resource("main")
        .meta("batch_id", format!("batch-{}", dice.between(100, 999)));
    let fan_out = sketch.add(dice, root, span("fan-out", "", FAN_OUT_US, lasts));
    sketch
        .meta("span.kind", "producer")
        .metric("total_batches", TOTAL_BATCHES);
    (sketch, fan_out)
}

/// From the start of the entrypoint to that of the fan-out.
pub(super) const FAN_OUT_US: i64 = 4_000;

/// One batch in its container. Its parent is in another process.
pub(super) fn worker(dice: &mut Dice, fan_out: u64, job: &Job, gpu: Gpu) -> Sketch {
    let mut sketch = Sketch::default();
    let lasts = job.lasts_us;
    let root = sketch.add(dice, fan_out, span("batch-worker", "serverless", 0, lasts));
    sketch
        .metric("batch.index", job.batch)
        .metric("batch.size", dice.between(4, 9))
        .meta("span.kind", "consumer");
    if job.fate == Fate::Broken {
        let parse = span("document.parse", "template", 1_200, lasts - 2_000);
        let parsing = sketch.add(dice, root, parse);
        sketch.meta("format", "pdf");
        sketch.fail(&[root, parsing], &failure::broken_document());
        return sketch;
    }
    let parse = lasts * 3 / 10;
    sketch.add(dice, root, span("document.parse", "template", 1_200, parse));
    sketch
        .metric("pages", dice.between(4, 60))
        .meta("format", "pdf");
    let extract_at = parse + 2_400;
    let extract = lasts - extract_at - 1_500;
    let extracting = sketch.add(
        dice,
        root,
        span("document.extract", "llm", extract_at, extract),
    );
    sketch.meta("model", MODEL);
    sketch.root_metric("modal.infer_ms", extract / 1_000);
    if job.before == Before::Nothing {
        let compile = span("cuda.compile", "", extract_at + 400, extract * 6 / 10);
        sketch.add(dice, extracting, compile);
    }
    if job.fate == Fate::OutOfMemory {
        sketch.fail(&[root, extracting], &failure::out_of_memory(gpu));
    }
    sketch
}
