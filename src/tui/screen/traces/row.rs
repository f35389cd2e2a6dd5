//! A trace as a row: numbers and words, no cells.

use super::badges::Badges;
use crate::analysis::Outcome;
use crate::store::{Container, Store, TraceEntry};
use crate::trace::{Now, Text};
use crate::tui::screen::log_row::short_container;
use crate::tui::text;
use crate::tui::theme::Glyphs;

const NO_VERDICT: &str = "-";
/// The number of a process has no more digits; what is longer is the id of a runtime.
const PROCESS_DIGITS_MAX: usize = 7;

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
    /// `ta-9PQK #1`: where it ran, and the how manyth request that was there; empty if nothing is known.
    pub(super) container: Place,
    pub(super) badges: Badges,
    pub(super) is_open: bool,
    /// `keep`, `drop`, or a dash: what a simulated Agent does.
    pub(super) agent: &'static str,
    /// Why.
    pub(super) why: String,
}

impl TraceRow {
    pub(super) fn of(
        store: &Store,
        entry: &TraceEntry,
        outcome: Outcome,
        now: Now,
        glyphs: Glyphs,
    ) -> Self {
        let service = entry.head().map(crate::trace::Span::service);
        let (agent, why) = simulated(entry);
        Self {
            age: text::age(age_ns(entry.first_seen(), now)),
            service: text::show(service.unwrap_or_default(), glyphs).into_owned(),
            resource: text::show(title(entry), glyphs).into_owned(),
            duration: entry.duration(),
            n_spans: entry.n_spans(),
            n_logs: entry.logs().len(),
            container: Place::of(store, entry, glyphs),
            badges: Badges::of(store, entry, outcome, now.wall, glyphs),
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
}

/// Where a trace ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// `ta-9PQK`, `pid 4711`.
    name: String,
    /// Which request of the container it is.
    number: Option<u64>,
}

impl Place {
    fn of(store: &Store, entry: &TraceEntry, glyphs: Glyphs) -> Self {
        let root = entry.own_root();
        let fleet = store.fleet();
        let container = match root {
            Some(root) => root.container().and_then(|key| fleet.container(key)),
            None => fleet.without_root(entry.key()).next(),
        };
        let said = || {
            let said = store.container(entry);
            let name = said.and_then(|said| said.facts.task_id.as_deref());
            name.unwrap_or_default().to_owned()
        };
        let label = container.map_or_else(said, Container::label);
        let name = match label.strip_prefix("process ") {
            Some(number) if number.len() <= PROCESS_DIGITS_MAX => format!("pid {number}"),
            Some(runtime_id) => text::show(runtime_id.into(), glyphs)
                .chars()
                .take(7)
                .collect(),
            None => short_container(&label, glyphs),
        };
        Self {
            name,
            number: root.and_then(|root| store.request_number(entry, root)),
        }
    }

    pub(super) fn is_known(&self) -> bool {
        !self.name.is_empty()
    }

    /// In at most so many cells; the number stays whole.
    pub(super) fn words(&self, n_cells: usize, glyphs: Glyphs) -> String {
        let number = self.number.map(|number| format!(" #{number}"));
        let number = number.unwrap_or_default();
        let room = n_cells.saturating_sub(text::width(&number));
        format!("{}{number}", text::cut(&self.name, room, glyphs))
    }
}

/// What a simulated Agent does with a trace, and why.
fn simulated(entry: &TraceEntry) -> (&'static str, String) {
    let unknown = match entry.summary().root() {
        None => "root not seen",
        Some(_) => "not in the file",
    };
    let verdict = entry.settled_verdict();
    verdict.map_or_else(
        || (NO_VERDICT, unknown.to_owned()),
        |verdict| (verdict.word(), verdict.why(&entry.sampling())),
    )
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
