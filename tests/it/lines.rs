//! Lines as real programs printed them: every one of them joins the trace it belongs to.

use std::fs;
use std::path::{Path, PathBuf};

use modtrace_tui::ingest::{
    self, Brought, LineReader, Lines, PayloadKind, RequestBody, TraceFormat,
};
use modtrace_tui::logs::{JoinedBy, LogSource};
use modtrace_tui::store::{LogEntry, Store};
use modtrace_tui::trace::{ChunkBuilder, Now, Span, SpanId, TraceId, UnixNanos, Via};
use modtrace_tui::wire::header::TraceHeaders;

const NOW: Now = Now {
    wall: UnixNanos(1_795_206_500_000_000_000),
    uptime_ns: 1_000_000_000,
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn printed(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(format!("lines/{name}.stdout.txt"))).unwrap()
}

fn read(bytes: &[u8]) -> Lines {
    let mut lines = Lines::default();
    let mut reader = LineReader::new(LogSource::Stdout);
    reader.read(bytes, NOW.wall, &mut lines);
    reader.finish(NOW.wall, &mut lines);
    lines
}

/// Puts a recorded payload into the store.
fn insert_payload(store: &mut Store, name: &str) {
    let path = fixtures().join(format!("payloads/{name}.msgpack"));
    let meta = fs::read_to_string(path.with_extension("msgpack.meta.json")).unwrap();
    let format = if meta.contains("/v0.5/traces") {
        TraceFormat::V05
    } else {
        TraceFormat::V04
    };
    let body = RequestBody {
        kind: PayloadKind::Traces(format),
        content_type: None,
        content_encoding: None,
        headers: TraceHeaders::default(),
        bytes: &fs::read(path).unwrap(),
        at: NOW.wall,
        via: Via::Http,
    };
    match ingest::bring(&body, &mut ChunkBuilder::default()).unwrap() {
        Brought::Spans(received) => store.insert(received, NOW),
        other => panic!("{other:?}"),
    };
}

/// The ids that the last line of a recording names.
struct Truth {
    trace: TraceId,
    root: SpanId,
    child: SpanId,
}

impl Truth {
    fn of(printed: &[u8]) -> Self {
        let text = String::from_utf8_lossy(printed).into_owned();
        let last = text.lines().rev().find(|line| line.starts_with('#'));
        let last = last.unwrap().to_owned();
        let value = |name: &str| {
            let mut words = last.split_whitespace();
            let value = words.find_map(|word| word.strip_prefix(name));
            value.unwrap().to_owned()
        };
        Self {
            trace: value("hex128=").parse().unwrap(),
            root: value("root_span=").parse().unwrap(),
            child: value("child_span=").parse().unwrap(),
        }
    }
}

#[track_caller]
fn check_joined(store: &Store, entry: &LogEntry, truth: &Truth, name: &str) {
    let line = entry.record().line();
    let joined = entry.joined();
    let trace = joined.and_then(|joined| store.trace(joined.trace));
    if line.starts_with('#') || line.contains("no-span") {
        assert!(joined.is_none(), "{name}: {line}");
        return;
    }
    let trace = trace.unwrap_or_else(|| panic!("{name}: not joined: {line}"));
    assert_eq!(trace.trace_id(), truth.trace, "{name}: {line}");
    assert_eq!(joined.unwrap().by, JoinedBy::TraceId, "{name}: {line}");
    let span = if line.contains("in-root") {
        truth.root
    } else {
        truth.child
    };
    let named: Vec<SpanId> = entry.record().ids.spans().collect();
    assert!(named.contains(&span), "{name}: {line}");
    let found = trace
        .log_span(entry.record())
        .and_then(|index| trace.span(index));
    assert_eq!(found.map(Span::span_id), Some(span), "{name}: {line}");
}

#[test]
fn every_recorded_line_joins_the_trace_it_names() {
    let mut n_forms = 0;
    for file in fs::read_dir(fixtures().join("lines")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let Some(name) = file
            .strip_suffix(".stdout.txt")
            .filter(|name| name.starts_with("logform-"))
        else {
            continue;
        };
        n_forms += 1;
        let printed = printed(name);
        let truth = Truth::of(&printed);
        for spans_first in [true, false] {
            let mut store = Store::new(64 << 20);
            if spans_first {
                insert_payload(&mut store, name);
            }
            store.take_lines(read(&printed), NOW);
            if !spans_first {
                insert_payload(&mut store, name);
            }
            assert!(store.n_logs() >= 4, "{name}");
            for entry in store.logs() {
                check_joined(&store, entry, &truth, name);
            }
            let counters = store.counters();
            assert_eq!(
                counters.logs_received,
                counters.logs_joined + counters.logs_unjoined
            );
        }
    }
    assert_eq!(n_forms, 15);
}

#[test]
fn what_modal_serve_printed_is_taken_apart() {
    for name in ["modal-serve-131", "modal-serve-16x"] {
        let mut store = Store::new(64 << 20);
        store.take_lines(read(&printed(name)), NOW);
        let counters = store.counters();
        assert_eq!(counters.traces_complete, 20, "{name}");
        // Two containers, six documents each before and after the reload, and their lifecycle.
        assert_eq!(counters.spans_received, 2 * 6 * 3 + 2 * 4, "{name}");
        assert_eq!(counters.logs_joined, 2 * 6 * 2 + 2 * 4, "{name}");
        assert_eq!(counters.payloads_refused, 0, "{name}");
        let app = store.modal();
        assert!(
            app.id.as_ref().is_some_and(|id| id.starts_with("ap-")),
            "{name}"
        );
        assert_eq!(app.reloads.len(), 1, "{name}");
    }
}

#[test]
fn traces_that_ddtrace_printed_are_whole() {
    for (name, n_traces, n_spans) in [
        ("logwriter-412", 4, 8),
        ("logwriter-partial-412", 1, 13),
        ("logwriter-links-412", 2, 2),
        ("logwriter-error-412", 2, 3),
    ] {
        let mut store = Store::new(64 << 20);
        store.take_lines(read(&printed(name)), NOW);
        let counters = store.counters();
        assert_eq!(
            (counters.traces_complete, counters.spans_shown),
            (n_traces, n_spans),
            "{name}"
        );
    }
}
