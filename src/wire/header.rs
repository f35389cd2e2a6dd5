//! The headers a tracer sends with its spans.

use crate::trace::TracerInfo;

/// What the headers of a request say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceHeaders {
    /// Who sends.
    pub tracer: TracerInfo,
    /// Who asks, for people.
    pub client: Box<str>,
    /// `X-Datadog-Trace-Count`.
    pub announced_chunks: u64,
    /// `Datadog-Client-Dropped-P0-Traces`.
    pub client_dropped_p0_traces: u64,
    /// `Datadog-Client-Dropped-P0-Spans`.
    pub client_dropped_p0_spans: u64,
}

impl TraceHeaders {
    /// Reads them through a look-up by lower-case name.
    pub fn read<'a>(header: impl Fn(&'static str) -> Option<&'a [u8]>) -> Self {
        let text = |name: &'static str| -> Box<str> {
            String::from_utf8_lossy(header(name).unwrap_or_default()).into()
        };
        let number = |name: &'static str| text(name).trim().parse().unwrap_or(0);
        Self {
            client: match &*text("datadog-meta-lang") {
                "" => text("user-agent"),
                _ => format!("ddtrace-py {}", text("datadog-meta-tracer-version")).into(),
            },
            tracer: TracerInfo {
                language: text("datadog-meta-lang"),
                language_version: text("datadog-meta-lang-version"),
                tracer_version: text("datadog-meta-tracer-version"),
            },
            announced_chunks: number("x-datadog-trace-count"),
            client_dropped_p0_traces: number("datadog-client-dropped-p0-traces"),
            client_dropped_p0_spans: number("datadog-client-dropped-p0-spans"),
        }
    }
}
