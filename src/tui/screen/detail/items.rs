//! Details as items of the tree widget, which wants them prebuilt, each with an id that no sibling
//! has, and every line no longer than it can be drawn.

use std::borrow::Cow;
use std::collections::HashMap;

use ratatui::text::{Line, Span as Words};
use tui_tree_widget::TreeItem;

use super::{Detail, LABEL_CELLS_MAX, Tone};
use crate::tui::text;
use crate::tui::theme::Theme;

/// Labels are padded to at least so many cells, so that values stand below each other.
const LABEL_CELLS_MIN: usize = 9;

/// A sentence is cut, not wrapped, where so many cells are not left for it.
const WRAPPED_CELLS_MIN: usize = 12;
/// Lines that it takes at most.
const WRAPPED_LINES_MAX: usize = 8;

/// A place in the tree: labels from the top, numbered where they repeat.
pub(crate) type Path = Vec<Box<str>>;

type Item = TreeItem<'static, Box<str>>;

/// Makes items, and notes what is copied at each place.
pub(super) struct ItemBuilder<'a> {
    theme: &'a Theme,
    /// Cells for a line at the top.
    width: usize,
    values: &'a mut HashMap<Path, String>,
    path: Path,
}

impl<'a> ItemBuilder<'a> {
    pub(super) fn new(
        theme: &'a Theme,
        width: usize,
        values: &'a mut HashMap<Path, String>,
    ) -> Self {
        Self {
            theme,
            width,
            values,
            path: Path::new(),
        }
    }

    /// Goes as deep as the details do, which is bounded.
    pub(super) fn items(&mut self, details: &[Detail]) -> Vec<Item> {
        let widths = details.iter().map(|detail| text::width(&detail.label));
        let label_cells = widths.max().unwrap_or(0);
        let label_cells = label_cells.clamp(LABEL_CELLS_MIN, LABEL_CELLS_MAX);
        let mut items = Vec::with_capacity(details.len());
        for (detail, label) in details.iter().zip(numbered(details)) {
            let mut detail = Cow::Borrowed(detail);
            if detail.wraps {
                self.wrap(detail.to_mut(), label_cells);
            }
            let (line, is_whole) = self.line(&detail, label_cells);
            let only_repeats = is_whole && detail.whole.as_ref() == Some(&detail.value);
            let below: &[Detail] = if only_repeats { &[] } else { &detail.below };
            self.path.push(label.clone());
            let below = self.items(below);
            if !detail.label.is_empty() {
                let whole = detail.whole.as_ref().unwrap_or(&detail.value);
                self.values.insert(self.path.clone(), whole.clone());
            }
            self.path.pop();
            items.extend(TreeItem::new(label, line, below).ok());
        }
        items
    }

    /// Continues a value that is too long for its line on lines of its own, below where it begins.
    fn wrap(&self, detail: &mut Detail, label_cells: usize) {
        let before = label_cells.max(text::width(&detail.label)) + 1;
        let room = self.width.saturating_sub(2 * self.path.len() + before);
        if room < WRAPPED_CELLS_MIN {
            return;
        }
        let lines = text::wrap(&detail.value, room, WRAPPED_LINES_MAX, self.theme.glyphs);
        let mut lines = lines.into_iter();
        let first = lines.next().unwrap_or_default();
        let whole = std::mem::replace(&mut detail.value, first);
        detail.whole.get_or_insert(whole);
        // What is below stands two cells further in already.
        let indent = " ".repeat(before.saturating_sub(2));
        let rest = lines.map(|line| Detail::new("", format!("{indent}{line}")));
        detail.below.splice(0..0, rest);
    }

    /// The line of a detail, and whether all of its value is in it.
    fn line(&self, detail: &Detail, label_cells: usize) -> (Line<'static>, bool) {
        let theme = self.theme;
        let room = self.width.saturating_sub(2 * self.path.len());
        if detail.label.is_empty() {
            let line = text::cut(&detail.value, room, theme.glyphs).into_owned();
            return (Line::styled(line, theme.text), false);
        }
        let (label_style, style) = match detail.tone {
            Tone::Plain => (theme.dim, theme.text),
            Tone::Heading => (theme.title_focused, theme.dim),
            Tone::Warning => (theme.dim, theme.warning),
            Tone::Error => (theme.dim, theme.error),
        };
        let missing = label_cells.saturating_sub(text::width(&detail.label));
        let label = format!("{}{} ", detail.label, " ".repeat(missing));
        let room = room.saturating_sub(text::width(&label));
        let value = text::cut(&detail.value, room, theme.glyphs).into_owned();
        let is_whole = value == detail.value;
        let line = Line::from(vec![
            Words::styled(label, label_style),
            Words::styled(value, style),
        ]);
        (line, is_whole)
    }
}

/// The labels of siblings, made different where they repeat.
pub(crate) fn numbered(details: &[Detail]) -> Vec<Box<str>> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let label = |detail: &Detail| -> Box<str> { detail.label.as_str().into() };
    let mut labels = Vec::with_capacity(details.len());
    for detail in details {
        let n_before = seen.entry(&detail.label).or_default();
        labels.push(match *n_before {
            0 => label(detail),
            // No label holds a control character, so this is no other sibling's.
            n => format!("{}\n{n}", detail.label).into(),
        });
        *n_before += 1;
    }
    labels
}

/// Every place that can be opened.
pub(crate) fn places(items: &[Item]) -> Vec<Path> {
    let mut places = Vec::new();
    let mut pending: Vec<(Path, &Item)> = items.iter().map(|item| (Vec::new(), item)).collect();
    while let Some((mut path, item)) = pending.pop() {
        if item.children().is_empty() {
            continue;
        }
        path.push(item.identifier().clone());
        let below = item.children().iter();
        pending.extend(below.map(|child| (path.clone(), child)));
        places.push(path);
    }
    places
}
