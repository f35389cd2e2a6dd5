//! One row of a waterfall: what it says in words, its bar and its duration.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::draw::Columns;
use super::pictures::Pictures;
use super::rows::{Item, Row, Rows};
use super::workers::{Worker, Workers};
use crate::query::Query;
use crate::store::{RowMark, SpanIndex, TraceEntry};
use crate::trace::Span;
use crate::tui::screen::{Focus, ViewContext};
use crate::tui::text;
use crate::tui::theme::{Glyphs, Theme};
use crate::tui::widget::bar::{BarKind, Scale};

/// An error's message is shown beside its bar if it has so many cells.
const MESSAGE_CELLS_MIN: u16 = 12;

/// What painting a row needs.
pub(super) struct RowPainter<'a> {
    pub(super) context: &'a ViewContext<'a>,
    pub(super) trace: &'a TraceEntry,
    pub(super) rows: &'a Rows,
    pub(super) workers: &'a Workers,
    pub(super) pictures: &'a Pictures,
    pub(super) filter: &'a Query,
    pub(super) scale: Scale,
    pub(super) guide_cells_max: usize,
    pub(super) n_services: usize,
}

/// A row to be painted.
struct Subject<'a> {
    row: &'a Row,
    index: SpanIndex,
    span: Span<'a>,
    parent: Option<Span<'a>>,
    /// What is known of a member of a group that ran in a container of its own.
    worker: Option<&'a Worker>,
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
pub(super) struct Look {
    pub(super) text: Style,
    pub(super) dim: Style,
    pub(super) error: Style,
    pub(super) warning: Style,
    pub(super) bar: Style,
    pub(super) name: Style,
}

impl Look {
    pub(super) fn of(theme: &Theme, bar: Style) -> Self {
        Self {
            text: theme.text,
            dim: theme.dim,
            error: theme.error,
            warning: theme.warning,
            bar,
            name: theme.text,
        }
    }

    /// Of what the filter does not find. A selected row stays readable.
    pub(super) fn dimmed(theme: &Theme, selection: Option<Focus>) -> Self {
        let dim = if selection.is_some() {
            theme.text
        } else {
            theme.dim
        };
        Self {
            text: dim,
            dim,
            error: dim,
            warning: dim,
            bar: theme.dim,
            name: dim,
        }
    }
}

impl<'a> RowPainter<'a> {
    /// Paints a row into a line. A selected one says whether its pane has the keys.
    pub(super) fn draw(
        &self,
        row: &'a Row,
        line: Rect,
        buffer: &mut Buffer,
        selection: Option<Focus>,
    ) {
        match row.item {
            Item::Span(index) => self.draw_span(row, index, (line, buffer), selection),
            Item::Group(id) => {
                if let Some(group) = self.rows.group(id) {
                    self.draw_group(row, group, (line, buffer), selection);
                }
            }
        }
    }

    fn draw_span(
        &self,
        row: &'a Row,
        index: SpanIndex,
        (line, buffer): (Rect, &mut Buffer),
        selection: Option<Focus>,
    ) {
        let Some(span) = self.trace.span(index) else {
            return;
        };
        let columns = Columns::of(line);
        let worker = self.workers.worker(index);
        let subject = Subject {
            row,
            index,
            span,
            parent: self.parent(row),
            worker,
            look: self.look((row, span), worker, selection),
        };
        self.draw_name(&subject, columns.name, buffer);
        self.draw_bar(&subject, columns.bars, buffer);
        let look = &subject.look;
        let theme = self.context.theme;
        let duration = text::duration(span.duration(), theme.glyphs);
        let duration = text::right(&duration, usize::from(columns.duration.width), theme.glyphs);
        put(buffer, columns.duration, &duration, look.text);
        self.mark_selected(line, buffer, selection);
    }

    pub(super) fn mark_selected(&self, line: Rect, buffer: &mut Buffer, selection: Option<Focus>) {
        let Some(focus) = selection else {
            return;
        };
        let theme = self.context.theme;
        let columns = Columns::of(line);
        put(buffer, line, ">", theme.text);
        let style = theme.selection(focus);
        let marked = Rect {
            x: line.x,
            width: columns.name.width + 1,
            ..line
        };
        buffer.set_style(marked, style);
        buffer.set_style(columns.duration, style);
    }

    fn is_found(&self, row: &Row) -> bool {
        let store = self.context.store;
        row.span().is_some_and(|index| {
            let filter = self.filter;
            filter.matches_row(store, self.trace, index, row.mark)
        })
    }

    fn look(
        &self,
        (row, span): (&Row, Span<'_>),
        worker: Option<&Worker>,
        selection: Option<Focus>,
    ) -> Look {
        let theme = self.context.theme;
        let bar = match worker {
            _ if span.is_error() => theme.error,
            Some(worker) if worker.container.is_some() => theme.bar_at(worker.container_place),
            _ => theme.bar(span.service()),
        };
        let look = Look::of(theme, bar);
        if self.filter.is_empty() {
            return look;
        }
        if self.is_found(row) {
            return Look {
                name: theme.matched,
                ..look
            };
        }
        Look::dimmed(theme, selection)
    }

    fn draw_name(&self, subject: &Subject<'_>, column: Rect, buffer: &mut Buffer) {
        let glyphs = self.context.theme.glyphs;
        let Subject {
            row,
            span,
            parent,
            worker,
            look,
            index: _,
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
        // The name is that of all members: what tells them apart comes first.
        if let Some(container) =
            worker.and_then(|worker| worker.container_name(self.context.store, glyphs))
        {
            rest = put(buffer, rest, &format!("{container} "), look.text);
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
    pub(super) fn service(
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

    /// The span that a row hangs from; not of an orphan's, which is no parent of it.
    pub(super) fn parent(&self, row: &Row) -> Option<Span<'a>> {
        if row.mark != RowMark::None {
            return None;
        }
        self.trace.span(self.rows.parent_span(row)?)
    }

    fn mark(&self, subject: &Subject<'_>) -> &'static str {
        let row = subject.row;
        let glyphs = self.context.theme.glyphs;
        match row.subtree {
            2.. if self.rows.is_folded(row.item) => glyphs.pick("▸", "+"),
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
        let group = self.rows.group_of(row);
        let waited_for = group.and_then(|group| group.waited_for);
        let waited_for = waited_for.filter(|waited_for| waited_for.span == subject.index);
        let start = subject.worker.and_then(Worker::start_waited_for);
        let mut marks: Vec<(Cow<'static, str>, Style)> = Vec::new();
        if self.rows.is_folded(row.item) && row.subtree > 1 {
            let n_below = row.n_spans.saturating_sub(1);
            marks.push((format!("+{n_below}").into(), look.dim));
        }
        marks.extend(start.map(|kind| (kind.name().into(), look.text)));
        marks.extend(waited_for.map(|waited_for| (waited_for.word().into(), look.warning)));
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
pub(super) fn put(buffer: &mut Buffer, line: Rect, text: &str, style: Style) -> Rect {
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

pub(super) fn cut_to(text: &str, room: Rect, glyphs: Glyphs) -> Cow<'_, str> {
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
