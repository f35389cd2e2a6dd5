//! `open --forward datadog FILE` with the built program: what FILE says not to have gone is sent once, and
//! FILE says so.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::agent::{MockAgent, Plan};
use super::datadog::{KEY, check_each_once, check_no_key, hits, spans, start_with, taken};
use super::{span, wait_until};
use crate::pty::screen::Screen;
use crate::support::{Headless, Scratch, clear_environment, post};

/// Opens a file and sends it; returns what was said, and whether it went well.
#[track_caller]
pub(super) fn reopen(file: &Path, url: &str, arguments: &[&str]) -> (String, bool) {
    let Output { status, stderr, .. } = output(file, url, arguments);
    let stderr = String::from_utf8(stderr).unwrap();
    check_no_key(&stderr);
    check_no_key(&fs::read_to_string(file).unwrap());
    (stderr, status.success())
}

fn output(file: &Path, url: &str, arguments: &[&str]) -> Output {
    let scratch = Scratch::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    command.args(["open", "--headless", "--forward", "datadog"]);
    command.args(arguments).arg(file);
    for name in ["DD_", "DATADOG_", "HTTPS_", "https_", "MODTRACE_"] {
        clear_environment(&mut command, name);
    }
    command
        .env("DD_API_KEY", KEY)
        .env("DD_SITE", "datadoghq.eu")
        .env("DD_APM_DD_URL", url)
        .env("DD_LOGS_CONFIG_LOGS_DD_URL", url)
        .env("XDG_CONFIG_HOME", scratch.path(""))
        .env("XDG_STATE_HOME", scratch.path(""))
        .output()
        .unwrap()
}

#[track_caller]
fn read(file: &Path) -> Value {
    fs::read_to_string(file).unwrap().parse().unwrap()
}

/// What a file says of the spans of its traces.
#[track_caller]
pub(super) fn forwarded(file: &Path) -> Vec<Value> {
    let file = read(file);
    let traces = file["traces"].as_array().unwrap().iter();
    traces.map(|trace| trace["forwarded"].clone()).collect()
}

/// An export of so many traces of one span each, of which nothing went anywhere.
fn captured(n_traces: u32) -> Scratch {
    let program = Headless::start(&[]);
    for id in 1..=n_traces {
        post(program.url(), "/v0.4/traces", "", &span(id));
    }
    program.finish().scratch
}

#[test]
fn a_capture_is_sent_once_and_says_so_itself() {
    let intake = MockAgent::start(|_, _| taken());
    let scratch = captured(20);
    let file = scratch.path("all.json");
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(is_fine, "{stderr}");
    let host = intake.url().replace("http://", "");
    let expected = format!(
        "Sending what {0} holds to {host}: 20 traces.\n\
         Sent 20 spans of 20 traces to Datadog (datadoghq.eu); {0} says so now.\n",
        file.display()
    );
    assert_eq!(stderr, expected);
    check_each_once(&intake, 20);
    assert_eq!(hits(&intake), 20);
    assert_eq!(forwarded(&file), vec![json!("all"); 20]);
    let way = json!({ "to": "datadog datadoghq.eu", "last_error": null, "unsent": [] });
    assert_eq!(read(&file)["forward"], way);

    let n_asked = intake.n_asked();
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(is_fine && stderr.starts_with("Nothing of "), "{stderr}");
    assert_eq!(intake.n_asked(), n_asked);
}

#[test]
fn what_was_sent_as_it_came_is_not_sent_again() {
    let intake = MockAgent::start(|_, _| taken());
    let program = start_with(&intake.url(), &[], &[]);
    for id in 1..=5 {
        post(program.url(), "/v0.4/traces", "", &span(id));
    }
    let finished = program.finish();
    check_each_once(&intake, 5);
    let n_asked = intake.n_asked();
    let file = finished.scratch.path("all.json");
    assert_eq!(forwarded(&file), vec![json!("all"); 5]);
    let (stderr, is_fine) = reopen(&file, &intake.url(), &["--forward-logs"]);
    assert!(is_fine && stderr.starts_with("Nothing of "), "{stderr}");
    assert_eq!(intake.n_asked(), n_asked);
}

#[test]
fn what_is_not_taken_stays_in_the_file_and_goes_the_next_time() {
    let takes_stats = Arc::new(AtomicBool::new(false));
    let is_taken = Arc::clone(&takes_stats);
    let intake = MockAgent::start(move |_, seen| {
        if seen.path.ends_with("traces") || is_taken.load(Ordering::Relaxed) {
            return taken();
        }
        Plan::Refuse(400, "")
    });
    let scratch = captured(3);
    let file = scratch.path("all.json");
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(!is_fine, "{stderr}");
    for part in [
        "Sent 3 spans of 3 traces to Datadog (datadoghq.eu);",
        "error: 1 request with statistics or log lines did not arrive at Datadog (datadoghq.eu) (last error: answers with status 400); it is kept in ",
        "`modtrace-tui open --forward datadog ",
    ] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    assert_eq!(forwarded(&file), vec![json!("all"); 3]);
    let unsent = &read(&file)["forward"]["unsent"];
    assert_eq!(
        (&unsent[0]["intake"], &unsent[0]["n"]),
        (&"stats".into(), &3.into())
    );

    takes_stats.store(true, Ordering::Relaxed);
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(is_fine, "{stderr}");
    check_each_once(&intake, 3);
    assert_eq!(hits(&intake), 3);
    assert_eq!(read(&file)["forward"]["unsent"], json!([]));
}

#[test]
fn lines_that_have_not_gone_stay_in_the_file_unless_lines_are_to_go() {
    let scratch = captured(1);
    let file = scratch.path("all.json");
    let text = fs::read_to_string(&file).unwrap();
    let way = r#""forward":{"to":"datadog datadoghq.eu","unsent":[
        {"intake":"logs","headers":{"Content-Type":"application/json"},"body":"W10=","n":1},
        {"intake":"stats","headers":{},"body":"gA==","n":0}]}"#;
    fs::write(&file, text.replace("\"forward\":null", way)).unwrap();
    let intake = MockAgent::start(|_, _| taken());
    let n_logs = || {
        let seen = intake.seen().into_iter();
        seen.filter(|seen| seen.path == "/api/v2/logs").count()
    };
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(!is_fine && n_logs() == 0, "{stderr}");
    for part in [
        "holds to 127.0.0.1:",
        ": 1 trace, and 1 request with statistics or log lines.\n",
        "Without --forward-logs 1 request with log lines of ",
        "says so now",
        "`modtrace-tui open --forward datadog --forward-logs ",
    ] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    let unsent = read(&file)["forward"]["unsent"].clone();
    assert_eq!(
        (unsent.as_array().unwrap().len(), &unsent[0]["body"]),
        (1, &json!("W10="))
    );
    let (stderr, is_fine) = reopen(&file, &intake.url(), &["--forward-logs"]);
    assert!(is_fine && n_logs() == 1, "{stderr}");
    assert_eq!(read(&file)["forward"]["unsent"], json!([]));
    check_each_once(&intake, 1);
}

#[test]
fn only_what_the_simulated_agent_kept_goes_if_that_is_asked() {
    let intake = MockAgent::start(|_, _| taken());
    let program = Headless::start(&[]);
    // What a person or a rule of the app rejects, no Agent keeps.
    for (id, priority) in [(1, 0xff), (3, 2)] {
        let head = b"\x91\x91\x85\xa8trace_id";
        let rest =
            b"\xa7span_id\x02\xa4name\xa1n\xa7service\xa1s\xa7metrics\x81\xb5_sampling_priority_v1";
        let body = [&head[..], &[id], rest, &[priority]].concat();
        assert_eq!(post(program.url(), "/v0.4/traces", "", &body).status, 200);
    }
    let finished = program.finish();
    let file = finished.scratch.path("all.json");
    let (stderr, is_fine) = reopen(&file, &intake.url(), &["--forward-sampled"]);
    assert!(
        is_fine && stderr.contains("Sent 1 span of 1 trace"),
        "{stderr}"
    );
    assert_eq!(spans(&intake).into_keys().collect::<Vec<_>>(), [(3, 2)]);
    assert_eq!(hits(&intake), 2);
    assert_eq!(forwarded(&file), [json!(null), json!("all")]);
    let n_asked = intake.n_asked();
    reopen(&file, &intake.url(), &["--forward-sampled"]);
    assert_eq!(intake.n_asked(), n_asked);
}

/// What is sent of a file that cannot say so is said to be sent again.
#[track_caller]
fn check_unmarked(file: &Path, arguments: &[&str], why: &str) {
    let intake = MockAgent::start(|_, _| taken());
    let before = fs::read(file).unwrap();
    let (stderr, _) = reopen(file, &intake.url(), arguments);
    assert!(!spans(&intake).is_empty());
    let cannot = format!("cannot say so, because {why}, and would send the same again");
    for part in [&cannot, "opened so again, it sends the same again"] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    assert_eq!(fs::read(file).unwrap(), before);
}

#[test]
fn a_file_that_cannot_be_written_again_whole_is_left_alone() {
    let scratch = captured(200);
    let whole = scratch.path("all.json");
    let text = fs::read_to_string(&whole).unwrap();
    let (half, _) = text.split_at(text.len() / 2);
    let not_all =
        "not all of its spans and lines are held (one comes twice, or --memory is too small)";
    check_unmarked(&whole, &["--memory", "64KiB"], not_all);
    let twice = scratch.path("twice.json");
    let spans = text.lines().filter(|line| line.starts_with("{\"span_id"));
    let span = spans.clone().next().unwrap();
    fs::write(&twice, text.replacen(span, &format!("{span},{span}"), 1)).unwrap();
    check_unmarked(&twice, &[], not_all);
    let cut = scratch.path("cut.json");
    fs::write(&cut, half).unwrap();
    check_unmarked(&cut, &[], "it is damaged");
    let chunks = scratch.path("chunks.json");
    fs::write(&chunks, r#"[[{"trace_id":1,"span_id":2,"name":"n"}]]"#).unwrap();
    check_unmarked(
        &chunks,
        &[],
        "it holds nothing but spans as an agent takes them",
    );
    let newer = scratch.path("newer.json");
    for (from, to) in [
        ("\"span_id\":", "\"new\":1,\"span_id\":"),
        ("\"trace_id\":", "\"note\":\"mine\",\"trace_id\":"),
        ("\"findings\":[]", "\"findings\":[],\"annotations\":{}"),
        ("\"findings\":[]", "\"findings\":[{}]"),
    ] {
        fs::write(&newer, text.replacen(from, to, 1)).unwrap();
        check_unmarked(&newer, &[], "not all of it is kept");
    }
}

#[test]
fn a_file_that_somebody_changes_while_it_is_sent_is_left_as_they_made_it() {
    let scratch = captured(3);
    let file = scratch.path("all.json");
    let other = scratch.path("other.json");
    fs::write(&other, "mine").unwrap();
    let (from, to) = (other.clone(), file.clone());
    let intake = MockAgent::start(move |_, _| {
        let _only_once = fs::rename(&from, &to);
        Plan::Refuse(400, "")
    });
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(!is_fine && !stderr.contains("still in"), "{stderr}");
    assert!(
        stderr.contains("--spill FILE would have kept it"),
        "{stderr}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    let scratch = captured(3);
    let file = scratch.path("all.json");
    let to = file.clone();
    let intake = MockAgent::start(move |_, _| {
        fs::write(&to, "mine").unwrap();
        taken()
    });
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    let changed =
        "all.json cannot say so, because it was changed meanwhile, and would send the same again.";
    assert!(is_fine && stderr.contains(changed), "{stderr}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_file_that_nobody_may_write_is_not_sent() {
    let intake = MockAgent::start(|_, _| taken());
    let scratch = captured(1);
    let file = scratch.path("all.json");
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).unwrap();
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(
        !is_fine && stderr.contains("is to say what was sent of it"),
        "{stderr}"
    );
    assert_eq!(intake.n_asked(), 0);
}

#[test]
fn of_two_programs_that_send_a_file_the_second_sends_nothing() {
    let scratch = captured(3);
    let file = scratch.path("all.json");
    let second = Arc::new(Mutex::new(None));
    let (told, path) = (Arc::clone(&second), file.clone());
    let other = MockAgent::start(|_, _| taken());
    let other_url = other.url();
    let intake = MockAgent::start(move |n_before, _| {
        if n_before == 0 {
            *told.lock().unwrap() = Some(reopen(&path, &other_url, &[]));
        }
        taken()
    });
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(is_fine, "{stderr}");
    check_each_once(&intake, 3);
    let (stderr, is_fine) = second.lock().unwrap().take().unwrap();
    let expected = format!(
        "error: {} is being sent already: wait until the other modtrace-tui has ended, or stop it\n",
        file.display()
    );
    assert_eq!((stderr, is_fine), (expected, false));
    assert_eq!(other.n_asked(), 0);
    assert_eq!(forwarded(&file), vec![json!("all"); 3]);
}

#[test]
fn a_refused_key_leaves_everything_in_the_file() {
    let intake = MockAgent::start(|_, _| Plan::Refuse(403, ""));
    let scratch = captured(2);
    let file = scratch.path("all.json");
    let (stderr, is_fine) = reopen(&file, &intake.url(), &[]);
    assert!(
        !is_fine && stderr.contains("refuses the key (403)"),
        "{stderr}"
    );
    assert!(stderr.contains("2 spans of 2 traces"), "{stderr}");
    assert_eq!(forwarded(&file), [json!([]), json!([])]);
    let healthy = MockAgent::start(|_, _| taken());
    let (stderr, is_fine) = reopen(&file, &healthy.url(), &[]);
    assert!(is_fine, "{stderr}");
    check_each_once(&healthy, 2);
    assert_eq!(hits(&healthy), 2);
}

#[test]
fn the_screen_shows_the_file_while_it_is_sent_and_says_so_at_the_end() {
    let intake = MockAgent::start(|_, _| taken());
    let scratch = captured(3);
    let file = scratch.path("all.json");
    let key = format!("DD_API_KEY={KEY}");
    let url = format!("DD_APM_DD_URL={}", intake.url());
    let file_name = file.display().to_string();
    let program = env!("CARGO_BIN_EXE_modtrace-tui");
    let open = [program, "open", "--forward", "datadog", &file_name];
    let words = [&["env", &key, &url][..], &open].concat();
    let mut screen = Screen::start_command(&words, 36, 120);
    screen
        .wait_for(|text| text.contains("datadog datadoghq.com") && text.contains("Sending what "));
    wait_until("the spans came", || spans(&intake).len() == 3);
    screen.press("q");
    assert_eq!(screen.exit_code(), 0);
    screen.wait_for(|text| text.contains("Sent 3 spans of 3 traces to Datadog (datadoghq.com)"));
    check_no_key(&screen.text());
    check_each_once(&intake, 3);
    assert_eq!(hits(&intake), 3);
    assert_eq!(forwarded(&file), vec![json!("all"); 3]);
}
