//! Tags, rule by rule.

use opentelemetry_proto::tonic::common::v1::{ArrayValue, InstrumentationScope, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::*;

/// A tag of a span with attributes under a resource.
#[track_caller]
fn check_meta(
    resource: &[(&str, &str)],
    attributes: &[(&str, &str)],
    (key, expect): (&str, Option<&str>),
) {
    let sent = span(SpanKind::Internal, texts(attributes));
    check_span(resource, sent, |span| {
        let found = span.meta_text(key);
        let found = found.map(|text| text.to_str().unwrap().to_owned());
        assert_eq!(found.as_deref(), expect, "{key}");
        let n_keys = span.meta().count();
        let keys: std::collections::HashSet<_> = span
            .meta()
            .map(|(key, _)| key.as_bytes().to_vec())
            .collect();
        assert_eq!(keys.len(), n_keys, "no key comes twice");
    });
}

#[test]
fn numbers_become_metrics_and_everything_else_text() {
    let attributes = vec![
        pair("int", Value::IntValue(7)),
        pair("double", Value::DoubleValue(0.1)),
        pair("bool", Value::BoolValue(true)),
        pair("bytes", Value::BytesValue(vec![1])),
        pair(
            "array",
            Value::ArrayValue(ArrayValue {
                values: vec![AnyValue::default()],
            }),
        ),
        pair(
            "list",
            Value::KvlistValue(KeyValueList {
                values: texts(&[("a", "b")]),
            }),
        ),
        KeyValue {
            key: "nothing".to_owned(),
            ..KeyValue::default()
        },
        pair("http.response.body.size", Value::IntValue(9)),
        pair("int", Value::IntValue(8)),
        pair("sampling.priority", Value::IntValue(2)),
        pair("analytics.event", Value::BoolValue(true)),
        pair("service.name", Value::IntValue(1)),
    ];
    check_span(&[], span(SpanKind::Internal, attributes), |span| {
        let metrics: Vec<_> = span.metrics().collect();
        assert_eq!(span.metric("int"), Some(7.0));
        assert_eq!(span.metric("double"), Some(0.1));
        assert_eq!(span.metric("http.response.content_length"), Some(9.0));
        assert_eq!(span.metric("_sampling_priority_v1"), Some(2.0));
        assert_eq!(span.metric("_dd1.sr.eausr"), Some(1.0));
        assert_eq!(metrics.len(), 5, "{metrics:?}");
        let meta = |key: &str| span.meta_text(key).unwrap().to_str().unwrap().to_owned();
        assert_eq!(meta("bool"), "true");
        assert_eq!(meta("bytes"), "AQ==");
        assert_eq!(meta("array"), "[null]");
        assert_eq!(meta("list"), r#"{"a":"b"}"#);
        assert_eq!(meta("nothing"), "");
    });
}

#[test]
fn what_the_span_says_goes_before_what_its_resource_says() {
    let check = check_meta;
    check(&[("a", "r")], &[], ("a", Some("r")));
    check(&[("a", "r")], &[("a", "s")], ("a", Some("s")));
    check(&[("a", "r")], &[("a", "")], ("a", Some("r")));
    check(&[("a", "1"), ("a", "2")], &[], ("a", Some("1")));
    check(&[], &[("a", "1"), ("a", "2")], ("a", Some("1")));
    check(
        &[("url.full", "http://x")],
        &[],
        ("http.url", Some("http://x")),
    );
    check(
        &[("url.full", "r")],
        &[("http.url", "s")],
        ("http.url", Some("s")),
    );
    let custom = ("datadog.container.tag.team", "t");
    check(&[custom], &[], (custom.0, Some("t")));
}

#[test]
fn environment_and_version_are_found_under_their_names() {
    let check = check_meta;
    let old = ("deployment.environment", "Old Env");
    let new = ("deployment.environment.name", "New");
    check(&[old], &[], ("env", Some("old_env")));
    check(&[old], &[], ("deployment.environment", Some("Old Env")));
    check(&[old, new], &[], ("env", Some("new")));
    check(&[new], &[("env", "own")], ("env", Some("own")));
    check(&[("env", "plain")], &[], ("env", Some("plain")));
    check(&[("env", "plain"), new], &[], ("env", Some("new")));
    check(&[("service.version", "1.2")], &[], ("version", Some("1.2")));
    check(
        &[("service.version", "1.2")],
        &[("version", "own")],
        ("version", Some("own")),
    );
    check(&[], &[], ("env", None));
}

#[test]
fn a_namespace_names_the_database() {
    let check = check_meta;
    let namespace = ("db.namespace", "pages");
    check(&[], &[namespace], ("db.name", Some("pages")));
    check(&[namespace], &[], ("db.name", Some("pages")));
    check(
        &[],
        &[namespace, ("db.name", "own")],
        ("db.name", Some("own")),
    );
    check(&[("db.name", "r")], &[namespace], ("db.name", Some("r")));
    check(
        &[namespace],
        &[("db.namespace", "own")],
        ("db.name", Some("own")),
    );
}

#[test]
fn the_status_code_of_http_is_a_metric_by_either_name() {
    let check = |attributes: Vec<KeyValue>, expect: Option<f64>| {
        check_span(&[], span(SpanKind::Server, attributes), |span| {
            assert_eq!(span.metric("http.status_code"), expect);
            assert_eq!(span.metric("http.response.status_code"), None);
        });
    };
    check(
        vec![pair("http.response.status_code", Value::IntValue(201))],
        Some(201.0),
    );
    check(
        vec![pair("http.status_code", Value::IntValue(404))],
        Some(404.0),
    );
    check(texts(&[("http.status_code", "500")]), Some(500.0));
    check(
        vec![
            pair("http.response.status_code", Value::IntValue(1)),
            pair("http.status_code", Value::IntValue(2)),
        ],
        Some(2.0),
    );
    check(texts(&[("http.status_code", "ok")]), None);
    check(Vec::new(), None);
    check_meta(
        &[],
        &[("grpc.code", "5")],
        ("rpc.grpc.status_code", Some("5")),
    );
    check_meta(
        &[],
        &[("rpc.system", "grpc"), ("rpc.response.status_code", "7")],
        ("rpc.grpc.status_code", Some("7")),
    );
    check_meta(
        &[],
        &[("rpc.system", "x"), ("rpc.response.status_code", "7")],
        ("rpc.grpc.status_code", None),
    );
}

fn failed(message: &str) -> Status {
    Status {
        code: StatusCode::Error.into(),
        message: message.to_owned(),
    }
}

fn exception(name: &str, message: &str) -> Event {
    Event {
        name: name.to_owned(),
        attributes: texts(&[
            ("exception.message", message),
            ("exception.type", "ValueError"),
            ("exception.stacktrace", "Traceback"),
        ]),
        ..Event::default()
    }
}

#[test]
fn errors_come_from_the_status_and_say_what_is_known() {
    let check = |status: Option<Status>,
                 events: Vec<Event>,
                 attributes: &[(&str, &str)],
                 expect: (i32, Option<&str>, Option<&str>)| {
        let mut sent = span(SpanKind::Internal, texts(attributes));
        (sent.status, sent.events) = (status, events);
        check_span(&[], sent, |span| {
            let meta = |key| {
                span.meta_text(key)
                    .map(|text| text.to_str().unwrap().to_owned())
            };
            let found = (span.error(), meta("error.msg"), meta("error.type"));
            assert_eq!((found.0, found.1.as_deref(), found.2.as_deref()), expect);
        });
    };
    check(Some(failed("boom")), vec![], &[], (1, Some("boom"), None));
    check(Some(failed("")), vec![], &[], (1, None, None));
    check(
        Some(failed("")),
        vec![],
        &[("http.status_code", "503")],
        (1, Some("503 Service Unavailable"), None),
    );
    check(
        Some(failed("")),
        vec![],
        &[("http.status_code", "42")],
        (1, Some("42"), None),
    );
    check(
        Some(failed("boom")),
        vec![],
        &[("error.msg", "own")],
        (1, Some("own"), None),
    );
    let two = vec![
        exception("exception", "first"),
        exception("Exception", "last"),
    ];
    check(
        Some(failed("boom")),
        two.clone(),
        &[],
        (1, Some("last"), Some("ValueError")),
    );
    check(None, two, &[], (0, None, None));
    let ok = Status {
        code: StatusCode::Ok.into(),
        message: "fine".to_owned(),
    };
    check(Some(ok), vec![], &[], (0, None, None));
}

#[test]
fn the_status_is_told_in_tags() {
    check_meta(&[], &[], ("otel.status_code", Some("Unset")));
    let mut sent = span(SpanKind::Client, Vec::new());
    (sent.status, sent.events) = (Some(failed("boom")), vec![exception("exception", "x")]);
    check_span(&[], sent, |span| {
        let meta = |key: &str| span.meta_text(key).unwrap().to_str().unwrap().to_owned();
        assert_eq!(meta("otel.status_code"), "Error");
        assert_eq!(meta("otel.status_description"), "boom");
        assert_eq!(meta("error.stack"), "Traceback");
        assert_eq!(meta("_dd.span_events.has_exception"), "true");
        assert_eq!(meta("span.kind"), "client");
    });
}

#[test]
fn events_and_links_are_tags_of_json() {
    let mut sent = span(SpanKind::Internal, Vec::new());
    sent.events = vec![
        Event {
            time_unix_nano: 5,
            name: "a \"b\"".to_owned(),
            attributes: vec![pair("n", Value::IntValue(1)), pair("x", text("\n"))],
            dropped_attributes_count: 2,
        },
        Event::default(),
    ];
    sent.links = vec![
        Link {
            trace_id: vec![0xab; 16],
            span_id: vec![1; 8],
            trace_state: "a=b".to_owned(),
            attributes: vec![pair("n", Value::IntValue(1)), pair("q", text("\""))],
            dropped_attributes_count: 3,
            flags: 1,
        },
        Link::default(),
    ];
    check_span(&[], sent, |span| {
        let events = r#"[{"time_unix_nano":5,"name":"a \"b\"","attributes":{"n":1,"x":"\n"},"dropped_attributes_count":2},{}]"#;
        assert_eq!(span.meta_text("events").unwrap(), events);
        let links = concat!(
            r#"[{"trace_id":"abababababababababababababababab","span_id":"0101010101010101","#,
            r#""tracestate":"a=b","attributes":{"n":"1","q":"\""},"dropped_attributes_count":3},"#,
            r#"{"trace_id":"00000000000000000000000000000000","span_id":"0000000000000000"}]"#,
        );
        assert_eq!(span.meta_text("_dd.span_links").unwrap(), links);
        assert_eq!(span.meta_text("_dd.span_events.has_exception"), None);
    });
}

#[test]
fn a_scope_is_named_twice_and_its_attributes_go_before_all() {
    let mut request = request(
        texts(&[("a", "resource"), ("b", "resource")]),
        vec![span(
            SpanKind::Internal,
            texts(&[("a", "span"), ("c", "span")]),
        )],
    );
    request.resource_spans[0].scope_spans[0].scope = Some(InstrumentationScope {
        name: "lib".to_owned(),
        version: "1".to_owned(),
        attributes: texts(&[("a", "scope"), ("b", "scope")]),
        dropped_attributes_count: 0,
    });
    let payload = received(&request);
    let span = payload.chunks[0].span(0).unwrap();
    let meta = |key: &str| span.meta_text(key).unwrap().to_str().unwrap().to_owned();
    for name in ["otel.scope", "otel.library"] {
        assert_eq!(meta(&format!("{name}.name")), "lib");
        assert_eq!(meta(&format!("{name}.version")), "1");
    }
    assert_eq!(
        (&*meta("a"), &*meta("b"), &*meta("c")),
        ("scope", "scope", "span")
    );
    assert_eq!(span.meta().filter(|(key, _)| *key == "a").count(), 1);
}

#[test]
fn the_rate_of_a_head_sampler_is_read_from_the_trace_state() {
    let check = |trace_state: &str, attribute: Option<f64>, expect: Option<f64>| {
        let attribute = attribute.map(|rate| pair("_sample_rate", Value::DoubleValue(rate)));
        let mut sent = span(SpanKind::Internal, attribute.into_iter().collect());
        sent.trace_state = trace_state.to_owned();
        check_span(&[], sent, |span| {
            assert_eq!(span.metric("_sample_rate"), expect, "{trace_state}");
            let kept = span.meta_text("w3c.tracestate");
            assert_eq!(kept.is_some(), !trace_state.is_empty());
        });
    };
    check("ot=th:8", None, Some(0.5));
    check("a=b, ot=rv:1;th:c,x=y", None, Some(0.25));
    check("ot=th:0", None, Some(1.0));
    check("ot=p:2;r:5", None, Some(0.25));
    check("ot=p:63", None, None);
    check("ot=th:xyz;p:1", None, Some(0.5));
    check("dd=s:1", None, None);
    check("ot=th:8", Some(0.1), Some(0.1));
    check("", None, None);
}
