//! The sample service against a server of the test.

use std::collections::HashMap;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::sketch::SampleSpan;
use super::*;

const NOW: UnixNanos = UnixNanos(1_795_204_425_287_000_000);
const LONG: Duration = Duration::from_secs(20);

/// What a tracer's span looks like to somebody who knows only the format.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Seen {
    service: String,
    name: String,
    resource: String,
    r#type: String,
    trace_id: u64,
    span_id: u64,
    parent_id: u64,
    start: i64,
    duration: i64,
    error: i32,
    meta: HashMap<String, String>,
    metrics: HashMap<String, f64>,
}

impl From<&SampleSpan> for Seen {
    fn from(span: &SampleSpan) -> Self {
        let meta = span
            .meta
            .iter()
            .map(|(key, text)| ((*key).to_owned(), text.to_string()));
        Self {
            service: span.service.to_owned(),
            name: span.name.to_owned(),
            resource: span.resource.to_string(),
            r#type: span.kind.to_owned(),
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_id: span.parent_id,
            start: span.start,
            duration: span.duration,
            error: span.error,
            meta: meta.collect(),
            metrics: span
                .metrics
                .iter()
                .map(|(key, value)| ((*key).to_owned(), *value))
                .collect(),
        }
    }
}

fn opening() -> (Vec<Chunk>, Vec<Vec<Seen>>) {
    let payloads = Script::begin(Story::Live, NOW).due(NOW);
    let chunks: Vec<_> = payloads.into_iter().flatten().collect();
    let seen = chunks
        .iter()
        .map(|chunk| chunk.iter().map(Seen::from).collect())
        .collect();
    (chunks, seen)
}

#[test]
fn v04_says_what_the_spans_say() {
    let (chunks, expected) = opening();
    let decoded: Vec<Vec<Seen>> = rmp_serde::from_slice(&encode::v04(&chunks)).unwrap();
    assert_eq!(decoded, expected);
}

#[test]
fn v05_says_what_the_spans_say() {
    let (chunks, expected) = opening();
    let bytes = encode::v05(&chunks);
    let (strings, decoded): (Vec<String>, Vec<Vec<FlatSpan>>) =
        rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(strings[0], "");
    let decoded: Vec<Vec<Seen>> = decoded
        .into_iter()
        .map(|chunk| chunk.into_iter().map(|span| span.seen(&strings)).collect())
        .collect();
    assert_eq!(decoded, expected);
}

/// The twelve items of a v0.5 span.
#[derive(Deserialize)]
struct FlatSpan(
    usize,
    usize,
    usize,
    u64,
    u64,
    u64,
    i64,
    i64,
    i32,
    HashMap<usize, usize>,
    HashMap<usize, f64>,
    usize,
);

impl FlatSpan {
    fn seen(self, strings: &[String]) -> Seen {
        let text = |index: usize| strings[index].clone();
        let Self(
            service,
            name,
            resource,
            trace_id,
            span_id,
            parent_id,
            start,
            duration,
            error,
            meta,
            metrics,
            kind,
        ) = self;
        Seen {
            service: text(service),
            name: text(name),
            resource: text(resource),
            r#type: text(kind),
            trace_id,
            span_id,
            parent_id,
            start,
            duration,
            error,
            meta: meta
                .into_iter()
                .map(|(key, value)| (text(key), text(value)))
                .collect(),
            metrics: metrics
                .into_iter()
                .map(|(key, value)| (text(key), value))
                .collect(),
        }
    }
}

/// Reads one request off a connection: its head in lower case, and its body.
async fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut wanted = usize::MAX;
    while bytes.len() < wanted {
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "the connection is kept"
        );
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            wanted = end + 4 + length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() == wanted {
                return (head, bytes.split_off(end + 4));
            }
        }
    }
    panic!("more than one request at once");
}

#[tokio::test]
async fn it_sends_as_ddtrace_does_and_again_what_was_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = DemoTarget {
        address: listener.local_addr().unwrap(),
        token: Some("s3cret".parse().unwrap()),
    };
    let (stop, stopped) = watch::channel(false);
    let demo = tokio::spawn(run(target, Story::LargeTrace, || NOW, stopped));
    let (mut stream, _) = tokio::time::timeout(LONG, listener.accept())
        .await
        .unwrap()
        .unwrap();

    let (head, _) = read_request(&mut stream).await;
    assert!(head.starts_with("get /s3cret/info http/1.1"), "{head}");
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        .await
        .unwrap();

    let (head, refused) = read_request(&mut stream).await;
    assert!(
        head.starts_with("post /s3cret/v0.5/traces http/1.1"),
        "{head}"
    );
    for line in [
        "x-datadog-trace-count: 7",
        "datadog-meta-tracer-version: 4.1.2",
    ] {
        assert!(
            head.lines().any(|header| header == line),
            "{line} in {head}"
        );
    }
    stream
        .write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n{}")
        .await
        .unwrap();
    let (_, again) = read_request(&mut stream).await;
    assert!(again == refused, "a refused payload comes again");
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        .await
        .unwrap();

    stop.send(true).unwrap();
    tokio::time::timeout(LONG, demo).await.unwrap().unwrap();
}
