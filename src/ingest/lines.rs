//! A stream of bytes that a program prints to log records, spans and relayed requests. One reader for
//! every source; it keeps what a later line may complete, and never waits.

use super::Request;
use crate::logs::{LogRecord, LogSource};
use crate::trace::UnixNanos;

/// What lines brought, to the loop in one piece.
#[derive(Debug, Default)]
pub struct Lines {
    /// The lines themselves, in the order in which they were read.
    pub records: Vec<LogRecord>,
    /// What stood in them as requests: spans that ddtrace printed, messages of the relay.
    pub requests: Vec<Request>,
    /// Whole messages of relays.
    pub relay_messages: u64,
    /// Messages of relays that are known to be lost.
    pub relay_lost: u64,
    /// Lines that could not be taken, because the loop had no room.
    pub n_dropped: u64,
}

impl Lines {
    /// Whether there is nothing to hand on.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.requests.is_empty()
            && self.relay_messages == 0
            && self.relay_lost == 0
            && self.n_dropped == 0
    }

    /// What it occupies in memory.
    pub fn heap_bytes(&self) -> usize {
        let records: usize = self.records.iter().map(LogRecord::heap_bytes).sum();
        let requests: usize = self.requests.iter().map(Request::heap_bytes).sum();
        records + requests
    }
}

/// Reads the lines of one stream.
#[derive(Debug)]
pub struct LineReader {
    source: LogSource,
    /// The line that has begun.
    pending: Vec<u8>,
}

impl LineReader {
    /// A reader for a stream that begins.
    pub fn new(source: LogSource) -> Self {
        Self {
            source,
            pending: Vec::new(),
        }
    }

    /// Takes bytes as they come; what they complete is added to `lines`.
    pub fn read(&mut self, bytes: &[u8], at: UnixNanos, lines: &mut Lines) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line(at, lines);
            } else {
                self.pending.push(*byte);
            }
        }
    }

    /// Time has passed without bytes: what waited for a continuation that is not to be expected any
    /// more is given up.
    pub fn idle(&mut self, at: UnixNanos, lines: &mut Lines) {
        let _nothing_waits = (at, lines);
    }

    /// The stream has ended: what is unfinished is all there will be.
    pub fn finish(&mut self, at: UnixNanos, lines: &mut Lines) {
        self.end_line(at, lines);
    }

    fn end_line(&mut self, at: UnixNanos, lines: &mut Lines) {
        let line = std::mem::take(&mut self.pending);
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            lines.records.push(LogRecord::parse(&line, self.source, at));
        }
    }
}
