//! What goes on to Datadog itself: bytes, with all that their intakes expect beside the key.
//!
//! ```text
//!  chunk ─▶ Outgoing ─▶ Prepared ─┬─▶ payload::Batch ─────────▶ IntakeRequest (traces, protobuf)
//!           (new spans)  (as the  └─▶ stats::Concentrator ────▶ IntakeRequest (stats, msgpack)
//!                         Agent keeps it)
//!  body of /v0.6/stats ──────────────▶ stats::ClientAggregator ▶ IntakeRequest (stats, msgpack)
//!  line that joined a trace ─────────▶ logs::LogBatch ─────────▶ IntakeRequest (logs, JSON)
//! ```
//!
//! What became of a request, to a real Agent or to an intake, is a [`Forwarded`]; a [`Ticket`] says whose spans
//! were in it.
//!
//! Pure: it reads no clock and no environment, sends nothing and holds no queue. Who calls it says
//! which spans are new, keeps the requests in a queue that has a limit, sends them to the addresses
//! of [`settings`] and asks [`retry`] what becomes of one that failed.
//!
//! After `DataDog/datadog-agent`: `pkg/trace/agent/agent.go` (`Process`), `pkg/trace/writer` and
//! `pkg/trace/stats`; each file names its own source. Left out, as in [`normalize`](crate::normalize):
//! obfuscation of queries and URLs.

pub mod check;
mod compress;
pub mod courier;
pub mod logs;
mod outcome;
pub mod payload;
mod prepared;
pub mod proxy;
pub mod retry;
mod secret;
pub mod settings;
pub mod stats;
mod tags;

use bytes::Bytes;

use crate::sampler::{self, Verdict};
use crate::trace::{ChunkFacts, PayloadForm, TraceChunk, TracerInfo, UnixNanos};
pub use compress::Coding;
pub use outcome::{Exchange, Forwarded, Ticket};
pub use prepared::Prepared;
pub use secret::Secret;
pub use tags::AddedTags;

/// How requests name their sender.
pub const USER_AGENT: &str = concat!("modtrace-tui/", env!("CARGO_PKG_VERSION"));

/// Spans of one chunk that are to go, and what was said beside them.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The chunk as it came. All of it is looked at, also what does not go: a span enters a service if
    /// its parent, sent long ago, belongs to another.
    pub chunk: &'a TraceChunk,
    /// What the client said of the chunk as a whole.
    pub facts: Option<&'a ChunkFacts>,
    /// Who sent it.
    pub tracer: &'a TracerInfo,
    /// The format it came in.
    pub form: PayloadForm,
    /// When it came.
    pub received: UnixNanos,
    /// The number of its trace, in tickets.
    pub trace: u64,
    /// Which of its spans go.
    pub places: Places<'a>,
    /// Who says which of its spans enter a service.
    pub top_level: TopLevel,
    /// Whose job its statistics are.
    pub counted_by: CountedBy,
    /// What the simulated Agent says, if it is asked: then only what it keeps goes, marked as it marks
    /// it. `None` sends all.
    pub verdict: Option<Verdict>,
}

impl Outgoing<'_> {
    /// The spans that are to go.
    pub fn tickets(self) -> impl Iterator<Item = Ticket> {
        let places = 0..self.chunk.len();
        places.filter_map(move |place| self.ticket(place))
    }

    /// The span at a place of the chunk, if it is to go.
    fn ticket(&self, place: usize) -> Option<Ticket> {
        let Placed { span, version, .. } = self.places.at(place)?;
        let trace = self.trace;
        Some(Ticket {
            trace,
            span,
            version,
        })
    }
}

/// Which spans of a chunk, and their numbers in tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places<'a> {
    /// All, numbered on from the first.
    All {
        /// The number of the first.
        first: u32,
    },
    /// These, whose places ascend: the others went before.
    Only(&'a [Placed]),
}

/// A span that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its place in the chunk.
    pub place: usize,
    /// Its number.
    pub span: u32,
    /// Which snapshot of it.
    pub version: u32,
}

impl Places<'_> {
    /// The span at a place, if it is one of them.
    pub fn at(self, place: usize) -> Option<Placed> {
        match self {
            Self::All { first } => Some(Placed {
                place,
                span: first.saturating_add(u32::try_from(place).ok()?),
                version: 0,
            }),
            Self::Only(places) => {
                let found = places.binary_search_by_key(&place, |placed| placed.place);
                places.get(found.ok()?).copied()
            }
        }
    }
}

/// Who says which spans enter a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopLevel {
    /// The client, who said `Datadog-Client-Computed-Top-Level`: what it does not mark enters none.
    ByClient,
    /// The client did not say so: what follows from services and parents is marked, too.
    ByUs,
    /// Nobody knows what the client said. One that marks mostly marks a span of each chunk.
    Unknown,
}

/// Who makes statistics of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedBy {
    /// Nobody did it before.
    Us,
    /// The client, who said `Datadog-Client-Computed-Stats` and sends them itself.
    Client,
}

/// What an Agent says of itself in what it sends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentFacts {
    /// The machine. Empty, so that a developer's machine does not become a host that is billed.
    pub host_name: Box<str>,
    /// Its own environment, for clients that name none.
    pub env: Box<str>,
    /// Its version.
    pub version: Box<str>,
    /// Traces a second that it aims at.
    pub target_tps: f64,
    /// Errors a second that it keeps beside them.
    pub error_tps: f64,
    /// Whether its rare sampler is on.
    pub is_rare_enabled: bool,
}

impl AgentFacts {
    /// The simulated Agent, as the one of a version.
    pub fn simulated(settings: &sampler::Settings, version: &str) -> Self {
        Self {
            host_name: Box::default(),
            env: (*settings.default_env).into(),
            version: version.into(),
            target_tps: settings.target_tps,
            error_tps: settings.error_tps,
            is_rare_enabled: settings.rare.is_some(),
        }
    }
}

/// One of Datadog's intakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intake {
    /// Traces.
    Traces,
    /// Statistics of traces.
    Stats,
    /// Log lines.
    Logs,
}

impl Intake {
    /// The path of its requests, where no other is given.
    pub fn path(self) -> &'static str {
        match self {
            Self::Traces => "/api/v0.2/traces",
            Self::Stats => "/api/v0.2/stats",
            Self::Logs => "/api/v2/logs",
        }
    }
}

/// A request, complete but for the address and the key.
#[derive(Clone, Debug, PartialEq)]
pub struct IntakeRequest {
    /// Where it goes.
    pub intake: Intake,
    /// The headers, in the order they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// Bytes of the body before it was compressed.
    pub plain_bytes: usize,
    /// What is in it.
    pub contents: Contents,
}

/// What a request brings.
#[derive(Clone, Debug, PartialEq)]
pub enum Contents {
    /// Spans.
    Spans {
        /// Of how many traces.
        n_traces: usize,
        /// Which, in the order of the payload.
        spans: Box<[Ticket]>,
    },
    /// Statistics.
    Groups {
        /// How many groups of spans that are alike.
        n_groups: usize,
        /// How many spans they count.
        n_hits: u64,
    },
    /// Log lines.
    Lines {
        /// How many.
        n_lines: usize,
    },
}

impl IntakeRequest {
    /// The spans that go with it.
    pub fn spans(&self) -> &[Ticket] {
        match &self.contents {
            Contents::Spans { spans, .. } => spans,
            Contents::Groups { .. } | Contents::Lines { .. } => &[],
        }
    }

    /// How many traces they belong to.
    pub fn n_traces(&self) -> usize {
        match self.contents {
            Contents::Spans { n_traces, .. } => n_traces,
            Contents::Groups { .. } | Contents::Lines { .. } => 0,
        }
    }

    /// What it occupies in memory, for a queue with a limit in bytes.
    pub fn heap_bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(_, value)| value.capacity());
        size_of::<Self>()
            + self.body.len()
            + size_of_val(self.spans())
            + headers.sum::<usize>()
            + self.headers.capacity() * size_of::<(&str, String)>()
    }
}

#[cfg(test)]
mod tests;
