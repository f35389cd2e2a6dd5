//! What the sample service sends, and when. Pure: asked with the time, it says what is due.

use std::time::Duration;

use super::requests::{self, Outcome};
use super::sketch::{Chunk, Decision, Dice, Process, Sketch};
use crate::config::Story;
use crate::trace::UnixNanos;

const MILLISECOND: i64 = 1_000_000;
/// After so many requests a new container comes up.
const REQUESTS_PER_CONTAINER: u64 = 24;
const LARGE_TRACE_SPANS: i64 = 2_000;
const BURST_REQUESTS: i64 = 50;
/// Spans of a chunk when a long trace is flushed partially, and ddtrace's own default.
const LONG_CHUNK_SPANS: usize = 4;
const PARTIAL_FLUSH_SPANS: usize = 300;

/// The sample service, as far as it shows.
#[derive(Debug)]
pub(super) struct Script {
    dice: Dice,
    process: Process,
    /// Chunks that wait for their time.
    pending: Vec<(UnixNanos, Chunk)>,
    next_request: Option<UnixNanos>,
    n_requests: u64,
}

impl Script {
    /// Begins a story; its first chunks are due at once.
    pub(super) fn begin(story: Story, now: UnixNanos) -> Self {
        let mut dice = Dice::new(0x6d6f_6474);
        let process = Process::start(&mut dice);
        let mut script = Self {
            dice,
            process,
            pending: Vec::new(),
            next_request: None,
            n_requests: 0,
        };
        match story {
            Story::Live => script.opening(now),
            Story::LargeTrace => {
                let sketch = requests::large(&mut script.dice, LARGE_TRACE_SPANS);
                let start = now.plus(-sketch.lasts_ns());
                script.partially(sketch, start, PARTIAL_FLUSH_SPANS);
                for (due, _) in &mut script.pending {
                    *due = now;
                }
            }
            Story::Burst => script.burst(now),
        }
        script
    }

    /// Takes out what is to be sent by now.
    pub(super) fn due(&mut self, now: UnixNanos) -> Vec<Chunk> {
        if self.next_request.is_some_and(|at| at <= now) {
            self.request(now);
            let pause = self.dice.between(300, 900);
            self.next_request = Some(now.plus(pause * MILLISECOND));
        }
        self.pending.sort_by_key(|(due, _)| *due);
        let n_due = self.pending.partition_point(|(due, _)| *due <= now);
        self.pending
            .drain(..n_due)
            .map(|(_, chunk)| chunk)
            .collect()
    }

    /// How long nothing is due; nothing at all comes any more without an answer.
    pub(super) fn wait(&self, now: UnixNanos) -> Option<Duration> {
        let pending = self.pending.iter().map(|(due, _)| *due);
        let next = pending.chain(self.next_request).min()?;
        Some(Duration::from_nanos(
            u64::try_from(next.since(now)).unwrap_or(0),
        ))
    }

    /// The last half minute before the viewer came: a cold start and one of each kind.
    fn opening(&mut self, now: UnixNanos) {
        let cold = requests::cold_start(&mut self.dice);
        let mut start = now.plus(-30_000 * MILLISECOND);
        let lasts = cold.lasts_ns();
        self.finished(cold, start, Decision::KeptByDefault);
        start = start.plus(lasts + 12 * MILLISECOND);
        let outcomes = [Outcome::Extracted, Outcome::OutOfMemory, Outcome::Extracted];
        for outcome in outcomes {
            let document = requests::document(&mut self.dice, outcome);
            let lasts = document.lasts_ns();
            self.finished(document, start, Decision::KeptByDefault);
            start = start.plus(lasts + 700 * MILLISECOND);
        }
        let batch = requests::fan_out(&mut self.dice);
        self.ending_at(batch, now, Decision::KeptByDefault);
        // All of them have ended: a client that finds its agent again sends them at once.
        for (due, _) in &mut self.pending {
            *due = now;
        }
        self.next_request = Some(now.plus(400 * MILLISECOND));
    }

    /// Fifty requests within a fifth of a second, each sent as it ends.
    fn burst(&mut self, now: UnixNanos) {
        let cold = requests::cold_start(&mut self.dice);
        self.ending_at(cold, now, Decision::KeptByDefault);
        for _ in 0..BURST_REQUESTS {
            let outcome = if self.dice.between(0, 12) == 0 {
                Outcome::OutOfMemory
            } else {
                Outcome::Extracted
            };
            let document = requests::document(&mut self.dice, outcome);
            let start = now.plus(self.dice.between(0, 200 * MILLISECOND));
            self.finished(document, start, Decision::KeptByDefault);
        }
    }

    /// One more request has come to its end.
    fn request(&mut self, now: UnixNanos) {
        self.n_requests += 1;
        let number = self.n_requests;
        if number.is_multiple_of(REQUESTS_PER_CONTAINER) {
            self.process = Process::start(&mut self.dice);
            let cold = requests::cold_start(&mut self.dice);
            self.ending_at(cold, now, Decision::KeptByDefault);
        } else if number % 12 == 3 {
            let long = requests::long_document(&mut self.dice);
            self.partially(long, now, LONG_CHUNK_SPANS);
        } else if number % 12 == 9 {
            let batch = requests::fan_out(&mut self.dice);
            self.ending_at(batch, now, Decision::KeptByDefault);
        } else {
            let outcome = if number % 8 == 6 {
                Outcome::OutOfMemory
            } else {
                Outcome::Extracted
            };
            let decision = if number % 7 == 5 {
                Decision::RejectedByRule
            } else {
                Decision::KeptByDefault
            };
            let document = requests::document(&mut self.dice, outcome);
            self.ending_at(document, now, decision);
        }
    }

    fn finished(&mut self, sketch: Sketch, start: UnixNanos, decision: Decision) {
        let end = start.plus(sketch.lasts_ns());
        let chunk = sketch.send(&mut self.dice, start, &self.process, decision);
        self.pending.push((end, chunk));
    }

    fn ending_at(&mut self, sketch: Sketch, end: UnixNanos, decision: Decision) {
        let start = end.plus(-sketch.lasts_ns());
        self.finished(sketch, start, decision);
    }

    fn partially(&mut self, sketch: Sketch, start: UnixNanos, spans_per_chunk: usize) {
        let parts = sketch.send_partially(&mut self.dice, start, &self.process, spans_per_chunk);
        self.pending.extend(parts);
    }
}

#[cfg(test)]
mod tests;
