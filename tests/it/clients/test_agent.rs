//! Datadog's own test agent behind `--forward agent=`: a client that talks to us leaves there what one
//! leaves that talks to it, and none of its checks fails.
//!
//! Two runs of a program differ in ids and times, so those are numbered or left out; what one run sent,
//! given to us word by word, is compared as it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Client, counted};
use crate::support::{
    Client as Sender, Finished, Headless, PATIENCE, Process, Scratch, clear_environment, post,
};

/// All that it has.
const CHECKS: [&str; 7] = [
    "trace_count_header",
    "meta_tracer_version_header",
    "trace_content_length",
    "trace_stall",
    "trace_peer_service",
    "trace_dd_service",
    "meta_events_is_valid_json",
];

/// Headers that belong to the way.
const OF_THE_WAY: [&str; 3] = ["host", "connection", "via"];
/// Headers that belong to one body.
const OF_THE_BODY: [&str; 2] = ["content-length", "x-datadog-trace-count"];

/// A running `ddapm-test-agent`.
struct TestAgent {
    url: String,
    _process: Process,
    _scratch: Scratch,
}

/// What one session of it holds.
struct Session {
    traces: Vec<Value>,
    stats: Vec<Value>,
    requests: Vec<Value>,
}

impl TestAgent {
    #[track_caller]
    fn start() -> Self {
        let scratch = Scratch::new();
        // Held together, so that they differ.
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let ports = listeners.map(|listener| listener.local_addr().expect("its address").port());
        let mut command = Command::new(root().join(".venvs/agents/bin/ddapm-test-agent"));
        for name in ["DD_", "OTEL_", "ENABLED_"] {
            clear_environment(&mut command, name);
        }
        command
            .args(["--host", "127.0.0.1", "--max-requests", "100000"])
            .arg(format!("--port={}", ports[0]))
            .arg(format!("--otlp-http-port={}", ports[1]))
            .arg(format!("--otlp-grpc-port={}", ports[2]))
            .current_dir(scratch.path(""))
            .env("ENABLED_CHECKS", CHECKS.join(","))
            .env("DD_POOL_TRACE_CHECK_FAILURES", "true")
            .env("LOG_LEVEL", "CRITICAL")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().expect(".ci/run makes .venvs/agents");
        let process = Process(process);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", ports[0])).is_err() {
            assert!(begun.elapsed() < PATIENCE, "it never listened");
            thread::sleep(Duration::from_millis(20));
        }
        Self {
            url: format!("http://127.0.0.1:{}", ports[0]),
            _process: process,
            _scratch: scratch,
        }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let answer = Sender::of(&self.url).ask("GET", path, b"");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap_or_else(|_| answer.body.into())
    }

    /// Everything that comes while `work` goes on.
    #[track_caller]
    fn session(&self, name: &str, work: impl FnOnce()) -> Session {
        let get = |what: &str| self.get(&format!("/test/session/{what}?test_session_token={name}"));
        get("start");
        work();
        let list = |what: &str| match get(what) {
            Value::Array(list) => list,
            other => panic!("{what} is {other}"),
        };
        Session {
            traces: list("traces"),
            stats: list("stats"),
            requests: list("requests"),
        }
    }

    /// No check failed, and each had something to say of spans, but those two that only look at what
    /// the tracer makes by itself.
    #[track_caller]
    fn check_nothing_failed(&self) -> Value {
        self.get("/test/trace_check/failures?return_all=true");
        let summary = self.get("/test/trace_check/summary?return_all=true");
        for check in CHECKS {
            let told = &summary[check];
            assert_eq!(told["Failed_Checks"], 0, "{check}: {told}");
            let is_passed = told["Passed_Checks"].as_u64() > Some(0);
            let is_skipped = told["Skipped_Checks"].as_u64() > Some(0);
            let is_of_tracer = ["trace_peer_service", "trace_dd_service"].contains(&check);
            assert!(is_passed || is_of_tracer && is_skipped, "{check}: {told}");
        }
        summary
    }
}

impl Session {
    /// The traces without some tags, alike for two runs of one program.
    fn traces_of_any_run(&self, but: &[&str]) -> BTreeSet<String> {
        let names = names(&self.traces);
        let traces = self.traces.iter().map(|trace| {
            let spans = trace.as_array().expect("a trace is a list of spans");
            let spans: BTreeSet<_> = spans
                .iter()
                .map(|span| settled(span, &names, but))
                .collect();
            format!("{spans:#?}")
        });
        traces.collect()
    }

    /// The headers of each path but those of the way.
    fn headers(&self) -> BTreeMap<String, BTreeSet<Vec<(String, String)>>> {
        let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for request in &self.requests {
            let of = all.entry(line_of(request)).or_default();
            of.insert(headers(request, &[&OF_THE_WAY[..], &OF_THE_BODY].concat()));
        }
        all
    }

    /// The requests as they came, in any order.
    fn as_they_came(&self) -> BTreeSet<String> {
        let requests = self.requests.iter().map(|request| {
            let headers = headers(request, &OF_THE_WAY);
            format!("{} {headers:?} {}", line_of(request), request["body"])
        });
        requests.collect()
    }

    /// What a client counted in all, by what it counted.
    fn counts(&self) -> BTreeMap<String, [u64; 3]> {
        let mut all: BTreeMap<String, [u64; 3]> = BTreeMap::new();
        let list = |of: &Value| of["Stats"].as_array().expect("a list").clone();
        let buckets = self.stats.iter().flat_map(list);
        for group in buckets.flat_map(|bucket| list(&bucket)) {
            let key = [
                "Service",
                "Name",
                "Resource",
                "Type",
                "HTTPStatusCode",
                "Synthetics",
            ];
            let key = key.map(|name| group[name].to_string()).join(" ");
            let counts = all.entry(key).or_default();
            for (count, name) in counts.iter_mut().zip(["Hits", "TopLevelHits", "Errors"]) {
                *count += group[name].as_u64().expect("a count");
            }
        }
        all
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Method and path of a request.
fn line_of(request: &Value) -> String {
    let url = request["url"].as_str().expect("a URL");
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    format!("{} /{path}", request["method"].as_str().expect("a method"))
}

fn headers(request: &Value, but: &[&str]) -> Vec<(String, String)> {
    let headers = request["headers"].as_object().expect("headers");
    let headers = headers.iter().map(|(name, value)| {
        let value = value.as_str().expect("a text");
        (name.to_lowercase(), value.to_owned())
    });
    let mut headers: Vec<_> = headers
        .filter(|(name, _)| !but.contains(&&**name))
        .collect();
    headers.sort();
    headers
}

/// What a span is called in place of its id, by what every run of the program gives it.
type Names = HashMap<u64, String>;

fn names(traces: &[Value]) -> Names {
    let spans = traces.iter().filter_map(Value::as_array).flatten();
    let name = |span: &Value| {
        format!(
            "{} {}",
            span["name"],
            span["metrics"]["number"].as_f64().unwrap_or(-1.0)
        )
    };
    let mut names = Names::from([(0, "none".to_owned())]);
    for span in spans {
        names.insert(id(&span["span_id"]), name(span));
        // A trace is called as its root.
        if id(&span["parent_id"]) == 0 {
            names.insert(id(&span["trace_id"]), format!("trace of {}", name(span)));
        }
    }
    names
}

/// An id; it is left out when it is 0.
fn id(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// A span as every run of the program has it.
fn settled(span: &Value, names: &Names, but: &[&str]) -> String {
    let mut span = span.clone();
    for tags in ["meta", "metrics"] {
        if let Some(tags) = span[tags].as_object_mut() {
            tags.retain(|key, _| !but.contains(&&**key));
        }
    }
    for key in ["trace_id", "span_id", "parent_id"] {
        let id = id(&span[key]);
        span[key] = names.get(&id).expect("it came, too").clone().into();
    }
    for key in ["span_links", "span_events"] {
        settle(&mut span[key], names);
    }
    for key in ["_dd.span_links", "events"] {
        if let Some(text) = span["meta"][key].as_str() {
            let mut list = text.parse().expect("JSON");
            settle(&mut list, names);
            span["meta"][key] = list;
        }
    }
    let known = |of: &mut Value, key: &str| of.get_mut(key).map(|value| *value = "some".into());
    for key in ["start", "duration"] {
        assert!(span[key].as_u64() > Some(0), "{span}");
        known(&mut span, key);
    }
    for key in ["runtime-id", "_dd.p.tid"] {
        known(&mut span["meta"], key);
    }
    known(&mut span["metrics"], "process_id");
    if let Some(metrics) = span["metrics"].as_object_mut() {
        // JSON has one number for what the formats write as several.
        for number in metrics.values_mut().filter(|value| value.is_number()) {
            *number = json!(number.as_f64());
        }
    }
    for (key, none) in [
        ("error", json!(0)),
        ("type", json!("")),
        ("meta", json!({})),
        ("metrics", json!({})),
    ] {
        if span[key].is_null() {
            span[key] = none;
        }
    }
    span.sort_all_objects();
    span.to_string()
}

/// Links and events as every run of the program has them.
fn settle(list: &mut Value, names: &Names) {
    for one in list.as_array_mut().into_iter().flatten() {
        if let Some(time) = one.get_mut("time_unix_nano") {
            *time = "some".into();
        }
        for key in ["trace_id", "span_id"] {
            let id = match &one[key] {
                // The tag has them in hexadecimal digits; the lower half of a trace's tells it.
                Value::String(text) => {
                    let lower = text.get(text.len().saturating_sub(16)..);
                    lower.and_then(|lower| u64::from_str_radix(lower, 16).ok())
                }
                number => number.as_u64(),
            };
            if let Some(name) = id.and_then(|id| names.get(&id)) {
                one[key] = name.clone().into();
                if key == "trace_id" {
                    one.as_object_mut().expect("a link").remove("trace_id_high");
                }
            }
        }
    }
}

fn client(program: &str) -> Client {
    Client::new(program).env("DD_REMOTE_CONFIGURATION_ENABLED", "false")
}

/// One that counts its spans itself.
fn counting_client() -> Client {
    client("counted.py").env("DD_TRACE_STATS_COMPUTATION_ENABLED", "true")
}

/// Ours, between a client and the test agent.
#[track_caller]
fn between(agent: &TestAgent) -> Headless {
    Headless::start(&["--forward", &format!("agent={}", agent.url)])
}

#[track_caller]
fn check_all_went(finished: &Finished) {
    assert!(
        finished.status.success() && finished.stderr.is_empty(),
        "{}",
        finished.stderr
    );
    let counters = &finished.export["counters"];
    assert_eq!(counters["forwarded_spans"], counters["spans_received"]);
    assert_eq!(
        (&counters["forward_failed"], &counters["forward_dropped"]),
        (&json!(0), &json!(0))
    );
}

/// The same texts; of those that differ the first is shown.
#[track_caller]
fn check_same(found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let only = |one: &BTreeSet<String>, other| one.difference(other).next().cloned();
    let differ = (only(found, expected), only(expected, found));
    assert!(
        differ == (None, None),
        "{:.3000}\n{:.3000}",
        differ.0.unwrap_or_default(),
        differ.1.unwrap_or_default()
    );
    assert_eq!(found.len(), expected.len());
}

/// With and without us; returns what the checks found.
#[track_caller]
fn check_alike(variables: &[(&str, &str)]) -> Value {
    let agent = TestAgent::start();
    let program = || {
        let mut program = client("shapes.py");
        for (name, value) in variables {
            program = program.env(name, value);
        }
        program
    };
    let (mut said, mut also_said) = (Vec::new(), Vec::new());
    let straight = agent.session("straight", || said = program().send(&agent.url).stderr);
    let through = agent.session("through", || {
        let between = between(&agent);
        also_said = program().send(between.url()).stderr;
        check_all_went(&between.finish());
    });
    assert_eq!(String::from_utf8(also_said), String::from_utf8(said));
    assert_eq!(straight.traces.len(), 9);
    check_same(
        &through.traces_of_any_run(&[]),
        &straight.traces_of_any_run(&[]),
    );
    assert_eq!(through.headers(), straight.headers());
    agent.check_nothing_failed()
}

#[test]
#[ignore = "needs Python with ddtrace and the test agent: .ci/run"]
fn a_client_in_v04_is_to_the_test_agent_what_it_is_without_us() {
    check_alike(&[("DD_TRACE_API_VERSION", "v0.4")]);
}

#[test]
#[ignore = "needs Python with ddtrace and the test agent: .ci/run"]
fn a_client_in_v05_is_to_the_test_agent_what_it_is_without_us() {
    check_alike(&[("DD_TRACE_API_VERSION", "v0.5")]);
}

#[test]
#[ignore = "needs Python with ddtrace and the test agent: .ci/run"]
fn links_and_events_of_their_own_are_to_the_test_agent_what_they_are_without_us() {
    check_alike(&[
        ("DD_TRACE_API_VERSION", "v0.4"),
        ("DD_TRACE_NATIVE_SPAN_EVENTS", "true"),
    ]);
}

#[test]
#[ignore = "needs Python with ddtrace and the test agent: .ci/run"]
fn headers_that_only_the_test_agent_knows_reach_it() {
    let checks = check_alike(&[
        ("_DD_TRACE_WRITER_NATIVE", "false"),
        (
            "_DD_TRACE_WRITER_ADDITIONAL_HEADERS",
            "X-Datadog-Trace-Env-Variables:DD_TRACE_SPAN_ATTRIBUTE_SCHEMA=v1",
        ),
    ]);
    // It looks at services only if that header says so.
    let checks = &checks["trace_dd_service"];
    assert_eq!(
        (&checks["Passed_Checks"], &checks["Skipped_Checks"]),
        (&json!(22), &json!(0))
    );
}

#[test]
#[ignore = "needs Python with ddtrace and the test agent: .ci/run"]
fn the_requests_of_a_client_are_to_the_test_agent_word_by_word_what_they_were() {
    let agent = TestAgent::start();
    let straight = agent.session("straight", || {
        client("shapes.py").send(&agent.url);
        counting_client().send(&agent.url);
    });
    let again = agent.session("again", || {
        let between = between(&agent);
        for request in &straight.requests {
            let line = line_of(request);
            let (_, path) = line.split_once(' ').expect("a method and a path");
            let headers = headers(request, &["host", "connection", "content-length"]);
            let headers = headers.iter();
            let headers = headers.map(|(name, value)| format!("{name}: {value}\r\n"));
            let headers = headers.collect::<Vec<_>>().concat();
            let body = base64::engine::general_purpose::STANDARD
                .decode(request["body"].as_str().expect("a text"));
            let answer = post(between.url(), path, &headers, &body.expect("base64"));
            assert!(
                (200..300).contains(&answer.status),
                "{line}: {}",
                answer.body
            );
        }
        check_all_went(&between.finish());
    });
    let paths: BTreeSet<_> = straight.requests.iter().map(line_of).collect();
    let expected = [
        "POST /telemetry/proxy/api/v2/apmtelemetry",
        "POST /v0.5/traces",
        "POST /v0.6/stats",
    ];
    assert_eq!(paths.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(again.requests.len(), straight.requests.len());
    check_same(&again.as_they_came(), &straight.as_they_came());
    let sorted = |traces: &[Value]| {
        let mut traces = Value::from(traces);
        traces.sort_all_objects();
        let traces = traces.as_array().expect("a list").iter();
        traces.map(Value::to_string).collect()
    };
    check_same(&sorted(&again.traces), &sorted(&straight.traces));
    assert_eq!(again.stats, straight.stats);
    agent.check_nothing_failed();
}

#[test]
#[ignore = "needs Python with ddtrace and the test agent: .ci/run"]
fn what_a_client_counts_arrives_beside_its_spans() {
    let agent = TestAgent::start();
    let straight = agent.session("straight", || {
        counting_client().send(&agent.url);
    });
    let through = agent.session("through", || {
        let between = between(&agent);
        let address = between.url().strip_prefix("http://").expect("an address");
        let proxy = counted::proxy(address.parse().expect("an address"));
        counting_client().send(&format!("http://{proxy}"));
        check_all_went(&between.finish());
    });
    let counts = straight.counts();
    // The requests are one group, each query is one of its own.
    assert_eq!(counts.len(), 51);
    let n_hits: u64 = counts.values().map(|[hits, ..]| hits).sum();
    assert_eq!(n_hits, 100);
    assert_eq!(through.counts(), counts);
    assert_eq!(through.traces.len(), straight.traces.len());
    assert_eq!(through.headers(), straight.headers());
}

#[test]
#[ignore = "needs Python with ddtrace and the test agent: .ci/run"]
fn spans_that_were_printed_are_to_the_test_agent_what_they_were_when_sent() {
    // ddtrace prints no links and no events.
    let shapes = ["error", "tags", "threads", "tasks", "deep"];
    let agent = TestAgent::start();
    let straight = agent.session("straight", || {
        client("shapes.py")
            .args(&shapes)
            .env("DD_TRACE_API_VERSION", "v0.4")
            .send(&agent.url);
    });
    let printed = agent.session("printed", || {
        let text = |path: PathBuf| path.to_str().expect("the path is text").to_owned();
        let python = std::env::var_os("MODTRACE_TEST_PYTHON");
        let python = python.map_or_else(|| root().join(".venv/bin/python"), PathBuf::from);
        let mut command = vec![text(python), text(root().join("tests/clients/shapes.py"))];
        command.extend(shapes.map(str::to_owned));
        let variables = [("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "modtrace".to_owned())];
        let to = format!("agent={}", agent.url);
        let finished =
            Headless::run(Scratch::new(), &["--forward", &to], &variables, &command).wait();
        check_all_went(&finished);
    });
    assert_eq!(straight.traces.len(), shapes.len());
    // These two it says to an Agent alone.
    let but = ["_dd.tracer_kr", "_dd.base_service"];
    check_same(
        &printed.traces_of_any_run(&but),
        &straight.traces_of_any_run(&but),
    );
    let lines: BTreeSet<_> = printed.requests.iter().map(line_of).collect();
    assert_eq!(lines.into_iter().collect::<Vec<_>>(), ["PUT /v0.4/traces"]);
    agent.check_nothing_failed();
}
