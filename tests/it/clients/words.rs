//! What real ddtrace decides, and the words in which it is shown: each way of deciding that it has.

use std::collections::BTreeMap;

use modtrace_tui::export;
use modtrace_tui::store::{Store, TraceEntry};
use modtrace_tui::trace::{Now, SpanRule};

use super::{Client, Exchange};
use crate::support::Headless;

/// How many traces were told of so: what the client decided, what an Agent does and why, and why at
/// length.
type Shown = BTreeMap<[String; 3], usize>;

/// Runs the client in a mode, with variables, against a program with options.
#[track_caller]
fn run(mode: &str, variables: &[(&str, &str)], options: &[&str]) -> Exchange {
    let mut client = Client::new("sampling_words.py").args(&[mode]);
    for (name, value) in variables {
        client = client.env(name, value);
    }
    let agent = Headless::start(options);
    let url = agent.url().to_owned();
    client.run_against(agent, &url)
}

/// The export as `open` shows it.
#[track_caller]
fn opened(exchange: &Exchange) -> Store {
    let mut store = Store::new(64 << 20);
    let text = exchange.export().to_string();
    export::open(text.as_bytes(), &mut store, Now::default()).expect("our own export");
    store
}

#[track_caller]
fn shown(exchange: &Exchange) -> Shown {
    let mut shown = Shown::new();
    for trace in opened(exchange).traces() {
        let facts = trace.sampling();
        let verdict = trace.verdict().expect("an export says what became of it");
        let why = format!("{} {}", verdict.word(), verdict.why(&facts));
        // Which id falls where is the client's luck.
        let reason = verdict.reason(&facts, trace.trace_id());
        let words = [facts.sentence(), why, reason];
        *shown.entry(words).or_default() += 1;
    }
    let told = exchange.agent.events_named("trace");
    for event in told {
        let reason = event["sampling"]["simulated"]["reason"].as_str();
        let is_shown = shown.keys().any(|[_, _, shown]| Some(&**shown) == reason);
        assert!(is_shown, "{event}");
    }
    shown
}

fn words<const N: usize>(all: [([&str; 3], usize); N]) -> Shown {
    let all = all.into_iter();
    all.map(|(words, number)| (words.map(str::to_owned), number))
        .collect()
}

const RATE_1: &str =
    "the tracer would have kept it: the Agent's rate for it is 1; the Agent follows";

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_client_that_knows_no_rate_keeps_by_default() {
    let said = "kept by default: the client knows no rate";
    let expected = words([([said, "keep rate 1", RATE_1], 10)]);
    assert_eq!(shown(&run("plain", &[], &[])), expected);
    // It does nothing in ddtrace 4.
    let ignored = run("plain", &[("DD_TRACE_SAMPLE_RATE", "0.1")], &[]);
    assert_eq!(shown(&ignored), expected);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_client_that_was_told_a_rate_decides_by_the_agents_rate() {
    let shown = shown(&run("agent", &[], &["--sampling", "0.25"]));
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for ([said, why, reason], number) in &shown {
        assert_eq!((&**why, &**reason), ("keep rate 1", RATE_1));
        *numbers.entry(&**said).or_default() += number;
    }
    let by_default = numbers.remove("kept by default: the client knows no rate");
    assert!(by_default > Some(0), "before the first answer: {shown:?}");
    let of = |verb: &str| numbers.get(&*format!("{verb} by the Agent's rate (0.25)"));
    let n_decided = of("kept").unwrap_or(&0) + of("rejected").unwrap_or(&0);
    assert_eq!(n_decided, 11, "{shown:?}");
    assert_eq!(numbers.values().sum::<usize>(), 11, "{shown:?}");
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_sampling_rule_is_named_with_its_rate() {
    let rule = |rate: &str| format!(r#"[{{"sample_rate":{rate}}}]"#);
    let all = run("plain", &[("DD_TRACE_SAMPLING_RULES", &rule("1.0"))], &[]);
    let said = "kept by a sampling rule (rate 1)";
    let reason = format!("the client has decided: {said}; the Agent follows");
    let expected = words([([said, "keep rule 1", &reason], 10)]);
    assert_eq!(shown(&all), expected);

    let none = run("plain", &[("DD_TRACE_SAMPLING_RULES", &rule("0.0"))], &[]);
    let said = "rejected by a sampling rule (rate 0)";
    let reason = format!("the client has decided: {said}; the Agent drops it at once, errors too");
    let expected = words([([said, "drop rule 0", &reason], 10)]);
    assert_eq!(shown(&none), expected);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn what_the_clients_limiter_drops_is_not_the_rules_doing() {
    let variables = [
        ("DD_TRACE_SAMPLING_RULES", r#"[{"sample_rate":1.0}]"#),
        ("DD_TRACE_RATE_LIMIT", "0"),
    ];
    let said = "dropped by the client's rate limiter (it lets 0 % through)";
    let reason = format!("the client has decided: {said}; the Agent drops it at once, errors too");
    let expected = words([([said, "drop limiter 0", &reason], 10)]);
    assert_eq!(shown(&run("plain", &variables, &[])), expected);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn what_code_decides_is_decided_by_hand() {
    let kept = "the client has decided: kept by hand; the Agent follows";
    let expected = words([(["kept by hand", "keep by hand", kept], 10)]);
    assert_eq!(shown(&run("keep", &[], &[])), expected);
    let dropped =
        "the client has decided: rejected by hand; the Agent drops it at once, errors too";
    let expected = words([(["rejected by hand", "drop by hand", dropped], 10)]);
    assert_eq!(shown(&run("drop", &[], &[])), expected);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_parents_decision_is_not_the_clients() {
    let exchange = run("parent", &[], &[]);
    // All of them are of one trace.
    let reason = "the client has decided: kept by a parent; the Agent follows";
    let expected = words([(["kept by a parent", "keep by parent", reason], 1)]);
    assert_eq!(shown(&exchange), expected);
    let store = opened(&exchange);
    let trace = store.traces().next().expect("one trace");
    assert!(!trace.is_complete(), "it began elsewhere");
    assert_eq!(trace.settled_verdict(), trace.verdict());
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn spans_that_a_span_rule_keeps_are_kept_alone() {
    let variables = [
        ("DD_TRACE_SAMPLING_RULES", r#"[{"sample_rate":0.0}]"#),
        (
            "DD_SPAN_SAMPLING_RULES",
            r#"[{"name":"document.extract","max_per_second":500}]"#,
        ),
    ];
    let exchange = run("plain", &variables, &[]);
    let said = "rejected by a sampling rule (rate 0)";
    let reason = format!(
        "the client has decided: {said}; the Agent keeps only the spans that a span rule of the \
         client kept"
    );
    let expected = words([([said, "keep single-span rule", &reason], 10)]);
    assert_eq!(shown(&exchange), expected);
    let store = opened(&exchange);
    let spans = store.traces().flat_map(TraceEntry::spans);
    let rules = spans.filter_map(|(_, span)| Some((span.name().to_lossy(), SpanRule::read(span)?)));
    let rules: Vec<_> = rules
        .map(|(name, rule)| format!("{name} {}", rule.words()))
        .collect();
    let expected = "document.extract kept alone by a span rule (rate 1, at most 500/s)";
    assert_eq!(rules, [expected; 10]);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn what_the_client_lost_before_sending_is_told() {
    let variables = [
        ("DD_TRACE_WRITER_BUFFER_SIZE_BYTES", "4000"),
        ("DD_TRACE_WRITER_INTERVAL_SECONDS", "60"),
    ];
    let exchange = run("overflow", &variables, &[]);
    let n_sent = exchange.sent.len() / 2;
    let n_came = exchange.traces().len();
    assert!(n_came < n_sent, "{n_came} of {n_sent} came");
    let store = opened(&exchange);
    let losses = store.traces().filter_map(|trace| trace.sampling().loss());
    let losses: Vec<_> = losses.collect();
    let are_told = losses.iter().all(|loss| {
        loss.starts_with("the client lost ")
            && loss.ends_with(" % before sending: its buffer was full")
    });
    assert!(!losses.is_empty() && are_told, "{losses:?}");
}
