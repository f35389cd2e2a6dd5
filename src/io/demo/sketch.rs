//! A trace as a drawing: spans with offsets from its start, and the ids and tags a real client
//! would add when it is sent. Pure: dice are seeded, times come in.

use std::borrow::Cow;

use super::failure::Failure;
use super::process::Process;
use crate::trace::{TraceId, UnixNanos, tag};

/// Numbers that look random and are the same every time (splitmix64).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn id(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        // 0 means "no parent".
        (mixed ^ mixed >> 31).max(1)
    }

    /// A number from `low` up to, but not, `high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.abs_diff(low).max(1);
        low.saturating_add_unsigned(self.id() % width)
    }

    /// An id as Modal gives them out: of a container, an input, a call.
    pub(super) fn modal_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-01K{:013X}", self.id() >> 12)
    }
}

/// A span as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SampleSpan {
    pub(super) service: &'static str,
    pub(super) name: &'static str,
    pub(super) resource: Cow<'static, str>,
    pub(super) kind: &'static str,
    pub(super) trace_id: u64,
    pub(super) span_id: u64,
    pub(super) parent_id: u64,
    pub(super) start: i64,
    pub(super) duration: i64,
    pub(super) error: i32,
    pub(super) meta: Vec<(&'static str, Cow<'static, str>)>,
    pub(super) metrics: Vec<(&'static str, f64)>,
}

/// The spans of one trace that are sent together.
pub(super) type Chunk = Vec<SampleSpan>;

/// What the client decided about a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Keep it: no rate and no rule said otherwise.
    KeptByDefault,
    /// Drop it: a sampling rule with rate 0.1.
    RejectedByRule,
}

/// What one process tells the next about a trace that both have spans of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    trace_id: u64,
    /// When the first process began it.
    began: UnixNanos,
    decision: Decision,
}

impl Context {
    /// A trace begins.
    pub(super) fn begin(dice: &mut Dice, began: UnixNanos, decision: Decision) -> Self {
        Self {
            trace_id: dice.id(),
            began,
            decision,
        }
    }
}

/// Where a span stands and how it looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) service: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// Microseconds after the trace's start.
    pub(super) from_us: i64,
    pub(super) lasts_us: i64,
}

/// What one process does in a trace, its start not fixed yet. The first span is its local root.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    spans: Vec<SampleSpan>,
}

impl Sketch {
    /// Adds a span under one that was added before, or the local root; returns its id.
    pub(super) fn add(&mut self, dice: &mut Dice, parent_id: u64, shape: Shape) -> u64 {
        let span_id = dice.id();
        self.spans.push(SampleSpan {
            service: shape.service,
            name: shape.name,
            resource: shape.name.into(),
            kind: shape.kind,
            trace_id: 0,
            span_id,
            parent_id,
            start: shape.from_us.saturating_mul(1_000),
            duration: shape.lasts_us.saturating_mul(1_000),
            error: 0,
            meta: Vec::new(),
            metrics: Vec::new(),
        });
        span_id
    }

    /// Changes the span added last.
    pub(super) fn resource(&mut self, resource: impl Into<Cow<'static, str>>) -> &mut Self {
        if let Some(span) = self.spans.last_mut() {
            span.resource = resource.into();
        }
        self
    }

    /// Tags the span added last.
    pub(super) fn meta(
        &mut self,
        key: &'static str,
        text: impl Into<Cow<'static, str>>,
    ) -> &mut Self {
        if let Some(span) = self.spans.last_mut() {
            span.meta.push((key, text.into()));
        }
        self
    }

    /// Measures the span added last.
    pub(super) fn metric(&mut self, key: &'static str, number: i64) -> &mut Self {
        if let Some(span) = self.spans.last_mut() {
            span.metrics.push((key, float(number)));
        }
        self
    }

    /// Tags the local root.
    pub(super) fn root_meta(
        &mut self,
        key: &'static str,
        text: impl Into<Cow<'static, str>>,
    ) -> &mut Self {
        if let Some(root) = self.spans.first_mut() {
            root.meta.push((key, text.into()));
        }
        self
    }

    /// Measures the local root.
    pub(super) fn root_metric(&mut self, key: &'static str, number: i64) -> &mut Self {
        if let Some(root) = self.spans.first_mut() {
            root.metrics.push((key, float(number)));
        }
        self
    }

    /// Fails the given spans with one exception, as it passes through them.
    pub(super) fn fail(&mut self, span_ids: &[u64], failure: &Failure) {
        for span in self
            .spans
            .iter_mut()
            .filter(|span| span_ids.contains(&span.span_id))
        {
            span.error = 1;
            span.meta.push((tag::ERROR_TYPE, failure.class.into()));
            span.meta
                .push((tag::ERROR_MESSAGE, failure.message.clone().into()));
            span.meta
                .push((tag::ERROR_STACK, failure.stack.clone().into()));
        }
    }

    /// How long the local root lasts.
    pub(super) fn lasts_ns(&self) -> i64 {
        self.spans.first().map_or(0, |root| root.duration)
    }

    /// How long the first span of a name lasts.
    pub(super) fn lasts_ms(&self, name: &str) -> i64 {
        let mut spans = self.spans.iter();
        let found = spans.find(|span| span.name == name);
        found.map_or(0, |span| span.duration / 1_000_000)
    }

    /// All of it as one chunk, with what the client adds.
    pub(super) fn send(self, start: UnixNanos, process: &Process, context: Context) -> Chunk {
        let (mut chunk, root_id) = self.placed(start, context);
        complete(&mut chunk, root_id, process, context);
        chunk
    }

    /// In the chunks of a client that flushes partially: spans in the order in which they end, so the
    /// local root comes last. Each with the time at which it is sent.
    pub(super) fn send_partially(
        self,
        start: UnixNanos,
        process: &Process,
        context: Context,
        spans_per_chunk: usize,
    ) -> Vec<(UnixNanos, Chunk)> {
        let (mut spans, root_id) = self.placed(start, context);
        spans.sort_by_key(|span| span.start.saturating_add(span.duration));
        let chunks = spans.chunks(spans_per_chunk.max(1)).map(|part| {
            let mut chunk = part.to_vec();
            let n_spans = i32::try_from(chunk.len()).unwrap_or(i32::MAX);
            if let Some(first) = chunk.first_mut() {
                first
                    .metrics
                    .push(("_dd.py.partial_flush", f64::from(n_spans)));
            }
            complete(&mut chunk, root_id, process, context);
            let last = chunk
                .last()
                .map_or(0, |span| span.start.saturating_add(span.duration));
            (UnixNanos(last), chunk)
        });
        chunks.collect()
    }

    /// The spans at their times, and which of them is the local root.
    fn placed(mut self, start: UnixNanos, context: Context) -> (Chunk, u64) {
        for span in &mut self.spans {
            span.trace_id = context.trace_id;
            span.start = span.start.saturating_add(start.0);
        }
        let root_id = self.spans.first().map_or(0, |root| root.span_id);
        (self.spans, root_id)
    }
}

fn float(number: i64) -> f64 {
    f64::from(i32::try_from(number).unwrap_or(i32::MAX))
}

/// The tags of a chunk: on every span what the app says of its process, on the first what concerns the
/// chunk, on the local root what the client says of its process.
fn complete(chunk: &mut Chunk, root_id: u64, process: &Process, context: Context) {
    for span in chunk.iter_mut() {
        span.meta.extend(process.tags());
        if span.span_id == root_id {
            let runtime_id = process.runtime_id().to_string();
            span.meta.push((tag::RUNTIME_ID, runtime_id.into()));
            span.metrics.push((tag::LOCAL_ROOT, process.pid()));
            span.metrics.push(("_dd.top_level", 1.0));
        }
    }
    let Some(first) = chunk.first_mut() else {
        return;
    };
    // The client puts the second in which a trace began into the first 32 bits of its id.
    let seconds = u32::try_from(context.began.0.div_euclid(1_000_000_000)).unwrap_or(0);
    let high = TraceId::from_halves(u64::from(seconds) << 32, 0).high();
    first
        .meta
        .push((tag::TRACE_ID_HIGH, format!("{high:016x}").into()));
    first.meta.push(("language", "python".into()));
    first.metrics.push(("_dd.tracer_kr", 1.0));
    match context.decision {
        Decision::KeptByDefault => {
            first.meta.push((tag::DECISION_MAKER, "-0".into()));
            first.metrics.push((tag::SAMPLING_PRIORITY, 1.0));
        }
        Decision::RejectedByRule => {
            first.meta.push((tag::DECISION_MAKER, "-3".into()));
            first.meta.push(("_dd.p.ksr", "0.1".into()));
            first.metrics.push((tag::SAMPLING_PRIORITY, -1.0));
            first.metrics.push((tag::RULE_RATE, 0.1));
        }
    }
}
