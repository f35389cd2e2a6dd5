//! Which rows of a trace are visible, and where: the tree, the reader's folds, and an index of what
//! they leave over. Plain numbers and text; drawing is in `draw`.
//!
//! ```text
//! tree     0 1 2 3 4 5 6      all rows, everything unfolded
//! folded       2              a span, by its index: stays while the tree grows around it
//! visible  0 1 2     5 6      rebuilt in one pass when tree or folds change
//! ```

use std::fmt::Write;

use crate::store::{SpanIndex, SpanTree, TraceEntry, TreeRow};
use crate::trace::Span;
use crate::tui::theme::Glyphs;

/// The rows of one trace.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    tree: SpanTree,
    /// The tree row of each span.
    row_of: Vec<u32>,
    /// Whether each span is folded.
    folded: Vec<bool>,
    /// Tree rows in ascending order.
    visible: Vec<u32>,
}

/// The lines that lead to a row, as wide as they are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guide {
    pub(crate) text: String,
    /// The cell of `text` that holds the mark.
    pub(crate) mark_cell: usize,
}

impl Rows {
    /// Takes the trace as it is now. Folds stay with their spans.
    pub(crate) fn rebuild(&mut self, trace: &TraceEntry) {
        self.tree = SpanTree::build(trace);
        self.row_of.clear();
        self.row_of.resize(self.tree.rows.len(), 0);
        self.folded.resize(self.tree.rows.len(), false);
        for (row, number) in self.tree.rows.iter().zip(0..) {
            if let Some(place) = self.row_of.get_mut(place(row.span)) {
                *place = number;
            }
        }
        self.refresh_visible();
    }

    /// How many rows are visible.
    pub(crate) fn n_visible(&self) -> usize {
        self.visible.len()
    }

    /// All rows, the hidden ones too.
    pub(crate) fn all(&self) -> &[TreeRow] {
        &self.tree.rows
    }

    /// A visible row.
    pub(crate) fn at(&self, position: usize) -> Option<&TreeRow> {
        self.tree_row(*self.visible.get(position)?)
    }

    /// The row of a span, hidden or not.
    pub(crate) fn row(&self, span: SpanIndex) -> Option<&TreeRow> {
        self.tree_row(self.number(span)?)
    }

    /// The place of a span's row among all rows.
    pub(crate) fn place(&self, span: SpanIndex) -> Option<usize> {
        usize::try_from(self.number(span)?).ok()
    }

    /// The place of a span among the visible rows; of the fold it is hidden in, if it is hidden.
    pub(crate) fn position(&self, span: SpanIndex) -> Option<usize> {
        let number = self.number(span)?;
        match self.visible.binary_search(&number) {
            Ok(position) => Some(position),
            Err(after) => after.checked_sub(1),
        }
    }

    pub(crate) fn parent(&self, row: &TreeRow) -> Option<&TreeRow> {
        self.tree_row(row.parent_row?)
    }

    /// The first child, hidden or not.
    pub(crate) fn first_child(&self, row: &TreeRow) -> Option<&TreeRow> {
        let child = self.tree.rows.get(self.place(row.span)? + 1)?;
        (child.depth > row.depth).then_some(child)
    }

    /// The children in order.
    pub(crate) fn children(&self, row: &TreeRow) -> impl Iterator<Item = &TreeRow> {
        let first = self.place(row.span).map_or(usize::MAX, |place| place + 1);
        let n_below = count(row.subtree).saturating_sub(1);
        let below = self.tree.rows.get(first..first.saturating_add(n_below));
        let mut rest = below.unwrap_or_default();
        std::iter::from_fn(move || {
            let child = rest.first()?;
            rest = rest.get(count(child.subtree)..).unwrap_or_default();
            Some(child)
        })
    }

    pub(crate) fn is_folded(&self, span: SpanIndex) -> bool {
        self.folded.get(place(span)).copied().unwrap_or(false)
    }

    /// Folds or unfolds a span. A span without children can be folded too: it is once it has some.
    pub(crate) fn set_folded(&mut self, span: SpanIndex, is_folded: bool) {
        if let Some(folded) = self.folded.get_mut(place(span)) {
            *folded = is_folded;
        }
        self.refresh_visible();
    }

    /// Unfolds a span with everything below it if anything there is folded, else folds all of it.
    pub(crate) fn toggle_subtree(&mut self, span: SpanIndex) {
        let (Some(first), Some(row)) = (self.place(span), self.row(span)) else {
            return;
        };
        let after = first.saturating_add(count(row.subtree));
        let rows = self.tree.rows.get(first..after).unwrap_or_default();
        let fold = !rows.iter().any(|row| self.is_folded(row.span));
        for row in rows {
            if let Some(folded) = self.folded.get_mut(place(row.span)) {
                *folded = fold && row.subtree > 1;
            }
        }
        self.refresh_visible();
    }

    pub(crate) fn fold_all(&mut self) {
        for row in self.tree.rows.iter().filter(|row| row.subtree > 1) {
            if let Some(folded) = self.folded.get_mut(place(row.span)) {
                *folded = true;
            }
        }
        self.refresh_visible();
    }

    pub(crate) fn unfold_all(&mut self) {
        self.folded.fill(false);
        self.refresh_visible();
    }

    /// Unfolds whatever hides a span.
    pub(crate) fn reveal(&mut self, span: SpanIndex) {
        let mut next = self.row(span).and_then(|row| row.parent_row);
        while let Some(row) = next.and_then(|number| self.tree_row(number)).copied() {
            if let Some(folded) = self.folded.get_mut(place(row.span)) {
                *folded = false;
            }
            next = row.parent_row;
        }
        self.refresh_visible();
    }

    /// The lines before a visible row in at most so many cells. Where a deep row does not fit, its
    /// depth is said and the nearest ancestors' lines follow: `·17·│ ├─ `.
    pub(crate) fn guide(
        &self,
        row: &TreeRow,
        mark: &str,
        cells_max: usize,
        glyphs: Glyphs,
    ) -> Guide {
        let Some(n_ancestors) = row.depth.checked_sub(1) else {
            return Guide {
                text: format!("{mark} "),
                mark_cell: 0,
            };
        };
        let mut text = String::new();
        let mut n_shown = count(n_ancestors);
        if n_shown.saturating_mul(2).saturating_add(3) > cells_max {
            let dot = glyphs.pick('·', '.');
            let _never_fails = write!(text, "{dot}{}{dot}", row.depth);
            n_shown = cells_max.saturating_sub(text.chars().count() + 3) / 2;
        }
        let ancestors = std::iter::successors(self.parent(row), |row| self.parent(row));
        let lines: Vec<bool> = ancestors
            .take(n_shown)
            .map(|ancestor| !ancestor.is_last)
            .collect();
        for goes_on in lines.into_iter().rev() {
            text.push_str(if goes_on {
                glyphs.pick("│ ", "| ")
            } else {
                "  "
            });
        }
        let branch = if row.is_last {
            glyphs.pick('└', '`')
        } else {
            glyphs.pick('├', '|')
        };
        text.push(branch);
        let mark_cell = text.chars().count();
        text.push_str(mark);
        text.push(' ');
        Guide { text, mark_cell }
    }

    /// The part of a span's time in which none of its children ran, in nanoseconds.
    pub(crate) fn self_time(&self, trace: &TraceEntry, span: SpanIndex) -> i64 {
        let (Some(row), Some(parent)) = (self.row(span), trace.span(span)) else {
            return 0;
        };
        // The children stand by start, and orphans after them are not its own.
        let own = self
            .children(row)
            .filter_map(|child| trace.span(child.span));
        uncovered(
            parent,
            own.filter(|child| child.parent_id() == parent.span_id()),
        )
    }

    fn number(&self, span: SpanIndex) -> Option<u32> {
        self.row_of.get(place(span)).copied()
    }

    fn tree_row(&self, number: u32) -> Option<&TreeRow> {
        self.tree.rows.get(count(number))
    }

    fn refresh_visible(&mut self) {
        self.visible.clear();
        let mut next = 0;
        for (row, number) in self.tree.rows.iter().zip(0_u32..) {
            if number < next {
                continue;
            }
            self.visible.push(number);
            let n_skipped = if self.is_folded(row.span) {
                row.subtree.max(1)
            } else {
                1
            };
            next = number.saturating_add(n_skipped);
        }
    }
}

/// The part of a span's time that none of its children covers, given in order of their start.
fn uncovered<'a>(parent: Span<'_>, children: impl Iterator<Item = Span<'a>>) -> i64 {
    let (start, end) = (parent.start(), parent.end());
    let mut idle = 0_i64;
    let mut busy_until = start;
    for child in children {
        let begins = child.start().clamp(start, end);
        idle = idle.saturating_add(begins.since(busy_until).max(0));
        busy_until = busy_until.max(child.end().clamp(start, end));
    }
    idle.saturating_add(end.since(busy_until).max(0))
}

fn place(span: SpanIndex) -> usize {
    count(span.0)
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
