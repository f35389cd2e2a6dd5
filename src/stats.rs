//! What a client says it counted itself: hits in buckets of time, and the sums of its telemetry.
//! Knows no wire format, and compares nothing.

mod sketch;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::trace::{Span, Text, TracerInfo, UnixNanos, tag};
pub use sketch::{Latency, Sketch};

/// Nobody counts more at once; who says so must not spoil the sums.
pub(crate) const COUNT_MAX: u64 = 0xffff_ffff;

/// Bytes of a service, an operation or a resource that are kept: as many as the Agent leaves of a
/// resource (`pkg/trace/agent/truncator.go`).
const TEXT_BYTES_MAX: usize = 5_000;

/// Who counted; empty where it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatsSource {
    /// The service of the process.
    pub service: Box<str>,
    /// `DD_ENV`.
    pub env: Box<str>,
    /// `DD_VERSION`.
    pub version: Box<str>,
    /// The process. Not always the id that its spans carry: ddtrace 4.1.2 makes up another one.
    pub runtime_id: Box<str>,
    /// `python`, `nodejs`, `go`.
    pub language: Box<str>,
    /// The tracer library's version.
    pub tracer_version: Box<str>,
}

impl StatsSource {
    /// What another says of the same where this says nothing.
    pub(crate) fn complete(&mut self, other: Self) {
        for (ours, theirs) in [
            (&mut self.service, other.service),
            (&mut self.env, other.env),
            (&mut self.version, other.version),
            (&mut self.runtime_id, other.runtime_id),
            (&mut self.language, other.language),
            (&mut self.tracer_version, other.tracer_version),
        ] {
            if ours.is_empty() {
                *ours = theirs;
            }
        }
    }

    /// What the headers say where the body does not.
    pub(crate) fn complete_from(&mut self, tracer: &TracerInfo) {
        for (text, header) in [
            (&mut self.language, &tracer.language),
            (&mut self.tracer_version, &tracer.tracer_version),
        ] {
            if text.is_empty() {
                text.clone_from(header);
            }
        }
    }
}

/// What a client counted, as it sends it to `/v0.6/stats`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientStats {
    /// Who.
    pub source: StatsSource,
    /// When and what.
    pub buckets: Vec<StatsBucket>,
    /// The body as it came, for whoever sends it on.
    pub body: Box<[u8]>,
}

/// What was counted of the spans that ended within a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsBucket {
    /// When the time began.
    pub start: UnixNanos,
    /// How long it was, in nanoseconds.
    pub duration: i64,
    /// What was counted.
    pub groups: Vec<StatsGroup>,
}

impl StatsBucket {
    /// When the time ended.
    pub fn end(&self) -> UnixNanos {
        self.start.plus(self.duration.max(0))
    }
}

/// What was counted of spans that are alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsGroup {
    /// Their service.
    pub service: Box<str>,
    /// Their operation.
    pub name: Box<str>,
    /// What it works on.
    pub resource: Box<str>,
    /// Their type: `web`, `sql`.
    pub kind: Box<str>,
    /// The counts.
    pub counts: StatsCounts,
}

/// Counts of spans that are alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsCounts {
    /// How many there were.
    pub hits: u64,
    /// How many of them failed.
    pub errors: u64,
    /// How many of them were the first of their service in their trace.
    pub top_level_hits: u64,
    /// How long they took together, in nanoseconds.
    pub duration: u64,
    /// How long those took that did not fail.
    pub ok: Sketch,
    /// How long those took that failed.
    pub error: Sketch,
}

impl StatsCounts {
    /// Adds other counts, each as far as it goes.
    pub(crate) fn add(&mut self, other: &Self) {
        self.hits = self.hits.saturating_add(other.hits);
        self.errors = self.errors.saturating_add(other.errors);
        self.top_level_hits = self.top_level_hits.saturating_add(other.top_level_hits);
        self.duration = self.duration.saturating_add(other.duration);
        self.ok.merge(&other.ok);
        self.error.merge(&other.error);
    }

    /// What they occupy beside their own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.ok.heap_bytes() + self.error.heap_bytes()
    }
}

impl ClientStats {
    /// Hits and errors of all buckets.
    pub fn hits_and_errors(&self) -> (u64, u64) {
        let groups = self.buckets.iter().flat_map(|bucket| &bucket.groups);
        groups.fold((0, 0), |(hits, errors), group| {
            (
                hits.saturating_add(group.counts.hits),
                errors.saturating_add(group.counts.errors),
            )
        })
    }

    /// What it occupies beside its own size.
    pub fn heap_bytes(&self) -> usize {
        let groups = self.buckets.iter().flat_map(|bucket| &bucket.groups);
        let of_group = |group: &StatsGroup| {
            size_of::<StatsGroup>()
                + group.service.len()
                + group.name.len()
                + group.resource.len()
                + group.kind.len()
                + group.counts.heap_bytes()
        };
        size_of::<Self>()
            + self.buckets.len() * size_of::<StatsBucket>()
            + groups.map(of_group).sum::<usize>()
    }
}

/// What a client says of itself while it runs, as it sends it to `/telemetry/proxy/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTelemetry {
    /// Who.
    pub source: StatsSource,
    /// What it counted since it said so last.
    pub sums: TelemetrySums,
    /// Parts that could not be read.
    pub n_unreadable: u64,
}

impl ClientTelemetry {
    /// What could not be read at all.
    pub(crate) fn unreadable() -> Self {
        Self {
            n_unreadable: 1,
            ..Self::default()
        }
    }
}

macro_rules! sums {
    ($($(#[$doc:meta])* $name:ident = $metric:literal,)*) => {
        /// What telemetry counts of spans and of the chunks they are sent in.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct TelemetrySums {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl TelemetrySums {
            /// The sum with a name in telemetry.
            pub(crate) fn by_metric(&mut self, metric: &str) -> Option<&mut u64> {
                match metric {
                    $($metric => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// Adds other sums, each as far as it goes.
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }

            /// The largest of them.
            pub(crate) fn largest(&self) -> u64 {
                [$(self.$name),*].into_iter().max().unwrap_or(0)
            }
        }
    };
}

sums! {
    /// Spans begun.
    spans_created = "spans_created",
    /// Spans ended.
    spans_finished = "spans_finished",
    /// Chunks handed to the writer.
    trace_chunks_enqueued = "trace_chunks_enqueued",
    /// Chunks sent.
    trace_chunks_sent = "trace_chunks_sent",
    /// Chunks that were not sent: sampled away, or lost on the way.
    trace_chunks_dropped = "trace_chunks_dropped",
    /// Requests made to the Agent.
    trace_api_requests = "trace_api.requests",
    /// Answers it gave.
    trace_api_responses = "trace_api.responses",
    /// Requests that failed.
    trace_api_errors = "trace_api.errors",
}

/// Whether a client counts a span in its statistics: the first of its service in a trace, measured
/// ones, and those at the edge of a process; no snapshot of a span that still runs.
///
/// After `libdd-trace-stats/src/span_concentrator/mod.rs` in `DataDog/libdatadog` and
/// `pkg/trace/stats/span_concentrator.go` in `DataDog/datadog-agent`.
pub(crate) fn is_counted(span: Span<'_>) -> bool {
    let is_set = |metric| span.metric(metric).is_some_and(|value| value > 0.0);
    let is_edge = || {
        let kind = span.meta_text(tag::SPAN_KIND);
        let kind = kind.map(Text::as_bytes).unwrap_or_default();
        EDGES.iter().any(|edge| kind.eq_ignore_ascii_case(edge))
    };
    (tag::TOP_LEVEL.into_iter().any(is_set) || is_set(tag::MEASURED) || is_edge())
        && !span.is_snapshot()
}

const EDGES: [&[u8]; 4] = [b"server", b"client", b"producer", b"consumer"];

/// A string of a client as it is kept and compared here: repaired, and not longer than the Agent
/// leaves it.
pub(crate) fn kept_text(bytes: &[u8]) -> Cow<'_, str> {
    let mut end = bytes.len().min(TEXT_BYTES_MAX);
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    while end < bytes.len() && end > 0 && is_inside(end) {
        end -= 1;
    }
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default())
}

/// The whole number nearest to a float: 0 for what is below or none.
pub(crate) fn rounded(float: f64) -> u64 {
    if !float.is_finite() {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is out of range becomes the end of the range"
    )]
    let whole = float.round() as u64;
    whole
}

#[cfg(test)]
mod tests;
