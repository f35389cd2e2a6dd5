//! Equal siblings under a row of their own: children of one parent with the same service and name, if
//! there are many. Built without recursion; it decides nothing about what is open.
//!
//! ```text
//! tree                     rows
//! document.process         document.process
//! ├─ page                  ├▾ page ×9          the group stands where its first member stood
//! ├─ parse                 │ ├─ page           members in the order they had, one deeper
//! ├─ page                  │ ├─ page
//! └─ ...                   └─ parse
//! ```
//!
//! A group is known by the parent id that its members name, their service and their name: it stays
//! the same while spans come in around it, and when its parent comes last.

use hashbrown::HashMap;

use super::{GroupId, Item, Row, count, place};
use crate::store::{RowMark, SpanIndex, SpanTree, TraceEntry, TreeRow};
use crate::trace::{Span, SpanId};

/// So many equal siblings stand each for itself; more fold to one row.
const SIBLINGS_MAX: u32 = 8;

/// No group.
const NONE: u32 = u32::MAX;

/// The rows of a trace with its groups.
#[derive(Debug, Default)]
pub(super) struct Arranged {
    pub(super) rows: Vec<Row>,
    /// Each group and its members in display order.
    pub(super) groups: Vec<(GroupId, Vec<SpanIndex>)>,
}

/// The parent id that members name, their service and their name.
type Name = (SpanId, Box<[u8]>, Box<[u8]>);

/// The numbers of the groups that were ever seen in a trace.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Name, u32>,
}

impl Names {
    fn number(&mut self, span: Span<'_>) -> u32 {
        let name = (
            span.parent_id(),
            Box::from(span.service().as_bytes()),
            Box::from(span.name().as_bytes()),
        );
        let next = u32::try_from(self.numbers.len()).unwrap_or(NONE);
        *self.numbers.entry(name).or_insert(next)
    }
}

/// Puts equal siblings under rows of their own.
pub(super) fn arrange(tree: &SpanTree, trace: &TraceEntry, names: &mut Names) -> Arranged {
    let mut found = Siblings::find(&tree.rows, trace);
    if found.members.is_empty() {
        let rows = tree.rows.iter().map(Row::alone).collect();
        return Arranged {
            rows,
            ..Arranged::default()
        };
    }
    found.name(trace, &tree.rows, names);
    let mut arranger = Arranger {
        tree: &tree.rows,
        siblings: &found,
        rows: Vec::with_capacity(tree.rows.len() + found.members.len()),
        stack: Vec::new(),
    };
    arranger.walk();
    let rows = arranger.finish();
    let span = |number: &u32| tree.rows.get(count(*number)).map(|row| row.span);
    let members = found.members.iter();
    let members = members.map(|numbers| numbers.iter().filter_map(span).collect());
    Arranged {
        rows,
        groups: found.ids.into_iter().zip(members).collect(),
    }
}

/// Which rows of a tree are equal siblings of many.
struct Siblings {
    /// The group of each row of the tree.
    group_of: Vec<u32>,
    /// Rows of the tree, for each group.
    members: Vec<Vec<u32>>,
    ids: Vec<GroupId>,
}

impl Siblings {
    fn find(tree: &[TreeRow], trace: &TraceEntry) -> Self {
        let mut found = Self {
            group_of: Vec::new(),
            members: Vec::new(),
            ids: Vec::new(),
        };
        // Roots have no parent: they share the place after the last row.
        let slot = |row: &TreeRow| row.parent_row.map_or(tree.len(), count);
        let mut n_children = vec![0_u32; tree.len() + 1];
        for row in tree {
            if let Some(n_children) = n_children.get_mut(slot(row)) {
                *n_children += 1;
            }
        }
        if n_children
            .iter()
            .all(|n_children| *n_children <= SIBLINGS_MAX)
        {
            return found;
        }
        let has_many = |row: &TreeRow| n_children.get(slot(row)).is_some_and(|n| *n > SIBLINGS_MAX);
        // One span after the other is much quicker than each by its index.
        let spans: Vec<Span<'_>> = trace.spans().map(|(_, span)| span).collect();
        let mut kinds = HashMap::new();
        let mut kind_of = vec![NONE; tree.len()];
        let mut sizes: Vec<u32> = Vec::new();
        for (row, kind_of) in tree.iter().zip(&mut kind_of) {
            // Who is whose sibling in a circle is only a way to show it.
            if row.mark == RowMark::Cycle || !has_many(row) {
                continue;
            }
            let Some(span) = spans.get(place(row.span)) else {
                continue;
            };
            let (service, name) = (span.service().as_bytes(), span.name().as_bytes());
            let kind = (slot(row), span.parent_id(), service, name);
            let next = u32::try_from(sizes.len()).unwrap_or(NONE);
            *kind_of = *kinds.entry(kind).or_insert(next);
            match sizes.get_mut(count(*kind_of)) {
                Some(size) => *size += 1,
                None => sizes.push(1),
            }
        }
        found.take(&kind_of, &sizes);
        found
    }

    /// Keeps the kinds of which there are many.
    fn take(&mut self, kind_of: &[u32], sizes: &[u32]) {
        if sizes.iter().all(|size| *size <= SIBLINGS_MAX) {
            return;
        }
        let mut group_of_kind = vec![NONE; sizes.len()];
        self.group_of = vec![NONE; kind_of.len()];
        for ((kind, group_of), number) in kind_of.iter().zip(&mut self.group_of).zip(0..) {
            let Some(size) = sizes.get(count(*kind)).filter(|size| **size > SIBLINGS_MAX) else {
                continue;
            };
            let Some(group) = group_of_kind.get_mut(count(*kind)) else {
                continue;
            };
            if *group == NONE {
                *group = u32::try_from(self.members.len()).unwrap_or(NONE);
                self.members.push(Vec::with_capacity(count(*size)));
            }
            *group_of = *group;
            if let Some(members) = self.members.get_mut(count(*group)) {
                members.push(number);
            }
        }
    }

    /// Gives each group its id. Where parents share an id, so may groups; they are told apart by
    /// their order.
    fn name(&mut self, trace: &TraceEntry, tree: &[TreeRow], names: &mut Names) {
        let mut n_twins: HashMap<u32, u32> = HashMap::new();
        for members in &self.members {
            let first = members.first().and_then(|number| tree.get(count(*number)));
            let span = first.and_then(|row| trace.span(row.span));
            let name = span.map_or(NONE, |span| names.number(span));
            let n_before = n_twins.entry(name).or_default();
            self.ids.push(GroupId {
                name,
                twin: *n_before,
            });
            *n_before += 1;
        }
    }

    fn group(&self, number: u32) -> Option<u32> {
        let group = self.group_of.get(count(number)).copied();
        group.filter(|group| *group != NONE)
    }

    fn members(&self, group: u32) -> &[u32] {
        let members = self.members.get(count(group));
        members.map(Vec::as_slice).unwrap_or_default()
    }
}

/// What stands in a row to come.
#[derive(Clone, Copy)]
enum Subject {
    /// A row of the tree.
    Span(u32),
    Group(u32),
}

struct Pending {
    subject: Subject,
    depth: u32,
    parent_row: Option<u32>,
    is_last: bool,
}

/// A depth-first walk with a stack of its own.
struct Arranger<'a> {
    tree: &'a [TreeRow],
    siblings: &'a Siblings,
    rows: Vec<Row>,
    stack: Vec<Pending>,
}

impl Arranger<'_> {
    fn walk(&mut self) {
        self.expect_children(0, self.tree.len(), None, 0);
        // Roots do not hang from anything.
        for pending in &mut self.stack {
            pending.is_last = true;
        }
        while let Some(next) = self.stack.pop() {
            let number = u32::try_from(self.rows.len()).unwrap_or(NONE);
            let depth = next.depth.saturating_add(1);
            match next.subject {
                Subject::Span(place) => {
                    let Some(row) = self.tree.get(count(place)) else {
                        continue;
                    };
                    self.rows.push(Row {
                        depth: next.depth,
                        subtree: 1,
                        n_spans: 1,
                        above: next.parent_row,
                        is_last: next.is_last,
                        ..Row::alone(row)
                    });
                    let after = count(place).saturating_add(count(row.subtree));
                    self.expect_children(count(place) + 1, after, Some(number), depth);
                }
                Subject::Group(group) => self.visit_group(group, number, &next),
            }
        }
    }

    fn visit_group(&mut self, group: u32, number: u32, pending: &Pending) {
        let members = self.siblings.members(group);
        let first = members
            .first()
            .and_then(|place| self.tree.get(count(*place)));
        let id = self.siblings.ids.get(count(group));
        let (Some(first), Some(id)) = (first, id) else {
            return;
        };
        self.rows.push(Row {
            item: Item::Group(*id),
            depth: pending.depth,
            subtree: 1,
            n_spans: 0,
            above: pending.parent_row,
            is_last: pending.is_last,
            mark: first.mark,
        });
        let depth = pending.depth.saturating_add(1);
        let members = members
            .iter()
            .rev()
            .zip(0..)
            .map(|(place, n_after)| Pending {
                subject: Subject::Span(*place),
                depth,
                parent_row: Some(number),
                is_last: n_after == 0,
            });
        self.stack.extend(members);
    }

    /// Puts the rows between two places of the tree that have no other above them on the stack, the
    /// first on top.
    fn expect_children(&mut self, from: usize, to: usize, parent_row: Option<u32>, depth: u32) {
        let bottom = self.stack.len();
        let mut place = from;
        while let Some(row) = self.tree.get(place).filter(|_| place < to) {
            let number = u32::try_from(place).unwrap_or(NONE);
            let subject = match self.siblings.group(number) {
                None => Some(Subject::Span(number)),
                Some(group) => {
                    let is_first = self.siblings.members(group).first() == Some(&number);
                    is_first.then_some(Subject::Group(group))
                }
            };
            if let Some(subject) = subject {
                self.stack.push(Pending {
                    subject,
                    depth,
                    parent_row,
                    is_last: false,
                });
            }
            place = place.saturating_add(count(row.subtree).max(1));
        }
        if let Some(pending) = self.stack.get_mut(bottom..) {
            if let Some(last) = pending.last_mut() {
                last.is_last = true;
            }
            pending.reverse();
        }
    }

    fn finish(mut self) -> Vec<Row> {
        for place in (0..self.rows.len()).rev() {
            let Some(row) = self.rows.get(place).copied() else {
                continue;
            };
            if let Some(parent) = row.above.and_then(|row| self.rows.get_mut(count(row))) {
                parent.subtree += row.subtree;
                parent.n_spans += row.n_spans;
            }
        }
        self.rows
    }
}
