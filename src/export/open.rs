//! Reading an export back: ours, or the array of v0.4 spans that agents exchange. Streamed, so that
//! a file larger than the budget shows its newest traces. Files come from strangers: what is wrong
//! in one is told with its place, and what came before it is kept.

mod file;
mod forward;
mod lines;
mod noted;
mod number;
mod span;
mod trace;
mod value;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, Read};

use serde::de::DeserializeSeed as _;
use serde_json::error::Category;

use super::json::VERSION;
use super::start;
use super::told::ToldJson;
use crate::analysis::Outcome;
use crate::ingest::{Received, RequestRecord};
use crate::logs::{JoinedBy, LogRecord};
use crate::sampler::{Fate, Verdict};
use crate::store::{
    Arrival, Counters, Joined, KnownBy, LogKey, Restored, Store, ToldForward, ToldPlace, ToldRoot,
    ToldTrace, Went,
};
use crate::trace::{
    ChunkBuilder, ContainerFacts, Now, SpanId, TraceId, TracerInfo, TracerPayload, Via,
};
pub(super) use number::DecimalId;

/// What a file brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whose format it has.
    pub form: FileForm,
    /// Its traces and spans.
    pub kept: Kept,
    /// What was left out, a sentence each.
    pub warnings: Vec<String>,
}

/// Whose format a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileForm {
    /// Ours: everything that was captured.
    Ours,
    /// Chunks of v0.4 spans, beside which nothing can be said.
    Chunks,
}

/// How much of a file came into the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Traces; chunks, in a file of chunks.
    pub n_traces: u64,
    /// Spans.
    pub n_spans: u64,
    /// Log lines.
    pub n_lines: u64,
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [
            (self.n_traces, "trace"),
            (self.n_spans, "span"),
            (self.n_lines, "log line"),
        ];
        let told = counts.into_iter().filter(|(number, _)| *number > 0);
        let told: Vec<String> = told
            .map(|(number, name)| match number {
                1 => format!("1 {name}"),
                _ => format!("{number} {name}s"),
            })
            .collect();
        if told.is_empty() {
            return f.write_str("Nothing came before it");
        }
        write!(f, "What came before it is kept: {}", told.join(", "))
    }
}

/// Why a file could not be opened, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The bytes did not come.
    #[error("The file could not be read: {0}.")]
    Io(#[from] io::Error),
    /// No JSON at all.
    #[error(
        "This is not JSON: {message}. Files to open are written by `modtrace-tui --export FILE`, or hold an array of v0.4 spans."
    )]
    NotJson {
        /// What the JSON reader says.
        message: String,
    },
    /// JSON, but something else.
    #[error(
        "This JSON is no capture: {found}. Files to open are written by `modtrace-tui --export FILE`, or hold an array of v0.4 spans."
    )]
    OtherFormat {
        /// What it is instead.
        found: String,
    },
    /// Ours, but of a newer program.
    #[error(
        "The file has version {version} of the format; this program reads up to {VERSION}. Update modtrace-tui."
    )]
    NewerVersion {
        /// The version it names.
        version: u64,
    },
    /// The end is missing.
    #[error(
        "The file ends in the middle, at line {line}, column {column}. {kept}. Was the export interrupted?"
    )]
    Truncated {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What came before.
        kept: Kept,
    },
    /// Something in it is wrong.
    #[error("The file is damaged{place}: {message}. {kept}. Export it again, or mend that place.")]
    Damaged {
        /// Where: ` in trace 3, span 17`.
        place: String,
        /// What, with line and column.
        message: String,
        /// What came before.
        kept: Kept,
    },
}

/// Reads a file into the store. After an error what came before it is there, and counted.
pub fn open(reader: impl Read, store: &mut Store, now: Now) -> Result<Opened, OpenError> {
    let mut reading = Reading::new(store, now);
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(reader));
    // Lists and maps are bounded by the seeds themselves, and what is skipped is skipped without
    // recursion; the reader's own limit would refuse what an export may hold.
    json.disable_recursion_limit();
    let read = file::FileSeed(&mut reading).deserialize(&mut json);
    let read = read.and_then(|()| json.end());
    let failed = read.err().map(|error| reading.failure(&error));
    reading.finish();
    match failed {
        Some(error) => Err(error),
        None => Ok(Opened {
            form: match reading.shape {
                Shape::Chunks => FileForm::Chunks,
                Shape::Modtrace | Shape::Unknown => FileForm::Ours,
            },
            kept: reading.kept,
            warnings: reading.warnings(),
        }),
    }
}

/// A file that is being read.
struct Reading<'s> {
    store: &'s mut Store,
    now: Now,
    builder: ChunkBuilder,
    shape: Shape,
    trace: TraceSoFar,
    first_line: LogKey,
    /// Its traces, by what became of them.
    n_of_fate: BTreeMap<&'static str, u64>,
    /// Lines that came with a trace.
    n_joined: u64,
    /// Lines that came without.
    n_loose: u64,
    counters: Option<Counters>,
    requests: VecDeque<RequestRecord>,
    told: Option<ToldJson>,
    forward: Option<ToldForward>,
    kept: Kept,
    place: Place,
    /// Members that this version does not know.
    n_ignored: u64,
    /// Requests that had not gone, and that there was no room for.
    n_lost_requests: u64,
    refused: Option<OpenError>,
}

/// What the file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Unknown,
    Modtrace,
    Chunks,
}

/// What is known of the trace that is being read, beside its spans.
#[derive(Default)]
struct TraceSoFar {
    id: Option<TraceId>,
    arrivals: Vec<Arrival>,
    tracer: TracerInfo,
    container: Option<(ContainerFacts, KnownBy)>,
    outcome: Option<Box<str>>,
    place: ToldPlace,
    start_kind: Option<Box<str>>,
    start_evidence: Option<Box<str>>,
    local_roots: Vec<ToldRoot>,
    verdict: Option<Verdict>,
    forwarded: Went<Vec<SpanId>>,
    counted: Went<Vec<SpanId>>,
    lines: Vec<(LogRecord, Option<JoinedBy>)>,
}

/// Where the reader is, counted from 1; 0 is nowhere.
#[derive(Clone, Copy, Default)]
struct Place {
    trace: u64,
    span: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.trace, self.span) {
            (0, _) => Ok(()),
            (trace, 0) => write!(f, " in trace {trace}"),
            (trace, span) => write!(f, " in trace {trace}, span {span}"),
        }
    }
}

impl<'s> Reading<'s> {
    fn new(store: &'s mut Store, now: Now) -> Self {
        let first_line = store.next_log_key();
        Self {
            store,
            now,
            first_line,
            n_of_fate: BTreeMap::new(),
            n_joined: 0,
            n_loose: 0,
            builder: ChunkBuilder::default(),
            shape: Shape::Unknown,
            trace: TraceSoFar::default(),
            counters: None,
            requests: VecDeque::new(),
            told: None,
            forward: None,
            kept: Kept::default(),
            place: Place::default(),
            n_ignored: 0,
            n_lost_requests: 0,
            refused: None,
        }
    }

    fn begin_trace(&mut self, number: u64) {
        self.builder.reset(usize::MAX);
        self.trace = TraceSoFar::default();
        self.place = Place {
            trace: number,
            span: 0,
        };
    }

    /// Hands the trace, or as much of it as was read, to the store.
    fn finish_trace(&mut self) {
        let trace = std::mem::take(&mut self.trace);
        let n_spans = match (self.shape, trace.id) {
            (Shape::Chunks, _) => self.insert_chunks(),
            (_, Some(id)) => self.restore_trace(id, trace),
            (_, None) => 0,
        };
        self.kept.n_traces += u64::from(n_spans > 0);
        self.kept.n_spans += n_spans;
        self.place = Place::default();
    }

    fn restore_trace(&mut self, id: TraceId, trace: TraceSoFar) -> u64 {
        let chunk = self.builder.finish_as(id.low()).unwrap_or_default();
        let n_spans = count(chunk.len());
        let verdict = trace.verdict;
        if n_spans > 0 {
            let fate = verdict.as_ref().map_or(Fate::Unknown, Verdict::fate);
            *self.n_of_fate.entry(fate.name()).or_default() += 1;
        }
        let told = ToldTrace {
            start: start::told(trace.start_kind.as_deref(), trace.start_evidence),
            outcome: trace.outcome.as_deref().and_then(Outcome::named),
            place: trace.place,
        };
        let said = Restored {
            arrivals: &trace.arrivals,
            tracer: trace.tracer,
            verdict,
            container: trace.container,
            told,
            roots: trace.local_roots,
            forwarded: trace.forwarded,
            counted: trace.counted,
        };
        let key = self.store.restore(id, chunk, said);
        for (record, by) in trace.lines {
            let by = by.unwrap_or(JoinedBy::TraceId);
            self.restore_line(record, key.map(|trace| Joined { trace, by }));
        }
        n_spans
    }

    fn restore_line(&mut self, record: LogRecord, joined: Option<Joined>) {
        let number = if joined.is_some() {
            &mut self.n_joined
        } else {
            &mut self.n_loose
        };
        *number += 1;
        self.kept.n_lines += 1;
        self.store.restore_log(record, joined);
    }

    fn insert_chunks(&mut self) -> u64 {
        let payload = TracerPayload {
            tracer: TracerInfo::default().into(),
            chunks: self.builder.finish(),
            n_chunks: 1,
            form: crate::trace::PayloadForm::default(),
        };
        let n_spans = count(payload.n_spans());
        let received = Received::new(self.now.wall, Via::File, payload);
        self.store.insert(received, self.now);
        n_spans
    }

    /// Puts back what belongs to the whole capture.
    fn finish(&mut self) {
        self.store.arrange_logs(self.first_line);
        if let Some(mut counters) = self.counters.take() {
            counters.keep_evicted_lines(self.n_joined, self.n_loose);
            counters.keep_evicted_traces(&self.n_of_fate);
            self.store.restore_counters(&counters);
        }
        self.store
            .restore_requests(std::mem::take(&mut self.requests));
        if let Some(told) = self.told.take() {
            told.restore(self.store);
        }
        if let Some(told) = self.forward.take() {
            self.store.restore_forward(told);
        }
    }

    fn warnings(&self) -> Vec<String> {
        let ignored = (self.n_ignored > 0).then(|| {
            format!(
                "Members that this version does not know were left out: {}.",
                self.n_ignored
            )
        });
        let lost = (self.n_lost_requests > 0).then(|| {
            format!(
                "Requests that had not gone on were left out, as they are empty or for lack of room: {}.",
                self.n_lost_requests
            )
        });
        ignored.into_iter().chain(lost).collect()
    }

    /// What to say of an error; keeps the part of a trace that was read before it.
    fn failure(&mut self, error: &serde_json::Error) -> OpenError {
        let place = self.place.to_string();
        if self.place.span > 0 {
            self.builder.abandon_span();
        }
        if self.place.trace > 0 {
            self.finish_trace();
        }
        if let Some(refused) = self.refused.take() {
            return refused;
        }
        let kept = self.kept;
        let message = told(error);
        let is_known = self.shape == Shape::Modtrace || kept.n_spans > 0;
        match error.classify() {
            Category::Io => io::Error::new(
                error.io_error_kind().unwrap_or(io::ErrorKind::Other),
                message,
            )
            .into(),
            Category::Eof => OpenError::Truncated {
                line: error.line(),
                column: error.column(),
                kept,
            },
            Category::Syntax if !is_known => OpenError::NotJson { message },
            Category::Data if !is_known => OpenError::OtherFormat { found: message },
            Category::Syntax | Category::Data => OpenError::Damaged {
                place,
                message,
                kept,
            },
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// An error in a line that is safe to print: it may quote the file.
fn told(error: &serde_json::Error) -> String {
    const CHARS_MAX: usize = 240;
    let safe = |char| {
        if crate::trace::is_obeyed(char) {
            '\u{fffd}'
        } else {
            char
        }
    };
    let text = error.to_string();
    let told: String = text.chars().take(CHARS_MAX).map(safe).collect();
    if told.chars().count() < text.chars().count() {
        return format!("{told}… at line {} column {}", error.line(), error.column());
    }
    told
}
