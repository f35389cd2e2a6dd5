//! What one delivery brings: who sent it, and its chunks.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::TraceChunk;

/// A tracer and the process it runs in, as they present themselves: in the headers of a request, and
/// in the formats that have room for it in the payload. Empty where nothing is said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct TracerInfo {
    /// `python`, `nodejs`, `go`.
    pub language: Box<str>,
    /// The interpreter's or compiler's version.
    pub language_version: Box<str>,
    /// The tracer library's version.
    pub tracer_version: Box<str>,
    /// The container, as the operating system names it.
    pub container_id: Box<str>,
    /// The process: new at each start.
    pub runtime_id: Box<str>,
    /// The environment of all its spans: `prod`.
    pub env: Box<str>,
    /// The machine.
    pub hostname: Box<str>,
    /// The version of the program.
    pub app_version: Box<str>,
    /// Tags of all its chunks, in the order they came.
    pub tags: Tags,
}

/// Keys and values in order.
pub type Tags = Box<[(Box<str>, Box<str>)]>;

impl TracerInfo {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same, and where it says nothing of the tracer what another account says: the headers, of
    /// what a payload leaves out.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        let fields = [
            (&mut self.language, &other.language),
            (&mut self.language_version, &other.language_version),
            (&mut self.tracer_version, &other.tracer_version),
        ];
        for (said, other) in fields {
            if said.is_empty() {
                said.clone_from(other);
            }
        }
        self
    }

    /// What it occupies in memory beside its own size.
    pub fn heap_bytes(&self) -> usize {
        let texts = [
            &self.language,
            &self.language_version,
            &self.tracer_version,
            &self.container_id,
            &self.runtime_id,
            &self.env,
            &self.hostname,
            &self.app_version,
        ];
        texts.iter().map(|text| text.len()).sum::<usize>() + tags_bytes(&self.tags)
    }
}

/// What tags occupy in memory.
pub(super) fn tags_bytes(tags: &Tags) -> usize {
    let texts = tags.iter().map(|(key, value)| key.len() + value.len());
    size_of_val(&**tags) + texts.sum::<usize>()
}

/// The chunks of one delivery.
#[derive(Debug, Default)]
pub struct TracerPayload {
    /// Who sent them.
    pub tracer: Arc<TracerInfo>,
    /// The chunks in the order of the wire, the empty ones left out.
    pub chunks: Vec<TraceChunk>,
    /// How many chunks were sent, the empty ones counted.
    pub n_chunks: usize,
    /// The format, as far as an Agent tells formats apart once they are read.
    pub form: PayloadForm,
}

/// The formats that an Agent has different code for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadForm {
    /// All but v1.0.
    #[default]
    Older,
    /// v1.0.
    V10,
}

impl TracerPayload {
    /// How many spans came.
    pub fn n_spans(&self) -> usize {
        self.chunks.iter().map(TraceChunk::len).sum()
    }

    /// What the chunks occupy in memory.
    pub fn heap_bytes(&self) -> usize {
        self.chunks.iter().map(TraceChunk::heap_bytes).sum()
    }
}

/// The way by which spans came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// HTTP over TCP.
    Http,
    /// HTTP over a unix socket.
    Uds,
    /// The relay's lines on stdout.
    Relay,
    /// A child's stdout.
    Stdout,
    /// A child's stderr.
    Stderr,
    /// A file that is followed.
    File,
    /// OTLP.
    Otlp,
}

impl Via {
    /// Every way, with its name in exports.
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Http, "http"),
        (Self::Uds, "uds"),
        (Self::Relay, "relay"),
        (Self::Stdout, "stdout"),
        (Self::Stderr, "stderr"),
        (Self::File, "file"),
        (Self::Otlp, "otlp"),
    ];
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES
            .iter()
            .find(|(via, _)| via == self)
            .map_or("", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for Via {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        known
            .map(|(via, _)| *via)
            .ok_or_else(|| format!("{name:?} is no way for spans to come"))
    }
}
