//! Traces for the intake: protobuf `AgentPayload`s of a limited size, one group of chunks for each
//! client. Holds what has not been sent yet; sends nothing.
//!
//! After `pkg/trace/writer/trace.go` in `DataDog/datadog-agent` (`addSpans`, `flush`, `serialize`). All
//! formats go as `TracerPayload`s, also v1.0, for which the Agent has a form of its own.

mod marks;
mod span;
mod value;

use std::collections::HashMap as StdMap;

use hashbrown::{HashMap, HashSet};
use libdd_trace_protobuf::pb;
use prost::Message as _;

use super::compress::compress;
use super::{AgentFacts, Coding, Contents, Intake, IntakeRequest, Prepared, Ticket, USER_AGENT};
use crate::trace::{Tags, Text, TracerInfo, printable, tag};
use marks::Marks;

/// Bytes of a payload before it is compressed (`trace.go`, `MaxPayloadSize`: "3.2MB is the maximum
/// allowed by the Datadog API").
pub const PAYLOAD_BYTES_MAX: usize = 3_200_000;

/// What stands around a message within another: its number, and a length of up to five bytes.
const FRAME_BYTES: usize = 6;

/// How payloads are made.
#[derive(Clone, Debug)]
pub struct PayloadSettings {
    /// Who sends.
    pub agent: AgentFacts,
    /// How bodies are compressed.
    pub coding: Coding,
    /// Bytes of a payload before it is compressed: [`PAYLOAD_BYTES_MAX`].
    pub bytes_max: usize,
}

impl Default for PayloadSettings {
    fn default() -> Self {
        Self {
            agent: AgentFacts::default(),
            coding: Coding::default(),
            bytes_max: PAYLOAD_BYTES_MAX,
        }
    }
}

/// What did not go, by its reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Spans that the simulated Agent drops.
    pub n_sampled_spans: u64,
    /// Spans that alone are larger than a payload may be.
    pub n_oversized_spans: u64,
}

/// Chunks that wait to become a payload.
#[derive(Debug)]
pub struct Batch {
    settings: PayloadSettings,
    clients: Vec<pb::TracerPayload>,
    places: HashMap<TracerInfo, usize>,
    spans: Vec<Ticket>,
    bytes: usize,
    left_out: LeftOut,
    left_out_now: LeftOutNow,
}

/// Spans that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOutNow {
    /// By the simulated Agent.
    pub sampled: Vec<Ticket>,
    /// Because no payload may be so large.
    pub oversized: Vec<Ticket>,
}

/// A part of a chunk, with what it weighs and which spans are in it.
struct Piece {
    chunk: pb::TraceChunk,
    spans: Vec<Ticket>,
    bytes: usize,
}

impl Batch {
    /// An empty one.
    pub fn new(settings: PayloadSettings) -> Self {
        Self {
            settings,
            clients: Vec::new(),
            places: HashMap::new(),
            spans: Vec::new(),
            bytes: 0,
            left_out: LeftOut::default(),
            left_out_now: LeftOutNow::default(),
        }
    }

    /// Bytes of chunks and clients that wait, before they are compressed.
    pub fn plain_bytes(&self) -> usize {
        self.bytes
    }

    /// Spans that wait.
    pub fn n_spans(&self) -> usize {
        self.spans.len()
    }

    /// What did not go since the beginning.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// The spans that were left out since this was asked last.
    pub fn left_out_now(&mut self) -> LeftOutNow {
        std::mem::take(&mut self.left_out_now)
    }

    /// Adds a chunk, and gives the payloads that are full. One that is larger than a payload goes in
    /// pieces, as a client sends a trace that it flushes in parts.
    pub fn push(&mut self, prepared: &Prepared<'_>) -> Vec<IntakeRequest> {
        let Some(marks) = Marks::of(prepared) else {
            let spans = prepared.spans().map(|(_, ticket, _)| ticket);
            let spans: Vec<_> = spans.collect();
            self.left_out.n_sampled_spans += as_u64(spans.len());
            self.left_out_now.sampled.extend(spans);
            return Vec::new();
        };
        let client = message(prepared.client());
        let client_bytes = client.encoded_len() + FRAME_BYTES;
        let bytes_max = self.settings.bytes_max;
        let bytes_max = bytes_max.saturating_sub(self.header().encoded_len());
        let room = bytes_max.saturating_sub(client_bytes);
        let mut full = Vec::new();
        for piece in self.pieces(prepared, &marks, room) {
            let is_known = self.places.contains_key(prepared.client());
            let head_bytes = if is_known { 0 } else { client_bytes };
            if self.bytes + piece.bytes + head_bytes > bytes_max {
                full.extend(self.flush());
            }
            self.add(prepared.client(), &client, piece);
        }
        full
    }

    /// Everything that waits, as a payload; `None` if nothing does.
    pub fn flush(&mut self) -> Option<IntakeRequest> {
        if self.spans.is_empty() {
            return None;
        }
        let mut payload = self.header();
        payload.tracer_payloads = std::mem::take(&mut self.clients);
        self.places.clear();
        self.bytes = 0;
        let spans = std::mem::take(&mut self.spans);
        let languages = languages(&payload.tracer_payloads);
        let plain = payload.encode_to_vec();
        let plain_bytes = plain.len();
        let (body, coding) = compress(plain, self.settings.coding);
        let traces: HashSet<u64> = spans.iter().map(|ticket| ticket.trace).collect();
        Some(IntakeRequest {
            intake: Intake::Traces,
            headers: headers("application/x-protobuf", coding, languages),
            body: body.into(),
            plain_bytes,
            contents: Contents::Spans {
                n_traces: traces.len(),
                spans: spans.into(),
            },
        })
    }

    fn add(&mut self, key: &TracerInfo, client: &pb::TracerPayload, piece: Piece) {
        let known = self.places.get(key).copied();
        let place = known.unwrap_or_else(|| {
            self.bytes += client.encoded_len() + FRAME_BYTES;
            self.clients.push(client.clone());
            let place = self.clients.len() - 1;
            self.places.insert(key.clone(), place);
            place
        });
        let Some(client) = self.clients.get_mut(place) else {
            return;
        };
        self.bytes += piece.bytes;
        self.spans.extend(piece.spans);
        client.chunks.push(piece.chunk);
    }

    fn header(&self) -> pb::AgentPayload {
        let agent = &self.settings.agent;
        pb::AgentPayload {
            host_name: (*agent.host_name).to_owned(),
            env: (*agent.env).to_owned(),
            agent_version: (*agent.version).to_owned(),
            target_tps: agent.target_tps,
            error_tps: agent.error_tps,
            rare_sampler_enabled: agent.is_rare_enabled,
            ..pb::AgentPayload::default()
        }
    }

    /// The spans of a chunk that go, in as many chunks as are needed for each to fit.
    fn pieces(&mut self, prepared: &Prepared<'_>, marks: &Marks, room: usize) -> Vec<Piece> {
        let head = chunk_head(prepared, marks);
        // The high half of the id goes with each piece, on its first span.
        let head_bytes = head.encoded_len() + FRAME_BYTES + marks::TRACE_ID_BYTES_MAX;
        let mut pieces: Vec<Piece> = Vec::new();
        for (place, ticket, normalized) in prepared.spans() {
            if !marks.keeps(normalized) {
                self.left_out.n_sampled_spans += 1;
                self.left_out_now.sampled.push(ticket);
                continue;
            }
            let span = span::message(prepared, marks, place);
            let bytes = span.encoded_len() + FRAME_BYTES;
            if head_bytes + bytes > room {
                self.left_out.n_oversized_spans += 1;
                self.left_out_now.oversized.push(ticket);
                continue;
            }
            match pieces.last_mut() {
                Some(piece) if piece.bytes + bytes <= room => piece.add(span, ticket, bytes),
                _ => {
                    let mut piece = Piece {
                        chunk: head.clone(),
                        spans: Vec::new(),
                        bytes: head_bytes,
                    };
                    piece.add(span, ticket, bytes);
                    pieces.push(piece);
                }
            }
        }
        for piece in &mut pieces {
            marks::name_trace(prepared.trace_id(), &mut piece.chunk.spans);
        }
        pieces
    }
}

impl Piece {
    fn add(&mut self, span: pb::Span, ticket: Ticket, bytes: usize) {
        self.chunk.spans.push(span);
        self.spans.push(ticket);
        self.bytes += bytes;
    }
}

/// The Agent's `Content-Type`, `Content-Encoding` and `X-Datadog-Reported-Languages` (`trace.go`,
/// `serialize`; `stats.go`, `SendPayload`), and the sender's name (`sender.go`, `do`).
pub(super) fn headers(
    content_type: &str,
    coding: Option<&str>,
    languages: String,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![("Content-Type", content_type.to_owned())];
    headers.extend(coding.map(|coding| ("Content-Encoding", coding.to_owned())));
    headers.push(("X-Datadog-Reported-Languages", languages));
    headers.push(("User-Agent", USER_AGENT.to_owned()));
    headers
}

/// Languages of strangers in a header: short, and nothing in them that ends one.
pub(super) fn joined<'l>(languages: impl Iterator<Item = &'l str>) -> String {
    const LANGUAGES_MAX: usize = 16;
    let mut known: Vec<Box<str>> = Vec::new();
    for language in languages {
        let shown: String = printable(language, 32)
            .chars()
            .filter(|char| char.is_ascii_graphic() && *char != '|')
            .collect();
        let is_new = !shown.is_empty() && known.iter().all(|known| **known != *shown);
        if is_new && known.len() < LANGUAGES_MAX {
            known.push(shown.into());
        }
    }
    known.sort_unstable();
    known.join("|")
}

fn languages(clients: &[pb::TracerPayload]) -> String {
    joined(clients.iter().map(|client| &*client.language_name))
}

/// A client, without its chunks.
fn message(client: &TracerInfo) -> pb::TracerPayload {
    pb::TracerPayload {
        container_id: (*client.container_id).to_owned(),
        language_name: (*client.language).to_owned(),
        language_version: (*client.language_version).to_owned(),
        tracer_version: (*client.tracer_version).to_owned(),
        runtime_id: (*client.runtime_id).to_owned(),
        chunks: Vec::new(),
        tags: tag_map(&client.tags),
        env: (*client.env).to_owned(),
        hostname: (*client.hostname).to_owned(),
        app_version: (*client.app_version).to_owned(),
        container_debug: None,
    }
}

/// A chunk, without its spans. Whoever decided is named on the chunk, too (`normalizer.go`,
/// `setChunkAttributes`).
fn chunk_head(prepared: &Prepared<'_>, marks: &Marks) -> pb::TraceChunk {
    let facts = prepared.facts();
    let mut tags = facts.map(|facts| tag_map(&facts.tags)).unwrap_or_default();
    let said = prepared.chunk().decision_maker().map(Text::to_lossy);
    let decided = marks.decision_maker().map(Into::into).or(said);
    if let Some(decided) = decided {
        tags.insert(tag::DECISION_MAKER.to_owned(), decided.into_owned());
    }
    pb::TraceChunk {
        priority: marks.priority(),
        origin: prepared.chunk().origin().to_owned(),
        spans: Vec::new(),
        tags,
        // What goes is kept. The Agent says `true` only of what it keeps single events of.
        dropped_trace: false,
    }
}

fn tag_map(tags: &Tags) -> StdMap<String, String> {
    let tags = tags.iter();
    tags.map(|(key, value)| ((**key).to_owned(), (**value).to_owned()))
        .collect()
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
