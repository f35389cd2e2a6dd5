//! The model's verdicts in words. Whoever shows them adds `(sim)`.

use super::{Redraw, Sampler, Verdict, draw};
use crate::trace::{SamplingFacts, SamplingPriority, TraceId};

impl Verdict {
    /// `keep` or `drop`.
    pub fn word(&self) -> &'static str {
        if self.is_kept() { "keep" } else { "drop" }
    }

    /// Why, as briefly as a column has room for: `rate 0.08`, `error sampler`, `rule 0.3`.
    pub fn why(&self, facts: &SamplingFacts<'_>) -> String {
        let sampler = self.kept_by().filter(|by| *by != Sampler::Priority);
        match (sampler, self.tracer()) {
            (Some(sampler), _) => self.by(sampler),
            (None, Some(tracer)) => format!("rate {}", number(tracer.rate)),
            (None, None) if self.is_refused(facts) => "an id is 0".to_owned(),
            (None, None) => match facts.priority {
                Some(SamplingPriority(said)) if said > 2 => format!("priority {said}"),
                _ => facts.brief(),
            },
        }
    }

    /// Why, in one sentence: what the tracer would have done, then what the Agent does.
    pub fn reason(&self, facts: &SamplingFacts<'_>, trace_id: TraceId) -> String {
        if self.is_refused(facts) {
            return "the Agent takes no chunk in which an id is 0".to_owned();
        }
        let tracer = match self.tracer() {
            Some(tracer) => drawn(tracer, trace_id),
            None => decided(facts),
        };
        let agent = match self.kept_by() {
            Some(Sampler::Priority) => "the Agent follows".to_owned(),
            Some(Sampler::SingleSpan) => {
                "the Agent keeps only the spans that a span rule of the client kept".to_owned()
            }
            Some(sampler) => self.kept_beside(sampler),
            None => self.dropped(facts),
        };
        format!("{tracer}; {agent}")
    }

    /// What a sampler does that does not follow the client.
    fn kept_beside(&self, sampler: Sampler) -> String {
        let name = sampler.name().replace('_', "-");
        match self.rate_of(sampler) {
            Some(rate) => format!(
                "the Agent's {name} sampler keeps it (rate {})",
                number(rate)
            ),
            None => format!("the Agent's {name} sampler keeps it"),
        }
    }

    /// What the Agent does with a trace that it drops.
    fn dropped(&self, facts: &SamplingFacts<'_>) -> String {
        match (facts.priority, self.agent().rate) {
            (Some(SamplingPriority(said)), _) if said < 0 => {
                "the Agent drops it at once, errors too".to_owned()
            }
            (None, Some(rate)) => format!(
                "no sampler of the Agent keeps it (the last one asked has rate {})",
                number(rate)
            ),
            _ => "no sampler of the Agent keeps it".to_owned(),
        }
    }

    /// A sampler with the rate it kept by, as a column has room for it.
    fn by(&self, sampler: Sampler) -> String {
        let name = match sampler {
            Sampler::Priority => "priority",
            Sampler::NoPriority => "no priority",
            Sampler::Error => "error sampler",
            Sampler::Rare => "rare sampler",
            Sampler::Probabilistic => "probabilistic",
            Sampler::SingleSpan => "single-span rule",
        };
        match self.rate_of(sampler) {
            Some(rate) => format!("{name} {}", number(rate)),
            None => name.to_owned(),
        }
    }

    /// The rate that a sampler kept it by, where that is ours to know and not 1.
    fn rate_of(&self, sampler: Sampler) -> Option<f64> {
        let by_rate = matches!(sampler, Sampler::NoPriority | Sampler::Probabilistic);
        self.agent().rate.filter(|rate| by_rate && *rate < 1.0)
    }

    /// Whether the Agent took nothing of it though the client wants it kept.
    fn is_refused(&self, facts: &SamplingFacts<'_>) -> bool {
        let is_wanted = facts.priority.is_none_or(|said| !said.is_reject());
        let agent = self.agent();
        is_wanted
            && !self.is_kept()
            && self.tracer().is_none()
            && agent.by.is_none()
            && agent.rate.is_none()
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
        Some(_) => format!("the client has decided: {}", facts.decision()),
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
