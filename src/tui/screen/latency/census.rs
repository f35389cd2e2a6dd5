//! The requests of one resource, counted: how long they took by how they started, how that is known, how
//! they ended, where the time went. Plain numbers; it says no words.

use std::collections::VecDeque;

use super::border::{Spans, TimeBorder};
use super::cards::{ByContainer, Card, Extent, Resource, RootKey};
use crate::analysis::latency::{ColdCost, Difference, Distribution, TimeShare, cold_cost, compare};
use crate::analysis::{Outcome, StartKind, StartReason};
use crate::store::{ContainerKey, Gone, Store};
use crate::trace::{Text, UnixNanos};

/// So many of the newest requests of a group are looked into for where their time went.
const NEWEST_MAX: usize = 50;

/// A histogram: requests that waited for a start, that did not, and of which it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    #[default]
    Cold,
    Warm,
    Unknown,
}

impl Column {
    pub(super) const ALL: [Self; 3] = [Self::Cold, Self::Warm, Self::Unknown];

    pub(super) fn of(kind: StartKind) -> Self {
        match kind {
            StartKind::Cold | StartKind::ColdShared | StartKind::Restored => Self::Cold,
            StartKind::Prewarmed | StartKind::Warm => Self::Warm,
            StartKind::Unknown => Self::Unknown,
        }
    }

    /// Its place among all.
    pub(super) fn place(self) -> usize {
        match self {
            Self::Cold => 0,
            Self::Warm => 1,
            Self::Unknown => 2,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Cold => "COLD",
            Self::Warm => "WARM",
            Self::Unknown => "UNKNOWN",
        }
    }

    pub(super) fn holds(self, card: &Card) -> bool {
        Self::of(card.kind) == self
    }
}

/// The requests of a histogram.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) all: Distribution,
    /// How many of each kind, those evicted among them.
    pub(super) n_by_kind: Vec<(StartKind, u64)>,
    /// Those of the pre-warmed, which are in the histogram of the warm ones.
    pub(super) prewarmed: Distribution,
    /// Whether some are only a part of their traces.
    pub(super) has_parts: bool,
    /// The newest of them, for where their time went.
    pub(super) newest: Vec<RootKey>,
}

/// What there is to say about a resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    pub(super) series: [Series; 3],
    pub(super) by_reason: Vec<(StartReason, u64)>,
    pub(super) outcomes: Vec<(Outcome, u64)>,
    pub(super) n_open: u64,
    pub(super) cost: Option<ColdCost>,
    pub(super) time: TimeShare,
    pub(super) inits: Distribution,
    pub(super) boots: Distribution,
    pub(super) change: Option<Change>,
    /// When the first of them began and the last one ended, of those that are held.
    pub(super) extent: Option<(UnixNanos, UnixNanos)>,
}

/// What lies before a border and after it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) border: TimeBorder,
    pub(super) rows: Vec<ChangeRow>,
}

/// A percentile of a histogram, before and after.
#[derive(Clone, Debug)]
pub(super) struct ChangeRow {
    pub(super) column: Column,
    pub(super) per_cent: u8,
    pub(super) n_before: u64,
    pub(super) n_after: u64,
    /// `None` where there is nothing on one of the sides.
    pub(super) difference: Option<Difference>,
}

impl Census {
    pub(super) fn series(&self, column: Column) -> &Series {
        let [cold, warm, unknown] = &self.series;
        match column {
            Column::Cold => cold,
            Column::Warm => warm,
            Column::Unknown => unknown,
        }
    }

    /// How many requests, those evicted among them.
    pub(super) fn n(&self) -> u64 {
        self.series.iter().map(|series| series.all.n()).sum()
    }

    /// How many of them were evicted.
    pub(super) fn n_gone(&self) -> u64 {
        self.series.iter().map(|series| series.all.n_gone()).sum()
    }

    pub(super) fn count(resource: &Resource, spans: Option<&Spans>, store: &Store) -> Self {
        let mut counting = Counting::default();
        for (key, card) in &resource.cards {
            counting.add(*key, card, spans);
        }
        let series = Column::ALL.map(|column| counting.series(column, resource, store.gone()));
        let (mut time, mut inits, mut boots) = (counting.time, Vec::new(), Vec::new());
        for key in &counting.containers {
            let Some(container) = store.fleet().container(*key) else {
                continue;
            };
            time.add(TimeShare {
                init_ns: container.init_ns().unwrap_or(0),
                ..TimeShare::default()
            });
            inits.extend(container.init_ns());
            boots.extend(container.boot_ns());
        }
        let [cold, warm, _] = &series;
        counting.outcomes.sort_by_key(|(outcome, _)| *outcome);
        let mut by_reason: Vec<(StartReason, u64)> = counting.by_reason;
        by_reason.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        Self {
            cost: cold_cost(&cold.all, &warm.all),
            outcomes: counting.outcomes,
            by_reason,
            n_open: u64::try_from(resource.n_open).unwrap_or(u64::MAX),
            time,
            inits: Distribution::of(inits),
            boots: Distribution::of(boots),
            change: spans.map(|spans| counting.sides.change(spans.border)),
            extent: counting.extent,
            series,
        }
    }
}

/// What is counted in one pass.
#[derive(Debug, Default)]
struct Counting {
    durations: Vec<(StartKind, Vec<i64>)>,
    by_reason: Vec<(StartReason, u64)>,
    outcomes: Vec<(Outcome, u64)>,
    containers: Vec<ContainerKey>,
    rows: ByContainer,
    newest: [VecDeque<RootKey>; 3],
    extent: Option<(UnixNanos, UnixNanos)>,
    n_parts: [u64; 3],
    time: TimeShare,
    sides: Sides,
}

/// Durations before and after a border, for each histogram.
#[derive(Debug, Default)]
struct Sides {
    before: [Vec<i64>; 3],
    after: [Vec<i64>; 3],
}

impl Counting {
    fn add(&mut self, key: RootKey, card: &Card, spans: Option<&Spans>) {
        let place = Column::of(card.kind).place();
        *of(&mut self.by_reason, card.reason) += 1;
        *of(&mut self.outcomes, card.outcome) += 1;
        of(&mut self.durations, card.kind).push(card.duration);
        if let Some(container) = card.container {
            self.rows.row(container, || {
                self.containers.push(container.key);
                self.containers.len()
            });
        }
        if let Some(newest) = self.newest.get_mut(place) {
            if newest.len() >= NEWEST_MAX {
                newest.pop_front();
            }
            newest.push_back(key);
        }
        let (start, end) = self.extent.unwrap_or((card.start, card.end()));
        self.extent = Some((start.min(card.start), end.max(card.end())));
        if let (Extent::Part, Some(n)) = (card.extent, self.n_parts.get_mut(place)) {
            *n += 1;
        }
        self.time.add(TimeShare {
            init_ns: 0,
            load_ns: card.work.load_ns.unwrap_or(0),
            infer_ns: card.work.infer_ns.unwrap_or(0),
            request_ns: card.duration,
        });
        let side = match spans {
            Some(spans) if spans.before.contains(&card.start) => &mut self.sides.before,
            Some(spans) if spans.after.contains(&card.start) => &mut self.sides.after,
            _ => return,
        };
        if let Some(durations) = side.get_mut(place) {
            durations.push(card.duration);
        }
    }

    fn series(&mut self, column: Column, resource: &Resource, gone: &Gone) -> Series {
        let mut series = Series {
            has_parts: self.n_parts.get(column.place()).is_some_and(|n| *n > 0),
            ..Series::default()
        };
        let mut parts = Vec::new();
        for kind in StartKind::ALL {
            if Column::of(kind) != column {
                continue;
            }
            let durations = std::mem::take(of(&mut self.durations, kind));
            let mut part = Distribution::of(durations);
            let (service, name) = (&*resource.service, &*resource.name);
            if let Some(evicted) = gone.of(Text::from(service), Text::from(name), kind) {
                part = part.with_gone(evicted);
            }
            if part.n() == 0 {
                continue;
            }
            series.n_by_kind.push((kind, part.n()));
            if kind == StartKind::Prewarmed {
                series.prewarmed = part.clone();
            }
            parts.push(part);
        }
        series.all = match parts.len() {
            1 => parts.pop().unwrap_or_default(),
            _ => Distribution::joined(&parts.iter().collect::<Vec<_>>()),
        };
        if let Some(newest) = self.newest.get_mut(column.place()) {
            series.newest = std::mem::take(newest).into();
        }
        series
    }
}

/// What is counted of a kind; there are few kinds, and the first ones are the most frequent.
fn of<K: PartialEq, V: Default>(counted: &mut Vec<(K, V)>, kind: K) -> &mut V {
    let place = counted.iter().position(|(known, _)| *known == kind);
    let place = place.unwrap_or_else(|| {
        counted.push((kind, V::default()));
        counted.len() - 1
    });
    #[expect(
        clippy::indexing_slicing,
        reason = "it was found there, or was put there"
    )]
    &mut counted[place].1
}

impl Sides {
    fn change(self, border: TimeBorder) -> Change {
        let mut rows = Vec::new();
        for ((column, before), after) in Column::ALL.into_iter().zip(self.before).zip(self.after) {
            let (before, after) = (Distribution::of(before), Distribution::of(after));
            if before.n() + after.n() == 0 {
                continue;
            }
            rows.extend([50, 95].map(|per_cent| ChangeRow {
                column,
                per_cent,
                n_before: before.n(),
                n_after: after.n(),
                difference: compare(&before, &after, per_cent),
            }));
        }
        Change { border, rows }
    }
}
