//! Recorded spans of real tracers, as a real Agent would take them.

use modtrace_tui::normalize::{Request, Rule, normalize_chunk};
use modtrace_tui::trace::{ChunkBuilder, UnixNanos};

use crate::replay::{names, replay};

/// What the Agent corrects in a recorded request: field, before and after.
fn corrections(name: &str) -> Vec<(String, String, Option<String>, Rule)> {
    let (received, headers) = replay(name, &mut ChunkBuilder::default());
    let request = Request {
        language: &headers.tracer.language,
        received: UnixNanos(1_795_204_425_287_000_000),
        has_top_level: true,
    };
    let mut corrections = Vec::new();
    for chunk in &received.payload.chunks {
        let normalized = normalize_chunk(chunk.spans(), chunk.facts(), request);
        let normalized = normalized.unwrap_or_else(|dropped| panic!("{name}: {dropped}"));
        let spans = normalized.spans().iter();
        corrections.extend(spans.flat_map(|span| {
            let corrections = span.corrections().into_iter();
            corrections.map(|it| {
                let after = it.after.map(std::borrow::Cow::into_owned);
                (
                    it.field.into_owned(),
                    it.before.into_owned(),
                    after,
                    it.rule,
                )
            })
        }));
    }
    corrections
}

#[test]
fn no_recorded_request_is_dropped_and_what_is_corrected_is_something_else() {
    for name in names() {
        for (field, before, after, _) in corrections(&name) {
            assert_ne!(Some(before), after, "{name}: {field}");
        }
    }
}

#[test]
fn an_ordinary_program_needs_no_corrections_and_one_that_names_its_steps_with_hyphens_does() {
    assert_eq!(corrections("docproc-v04-412-1.msgpack"), []);
    let flushed = corrections("partial-flush-v04-412-chunk-1.msgpack");
    let step = (
        "name".to_owned(),
        "step-0".to_owned(),
        Some("step_0".to_owned()),
        Rule::SpanNameCharacters,
    );
    assert!(flushed.contains(&step), "{flushed:?}");
}
