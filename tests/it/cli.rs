//! The command line of the built program: help, exit codes, sentences.

use std::process::{Command, Output};

/// Runs the program in an environment that says nothing.
fn run(arguments: &[&str]) -> Output {
    let empty = env!("CARGO_TARGET_TMPDIR");
    Command::new(env!("CARGO_BIN_EXE_modtrace-tui"))
        .args(arguments)
        .env_clear()
        .env("HOME", empty)
        .env("XDG_CONFIG_HOME", empty)
        .env("XDG_STATE_HOME", empty)
        .output()
        .unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Checks that it is wrong usage, told on stderr alone in words that hold `part`.
#[track_caller]
fn check_usage_error(arguments: &[&str], part: &str) {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn the_long_help_has_five_worked_examples_and_the_short_one_fits_a_screen() {
    let long = stdout(&["--help"]);
    let (_, examples) = long.split_once("Examples:").unwrap();
    let worked = examples
        .lines()
        .filter(|line| line.starts_with("  modtrace-tui"));
    assert_eq!(worked.count(), 5, "{long}");
    let short = stdout(&["-h"]);
    assert!(short.lines().count() <= 36, "{short}");
    assert!(!short.contains("Examples:"));
}

#[test]
fn every_worked_example_is_a_command_line_it_takes() {
    let long = stdout(&["--help"]);
    let (_, examples) = long.split_once("Examples:").unwrap();
    for line in examples
        .lines()
        .filter_map(|line| line.strip_prefix("  modtrace-tui"))
    {
        let mut arguments: Vec<_> = line.split_whitespace().collect();
        // What follows `--` is another program's.
        let end = arguments.iter().position(|word| *word == "--");
        arguments.insert(end.unwrap_or(arguments.len()), "-h");
        assert!(stdout(&arguments).contains("Usage: modtrace-tui"), "{line}");
    }
}

#[test]
fn every_option_of_the_help_is_in_the_manual_and_the_completions() {
    let help = stdout(&["-h"]);
    let manual = stdout(&["man"]).replace("\\-", "-");
    let completions = stdout(&["completions", "bash"]);
    let options: Vec<_> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .collect();
    assert!(options.len() > 10, "{help}");
    for option in options {
        assert!(manual.contains(option), "{option} in the manual");
        assert!(completions.contains(option), "{option} in the completions");
    }
    for hidden in ["panic-after", "completions", "man "] {
        assert!(!help.contains(hidden), "{hidden} shows");
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_to_do() {
    check_usage_error(&["--frobnicate"], "--frobnicate");
    check_usage_error(&["open"], "<FILE>");
    check_usage_error(&["--memory", "lots"], "512MiB");
    check_usage_error(&["--token", "a/b"], "part of the path");
    check_usage_error(&["--config", "no-such-file.toml"], "no-such-file.toml");
}

#[test]
fn what_is_not_built_is_absent() {
    check_usage_error(&["doctor", "--forward", "all.json"], "unexpected argument");
    check_usage_error(&["doctor"], "modtrace-tui doctor --forward");
}

#[test]
fn an_address_others_can_reach_is_refused_without_a_token() {
    check_usage_error(&["--listen", "0.0.0.0:0"], "add --token TOKEN");
    check_usage_error(&["--listen", "[::]:0", "--headless"], "--insecure-listen");
}

#[test]
fn an_unknown_key_of_the_configuration_is_told_with_its_line() {
    let path = format!("{}/unknown-key.toml", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, "ascii = true\nspeed = 3\n").unwrap();
    check_usage_error(&["--config", &path], "line 2: unknown field `speed`");
}
