//! The built program with `--forward`: what it refuses, what it counts, what it says at the end.

use std::process::Command;

use super::agent::{MockAgent, RATES, take};
use super::span;
use crate::support::{Headless, Scratch, post};

#[test]
fn the_summary_counts_what_went_on() {
    let agent = MockAgent::start(|_, _| take());
    let to = format!("agent={}", agent.url());
    let program = Headless::start(&["--forward", &to]);
    for id in 0..3 {
        let answer = post(program.url(), "/v0.4/traces", "", &span(id));
        assert!(answer.status == 200 && !answer.body.is_empty());
    }
    let finished = program.finish();
    assert!(
        finished.status.success() && finished.stderr.is_empty(),
        "{}",
        finished.stderr
    );
    let summary = finished.events_named("summary").last().unwrap();
    let counters = &summary["counters"];
    assert_eq!(counters, &finished.export["counters"]);
    for (name, number) in [
        ("forwarded_payloads", 3),
        ("forwarded_spans", 3),
        ("forwarded_bytes", span(0).len() * 3),
        ("forward_failed", 0),
        ("forward_dropped", 0),
        ("spans_received", 3),
    ] {
        assert_eq!(counters[name], number, "{name}");
    }
    assert_eq!(agent.seen().len(), 3);
}

#[test]
fn what_was_not_sent_at_the_end_is_said_and_counted() {
    let nobody = Scratch::new();
    let to = format!("agent=unix:{}", nobody.path("none").display());
    let program = Headless::start(&["--forward", &to]);
    let answer = post(program.url(), "/v0.4/traces", "", &span(1));
    assert_ne!(answer.body, RATES);
    let finished = program.finish();
    assert!(finished.status.success());
    assert_eq!(finished.export["counters"]["forward_dropped"], 1);
    assert!(
        finished.stderr.contains("1 request was not sent on")
            && finished.stderr.contains("cannot be reached"),
        "{}",
        finished.stderr
    );
}

#[track_caller]
fn check_refused(arguments: &[&str], part: &str) {
    let scratch = Scratch::new();
    let output = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"))
        .args(["--headless", "--exit-after-idle", "1ms"])
        .args(arguments)
        .env_clear()
        .env("HOME", scratch.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_makes_no_sense_is_refused_at_the_start() {
    let itself = "listens itself";
    check_refused(&["--forward", "agent=http://127.0.0.1:8126"], itself);
    check_refused(&["--forward", "agent=http://localhost"], itself);
    let listen = [
        "--listen",
        "127.0.0.1:8136",
        "--forward",
        "agent=http://[::ffff:127.0.0.1]:8136",
    ];
    check_refused(&listen, itself);
    check_refused(
        &["--uds", "/run/x", "--forward", "agent=unix:/run/x"],
        itself,
    );
    let sampling = [
        "--listen",
        "127.0.0.1:0",
        "--sampling",
        "0.5",
        "--forward",
        "agent=http://127.0.0.1:9",
    ];
    check_refused(&sampling, "leave out --sampling");
    check_refused(&["--forward", "agent=https://agent"], "it speaks no TLS");
    check_refused(&["--forward", "somewhere"], "agent=URL");
    check_refused(
        &["open", "x.json", "--forward", "agent=http://127.0.0.1:9"],
        "leave out --forward",
    );
}
