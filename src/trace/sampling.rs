//! What the client decided about sampling: facts read from the payload, never our model.

mod sentence;
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

impl SamplingMechanism {
    /// The app's own code.
    pub const MANUAL: Self = Self(4);
    /// The receiver for OTLP, which is a part of the Agent: no client decides so.
    pub const OTLP_RECEIVER: Self = Self(9);

    /// Whether an Agent's rate was drawn with, or none because none was known.
    pub fn is_rate(self) -> bool {
        matches!(self.0, 0 | 1)
    }

    /// Whether it is a rule, wherever that was set.
    pub fn is_rule(self) -> bool {
        matches!(self.0, 3 | 11 | 12)
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
    /// The rate as it goes on to other services.
    pub propagated_rate: Option<f64>,
    /// How much of what it had the client could send of late.
    pub client_keeps: Option<f64>,
    /// Whether the span asked first has a parent: then a service before this one may have decided.
    pub has_parent: bool,
}

/// What a rule of the client for single spans says of one that it kept.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct SpanRule {
    /// The rule's rate.
    pub rate: Option<f64>,
    /// How many spans a second it keeps at most.
    pub max_per_second: Option<f64>,
}

impl SpanRule {
    /// Reads it from a span; `None` if no such rule kept it.
    pub fn read(span: Span<'_>) -> Option<Self> {
        span.metric(tag::SPAN_SAMPLING_MECHANISM)?;
        Some(Self {
            rate: span.metric(tag::SPAN_SAMPLING_RATE),
            max_per_second: span.metric(tag::SPAN_SAMPLING_LIMIT),
        })
    }
}

impl<'a> SamplingFacts<'a> {
    /// Reads them from spans, up to the first that says a priority: who decided and by which rate
    /// stands beside it, or on a local root, which therefore comes first. Of each fact the first
    /// that is found counts.
    pub fn read(spans: impl Iterator<Item = Span<'a>>) -> Self {
        let mut facts = Self::default();
        let mut spans = spans.peekable();
        facts.has_parent = spans.peek().is_some_and(|first| !first.is_root());
        for span in spans {
            for (key, value) in span.metrics() {
                facts.read_metric(key, value);
            }
            let decision_maker = || span.meta_text(tag::DECISION_MAKER).map(DecisionMaker);
            facts.decision_maker = facts.decision_maker.or_else(decision_maker);
            let propagated = || span.meta_text(tag::PROPAGATED_RATE)?.to_str()?.parse().ok();
            facts.propagated_rate = facts.propagated_rate.or_else(propagated);
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
            _ if key == tag::CLIENT_KEEPS => &mut self.client_keeps,
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
        let propagated = || facts.tag(tag::PROPAGATED_RATE)?.to_str()?.parse().ok();
        self.propagated_rate = self.propagated_rate.or_else(propagated);
        self
    }

    /// Whether the client's limiter rejected it after a rule had kept it: only then does the client say
    /// how much the limiter lets through (`DatadogSampler.sample` in `DataDog/dd-trace-py`).
    pub fn is_limited(&self) -> bool {
        let by_rule = self.mechanism().is_none_or(SamplingMechanism::is_rule);
        by_rule
            && self.priority == Some(SamplingPriority::USER_REJECT)
            && self.limit_rate.is_some_and(|limit| limit < 1.0)
    }

    /// The mechanism the decision maker names.
    pub fn mechanism(&self) -> Option<SamplingMechanism> {
        self.decision_maker?.mechanism()
    }
}
