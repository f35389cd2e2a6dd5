//! Real clients (`tests/clients`) against the built program: what they say they sent is what it has.
//!
//! Ignored by default, because they need Python with ddtrace; `.ci/run` makes `.venv` and runs them.

mod closed_loop;
mod counted;
mod fleet;
mod intake;
pub(crate) mod otlp;
mod ruled;
mod test_agent;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Map, Value, json};

use crate::support::{Finished, Headless, Scratch, clear_environment};

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn the_modal_class_appears_as_it_was_written() {
    let exchange = Client::new("document_processor.py").args(&["3"]).run();
    exchange.check();
    let documents = [
        "modal.init",
        "document.process",
        "document.process",
        "document.process",
    ];
    assert_eq!(exchange.each_trace("root"), documents);
    let process = exchange.export()["traces"][1]["spans"]
        .as_array()
        .expect("spans");
    let shape = process
        .iter()
        .map(|span| (&span["name"], &span["type"], &span["parent_id"]));
    let (root, none) = (&process[0]["span_id"], &json!("0"));
    let expected = [
        (&json!("document.process"), &json!("serverless"), none),
        (&json!("document.parse"), &json!("template"), root),
        (&json!("document.extract"), &json!("llm"), root),
    ];
    assert_eq!(shape.collect::<Vec<_>>(), expected);
    assert_eq!(process[0]["meta"]["document.id"], "doc-0");
    assert_eq!(process[0]["metrics"]["document.fields"].as_f64(), Some(6.0));
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn an_id_in_a_log_line_is_an_id_in_the_export() {
    let exchange = Client::new("document_processor.py").args(&["3"]).run();
    let known = exchange.spans_by_id();
    let lines = exchange
        .client_stdout
        .lines()
        .filter_map(|line| line.parse::<Value>().ok());
    let ids = lines.filter_map(|line| {
        let trace_id: u128 = line["dd"]["trace_id"].as_str()?.parse().ok()?;
        Some((
            format!("{trace_id:032x}"),
            line["dd"]["span_id"].as_str()?.to_owned(),
        ))
    });
    let ids: Vec<_> = ids.collect();
    assert_eq!(ids.len(), 7, "one line from the model, two a document");
    for id in ids {
        assert!(
            known.contains_key(&id),
            "{id:?} was logged and is not in the export"
        );
    }
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn traces_rejected_by_a_rule_are_whole() {
    check_rule(&Client::new("sampling_rule.py").run());
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn traces_rejected_by_a_rule_are_whole_with_client_stats_on() {
    let client = Client::new("sampling_rule.py");
    check_rule(
        &client
            .env("DD_TRACE_STATS_COMPUTATION_ENABLED", "true")
            .run(),
    );
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn every_shape_comes_as_sent_by_default() {
    check_shapes(&Client::new("shapes.py").run());
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn every_shape_comes_as_sent_in_v04() {
    check_shapes(
        &Client::new("shapes.py")
            .env("DD_TRACE_API_VERSION", "v0.4")
            .run(),
    );
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn every_shape_comes_as_sent_in_v05() {
    check_shapes(
        &Client::new("shapes.py")
            .env("DD_TRACE_API_VERSION", "v0.5")
            .run(),
    );
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn children_sent_before_their_root_join_it() {
    let client = Client::new("shapes.py").args(&["partial"]);
    let exchange = client.env("DD_TRACE_PARTIAL_FLUSH_MIN_SPANS", "4").run();
    exchange.check();
    assert_eq!(exchange.each_trace("complete"), [true]);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_unix_socket_serves_the_client() {
    let scratch = Scratch::new();
    let socket = scratch.path("apm.socket");
    let path = socket.to_str().expect("the temporary folder is text");
    let agent = Headless::start_in(scratch, &["--uds", path]);
    let url = format!("unix://{path}");
    let exchange = Client::new("document_processor.py").run_against(agent, &url);
    exchange.check();
    assert_eq!(exchange.first_arrival()["via"], "uds");
    let left = exchange.agent.scratch.path("apm.socket");
    assert!(!left.exists(), "the socket is removed at the end");
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_token_in_the_path_lets_the_client_in() {
    let agent = Headless::start(&["--token", "s3cret"]);
    let url = format!("{}/s3cret/", agent.url());
    let exchange = Client::new("document_processor.py").run_against(agent, &url);
    exchange.check();
    let stdout = exchange.agent.stdout.join("\n");
    assert!(!stdout.contains("s3cret"), "the token is printed: {stdout}");
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn control_characters_are_kept_and_not_printed() {
    let exchange = Client::new("escape_names.py").run();
    exchange.check();
    for line in &exchange.agent.stdout {
        let raw = line.chars().find(|character| character.is_control());
        assert_eq!(
            raw, None,
            "a control character for the terminal in {line:?}"
        );
    }
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_flood_comes_whole() {
    let exchange = Client::new("flood.py").args(&["10000"]).run();
    exchange.check();
    assert_eq!(exchange.traces().len(), 10_000);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn it_ends_by_itself_once_the_client_is_silent() {
    // Long enough for Python to start on a busy machine, since idleness counts from the start.
    let agent = Headless::start(&["--exit-after-idle", "20s"]);
    let url = agent.url().to_owned();
    let client = Client::new("document_processor.py").send(&url);
    Exchange::new(&client, agent.wait()).check();
}

/// A Python program of `tests/clients` with its arguments and settings.
struct Client(Command);

impl Client {
    fn new(program: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("MODTRACE_TEST_PYTHON");
        let python = python.map_or_else(|| root.join(".venv/bin/python"), PathBuf::from);
        Self::with_python(&python, program)
    }

    fn with_python(python: &Path, program: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(python);
        command.arg(root.join("tests/clients").join(program));
        clear_environment(&mut command, "DD_");
        clear_environment(&mut command, "OTEL_");
        command
            .env_remove("AWS_LAMBDA_FUNCTION_NAME")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Self(command)
    }

    fn args(mut self, args: &[&str]) -> Self {
        self.0.args(args);
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it against an agent with no options, whose address is its only setting.
    #[track_caller]
    fn run(self) -> Exchange {
        let agent = Headless::start(&[]);
        let url = agent.url().to_owned();
        self.run_against(agent, &url)
    }

    #[track_caller]
    fn run_against(self, agent: Headless, url: &str) -> Exchange {
        let client = self.send(url);
        Exchange::new(&client, agent.finish())
    }

    #[track_caller]
    fn send(mut self, url: &str) -> Output {
        self.0
            .env("DD_TRACE_AGENT_URL", url)
            .output()
            .expect(".ci/run makes the venv with ddtrace")
    }
}

/// What a client said it sent, and what the program had at its end.
struct Exchange {
    client_stdout: String,
    sent: Vec<Value>,
    agent: Finished,
}

impl Exchange {
    #[track_caller]
    fn new(client: &Output, agent: Finished) -> Self {
        let client_stderr = String::from_utf8_lossy(&client.stderr);
        assert_eq!(client_stderr, "", "the client's own log is silent");
        assert!(
            client.status.success(),
            "the client ends with {}",
            client.status
        );
        assert!(agent.status.success(), "{}: {}", agent.status, agent.stderr);
        assert_eq!(agent.stderr, "");
        let client_stdout = String::from_utf8_lossy(&client.stdout).into_owned();
        let last = client_stdout
            .lines()
            .last()
            .and_then(|line| line.parse::<Value>().ok());
        let sent = last.and_then(|last| last["spans"].as_array().cloned());
        Self {
            sent: sent.expect("the client prints what it sent"),
            client_stdout,
            agent,
        }
    }

    fn export(&self) -> &Value {
        &self.agent.export
    }

    #[track_caller]
    fn traces(&self) -> &[Value] {
        self.export()["traces"]
            .as_array()
            .expect("the export has traces")
    }

    /// One field of every trace.
    fn each_trace(&self, field: &str) -> Vec<&Value> {
        self.traces().iter().map(|trace| &trace[field]).collect()
    }

    fn first_arrival(&self) -> &Value {
        &self.traces()[0]["arrivals"][0]
    }

    /// The exported spans by trace id and span id, each with its trace.
    fn spans_by_id(&self) -> HashMap<(String, String), (&Value, &Value)> {
        let traces = self.traces().iter();
        let spans = traces.flat_map(|trace| {
            let spans = trace["spans"].as_array().into_iter().flatten();
            spans.map(move |span| (id_of(trace, span), (trace, span)))
        });
        spans.collect()
    }

    /// Everything that holds for any client and any program.
    #[track_caller]
    fn check(&self) {
        self.check_spans();
        self.check_traces();
        self.check_counters();
        let requests = self.export()["requests"]
            .as_array()
            .expect("the export has requests");
        let traces = requests
            .iter()
            .filter(|request| is_trace_path(&request["path"]));
        let statuses: Vec<_> = traces.map(|request| &request["status"]).collect();
        assert!(
            !statuses.is_empty(),
            "the request log has the trace payloads"
        );
        assert!(
            statuses.iter().all(|status| **status == 200),
            "{statuses:?}"
        );
    }

    /// The same spans in the same order, equal in every field.
    #[track_caller]
    fn check_spans(&self) {
        let exported = self.spans_by_id();
        assert_eq!(
            exported.len(),
            self.sent.len(),
            "as many spans as were sent"
        );
        for sent in &self.sent {
            let Some((_, span)) = exported.get(&id_of(sent, sent)) else {
                panic!("sent and not exported: {sent}");
            };
            for field in [
                "parent_id",
                "service",
                "name",
                "resource",
                "type",
                "start",
                "duration",
                "error",
            ] {
                check_field(&span[field], &sent[field], &format!("{field} of {sent}"));
            }
            check_meta(&span["meta"], &sent["meta"]);
            check_metrics(&span["metrics"], &sent["metrics"]);
        }
    }

    /// Every trace with its spans in the order they were sent, and each announced with all of them.
    /// In which order the traces came is for the tests of single payloads: a client that flushes
    /// while its own timer does sends two at once.
    #[track_caller]
    fn check_traces(&self) {
        let mut expected: HashMap<&str, Vec<&Value>> = HashMap::new();
        for span in &self.sent {
            let trace_id = span["trace_id"].as_str().expect("ids are strings");
            expected.entry(trace_id).or_default().push(&span["span_id"]);
        }
        let traces = self.traces().iter().map(|trace| {
            let spans = trace["spans"].as_array().into_iter().flatten();
            (
                trace["trace_id"].as_str().expect("ids are strings"),
                spans.map(|span| &span["span_id"]).collect::<Vec<_>>(),
            )
        });
        assert_eq!(traces.len(), expected.len(), "as many traces as were sent");
        for (trace_id, spans) in traces {
            assert_eq!(expected.get(trace_id), Some(&spans), "spans of {trace_id}");
        }

        let events = self.agent.events_named("trace");
        let announced: HashMap<_, _> = events
            .map(|event| (event["trace_id"].as_str(), event["spans"].as_u64()))
            .collect();
        for (trace_id, spans) in expected {
            let n_spans = u64::try_from(spans.len()).ok();
            assert_eq!(
                announced.get(&Some(trace_id)),
                Some(&n_spans),
                "event of {trace_id}"
            );
        }
    }

    /// Nothing is lost, and the law of the counters holds.
    #[track_caller]
    fn check_counters(&self) {
        let counters = &self.export()["counters"];
        let count = |name: &str| {
            counters[name]
                .as_u64()
                .unwrap_or_else(|| panic!("no {name}"))
        };
        let accounted = count("spans_shown") + count("spans_evicted") + count("spans_duplicate");
        assert_eq!(count("spans_received"), accounted);
        assert_eq!(
            usize::try_from(count("spans_shown")).ok(),
            Some(self.sent.len())
        );
        assert_eq!(count("payloads_refused") + count("chunks_undecodable"), 0);
        let summary = self.agent.events.last().expect("there are events");
        assert_eq!(summary["event"], "summary");
        assert_eq!(&summary["counters"], counters);
    }
}

/// 150 traces under a rule of 30 %: all of them whole, each with the decision the client made.
#[track_caller]
fn check_rule(exchange: &Exchange) {
    exchange.check();
    assert_eq!(exchange.traces().len(), 150);
    let mut rejected = 0;
    for (number, trace) in exchange.traces().iter().enumerate() {
        let root = &trace["spans"][0];
        assert_eq!(root["parent_id"], "0");
        assert_eq!(root["meta"]["document.id"], format!("doc-{number}"));
        let sampling = &trace["sampling"];
        assert_eq!(sampling["mechanism"], "rule");
        assert_eq!(sampling["rule_rate"].as_f64(), Some(0.3));
        let priority = &root["metrics"]["_sampling_priority_v1"];
        assert_eq!(sampling["priority"].as_f64(), priority.as_f64());
        rejected += i32::from(sampling["priority"] == -1);
    }
    // The client draws: 105 on average, five standard deviations either way.
    assert!((77..=133).contains(&rejected), "{rejected} of 150 rejected");
}

/// The traces of `shapes.py`, with what only some formats carry in a field of its own.
#[track_caller]
fn check_shapes(exchange: &Exchange) {
    exchange.check();
    let trace = |root: &str| {
        let mut traces = exchange
            .traces()
            .iter()
            .filter(|trace| trace["root"] == root);
        traces
            .next()
            .unwrap_or_else(|| panic!("no trace of {root}"))
    };
    assert!(
        exchange
            .each_trace("complete")
            .iter()
            .all(|complete| **complete == true)
    );
    assert_eq!(trace("shape.error")["error"], 1);
    for (root, n_spans) in [
        ("shape.threads", 41),
        ("shape.tasks", 41),
        ("deep.0", 100),
        ("shape.partial", 651),
    ] {
        assert_eq!(
            trace(root)["spans"].as_array().map(Vec::len),
            Some(n_spans),
            "{root}"
        );
    }

    let links = &trace("shape.links")["spans"][0];
    let link_ids: Vec<_> = carried(links, "span_links", "_dd.span_links");
    assert!(
        link_ids.iter().any(|text| text.contains("retry of")),
        "{links}"
    );
    let events = &trace("shape.events")["spans"][0];
    let events: Vec<_> = carried(events, "span_events", "events");
    assert!(
        events
            .iter()
            .any(|text| text.contains("model did not answer")),
        "{events:?}"
    );
}

/// A span's links or events: its own field, or the tag where the format has no such field.
fn carried(span: &Value, field: &str, tag: &str) -> Vec<String> {
    let own = span[field]
        .as_array()
        .into_iter()
        .flatten()
        .map(Value::to_string);
    own.chain(span["meta"][tag].as_str().map(str::to_owned))
        .collect()
}

/// Equal values. v0.4 leaves an empty text and a zero out.
#[track_caller]
fn check_field(exported: &Value, sent: &Value, what: &str) {
    let is_left_out = exported.is_null() && (*sent == "" || *sent == 0);
    assert!(is_left_out || exported == sent, "{what}: {exported}");
}

/// Equal texts. The client's writer adds links and events as tags after it showed us the span.
#[track_caller]
fn check_meta(exported: &Value, sent: &Value) {
    let mut exported = exported.as_object().cloned().unwrap_or_default();
    for added in ["events", "_dd.span_links"] {
        if sent.get(added).is_none() {
            exported.remove(added);
        }
    }
    assert_eq!(Value::from(exported), *sent);
}

/// Equal numbers; the wire makes doubles of all.
#[track_caller]
fn check_metrics(exported: &Value, sent: &Value) {
    let doubles = |metrics: &Value| {
        let metrics = metrics.as_object().into_iter().flatten();
        metrics
            .map(|(key, value)| (key.clone(), value.as_f64().into()))
            .collect::<Map<_, Value>>()
    };
    assert_eq!(doubles(exported), doubles(sent));
}

#[track_caller]
fn id_of(trace: &Value, span: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().expect("ids are strings").to_owned();
    (text(&trace["trace_id"]), text(&span["span_id"]))
}

fn is_trace_path(path: &Value) -> bool {
    path.as_str()
        .is_some_and(|path| path.starts_with("/v0") && path.ends_with("/traces"))
}
