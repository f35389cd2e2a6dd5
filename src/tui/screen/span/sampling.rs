//! How a span's trace was sampled: what the client says, and apart from it what our model makes of
//! that, which always says `(sim)`.

use crate::store::TraceEntry;
use crate::trace::{SamplingFacts, Span, SpanRule};
use crate::tui::screen::detail::Detail;
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// What is said in the place of a verdict that only the root can decide.
const UNSETTLED: &str = "its root has not been seen, and may decide otherwise";

/// The client's decision, its rule for this span alone, and the simulated Agent's.
pub(super) fn sampling(trace: &TraceEntry, span: Span<'_>, glyphs: Glyphs) -> Vec<Detail> {
    let facts = trace.sampling();
    let facts = match facts.priority {
        Some(_) => facts,
        None => SamplingFacts::read(std::iter::once(span)),
    };
    let mut details = vec![Detail::sentence("sdk", told(&facts, glyphs))];
    let rule = SpanRule::read(span);
    details.extend(rule.map(|rule| Detail::sentence("span rule", rule.words())));
    if trace.verdict().is_some() {
        let settled = trace.settled_verdict();
        let reason = settled.map_or_else(
            || UNSETTLED.to_owned(),
            |verdict| {
                let (word, reason) = (verdict.word(), verdict.reason(&facts, trace.trace_id()));
                format!("{word}: {reason}")
            },
        );
        details.push(Detail::sentence("(sim)", reason));
    }
    details
}

/// `rejected by a sampling rule (rate 0.3)  prio -1  dm -3  rule_psr 0.3`
fn told(facts: &SamplingFacts<'_>, glyphs: Glyphs) -> String {
    let rates = [
        ("agent_psr", facts.agent_rate),
        ("rule_psr", facts.rule_rate),
        ("limit_psr", facts.limit_rate),
        ("ksr", facts.propagated_rate),
        ("tracer_kr", facts.client_keeps),
    ];
    let rates = rates.iter().filter_map(|(name, rate)| {
        let rate = rate.as_ref()?;
        Some(format!("{name} {rate}"))
    });
    let priority = facts.priority.map(|priority| format!("prio {priority}"));
    let maker = facts
        .decision_maker
        .map(|maker| format!("dm {}", text::show(maker.0, glyphs)));
    let said = [Some(facts.sentence()), priority, maker];
    let said: Vec<String> = said.into_iter().flatten().chain(rates).collect();
    said.join("  ")
}
