//! A chunk as the Agent keeps it, with the client it belongs to: read once, for the payload and for the
//! statistics. Encodes nothing.

use super::{AddedTags, CountedBy, Outgoing, Ticket, TopLevel};
use crate::normalize::{Dropped, Normalized, NormalizedChunk, Request, env, normalize_chunk};
use crate::sampler::Verdict;
use crate::trace::{ChunkFacts, PayloadForm, SamplingPriority, Text, TraceId, TracerInfo, tag};

/// Where tags of the process stand in a payload (`pkg/trace/api/api.go`, `tagProcessTags`).
const PROCESS_TAGS: &str = "_dd.tags.process";

/// A chunk, ready to go.
#[derive(Debug)]
pub struct Prepared<'a> {
    outgoing: Outgoing<'a>,
    chunk: NormalizedChunk<'a>,
    /// Who sent it, with what the spans say where the request says nothing.
    client: TracerInfo,
    added: &'a AddedTags,
}

impl<'a> Prepared<'a> {
    /// Normalises a chunk and tells whose it is (`pkg/trace/agent/agent.go`, `Process`).
    ///
    /// # Errors
    ///
    /// What the Agent drops goes nowhere.
    pub fn new(outgoing: Outgoing<'a>, added: &'a AddedTags) -> Result<Self, Dropped> {
        let has_top_level = match outgoing.top_level {
            TopLevel::ByClient => true,
            TopLevel::ByUs => false,
            TopLevel::Unknown => outgoing.chunk.spans().any(|span| {
                let mut marks = tag::TOP_LEVEL.into_iter();
                marks.any(|mark| span.metric(mark) == Some(1.0))
            }),
        };
        let request = Request {
            language: &outgoing.tracer.language,
            received: outgoing.received,
            has_top_level,
        };
        let chunk = normalize_chunk(outgoing.chunk.spans(), outgoing.facts, request)?;
        let client = client(outgoing.tracer, &chunk, added);
        Ok(Self {
            outgoing,
            chunk,
            client,
            added,
        })
    }

    /// The spans that go, with their places in the chunk.
    pub(super) fn spans(&self) -> impl Iterator<Item = (usize, Ticket, &Normalized<'a>)> {
        let spans = self.chunk.spans().iter().enumerate();
        spans.filter_map(|(place, span)| {
            let ticket = self.outgoing.ticket(place)?;
            Some((place, ticket, span))
        })
    }

    pub(super) fn chunk(&self) -> &NormalizedChunk<'a> {
        &self.chunk
    }

    pub(super) fn client(&self) -> &TracerInfo {
        &self.client
    }

    pub(super) fn added(&self) -> &'a AddedTags {
        self.added
    }

    pub(super) fn facts(&self) -> Option<&'a ChunkFacts> {
        self.outgoing.facts
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.outgoing.chunk.trace_id()
    }

    pub(super) fn counted_by(&self) -> CountedBy {
        self.outgoing.counted_by
    }

    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.outgoing.verdict
    }

    /// The place of the span that speaks for the chunk.
    pub(super) fn root_place(&self) -> Option<usize> {
        let root = self.chunk.root()?;
        let mut spans = self.chunk.spans().iter();
        spans.position(|span| std::ptr::eq(span, root))
    }

    /// What the client decided. In v1.0 one that is left out is 0, and spans are not asked
    /// (`ProcessV1`).
    pub(super) fn priority(&self) -> Option<SamplingPriority> {
        match self.outgoing.form {
            PayloadForm::Older => self.chunk.priority(),
            PayloadForm::V10 => {
                let said = self.outgoing.facts.and_then(|facts| facts.priority);
                Some(SamplingPriority(said.unwrap_or(0)))
            }
        }
    }
}

/// `agent.go`, `Process`: machine, environment and version are the payload's, else the root's, else any
/// span's; `pkg/trace/api/api.go`, `getProcessTags`.
fn client(tracer: &TracerInfo, chunk: &NormalizedChunk<'_>, added: &AddedTags) -> TracerInfo {
    let mut client = tracer.clone();
    let said_env = match added.env() {
        Some(added) => added,
        None => &client.env,
    };
    client.env = env(Text::from(said_env)).into();
    let fill = |text: &mut Box<str>, of_spans: Option<std::borrow::Cow<'_, str>>| {
        if text.is_empty() {
            *text = of_spans.unwrap_or_default().into();
        }
    };
    fill(&mut client.env, chunk.env());
    fill(&mut client.hostname, chunk.hostname());
    fill(&mut client.app_version, chunk.app_version());
    let has_process_tags = client.tags.iter().any(|(key, _)| **key == *PROCESS_TAGS);
    if !has_process_tags && let Some(tags) = chunk.process_tags() {
        let mut all = client.tags.into_vec();
        all.push((PROCESS_TAGS.into(), tags.into()));
        client.tags = all.into();
    }
    client
}
