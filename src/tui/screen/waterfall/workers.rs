//! The members of groups as workers: the container each ran in, whether it was cold, and how many there
//! should be. It says nothing of the spans of one container.

use hashbrown::HashMap;

use super::rows::{Group, GroupId, Item, Rows};
use crate::store::{SpanIndex, Store, TraceEntry};
use crate::trace::{Span, tag};
use crate::tui::screen::log_row::short_container;
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// Tags and metrics of a parent or root that say how many workers were started. `total_batches`: the
/// fan-out of <https://nexus.keylightdigital.dev/blog/modal-agent-observability>.
const TOTALS: [&str; 1] = ["total_batches"];

/// The name of a container takes no more.
const CONTAINER_CELLS_MAX: usize = 12;

/// A member that ran in a container of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Worker {
    /// Its container's name.
    pub(super) container: Option<Box<str>>,
    /// The place of its container among those of the trace.
    pub(super) container_place: usize,
    pub(super) is_cold: bool,
}

impl Worker {
    /// Its container in a few cells: `ta-9P7M`.
    pub(super) fn short(&self, glyphs: Glyphs) -> Option<String> {
        let name = short_container(self.container.as_deref()?, glyphs);
        Some(text::cut(&name, CONTAINER_CELLS_MAX, glyphs).into_owned())
    }
}

/// What is known of the workers of a trace.
#[derive(Debug, Default)]
pub(super) struct Workers {
    of_span: HashMap<SpanIndex, Worker>,
    /// Members that were cold, for each group.
    n_cold: HashMap<GroupId, usize>,
    /// How many members there should be, where that is said and more than there are.
    expected: HashMap<GroupId, u64>,
}

impl Workers {
    /// Looks at the members of all groups.
    pub(super) fn find(rows: &Rows, trace: &TraceEntry, store: &Store) -> Self {
        let mut groups: Vec<&Group> = rows.groups().collect();
        // In display order, so that containers have their places whatever the order of groups.
        groups.sort_by_key(|group| rows.place(Item::Group(group.id)));
        let mut found = Self::default();
        let mut place_of: HashMap<Box<str>, usize> = HashMap::new();
        for group in &groups {
            for span in &group.members {
                let Some(mut worker) = worker(store, trace, *span) else {
                    continue;
                };
                if let Some(container) = &worker.container {
                    let next = place_of.len();
                    worker.container_place = *place_of.entry(container.clone()).or_insert(next);
                }
                *found.n_cold.entry(group.id).or_default() += usize::from(worker.is_cold);
                found.of_span.insert(*span, worker);
            }
        }
        found.expect(&groups, rows, trace);
        found
    }

    pub(super) fn worker(&self, span: SpanIndex) -> Option<&Worker> {
        self.of_span.get(&span)
    }

    pub(super) fn n_cold(&self, group: GroupId) -> usize {
        self.n_cold.get(&group).copied().unwrap_or(0)
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

/// The one place that says what is known of a member.
fn worker(_store: &Store, trace: &TraceEntry, span: SpanIndex) -> Option<Worker> {
    let span = trace.span(span)?;
    let names = tag::CONTAINER.iter();
    let container = names.filter_map(|name| span.meta_text(name)).next()?;
    Some(Worker {
        container: Some(container.to_lossy().into()),
        container_place: 0,
        is_cold: false,
    })
}
