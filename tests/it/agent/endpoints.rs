//! Every path: what it answers and what the request log says of it.

use std::io::Write as _;

use modtrace_tui::ingest::{PayloadKind, RequestClass, TraceFormat};
use modtrace_tui::io::agent::RateAnswers;
use modtrace_tui::io::agent::{Action, ENDPOINTS, Endpoint, Methods, Token};
use modtrace_tui::io::inbox::InboxLimits;
use modtrace_tui::trace::Via;
use serde_json::Value;

use super::{Client, NO_TRACES, Server, TestDirectory, request};

fn method_of(endpoint: &Endpoint) -> &'static str {
    match endpoint.methods {
        Methods::Read => "GET",
        Methods::Write => "PUT",
        Methods::Any => "POST",
    }
}

fn status_of(endpoint: &Endpoint) -> u16 {
    match endpoint.action {
        Action::Info
        | Action::Take(PayloadKind::Traces(_) | PayloadKind::Stats)
        | Action::AcknowledgeOtlp(_) => 200,
        Action::Take(PayloadKind::Logs | PayloadKind::Intake | PayloadKind::Telemetry) => 202,
        Action::Acknowledge { status, .. } => status,
    }
}

/// The smallest body an endpoint takes.
fn body_of(endpoint: &Endpoint) -> &'static [u8] {
    match (endpoint.methods, endpoint.action) {
        (Methods::Read, _) => b"",
        (_, Action::Take(PayloadKind::Traces(TraceFormat::V01 | TraceFormat::V02))) => b"[]",
        (_, Action::Take(PayloadKind::Traces(TraceFormat::V05))) => b"\x92\x91\xa0\x90",
        (_, Action::Take(PayloadKind::Traces(TraceFormat::Otlp))) => b"{}",
        (_, Action::Take(PayloadKind::Stats)) => b"\x80",
        _ => NO_TRACES,
    }
}

#[track_caller]
fn check_rows<S: std::io::Read + std::io::Write>(
    server: &mut Server,
    client: &mut Client<S>,
    via: Via,
) {
    for endpoint in ENDPOINTS {
        let path = if endpoint.path.ends_with('/') {
            format!("{}x", endpoint.path)
        } else {
            endpoint.path.into()
        };
        let body = body_of(endpoint);
        // An SDK of OpenTelemetry always says which it sends, and wants the same back.
        let headers = match endpoint.action {
            Action::AcknowledgeOtlp(_) => "Content-Type: application/json\r\n",
            _ => "",
        };
        let answer = client.ask_with(method_of(endpoint), &path, headers, body);
        assert_eq!(answer.status, status_of(endpoint), "{path}");
        assert!(!answer.body.trim().is_empty(), "{path} answers nothing");
        assert!(
            !answer.head.contains("datadog-agent-state"),
            "{}",
            answer.head
        );
        let is_text = matches!(
            endpoint.action,
            Action::Take(PayloadKind::Traces(TraceFormat::V01 | TraceFormat::V02))
        );
        if is_text {
            assert_eq!(answer.body, "OK\n", "{path}");
            assert!(
                answer.head.contains("content-type: text/plain"),
                "{}",
                answer.head
            );
        } else if answer.status < 300 {
            serde_json::from_str::<Value>(&answer.body).unwrap();
            assert!(
                answer.head.contains("content-type: application/json\r\n"),
                "{}",
                answer.head
            );
        }
        let record = server.record();
        assert_eq!((&*record.path, &*record.endpoint), (&*path, endpoint.path));
        let via = match endpoint.action {
            Action::Take(PayloadKind::Traces(format)) => format.via(via),
            _ => via,
        };
        assert_eq!(
            (record.status, record.class, record.via),
            (answer.status, endpoint.class, via)
        );
        assert_eq!(record.bytes, u64::try_from(body.len()).unwrap());
    }
}

#[test]
fn every_row_answers_over_tcp_with_a_body_and_leaves_a_record() {
    let mut server = Server::start();
    let mut client = server.connect();
    check_rows(&mut server, &mut client, Via::Http);
}

#[test]
fn every_row_answers_over_the_unix_socket_with_a_body_and_leaves_a_record() {
    let directory = TestDirectory::new("rows");
    let socket = directory.0.join("apm.socket");
    let mut server = Server::with(
        |settings| settings.uds = Some(socket),
        InboxLimits::default(),
    );
    let mut client = server.connect_uds();
    check_rows(&mut server, &mut client, Via::Uds);
}

#[test]
fn spans_come_with_the_record_and_what_the_tracer_said() {
    let mut server = Server::start();
    let mut client = server.connect();
    let headers = "Datadog-Meta-Lang: python\r\nDatadog-Meta-Tracer-Version: 4.1.2\r\n\
                   X-Datadog-Trace-Count: 1\r\nDatadog-Client-Dropped-P0-Spans: 7\r\n";
    // One chunk with the span `{"trace_id": 1, "span_id": 2}`.
    let body = b"\x91\x91\x82\xa8trace_id\x01\xa7span_id\x02";
    for method in ["PUT", "POST"] {
        let answer = client.ask_with(method, "/v0.4/traces", headers, body);
        assert_eq!(answer.body, r#"{"rate_by_service":{"service:,env:":1.0}}"#);
        let request = server.request();
        assert_eq!(&*request.record.method, method);
        assert_eq!(&*request.record.client, "ddtrace-py 4.1.2");
        assert_eq!(&*request.record.note, "1 chunk, 1 span");
        assert_eq!(request.record.announced_chunks, 1);
        let modtrace_tui::ingest::Brought::Spans(received) = request.brought else {
            panic!("no spans came");
        };
        assert_eq!(received.payload.n_spans(), 1);
        assert_eq!(
            (received.via, received.client_dropped_p0_spans),
            (Via::Http, 7)
        );
    }
}

#[test]
fn new_rates_are_in_the_next_answer() {
    let rates = tokio::sync::watch::Sender::new(RateAnswers::of_rate(0.5, std::iter::empty()));
    let subscribed = rates.subscribe();
    let server = Server::with(
        |settings| settings.rates = subscribed,
        InboxLimits::default(),
    );
    let mut client = server.connect();
    let before = client.ask("PUT", "/v0.4/traces", NO_TRACES).body;
    assert_eq!(before, r#"{"rate_by_service":{}}"#);
    rates.send_replace(RateAnswers::of_rate(0.5, ["service:a,env:dev"].into_iter()));
    assert_eq!(
        client.ask("PUT", "/v0.4/traces", NO_TRACES).body,
        r#"{"rate_by_service":{"service:a,env:dev":0.5}}"#
    );
}

#[test]
fn what_is_not_decodable_is_refused_with_the_reason_and_recorded() {
    let mut server = Server::start();
    let answer = server.connect().ask_with(
        "PUT",
        "/v0.4/traces",
        "X-Datadog-Trace-Count: 3\r\n",
        b"\xc1",
    );
    assert_eq!(answer.status, 400);
    let record = server.record();
    assert_eq!(answer.body.trim_end(), &*record.note);
    assert!(record.is_refused_payload());
    assert_eq!(record.announced_chunks, 3);
}

pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn raw_deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 0).unwrap()
}

#[test]
fn packed_bodies_are_unpacked_within_the_limit() {
    let mut server = Server::start();
    let mut client = server.connect();
    let mut ask = |coding: &str, path: &str, body: &[u8]| {
        let headers = format!("Content-Encoding: {coding}\r\nX-Datadog-Trace-Count: 2\r\n");
        let answer = client.ask_with("POST", path, &headers, body);
        let record = server.record();
        assert_eq!(record.status, answer.status, "{coding}");
        assert_eq!(record.bytes, u64::try_from(body.len()).unwrap());
        (answer.status, record.note.into_string())
    };
    let spans = b"\x91\x91\x82\xa8trace_id\x01\xa7span_id\x02";
    let lines = br#"[{"message":"a"},{"message":"b"}]"#;
    let mut check = |coding: &str, pack: &dyn Fn(&[u8]) -> Vec<u8>| {
        let (status, note) = ask(coding, "/v0.4/traces", &pack(spans));
        assert_eq!((status, &*note), (200, "1 chunk, 1 span"), "{coding}");
        let (status, note) = ask(coding, "/api/v2/logs", &pack(lines));
        assert_eq!((status, &*note), (202, "2 lines"), "{coding}");
        let bomb = pack(&vec![b' '; 25 * 1024 * 1024 + 1]);
        let (status, note) = ask(coding, "/api/v2/logs", &bomb);
        assert!(note.contains("larger than 26214400 bytes"), "{note}");
        assert_eq!(status, 413, "{coding}");
        let (status, note) = ask(coding, "/v0.4/traces", &pack(spans)[..3]);
        assert!(note.contains("cannot be decompressed as"), "{note}");
        assert_eq!(status, 400, "{coding}");
    };
    check("gzip", &gzip);
    check("deflate", &zlib);
    check("deflate", &raw_deflate);
    check("zstd", &zstd);
    check("gzip, zstd", &|body| zstd(&gzip(body)));
    let (status, note) = ask("br", "/v0.4/traces", NO_TRACES);
    assert!(note.contains("br is not known; send gzip"), "{note}");
    assert_eq!(status, 415);
}

#[test]
fn a_log_body_that_is_no_json_is_refused_with_its_place() {
    let mut server = Server::start();
    let mut client = server.connect();
    let answer = client.ask("POST", "/api/v2/logs", br#"[{"message":"a"},{"#);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("at byte 18"), "{}", answer.body);
    assert!(server.record().is_refused_payload());
    let plain = "Content-Type: text/plain\r\n";
    let answer = client.ask_with(
        "POST",
        "/api/v2/logs",
        plain,
        b"[12:00:01] a\n[12:00:02] b\n",
    );
    assert_eq!((answer.status, &*server.record().note), (202, "2 lines"));
    let answer = client.ask(
        "POST",
        "/api/v2/logs",
        b"{\"message\":\"a\"}\n{\"message\":\"b\"}\n",
    );
    assert_eq!((answer.status, &*server.record().note), (202, "2 lines"));
}

#[test]
fn statistics_of_a_client_are_read_and_what_is_none_is_a_refused_payload() {
    let mut server = Server::start();
    let mut client = server.connect();
    let body = include_bytes!("../../fixtures/client/stats-v06-416.msgpack");
    let answer = client.ask("POST", "/v0.6/stats", body);
    assert_eq!((answer.status, &*answer.body), (200, "{}"));
    assert_eq!(&*server.record().note, "1 bucket, 100 hits, 1 error");
    let answer = client.ask("POST", "/v0.6/stats", &body[..500]);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains(".Stats[0].Stats["), "{}", answer.body);
    let record = server.record();
    assert_eq!(record.class, RequestClass::Stats);
    assert!(record.is_refused_payload());
}

#[test]
fn telemetry_is_read_as_far_as_it_can_be_and_never_refused() {
    let mut server = Server::start();
    let mut client = server.connect();
    let path = "/telemetry/proxy/api/v2/apmtelemetry";
    let body = include_bytes!("../../fixtures/client/telemetry-416-p0.json");
    let mut check = |encoding: &str, body: &[u8], note: &str| {
        let answer = client.ask_with("POST", path, encoding, body);
        assert_eq!((answer.status, &*answer.body), (202, "{}"));
        let record = server.record();
        assert_eq!((&*record.note, record.class), (note, RequestClass::Other));
    };
    let counted = "150 spans created, 150 finished, 7 chunks sent, 43 chunks dropped";
    check("", body, counted);
    check("Content-Encoding: gzip\r\n", &gzip(body), counted);
    check(
        "Content-Encoding: gzip\r\n",
        body,
        "1 part not readable, ignored",
    );
    check("", b"{\"request_type\":\"app-heartbeat\"}", "");
    check("", &body[..900], "1 part not readable, ignored");
}

#[test]
fn log_lines_are_read_and_counted() {
    let mut server = Server::start();
    let body = br#"[{"message":"{\"event\":\"x\",\"dd\":{\"trace_id\":\"7\"}}","status":"warn"},{"message":"plain"}]"#;
    let answer = server.connect().ask("POST", "/api/v2/logs", body);
    assert_eq!((answer.status, &*answer.body), (202, "{}"));
    let request = server.request();
    assert_eq!(&*request.record.note, "2 lines");
    let modtrace_tui::ingest::Brought::Logs(records) = request.brought else {
        panic!("no lines came");
    };
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.message(), record.ids.trace.0))
        .collect();
    assert_eq!(told, [("x", 7), ("plain", 0)]);
}

#[test]
fn paths_for_payloads_name_the_methods_they_take() {
    let mut server = Server::start();
    let mut client = server.connect();
    for method in ["GET", "HEAD", "DELETE"] {
        let answer = client.ask(method, "/v0.4/traces", b"");
        assert_eq!(answer.status, 405);
        assert!(
            answer.head.contains("allow: post, put\r\n"),
            "{}",
            answer.head
        );
        assert!(
            method == "HEAD" || answer.body.contains("POST and PUT"),
            "{}",
            answer.body
        );
        let record = server.record();
        assert_eq!((record.status, record.is_refused_payload()), (405, false));
    }
}

#[test]
fn an_unknown_path_is_named_in_the_answer() {
    let mut server = Server::start();
    let mut client = server.connect();
    let answer = client.ask("POST", "/v9/traces?key=secret", b"abc");
    assert_eq!(answer.status, 404);
    assert!(
        answer.body.contains("/v9/traces") && !answer.body.contains("secret"),
        "{}",
        answer.body
    );
    let record = server.record();
    assert_eq!(
        (&*record.path, &*record.endpoint, record.bytes),
        ("/v9/traces", "", 3)
    );
    let answer = client.ask("GET", &format!("/{}", "x".repeat(10_000)), b"");
    assert_eq!(answer.status, 404);
    assert_eq!(server.record().path.len(), 512);
}

#[test]
fn a_page_of_another_site_is_rejected() {
    let mut server = Server::start();
    let answer = server.connect().ask_with(
        "POST",
        "/v0.4/traces",
        "Sec-Fetch-Site: cross-site\r\n",
        NO_TRACES,
    );
    assert_eq!(answer.status, 403);
    assert!(server.record().is_refused_payload());
    let answer = server.connect().ask_with(
        "POST",
        "/v0.4/traces",
        "Sec-Fetch-Site: same-origin\r\n",
        NO_TRACES,
    );
    assert_eq!(answer.status, 200);
}

#[test]
fn with_a_token_only_paths_below_it_are_served_and_nothing_tells_how_near_one_is() {
    let mut server = Server::with(
        |settings| settings.token = Some(Token::new("s3cret")),
        InboxLimits::default(),
    );
    let mut client = server.connect();
    assert_eq!(client.ask("GET", "/s3cret/info", b"").status, 200);
    assert_eq!(&*server.record().path, "/info");
    assert_eq!(
        client.ask("PUT", "/s3cret/v0.4/traces", NO_TRACES).status,
        200
    );
    assert_eq!(&*server.record().path, "/v0.4/traces");
    let wrong = [
        "/info",
        "/s3cre/info",
        "/s3cretx/info",
        "/s3cret",
        "/S3CRET/info",
        "/x/s3cret/info",
    ];
    let answers = wrong.map(|path| client.ask("GET", path, b""));
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (404, &answers[0].body));
        assert!(!server.record().path.contains("s3cret"));
    }
    let unknown = client.ask("GET", "/s3cret/s3cret/x", b"");
    assert!(!unknown.body.contains("s3cret"), "{}", unknown.body);
}

#[test]
fn requests_on_one_connection_are_answered_in_order_also_when_they_come_at_once() {
    let mut server = Server::start();
    let mut client = server.connect();
    let paths = ["/v0.4/traces", "/nowhere", "/telemetry/proxy/x"];
    let requests = paths.map(|path| request("POST", path, "", NO_TRACES));
    client.write(&requests.concat());
    assert_eq!(
        [(); 3].map(|()| client.full_answer().status),
        [200, 404, 202]
    );
    assert_eq!([(); 3].map(|()| server.record().path), paths);
    assert_eq!(client.ask("POST", "/v0.4/traces", NO_TRACES).status, 200);
}

#[test]
fn a_client_that_waits_for_the_word_gets_it() {
    let server = Server::start();
    let mut client = server.connect();
    client.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    client.write(NO_TRACES);
    assert_eq!(client.full_answer().status, 200);
}

#[test]
fn a_chunked_body_is_joined() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.write(b"1\r\n\x91\r\n1\r\n\x91\r\n");
    client.write(b"14\r\n\x82\xa8trace_id\x01\xa7span_id\x02\r\n0\r\n\r\n");
    assert_eq!(client.full_answer().status, 200);
    assert_eq!(server.record().bytes, 22);
}

#[test]
fn a_client_that_has_closed_its_half_still_gets_the_answer() {
    let server = Server::start();
    let mut client = server.connect();
    client.write(&request("PUT", "/v0.4/traces", "", NO_TRACES));
    client
        .0
        .get_ref()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert_eq!(client.full_answer().status, 200);
}

#[test]
fn what_is_no_http_is_recorded() {
    let mut server = Server::start();
    let mut client = server.connect();
    // The beginning of a TLS handshake.
    client.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    let record = server.record();
    assert_eq!((record.status, record.class), (400, RequestClass::Other));
    assert!(record.note.contains("http://"), "{}", record.note);
}
