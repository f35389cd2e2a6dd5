//! The pane as the reader uses it: keys, growing traces, frames at three sizes.

mod groups;
mod hostile;

use ratatui::buffer::Buffer;

use super::sample::{Sample, frame, send, span, store_of};
use super::*;
use crate::trace::Now;
use crate::tui::screen::{Flow, Focus, ViewContext};
use crate::tui::theme::{Color, Glyphs, Theme};

fn draw_at(
    pane: &mut WaterfallPane,
    store: &Store,
    (width, height): (u16, u16),
    theme: &Theme,
    uptime_ns: u64,
) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let now = Now {
        uptime_ns,
        ..Now::default()
    };
    let context = ViewContext {
        store,
        theme,
        now,
        flow: Flow::Live,
    };
    pane.refresh(store);
    pane.draw(&context, area, &mut buffer, Focus::Focused);
    buffer
}

fn draw(pane: &mut WaterfallPane, store: &Store, size: (u16, u16)) -> Buffer {
    let theme = Theme::new(Glyphs::Unicode, Color::On);
    draw_at(pane, store, size, &theme, 0)
}

/// A request with everything a waterfall can say about a span.
fn request() -> Vec<Sample<'static>> {
    let vllm = |id, parent, start, duration, name| Sample {
        service: "vllm",
        ..span(id, parent, start, duration, name)
    };
    vec![
        Sample {
            service: "gen-api",
            resource: "POST /v1/generate",
            kind: "web",
            ..span(1, 0, 0, 1940, "fastapi.request")
        },
        Sample {
            service: "gen-api",
            ..span(2, 1, 0, 1160, "cold_start")
        },
        Sample {
            service: "gen-api",
            ..span(3, 2, 20, 702, "import torch")
        },
        Sample {
            service: "gen-api",
            ..span(4, 2, 740, 410, "model.load")
        },
        Sample {
            service: "redis",
            resource: "GET session:9f2\x1b[31m",
            kind: "redis",
            ..span(5, 1, 1165, 0, "redis.command")
        },
        Sample {
            service: "gen-api",
            kind: "llm",
            ..span(6, 1, 1320, 611, "llm.generate")
        },
        vllm(7, 6, 1320, 140, "vllm.prefill"),
        Sample {
            error: true,
            meta: &[
                ("error.type", "CudaOOM"),
                (
                    "error.message",
                    "CUDA out of memory\ntried to allocate 2.4 GiB",
                ),
            ],
            ..vllm(8, 6, 1468, 462, "vllm.decode")
        },
        Sample {
            service: "pg",
            ..span(9, 99, 1800, 12, "INSERT usage")
        },
        Sample {
            service: "gen-api",
            metrics: &[("_dd.partial_version", 1.0)],
            ..span(10, 1, 1890, 340, "background.flush")
        },
    ]
}

fn shown(samples: &[Sample<'_>]) -> (Store, WaterfallPane) {
    let (store, key) = store_of(samples);
    let mut pane = WaterfallPane::default();
    pane.show(Some(key));
    pane.refresh(&store);
    (store, pane)
}

#[test]
fn a_request_at_120_columns() {
    let (store, mut pane) = shown(&request());
    for _ in 0..7 {
        pane.update(Action::Move(Motion::Down), &store);
    }
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (120, 36))));
}

#[test]
fn a_request_at_80_columns_with_a_fold() {
    let (store, mut pane) = shown(&request());
    pane.update(Action::Move(Motion::Down), &store);
    pane.update(Action::Open, &store);
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (80, 24))));
}

#[test]
fn a_request_at_60_columns_in_ascii_without_colours() {
    let (store, mut pane) = shown(&request());
    let theme = Theme::new(Glyphs::Ascii, Color::Off);
    let buffer = draw_at(&mut pane, &store, (60, 15), &theme, 0);
    let frame = frame(&buffer);
    assert!(frame.is_ascii());
    insta::assert_snapshot!(frame);
}

#[test]
fn spans_that_match_the_filter_stand_out() {
    let (store, mut pane) = shown(&request());
    pane.set_filter(Query::new("VLLM"));
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (100, 14))));
}

#[test]
fn a_trace_without_its_root_says_so() {
    let (store, mut pane) = shown(&request()[6..8]);
    let text = frame(&draw(&mut pane, &store, (100, 8)));
    assert!(text.contains("root not seen"), "{text}");
    assert!(text.contains("orphan"), "{text}");
}

#[test]
fn any_size_is_drawn_without_leaving_its_area() {
    let (store, mut pane) = shown(&request());
    pane.set_filter(Query::new("vllm"));
    for width in (0..40).chain([59, 60, 71, 72, 120, 300]) {
        for height in [0, 1, 2, 3, 4, 5, 20] {
            draw(&mut pane, &store, (width, height));
        }
    }
}

#[test]
fn clocks_at_the_ends_of_the_range_are_drawn() {
    let mut builder = crate::trace::ChunkBuilder::default();
    let ends = [i64::MIN, i64::MAX, 0, -1];
    for (id, start) in (1_u64..).zip(ends) {
        for (twin, duration) in ends.into_iter().enumerate() {
            builder.begin_span().unwrap();
            let id = id * 8 + u64::try_from(twin).unwrap();
            let numbers = [
                (crate::trace::Field::SpanId, id),
                (crate::trace::Field::ParentId, id / 2),
                (crate::trace::Field::Start, start.cast_unsigned()),
                (crate::trace::Field::Duration, duration.cast_unsigned()),
                (crate::trace::Field::Error, 1),
            ];
            for (field, number) in numbers {
                builder.set_number(field, number);
            }
        }
    }
    let mut store = Store::new(1 << 20);
    let key = sample::insert(&mut store, &mut builder);
    let mut pane = WaterfallPane::default();
    pane.show(Some(key));
    pane.refresh(&store);
    for _ in 0..16 {
        pane.update(Action::Move(Motion::Down), &store);
        draw(&mut pane, &store, (120, 36));
    }
    assert_eq!(pane.rows.n_visible(), 16);
}

#[test]
fn the_selected_span_stays_on_its_line_while_the_trace_grows() {
    let mut samples = vec![span(1, 0, 0, 1000, "root")];
    samples.extend((2..60).map(|id| span(id, 1, 100, 1, "child")));
    let (mut store, mut pane) = shown(&samples);
    pane.update(Action::UnfoldAll, &store);
    draw(&mut pane, &store, (80, 23));
    for _ in 0..31 {
        pane.update(Action::Move(Motion::Down), &store);
    }
    draw(&mut pane, &store, (80, 23));
    let (selected, line) = (pane.selected(), pane.selected_line());
    let early: Vec<Sample<'_>> = (100..107).map(|id| span(id, 1, 50, 1, "early")).collect();
    send(&mut store, &early);
    draw(&mut pane, &store, (80, 23));
    assert_eq!((pane.selected(), pane.selected_line()), (selected, line));
    assert_eq!(pane.rows.position(Item::Span(selected.unwrap())), Some(38));
}

#[test]
fn a_trace_nobody_moved_in_is_shown_from_its_beginning() {
    let (mut store, mut pane) = shown(&request()[6..8]);
    draw(&mut pane, &store, (100, 12));
    let selected = pane.selected();
    send(&mut store, &request()[..6]);
    let text = frame(&draw(&mut pane, &store, (100, 12)));
    assert_eq!(pane.selected(), selected);
    assert!(text.contains("fastapi.request"), "{text}");
}

#[track_caller]
fn check_keys(actions: &[Action], selected: &str, n_visible: usize) {
    let (store, mut pane) = shown(&request());
    for action in actions {
        pane.update(*action, &store);
    }
    let trace = store.trace(pane.key().unwrap()).unwrap();
    let span = trace.span(pane.selected().unwrap()).unwrap();
    assert_eq!(
        (span.name().to_lossy().as_ref(), pane.rows.n_visible()),
        (selected, n_visible)
    );
}

#[test]
fn keys_walk_and_fold_the_tree() {
    use Action::{Fold, FoldAll, FoldSubtree, Move, Open, Unfold, UnfoldAll};
    use Motion::{Down, First, Last};
    check_keys(&[Move(Last)], "INSERT usage", 10);
    check_keys(&[Move(Last), Move(First)], "fastapi.request", 10);
    check_keys(&[Unfold], "cold_start", 10);
    check_keys(&[Unfold, Unfold, Fold], "cold_start", 10);
    check_keys(&[Unfold, Unfold, Fold, Fold], "cold_start", 8);
    check_keys(&[Unfold, Fold, Unfold], "cold_start", 10);
    check_keys(&[Unfold, Fold, Fold], "fastapi.request", 8);
    check_keys(&[Open], "fastapi.request", 1);
    check_keys(&[Open, Open], "fastapi.request", 10);
    check_keys(&[Unfold, Unfold, FoldAll], "fastapi.request", 1);
    check_keys(&[FoldAll, Open], "fastapi.request", 6);
    check_keys(&[FoldAll, UnfoldAll], "fastapi.request", 10);
    check_keys(&[Unfold, FoldSubtree, Move(Down)], "redis.command", 8);
}

#[test]
fn errors_and_matches_are_found_also_when_folded() {
    use Action::{FoldAll, Move, NextError, PreviousError};
    check_keys(&[FoldAll, NextError], "vllm.decode", 8);
    check_keys(&[Move(Motion::Last), PreviousError], "vllm.decode", 10);
    let (store, mut pane) = shown(&request());
    assert_eq!(pane.update(Action::NextMatch, &store), Outcome::Ignored);
    pane.set_filter(Query::new("decode"));
    assert_eq!(pane.update(Action::NextMatch, &store), Outcome::Handled);
    assert_eq!(pane.selected(), Some(SpanIndex(7)));
    assert_eq!(pane.update(Action::PreviousMatch, &store), Outcome::Handled);
    assert_eq!(pane.selected(), Some(SpanIndex(7)));
}

#[test]
fn enter_on_a_leaf_opens_its_details() {
    let (store, mut pane) = shown(&request());
    pane.update(Action::NextError, &store);
    assert_eq!(
        pane.update(Action::Open, &store),
        Outcome::Open(Place::Span)
    );
}

#[test]
fn a_click_selects_and_on_the_mark_folds() {
    let (store, mut pane) = shown(&request());
    draw(&mut pane, &store, (120, 36));
    // Frame and ruler are above the first row; the frame and the selection's cell left of it.
    let click = |column, row| Action::Click { column, row };
    assert_eq!(pane.update(click(40, 7), &store), Outcome::Handled);
    assert_eq!(pane.selected(), Some(SpanIndex(5)));
    pane.update(click(3, 3), &store);
    assert_eq!(
        (pane.selected(), pane.rows.n_visible()),
        (Some(SpanIndex(1)), 8)
    );
    assert_eq!(pane.update(click(0, 3), &store), Outcome::Ignored);
}

#[test]
fn the_wheel_takes_the_selection_along_only_at_the_edge() {
    let mut samples = vec![span(1, 0, 0, 1000, "root")];
    samples.extend((2..60).map(|id| span(id, 1, 100, 1, "child")));
    let (store, mut pane) = shown(&samples);
    pane.update(Action::UnfoldAll, &store);
    draw(&mut pane, &store, (80, 23));
    pane.update(Action::Scroll(3), &store);
    assert_eq!(
        (pane.viewport.offset, pane.selected()),
        (3, Some(SpanIndex(2)))
    );
    pane.update(Action::Scroll(-2), &store);
    assert_eq!(
        (pane.viewport.offset, pane.selected()),
        (1, Some(SpanIndex(2)))
    );
    pane.update(Action::Scroll(1_000), &store);
    assert_eq!(pane.viewport.offset, 60 - 20);
}

#[test]
fn a_large_trace_that_grows_is_taken_some_times_a_second() {
    let ids = 2..=u64::try_from(FOLLOWED_SPANS_MAX + 1).unwrap();
    let mut samples = vec![span(1, 0, 0, 1000, "root")];
    samples.extend(ids.map(|id| span(id, 1, 100, 1, "child")));
    let (mut store, mut pane) = shown(&samples);
    pane.update(Action::UnfoldAll, &store);
    let theme = Theme::new(Glyphs::Unicode, Color::On);
    let mut rows_at = |uptime_ns, store: &Store| {
        draw_at(&mut pane, store, (80, 20), &theme, uptime_ns);
        (pane.rows.n_visible(), pane.is_behind())
    };
    assert_eq!(rows_at(0, &store), (FOLLOWED_SPANS_MAX + 2, false));
    send(&mut store, &[span(90_000, 1, 5, 1, "late")]);
    assert_eq!(
        rows_at(REBUILD_NS - 1, &store),
        (FOLLOWED_SPANS_MAX + 2, true)
    );
    assert_eq!(rows_at(REBUILD_NS, &store), (FOLLOWED_SPANS_MAX + 3, false));
    send(&mut store, &[span(90_001, 1, 5, 1, "late")]);
    assert_eq!(
        rows_at(REBUILD_NS + 1, &store),
        (FOLLOWED_SPANS_MAX + 3, true)
    );
    assert_eq!(
        rows_at(2 * REBUILD_NS, &store),
        (FOLLOWED_SPANS_MAX + 4, false)
    );
}

#[test]
fn a_trace_ten_times_as_large_is_taken_a_tenth_as_often() {
    assert_eq!(rebuild_interval_ns(FOLLOWED_SPANS_MAX), REBUILD_NS);
    let large = rebuild_interval_ns(1_000_000);
    assert!(large > REBUILD_NS);
    assert_eq!(rebuild_interval_ns(10_000_000), 10 * large);
}

#[test]
fn an_evicted_trace_is_said_to_be_gone() {
    let (_, mut pane) = shown(&request());
    let text = frame(&draw(&mut pane, &Store::new(0), (80, 6)));
    assert!(text.contains("evicted"), "{text}");
    assert_eq!(pane.update(Action::Open, &Store::new(0)), Outcome::Ignored);
}
