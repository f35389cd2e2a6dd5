//! What the client decided about a trace, in words. Facts only; what an Agent would make of it is
//! not said here.

use super::{SamplingFacts, SamplingMechanism, SamplingPriority};

const KEPT: &str = "kept";
const REJECTED: &str = "rejected";
const BY_HAND: &str = "by hand";
/// Our mark comes first, so that a narrow column does not cut it off.
const BY_OTLP: &str = "(sim) by the OTLP receiver";
const BY_LIMIT: &str = "by limit";
const BY_RULE: &str = "by rule";
const BY_RATE: &str = "by rate";
/// What numbers are written with, and no number at all.
const NUMBERS: &str = "0123456789.-+eNaNinf()";
const ALL: [&str; 8] = [
    KEPT, REJECTED, BY_HAND, BY_OTLP, BY_LIMIT, BY_RULE, BY_RATE, NUMBERS,
];

impl SamplingFacts<'_> {
    /// Whether a part of a text, in lower case, has only letters of what [`SamplingFacts::words`] can
    /// say: `false` is certain, and spares making the words.
    pub(crate) fn may_say(part: &str) -> bool {
        let is_ours = |letter: char| {
            let letters = [letter, letter.to_ascii_uppercase()];
            letter == ' ' || ALL.iter().any(|words| words.contains(letters))
        };
        part.chars().all(is_ours)
    }

    /// `kept`, `rejected by rule 0.3`, `rejected by rate 0.5`; a dash when the client does not say.
    pub fn words(&self) -> String {
        let Some(priority) = self.priority else {
            return "-".to_owned();
        };
        let decision = if priority.is_reject() { REJECTED } else { KEPT };
        match reason(priority, self) {
            Some(reason) => format!("{decision} {reason}"),
            None => decision.to_owned(),
        }
    }
}

/// What the decision came from, where it is worth a word: `by rule 0.3`.
fn reason(priority: SamplingPriority, facts: &SamplingFacts<'_>) -> Option<String> {
    let mechanism = facts.mechanism();
    let is_rule = mechanism.is_none_or(SamplingMechanism::is_rule);
    match (priority, facts.rule_rate, facts.agent_rate) {
        _ if mechanism == Some(SamplingMechanism::MANUAL) => Some(BY_HAND.to_owned()),
        _ if mechanism == Some(SamplingMechanism::OTLP_RECEIVER) => Some(BY_OTLP.to_owned()),
        _ if facts.is_limited() => {
            let limit = facts.limit_rate.unwrap_or_default();
            Some(format!("{BY_LIMIT} {}", number(limit)))
        }
        (SamplingPriority::USER_REJECT, Some(rate), _) if is_rule => {
            Some(format!("{BY_RULE} {}", number(rate)))
        }
        (SamplingPriority::AUTO_REJECT, None, Some(rate)) => {
            Some(format!("{BY_RATE} {}", number(rate)))
        }
        (SamplingPriority(other), ..) if !(-1..=2).contains(&other) => Some(format!("({other})")),
        _ => None,
    }
}

/// A rate with up to four decimals; whatever else a client sends stays short too.
pub(super) fn number(rate: f64) -> String {
    if !(0.0..=1_000.0).contains(&rate) {
        return format!("{rate:.1e}");
    }
    let decimals = format!("{rate:.4}");
    decimals
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{DecisionMaker, Text};

    #[track_caller]
    fn check(facts: (i32, &'static str, Option<f64>, Option<f64>), expected: &str) {
        let (priority, decision_maker, rule_rate, agent_rate) = facts;
        let facts = SamplingFacts {
            priority: Some(SamplingPriority(priority)),
            decision_maker: Some(DecisionMaker(Text::from(decision_maker))),
            rule_rate,
            agent_rate,
            ..SamplingFacts::default()
        };
        assert_eq!(facts.words(), expected);
        assert!(SamplingFacts::may_say(&expected.to_lowercase()));
    }

    #[test]
    fn decisions_read_as_words() {
        check((1, "-0", None, None), "kept");
        check((1, "-1", None, Some(0.5)), "kept");
        check((2, "-3", Some(0.3), None), "kept");
        check((-1, "-3", Some(0.3), None), "rejected by rule 0.3");
        check((-1, "", Some(0.3), None), "rejected by rule 0.3");
        check((0, "", None, Some(0.5)), "rejected by rate 0.5");
        check((-1, "-4", None, None), "rejected by hand");
        check((2, "-4", Some(0.3), None), "kept by hand");
        check((1, "-9", None, None), "kept (sim) by the OTLP receiver");
        check((7, "", None, None), "kept (7)");
        check((-1, "-3", Some(f64::NAN), None), "rejected by rule NaN");
        check((-1, "-3", Some(1e300), None), "rejected by rule 1.0e300");
    }

    #[test]
    fn what_the_limiter_rejected_is_not_the_rules_doing() {
        let facts = SamplingFacts {
            priority: Some(SamplingPriority::USER_REJECT),
            rule_rate: Some(1.0),
            limit_rate: Some(0.25),
            ..SamplingFacts::default()
        };
        assert_eq!(facts.words(), "rejected by limit 0.25");
        assert_eq!(SamplingFacts::default().words(), "-");
    }
}
