//! What a filter costs on each span of a full store: a word that is nowhere, so that all is looked
//! through, beside the same search written out plainly (`plain`), and other terms. Items are spans.
//!
//! ```text
//! cargo bench --bench search
//! cargo bench --bench search -- ratios
//! ```
//!
//! The second compares with a search through owned strings and maps.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock, prints, and says where it cannot go on"
)]

#[path = "support/compare.rs"]
mod compare;
#[path = "support/naive.rs"]
mod naive;
#[path = "support/payload.rs"]
mod payload;

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use modtrace_tui::ingest::Received;
use modtrace_tui::query::{Query, Search};
use modtrace_tui::store::{Store, TraceEntry};
use modtrace_tui::trace::{ChunkBuilder, Now, Span, Text, UnixNanos, Value, Via};
use modtrace_tui::wire::v04;

use compare::{say, take_turns};
use payload::{Format, Tags};

const N_PAYLOADS: u64 = 64;
const N_TRACES: usize = 100;

fn main() {
    if compare::is_asked() {
        print_ratios();
    } else {
        divan::main();
    }
}

fn filled() -> Store {
    filled_with(Tags::Rich, N_PAYLOADS)
}

fn encoded(tags: Tags, seed: u64) -> Vec<u8> {
    payload::encode(Format::V04, tags, N_TRACES, seed)
}

fn filled_with(tags: Tags, n_payloads: u64) -> Store {
    let mut store = Store::new(1 << 30);
    let mut builder = ChunkBuilder::default();
    for seed in 0..n_payloads {
        let payload = encoded(tags, seed);
        let received = Received::new(
            UnixNanos(1),
            Via::Http,
            v04::decode(&payload, &mut builder).unwrap(),
        );
        store.insert(received, Now::default());
    }
    store
}

fn n_spans(store: &Store) -> usize {
    store.traces().map(TraceEntry::n_spans).sum()
}

const QUERIES: [&str; 8] = [
    "nowhere",
    "1234567",
    "näher",
    "no where",
    "svc:nowhere",
    "no.such.tag:5",
    "dur>1h",
    "(nowhere or svc:none) -err",
];

#[divan::bench(args = QUERIES)]
fn query(bencher: Bencher<'_, '_>, text: &str) {
    let store = filled();
    let query = Query::new(text);
    bencher
        .counter(ItemsCount::new(n_spans(&store)))
        .bench_local(|| {
            let mut search = Search::new(query.clone());
            let matching = store
                .traces()
                .filter(|trace| search.matches_trace(&store, trace));
            matching.count()
        });
}

/// The word search that knows no language.
#[divan::bench(args = ["nowhere", "1234567", "näher"])]
fn plain(bencher: Bencher<'_, '_>, text: &str) {
    let store = filled();
    let plain = Plain {
        part: text.to_lowercase(),
        is_number: text.bytes().all(|byte| byte.is_ascii_digit()),
    };
    bencher
        .counter(ItemsCount::new(n_spans(&store)))
        .bench_local(|| {
            let matching = store.traces().filter(|trace| {
                let id = trace.trace_id();
                plain.is_number
                    && [id.to_string(), id.0.to_string(), id.low().to_string()]
                        .iter()
                        .any(|id| id.contains(&plain.part))
                    || trace.sampling().words().contains(&plain.part)
                    || trace.spans().any(|(_, span)| plain.is_in_span(span))
            });
            matching.count()
        });
}

struct Plain {
    part: String,
    is_number: bool,
}

impl Plain {
    fn is_in_span(&self, span: Span<'_>) -> bool {
        let names = [
            span.resource(),
            span.name(),
            span.service(),
            span.span_type(),
        ];
        let id = span.span_id().0;
        names.into_iter().any(|name| self.is_in(name))
            || self.is_number
                && (format!("{id:016x}").contains(&self.part)
                    || id.to_string().contains(&self.part))
            || span.attributes().any(|(_, value)| self.is_in_value(value))
    }

    fn is_in_value(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.is_in(text),
            Value::Null | Value::Bytes(_) => false,
            Value::Bool(bool) => self.is_in_number(&bool),
            Value::Int(int) => self.is_in_number(&int),
            Value::Uint(uint) => self.is_in_number(&uint),
            Value::Float(float) => self.is_in_number(&float),
            Value::Array(mut items) => items.any(|item| self.is_in_value(item)),
            Value::Map(mut entries) => entries.any(|(_, value)| self.is_in_value(value)),
        }
    }

    fn is_in_number(&self, number: &impl ToString) -> bool {
        let may_be_number = self
            .part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        may_be_number && number.to_string().contains(&self.part)
    }

    fn is_in(&self, text: Text<'_>) -> bool {
        if self.part.is_ascii() {
            contains_ignoring_case(text.as_bytes(), self.part.as_bytes())
        } else {
            text.to_lossy().to_lowercase().contains(&self.part)
        }
    }
}

fn contains_ignoring_case(text: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else {
        return true;
    };
    let upper = first.to_ascii_uppercase();
    let mut from = text;
    while let Some(place) = from.iter().position(|byte| byte == first || *byte == upper) {
        let after = from.get(place + 1..).unwrap_or_default();
        match after.get(..rest.len()) {
            None => return false,
            Some(same) if same.eq_ignore_ascii_case(rest) => return true,
            Some(_) => from = after,
        }
    }
    false
}

/// Payloads for some 350,000 spans: more than any cache holds.
const N_PAYLOADS_COMPARED: u64 = 640;

/// Words of letters, of hex and of digits, long and short; nowhere, in a few spans, in every twentieth,
/// in all; in tags, in ids, in numbers with a fraction.
const WORDS: [&str; 12] = [
    "nowhere",
    "c0ffe",
    "ta-0100000000000003",
    "deadbeef",
    "1234567",
    "12345678901234567890",
    "0.428571",
    "-7.5",
    "18",
    "nan",
    "rejected",
    "näher",
];

fn print_ratios() {
    print_ratios_of(Tags::Rich, ("search.naive", "search.million"));
    print_ratios_of(
        Tags::Light,
        ("search.naive.recorded", "search.million.recorded"),
    );
}

fn print_ratios_of(tags: Tags, (ratio, millis): (&str, &str)) {
    let ours = filled_with(tags, N_PAYLOADS_COMPARED);
    let mut naive = naive::Store::default();
    for seed in 0..N_PAYLOADS_COMPARED {
        naive.insert(naive::decode_v04(&encoded(tags, seed)), usize::MAX);
    }
    let n_spans = n_spans(&ours) as f64;
    let mut worst = (0.0_f64, 0.0_f64);
    for text in WORDS {
        let query = Query::new(text);
        let ask_ours = || {
            let mut search = Search::new(query.clone());
            let is_found = |trace: &&TraceEntry| search.matches_trace(&ours, trace);
            black_box(ours.traces().filter(is_found).count());
        };
        let ask_naive = || {
            let has_word = |trace: &&[naive::Span]| trace.iter().any(|span| span.contains(text));
            black_box(naive.traces().filter(has_word).count());
        };
        let mut contenders: [compare::Contender<'_>; 2] =
            [("ours", Box::new(ask_ours)), ("naive", Box::new(ask_naive))];
        let times = take_turns(5, &mut contenders);
        let million = |time: f64| time / n_spans;
        println!(
            "{text:?}: {:.0} ms a million spans, {:.0} through owned strings",
            million(times[0]),
            million(times[1]),
        );
        worst.0 = worst.0.max(times[0] / times[1]);
        worst.1 = worst.1.max(million(times[0]));
    }
    black_box(naive.traces().flatten().map(naive::Span::weight).max());
    say(ratio, worst.0);
    say(millis, worst.1);
}
