//! Lines for the intake of logs: JSON arrays of a limited size, each line with the ids by which Datadog
//! shows it beside its trace. Holds what has not been sent yet; joins nothing itself.
//!
//! After `crates/datadog-logs-agent/src/constants.rs` and `intake_entry.rs` in
//! `DataDog/serverless-components`.

use serde_json::{Map, Value as Json, json};

use super::compress::compress;
use super::{AddedTags, Coding, Contents, Intake, IntakeRequest, USER_AGENT};
use crate::logs::LogRecord;
use crate::trace::{SpanId, TraceId};

/// Bytes of a request before it is compressed.
pub const LOGS_BYTES_MAX: usize = 5_000_000;
/// Lines in a request.
pub const LINES_MAX: usize = 1_000;
/// Bytes of a line; the intake cuts longer ones.
const LINE_BYTES_MAX: usize = 1_000_000;

/// Members that are ours: fields of these names in the line itself are not sent beside them.
const OWN: [&str; 9] = [
    "message",
    "ddsource",
    "ddtags",
    "hostname",
    "service",
    "status",
    "timestamp",
    "dd.trace_id",
    "dd.span_id",
];

/// A line on its way, with whose it is.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// What was read in it.
    pub record: &'a LogRecord,
    /// The trace it belongs to, both halves.
    pub trace_id: TraceId,
    /// The span; [`SpanId::NONE`] if none is known.
    pub span_id: SpanId,
    /// The span's service, or the root's.
    pub service: &'a str,
    /// Its environment, possibly empty.
    pub env: &'a str,
    /// The version of the program, possibly empty.
    pub version: &'a str,
    /// The client's language, by which Datadog chooses how it reads lines.
    pub language: &'a str,
}

/// Lines that wait to become a request.
#[derive(Debug)]
pub struct LogBatch {
    added: AddedTags,
    body: Vec<u8>,
    n_lines: usize,
    n_cut: u64,
}

impl LogBatch {
    /// An empty one, for lines that all get these tags.
    pub fn new(added: AddedTags) -> Self {
        Self {
            added,
            body: Vec::new(),
            n_lines: 0,
            n_cut: 0,
        }
    }

    /// Lines that wait.
    pub fn n_lines(&self) -> usize {
        self.n_lines
    }

    /// Lines that went without their fields or their end, since they were too long.
    pub fn n_cut(&self) -> u64 {
        self.n_cut
    }

    /// Adds a line, and gives the request that was full before.
    pub fn push(&mut self, line: &LogLine<'_>) -> Option<IntakeRequest> {
        let entry = self.entry(line);
        let is_full =
            self.n_lines >= LINES_MAX || self.body.len() + entry.len() + 2 > LOGS_BYTES_MAX;
        let full = is_full.then(|| self.flush()).flatten();
        self.body.push(if self.n_lines == 0 { b'[' } else { b',' });
        self.body.extend_from_slice(entry.as_bytes());
        self.n_lines += 1;
        full
    }

    /// All lines that wait, as a request; `None` if none does.
    pub fn flush(&mut self) -> Option<IntakeRequest> {
        if self.n_lines == 0 {
            return None;
        }
        let n_lines = std::mem::take(&mut self.n_lines);
        let mut plain = std::mem::take(&mut self.body);
        plain.push(b']');
        let plain_bytes = plain.len();
        let (body, coding) = compress(plain, Coding::Gzip);
        let mut headers = vec![("Content-Type", "application/json".to_owned())];
        headers.extend(coding.map(|coding| ("Content-Encoding", coding.to_owned())));
        headers.push(("User-Agent", USER_AGENT.to_owned()));
        Some(IntakeRequest {
            intake: Intake::Logs,
            headers,
            body: body.into(),
            plain_bytes,
            contents: Contents::Lines { n_lines },
        })
    }

    fn entry(&mut self, line: &LogLine<'_>) -> String {
        let mut members = self.members(line);
        let n_own = members.len();
        for (name, value) in line.record.fields() {
            if !OWN.contains(&&*name) {
                members.insert(name.into_owned(), attribute(value.text()));
            }
        }
        let whole = Json::Object(members.clone()).to_string();
        if whole.len() <= LINE_BYTES_MAX {
            return whole;
        }
        self.n_cut += 1;
        let own: Map<String, Json> = members.into_iter().take(n_own).collect();
        let bare = Json::Object(own.clone()).to_string();
        if bare.len() <= LINE_BYTES_MAX {
            return bare;
        }
        shortened(own)
    }

    fn members(&self, line: &LogLine<'_>) -> Map<String, Json> {
        let record = line.record;
        let time = record.time.unwrap_or(record.at);
        let mut members = Map::new();
        let mut insert = |key: &str, value: Json| members.insert(key.to_owned(), value);
        insert("message", json!(record.message()));
        insert("timestamp", json!(time.0.div_euclid(1_000_000)));
        insert("ddsource", json!(line.language));
        insert("ddtags", json!(self.tags(line)));
        insert("service", json!(line.service));
        if let Some(level) = record.level {
            insert("status", json!(level.name()));
        }
        insert("dd.trace_id", json!(joining_id(line.trace_id)));
        if line.span_id != SpanId::NONE {
            insert("dd.span_id", json!(line.span_id.to_string()));
        }
        members
    }

    /// `k:v,k:v`; the tags that are added win.
    fn tags(&self, line: &LogLine<'_>) -> String {
        let container = line.record.container.as_deref().unwrap_or_default();
        let own = [
            ("env", line.env),
            ("version", line.version),
            ("container_id", container),
        ];
        let is_added = |key: &str| self.added.iter().any(|(added, _)| added == key);
        let own = own.into_iter();
        let own = own.filter(|(key, value)| !value.is_empty() && !is_added(key));
        let tags = own.chain(self.added.iter());
        // A comma ends a tag.
        let tags = tags.map(|(key, value)| format!("{key}:{value}").replace(',', "_"));
        tags.collect::<Vec<_>>().join(",")
    }
}

/// The id in the form in which tracers write it into lines: 32 hex digits, or for one of 64 bits its
/// decimal digits.
fn joining_id(id: TraceId) -> String {
    if id.high() == 0 {
        id.low().to_string()
    } else {
        id.to_string()
    }
}

/// A field as it was written. What other readers of JSON may refuse is its text.
fn attribute(written: &str) -> Json {
    serde_json::from_str(written).unwrap_or_else(|_| json!(written))
}

/// Without the end of its message. Escapes take up to six bytes for one.
fn shortened(mut own: Map<String, Json>) -> String {
    const ESCAPED_BYTES_MAX: usize = 6;
    const OTHERS_BYTES: usize = 100_000;
    if let Some(Json::String(message)) = own.get_mut("message") {
        let mut end = message
            .len()
            .min((LINE_BYTES_MAX - OTHERS_BYTES) / ESCAPED_BYTES_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
    }
    Json::Object(own).to_string()
}

#[cfg(test)]
mod tests;
