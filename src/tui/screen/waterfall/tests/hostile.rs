//! Traces of strangers: any ids, parents and clocks, by the hundred thousand. Rows stand for each span
//! once, bars stay in their column, and a frame takes no longer than a frame may.

#![expect(
    clippy::disallowed_methods,
    reason = "whether a frame comes in time is told by the clock"
)]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use ratatui::buffer::Buffer;

use super::super::draw::Columns;
use super::super::rows::Rows;
use super::super::sample::insert;
use super::*;
use crate::trace::{ChunkBuilder, Field};

/// Id, parent id, start, duration.
type Sent = (u64, u64, i64, i64);

const N: u64 = 100_000;
/// What a frame of an unoptimized build may take on a slow machine; more is no longer proportional
/// to the number of spans.
const FRAME_MAX: Duration = Duration::from_secs(10);
/// The same for what comes in.
const INSERT_MAX: Duration = Duration::from_secs(60);
const TEN_YEARS: i64 = 315_576_000_000_000_000;
const NOON: i64 = 1_795_176_000_000_000_000;
const BARS: &str = "▏▎▍▌▋▊▉█▐▕░▒▓";

fn store_of(payloads: impl IntoIterator<Item = Vec<Sent>>) -> (Store, TraceKey) {
    let mut store = Store::new(1 << 30);
    let mut key = TraceKey(0);
    let mut builder = ChunkBuilder::default();
    for spans in payloads {
        for (id, parent, start, duration) in spans {
            builder.begin_span().unwrap();
            let name = builder.text(b"work").unwrap();
            builder.set_text(Field::Name, name);
            builder.set_number(Field::TraceId, 7);
            builder.set_number(Field::SpanId, id);
            builder.set_number(Field::ParentId, parent);
            builder.set_number(Field::Start, start.cast_unsigned());
            builder.set_number(Field::Duration, duration.cast_unsigned());
        }
        key = insert(&mut store, &mut builder);
    }
    (store, key)
}

/// Every span has one row.
#[track_caller]
fn assert_rows(store: &Store, key: TraceKey) -> Rows {
    let trace = store.trace(key).unwrap();
    let mut rows = Rows::default();
    rows.rebuild(trace);
    let mut seen = vec![false; trace.n_spans()];
    for row in rows.all() {
        let Item::Span(span) = row.item else { continue };
        let place = usize::try_from(span.0).unwrap();
        assert!(!std::mem::replace(&mut seen[place], true), "twice: {row:?}");
    }
    assert!(seen.iter().all(|seen| *seen), "a span has no row");
    assert!(rows.n_visible() <= trace.n_spans());
    rows.unfold_all();
    assert_eq!(rows.n_visible(), trace.n_spans() + rows.groups().count());
    rows
}

/// Whatever looks like a part of a bar is in the column of bars, and each row has some.
#[track_caller]
fn assert_bars(frame: &Buffer, n_rows: usize) {
    let inner = Rect::new(1, 1, frame.area.width - 2, frame.area.height - 2);
    let column = Columns::of(inner).bars;
    let mut n_with_bars = 0;
    for y in 2..frame.area.height - 1 {
        let is_bar = |x: &u16| BARS.contains(frame.cell((*x, y)).unwrap().symbol());
        let cells: Vec<u16> = (0..frame.area.width).filter(is_bar).collect();
        let is_inside = |x: &u16| (column.x..column.right()).contains(x);
        assert!(
            cells.iter().all(is_inside),
            "line {y}: {cells:?} {column:?}"
        );
        n_with_bars += usize::from(!cells.is_empty());
    }
    let n_lines = usize::from(frame.area.height - 3);
    assert_eq!(n_with_bars, n_rows.min(n_lines));
}

/// It is drawn at once at two sizes, at its beginning, end and middle, folded and unfolded.
#[track_caller]
fn check(payloads: impl IntoIterator<Item = Vec<Sent>>, n_spans: usize) {
    let payloads: Vec<_> = payloads.into_iter().collect();
    let begun = Instant::now();
    let (store, key) = store_of(payloads);
    assert!(
        begun.elapsed() < INSERT_MAX,
        "insert: {:?}",
        begun.elapsed()
    );
    assert_eq!(store.trace(key).unwrap().n_spans(), n_spans);
    assert_rows(&store, key);
    let mut pane = WaterfallPane::default();
    pane.show(Some(key));
    for size in [(120, 36), (200, 60)] {
        let begun = Instant::now();
        let frame = draw(&mut pane, &store, size);
        assert_bars(&frame, pane.rows.n_visible());
        assert!(begun.elapsed() < FRAME_MAX, "frame: {:?}", begun.elapsed());
        for action in [
            Action::Move(Motion::Last),
            Action::Fold,
            Action::Fold,
            Action::FoldAll,
            Action::Move(Motion::First),
            Action::UnfoldAll,
            Action::FoldSubtree,
            Action::FoldSubtree,
            Action::Move(Motion::Last),
            Action::NextError,
            Action::Scroll(-1_000),
        ] {
            let begun = Instant::now();
            pane.update(action, &store);
            let frame = draw(&mut pane, &store, size);
            assert!(
                begun.elapsed() < FRAME_MAX,
                "{action:?}: {:?}",
                begun.elapsed()
            );
            assert_bars(&frame, pane.rows.n_visible() - pane.viewport.offset);
        }
        pane.update(Action::Move(Motion::First), &store);
    }
}

fn time(number: u64) -> i64 {
    NOON + i64::try_from(number).unwrap()
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn deep() -> Vec<Sent> {
    (1..=N).map(|id| (id, id - 1, time(id), 5)).collect()
}

fn wide() -> Vec<Sent> {
    (1..=N).map(|id| (id, id.min(2) - 1, time(id), 5)).collect()
}

#[test]
fn a_trace_a_hundred_thousand_deep_is_drawn_at_once() {
    check([deep()], count(N));
}

#[test]
fn a_trace_a_hundred_thousand_wide_is_drawn_at_once() {
    check([wide()], count(N));
}

#[test]
fn parents_that_come_last_one_a_payload_cost_no_more() {
    check(deep().into_iter().rev().map(|span| vec![span]), count(N));
    check(wide().into_iter().rev().map(|span| vec![span]), count(N));
}

#[test]
fn circles_are_drawn_at_once_whether_a_root_is_there_or_not() {
    let circle = |first: u64, n: u64| {
        (0..n).map(move |place| (first + place, first + (place + 1) % n, time(place), 5))
    };
    check([circle(1, N).collect()], count(N));
    let pairs = (0..N / 2).flat_map(|pair| circle(1 + 2 * pair, 2));
    check([pairs.collect()], count(N));
    check(
        [(1..=N).map(|id| (id, id, time(id), 5)).collect()],
        count(N),
    );
    // A root, a circle that does not hang from it, and a long tail on the circle.
    let apart = std::iter::once((1, 0, NOON, 9))
        .chain(circle(2, N / 2))
        .chain((N..N + N / 2).map(|id| (id, if id == N { 2 } else { id - 1 }, time(id), 5)));
    check([apart.collect()], count(N + 1));
}

#[test]
fn equal_ids_are_drawn_at_once() {
    check([vec![(1, 0, NOON, 5); count(N)]], 1);
    check([(0..N).map(|n| (1, 0, time(n), 5)).collect()], count(N));
    check(
        [(0..N).map(|n| (1 + n % 2, 2 - n % 2, time(n), 5)).collect()],
        count(N),
    );
    check([(0..N).map(|n| (0, n % 3, time(n), 5)).collect()], count(N));
}

#[test]
fn snapshots_and_retries_one_a_payload_cost_the_same_in_a_large_trace() {
    let grown = |(id, parent, start, duration)| vec![(id, parent, start, duration + 1)];
    let snapshots = deep().into_iter().map(grown);
    check(std::iter::once(deep()).chain(snapshots), count(N));
    let retries = deep().into_iter().map(|span| vec![span]);
    check(std::iter::once(deep()).chain(retries), count(N));
}

#[test]
fn clocks_that_are_off_stay_in_their_column() {
    let clocks = [
        (NOON, 5),
        (NOON - TEN_YEARS, 5),
        (NOON + TEN_YEARS, 5),
        (NOON, 0),
        (NOON, -5),
        (NOON, i64::MIN),
        (NOON, i64::MAX),
        (i64::MAX, i64::MAX),
        (i64::MIN, i64::MIN),
        (i64::MIN, i64::MAX),
        (i64::MIN, 0),
        (0, 0),
        (-1, 1),
    ];
    for n_clocks in 1..=clocks.len() {
        let spans = (1..).zip(&clocks[..n_clocks]);
        let spans = spans.map(|(id, (start, duration))| (id, id - 1, *start, *duration));
        check([spans.collect()], n_clocks);
    }
    let off = (0..1_000).map(|n: u64| {
        let (start, duration) = clocks[count(n) % clocks.len()];
        (n + 1, n / 3, start, duration)
    });
    check([off.collect()], 1_000);
}

#[test]
fn a_million_traces_of_one_span_are_taken_and_one_of_them_is_drawn() {
    let n_traces: u64 = if cfg!(debug_assertions) {
        100_000
    } else {
        1_000_000
    };
    let mut store = Store::new(2 << 30);
    let mut builder = ChunkBuilder::default();
    let mut key = TraceKey(0);
    for trace in 1..=n_traces {
        builder.begin_span().unwrap();
        builder.set_number(Field::TraceId, trace);
        builder.set_number(Field::SpanId, trace);
        builder.set_number(Field::Start, time(trace).cast_unsigned());
        key = insert(&mut store, &mut builder);
    }
    assert_eq!(store.n_traces(), count(n_traces));
    let mut pane = WaterfallPane::default();
    pane.show(Some(key));
    let begun = Instant::now();
    assert_bars(&draw(&mut pane, &store, (200, 60)), 1);
    assert!(begun.elapsed() < FRAME_MAX / 10, "{:?}", begun.elapsed());
}

fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0_i64..50,
        2 => NOON..NOON + 1_000,
        1 => any::<i64>(),
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, NOON - TEN_YEARS, NOON + TEN_YEARS]),
    ]
}

fn any_duration() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => 0_i64..50,
        1 => any::<i64>(),
        1 => prop::sample::select(vec![i64::MIN, -1, 0, i64::MAX]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_spans_give_each_a_row_and_a_bar_inside_its_column(
        payloads in prop::collection::vec(
            prop::collection::vec((0_u64..20, 0_u64..24, any_time(), any_duration()), 1..30), 1..6,
        ),
        size in (20_u16..220, 5_u16..70),
        keys in prop::collection::vec(prop::sample::select(vec![
            Action::Move(Motion::Last), Action::Move(Motion::Down), Action::Fold, Action::Unfold,
            Action::FoldAll, Action::UnfoldAll, Action::FoldSubtree, Action::Scroll(3),
        ]), 0..8),
    ) {
        let (store, key) = store_of(payloads);
        assert_rows(&store, key);
        let mut pane = WaterfallPane::default();
        pane.show(Some(key));
        draw(&mut pane, &store, size);
        for action in keys {
            pane.update(action, &store);
        }
        let frame = draw(&mut pane, &store, size);
        let inner = Rect::new(1, 1, size.0 - 2, size.1 - 2);
        if Columns::of(inner).bars.width > 0 && inner.height >= 4 {
            assert_bars(&frame, pane.rows.n_visible() - pane.viewport.offset);
        }
    }
}
