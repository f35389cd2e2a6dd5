//! The frame of a pane, with its title on the left and what it says of itself on the right.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, Borders, Widget};

use super::put;
use crate::tui::screen::Focus;
use crate::tui::text;
use crate::tui::theme::Theme;

/// What stands in a frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Border<'a> {
    pub(crate) title: &'a str,
    /// On the right of the upper edge; left out when there is no room.
    pub(crate) note: &'a str,
    /// On the left of the lower edge, cut to fit.
    pub(crate) below: Option<(&'a str, Style)>,
    pub(crate) focus: Focus,
}

/// Draws a frame around an area and returns what is inside.
pub(crate) fn draw_border(
    buffer: &mut Buffer,
    area: Rect,
    border: &Border<'_>,
    theme: &Theme,
) -> Rect {
    let (edge, title) = match border.focus {
        Focus::Focused => (theme.border_focused, theme.title_focused),
        Focus::Unfocused => (theme.border, theme.title),
    };
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.glyphs.border())
        .border_style(edge);
    let inner = block.inner(area);
    block.render(area.intersection(buffer.area), buffer);
    let line = Rect {
        x: area.x.saturating_add(2),
        width: area.width.saturating_sub(4),
        height: area.height.min(1),
        ..area
    };
    let room = usize::from(line.width);
    let cut = text::cut(border.title, room.saturating_sub(2), theme.glyphs);
    let mut end = 0;
    if !cut.is_empty() {
        end = put(buffer, line, 0, &format!(" {cut} "), title);
    }
    let note_cells = text::width(border.note) + 2;
    if !border.note.is_empty() && usize::from(end) + note_cells < room {
        let column = text::cells(room - note_cells);
        put(buffer, line, column, &format!(" {} ", border.note), title);
    }
    if let (Some((below, style)), true) = (border.below, area.height > 1) {
        let line = Rect {
            y: area.bottom().saturating_sub(1),
            ..line
        };
        let cut = text::cut(below, room.saturating_sub(2), theme.glyphs);
        put(buffer, line, 0, &format!(" {cut} "), style);
    }
    inner
}

/// The line of a table's headings within its frame, and the area of its rows.
pub(crate) fn below_heading(inner: Rect) -> (Rect, Rect) {
    let heading = Rect {
        height: inner.height.min(1),
        ..inner
    };
    let rows = Rect {
        y: inner.y.saturating_add(1),
        height: inner.height.saturating_sub(1),
        ..inner
    };
    (heading, rows)
}
