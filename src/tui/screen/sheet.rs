//! A text on top of the panes: in a frame in their middle, scrolled if it is longer than they are. What it
//! says is somebody else's.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Focus;
use super::help::centered;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widget::{Border, clear, draw_border, put};

/// Cells that the frame and the space beside it take of a line.
const FRAME: u16 = 4;

/// A text with its frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sheet<'a> {
    pub(crate) title: &'a str,
    pub(crate) note: &'a str,
    /// With its frame, where there is room.
    pub(crate) width: u16,
    pub(crate) lines: &'a [(String, Style)],
    /// How many lines are above what is seen; `None` if it cannot be scrolled.
    pub(crate) scroll: Option<u16>,
}

impl Sheet<'_> {
    /// How many cells a line of a sheet of this width has.
    pub(crate) fn room(width: u16, area: Rect) -> usize {
        usize::from(width.min(area.width).saturating_sub(FRAME))
    }

    /// Paints it. Returns how far one can scroll.
    pub(crate) fn draw(&self, theme: &Theme, (area, buffer): (Rect, &mut Buffer)) -> u16 {
        let n_lines = text::cells(self.lines.len());
        let place = centered(area, self.width, n_lines.saturating_add(2));
        clear(buffer, place);
        let scroll_max = n_lines.saturating_sub(place.height.saturating_sub(2));
        let skipped = self.scroll.unwrap_or(0).min(scroll_max);
        let n_below = self.scroll.map_or(0, |_| scroll_max - skipped);
        let below = format!("j k scroll: {n_below} more");
        let border = Border {
            title: self.title,
            note: self.note,
            below: (n_below > 0).then_some((&*below, theme.dim)),
            focus: Focus::Focused,
        };
        let inner = draw_border(buffer, place, &border, theme);
        let lines = self.lines.iter().skip(skipped.into());
        for ((line, style), row) in lines.zip(inner.rows()) {
            put(buffer, row, 1, line, *style);
        }
        scroll_max
    }
}
