//! What holds of whatever strangers send. Each of these takes bytes, follows them through everything
//! that is pure, and panics where something does not hold. Shared with the crate in `fuzz/`.
//!
//! 1. Nothing panics, and nothing takes longer than its size explains.
//! 2. An error names its place, which lies within the body.
//! 3. What is decoded takes at most [`DECODED_BYTES_FLOOR`] and [`DECODED_BYTES_PER_BYTE`] times the
//!    body, and there is no more of it than bytes.
//! 4. What was captured can be exported, opened again and exported again: the same bytes, the same
//!    spans, the same counters.
//! 5. How a stream is cut makes no difference to what is read of it.
//! 6. What the Agent would make of it is well formed, and whatever it changes is told.
//! 7. What a reader was fed before makes no difference to what it reads next.

use modtrace_tui::export::{self, Format};
use modtrace_tui::ingest::{self, Brought, LineReader, Lines, Request, RequestRecord};
use modtrace_tui::logs::{LogRecord, LogSource};
use modtrace_tui::normalize;
use modtrace_tui::query::Query;
use modtrace_tui::store::{RowMark, SpanTree, Store, TraceEntry};
use modtrace_tui::trace::{ChunkBuilder, Now, UnixNanos};
use serde_json::Value;

/// When everything happens.
const NOW: Now = Now {
    wall: UnixNanos(1_795_206_500_000_000_000),
    uptime_ns: 1_000_000_000,
};

/// What the smallest payload may become, as `wire` says.
const DECODED_BYTES_FLOOR: usize = 64 << 20;
/// What each of its bytes may add, as `wire` says.
const DECODED_BYTES_PER_BYTE: usize = 4;
/// What a line takes beside its text, which is held once as it came and once as it is read.
const RECORD_BYTES: usize = 1024;
const RECORD_BYTES_PER_BYTE: usize = 8;
/// A body is never larger, however it was packed.
const BODY_BYTES_MAX: usize = 25 << 20;
/// More than most inputs bring. What is reserved for it is cleared for each.
const PLENTY: usize = 32 << 20;

/// What an error tells of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The byte; and the path, unless it is the head of the body itself.
    Path,
    /// The byte.
    Byte,
    /// What there is to tell: the place lies in something that was packed, or is not known.
    Anything,
}

/// A request, head and body.
pub(crate) fn message(bytes: Vec<u8>, told: Told) {
    let mut builder = ChunkBuilder::default();
    let n_bytes = bytes.len();
    let request = ingest::bring_message(bytes, NOW.wall, &mut builder);
    check_record(&request.record);
    if request.record.status == 400 {
        check_place(&request.record, told);
    }
    let unpacked = match told {
        Told::Anything => BODY_BYTES_MAX,
        _ => n_bytes,
    };
    check_brought(&request.brought, unpacked);
    check_unspoilt(&mut builder);
    let mut store = Store::new(PLENTY);
    store.take_request(request, NOW);
    check_held(&store);
}

/// What a program prints.
pub(crate) fn lines(input: &[u8]) {
    let whole = read(input, |_| usize::MAX);
    let mut state = fingerprint(input);
    let cut = read(input, |_| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        usize::try_from(state >> 58).unwrap_or(0) + 1
    });
    assert_eq!(whole.records.len(), cut.records.len());
    for request in &whole.requests {
        check_record(&request.record);
        check_brought(&request.brought, BODY_BYTES_MAX.max(input.len()));
    }
    let n_pieces = whole.records.len() + whole.requests.len() + whole.relay_losses.len();
    assert!(n_pieces <= input.len(), "{n_pieces} of {}", input.len());
    check_records(&whole.records, input.len());
    let (mut store, mut other) = (Store::new(PLENTY), Store::new(PLENTY));
    store.take_lines(whole, NOW);
    other.take_lines(cut, NOW);
    let (first, second) = (written(&store, "json"), written(&other, "json"));
    assert!(first == second, "cut otherwise:\n{first}\n{second}");
    check_held(&store);
    read_with_pauses(input);
}

/// A text that somebody types or pastes where a query is asked for; a second one may follow in the
/// next line.
pub(crate) fn query(text: &str) {
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    let (first, second) = (Query::new(first), Query::new(second));
    for query in [&first, &second] {
        check_query(query);
    }
    let narrows = first.narrows(&second);
    SAMPLE.with(|store| {
        for trace in store.traces() {
            let (one, other) = (
                first.matches_trace(store, trace),
                second.matches_trace(store, trace),
            );
            assert!(!narrows || !one || other, "{first:?} narrows {second:?}");
            for (index, span) in trace.spans() {
                first.matches_span(span, RowMark::None);
                first.matches_row(store, trace, index, RowMark::None);
            }
        }
        for line in store.logs() {
            first.matches_log(line);
        }
    });
}

/// A file to be opened.
pub(crate) fn file(bytes: &[u8]) {
    let mut store = Store::new(PLENTY);
    match export::open(bytes, &mut store, NOW) {
        Ok(opened) => assert!(opened.kept.n_spans <= u64::try_from(bytes.len()).unwrap()),
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 1_000, "{text}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
    check_held(&store);
}

thread_local! {
    /// Something for queries to match.
    static SAMPLE: Store = {
        let mut store = Store::new(PLENTY);
        let mut lines = read(super::seeds::CAPTURE.as_bytes(), |_| usize::MAX);
        store.take_lines(std::mem::take(&mut lines), NOW);
        assert!(store.n_traces() > 0 && store.n_logs() > 0, "the sample is read");
        store
    };
}

fn check_query(query: &Query) {
    if let Some(fault) = query.fault() {
        assert!(fault.start <= fault.end, "{fault:?}");
        let at = query.text().get(fault.start..fault.end);
        assert!(at.is_some(), "{fault:?} lies in {:?}", query.text());
    }
    let sound = query.clone().sound();
    assert_eq!(sound.fault(), None, "{query:?}");
    assert!(sound.narrows(&sound) || !query.narrows(query), "{query:?}");
}

/// Reads a stream in pieces of such lengths.
fn read(input: &[u8], mut length: impl FnMut(usize) -> usize) -> Lines {
    let mut lines = Lines::default();
    let mut reader = LineReader::new(LogSource::Stdout);
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(length(rest.len()).min(rest.len()));
        reader.read(piece, NOW.wall, &mut lines);
        rest = after;
    }
    reader.finish(NOW.wall, &mut lines);
    lines
}

/// Time passes between pieces: what waits is given up.
fn read_with_pauses(input: &[u8]) {
    let mut lines = Lines::default();
    let mut reader = LineReader::new(LogSource::Stdout);
    let mut at = NOW.wall;
    for piece in input.chunks(input.len() / 16 + 1) {
        reader.read(piece, at, &mut lines);
        at = at.plus(3_000_000_000);
        reader.idle(at, &mut lines);
    }
    reader.finish(at, &mut lines);
    assert!(lines.records.len() <= input.len());
}

/// FNV-1a: what decides about an input without being a part of it.
fn fingerprint(input: &[u8]) -> u64 {
    input.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// What is shown of a request is bounded and steers no terminal.
fn check_record(record: &RequestRecord) {
    let texts: [&str; 4] = [&record.method, &record.path, &record.client, &record.note];
    for text in texts {
        assert!(text.len() <= 4096, "{} bytes", text.len());
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let refused = !(200..300).contains(&record.status);
    assert!(!refused || !record.note.is_empty(), "{record:?}");
}

fn check_place(record: &RequestRecord, told: Told) {
    let note = &*record.note;
    if told == Told::Anything || note.len() >= 1_000 {
        return;
    }
    let place = note.rsplit_once("byte ").and_then(|(_, after)| {
        let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    });
    let place = place.unwrap_or_else(|| panic!("no place in {note:?}"));
    assert!(place <= record.bytes, "{note}; of {}", record.bytes);
    // The head of an array takes five bytes at most.
    let has_path = told != Told::Path || place <= 5 || note.starts_with('[');
    assert!(has_path, "no path in {note:?}");
}

fn check_brought(brought: &Brought, n_bytes: usize) {
    match brought {
        Brought::Spans(received) => {
            let payload = &received.payload;
            let limit = DECODED_BYTES_FLOOR + DECODED_BYTES_PER_BYTE * n_bytes;
            // The last chunk's allocator overhead is the one thing that nobody counts again.
            assert!(
                payload.heap_bytes() <= limit + 64,
                "{}",
                payload.heap_bytes()
            );
            assert!(payload.n_spans() <= n_bytes && payload.n_chunks <= n_bytes);
        }
        Brought::Logs(records) => {
            assert!(records.len() <= n_bytes);
            check_records(records, n_bytes);
        }
        _ => {
            let limit = DECODED_BYTES_FLOOR + DECODED_BYTES_PER_BYTE * n_bytes;
            assert!(brought.heap_bytes() <= limit);
        }
    }
}

fn check_records(records: &[LogRecord], n_bytes: usize) {
    let heap_bytes: usize = records.iter().map(LogRecord::heap_bytes).sum();
    let limit = RECORD_BYTES * records.len() + RECORD_BYTES_PER_BYTE * n_bytes;
    assert!(heap_bytes <= limit, "{heap_bytes} of {limit}");
}

/// A builder that has seen something hostile serves the next client as if it were new.
fn check_unspoilt(builder: &mut ChunkBuilder) {
    let good = b"PUT /v0.4/traces HTTP/1.1\r\n\r\n\x91\x91\x81\xa4name\xa1n";
    let request: Request = ingest::bring_message(good.to_vec(), NOW.wall, builder);
    let Brought::Spans(received) = request.brought else {
        panic!("{:?}", request.record);
    };
    assert_eq!(received.payload.n_spans(), 1);
    let span = received.payload.chunks[0].span(0).expect("one came");
    assert_eq!(span.name(), "n");
}

/// Everything that is derived from what is held can be had, the counters balance, and it comes back
/// from a file as it was.
fn check_held(store: &Store) {
    check_counters(store);
    for trace in store.traces() {
        assert_eq!(SpanTree::build(trace).rows.len(), trace.n_spans());
        let event =
            serde_json::to_string(&export::trace_event(trace, store)).expect("it is written");
        event.parse::<Value>().expect("it is JSON");
        check_normalized(trace);
    }
    let first = written(store, "json");
    // By a strict reader that is not ours, too.
    first
        .parse::<Value>()
        .unwrap_or_else(|error| panic!("{error}\n{first}"));
    let mut again = Store::new(PLENTY);
    if let Err(error) = export::open(first.as_bytes(), &mut again, NOW) {
        panic!("{error}\n{first}");
    }
    let second = written(&again, "json");
    assert!(first == second, "other bytes:\n{first}\n{second}");
    assert_eq!(store.counters(), again.counters());
    for (before, after) in store.traces().zip(again.traces()) {
        for ((_, span), (_, twin)) in before.spans().zip(after.spans()) {
            assert!(span.same_as(twin), "{first}");
        }
    }
    let datadog = written(store, "datadog");
    let mut again = Store::new(PLENTY);
    if let Err(error) = export::open(datadog.as_bytes(), &mut again, NOW) {
        panic!("{error}\n{datadog}");
    }
}

fn check_normalized(trace: &TraceEntry) {
    let request = normalize::Request {
        received: NOW.wall,
        ..normalize::Request::default()
    };
    let spans = || trace.spans().map(|(_, span)| span);
    for span in spans() {
        let Ok(normalized) = normalize::normalize(span, request) else {
            continue;
        };
        let texts = [
            normalized.service(),
            normalized.name(),
            normalized.resource(),
        ];
        assert!(texts.iter().all(|text| !text.is_empty()), "{texts:?}");
        assert!(normalized.duration() >= 0);
        let n_tags = normalized.meta().count() + normalized.metrics().count();
        assert!(n_tags <= span.meta().count() + span.metrics().count());
        let is_as_sent = span.service() == normalized.service()
            && span.name() == normalized.name()
            && normalized.start() == span.start();
        assert!(is_as_sent || !normalized.corrections().is_empty());
    }
    if let Ok(chunk) = normalize::normalize_chunk(spans(), None, request) {
        assert_eq!(chunk.spans().len(), trace.n_spans());
        assert!(chunk.root().is_some() && (0.0..=1.0).contains(&chunk.client_rate()));
    }
}

fn check_counters(store: &Store) {
    let counters = store.counters();
    let accounted = u128::from(counters.spans_shown)
        + u128::from(counters.spans_evicted)
        + u128::from(counters.spans_duplicate);
    assert_eq!(u128::from(counters.spans_received), accounted);
    let shown: usize = store.traces().map(TraceEntry::n_spans).sum();
    assert_eq!(usize::try_from(counters.spans_shown), Ok(shown));
    let accounted = u128::from(counters.logs_joined) + u128::from(counters.logs_unjoined);
    assert_eq!(u128::from(counters.logs_received), accounted);
}

/// Everything that is held, as a file.
pub(crate) fn written(store: &Store, format: &str) -> String {
    let format = Format::named(format).expect("there is such a format");
    let mut out = Vec::new();
    export::write_all(format, store, NOW.wall, &mut out).expect("memory takes all");
    String::from_utf8(out).expect("a file is text")
}
