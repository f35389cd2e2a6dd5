//! One row of a waterfall: what it says in words, its bar and its duration.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::draw::Columns;
use super::rows::Rows;
use crate::query::Query;
use crate::store::{RowMark, TraceEntry, TreeRow};
use crate::trace::Span;
use crate::tui::screen::{Focus, ViewContext};
use crate::tui::text;
use crate::tui::theme::Glyphs;
use crate::tui::widget::bar::{BarKind, Scale};

/// An error's message is shown beside its bar if it has so many cells.
const MESSAGE_CELLS_MIN: u16 = 12;

/// What painting a row needs.
pub(super) struct RowPainter<'a> {
    pub(super) context: &'a ViewContext<'a>,
    pub(super) trace: &'a TraceEntry,
    pub(super) rows: &'a Rows,
    pub(super) filter: &'a Query,
    pub(super) scale: Scale,
    pub(super) guide_cells_max: usize,
    pub(super) n_services: usize,
}

/// A row to be painted.
struct Subject<'a> {
    row: &'a TreeRow,
    span: Span<'a>,
    parent: Option<Span<'a>>,
    look: Look,
}

impl Subject<'_> {
    /// Whether it still ran when its parent had ended.
    fn is_async(&self) -> bool {
        self.parent
            .is_some_and(|parent| self.span.end() > parent.end() && !parent.is_snapshot())
    }
}

/// How far the words and the bar of a row stand out.
struct Look {
    text: Style,
    dim: Style,
    error: Style,
    warning: Style,
    bar: Style,
    name: Style,
}

impl<'a> RowPainter<'a> {
    /// Paints a row into a line. A selected one says whether its pane has the keys.
    pub(super) fn draw(
        &self,
        row: &TreeRow,
        line: Rect,
        buffer: &mut Buffer,
        selection: Option<Focus>,
    ) {
        let Some(span) = self.trace.span(row.span) else {
            return;
        };
        let columns = Columns::of(line);
        let subject = Subject {
            row,
            span,
            parent: self.parent(row),
            look: self.look(row, span, selection),
        };
        self.draw_name(&subject, columns.name, buffer);
        self.draw_bar(&subject, columns.bars, buffer);
        let look = &subject.look;
        let theme = self.context.theme;
        let duration = text::duration(span.duration(), theme.glyphs);
        let duration = text::right(&duration, usize::from(columns.duration.width), theme.glyphs);
        put(buffer, columns.duration, &duration, look.text);
        if let Some(focus) = selection {
            put(buffer, line, ">", look.text);
            let style = theme.selection(focus);
            let marked = Rect {
                x: line.x,
                width: columns.name.width + 1,
                ..line
            };
            buffer.set_style(marked, style);
            buffer.set_style(columns.duration, style);
        }
    }

    fn look(&self, row: &TreeRow, span: Span<'_>, selection: Option<Focus>) -> Look {
        let theme = self.context.theme;
        let bar = if span.is_error() {
            theme.error
        } else {
            theme.bar(span.service())
        };
        let look = Look {
            text: theme.text,
            dim: theme.dim,
            error: theme.error,
            warning: theme.warning,
            bar,
            name: theme.text,
        };
        if self.filter.is_empty() {
            return look;
        }
        if self.filter.matches_span(span, row.mark) {
            return Look {
                name: theme.matched,
                ..look
            };
        }
        let dim = if selection.is_some() {
            theme.text
        } else {
            theme.dim
        };
        Look {
            text: dim,
            dim,
            error: dim,
            warning: dim,
            bar: theme.dim,
            name: dim,
        }
    }

    fn draw_name(&self, subject: &Subject<'_>, column: Rect, buffer: &mut Buffer) {
        let glyphs = self.context.theme.glyphs;
        let Subject {
            row,
            span,
            parent,
            look,
        } = subject;
        let guide = self
            .rows
            .guide(row, self.mark(subject), self.guide_cells_max, glyphs);
        let marks = self.marks(subject);
        let marks_cells: u16 = marks
            .iter()
            .map(|(word, _)| text::cells(text::width(word) + 1))
            .sum();
        let words_cells = column.width.saturating_sub(marks_cells);
        let words = Rect {
            width: words_cells,
            ..column
        };
        let mut rest = put(buffer, words, &guide.text, look.dim);
        let name = text::show(span.name(), glyphs);
        if let Some(service) = self.service(*span, *parent, &name, usize::from(rest.width / 3)) {
            rest = put(buffer, rest, &format!("{service} "), look.dim);
        }
        rest = put(buffer, rest, &cut_to(&name, rest, glyphs), look.name);
        let resource = text::show(span.resource(), glyphs);
        let resource = if resource == name {
            Cow::Borrowed("")
        } else {
            resource
        };
        for word in [text::show(span.span_type(), glyphs), resource] {
            if !word.is_empty() && rest.width > 4 {
                rest = put(buffer, rest, " ", look.dim);
                rest = put(buffer, rest, &cut_to(&word, rest, glyphs), look.dim);
            }
        }
        let mut place = Rect {
            x: column.x + words_cells,
            width: column.width - words_cells,
            ..column
        };
        for (word, style) in marks {
            place = put(buffer, place, " ", look.dim);
            place = put(buffer, place, &word, style);
        }
    }

    /// The service, where the row before it does not say it already: of a root all of it or nothing,
    /// because the list names it too.
    fn service(
        &self,
        span: Span<'a>,
        parent: Option<Span<'a>>,
        name: &str,
        cells_max: usize,
    ) -> Option<String> {
        let glyphs = self.context.theme.glyphs;
        let service = text::show(span.service(), glyphs);
        let is_said = match parent {
            Some(parent) => parent.service() == span.service(),
            None => self.n_services < 2 || text::width(&service) > cells_max,
        };
        let is_said = is_said || name.starts_with(&*service);
        (!is_said).then(|| text::cut(&service, cells_max, glyphs).into_owned())
    }

    /// The span of the row above in the tree; not of an orphan's, which is no parent of it.
    fn parent(&self, row: &TreeRow) -> Option<Span<'a>> {
        if row.mark != RowMark::None {
            return None;
        }
        self.trace.span(self.rows.parent(row)?.span)
    }

    fn mark(&self, subject: &Subject<'_>) -> &'static str {
        let row = subject.row;
        let glyphs = self.context.theme.glyphs;
        match row.subtree {
            2.. if self.rows.is_folded(row.span) => glyphs.pick("▸", "+"),
            2.. => glyphs.pick("▾", "v"),
            _ if row.mark == RowMark::Orphan => "?",
            _ if subject.is_async() => glyphs.pick("┄", "~"),
            _ if row.depth == 0 => " ",
            _ => glyphs.pick("─", "-"),
        }
    }

    /// Everything that is marked, in words.
    fn marks(&self, subject: &Subject<'_>) -> Vec<(Cow<'static, str>, Style)> {
        let Subject {
            row, span, look, ..
        } = subject;
        let mut marks: Vec<(Cow<'static, str>, Style)> = Vec::new();
        if self.rows.is_folded(row.span) && row.subtree > 1 {
            marks.push((format!("+{}", row.subtree - 1).into(), look.dim));
        }
        let words = [
            (subject.is_async(), "async", look.dim),
            (row.mark == RowMark::Cycle, "cycle", look.warning),
            (row.mark == RowMark::Orphan, "orphan", look.warning),
            (span.is_snapshot(), "open", look.warning),
            (span.is_error(), "err", look.error),
        ];
        let words = words.into_iter().filter(|(is_marked, _, _)| *is_marked);
        marks.extend(words.map(|(_, word, style)| (Cow::Borrowed(word), style)));
        marks
    }

    fn draw_bar(&self, subject: &Subject<'_>, column: Rect, buffer: &mut Buffer) {
        let Subject { span, look, .. } = subject;
        if column.width == 0 {
            return;
        }
        let glyphs = self.context.theme.glyphs;
        let kind = if span.is_snapshot() {
            BarKind::Open
        } else {
            BarKind::Closed
        };
        let bar = self.scale.bar(span.start(), span.end(), kind);
        bar.draw(column, buffer, look.bar, glyphs);
        let message = span.is_error().then(|| span.error_message()).flatten();
        let Some(message) = message else {
            return;
        };
        let message = text::show(message, glyphs);
        let (first, after) = bar.cells();
        let after_bar = column.width.saturating_sub(after + 1);
        let before_bar = first.saturating_sub(1);
        if after_bar >= MESSAGE_CELLS_MIN {
            let room = Rect {
                x: column.x + after + 1,
                width: after_bar,
                ..column
            };
            put(buffer, room, &cut_to(&message, room, glyphs), look.error);
        } else if before_bar >= MESSAGE_CELLS_MIN {
            let room = Rect {
                width: before_bar,
                ..column
            };
            let message = text::right(&message, usize::from(before_bar), glyphs);
            put(buffer, room, &message, look.error);
        }
    }
}

/// Writes a text into a line and returns what is left of the line.
fn put(buffer: &mut Buffer, line: Rect, text: &str, style: Style) -> Rect {
    let line = line.intersection(buffer.area);
    if line.is_empty() {
        return line;
    }
    let (x, _) = buffer.set_stringn(line.x, line.y, text, usize::from(line.width), style);
    Rect {
        x,
        width: line.right().saturating_sub(x),
        ..line
    }
}

fn cut_to(text: &str, room: Rect, glyphs: Glyphs) -> Cow<'_, str> {
    text::cut(text, usize::from(room.width), glyphs)
}

/// A share with one decimal and a space before it: ` 23.8%`. Nothing of nothing is not said.
pub(in crate::tui::screen) fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return String::new();
    }
    let tenths = i128::from(part) * 1_000 / i128::from(whole);
    format!(" {}.{}%", tenths / 10, tenths % 10)
}
