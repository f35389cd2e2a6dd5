//! A trace as a row: numbers and words, no cells.

use std::borrow::Cow;

use crate::store::TraceEntry;
use crate::trace::{Now, Text};
use crate::tui::text;
use crate::tui::theme::Glyphs;

const NO_VERDICT: &str = "-";

/// What the list says of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TraceRow {
    pub(super) age: String,
    pub(super) service: String,
    pub(super) resource: String,
    /// Nanoseconds, as sent.
    pub(super) duration: i64,
    pub(super) n_spans: usize,
    pub(super) n_logs: usize,
    pub(super) n_errors: u32,
    pub(super) is_open: bool,
    /// `keep`, `drop`, or a dash: what a simulated Agent does.
    pub(super) agent: &'static str,
    /// Why.
    pub(super) why: String,
}

impl TraceRow {
    pub(super) fn of(entry: &TraceEntry, now: Now, glyphs: Glyphs) -> Self {
        let service = entry.head().map(crate::trace::Span::service);
        let (agent, why) = simulated(entry);
        Self {
            age: text::age(age_ns(entry.first_seen(), now)),
            service: text::show(service.unwrap_or_default(), glyphs).into_owned(),
            resource: text::show(title(entry), glyphs).into_owned(),
            duration: entry.duration(),
            n_spans: entry.n_spans(),
            n_logs: entry.logs().len(),
            n_errors: entry.summary().n_errors,
            is_open: !entry.is_complete(),
            agent,
            why,
        }
    }

    /// `18+` while spans are missing.
    pub(super) fn spans(&self) -> String {
        let more = if self.is_open { "+" } else { "" };
        format!("{}{more}", self.n_spans)
    }

    /// `drop rate 0.08`, `keep error`: as many words of the reason as there is room for. A dash needs
    /// none beside the mark of an open trace.
    pub(super) fn verdict(&self, n_cells: usize) -> String {
        let mut verdict = self.agent.to_owned();
        if verdict == NO_VERDICT {
            return verdict;
        }
        for word in self.why.split(' ') {
            if verdict.len() + 1 + text::width(word) > n_cells {
                break;
            }
            verdict.push(' ');
            verdict.push_str(word);
        }
        verdict
    }

    /// `412ms`, `1.2s open`.
    pub(super) fn duration(&self, glyphs: Glyphs) -> String {
        let open = if self.is_open { " open" } else { "" };
        format!("{}{open}", text::duration(self.duration, glyphs))
    }

    /// `err`, `3 err`, `partial`.
    pub(super) fn badges(&self) -> String {
        badges_of(self.n_errors, self.is_open)
    }
}

/// `err`, `3 err`, `partial`: what is remarkable about a trace.
pub(crate) fn badges(entry: &TraceEntry) -> String {
    badges_of(entry.summary().n_errors, !entry.is_complete())
}

fn badges_of(n_errors: u32, is_open: bool) -> String {
    let errors = match n_errors {
        0 => Cow::Borrowed(""),
        1 => Cow::Borrowed("err"),
        n_errors => Cow::Owned(format!("{n_errors} err")),
    };
    match (errors.is_empty(), is_open) {
        (_, false) => errors.into_owned(),
        (true, true) => "partial".to_owned(),
        (false, true) => format!("{errors} partial"),
    }
}

/// What a simulated Agent does with a trace, and why.
fn simulated(entry: &TraceEntry) -> (&'static str, String) {
    match (entry.settled_verdict(), entry.verdict()) {
        (Some(verdict), _) => (verdict.word(), verdict.why(&entry.sampling())),
        (None, Some(_)) => (NO_VERDICT, "root not seen".to_owned()),
        (None, None) => (NO_VERDICT, "not in the file".to_owned()),
    }
}

/// What a trace is called: its root's resource, or its name where that is empty.
pub(crate) fn title(entry: &TraceEntry) -> Text<'_> {
    let resource = entry.head().map(crate::trace::Span::resource);
    resource
        .filter(|resource| !resource.is_empty())
        .unwrap_or_else(|| entry.name())
}

/// How long ago a trace first came. One out of a file came before this program started, so that
/// only the wall clock can tell.
fn age_ns(first_seen: Now, now: Now) -> i64 {
    match first_seen.uptime_ns {
        0 => now.wall.since(first_seen.wall),
        uptime_ns => i64::try_from(now.uptime_ns.saturating_sub(uptime_ns)).unwrap_or(i64::MAX),
    }
}

/// Type and message of a trace's earliest error: `ValueError: no such page`.
pub(super) fn error(entry: &TraceEntry, glyphs: Glyphs) -> Option<String> {
    let span = entry.span(entry.summary().error()?)?;
    let kind = span.meta_text(crate::trace::tag::ERROR_TYPE);
    let message = span.error_message();
    let said: Vec<_> = [kind, message]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .map(|said| text::show(said, glyphs))
        .collect();
    let name = text::show(span.name(), glyphs);
    Some(if said.is_empty() {
        format!("error in {name}, without type and message")
    } else {
        format!("{} (in {name})", said.join(": "))
    })
}
