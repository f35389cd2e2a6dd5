//! What the sample service sends, and when. Pure: asked with the time, it says what is due.

use std::sync::Arc;
use std::time::Duration;

use super::batch::{self, Lane};
use super::process::{Gpu, Process};
use super::requests::{self, Outcome, Weights};
use super::sketch::{Chunk, Context, Decision, Dice, Sketch};
use crate::config::Story;
use crate::trace::UnixNanos;

mod fleet;

use fleet::{ColdStartTag, Container, Fleet};

const MILLISECOND: i64 = 1_000_000;
/// After so many requests a container is killed in the midst of one, and another comes up.
const REQUESTS_PER_KILL: u64 = 48;
const REQUESTS_PER_BATCH: u64 = 48;
const LARGE_TRACE_SPANS: i64 = 2_000;
const BURST_REQUESTS: usize = 50;
/// Spans of a chunk when a long trace is flushed partially, and ddtrace's own default.
const LONG_CHUNK_SPANS: usize = 4;
const PARTIAL_FLUSH_SPANS: usize = 300;
/// From the start of the request in which a container is killed.
const KILLED_AFTER_MS: i64 = 2_300;
/// A container that is kept ready waits so long for its first request.
const IDLE_MS: i64 = 3_400;
/// The second of two first requests comes so long after the first, and shares its cold start.
const SECOND_AFTER_MS: i64 = 120;
const WORKER_CONTAINERS: usize = 6;

/// The chunks that one process sends in one request.
pub(super) type Payload = Vec<Chunk>;

/// A chunk that waits for its time.
#[derive(Debug)]
struct Pending {
    due: UnixNanos,
    /// The runtime id of the process that sends it.
    sender: Arc<str>,
    chunk: Chunk,
}

/// Why a container comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// A request waits for it.
    Request,
    /// Two requests wait for it.
    TwoRequests,
    /// It is kept ready.
    Buffer,
}

/// When a container imports and loads.
#[derive(Clone, Copy, Debug)]
enum Init {
    From(UnixNanos),
    Until(UnixNanos),
}

/// The sample service, as far as it shows.
#[derive(Debug)]
pub(super) struct Script {
    dice: Dice,
    documents: Fleet,
    workers: Fleet,
    pending: Vec<Pending>,
    next_request: Option<UnixNanos>,
    n_requests: u64,
}

impl Script {
    /// Begins a story; its first chunks are due at once.
    pub(super) fn begin(story: Story, now: UnixNanos) -> Self {
        let mut script = Self {
            dice: Dice::new(0x6d6f_6474),
            documents: Fleet::default(),
            workers: Fleet::default(),
            pending: Vec::new(),
            next_request: None,
            n_requests: 0,
        };
        match story {
            Story::Live => script.live(now),
            Story::LargeTrace => {
                let process = Process::container(&mut script.dice, Gpu::A10g);
                let sketch = requests::large(&mut script.dice, LARGE_TRACE_SPANS);
                let start = now.plus(-sketch.lasts_ns());
                script.partially(sketch, start, &process, PARTIAL_FLUSH_SPANS);
                script.all_due(now);
            }
            Story::Burst => script.burst(now),
        }
        script
    }

    /// Takes out what is to be sent by now: a payload for each process that has something to send.
    pub(super) fn due(&mut self, now: UnixNanos) -> Vec<Payload> {
        if self.next_request.is_some_and(|at| at <= now) {
            self.request(now);
            let pause = self.dice.between(300, 900);
            self.next_request = Some(now.plus(pause * MILLISECOND));
        }
        self.pending.sort_by_key(|pending| pending.due);
        let n_due = self.pending.partition_point(|pending| pending.due <= now);
        let mut payloads: Vec<(Arc<str>, Payload)> = Vec::new();
        for Pending { sender, chunk, .. } in self.pending.drain(..n_due) {
            let known = payloads.iter_mut().find(|(of, _)| *of == sender);
            if let Some((_, payload)) = known {
                payload.push(chunk);
            } else {
                payloads.push((sender, vec![chunk]));
            }
        }
        payloads.into_iter().map(|(_, payload)| payload).collect()
    }

    /// How long nothing is due; nothing at all comes any more without an answer.
    pub(super) fn wait(&self, now: UnixNanos) -> Option<Duration> {
        let pending = self.pending.iter().map(|pending| pending.due);
        let next = pending.chain(self.next_request).min()?;
        Some(Duration::from_nanos(
            u64::try_from(next.since(now)).unwrap_or(0),
        ))
    }

    /// The last half minute before the viewer came, then requests without end: three containers, each
    /// with another first request, and workers that are kept ready.
    fn live(&mut self, now: UnixNanos) {
        let before = |milliseconds: i64| now.plus(-milliseconds * MILLISECOND);
        self.comes_up(before(32_000), Reason::TwoRequests, ColdStartTag::Absent);
        self.comes_up(before(27_000), Reason::Request, ColdStartTag::AlwaysFalse);
        self.comes_up(before(24_500), Reason::Buffer, ColdStartTag::Absent);
        for start in [before(20_000), before(19_000)] {
            let worker = self.initialized(Init::From(start), Weights::Small);
            self.workers.add(worker);
        }
        self.next_document(before(6_500), Outcome::Extracted, Decision::KeptByDefault);
        self.next_document(before(5_200), Outcome::OutOfMemory, Decision::KeptByDefault);
        self.next_document(before(2_400), Outcome::Extracted, Decision::KeptByDefault);
        self.all_due(now);
        self.fan_out(now.plus(900 * MILLISECOND));
        self.next_request = Some(now.plus(400 * MILLISECOND));
    }

    /// Fifty requests within a fifth of a second, each sent as it ends: on a container that has served
    /// before, one that was kept ready, and one that has just come up for them.
    fn burst(&mut self, now: UnixNanos) {
        let before = |milliseconds: i64| now.plus(-milliseconds * MILLISECOND);
        let mut warm = self.initialized(Init::Until(before(30_000)), Weights::Whole);
        let check = requests::health_check(&mut self.dice);
        let start = warm.free_at.plus(300 * MILLISECOND);
        self.finished(check, start, &warm.process, Decision::KeptByDefault);
        warm.n_requests += 1;
        let ready = self.initialized(Init::Until(before(9_000)), Weights::Whole);
        let new = self.initialized(Init::Until(now), Weights::Whole);
        self.all_due(now);
        let mut starts = Vec::new();
        for _ in 0..BURST_REQUESTS {
            starts.push(now.plus(self.dice.between(0, 200 * MILLISECOND)));
        }
        starts.sort();
        let mut containers = [new, warm, ready];
        let turns = (0..containers.len()).cycle();
        for (start, turn) in starts.into_iter().zip(turns) {
            let outcome = if self.dice.between(0, 12) == 0 {
                Outcome::OutOfMemory
            } else {
                Outcome::Extracted
            };
            if let Some(container) = containers.get_mut(turn) {
                self.document(container, start, outcome, Decision::KeptByDefault);
            }
        }
    }

    /// One more request begins.
    fn request(&mut self, now: UnixNanos) {
        self.n_requests += 1;
        let number = self.n_requests;
        if number.is_multiple_of(REQUESTS_PER_BATCH) {
            self.fan_out(now);
        } else if number % REQUESTS_PER_KILL == 15 {
            self.killed_request(now);
        } else if number % 12 == 3 {
            if let Some(mut container) = self.documents.take_next(now) {
                let mut long = requests::long_document(&mut self.dice);
                self.tag_input(&mut long, &container);
                container.free_at = container.free_at.max(now.plus(long.lasts_ns()));
                container.n_requests += 1;
                self.partially(long, now, &container.process, LONG_CHUNK_SPANS);
                self.documents.add(container);
            }
        } else {
            let outcome = if number % 8 == 6 {
                Outcome::OutOfMemory
            } else if number % 16 == 9 {
                Outcome::TimedOut
            } else {
                Outcome::Extracted
            };
            let decision = if number % 7 == 5 {
                Decision::RejectedByRule
            } else {
                Decision::KeptByDefault
            };
            self.next_document(now, outcome, decision);
        }
    }

    /// A container is killed in the midst of a request: parts of it were flushed, its root never is, and
    /// nothing else comes from there. Another container takes its place.
    fn killed_request(&mut self, now: UnixNanos) {
        let Some(container) = self.documents.take_next(now) else {
            return;
        };
        let long = requests::long_document(&mut self.dice);
        self.partially(long, now, &container.process, LONG_CHUNK_SPANS);
        let killed = now.plus(KILLED_AFTER_MS * MILLISECOND);
        let sender = container.process.runtime_id();
        self.pending
            .retain(|pending| pending.sender != *sender || pending.due <= killed);
        let (reason, tag) = match self.n_requests / REQUESTS_PER_KILL % 3 {
            0 => (Reason::Request, ColdStartTag::AlwaysFalse),
            1 => (Reason::Buffer, ColdStartTag::Absent),
            _ => (Reason::TwoRequests, ColdStartTag::Absent),
        };
        self.comes_up(killed.plus(250 * MILLISECOND), reason, tag);
    }

    /// A container for documents comes up, and takes its first request.
    fn comes_up(&mut self, start: UnixNanos, reason: Reason, tag: ColdStartTag) {
        let mut container = self.initialized(Init::From(start), Weights::Whole);
        container.cold_start_tag = tag;
        let idle_ms = match reason {
            Reason::Request | Reason::TwoRequests => self.dice.between(90, 450),
            Reason::Buffer => IDLE_MS,
        };
        let first = container.free_at.plus(idle_ms * MILLISECOND);
        let (outcome, decision) = (Outcome::Extracted, Decision::KeptByDefault);
        self.document(&mut container, first, outcome, decision);
        if reason == Reason::TwoRequests {
            let second = first.plus(SECOND_AFTER_MS * MILLISECOND);
            self.document(&mut container, second, outcome, decision);
        }
        container.open_from = container.free_at;
        self.documents.add(container);
    }

    /// A container imports and loads, in a trace of its own, until it is free.
    fn initialized(&mut self, init: Init, weights: Weights) -> Container {
        let gpu = match self.dice.between(0, 3) {
            0 => Gpu::L4,
            _ => Gpu::A10g,
        };
        let process = Process::container(&mut self.dice, gpu);
        let sketch = requests::cold_start(&mut self.dice, weights);
        let model_load_ms = sketch.lasts_ms("model.load");
        let start = match init {
            Init::From(start) => start,
            Init::Until(end) => end.plus(-sketch.lasts_ns()),
        };
        let free_at = start.plus(sketch.lasts_ns());
        self.finished(sketch, start, &process, Decision::KeptByDefault);
        Container {
            process,
            cold_start_tag: ColdStartTag::Absent,
            model_load_ms,
            open_from: free_at,
            free_at,
            n_requests: 0,
        }
    }

    /// A document for the container whose turn it is.
    fn next_document(&mut self, start: UnixNanos, outcome: Outcome, decision: Decision) {
        if let Some(mut container) = self.documents.take_next(start) {
            self.document(&mut container, start, outcome, decision);
            self.documents.add(container);
        }
    }

    fn document(
        &mut self,
        container: &mut Container,
        start: UnixNanos,
        outcome: Outcome,
        decision: Decision,
    ) {
        let (gpu, before) = (container.process.gpu(), container.before());
        let mut sketch = requests::document(&mut self.dice, outcome, gpu, before);
        self.tag_input(&mut sketch, container);
        let end = start.plus(sketch.lasts_ns());
        container.free_at = container.free_at.max(end);
        container.n_requests += 1;
        self.finished(sketch, start, &container.process, decision);
    }

    /// What the app says of the input on the local root of its trace.
    fn tag_input(&mut self, sketch: &mut Sketch, container: &Container) {
        sketch
            .root_meta("modal.input_id", self.dice.modal_id("in"))
            .root_meta("modal.function_call_id", self.dice.modal_id("fc"));
        if container.cold_start_tag == ColdStartTag::AlwaysFalse {
            sketch.root_meta("cold_start", "False");
        }
        if container.n_requests == 0 {
            sketch.root_metric("modal.model_load_ms", container.model_load_ms);
        }
    }

    /// A batch over forty workers. The containers that are up take what they can; others come up for it.
    fn fan_out(&mut self, start: UnixNanos) {
        let entrypoint = Process::local_entrypoint(&mut self.dice);
        let context = Context::begin(&mut self.dice, start, Decision::KeptByDefault);
        let spawned = start.plus(batch::FAN_OUT_US * 1_000);
        let mut containers = self.workers.take_all();
        for container in &mut containers {
            container.free_at = container.free_at.max(spawned.plus(30 * MILLISECOND));
        }
        let mut wanted = spawned;
        while containers.len() < WORKER_CONTAINERS {
            wanted = wanted.plus(140 * MILLISECOND);
            let mut container = self.initialized(Init::From(wanted), Weights::Small);
            let waits = self.dice.between(80, 300);
            container.free_at = container.free_at.plus(waits * MILLISECOND);
            containers.push(container);
        }
        let free_us = |container: &Container| container.free_at.since(spawned) / 1_000;
        let mut lanes: Vec<_> = containers
            .iter()
            .enumerate()
            .map(|(index, container)| Lane {
                free_us: free_us(container),
                before: container.before(),
                n_served: 0,
                doomed: index == 0,
            })
            .collect();
        let jobs = batch::plan(&mut self.dice, &mut lanes);
        let (sketch, fan_out) = batch::entrypoint(&mut self.dice, &jobs);
        for job in &jobs {
            let Some(container) = containers.get_mut(job.lane) else {
                continue;
            };
            let gpu = container.process.gpu();
            let mut worker = batch::worker(&mut self.dice, fan_out, job, gpu);
            self.tag_input(&mut worker, container);
            container.n_requests += 1;
            let start = spawned.plus(job.from_us * 1_000);
            container.free_at = start.plus(worker.lasts_ns());
            self.sent(worker, start, &container.process, context);
        }
        self.sent(sketch, start, &entrypoint, context);
        for (container, lane) in containers.into_iter().zip(lanes) {
            if !lane.doomed {
                self.workers.add(container);
            }
        }
    }

    /// All of a trace, once it has ended.
    fn finished(
        &mut self,
        sketch: Sketch,
        start: UnixNanos,
        process: &Process,
        decision: Decision,
    ) {
        let context = Context::begin(&mut self.dice, start, decision);
        self.sent(sketch, start, process, context);
    }

    /// All that one process did in a trace, once it has ended.
    fn sent(&mut self, sketch: Sketch, start: UnixNanos, process: &Process, context: Context) {
        self.pending.push(Pending {
            due: start.plus(sketch.lasts_ns()),
            sender: Arc::clone(process.runtime_id()),
            chunk: sketch.send(start, process, context),
        });
    }

    fn partially(
        &mut self,
        sketch: Sketch,
        start: UnixNanos,
        process: &Process,
        spans_per_chunk: usize,
    ) {
        let context = Context::begin(&mut self.dice, start, Decision::KeptByDefault);
        let parts = sketch.send_partially(start, process, context, spans_per_chunk);
        let sender = process.runtime_id();
        self.pending
            .extend(parts.into_iter().map(|(due, chunk)| Pending {
                due,
                sender: Arc::clone(sender),
                chunk,
            }));
    }

    /// What is pending has ended: a client that finds its agent again sends it at once.
    fn all_due(&mut self, now: UnixNanos) {
        self.pending.sort_by_key(|pending| pending.due);
        for pending in &mut self.pending {
            pending.due = now;
        }
    }
}

#[cfg(test)]
mod tests;
