//! Putting text into cells, never outside the area it belongs to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::text;

/// Puts text into the first line of an area, beginning at a column of it. What does not fit is left
/// out. Returns the column after it.
pub(crate) fn put(
    buffer: &mut Buffer,
    area: Rect,
    column: u16,
    text: &str,
    style: impl Into<Style>,
) -> u16 {
    let visible = area.intersection(buffer.area);
    let x = area.x.saturating_add(column);
    let room = visible.right().saturating_sub(x);
    if visible.is_empty() || room == 0 || visible.y != area.y || x < visible.x {
        return column;
    }
    let (end, _) = buffer.set_stringn(x, area.y, text, usize::from(room), style);
    end.saturating_sub(area.x)
}

/// Puts text so that it ends where the first line of an area does. Returns the column it begins at.
pub(crate) fn put_right(
    buffer: &mut Buffer,
    area: Rect,
    text: &str,
    style: impl Into<Style>,
) -> u16 {
    let column = area.width.saturating_sub(text::cells(text::width(text)));
    put(buffer, area, column, text, style);
    column
}

/// Gives all cells of an area a style.
pub(crate) fn fill_style(buffer: &mut Buffer, area: Rect, style: Style) {
    buffer.set_style(area, style);
}

/// Empties an area, for what lies on top.
pub(crate) fn clear(buffer: &mut Buffer, area: Rect) {
    for position in area.intersection(buffer.area).positions() {
        if let Some(cell) = buffer.cell_mut(position) {
            cell.reset();
        }
    }
}
