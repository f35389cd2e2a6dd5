//! The line in which a filter is written: the text with a cursor, what is wrong with it underlined
//! and told, an example while nothing is written, and how much is found.
//!
//! ```text
//!  / svc:api dur>5                          not a time: 250us 500ms 2s 1m   3 of 62
//!            -----
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;

use super::ViewContext;
use crate::query::{Fault, Query};
use crate::tui::text;
use crate::tui::widget::{clear, put, put_right};

/// Cells before the text.
const MARGIN: u16 = 3;

/// What stands in the line.
pub(crate) struct FilterLine<'a> {
    pub(crate) input: &'a Input,
    /// What could be written.
    pub(crate) example: &'a str,
    /// How much the last filter that was right finds.
    pub(crate) found: &'a str,
}

impl FilterLine<'_> {
    pub(crate) fn draw(&self, context: &ViewContext<'_>, line: Rect, buffer: &mut Buffer) {
        let (theme, glyphs) = (context.theme, context.theme.glyphs);
        clear(buffer, line);
        let fault = Query::new(self.input.value()).fault();
        let words = fault.map_or("", |fault| fault.words);
        let half = usize::from(line.width / 2);
        // What is wrong is told before how much is found.
        let found = match fault {
            Some(_) if text::width(words) + text::width(self.found) + 3 > half => "",
            _ => self.found,
        };
        let words = text::cut(words, half, glyphs);
        let gap = if fault.is_some() && !found.is_empty() {
            "   "
        } else {
            ""
        };
        let note = text::width(&words) + gap.len() + text::width(found);
        let room = usize::from(line.width).saturating_sub(note + 6);
        let hidden = self.input.visual_scroll(room);
        let shown = self.visible(hidden, usize::MAX, context);
        let shown = text::cut(&shown, room, glyphs);
        put(buffer, line, 1, "/", theme.key);
        let end = put(buffer, line, MARGIN, &shown, theme.text);
        if shown.is_empty() {
            let example = text::cut(self.example, room.saturating_sub(2), glyphs);
            put(buffer, line, end + 2, &example, theme.dim);
        }
        let text_line = Rect {
            x: line.x.saturating_add(MARGIN),
            width: text::cells(room).min(line.width.saturating_sub(MARGIN)),
            ..line
        };
        if let Some(fault) = fault {
            let place = self.place(fault, hidden, context, text_line);
            buffer.set_style(place, theme.fault);
        }
        let cursor = text::cells(self.input.visual_cursor().saturating_sub(hidden));
        let cursor = text_line.x.saturating_add(cursor);
        if let Some(cell) = buffer.cell_mut((cursor.min(line.right().saturating_sub(1)), line.y)) {
            cell.set_style(theme.selected);
        }
        put_right(buffer, line, found, theme.dim);
        let beside = text::cells(text::width(found) + gap.len());
        let words_line = Rect {
            width: line.width.saturating_sub(beside),
            ..line
        };
        put_right(buffer, words_line, &words, theme.warning);
    }

    /// What is seen of the text up to a byte, the first characters hidden.
    fn visible(&self, hidden: usize, end: usize, context: &ViewContext<'_>) -> String {
        let chars = self.input.value().char_indices();
        let seen = chars.take_while(|(place, _)| *place < end).skip(hidden);
        let seen: String = seen.map(|(_, char)| char).collect();
        text::visible(seen.into(), context.theme.glyphs).into_owned()
    }

    /// The cells of what is wrong, as far as they are seen.
    fn place(&self, fault: Fault, hidden: usize, context: &ViewContext<'_>, line: Rect) -> Rect {
        let cells_to = |end| text::cells(text::width(&self.visible(hidden, end, context)));
        let (start, end) = (cells_to(fault.start), cells_to(fault.end));
        let place = Rect {
            x: line.x.saturating_add(start),
            width: end.saturating_sub(start),
            ..line
        };
        place.intersection(line)
    }
}
