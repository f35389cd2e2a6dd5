//! A request that a relay passed on as text: treated as the same request over HTTP, but nobody waits
//! for an answer.

use std::borrow::Cow;
use std::sync::Arc;

use super::original::{Original, Passage, is_passed_on};
use super::{Brought, PayloadKind, Request, RequestBody, RequestClass, RequestRecord, bring};
use crate::json::{Kind, Raw};
use crate::trace::{ChunkBuilder, ContainerFacts, Hello, RelaySource, UnixNanos, Via, printable};
use crate::wire::endpoint::{self, Action};
use crate::wire::header::TraceHeaders;
use crate::wire::relay::Message;

/// The path of a relay's first message, which nobody else may use.
const HELLO: &str = "/modtrace/hello";
const HEADERS_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 512;
const NOTE_BYTES_MAX: usize = 1024;
const FACT_BYTES_MAX: usize = 256;

/// The request in a message, and what it brings.
pub(super) fn request(message: &Message, at: UnixNanos, builder: &mut ChunkBuilder) -> Request {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(&message.bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => {
            return unreadable("its head does not end", message, at);
        }
        Err(error) => return unreadable(&error.to_string(), message, at),
    };
    let relayed = Relayed {
        method: head.method.unwrap_or_default(),
        path: head.path.unwrap_or_default(),
        headers: head.headers,
        body: message.bytes.get(length..).unwrap_or_default(),
        source: message.source,
        at,
    };
    relayed.take(builder)
}

/// The request in a message as it came, for whoever passes it on; `None` for one that goes no further.
pub(super) fn original(message: &Message, request: &Request) -> Option<Original> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = head.parse(&message.bytes) else {
        return None;
    };
    let (path, query) = head
        .path?
        .split_at_checked(head.path?.find('?').unwrap_or(head.path?.len()))?;
    let path = endpoint::plain(path);
    let n_spans = match &request.brought {
        Brought::Spans(received) => received.payload.n_spans(),
        _ => 0,
    };
    let passage = Passage::of_path(&path);
    if passage == Passage::Kept || !(200..300).contains(&request.record.status) {
        return None;
    }
    let said = head.headers.iter();
    let said = said.filter(|header| is_passed_on(&header.name.to_ascii_lowercase()));
    let original = Original {
        method: head.method?.into(),
        path: format!("{path}{query}").into(),
        headers: said
            .map(|header| (header.name.into(), header.value.into()))
            .collect(),
        body: message.bytes.get(length..)?.to_vec().into(),
        n_spans: u64::try_from(n_spans).unwrap_or(u64::MAX),
    };
    match passage {
        Passage::AsV04 => original.as_v04(),
        _ => Some(original),
    }
}

/// What a request brings that is nothing but bytes, head and body: the one way to every decoder by
/// its path, for the tests that send what no client would.
pub fn bring_message(bytes: Vec<u8>, at: UnixNanos, builder: &mut ChunkBuilder) -> Request {
    let message = Message {
        source: RelaySource(1),
        seq: 1,
        bytes,
    };
    request(&message, at, builder)
}

fn unreadable(reason: &str, message: &Message, at: UnixNanos) -> Request {
    let note = format!(
        "message {} of a relay is no HTTP request: {reason}",
        message.seq
    );
    Request {
        record: RequestRecord {
            at,
            via: Via::Relay,
            method: Cow::default(),
            path: Cow::default(),
            endpoint: Cow::default(),
            class: RequestClass::Traces,
            status: 400,
            bytes: u64::try_from(message.bytes.len()).unwrap_or(u64::MAX),
            client: Arc::default(),
            note: printable(&note, NOTE_BYTES_MAX),
            announced_chunks: 0,
        },
        brought: Brought::Nothing,
    }
}

/// A request, taken apart.
struct Relayed<'a> {
    method: &'a str,
    path: &'a str,
    headers: &'a [httparse::Header<'a>],
    body: &'a [u8],
    source: RelaySource,
    at: UnixNanos,
}

impl Relayed<'_> {
    fn take(&self, builder: &mut ChunkBuilder) -> Request {
        let path = endpoint::plain(self.path.split('?').next().unwrap_or_default());
        let path = path.as_ref();
        if path == HELLO {
            return self.hello();
        }
        let Some(endpoint) = endpoint::find(path) else {
            let note = format!("nothing is served at {path}");
            return self.request(("", RequestClass::Other), (404, note), Brought::Nothing);
        };
        if !endpoint.methods.allow(self.method) {
            // As over HTTP, whoever asks with another method has no payload.
            let methods = endpoint.methods.names().replace(", ", " and ");
            let note = format!("{} takes {methods} only", endpoint.path);
            let refused = (endpoint.path, RequestClass::Other);
            return self.request(refused, (405, note), Brought::Nothing);
        }
        let (status, note, brought) = match endpoint.action {
            Action::Take(kind) => self.payload(kind, builder),
            Action::Acknowledge { status, note } => (status, note.to_owned(), Brought::Nothing),
            Action::AcknowledgeOtlp(note) => (200, note.to_owned(), Brought::Nothing),
            Action::Info => (200, String::new(), Brought::Nothing),
        };
        self.request((endpoint.path, endpoint.class), (status, note), brought)
    }

    fn payload(&self, kind: PayloadKind, builder: &mut ChunkBuilder) -> (u16, String, Brought) {
        match bring(&self.body(kind), builder) {
            Ok(mut brought) => {
                if let Brought::Spans(received) = &mut brought {
                    received.relay = Some(self.source);
                }
                (kind.accepted_status(), brought.summary(), brought)
            }
            Err(rejection) => (rejection.status, rejection.reason, Brought::Nothing),
        }
    }

    fn hello(&self) -> Request {
        let text = String::from_utf8_lossy(self.body);
        let class = RequestClass::Other;
        match Raw::whole(text.trim()) {
            Ok(facts) if facts.kind() == Kind::Object => {
                let hello = Hello {
                    source: self.source,
                    container: container(facts),
                };
                let who = hello.container.task_id.as_deref().unwrap_or("a process");
                let note = format!("the relay of {who} begins to speak");
                self.request((HELLO, class), (200, note), Brought::Hello(Box::new(hello)))
            }
            _ => {
                let note = "the relay's first message is no JSON object".to_owned();
                self.request((HELLO, class), (400, note), Brought::Nothing)
            }
        }
    }

    fn body(&self, kind: PayloadKind) -> RequestBody<'_> {
        let text = |name| {
            self.header(name)
                .and_then(|value| std::str::from_utf8(value).ok())
        };
        RequestBody {
            kind,
            content_type: text("content-type"),
            content_encoding: text("content-encoding"),
            headers: self.trace_headers(),
            bytes: self.body,
            at: self.at,
            via: Via::Relay,
        }
    }

    fn trace_headers(&self) -> TraceHeaders {
        TraceHeaders::read(|name| self.header(name))
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value)
    }

    fn request(
        &self,
        (endpoint, class): (&'static str, RequestClass),
        (status, note): (u16, String),
        brought: Brought,
    ) -> Request {
        let headers = self.trace_headers();
        Request {
            record: RequestRecord {
                at: self.at,
                via: Via::Relay,
                method: printable(self.method, 16).into_string().into(),
                path: printable(self.path, PATH_BYTES_MAX).into_string().into(),
                endpoint: endpoint.into(),
                class,
                status,
                bytes: u64::try_from(self.body.len()).unwrap_or(u64::MAX),
                client: headers.client,
                note: printable(&note, NOTE_BYTES_MAX),
                announced_chunks: headers.announced_chunks,
            },
            brought,
        }
    }
}

/// What a hello says; what it does not say, or says in another type, is unknown.
fn container(facts: Raw<'_>) -> ContainerFacts {
    let text = |key| {
        let text = facts.get(key)?.string()?;
        (!text.is_empty()).then(|| printable(&text, FACT_BYTES_MAX))
    };
    let whole = |key| facts.get(key)?.number()?.parse::<i64>().ok();
    let flag = |key| match facts.get(key)?.text() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    ContainerFacts {
        task_id: text("task_id"),
        region: text("region"),
        cloud: text("cloud"),
        environment: text("environment"),
        image_id: text("image_id"),
        gpu: text("gpu"),
        pid: whole("pid").and_then(|pid| pid.try_into().ok()),
        process_start: whole("process_start_ns").map(UnixNanos),
        started: whole("started_ns").map(UnixNanos),
        python: text("python"),
        restored: flag("restored"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(request_text: &[u8]) -> Request {
        let message = Message {
            source: RelaySource(7),
            seq: 1,
            bytes: request_text.to_vec(),
        };
        request(&message, UnixNanos(5), &mut ChunkBuilder::default())
    }

    #[test]
    fn spans_come_as_over_http_and_say_through_whom() {
        let mut bytes = b"PUT /v0.4/traces HTTP/1.1\r\nDatadog-Meta-Lang: python\r\nDatadog-Meta-Tracer-Version: 4.1.2\r\nX-Datadog-Trace-Count: 1\r\n\r\n".to_vec();
        bytes.extend(b"\x91\x91\x82\xa8trace_id\x01\xa7span_id\x02");
        let request = take(&bytes);
        let record = &request.record;
        assert_eq!(
            (record.status, &*record.path, record.via),
            (200, "/v0.4/traces", Via::Relay)
        );
        assert_eq!(
            (&*record.client, &*record.note),
            ("ddtrace-py 4.1.2", "1 chunk, 1 span")
        );
        assert_eq!(record.announced_chunks, 1);
        let Brought::Spans(received) = request.brought else {
            panic!("no spans came");
        };
        assert_eq!(
            (received.relay, received.via),
            (Some(RelaySource(7)), Via::Relay)
        );
    }

    #[test]
    fn every_format_of_spans_comes_through() {
        for (path, body) in [
            ("/v0.3/traces", &b"\x91\x91\x80"[..]),
            (
                "/v0.5/traces",
                b"\x92\x91\xa0\x91\x91\x9c\0\0\0\x01\x02\0\0\0\0\x80\x80\0",
            ),
            ("/v0.7/traces", b"\x81\xa6chunks\x91\x81\xa5spans\x91\x80"),
            ("/v1.0/traces", b"\x81\x0b\x91\x81\x04\x91\x81\x04\x01"),
            ("/v1.0/traces", b"\x91\x91\x80"),
        ] {
            let head = format!("POST {path} HTTP/1.1\r\n\r\n");
            let request = take(&[head.as_bytes(), body].concat());
            let record = &request.record;
            assert_eq!(
                (record.status, &*record.note),
                (200, "1 chunk, 1 span"),
                "{path}"
            );
        }
    }

    #[test]
    fn the_first_message_says_who_speaks() {
        let request = take(
            b"POST /modtrace/hello HTTP/1.1\r\n\r\n{\"task_id\":\"ta-1\",\"region\":null,\"pid\":42,\"process_start_ns\":1795204425287000000,\"gpu\":7,\"restored\":false,\"new\":[1]}",
        );
        assert_eq!(&*request.record.note, "the relay of ta-1 begins to speak");
        let Brought::Hello(hello) = request.brought else {
            panic!("no hello came");
        };
        let expected = ContainerFacts {
            task_id: Some("ta-1".into()),
            pid: Some(42),
            process_start: Some(UnixNanos(1_795_204_425_287_000_000)),
            restored: Some(false),
            ..ContainerFacts::default()
        };
        assert_eq!((hello.source, hello.container), (RelaySource(7), expected));
    }

    #[test]
    fn packed_bodies_and_log_lines_are_taken_as_over_http() {
        let packed = zstd::encode_all(&b"\x91\x91\x80"[..], 0).unwrap();
        let head = b"PUT /v0.4/traces HTTP/1.1\r\ncontent-encoding: zstd\r\n\r\n";
        let request = take(&[&head[..], &packed].concat());
        assert_eq!(&*request.record.note, "1 chunk, 1 span");
        assert_eq!(request.record.bytes, u64::try_from(packed.len()).unwrap());
        let request = take(b"POST /api/v2/logs?ddsource=x HTTP/1.1\r\n\r\n[{\"message\":\"a\"}]");
        assert_eq!(
            (request.record.status, &*request.record.note),
            (202, "1 line")
        );
        assert!(matches!(request.brought, Brought::Logs(records) if records.len() == 1));
    }

    #[test]
    fn what_strangers_say_is_bounded_and_steers_no_terminal() {
        let long = "x".repeat(100_000);
        let request =
            take(format!("POST /{long} HTTP/1.1\r\nuser-agent: {long}\r\n\r\n").as_bytes());
        assert_eq!(
            (request.record.path.len(), request.record.client.len()),
            (512, 128)
        );
        let hello =
            format!("POST /modtrace/hello HTTP/1.1\r\n\r\n{{\"task_id\":\"\\u001b[31m{long}\"}}");
        let Brought::Hello(hello) = take(hello.as_bytes()).brought else {
            panic!("no hello came");
        };
        let task_id = hello.container.task_id.unwrap();
        assert!(
            task_id.len() <= FACT_BYTES_MAX && task_id.starts_with("\u{fffd}[31m"),
            "{task_id}"
        );
    }

    #[test]
    fn statistics_come_as_over_http() {
        let head = b"POST /v0.6/stats HTTP/1.1\r\nDatadog-Meta-Lang: python\r\n\r\n";
        let body = include_bytes!("../../tests/fixtures/client/stats-v06-412.msgpack");
        let request = take(&[&head[..], body].concat());
        assert_eq!(&*request.record.note, "1 bucket, 5 hits, 0 errors");
        assert!(matches!(request.brought, Brought::Stats(stats) if stats.buckets.len() == 1));
        let refused = take(&[&head[..], &body[..99]].concat());
        assert_eq!(refused.record.status, 400);
        assert!(refused.record.is_refused_payload());
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_reason() {
        for (bytes, status) in [
            (&b"no request"[..], 400),
            (b"GET / HTTP/1.1\r\nheader", 400),
            (b"POST /modtrace/hello HTTP/1.1\r\n\r\n[]", 400),
            (b"POST /v0.4/traces HTTP/1.1\r\n\r\n\x91\x91\xc1", 400),
            (b"POST /nowhere HTTP/1.1\r\n\r\n", 404),
            (b"GET /v0.4/traces HTTP/1.1\r\n\r\n", 405),
            (b"POST /telemetry/proxy/x HTTP/1.1\r\n\r\n{}", 202),
            (b"POST /v0.6/stats HTTP/1.1\r\n\r\n\x80", 200),
            (
                b"POST /telemetry/proxy/api/v2/apmtelemetry HTTP/1.1\r\n\r\n!",
                202,
            ),
        ] {
            let request = take(bytes);
            assert_eq!(request.record.status, status);
            assert_eq!(
                request.record.is_refused_payload(),
                request.record.class == RequestClass::Traces
            );
        }
    }
}
