//! What the samplers ask of a chunk, read once: small, owned, and enough to decide it again under
//! other settings.

use super::signature::{self, HashedSpan, Resource, Signature};
use super::{RareSpan, ServiceId, Services};
use crate::normalize::{
    self, Dropped, Normalized, Request, normalize, normalize_chunk, root_place,
};
use crate::trace::{
    ChunkFacts, PayloadForm, SamplingMechanism, SamplingPriority, Span, SpanId, Text, TraceChunk,
    TraceId, UnixNanos, Via, tag,
};

/// The rate at which a client has thinned what it sends, on the root.
const CLIENT_RATE: &str = "_sample_rate";
/// The rate of the Agent's own limiter, which recent ones do not have.
const PRE_SAMPLER_RATE: &str = "_dd1.sr.rapre";
/// The rate that older tracers and the Agent write on a root.
const OLD_RATE: &str = "_sampling_priority_rate_v1";
const ENV: &str = "env";
const STATUS_CODE: &str = "http.status_code";

/// What is known of a delivery beside its chunks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery<'a> {
    /// When it came.
    pub at: UnixNanos,
    /// The client's language.
    pub language: &'a str,
    /// The environment that the payload names; empty if it names none.
    pub env: &'a str,
    /// The format of the payload: in v1.0 neither the status code nor the class of an error makes two
    /// spans different (`computeSpanHashV1`).
    pub form: PayloadForm,
}

/// When a chunk came. Spans in a file came to nobody when they are read: an Agent would have got them
/// when the last of them had ended.
pub fn came_at(via: Via, read_at: UnixNanos, chunk: &TraceChunk) -> UnixNanos {
    let end = || chunk.spans().map(Span::end).max();
    match via {
        Via::File => end().unwrap_or(read_at),
        _ => read_at,
    }
}

/// What the samplers ask of a chunk.
#[derive(Clone, Debug)]
pub struct Digest {
    /// When it came.
    pub at: UnixNanos,
    /// The trace.
    pub trace_id: TraceId,
    /// The format it came in.
    pub form: PayloadForm,
    /// What the client decided.
    pub priority: Option<SamplingPriority>,
    /// The root's service as the Agent counts it.
    pub service: ServiceId,
    /// The same, as the client looks for its rate.
    pub asks: ServiceId,
    /// How many traces it stands for.
    pub weight: f32,
    /// The rate at which the client has thinned what it sends.
    pub client_rate: f64,
    /// Whether the priority sampler writes its rate on the root.
    pub stamps_rate: bool,
    /// Whether the client decided by a rate, so that it would decide otherwise with another.
    pub is_drawn: bool,
    /// What the score samplers count it as; asked only of errors and of chunks without a priority.
    pub signed: Option<Signed>,
    /// What the client's rules keep of it though it is dropped.
    pub single_spans: SingleSpans,
    /// The spans that the rare sampler looks at; empty while it is off.
    pub rare: Box<[RareSpan]>,
}

/// What the client's span rules keep of a chunk that is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleSpans {
    /// At least one span.
    Some,
    /// Nothing.
    None,
}

impl SingleSpans {
    fn of(chunk: &TraceChunk, priority: Option<SamplingPriority>) -> Self {
        // What the tracer keeps whole it does not keep in parts.
        let is_dropped = !matches!(priority, Some(SamplingPriority(1 | 2)));
        let mut spans = chunk.spans();
        let is_kept = |span: Span<'_>| span.metric(tag::SPAN_SAMPLING_MECHANISM).is_some();
        if is_dropped && spans.any(is_kept) {
            Self::Some
        } else {
            Self::None
        }
    }
}

/// A chunk as the score samplers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What they count it as.
    pub signature: Signature,
    /// Whether any span has the error flag.
    pub is_error: bool,
}

/// What the root's metrics say.
#[derive(Clone, Copy, Debug, Default)]
struct RootMetrics {
    priority: Option<f64>,
    client_rate: Option<f64>,
    pre_sampler_rate: Option<f64>,
    has_rule_rate: bool,
    has_other_rate: bool,
}

/// Whether the rare sampler will look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RareSpans {
    /// It will.
    Read,
    /// It is off.
    LeftOut,
}

/// Reads chunks of one delivery.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The delivery.
    pub delivery: Delivery<'a>,
    /// The Agent's own environment, for clients that name none.
    pub default_env: &'a str,
    /// Where services are numbered.
    pub services: &'a mut Services,
    /// Whether the rare sampler will look at it.
    pub rare: RareSpans,
}

impl Reader<'_> {
    /// Reads a chunk.
    ///
    /// # Errors
    ///
    /// The Agent takes no chunk in which an id is 0.
    pub fn read(
        &mut self,
        chunk: &TraceChunk,
        facts: Option<&ChunkFacts>,
    ) -> Result<Digest, Dropped> {
        let request = Request {
            language: self.delivery.language,
            received: self.delivery.at,
            has_top_level: false,
        };
        let root = root(chunk, request)?;
        let metrics = RootMetrics::read(root.sent());
        let priority = match self.delivery.form {
            PayloadForm::Older => priority(chunk, facts, metrics),
            // One that is left out is 0, and spans are not asked (`ProcessV1`).
            PayloadForm::V10 => sampled_priority(facts.and_then(|said| said.priority).unwrap_or(0)),
        };
        let sent_env = self.env(chunk, root.sent());
        let env = normalize::env(sent_env);
        let counted_env = if env.is_empty() {
            self.default_env
        } else {
            &env
        };
        let service = self.services.id(root.service(), counted_env);
        let is_trace_root = root.parent_id() == SpanId::NONE;
        Ok(Digest {
            at: self.delivery.at,
            trace_id: chunk.trace_id(),
            form: self.delivery.form,
            priority,
            service,
            asks: match (root.sent().service().to_str(), sent_env.to_str()) {
                (Some(name), Some(env)) => self.services.id(name, env),
                _ => service,
            },
            weight: metrics.weight(),
            client_rate: metrics.client_rate.unwrap_or(1.0),
            stamps_rate: is_trace_root && !metrics.has_rule_rate && !metrics.has_other_rate,
            is_drawn: is_trace_root
                && !metrics.has_rule_rate
                && priority.is_some_and(|SamplingPriority(said)| matches!(said, 0 | 1))
                && is_by_rate(chunk, facts),
            signed: self.signed(chunk, priority, (&root, &env), request),
            single_spans: SingleSpans::of(chunk, priority),
            rare: match self.rare {
                RareSpans::LeftOut => Box::default(),
                RareSpans::Read => rare_spans(chunk, (facts, self.delivery.form), request, &env),
            },
        })
    }

    /// The payload's, else the root's, else another span's (`traceutil.GetEnv`).
    fn env<'c>(&self, chunk: &'c TraceChunk, root: Span<'c>) -> Text<'c>
    where
        Self: 'c,
    {
        // Of v1.0 the payload's alone counts.
        if !self.delivery.env.is_empty() || self.delivery.form == PayloadForm::V10 {
            return Text::from(self.delivery.env);
        }
        let mut spans = std::iter::once(root).chain(chunk.spans());
        spans
            .find_map(|span| span.meta_text(ENV))
            .unwrap_or_default()
    }

    fn signed(
        &self,
        chunk: &TraceChunk,
        priority: Option<SamplingPriority>,
        (root, env): (&Normalized<'_>, &str),
        request: Request<'_>,
    ) -> Option<Signed> {
        let is_error = chunk.spans().any(Span::is_error);
        if !is_error && priority.is_some() {
            return None;
        }
        let form = self.delivery.form;
        let root = hash(root, env, (form, Resource::Counts));
        let spans = chunk
            .spans()
            .filter_map(|span| normalize(span, request).ok());
        let left_out = (form, Resource::IsLeftOut);
        let mut hashes: Vec<u32> = spans.map(|span| hash(&span, env, left_out)).collect();
        Some(Signed {
            signature: signature::of_trace(root, &mut hashes),
            is_error,
        })
    }
}

impl RootMetrics {
    fn read(root: Span<'_>) -> Self {
        let mut metrics = Self::default();
        for (key, value) in root.metrics() {
            // Most are none of these, and tell by their first letter.
            if key.as_bytes().first() != Some(&b'_') {
                continue;
            }
            match key.to_str() {
                Some(tag::SAMPLING_PRIORITY) => metrics.priority = value.as_f64(),
                Some(CLIENT_RATE) => metrics.client_rate = value.as_f64(),
                Some(PRE_SAMPLER_RATE) => metrics.pre_sampler_rate = value.as_f64(),
                Some(tag::RULE_RATE) => metrics.has_rule_rate = true,
                Some(tag::AGENT_RATE | OLD_RATE) => metrics.has_other_rate = true,
                _ => {}
            }
        }
        metrics
    }

    /// `pkg/trace/sampler/sampler.go`, `weightRoot`.
    fn weight(self) -> f32 {
        weight(self.client_rate, self.pre_sampler_rate)
    }
}

/// How many traces one stands for that was thinned by these rates (`weightRoot`).
pub fn weight(client_rate: Option<f64>, pre_sampler_rate: Option<f64>) -> f32 {
    let valid = |rate: Option<f64>| rate.filter(|rate| *rate > 0.0 && *rate <= 1.0);
    let rate = valid(pre_sampler_rate).unwrap_or(1.0) * valid(client_rate).unwrap_or(1.0);
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the Agent counts in f32"
    )]
    let weight = (1.0 / rate) as f32;
    weight
}

/// As the samplers read a priority: `-128` is none, and of others one byte counts
/// (`GetSamplingPriority`).
pub fn sampled_priority(said: i32) -> Option<SamplingPriority> {
    const NONE: i32 = -128;
    let [lowest, ..] = said.to_le_bytes();
    let priority = i32::from(i8::from_le_bytes([lowest]));
    (said != NONE).then_some(SamplingPriority(priority))
}

fn root<'a>(chunk: &'a TraceChunk, request: Request<'_>) -> Result<Normalized<'a>, Dropped> {
    if chunk.trace_id().low() == 0 {
        return Err(Dropped::TraceIdZero);
    }
    if chunk.contains(SpanId::NONE) {
        return Err(Dropped::SpanIdZero);
    }
    let low = chunk.trace_id().low();
    let ids = (0..chunk.len()).map(|place| {
        let span = chunk.span(place);
        span.map_or((SpanId::NONE, SpanId::NONE), |span| {
            let (id, parent) = (span.span_id(), span.parent_id());
            let is_own_parent = parent == id && parent.0 == low;
            (id, if is_own_parent { SpanId::NONE } else { parent })
        })
    });
    let root = root_place(&ids).and_then(|place| chunk.span(place));
    normalize(root.ok_or(Dropped::EmptyTrace)?, request)
}

/// `setChunkAttributes`: the chunk's, else the root's, else the first that is said.
fn priority(
    chunk: &TraceChunk,
    facts: Option<&ChunkFacts>,
    root: RootMetrics,
) -> Option<SamplingPriority> {
    if let Some(SamplingPriority(said)) = facts.and_then(ChunkFacts::said_priority) {
        return sampled_priority(said);
    }
    let elsewhere = || {
        chunk
            .spans()
            .find_map(|span| span.metric(tag::SAMPLING_PRIORITY))
    };
    let said = root.priority.or_else(elsewhere)?;
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "saturates; a priority is small"
    )]
    let said = said as i32;
    sampled_priority(said)
}

/// Whether the client says that it drew by a rate, or does not say how it decided.
fn is_by_rate(chunk: &TraceChunk, facts: Option<&ChunkFacts>) -> bool {
    let of_chunk = facts.and_then(|facts| facts.tag(tag::DECISION_MAKER));
    let of_span = || {
        chunk
            .spans()
            .find_map(|span| span.meta_text(tag::DECISION_MAKER))
    };
    let Some(said) = of_chunk.or_else(of_span) else {
        return true;
    };
    let mechanism = crate::trace::DecisionMaker(said).mechanism();
    mechanism.is_some_and(SamplingMechanism::is_rate)
}

fn hash(span: &Normalized<'_>, env: &str, (form, resource): (PayloadForm, Resource)) -> u32 {
    let tag = |key| match form {
        PayloadForm::Older => span.meta_text(key),
        PayloadForm::V10 => None,
    };
    let (status_code, error_type) = (tag(STATUS_CODE), tag(tag::ERROR_TYPE));
    let hashed = HashedSpan {
        service: span.service(),
        name: span.name(),
        resource: span.resource(),
        error: match form {
            PayloadForm::Older => span.error(),
            PayloadForm::V10 => i32::from(span.error() != 0),
        },
        status_code: status_code.as_deref(),
        error_type: error_type.as_deref(),
    };
    signature::of_span(&hashed, env, resource)
}

fn rare_spans(
    chunk: &TraceChunk,
    (facts, form): (Option<&ChunkFacts>, PayloadForm),
    request: Request<'_>,
    env: &str,
) -> Box<[RareSpan]> {
    // A client that marks where it enters a service marks at least one span.
    let has_top_level = chunk.spans().any(|span| {
        let mut marks = tag::TOP_LEVEL.into_iter();
        marks.any(|mark| span.metric(mark) == Some(1.0))
    });
    let request = Request {
        has_top_level,
        ..request
    };
    let Ok(chunk) = normalize_chunk(chunk.spans(), facts, request) else {
        return Box::default();
    };
    let spans = chunk.spans().iter().enumerate();
    spans
        .filter(|(place, span)| chunk.is_top_level(*place) || span.is_measured())
        .map(|(_, span)| RareSpan {
            // The Agent gives the two the other way round (`rare_sampler.go`, `sampleSpan`).
            service: signature::of_service(env, span.service()),
            hash: hash(span, "", (form, Resource::Counts)),
        })
        .collect()
}
