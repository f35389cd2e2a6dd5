//! What a real Agent would change, on the screen.

use super::*;

fn sloppy() -> Sample<'static> {
    Sample {
        service: "Document Processor!",
        resource: "",
        meta: &[
            ("env", "Staging EU"),
            ("http.status_code", "teapot"),
            ("peer.service", "my-db"),
        ],
        ..span(2, 1, 40, 380, "Foo \x1b[31mBar")
    }
}

#[test]
fn the_span_says_what_an_agent_would_change() {
    let (store, mut pane) = pane_of(&[span(1, 0, 0, 500, "root"), sloppy()], 1);
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (120, 36))));
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (80, 24))));
}

#[test]
fn why_and_by_which_rule_stands_below() {
    let (store, pane) = pane_of(&[span(1, 0, 0, 500, "root"), sloppy()], 1);
    let text = outline(&store, &pane);
    let expected = "agent: will change 5 fields (sim)\n  \
        service: `Document Processor!` → `document_processor`  tags are lower case, of letters, digits, and :./-_\n    \
        why: tags are lower case, of letters, digits, and :./-_\n    \
        source: pkg/trace/traceutil/normalize/normalize.go NormalizeService\n  \
        name: `Foo ␛[31mBar` → `Foo_31mBar`  names are of ASCII letters, digits, . and _\n    \
        why: names are of ASCII letters, digits, . and _\n    \
        source: pkg/trace/traceutil/normalize/normalize.go NormalizeName\n  \
        resource: (empty) → `Foo_31mBar`  a span needs a resource: its name\n    \
        why: a span needs a resource: its name\n    \
        reason: resource_empty\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn an_ordinary_span_says_nothing_of_an_agent() {
    let (store, pane) = pane_of(&[span(1, 0, 0, 10, "root"), failed()], 1);
    assert!(!outline(&store, &pane).contains("agent"));
}

#[test]
fn long_texts_are_told_by_their_lengths() {
    let resource = "SELECT ".repeat(1_000);
    let sample = Sample {
        resource: &resource,
        ..span(1, 0, 0, 10, "query")
    };
    let (store, pane) = pane_of(&[sample], 0);
    let text = outline(&store, &pane);
    let cut = "resource: `SELECT SELECT SELECT SELECT SELECT SELE…` (7000 bytes) → \
        `SELECT SELECT SELECT SELECT SELECT SELE…` (5000 bytes)  at most 5000 bytes";
    assert!(text.contains(cut), "{text}");
}

#[test]
fn a_span_without_an_id_takes_all_that_came_with_it_along() {
    let (store, mut pane) = pane_of(&[span(1, 0, 0, 10, "root"), span(0, 1, 1, 2, "lost")], 1);
    let text = outline(&store, &pane);
    let first = "agent: will drop what came with this span, for its id is 0 (sim)\n";
    assert!(text.starts_with(first), "{text}");
    insta::assert_snapshot!(frame(&draw(&mut pane, &store, (80, 24))));
    pane.show(pane.shown.unwrap().0, SpanIndex(0));
    let text = outline(&store, &pane);
    let first = "agent: will drop what came with a span here whose id is 0 (sim)\n";
    assert!(text.starts_with(first), "{text}");
}

#[test]
fn a_trace_without_an_id_is_dropped() {
    let mut builder = ChunkBuilder::default();
    builder.begin_span().unwrap();
    builder.set_number(crate::trace::Field::SpanId, 1);
    let mut store = Store::new(1 << 20);
    let key = insert(&mut store, &mut builder);
    let mut pane = SpanPane::default();
    pane.show(key, SpanIndex(0));
    let text = outline(&store, &pane);
    let first = "agent: will drop this trace: its trace id is 0 (sim)\n";
    assert!(text.starts_with(first), "{text}");
}

#[test]
fn corrections_are_bounded_and_harmless() {
    let keys: Vec<String> = (0..3_000)
        .map(|n| format!("{n}\x1b[2J{}", "k".repeat(200)))
        .collect();
    let meta: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    let sample = Sample {
        service: "\x1b[2J\u{202e}",
        meta: &meta,
        ..span(1, 0, 0, 10, "root")
    };
    let (store, mut pane) = pane_of(&[sample], 0);
    let text = outline(&store, &pane);
    assert!(text.contains("will change 3001 fields (sim)"), "{text}");
    assert!(text.contains("...: 2801 more"), "{text}");
    assert!(
        !text.contains('\x1b') && !text.contains('\u{202e}'),
        "{text}"
    );
    let area = Rect::new(0, 0, 60, 20);
    let text = frame(&draw_in(&mut pane, &store, area, Glyphs::Ascii));
    assert!(text.is_ascii(), "{text}");
}
