//! What the model says of a chunk and of a trace: never a fact, always `(sim)`.

use std::fmt;
use std::str::FromStr;

/// Who keeps a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sampler {
    /// The priority sampler, which follows the client.
    Priority,
    /// The sampler for chunks without a priority.
    NoPriority,
    /// The error sampler.
    Error,
    /// The rare sampler.
    Rare,
    /// The probabilistic sampler.
    Probabilistic,
    /// Nobody, but spans that a span rule of the client kept are kept alone.
    SingleSpan,
}

impl Sampler {
    /// Each with its name in exports, in the order in which they are asked.
    pub const NAMES: [(Self, &'static str); 6] = [
        (Self::Priority, "priority"),
        (Self::NoPriority, "no_priority"),
        (Self::Error, "error"),
        (Self::Rare, "rare"),
        (Self::Probabilistic, "probabilistic"),
        (Self::SingleSpan, "single_span"),
    ];

    /// Its name in exports.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(sampler, _)| *sampler == self);
        named.map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Sampler {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::NAMES.iter().find(|(_, known)| *known == name);
        named
            .map(|(sampler, _)| *sampler)
            .ok_or_else(|| format!("{name:?} is no sampler of the Agent"))
    }
}

/// What the tracer would have decided with the rates the Agent would have given it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Redraw {
    /// Whether it would have sent the trace as one to keep.
    pub is_kept: bool,
    /// The rate it would have drawn with.
    pub rate: f64,
}

/// What the Agent makes of a chunk as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AgentDecision {
    /// Who keeps it; nobody if it is dropped.
    pub by: Option<Sampler>,
    /// The rate behind it, where there is one.
    pub rate: Option<f64>,
}

/// Both together, in 24 bytes: every trace has one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    tracer_rate: Rate,
    agent_rate: Rate,
    /// What the tracer would have drawn; nobody redraws what a rule, a person or a parent decided.
    tracer_keeps: Option<bool>,
    agent_by: Option<Sampler>,
    kept_by: Option<Sampler>,
    /// Who would keep it, should its root turn out to be rejected.
    kept_if_rejected: Option<Sampler>,
}

/// A rate, or none.
#[derive(Clone, Copy, Debug)]
struct Rate(f64);

impl Default for Rate {
    fn default() -> Self {
        Self(f64::NAN)
    }
}

impl PartialEq for Rate {
    fn eq(&self, other: &Self) -> bool {
        self.known() == other.known()
    }
}

impl Rate {
    fn known(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

impl From<Option<f64>> for Rate {
    fn from(rate: Option<f64>) -> Self {
        rate.map_or_else(Self::default, Self)
    }
}

impl Verdict {
    /// From its parts: what the tracer would have done, what the Agent makes of what came, and who
    /// keeps it in the end, when the Agent gets what the tracer would have sent.
    pub fn new(tracer: Option<Redraw>, agent: AgentDecision, kept_by: Option<Sampler>) -> Self {
        Self {
            tracer_rate: tracer.map(|tracer| tracer.rate).into(),
            agent_rate: agent.rate.into(),
            tracer_keeps: tracer.map(|tracer| tracer.is_kept),
            agent_by: agent.by,
            kept_by,
            kept_if_rejected: None,
        }
    }

    /// The same, of a chunk that came before the root that it follows.
    #[must_use]
    pub(super) fn or_if_rejected(mut self, by: Option<Sampler>) -> Self {
        self.kept_if_rejected = by;
        self
    }

    /// The tracer's part; `None` if a rule, a person or a parent decided.
    pub fn tracer(&self) -> Option<Redraw> {
        Some(Redraw {
            is_kept: self.tracer_keeps?,
            rate: self.tracer_rate.known()?,
        })
    }

    /// The Agent's part, of what it received.
    pub fn agent(&self) -> AgentDecision {
        AgentDecision {
            by: self.agent_by,
            rate: self.agent_rate.known(),
        }
    }

    /// Who keeps it in the end.
    pub fn kept_by(&self) -> Option<Sampler> {
        self.kept_by
    }

    /// Whether Datadog would have got it.
    pub fn is_kept(&self) -> bool {
        self.kept_by.is_some()
    }

    /// What two chunks of a trace come to: it is kept if any of it is, and the chunk with the root
    /// speaks for what the tracer does.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let (speaker, second) = match (self.tracer_keeps, other.tracer_keeps) {
            (None, Some(_)) => (other, self),
            _ => (self, other),
        };
        let agent = if speaker.agent_by.is_none() && second.agent_by.is_some() {
            second
        } else {
            speaker
        };
        // What is kept because the tracer said so is dropped with its root.
        let is_rejected = speaker.tracer_keeps == Some(false);
        let kept_beside = if is_rejected && second.kept_by == Some(Sampler::Priority) {
            second.kept_if_rejected
        } else {
            second.kept_by
        };
        Self {
            agent_rate: agent.agent_rate,
            agent_by: agent.agent_by,
            kept_by: speaker.kept_by.or(kept_beside),
            kept_if_rejected: speaker.kept_if_rejected.or(second.kept_if_rejected),
            ..speaker
        }
    }

    /// What became of it, for counting.
    pub fn fate(&self) -> Fate {
        match self.kept_by {
            Some(by) => Fate::Kept(by),
            None if self.tracer_keeps == Some(false) => Fate::DroppedByRate,
            None => Fate::Dropped,
        }
    }
}

/// What became of a trace, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// Kept, and by whom.
    Kept(Sampler),
    /// The tracer would not have sent it with the Agent's rates.
    DroppedByRate,
    /// The client rejected it, or a sampler of the Agent dropped it.
    Dropped,
    /// No chunk of it that counts has come yet, or it was opened from a file that does not say.
    Unknown,
}

impl Fate {
    /// Its name in `traces_by_verdict`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept(Sampler::Priority) => "kept_priority",
            Self::Kept(Sampler::NoPriority) => "kept_no_priority",
            Self::Kept(Sampler::Error) => "kept_error",
            Self::Kept(Sampler::Rare) => "kept_rare",
            Self::Kept(Sampler::Probabilistic) => "kept_probabilistic",
            Self::Kept(Sampler::SingleSpan) => "kept_single_span",
            Self::DroppedByRate => "dropped_rate",
            Self::Dropped => "dropped",
            Self::Unknown => "unknown",
        }
    }
}
