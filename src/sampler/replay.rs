//! The traces that are held, decided again by other Agents, under another rule, at another load: what
//! if. Chunks are read once, into a [`Tape`]; a replay starts with Agents that have seen nothing and
//! walks the tape in order of arrival.
//!
//! Left out: traces that clients dropped before sending, which nobody holds.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::{
    AgentModel, Delivery, Digest, Fate, Model, Pieces, Process, RareSpans, Reader, Services,
    Settings, Verdict, draw,
};
use crate::trace::{ChunkFacts, SamplingPriority, TraceChunk, TraceId, UnixNanos};

/// What a client's limiter lets through of what its rules keep (`DD_TRACE_RATE_LIMIT`), a second.
const RULES_PER_SECOND: f64 = 100.0;

/// What is to be different.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct WhatIf {
    /// Which Agents are assumed.
    pub model: AgentModel,
    /// How they are set up.
    pub agent: Settings,
    /// The rate of a sampling rule of the client for all that no person decided.
    pub rule: Option<f64>,
    /// How many traces run at a time: each begins once one of so many slots is free. As they ran, if
    /// it does not say.
    pub slots: Option<NonZeroUsize>,
}

/// What became of the traces.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// How many there are.
    pub n_traces: usize,
    /// How many of them Datadog would get.
    pub n_kept: usize,
    /// What became of them.
    pub by_fate: BTreeMap<Fate, usize>,
}

/// When a trace ran, and whether a sampling rule of the client decides it.
#[derive(Clone, Copy, Debug)]
pub struct TapedTrace {
    /// Its id, which clients draw by.
    pub id: TraceId,
    /// When it began.
    pub start: UnixNanos,
    /// How long it took, in nanoseconds.
    pub duration: i64,
    /// Whether a rule would decide it: its root is here, and no person decided.
    pub obeys_rules: bool,
}

/// A chunk that came by itself or with others.
#[derive(Clone, Debug)]
struct TapedChunk {
    trace: usize,
    process: Process,
    language: usize,
    digest: Digest,
}

/// How a chunk came.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// With what.
    pub delivery: Delivery<'a>,
    /// From whom.
    pub process: Process,
    /// What was said of it as a whole.
    pub facts: Option<&'a ChunkFacts>,
}

/// Traces to be decided again.
#[derive(Clone, Debug)]
pub struct Tape {
    traces: Vec<TapedTrace>,
    chunks: Vec<TapedChunk>,
    services: Services,
    languages: Vec<Box<str>>,
    default_env: Arc<str>,
    pieces: Pieces,
    rare: RareSpans,
}

impl Tape {
    /// An empty one, to be read as a model reads. Without `rare` a replay has no rare sampler.
    pub fn new(model: &Model, rare: RareSpans) -> Self {
        Self {
            traces: Vec::new(),
            chunks: Vec::new(),
            services: Services::default(),
            languages: Vec::new(),
            default_env: Arc::clone(&model.settings().default_env),
            pieces: model.pieces(),
            rare,
        }
    }

    /// How many traces are on it.
    pub fn n_traces(&self) -> usize {
        self.traces.len()
    }

    /// Whether the rare sampler can be asked.
    pub fn rare(&self) -> RareSpans {
        self.rare
    }

    /// Begins a trace; the chunks that follow are its.
    pub fn add_trace(&mut self, trace: TapedTrace) {
        self.traces.push(trace);
    }

    /// Adds a chunk of the newest trace. The Agent takes none in which an id is 0.
    pub fn add_chunk(&mut self, chunk: &TraceChunk, came: Came<'_>) {
        let Some(trace) = self.traces.len().checked_sub(1) else {
            return;
        };
        if self.pieces.leave_out(chunk) {
            return;
        }
        let mut reader = Reader {
            delivery: came.delivery,
            default_env: &self.default_env,
            services: &mut self.services,
            rare: self.rare,
        };
        let Ok(digest) = reader.read(chunk, came.facts) else {
            return;
        };
        let language = self.language(came.delivery.language);
        self.chunks.push(TapedChunk {
            trace,
            process: came.process,
            language,
            digest,
        });
    }

    /// Puts the chunks in order of arrival, once all are there.
    pub fn finish(&mut self) {
        self.chunks.sort_by_key(|chunk| chunk.digest.at);
    }

    fn language(&mut self, language: &str) -> usize {
        let known = self.languages.iter().position(|known| **known == *language);
        known.unwrap_or_else(|| {
            self.languages.push(language.into());
            self.languages.len() - 1
        })
    }

    /// Decides all of it again.
    pub fn replay(&self, what_if: &WhatIf) -> Outcome {
        let moved = what_if.slots.map(|slots| self.moved(slots));
        let by_rule = what_if
            .rule
            .map(|rate| self.by_rule(rate, moved.as_deref()));
        let mut model = Model::with_services(what_if, self.services.clone());
        let mut verdicts: Vec<Option<Verdict>> = vec![None; self.traces.len()];
        for (at, chunks) in self.deliveries(moved.as_deref()) {
            let Some(first) = chunks.first() else {
                continue;
            };
            let delivery = Delivery {
                at,
                language: self.languages.get(first.language).map_or("", |it| it),
                ..Delivery::default()
            };
            let mut turn = model.begin(delivery, first.process, chunks.len(), 0);
            for chunk in chunks {
                let Some(verdict) = verdicts.get_mut(chunk.trace) else {
                    continue;
                };
                let rule = by_rule.as_ref().and_then(|kept| *kept.get(chunk.trace)?);
                let root = verdict.as_ref().and_then(Verdict::tracer);
                let given = match (at == chunk.digest.at, rule) {
                    (true, None) => model.decide_digest(&mut turn, &chunk.digest, root),
                    _ => model.decide_digest(&mut turn, &chunk.digest.again(at, rule), root),
                };
                *verdict = Some(verdict.map_or(given, |before| before.joined(given)));
            }
        }
        Outcome::of(&verdicts)
    }

    /// Chunks that came together, in order of arrival.
    fn deliveries(&self, moved: Option<&[i64]>) -> Vec<(UnixNanos, Vec<&TapedChunk>)> {
        let by = |chunk: &TapedChunk| moved.and_then(|moved| moved.get(chunk.trace).copied());
        let at = |chunk: &TapedChunk| chunk.digest.at.plus(by(chunk).unwrap_or(0));
        let mut chunks: Vec<(UnixNanos, &TapedChunk)> =
            self.chunks.iter().map(|chunk| (at(chunk), chunk)).collect();
        if moved.is_some() {
            chunks.sort_by_key(|(at, _)| *at);
        }
        let came_together = |one: &(UnixNanos, &TapedChunk), other: &(UnixNanos, &TapedChunk)| {
            (one.0, one.1.process) == (other.0, other.1.process)
        };
        chunks
            .chunk_by(came_together)
            .filter_map(|together| {
                let (at, _) = together.first()?;
                Some((*at, together.iter().map(|(_, chunk)| *chunk).collect()))
            })
            .collect()
    }

    /// How much later each trace begins when so many run at a time, in the order in which they began.
    fn moved(&self, slots: NonZeroUsize) -> Vec<i64> {
        let mut order: Vec<(UnixNanos, usize, i64)> = self
            .traces
            .iter()
            .enumerate()
            .map(|(place, trace)| (trace.start, place, trace.duration.max(0)))
            .collect();
        order.sort_unstable();
        let first = order.first().map(|(start, ..)| *start).unwrap_or_default();
        let mut free: BinaryHeap<Reverse<UnixNanos>> = BinaryHeap::new();
        let mut moved = vec![0; self.traces.len()];
        for (start, place, duration) in order {
            let begins = if free.len() < slots.get() {
                first
            } else {
                free.pop().map_or(first, |Reverse(at)| at)
            };
            free.push(Reverse(begins.plus(duration)));
            if let Some(moved) = moved.get_mut(place) {
                *moved = begins.since(start);
            }
        }
        moved
    }

    /// What a rule with a rate makes of each trace it decides, in order of their beginning. What it
    /// keeps passes a limiter (`ddtrace/internal/rate_limiter.py` of `DataDog/dd-trace-py`), one for
    /// all.
    fn by_rule(&self, rate: f64, moved: Option<&[i64]>) -> Vec<Option<bool>> {
        let start = |place: usize, trace: &TapedTrace| {
            let by = moved.and_then(|moved| moved.get(place).copied());
            trace.start.plus(by.unwrap_or(0))
        };
        let traces = self.traces.iter().enumerate();
        let mut order: Vec<(UnixNanos, usize, TraceId)> = traces
            .filter(|(_, trace)| trace.obeys_rules)
            .map(|(place, trace)| (start(place, trace), place, trace.id))
            .collect();
        order.sort_unstable();
        let mut limiter = Limiter::full();
        let mut kept = vec![None; self.traces.len()];
        for (at, place, id) in order {
            let is_kept = draw::is_within(id.low(), rate) && limiter.lets_through(at);
            if let Some(kept) = kept.get_mut(place) {
                *kept = Some(is_kept);
            }
        }
        kept
    }
}

/// A bucket of tokens, a hundred of them, that fills up again in a second.
#[derive(Clone, Copy, Debug)]
struct Limiter {
    tokens: f64,
    at: Option<UnixNanos>,
}

impl Limiter {
    fn full() -> Self {
        Self {
            tokens: RULES_PER_SECOND,
            at: None,
        }
    }

    fn lets_through(&mut self, at: UnixNanos) -> bool {
        let passed = self.at.map_or(0, |before| at.since(before).max(0));
        self.at = Some(at);
        #[expect(clippy::as_conversions, reason = "nanoseconds to seconds")]
        let passed = passed as f64 / 1e9;
        self.tokens = (self.tokens + passed * RULES_PER_SECOND).min(RULES_PER_SECOND);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

impl Digest {
    /// The same at another time, and as a rule decides it if one does.
    fn again(&self, at: UnixNanos, rule: Option<bool>) -> Self {
        let mut again = self.clone();
        again.at = at;
        if let Some(is_kept) = rule {
            again.is_drawn = false;
            again.stamps_rate = false;
            again.priority = Some(if is_kept {
                SamplingPriority::USER_KEEP
            } else {
                SamplingPriority::USER_REJECT
            });
        }
        again
    }
}

impl Outcome {
    fn of(verdicts: &[Option<Verdict>]) -> Self {
        let mut outcome = Self {
            n_traces: verdicts.len(),
            ..Self::default()
        };
        for verdict in verdicts {
            let fate = verdict.unwrap_or_default().fate();
            outcome.n_kept += usize::from(matches!(fate, Fate::Kept(_)));
            *outcome.by_fate.entry(fate).or_default() += 1;
        }
        outcome
    }
}
