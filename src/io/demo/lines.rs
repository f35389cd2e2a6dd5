//! The log lines of the sample service: what structlog prints while the spans of a chunk run, put
//! into the body that a log shipper posts to `/api/v2/logs`. Pure: the lines follow from the spans.

use serde_json::json;

use super::sketch::{Chunk, SampleSpan};
use crate::trace::{TraceId, UnixNanos, tag};

/// When in its span a line is printed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Start,
    End,
}

/// What spans print: the span, when, level, event, and which of its tags go along.
const LINES: [(&str, Moment, &str, &str, &[&str]); 11] = [
    (
        "modal.init",
        Moment::Start,
        "info",
        "initializing_service",
        &[],
    ),
    (
        "model.load",
        Moment::End,
        "info",
        "model_loaded",
        &["model", "device", "weights_mib"],
    ),
    (
        "document.process",
        Moment::Start,
        "info",
        "processing_document",
        &["document_id"],
    ),
    (
        "redis.get",
        Moment::End,
        "debug",
        "cache_miss",
        &["redis.raw_command"],
    ),
    (
        "document.parse",
        Moment::End,
        "info",
        "parsed_document",
        &["pages", "format"],
    ),
    (
        "llm.generate",
        Moment::Start,
        "info",
        "prompt_built",
        &["model", "tokens.prompt"],
    ),
    (
        "document.extract",
        Moment::End,
        "info",
        "extracted",
        &["model"],
    ),
    (
        "pg.query",
        Moment::End,
        "info",
        "document_stored",
        &["db.name", "db.row_count"],
    ),
    (
        "batch.process",
        Moment::Start,
        "info",
        "batch_started",
        &["batch_id"],
    ),
    (
        "fan-out",
        Moment::Start,
        "info",
        "workers_spawned",
        &["total_batches"],
    ),
    (
        "batch-worker",
        Moment::Start,
        "debug",
        "batch_received",
        &["batch.index", "batch.size"],
    ),
];
/// What is printed about an exception: the span it is caught in, the event, and which tags go along.
const FAILURES: [(&str, &str, &[&str]); 3] = [
    ("document.extract", "extraction_failed", &["model"]),
    ("document.parse", "parsing_failed", &["format"]),
    ("summary.remote", "summary_timed_out", &["timeout_s"]),
];
/// Generations longer than this are worth a warning.
const SLOW_NS: i64 = 900_000_000;

/// The body for the lines of these chunks, and how many lines there are.
pub(super) fn body<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> (Vec<u8>, usize) {
    let mut lines: Vec<(i64, serde_json::Value)> = Vec::new();
    for chunk in chunks {
        let high = chunk.iter().find_map(|span| meta(span, tag::TRACE_ID_HIGH));
        let high = high
            .and_then(|high| u64::from_str_radix(high, 16).ok())
            .unwrap_or(0);
        for span in chunk {
            lines.extend(of_span(span, high));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    let items: Vec<serde_json::Value> = lines
        .iter()
        .map(|(_, line)| {
            json!({
                "message": line.to_string(),
                "service": "document-processor",
                "ddsource": "python",
                "ddtags": "env:dev,version:1.2.3",
            })
        })
        .collect();
    let n_lines = items.len();
    (
        serde_json::Value::Array(items).to_string().into_bytes(),
        n_lines,
    )
}

fn of_span(span: &SampleSpan, high: u64) -> Vec<(i64, serde_json::Value)> {
    let end = span.start.saturating_add(span.duration);
    let told = LINES.iter().filter(|(name, ..)| *name == span.name);
    let mut lines: Vec<_> = told
        .filter(|(_, moment, ..)| matches!(moment, Moment::Start) || span.error == 0)
        .map(|(_, moment, level, event, tags)| {
            let at = match moment {
                Moment::Start => span.start.saturating_add(40_000),
                Moment::End => end.saturating_sub(60_000),
            };
            (at, line(span, high, (at, level, event), tags))
        })
        .collect();
    if span.name == "llm.generate" && span.duration > SLOW_NS && span.error == 0 {
        let at = span.start.saturating_add(SLOW_NS);
        lines.push((
            at,
            line(
                span,
                high,
                (at, "warning", "generation_is_slow"),
                &["model"],
            ),
        ));
    }
    let failed = FAILURES.iter().filter(|_| span.error != 0);
    for (_, event, tags) in failed.filter(|(name, ..)| *name == span.name) {
        let at = end.saturating_sub(50_000);
        let mut failed = line(span, high, (at, "error", event), tags);
        if let (Some(stack), Some(line)) = (meta(span, tag::ERROR_STACK), failed.as_object_mut()) {
            line.insert("exception".into(), stack.into());
        }
        lines.push((at, failed));
    }
    lines
}

/// A line as structlog's `JSONRenderer` writes it, with the ids in the form that the guides show.
fn line(
    span: &SampleSpan,
    high: u64,
    (at, level, event): (i64, &str, &str),
    tags: &[&str],
) -> serde_json::Value {
    let mut line = serde_json::Map::new();
    for name in tags {
        if let Some(text) = meta(span, name) {
            line.insert((*name).to_owned(), text.into());
        } else if let Some((_, number)) = span.metrics.iter().find(|(key, _)| key == name) {
            line.insert((*name).to_owned(), whole(*number));
        }
    }
    line.insert("event".into(), event.into());
    line.insert("level".into(), level.into());
    line.insert("timestamp".into(), timestamp(at).into());
    if let Some(task_id) = meta(span, "modal.task_id") {
        let modal = json!({ "task_id": task_id, "region": meta(span, "modal.region") });
        line.insert("modal".into(), modal);
    }
    let ids = json!({
        "trace_id": TraceId::from_halves(high, span.trace_id).0.to_string(),
        "span_id": span.span_id.to_string(),
    });
    line.insert("dd".into(), ids);
    line.into()
}

/// As Python writes it: with microseconds.
fn timestamp(at: i64) -> String {
    let millis = UnixNanos(at).to_string();
    let micros = at.rem_euclid(1_000_000) / 1_000;
    format!("{}{micros:03}Z", millis.trim_end_matches('Z'))
}

/// Metrics are floats on the wire; in a line a whole number is one.
fn whole(number: f64) -> serde_json::Value {
    let text = number.to_string();
    text.parse::<i64>()
        .map_or_else(|_fraction| number.into(), Into::into)
}

fn meta<'a>(span: &'a SampleSpan, key: &str) -> Option<&'a str> {
    let found = span.meta.iter().find(|(name, _)| *name == key);
    found.map(|(_, text)| &**text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Story;
    use crate::io::demo::story::Script;
    use crate::logs::LogRecord;

    #[test]
    fn every_line_belongs_to_a_span_that_is_sent_and_lies_in_its_time() {
        let now = UnixNanos(1_795_204_425_287_000_000);
        let payloads = Script::begin(Story::Live, now).due(now);
        let chunks: Vec<_> = payloads.into_iter().flatten().collect();
        let (body, n_lines) = body(&chunks);
        let items: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        assert_eq!(items.len(), n_lines);
        let mut n_errors = 0;
        for item in &items {
            let record = LogRecord::parse_item(&item.to_string(), now);
            let spans = chunks.iter().flatten();
            let span = spans
                .filter(|span| span.span_id == record.ids.span.0)
                .find(|span| span.trace_id == record.ids.trace.low());
            let span = span.unwrap_or_else(|| panic!("no span for {item}"));
            let time = record.time.unwrap().0;
            let end = span.start + span.duration;
            assert!((span.start..=end).contains(&time), "{item}");
            n_errors += usize::from(record.exception().is_some());
        }
        assert_eq!(n_errors, 1, "the document that failed");
    }
}
