//! What is drawn of a group and costs a look at all its members: where they run, and whether the filter
//! finds one. Kept until the trace, the axis or the filter changes; of groups off the screen nothing is
//! computed.

use hashbrown::HashMap;

use super::rows::{Group, GroupId};
use crate::query::Query;
use crate::store::{RowMark, Store, TraceEntry};
use crate::tui::widget::bar::{BarKind, Scale};

/// How dark a cell can be.
pub(super) const LEVEL_MAX: u32 = 3;

/// The pictures of the groups that were on the screen.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    axis: Option<(u64, Scale)>,
    levels: HashMap<GroupId, Vec<u8>>,
    filter: Option<(u64, String)>,
    found: HashMap<GroupId, bool>,
}

/// What pictures are of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) store: &'a Store,
    pub(super) trace: &'a TraceEntry,
    pub(super) revision: u64,
    pub(super) scale: Scale,
    pub(super) filter: &'a Query,
}

impl Pictures {
    /// Computes what is to be drawn of a group, unless that was done.
    pub(super) fn prepare(&mut self, group: &Group, mark: RowMark, subject: Subject<'_>) {
        let Subject {
            store,
            trace,
            revision,
            scale,
            filter,
        } = subject;
        if self.axis != Some((revision, scale)) {
            self.axis = Some((revision, scale));
            self.levels.clear();
        }
        let levels = self.levels.entry(group.id);
        levels.or_insert_with(|| levels_of(group, trace, scale));
        let is_same = |known: &(u64, String)| known.0 == revision && known.1 == filter.text();
        if !self.filter.as_ref().is_some_and(is_same) {
            self.filter = Some((revision, filter.text().to_owned()));
            self.found.clear();
        }
        self.found.entry(group.id).or_insert_with(|| {
            let mut spans = group.members.iter();
            filter.is_empty() || spans.any(|span| filter.matches_row(store, trace, *span, mark))
        });
    }

    /// How dark each cell of the column is, from 0, where no member runs, to [`LEVEL_MAX`].
    pub(super) fn levels(&self, group: GroupId) -> &[u8] {
        let levels = self.levels.get(&group);
        levels.map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the filter finds a member.
    pub(super) fn is_found(&self, group: GroupId) -> bool {
        self.found.get(&group).copied().unwrap_or(true)
    }
}

/// Members that run in each cell, as thirds of the most that run in one.
fn levels_of(group: &Group, trace: &TraceEntry, scale: Scale) -> Vec<u8> {
    let width = usize::from(scale.width);
    let mut changes = vec![0_i64; width + 1];
    for span in group.members.iter().filter_map(|span| trace.span(*span)) {
        let bar = scale.bar(span.start(), span.end(), BarKind::Closed);
        let (first, after) = bar.cells();
        for (cell, change) in [(first, 1), (after, -1)] {
            if let Some(changes) = changes.get_mut(usize::from(cell)) {
                *changes += change;
            }
        }
    }
    let running = changes.iter().scan(0, |running, change| {
        *running += change;
        Some(*running)
    });
    let running: Vec<i64> = running.take(width).collect();
    let most = running.iter().copied().max().unwrap_or(0).max(1);
    let level = |running: &i64| {
        let thirds = running * i64::from(LEVEL_MAX);
        u8::try_from((thirds + most - 1) / most).unwrap_or(0)
    };
    running.iter().map(level).collect()
}
