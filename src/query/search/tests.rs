//! A search finds what an exact look finds.

use std::collections::BTreeSet;

use super::*;
use crate::export::tests::{deliver, recorded::recorded};
use crate::trace::{Span, Value};

/// The recorded payloads, each trace as it came.
fn store() -> Store {
    let mut store = Store::new(64 << 20);
    for chunks in recorded() {
        deliver(&mut store, chunks);
    }
    store
}

/// Some words of a span: parts of its texts, its numbers and its ids.
fn words_of(span: Span<'_>, words: &mut BTreeSet<String>) {
    let mut add = |text: &str| {
        let middle: String = text.chars().skip(text.len() / 3).take(7).collect();
        words.extend([text.to_owned(), middle.to_uppercase(), middle]);
    };
    for text in [span.service(), span.name(), span.resource()] {
        add(&text.to_lossy());
    }
    add(&span.span_id().0.to_string());
    add(&format!("{:016x}", span.span_id().0));
    add(&span.trace_id().to_string());
    for (_, attribute) in span.attributes() {
        for (_, value) in attribute.entries() {
            match value {
                Value::Text(text) => add(&text.to_lossy()),
                Value::Float(float) => add(&float.to_string()),
                Value::Int(int) => add(&int.to_string()),
                _ => {}
            }
        }
    }
}

#[test]
fn a_search_finds_what_an_exact_look_finds() {
    let store = store();
    let mut words = BTreeSet::new();
    for trace in store.traces() {
        for (_, span) in trace.spans().take(3) {
            words_of(span, &mut words);
        }
    }
    let mut n_found = 0;
    let fixed = [
        "kept",
        "reject",
        "rule 0",
        "e",
        "0",
        "1.",
        "tr*e",
        "-x or y",
        "caf\u{e9}",
        "0.5",
    ];
    let step = words.len() / 150 + 1;
    for word in fixed
        .into_iter()
        .chain(words.iter().step_by(step).map(String::as_str))
    {
        let query = Query::new(word);
        let mut search = Search::new(query.clone());
        for trace in store.traces() {
            let expected = query.matches_trace(&store, trace);
            assert_eq!(search.matches_trace(&store, trace), expected, "{word:?}");
            n_found += usize::from(expected);
        }
    }
    assert!(n_found > 1_000, "{n_found}");
}
