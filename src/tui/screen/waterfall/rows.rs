//! Which rows of a trace are visible, and where: the tree with its groups, the reader's folds, and an
//! index of what they leave over. Plain numbers and text; drawing is in `draw`.
//!
//! ```text
//! rows     0 1 2 3 4 5 6      all rows, everything unfolded
//! folded       2              a span or a group, by its id: stays while the tree grows around it
//! visible  0 1 2     5 6      rebuilt in one pass when rows or folds change
//! ```

mod group;
mod siblings;

use std::fmt::Write;

use hashbrown::HashMap;

use crate::analysis::overlap::uncovered;
use crate::store::{RowMark, SpanIndex, SpanTree, TraceEntry, TreeRow};
use crate::trace::Span;
use crate::tui::theme::Glyphs;
pub(crate) use group::Group;

/// A group of equal siblings, the same as long as its trace is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GroupId {
    name: u32,
    /// How many groups of this name stand before it: their parents share an id.
    twin: u32,
}

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Span(SpanIndex),
    Group(GroupId),
}

/// A row: a span, or a group with its members below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) item: Item,
    /// How many rows are above it in the tree.
    pub(crate) depth: u32,
    /// Rows of its subtree, itself included.
    pub(crate) subtree: u32,
    /// Spans among them.
    pub(crate) n_spans: u32,
    /// The row it hangs from; `None` at depth 0.
    pub(crate) above: Option<u32>,
    /// Whether no sibling follows it.
    pub(crate) is_last: bool,
    /// Why it stands here; of a group, why its members do.
    pub(crate) mark: RowMark,
}

impl Row {
    /// A row of the tree where there are no groups.
    fn alone(row: &TreeRow) -> Self {
        Self {
            item: Item::Span(row.span),
            depth: row.depth,
            subtree: row.subtree,
            n_spans: row.subtree,
            above: row.parent_row,
            is_last: row.is_last,
            mark: row.mark,
        }
    }

    /// The span, if it stands for one.
    pub(crate) fn span(&self) -> Option<SpanIndex> {
        match self.item {
            Item::Span(span) => Some(span),
            Item::Group(_) => None,
        }
    }
}

/// Whether what is below a row is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fold {
    /// As a group begins.
    #[default]
    Closed,
    Open,
}

/// The rows of one trace.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    all: Vec<Row>,
    /// The row of each span.
    row_of: Vec<u32>,
    /// Whether each span is folded.
    folded: Vec<bool>,
    groups: HashMap<GroupId, Grouped>,
    names: siblings::Names,
    /// What the reader chose for a group, and for all that come.
    folds: HashMap<GroupId, Fold>,
    fold: Fold,
    /// Rows in ascending order.
    visible: Vec<u32>,
}

#[derive(Debug)]
struct Grouped {
    row: u32,
    group: Group,
}

/// The lines that lead to a row, as wide as they are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guide {
    pub(crate) text: String,
    /// The cell of `text` that holds the mark.
    pub(crate) mark_cell: usize,
}

impl Rows {
    /// Takes the trace as it is now. Folds stay with their spans and groups.
    pub(crate) fn rebuild(&mut self, trace: &TraceEntry) {
        let tree = SpanTree::build(trace);
        let siblings::Arranged { rows, groups } = siblings::arrange(&tree, trace, &mut self.names);
        self.all = rows;
        self.row_of.clear();
        self.row_of.resize(tree.rows.len(), 0);
        self.folded.resize(tree.rows.len(), false);
        let mut row_of_group = HashMap::with_capacity(groups.len());
        for (row, number) in self.all.iter().zip(0_u32..) {
            match row.item {
                Item::Span(span) => {
                    if let Some(place) = self.row_of.get_mut(place(span)) {
                        *place = number;
                    }
                }
                Item::Group(id) => {
                    row_of_group.insert(id, number);
                }
            }
        }
        self.refresh_groups(groups, &row_of_group, trace);
        self.refresh_visible();
    }

    /// How many rows are visible.
    pub(crate) fn n_visible(&self) -> usize {
        self.visible.len()
    }

    /// All rows, the hidden ones too.
    pub(crate) fn all(&self) -> &[Row] {
        &self.all
    }

    /// How many spans there are.
    pub(crate) fn n_spans(&self) -> usize {
        self.row_of.len()
    }

    pub(crate) fn group(&self, id: GroupId) -> Option<&Group> {
        Some(&self.groups.get(&id)?.group)
    }

    /// The groups, in no order.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().map(|grouped| &grouped.group)
    }

    /// The group that a row is a member of.
    pub(crate) fn group_of(&self, row: &Row) -> Option<&Group> {
        match self.parent(row)?.item {
            Item::Group(id) => self.group(id),
            Item::Span(_) => None,
        }
    }

    /// A visible row.
    pub(crate) fn at(&self, position: usize) -> Option<&Row> {
        self.tree_row(*self.visible.get(position)?)
    }

    /// The row of a span or group, hidden or not.
    pub(crate) fn row(&self, item: Item) -> Option<&Row> {
        self.tree_row(self.number(item)?)
    }

    /// The place of a row among all rows.
    pub(crate) fn place(&self, item: Item) -> Option<usize> {
        usize::try_from(self.number(item)?).ok()
    }

    /// The place of a span or group among the visible rows; of the fold it is hidden in, if it is
    /// hidden.
    pub(crate) fn position(&self, item: Item) -> Option<usize> {
        let number = self.number(item)?;
        match self.visible.binary_search(&number) {
            Ok(position) => Some(position),
            Err(after) => after.checked_sub(1),
        }
    }

    /// The row above in the tree: a span, or the group it is a member of.
    pub(crate) fn parent(&self, row: &Row) -> Option<&Row> {
        self.tree_row(row.above?)
    }

    /// The span that a row hangs from, past the group it is a member of.
    pub(crate) fn parent_span(&self, row: &Row) -> Option<SpanIndex> {
        let above = self.parent(row)?;
        above.span().or_else(|| self.parent(above)?.span())
    }

    /// The first row below, hidden or not.
    pub(crate) fn first_child(&self, row: &Row) -> Option<&Row> {
        let child = self.all.get(self.place(row.item)? + 1)?;
        (child.depth > row.depth).then_some(child)
    }

    /// The rows below that have no other between, in order.
    pub(crate) fn children(&self, row: &Row) -> impl Iterator<Item = &Row> {
        let first = self.place(row.item).map_or(usize::MAX, |place| place + 1);
        let n_below = count(row.subtree).saturating_sub(1);
        let below = self.all.get(first..first.saturating_add(n_below));
        let mut rest = below.unwrap_or_default();
        std::iter::from_fn(move || {
            let child = rest.first()?;
            rest = rest.get(count(child.subtree)..).unwrap_or_default();
            Some(child)
        })
    }

    pub(crate) fn is_folded(&self, item: Item) -> bool {
        match item {
            Item::Span(span) => self.folded.get(place(span)).copied().unwrap_or(false),
            Item::Group(id) => {
                let fold = self.folds.get(&id).copied().unwrap_or(self.fold);
                fold == Fold::Closed
            }
        }
    }

    /// Folds or unfolds a row. A span without children can be folded too: it is once it has some.
    pub(crate) fn set_fold(&mut self, item: Item, fold: Fold) {
        self.note_fold(item, fold);
        self.refresh_visible();
    }

    /// Unfolds a row with everything below it if anything there is folded, else folds all of it.
    pub(crate) fn toggle_subtree(&mut self, item: Item) {
        let (Some(first), Some(row)) = (self.place(item), self.row(item)) else {
            return;
        };
        let after = first.saturating_add(count(row.subtree));
        let rows = self.all.get(first..after).unwrap_or_default().to_vec();
        let is_any_folded = rows.iter().any(|row| self.is_folded(row.item));
        for row in rows {
            let fold = if is_any_folded || row.subtree <= 1 {
                Fold::Open
            } else {
                Fold::Closed
            };
            self.note_fold(row.item, fold);
        }
        self.refresh_visible();
    }

    /// Folds everything, groups that come later too.
    pub(crate) fn fold_all(&mut self) {
        for row in self.all.iter().filter(|row| row.subtree > 1) {
            let folded = row.span().and_then(|span| self.folded.get_mut(place(span)));
            if let Some(folded) = folded {
                *folded = true;
            }
        }
        self.fold_groups(Fold::Closed);
        self.refresh_visible();
    }

    /// Unfolds everything, groups that come later too.
    pub(crate) fn unfold_all(&mut self) {
        self.folded.fill(false);
        self.fold_groups(Fold::Open);
        self.refresh_visible();
    }

    /// Unfolds whatever hides a row.
    pub(crate) fn reveal(&mut self, item: Item) {
        let mut next = self.row(item).and_then(|row| row.above);
        while let Some(row) = next.and_then(|number| self.tree_row(number)).copied() {
            self.note_fold(row.item, Fold::Open);
            next = row.above;
        }
        self.refresh_visible();
    }

    /// The lines before a visible row in at most so many cells. Where a deep row does not fit, its
    /// depth is said and the nearest ancestors' lines follow: `·17·│ ├─ `.
    pub(crate) fn guide(&self, row: &Row, mark: &str, cells_max: usize, glyphs: Glyphs) -> Guide {
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
        let (Some(row), Some(parent)) = (self.row(Item::Span(span)), trace.span(span)) else {
            return 0;
        };
        let mut children: Vec<SpanIndex> = Vec::new();
        for child in self.children(row) {
            match child.item {
                Item::Span(span) => children.push(span),
                Item::Group(id) => {
                    let members = self.group(id).map(|group| group.members.as_slice());
                    children.extend_from_slice(members.unwrap_or_default());
                }
            }
        }
        // Orphans are not its own.
        let own = children.into_iter().filter_map(|child| trace.span(child));
        let mut own: Vec<Span<'_>> = own
            .filter(|child| child.parent_id() == parent.span_id())
            .collect();
        // Members stand together whatever began between them.
        if !self.groups.is_empty() {
            own.sort_by_key(|child| child.start());
        }
        uncovered(parent, own.into_iter())
    }

    fn note_fold(&mut self, item: Item, fold: Fold) {
        match item {
            Item::Span(span) => {
                if let Some(folded) = self.folded.get_mut(place(span)) {
                    *folded = fold == Fold::Closed;
                }
            }
            Item::Group(id) => {
                self.folds.insert(id, fold);
            }
        }
    }

    fn fold_groups(&mut self, fold: Fold) {
        self.folds.clear();
        self.fold = fold;
    }

    fn number(&self, item: Item) -> Option<u32> {
        match item {
            Item::Span(span) => self.row_of.get(place(span)).copied(),
            Item::Group(id) => Some(self.groups.get(&id)?.row),
        }
    }

    fn tree_row(&self, number: u32) -> Option<&Row> {
        self.all.get(count(number))
    }

    fn refresh_groups(
        &mut self,
        groups: Vec<(GroupId, Vec<SpanIndex>)>,
        row_of_group: &HashMap<GroupId, u32>,
        trace: &TraceEntry,
    ) {
        self.groups.clear();
        if groups.is_empty() {
            return;
        }
        let spans: Vec<Span<'_>> = trace.spans().map(|(_, span)| span).collect();
        for (id, members) in groups {
            let Some(row) = row_of_group.get(&id).copied() else {
                continue;
            };
            let group_row = self.tree_row(row);
            // Orphans hang from a span that is not their parent.
            let own = group_row.filter(|row| row.mark == RowMark::None);
            let parent = own.and_then(|row| self.parent_span(row));
            let parent = parent.and_then(|span| trace.span(span));
            let group = Group::new(id, members, parent, &spans);
            self.groups.insert(id, Grouped { row, group });
        }
    }

    fn refresh_visible(&mut self) {
        self.visible.clear();
        let mut next = 0;
        for (row, number) in self.all.iter().zip(0_u32..) {
            if number < next {
                continue;
            }
            self.visible.push(number);
            let n_skipped = if self.is_folded(row.item) {
                row.subtree.max(1)
            } else {
                1
            };
            next = number.saturating_add(n_skipped);
        }
    }
}

fn place(span: SpanIndex) -> usize {
    count(span.0)
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
