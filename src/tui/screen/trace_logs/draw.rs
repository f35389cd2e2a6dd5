//! Paints the visible lines of a trace.

use std::collections::HashMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::lines::LineMark;
use super::{Scope, TraceLogs};
use crate::logs::JoinedBy;
use crate::store::{LogEntry, LogKey, SpanIndex, TraceEntry, TraceKey};
use crate::tui::screen::log_row::{LogRow, level_word, offset, short_container, span_name};
use crate::tui::screen::{Focus, ViewContext};
use crate::tui::text;
use crate::tui::widget::{Border, draw_border, fill_style, put};

/// Cells for the time from the trace's start.
const OFFSET_CELLS: usize = 8;
/// In a wider pane the span's name stands at the right.
const WIDE_CELLS: u16 = 90;
/// A pane of fewer rows has no frame.
const FRAMED_HEIGHT_MIN: u16 = 3;

/// Which spans the visible lines name. A span that was found stays where it is; those that were not
/// are looked for again when the trace has changed.
#[derive(Debug, Default)]
pub(super) struct Spans {
    revision: u64,
    found: HashMap<LogKey, Option<SpanIndex>>,
}

impl Spans {
    fn of(&mut self, trace: &TraceEntry, entry: &LogEntry) -> Option<SpanIndex> {
        if self.revision != trace.revision() {
            self.revision = trace.revision();
            self.found.retain(|_, found| found.is_some());
        }
        let find = || trace.log_span(entry.record());
        *self.found.entry(entry.key()).or_insert_with(find)
    }
}

/// A word at the right end of a row.
type Side = (String, Style);

impl TraceLogs {
    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        let area = area.intersection(buffer.area);
        self.rows_area = if area.height < FRAMED_HEIGHT_MIN {
            area
        } else {
            let (title, note) = (self.title(area.width), note(area.width, focus));
            let border = Border {
                title: &title,
                note,
                below: None,
                focus,
            };
            draw_border(buffer, area, &border, context.theme)
        };
        self.show_selected();
        let visible = self.shown.iter().skip(self.offset);
        let visible: Vec<LineMark> = visible.take(self.page_rows()).copied().collect();
        let is_visible = |key: &LogKey| visible.iter().any(|mark| mark.key == *key);
        self.rows.retain(|key, _| is_visible(key));
        if visible.is_empty() {
            let words = match self.scope {
                Scope::Span => "No line names this span.   o shows other lines",
                _ => "No line was written around this span.   o shows other lines",
            };
            put(buffer, self.rows_area, 1, words, context.theme.dim);
        }
        let selected = self.selected();
        for (mark, line) in visible.into_iter().zip(self.rows_area.rows()) {
            self.draw_row(context, mark, line, buffer);
            if selected == Some(mark.key) {
                fill_style(buffer, line, context.theme.selection(focus));
            }
        }
    }

    fn title(&self, width: u16) -> String {
        let (n_shown, n_all) = (self.shown.len(), self.n_of_trace);
        let is_wide = width >= 60;
        match self.scope {
            Scope::Trace if is_wide => format!("Logs of this trace  {n_all}"),
            Scope::Trace => format!("Logs  {n_all}"),
            Scope::Span if is_wide => format!("Logs of this span  {n_shown} of {n_all}"),
            Scope::Span => format!("Logs of span  {n_shown} of {n_all}"),
            Scope::Around => {
                let container = if is_wide { ", every container" } else { "" };
                let n_own = self.n_own;
                format!("Logs within 2 s of this span{container}  {n_own} of {n_shown} its trace's")
            }
        }
    }

    /// Scrolls as little as it takes to have the selected line on the screen.
    fn show_selected(&mut self) {
        let page = self.page_rows();
        let row = self.row;
        let last = self.shown.len().saturating_sub(page);
        let lowest = (row + 1).saturating_sub(page);
        self.offset = self.offset.min(last).max(lowest).min(row);
    }

    fn draw_row(
        &mut self,
        context: &ViewContext<'_>,
        mark: LineMark,
        line: Rect,
        buffer: &mut Buffer,
    ) {
        let theme = context.theme;
        let glyphs = theme.glyphs;
        let is_selected = self.selected() == Some(mark.key);
        put(
            buffer,
            line,
            0,
            if is_selected { ">" } else { " " },
            theme.text,
        );
        let trace = self.trace.and_then(|key| context.store.trace(key));
        let (Some(entry), Some(trace)) = (context.store.log(mark.key), trace) else {
            put(
                buffer,
                line,
                1,
                "evicted: the memory budget is reached",
                theme.dim,
            );
            return;
        };
        let record = entry.record();
        // A time that is only that of the arrival is dim.
        let style = match record.time {
            Some(_) => theme.text,
            None => theme.dim,
        };
        let from_start = offset(mark.at.since(trace.summary().start), glyphs);
        let from_start = text::right(&from_start, OFFSET_CELLS, glyphs);
        let mut column = put(buffer, line, 1, &from_start, style) + 1;
        let level = text::left(level_word(mark.level), 5, glyphs);
        column = put(buffer, line, column, &level, theme.level(mark.level)) + 1;
        let mut room = line.width;
        if let Some((side, style)) = self.side(context, entry, trace, line.width) {
            room = room.saturating_sub(text::cells(text::width(&side)) + 1);
            put(buffer, line, room + 1, &side, style);
        }
        let words = Rect {
            width: room,
            ..line
        };
        let row = self.rows.entry(mark.key);
        let row = row.or_insert_with(|| LogRow::of(record, glyphs));
        let is_guess = is_guess(entry);
        draw_words(context, row, is_guess, (words, column, buffer));
    }

    /// Whose line it is: its span or, of another trace's, its container.
    fn side(
        &mut self,
        context: &ViewContext<'_>,
        entry: &LogEntry,
        trace: &TraceEntry,
        width: u16,
    ) -> Option<Side> {
        let theme = context.theme;
        let glyphs = theme.glyphs;
        let is_wide = width >= WIDE_CELLS;
        let cells = if is_wide { usize::from(width / 5) } else { 13 };
        let cut = |words: &str| text::left(words, cells, glyphs);
        let is_own = joined(entry) == Some(trace.key());
        if is_own && !is_wide {
            return None;
        }
        if !is_own {
            let record = entry.record();
            let from = match &record.container {
                Some(container) => short_container(container, glyphs),
                None => record.source.to_string(),
            };
            return Some((cut(&format!("other {from}")), theme.dim));
        }
        if let Some(span) = self.spans.of(trace, entry) {
            return Some((cut(&span_name(trace, span, glyphs)), theme.text));
        }
        // Its span has not come: its id stands there as long as that.
        let id = entry.record().ids.spans().next();
        let id = id.map_or(String::new(), |id| format!("span {id}"));
        Some((cut(&id), theme.dim))
    }
}

/// What the keys do here, or before the pane has them.
fn note(width: u16, focus: Focus) -> &'static str {
    match (focus, width) {
        (Focus::Focused, 56..) => "enter whole line   o its span   t its time",
        (Focus::Focused, _) => "enter whole line",
        (Focus::Unfocused, 110..) => "o trace, 2 s of every container, span",
        (Focus::Unfocused, 64..) => "o scope   tab",
        (Focus::Unfocused, _) => "tab",
    }
}

fn joined(entry: &LogEntry) -> Option<TraceKey> {
    entry.joined().map(|joined| joined.trace)
}

/// Whether a line was put where it is by container and time alone.
pub(crate) fn is_guess(entry: &LogEntry) -> bool {
    let by = entry.joined().map(|joined| joined.by);
    by == Some(JoinedBy::ContainerTime)
}

/// Message, fields and what is left out; a guess in italics after `~`.
pub(crate) fn draw_words(
    context: &ViewContext<'_>,
    row: &LogRow,
    is_guess: bool,
    (line, mut column, buffer): (Rect, u16, &mut Buffer),
) {
    let theme = context.theme;
    let slanted = |style: Style| {
        if is_guess {
            style.add_modifier(Modifier::ITALIC)
        } else {
            style
        }
    };
    if is_guess {
        column = put(buffer, line, column, "~", slanted(theme.dim));
    }
    // What is left out is said, whatever else has to give way.
    let more_cells = match text::width(&row.more) {
        0 => 0,
        cells => cells + 2,
    };
    let room = |column: u16| usize::from(line.width.saturating_sub(column));
    let for_words = room(column).saturating_sub(more_cells);
    let message = text::cut(&row.message, for_words, theme.glyphs);
    let start = column;
    column = put(buffer, line, column, &message, slanted(theme.text));
    let left = for_words.saturating_sub(usize::from(column - start) + 2);
    if left > 3 && !row.fields.is_empty() {
        let fields = text::cut(&row.fields, left, theme.glyphs);
        column = put(buffer, line, column + 2, &fields, slanted(theme.dim));
    }
    if more_cells > 0 {
        put(buffer, line, column + 2, &row.more, slanted(theme.dim));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::trace::Now;
    use crate::tui::screen::Flow;
    use crate::tui::theme::{Color, Glyphs, Theme};

    #[track_caller]
    fn check(is_guess: bool, width: u16, expected: &str) {
        let row = LogRow {
            message: "generate.failed".into(),
            fields: "exc=CudaOOM".into(),
            more: "[3 lines more]".into(),
        };
        let theme = Theme::new(Glyphs::Unicode, Color::On);
        let store = Store::new(1 << 20);
        let context = ViewContext {
            store: &store,
            theme: &theme,
            now: Now::default(),
            flow: Flow::Live,
        };
        let line = Rect::new(0, 0, width, 1);
        let mut buffer = Buffer::empty(line);
        draw_words(&context, &row, is_guess, (line, 2, &mut buffer));
        let cells = (0..width).filter_map(|x| buffer.cell((x, 0)));
        let words: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(words.trim_end(), expected);
        let first = buffer.cell((3, 0)).unwrap();
        assert_eq!(first.modifier.contains(Modifier::ITALIC), is_guess);
    }

    #[test]
    fn a_guess_is_marked_and_slanted() {
        check(false, 60, "  generate.failed  exc=CudaOOM  [3 lines more]");
        check(true, 60, "  ~generate.failed  exc=CudaOOM  [3 lines more]");
    }

    #[test]
    fn what_is_left_out_is_said_before_fields_are() {
        check(false, 36, "  generate.failed  [3 lines more]");
        check(false, 30, "  generate.fa…  [3 lines more]");
    }
}
