//! What the client decided about sampling: facts read from the payload, never our model.

mod words;

use std::fmt;

use super::{ChunkFacts, Span, Text, Value, tag};

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
    /// Reads them from spans, up to the first that says a priority: who decided and by which rate
    /// stands beside it, or on a local root, which therefore comes first. Of each fact the first
    /// that is found counts.
    pub fn read(spans: impl Iterator<Item = Span<'a>>) -> Self {
        let mut facts = Self::default();
        for span in spans {
            for (key, value) in span.metrics() {
                facts.read_metric(key, value);
            }
            let decision_maker = || span.meta_text(tag::DECISION_MAKER).map(DecisionMaker);
            facts.decision_maker = facts.decision_maker.or_else(decision_maker);
            if facts.priority.is_some() {
                break;
            }
        }
        facts
    }

    fn read_metric(&mut self, key: Text<'_>, value: Value<'_>) {
        let rate = match key {
            // Most metrics are none of these, and tell by their first letter.
            _ if key.as_bytes().first() != Some(&b'_') => return,
            _ if key == tag::SAMPLING_PRIORITY => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "saturates; a priority is small"
                )]
                let priority = || {
                    value
                        .as_f64()
                        .map(|priority| SamplingPriority(priority as i32))
                };
                self.priority = self.priority.or_else(priority);
                return;
            }
            _ if key == tag::RULE_RATE => &mut self.rule_rate,
            _ if key == tag::AGENT_RATE => &mut self.agent_rate,
            _ if key == tag::LIMIT_RATE => &mut self.limit_rate,
            _ => return,
        };
        *rate = rate.or_else(|| value.as_f64());
    }

    /// The same, and what no span says from what is said of a chunk.
    #[must_use]
    pub fn or_of_chunk(mut self, facts: &'a ChunkFacts) -> Self {
        self.priority = self.priority.or_else(|| facts.said_priority());
        let decision_maker = || facts.tag(tag::DECISION_MAKER).map(DecisionMaker);
        self.decision_maker = self.decision_maker.or_else(decision_maker);
        self
    }

    /// The mechanism the decision maker names.
    pub fn mechanism(&self) -> Option<SamplingMechanism> {
        self.decision_maker?.mechanism()
    }
}
