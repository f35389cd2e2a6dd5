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
    pub(crate) fn new(format: Format) -> Self {
        let endpoint = ENDPOINTS.iter().find(|row| row.path == format.path());
        let Some(Action::Take(kind)) = endpoint.map(|row| row.action) else {
            panic!("{format:?} has no endpoint that reads it");
        };
        Self {
            kind,
            content_type: format.content_type(),
            builder: ChunkBuilder::default(),
        }
    }

    pub(crate) fn decode(&mut self, bytes: &[u8]) -> TracerPayload {
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
            Ok(Brought::Spans(received)) => received.payload,
            other => panic!("a payload of spans became {other:?}"),
        }
    }
}
