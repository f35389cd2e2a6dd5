//! What the client decided about sampling: facts read from the payload, never our model.

use std::fmt;

use super::{Span, Text, tag};

/// The tracer's decision for a trace. Values beside the four named ones are legal on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SamplingPriority(pub i32);

impl SamplingPriority {
    /// Rejected by a rule, a limit or a person.
    pub const USER_REJECT: Self = Self(-1);
    /// Rejected by a rate.
    pub const AUTO_REJECT: Self = Self(0);
    /// Kept by a rate.
    pub const AUTO_KEEP: Self = Self(1);
    /// Kept by a rule or a person.
    pub const USER_KEEP: Self = Self(2);

    /// Whether the client wants the trace dropped.
    pub fn is_reject(self) -> bool {
        self.0 <= 0
    }
}

impl fmt::Display for SamplingPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The tag `_dd.p.dm` as it came: `-3`, or with a service hash before the dash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionMaker<'a>(pub Text<'a>);

impl DecisionMaker<'_> {
    /// The mechanism behind the dash.
    pub fn mechanism(self) -> Option<SamplingMechanism> {
        let (_, number) = self.0.to_str()?.rsplit_once('-')?;
        number.parse().ok().map(SamplingMechanism)
    }
}

/// How a sampling decision was made.
///
/// Numbers after `ddtrace/internal/constants.py` (`SamplingMechanism`) of `DataDog/dd-trace-py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplingMechanism(pub u8);

impl SamplingMechanism {
    /// Its name; `None` for a number without one.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "default",
            1 => "agent_rate",
            2 => "remote_auto_rate",
            3 => "rule",
            4 => "manual",
            5 => "appsec",
            6 => "remote_user_rate",
            7 => "remote_datadog_rate",
            8 => "span_sampling_rule",
            9 => "otlp_ingest_probabilistic",
            10 => "data_jobs",
            11 => "remote_user_rule",
            12 => "remote_dynamic_rule",
            13 => "ai_guard",
            _ => return None,
        })
    }
}

impl fmt::Display for SamplingMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "mechanism_{}", self.0),
        }
    }
}

/// What the spans of a trace say about sampling. Absent where no span says it.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct SamplingFacts<'a> {
    /// The decision.
    pub priority: Option<SamplingPriority>,
    /// Who decided.
    pub decision_maker: Option<DecisionMaker<'a>>,
    /// The rate of the rule that matched.
    pub rule_rate: Option<f64>,
    /// The rate an Agent had given.
    pub agent_rate: Option<f64>,
    /// What the tracer's own limiter let through.
    pub limit_rate: Option<f64>,
}

impl<'a> SamplingFacts<'a> {
    /// Reads them from the spans of a chunk or a trace; of each fact the first that is found.
    pub fn read(spans: impl Iterator<Item = Span<'a>>) -> Self {
        let mut facts = Self::default();
        for span in spans {
            let metrics = span.metrics();
            let metric = |key| metrics.find(key).and_then(super::Value::as_f64);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturates; a priority is small"
            )]
            let priority = || metric(tag::SAMPLING_PRIORITY).map(|p| SamplingPriority(p as i32));
            facts.priority = facts.priority.or_else(priority);
            facts.rule_rate = facts.rule_rate.or_else(|| metric(tag::RULE_RATE));
            facts.agent_rate = facts.agent_rate.or_else(|| metric(tag::AGENT_RATE));
            facts.limit_rate = facts.limit_rate.or_else(|| metric(tag::LIMIT_RATE));
            let decision_maker = || span.meta_text(tag::DECISION_MAKER).map(DecisionMaker);
            facts.decision_maker = facts.decision_maker.or_else(decision_maker);
        }
        facts
    }

    /// The mechanism the decision maker names.
    pub fn mechanism(&self) -> Option<SamplingMechanism> {
        self.decision_maker?.mechanism()
    }
}
