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

/// Both together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The tracer's part; nobody redraws what a rule, a person or a parent decided.
    pub tracer: Option<Redraw>,
    /// The Agent's part, of what it received.
    pub agent: AgentDecision,
    /// Who keeps it in the end, when the Agent gets what the tracer would have sent.
    pub kept_by: Option<Sampler>,
}

impl Verdict {
    /// Whether Datadog would have got it.
    pub fn is_kept(&self) -> bool {
        self.kept_by.is_some()
    }

    /// What two chunks of a trace come to: it is kept if any of it is, and the chunk with the root
    /// speaks for what the tracer does.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let (first, second) = if other.tracer.is_some() && self.tracer.is_none() {
            (other, self)
        } else {
            (self, other)
        };
        let agent = if first.agent.by.is_some() {
            first.agent
        } else {
            second.agent.by.map_or(first.agent, |_| second.agent)
        };
        // What is kept because the tracer said so is dropped with its root.
        let follows = |by: &Sampler| *by == Sampler::Priority;
        let is_rejected = first.tracer.is_some_and(|tracer| !tracer.is_kept);
        let kept_after = second.kept_by.filter(|by| !(is_rejected && follows(by)));
        Self {
            tracer: first.tracer,
            agent,
            kept_by: first.kept_by.or(kept_after),
        }
    }

    /// What became of it, as one word of [`Fate::NAMES`].
    pub fn fate(&self) -> Fate {
        match self.kept_by {
            Some(by) => Fate::Kept(by),
            None if self.tracer.is_some_and(|tracer| !tracer.is_kept) => Fate::DroppedByRate,
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
    /// It was opened from a file that does not say.
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
