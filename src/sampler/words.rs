//! The model's verdicts in words. Whoever shows them adds `(sim)`.

use super::{Redraw, Sampler, Verdict, draw};
use crate::trace::{SamplingFacts, SamplingPriority, TraceId};

impl Verdict {
    /// `keep` or `drop`.
    pub fn word(&self) -> &'static str {
        if self.is_kept() { "keep" } else { "drop" }
    }

    /// Why, as briefly as a column has room for: `rate 0.08`, `error sampler`, `by rule 0.3`.
    pub fn why(&self, facts: &SamplingFacts<'_>) -> String {
        match (self.kept_by(), self.tracer()) {
            (Some(Sampler::Priority) | None, Some(tracer)) => {
                format!("rate {}", number(tracer.rate))
            }
            (Some(Sampler::Priority) | None, None) => match facts.reason() {
                Some(reason) => reason,
                None => undrawn(facts.priority).to_owned(),
            },
            (Some(sampler), _) => self.by(sampler),
        }
    }

    /// Why, in one sentence: what the tracer would have done, then what the Agent does.
    pub fn reason(&self, facts: &SamplingFacts<'_>, trace_id: TraceId) -> String {
        let tracer = match self.tracer() {
            Some(tracer) => drawn(tracer, trace_id),
            None => decided(facts),
        };
        match self.kept_by() {
            Some(Sampler::Priority) => tracer,
            Some(sampler) => format!("{tracer}; the Agent's {} keeps it", self.by(sampler)),
            None if self.is_refused(facts) => {
                "the Agent takes no chunk in which an id is 0".to_owned()
            }
            None => tracer,
        }
    }

    /// A sampler with the rate it kept by, where that is ours to know.
    fn by(&self, sampler: Sampler) -> String {
        let agent = self.agent();
        let name = match sampler {
            Sampler::Priority => "priority sampler",
            Sampler::NoPriority => "no-priority sampler",
            Sampler::Error => "error sampler",
            Sampler::Rare => "rare sampler",
            Sampler::Probabilistic => "probabilistic sampler",
            Sampler::SingleSpan => "single-span rule",
        };
        let by_rate = matches!(sampler, Sampler::NoPriority | Sampler::Probabilistic);
        match agent.rate.filter(|rate| by_rate && *rate < 1.0) {
            Some(rate) => format!("{name} {}", number(rate)),
            None => name.to_owned(),
        }
    }

    /// Whether the Agent took nothing of it though the client wants it kept.
    fn is_refused(&self, facts: &SamplingFacts<'_>) -> bool {
        let is_wanted = facts.priority.is_none_or(|said| !said.is_reject());
        let agent = self.agent();
        is_wanted && self.tracer().is_none() && agent.by.is_none() && agent.rate.is_none()
    }
}

/// Who decided where no rate did, for a column.
fn undrawn(priority: Option<SamplingPriority>) -> &'static str {
    match priority {
        None => "no priority",
        Some(SamplingPriority::AUTO_KEEP | SamplingPriority::AUTO_REJECT) => "parent decided",
        Some(SamplingPriority(said)) if said > 2 => "priority above 2",
        Some(priority) if priority.is_reject() => "user reject",
        Some(_) => "user keep",
    }
}

fn drawn(tracer: Redraw, trace_id: TraceId) -> String {
    let place = number(draw::place(trace_id.low()));
    let rate = number(tracer.rate);
    if tracer.is_kept && tracer.rate >= 1.0 {
        return "the tracer would have kept it: the Agent's rate for it is 1".to_owned();
    }
    if tracer.is_kept {
        return format!(
            "the tracer would have kept it: its id falls at {place}, within rate {rate}"
        );
    }
    format!("the tracer would have dropped it: its id falls at {place}, beyond rate {rate}")
}

fn decided(facts: &SamplingFacts<'_>) -> String {
    match facts.priority {
        None => "the client sent no priority".to_owned(),
        Some(SamplingPriority(said)) if said > 2 => {
            format!("the client sent priority {said}, which the Agent does not keep")
        }
        Some(_) => format!("the client has decided: {}", facts.words()),
    }
}

/// A rate with up to three decimals, and no fewer than it takes to tell it from 0.
pub(crate) fn number(rate: f64) -> String {
    if rate != 0.0 && rate < 0.001 {
        return format!("{rate:.1e}");
    }
    let decimals = format!("{rate:.3}");
    let shortest = decimals.trim_end_matches('0').trim_end_matches('.');
    shortest.to_owned()
}
