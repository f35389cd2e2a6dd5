//! The last line: the keys that mean something here. Drawn from the keymap.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ViewContext;
use crate::tui::keymap::{Hint, Keymap, Section};
use crate::tui::text;
use crate::tui::widget::put;

/// Hints from the left as far as they fit; the last two, help and quit, always.
pub(crate) fn draw(
    keymap: &Keymap,
    section: Section,
    context: &ViewContext<'_>,
    line: Rect,
    buffer: &mut Buffer,
) {
    let hints = keymap.footer(section);
    let (others, last) = hints.split_at(hints.len().saturating_sub(2));
    let kept: usize = last.iter().map(|hint| width(hint) + 2).sum();
    let room = usize::from(line.width).saturating_sub(kept + 1);
    let mut used = 0;
    let fitting = others.iter().take_while(|hint| {
        used += width(hint) + 2;
        used <= room
    });
    let mut column = 1;
    for hint in fitting.chain(last) {
        column = put(buffer, line, column, &keys(hint), context.theme.key) + 1;
        column = put(buffer, line, column, &hint.words, context.theme.dim) + 2;
    }
}

fn keys(hint: &Hint) -> String {
    hint.keys.join("/")
}

fn width(hint: &Hint) -> usize {
    text::width(&keys(hint)) + 1 + text::width(&hint.words)
}
