//! OTLP over HTTP: an `ExportTraceServiceRequest` in protobuf or JSON, mapped to spans as the Agent
//! maps it. The messages are those of `opentelemetry-proto`; none of them leaves this module.
//!
//! ```text
//! body ─ size (protobuf) ─▶ prost ─┐
//!      └ json ─────────────────────┴▶ messages ─ resource, names, span ─▶ chunks
//! ```
//!
//! After `receiveResourceSpansV2` in `pkg/trace/api/otlp.go` and `OtelSpanToDDSpan` in
//! `pkg/trace/transform/transform.go` of `DataDog/datadog-agent`, with the settings an Agent has by
//! default. Where we know better than to follow, the place says so.

mod attributes;
mod json;
mod names;
mod resource;
mod size;
mod span;
mod tags;
mod written;

use hashbrown::HashMap;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message as _;

use super::decoded_bytes_max;
use super::error::{DecodeError, Problem};
use crate::trace::{ChunkBuilder, ChunkFacts, TooLarge, TraceChunk, TraceId, TracerPayload};
use attributes::{id, span_priority};
use span::Mapping;

/// The priority that the receiver gives where no span names one: `PriorityAutoKeep`.
const AUTO_KEEP: i32 = 1;
/// Who decided then: the receiver, whose rate is 1. No client says so of itself.
const BY_THE_RECEIVER: &str = "-9";
/// Who decided when a span has `sampling.priority`: a person.
const BY_HAND: &str = "-4";
/// The tag of a chunk with the rate of the receiver; the sign that an Agent's receiver decided.
const RECEIVER_RATE: (&str, &str) = ("_dd.otlp_sr", "1.00");

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

impl Encoding {
    /// What the content type says; without one, what the first byte tells. `None` for a type that is
    /// neither.
    pub(crate) fn of(content_type: Option<&str>, body: &[u8]) -> Option<Self> {
        let Some(content_type) = content_type.filter(|text| !text.trim().is_empty()) else {
            // A line feed is how nearly every request in protobuf begins.
            let begins_json = matches!(body.first(), Some(b'{' | b' ' | b'\t' | b'\r'));
            return Some(if begins_json {
                Self::Json
            } else {
                Self::Protobuf
            });
        };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let known = [
            ("application/x-protobuf", Self::Protobuf),
            ("application/protobuf", Self::Protobuf),
            ("application/json", Self::Json),
        ];
        let named = known
            .into_iter()
            .find(|(name, _)| essence.eq_ignore_ascii_case(name));
        named.map(|(_, encoding)| encoding)
    }

    /// The content type of an answer, and the body that says that everything was taken: a response
    /// without members.
    pub(crate) fn success(self) -> (&'static str, &'static [u8]) {
        match self {
            Self::Protobuf => ("application/x-protobuf", b""),
            Self::Json => ("application/json", b"{}"),
        }
    }

    /// A refusal as the `google.rpc.Status` that a client of JSON reads. One of protobuf gets the
    /// sentence as it is: that is what ends up in its log.
    pub(crate) fn refusal(self, reason: &str) -> Option<Vec<u8>> {
        /// `INVALID_ARGUMENT` of `google.rpc.Code`.
        const INVALID_ARGUMENT: i32 = 3;
        let status = serde_json::json!({ "code": INVALID_ARGUMENT, "message": reason });
        (self == Self::Json).then(|| status.to_string().into_bytes())
    }
}

/// Decodes a body. What it becomes, and the messages it becomes on the way, are within
/// `decoded_bytes_max` each.
pub(crate) fn decode(
    body: &[u8],
    encoding: Encoding,
    builder: &mut ChunkBuilder,
) -> Result<TracerPayload, DecodeError> {
    decode_within(body, encoding, builder, decoded_bytes_max(body.len()))
}

pub(super) fn decode_within(
    body: &[u8],
    encoding: Encoding,
    builder: &mut ChunkBuilder,
    limit_bytes: usize,
) -> Result<TracerPayload, DecodeError> {
    builder.reset(limit_bytes);
    let request = match encoding {
        Encoding::Protobuf => read_protobuf(body, limit_bytes)?,
        Encoding::Json => json::read(body, limit_bytes)?,
    };
    map(&request, builder).map_err(|problem| {
        // What does not fit is the sum of all that is there.
        DecodeError::new(Problem::TooLarge(problem), body.len())
    })
}

fn read_protobuf(
    body: &[u8],
    limit_bytes: usize,
) -> Result<ExportTraceServiceRequest, DecodeError> {
    size::check(body, limit_bytes)?;
    let mut rest = body;
    ExportTraceServiceRequest::decode(&mut rest).map_err(|error| {
        let offset = body.len() - rest.len();
        DecodeError::new(Problem::Malformed(error.to_string().into()), offset)
    })
}

fn map(
    request: &ExportTraceServiceRequest,
    builder: &mut ChunkBuilder,
) -> Result<TracerPayload, TooLarge> {
    let mut payload = TracerPayload::default();
    for resource_spans in &request.resource_spans {
        let mut mapping = Mapping::new(resource_spans);
        if payload.tracer.is_empty() {
            // One request has one sender; a collector's may speak for several, and the first counts.
            payload.tracer = mapping.resource.tracer().into();
        }
        for trace in traces(resource_spans) {
            payload.n_chunks += 1;
            payload.chunks.extend(trace.chunk(&mut mapping, builder)?);
        }
    }
    Ok(payload)
}

/// The spans of one trace in one resource, in the order they came, each with the place of its scope.
struct Trace<'a> {
    id: TraceId,
    spans: Vec<(usize, &'a Span)>,
}

/// The traces in the order of their first spans. The Agent tells them apart by the low halves of
/// their ids alone; two traces that share one stay two here.
fn traces(resource_spans: &ResourceSpans) -> Vec<Trace<'_>> {
    let mut places: HashMap<TraceId, usize> = HashMap::new();
    let mut traces: Vec<Trace<'_>> = Vec::new();
    for (scope, scope_spans) in resource_spans.scope_spans.iter().enumerate() {
        for span in &scope_spans.spans {
            let id = TraceId(id(&span.trace_id));
            let place = *places.entry(id).or_insert_with(|| {
                let spans = Vec::new();
                traces.push(Trace { id, spans });
                traces.len() - 1
            });
            if let Some(trace) = traces.get_mut(place) {
                trace.spans.push((scope, span));
            }
        }
    }
    traces
}

impl<'a> Trace<'a> {
    fn chunk(
        &self,
        mapping: &mut Mapping<'a>,
        builder: &mut ChunkBuilder,
    ) -> Result<Option<TraceChunk>, TooLarge> {
        let decision = self.decision();
        for (index, (scope, span)) in self.spans.iter().enumerate() {
            let first = (index == 0).then_some(decision);
            mapping.write(span, *scope, first, builder)?;
        }
        mapping.end_chunk();
        let mut chunk = builder.finish_as(self.id.low());
        builder.check()?;
        if let Some(chunk) = &mut chunk {
            let (key, rate) = RECEIVER_RATE;
            chunk.set_facts(ChunkFacts {
                priority: Some(decision.priority),
                tags: [(key.into(), rate.into())].into(),
                ..ChunkFacts::default()
            });
        }
        Ok(chunk)
    }

    /// What `createChunks` in `pkg/trace/api/otlp.go` decides: the last span that names a priority
    /// has it, and else the receiver keeps.
    fn decision(&self) -> Decision {
        let spans = self.spans.iter().rev();
        let mut spans = spans.map(|(_, span)| span_priority(span));
        let last = spans.find_map(|named| named);
        match last {
            Some(priority) => Decision {
                priority,
                maker: BY_HAND,
            },
            None => Decision {
                priority: AUTO_KEEP,
                maker: BY_THE_RECEIVER,
            },
        }
    }
}

/// The priority of a chunk, and who gave it. A client that speaks OTLP says neither by itself.
#[derive(Clone, Copy, Debug)]
struct Decision {
    priority: i32,
    maker: &'static str,
}

#[cfg(test)]
mod tests;
