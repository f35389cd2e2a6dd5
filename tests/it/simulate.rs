//! `modtrace-tui simulate FILE`: what it prints, what it says, and its exit code.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{Headless, Scratch, clear_environment, post};

const HEADER: &str = r#"{"scenario":"mine","config":{"target_tps":1}}"#;
/// Ten at once: of one second's worth, twice the target.
const BURST: &str = r#"{"op":"chunks","t":5000000000,"dt":0,"n":10,"priority":1,"root":{"service":"s"},"trace_id_first":"1","trace_id_step":"1"}"#;
const NEXT: &str =
    r#"{"op":"chunk","t":10000000000,"priority":1,"root":{"service":"s","trace_id":"7"}}"#;

fn simulate(scratch: &Scratch, args: &[&str], file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    clear_environment(&mut command, "MODTRACE_");
    clear_environment(&mut command, "DD_");
    command
        .env("XDG_CONFIG_HOME", scratch.path(""))
        .env("XDG_STATE_HOME", scratch.path(""))
        .arg("simulate")
        .arg(file)
        .args(args);
    command.output().unwrap()
}

/// Runs lines, checks the exit code and what stands on stderr, and returns what was printed.
#[track_caller]
fn check(args: &[&str], lines: &[&str], code: i32, said: &[&str]) -> Vec<Value> {
    let scratch = Scratch::new();
    let file = scratch.path("mine.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let output = simulate(&scratch, args, &file);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.is_empty(), said.is_empty(), "{stderr}");
    for part in said {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    printed(&output.stdout)
}

#[track_caller]
fn printed(stdout: &[u8]) -> Vec<Value> {
    let stdout = str::from_utf8(stdout).unwrap();
    let lines = stdout.lines();
    lines
        .map(|line| line.parse().expect("JSON lines"))
        .collect()
}

#[test]
fn a_line_is_answered_with_the_members_that_its_expectation_has() {
    let expected = r#"{"op":"end","expect":{"seen":10}}"#;
    let printed = check(&[], &[HEADER, BURST, expected], 0, &[]);
    let (end, balance) = (&printed[1], &printed[2]);
    assert_eq!(*end, json!({"seen": 10}));
    assert_eq!(*balance, json!({"agree": 1, "differ": 0}));
}

#[test]
fn without_expectations_all_that_is_computed_is_printed() {
    let printed = check(
        &[],
        &[HEADER, BURST, NEXT, r#"{"op":"rates","t":1}"#],
        0,
        &[],
    );
    let next = json!({"kept": true, "sampler": "priority", "rate": 0.5, "error_rate": null,
        "priority_sampled": true, "error_sampled": false,
        "set_metrics": {"_sampling_priority_rate_v1": 0.5}});
    assert_eq!(printed[1], next);
    assert_eq!(printed[3], json!({"agree": 0, "differ": 0}));
    let rates = &printed[2]["rates"];
    assert_eq!(rates["service:s,env:none"], 0.5, "{rates}");
}

#[test]
fn a_difference_is_exit_code_1() {
    let wrong = r#"{"op":"end","expect":{"seen":11,"kept":10}}"#;
    let printed = check(&[], &[HEADER, BURST, wrong], 1, &[]);
    assert_eq!(printed[1], json!({"seen": 10, "kept": 10}));
    assert_eq!(printed[2], json!({"agree": 0, "differ": 1}));
}

#[test]
fn options_are_defaults_and_the_file_wins() {
    let rate = |header: &str| {
        let printed = check(&["--target-tps", "1.5"], &[header, BURST, NEXT], 0, &[]);
        printed[1]["rate"].clone()
    };
    assert_eq!(rate(r#"{"scenario":"mine"}"#), 0.75);
    assert_eq!(rate(HEADER), 0.5);
}

#[test]
fn what_stands_before_an_unreadable_line_is_printed_and_the_line_is_named() {
    let said = ["error: ", "mine.jsonl", "line 4", "no JSON object"];
    let printed = check(&[], &[HEADER, "", BURST, "{\"op\"", NEXT], 1, &said);
    assert_eq!(printed.len(), 1, "{printed:?}");
    assert_eq!(printed[0]["kept"], "all");
}

#[test]
fn a_file_without_a_first_line_is_told() {
    check(&[], &[BURST], 1, &["line 1", "`config`"]);
    check(&[], &[], 1, &["nothing in it"]);
}

#[test]
fn a_setting_that_is_not_known_is_a_warning() {
    let header = r#"{"config":{"target_tps":1,"mood\u001b[31m":3}}"#;
    let printed = check(&[], &[header, BURST], 0, &["warning: ", "mood"]);
    assert_eq!(printed.len(), 2);
}

#[test]
fn options_it_would_not_heed_are_refused() {
    for option in [["--listen", "127.0.0.1:0"], ["--export", "all.json"]] {
        check(
            &option,
            &[HEADER],
            2,
            &["`simulate` only reads FILE", option[0]],
        );
    }
}

/// Three deliveries of forty traces: kept, rejected, by hand, with errors.
fn export(scratch: &Scratch) -> Value {
    let agent = Headless::start(&["--target-tps", "2"]);
    for round in 0..3_u64 {
        let chunk = |id: u64| {
            let id = 1 + id + 1_000 * round;
            json!([{"trace_id": id, "span_id": id, "name": "n", "service": "s", "start": 1,
                "duration": 1, "error": id % 2, "meta": {"env": "dev"},
                "metrics": {"_sampling_priority_v1": id % 3}}])
        };
        let body: Vec<Value> = (0..40).map(chunk).collect();
        let body = json!(body).to_string();
        let answer = post(
            agent.url(),
            "/v0.4/traces",
            "Content-Type: application/json\r\n",
            body.as_bytes(),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let finished = agent.finish();
    fs::write(scratch.path("all.json"), finished.export.to_string()).unwrap();
    finished.export
}

#[test]
fn an_export_is_replayed_trace_by_trace_and_agrees_with_what_it_says() {
    let scratch = Scratch::new();
    let mut export = export(&scratch);
    let file = scratch.path("all.json");
    let output = simulate(&scratch, &["--target-tps", "2"], &file);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let printed = printed(&output.stdout);
    assert_eq!(printed[120], json!({"agree": 120, "differ": 0}));
    for (place, printed) in printed[..120].iter().enumerate() {
        let trace = &export["traces"][place];
        let mut expected = trace["sampling"]["simulated"].clone();
        expected["trace_id"] = trace["trace_id"].clone();
        assert_eq!(*printed, expected);
    }
    let kept = &mut export["traces"][7]["sampling"]["simulated"]["kept"];
    *kept = (!kept.as_bool().unwrap()).into();
    fs::write(&file, export.to_string()).unwrap();
    let output = simulate(&scratch, &["--target-tps", "2"], &file);
    assert_eq!(output.status.code(), Some(1));
    let printed = self::printed(&output.stdout);
    assert_eq!(printed[120], json!({"agree": 119, "differ": 1}));
}

#[test]
fn an_export_that_is_damaged_is_told() {
    let scratch = Scratch::new();
    let file = scratch.path("cut.json");
    fs::write(&file, r#"{"format":"modtrace","version":1,"traces":[{"#).unwrap();
    let output = simulate(&scratch, &[], &file);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cut.json") && stderr.contains("ends in the middle"));
}
