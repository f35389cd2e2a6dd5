//! The spans of a trace as a tree, flat in display order; built without recursion from any arrival
//! order, with orphans, cycles, repeated ids and several roots.
//!
//! ```text
//! row  depth  subtree  parent_row
//!  0     0       4         -       document.process
//!  1     1       1         0       ├─ document.parse
//!  2     1       2         0       └─ document.extract
//!  3     2       1         2          └─ llm.generate
//! ```
//!
//! A fold skips `subtree` rows. Siblings stand by start, then by id, so that no order of arrival
//! shows; orphans stand after the root's own children.

use std::collections::HashSet;

use super::{SpanIndex, TraceEntry};
use crate::trace::{Span, SpanId, UnixNanos};

#[cfg(test)]
mod tests;

/// Why a row stands where it does, if not for its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RowMark {
    /// It is where its parent id puts it.
    #[default]
    None,
    /// Its parent is not here; it hangs from the root, if there is one.
    Orphan,
    /// It and its ancestors form a circle; the earliest of them stands as a root.
    Cycle,
}

/// A row of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// The span shown.
    pub span: SpanIndex,
    /// How many ancestors it has.
    pub depth: u32,
    /// Rows of its subtree, itself included.
    pub subtree: u32,
    /// The row of its parent; `None` at depth 0.
    pub parent_row: Option<u32>,
    /// Whether no sibling follows it.
    pub is_last: bool,
    /// Why it stands here.
    pub mark: RowMark,
}

/// All rows of a trace, everything unfolded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanTree {
    /// The rows in display order.
    pub rows: Vec<TreeRow>,
}

impl SpanTree {
    /// Builds the tree of a trace.
    pub fn build(trace: &TraceEntry) -> Self {
        let nodes: Vec<Node> = trace.spans().map(|(_, span)| Node::new(span)).collect();
        let links = Links::find(&nodes);
        let mut walk = Walk::new(&links, nodes.len());
        for root in &links.roots {
            walk.visit(*root, RowMark::None);
        }
        if links.roots.is_empty() {
            for orphan in &links.orphans {
                walk.visit(*orphan, RowMark::Orphan);
            }
        }
        // What is left hangs from circles, each with whole trees on it.
        if walk.rows.len() < nodes.len() {
            let circles = walk.circles(&nodes);
            for span in links.by_start.iter().filter(|span| circles.contains(span)) {
                walk.visit(*span, RowMark::Cycle);
            }
        }
        walk.finish()
    }
}

struct Node {
    id: SpanId,
    parent: SpanId,
    start: UnixNanos,
    is_root: bool,
}

impl Node {
    fn new(span: Span<'_>) -> Self {
        Self {
            id: span.span_id(),
            parent: span.parent_id(),
            start: span.start(),
            is_root: span.is_root(),
        }
    }
}

/// Who is whose child, as slices of one vector.
#[derive(Default)]
struct Links {
    by_start: Vec<u32>,
    parents: Vec<Option<u32>>,
    roots: Vec<u32>,
    orphans: Vec<u32>,
    /// Children of span `i`: `children[firsts[i]..firsts[i + 1]]`.
    firsts: Vec<u32>,
    children: Vec<u32>,
    is_orphan: Vec<bool>,
}

impl Links {
    fn find(nodes: &[Node]) -> Self {
        let n_nodes = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        let node = |index: &u32| usize::try_from(*index).ok().and_then(|at| nodes.get(at));
        let mut by_start: Vec<u32> = (0..n_nodes).collect();
        by_start.sort_by_key(|index| node(index).map(|node| (node.start, node.id)));
        let mut by_id: Vec<(SpanId, UnixNanos, u32)> = nodes
            .iter()
            .zip(0..)
            .map(|(node, index)| (node.id, node.start, index))
            .collect();
        by_id.sort_unstable();

        let parent_of: Vec<Option<u32>> = nodes
            .iter()
            .map(|node| parent_index(&by_id, node))
            .collect();
        let parent = |index: &u32| {
            let at = usize::try_from(*index).ok()?;
            parent_of.get(at).copied().flatten()
        };
        let mut links = Self {
            is_orphan: nodes
                .iter()
                .zip(&parent_of)
                .map(|(node, parent)| !node.is_root && parent.is_none())
                .collect(),
            ..Self::default()
        };
        let mut adopted = Vec::new();
        for index in &by_start {
            match (node(index), parent(index)) {
                (Some(node), _) if node.is_root => links.roots.push(*index),
                (Some(_), None) => links.orphans.push(*index),
                (_, Some(parent)) => adopted.push((parent, *index)),
                (None, None) => {}
            }
        }
        if let Some(root) = links.roots.first() {
            adopted.extend(links.orphans.iter().map(|orphan| (*root, *orphan)));
        }
        // Stable: children stay in order of start, orphans after the root's own children.
        adopted.sort_by_key(|(parent, _)| *parent);
        let mut firsts = Vec::with_capacity(nodes.len() + 1);
        let mut next = 0;
        for index in 0..=n_nodes {
            let passed = adopted.get(next..).unwrap_or_default();
            next += passed
                .iter()
                .take_while(|(parent, _)| *parent < index)
                .count();
            firsts.push(u32::try_from(next).unwrap_or(u32::MAX));
        }
        links.firsts = firsts;
        links.children = adopted.into_iter().map(|(_, child)| child).collect();
        links.by_start = by_start;
        links.parents = parent_of;
        links
    }

    /// The earliest span of the circle that a span's ancestors run into. Two walkers, one of them
    /// twice as fast, meet in it.
    fn earliest_of_circle(&self, nodes: &[Node], span: u32) -> u32 {
        let up = |index: u32| self.parent(index).unwrap_or(index);
        let (mut slow, mut fast) = (up(span), up(up(span)));
        while slow != fast {
            (slow, fast) = (up(slow), up(up(fast)));
        }
        let rank = |index: u32| {
            let node = nodes.get(usize::try_from(index).ok()?)?;
            Some((node.start, node.id))
        };
        let (mut earliest, mut member) = (slow, up(slow));
        while member != slow {
            if rank(member) < rank(earliest) {
                earliest = member;
            }
            member = up(member);
        }
        earliest
    }

    fn parent(&self, index: u32) -> Option<u32> {
        let place = usize::try_from(index).ok()?;
        self.parents.get(place).copied().flatten()
    }

    fn children(&self, index: u32) -> &[u32] {
        let at = |index: usize| {
            self.firsts
                .get(index)
                .and_then(|first| usize::try_from(*first).ok())
        };
        let range = usize::try_from(index)
            .ok()
            .and_then(|index| Some(at(index)?..at(index + 1)?));
        range
            .and_then(|range| self.children.get(range))
            .unwrap_or_default()
    }

    fn is_orphan(&self, index: u32) -> bool {
        let place = usize::try_from(index).ok();
        place
            .and_then(|place| self.is_orphan.get(place))
            .copied()
            .unwrap_or(false)
    }
}

/// The parent among spans that may share its id: the last to start no later than the child, else
/// the first.
fn parent_index(by_id: &[(SpanId, UnixNanos, u32)], child: &Node) -> Option<u32> {
    if child.is_root {
        return None;
    }
    let wanted = (child.parent, child.start);
    let n_up_to = by_id.partition_point(|(id, start, _)| (*id, *start) <= wanted);
    let is_parent = |candidate: &&(SpanId, UnixNanos, u32)| candidate.0 == child.parent;
    let earlier = n_up_to.checked_sub(1).and_then(|last| by_id.get(last));
    let earlier = earlier.filter(is_parent);
    let chosen = earlier.or_else(|| by_id.get(n_up_to).filter(is_parent))?;
    Some(chosen.2)
}

/// A depth-first walk with a stack of its own.
struct Walk<'a> {
    links: &'a Links,
    rows: Vec<TreeRow>,
    visited: Vec<bool>,
}

/// A span to be visited: its place in the tree.
struct Pending {
    span: u32,
    depth: u32,
    parent_row: Option<u32>,
    is_last: bool,
    mark: RowMark,
}

impl<'a> Walk<'a> {
    fn new(links: &'a Links, n_nodes: usize) -> Self {
        Self {
            links,
            rows: Vec::with_capacity(n_nodes),
            visited: vec![false; n_nodes],
        }
    }

    fn visit(&mut self, root: u32, mark: RowMark) {
        let mut stack = vec![Pending {
            span: root,
            depth: 0,
            parent_row: None,
            is_last: true,
            mark,
        }];
        while let Some(next) = stack.pop() {
            let place = usize::try_from(next.span).unwrap_or(usize::MAX);
            match self.visited.get_mut(place) {
                Some(visited) if !*visited => *visited = true,
                _ => continue,
            }
            let row = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
            self.rows.push(TreeRow {
                span: SpanIndex(next.span),
                depth: next.depth,
                subtree: 1,
                parent_row: next.parent_row,
                is_last: next.is_last,
                mark: next.mark,
            });
            // The root of a circle is its own descendant's child: not to be shown again.
            let children = self.links.children(next.span).iter().rev();
            let pending =
                children
                    .filter(|child| **child != root)
                    .enumerate()
                    .map(|(n_after, child)| Pending {
                        span: *child,
                        depth: next.depth.saturating_add(1),
                        parent_row: Some(row),
                        is_last: n_after == 0,
                        mark: if self.adopted(next.depth, *child) {
                            RowMark::Orphan
                        } else {
                            RowMark::None
                        },
                    });
            stack.extend(pending);
        }
    }

    /// The earliest span of each circle. Circles are found by what hangs from them, in another order
    /// than that in which they stand; so a walk beforehand finds them.
    fn circles(&self, nodes: &[Node]) -> HashSet<u32> {
        let mut scout = Walk {
            links: self.links,
            rows: Vec::new(),
            visited: self.visited.clone(),
        };
        let mut circles = HashSet::new();
        for span in &self.links.by_start {
            if !scout.is_visited(*span) {
                let earliest = self.links.earliest_of_circle(nodes, *span);
                scout.visit(earliest, RowMark::Cycle);
                circles.insert(earliest);
            }
        }
        circles
    }

    fn is_visited(&self, span: u32) -> bool {
        let place = usize::try_from(span).ok();
        place
            .and_then(|place| self.visited.get(place))
            .copied()
            .unwrap_or(true)
    }

    /// Whether a child hangs from the root only because its own parent is missing.
    fn adopted(&self, parent_depth: u32, child: u32) -> bool {
        parent_depth == 0 && self.links.is_orphan(child)
    }

    fn finish(mut self) -> SpanTree {
        for place in (0..self.rows.len()).rev() {
            let Some(row) = self.rows.get(place).copied() else {
                continue;
            };
            let parent = row
                .parent_row
                .and_then(|parent| usize::try_from(parent).ok());
            if let Some(parent) = parent.and_then(|parent| self.rows.get_mut(parent)) {
                parent.subtree += row.subtree;
            }
        }
        SpanTree { rows: self.rows }
    }
}
