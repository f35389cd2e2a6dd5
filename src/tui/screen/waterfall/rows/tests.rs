//! Folds, guides and self times over small trees.

use super::super::sample::{Sample, send, span, store_of};
use super::*;
use crate::store::{Store, TraceKey};

/// The visible rows as they would be drawn, without bars.
fn outline(rows: &Rows, trace: &TraceEntry, cells_max: usize) -> Vec<String> {
    let line = |position| {
        let row = rows.at(position).unwrap();
        let mark = match (rows.is_folded(row.item), row.subtree) {
            (_, 1) => "─",
            (true, _) => "▸",
            (false, _) => "▾",
        };
        let guide = rows.guide(row, mark, cells_max, Glyphs::Unicode);
        assert_eq!(guide.text.chars().nth(guide.mark_cell), mark.chars().next());
        match row.item {
            Item::Span(span) => format!("{}{}", guide.text, trace.span(span).unwrap().name()),
            Item::Group(id) => {
                let members = &rows.group(id).unwrap().members;
                let name = trace.span(members[0]).unwrap().name();
                format!("{}{name} x{}", guide.text, members.len())
            }
        }
    };
    (0..rows.n_visible()).map(line).collect()
}

fn at(span: u32) -> Item {
    Item::Span(SpanIndex(span))
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
        |rows| rows.set_fold(at(1), Fold::Closed),
        &["▾ root", "├▸ parse", "└▾ extract", "  └─ llm"],
    );
    check(Rows::fold_all, &["▸ root"]);
    check(
        |rows| {
            rows.fold_all();
            rows.set_fold(at(0), Fold::Open);
        },
        &["▾ root", "├▸ parse", "└▸ extract"],
    );
    check(
        |rows| {
            rows.toggle_subtree(at(0));
            rows.reveal(at(5));
        },
        &["▾ root", "├▸ parse", "└▾ extract", "  └─ llm"],
    );
    check(
        |rows| {
            rows.set_fold(at(4), Fold::Closed);
            rows.toggle_subtree(at(4));
            rows.toggle_subtree(at(1));
        },
        &["▾ root", "├▸ parse", "└▾ extract", "  └─ llm"],
    );
}

#[test]
fn a_hidden_span_is_found_at_the_fold_that_hides_it() {
    let (_, _, mut rows) = rows_of(&family());
    assert_eq!(rows.position(at(3)), Some(3));
    rows.set_fold(at(1), Fold::Closed);
    assert_eq!(rows.position(at(3)), Some(1));
    assert_eq!(rows.position(at(5)), Some(3));
    assert_eq!(rows.position(at(99)), None);
}

#[test]
fn folds_stay_with_their_span_while_the_trace_grows() {
    let (mut store, key, mut rows) = rows_of(&family()[1..]);
    rows.set_fold(at(0), Fold::Closed);
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
        let row = rows.row(at(index)).unwrap();
        rows.children(row)
            .map(|child| child.span().unwrap().0)
            .collect()
    };
    assert_eq!(children(0), [1, 4]);
    assert_eq!(children(1), [2, 3]);
    assert_eq!(children(5), [0; 0]);
}

/// As many equal children as that, and something else between them.
fn crowd(n_equal: u64) -> Vec<Sample<'static>> {
    let mut samples = vec![span(1, 0, 0, 1_000, "root"), span(2, 1, 15, 10, "parse")];
    samples.extend((0..n_equal).map(|n| span(100 + n, 1, 10 * n.cast_signed(), 12, "page")));
    samples.push(span(3, 101, 11, 2, "ocr"));
    samples
}

#[track_caller]
fn check_crowd(samples: &[Sample<'_>], change: impl FnOnce(&mut Rows), expected: &[&str]) {
    let (store, key, mut rows) = rows_of(samples);
    change(&mut rows);
    assert_eq!(outline(&rows, store.trace(key).unwrap(), 40), expected);
}

#[test]
fn equal_siblings_stand_where_the_first_of_them_would() {
    check_crowd(&crowd(9), |_| {}, &["▾ root", "├▸ page x9", "└─ parse"]);
    let open = [
        "▾ root",
        "├▾ page x9",
        "│ ├─ page",
        "│ ├▾ page",
        "│ │ └─ ocr",
        "│ ├─ page",
        "│ ├─ page",
        "│ ├─ page",
        "│ ├─ page",
        "│ ├─ page",
        "│ ├─ page",
        "│ └─ page",
        "└─ parse",
    ];
    check_crowd(&crowd(9), Rows::unfold_all, &open);
    check_crowd(&crowd(9), |rows| rows.reveal(at(4)), &open);
}

#[test]
fn what_differs_is_no_sibling_of_a_group() {
    let mut samples = crowd(8);
    samples.push(Sample {
        service: "other",
        ..span(300, 1, 95, 1, "page")
    });
    samples.push(span(301, 2, 16, 1, "page"));
    samples.push(span(302, 99, 96, 1, "page"));
    let (_, _, rows) = rows_of(&samples);
    assert_eq!(
        (rows.groups().count(), rows.n_visible()),
        (0, samples.len())
    );
}

#[test]
fn orphans_of_one_parent_are_siblings_also_where_nothing_else_is() {
    let orphans: Vec<_> = (0..9).map(|n| span(100 + n, 77, 5, 1, "worker")).collect();
    check_crowd(&orphans, |_| {}, &["▸ worker x9"]);
    let mut samples = orphans;
    samples.extend((0..9).map(|n| span(200 + n, 78, 5, 1, "worker")));
    samples.push(span(1, 0, 0, 100, "root"));
    check_crowd(
        &samples,
        |_| {},
        &["▾ root", "├▸ worker x9", "└▸ worker x9"],
    );
}

#[test]
fn groups_whose_parents_share_an_id_are_folded_apart() {
    let mut samples = vec![
        span(1, 0, 0, 1_000, "first"),
        span(1, 0, 500, 1_000, "second"),
    ];
    let pages = (0..36).map(|n| span(100 + n, 1, 20 * n.cast_signed(), 1, "page"));
    samples.extend(pages);
    let (store, key, mut rows) = rows_of(&samples);
    assert_eq!(
        outline(&rows, store.trace(key).unwrap(), 40),
        ["▾ first", "└▸ page x25", "▾ second", "└▸ page x11"]
    );
    let second = rows.at(3).unwrap().item;
    rows.set_fold(second, Fold::Open);
    assert_eq!(rows.n_visible(), 4 + 11);
    assert!(rows.is_folded(rows.at(1).unwrap().item));
}

#[test]
fn self_time_knows_what_ran_between_the_members_of_a_group() {
    let (store, key, rows) = rows_of(&crowd(9));
    let trace = store.trace(key).unwrap();
    // Members cover 0 to 92, a span among them nothing more.
    assert_eq!(rows.self_time(trace, SpanIndex(0)) / 1_000_000, 1_000 - 92);
    let mut samples = crowd(9);
    samples.push(span(4, 1, 0, 500, "beside"));
    let (store, key, rows) = rows_of(&samples);
    let trace = store.trace(key).unwrap();
    assert_eq!(rows.self_time(trace, SpanIndex(0)) / 1_000_000, 500);
}

/// Members from start and duration; the parent takes from 0 to 100.
fn group_of(members: &[(i64, i64)]) -> (Store, TraceKey, Rows) {
    let mut samples = vec![span(1, 0, 0, 100, "root")];
    for ((start, duration), id) in members.iter().zip(100..) {
        samples.push(Sample {
            error: *duration == 13,
            ..span(id, 1, *start, *duration, "page")
        });
    }
    rows_of(&samples)
}

/// The start of the member that was waited for, and whether it was the slowest.
#[track_caller]
fn check_awaited(more: &[(i64, i64)], expected: Option<(i64, &str)>) {
    let mut members = vec![(0, 10); 9];
    members.extend_from_slice(more);
    let (store, key, rows) = group_of(&members);
    let trace = store.trace(key).unwrap();
    let group = rows.groups().next().unwrap();
    let start = |span| trace.span(span).unwrap().start().since(trace.start()) / 1_000_000;
    let waited_for = group.waited_for;
    assert_eq!(
        waited_for.map(|waited_for| (start(waited_for.span), waited_for.word())),
        expected
    );
}

#[test]
fn the_member_that_ends_last_within_its_parent_was_waited_for() {
    check_awaited(&[(5, 80)], Some((5, "slowest")));
    check_awaited(&[(5, 80), (6, 20)], Some((5, "slowest")));
    check_awaited(&[(1, 80), (70, 20)], Some((70, "last")));
    check_awaited(&[(1, 80), (2, 500)], Some((1, "last")));
    check_awaited(&[(0, 10)], Some((0, "slowest")));
    // One after the other, the parent waits for each.
    check_awaited(&[(20, 30)], None);
}

#[test]
fn a_group_says_how_long_its_members_took() {
    let members: Vec<_> = (1..=20).map(|n| (n, 21 - n)).collect();
    let (_, _, rows) = group_of(&members);
    let group = rows.groups().next().unwrap();
    let millis = [
        group.p50,
        group.p95,
        group.max,
        group.end.since(group.start),
    ];
    assert_eq!(millis.map(|nanos| nanos / 1_000_000), [10, 19, 20, 20]);
    assert_eq!((group.n_errors, group.n_open), (1, 0));
}
