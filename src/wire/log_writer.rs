//! The lines in which ddtrace prints its spans when it takes itself for a Lambda function, and
//! dd-trace-js with `DD_TRACE_EXPERIMENTAL_EXPORTER=log`: how they are told from other lines. What is
//! in them is read by [`super::json`], errors included.

use std::sync::Arc;

use super::error::DecodeError;
use super::header::shortened;
use super::json::{self, SPANS, TRACES};
use crate::json::{Kind, Raw};
use crate::trace::{ChunkBuilder, TraceChunk, TracerPayload, tag};

/// Whether an object is a line with spans: `traces` stands first, and holds lists of objects. To
/// look through every log line for it would cost more than to read them.
pub(crate) fn is_traces(object: Raw<'_>) -> bool {
    let chunks = after_traces(object.text())
        .and_then(|rest| within(rest, ':'))
        .and_then(|rest| within(rest, '['));
    let Some(chunks) = chunks else {
        return false;
    };
    match within(chunks, '[') {
        Some(spans) => spans.starts_with(['{', ']']),
        None => Raw::first(chunks).is_ok_and(|(chunk, _)| {
            chunk
                .get(SPANS)
                .is_some_and(|spans| spans.kind() == Kind::Array)
        }),
    }
}

fn within(text: &str, mark: char) -> Option<&str> {
    text.strip_prefix(mark).map(str::trim_start)
}

/// Whether a text is the beginning of a line with spans, which may have broken off.
pub(crate) fn begins_traces(text: &str) -> bool {
    after_traces(text.trim_start()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// What follows the key of an object whose first is `traces`.
fn after_traces(object: &str) -> Option<&str> {
    let key = object.strip_prefix('{')?.trim_start();
    let rest = key.strip_prefix('"')?.strip_prefix(TRACES)?;
    Some(rest.strip_prefix('"')?.trim_start())
}

/// Decodes the object of a line. Places are counted from its bracket.
pub(crate) fn decode(
    object: Raw<'_>,
    builder: &mut ChunkBuilder,
) -> Result<TracerPayload, DecodeError> {
    let mut payload = json::decode_traces(object.text().as_bytes(), builder)?;
    if payload.tracer.language.is_empty() {
        let mut spans = payload.chunks.iter().flat_map(TraceChunk::spans);
        let language = spans.find_map(|span| span.meta_text(tag::LANGUAGE));
        Arc::make_mut(&mut payload.tracer).language = language
            .map(|text| shortened(text.as_bytes()))
            .unwrap_or_default();
    }
    Ok(payload)
}

#[cfg(test)]
mod tests;
