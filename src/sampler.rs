//! The simulated Agent: what a Datadog Agent would keep of what clients send, and what clients would
//! send if it answered them. Pure: time is passed in, nothing is read and nothing is sent.
//!
//! ```text
//! chunk ─▶ Digest ─▶ Model ─▶ Verdict { what the tracer would have done, what the Agent does }
//!                      │
//!                      └─ Agent: rare ─▶ below 0 drops ─▶ priority | no priority ─▶ error
//! ```
//!
//! All that is said here is a model, and is shown with `(sim)`; what clients decided is
//! [`crate::trace::SamplingFacts`]. After `DataDog/datadog-agent`, `pkg/trace/agent/agent.go`
//! (`Process`, `runSamplers`) and `pkg/trace/sampler`, Agent 7.80; each file names its own source.
//! Left out: analysed events, error tracking without the rest, and rates set from Datadog's side.

mod core;
mod digest;
mod draw;
mod model;
mod priority;
mod rare;
pub mod replay;
mod score;
mod services;
mod signature;
mod verdict;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::core::share;
pub use digest::{
    Delivery, Digest, RareSpans, Reader, Signed, SingleSpans, came_at, sampled_priority, weight,
};
pub use draw::{HashedId, Probabilistic, is_within, place};
pub use model::{AgentModel, Model, Pieces, Process, Turn};
pub use priority::{DEFAULT_KEY, RateTable};
pub use rare::{RareSettings, RareSpan};
pub use services::{ServiceId, Services};
pub use signature::{HashedSpan, Resource, Signature, of_service, of_span, of_trace};
pub use verdict::{AgentDecision, Fate, Redraw, Sampler, Verdict};
pub(crate) use words::number;

use crate::trace::{PayloadForm, SamplingPriority, UnixNanos};
use priority::Priority;
use rare::Rare;
use score::{Score, Scored};

/// How an Agent is set up; by default as it comes (`pkg/trace/config/config.go`, `New`).
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `DD_APM_TARGET_TPS`: traces a second that are aimed at.
    pub target_tps: f64,
    /// `DD_APM_ERROR_TPS`: errors a second that are kept beside them.
    pub error_tps: f64,
    /// The factor on every rate.
    pub extra_rate: f64,
    /// `DD_APM_ENABLE_RARE_SAMPLER`.
    pub rare: Option<RareSettings>,
    /// `DD_APM_PROBABILISTIC_SAMPLER_ENABLED` and its percentage.
    pub probabilistic: Option<Probabilistic>,
    /// `DD_ENV` of the Agent itself.
    pub default_env: Arc<str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target_tps: 10.0,
            error_tps: 10.0,
            extra_rate: 1.0,
            rare: None,
            probabilistic: None,
            default_env: Arc::from("none"),
        }
    }
}

/// One Agent.
#[derive(Clone, Debug)]
pub struct Agent {
    priority: Priority,
    /// What drops by itself, fed with what came.
    received: Scores,
    /// The same, fed with what would have come.
    redrawn: Scores,
    rare: Option<Rare>,
    probabilistic: Option<Probabilistic>,
}

/// The samplers that see only what others leave.
#[derive(Clone, Debug)]
struct Scores {
    no_priority: Score,
    errors: Score,
}

/// What becomes of a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Whether it is kept, as a whole or in single spans.
    pub is_kept: bool,
    /// Who decided: who keeps it, or who was asked last.
    pub by: Sampler,
    /// The rate of its service, or for a chunk without a priority of what it is counted as.
    pub rate: Option<f64>,
    /// The rate of the error sampler, if it was asked.
    pub error_rate: Option<f64>,
    /// Whether the rare sampler has marked it, be it kept or not.
    pub is_rare: bool,
}

/// The same chunk twice: as it came, and as it would have come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decisions {
    /// As it came.
    pub received: Decision,
    /// As it would have come from a client with the Agent's rates.
    pub redrawn: Decision,
}

impl Agent {
    /// An Agent that has seen nothing.
    pub fn new(settings: &Settings) -> Self {
        let (target, extra) = (settings.target_tps, settings.extra_rate);
        let scores = Scores {
            no_priority: Score::new(target, extra),
            errors: Score::for_errors(settings.error_tps, extra),
        };
        Self {
            priority: Priority::new(target, extra, &settings.default_env),
            received: scores.clone(),
            redrawn: scores,
            rare: settings.rare.map(Rare::new),
            probabilistic: settings.probabilistic,
        }
    }

    /// The rate of a service now, as a root without a rate of its own gets it.
    pub fn rate(&self, service: Signature) -> f64 {
        self.priority.rate(service)
    }

    /// The rates it answers now.
    pub fn table(&self) -> &Arc<RateTable> {
        self.priority.table()
    }

    /// The rates it will answer once a chunk is counted in a later bucket than any before.
    pub fn next_rates(&self, at: UnixNanos, services: &Services) -> Vec<(ServiceId, f64)> {
        self.priority.next_rates(at, services)
    }

    /// Decides a chunk (`runSamplers`), and what it would have decided had the client chosen another
    /// priority. `dropped_weight` is how many traces the client dropped before, for each chunk of the
    /// delivery.
    pub fn decide(
        &mut self,
        digest: &Digest,
        redrawn: Option<SamplingPriority>,
        dropped_weight: f64,
        services: &mut Services,
    ) -> Decisions {
        let rare = self.rare.as_mut();
        let is_rare = rare.is_some_and(|rare| rare.sample(digest.at, &digest.rare));
        if let Some(probabilistic) = self.probabilistic {
            let decision = self.probable(probabilistic, digest, is_rare);
            return Decisions {
                received: decision,
                redrawn: decision,
            };
        }
        let is_rejected = |said: SamplingPriority| said < SamplingPriority::AUTO_REJECT;
        if !is_rare && !digest.priority.is_some_and(is_rejected) {
            self.priority.count(digest, dropped_weight, services);
        }
        let service = services.signature(digest.service);
        let service_rate = digest.priority.map(|_| self.priority.rate(service));
        let would_say = redrawn.or(digest.priority);
        Decisions {
            received: self
                .received
                .decide(digest, digest.priority, is_rare, service_rate),
            redrawn: self
                .redrawn
                .decide(digest, would_say, is_rare, service_rate),
        }
    }

    fn probable(&mut self, sampler: Probabilistic, digest: &Digest, is_rare: bool) -> Decision {
        let mut decision = Decision {
            is_kept: is_rare || sampler.keeps(digest.trace_id, digest.form),
            by: if is_rare {
                Sampler::Rare
            } else {
                Sampler::Probabilistic
            },
            rate: Some(sampler.rate()),
            error_rate: None,
            is_rare,
        };
        // In v1.0 the error sampler has the last word on an error (`runSamplersV1`).
        let asks_errors = !decision.is_kept || digest.form == PayloadForm::V10;
        let error = asks_errors.then(|| self.received.error(digest)).flatten();
        if let Some(error) = error {
            decision.is_kept = error.is_kept;
            decision.by = Sampler::Error;
            decision.error_rate = Some(error.rate);
        }
        decision.or_single_span(digest)
    }

    /// Whether the error sampler would keep a chunk now, had its root been rejected. Nothing is counted.
    pub fn would_keep_error(&self, digest: &Digest) -> bool {
        let signed = digest.signed.filter(|signed| signed.is_error);
        signed.is_some_and(|signed| self.redrawn.errors.would_keep(digest, signed))
    }
}

impl Scores {
    fn decide(
        &mut self,
        digest: &Digest,
        priority: Option<SamplingPriority>,
        is_rare: bool,
        rate: Option<f64>,
    ) -> Decision {
        let by = priority.map_or(Sampler::NoPriority, |_| Sampler::Priority);
        let mut decision = Decision {
            is_kept: false,
            by,
            rate,
            error_rate: None,
            is_rare,
        };
        if priority.is_some_and(|said| said < SamplingPriority::AUTO_REJECT) {
            return decision.or_single_span(digest);
        }
        if is_rare {
            (decision.is_kept, decision.by) = (true, Sampler::Rare);
            return decision;
        }
        decision.is_kept = if let Some(SamplingPriority(said)) = priority {
            // `IsKeep`: 3 and above are not kept.
            matches!(said, 1 | 2)
        } else {
            let signed = digest.signed;
            let scored = signed.map(|signed| self.no_priority.sample(digest, signed));
            decision.rate = scored.map(|scored| scored.rate);
            scored.is_some_and(|scored| scored.is_kept)
        };
        if !decision.is_kept
            && let Some(error) = self.error(digest)
        {
            decision.is_kept = error.is_kept;
            decision.by = Sampler::Error;
            decision.error_rate = Some(error.rate);
        }
        decision.or_single_span(digest)
    }

    /// What the error sampler says; `None` if there is no error.
    fn error(&mut self, digest: &Digest) -> Option<Scored> {
        let signed = digest.signed.filter(|signed| signed.is_error)?;
        Some(self.errors.sample(digest, signed))
    }
}

impl Decision {
    /// Of a chunk that nothing keeps, the spans that a rule of the client keeps are kept alone
    /// (`SingleSpanSampling`).
    fn or_single_span(mut self, digest: &Digest) -> Self {
        if !self.is_kept && digest.single_spans == SingleSpans::Some {
            (self.is_kept, self.by) = (true, Sampler::SingleSpan);
        }
        self
    }

    /// Who keeps it.
    pub fn kept_by(&self) -> Option<Sampler> {
        self.is_kept.then_some(self.by)
    }

    /// The metric that the Agent writes on the root.
    pub fn metric(&self, digest: &Digest) -> Option<(&'static str, f64)> {
        if self.is_rare {
            return Some(("_dd.rare", 1.0));
        }
        let key = match self.kept_by()? {
            Sampler::Priority if digest.stamps_rate => {
                let by_rate = digest.priority == Some(SamplingPriority::AUTO_KEEP);
                return by_rate.then_some(("_sampling_priority_rate_v1", self.rate?));
            }
            Sampler::NoPriority => ("_dd.no_p_sr", self.rate?),
            Sampler::Error => ("_dd.errors_sr", self.error_rate?),
            Sampler::Probabilistic => ("_dd.prob_sr", self.rate?),
            Sampler::Priority | Sampler::Rare | Sampler::SingleSpan => return None,
        };
        Some(key)
    }
}
