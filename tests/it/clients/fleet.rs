//! Containers with the lines that `env modal` prints: what their spans and lines say of them is what
//! the clients know of them, under the real `modal serve` and as processes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Client, Exchange};
use crate::serve::serve_program;
use crate::support::Headless;

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
fn check(scenario: &str, tags: &str, check_request: impl Fn(&Request<'_>)) -> Exchange {
    let agent = Headless::start(&["--init-span", "load_model"]);
    let url = agent.url().to_owned();
    let client = Client::new("fleet.py").args(&[scenario, tags]);
    let exchange = client.run_against(agent, &url);
    exchange.check();
    let requests = requests(&exchange);
    assert!(!requests.is_empty(), "{scenario} has requests");
    let traces = exchange.traces().iter();
    let by_id: BTreeMap<_, _> = traces
        .map(|trace| (trace["trace_id"].as_str(), trace))
        .collect();
    for truth in &requests {
        let trace = by_id[&truth["trace_id"].as_str()];
        let root = &trace["spans"][0];
        assert_eq!(root["span_id"], truth["span_id"], "{scenario}");
        check_request(&Request { truth, trace, root });
    }
    check_lifecycle(&exchange);
    exchange
}

/// The same with the helper in containers, where it must also tell the first request and the lines.
#[track_caller]
fn check_helper(scenario: &str) -> Exchange {
    let exchange = check(scenario, "helper", check_tags);
    check_first(exchange.traces());
    check_lines(&requests(&exchange), &exchange.client_stdout);
    exchange
}

/// What the client knows of its requests.
#[track_caller]
fn requests(exchange: &Exchange) -> Vec<Value> {
    let last = exchange.client_stdout.lines().last().expect("the truth");
    let last: Value = last.parse().expect("JSON");
    let requests = last["facts"]["requests"].as_array();
    requests.expect("requests").clone()
}

/// A request of an app with the helper.
#[track_caller]
fn check_tags(request: &Request<'_>) {
    let Request { truth, trace, root } = request;
    let meta = &root["meta"];
    assert_eq!(meta["modal.task_id"], truth["task_id"]);
    assert_eq!(meta["modal.input_id"], truth["input_id"]);
    assert_eq!(meta["modal.function_call_id"], truth["function_call_id"]);
    let kind = truth["kind"].as_str().expect("a kind");
    let is_first = meta["cold_start"].as_str().expect("a text");
    match kind {
        "restored" => assert_eq!(is_first, "true", "{truth}"),
        "warm" => assert_eq!(is_first, "false", "{truth}"),
        // Of those that began at once, which says so is chance.
        _ => assert!(["true", "false"].contains(&is_first), "{meta}"),
    }
    check_container(trace, truth);
    // The helper says that a request is the first of its container; that it was restored says more.
    let contradicted = "came from a memory snapshot";
    let is_contradicted = trace["start_evidence"].to_string().contains(contradicted);
    match kind {
        "restored" => assert!(is_contradicted, "{trace}"),
        _ => check_start(trace, truth),
    }
}

/// What is said of the start is what it was.
#[track_caller]
fn check_start(trace: &Value, truth: &Value) {
    let evidence = &trace["start_evidence"];
    assert_eq!(trace["start_kind"], truth["kind"], "{evidence}");
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
    for meta in own.map(|trace| &trace["spans"][0]["meta"]) {
        let said = IDS.map(|name| meta[name].is_string());
        assert_eq!(said, [true, false, false, false], "{meta}");
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
    let lines = stdout.lines().map(str::parse::<Value>);
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
    check_helper("processes");
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn of_eight_first_requests_at_once_one_says_so_in_threads_and_in_tasks() {
    check_helper("overlap");
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn of_processes_forked_before_the_first_request_one_says_so() {
    let exchange = check_helper("fork");
    let traces = exchange.traces().iter();
    let processes = traces.map(|trace| trace["container"]["runtime_id"].to_string());
    assert_eq!(processes.collect::<BTreeSet<_>>().len(), 3);
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn a_restored_process_is_another_container_with_a_first_request_of_its_own() {
    let exchange = check_helper("restored");
    let all_of = |name: &str| {
        let traces = exchange.traces().iter();
        let values = traces.map(|trace| trace["container"][name].to_string());
        values.collect::<BTreeSet<_>>().len()
    };
    assert_eq!((all_of("runtime_id"), all_of("task_id")), (1, 3));
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn what_runs_before_the_first_input_is_not_the_first_whatever_its_name() {
    check_helper("loaded");
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn outside_of_modal_the_helper_says_nothing() {
    let exchange = check("outside", "helper", |request| {
        let meta = &request.root["meta"];
        assert!(IDS.iter().all(|name| meta[name].is_null()), "{meta}");
    });
    let lines = exchange.client_stdout.lines().rev().skip(1);
    let mut n_lines = 0;
    for line in lines {
        assert!(!line.contains("modal."), "{line}");
        assert!(!line.contains("cold_start"), "{line}");
        n_lines += 1;
    }
    assert_eq!(n_lines, 6, "three of each request");
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn a_task_id_alone_tells_the_containers_apart() {
    for scenario in ["processes", "overlap", "fork", "restored", "loaded"] {
        check(scenario, "task_id", |request| {
            check_container(request.trace, request.truth);
            assert!(request.root["meta"]["cold_start"].is_null());
            check_start(request.trace, request.truth);
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
