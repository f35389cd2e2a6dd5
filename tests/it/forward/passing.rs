//! What goes on as it came, what goes in another form, what stays, and what the client is answered.

use std::fs;
use std::path::Path;

use modtrace_tui::io::agent::Token;
use modtrace_tui::trace::ChunkBuilder;
use modtrace_tui::wire::{v04, v05};
use serde_json::Value;

use super::agent::{MockAgent, Plan, RATES, take};
use super::{Between, patient, span, wait_until};

/// The recorded payloads with their paths and headers.
fn recorded() -> Vec<(String, String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let paths = fs::read_dir(folder).unwrap();
    let paths = paths.map(|entry| entry.unwrap().path());
    let payloads = paths.filter(|path| path.extension().is_some_and(|end| end == "msgpack"));
    let payloads = payloads.map(|path| {
        let meta = fs::read_to_string(path.with_extension("msgpack.meta.json")).unwrap();
        let meta: Value = meta.parse().unwrap();
        let headers = meta["headers"].as_array().unwrap().iter();
        let headers = headers.map(|header| [&header[0], &header[1]].map(|it| it.as_str().unwrap()));
        let headers = headers.filter(|[name, _]| name.to_lowercase().starts_with("datadog-"));
        let headers = headers.map(|[name, value]| format!("{name}: {value}\r\n"));
        let sent_to = meta["path"].as_str().unwrap().to_owned();
        (sent_to, headers.collect(), fs::read(path).unwrap())
    });
    payloads.collect()
}

#[test]
fn every_recorded_payload_arrives_byte_for_byte_with_its_headers_and_its_client_gets_the_rates() {
    let agent = MockAgent::start(|_, _| take());
    let between = Between::start(&agent.url(), patient());
    let mut client = between.connect();
    let payloads = recorded();
    assert!(payloads.len() > 40);
    let mut n_headers = 0;
    for (path, headers, body) in &payloads {
        let headers = format!("{headers}X-Datadog-Trace-Count: 3\r\nX-Other: é\r\n");
        let answer = client.ask_with("PUT", path, &headers, body);
        assert_eq!((answer.status, &*answer.body), (200, RATES));
        assert!(
            answer
                .head
                .contains("datadog-rates-payload-version: v7\r\n")
        );
        let seen = agent.seen().pop().unwrap();
        assert_eq!((&*seen.method, &seen.path), ("PUT", path));
        assert!(seen.body == *body, "other bytes came of {path}");
        for header in headers.lines() {
            let (name, value) = header.split_once(": ").unwrap();
            assert_eq!(seen.header(&name.to_lowercase()), Some(value), "{name}");
            n_headers += 1;
        }
        let (_, port) = agent
            .url()
            .rsplit_once(':')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        assert_eq!(seen.header("host"), Some(&*format!("127.0.0.1:{port}")));
    }
    assert!(n_headers > 6 * payloads.len(), "{n_headers}");
    let (outcome, told) = between.stop();
    assert_eq!(outcome.payloads, u64::try_from(payloads.len()).unwrap());
    let bytes: usize = payloads.iter().map(|(_, _, body)| body.len()).sum();
    assert_eq!(outcome.bytes, u64::try_from(bytes).unwrap());
    assert!(outcome.spans > 1_000, "{outcome:?}");
    assert_eq!((outcome.failed, outcome.dropped, told.len()), (0, 0, 0));
}

#[test]
fn what_an_agent_passes_on_itself_arrives_too_and_what_is_answered_here_does_not() {
    let agent = MockAgent::start(|_, _| take());
    let between = Between::start(&agent.url(), patient());
    let mut client = between.connect();
    let passed = [
        "/v0.6/stats",
        "/telemetry/proxy/api/v2/apmtelemetry",
        "/evp_proxy/v2/api/v2/llmobs?a=b%20c&d",
        "/profiling/v1/input",
        "/v0.1/pipeline_stats",
        "/debugger/v1/input?ddtags=x:y",
        "/symdb/v1/input",
        "/tracer_flare/v1",
        "/dogstatsd/v2/proxy",
    ];
    for path in passed {
        let answer = client.ask("POST", path, b"\x80");
        assert!((200..300).contains(&answer.status), "{path}");
        // What is not about rates is answered here, and at once.
        assert_eq!(answer.body, "{}", "{path}");
    }
    for path in ["/v0.7/config", "/api/v2/logs", "/nowhere", "/v0.5/traces"] {
        client.ask("POST", path, b"[]");
    }
    client.ask("GET", "/info", b"");
    client.ask("PUT", "/v0.4/traces", &span(1));
    wait_until("all came", || agent.seen().len() > passed.len());
    let (outcome, _) = between.stop();
    let mut seen: Vec<_> = agent.seen().into_iter().map(|seen| seen.path).collect();
    let mut expected: Vec<_> = passed.into_iter().chain(["/v0.4/traces"]).collect();
    seen.sort();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    assert_eq!(outcome.payloads, 10);
}

#[test]
fn neither_our_token_nor_the_agents_goes_where_it_does_not_belong() {
    let agent = MockAgent::start(|_, _| take());
    let to = format!("{}/other-secret/", agent.url());
    let between = Between::with(&to, patient(), |settings| {
        settings.token = Some(Token::new("s3cret"));
    });
    let mut client = between.connect();
    assert_eq!(client.ask("PUT", "/v0.4/traces", &span(1)).status, 404);
    let answer = client.ask("PUT", "/s3cret//v0.4/traces?q=1", &span(1));
    assert_eq!((answer.status, &*answer.body), (200, RATES));
    let [seen] = agent.seen().try_into().unwrap();
    assert_eq!(seen.path, "/other-secret/v0.4/traces?q=1");
    assert!(!format!("{seen:?}").contains("s3cret"));
    let (_, told) = between.stop();
    assert!(told.is_empty());
}

#[test]
fn a_unix_socket_does_as_well() {
    let scratch = crate::support::Scratch::new();
    let path = scratch.path("apm.socket");
    let agent = MockAgent::start_at(&path, |_, _| take());
    let between = Between::start(&format!("unix:{}", path.display()), patient());
    let answer = between.connect().ask("PUT", "/v0.4/traces", &span(1));
    assert_eq!(answer.body, RATES);
    assert_eq!(agent.seen().len(), 1);
}

#[test]
fn a_format_the_agent_does_not_know_arrives_as_v04_with_every_span() {
    let agent = MockAgent::start(|_, seen| match &*seen.path {
        "/v0.4/traces" => take(),
        _ => Plan::Refuse(404, ""),
    });
    let between = Between::start(&agent.url(), patient());
    let mut client = between.connect();
    let payloads = recorded();
    let payloads: Vec<_> = payloads
        .iter()
        .filter(|(path, ..)| path == "/v0.5/traces")
        .collect();
    assert!(payloads.len() > 5);
    for (path, headers, body) in payloads {
        let answer = client.ask_with("PUT", path, headers, body);
        assert_eq!(answer.body, RATES);
        let seen = agent.seen().pop().unwrap();
        let one = v05::decode(body, &mut ChunkBuilder::default()).unwrap();
        let other = v04::decode(&seen.body, &mut ChunkBuilder::default()).unwrap();
        assert_eq!(one.n_spans(), other.n_spans());
        for (one, other) in one.chunks.iter().zip(&other.chunks) {
            for (one, other) in one.spans().zip(other.spans()) {
                assert!(one.same_as(other), "{one:?}\n{other:?}");
            }
        }
    }
    let (outcome, told) = between.stop();
    assert_eq!((outcome.failed, told.len()), (0, 0));
}

#[test]
fn otlp_and_the_agentless_form_go_as_v04() {
    let agent = MockAgent::start(|_, _| take());
    let between = Between::start(&agent.url(), patient());
    let mut client = between.connect();
    let otlp = br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"spans":[{"traceId":"000000000000000900000000000000aa","spanId":"00000000000000bb","name":"n","startTimeUnixNano":"5","endTimeUnixNano":"11"}]}]}]}"#;
    let headers = "Content-Type: application/json\r\n";
    let answer = client.ask_with("POST", "/v1/traces", headers, otlp);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let agentless = br#"{"traces":[{"spans":[{"trace_id":"00000000000000aa","span_id":"00000000000000bb","parent_id":"0000000000000000","name":"n","service":"s","resource":"r","start":5,"duration":6}]}]}"#;
    let answer = client.ask_with("POST", "/v1/input", headers, agentless);
    assert_eq!(answer.status, 202, "{}", answer.body);
    wait_until("both came", || agent.seen().len() == 2);
    for seen in agent.seen() {
        assert_eq!(seen.path, "/v0.4/traces");
        assert_eq!(seen.header("content-type"), Some("application/msgpack"));
        let payload = v04::decode(&seen.body, &mut ChunkBuilder::default()).unwrap();
        let span = payload.chunks[0].span(0).unwrap();
        let ids = (span.trace_id().low(), span.span_id().0, span.duration());
        assert_eq!(ids, (0xaa, 0xbb, 6));
    }
    drop(between);
}

#[test]
fn an_answer_that_holds_no_rates_is_not_the_clients() {
    let agent = MockAgent::start(|_, _| Plan::Take("OK\n".into()));
    let between = Between::start(&agent.url(), patient());
    let answer = between.connect().ask("PUT", "/v0.4/traces", &span(1));
    let ours = r#"{"rate_by_service":{"service:,env:":1.0}}"#;
    assert_eq!((answer.status, &*answer.body), (200, ours));
    let (outcome, _) = between.stop();
    assert_eq!((outcome.payloads, outcome.spans), (1, 1));
}

#[test]
fn what_we_refuse_goes_no_further() {
    let agent = MockAgent::start(|_, _| take());
    let between = Between::start(&agent.url(), patient());
    let mut client = between.connect();
    assert_eq!(
        client.ask("PUT", "/v0.4/traces", b"\x91\x91\xc1").status,
        400
    );
    assert_eq!(client.ask("GET", "/v0.4/traces", b"").status, 405);
    let (outcome, _) = between.stop();
    assert_eq!((agent.n_asked(), outcome.payloads), (0, 0));
}
