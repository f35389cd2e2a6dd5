//! The built program without a screen: recorded requests in, the stream and the export out, and the
//! export opened again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{self, Finished, Headless, Scratch, clear_environment};

/// A payload that ends in the middle of its first span.
const CUT: &[u8] = &[0x91, 0x91, 0x83, 0xa4, b'n', b'a'];

/// The recorded payloads, in order of their names.
fn recorded() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut payloads: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "msgpack"))
        .collect();
    payloads.sort();
    assert!(payloads.len() > 40, "the recorded payloads are there");
    payloads
}

/// Sends a body and returns the status of the answer.
fn post(url: &str, path: &str, body: &[u8]) -> u16 {
    support::post(url, path, "X-Datadog-Trace-Count: 1\r\n", body).status
}

/// Sends a recorded payload to the path it was recorded at.
fn post_recorded(url: &str, payload: &Path) -> u16 {
    let meta = fs::read_to_string(payload.with_extension("msgpack.meta.json")).unwrap();
    let meta: Value = meta.parse().unwrap();
    let path = meta["path"].as_str().unwrap();
    post(url, path, &fs::read(payload).unwrap())
}

fn counter(finished: &Finished, name: &str) -> u64 {
    finished.export["counters"][name].as_u64().unwrap()
}

#[track_caller]
fn check_balance(finished: &Finished) {
    let of = |name| counter(finished, name);
    assert_eq!(
        of("spans_received"),
        of("spans_shown") + of("spans_evicted") + of("spans_duplicate")
    );
    let summaries: Vec<_> = finished.events_named("summary").collect();
    assert_eq!(
        summaries.len(),
        1,
        "one summary, last: {:?}",
        finished.stdout.last()
    );
    assert_eq!(summaries[0]["counters"], finished.export["counters"]);
}

#[test]
fn every_recorded_payload_is_told_exported_and_opened_again_byte_for_byte() {
    let program = Headless::start(&[]);
    for payload in recorded() {
        assert_eq!(
            post_recorded(program.url(), &payload),
            200,
            "{}",
            payload.display()
        );
    }
    let finished = program.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    check_balance(&finished);
    let traces = finished.export["traces"].as_array().unwrap();
    let n_spans: usize = traces
        .iter()
        .map(|trace| trace["spans"].as_array().unwrap().len())
        .sum();
    assert_eq!(counter(&finished, "spans_shown"), n_spans as u64);
    for trace in traces {
        let id = &trace["trace_id"];
        let told = finished
            .events_named("trace")
            .filter(|event| event["trace_id"] == *id);
        let last = told.last().expect("every trace has a line");
        assert_eq!(
            last["spans"].as_u64().unwrap(),
            trace["spans"].as_array().unwrap().len() as u64
        );
        assert_eq!(last["sampling"], trace["sampling"]);
    }
    let original = finished.scratch.path("all.json");
    let again = open_and_export(&finished.scratch, &original);
    assert!(
        without_date(&original) == without_date(&again),
        "the same bytes"
    );
}

fn open_and_export(scratch: &Scratch, file: &Path) -> PathBuf {
    let again = scratch.path("again.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    clear_environment(&mut command, "MODTRACE_");
    let status = command
        .args(["open", "--headless", "--log-file", "/dev/null", "--export"])
        .args([&again, file])
        .env("XDG_CONFIG_HOME", scratch.path(""))
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    again
}

/// A file without the one member that differs: when it was written.
fn without_date(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let (before, from) = text.split_once(r#""exported_at":""#).unwrap();
    let (_, after) = from.split_once('"').unwrap();
    format!("{before}{after}")
}

#[test]
fn every_line_is_told_joined_exported_and_opened_again_byte_for_byte() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let printed = fs::read_to_string(fixtures.join("lines/docproc-v05-412.stdout.txt")).unwrap();
    let items: Vec<_> = printed
        .lines()
        .map(|line| serde_json::json!({"message": line, "ddsource": "python"}))
        .collect();
    let body = |items: &[Value]| serde_json::to_vec(items).unwrap();
    let program = Headless::start(&[]);
    // Some lines come before their spans, some after.
    let (before, after) = items.split_at(items.len() / 2);
    assert_eq!(post(program.url(), "/api/v2/logs", &body(before)), 202);
    for payload in recorded() {
        if payload.to_string_lossy().contains("docproc-v05-412") {
            assert_eq!(post_recorded(program.url(), &payload), 200);
        }
    }
    assert_eq!(post(program.url(), "/api/v2/logs", &body(after)), 202);
    let finished = program.finish();
    check_balance(&finished);
    let n_lines = items.len() as u64;
    assert_eq!(counter(&finished, "logs_joined"), n_lines);
    assert_eq!(counter(&finished, "logs_unjoined"), 0);
    let told: Vec<_> = finished.events_named("log").collect();
    assert_eq!(told.len() as u64, n_lines);
    for (event, line) in told.iter().zip(printed.lines()) {
        let line: Value = line.parse().unwrap();
        assert_eq!(event["message"], line["event"]);
        assert_eq!(event["level"], line["level"]);
        assert_eq!(event["span_id"], line["dd"]["span_id"]);
        let id: u128 = line["dd"]["trace_id"].as_str().unwrap().parse().unwrap();
        assert_eq!(event["trace_id"], format!("{id:032x}"));
    }
    let traces = finished.export["traces"].as_array().unwrap();
    for trace in traces {
        assert!(!trace["logs"].as_array().unwrap().is_empty());
        assert_eq!(trace["container"]["task_id"], "ta-01ABCDEF");
        assert_eq!(trace["container"]["known_by"], "log");
    }
    let original = finished.scratch.path("all.json");
    let again = open_and_export(&finished.scratch, &original);
    assert!(
        without_date(&original) == without_date(&again),
        "the same bytes"
    );
}

#[test]
fn a_payload_that_cannot_be_read_is_told_with_its_place_and_the_next_one_is_shown() {
    let program = Headless::start(&[]);
    assert_eq!(post(program.url(), "/v0.4/traces", CUT), 400);
    let good = recorded()
        .into_iter()
        .find(|path| path.to_string_lossy().contains("docproc-v05-412-1"));
    assert_eq!(post_recorded(program.url(), &good.unwrap()), 200);
    let finished = program.finish();
    check_balance(&finished);
    let refused: Vec<_> = finished.events_named("refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["path"], "/v0.4/traces");
    assert_eq!(refused[0]["status"], 400);
    assert_eq!(refused[0]["bytes"], CUT.len());
    let reason = refused[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("[0][0]") && reason.contains("byte"),
        "{reason}"
    );
    assert_eq!(counter(&finished, "payloads_refused"), 1);
    assert_eq!(counter(&finished, "chunks_undecodable"), 1);
    assert_eq!(counter(&finished, "payloads_received"), 1);
    assert!(finished.events_named("trace").count() > 0);
}

#[test]
fn a_trace_that_is_evicted_is_told_before_it_goes() {
    let program = Headless::start(&["--memory", "64KiB"]);
    for payload in recorded() {
        post_recorded(program.url(), &payload);
    }
    let finished = program.finish();
    check_balance(&finished);
    assert!(counter(&finished, "traces_evicted") > 0);
    let told = finished.events_named("trace").count() as u64;
    let n_held = finished.export["traces"].as_array().unwrap().len() as u64;
    assert!(told >= counter(&finished, "traces_evicted") + n_held);
}

#[test]
fn a_retry_is_shown_once_and_counted() {
    let program = Headless::start(&[]);
    let payload = recorded()
        .into_iter()
        .find(|path| path.to_string_lossy().contains("fanout-40"))
        .unwrap();
    post_recorded(program.url(), &payload);
    post_recorded(program.url(), &payload);
    let finished = program.finish();
    check_balance(&finished);
    assert_eq!(
        counter(&finished, "spans_duplicate"),
        counter(&finished, "spans_shown")
    );
    assert_eq!(finished.export["traces"].as_array().unwrap().len(), 1);
}
