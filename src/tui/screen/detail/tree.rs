//! Draws details with a tree widget and keeps what is open and selected. These trees are small and
//! bounded, so a widget that flattens all of one for each frame does.

use std::collections::HashMap;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, StatefulWidget, Widget};
use tui_tree_widget::{Tree, TreeItem, TreeState};

use super::items::{ItemBuilder, Path};
use super::{Detail, Room, places};
use crate::tui::action::{Action, Motion};
use crate::tui::message::Effect;
use crate::tui::screen::{Focus, Outcome};
use crate::tui::text;
use crate::tui::theme::Theme;

/// Details, what is open of them, and what is selected.
#[derive(Debug, Default)]
pub(crate) struct DetailTree {
    items: Vec<TreeItem<'static, Box<str>>>,
    /// What is copied at each place.
    values: HashMap<Path, String>,
    pub(crate) title: String,
    pub(crate) state: TreeState<Box<str>>,
    pub(crate) page_rows: u16,
}

impl DetailTree {
    /// Forgets everything but the size of the page.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            page_rows: self.page_rows,
            ..Self::default()
        };
    }

    /// Shows other details. What is open and selected stays, where it is still there.
    pub(crate) fn set(&mut self, details: &[Detail], room: Room, theme: &Theme) {
        self.values.clear();
        let mut builder = ItemBuilder::new(theme, room.width, &mut self.values);
        self.items = builder.items(details);
    }

    /// Shows nothing.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.values.clear();
    }

    /// The selected value as it is copied: whole, with all its lines.
    pub(crate) fn copy_value(&self) -> Option<String> {
        let mut path = self.state.selected();
        loop {
            if let Some(value) = self.values.get(path) {
                return Some(value.clone());
            }
            // A line of a longer text: that text.
            path = path.split_last()?.1;
        }
    }

    /// What is copied at each place.
    #[cfg(test)]
    pub(crate) fn values(&self) -> &HashMap<Path, String> {
        &self.values
    }

    pub(crate) fn update(&mut self, action: Action) -> Outcome {
        match action {
            Action::Move(motion) => self.move_by(motion),
            Action::Open => {
                self.state.toggle_selected();
            }
            Action::Fold => {
                self.state.key_left();
            }
            Action::Unfold => {
                self.state.key_right();
            }
            Action::FoldAll => {
                self.state.close_all();
            }
            Action::UnfoldAll => {
                let places = places(&self.items);
                for place in places {
                    self.state.open(place);
                }
            }
            Action::Scroll(n_rows) if n_rows < 0 => {
                self.state.scroll_up(usize::from(n_rows.unsigned_abs()));
            }
            Action::Scroll(n_rows) => {
                self.state.scroll_down(usize::from(n_rows.unsigned_abs()));
            }
            Action::Click { column, row } => {
                if !self.state.click_at(Position::new(column, row)) {
                    return Outcome::Ignored;
                }
            }
            Action::Copy => {
                let value = self.copy_value();
                return value.map_or(Outcome::Ignored, |value| Outcome::Do(Effect::Copy(value)));
            }
            _ => return Outcome::Ignored,
        }
        Outcome::Handled
    }

    fn move_by(&mut self, motion: Motion) {
        let page_rows = usize::from(self.page_rows);
        self.state.select_relative(|row| {
            // The widget knows how many rows there are, and stops at the last.
            row.map_or(0, |row| motion.from_row(row, usize::MAX, page_rows))
        });
    }

    /// What is inside of the frame, and how much room a value has there.
    pub(crate) fn room(area: Rect, theme: &Theme) -> (Rect, Room) {
        let inner = Block::bordered().inner(area);
        let room = Room {
            // Without the marks of selection and folds.
            width: usize::from(inner.width.saturating_sub(3)),
            glyphs: theme.glyphs,
        };
        (inner, room)
    }

    /// Paints frame and tree.
    pub(crate) fn draw(&mut self, theme: &Theme, area: Rect, buffer: &mut Buffer, focus: Focus) {
        let (border, title, selected) = match focus {
            Focus::Focused => (theme.border_focused, theme.title_focused, theme.selected),
            Focus::Unfocused => (theme.border, theme.title, theme.selected_unfocused),
        };
        let block = Block::bordered()
            .border_set(theme.glyphs.border())
            .border_style(border);
        let inner = block.inner(area);
        let room = usize::from(area.width.saturating_sub(4));
        let words = format!(" {} ", text::cut(&self.title, room, theme.glyphs));
        block
            .title_top(Line::styled(words, title))
            .render(area, buffer);
        self.page_rows = inner.height;
        let Ok(tree) = Tree::new(&self.items) else {
            return;
        };
        let (closed, open) = theme.glyphs.pick(("▸ ", "▾ "), ("+ ", "v "));
        let tree = tree
            .highlight_style(selected)
            .highlight_symbol(">")
            .node_closed_symbol(closed)
            .node_open_symbol(open)
            .node_no_children_symbol("  ");
        // The widget indents without looking for the edge of its area: it gets a sheet of its own.
        let mut sheet = Buffer::empty(inner);
        StatefulWidget::render(tree, inner, &mut sheet, &mut self.state);
        for position in inner.positions() {
            if let (Some(to), Some(from)) = (buffer.cell_mut(position), sheet.cell(position)) {
                *to = from.clone();
            }
        }
    }
}
