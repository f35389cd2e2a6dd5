//! What one delivery brings: who sent it, and its chunks.

use std::fmt;
use std::str::FromStr;

use super::TraceChunk;

/// The tracer as it presents itself in its headers; empty where it does not say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct TracerInfo {
    /// `python`, `nodejs`, `go`.
    pub language: Box<str>,
    /// The interpreter's or compiler's version.
    pub language_version: Box<str>,
    /// The tracer library's version.
    pub tracer_version: Box<str>,
}

impl TracerInfo {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.language.is_empty()
            && self.language_version.is_empty()
            && self.tracer_version.is_empty()
    }
}

/// The chunks of one delivery.
#[derive(Debug, Default)]
pub struct TracerPayload {
    /// Who sent them.
    pub tracer: TracerInfo,
    /// The chunks in the order of the wire, the empty ones left out.
    pub chunks: Vec<TraceChunk>,
    /// How many chunks were sent, the empty ones counted.
    pub n_chunks: usize,
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
