//! Spans that a program printed, or a relay wrote into its output.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use modtrace_tui::ingest::{Brought, LineReader, Lines};
use modtrace_tui::logs::LogSource;
use modtrace_tui::trace::{ChunkBuilder, Span, TracerPayload, UnixNanos};
use modtrace_tui::wire::v04;

use super::agent::{MockAgent, take};
use super::{span, wait_until};
use crate::support::{Headless, Scratch};

/// A request as the lines of a relay.
fn relayed(seq: u32, request: &[u8]) -> String {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(request).unwrap();
    let packed = packed.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(request);
    let text = base64::engine::general_purpose::STANDARD.encode(packed);
    format!("modtrace1 0000000a {seq} 1/1 {:08x} {text}\n", crc.sum())
}

#[test]
fn what_a_relay_passes_on_arrives_as_its_client_sent_it() {
    let agent = MockAgent::start(|_, _| take());
    let scratch = Scratch::new();
    let log = scratch.path("app.log");
    let traces = b"PUT /v0.4/traces HTTP/1.1\r\nHost: localhost:8126\r\nDatadog-Meta-Lang: python\r\nContent-Length: 44\r\n\r\n";
    let stats = b"POST /v0.6/stats HTTP/1.1\r\nDatadog-Obfuscation-Version: 2\r\n\r\n\x80";
    let text = [
        relayed(
            1,
            b"POST /modtrace/hello HTTP/1.1\r\n\r\n{\"task_id\":\"ta-1\"}",
        ),
        relayed(2, &[&traces[..], &span(7)].concat()),
        "a line between\n".to_owned(),
        relayed(3, stats),
    ];
    fs::write(&log, text.concat()).unwrap();
    let to = format!("agent={}", agent.url());
    let log = log.display().to_string();
    let program = Headless::start_in(scratch, &["--forward", &to, "--logs", &log]);
    wait_until("both came", || agent.seen().len() == 2);
    let finished = program.finish();
    let mut seen = agent.seen();
    seen.sort_by(|one, other| one.path.cmp(&other.path));
    let [traces, stats] = seen.try_into().unwrap();
    assert_eq!((&*traces.method, &*traces.path), ("PUT", "/v0.4/traces"));
    assert_eq!(traces.body, span(7));
    assert_eq!(traces.header("datadog-meta-lang"), Some("python"));
    assert_ne!(traces.header("host"), Some("localhost:8126"));
    assert_eq!((&*stats.path, &*stats.body), ("/v0.6/stats", &b"\x80"[..]));
    assert_eq!(stats.header("datadog-obfuscation-version"), Some("2"));
    let counters = &finished.export["counters"];
    assert_eq!(
        (
            &counters["forwarded_payloads"],
            &counters["forwarded_spans"]
        ),
        (&2.into(), &1.into())
    );
}

/// The spans that stand in a recording, by our own reader of lines.
fn printed(path: &Path) -> Vec<TracerPayload> {
    let mut lines = Lines::default();
    let mut reader = LineReader::new(LogSource::Stdout);
    reader.read(&fs::read(path).unwrap(), UnixNanos(1), &mut lines);
    let requests = lines.requests.into_iter();
    let brought = requests.filter_map(|request| match request.brought {
        Brought::Spans(received) => Some(received.payload),
        _ => None,
    });
    brought.collect()
}

#[track_caller]
fn check_span(one: Span<'_>, other: Span<'_>) {
    let facts = |span: Span<'_>| {
        let texts = [
            span.service(),
            span.name(),
            span.resource(),
            span.span_type(),
        ];
        let texts = texts.map(|text| text.to_lossy().into_owned());
        let ids = (span.span_id(), span.parent_id());
        let times = (span.start(), span.duration(), span.error());
        (
            texts,
            ids,
            times,
            span.metrics().count(),
            span.links().count(),
        )
    };
    assert_eq!(facts(one), facts(other));
    for (key, value) in one.meta() {
        let key = key.to_lossy();
        assert_eq!(other.meta_text(&key), value.as_text(), "{key}");
    }
}

/// Follows a recorded log and returns what the Agent got, and how many spans were counted.
fn follow(path: &Path) -> (Vec<TracerPayload>, serde_json::Value) {
    let agent = MockAgent::start(|_, _| take());
    let to = format!("agent={}", agent.url());
    let path = path.display().to_string();
    let program = Headless::start(&["--forward", &to, "--logs", &path]);
    wait_until("it came", || !agent.seen().is_empty());
    let finished = program.finish();
    let payloads = agent.seen().into_iter().map(|seen| {
        assert_eq!(seen.path, "/v0.4/traces");
        assert_eq!(seen.header("datadog-meta-lang"), Some("python"));
        // No line says it, and Datadog's test agent takes nothing without the header.
        assert_eq!(seen.header("datadog-meta-tracer-version"), Some(""));
        v04::decode(&seen.body, &mut ChunkBuilder::default()).unwrap()
    });
    let counted = finished.export["counters"]["forwarded_spans"].clone();
    (payloads.collect(), counted)
}

#[test]
fn printed_spans_arrive_as_v04_each_once_and_whole() {
    for name in [
        "logwriter-412",
        "logwriter-links-412",
        "logwriter-partial-412",
    ] {
        let path = format!("tests/fixtures/lines/{name}.stdout.txt");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let printed = printed(&path);
        let (sent, counted) = follow(&path);
        let chunks: Vec<_> = printed.iter().flat_map(|payload| &payload.chunks).collect();
        let sent: Vec<_> = sent.iter().flat_map(|payload| &payload.chunks).collect();
        assert!(!chunks.is_empty() && sent.len() == chunks.len(), "{name}");
        for (one, other) in chunks.iter().zip(&sent) {
            assert_eq!((one.trace_id(), one.len()), (other.trace_id(), other.len()));
            one.spans()
                .zip(other.spans())
                .for_each(|(one, other)| check_span(one, other));
        }
        let n_spans: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        assert_eq!(counted, n_spans, "{name}");
    }
}
