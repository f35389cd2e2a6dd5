//! The built program with `--forward datadog`, against an intake that decodes what it gets: every span
//! once, whatever goes wrong; counts beside them; the key nowhere.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::read::GzDecoder;
use libdd_trace_protobuf::pb;
use prost::Message as _;

use super::agent::{MockAgent, Plan, Seen};
use super::{span, wait_until};
use crate::support::{Finished, Headless, Scratch, post};

pub(super) const KEY: &str = "0123456789abcdef0123456789abcdef";
/// A part of it, which is not to be found either, and no key.
pub(super) const PART: &str = "456789abcdef01234567";

pub(super) fn taken() -> Plan {
    Plan::Take("{}".into())
}

fn start(intake: &MockAgent, arguments: &[&str]) -> Headless {
    start_with(&intake.url(), arguments, &[])
}

pub(super) fn start_with(url: &str, arguments: &[&str], more: &[(&str, &str)]) -> Headless {
    let arguments = [&["--forward", "datadog"], arguments].concat();
    let variables = [
        ("DD_API_KEY", KEY),
        ("DD_APM_DD_URL", url),
        ("RUST_LOG", "trace"),
    ];
    Headless::start_with(&arguments, &[&variables, more].concat())
}

pub(super) fn plain(seen: &Seen) -> Vec<u8> {
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    assert_eq!(seen.header("dd-api-key"), Some(KEY));
    let mut plain = Vec::new();
    GzDecoder::new(&*seen.body).read_to_end(&mut plain).unwrap();
    plain
}

fn payloads(intake: &MockAgent) -> Vec<pb::AgentPayload> {
    let seen = intake.seen().into_iter();
    let traces = seen.filter(|seen| seen.path == "/api/v0.2/traces");
    let payloads = traces.map(|seen| {
        assert_eq!(seen.header("content-type"), Some("application/x-protobuf"));
        pb::AgentPayload::decode(&*plain(&seen)).unwrap()
    });
    payloads.collect()
}

/// Trace and span ids, and how often each arrived.
pub(super) fn spans(intake: &MockAgent) -> BTreeMap<(u64, u64), usize> {
    let mut spans = BTreeMap::new();
    for payload in payloads(intake) {
        let clients = payload.tracer_payloads.into_iter();
        let chunks = clients.flat_map(|client| client.chunks);
        for span in chunks.flat_map(|chunk| chunk.spans) {
            *spans.entry((span.trace_id, span.span_id)).or_default() += 1;
        }
    }
    spans
}

/// Spans that were counted.
pub(super) fn hits(intake: &MockAgent) -> u64 {
    let seen = intake.seen().into_iter();
    let stats = seen.filter(|seen| seen.path == "/api/v0.2/stats");
    let payloads = stats.flat_map(|seen| {
        assert_eq!(seen.header("content-type"), Some("application/msgpack"));
        let payload: pb::StatsPayload = rmp_serde::from_slice(&plain(&seen)).unwrap();
        payload.stats
    });
    let buckets = payloads.flat_map(|payload| payload.stats);
    buckets
        .flat_map(|bucket| bucket.stats)
        .map(|group| group.hits)
        .sum()
}

/// Nothing that the program wrote holds the key.
#[track_caller]
pub(super) fn check_secret(finished: &Finished) {
    let export = fs::read_to_string(finished.scratch.path("all.json")).unwrap();
    let log = finished.scratch.path("modtrace-tui/modtrace-tui.log");
    let log = fs::read_to_string(log).expect("it writes a log");
    for written in [&export, &log, &finished.stderr, &finished.stdout.concat()] {
        check_no_key(written);
    }
}

#[track_caller]
pub(super) fn check_no_key(written: &str) {
    assert!(
        !written.contains(KEY) && !written.contains(PART),
        "the key is in {written}"
    );
}

#[track_caller]
pub(super) fn check_each_once(intake: &MockAgent, n_spans: u32) {
    let expected: BTreeMap<_, _> = (1..=n_spans).map(|id| ((id.into(), 2), 1)).collect();
    assert_eq!(spans(intake), expected);
}

#[test]
fn every_span_arrives_once_with_its_counts_also_what_came_twice() {
    let intake = MockAgent::start(|_, _| taken());
    let program = start(&intake, &["--forward-tag", "team:vision"]);
    // More than the simulated Agent would keep.
    for id in 1..=400 {
        assert_eq!(
            post(program.url(), "/v0.4/traces", "", &span(id)).status,
            200
        );
    }
    // A client that got no answer sends again.
    assert_eq!(
        post(program.url(), "/v0.4/traces", "", &span(400)).status,
        200
    );
    let finished = program.finish();
    assert!(
        finished.status.success() && finished.stderr.is_empty(),
        "{}",
        finished.stderr
    );
    check_each_once(&intake, 400);
    assert_eq!(hits(&intake), 400);
    for payload in payloads(&intake) {
        assert!(payload.host_name.is_empty());
        let mut chunks = payload
            .tracer_payloads
            .iter()
            .flat_map(|client| &client.chunks);
        assert!(chunks.all(|chunk| chunk.spans.iter().all(|span| span.meta["team"] == "vision")));
    }
    let counters = &finished.export["counters"];
    assert_eq!(
        (
            &counters["forwarded_spans"],
            &counters["forward_failed"],
            &counters["forward_dropped"]
        ),
        (&400.into(), &0.into(), &0.into())
    );
    check_secret(&finished);
}

#[test]
fn refusals_and_resets_lose_nothing_and_send_nothing_twice() {
    let intake = MockAgent::start(|number, _| match number {
        0 => Plan::Refuse(429, "Retry-After: 0\r\n"),
        1 => Plan::Reset,
        2 => Plan::Refuse(503, ""),
        _ => taken(),
    });
    let program = start(&intake, &[]);
    for id in 1..=20 {
        post(program.url(), "/v0.4/traces", "", &span(id));
    }
    // Payloads go after five seconds.
    wait_until("the spans came", || !payloads(&intake).is_empty());
    let finished = program.finish();
    check_each_once(&intake, 20);
    assert_eq!(hits(&intake), 20);
    assert_eq!(finished.export["counters"]["forward_failed"], 0);
    check_secret(&finished);
}

#[test]
fn lines_of_traces_go_with_the_ids_that_join_them_if_that_is_asked() {
    let intake = MockAgent::start(|_, _| taken());
    let url = intake.url();
    let more = [("DD_LOGS_CONFIG_LOGS_DD_URL", &*url)];
    for (option, n_lines) in [(&["--forward-logs"][..], 1), (&[], 0)] {
        intake.forget();
        let program = start_with(&url, option, &more);
        let lines = br#"[{"message":"mine","dd.trace_id":"7","dd.span_id":"2","level":"error"},{"message":"nobody's"}]"#;
        let answer = post(
            program.url(),
            "/api/v2/logs",
            "Content-Type: application/json\r\n",
            lines,
        );
        assert_eq!(answer.status, 202);
        post(program.url(), "/v0.4/traces", "", &span(7));
        let finished = program.finish();
        let seen = intake.seen().into_iter();
        let seen: Vec<_> = seen.filter(|seen| seen.path == "/api/v2/logs").collect();
        assert_eq!(seen.len(), n_lines);
        for seen in seen {
            let lines: serde_json::Value = serde_json::from_slice(&plain(&seen)).unwrap();
            let [line] = lines.as_array().unwrap().as_slice() else {
                panic!("{lines}");
            };
            assert_eq!(
                (&line["message"], &line["status"]),
                (&"mine".into(), &"error".into())
            );
            assert_eq!(
                (&line["dd.trace_id"], &line["dd.span_id"]),
                (&"7".into(), &"2".into())
            );
            assert_eq!(line["service"], "s");
        }
        check_secret(&finished);
    }
}

#[test]
fn only_what_the_simulated_agent_keeps_goes_if_that_is_asked_and_all_is_counted() {
    let intake = MockAgent::start(|_, _| taken());
    let program = start(&intake, &["--forward-sampled"]);
    // What a person or a rule of the app rejects, no Agent keeps.
    let with = |id: u8, priority: u8| {
        let head = b"\x91\x91\x85\xa8trace_id";
        let rest =
            b"\xa7span_id\x02\xa4name\xa1n\xa7service\xa1s\xa7metrics\x81\xb5_sampling_priority_v1";
        [&head[..], &[id], rest, &[priority]].concat()
    };
    let (dropped, kept) = (with(1, 0xff), with(3, 2));
    for body in [&dropped, &kept] {
        assert_eq!(post(program.url(), "/v0.4/traces", "", body).status, 200);
    }
    program.finish();
    assert_eq!(spans(&intake).into_keys().collect::<Vec<_>>(), [(3, 2)]);
    assert_eq!(hits(&intake), 2);
}

#[test]
fn an_intake_that_is_dead_for_a_while_gets_everything_once_it_is_back() {
    // Its port stays bound: freed, it might be another's by then.
    let is_back = Arc::new(AtomicBool::new(false));
    let looked_at = Arc::clone(&is_back);
    let intake = MockAgent::start(move |_, _| {
        if looked_at.load(Ordering::Relaxed) {
            taken()
        } else {
            Plan::Reset
        }
    });
    let program = start(&intake, &[]);
    for id in 1..=20 {
        assert_eq!(
            post(program.url(), "/v0.4/traces", "", &span(id)).status,
            200
        );
    }
    wait_until("it was tried again", || intake.n_asked() > 1);
    is_back.store(true, Ordering::Relaxed);
    wait_until("the spans came", || !payloads(&intake).is_empty());
    let finished = program.finish();
    check_each_once(&intake, 20);
    assert_eq!(hits(&intake), 20);
    let counters = &finished.export["counters"];
    let lost = (&counters["forward_failed"], &counters["forward_dropped"]);
    assert_eq!(lost, (&0.into(), &0.into()));
    check_secret(&finished);
}

#[test]
fn a_refused_key_ends_it_and_that_is_said() {
    let intake = MockAgent::start(|_, _| Plan::Refuse(403, ""));
    let program = start(&intake, &[]);
    post(program.url(), "/v0.4/traces", "", &span(1));
    wait_until("it was refused", || intake.n_asked() > 0);
    post(program.url(), "/v0.4/traces", "", &span(2));
    let finished = program.finish();
    assert_eq!(intake.n_asked(), 1, "nothing more is sent");
    let counters = &finished.export["counters"];
    assert_eq!(counters["forwarded_payloads"], 0);
    assert!(counters["forward_failed"].as_u64() >= Some(2), "{counters}");
    check_secret(&finished);
}

#[test]
fn what_cannot_be_sent_before_the_end_is_said_and_counted() {
    let intake = MockAgent::start(|_, _| Plan::Silence);
    let program = start(&intake, &[]);
    post(program.url(), "/v0.4/traces", "", &span(1));
    let finished = program.finish();
    assert!(
        finished.stderr.contains(
            "1 span of 1 trace and 1 request with statistics or log lines did not arrive at Datadog (datadoghq.com)"
        ) && finished.stderr.contains("; --spill FILE would have kept it."),
        "{}",
        finished.stderr
    );
    assert_eq!(finished.export["counters"]["forward_dropped"], 2);
    check_secret(&finished);
}

#[track_caller]
fn check_refused(variables: &[(&str, &str)], part: &str) {
    let scratch = Scratch::new();
    let output = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"))
        .args([
            "--headless",
            "--exit-after-idle",
            "1ms",
            "--forward",
            "datadog",
        ])
        .env_clear()
        .env("HOME", scratch.path(""))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), stderr.trim().lines().count()),
        (Some(2), 1),
        "{stderr}"
    );
    assert!(stderr.contains(part) && !stderr.contains(PART), "{stderr}");
}

#[test]
fn a_key_or_a_site_that_cannot_be_right_is_one_sentence_at_the_start() {
    check_refused(&[], "DD_API_KEY is not set");
    check_refused(&[("DATADOG_API_KEY", KEY)], "DATADOG_API_KEY is");
    check_refused(&[("DD_API_KEY", PART)], "20 characters");
    check_refused(&[("DD_API_KEY", KEY), ("DD_SITE", "nowhere")], "DD_SITE");
    check_refused(
        &[("DD_API_KEY", KEY), ("HTTPS_PROXY", "socks://x")],
        "HTTPS_PROXY",
    );
}
