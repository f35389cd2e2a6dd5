//! The rules for a chunk: what drops it, its root, what the client decided about it, which of its spans
//! enter a service.

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};

use super::{Dropped, Normalized, Request, normalize};
use crate::trace::{ChunkFacts, SamplingPriority, Span, SpanId, Text, tag};

/// A chunk that the Agent takes.
#[derive(Clone, Debug)]
pub struct NormalizedChunk<'a> {
    spans: Vec<Normalized<'a>>,
    /// For each span, whether it enters a service.
    top_level: Vec<bool>,
    root: usize,
    n_duplicate_ids: usize,
    priority: Option<SamplingPriority>,
    origin: Cow<'a, str>,
    decision_maker: Option<Text<'a>>,
}

/// Normalises the spans that came together as one trace (`normalizer.go`, `normalizeTrace` and
/// `setChunkAttributes`; `agent.go`, `Process`).
///
/// `facts` is what the format says of a chunk apart from its spans, if it can.
///
/// # Errors
///
/// One bad span drops all of its chunk.
pub fn normalize_chunk<'a>(
    spans: impl IntoIterator<Item = Span<'a>>,
    facts: Option<&'a ChunkFacts>,
    request: Request<'_>,
) -> Result<NormalizedChunk<'a>, Dropped> {
    let mut normalized: Vec<Normalized<'a>> = Vec::new();
    for span in spans {
        let first = normalized.first().map(Normalized::trace_id);
        if first.is_some_and(|first| first.low() != span.trace_id().low()) {
            return Err(Dropped::ForeignSpan);
        }
        normalized.push(normalize(span, request)?);
    }
    // Of spans with one id the last is found, as in the Agent's map.
    let by_id: HashMap<SpanId, usize> = (0..)
        .zip(&normalized)
        .map(|(place, span)| (span.span_id(), place))
        .collect();
    let ids = normalized
        .iter()
        .map(|span| (span.span_id(), span.parent_id()));
    let root = root_place(&ids).ok_or(Dropped::EmptyTrace)?;
    let root_span = normalized.get(root).ok_or(Dropped::EmptyTrace)?;
    Ok(NormalizedChunk {
        priority: priority(&normalized, root_span, facts),
        origin: origin(root_span, facts),
        decision_maker: decision_maker(&normalized, facts),
        top_level: top_level(&normalized, &by_id, request),
        n_duplicate_ids: normalized.len() - by_id.len(),
        root,
        spans: normalized,
    })
}

impl<'a> NormalizedChunk<'a> {
    /// The spans in the order of the wire.
    pub fn spans(&self) -> &[Normalized<'a>] {
        &self.spans
    }

    /// The span that speaks for the chunk.
    pub fn root(&self) -> Option<&Normalized<'a>> {
        self.spans.get(self.root)
    }

    /// How many spans have the id of another one here. The Agent counts them
    /// (`duplicate_span_id`) and keeps them.
    pub fn n_duplicate_ids(&self) -> usize {
        self.n_duplicate_ids
    }

    /// The client's decision; `None` if nobody says one.
    pub fn priority(&self) -> Option<SamplingPriority> {
        self.priority
    }

    /// Where the trace began: `rum`, `synthetics`; mostly empty.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Who decided, which becomes a tag of the chunk and stays on its span.
    pub fn decision_maker(&self) -> Option<Text<'a>> {
        self.decision_maker
    }

    /// Whether the span at a place enters a service: it gets the metric `_top_level`.
    pub fn is_top_level(&self, place: usize) -> bool {
        self.top_level.get(place).copied().unwrap_or(false)
    }

    /// The rate at which the client sampled, which the root gets as `_dd1.sr.rcusr` if it is below 1
    /// (`agent.go`, `setRootSpanTags`; `pkg/trace/sampler`, `GetGlobalRate`, `SetClientRate`).
    pub fn client_rate(&self) -> f64 {
        let rate = self.root().and_then(|root| root.metric("_sample_rate"));
        rate.unwrap_or(1.0)
    }

    /// The machine that the tracer names, for a payload that names none (`agent.go`,
    /// `setPayloadAttributes`).
    pub fn hostname(&self) -> Option<Cow<'a, str>> {
        self.root()?.meta_text("_dd.hostname")
    }

    /// The environment, for a payload that names none (`trace.go`, `GetEnv`).
    pub fn env(&self) -> Option<Cow<'a, str>> {
        self.first_meta("env")
    }

    /// The version of the program, for a payload that names none (`pkg/trace/version`,
    /// `GetAppVersionFromTrace`).
    pub fn app_version(&self) -> Option<Cow<'a, str>> {
        self.first_meta("version")
    }

    /// Tags of the process, for a payload that has none (`pkg/trace/api/api.go`, `getProcessTags`).
    pub fn process_tags(&self) -> Option<Cow<'a, str>> {
        self.spans.first()?.meta_text("_dd.tags.process")
    }

    /// A tag of the root, else of the first span that has it.
    fn first_meta(&self, key: &str) -> Option<Cow<'a, str>> {
        let mut spans = self.root().into_iter().chain(&self.spans);
        spans.find_map(|span| span.meta_text(key))
    }
}

/// The place of the span that speaks for a chunk, from each one's id and its parent's.
///
/// `pkg/trace/traceutil/trace.go`, `GetRoot`: the last span without a parent, else one whose parent is
/// not here, else the last. Of several that miss different parents the Agent takes any; this is the
/// first.
pub(crate) fn root_place(
    spans: &(impl DoubleEndedIterator<Item = (SpanId, SpanId)> + ExactSizeIterator + Clone),
) -> Option<usize> {
    let without_parent = |(_, parent)| parent == SpanId::NONE;
    let orphan = || {
        let here: HashSet<SpanId> = spans.clone().map(|(id, _)| id).collect();
        spans
            .clone()
            .position(|(_, parent)| !here.contains(&parent))
    };
    let mut ends = spans.clone();
    ends.rposition(without_parent)
        .or_else(orphan)
        .or_else(|| spans.len().checked_sub(1))
}

/// `normalizer.go`, `setChunkAttributes`: the chunk's, else the root's, else the first that is said.
fn priority(
    spans: &[Normalized<'_>],
    root: &Normalized<'_>,
    facts: Option<&ChunkFacts>,
) -> Option<SamplingPriority> {
    if let Some(said) = facts.and_then(ChunkFacts::said_priority) {
        return Some(said);
    }
    let mut asked = std::iter::once(root).chain(spans);
    let said = asked.find_map(|span| span.metric(tag::SAMPLING_PRIORITY))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; a priority is small"
    )]
    let priority = said as i32;
    Some(SamplingPriority(priority))
}

fn origin<'a>(root: &Normalized<'a>, facts: Option<&'a ChunkFacts>) -> Cow<'a, str> {
    match facts.filter(|facts| !facts.origin.is_empty()) {
        Some(facts) => Cow::Borrowed(&facts.origin),
        None => root.meta_text(tag::ORIGIN).unwrap_or_default(),
    }
}

fn decision_maker<'a>(spans: &[Normalized<'a>], facts: Option<&'a ChunkFacts>) -> Option<Text<'a>> {
    let of_chunk = facts.and_then(|facts| facts.tag(tag::DECISION_MAKER));
    if of_chunk.is_some() {
        return of_chunk;
    }
    let mut spans = spans.iter();
    spans.find_map(|span| span.sent().meta_text(tag::DECISION_MAKER))
}

/// `trace.go`, `ComputeTopLevel`; `span.go`, `UpdateTracerTopLevel`, `HasTopLevel`.
fn top_level(
    spans: &[Normalized<'_>],
    by_id: &HashMap<SpanId, usize>,
    request: Request<'_>,
) -> Vec<bool> {
    let enters = |span: &Normalized<'_>| {
        let parent = by_id.get(&span.parent_id());
        let parent = parent.and_then(|place| spans.get(*place));
        span.parent_id() == SpanId::NONE
            || parent.is_none_or(|parent| parent.service() != span.service())
    };
    let spans = spans.iter();
    spans
        .map(|span| {
            let is_said = |key| span.metric(key) == Some(1.0);
            tag::TOP_LEVEL.into_iter().any(is_said) || !request.has_top_level && enters(span)
        })
        .collect()
}
