//! What the screen of sampling says of a burst and of a mixed load, and where its rows lead.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fixture::{SpanSpec, at, chunk, joined, payload, root};
use super::terminal::{Seat, options};
use crate::config::{Answers, SamplingSettings};
use crate::ingest::{Brought, Inbound};
use crate::logs::Level;
use crate::sampler::replay::WhatIf;
use crate::sampler::{self, AgentModel, Pieces, RareSpans};
use crate::store::Store;
use crate::trace::TraceChunk;
use crate::tui::app::UiOptions;
use crate::tui::message::Effect;

/// What came at a moment from ddtrace for Python in the environment `dev`.
fn python(chunks: Vec<TraceChunk>, millis: i64) -> Inbound {
    let mut inbound = payload(chunks, at(millis));
    if let Inbound::Request(request) = &mut inbound
        && let Brought::Spans(received) = &mut request.brought
    {
        let tracer = Arc::make_mut(&mut received.payload.tracer);
        tracer.language = "python".into();
        tracer.env = "dev".into();
        tracer.runtime_id = "one".into();
    }
    inbound
}

/// Ids that fall all over the place, as those of tracers do.
fn id(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn automatic(number: u64, resource: &str, duration_ms: i64) -> SpanSpec {
    root(id(number), resource, duration_ms).tag("_dd.p.dm", "-1")
}

fn one(number: u64, span: SpanSpec) -> TraceChunk {
    chunk(id(number), &[span])
}

/// So many at once, after so many others.
fn burst(first: u64, n_traces: u64) -> Vec<TraceChunk> {
    let span = |number: u64| {
        let millis = 200 + i64::try_from(number % 17).unwrap() * 25;
        automatic(number, "POST /v1/generate", millis)
    };
    (first..first + n_traces)
        .map(|number| one(number, span(number)))
        .collect()
}

fn after_a_burst(width: u16, height: u16) -> Seat {
    let mut seat = Seat::new(width, height);
    seat.millis = 10_000;
    seat.inbound(python(burst(0, 50), 10_000));
    seat.keys("3");
    seat
}

/// A minute of two services, of which one is busy, with errors and what a person rejects.
fn mixed(width: u16, height: u16) -> Seat {
    let mut seat = Seat::new(width, height);
    for second in 0..60_u64 {
        let number = |place: u64| second * 100 + place;
        let n_busy = if second < 20 { 4 } else { 40 };
        let mut chunks = Vec::new();
        for place in 0..n_busy {
            let number = number(place);
            let millis = 150 + i64::try_from(number * 37 % 400).unwrap();
            let mut span = automatic(number, "POST /v1/generate", millis);
            if number % 29 == 3 {
                span = span.failed("CudaOOM", "out of memory");
                span.duration_ns *= 5;
            }
            chunks.push(one(number, span));
        }
        let mut quiet = automatic(number(90), "embed", 40);
        quiet.service = "embedder".into();
        chunks.push(one(number(90), quiet));
        let mut health = root(id(number(91)), "GET /healthz", 3)
            .metric("_sampling_priority_v1", -1.0)
            .tag("_dd.p.dm", "-4");
        if second % 20 == 7 {
            health = health.failed("TimeoutError", "no answer");
        }
        chunks.push(one(number(91), health));
        seat.millis = 10_000 + i64::try_from(second).unwrap() * 1_000;
        let millis = seat.millis;
        seat.inbound(python(chunks, millis));
    }
    seat.keys("3");
    seat
}

const SIZES: [(u16, u16); 3] = [(120, 36), (80, 24), (60, 15)];

#[test]
fn a_burst_of_fifty_at_every_size() {
    for (width, height) in SIZES {
        let seat = after_a_burst(width, height);
        insta::assert_snapshot!(format!("burst_{width}x{height}"), seat.picture());
    }
}

#[test]
fn a_minute_of_mixed_load_at_every_size() {
    for (width, height) in SIZES {
        let seat = mixed(width, height);
        insta::assert_snapshot!(format!("mixed_{width}x{height}"), seat.picture());
    }
}

#[test]
fn what_if_and_the_rule_lie_on_top() {
    for (name, keys) in [("what_if", "Mllllj"), ("rule", "GK")] {
        for (width, height) in SIZES {
            let mut seat = mixed(width, height);
            seat.keys(keys);
            while seat.app.is_dirty() {
                seat.draw();
            }
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), seat.picture());
        }
    }
}

#[test]
fn enter_lists_what_a_row_counts() {
    for (row, words) in [
        "client  kept automatically",
        "client  rejected by hand",
        "tracer (sim)  would keep",
        "Agent (sim)  keeps what the tracer keeps",
        "Agent (sim)  keeps by its error sampler",
        "lost (sim)  by rate 0.225",
        "lost (sim)  rejected before",
    ]
    .into_iter()
    .enumerate()
    {
        let mut seat = mixed(120, 36);
        seat.keys(&"j".repeat(row + 1));
        let line = seat.line_with("│>");
        assert!(line.contains(words), "{line}");
        let number = line.split_whitespace().nth(1).unwrap().to_owned();
        seat.keys("<enter>");
        let found = format!("{number} of 1800");
        assert!(seat.shows(&found), "{words}\n{}", seat.lines().join("\n"));
    }
}

/// Lists what the selected row counts, and says so if that is another number.
#[track_caller]
fn check_lists(mut seat: Seat, words: &str) {
    for _ in 0..20 {
        if seat.line_with("│>").contains(words) {
            break;
        }
        seat.keys("j");
    }
    let line = seat.line_with("│>");
    assert!(line.contains(words), "{words}: {line}");
    let number = line.split_whitespace().nth(1).unwrap().to_owned();
    let n_traces = seat.app.store().n_traces();
    seat.keys("<enter>");
    let found = format!("{number} of {n_traces}");
    assert!(seat.shows(&found), "{words}\n{}", seat.lines().join("\n"));
}

/// Ten traces of each way in which a client rejects, beside others.
fn rejected(options: UiOptions) -> Seat {
    let rejected = |number: u64, maker: &str| {
        let span = root(id(number), "GET /healthz", 3).metric("_sampling_priority_v1", -1.0);
        match maker {
            "" => span,
            maker => span.tag("_dd.p.dm", maker),
        }
    };
    let ruled = |number, maker| rejected(number, maker).metric("_dd.rule_psr", 0.3);
    let limited = |number, maker| rejected(number, maker).metric("_dd.limit_psr", 0.5);
    let spans = vec![
        rejected(0, "-3"),
        rejected(1, "-11"),
        ruled(2, "-12"),
        ruled(3, ""),
        limited(4, "-3").metric("_dd.rule_psr", 1.0),
        limited(5, "").metric("_dd.rule_psr", 0.3),
        limited(6, "-11"),
        rejected(7, "-4"),
        rejected(8, ""),
        automatic(9, "POST /v1/generate", 3),
        automatic(10, "POST /v1/generate", 3).metric("_sampling_priority_v1", 2.0),
    ];
    let store = Store::new(1 << 20).with_model(options.sampling.model());
    let mut seat = Seat::over(store, (120, 36), options);
    let chunks = (0..).zip(spans).map(|(number, span)| one(number, span));
    seat.inbound(python(chunks.collect(), 10_000));
    seat.keys("3");
    seat
}

#[test]
fn every_way_to_reject_is_listed_as_it_is_counted() {
    for (number, words) in [
        (4, "client  rejected by a rule"),
        (3, "client  rejected by its limiter"),
        (1, "client  rejected by hand"),
        (1, "client  rejected by the user"),
        (2, "tracer (sim)  would keep"),
        (9, "lost (sim)  rejected before"),
    ] {
        let seat = rejected(options());
        let line = seat.line_with(words);
        assert!(line.contains(&format!(" {number}  ")), "{line}");
        check_lists(seat, words);
    }
}

#[test]
fn cold_starts_that_are_lost_are_listed_as_they_are_counted() {
    let lost = |number, cold: &str| {
        let mut span = root(id(number), "POST /v1/generate", 3);
        span.start_ms = if cold == "true" { 0 } else { 60_000 };
        let span = span.metric("_sampling_priority_v1", -1.0);
        one(number, span.tag("_dd.p.dm", "-3").tag("cold_start", cold))
    };
    let chunks = vec![lost(1, "true"), lost(2, "false"), lost(3, "true")];
    let mut seat = Seat::new(120, 36);
    seat.inbound(python(chunks, 10_000));
    seat.keys("3");
    for _ in 0..20 {
        if seat.line_with("│>").contains("cold starts") {
            break;
        }
        seat.keys("j");
    }
    let line = seat.line_with("│>");
    assert!(line.contains("cold starts"), "{line}");
    assert!(line.contains("2 of 2"), "{line}");
    seat.keys("<enter>");
    assert!(seat.shows("2 of 3"), "{}", seat.lines().join("\n"));
}

fn probabilistic(percentage: f32) -> UiOptions {
    let agent = sampler::Settings {
        probabilistic: Some(sampler::Probabilistic::of_percentage(percentage)),
        ..sampler::Settings::default()
    };
    let sampling = SamplingSettings {
        agent,
        ..SamplingSettings::default()
    };
    UiOptions {
        sampling,
        ..options()
    }
}

#[test]
fn what_the_tracer_sends_is_listed_beside_a_probabilistic_sampler_too() {
    for percentage in [0.0, 100.0] {
        check_lists(
            rejected(probabilistic(percentage)),
            "tracer (sim)  would keep",
        );
    }
}

#[test]
fn beside_a_probabilistic_sampler_no_target_is_reckoned_with_and_no_rule_promised_to_help() {
    let mut seat = rejected(probabilistic(10.0));
    assert!(seat.shows("The probabilistic sampler keeps 10 % of all (sim)."));
    assert!(!seat.shows("Busiest 5 s"));
    assert!(!seat.shows("2 to 5 of 50"));
    seat.keys("K");
    assert!(
        seat.shows("decides whatever the client says"),
        "{}",
        seat.lines().join("\n")
    );
    assert!(!seat.shows("never drops"));
}

#[test]
fn the_extra_rate_is_a_part_of_the_arithmetic() {
    let agent = sampler::Settings {
        extra_rate: 0.5,
        ..sampler::Settings::default()
    };
    let sampling = SamplingSettings {
        agent,
        ..SamplingSettings::default()
    };
    let store = Store::new(1 << 20).with_model(sampling.model());
    let options = UiOptions {
        sampling,
        ..options()
    };
    let mut seat = Seat::over(store, (160, 36), options);
    seat.inbound(python(burst(0, 100), 10_000));
    seat.keys("3");
    let line = seat.line_with("Busiest 5 s");
    assert!(
        line.contains("rate 0.25 = 10/20, times the extra rate 0.5"),
        "{line}"
    );
}

#[test]
fn what_the_tracer_sends_cannot_be_opened_where_no_filter_lists_it() {
    let agent = sampler::Settings {
        rare: Some(sampler::RareSettings::default()),
        ..sampler::Settings::default()
    };
    let sampling = SamplingSettings {
        agent,
        ..SamplingSettings::default()
    };
    let store = Store::new(1 << 20).with_model(sampling.model());
    let options = UiOptions {
        sampling,
        ..options()
    };
    let mut seat = Seat::over(store, (120, 36), options);
    for second in 0..20_u64 {
        seat.millis = 10_000 + i64::try_from(second).unwrap() * 1_000;
        let millis = seat.millis;
        seat.inbound(python(burst(second * 50, 50), millis));
    }
    seat.keys("3");
    assert!(seat.line_with("by its rare sampler").contains(" 1  "));
    assert!(seat.shows("tracer (sim)  would keep"));
    seat.keys("jj");
    let line = seat.line_with("│>");
    assert!(line.contains("keeps what the tracer keeps"), "{line}");
}

#[test]
fn a_trace_without_its_root_is_a_number_of_its_own() {
    let mut seat = after_a_burst(120, 36);
    let child = |number| SpanSpec::under(id(number), 1, "llm.generate", 1, 1);
    let drawn = |number| child(number).metric("_sampling_priority_v1", 1.0);
    let chunks = (900..903).map(|number| one(number, drawn(number)));
    seat.millis += 1_000;
    let millis = seat.millis;
    seat.inbound(python(chunks.collect(), millis));
    seat.draw();
    let line = seat.line_with("unknown (sim)");
    assert!(line.contains(" 3  unknown (sim)  root not seen"), "{line}");
    let all = seat.lines().join("\n");
    assert!(
        seat.shows("traces 53 = kept 50 + dropped 0 (sim) + 3"),
        "{all}"
    );
    assert!(seat.shows("Datadog would have got 50 of 53 traces (sim)"));
    check_lists(seat, "unknown (sim)  root not seen");
}

#[test]
fn enter_opens_a_lost_trace_and_esc_leads_back() {
    let mut seat = mixed(120, 36);
    seat.keys("G");
    assert!(seat.line_with("│>").contains("GET /healthz"));
    seat.keys("<enter>");
    assert!(seat.shows("esc back"));
    seat.keys("<esc>");
    assert!(seat.shows("[3 Sampling]"));
}

#[test]
fn the_selection_stays_on_what_it_stands_for() {
    let mut seat = after_a_burst(120, 36);
    seat.keys("jjj");
    assert!(seat.line_with("│>").contains("what the tracer keeps"));
    let rejected = root(id(900), "GET /healthz", 3).metric("_sampling_priority_v1", -1.0);
    seat.millis += 1_000;
    let millis = seat.millis;
    seat.inbound(python(vec![one(900, rejected)], millis));
    seat.draw();
    assert!(seat.shows("rejected by the user"));
    assert!(seat.line_with("│>").contains("what the tracer keeps"));
}

#[test]
fn what_comes_is_counted_four_times_a_second_at_most() {
    let mut seat = after_a_burst(120, 36);
    let mut receive = |number, later| {
        seat.millis += later;
        let millis = seat.millis;
        seat.inbound(python(burst(number, 1), millis));
        seat.draw();
        let row = seat.line_with("traces reached us");
        row.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(receive(100, 100), "50");
    assert_eq!(receive(101, 100), "50");
    assert_eq!(receive(102, 100), "53");
}

#[test]
fn a_replay_under_the_present_settings_says_what_was_said_when_it_came() {
    let seat = mixed(120, 36);
    let store = seat.app.store();
    let tape = store.tape(RareSpans::LeftOut);
    let outcome = tape.replay(&WhatIf::default());
    let counted = outcome.by_fate.iter();
    let counted: BTreeMap<Box<str>, u64> = counted
        .map(|(fate, number)| (fate.name().into(), u64::try_from(*number).unwrap()))
        .collect();
    assert_eq!(counted, store.counters().traces_by_verdict);
}

#[test]
fn many_traces_are_read_over_several_frames_and_one_that_grows_is_read_again() {
    let mut seat = Seat::new(120, 36);
    let child = SpanSpec::under(id(0), 1, "llm.generate", 1, 1);
    let mut chunks = burst(1, 24_999);
    chunks.insert(0, one(0, child));
    seat.inbound(python(chunks, 10_000));
    seat.keys("3");
    assert!(seat.shows("Reading the traces: 10000 of 25000."));
    seat.draw();
    assert!(seat.app.is_dirty());
    seat.draw();
    assert!(seat.line_with("traces reached us").contains("25000"));
    assert!(!seat.app.is_dirty());
    assert!(seat.line_with("did not decide").contains("    1  client"));
    seat.keys("M");
    assert!(seat.shows("Reading the traces: 20000."), "in two frames");
    seat.draw();
    assert!(seat.shows("of 25000  →  "));
    seat.keys("<esc>");
    seat.millis += 1_000;
    let millis = seat.millis;
    seat.inbound(python(burst(0, 1), millis));
    seat.draw();
    assert!(seat.line_with("traces reached us").contains("25000"));
    assert!(!seat.shows("did not decide"));
}

#[test]
fn what_comes_while_the_view_is_paused_is_counted_afterwards() {
    let mut seat = after_a_burst(120, 36);
    seat.keys("<space>");
    seat.millis += 1_000;
    let millis = seat.millis;
    seat.inbound(python(burst(50, 10), millis));
    seat.draw();
    assert!(seat.line_with("traces reached us").contains("50"));
    seat.keys("<space>");
    assert!(seat.line_with("traces reached us").contains("60"));
    seat.keys("1<space>3");
    assert!(seat.line_with("traces reached us").contains("60"));
}

#[test]
fn a_trace_that_only_a_line_names_was_produced_too() {
    let mut seat = after_a_burst(120, 36);
    let seen = joined("here", Level::Info, 100, (id(0), id(0)));
    let unseen = |trace| joined("nowhere", Level::Info, 100, (trace, 1));
    seat.receive_lines(vec![seen, unseen(5), unseen(5), unseen(6)]);
    assert!(seat.line_with("traces the app produced").contains("52"));
    assert!(
        seat.line_with("never came")
            .contains("2 named only in logs")
    );
    seat.millis += 1_000;
    let millis = seat.millis;
    seat.inbound(python(vec![chunk(5, &[root(1, "late", 3)])], millis));
    seat.draw();
    assert!(
        seat.line_with("never came")
            .contains("1 named only in logs")
    );
}

#[test]
fn the_screen_says_what_tracers_are_told_and_which_agents_are_assumed() {
    let settings = SamplingSettings {
        answers: Answers::Agent,
        client_drop_p0s: true,
        model: AgentModel::Serverless,
        agent: sampler::Settings::default(),
    };
    let store = Store::new(1 << 20).with_model(settings.model().with_pieces(Pieces::LeftOut));
    let options = UiOptions {
        sampling: settings,
        ..options()
    };
    let mut seat = Seat::over(store, (120, 36), options);
    seat.keys("3");
    assert!(seat.shows("serverless, one per container, target 10/s each"));
    assert!(seat.shows("--sampling agent: the client drops by the rates above"));
    assert!(seat.shows("client_drop_p0s true"));
    assert!(seat.shows("--live makes clients send spans as they end"));
}

#[test]
fn what_if_says_before_and_after() {
    let mut seat = mixed(120, 36);
    seat.keys("M");
    assert!(seat.shows("Kept 653 of 1800  →  653 of 1800"));
    seat.keys("lll");
    assert!(seat.line_with("target, traces/s").contains("10 → 100"));
    // What a person rejected stays so, whatever an Agent would do.
    assert!(seat.shows("Kept 653 of 1800  →  1740 of 1800"));
    seat.keys("0");
    assert!(seat.shows("Kept 653 of 1800  →  653 of 1800"));
    // One at a time, and the Agent keeps up.
    seat.keys("Gl");
    assert!(seat.shows("Kept 653 of 1800  →  1740 of 1800"));
    seat.keys("<esc>");
    assert!(!seat.shows("What if (sim)"));
}

#[test]
fn what_if_says_when_the_agents_had_seen_more_than_is_held() {
    let mut seat = Seat::with_memory(120, 36, 150_000);
    for second in 0..20 {
        seat.inbound(python(burst(100 * second, 100), 10_000));
        seat.millis += 1_000;
    }
    seat.keys("3M");
    assert!(seat.app.store().counters().traces_evicted > 0);
    assert!(!seat.shows("When they came"), "all came within one bucket");
    for second in 20..30_u64 {
        let millis = seat.millis;
        seat.inbound(python(burst(100 * second, 100), millis));
        seat.millis += 1_000;
    }
    seat.keys("<esc>M");
    assert!(seat.shows("When they came"));
}

#[test]
fn the_rule_for_a_row_is_copied() {
    let copied = |keys: &str| match &*mixed(120, 36).keys(keys) {
        [Effect::Copy(line)] => line.clone(),
        other => panic!("{other:?}"),
    };
    let rule = |rules: &str| format!("DD_TRACE_SAMPLING_RULES='[{rules}]'");
    let of = |service: &str, resource: &str| {
        format!(r#"{{"service":"{service}","resource":"{resource}","sample_rate":1.0}}"#)
    };
    assert_eq!(copied("GK"), rule(&of("gen-api", "GET /healthz")));
    let all = [
        of("gen-api", "POST /v1/generate"),
        of("embedder", "embed"),
        of("gen-api", "GET /healthz"),
    ];
    assert_eq!(copied("K"), rule(&all.join(",")));
    assert_eq!(
        copied("1K"),
        rule(&of("gen-api", "GET /healthz")),
        "the newest trace"
    );
    let mut seat = mixed(120, 36);
    while !seat.line_with("│>").contains("embedder, dev") {
        seat.keys("j");
    }
    let effects = seat.keys("K");
    let line = rule(r#"{"service":"embedder","sample_rate":1.0}"#);
    assert_eq!(effects, [Effect::Copy(line)]);
}
