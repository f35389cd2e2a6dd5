//! What the client decided about a trace, in a sentence, and in a few words of who decided. Facts
//! only, as the short words are.
//!
//! The meaning of each mechanism after `SamplingMechanism` in `ddtrace/internal/constants.py` of
//! `DataDog/dd-trace-py` and `libdd-sampling/src/dd_sampling.rs` of `DataDog/libdatadog`.

use super::words::number;
use super::{SamplingFacts, SamplingMechanism, SamplingPriority, SpanRule};

/// Priorities with a meaning of their own.
const KNOWN: std::ops::RangeInclusive<i32> = -1..=2;

impl SamplingFacts<'_> {
    /// `kept by a sampling rule (rate 0.3)`, `dropped by the client's rate limiter (it lets 25 %
    /// through)`, and what the client lost before sending.
    pub fn sentence(&self) -> String {
        let decision = self.decision();
        match self.loss() {
            Some(loss) => format!("{decision}; {loss}"),
            None => decision,
        }
    }

    /// `the client lost 12 % before sending: its buffer was full`; `None` if it lost nothing.
    pub fn loss(&self) -> Option<String> {
        let keeps = self.client_keeps.filter(|keeps| *keeps < 1.0)?;
        let lost = percent(1.0 - keeps);
        Some(format!(
            "the client lost {lost} before sending: its buffer was full"
        ))
    }

    /// The same without what was lost.
    pub fn decision(&self) -> String {
        let Some(priority) = self.priority else {
            return "no decision seen".to_owned();
        };
        if self.is_limited() {
            let passes = percent(self.limit_rate.unwrap_or_default());
            return format!("dropped by the client's rate limiter (it lets {passes} through)");
        }
        let verb = if priority.is_reject() {
            "rejected"
        } else {
            "kept"
        };
        let limit = self.limit_rate.filter(|limit| *limit < 1.0);
        let limit = limit.map(|limit| {
            let passes = percent(limit);
            format!(", and by the client's rate limiter (it lets {passes} through)")
        });
        let other = (!KNOWN.contains(&priority.0)).then(|| format!(" (priority {priority})"));
        let (limit, other) = (limit.unwrap_or_default(), other.unwrap_or_default());
        format!("{verb}{}{limit}{other}", self.maker())
    }

    /// Who decided: ` by a sampling rule (rate 0.3)`.
    fn maker(&self) -> String {
        let with = |words: &str, rate: Option<f64>| match rate {
            Some(rate) => format!(" {words} ({})", number(rate)),
            None => format!(" {words}"),
        };
        let rule = |words: &str| match self.rule_rate.or(self.propagated_rate) {
            Some(rate) => format!(" {words} (rate {})", number(rate)),
            None => format!(" {words}"),
        };
        let rate = self.agent_rate.or(self.propagated_rate);
        let by_agent = || with("by the Agent's rate", rate);
        let has_rate = self.agent_rate.or(self.rule_rate).is_some();
        match self.mechanism().map(|mechanism| mechanism.0) {
            Some(0 | 1 | 3) | None if self.has_parent && !has_rate => {
                with("by a parent", self.propagated_rate)
            }
            Some(0) => match rate.filter(|rate| *rate < 1.0) {
                Some(rate) => with("by the Agent's rate for all services", Some(rate)),
                None => " by default: the client knows no rate".to_owned(),
            },
            Some(1) => by_agent(),
            Some(2) => with("by a rate that Datadog had set", rate),
            Some(3) => rule("by a sampling rule"),
            Some(4) => " by hand".to_owned(),
            Some(5) => " by application security".to_owned(),
            Some(6) => with("by a rate that a user had set in Datadog", rate),
            Some(7) => with("by a dynamic rate from Datadog", rate),
            Some(8) => " by a span rule".to_owned(),
            Some(9) => " (sim) by the OTLP receiver, which is a part of the Agent".to_owned(),
            Some(10) => " by data jobs monitoring".to_owned(),
            Some(11) => rule("by a rule that a user has set in Datadog"),
            Some(12) => rule("by a dynamic rule from Datadog"),
            Some(13) => " by AI Guard".to_owned(),
            Some(other) => format!(" by mechanism {other}, which is not known here"),
            None if self.rule_rate.is_some() => rule("by a sampling rule"),
            None if self.agent_rate.is_some() => by_agent(),
            None => "; the client does not say by what".to_owned(),
        }
    }

    /// Who decided, as briefly as a column has room for: `rule 0.3`, `by hand`.
    pub fn brief(&self) -> String {
        let with = |word: &str, rate: Option<f64>| match rate {
            Some(rate) => format!("{word} {}", number(rate)),
            None => word.to_owned(),
        };
        let Some(priority) = self.priority else {
            return "no priority".to_owned();
        };
        if self.is_limited() {
            return with("limiter", self.limit_rate);
        }
        let mechanism = self.mechanism();
        let has_rate = self.agent_rate.or(self.rule_rate).is_some();
        let is_rule = mechanism.map_or(self.rule_rate.is_some(), SamplingMechanism::is_rule);
        match mechanism.map(|mechanism| mechanism.0) {
            Some(0 | 1 | 3) | None if self.has_parent && !has_rate => "by parent".to_owned(),
            _ if is_rule => with("rule", self.rule_rate.or(self.propagated_rate)),
            Some(4) => "by hand".to_owned(),
            Some(5) => "app security".to_owned(),
            Some(9) => "OTLP receiver".to_owned(),
            Some(10) => "data jobs".to_owned(),
            Some(13) => "AI Guard".to_owned(),
            _ if !KNOWN.contains(&priority.0) => format!("priority {priority}"),
            Some(0 | 1 | 2 | 6 | 7) => with("rate", self.agent_rate.or(self.propagated_rate)),
            _ => match priority {
                SamplingPriority::AUTO_KEEP | SamplingPriority::USER_KEEP => "client keeps",
                _ => "client rejects",
            }
            .to_owned(),
        }
    }
}

impl SpanRule {
    /// `kept alone by a span rule (rate 1, at most 5/s)`: of a span in a trace that is rejected.
    pub fn words(&self) -> String {
        let rate = self.rate.map(|rate| format!("rate {}", number(rate)));
        let limit = self
            .max_per_second
            .map(|limit| format!("at most {}/s", number(limit)));
        let said: Vec<String> = rate.into_iter().chain(limit).collect();
        if said.is_empty() {
            return "kept alone by a span rule".to_owned();
        }
        format!("kept alone by a span rule ({})", said.join(", "))
    }
}

/// `12 %`, with one decimal below 10; whatever a client sends, it is part of a whole.
fn percent(part: f64) -> String {
    let percent = part.clamp(0.0, 1.0) * 100.0;
    if percent > 0.0 && percent < 0.1 {
        return "under 0.1 %".to_owned();
    }
    let decimals = usize::from(percent < 10.0);
    let percent = format!("{percent:.decimals$}");
    let percent = percent.strip_suffix(".0").unwrap_or(&percent);
    format!("{percent} %")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{DecisionMaker, Text};

    /// Facts of a root with a priority and a decision maker.
    fn facts(priority: i32, decision_maker: &'static str) -> SamplingFacts<'static> {
        SamplingFacts {
            priority: Some(SamplingPriority(priority)),
            decision_maker: Some(DecisionMaker(Text::from(decision_maker))),
            ..SamplingFacts::default()
        }
    }

    fn rule(priority: i32, rate: f64, limit: Option<f64>) -> SamplingFacts<'static> {
        SamplingFacts {
            rule_rate: Some(rate),
            propagated_rate: Some(rate),
            limit_rate: limit,
            ..facts(priority, "-3")
        }
    }

    #[track_caller]
    fn check(facts: &SamplingFacts<'_>, brief: &str, sentence: &str) {
        assert_eq!((&*facts.brief(), &*facts.sentence()), (brief, sentence));
    }

    #[test]
    fn what_a_rule_or_its_limiter_decided_is_told_with_the_rate() {
        let kept = "kept by a sampling rule (rate 0.3)";
        check(&rule(2, 0.3, Some(1.0)), "rule 0.3", kept);
        let rejected = "rejected by a sampling rule (rate 0.3)";
        check(&rule(-1, 0.3, None), "rule 0.3", rejected);
        let limited = "dropped by the client's rate limiter (it lets 25 % through)";
        check(&rule(-1, 1.0, Some(0.25)), "limiter 0.25", limited);
        check(&rule(-1, 0.5, Some(0.25)), "limiter 0.25", limited);
        let passed = "kept by a sampling rule (rate 1), and by the client's rate limiter \
                      (it lets 75 % through)";
        check(&rule(2, 1.0, Some(0.75)), "rule 1", passed);
        let unsaid = SamplingFacts {
            decision_maker: None,
            ..rule(-1, 0.3, None)
        };
        check(&unsaid, "rule 0.3", rejected);
    }

    #[test]
    fn every_decision_maker_has_its_meaning() {
        let by_agent = |priority, rate| SamplingFacts {
            agent_rate: Some(rate),
            ..facts(priority, "-1")
        };
        check(
            &by_agent(1, 0.5),
            "rate 0.5",
            "kept by the Agent's rate (0.5)",
        );
        check(
            &by_agent(0, 0.08),
            "rate 0.08",
            "rejected by the Agent's rate (0.08)",
        );
        for (maker, brief, by) in [
            ("-0", "rate", "by default: the client knows no rate"),
            ("-1", "rate", "by the Agent's rate"),
            ("-2", "rate", "by a rate that Datadog had set"),
            ("-3", "rule", "by a sampling rule"),
            ("-4", "by hand", "by hand"),
            ("-5", "app security", "by application security"),
            ("-6", "rate", "by a rate that a user had set in Datadog"),
            ("-7", "rate", "by a dynamic rate from Datadog"),
            ("-8", "client keeps", "by a span rule"),
            (
                "-9",
                "OTLP receiver",
                "(sim) by the OTLP receiver, which is a part of the Agent",
            ),
            ("-10", "data jobs", "by data jobs monitoring"),
            ("-11", "rule", "by a rule that a user has set in Datadog"),
            ("-12", "rule", "by a dynamic rule from Datadog"),
            ("-13", "AI Guard", "by AI Guard"),
            (
                "-99",
                "client keeps",
                "by mechanism 99, which is not known here",
            ),
        ] {
            check(&facts(1, maker), brief, &format!("kept {by}"));
        }
        check(&facts(-1, "-4"), "by hand", "rejected by hand");
        check(
            &facts(7, ""),
            "priority 7",
            "kept; the client does not say by what (priority 7)",
        );
        let silent = "rejected; the client does not say by what";
        check(&facts(-1, ""), "client rejects", silent);
        check(&SamplingFacts::default(), "no priority", "no decision seen");
    }

    #[test]
    fn what_a_parent_decided_is_not_this_services_doing() {
        let inherited = |maker, rate| SamplingFacts {
            has_parent: true,
            propagated_rate: rate,
            ..facts(1, maker)
        };
        check(&inherited("", None), "by parent", "kept by a parent");
        check(
            &inherited("-3", Some(0.3)),
            "by parent",
            "kept by a parent (0.3)",
        );
        check(&inherited("-4", None), "by hand", "kept by hand");
    }

    #[test]
    fn what_the_client_lost_is_told_beside_what_it_decided() {
        let lost = |keeps| SamplingFacts {
            client_keeps: Some(keeps),
            ..facts(2, "-4")
        };
        let told = |part| format!("the client lost {part} before sending: its buffer was full");
        for (keeps, part) in [
            (0.88, "12 %"),
            (0.998, "0.2 %"),
            (0.9999, "under 0.1 %"),
            (-3.0, "100 %"),
        ] {
            let expected = format!("kept by hand; {}", told(part));
            assert_eq!(lost(keeps).sentence(), expected);
        }
        for keeps in [1.0, 2.0, f64::NAN] {
            assert_eq!(lost(keeps).loss(), None);
        }
    }

    #[test]
    fn a_span_rule_is_told_as_far_as_it_is_said() {
        let rule = SpanRule {
            rate: Some(1.0),
            max_per_second: Some(5.0),
        };
        assert_eq!(
            rule.words(),
            "kept alone by a span rule (rate 1, at most 5/s)"
        );
        assert_eq!(SpanRule::default().words(), "kept alone by a span rule");
    }
}
