//! The keys of a pane, and the menu of exports: both drawn from the keymap.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Focus, ViewContext};
use crate::tui::keymap::{Group, Hint, Keymap, Section};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widget::{Border, clear, draw_border, put};

/// A column of the help: its heading and lines of keys and words.
struct Column {
    heading: &'static str,
    lines: Vec<(String, String)>,
}

impl Column {
    fn new(group: Group, hints: &[Hint]) -> Self {
        let line = |hint: &Hint| (hint.keys.join(" "), hint.words.clone());
        Self {
            heading: group.title(),
            lines: hints.iter().map(line).collect(),
        }
    }

    /// Cells of its keys.
    fn keys_width(&self) -> usize {
        let widths = self.lines.iter().map(|(keys, _)| text::width(keys));
        widths.max().unwrap_or(0)
    }

    fn width(&self) -> usize {
        let words = self.lines.iter().map(|(_, words)| text::width(words));
        self.keys_width() + 2 + words.max().unwrap_or(0)
    }

    /// Paints its lines into an area, the first of them `skipped` lines above it.
    fn draw(&self, buffer: &mut Buffer, area: Rect, skipped: usize, theme: &Theme) {
        let heading = [(self.heading, "")];
        let lines = self.lines.iter().map(|(keys, words)| (&**keys, &**words));
        let lines = heading.into_iter().chain(lines).skip(skipped);
        let words_at = text::cells(self.keys_width() + 2);
        let room = usize::from(area.width.saturating_sub(words_at));
        for ((keys, words), row) in lines.zip(area.rows()) {
            let style = if words.is_empty() {
                theme.dim
            } else {
                theme.key
            };
            put(buffer, row, 0, keys, style);
            let words = text::cut(words, room, theme.glyphs);
            put(buffer, row, words_at, &words, theme.text);
        }
    }
}

/// The help of a pane; `scroll` lines are above what is seen. Returns how far one can scroll.
pub(crate) fn draw(
    keymap: &Keymap,
    section: Section,
    scroll: u16,
    context: &ViewContext<'_>,
    frame: (Rect, &mut Buffer),
) -> u16 {
    const GAP: usize = 3;
    let (area, buffer) = frame;
    let columns = Group::ALL.map(|group| Column::new(group, &keymap.help(section, group)));
    let beside: usize = columns.iter().map(|column| column.width() + GAP).sum();
    let is_beside = beside < usize::from(area.width);
    let heights = columns.iter().map(|column| column.lines.len() + 1);
    let (width, n_lines) = if is_beside {
        (beside + 1, heights.max().unwrap_or(0))
    } else {
        let widest = columns.iter().map(Column::width).max().unwrap_or(0);
        (
            widest + 4,
            heights.map(|height| height + 1).sum::<usize>() - 1,
        )
    };
    let area = centered(area, text::cells(width), text::cells(n_lines + 2));
    clear(buffer, area);
    let border = Border {
        title: &format!("Help: {}", section.title()),
        note: "esc closes",
        below: Some(("wheel and click work too", context.theme.dim)),
        focus: Focus::Focused,
    };
    let inner = draw_border(buffer, area, &border, context.theme);
    let hidden = text::cells(n_lines).saturating_sub(inner.height);
    let scrolled = usize::from(scroll.min(hidden));
    let mut at = (1_usize, 0_usize);
    for column in &columns {
        let top = text::cells(at.1.saturating_sub(scrolled));
        let place = Rect {
            x: inner.x.saturating_add(text::cells(at.0)),
            y: inner.y.saturating_add(top),
            width: inner.width.saturating_sub(text::cells(at.0)),
            height: inner.height.saturating_sub(top),
        };
        column.draw(buffer, place, scrolled.saturating_sub(at.1), context.theme);
        at = if is_beside {
            (at.0 + column.width() + GAP, 0)
        } else {
            (at.0, at.1 + column.lines.len() + 2)
        };
    }
    hidden
}

/// The menu of exports.
pub(crate) fn draw_export(
    keymap: &Keymap,
    context: &ViewContext<'_>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let hints = keymap.help(Section::Export, Group::Act);
    let area = centered(area, 48, text::cells(hints.len() + 2));
    clear(buffer, area);
    let border = Border {
        title: "Export",
        note: "esc closes",
        focus: Focus::Focused,
        ..Border::default()
    };
    let inner = draw_border(buffer, area, &border, context.theme);
    for (hint, row) in hints.iter().zip(inner.rows()) {
        put(buffer, row, 1, &hint.keys.join(" "), context.theme.key);
        put(buffer, row, 4, &hint.words, context.theme.text);
    }
}

/// An area of a size in the middle of another, cut to fit.
pub(super) fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}
