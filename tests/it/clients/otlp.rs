//! Programs that send OTLP: what they say they sent is what the export has, in Datadog's words. The
//! checks are shared with the recordings of the same programs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Client;
use crate::support::Headless;

#[test]
#[ignore = "needs Python with OpenTelemetry's SDK: .ci/run"]
fn the_sdk_of_opentelemetry_is_understood_in_protobuf() {
    check_exchange(Client::new("otel_sdk.py"), check_sdk);
}

#[test]
#[ignore = "needs Python with OpenTelemetry's SDK: .ci/run"]
fn the_sdk_of_opentelemetry_is_understood_in_json() {
    check_exchange(Client::new("otel_sdk.py").args(&["json"]), check_sdk);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn ddtrace_is_understood_when_it_sends_otlp() {
    for protocol in ["http/protobuf", "http/json"] {
        let client = Client::newest("shapes.py").args(&["error", "links", "events", "tags"]);
        let client = client.env("OTEL_TRACES_EXPORTER", "otlp");
        check_exchange(
            client.env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            check_ddtrace,
        );
    }
}

/// Runs a client against the port for OTLP.
#[track_caller]
fn check_exchange(client: Client, check: fn(&Value, &[Value])) {
    let agent = Headless::start(&["--otlp", "127.0.0.1:0"]);
    let url = agent.otlp_url().to_owned();
    let client = client.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url);
    let exchange = client.run_against(agent, "http://127.0.0.1:9");
    check(exchange.export(), &exchange.sent);
    exchange.check_counters();
    assert_eq!(exchange.first_arrival()["via"], "otlp");
}

impl Client {
    /// With the newest ddtrace, of which `.ci/run` has a folder of its own.
    fn newest(program: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("MODTRACE_TEST_PYTHON_NEWEST").map(PathBuf::from);
        let newest = root.join(".venvs/ddtrace-newest/bin/python");
        Self::with_python(&python.unwrap_or(newest), program)
    }
}

/// The exported spans by trace id and span id, and how many there are.
fn spans_by_id(export: &Value) -> HashMap<(String, String), &Value> {
    let traces = export["traces"].as_array().expect("the export has traces");
    let spans = traces.iter().flat_map(|trace| {
        let spans = trace["spans"].as_array().into_iter().flatten();
        spans.map(move |span| (super::id_of(trace, span), span))
    });
    spans.collect()
}

/// What is the same whoever sent it.
#[track_caller]
fn check_spans<'a>(export: &'a Value, sent: &'a [Value], check: impl Fn(&'a Value, &'a Value)) {
    let exported = spans_by_id(export);
    assert_eq!(exported.len(), sent.len(), "as many spans as were sent");
    for sent in sent {
        let Some(span) = exported.get(&super::id_of(sent, sent)) else {
            panic!("sent and not exported: {sent}");
        };
        for field in ["parent_id", "start", "duration"] {
            assert_eq!(span[field], sent[field], "{field} of {sent}");
        }
        assert_eq!(span["meta"]["otel.trace_id"], sent["trace_id"], "{sent}");
        check(span, sent);
    }
}

/// Spans of ddtrace come back as they are in its own formats, with what OTLP says beside.
#[track_caller]
pub(crate) fn check_ddtrace(export: &Value, sent: &[Value]) {
    const ADDED: [&str; 11] = [
        "events",
        "_dd.span_events.has_exception",
        "_dd.span_links",
        "error.msg",
        "otel.status_code",
        "otel.status_description",
        "otel.trace_id",
        "span.kind",
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
    ];
    check_spans(export, sent, |span, sent| {
        for field in ["service", "name", "resource", "error"] {
            assert_eq!(span[field], sent[field], "{field} of {sent}");
        }
        let named = Some(sent["type"].as_str().unwrap()).filter(|name| !name.is_empty());
        assert_eq!(span["type"], named.unwrap_or("custom"), "{sent}");
        let meta = without(&span["meta"], &sent["meta"]);
        let added: Vec<_> = meta.keys().filter(|key| *key != "w3c.tracestate").collect();
        assert!(
            added.iter().all(|key| ADDED.contains(&key.as_str())),
            "{added:?}"
        );
        let metrics = without(&doubles(&span["metrics"]), &doubles(&sent["metrics"]));
        let mut added = metrics.keys().map(String::as_str);
        assert!(
            added.all(|key| ["_sample_rate", "http.status_code"].contains(&key)),
            "{metrics:?}"
        );
    });
    for trace in export["traces"].as_array().unwrap() {
        assert_eq!(trace["sampling"]["priority"], 1, "what the client decided");
        assert_eq!(trace["sampling"]["decision_maker"], "-0", "and how");
        let version = trace["tracer"]["tracer_version"].as_str().unwrap();
        assert_eq!(trace["tracer"]["language"], "python");
        assert!(version.starts_with("otlp-4."), "{version}");
    }
    let spans = spans_by_id(export);
    let one = |name: &str| *spans.values().find(|span| span["name"] == name).unwrap();
    let links = one("shape.links")["meta"]["_dd.span_links"]
        .as_str()
        .unwrap();
    assert!(
        links.contains(
            r#""trace_id":"6b00f6c6000000005fd7e52232ae35d4","span_id":"ffffffffffffffff""#
        ),
        "{links}"
    );
    assert!(
        links.contains(r#""attributes":{"reason":"retry of"}"#),
        "{links}"
    );
    let events = one("shape.events")["meta"]["events"].as_str().unwrap();
    for said in [r#""attempt":2"#, r#""retried":true"#] {
        assert!(events.contains(said), "{events}");
    }
}

/// What is in `all` beside `some`, all of which is in it with the same values.
#[track_caller]
fn without(all: &Value, some: &Value) -> Map<String, Value> {
    let mut rest = all.as_object().cloned().unwrap_or_default();
    for (key, value) in some.as_object().into_iter().flatten() {
        assert_eq!(rest.remove(key).as_ref(), Some(value), "{key}");
    }
    rest
}

/// Numbers as the model has them.
fn doubles(metrics: &Value) -> Value {
    let metrics = metrics.as_object().into_iter().flatten();
    let doubles = metrics.map(|(key, value)| (key.clone(), value.as_f64().into()));
    doubles.collect::<Map<_, _>>().into()
}

/// The names that Datadog has for the spans of `otel_sdk.py`: operation, resource, type.
const NAMES: [(&str, [&str; 3]); 7] = [
    (
        "POST /documents",
        ["http.server.request", "POST /documents/{id}", "web"],
    ),
    (
        "SELECT documents",
        [
            "postgresql.query",
            "SELECT * FROM documents WHERE id = 7",
            "sql",
        ],
    ),
    ("GET", ["http.client.request", "GET", "http"]),
    ("publish", ["kafka.publish", "publish pages", "custom"]),
    ("extract", ["Internal", "extract", "custom"]),
    ("parse", ["Internal", "parse", "custom"]),
    ("linked", ["Consumer", "linked", "custom"]),
];

/// Spans of OpenTelemetry's SDK are what the Agent makes of them.
#[track_caller]
pub(crate) fn check_sdk(export: &Value, sent: &[Value]) {
    check_spans(export, sent, |span, sent| {
        let (_, [operation, resource, kind]) = NAMES
            .iter()
            .find(|(name, _)| sent["name"] == *name)
            .unwrap_or_else(|| panic!("no names for {sent}"));
        assert_eq!(span["name"], *operation, "{sent}");
        assert_eq!(span["resource"], *resource, "{sent}");
        assert_eq!(span["type"], *kind, "{sent}");
        assert_eq!(span["service"], sent["resource"]["service.name"]);
        assert_eq!(
            span["error"],
            i32::from(sent["status"] == "Error"),
            "{sent}"
        );
        let (meta, metrics) = expected_tags(sent);
        let exported = span["meta"].as_object().unwrap();
        let once = ["_dd.p.tid", "_dd.p.dm"];
        let mut exported = exported.clone();
        exported.retain(|key, _| !once.contains(&key.as_str()));
        assert_eq!(sorted(&exported), sorted(&meta), "{sent}");
        let exported = doubles(&span["metrics"]);
        assert_eq!(
            sorted(exported.as_object().unwrap()),
            sorted(&metrics),
            "{sent}"
        );
    });
    let traces = export["traces"].as_array().unwrap();
    for trace in traces {
        let sdk = &sent[0]["resource"]["telemetry.sdk.version"];
        let version = format!("otlp-{}", sdk.as_str().unwrap());
        assert_eq!(trace["tracer"]["tracer_version"], version);
        assert_eq!(trace["tracer"]["language"], "python");
        let high = trace["trace_id"].as_str().unwrap().split_at(16).0;
        assert_eq!(trace["spans"][0]["meta"]["_dd.p.tid"], high);
        let is_linked = trace["root"] == "Consumer";
        let maker = if is_linked { "-4" } else { "-9" };
        assert_eq!(trace["spans"][0]["meta"]["_dd.p.dm"], maker, "{trace}");
    }
    assert_eq!(traces.len(), 2);
}

fn sorted(map: &Map<String, Value>) -> std::collections::BTreeMap<&String, &Value> {
    map.iter().collect()
}

/// The tags of a span in Datadog's words, from what the program says it sent.
fn expected_tags(sent: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let (mut meta, mut metrics) = (Map::new(), Map::new());
    for (key, value) in sent["resource"].as_object().unwrap() {
        if key != "service.name" {
            meta.insert(key.clone(), value.clone());
        }
    }
    for (key, value) in sent["attributes"].as_object().unwrap() {
        let key = match key.as_str() {
            "http.request.method" => "http.method",
            "http.response.status_code" => "http.status_code",
            "url.full" => "http.url",
            "http.request.header.x-tenant" => "http.request.headers.x-tenant",
            "sampling.priority" => "_sampling_priority_v1",
            key => key,
        };
        match value {
            Value::Number(number) => metrics.insert(key.to_owned(), number.as_f64().into()),
            Value::String(text) => meta.insert(key.to_owned(), text.clone().into()),
            other => meta.insert(key.to_owned(), other.to_string().into()),
        };
    }
    let mut say = |key: &str, value: &Value| {
        if value != "" && !value.is_null() {
            meta.insert(key.to_owned(), value.clone());
        }
    };
    say("env", &sent["resource"]["deployment.environment.name"]);
    say("version", &sent["resource"]["service.version"]);
    say("otel.trace_id", &sent["trace_id"]);
    say("otel.status_code", &sent["status"]);
    say("otel.status_description", &sent["description"]);
    say("span.kind", &sent["kind"]);
    say("w3c.tracestate", &sent["trace_state"]);
    for name in ["otel.scope", "otel.library"] {
        say(&format!("{name}.name"), &sent["scope"][0]);
        say(&format!("{name}.version"), &sent["scope"][1]);
    }
    let events: Vec<_> = sent["events"].as_array().unwrap().iter().collect();
    if !events.is_empty() {
        let written = events.iter().map(|event| {
            json!({
                "time_unix_nano": event["time"],
                "name": event["name"],
                "attributes": event["attributes"],
            })
        });
        say(
            "events",
            &Value::Array(written.collect()).to_string().into(),
        );
    }
    if let Some(links) = sent["links"].as_array().filter(|links| !links.is_empty()) {
        say(
            "_dd.span_links",
            &Value::from(links.clone()).to_string().into(),
        );
    }
    if let Some(exception) = events.iter().find(|event| event["name"] == "exception") {
        let said = &exception["attributes"];
        say("_dd.span_events.has_exception", &"true".into());
        say("error.msg", &said["exception.message"]);
        say("error.type", &said["exception.type"]);
        say("error.stack", &said["exception.stacktrace"]);
    } else if sent["status"] == "Error" {
        say("error.msg", &sent["description"]);
    }
    if sent["trace_state"] == "ot=th:8,vendor=x" {
        metrics.insert("_sample_rate".to_owned(), 0.5.into());
    }
    (meta, metrics)
}
