//! Whether a word stands in what is said of a trace's sampling. Mostly the priority on the span that
//! names the trace tells, and the sentence need not be made.

use super::pattern::Pattern;
use crate::store::TraceEntry;
use crate::trace::{DecisionMaker, SamplingFacts, SamplingPriority, Span, Text, tag};

/// Where a word can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InSampling {
    /// In some sentence; `false` is certain.
    may_be: bool,
    /// In what is said of whatever is kept; nothing if more than the priority has to be known.
    in_kept: Option<bool>,
    /// The same of what is rejected.
    in_rejected: Option<bool>,
}

impl InSampling {
    pub(super) fn of(pattern: &Pattern) -> Self {
        let is_in = |priority, decision_maker: &'static str| {
            let facts = SamplingFacts {
                priority: Some(priority),
                decision_maker: Some(DecisionMaker(Text::from(decision_maker))),
                ..SamplingFacts::default()
            };
            pattern.is_like(Text::from(facts.words().as_str()))
        };
        let may_be = pattern
            .pieces()
            .iter()
            .all(|piece| SamplingFacts::may_say(piece));
        let in_kept = is_in(SamplingPriority::AUTO_KEEP, "");
        // No other reason is given for what is kept: by hand, or by the receiver of OTLP.
        let in_reason = ["-4", "-9"].map(|maker| is_in(SamplingPriority::AUTO_KEEP, maker));
        let is_sure = in_kept || !in_reason.contains(&true);
        let in_rejected = is_in(SamplingPriority::AUTO_REJECT, "");
        Self {
            may_be,
            in_kept: is_sure.then_some(in_kept),
            in_rejected: in_rejected.then_some(true),
        }
    }

    pub(super) fn is_in(self, trace: &TraceEntry, pattern: &Pattern) -> bool {
        if !self.may_be {
            return false;
        }
        let from_priority = match trace.head().and_then(priority) {
            Some(1.0 | 2.0) => self.in_kept,
            Some(0.0 | -1.0) => self.in_rejected,
            _ => None,
        };
        from_priority
            .unwrap_or_else(|| pattern.is_like(Text::from(trace.sampling().words().as_str())))
    }
}

/// The priority that a span says, read as [`SamplingFacts::read`] does.
fn priority(span: Span<'_>) -> Option<f64> {
    let mut said = span
        .metrics()
        .filter(|(key, _)| *key == tag::SAMPLING_PRIORITY);
    said.find_map(|(_, value)| value.as_f64())
}
