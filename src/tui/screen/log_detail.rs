//! A whole log line: its message and traceback first, then what it says, where it belongs and how
//! that was found out, and its JSON as a tree.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::detail::{Detail, DetailTree, Room, Tone, json, numbered};
use super::log_row::{copied, copied_json, is_error, level_word, offset, span_name};
use super::{Focus, Outcome, Place, ViewContext};
use crate::logs::{JoinedBy, LogRecord, Remark, modal};
use crate::store::{LogEntry, LogKey, Store, TraceEntry};
use crate::trace::Text;
use crate::tui::action::Action;
use crate::tui::message::Effect;
use crate::tui::text;

/// More fields than this are counted, not shown.
const FIELDS_MAX: usize = 500;

/// The line that lies on top of the panes.
#[derive(Debug, Default)]
pub(crate) struct LogDetail {
    shown: Option<LogKey>,
    /// What the tree was built from: the joined trace's revision, and the room.
    built: Option<(u64, Room)>,
    tree: DetailTree,
}

impl LogDetail {
    /// Shows a line, from its beginning.
    pub(crate) fn show(&mut self, key: LogKey) {
        self.shown = Some(key);
        self.built = None;
        self.tree.reset();
    }

    pub(crate) fn update(&mut self, action: Action, store: &Store) -> Outcome {
        let entry = self.shown.and_then(|key| store.log(key));
        match (action, entry) {
            (Action::CopyJson, Some(entry)) => Outcome::Do(Effect::Copy(copied_json(entry))),
            (Action::ToSpan | Action::ToTime, Some(entry)) => {
                Outcome::Open(Place::SpanOf(entry.key()))
            }
            (Action::Copy, Some(entry)) if self.tree.copy_value().is_none() => {
                Outcome::Do(Effect::Copy(copied(entry)))
            }
            _ => self.tree.update(action),
        }
    }

    pub(crate) fn draw(&mut self, context: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        self.build(context, area);
        self.tree.draw(context.theme, area, buffer, Focus::Focused);
    }

    fn build(&mut self, context: &ViewContext<'_>, area: Rect) {
        let store = context.store;
        let Some(entry) = self.shown.and_then(|key| store.log(key)) else {
            "Log line  evicted: the memory budget is reached".clone_into(&mut self.tree.title);
            self.tree.clear();
            return;
        };
        let (_, room) = DetailTree::room(area, context.theme);
        let trace = entry.joined().and_then(|joined| store.trace(joined.trace));
        let revision = trace.map_or(0, TraceEntry::revision);
        if self.built == Some((revision, room)) {
            return;
        }
        let is_first = self.built.is_none();
        self.built = Some((revision, room));
        let level = level_word(entry.record().level);
        self.tree.title = format!("Log line  {level}");
        let details = details(entry, trace, room);
        self.tree.set(&details, room, context.theme);
        if is_first {
            self.open_first(&details);
        }
    }

    fn open_first(&mut self, details: &[Detail]) {
        let labels = numbered(details);
        for (detail, label) in details.iter().zip(&labels) {
            if detail.is_open {
                self.tree.state.open(vec![label.clone()]);
            }
        }
        if let Some(first) = labels.into_iter().next() {
            self.tree.state.select(vec![first]);
        }
    }
}

/// Everything about a line.
fn details(entry: &LogEntry, trace: Option<&TraceEntry>, room: Room) -> Vec<Detail> {
    let record = entry.record();
    let tone = if is_error(record.level) {
        Tone::Error
    } else {
        Tone::Plain
    };
    let message = Detail::text("message", Text::from(record.message()), room);
    let mut details = vec![Detail {
        tone,
        is_open: !message.below.is_empty(),
        ..message
    }];
    if let Some(exception) = record.exception() {
        details.push(Detail {
            tone,
            is_open: true,
            ..Detail::stack("exception", Text::from(exception.as_str()), room)
        });
    }
    details.extend(facts(record, trace, room));
    details.extend(belonging(entry, trace, room));
    let fields = record.fields().filter(|(name, _)| {
        // Said above, line by line.
        !(LogRecord::is_exception(name) && record.exception().is_some())
    });
    let fields = fields.take(FIELDS_MAX);
    let fields = fields.map(|(name, value)| json::raw(&name, value, room));
    details.extend(Detail::heading("fields", fields.collect()));
    details.extend(
        record
            .object()
            .map(|object| json::raw("json", object, room)),
    );
    details.push(Detail::text("line", Text::from(record.line()), room));
    if record.n_cut > 0 {
        let words = format!(
            "{} at its end: longer lines are cut",
            text::bytes(record.n_cut)
        );
        details.push(Detail::new("cut off", words));
    }
    details
}

fn facts(record: &LogRecord, trace: Option<&TraceEntry>, room: Room) -> Vec<Detail> {
    let glyphs = room.glyphs;
    let level = record.level.map_or("none said", crate::logs::Level::name);
    let since = |at: crate::trace::UnixNanos| {
        let offset = trace.map(|trace| offset(at.since(trace.summary().start), glyphs));
        let offset = offset.map_or(String::new(), |offset| format!("  {offset}"));
        format!("{} UTC{offset}", text::time_of_day(at))
    };
    let time = match record.time {
        Some(time) => since(time),
        None => "none said: it stands where it arrived".to_owned(),
    };
    let mut details = vec![
        Detail::new("level", level),
        Detail::new("time", time),
        Detail::new("arrived", since(record.at)),
        Detail::new("source", record.source.to_string()),
    ];
    if let Some(container) = &record.container {
        details.push(Detail::text("container", Text::from(&**container), room));
    }
    details.extend(record.remark.as_deref().map(|remark| {
        let words = text::visible(remark_words(remark).into(), glyphs);
        Detail::new("means", words)
    }));
    details
}

fn remark_words(remark: &Remark) -> String {
    match remark {
        Remark::Modal(_) => "Modal's client speaks of the app".to_owned(),
        Remark::Restoring => "Modal begins a container from a memory snapshot".to_owned(),
        Remark::Ended { end, input } => {
            let input = input.as_deref().unwrap_or("an input");
            match end {
                modal::End::Timeout => format!("Modal ended {input}: it reached its timeout"),
                modal::End::Cancelled => format!("Modal cancelled {input}"),
                modal::End::Killed => "Modal says that the container was killed".to_owned(),
            }
        }
        Remark::DatadogInit => "datadog-init speaks of itself; harmless".to_owned(),
        Remark::Unsent {
            traces,
            url,
            reason,
        } => {
            let traces = text::count(*traces, "trace");
            format!("the tracer could not reach {url} and dropped {traces}: {reason}")
        }
    }
}

/// Trace and span of a line, and how they were found.
fn belonging(entry: &LogEntry, trace: Option<&TraceEntry>, room: Room) -> Vec<Detail> {
    let glyphs = room.glyphs;
    let record = entry.record();
    let joined = match entry.joined().map(|joined| joined.by) {
        Some(JoinedBy::TraceId) => "by trace id",
        Some(JoinedBy::SpanId) => "by span id",
        Some(JoinedBy::ContainerTime) => "a guess, by container and time: it names no id",
        None if record.ids.traces().next().is_some() => "no: no span of its trace has come",
        None if record.ids.spans().next().is_some() => "no: its span has not come",
        None => "no: it names no trace and no span",
    };
    let mut details = vec![Detail::new("joined", joined)];
    let named = record.ids.traces().next();
    if let Some(id) = trace.map(TraceEntry::trace_id).or(named) {
        let title = trace.map(|trace| text::show(super::traces::title(trace), glyphs));
        let title = title.map_or(String::new(), |title| format!("  {title}"));
        details.push(Detail {
            whole: Some(id.to_string()),
            ..Detail::new("trace", format!("{id}{title}"))
        });
    }
    if let Some(id) = record.ids.spans().next() {
        let index = trace.and_then(|trace| Some((trace, trace.log_span(record)?)));
        let name = match index {
            Some((trace, index)) => span_name(trace, index, glyphs),
            None => "not come yet".to_owned(),
        };
        details.push(Detail {
            whole: Some(id.to_string()),
            ..Detail::new("span", format!("{id}  {name}"))
        });
    }
    details
}
