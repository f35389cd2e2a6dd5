//! A stream of bytes that a program prints to log records, spans and relayed requests. One reader for
//! every source; it keeps what a later line may complete, and never waits.
//!
//! ```text
//! bytes ─split─▶ line ─┬─ modtrace1 … ─▶ relay::Assembler ─▶ Request
//!                      └─ segments ─┬─ object ─┬─ {"traces":…} ─▶ log_writer ─▶ Request
//!                                   │          └────────────────▶ LogRecord
//!                                   ├─ text ────────────────────▶ LogRecord
//!                                   └─ torn ─▶ waits for the next fragment
//! ```

mod split;
mod torn;

use super::original::{Keep, Originals};
use super::{Brought, Received, Request, RequestClass, RequestRecord, relayed};
use crate::json::Raw;
use crate::logs::{LogRecord, LogSource, Prefix, Segment, segments, strip};
use crate::trace::{ChunkBuilder, UnixNanos, Via};
use crate::wire::{log_writer, relay};
use split::{ByteLine, LINE_BYTES_MAX, Splitter};
use torn::{Beginnings, Torn, Tried};

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
    /// Why, in a sentence each, of the first few.
    pub relay_losses: Vec<String>,
    /// Lines that could not be taken, because the loop had no room.
    pub n_dropped: u64,
    /// The requests as they came, if they are to be passed on.
    pub originals: Originals,
}

/// How many losses are told in words at a time.
const LOSSES_TOLD_MAX: usize = 4;

impl Lines {
    /// Whether there is nothing to hand on.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.requests.is_empty()
            && self.relay_messages == 0
            && self.relay_lost == 0
            && self.n_dropped == 0
    }

    /// Adds what came after it.
    pub(crate) fn append(&mut self, more: Self) {
        let room = LOSSES_TOLD_MAX.saturating_sub(self.relay_losses.len());
        self.records.extend(more.records);
        self.requests.extend(more.requests);
        self.relay_messages += more.relay_messages;
        self.relay_lost += more.relay_lost;
        self.relay_losses
            .extend(more.relay_losses.into_iter().take(room));
        self.n_dropped += more.n_dropped;
        self.originals.append(more.originals);
    }

    /// What it occupies in memory.
    pub fn heap_bytes(&self) -> usize {
        let records: usize = self.records.iter().map(LogRecord::heap_bytes).sum();
        let requests: usize = self.requests.iter().map(Request::heap_bytes).sum();
        records + requests + self.originals.heap_bytes()
    }
}

/// Reads the lines of one stream.
#[derive(Debug)]
pub struct LineReader {
    splitter: Splitter,
    parser: Parser,
}

impl LineReader {
    /// A reader for a stream that begins.
    pub fn new(source: LogSource) -> Self {
        Self::keeping(source, Keep::Nothing)
    }

    /// The same, keeping the requests in its lines for whoever passes them on.
    pub fn keeping(source: LogSource, keep: Keep) -> Self {
        Self {
            splitter: Splitter::default(),
            parser: Parser {
                source,
                keep,
                beginnings: Beginnings::default(),
                assembler: relay::Assembler::default(),
                builder: ChunkBuilder::default(),
            },
        }
    }

    /// Takes bytes as they come; what they complete is added to `lines`.
    pub fn read(&mut self, bytes: &[u8], at: UnixNanos, lines: &mut Lines) {
        let parser = &mut self.parser;
        self.splitter
            .push(bytes, |line| parser.bytes(line, at, lines));
    }

    /// Time has passed without bytes: what waited for a continuation that is not to be expected any
    /// more is given up.
    pub fn idle(&mut self, at: UnixNanos, lines: &mut Lines) {
        for torn in self.parser.beginnings.give_up(at) {
            self.parser.give_up(&torn, at, lines);
        }
        lines.lost(&self.parser.assembler.give_up(at));
    }

    /// The stream has ended: what is unfinished is all there will be.
    pub fn finish(&mut self, at: UnixNanos, lines: &mut Lines) {
        let parser = &mut self.parser;
        self.splitter.end(|line| parser.bytes(line, at, lines));
        for torn in parser.beginnings.drain() {
            parser.give_up(&torn, at, lines);
        }
        lines.lost(&parser.assembler.finish());
    }
}

impl Lines {
    fn lost(&mut self, losses: &[relay::Loss]) {
        self.relay_lost += u64::try_from(losses.len()).unwrap_or(u64::MAX);
        let room = LOSSES_TOLD_MAX.saturating_sub(self.relay_losses.len());
        let told = losses.iter().take(room).map(ToString::to_string);
        self.relay_losses.extend(told);
    }
}

/// Everything but the cutting of bytes into lines.
#[derive(Debug)]
struct Parser {
    source: LogSource,
    keep: Keep,
    beginnings: Beginnings,
    assembler: relay::Assembler,
    builder: ChunkBuilder,
}

impl Parser {
    fn bytes(&mut self, line: ByteLine<'_>, at: UnixNanos, lines: &mut Lines) {
        let text = String::from_utf8_lossy(line.bytes);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let n_before = lines.records.len();
        if line.n_cut > 0 {
            self.too_long(text, at, lines);
        } else if !text.trim().is_empty() {
            self.line(text, at, lines);
        }
        if let (true, Some(record)) = (line.n_cut > 0, lines.records.get_mut(n_before)) {
            record.n_cut = line.n_cut;
        }
    }

    /// What was cut can be no JSON any more.
    fn too_long(&mut self, text: &str, at: UnixNanos, lines: &mut Lines) {
        if log_writer::begins_traces(text) {
            let reason = format!(
                "a line with spans is longer than {LINE_BYTES_MAX} bytes; set \
                 DD_TRACE_PARTIAL_FLUSH_MIN_SPANS=300 in the program that printed it"
            );
            lines.requests.push(self.refused(text.len(), reason, at));
        } else {
            self.text((text, text), at, lines);
        }
    }

    fn line(&mut self, raw: &str, at: UnixNanos, lines: &mut Lines) {
        let text = strip(raw);
        let mut rest: &str = &text;
        let mut from = 0;
        while let Some(place) = rest.get(from..).and_then(|rest| rest.find(relay::MARK)) {
            let (before, mark) = rest.split_at_checked(from + place).unwrap_or((rest, ""));
            let Some((line, n_bytes)) = relay::RelayLine::parse(mark) else {
                // Somebody only speaks of it.
                from += place + relay::MARK.len();
                continue;
            };
            if before.len() > Prefix::of(before).length {
                self.plain(before, before, at, lines);
            }
            if let Some(message) = self.assembler.push(line, at) {
                lines.relay_messages += 1;
                let request = relayed::request(&message, at, &mut self.builder);
                if self.keep == Keep::Originals
                    && let Some(original) = relayed::original(&message, &request)
                {
                    lines.originals.relay(original);
                }
                lines.requests.push(request);
            }
            lines.lost(&self.assembler.give_up_after(&line, at));
            rest = mark.get(n_bytes..).unwrap_or_default();
            from = 0;
        }
        if rest.len() == text.len() {
            self.plain(raw, rest, at, lines);
        } else if !rest.trim().is_empty() {
            self.plain(rest, rest, at, lines);
        }
    }

    /// A line without relay lines. `raw` is the same with its escape sequences.
    fn plain(&mut self, raw: &str, text: &str, at: UnixNanos, lines: &mut Lines) {
        let prefix = Prefix::of(text);
        let body = text.get(prefix.length..).unwrap_or_default();
        let n_before = lines.records.len();
        if let Ok((object, rest)) = Raw::first(body)
            && body.starts_with('{')
            && rest.trim().is_empty()
        {
            self.object(text, object, at, lines);
        } else {
            self.pieces(raw, (text, &prefix), at, lines);
        }
        for record in lines.records.iter_mut().skip(n_before) {
            record.time = record.time.or(prefix.time);
            if record.container.is_none() {
                record.container = prefix.container.map(Into::into);
            }
        }
    }

    /// A line that is not one object.
    fn pieces(
        &mut self,
        raw: &str,
        (text, prefix): (&str, &Prefix<'_>),
        at: UnixNanos,
        lines: &mut Lines,
    ) {
        let body = text.get(prefix.length..).unwrap_or_default();
        if !self.beginnings.is_empty() && self.continues(body, prefix, at, lines) {
            return;
        }
        let pieces = segments(body);
        match pieces.as_slice() {
            [Segment::Text(body)] => {
                self.text((raw, body), at, lines);
            }
            [Segment::Text(head), Segment::Object(object)] => {
                if !log_writer::is_traces(*object) {
                    self.object(text, *object, at, lines);
                    return;
                }
                // `web-1  |`, as Docker Compose writes, says nothing.
                if !head.trim_end().ends_with('|') {
                    self.text((head, head), at, lines);
                }
                self.object(object.text(), *object, at, lines);
            }
            pieces => {
                for piece in pieces {
                    self.piece(*piece, prefix.container, at, lines);
                }
            }
        }
    }

    fn piece(
        &mut self,
        piece: Segment<'_>,
        container: Option<&str>,
        at: UnixNanos,
        lines: &mut Lines,
    ) {
        match piece {
            Segment::Object(object) => self.object(object.text(), object, at, lines),
            Segment::Text(text) => {
                self.text((text, text), at, lines);
            }
            Segment::Torn(head) => {
                if let Some(torn) = self.beginnings.keep(head, container, at) {
                    self.give_up(&torn, at, lines);
                }
            }
        }
    }

    /// Whether a text goes on where another line broke off.
    fn continues(
        &mut self,
        body: &str,
        prefix: &Prefix<'_>,
        at: UnixNanos,
        lines: &mut Lines,
    ) -> bool {
        let (tried, given_up) = self.beginnings.try_with(body, prefix.container);
        if let Some(torn) = given_up {
            self.give_up(&torn, at, lines);
        }
        match tried {
            Tried::Alone => false,
            Tried::Waits => true,
            Tried::Whole(text) => {
                for piece in segments(&text) {
                    self.piece(piece, prefix.container, at, lines);
                }
                true
            }
        }
    }

    /// A beginning whose rest never came is a text; spans that broke off are counted.
    fn give_up(&mut self, torn: &Torn, at: UnixNanos, lines: &mut Lines) {
        if log_writer::begins_traces(&torn.text) {
            let reason = "a line with spans broke off: it was cut, or another program printed into it. \
                          The relay (modtrace-tui env relay) knows what it lost and can send twice";
            let request = self.refused(torn.text.len(), reason.to_owned(), at);
            lines.requests.push(request);
            return;
        }
        let mut record = LogRecord::of_text(&torn.text, &torn.text, self.source, at);
        record.container.clone_from(&torn.container);
        lines.records.push(record);
    }

    /// A line of plain text, as it came and what is to be read of it.
    fn text(&self, (raw, body): (&str, &str), at: UnixNanos, lines: &mut Lines) {
        let record = LogRecord::of_text(raw, body, self.source, at);
        lines.records.push(record);
    }

    fn object(&mut self, line: &str, object: Raw<'_>, at: UnixNanos, lines: &mut Lines) {
        if log_writer::is_traces(object) {
            let request = self.spans(object, at);
            if let (Keep::Originals, Brought::Spans(received)) = (self.keep, &request.brought) {
                lines.originals.print(&received.payload);
            }
            lines.requests.push(request);
        } else {
            lines
                .records
                .push(LogRecord::of_object(line, object, self.source, at));
        }
    }

    fn spans(&mut self, object: Raw<'_>, at: UnixNanos) -> Request {
        let n_bytes = object.text().len();
        let payload = match log_writer::decode(object, &mut self.builder) {
            Ok(payload) => payload,
            Err(error) => return self.refused(n_bytes, error.to_string(), at),
        };
        let received = Received::new(at, self.via(), payload);
        let brought = Brought::Spans(received);
        let mut record = self.record(n_bytes, at);
        record.status = 200;
        record.note = brought.summary().into();
        Request { record, brought }
    }

    fn refused(&self, n_bytes: usize, reason: String, at: UnixNanos) -> Request {
        let mut record = self.record(n_bytes, at);
        record.note = reason.into();
        Request {
            record,
            brought: Brought::Nothing,
        }
    }

    /// A line with spans in the log of requests; refused, until it is said otherwise.
    fn record(&self, n_bytes: usize, at: UnixNanos) -> RequestRecord {
        let source = self.source.to_string();
        RequestRecord {
            at,
            via: self.via(),
            method: "LINE".into(),
            path: source.clone().into(),
            endpoint: source.into(),
            class: RequestClass::Traces,
            status: 400,
            bytes: u64::try_from(n_bytes).unwrap_or(u64::MAX),
            client: "ddtrace, printed".into(),
            note: Box::default(),
            // ddtrace prints a chunk a line.
            announced_chunks: 1,
        }
    }

    fn via(&self) -> Via {
        match self.source {
            LogSource::Stdout => Via::Stdout,
            LogSource::Stderr => Via::Stderr,
            LogSource::File | LogSource::Stdin => Via::File,
            LogSource::Http => Via::Http,
        }
    }
}

#[cfg(test)]
mod tests;
