//! A log line in words, as one row shows it: numbers and text, no cells. Everything in it came from
//! strangers and is made visible here.

use std::fmt::Write;

use crate::json::{Kind, Raw};
use crate::logs::{Level, LogRecord};
use crate::store::{LogEntry, SpanIndex, TraceEntry};
use crate::trace::{Span, Text, UnixNanos};
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// More of a line is not looked at for its row.
const ROW_BYTES_MAX: usize = 4 * 1024;
/// One field takes no more cells than this.
const FIELD_CELLS_MAX: usize = 200;
/// What a line says in one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogRow {
    /// Its message, in one line.
    pub(crate) message: String,
    /// Its other fields: `tokens_in=812 user=u_19`.
    pub(crate) fields: String,
    /// What the row leaves out: `[12 lines more]`.
    pub(crate) more: String,
}

impl LogRow {
    pub(crate) fn of(record: &LogRecord, glyphs: Glyphs) -> Self {
        let message = record.message();
        let exception = record.exception();
        let n_more = match &exception {
            Some(exception) => exception.lines().count(),
            None => message.lines().count().saturating_sub(1),
        };
        let more = match (n_more, record.n_cut) {
            (0, 0) => String::new(),
            (0, _) => "[cut]".to_owned(),
            (1, _) => "[1 line more]".to_owned(),
            (n_more, _) => format!("[{n_more} lines more]"),
        };
        Self {
            message: text::show(Text::from(message.trim_end()), glyphs).into_owned(),
            fields: fields(record, exception.as_deref(), glyphs),
            more,
        }
    }

    /// Message, fields and what is left out, from a cell on.
    pub(crate) fn words(&self) -> String {
        let parts = [&self.message, &self.fields, &self.more];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join("  ")
    }
}

fn fields(record: &LogRecord, exception: Option<&str>, glyphs: Glyphs) -> String {
    let mut words = String::new();
    if let Some(last) = exception.and_then(last_line) {
        words.push_str("exc=");
        words.push_str(&text::show(Text::from(last), glyphs));
    }
    // What is one word comes first; objects are long, and say least at a glance.
    let is_long = |value: &Raw<'_>| matches!(value.kind(), Kind::Object | Kind::Array);
    let words_first = record.fields().filter(|(_, value)| !is_long(value));
    let objects = record.fields().filter(|(_, value)| is_long(value));
    for (name, value) in words_first.chain(objects) {
        if exception.is_some() && LogRecord::is_exception(&name) {
            continue;
        }
        // The container has a column of its own.
        if name == "modal" && record.container.is_some() {
            continue;
        }
        if words.len() > ROW_BYTES_MAX {
            words.push_str(glyphs.ellipsis());
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        let name = text::show(Text::from(&*name), glyphs);
        let value = value_words(value, glyphs);
        let field = format!("{name}={value}");
        words.push_str(&text::cut(&field, FIELD_CELLS_MAX, glyphs));
    }
    words
}

/// The last line of a traceback says what was raised.
fn last_line(exception: &str) -> Option<&str> {
    let mut lines = exception.trim_end().lines().rev();
    lines.find(|line| !line.trim().is_empty()).map(str::trim)
}

/// A string without its quotes, where it can be read without them.
fn value_words(value: Raw<'_>, glyphs: Glyphs) -> String {
    let raw = value.text();
    let plain = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    let is_plain = |text: &&str| {
        let odd = |char: char| char.is_whitespace() || matches!(char, '"' | '\\' | '=');
        !text.is_empty() && !text.contains(odd)
    };
    let words = match plain.filter(is_plain) {
        Some(plain) if value.kind() == Kind::Text => plain,
        _ => raw,
    };
    text::show(Text::from(words), glyphs).into_owned()
}

/// One letter for a level, on the time axis.
pub(crate) fn letter(level: Option<Level>) -> &'static str {
    match level {
        None => ".",
        Some(Level::Trace | Level::Debug) => "d",
        Some(Level::Info) => "i",
        Some(Level::Warn) => "w",
        Some(Level::Error | Level::Critical) => "E",
    }
}

/// One word for a level, in five cells.
pub(crate) fn level_word(level: Option<Level>) -> &'static str {
    match level {
        None => "-",
        Some(Level::Error) => "ERROR",
        Some(Level::Critical) => "CRIT",
        Some(level) => level.name(),
    }
}

/// Whether a line tells of something that failed.
pub(crate) fn is_error(level: Option<Level>) -> bool {
    level >= Some(Level::Error)
}

/// When a line was written or, if it does not say so, read.
pub(crate) fn moment(record: &LogRecord) -> UnixNanos {
    record.time.unwrap_or(record.at)
}

/// A time from the start of a trace, to the millisecond: `+1.402s`, `-0.120s`, `+2m04s`.
pub(crate) fn offset(nanos: i64, glyphs: Glyphs) -> String {
    let sign = if nanos < 0 { '-' } else { '+' };
    let distance = nanos.unsigned_abs();
    if distance < 100_000_000_000 {
        let millis = distance / 1_000_000;
        return format!("{sign}{}.{:03}s", millis / 1_000, millis % 1_000);
    }
    let distance = i64::try_from(distance).unwrap_or(i64::MAX);
    format!("{sign}{}", text::duration(distance, glyphs))
}

/// First and last characters of a container's id: `ta-9PQK` of `ta-01J8…9PQK`.
pub(crate) fn short_container(container: &str, glyphs: Glyphs) -> String {
    const TAIL: usize = 4;
    let shown = text::show(Text::from(container), glyphs);
    let n_chars = shown.chars().count();
    match shown.split_once('-') {
        Some((kind, _)) if n_chars > 8 && kind.len() <= 3 => {
            let tail: String = shown.chars().skip(n_chars - TAIL).collect();
            format!("{kind}-{tail}")
        }
        _ => shown.into_owned(),
    }
}

/// The span that a line names, if it has come.
pub(crate) fn span_of(trace: &TraceEntry, record: &LogRecord) -> Option<SpanIndex> {
    let ids = record.ids;
    let mut found = trace
        .spans()
        .filter(|(_, span)| ids.spans().any(|id| id == span.span_id()));
    found.next().map(|(index, _)| index)
}

/// The name of a span of a trace, made visible.
pub(crate) fn span_name(trace: &TraceEntry, span: SpanIndex, glyphs: Glyphs) -> String {
    let name = trace.span(span).map(Span::name).unwrap_or_default();
    text::show(name, glyphs).into_owned()
}

/// A line for the clipboard as it was received, with its lines, but nothing that a terminal obeys.
pub(crate) fn copied(entry: &LogEntry) -> String {
    super::detail::copyable(Text::from(entry.record().line()))
}

/// A line as JSON: its own object or, of a plain line, one that says what it is.
pub(crate) fn copied_json(entry: &LogEntry) -> String {
    let record = entry.record();
    if let Some(object) = record.object() {
        return super::detail::copyable(Text::from(object.text()));
    }
    let mut json = String::from("{");
    let level = record.level.map(Level::name);
    let texts = [
        ("message", Some(record.message())),
        ("level", level),
        ("container", record.container.as_deref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            let text = serde_json::Value::from(text);
            let _never_fails = write!(json, "\"{name}\":{text},");
        }
    }
    let _never_fails = write!(json, "\"source\":\"{}\"", record.source);
    if let Some(time) = record.time {
        let _never_fails = write!(json, ",\"time\":{}", time.0);
    }
    json.push('}');
    super::detail::copyable(Text::from(json.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogSource;

    fn record(line: &str) -> LogRecord {
        LogRecord::parse(line, LogSource::Stdout, UnixNanos(0))
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let row = LogRow::of(&record(line), Glyphs::Unicode);
        assert_eq!(row.words(), expected);
    }

    #[test]
    fn a_line_is_its_message_and_its_fields() {
        check("plain text", "plain text");
        check(
            r#"{"event":"model.loaded","weights":"4.1GB","secs":0.41,"why":"kv cache","none":null}"#,
            r#"model.loaded  weights=4.1GB secs=0.41 why="kv cache" none=null"#,
        );
        check(
            r#"{"event":"failed","exception":"Traceback:\n  File\nCudaOOM: out of memory","n":1}"#,
            "failed  exc=CudaOOM: out of memory n=1  [3 lines more]",
        );
    }

    #[test]
    fn what_a_terminal_obeys_is_made_visible() {
        check("bell\x07 and \u{9b}2J", "bell␇ and \\u{9b}2J");
        let entry = r#"{"event":"two\nlines","a\u001b":"\u001b[2J"}"#;
        let words = LogRow::of(&record(entry), Glyphs::Unicode).words();
        assert!(words.starts_with("two⏎lines  a␛="), "{words}");
        assert!(!words.chars().any(char::is_control));
    }

    #[test]
    fn a_huge_line_has_a_short_row() {
        let value = "x".repeat(1 << 20);
        let line = format!(r#"{{"event":"{value}","a":"{value}","b":"{value}"}}"#);
        assert!(LogRow::of(&record(&line), Glyphs::Unicode).words().len() < 16 * 1024);
    }

    #[test]
    fn offsets_and_containers_are_short() {
        let cases = [
            (1_402_000_000, "+1.402s"),
            (-120_000_000, "-0.120s"),
            (0, "+0.000s"),
            (124_000_000_000, "+2m04s"),
            (i64::MIN, "-106751d23h"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(offset(nanos, Glyphs::Unicode), expected);
        }
        let short = |container| short_container(container, Glyphs::Unicode);
        assert_eq!(short("ta-01KAXR3M2W9PQK"), "ta-9PQK");
        assert_eq!(short("ta-7M"), "ta-7M");
        assert_eq!(short("東京-都\x1b"), "東京-都␛");
    }
}
