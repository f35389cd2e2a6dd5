//! The format `json`: everything that was captured, so that opening it shows the same.
//!
//! ```text
//! {"format":"modtrace","version":1,"captured_by":"…","exported_at":"…",
//! "counters":{…},
//! "forward":{…},
//! "traces":[
//! {"trace_id":"…","root":"…",…,"spans":[
//! {"span_id":"…",…},
//! {"span_id":"…",…}
//! ],"logs":[
//! {"time":…,…}
//! ]}
//! ],
//! "logs":[
//! {"time":…,…}
//! ],
//! "requests":[
//! {"at":…,…}
//! ],
//! "client_stats":{…},
//! "findings":[]}
//! ```
//!
//! One line for each trace, each span and each log line, so that exports can be compared line by
//! line.

use std::io;

use serde::{Deserialize, Serialize};

use super::forward::ForwardJson;
use super::log::LogJson;
use super::span::{DisplayJson, SpanJson};
use super::summary::TraceSummary;
use super::text::write_json;
use super::told::{Detail, ToldJson};
use super::{End, Layout, Scope};
use crate::ingest::RequestRecord;
use crate::store::{LogEntry, SpanIndex, Store, TraceEntry, TraceKey};
use crate::trace::{Span, TraceId, UnixNanos};

/// The name in the member `format`.
pub(super) const FORMAT: &str = "modtrace";
/// The version this program writes, and the newest it reads.
pub(super) const VERSION: u64 = 1;

/// Writes the format `json`.
#[derive(Debug)]
pub(super) struct Json;

impl Layout for Json {
    fn begin(
        &self,
        out: &mut Vec<u8>,
        store: &Store,
        (scope, exported_at): (Scope, UnixNanos),
    ) -> io::Result<()> {
        #[derive(Serialize)]
        struct Head {
            format: &'static str,
            version: u64,
            captured_by: &'static str,
            exported_at: DisplayJson<UnixNanos>,
        }
        let head = Head {
            format: FORMAT,
            version: VERSION,
            captured_by: concat!("modtrace-tui ", env!("CARGO_PKG_VERSION")),
            exported_at: DisplayJson(exported_at),
        };
        write_open(out, &head)?;
        out.extend_from_slice(b",\n\"counters\":");
        write_json(out, store.counters())?;
        out.extend_from_slice(b",\n\"forward\":");
        match scope {
            Scope::Everything | Scope::Missing => {
                write_json(out, &ForwardJson::whole(store))?;
            }
            Scope::OneTrace => write_json(out, &ForwardJson::summary(store))?,
        }
        out.extend_from_slice(b",\n\"traces\":[");
        Ok(())
    }

    fn begin_trace(&self, out: &mut Vec<u8>, trace: &TraceEntry, store: &Store) -> io::Result<()> {
        #[derive(Serialize)]
        struct Head<'a> {
            trace_id: DisplayJson<TraceId>,
            #[serde(flatten)]
            summary: TraceSummary<'a>,
        }
        let head = Head {
            trace_id: DisplayJson(trace.trace_id()),
            summary: TraceSummary::new(trace, store),
        };
        write_open(out, &head)?;
        out.extend_from_slice(b",\"spans\":[");
        Ok(())
    }

    fn span(
        &self,
        out: &mut Vec<u8>,
        _: &TraceEntry,
        _: SpanIndex,
        span: Span<'_>,
    ) -> io::Result<()> {
        write_json(out, &SpanJson(span))
    }

    fn holds_lines(&self) -> bool {
        true
    }

    fn end_spans(&self, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(b"\n],\"logs\":[");
        Ok(())
    }

    fn line(
        &self,
        out: &mut Vec<u8>,
        line: &LogEntry,
        trace: Option<&TraceEntry>,
    ) -> io::Result<()> {
        write_json(out, &LogJson::new(line, trace))
    }

    fn end_trace(&self, out: &mut Vec<u8>, n_lines: u64) -> io::Result<()> {
        out.extend_from_slice(end_of_lines(n_lines));
        out.push(b'}');
        Ok(())
    }

    fn end_traces(&self, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(b"\n],\n\"logs\":[");
        Ok(())
    }

    fn end(&self, out: &mut Vec<u8>, store: &Store, end: End) -> io::Result<()> {
        out.extend_from_slice(end_of_lines(end.n_lines));
        out.extend_from_slice(b",\n\"requests\":[");
        let requests = match end.scope {
            Scope::Everything => Some(store.requests()),
            Scope::OneTrace | Scope::Missing => None,
        };
        for (place, request) in requests.into_iter().flatten().enumerate() {
            out.extend_from_slice(if place == 0 { b"\n" } else { b",\n" });
            write_json(out, &RequestJson::new(request))?;
        }
        out.extend_from_slice(b"\n],\n\"client_stats\":");
        match end.scope {
            Scope::Everything => write_json(out, &ToldJson::of(store, Detail::Bins))?,
            Scope::OneTrace | Scope::Missing => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\n\"findings\":[]}\n");
        Ok(())
    }
}

fn end_of_lines(n_lines: u64) -> &'static [u8] {
    if n_lines == 0 { b"]" } else { b"\n]" }
}

/// Writes an object without its closing brace, so that members can follow.
fn write_open(out: &mut Vec<u8>, object: &impl Serialize) -> io::Result<()> {
    write_json(out, object)?;
    out.pop();
    Ok(())
}

/// A trace as it stands in an export, without what is around it: for the clipboard.
///
/// # Errors
/// When the trace is no longer held.
pub fn trace_json(store: &Store, key: TraceKey) -> Result<String, super::ExportError> {
    let trace = store.trace(key).ok_or(super::ExportError::Evicted)?;
    let mut out = Vec::new();
    Json.begin_trace(&mut out, trace, store)?;
    for (index, span) in trace.spans() {
        out.extend_from_slice(if index.0 == 0 { b"\n" } else { b",\n" });
        Json.span(&mut out, trace, index, span)?;
    }
    Json.end_spans(&mut out)?;
    let lines = trace.logs().iter().filter_map(|key| store.log(*key));
    let mut n_lines = 0;
    for line in lines {
        out.extend_from_slice(if n_lines == 0 { b"\n" } else { b",\n" });
        Json.line(&mut out, line, Some(trace))?;
        n_lines += 1;
    }
    Json.end_trace(&mut out, n_lines)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A request in the log of requests.
#[derive(Serialize, Deserialize)]
pub(super) struct RequestJson<'a> {
    at: i64,
    method: std::borrow::Cow<'a, str>,
    path: std::borrow::Cow<'a, str>,
    status: u16,
    bytes: u64,
    client: std::borrow::Cow<'a, str>,
    #[serde(default)]
    via: std::borrow::Cow<'a, str>,
    #[serde(default)]
    note: std::borrow::Cow<'a, str>,
}

impl<'a> RequestJson<'a> {
    fn new(request: &'a RequestRecord) -> Self {
        Self {
            at: request.at.0,
            method: (&*request.method).into(),
            path: (&*request.path).into(),
            status: request.status,
            bytes: request.bytes,
            client: (&*request.client).into(),
            via: request.via.to_string().into(),
            note: (&*request.note).into(),
        }
    }

    /// The record again. What only counting needs is not in an export, and not needed: restored
    /// requests are not counted.
    pub(super) fn into_record(self) -> RequestRecord {
        RequestRecord {
            at: UnixNanos(self.at),
            via: self.via.parse().unwrap_or(crate::trace::Via::File),
            method: self.method.into_owned().into(),
            path: self.path.into_owned().into(),
            endpoint: std::borrow::Cow::default(),
            class: crate::ingest::RequestClass::Other,
            status: self.status,
            bytes: self.bytes,
            client: self.client.into(),
            note: self.note.into(),
            announced_chunks: 0,
        }
    }
}
