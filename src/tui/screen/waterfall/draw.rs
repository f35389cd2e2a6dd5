//! Paints the frame, the ruler and the visible rows of a waterfall. What is shown of a row is
//! decided in `row`.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Widget};

use super::ghost::Ghost;
use super::group_row;
use super::pictures;
use super::row::RowPainter;
use super::rows::Item;
use super::{WaterfallPane, rebuild_interval_ns};
use crate::store::{Store, TraceEntry};
use crate::tui::screen::traces::badges;
use crate::tui::screen::{Flow, Focus, ViewContext};
use crate::tui::text;
use crate::tui::widget::bar::Scale;
use crate::tui::widget::ruler;

/// Cells for durations: the longest is `106751d23h`, the usual ones need seven.
const DURATION_CELLS: u16 = 8;
/// Bars in fewer cells than this say nothing.
const BARS_CELLS_MIN: u16 = 10;
/// A lower pane has no room for the letters of log lines.
const LETTERS_HEIGHT_MIN: u16 = 5;
/// A lower pane shows rows alone.
const GHOST_HEIGHT_MIN: u16 = 6;
/// Below this width of the pane the names keep to [`NARROW_NAME_CELLS`].
const NARROW_CELLS: u16 = 72;
const NARROW_NAME_CELLS: u16 = 24;

/// The columns of the rows, each with a gap of one cell before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Guide lines, name and marks; the cell before it marks the selection.
    pub(super) name: Rect,
    /// The bars; of no width where there is no room.
    pub(super) bars: Rect,
    pub(super) duration: Rect,
}

impl Columns {
    pub(super) fn of(area: Rect) -> Self {
        let usable = area.width.saturating_sub(1);
        let duration = DURATION_CELLS.min(usable / 3);
        let share = u32::from(area.width) * 36 / 100;
        let share = u16::try_from(share).unwrap_or(u16::MAX);
        let wanted = if area.width < NARROW_CELLS {
            share.min(NARROW_NAME_CELLS)
        } else {
            share.max(NARROW_NAME_CELLS)
        };
        let rest = usable.saturating_sub(duration + 1);
        let (name, bars) = match rest.checked_sub(wanted + 1) {
            Some(bars) if bars >= BARS_CELLS_MIN => (wanted, bars),
            _ => (rest, 0),
        };
        let column = |x, width| Rect { x, width, ..area };
        let name_x = area.x.saturating_add(1);
        Self {
            name: column(name_x, name),
            bars: column(name_x + name + 1, bars),
            duration: column(area.right() - duration.min(area.width), duration),
        }
    }
}

/// Paints what went before the request and returns what is left for the rows.
fn draw_ghost(
    (ghost, n_rows): (Option<&Ghost>, usize),
    context: &ViewContext<'_>,
    scale: Scale,
    (body, buffer): (Rect, &mut Buffer),
) -> Rect {
    let Some(ghost) = ghost else {
        return body;
    };
    let n_lines = ghost.n_shown(body.height, n_rows);
    let lines = Rect {
        height: n_lines,
        ..body
    };
    ghost.draw(context, scale, lines, buffer);
    Rect {
        y: body.y + n_lines,
        height: body.height - n_lines,
        ..body
    }
}

impl WaterfallPane {
    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        let area = area.intersection(buffer.area);
        let trace = self.key.and_then(|key| context.store.trace(key));
        if let Some(trace) = trace {
            self.catch_up(context, trace);
        }
        let block = self.block(context, trace, focus, usize::from(area.width));
        let inner = block.inner(area);
        block.render(area, buffer);
        let (Some(trace), Some(built)) = (trace, self.built) else {
            let room = usize::from(inner.width);
            let sentence = self.sentence(trace);
            buffer.set_stringn(inner.x, inner.y, sentence, room, context.theme.dim);
            return;
        };
        let has_ruler = inner.height >= 4;
        let columns = Columns::of(inner);
        let ghost = Ghost::of(context.store, trace);
        let ghost = ghost.filter(|_| inner.height >= GHOST_HEIGHT_MIN);
        let ghost_start = ghost.as_ref().map(|ghost| ghost.axis_start);
        let scale = Scale {
            start: ghost_start.map_or(built.start, |start| start.min(built.start)),
            end: built.end,
            width: columns.bars.width,
        };
        if has_ruler {
            let (style, glyphs) = (context.theme.dim, context.theme.glyphs);
            ruler::draw(scale, columns.bars, buffer, style, glyphs);
        }
        let has_letters = inner.height >= LETTERS_HEIGHT_MIN && !self.lines.marks().is_empty();
        let body = Rect {
            y: inner.y + u16::from(has_ruler),
            height: inner.height - u16::from(has_ruler) - u16::from(has_letters),
            ..inner
        };
        let ghost = (ghost.as_ref(), self.rows.all().len());
        let body = draw_ghost(ghost, context, scale, (body, buffer));
        self.viewport.guide_cells_max = usize::from(columns.name.width / 2).max(8);
        if self.viewport.body.height != body.height {
            self.viewport.body = body;
            self.show_selected();
        }
        self.viewport.body = body;
        self.prepare_groups((context.store, trace), built.revision, scale);
        let painter = RowPainter {
            context,
            trace,
            rows: &self.rows,
            workers: &self.workers,
            pictures: &self.pictures,
            filter: &self.filter,
            scale,
            guide_cells_max: self.viewport.guide_cells_max,
            n_services: self.services.len(),
        };
        let position = self.cursor.and_then(|item| self.rows.position(item));
        for line in 0..body.height {
            let at = self.viewport.offset + usize::from(line);
            let Some(row) = self.rows.at(at) else { break };
            let line = Rect {
                y: body.y + line,
                height: 1,
                ..body
            };
            let selection = (position == Some(at)).then_some(focus);
            painter.draw(row, line, buffer, selection);
        }
        self.viewport.letters = Rect::default();
        if has_letters {
            self.draw_letters(context, scale, body, buffer);
        }
    }

    /// Why there is nothing to see.
    fn sentence(&self, trace: Option<&TraceEntry>) -> &'static str {
        match (self.key, trace) {
            (None, _) => "No trace is selected.",
            (Some(_), None) => "This trace was evicted to keep within --memory.",
            (Some(_), Some(_)) => "",
        }
    }

    /// Looks at the members of the groups on the screen, unless that was done.
    fn prepare_groups(
        &mut self,
        (store, trace): (&Store, &TraceEntry),
        revision: u64,
        scale: Scale,
    ) {
        let filter = &self.filter;
        let subject = pictures::Subject {
            store,
            trace,
            revision,
            scale,
            filter,
        };
        let first = self.viewport.offset;
        for position in first..first.saturating_add(self.viewport.page_rows()) {
            let Some(row) = self.rows.at(position) else {
                break;
            };
            if let Item::Group(id) = row.item
                && let Some(group) = self.rows.group(id)
            {
                self.pictures.prepare(group, row.mark, subject);
            }
        }
    }

    /// The letters stand right below the last row.
    fn draw_letters(
        &mut self,
        context: &ViewContext<'_>,
        scale: Scale,
        body: Rect,
        buffer: &mut Buffer,
    ) {
        let n_rows = self.rows.n_visible().saturating_sub(self.viewport.offset);
        let line = Rect {
            y: body.y + text::cells(n_rows).min(body.height),
            height: 1,
            ..body
        };
        self.viewport.letters = Rect {
            height: 1,
            ..Columns::of(line).bars
        };
        self.letters.build(&self.lines, scale);
        let frame = (line, buffer);
        self.letters
            .draw(&self.lines, self.selected_line, context.theme, frame);
    }

    /// Takes a large trace that grows, unless that was done a moment ago.
    fn catch_up(&mut self, context: &ViewContext<'_>, trace: &TraceEntry) {
        let now = context.now.uptime_ns;
        let interval_ns = rebuild_interval_ns(self.rows.all().len());
        let is_due = self.built.is_none_or(|built| {
            built.is_behind && now.saturating_sub(built.at_uptime_ns) >= interval_ns
        });
        if is_due && (context.flow == Flow::Live || self.built.is_none()) {
            self.rebuild(trace, now);
        }
    }

    fn block(
        &mut self,
        context: &ViewContext<'_>,
        trace: Option<&TraceEntry>,
        focus: Focus,
        width: usize,
    ) -> Block<'static> {
        let theme = context.theme;
        let (border, title) = match focus {
            Focus::Focused => (theme.border_focused, theme.title_focused),
            Focus::Unfocused => (theme.border, theme.title),
        };
        let block = Block::bordered()
            .border_set(theme.glyphs.border())
            .border_style(border);
        let Some(trace) = trace else {
            return block.title_top(Line::styled(" Waterfall ", title));
        };
        let room = width.saturating_sub(4);
        let top = format!(
            " {} ",
            text::cut(&self.title(context, trace, room), room, theme.glyphs)
        );
        let block = block.title_top(Line::styled(top, title));
        let filter = Cow::Borrowed(self.filter.text());
        let filter = text::visible(filter, theme.glyphs);
        let block = if filter.is_empty() {
            block
        } else {
            let filter = format!(" /{} ", text::cut(&filter, room / 3, theme.glyphs));
            block.title_bottom(Line::styled(filter, theme.matched))
        };
        let bottom = self.position_words(context, trace);
        let bottom = text::cut(&bottom, room, theme.glyphs).into_owned();
        block.title_bottom(Line::styled(bottom, theme.text).alignment(Alignment::Right))
    }

    /// `POST /v1/generate  67b1..e2f7  34 spans  3 services`; a long resource is cut, not the rest.
    fn title(&self, context: &ViewContext<'_>, trace: &TraceEntry, room: usize) -> String {
        let glyphs = context.theme.glyphs;
        let n_spans = u64::try_from(self.rows.n_spans()).unwrap_or(u64::MAX);
        let n_services = u64::try_from(self.services.len()).unwrap_or(u64::MAX);
        let mut facts = vec![
            text::short_id(trace.trace_id()),
            text::count(n_spans, "span"),
            text::count(n_services, "service"),
        ];
        if trace.summary().root().is_none() {
            facts.push("root not seen".to_owned());
        }
        if trace.n_orphans() > 0 {
            facts.push(text::count(u64::from(trace.n_orphans()), "orphan"));
        }
        facts.extend(badges::forwarded(context.store, trace));
        let facts = facts.join("  ");
        let mark = if context.store.is_marked(trace.key()) {
            format!("{} ", glyphs.mark())
        } else {
            String::new()
        };
        let resource = trace.head().map(crate::trace::Span::resource);
        let resource = text::show(resource.unwrap_or_default(), glyphs);
        let taken = text::width(&facts) + text::width(&mark) + 2;
        let room = room.saturating_sub(taken).max(8);
        format!("{mark}{}  {facts}", text::cut(&resource, room, glyphs))
    }

    /// ` row 10/34  depth 3  self 462ms 23.8% `, of a group what its members took.
    fn position_words(&mut self, context: &ViewContext<'_>, trace: &TraceEntry) -> String {
        let Some(row) = self.cursor.and_then(|item| self.rows.row(item)).copied() else {
            return String::new();
        };
        let n_rows = self.rows.n_visible();
        let position = self.rows.position(row.item);
        let number = position.map_or(0, |position| position + 1);
        if let Item::Group(id) = row.item {
            let group = self.rows.group(id);
            let said = group.map(|group| group_row::sentence(&self.workers, group, context));
            return format!(" row {number}/{n_rows}  {} ", said.unwrap_or_default());
        }
        let self_time = self.self_time(context.store).unwrap_or(0);
        let share = super::row::percent(self_time, trace.duration());
        let self_time = text::duration(self_time, context.theme.glyphs);
        let depth = row.depth;
        format!(" row {number}/{n_rows}  depth {depth}  self {self_time}{share} ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stay_inside_and_apart_at_any_width() {
        for width in 0..300 {
            let area = Rect::new(3, 1, width, 9);
            let columns = Columns::of(area);
            let Columns {
                name,
                bars,
                duration,
            } = columns;
            assert!(duration.right() <= area.right(), "{columns:?}");
            assert!(name.right() <= duration.x.max(name.x), "{columns:?}");
            if bars.width > 0 {
                assert!(
                    name.right() < bars.x && bars.right() < duration.x,
                    "{columns:?}"
                );
            }
        }
        assert_eq!(Columns::of(Rect::new(0, 0, 118, 9)).name.width, 42);
        assert_eq!(Columns::of(Rect::new(0, 0, 58, 9)).name.width, 20);
    }
}
