//! Folds, guides and self times over small trees.

use super::super::sample::{Sample, send, span, store_of};
use super::*;
use crate::store::{Store, TraceKey};

/// The visible rows as they would be drawn, without bars.
fn outline(rows: &Rows, trace: &TraceEntry, cells_max: usize) -> Vec<String> {
    let line = |position| {
        let row = rows.at(position).unwrap();
        let mark = match (rows.is_folded(row.span), row.subtree) {
            (_, 1) => "─",
            (true, _) => "▸",
            (false, _) => "▾",
        };
        let guide = rows.guide(row, mark, cells_max, Glyphs::Unicode);
        assert_eq!(guide.text.chars().nth(guide.mark_cell), mark.chars().next());
        format!("{}{}", guide.text, trace.span(row.span).unwrap().name())
    };
    (0..rows.n_visible()).map(line).collect()
}

fn rows_of(samples: &[Sample<'_>]) -> (Store, TraceKey, Rows) {
    let (store, key) = store_of(samples);
    let mut rows = Rows::default();
    rows.rebuild(store.trace(key).unwrap());
    (store, key, rows)
}

fn family() -> Vec<Sample<'static>> {
    vec![
        span(1, 0, 0, 100, "root"),
        span(2, 1, 10, 20, "parse"),
        span(3, 2, 12, 5, "open"),
        span(4, 2, 18, 5, "read"),
        span(5, 1, 40, 50, "extract"),
        span(6, 5, 45, 10, "llm"),
    ]
}

#[track_caller]
fn check(fold: impl FnOnce(&mut Rows), expected: &[&str]) {
    let (store, key, mut rows) = rows_of(&family());
    fold(&mut rows);
    assert_eq!(outline(&rows, store.trace(key).unwrap(), 40), expected);
}

#[test]
fn guides_lead_from_each_row_to_its_parent() {
    check(
        |_| {},
        &[
            "▾ root",
            "├▾ parse",
            "│ ├─ open",
            "│ └─ read",
            "└▾ extract",
            "  └─ llm",
        ],
    );
}

#[test]
fn a_fold_hides_what_is_below_it() {
    check(
        |rows| rows.set_folded(SpanIndex(1), true),
        &["▾ root", "├▸ parse", "└▾ extract", "  └─ llm"],
    );
    check(Rows::fold_all, &["▸ root"]);
    check(
        |rows| {
            rows.fold_all();
            rows.set_folded(SpanIndex(0), false);
        },
        &["▾ root", "├▸ parse", "└▸ extract"],
    );
    check(
        |rows| {
            rows.toggle_subtree(SpanIndex(0));
            rows.reveal(SpanIndex(5));
        },
        &["▾ root", "├▸ parse", "└▾ extract", "  └─ llm"],
    );
    check(
        |rows| {
            rows.set_folded(SpanIndex(4), true);
            rows.toggle_subtree(SpanIndex(4));
            rows.toggle_subtree(SpanIndex(1));
        },
        &["▾ root", "├▸ parse", "└▾ extract", "  └─ llm"],
    );
}

#[test]
fn a_hidden_span_is_found_at_the_fold_that_hides_it() {
    let (_, _, mut rows) = rows_of(&family());
    assert_eq!(rows.position(SpanIndex(3)), Some(3));
    rows.set_folded(SpanIndex(1), true);
    assert_eq!(rows.position(SpanIndex(3)), Some(1));
    assert_eq!(rows.position(SpanIndex(5)), Some(3));
    assert_eq!(rows.position(SpanIndex(99)), None);
}

#[test]
fn folds_stay_with_their_span_while_the_trace_grows() {
    let (mut store, key, mut rows) = rows_of(&family()[1..]);
    rows.set_folded(SpanIndex(0), true);
    send(
        &mut store,
        &[span(1, 0, 0, 100, "root"), span(7, 1, 5, 1, "first")],
    );
    rows.rebuild(store.trace(key).unwrap());
    assert_eq!(
        outline(&rows, store.trace(key).unwrap(), 40),
        ["▾ root", "├─ first", "├▸ parse", "└▾ extract", "  └─ llm"],
    );
}

#[test]
fn a_deep_row_says_its_depth_and_keeps_to_its_cells() {
    let names: Vec<String> = (0..30).map(|n| format!("s{n}")).collect();
    let chain: Vec<Sample<'_>> = (0..30)
        .zip(&names)
        .map(|(n, name)| span(n + 1, n, 0, 100, name))
        .collect();
    let (store, key, rows) = rows_of(&chain);
    let lines = outline(&rows, store.trace(key).unwrap(), 12);
    assert_eq!(lines[5], "        └▾ s5");
    assert_eq!(lines[6], "·6·      └▾ s6");
    assert_eq!(lines[29], "·29·    └─ s29");
    for row in rows.all() {
        let guide = rows.guide(row, "─", 12, Glyphs::Ascii);
        assert!(guide.text.chars().count() <= 12, "{guide:?}");
    }
}

#[test]
fn self_time_is_what_no_child_covers() {
    let samples = [
        span(1, 0, 0, 100, "root"),
        span(2, 1, -50, 60, "began before"),
        span(3, 1, 20, 20, "inside"),
        span(4, 1, 30, 20, "overlapping"),
        span(5, 1, 60, -5, "negative"),
        span(6, 1, 90, 500, "outlives"),
        span(7, 99, 55, 20, "orphan"),
        span(8, 3, 0, 1000, "grandchild"),
    ];
    let (store, key, rows) = rows_of(&samples);
    let trace = store.trace(key).unwrap();
    let of = |index| rows.self_time(trace, SpanIndex(index)) / 1_000_000;
    assert_eq!(of(0), 10 + 40);
    assert_eq!(of(2), 0);
    assert_eq!(of(4), 0);
    assert_eq!(of(3), 20);
}

#[test]
fn children_are_the_rows_one_deeper() {
    let (_, _, rows) = rows_of(&family());
    let children = |index| -> Vec<u32> {
        let row = rows.row(SpanIndex(index)).unwrap();
        rows.children(row).map(|child| child.span.0).collect()
    };
    assert_eq!(children(0), [1, 4]);
    assert_eq!(children(1), [2, 3]);
    assert_eq!(children(5), [0; 0]);
}
