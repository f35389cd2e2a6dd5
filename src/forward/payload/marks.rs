//! What the Agent writes beside what the client said: priority, rates, and which spans of a chunk are
//! kept. Decides nothing: it follows a verdict.

use libdd_trace_protobuf::pb;

use super::super::Prepared;
use crate::normalize::Normalized;
use crate::sampler::{Sampler, Verdict};
use crate::trace::{SamplingPriority, TraceId, tag};

/// The rate of the client's own thinning (`pkg/trace/sampler/sampler.go`, `SetClientRate`).
const CLIENT_RATE: &str = "_dd1.sr.rcusr";
/// The rate of the priority sampler, on roots without one of the client (`prioritysampler.go`,
/// `applyRate`).
const PRIORITY_RATE: &str = "_sampling_priority_rate_v1";
/// That of the other samplers, on the root (`scoresampler.go`, `probabilistic.go`).
const NO_PRIORITY_RATE: &str = "_dd.no_p_sr";
const ERROR_RATE: &str = "_dd.errors_sr";
const PROBABILISTIC_RATE: &str = "_dd.prob_sr";
/// On the span that the rare sampler has not seen before (`rare_sampler.go`, `sampleSpan`).
const RARE: &str = "_dd.rare";
/// Who decides where the probabilistic sampler does (`agent.go`, `runSamplers`).
const PROBABILISTIC_MAKER: &str = "-9";

/// Bytes of the tag that names the high half of a trace's id.
pub(super) const TRACE_ID_BYTES_MAX: usize = 40;

/// What is written on a chunk.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    priority: i32,
    root_place: Option<usize>,
    client_rate: f64,
    /// The rate that the client would have been told, in place of the one it says.
    agent_rate: Option<f64>,
    /// A metric on a span.
    written: Option<(usize, &'static str, f64)>,
    /// Who keeps it.
    by: Option<Sampler>,
}

impl Marks {
    /// `None` if the simulated Agent was asked and drops it.
    pub(super) fn of(prepared: &Prepared<'_>) -> Option<Self> {
        let verdict = prepared.verdict();
        let by = match &verdict {
            Some(verdict) => Some(verdict.kept_by()?),
            None => None,
        };
        let mut marks = Self {
            priority: 0,
            root_place: prepared.root_place(),
            client_rate: prepared.chunk().client_rate(),
            agent_rate: None,
            written: None,
            by,
        };
        let said = prepared.priority();
        match (verdict, by) {
            (Some(verdict), Some(by)) => marks.follow(prepared, verdict, by),
            _ => marks.priority = asked_for(said),
        }
        Some(marks)
    }

    /// As the simulated Agent, which keeps it, would have written it.
    fn follow(&mut self, prepared: &Prepared<'_>, verdict: Verdict, by: Sampler) {
        let redraw = verdict.tracer();
        // What was drawn anew is what an Agent would have got.
        let drawn = redraw.map(|redraw| SamplingPriority(i32::from(redraw.is_kept)));
        let priority = drawn.or(prepared.priority());
        let agent = verdict.agent();
        let rate = agent.rate.filter(|_| agent.by == Some(by));
        self.priority = priority.unwrap_or(SamplingPriority::AUTO_KEEP).0;
        let Some(root) = prepared.chunk().root() else {
            return;
        };
        if root.metric(tag::AGENT_RATE).is_some() {
            self.agent_rate = redraw.map(|redraw| redraw.rate);
        }
        let written = match by {
            Sampler::Priority => {
                let is_kept = priority == Some(SamplingPriority::AUTO_KEEP);
                let rate = redraw.map(|redraw| redraw.rate).or(rate);
                let rate = rate.filter(|_| is_kept && takes_rate(root));
                rate.map(|rate| (PRIORITY_RATE, rate))
            }
            Sampler::NoPriority => rate.map(|rate| (NO_PRIORITY_RATE, rate)),
            Sampler::Error => rate.map(|rate| (ERROR_RATE, rate)),
            Sampler::Probabilistic => {
                self.priority = SamplingPriority::AUTO_KEEP.0;
                rate.map(|rate| (PROBABILISTIC_RATE, rate))
            }
            Sampler::Rare => Some((RARE, 1.0)),
            Sampler::SingleSpan => {
                self.priority = SamplingPriority::USER_KEEP.0;
                None
            }
        };
        let place = match by {
            Sampler::Rare => rare_place(prepared),
            _ => self.root_place,
        };
        self.written = place
            .zip(written)
            .map(|(place, (key, rate))| (place, key, rate));
    }

    pub(super) fn priority(&self) -> i32 {
        self.priority
    }

    /// Who decided, if it is the Agent.
    pub(super) fn decision_maker(&self) -> Option<&'static str> {
        (self.by == Some(Sampler::Probabilistic)).then_some(PROBABILISTIC_MAKER)
    }

    /// Whether a span goes. Of a chunk that is dropped only those go that a rule of the client keeps
    /// (`span_sampling.go`, `ApplySpanSampling`).
    pub(super) fn keeps(&self, span: &Normalized<'_>) -> bool {
        self.by != Some(Sampler::SingleSpan) || span.metric(tag::SPAN_SAMPLING_MECHANISM).is_some()
    }

    /// Writes what belongs on the span at a place.
    pub(super) fn write(&self, place: usize, span: &mut pb::Span) {
        let metrics = &mut span.metrics;
        if self.root_place == Some(place) {
            if self.client_rate < 1.0 {
                metrics.insert(CLIENT_RATE.to_owned(), self.client_rate);
            } else {
                metrics.remove(CLIENT_RATE);
            }
            if let Some(rate) = self.agent_rate {
                metrics.insert(tag::AGENT_RATE.to_owned(), rate);
            }
        }
        if let Some((at, key, rate)) = self.written
            && at == place
        {
            metrics.insert(key.to_owned(), rate);
        }
    }
}

/// Names the high half of the trace's id on the first span, where tracers do, unless one says it.
pub(super) fn name_trace(id: TraceId, spans: &mut [pb::Span]) {
    let is_said = |span: &pb::Span| span.meta.contains_key(tag::TRACE_ID_HIGH);
    if id.high() == 0 || spans.iter().any(is_said) {
        return;
    }
    if let Some(first) = spans.first_mut() {
        let high = format!("{:016x}", id.high());
        first.meta.insert(tag::TRACE_ID_HIGH.to_owned(), high);
    }
}

/// The priority of what goes because somebody wants it to. What the client keeps, it keeps; what it
/// rejects or does not judge is kept by hand, as the Agent marks spans that it saves from a dropped
/// trace (`ApplySpanSampling`). The spans say on what the client said.
fn asked_for(said: Option<SamplingPriority>) -> i32 {
    let kept = said.filter(|said| !said.is_reject());
    kept.unwrap_or(SamplingPriority::USER_KEEP).0
}

/// `prioritysampler.go`, `applyRate`.
fn takes_rate(root: &Normalized<'_>) -> bool {
    let rates = [tag::AGENT_RATE, tag::RULE_RATE, PRIORITY_RATE];
    root.parent_id() == crate::trace::SpanId::NONE
        && rates.iter().all(|rate| root.metric(rate).is_none())
}

/// The first span that the rare sampler looks at.
fn rare_place(prepared: &Prepared<'_>) -> Option<usize> {
    let chunk = prepared.chunk();
    let mut spans = chunk.spans().iter().enumerate();
    let first = spans.find(|(place, span)| chunk.is_top_level(*place) || span.is_measured());
    first.map(|(place, _)| place).or(prepared.root_place())
}
