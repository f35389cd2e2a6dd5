//! The details of one span as a tree: every field and tag, nested JSON opened, the stack whole.
//! These trees are small and bounded, so a widget that flattens all of one for each frame does.

mod details;
mod items;
mod json;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, StatefulWidget, Widget};
use tui_tree_widget::{Tree, TreeItem, TreeState};

use super::{Flow, Focus, Outcome, ViewContext};
use crate::store::{SpanIndex, Store, TraceKey};
use crate::tui::action::{Action, Motion};
use crate::tui::message::Effect;
use crate::tui::text;
use details::{Detail, Room, details};
use items::{ItemBuilder, Path, numbered, places};

/// A pane of so many lines shows a stack at once, however long it is; a smaller one if all fits.
const STACK_LINES_MIN: u16 = 16;

/// Every field and tag of a span.
#[derive(Debug, Default)]
pub(crate) struct SpanPane {
    shown: Option<(TraceKey, SpanIndex)>,
    built: Option<Built>,
    items: Vec<TreeItem<'static, Box<str>>>,
    /// What is copied at each place.
    values: HashMap<Path, String>,
    title: String,
    state: TreeState<Box<str>>,
    page_rows: u16,
}

/// What the items were built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Built {
    key: TraceKey,
    span: SpanIndex,
    revision: u64,
    room: Room,
}

impl SpanPane {
    /// Shows another span. The same span again changes nothing.
    pub(crate) fn show(&mut self, key: TraceKey, span: SpanIndex) {
        if self.shown != Some((key, span)) {
            *self = Self {
                shown: Some((key, span)),
                page_rows: self.page_rows,
                ..Self::default()
            };
        }
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

    pub(crate) fn update(&mut self, action: Action, _store: &Store) -> Outcome {
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

    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        let area = area.intersection(buffer.area);
        let theme = context.theme;
        let (border, title, selected) = match focus {
            Focus::Focused => (theme.border_focused, theme.title_focused, theme.selected),
            Focus::Unfocused => (theme.border, theme.title, theme.selected_unfocused),
        };
        let block = Block::bordered()
            .border_set(theme.glyphs.border())
            .border_style(border);
        let inner = block.inner(area);
        self.build(context, inner);
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

    /// Builds the items again if the span, its trace or the room for them changed.
    fn build(&mut self, context: &ViewContext<'_>, inner: Rect) {
        let Some((key, index)) = self.shown else {
            "Span".clone_into(&mut self.title);
            return;
        };
        let trace = context.store.trace(key);
        let (Some(trace), Some(span)) = (trace, trace.and_then(|trace| trace.span(index))) else {
            "Span  evicted".clone_into(&mut self.title);
            self.items.clear();
            self.built = None;
            return;
        };
        let room = Room {
            // Without the marks of selection and folds.
            width: usize::from(inner.width.saturating_sub(3)),
            glyphs: context.theme.glyphs,
        };
        let wanted = Built {
            key,
            span: index,
            revision: trace.revision(),
            room,
        };
        let is_frozen = |built: Built| {
            let revision = built.revision;
            context.flow == Flow::Paused && Built { revision, ..wanted } == built
        };
        if self
            .built
            .is_some_and(|built| built == wanted || is_frozen(built))
        {
            return;
        }
        let name = text::show(span.name(), room.glyphs);
        let mark = if span.is_error() { "  err" } else { "" };
        let n_spans = trace.n_spans();
        let number = u64::from(index.0) + 1;
        self.title = format!("Span {number}/{n_spans}  {name}{mark}");
        let details = details(trace, span, room);
        let is_first = self.built.is_none();
        self.built = Some(wanted);
        self.values.clear();
        let mut builder = ItemBuilder::new(context.theme, room.width, &mut self.values);
        self.items = builder.items(&details);
        if is_first {
            self.open_first(&details, inner.height);
        }
    }

    /// Opens what is open at first, and the stack if there is room for it; if there is not, selects
    /// it, so that one key opens it.
    fn open_first(&mut self, details: &[Detail], height: u16) {
        let labels = numbered(details);
        for (detail, label) in details.iter().zip(&labels) {
            if detail.is_open {
                self.state.open(vec![label.clone()]);
            }
        }
        let stack = details.iter().position(|detail| detail.label == "stack");
        let stack = stack.filter(|place| !details.get(*place).is_none_or(|it| it.below.is_empty()));
        let selected = labels.get(stack.unwrap_or(0)).cloned();
        if let Some(selected) = selected {
            if stack.is_some_and(|place| shows_stack(details, place, height)) {
                self.state.open(vec![selected.clone()]);
            }
            self.state.select(vec![selected]);
        }
    }

    fn move_by(&mut self, motion: Motion) {
        let page_rows = usize::from(self.page_rows);
        self.state.select_relative(|row| {
            // The widget knows how many rows there are, and stops at the last.
            row.map_or(0, |row| motion.from_row(row, usize::MAX, page_rows))
        });
    }
}

/// Whether a stack is opened at once in a pane of so many lines.
fn shows_stack(details: &[Detail], place: usize, height: u16) -> bool {
    let n_lines = details.get(place).map_or(0, |stack| stack.below.len());
    height >= STACK_LINES_MIN || place + 1 + n_lines <= usize::from(height)
}
