//! `--spill FILE` with the built program: what did not arrive is kept as it was, and sent later, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::agent::{MockAgent, Plan};
use super::datadog::{
    KEY, check_each_once, check_no_key, check_secret, hits, plain, spans, start_with, taken,
};
use super::reopen::{forwarded, reopen};
use super::{span, wait_until};
use crate::pty::screen::Screen;
use crate::support::{Headless, Scratch, post};

/// An address where nobody listens.
fn nobody() -> String {
    // No test is ever given a port below 1024.
    "http://127.0.0.1:1".to_owned()
}

/// Starts the program so that it keeps what does not arrive.
fn start(url: &str, file: &Path) -> Headless {
    let file = file.display().to_string();
    let arguments = ["--forward-logs", "--spill", &file];
    start_with(url, &arguments, &[("DD_LOGS_CONFIG_LOGS_DD_URL", url)])
}

/// A line of each trace, and its span.
fn send(program: &Headless, ids: std::ops::RangeInclusive<u32>) {
    for id in ids {
        let line = format!(r#"[{{"message":"m{id}","dd.trace_id":"{id}"}}]"#);
        let head = "Content-Type: application/json\r\n";
        post(program.url(), "/api/v2/logs", head, line.as_bytes());
        post(program.url(), "/v0.4/traces", "", &span(id));
    }
}

/// The messages of all lines that came, sorted.
fn lines(intake: &MockAgent) -> Vec<String> {
    let seen = intake.seen().into_iter();
    let logs = seen.filter(|seen| seen.path == "/api/v2/logs");
    let lines = logs.flat_map(|seen| {
        let lines: Value = serde_json::from_slice(&plain(&seen)).unwrap();
        lines.as_array().unwrap().clone()
    });
    let mut messages: Vec<_> = lines
        .map(|line| line["message"].as_str().unwrap().to_owned())
        .collect();
    messages.sort();
    messages
}

fn messages(ids: std::ops::RangeInclusive<u32>) -> Vec<String> {
    let mut messages: Vec<_> = ids.map(|id| format!("m{id}")).collect();
    messages.sort();
    messages
}

#[test]
fn what_a_dead_intake_did_not_get_is_kept_and_sent_later_once() {
    let scratch = Scratch::new();
    let file = scratch.path("unsent.json");
    let program = start(&nobody(), &file);
    send(&program, 1..=20);
    let finished = program.finish();
    check_secret(&finished);
    check_no_key(&fs::read_to_string(&file).unwrap());
    let expected = format!(
        "; it is kept in {0}, and `modtrace-tui open --forward datadog --forward-logs {0}` sends it.",
        file.display()
    );
    assert!(
        finished
            .stderr
            .contains("20 spans of 20 traces and 2 requests with")
            && finished.stderr.contains(&expected),
        "{}",
        finished.stderr
    );
    assert_eq!(forwarded(&file), vec![json!([]); 20]);

    let intake = MockAgent::start(|_, _| taken());
    let (stderr, is_fine) = reopen(&file, &intake.url(), &["--forward-logs"]);
    assert!(is_fine, "{stderr}");
    check_each_once(&intake, 20);
    assert_eq!(hits(&intake), 20);
    assert_eq!(lines(&intake), messages(1..=20));
    let n_asked = intake.n_asked();
    let (stderr, is_fine) = reopen(&file, &intake.url(), &["--forward-logs"]);
    assert!(is_fine, "{stderr}");
    assert_eq!(intake.n_asked(), n_asked);
}

#[test]
fn when_the_intake_dies_in_the_middle_only_the_rest_is_kept() {
    let is_dead = Arc::new(AtomicBool::new(false));
    let dies = Arc::clone(&is_dead);
    let intake = MockAgent::start(move |_, _| {
        let is_dead = dies.load(Ordering::Relaxed);
        if is_dead { Plan::Reset } else { taken() }
    });
    let scratch = Scratch::new();
    let file = scratch.path("unsent.json");
    let program = start(&intake.url(), &file);
    send(&program, 1..=10);
    wait_until("the spans came", || spans(&intake).len() == 10);
    is_dead.store(true, Ordering::Relaxed);
    send(&program, 11..=20);
    let finished = program.finish();
    check_secret(&finished);
    let arrived = spans(&intake);
    let traces = finished.export["traces"].as_array().unwrap();
    for trace in traces {
        let id = trace["trace_id"].as_str().unwrap();
        let id = u64::from_str_radix(id, 16).unwrap();
        let has_arrived = arrived.contains_key(&(id, 2));
        let expected = if has_arrived { json!("all") } else { json!([]) };
        assert_eq!(trace["forwarded"], expected, "{id}");
    }
    assert_eq!((traces.len(), arrived.len()), (20, 10));
    assert_eq!(forwarded(&file), vec![json!([]); 10]);
    is_dead.store(false, Ordering::Relaxed);
    let (stderr, is_fine) = reopen(&file, &intake.url(), &["--forward-logs"]);
    assert!(is_fine, "{stderr}");
    check_each_once(&intake, 20);
    assert_eq!(hits(&intake), 20);
    assert_eq!(lines(&intake), messages(1..=20));
}

#[test]
fn what_has_all_arrived_leaves_no_file() {
    let intake = MockAgent::start(|_, _| taken());
    let scratch = Scratch::new();
    let file = scratch.path("unsent.json");
    let program = start(&intake.url(), &file);
    send(&program, 1..=3);
    let finished = program.finish();
    assert!(finished.stderr.is_empty(), "{}", finished.stderr);
    assert!(!file.exists());
    let summary = finished.events_named("summary").last().unwrap();
    let way = json!({ "to": "datadog datadoghq.com", "last_error": null });
    assert_eq!(summary["forward"], way);
}

#[test]
fn a_file_that_is_there_already_is_kept() {
    let scratch = Scratch::new();
    let file = scratch.path("unsent.json");
    fs::write(&file, "mine").unwrap();
    let program = start(&nobody(), &file);
    send(&program, 1..=1);
    let finished = program.finish();
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(forwarded(&scratch.path("unsent-2.json")), [json!([])]);
    let said = format!("unsent-2.json ({} was there already)", file.display());
    assert!(finished.stderr.contains(&said), "{}", finished.stderr);
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_at_the_start() {
    let file = Path::new("/nowhere/unsent.json");
    let program = std::panic::catch_unwind(|| start(&nobody(), file));
    let panic = program.expect_err("it does not start");
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(
        said.contains("/nowhere/unsent.json cannot be written"),
        "{said}"
    );
}

#[test]
fn what_a_file_that_cannot_be_marked_did_not_send_is_kept_beside_it() {
    let scratch = Scratch::new();
    let chunks = scratch.path("chunks.json");
    let kept = scratch.path("kept.json");
    let two =
        r#"[[{"trace_id":1,"span_id":2,"name":"n"}],[{"trace_id":2,"span_id":2,"name":"n"}]]"#;
    fs::write(&chunks, two).unwrap();
    let option = kept.display().to_string();
    let refuses = MockAgent::start(|_, _| Plan::Refuse(400, ""));
    let (stderr, is_fine) = reopen(&chunks, &refuses.url(), &["--spill", &option]);
    assert!(!is_fine, "{stderr}");
    assert!(
        stderr.contains("2 spans of 2 traces and 1 request"),
        "{stderr}"
    );
    assert!(stderr.contains("it is kept in "), "{stderr}");
    assert_eq!(fs::read_to_string(&chunks).unwrap(), two);
    let intake = MockAgent::start(|_, _| taken());
    let (stderr, is_fine) = reopen(&kept, &intake.url(), &[]);
    assert!(is_fine, "{stderr}");
    check_each_once(&intake, 2);
    assert_eq!(hits(&intake), 2);
}

#[test]
fn what_is_sent_later_waits_for_room_however_much_it_is() {
    let scratch = Scratch::new();
    let file = scratch.path("unsent.json");
    let program = start(&nobody(), &file);
    for id in 1..=3 {
        let line = format!(r#"{{"message":"m","dd.trace_id":"{id}"}}"#);
        let lines = format!("[{}]", vec![line; 10_000].join(","));
        let head = "Content-Type: application/json\r\n";
        post(program.url(), "/api/v2/logs", head, lines.as_bytes());
        post(program.url(), "/v0.4/traces", "", &span(id));
    }
    program.finish();
    let intake = MockAgent::start(|_, _| taken());
    let (stderr, is_fine) = reopen(&file, &intake.url(), &["--forward-logs"]);
    assert!(is_fine, "{stderr}");
    check_each_once(&intake, 3);
    assert_eq!((hits(&intake), lines(&intake).len()), (3, 30_000));
}

/// A file of a span, and an intake that refuses it once a directory is gone.
fn refused_and_removed(scratch: &Scratch) -> (PathBuf, PathBuf, MockAgent) {
    let chunks = scratch.path("chunks.json");
    fs::write(&chunks, r#"[[{"trace_id":1,"span_id":2,"name":"n"}]]"#).unwrap();
    let gone = scratch.path("gone");
    fs::create_dir(&gone).unwrap();
    let directory = gone.clone();
    let intake = MockAgent::start(move |_, _| {
        let _only_once = fs::remove_dir_all(&directory);
        Plan::Refuse(400, "")
    });
    (chunks, gone, intake)
}

#[test]
fn what_did_not_arrive_is_said_also_where_nothing_can_be_written() {
    let scratch = Scratch::new();
    let (chunks, gone, intake) = refused_and_removed(&scratch);
    let spill = gone.join("unsent.json").display().to_string();
    let export = gone.join("all.json").display().to_string();
    let arguments = ["--spill", &spill, "--export", &export];
    let (stderr, is_fine) = reopen(&chunks, &intake.url(), &arguments);
    assert!(!is_fine, "{stderr}");
    for part in [
        "1 span of 1 trace and 1 request with statistics or log lines did not arrive",
        "it is still in ",
        "unsent.json cannot be written",
    ] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
}

#[test]
fn the_screen_says_and_writes_all_there_is_before_it_fails() {
    let scratch = Scratch::new();
    let (chunks, gone, intake) = refused_and_removed(&scratch);
    let export = scratch.path("all.json");
    let variables = [
        format!("DD_API_KEY={KEY}"),
        format!("DD_APM_DD_URL={}", intake.url()),
    ];
    let spill = gone.join("unsent.json").display().to_string();
    let (file, export_name) = (chunks.display().to_string(), export.display().to_string());
    let program = env!("CARGO_BIN_EXE_modtrace-tui");
    let open = [program, "open", "--forward", "datadog", &file];
    let options = ["--spill", &spill, "--export", &export_name];
    let words = [&["env", &variables[0], &variables[1]][..], &open, &options].concat();
    let mut screen = Screen::start_command(&words, 36, 200);
    wait_until("it was refused", || !gone.exists());
    screen.press("q");
    assert_eq!(screen.exit_code(), 1);
    screen.wait_for(|text| {
        text.contains("did not arrive at Datadog") && text.contains("unsent.json cannot be written")
    });
    assert_eq!(forwarded(&export), [json!([])]);
}

#[test]
fn what_no_intake_takes_is_said_and_nothing_is_said_to_be_done() {
    let scratch = Scratch::new();
    let chunks = scratch.path("chunks.json");
    fs::write(&chunks, r#"[[{"trace_id":1,"span_id":0,"name":"n"}]]"#).unwrap();
    let intake = MockAgent::start(|_, _| taken());
    let (stderr, is_fine) = reopen(&chunks, &intake.url(), &[]);
    assert!(!is_fine && intake.n_asked() == 0, "{stderr}");
    assert!(stderr.contains("1 span did not go to Datadog"), "{stderr}");
    assert!(
        !stderr.contains("left to be sent") && !stderr.contains("kept"),
        "{stderr}"
    );
}
