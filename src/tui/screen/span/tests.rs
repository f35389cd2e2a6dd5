//! The details of hostile and of ordinary spans, as text and as frames.

mod agent;
mod sampling;

use ratatui::buffer::Buffer;

use super::*;
use crate::trace::{Attribute, ChunkBuilder, Now, UnixNanos};
use crate::tui::action::Motion;
use crate::tui::message::Effect;
use crate::tui::screen::waterfall::rows::Rows;
use crate::tui::screen::waterfall::sample::{
    START, Sample, TRACE_ID, build, frame, insert, span, store_of,
};
use crate::tui::theme::{Color, Glyphs, Theme};

const STACK: &str = "Traceback (most recent call last):\n  File \"app.py\", line 9, in decode\n    return model(batch)\n\ntorch.OutOfMemoryError: CUDA out of memory";

fn failed() -> Sample<'static> {
    Sample {
        service: "vllm",
        resource: "decode \x1b[31mqwen",
        kind: "llm",
        error: true,
        meta: &[
            ("error.type", "torch.OutOfMemoryError"),
            ("error.message", "CUDA out of memory"),
            ("error.stack", STACK),
            ("span.kind", "internal"),
            ("_dd.p.dm", "-3"),
            (
                "prompt",
                "{\"model\":\"qwen2-7b\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\\nthere\"}],\"n\":1}",
            ),
            (
                "_dd.span_links",
                "[{\"trace_id\":\"00000000000000000000000000000abc\",\"span_id\":\"00000000000000ff\",\"attributes\":{\"why\":\"retry\"}}]",
            ),
            (
                "events",
                "[{\"name\":\"exception\",\"time_unix_nano\":1795204426000000000,\"attributes\":{\"exception.type\":\"X\"}}]",
            ),
        ],
        metrics: &[
            ("_sampling_priority_v1", -1.0),
            ("_dd.rule_psr", 0.3),
            ("batch_size", 16.0),
        ],
        ..span(8, 1, 468, 462, "vllm.decode")
    }
}

fn pane_of(samples: &[Sample<'_>], index: u32) -> (Store, SpanPane) {
    let (store, key) = store_of(samples);
    let mut pane = SpanPane::default();
    pane.show(key, SpanIndex(index));
    pane.set_self_time(Some(self_time(&store, key, SpanIndex(index))));
    (store, pane)
}

fn self_time(store: &Store, key: TraceKey, span: SpanIndex) -> i64 {
    let trace = store.trace(key).unwrap();
    let mut rows = Rows::default();
    rows.rebuild(trace);
    rows.self_time(trace, span)
}

fn draw(pane: &mut SpanPane, store: &Store, (width, height): (u16, u16)) -> Buffer {
    draw_in(pane, store, Rect::new(0, 0, width, height), Glyphs::Unicode)
}

fn draw_in(pane: &mut SpanPane, store: &Store, area: Rect, glyphs: Glyphs) -> Buffer {
    let mut buffer = Buffer::empty(area);
    let theme = Theme::new(glyphs, Color::On);
    let context = ViewContext {
        store,
        theme: &theme,
        now: Now::default(),
        flow: Flow::Live,
    };
    pane.draw(&context, area, &mut buffer, Focus::Focused);
    buffer
}

/// All details, opened, as indented text.
fn outline(store: &Store, pane: &SpanPane) -> String {
    fn write(details: &[Detail], depth: usize, into: &mut String) {
        for detail in details {
            let indent = "  ".repeat(depth);
            let line = format!("{indent}{}: {}", detail.label, detail.value);
            into.push_str(line.trim_end());
            into.push('\n');
            write(&detail.below, depth + 1, into);
        }
    }
    let (key, span) = pane.shown.unwrap();
    let trace = store.trace(key).unwrap();
    let room = Room {
        width: 60,
        glyphs: Glyphs::Unicode,
    };
    let mut text = String::new();
    let started = trace.local_root(span).map_or(Vec::new(), |root| {
        started::started(store, trace, root, UnixNanos(START), room)
    });
    write(
        &details(
            trace,
            trace.span(span).unwrap(),
            Some(self_time(store, key, span)),
            started,
            room,
        ),
        0,
        &mut text,
    );
    text
}

#[test]
fn everything_about_a_failed_span_is_said_the_error_first() {
    let (store, pane) = pane_of(&[span(1, 0, 0, 1940, "root"), failed()], 1);
    insta::assert_snapshot!(outline(&store, &pane));
}

#[test]
fn the_whole_screen_shows_the_stack_at_once() {
    let (store, mut pane) = pane_of(&[span(1, 0, 0, 1940, "root"), failed()], 1);
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (100, 36))));
}

#[test]
fn in_a_small_pane_one_key_opens_the_stack() {
    let (store, mut pane) = pane_of(&[span(1, 0, 0, 1940, "root"), failed()], 1);
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (40, 8))));
    pane.update(Action::Open, &store);
    let text = frame(&draw(&mut pane, &store, (60, 8)));
    assert!(text.contains("      return model(batch)"), "{text}");
}

#[test]
fn what_is_copied_is_the_whole_value() {
    let (store, mut pane) = pane_of(&[span(1, 0, 0, 1940, "root"), failed()], 1);
    draw(&mut pane, &store, (100, 36));
    assert_eq!(pane.copy_value().as_deref(), Some(STACK));
    pane.update(Action::Move(Motion::Down), &store);
    assert_eq!(pane.copy_value().as_deref(), Some(STACK), "on a line of it");
    pane.update(Action::Move(Motion::First), &store);
    let copied = "torch.OutOfMemoryError".to_owned();
    assert_eq!(
        pane.update(Action::Copy, &store),
        Outcome::Do(Effect::Copy(copied))
    );
}

#[test]
fn keys_walk_open_and_close_the_tree() {
    let (store, mut pane) = pane_of(&[span(1, 0, 0, 1940, "root"), failed()], 1);
    draw(&mut pane, &store, (80, 20));
    pane.update(Action::UnfoldAll, &store);
    let text = frame(&draw(&mut pane, &store, (80, 60)));
    assert!(text.contains("role      user"), "{text}");
    pane.update(Action::FoldAll, &store);
    let text = frame(&draw(&mut pane, &store, (80, 60)));
    assert!(!text.contains("prompt"), "{text}");
    pane.update(Action::Move(Motion::Last), &store);
    draw(&mut pane, &store, (80, 10));
    assert_eq!(pane.tree.state.selected(), [Box::from("events")]);
}

#[test]
fn a_child_that_is_an_orphan_says_which_parent_is_missing() {
    let (store, pane) = pane_of(&[span(1, 0, 0, 10, "root"), span(2, 77, 1, 2, "lost")], 1);
    let text = outline(&store, &pane);
    assert!(
        text.contains("parent: 77  not seen: this is an orphan"),
        "{text}"
    );
    assert!(text.contains(&format!("trace id: {TRACE_ID}")), "{text}");
}

#[test]
fn typed_links_events_and_bytes_are_shown() {
    let mut builder = ChunkBuilder::default();
    build(&mut builder, &span(1, 0, 0, 1940, "root"));
    let text = |builder: &mut ChunkBuilder, text: &str| builder.text(text.as_bytes()).unwrap();
    let keys = [
        "trace_id",
        "trace_id_high",
        "span_id",
        "flags",
        "time_unix_nano",
        "name",
        "boom",
    ];
    let [trace_id, high, span_id, flags, time, name, boom] =
        keys.map(|key| text(&mut builder, key));
    let bytes = builder.raw(&[0xff, 0, 1]).unwrap();

    let mut writer = builder.attribute(Attribute::SpanLinks);
    let links = writer.open_array();
    let link = writer.open_map();
    for (key, number) in [(trace_id, 0xabc), (high, 1), (span_id, 255), (flags, 1)] {
        writer.key(key);
        writer.uint(number);
    }
    writer.close(link);
    writer.close(links);
    let mut writer = builder.attribute(Attribute::SpanEvents);
    let events = writer.open_array();
    let event = writer.open_map();
    writer.key(time);
    writer.uint(1_795_204_425_250_000_000);
    writer.key(name);
    writer.text(boom);
    writer.close(event);
    writer.close(events);
    let mut writer = builder.attribute(Attribute::MetaStruct);
    let map = writer.open_map();
    writer.key(name);
    writer.bytes(bytes);
    writer.close(map);

    let mut store = Store::new(1 << 20);
    let key = insert(&mut store, &mut builder);
    let mut pane = SpanPane::default();
    pane.show(key, SpanIndex(0));
    let text = outline(&store, &pane);
    for line in [
        "link: trace 00000000000000010000000000000abc  span 255",
        "flags: 1",
        "boom: 19:53:45.250 UTC  +250ms",
        "name: 3 bytes  /wAB",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn hostile_values_are_bounded_and_harmless() {
    let nested = "[".repeat(100) + "\x1b[2J" + &"]".repeat(100);
    let wide = format!(
        "[{}]",
        vec!["{\"a\":\"\\u001b[2J\\u202e\"}"; 5_000].join(",")
    );
    let huge = "x\x1b[2J".repeat(250_000);
    let deep = "[".repeat(120) + &"]".repeat(120);
    let many_lines = "line\n".repeat(20_000);
    let sample = Sample {
        meta: &[
            ("nested", &nested),
            ("wide", &wide),
            ("huge", &huge),
            ("deep", &deep),
            ("many", &many_lines),
            ("same", "1"),
            ("same", "2"),
            ("_dd.span_links", &wide),
            ("events", "{\"no\":\"array\"}"),
            ("error.stack", &huge),
        ],
        metrics: &[("nan", f64::NAN), ("big", 1e300)],
        ..span(1, 0, 0, 10, "root")
    };
    let (store, mut pane) = pane_of(&[sample], 0);
    assert!(!outline(&store, &pane).contains('\x1b'));
    draw(&mut pane, &store, (80, 20));
    assert!(
        pane.tree
            .values()
            .values()
            .all(|value| !value.contains('\x1b'))
    );
    pane.update(Action::UnfoldAll, &store);
    for (width, height) in [(0, 0), (1, 1), (3, 3), (10, 4), (30, 10), (120, 36)] {
        // What is outside of the pane stays as it was.
        let outer = Rect::new(0, 0, width + 4, height + 2);
        let mut buffer = Buffer::filled(outer, ratatui::buffer::Cell::new("o"));
        let theme = Theme::new(Glyphs::Unicode, Color::On);
        let context = ViewContext {
            store: &store,
            theme: &theme,
            now: Now::default(),
            flow: Flow::Live,
        };
        let area = Rect::new(2, 1, width, height);
        pane.draw(&context, area, &mut buffer, Focus::Focused);
        for position in outer.positions().filter(|at| !area.contains(*at)) {
            assert_eq!(buffer.cell(position).unwrap().symbol(), "o", "{position}");
        }
    }
}

#[test]
fn an_evicted_trace_is_said_to_be_gone() {
    let (store, mut pane) = pane_of(&[span(1, 0, 0, 10, "root")], 0);
    draw(&mut pane, &store, (60, 6));
    let text = frame(&draw_in(
        &mut pane,
        &Store::new(0),
        Rect::new(0, 0, 60, 6),
        Glyphs::Ascii,
    ));
    assert!(text.contains("evicted") && text.is_ascii(), "{text}");
}

#[test]
fn what_the_payload_says_of_the_tracer_and_of_the_chunk_is_shown() {
    let mut builder = ChunkBuilder::default();
    build(&mut builder, &span(1, 0, 0, 1940, "root"));
    let mut chunks = builder.finish();
    chunks[0].set_facts(crate::trace::ChunkFacts {
        priority: Some(2),
        origin: "rum".into(),
        dropped_trace: true,
        tags: Box::new([("_dd.p.dm".into(), "-4".into())]),
    });
    let tracer = crate::trace::TracerInfo {
        language: "go".into(),
        env: "prod".into(),
        hostname: "h\u{1b}[31m".into(),
        tags: Box::new([("_dd.tags.process".into(), "entrypoint.name:app".into())]),
        ..crate::trace::TracerInfo::default()
    };
    let mut store = Store::new(1 << 20);
    let received = crate::ingest::Received::new(
        UnixNanos(0),
        crate::trace::Via::Http,
        crate::trace::TracerPayload {
            tracer: tracer.into(),
            chunks,
            n_chunks: 1,
            form: crate::trace::PayloadForm::default(),
        },
    );
    let keys = store.insert(received, Now::default());
    let mut pane = SpanPane::default();
    pane.show(keys[0], SpanIndex(0));
    let text = outline(&store, &pane);
    let (_, said) = text.split_once("trace id").unwrap();
    assert!(said.contains("sdk: kept by hand  prio 2  dm -4"), "{said}");
    let (_, said) = said.split_once("tracer: ").unwrap();
    insta::assert_snapshot!(said);
}
