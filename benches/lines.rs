//! What it costs to read lines: a structlog line, a line of `logging`, spans as ddtrace prints them;
//! and lines that join the traces of a store. Items are lines.
//!
//! ```text
//! cargo bench --bench lines
//! ```

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use modtrace_tui::ingest::{LineReader, Lines};
use modtrace_tui::logs::LogSource;
use modtrace_tui::store::Store;
use modtrace_tui::trace::{Now, UnixNanos};

const N_LINES: usize = 10_000;
const AT: UnixNanos = UnixNanos(1_795_204_900_000_000_000);
const NOW: Now = Now {
    wall: AT,
    uptime_ns: 1_000_000_000,
};
/// What a pipe gives at a time.
const READ_BYTES: usize = 64 * 1024;

fn main() {
    divan::main();
}

/// A line of the guide's document processor, of some trace.
fn structlog(number: usize) -> String {
    let trace = (0x6b00_ad28_u128 << 96) + number as u128 / 4 + 1;
    format!(
        r#"{{"document_id": "doc-{number}", "pages": 3, "event": "parsed_document", "level": "info", "timestamp": "2026-11-20T20:26:27.{:06}Z", "modal": {{"environment": "dev", "region": "us-east-1", "task_id": "ta-01ABCDEF"}}, "dd": {{"trace_id": "{trace}", "span_id": "{}"}}}}"#,
        number % 1_000_000,
        number + 1,
    )
}

fn logging(number: usize) -> String {
    format!(
        "2026-11-20 20:27:25,577 INFO [app] [app.py:42] [dd.service=svc dd.env=dev dd.version=1.0 dd.trace_id=6b00ad2d00000000{:016x} dd.span_id={}] - parsed a document",
        number / 4 + 1,
        number + 1,
    )
}

fn plain(number: usize) -> String {
    format!("Loading checkpoint shards: {number} of {N_LINES} done, nothing to see here")
}

/// A chunk of three spans, as ddtrace prints it.
fn printed(number: usize) -> String {
    let span = |id: usize, parent: usize| {
        format!(
            r#"{{"trace_id": "{:016X}", "parent_id": "{parent:016X}", "span_id": "{id:016X}", "service": "document-processor", "resource": "document.process", "name": "document.process", "error": 0, "start": 1795205181950551406, "duration": 124675, "meta": {{"runtime-id": "757c1fe6a5b84a54a7dfd1ea0ec8d0a1", "modal.task_id": "ta-01ABCDEF", "_dd.p.tid": "6b00ad2800000000", "env": "dev"}}, "metrics": {{"process_id": 18046, "_dd.top_level": 1, "_sampling_priority_v1": 1}}, "type": "serverless"}}"#,
            number + 1
        )
    };
    let root = number * 3 + 1;
    let spans = [span(root, 0), span(root + 1, root), span(root + 2, root)];
    format!(r#"{{"traces": [[{}]]}}"#, spans.join(", "))
}

fn text(line: fn(usize) -> String) -> Vec<u8> {
    let lines: Vec<_> = (0..N_LINES).map(line).collect();
    (lines.join("\n") + "\n").into_bytes()
}

fn read(text: &[u8]) -> Lines {
    let mut reader = LineReader::new(LogSource::Stdout);
    let mut lines = Lines::default();
    for part in text.chunks(READ_BYTES) {
        reader.read(part, AT, &mut lines);
    }
    lines
}

#[divan::bench(args = ["structlog", "logging", "plain", "printed"])]
fn read_lines(bencher: Bencher<'_, '_>, name: &str) {
    let line = match name {
        "structlog" => structlog,
        "logging" => logging,
        "plain" => plain,
        _ => printed,
    };
    let text = text(line);
    bencher
        .counter(ItemsCount::new(N_LINES))
        .counter(BytesCount::of_slice(&text))
        .bench(|| read(&text));
}

/// Reading and joining: two lines a span of traces that are there, or that come after their lines.
#[divan::bench(args = ["spans first", "lines first"])]
fn read_and_join(bencher: Bencher<'_, '_>, order: &str) {
    let traces = text(|number| {
        if number % 4 == 0 {
            printed(number / 4)
        } else {
            String::new()
        }
    });
    let lines = text(structlog);
    let (first, second) = match order {
        "spans first" => (traces, lines),
        _ => (lines, traces),
    };
    bencher.counter(ItemsCount::new(N_LINES)).bench(|| {
        let mut store = Store::new(1 << 30);
        store.take_lines(read(&first), NOW);
        store.take_lines(read(&second), NOW);
        store
    });
}
