//! Names that strangers choose to do harm, through the built program: what it writes to stdout,
//! stderr, its log and its files is never obeyed by a terminal, and names no file.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Client, Headless, Scratch, clear_environment, request};

/// Each would do something to a terminal, a reader or a path.
const NASTY: [&str; 8] = [
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07\x1b]52;c;cm0=\x07",
    "\u{9b}31m\u{9d}0;title\u{9c}\u{85}",
    "a\rb\x08\x7f",
    "name\nrm -rf ~\n\tx",
    "safe\u{202e}txt\u{2066}.exe\u{2028}",
    "../../../evil",
    "nul\0",
];

/// A stranger's text that a terminal would obey is in none of what was written.
#[track_caller]
fn assert_harmless(written: &str, allowed: &[char]) {
    let is_obeyed = |char: char| {
        char.is_control()
            || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found = written
        .chars()
        .find(|char| is_obeyed(*char) && !allowed.contains(char));
    assert_eq!(found, None, "in {written:?}");
}

fn send(url: &str, bytes: &[u8]) {
    let mut client = Client::of(url);
    client.write(bytes);
    assert_harmless(&client.rest(), &['\r', '\n']);
}

/// The only one of its connection.
fn put(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    request(
        "PUT",
        path,
        &format!("{headers}Connection: close\r\n"),
        body,
    )
}

#[test]
fn what_strangers_send_is_told_harmlessly_and_comes_back_whole() {
    let mut program = Headless::start(&[]);
    for (number, text) in (1..).zip(NASTY) {
        let spans = json!([[{
            "trace_id": number, "span_id": 1, "parent_id": 0, "start": 1, "duration": 1, "error": 1,
            "service": text, "name": text, "resource": text, "type": text,
            "meta": {text: text, "modal.task_id": text, "error.message": text},
        }]]);
        let body = rmp_serde::to_vec_named(&spans).unwrap();
        send(program.url(), &put("/v0.4/traces", "", &body));
        let lines = json!([{"message": text, "ddsource": text, "hostname": text}]);
        let lines = serde_json::to_vec(&lines).unwrap();
        send(program.url(), &put("/api/v2/logs", "", &lines));
        // A decoder that names the key it was at, a path and a header.
        let broken = [
            b"\x91\x91\x81\xd9".as_slice(),
            &[u8::try_from(text.len()).unwrap()],
            text.as_bytes(),
            b"\xc1",
        ];
        send(program.url(), &put("/v0.4/traces", "", &broken.concat()));
        let encoded = text.bytes().fold(String::new(), |encoded, byte| {
            encoded + &format!("%{byte:02x}")
        });
        send(
            program.url(),
            &put(&format!("/{encoded}"), "User-Agent: \u{202e}x\r\n", b""),
        );
        send(program.url(), text.as_bytes());
    }
    program.wait_for_traces("../../../evil", 1);
    let finished = program.finish();
    for line in &finished.stdout {
        assert_harmless(line, &[]);
    }
    let mut roots: Vec<&str> = finished
        .events_named("trace")
        .filter_map(|event| event["root"].as_str())
        .collect();
    let mut sent = NASTY.to_vec();
    roots.sort_unstable();
    sent.sort_unstable();
    assert_eq!(roots, sent, "told with escapes, and whole");
    assert_harmless(&finished.stderr, &['\n']);
    let log = finished.scratch.path("modtrace-tui/modtrace-tui.log");
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("no HTTP"), "{log}");
    assert_harmless(&log, &['\n']);
    let export = fs::read_to_string(finished.scratch.path("all.json")).unwrap();
    assert_harmless(&export, &['\n']);
    assert_eq!(files_in(&finished.scratch), ["all.json", "modtrace-tui"]);
}

fn files_in(scratch: &Scratch) -> Vec<String> {
    let entries = fs::read_dir(scratch.path("")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn names_of_files_and_what_is_in_them_are_told_harmlessly_on_stderr() {
    for text in NASTY {
        let scratch = Scratch::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
        clear_environment(&mut command, "MODTRACE_");
        let name = text.replace(['/', '\0'], "_");
        let newer = json!([[{"trace_id": 1, "span_id": 1, "name": text, text: text, "start": 1}]]);
        fs::write(scratch.path(format!("{name}1")), newer.to_string()).unwrap();
        fs::write(
            scratch.path(format!("{name}2")),
            format!("{{\"{text}\": {text}"),
        )
        .unwrap();
        let output = command
            .env("XDG_CONFIG_HOME", scratch.path(""))
            .env("XDG_STATE_HOME", scratch.path(""))
            .args(["open", "--headless"])
            .arg(scratch.path(format!("{name}1")))
            .arg(scratch.path(format!("{name}2")))
            .arg(scratch.path(format!("{name}1")))
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.is_empty());
        assert_harmless(&stderr, &['\n', '\t']);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_harmless(&stdout, &['\n']);
        for line in stdout.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
}

#[test]
fn a_wrong_command_line_is_told_harmlessly() {
    for text in NASTY {
        let text = text.replace('\0', "");
        for arguments in [
            vec![text.as_str()],
            vec!["--listen", &text],
            vec!["--config", &text],
            vec!["open", &text],
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"))
                .args(&arguments)
                .output()
                .unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(
                !output.status.success() && !stderr.is_empty(),
                "{arguments:?}"
            );
            assert_harmless(&stderr, &['\n', '\t']);
        }
    }
}
