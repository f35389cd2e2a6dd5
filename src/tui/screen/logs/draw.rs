//! Paints the visible lines of the list.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::LogList;
use crate::logs::{Level, LogSource};
use crate::store::{LogEntry, LogKey, Store, TraceEntry};
use crate::trace::Text;
use crate::tui::screen::log_row::{LogRow, level_word, moment, short_container};
use crate::tui::screen::trace_logs::{draw_words, is_guess};
use crate::tui::screen::{Flow, Focus, ViewContext};
use crate::tui::text;
use crate::tui::theme::Glyphs;
use crate::tui::widget::{Border, below_heading, draw_border, fill_style, put};

/// What a row says.
#[derive(Clone, Debug)]
pub(super) struct DrawnRow {
    time: String,
    /// Whether the line says its time itself.
    has_time: bool,
    level: Option<Level>,
    source: LogSource,
    container: Option<String>,
    /// The trace's short id, or `-`.
    trace: String,
    is_guess: bool,
    words: LogRow,
}

impl DrawnRow {
    fn of(entry: &LogEntry, store: &Store, glyphs: Glyphs) -> Self {
        let record = entry.record();
        let container = record.container.as_deref();
        Self {
            time: text::time_of_day(moment(record)),
            has_time: record.time.is_some(),
            level: record.level,
            source: record.source,
            container: container.map(|container| short_container(container, glyphs)),
            trace: trace_words(entry, store),
            is_guess: is_guess(entry),
            words: LogRow::of(record, glyphs),
        }
    }
}

fn trace_words(entry: &LogEntry, store: &Store) -> String {
    let trace = entry.joined().and_then(|joined| store.trace(joined.trace));
    let id = trace.map(TraceEntry::trace_id);
    id.map_or("-".to_owned(), text::short_id)
}

/// How many cells each column has; 0 leaves it out.
#[derive(Clone, Copy, Debug)]
struct Columns {
    time: usize,
    level: usize,
    source: usize,
    container: usize,
    trace: usize,
}

impl Columns {
    fn for_width(width: u16) -> Self {
        let columns = |time, source, container, trace| Self {
            time,
            level: 5,
            source,
            container,
            trace,
        };
        match width {
            100.. => columns(12, 6, 8, 10),
            70..100 => columns(12, 0, 7, 10),
            _ => columns(8, 0, 0, 10),
        }
    }
}

impl LogList {
    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        let theme = context.theme;
        let note = self.note(context);
        let border = Border {
            title: "Logs",
            note: &note,
            below: None,
            focus,
        };
        let inner = draw_border(buffer, area, &border, theme);
        let (heading, rows_area) = below_heading(inner);
        self.rows_area = rows_area;
        self.keep_selection_visible();
        let first = self.first_row();
        let visible = self.keys().range(first.min(self.keys().len())..);
        let visible: Vec<LogKey> = visible.take(self.page_rows()).copied().collect();
        self.take_rows(context, &visible);
        draw_heading(buffer, heading, context);
        if visible.is_empty() {
            self.draw_nothing(context, buffer);
        }
        for (key, line) in visible.into_iter().zip(self.rows_area.rows()) {
            let is_selected = self.selected == Some(key);
            put(
                buffer,
                line,
                0,
                if is_selected { ">" } else { " " },
                theme.text,
            );
            if let Some(row) = self.drawn.get(&key) {
                self.draw_row(context, row, line, buffer);
            } else {
                let words = "evicted: the memory budget is reached";
                put(buffer, line, 2, words, theme.dim);
            }
            if is_selected {
                fill_style(buffer, line, theme.selection(focus));
            }
        }
    }

    fn draw_nothing(&self, context: &ViewContext<'_>, buffer: &mut Buffer) {
        let theme = context.theme;
        let words = if self.filter().is_empty() {
            "No line has been read yet. Lines come from a child's output, a file, or /api/v2/logs."
                .to_owned()
        } else if self.is_searching() {
            "looking ...".to_owned()
        } else {
            format!("no line matches {}", self.filter().text())
        };
        let words = text::visible(words.into(), theme.glyphs);
        let room = usize::from(self.rows_area.width.saturating_sub(3));
        let words = text::cut(&words, room, theme.glyphs);
        put(buffer, self.rows_area, 2, &words, theme.dim);
    }

    /// What stands on the right of the frame: how many of how many, what waits below.
    fn note(&self, context: &ViewContext<'_>) -> String {
        let n_lines = context.store.n_logs();
        let new = match self.waiting(context.store) {
            0 => String::new(),
            n_new => format!("+{n_new} new below   "),
        };
        let n_rows = self.keys().len();
        if self.filter().is_empty() {
            let following = if self.follows { ", following" } else { "" };
            let row = self.selected.and_then(|key| self.row_of(key));
            let row = row.map_or(0, |row| row + 1);
            format!("{new}newest last{following}   {row}/{n_rows}")
        } else {
            let filter = text::visible(self.filter().text().into(), context.theme.glyphs);
            let filter = text::cut(&filter, 24, context.theme.glyphs);
            let so_far = if self.is_searching() { " so far" } else { "" };
            format!("{new}/{filter}   {n_rows} of {n_lines}{so_far}")
        }
    }

    /// After a resize the page may have become too short for the selection.
    fn keep_selection_visible(&mut self) {
        let row = self.selected.and_then(|key| self.row_of(key));
        let first = self.first_row();
        if let Some(row) = row {
            let lowest = (row + 1).saturating_sub(self.page_rows());
            let kept = first.min(row).max(lowest);
            if kept != first || self.top.is_none() || self.follows {
                self.top = self.keys().get(kept).copied();
            }
        }
    }

    /// What the visible rows say; of a paused view, what they have said before. The words of a line
    /// never change, only where it belongs.
    fn take_rows(&mut self, context: &ViewContext<'_>, visible: &[LogKey]) {
        let glyphs = context.theme.glyphs;
        let is_live = context.flow == Flow::Live;
        self.drawn
            .retain(|key, _| visible.binary_search(key).is_ok());
        for key in visible {
            let Some(entry) = context.store.log(*key) else {
                if is_live {
                    self.drawn.remove(key);
                }
                continue;
            };
            match self.drawn.get_mut(key) {
                Some(row) if is_live => {
                    row.trace = trace_words(entry, context.store);
                    row.is_guess = is_guess(entry);
                }
                Some(_) => {}
                None => {
                    let row = DrawnRow::of(entry, context.store, glyphs);
                    self.drawn.insert(*key, row);
                }
            }
        }
    }

    fn draw_row(&self, context: &ViewContext<'_>, row: &DrawnRow, line: Rect, buffer: &mut Buffer) {
        let theme = context.theme;
        let glyphs = theme.glyphs;
        let columns = Columns::for_width(line.width);
        let time_style = if row.has_time { theme.text } else { theme.dim };
        let source_style = match row.source {
            LogSource::Stderr => theme.warning,
            _ => theme.dim,
        };
        let source = row.source.to_string();
        let container = row.container.as_deref();
        let container_style = match container {
            Some(container) => theme.bar(Text::from(container)),
            None => source_style,
        };
        let is_source_said = columns.source > 0;
        let from = container.unwrap_or(if is_source_said { "-" } else { &source });
        let trace_style = match row.trace.as_str() {
            "-" => theme.dim,
            _ => theme.text,
        };
        let time: String = row.time.chars().take(columns.time).collect();
        let cells = [
            (time.as_str(), columns.time, time_style),
            (level_word(row.level), columns.level, theme.level(row.level)),
            (source.as_str(), columns.source, source_style),
            (from, columns.container, container_style),
            (row.trace.as_str(), columns.trace, trace_style),
        ];
        let mut column = 2;
        for (words, n_cells, style) in cells {
            if n_cells > 0 {
                let words = text::left(words, n_cells, glyphs);
                column = put(buffer, line, column, &words, style) + 1;
            }
        }
        if self.sideways == 0 {
            draw_words(context, &row.words, row.is_guess, (line, column, buffer));
        } else {
            let words = row.words.words();
            let words = text::skip(&words, self.sideways);
            let words = format!("{}{words}", glyphs.ellipsis());
            let room = usize::from(line.width.saturating_sub(column));
            put(
                buffer,
                line,
                column,
                &text::cut(&words, room, glyphs),
                theme.text,
            );
        }
    }
}

fn draw_heading(buffer: &mut Buffer, line: Rect, context: &ViewContext<'_>) {
    let columns = Columns::for_width(line.width);
    let headings = [
        ("TIME", columns.time),
        ("LEVEL", columns.level),
        ("SOURCE", columns.source),
        ("FROM", columns.container),
        ("TRACE", columns.trace),
        ("MESSAGE", 7),
    ];
    let mut column = 2;
    for (heading, n_cells) in headings {
        if n_cells > 0 {
            let heading = text::left(heading, n_cells, context.theme.glyphs);
            column = put(buffer, line, column, &heading, context.theme.dim) + 1;
        }
    }
}
