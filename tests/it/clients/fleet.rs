//! Containers with the lines that `env modal` prints: what their spans and lines say of them is what
//! the clients know of them, under the real `modal serve` and as processes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Client, Exchange};
use crate::serve::serve_program;

/// The tags of a request that its log lines carry too.
const IDS: [&str; 4] = [
    "modal.task_id",
    "modal.input_id",
    "modal.function_call_id",
    "cold_start",
];

/// A request that a client served, and what came of it.
struct Request<'a> {
    /// What the client knows: ids, and in `kind` what its start was.
    truth: &'a Value,
    trace: &'a Value,
    root: &'a Value,
}

/// Runs a scenario of `fleet.py`, and gives what the client knows of each of its requests beside
/// what came of it. This is the place to compare more of the two.
#[track_caller]
fn check(scenario: &str, tags: &str, check_request: impl Fn(&Request<'_>)) {
    let exchange = Client::new("fleet.py").args(&[scenario, tags]).run();
    exchange.check();
    let last = exchange.client_stdout.lines().last().expect("the truth");
    let last: Value = last.parse().expect("JSON");
    let requests = last["facts"]["requests"].as_array().expect("requests");
    let traces = exchange.traces().iter();
    let by_id: BTreeMap<_, _> = traces
        .map(|trace| (trace["trace_id"].as_str(), trace))
        .collect();
    for truth in requests {
        let trace = by_id[&truth["trace_id"].as_str()];
        let root = &trace["spans"][0];
        assert_eq!(root["span_id"], truth["span_id"], "{scenario}");
        check_request(&Request { truth, trace, root });
    }
    check_lifecycle(&exchange);
    if tags == "helper" {
        check_first(exchange.traces());
        check_lines(requests, &exchange.client_stdout);
    }
}

/// A request of an app with the helper.
#[track_caller]
fn check_tags(request: &Request<'_>) {
    let Request { truth, trace, root } = request;
    let meta = &root["meta"];
    assert_eq!(meta["modal.task_id"], truth["task_id"]);
    assert_eq!(meta["modal.input_id"], truth["input_id"]);
    assert_eq!(meta["modal.function_call_id"], truth["function_call_id"]);
    let may_be_first = truth["kind"] != "warm";
    assert!(
        meta["cold_start"] == "false" || (meta["cold_start"] == "true" && may_be_first),
        "{truth}: {meta}"
    );
    if truth["kind"] == "restored" {
        assert_eq!(meta["cold_start"], "true", "{truth}");
    }
    check_container(trace, truth);
}

#[track_caller]
fn check_container(trace: &Value, truth: &Value) {
    let container = &trace["container"];
    assert_eq!(container["task_id"], truth["task_id"], "{container}");
    assert_eq!(container["known_by"], "tag", "{container}");
}

/// What a container does for itself is no input, so it is not the first either.
#[track_caller]
fn check_lifecycle(exchange: &Exchange) {
    let traces = exchange.traces().iter();
    let own = traces.filter(|trace| trace["root"] != "document.process");
    let own: Vec<_> = own.map(|trace| &trace["spans"][0]["meta"]).collect();
    assert!(!own.is_empty(), "there is a `modal.init`");
    for meta in own {
        let said = IDS.map(|name| meta[name].is_string());
        assert!(!said[1] && !said[2] && !said[3], "{meta}");
    }
}

/// Of the requests of each container exactly one says that it was the first.
#[track_caller]
fn check_first(traces: &[Value]) {
    let mut n_first = BTreeMap::new();
    for trace in traces {
        let meta = &trace["spans"][0]["meta"];
        let of_container = n_first.entry(meta["modal.task_id"].as_str()).or_insert(0);
        *of_container += i32::from(meta["cold_start"] == "true");
    }
    assert!(n_first.values().all(|n_first| *n_first == 1), "{n_first:?}");
}

/// The lines within a request carry its ids, and those after it do not.
#[track_caller]
fn check_lines(requests: &[Value], stdout: &str) {
    let lines = stdout.lines().map(|line| line.parse::<Value>());
    let lines: Vec<Value> = lines.collect::<Result<_, _>>().expect("JSON lines");
    let within: Vec<_> = lines
        .iter()
        .filter(|line| line["input"].is_string())
        .collect();
    assert_eq!(within.len(), 2 * requests.len());
    for line in within {
        let mut of_input = requests
            .iter()
            .filter(|truth| truth["input_id"] == line["input"]);
        let truth = of_input.next().expect("the request of the line");
        assert_eq!(line["modal.input_id"], line["input"]);
        assert_eq!(line["modal.task_id"], truth["task_id"]);
        assert_eq!(line["modal.function_call_id"], truth["function_call_id"]);
        assert!(line["cold_start"].is_string(), "{line}");
    }
    let after: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "returned")
        .collect();
    assert_eq!(after.len(), requests.len());
    for line in after {
        assert!(IDS.iter().all(|name| line[name].is_null()), "{line}");
    }
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn the_first_request_of_each_process_says_so() {
    check("processes", "helper", |request| {
        check_tags(request);
        let is_first = request.truth["kind"] == "cold";
        let expected = if is_first { "true" } else { "false" };
        assert_eq!(request.root["meta"]["cold_start"], expected);
    });
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn of_eight_first_requests_at_once_one_says_so_in_threads_and_in_tasks() {
    check("overlap", "helper", check_tags);
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn of_processes_forked_before_the_first_request_one_says_so() {
    check("fork", "helper", |request| {
        check_tags(request);
        let is_first = request.truth["kind"] == "cold";
        let expected = if is_first { "true" } else { "false" };
        assert_eq!(request.root["meta"]["cold_start"], expected);
    });
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn a_restored_process_is_another_container_with_a_first_request_of_its_own() {
    let runtime_ids = std::cell::RefCell::new(BTreeSet::new());
    check("restored", "helper", |request| {
        check_tags(request);
        let runtime_id = request.trace["container"]["runtime_id"].to_string();
        runtime_ids.borrow_mut().insert(runtime_id);
    });
    assert_eq!(runtime_ids.into_inner().len(), 1, "it is one process");
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn a_task_id_alone_tells_the_containers_apart() {
    for scenario in ["processes", "overlap", "fork", "restored"] {
        check(scenario, "task_id", |request| {
            check_container(request.trace, request.truth);
            assert!(request.root["meta"]["cold_start"].is_null());
        });
    }
}

/// What an exported line has under a name.
fn field<'a>(line: &'a Value, name: &str) -> &'a Value {
    &line["fields"][name]
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn modal_serve_with_the_helper_tells_each_request_and_line_apart() {
    const N_DOCUMENTS: usize = 24;
    let requests = N_DOCUMENTS.to_string();
    let arguments = ["--containers", "2", "--requests", &requests];
    let came = serve_program("tagged_app.py", "relay", &arguments, |headless, _| {
        headless.wait_for_traces("document.process", N_DOCUMENTS);
    });
    let Some(came) = came else { return };
    let traces = came.export["traces"].as_array().expect("traces");
    let mut inputs = BTreeSet::new();
    for trace in traces {
        let meta = &trace["spans"][0]["meta"];
        let container = &trace["container"];
        assert_eq!(container["known_by"], "relay", "{container}");
        assert_eq!(meta["modal.task_id"], container["task_id"]);
        let lines = trace["logs"].as_array().expect("lines");
        let is_document = trace["root"] == "document.process";
        assert_eq!(lines.len(), if is_document { 2 } else { 1 }, "{trace}");
        for line in lines {
            assert_eq!(line["joined_by"], "trace_id");
            for name in IDS {
                assert_eq!(*field(line, name), meta[name], "{name} of {line}");
            }
        }
        assert_eq!(meta["cold_start"].is_string(), is_document, "{meta}");
        if is_document {
            let document_id = meta["document_id"].as_str().expect("a document");
            assert_eq!(meta["modal.input_id"], format!("in-{document_id}"));
            assert_eq!(meta["modal.function_call_id"], format!("fc-{document_id}"));
            inputs.insert(document_id);
        }
    }
    assert_eq!(inputs.len(), N_DOCUMENTS);
    check_first(traces);
}
