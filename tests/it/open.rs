//! `open --headless` of files that are whole, hold more than is known, or are damaged: what is shown,
//! what is said of it, and the exit code.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Scratch, clear_environment};

/// Two traces as an agent takes them.
const CHUNKS: &str = r#"[[{"trace_id":1,"span_id":1,"name":"first","start":1,"duration":1}],
[{"trace_id":2,"span_id":2,"name":"second","start":2,"duration":1}]]"#;

fn open(scratch: &Scratch, files: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    clear_environment(&mut command, "MODTRACE_");
    command
        .env("XDG_CONFIG_HOME", scratch.path(""))
        .env("XDG_STATE_HOME", scratch.path(""))
        .args(["open", "--headless", "--export"])
        .arg(scratch.path("again.json"));
    for (name, text) in files {
        fs::write(scratch.path(name), text).unwrap();
        command.arg(scratch.path(name));
    }
    command.output().unwrap()
}

/// Checks the exit code, the names of the traces that are shown and exported, and what is said.
#[track_caller]
fn check(files: &[(&str, &str)], code: i32, roots: &[&str], said: &[&str]) {
    let scratch = Scratch::new();
    let output = open(&scratch, files);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.is_empty(), said.is_empty(), "{stderr}");
    for part in said {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    let stdout = String::from_utf8(output.stdout).unwrap();
    let events = stdout
        .lines()
        .map(|line| line.parse::<Value>().expect("JSON lines"));
    let shown = events.filter(|event| event["event"] == "trace");
    let shown: Vec<_> = shown.map(|event| event["root"].clone()).collect();
    assert_eq!(shown, roots);
    let export = fs::read_to_string(scratch.path("again.json")).unwrap_or_default();
    let export: Value = export.parse().unwrap_or_default();
    let exported = export["traces"].as_array().into_iter().flatten();
    let exported: Vec<_> = exported.map(|trace| trace["root"].clone()).collect();
    assert_eq!(exported, roots);
}

#[test]
fn a_whole_file_is_shown_without_a_word() {
    check(&[("whole.json", CHUNKS)], 0, &["first", "second"], &[]);
}

#[test]
fn a_whole_file_with_more_in_it_than_is_known_is_fine_and_told() {
    let more = CHUNKS.replace(r#""duration":1"#, r#""duration":1,"mood":"good""#);
    let said = ["warning: ", "newer.json", "does not know were left out: 2"];
    check(&[("newer.json", &more)], 0, &["first", "second"], &said);
}

#[test]
fn what_stands_before_the_damage_is_kept_and_the_damage_is_a_failure() {
    let (cut, _) = CHUNKS.rsplit_once("start").unwrap();
    let said = ["error: ", "cut.json", "What came before it is kept"];
    check(&[("cut.json", cut)], 1, &["first"], &said);
    let broken = CHUNKS.replace(r#""start":2"#, r#""start":x"#);
    let said = ["error: ", "broken.json", "trace 2, span 1"];
    check(&[("broken.json", &broken)], 1, &["first"], &said);
}

#[test]
fn a_file_that_brings_nothing_does_not_hide_the_others() {
    let files = [("text.json", "hello"), ("whole.json", CHUNKS)];
    check(&files, 1, &["first", "second"], &["text.json", "not JSON"]);
    check(&files[..1], 1, &[], &["text.json", "not JSON"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_summary_is_written_even_when_the_export_cannot_be() {
    let scratch = Scratch::new();
    fs::write(scratch.path("whole.json"), CHUNKS).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    clear_environment(&mut command, "MODTRACE_");
    let open = ["open", "--headless", "--export", "/dev/full"];
    let output = command
        .args(open)
        .arg(scratch.path("whole.json"))
        .env("XDG_CONFIG_HOME", scratch.path(""))
        .env("XDG_STATE_HOME", scratch.path(""))
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    let last = stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with(r#"{"event":"summary""#), "{stdout}");
}
