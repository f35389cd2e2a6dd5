//! Equal siblings as the reader meets them: one row, opened on demand, that stays as it is while spans
//! come in.

use ratatui::style::Modifier;

use super::super::rows::Row;
use super::*;

/// The tags of a worker: each ran in a container of its own, the first five paid for its start.
fn tags(n: u64) -> &'static [(&'static str, &'static str)] {
    let container = format!("ta-01KAXR3M2W9{:04}", 1_000 + n * 37);
    let mut tags = vec![("modal.task_id", &*container.leak())];
    if n < 5 {
        tags.push(("cold_start", "True"));
    }
    if is_failed(n) {
        tags.push(("error.message", "CUDA out of memory"));
    }
    tags.leak()
}

fn is_failed(n: u64) -> bool {
    n % 20 == 5
}

/// The id of the first worker.
const WORKER: u64 = 100;
/// The worker that ends last.
const SLOWEST: u64 = WORKER + 20;

fn worker(n: u64) -> Sample<'static> {
    let (start, duration) = match WORKER + n {
        SLOWEST => (60, 1_790),
        _ => (
            40 + 7 * n.cast_signed(),
            300 + 11 * (n * 7 % 37).cast_signed(),
        ),
    };
    Sample {
        service: "batch",
        error: is_failed(n),
        meta: tags(n),
        metrics: &[("process_id", 7.0)],
        ..span(WORKER + n, 2, start, duration, "batch-worker")
    }
}

/// A fan-out of 40 workers of which 37 are here, and a cache asked one time after the other.
fn fan_out() -> Vec<Sample<'static>> {
    let mut samples = vec![
        Sample {
            resource: "POST /v1/embed-all",
            ..span(1, 0, 0, 2_100, "request")
        },
        Sample {
            metrics: &[("total_batches", 40.0)],
            ..span(2, 1, 20, 1_900, "fan-out")
        },
    ];
    samples.extend((0..37).map(worker));
    let cached = (0..14_u32).map(|n| {
        let start = 1_930 + 6 * i64::from(n);
        Sample {
            service: "redis",
            ..span(400 + u64::from(n), 1, start, 3, "redis.get")
        }
    });
    samples.extend(cached);
    samples.push(span(3, 1, 2_040, 50, "merge"));
    samples
}

/// A store to which each worker sent its own spans, and the pane that shows it.
fn shown(samples: &[Sample<'_>]) -> (Store, WaterfallPane) {
    let is_worker = |sample: &&Sample<'_>| sample.name == "batch-worker";
    let (workers, others): (Vec<_>, Vec<_>) = samples.iter().partition(is_worker);
    let mut store = Store::new(256 << 20).of_run();
    let others: Vec<_> = others.into_iter().copied().collect();
    if !others.is_empty() {
        send(&mut store, &others);
    }
    for worker in workers {
        send(&mut store, &[*worker]);
    }
    let mut pane = WaterfallPane::default();
    pane.show(store.traces().next_back().map(TraceEntry::key));
    pane.refresh(&store);
    (store, pane)
}

/// What the visible rows stand for: the name and, of a group, how many.
fn names(pane: &WaterfallPane, store: &Store) -> Vec<String> {
    let trace = store.trace(pane.key().unwrap()).unwrap();
    let name = |span| trace.span(span).unwrap().name().to_lossy().into_owned();
    let row = |row: &Row| match row.item {
        Item::Span(span) => name(span),
        Item::Group(id) => {
            let members = &pane.rows.group(id).unwrap().members;
            format!("{} x{}", name(members[0]), members.len())
        }
    };
    let rows = (0..pane.rows.n_visible()).map(|position| pane.rows.at(position).unwrap());
    rows.map(row).collect()
}

fn press(pane: &mut WaterfallPane, store: &Store, actions: &[Action]) {
    for action in actions {
        pane.update(*action, store);
    }
}

/// The name of the selected row.
fn selected(pane: &WaterfallPane, store: &Store) -> String {
    let position = pane.rows.position(pane.cursor.unwrap()).unwrap();
    names(pane, store)[position].clone()
}

fn selected_id(pane: &WaterfallPane, store: &Store) -> u64 {
    let trace = store.trace(pane.key().unwrap()).unwrap();
    trace.span(pane.selected().unwrap()).unwrap().span_id().0
}

const CLOSED: [&str; 5] = [
    "request",
    "fan-out",
    "batch-worker x37",
    "redis.get x14",
    "merge",
];

#[track_caller]
fn check(actions: &[Action], expected: &str, n_visible: usize) {
    let (store, mut pane) = shown(&fan_out());
    press(&mut pane, &store, actions);
    assert_eq!(
        (selected(&pane, &store).as_str(), pane.rows.n_visible()),
        (expected, n_visible)
    );
}

#[test]
fn more_than_eight_equal_siblings_are_one_row_at_first() {
    let (store, pane) = shown(&fan_out());
    assert_eq!(names(&pane, &store), CLOSED);
    let few: Vec<_> = fan_out().into_iter().take(2 + 8).collect();
    let (store, pane) = shown(&few);
    assert_eq!(pane.rows.n_visible(), 10);
    assert!(!names(&pane, &store).contains(&"batch-worker x8".to_owned()));
}

#[test]
fn the_fold_keys_open_and_close_a_group() {
    use Action::{Fold, FoldAll, FoldSubtree, Move, Open, Unfold, UnfoldAll};
    use Motion::{Down, First};
    let group = "batch-worker x37";
    check(&[Move(Down), Move(Down)], group, 5);
    check(&[Move(Down), Unfold], group, 5);
    check(&[Move(Down), Unfold, Unfold], group, 42);
    check(&[Move(Down), Unfold, Unfold, Unfold], "batch-worker", 42);
    check(&[Move(Down), Unfold, Unfold, Unfold, Fold], group, 42);
    check(&[Move(Down), Unfold, Unfold, Unfold, Fold, Fold], group, 5);
    check(&[Move(Down), Unfold, Fold], "fan-out", 5);
    check(&[Move(Down), Unfold, Open], group, 42);
    check(&[Move(Down), Unfold, Open, Open], group, 5);
    check(&[UnfoldAll], "request", 56);
    check(&[UnfoldAll, FoldAll], "request", 1);
    check(
        &[UnfoldAll, FoldAll, Open, Move(Down), Unfold],
        "fan-out",
        5,
    );
    check(&[Move(Down), FoldSubtree], "fan-out", 42);
    check(&[Move(Down), FoldSubtree, FoldSubtree], "fan-out", 4);
    check(
        &[
            UnfoldAll,
            Move(Down),
            Unfold,
            Unfold,
            FoldSubtree,
            Move(First),
        ],
        "request",
        56,
    );
}

#[test]
fn errors_matches_and_lines_inside_a_group_open_it() {
    use Action::{NextError, NextMatch, PreviousError};
    let (store, mut pane) = shown(&fan_out());
    press(&mut pane, &store, &[NextError]);
    assert_eq!(selected_id(&pane, &store), WORKER + 5);
    assert_eq!(pane.rows.n_visible(), 42);
    press(&mut pane, &store, &[NextError]);
    assert_eq!(selected_id(&pane, &store), WORKER + 25);
    press(&mut pane, &store, &[PreviousError]);
    assert_eq!(selected_id(&pane, &store), WORKER + 5);

    let (store, mut pane) = shown(&fan_out());
    pane.set_filter(Query::new("redis"));
    press(&mut pane, &store, &[NextMatch]);
    assert_eq!(selected_id(&pane, &store), 400);
    assert_eq!(pane.rows.n_visible(), 5 + 14);

    let (store, mut pane) = shown(&fan_out());
    let trace = store.trace(pane.key().unwrap()).unwrap();
    let span = trace
        .span_with_id(crate::trace::SpanId(WORKER + 30))
        .unwrap();
    pane.select_span(span);
    assert_eq!(pane.selected(), Some(span));
    assert_eq!(pane.rows.n_visible(), 42);
}

#[test]
fn a_trace_with_errors_is_shown_with_its_groups_closed() {
    let (store, mut pane) = shown(&fan_out());
    pane.select_error(&store);
    assert_eq!(selected(&pane, &store), "batch-worker x37");
    assert_eq!(names(&pane, &store), CLOSED);
    // Its details are those of the error.
    assert_eq!(selected_id(&pane, &store), WORKER + 5);
}

#[test]
fn a_group_stays_as_it_is_while_spans_come_in() {
    let (mut store, mut pane) = shown(&fan_out());
    press(
        &mut pane,
        &store,
        &[Action::Move(Motion::Down), Action::Unfold, Action::Open],
    );
    send(&mut store, &[worker(37), span(900, 1, 1, 1, "early")]);
    pane.refresh(&store);
    assert_eq!(selected(&pane, &store), "batch-worker x38");
    assert_eq!(pane.rows.n_visible(), 44);
    press(&mut pane, &store, &[Action::Open]);
    send(&mut store, &[worker(38)]);
    pane.refresh(&store);
    assert_eq!(selected(&pane, &store), "batch-worker x39");
    assert_eq!(pane.rows.n_visible(), 6);
}

#[test]
fn a_group_stays_as_it_is_when_its_parent_comes_last() {
    let workers: Vec<_> = (0..12).map(worker).collect();
    let (mut store, mut pane) = shown(&workers);
    assert_eq!(names(&pane, &store), ["batch-worker x12"]);
    press(&mut pane, &store, &[Action::Open]);
    send(&mut store, &fan_out()[..2]);
    pane.refresh(&store);
    assert_eq!(selected(&pane, &store), "batch-worker x12");
    assert_eq!(pane.rows.n_visible(), 3 + 12);
    press(&mut pane, &store, &[Action::Fold]);
    assert_eq!(
        names(&pane, &store),
        ["request", "fan-out", "batch-worker x12"]
    );
}

#[test]
fn the_ninth_sibling_does_not_take_the_selected_one_away() {
    let few: Vec<_> = fan_out().into_iter().take(2 + 8).collect();
    let (mut store, mut pane) = shown(&few);
    press(&mut pane, &store, &[Action::Move(Motion::Last)]);
    draw(&mut pane, &store, (80, 23));
    let (span, line) = (pane.selected(), pane.selected_line());
    send(&mut store, &[worker(8)]);
    draw(&mut pane, &store, (80, 23));
    assert_eq!(pane.selected(), span);
    assert_eq!(pane.selected_line(), line.map(|line| line + 1));
    assert_eq!(pane.rows.n_visible(), 3 + 9);
    // Elsewhere it folds as any group does.
    let (mut store, mut pane) = shown(&few);
    press(&mut pane, &store, &[Action::Move(Motion::Down)]);
    send(&mut store, &[worker(8)]);
    pane.refresh(&store);
    assert_eq!(
        names(&pane, &store),
        ["request", "fan-out", "batch-worker x9"]
    );
}

#[test]
fn groups_that_come_after_all_was_opened_are_open() {
    let (mut store, mut pane) = shown(&fan_out()[..2]);
    press(&mut pane, &store, &[Action::UnfoldAll]);
    send(&mut store, &fan_out()[2..20]);
    pane.refresh(&store);
    assert_eq!(pane.rows.n_visible(), 2 + 1 + 18);
}

#[test]
fn a_click_on_its_mark_opens_a_group_and_copying_it_copies_its_name() {
    let (store, mut pane) = shown(&fan_out());
    draw(&mut pane, &store, (120, 36));
    let click = |column, row| Action::Click { column, row };
    assert_eq!(pane.update(click(5, 4), &store), Outcome::Handled);
    assert_eq!(pane.rows.n_visible(), 42);
    assert_eq!(
        pane.update(Action::Copy, &store),
        Outcome::Do(Effect::Copy("batch-worker".to_owned()))
    );
}

#[test]
fn closed_groups_at_120_columns() {
    let (store, mut pane) = shown(&fan_out());
    press(
        &mut pane,
        &store,
        &[Action::Move(Motion::Down), Action::Move(Motion::Down)],
    );
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (120, 36))));
}

#[test]
fn closed_groups_at_80_columns() {
    let (store, mut pane) = shown(&fan_out());
    press(
        &mut pane,
        &store,
        &[Action::Move(Motion::Down), Action::Move(Motion::Down)],
    );
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (80, 24))));
}

#[test]
fn an_open_group_at_120_columns() {
    let (store, mut pane) = shown(&fan_out());
    press(&mut pane, &store, &[Action::NextError, Action::Fold]);
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (120, 36))));
}

#[test]
fn an_open_group_at_80_columns_in_ascii_without_colours() {
    let (store, mut pane) = shown(&fan_out());
    press(&mut pane, &store, &[Action::NextError]);
    let theme = Theme::new(Glyphs::Ascii, Color::Off);
    let frame = frame(&draw_at(&mut pane, &store, (80, 24), &theme, 0));
    assert!(frame.is_ascii());
    insta::assert_snapshot!(frame);
}

#[test]
fn a_group_stands_out_if_the_filter_finds_a_member() {
    let style_of = |filter: &str| {
        let (store, mut pane) = shown(&fan_out());
        pane.set_filter(Query::new(filter));
        let buffer = draw(&mut pane, &store, (120, 36));
        buffer.cell((8, 4)).unwrap().modifier
    };
    assert_eq!(style_of("batch"), Modifier::UNDERLINED);
    assert_eq!(style_of("ta-01KAXR3M2W91000"), Modifier::UNDERLINED);
    assert_eq!(style_of("redis"), Modifier::DIM);
    assert_eq!(style_of(""), Modifier::empty());
}

/// The line of the group, as wide as that.
fn group_line(samples: &[Sample<'_>], width: u16) -> String {
    let (store, mut pane) = shown(samples);
    let text = frame(&draw(&mut pane, &store, (width, 24)));
    let line = text.lines().find(|line| line.contains("×")).unwrap();
    line.to_owned()
}

#[test]
fn the_bar_of_a_group_is_darkest_where_the_most_members_run() {
    // 160 cells of 10 ms each, so that words have room beside it.
    let mut samples = vec![span(1, 0, 0, 1_600, "root")];
    let times = (0..9).map(|n| (0, 10 + 40 * (n / 3))).chain([(350, 50)]);
    samples.extend(
        (100..)
            .zip(times)
            .map(|(id, (start, duration))| span(id, 1, start, duration, "page")),
    );
    let line = group_line(&samples, 269);
    let gap = "·".repeat(35 - 9);
    assert!(
        line.contains(&format!(" ▓▒▒▒▒░░░░{gap}░░░░░ p50")),
        "{line}"
    );
}

#[track_caller]
fn check_missing(parent: Sample<'static>, n_workers: u64, expected: Option<&str>) {
    let mut samples = fan_out();
    samples.truncate(1);
    samples.push(Sample {
        metrics: parent.metrics,
        meta: parent.meta,
        ..fan_out()[1]
    });
    samples.extend((0..n_workers).map(worker));
    let line = group_line(&samples, 200);
    assert_eq!(line.contains(" seen"), expected.is_some(), "{line}");
    assert!(line.contains(expected.unwrap_or_default()), "{line}");
}

#[test]
fn workers_that_are_missing_are_counted() {
    let metric = |number: &'static [(&str, f64)]| Sample {
        metrics: number,
        ..Sample::default()
    };
    let tag = |tags| Sample {
        meta: tags,
        ..Sample::default()
    };
    check_missing(
        metric(&[("total_batches", 40.0)]),
        37,
        Some("37 of 40 seen"),
    );
    check_missing(tag(&[("total_batches", "40")]), 12, Some("12 of 40 seen"));
    check_missing(metric(&[("total_batches", 37.0)]), 37, None);
    check_missing(metric(&[("total_batches", 20.0)]), 37, None);
    check_missing(metric(&[("batches", 40.0)]), 37, None);
    check_missing(tag(&[("total_batches", "many")]), 37, None);
    for number in [f64::NAN, f64::INFINITY, -40.0, 40.5, 1e300] {
        let metrics = Box::leak(Box::new([("total_batches", number)]));
        check_missing(metric(metrics), 37, None);
    }
}

#[test]
fn of_two_groups_the_number_of_workers_speaks_of_the_workers() {
    let mut samples = vec![Sample {
        metrics: &[("total_batches", 60.0)],
        ..span(1, 0, 0, 2_100, "request")
    }];
    samples.extend((0..10).map(worker).map(|worker| Sample {
        parent: 1,
        ..worker
    }));
    samples.extend((0..30).map(|n| span(400 + n, 1, 1_930, 3, "redis.get")));
    let (store, mut pane) = shown(&samples);
    let text = frame(&draw(&mut pane, &store, (200, 24)));
    let lines: Vec<_> = text.lines().filter(|line| line.contains(" seen")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].contains("batch-worker ×10") && lines[0].contains("10 of 60 seen"));
}
