//! The members of groups as workers: the container each ran in, whether it was cold, and how many there
//! should be. It says nothing of the spans of one container.

use hashbrown::HashMap;

use super::rows::{Group, GroupId, Item, Rows};
use crate::analysis::StartKind;
use crate::store::{ContainerKey, LocalRoot, SpanIndex, Store, TraceEntry};
use crate::trace::Span;
use crate::tui::screen::log_row::short_container;
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// Tags and metrics of a parent or root that say how many workers were started. `total_batches`: the
/// fan-out of <https://nexus.keylightdigital.dev/blog/modal-agent-observability>.
const TOTALS: [&str; 1] = ["total_batches"];

/// The name of a container takes no more.
const CONTAINER_CELLS_MAX: usize = 12;

/// A member that began the work of a process: a local root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Worker {
    pub(super) container: Option<ContainerKey>,
    /// The place of its container among those of the trace.
    pub(super) container_place: usize,
    /// Whether it paid for a start, and how.
    pub(super) start: Option<StartKind>,
}

impl Worker {
    /// Its container in a few cells: `ta-9P7M`.
    pub(super) fn container_name(&self, store: &Store, glyphs: Glyphs) -> Option<String> {
        let container = store.fleet().container(self.container?)?;
        let name = short_container(&container.label(), glyphs);
        Some(text::cut(&name, CONTAINER_CELLS_MAX, glyphs).into_owned())
    }

    /// The kind of its start, if it waited for one.
    pub(super) fn start_waited_for(&self) -> Option<StartKind> {
        self.start.filter(|kind| kind.waited())
    }
}

/// What is known of the workers of a trace.
#[derive(Debug, Default)]
pub(super) struct Workers {
    of_span: HashMap<SpanIndex, Worker>,
    /// Members that waited for a start, for each group.
    n_waited: HashMap<(GroupId, StartKind), usize>,
    /// How many members there should be, where that is said and more than there are.
    expected: HashMap<GroupId, u64>,
}

impl Workers {
    /// Looks at the local roots that are members of groups.
    pub(super) fn find(rows: &Rows, trace: &TraceEntry) -> Self {
        let mut found = Self::default();
        let mut groups: Vec<&Group> = rows.groups().collect();
        if groups.is_empty() {
            return found;
        }
        let mut members: Vec<(usize, GroupId, &LocalRoot)> = Vec::new();
        for root in trace.local_roots() {
            let place = rows.place(Item::Span(root.span()));
            let row = place.and_then(|place| rows.all().get(place));
            let group = row.and_then(|row| rows.group_of(row));
            members.extend(
                place
                    .zip(group)
                    .map(|(place, group)| (place, group.id, root)),
            );
        }
        // Containers have their places in display order, not in that of arrival.
        members.sort_unstable_by_key(|(place, _, _)| *place);
        let mut place_of: HashMap<ContainerKey, usize> = HashMap::new();
        for (_, group, root) in members {
            let next = place_of.len();
            let place = |container| *place_of.entry(container).or_insert(next);
            let worker = Worker {
                container: root.container(),
                container_place: root.container().map_or(next, place),
                start: root.start_kind(),
            };
            if let Some(kind) = worker.start_waited_for() {
                *found.n_waited.entry((group, kind)).or_default() += 1;
            }
            found.of_span.insert(root.span(), worker);
        }
        groups.sort_unstable_by_key(|group| rows.place(Item::Group(group.id)));
        found.expect(&groups, rows, trace);
        found
    }

    pub(super) fn worker(&self, span: SpanIndex) -> Option<&Worker> {
        self.of_span.get(&span)
    }

    /// How many members of a group waited for a start, in words: `5 cold`.
    pub(super) fn starts(&self, group: GroupId) -> impl Iterator<Item = String> {
        StartKind::ALL.into_iter().filter_map(move |kind| {
            let n_workers = self.n_waited.get(&(group, kind))?;
            Some(format!("{n_workers} {}", kind.name()))
        })
    }

    /// How many members a group should have, if that is more than are here.
    pub(super) fn expected(&self, group: GroupId) -> Option<u64> {
        self.expected.get(&group).copied()
    }

    /// A parent says how many its workers are, else the root does. Either speaks of one group: the one
    /// with the most workers, of several such the one with the most members.
    fn expect(&mut self, groups: &[&Group], rows: &Rows, trace: &TraceEntry) {
        let mut said: HashMap<SpanIndex, (u64, Vec<&Group>)> = HashMap::new();
        let root = trace.summary().root();
        for group in groups {
            let row = rows.row(Item::Group(group.id));
            let parent = row.and_then(|row| rows.parent_span(row));
            let mut above = parent.into_iter().chain(root);
            let found = above.find_map(|index| Some((index, total(trace.span(index)?)?)));
            if let Some((index, total)) = found {
                let (_, groups) = said.entry(index).or_insert((total, Vec::new()));
                groups.push(group);
            }
        }
        for (total, groups) in said.into_values() {
            let size = |group: &&&Group| {
                let members = group.members.iter();
                let n_workers = members.filter(|span| self.of_span.contains_key(*span));
                (n_workers.count(), group.members.len())
            };
            let Some(group) = groups.iter().rev().max_by_key(size) else {
                continue;
            };
            let n_seen = u64::try_from(group.members.len()).unwrap_or(u64::MAX);
            if total > n_seen {
                self.expected.insert(group.id, total);
            }
        }
    }
}

/// What a span says of the number of its workers.
fn total(span: Span<'_>) -> Option<u64> {
    let said = |name: &&str| {
        let number = span.metric(name);
        let text = span.meta_text(name).and_then(crate::trace::Text::to_str);
        number.or_else(|| text?.trim().parse().ok())
    };
    let total = TOTALS.iter().find_map(said)?;
    // More spans than a trace can have are no number of workers.
    let is_number = (0.0..=f64::from(u32::MAX)).contains(&total) && total.fract() == 0.0;
    is_number.then(|| format!("{total:.0}").parse().ok())?
}
