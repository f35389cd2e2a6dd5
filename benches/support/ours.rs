//! The decoder under test, reached as the agent reaches it: path, then `ingest::bring`.

use modtrace_tui::ingest::{Brought, PayloadKind, RequestBody, bring};
use modtrace_tui::io::agent::{Action, ENDPOINTS};
use modtrace_tui::trace::{ChunkBuilder, TracerPayload, UnixNanos, Via};
use modtrace_tui::wire::header::TraceHeaders;

use crate::payload::Format;

/// Decodes payloads of one format, warm from one to the next.
pub(crate) struct Decoder {
    kind: PayloadKind,
    content_type: &'static str,
    builder: ChunkBuilder,
}

impl Decoder {
    /// None if the format's endpoint takes no spans.
    pub(crate) fn new(format: Format) -> Option<Self> {
        let endpoint = ENDPOINTS.iter().find(|row| row.path == format.path())?;
        let Action::Take(PayloadKind::Traces(format_of_endpoint)) = endpoint.action else {
            return None;
        };
        Some(Self {
            kind: PayloadKind::Traces(format_of_endpoint),
            content_type: format.content_type(),
            builder: ChunkBuilder::default(),
        })
    }

    /// None if the format is refused as not built; anything else that is refused is a mistake.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Option<TracerPayload> {
        let body = RequestBody {
            kind: self.kind,
            content_type: Some(self.content_type),
            content_encoding: None,
            headers: TraceHeaders::default(),
            bytes,
            at: UnixNanos::default(),
            via: Via::Http,
        };
        match bring(&body, &mut self.builder) {
            Ok(Brought::Spans(received)) => Some(received.payload),
            Err(rejection) if rejection.status == 501 => None,
            other => panic!("a payload of spans became {other:?}"),
        }
    }
}
