//! What was counted, what clients told and were told, which Agent is assumed, and what nobody can know
//! from here.

use super::census::Census;
use super::rows::{Facts, Row, extra_rate, legend, number};
use crate::config::Answers;
use crate::sampler::{AgentModel, Pieces};
use crate::store::{Counters, Told};
use crate::tui::text;

pub(super) fn rows(facts: &Facts<'_>) -> Vec<Row> {
    let counters = facts.store.counters();
    let mut rows = vec![
        Row::fact("model", model(facts)),
        Row::fact("told by us", told_by_us(facts)),
        Row::fact(
            "told by tracer",
            told_by_tracer(counters, facts.store.told()),
        ),
        Row::fact("seen by us", seen(counters)),
        Row::fact("balance", balance(counters, facts.census)),
    ];
    if facts.store.model().pieces() == Pieces::LeftOut {
        let words = "--live makes clients send spans as they end: what came before its local root counts \
                     for nothing (sim), so a trace counts once, as without it";
        rows.push(Row::fact("early chunks", words));
    }
    let settings = facts.store.model().settings();
    // With these the arithmetic of the target alone does not tell how much is kept.
    if settings.probabilistic.is_none() && extra_rate(settings).is_none() {
        rows.push(Row::fact("2 to 5 of 50", legend(settings.target_tps)));
    }
    rows.extend([
        Row::fact("no effect", "DD_TRACE_SAMPLE_RATE: ddtrace 4 ignores it; K writes a rule, which counts"),
        Row::fact("not known", "what Datadog retains after 15 minutes, rates set from Datadog's side, an extension without a sampler"),
    ]);
    rows
}

/// `agent, target 10/s`: which Agents are assumed.
pub(super) fn assumed(kind: AgentModel, target_tps: f64) -> String {
    let target = number(target_tps);
    match kind {
        AgentModel::Agent => format!("agent, target {target}/s"),
        AgentModel::Serverless => {
            format!("serverless, one per container, target {target}/s each")
        }
    }
}

fn model(facts: &Facts<'_>) -> String {
    let model = facts.store.model();
    let settings = model.settings();
    let mut parts = vec![
        assumed(model.kind(), settings.target_tps),
        format!("errors {}/s", number(settings.error_tps)),
        format!(
            "rare {}",
            if settings.rare.is_some() { "on" } else { "off" }
        ),
    ];
    if let Some(probabilistic) = settings.probabilistic {
        parts.push(format!("probabilistic {}", number(probabilistic.rate())));
    }
    if let Some(extra) = extra_rate(settings) {
        parts.push(format!("extra rate {}", number(extra)));
    }
    parts.push("M changes it; all that is marked (sim) follows from it".to_owned());
    parts.join("  ")
}

fn told_by_us(facts: &Facts<'_>) -> String {
    if facts.is_file {
        return "nothing: a file was opened; what is (sim) is what the export says".to_owned();
    }
    let drop_p0s = if facts.settings.client_drop_p0s {
        "client_drop_p0s true: what it drops never comes"
    } else {
        "client_drop_p0s false"
    };
    let rates = match facts.settings.answers {
        Answers::Observe => {
            "--sampling observe: rate 1 for all, that is why all are here".to_owned()
        }
        Answers::Agent => {
            "--sampling agent: the client drops by the rates above, as in production".to_owned()
        }
        Answers::Rate(rate) => format!(
            "--sampling {0}: rate {0} for all, and the client drops by it",
            number(rate)
        ),
    };
    format!("{rates}   {drop_p0s}")
}

fn told_by_tracer(counters: &Counters, told: &Told) -> String {
    let sums = told.sums();
    let stats = match (sums.n_buckets, counters.client_hits_without_span) {
        (0, _) => "no stats".to_owned(),
        (_, n_missing) => {
            let outcome = match (told.is_compared(), n_missing) {
                (false, _) => "not compared".to_owned(),
                (true, 0) => "agrees".to_owned(),
                _ => format!("{} without a span", text::count(n_missing, "hit")),
            };
            format!("stats: {}, {outcome}", text::count(sums.hits, "hit"))
        }
    };
    format!(
        "Datadog-Client-Dropped-P0-Traces {}  ...-Spans {}   unsent traces {}   {stats}",
        counters.client_dropped_p0_traces,
        counters.client_dropped_p0_spans,
        counters.client_unsent_traces,
    )
}

fn seen(counters: &Counters) -> String {
    format!(
        "payloads {}  chunks {}  spans {}  {}  refused {}  evicted {}",
        counters.payloads_received,
        counters.chunks_received,
        counters.spans_received,
        text::bytes(counters.bytes_received),
        counters.payloads_refused,
        text::count(counters.traces_evicted, "trace"),
    )
}

fn balance(counters: &Counters, census: &Census) -> String {
    let verdicts = &counters.traces_by_verdict;
    let kept = verdicts.iter().filter(|(name, _)| name.starts_with("kept"));
    let n_kept: u64 = kept.map(|(_, number)| *number).sum();
    let unknown = verdicts.get("unknown").copied().unwrap_or(0);
    let n_traces: u64 = verdicts.values().sum();
    let whole = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let unsettled = [census.n_unsettled_kept, census.n_unsettled_dropped].map(whole);
    let [unsettled_kept, unsettled_dropped] = unsettled;
    let n_unsettled = unsettled_kept + unsettled_dropped;
    let beside = [(unknown, "unknown"), (n_unsettled, "root not seen")].map(|it| match it {
        (0, _) => String::new(),
        (number, words) => format!(" + {number} {words}"),
    });
    let beside = beside.concat();
    let n_dropped = n_traces - n_kept - unknown;
    format!(
        "spans {} = shown {} + evicted {} + duplicate {}   traces {n_traces} = kept {} + dropped {} (sim){beside}",
        counters.spans_received,
        counters.spans_shown,
        counters.spans_evicted,
        counters.spans_duplicate,
        n_kept.saturating_sub(unsettled_kept),
        n_dropped.saturating_sub(unsettled_dropped),
    )
}
