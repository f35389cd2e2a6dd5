//! The stories, played against a clock of the test.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::io::demo::sketch::SampleSpan;
use crate::trace::tag;

const NOW: UnixNanos = UnixNanos(1_795_204_425_287_000_000);
const MINUTE: i64 = 60_000 * MILLISECOND;

mod containers;

/// Everything a story sends until a time, with when it does.
fn told(story: Story, until: UnixNanos) -> Vec<(UnixNanos, Chunk)> {
    let (mut script, mut now) = (Script::begin(story, NOW), NOW);
    let mut sent = Vec::new();
    while now <= until {
        let chunks = script.due(now).into_iter().flatten();
        sent.extend(chunks.map(|chunk| (now, chunk)));
        let Some(wait) = script.wait(now) else { break };
        now = now.plus(i64::try_from(wait.as_nanos()).unwrap().max(1));
    }
    sent
}

fn by_trace(sent: &[(UnixNanos, Chunk)]) -> HashMap<u64, Vec<&SampleSpan>> {
    let mut traces: HashMap<u64, Vec<&SampleSpan>> = HashMap::new();
    for span in sent.iter().flat_map(|(_, chunk)| chunk) {
        traces.entry(span.trace_id).or_default().push(span);
    }
    traces
}

fn end(span: &SampleSpan) -> i64 {
    span.start + span.duration
}

fn metric(span: &SampleSpan, key: &str) -> Option<f64> {
    span.metrics
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| *value)
}

fn meta<'a>(span: &'a SampleSpan, key: &str) -> Option<&'a str> {
    let found = span.meta.iter().find(|(name, _)| *name == key);
    found.map(|(_, text)| &**text)
}

/// The lines at a level that these chunks print: event, trace id, and the exception's last line.
fn lines_at<'a>(level: &str, chunks: impl IntoIterator<Item = &'a Chunk>) -> Vec<[String; 3]> {
    let (body, _) = crate::io::demo::lines::body(chunks);
    let items: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
    let lines = items.iter().map(|item| {
        let line = item["message"].as_str().unwrap();
        serde_json::from_str::<serde_json::Value>(line).unwrap()
    });
    let lines = lines.filter(|line| line["level"] == level);
    let texts = lines.map(|line| {
        let exception = line["exception"].as_str().unwrap_or_default();
        [
            line["event"].as_str().unwrap().to_owned(),
            line["dd"]["trace_id"].as_str().unwrap().to_owned(),
            exception.lines().last().unwrap_or_default().to_owned(),
        ]
    });
    texts.collect()
}

#[test]
fn the_first_frame_has_a_cold_start_and_an_error_with_its_stack() {
    let sent = told(Story::Live, NOW);
    let spans: Vec<_> = sent.iter().flat_map(|(_, chunk)| chunk).collect();
    for name in [
        "modal.init",
        "import torch",
        "model.load",
        "document.parse",
        "document.extract",
    ] {
        assert!(spans.iter().any(|span| span.name == name), "{name}");
    }
    let failed = spans
        .iter()
        .find(|span| span.error == 1 && span.name == "llm.generate")
        .unwrap();
    let stack = meta(failed, tag::ERROR_STACK).unwrap();
    assert!(stack.lines().count() > 5);
    assert!(
        spans.iter().all(|span| end(span) <= NOW.0),
        "a span that has not ended was sent"
    );
}

#[test]
fn an_hour_of_it_is_made_of_whole_and_sensible_traces() {
    let sent = told(Story::Live, NOW.plus(60 * MINUTE));
    let traces = by_trace(&sent);
    assert!(traces.len() > 3_000, "{}", traces.len());
    let mut ids = HashSet::new();
    for spans in traces.values() {
        let by_id: HashMap<u64, &SampleSpan> =
            spans.iter().map(|span| (span.span_id, *span)).collect();
        let still_running = spans.iter().all(|span| span.parent_id != 0);
        for span in spans {
            assert!(ids.insert(span.span_id), "{span:?} is sent twice");
            assert!(span.duration > 0 && span.start > 0, "{span:?}");
            if let Some(parent) = by_id.get(&span.parent_id) {
                assert!(
                    parent.start <= span.start && end(span) <= end(parent),
                    "{span:?} in {parent:?}"
                );
            } else {
                assert!(
                    span.parent_id == 0 || still_running,
                    "{span:?} has no parent"
                );
            }
        }
    }
}

#[test]
fn a_span_is_never_sent_before_it_ends_and_each_chunk_says_how_it_was_sampled() {
    let sent = told(Story::Live, NOW.plus(10 * MINUTE));
    let mut rejected = 0;
    for (at, chunk) in &sent {
        assert!(chunk.iter().all(|span| end(span) <= at.0));
        let first = chunk.first().unwrap();
        let priority = metric(first, tag::SAMPLING_PRIORITY).unwrap();
        rejected += u32::from(priority < 0.0);
        let high = meta(first, tag::TRACE_ID_HIGH).unwrap();
        assert!(high.len() == 16 && high.ends_with("00000000"), "{high}");
    }
    assert!(rejected > 10, "{rejected}");
}

#[test]
fn a_long_trace_comes_in_parts_and_its_root_last() {
    let sent = told(Story::Live, NOW.plus(MINUTE));
    let is_part = |chunk: &Chunk| metric(&chunk[0], "_dd.py.partial_flush").is_some();
    let (_, first) = sent.iter().find(|(_, chunk)| is_part(chunk)).unwrap();
    let parts: Vec<_> = sent
        .iter()
        .filter(|(_, chunk)| chunk[0].trace_id == first[0].trace_id)
        .collect();
    assert!(parts.len() >= 5);
    assert!(
        parts.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "parts come one after another"
    );
    let n_roots = |chunk: &Chunk| chunk.iter().filter(|span| span.parent_id == 0).count();
    let (last, before) = parts.split_last().unwrap();
    assert_eq!(n_roots(&last.1), 1);
    assert!(before.iter().all(|(_, chunk)| n_roots(chunk) == 0));
}

#[test]
fn the_second_story_is_one_trace_of_two_thousand_spans_at_once() {
    let sent = told(Story::LargeTrace, NOW.plus(MINUTE));
    let traces = by_trace(&sent);
    assert_eq!(traces.len(), 1);
    assert_eq!(traces.values().next().unwrap().len(), 2_000);
    assert!(sent.iter().all(|(at, _)| *at == NOW));
    assert!(
        sent.iter()
            .flat_map(|(_, chunk)| chunk)
            .all(|span| end(span) <= NOW.0)
    );
}

#[test]
fn the_third_story_is_fifty_requests_that_run_side_by_side() {
    let sent = told(Story::Burst, NOW.plus(MINUTE));
    assert_eq!(sent[0].0, NOW, "the first spans come at once");
    let roots = sent.iter().map(|(_, chunk)| &chunk[0]);
    let requests: Vec<_> = roots
        .filter(|span| span.name == "document.process")
        .collect();
    assert_eq!(requests.len(), 50);
    let latest_start = requests.iter().map(|span| span.start).max().unwrap();
    assert!(requests.iter().all(|span| end(span) > latest_start));
}

#[test]
fn the_same_times_give_the_same_story() {
    let until = NOW.plus(MINUTE);
    assert_eq!(told(Story::Live, until), told(Story::Live, until));
}
