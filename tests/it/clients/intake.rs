//! An intake that shares no code with us (`intake.py`) behind `--forward datadog`: what a program sent is
//! what arrives there, as an Agent would send it, and is counted there.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use super::Client;
use crate::support::{Client as Asking, Headless, Process};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SECOND: u64 = 1_000_000_000;
/// An Agent counts in intervals of ten seconds.
const BUCKET: u64 = 10 * SECOND;

/// Trace and span.
type Id = (u64, u64);

/// What spans are counted together: start of the interval; version, service, name and resource.
type Key = (u64, [String; 4]);

/// A running `intake.py`.
struct Intake {
    url: String,
    _process: Process,
}

impl Intake {
    #[track_caller]
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(root.join(".venvs/agents/bin/python"));
        command
            .arg(root.join("tests/clients/intake.py"))
            .env("DD_API_KEY", KEY)
            .stdout(Stdio::piped());
        let mut process = Process(command.spawn().expect(".ci/run makes .venvs/agents"));
        let stdout = process.0.stdout.take().expect("stdout is a pipe");
        let mut url = String::new();
        BufReader::new(stdout)
            .read_line(&mut url)
            .expect("it prints its address");
        Self {
            url: url.trim().to_owned(),
            _process: process,
        }
    }

    /// What it read, none of which it could not read.
    #[track_caller]
    fn told(&self) -> Value {
        let answer = Asking::of(&self.url).ask("GET", "/told", b"");
        let told: Value = answer.body.parse().expect("JSON");
        assert_eq!(told["faults"], json!([]));
        told
    }
}

/// A span that arrived, with what stands around it.
struct Arrived {
    client: Value,
    chunk: Value,
    span: Value,
    is_first: bool,
}

/// What a program said it sent, and what the intake read.
struct Exchange {
    sent: Vec<Value>,
    arrived: HashMap<Id, Arrived>,
    counted: BTreeMap<Key, Value>,
}

/// Runs a program against ours, and ours against the intake.
#[track_caller]
fn run(client: Client, options: &[&str]) -> Exchange {
    let intake = Intake::start();
    let options = [&["--forward", "datadog"], options].concat();
    let variables = [("DD_API_KEY", KEY), ("DD_APM_DD_URL", &*intake.url)];
    let ours = Headless::start_with(&options, &variables);
    let output = client
        .env("DD_ENV", "ci")
        .env("DD_VERSION", "1.2")
        .send(ours.url());
    let stdout = String::from_utf8(output.stdout).expect("it prints text");
    let last = stdout.lines().last().unwrap_or_default();
    let said: Value = last.parse().expect("it says what it sent");
    let finished = ours.finish();
    assert!(
        finished.status.success() && finished.stderr.is_empty(),
        "{}",
        finished.stderr
    );
    let told = intake.told();
    Exchange {
        sent: list(&said["spans"]).to_vec(),
        arrived: arrived(&told),
        counted: counted(&told),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// The spans by their ids, none of which came twice.
#[track_caller]
fn arrived(told: &Value) -> HashMap<Id, Arrived> {
    let mut all = HashMap::new();
    for request in list(&told["traces"]) {
        let headers = &request["headers"];
        assert_eq!(headers["x-datadog-reported-languages"], "python");
        let payload = &request["payload"];
        assert_eq!(text(&payload["hostName"]), "");
        assert!(
            text(&payload["agentVersion"]).starts_with("7."),
            "{payload}"
        );
        for client in list(&payload["tracerPayloads"]) {
            for chunk in list(&client["chunks"]) {
                for (place, span) in list(&chunk["spans"]).iter().enumerate() {
                    let id = (number(&span["traceID"]), number(&span["spanID"]));
                    let without = |of: &Value, key: &str| {
                        let mut of = of.as_object().expect("a message").clone();
                        of.remove(key);
                        Value::from(of)
                    };
                    let one = Arrived {
                        client: without(client, "chunks"),
                        chunk: without(chunk, "spans"),
                        span: span.clone(),
                        is_first: place == 0,
                    };
                    assert!(all.insert(id, one).is_none(), "{id:?} came twice");
                }
            }
        }
    }
    all
}

/// What was counted, each group of an interval once.
#[track_caller]
fn counted(told: &Value) -> BTreeMap<Key, Value> {
    let mut all = BTreeMap::new();
    for request in list(&told["stats"]) {
        assert_eq!(request["payload"]["ClientComputed"], false);
        for client in list(&request["payload"]["Stats"]) {
            assert_eq!(client["Env"], "ci");
            let version = text(&client["Version"]);
            for bucket in list(&client["Stats"]) {
                let start = number(&bucket["Start"]);
                assert_eq!((start % BUCKET, number(&bucket["Duration"])), (0, BUCKET));
                for group in list(&bucket["Stats"]) {
                    let [service, name, resource] =
                        ["Service", "Name", "Resource"].map(|key| text(&group[key]));
                    let key = [version, service, name, resource].map(str::to_owned);
                    let known = all.insert((start, key), group.clone());
                    assert!(known.is_none(), "{group} stands twice");
                }
            }
        }
    }
    all
}

/// Ids as the program says them.
fn id(sent: &Value) -> Id {
    let trace_id = u128::from_str_radix(text(&sent["trace_id"]), 16).expect("hexadecimal digits");
    let low = u64::try_from(trace_id & u128::from(u64::MAX)).expect("64 bits");
    (low, text(&sent["span_id"]).parse().expect("a number"))
}

/// A name as an Agent writes it, of those that the programs have.
fn name(sent: &Value) -> String {
    text(&sent["name"]).replace('-', "_")
}

/// The version of the app, which the client says of its own service alone.
fn version(sent: &Value) -> &str {
    text(&sent["meta"]["version"])
}

fn metric(sent: &Value, key: &str) -> Option<f64> {
    sent["metrics"][key].as_f64()
}

impl Exchange {
    /// What the client decided about a trace.
    fn priority(&self, trace_id: u64) -> i64 {
        let spans = self.sent.iter().filter(|sent| id(sent).0 == trace_id);
        let mut said = spans.filter_map(|sent| sent["metrics"]["_sampling_priority_v1"].as_i64());
        said.next().expect("the client decides")
    }

    /// All of these arrived, and nothing else.
    #[track_caller]
    fn check_spans(&self, is_to_come: impl Fn(&Value) -> bool) {
        let expected: Vec<_> = self.sent.iter().filter(|sent| is_to_come(sent)).collect();
        assert_eq!(self.arrived.len(), expected.len());
        for sent in expected {
            let arrived = self.arrived.get(&id(sent));
            let arrived = arrived.unwrap_or_else(|| panic!("sent and not arrived: {sent}"));
            self.check_around(sent, arrived);
            check_span(sent, &arrived.span);
        }
    }

    /// The client and the chunk of a span.
    #[track_caller]
    fn check_around(&self, sent: &Value, arrived: &Arrived) {
        let client = &arrived.client;
        let said = ["languageName", "tracerVersion", "env", "hostname"];
        let said = said.map(|key| text(&client[key]));
        assert_eq!(said, ["python", "4.1.2", "ci", ""], "{client}");
        // What says none may stand in a payload behind one that does.
        let (told, own) = (text(&client["appVersion"]), version(sent));
        let is_of_app = told.is_empty() || self.sent.iter().any(|other| version(other) == told);
        assert!(told == own || own.is_empty() && is_of_app, "{client}");
        let chunk = &arrived.chunk;
        // What the client rejects goes all the same, as kept by hand.
        let priority = Some(self.priority(id(sent).0)).filter(|priority| *priority > 0);
        assert_eq!(chunk["priority"], priority.unwrap_or(2), "{sent}");
        assert_eq!(
            (text(&chunk["origin"]), chunk["droppedTrace"] == true),
            ("", false)
        );
        if arrived.is_first {
            // On the first one the client says what is true of all.
            assert_eq!(
                chunk["tags"]["_dd.p.dm"], sent["meta"]["_dd.p.dm"],
                "{chunk} {sent}"
            );
            let high = text(&sent["trace_id"]).get(..16).expect("32 digits");
            assert_eq!(arrived.span["meta"]["_dd.p.tid"], high);
        }
    }

    /// Every span that enters a service was counted, in the interval in which it ended.
    #[track_caller]
    fn check_counts(&self) {
        let mut expected: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
        for sent in &self.sent {
            if metric(sent, "_dd.top_level") == Some(1.0) {
                let end = number(&sent["start"]) + number(&sent["duration"]);
                let [service, resource] = ["service", "resource"].map(|key| text(&sent[key]));
                // Counted as what it went with.
                let arrived = self.arrived.get(&id(sent));
                let told = arrived.map(|arrived| text(&arrived.client["appVersion"]));
                let version = told.unwrap_or_else(|| version(sent));
                let key = [version, service, &name(sent), resource].map(str::to_owned);
                expected
                    .entry((end - end % BUCKET, key))
                    .or_default()
                    .push(sent);
            }
        }
        assert_eq!(
            self.counted.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>()
        );
        for (key, spans) in expected {
            check_group(&self.counted[&key], &spans);
        }
    }
}

#[track_caller]
fn check_group(group: &Value, spans: &[&Value]) {
    let durations = |error: u64| {
        let spans = spans.iter().filter(|span| number(&span["error"]) == error);
        let mut durations: Vec<_> = spans.map(|span| number(&span["duration"])).collect();
        durations.sort_unstable();
        durations
    };
    let (ok, error) = (durations(0), durations(1));
    let sum: u64 = ok.iter().chain(&error).sum();
    for (key, expected) in [
        ("Hits", ok.len() + error.len()),
        ("TopLevelHits", ok.len() + error.len()),
        ("Errors", error.len()),
        ("Duration", usize::try_from(sum).expect("some seconds")),
        (
            "IsTraceRoot",
            if spans[0]["parent_id"] == "0" { 1 } else { 2 },
        ),
    ] {
        assert_eq!(group[key], expected, "{key} of {group}");
    }
    assert_eq!(
        (text(&group["Type"]), group["Synthetics"] == true),
        (text(&spans[0]["type"]), false)
    );
    let status = text(&spans[0]["meta"]["http.status_code"]);
    assert_eq!(
        number(&group["HTTPStatusCode"]),
        status.parse().unwrap_or(0)
    );
    for (key, durations) in [("OkSummary", ok), ("ErrorSummary", error)] {
        let known = list(&group[key]);
        assert_eq!(known.len(), durations.len(), "{key} of {group}");
        for (known, sent) in known.iter().zip(durations) {
            let sent = highest_bits(sent) as f64;
            let off = (known.as_f64().expect("a number") - sent).abs() / sent;
            assert!(off <= 0.010_000_1, "{key}: {known} instead of {sent}");
        }
    }
}

/// What an Agent leaves of a duration before it counts it (`statsraw.go`, `nsTimestampToFloat`).
fn highest_bits(duration: u64) -> u64 {
    let mut shift = 0;
    while duration >> shift > 1 << 10 {
        shift += 1;
    }
    duration >> shift << shift
}

/// Equal in every field.
#[track_caller]
fn check_span(sent: &Value, arrived: &Value) {
    for (key, expected) in [
        ("service", text(&sent["service"])),
        ("name", &name(sent)),
        ("resource", text(&sent["resource"])),
        ("type", text(&sent["type"])),
    ] {
        assert_eq!(text(&arrived[key]), expected, "{key} of {sent}");
    }
    for key in ["start", "duration", "error"] {
        assert_eq!(number(&arrived[key]), number(&sent[key]), "{key} of {sent}");
    }
    let parent: u64 = text(&sent["parent_id"]).parse().expect("a number");
    assert_eq!(number(&arrived["parentID"]), parent);

    let mut metrics: Map<String, Value> = sent["metrics"].as_object().expect("numbers").clone();
    for value in metrics.values_mut() {
        *value = json!(value.as_f64());
    }
    // Where the client says so, the Agent says so in its own way.
    if metric(sent, "_dd.top_level") == Some(1.0) {
        metrics.insert("_top_level".to_owned(), json!(1.0));
    }
    let found = arrived["metrics"].as_object().cloned().unwrap_or_default();
    assert_eq!(found, metrics, "{sent}");

    let mut meta = arrived["meta"].as_object().cloned().unwrap_or_default();
    check_links(
        sent,
        list(&arrived["spanLinks"]),
        meta.remove("_dd.span_links"),
    );
    check_events(sent, list(&arrived["spanEvents"]), meta.remove("events"));
    assert_eq!(Value::from(meta), sent["meta"]);
}

/// A tag that holds JSON.
#[track_caller]
fn tag(tag: Option<Value>) -> Vec<Value> {
    let tag: Option<Value> = tag.map(|tag| text(&tag).parse().expect("JSON"));
    tag.as_ref().map(list).unwrap_or_default().to_vec()
}

/// The links, as what they are or as the tag.
#[track_caller]
fn check_links(sent: &Value, own: &[Value], in_tag: Option<Value>) {
    assert!(own.is_empty() || in_tag.is_none(), "twice: {sent}");
    let own = own.iter().map(|link| {
        let (high, low) = (number(&link["traceID_high"]), number(&link["traceID"]));
        json!({
            "trace_id": format!("{high:016x}{low:016x}"),
            "span_id": format!("{:016x}", number(&link["spanID"])),
            "attributes": link["attributes"],
            "tracestate": link["tracestate"],
            // Bit 31 says that there are some.
            "flags": number(&link["flags"]) & !(1 << 31),
        })
    });
    let facts = |link: &Value| {
        let ids = ["trace_id", "span_id", "tracestate"].map(|key| text(&link[key]).to_owned());
        let attributes = link["attributes"].as_object().cloned().unwrap_or_default();
        (ids, attributes, number(&link["flags"]))
    };
    let own: Vec<_> = own.map(|link| facts(&link)).collect();
    let found: Vec<_> = own
        .into_iter()
        .chain(tag(in_tag).iter().map(facts))
        .collect();
    let expected: Vec<_> = list(&sent["links"]).iter().map(facts).collect();
    assert_eq!(found, expected);
}

/// The events, as what they are or as the tag.
#[track_caller]
fn check_events(sent: &Value, own: &[Value], in_tag: Option<Value>) {
    assert!(own.is_empty() || in_tag.is_none(), "twice: {sent}");
    let own = own.iter().map(|event| {
        let attributes = event["attributes"].as_object().into_iter().flatten();
        let attributes = attributes.map(|(key, value)| (key.clone(), any_value(value)));
        json!({
            "name": event["name"],
            "time_unix_nano": event["time_unix_nano"],
            "attributes": attributes.collect::<Map<_, _>>(),
        })
    });
    let found: Vec<_> = own.chain(tag(in_tag)).collect();
    assert_eq!(Value::from(found), sent["events"]);
}

fn any_value(value: &Value) -> Value {
    let member = ["string_value", "bool_value", "int_value", "double_value"];
    let place = usize::try_from(number(&value["type"])).expect("a type");
    value[member[place]].clone()
}

/// How many of them have links or events of their own.
fn n_own(exchange: &Exchange) -> [usize; 2] {
    ["spanLinks", "spanEvents"].map(|key| {
        let spans = exchange.arrived.values();
        spans
            .filter(|arrived| !list(&arrived.span[key]).is_empty())
            .count()
    })
}

#[test]
#[ignore = "needs Python with ddtrace and msgpack: .ci/run"]
fn every_shape_arrives_as_an_agent_would_send_it() {
    let exchange = run(
        Client::new("shapes.py").env("DD_TRACE_API_VERSION", "v0.5"),
        &[],
    );
    exchange.check_spans(|_| true);
    exchange.check_counts();
    assert_eq!(n_own(&exchange), [0, 0]);
}

#[test]
#[ignore = "needs Python with ddtrace and msgpack: .ci/run"]
fn links_and_events_arrive_as_what_they_are() {
    let client = Client::new("shapes.py").env("DD_TRACE_API_VERSION", "v0.4");
    let exchange = run(client.env("DD_TRACE_NATIVE_SPAN_EVENTS", "true"), &[]);
    exchange.check_spans(|_| true);
    exchange.check_counts();
    assert_eq!(n_own(&exchange), [1, 1]);
}

#[test]
#[ignore = "needs Python with ddtrace and msgpack: .ci/run"]
fn what_a_rule_rejects_arrives_as_kept_by_hand_and_is_counted() {
    let exchange = run(Client::new("sampling_rule.py"), &[]);
    let is_kept = |arrived: &&Arrived| arrived.span["metrics"]["_sampling_priority_v1"] == 2.0;
    let n_kept = exchange.arrived.values().filter(is_kept).count();
    assert!((20..=70).contains(&n_kept), "{n_kept} of 150 kept");
    exchange.check_spans(|_| true);
    exchange.check_counts();
}

#[test]
#[ignore = "needs Python with ddtrace and msgpack: .ci/run"]
fn with_only_what_the_agent_keeps_the_rejected_are_counted_alone() {
    let exchange = run(Client::new("sampling_rule.py"), &["--forward-sampled"]);
    exchange.check_spans(|sent| exchange.priority(id(sent).0) > 0);
    exchange.check_counts();
}
