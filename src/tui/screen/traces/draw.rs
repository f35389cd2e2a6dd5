//! Paints the visible rows of the list.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::TraceList;
use super::row::{self, TraceRow};
use super::services::Services;
use crate::store::TraceKey;
use crate::trace::Text;
use crate::tui::screen::{Flow, Focus, ViewContext};
use crate::tui::text;
use crate::tui::widget::{Border, draw_border, fill_style, meter, put};

/// How many cells each column has; 0 leaves it out. Between columns there is one space.
#[derive(Clone, Copy, Debug)]
struct Columns {
    age: usize,
    service: usize,
    resource: usize,
    duration: usize,
    bar: usize,
    spans: usize,
    logs: usize,
    badges: usize,
    sampling: usize,
}

/// Cells for the mark and the space after it.
const MARK: usize = 2;

impl Columns {
    /// As many columns as fit; the resource takes what is left. A service that is everybody's needs
    /// no column.
    fn for_width(width: u16, services: &Services) -> Self {
        let width = usize::from(width);
        let mut columns = match width {
            94.. => Self {
                age: 4,
                service: 16,
                resource: 0,
                duration: 10,
                bar: 14,
                spans: 5,
                logs: 4,
                badges: 12,
                sampling: 21,
            },
            70..94 => Self {
                age: 4,
                service: 0,
                resource: 0,
                duration: 10,
                bar: 4,
                spans: 4,
                logs: 0,
                badges: 11,
                sampling: 20,
            },
            _ => Self {
                age: 4,
                service: 0,
                resource: 0,
                duration: 7,
                bar: 0,
                spans: 4,
                logs: 0,
                badges: 7,
                sampling: 8,
            },
        };
        if width < 54 {
            columns.sampling = 0;
        }
        if matches!(services, Services::One(_)) {
            columns.service = 0;
        }
        let others = [
            columns.age,
            columns.service,
            columns.duration,
            columns.bar,
            columns.spans,
            columns.logs,
            columns.badges,
            columns.sampling,
        ];
        let taken: usize = others
            .iter()
            .filter(|cells| **cells > 0)
            .map(|cells| cells + 1)
            .sum();
        columns.resource = width.saturating_sub(MARK + taken).max(8);
        columns
    }
}

/// A cell of a row: its text, already as wide as its column.
type Cell = (String, Style);

impl TraceList {
    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        let theme = context.theme;
        let selected = self.selected.and_then(|key| context.store.trace(key));
        let error = selected.and_then(|entry| row::error(entry, theme.glyphs));
        let error = error.map(|error| format!("err  {error}"));
        let border = Border {
            title: "Traces",
            note: &self.note(context),
            below: error.as_deref().map(|error| (error, theme.error)),
            focus,
        };
        let inner = draw_border(buffer, area, &border, theme);
        let heading = Rect {
            height: inner.height.min(1),
            ..inner
        };
        self.rows_area = Rect {
            y: inner.y.saturating_add(1),
            height: inner.height.saturating_sub(1),
            ..inner
        };
        self.keep_selection_visible();
        let keys: Vec<TraceKey> = self.visible().collect();
        if keys.is_empty() && !self.filter().is_empty() {
            let words = format!("no trace matches {}", self.filter().text());
            let words = text::visible(words.into(), theme.glyphs);
            put(buffer, self.rows_area, 2, &words, theme.dim);
        }
        self.rows(context, &keys);
        self.draw_heading(buffer, heading, context);
        self.draw_rows(context, &keys, buffer, focus);
    }

    fn draw_heading(&mut self, buffer: &mut Buffer, line: Rect, context: &ViewContext<'_>) {
        let services = self.drawn.values().map(|row| row.service.as_str());
        self.services.see(services);
        let glyphs = context.theme.glyphs;
        let columns = Columns::for_width(line.width, &self.services);
        let resource = match &self.services {
            Services::One(service) => format!("RESOURCE  of {service}"),
            Services::None | Services::Several => "RESOURCE".to_owned(),
        };
        let fits = text::width(&resource) <= columns.resource;
        let resource = if fits { &resource } else { "RESOURCE" };
        let duration = match columns.duration {
            ..8 => "TIME",
            _ => "DURATION",
        };
        let headings = [
            text::right("AGE", columns.age, glyphs),
            text::left(resource, columns.resource, glyphs),
            text::left("SERVICE", columns.service, glyphs),
            text::right(duration, columns.duration, glyphs),
            text::left("", columns.bar, glyphs),
            text::right("SP", columns.spans, glyphs),
            text::right("LOG", columns.logs, glyphs),
            text::left("BADGES", columns.badges, glyphs),
            text::left("SAMPLING", columns.sampling, glyphs),
        ];
        let mut column = 2;
        for heading in headings.iter().filter(|heading| !heading.is_empty()) {
            column = put(buffer, line, column, heading, context.theme.dim) + 1;
        }
    }

    /// What stands on the right of the frame: how many of how many, what waits above.
    fn note(&self, context: &ViewContext<'_>) -> String {
        let n_traces = context.store.n_traces();
        let n_rows = self.n_rows();
        let new = match self.n_new() {
            0 => String::new(),
            n_new => format!("+{n_new} new above   "),
        };
        if self.filter().is_empty() {
            let following = if self.follows() { ", following" } else { "" };
            let row = self.selected.and_then(|key| self.row_of(key));
            let row = row.map_or(0, |row| row + 1);
            format!("{new}newest first{following}   {row}/{n_rows}")
        } else {
            let filter = text::visible(self.filter().text().into(), context.theme.glyphs);
            let filter = text::cut(&filter, 24, context.theme.glyphs);
            let so_far = if self.is_searching() { " so far" } else { "" };
            format!("{new}/{filter}   {n_rows} of {n_traces}{so_far}")
        }
    }

    /// After a resize the page may have become too short for the selection.
    fn keep_selection_visible(&mut self) {
        let page = usize::from(self.rows_area.height).max(1);
        let first = self.first_row();
        let Some(row) = self.selected.and_then(|key| self.row_of(key)) else {
            return;
        };
        if row >= first.saturating_add(page) {
            self.top = self.key_at(row + 1 - page);
        } else if row < first {
            self.top = self.key_at(row);
        }
    }

    /// What the visible rows say; of a paused view, what they have said before.
    fn rows(&mut self, context: &ViewContext<'_>, keys: &[TraceKey]) {
        if context.flow == Flow::Live {
            self.drawn.clear();
        }
        for key in keys {
            if let Some(entry) = context.store.trace(*key)
                && !self.drawn.contains_key(key)
            {
                let row = TraceRow::of(entry, context.now, context.theme.glyphs);
                self.drawn.insert(*key, row);
            }
        }
    }

    fn draw_rows(
        &self,
        context: &ViewContext<'_>,
        keys: &[TraceKey],
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        let theme = context.theme;
        let columns = Columns::for_width(self.rows_area.width, &self.services);
        let rows = || keys.iter().map(|key| (key, self.drawn.get(key)));
        let durations = rows().filter_map(|(_, row)| Some(row?.duration));
        let longest = durations.max().unwrap_or(0);
        for ((key, row), y) in rows().zip(self.rows_area.y..) {
            let line = Rect {
                y,
                height: 1,
                ..self.rows_area
            };
            let is_selected = self.selected == Some(*key);
            let mark = match row {
                _ if is_selected => ">",
                Some(row) if row.is_open => "~",
                _ => " ",
            };
            let mut column = put(buffer, line, 0, mark, theme.text) + 1;
            if let Some(row) = row {
                for (text, style) in cells(row, &columns, longest, context) {
                    column = put(buffer, line, column, &text, style) + 1;
                }
            } else {
                let words = "evicted: the memory budget is reached";
                put(buffer, line, column, words, theme.dim);
            }
            match (is_selected, focus) {
                (false, _) => {}
                (true, Focus::Focused) => fill_style(buffer, line, theme.selected),
                (true, Focus::Unfocused) => fill_style(buffer, line, theme.selected_unfocused),
            }
        }
    }
}

fn cells(row: &TraceRow, columns: &Columns, longest: i64, context: &ViewContext<'_>) -> Vec<Cell> {
    let theme = context.theme;
    let glyphs = theme.glyphs;
    let bar = meter(row.duration, longest, columns.bar, glyphs);
    let bar = if row.is_open {
        glyphs.pick("▒", ":").repeat(text::width(&bar))
    } else {
        bar
    };
    let badges = if row.n_errors > 0 {
        theme.error
    } else {
        theme.warning
    };
    let sampling = match columns.sampling {
        // Room for the decision, not for its reason.
        ..20 => row.sampling.split(' ').next().unwrap_or(""),
        _ => &row.sampling,
    };
    let duration = match columns.duration {
        // Room for the time; the badge says that it is open.
        ..8 => text::duration(row.duration, glyphs),
        _ => row.duration(glyphs),
    };
    let cells = [
        (text::right(&row.age, columns.age, glyphs), theme.dim),
        (
            text::left(&row.resource, columns.resource, glyphs),
            theme.text,
        ),
        (text::left(&row.service, columns.service, glyphs), theme.dim),
        (text::right(&duration, columns.duration, glyphs), theme.text),
        (
            text::left(&bar, columns.bar, glyphs),
            theme.bar(Text::from(row.service.as_str())),
        ),
        (text::right(&row.spans(), columns.spans, glyphs), theme.text),
        (
            text::right(&row.n_logs.to_string(), columns.logs, glyphs),
            theme.text,
        ),
        (text::left(&row.badges(), columns.badges, glyphs), badges),
        (text::left(sampling, columns.sampling, glyphs), theme.dim),
    ];
    cells
        .into_iter()
        .filter(|(text, _)| !text.is_empty())
        .collect()
}
