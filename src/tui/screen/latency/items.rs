//! What can be selected, how the selection moves, and what an item stands for. Histograms stand side by
//! side, each a column of its own; below them stands one column for all.

use std::ops::Range;

use super::cards::{Card, Extent, Resource, RootKey};
use super::census::Column;
use super::groups::{GroupKey, Scope};
use super::{Aside, Axes, LatencyPane};
use crate::analysis::latency::{Axis, Distribution};
use crate::store::{ContainerKey, TraceKey};
use crate::tui::action::Motion;
use crate::tui::screen::ViewContext;

/// What can be selected. It stays what it is when numbers change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// All requests of a histogram.
    All(Column),
    /// Those of the bucket in which a duration lies.
    Bucket(Column, i64),
    /// An operation.
    Step(Box<str>),
    /// A container over time.
    Lane(ContainerKey),
    /// A container, a GPU, a region.
    Group(GroupKey),
}

/// A histogram as it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    pub(super) column: Column,
    pub(super) axis: Axis,
    pub(super) counts: Vec<u64>,
}

impl Histogram {
    /// Its buckets with what is in them, the shortest durations first.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (&Range<i64>, u64)> {
        self.axis.buckets().iter().zip(self.counts.iter().copied())
    }
}

impl LatencyPane {
    /// The histograms that are shown: the unknown ones only if there are any.
    pub(super) fn columns(&self) -> Vec<Column> {
        let is_shown =
            |column: &Column| *column != Column::Unknown || self.census.series(*column).all.n() > 0;
        Column::ALL.into_iter().filter(is_shown).collect()
    }

    /// Fits the axes into so many rows.
    pub(super) fn lay_out(&mut self, n_buckets_max: usize) {
        let fits = |histogram: &Histogram| histogram.axis.buckets().len() <= n_buckets_max;
        if !self.histograms.is_empty()
            && self.histograms.iter().all(fits)
            && self.n_buckets == n_buckets_max
        {
            return;
        }
        self.n_buckets = n_buckets_max;
        let columns = self.columns();
        let parts: Vec<&Distribution> = columns
            .iter()
            .map(|column| &self.census.series(*column).all)
            .collect();
        let same = Axis::over(&parts, self.scale, n_buckets_max);
        let histograms = columns.iter().zip(&parts).map(|(column, part)| {
            let axis = match self.axes {
                Axes::Same => same.clone(),
                Axes::Own => Axis::over(&[part], self.scale, n_buckets_max),
            };
            Histogram {
                column: *column,
                counts: axis.counts(part),
                axis,
            }
        });
        self.histograms = histograms.collect();
    }

    fn histogram(&self, column: Column) -> Option<&Histogram> {
        let mut histograms = self.histograms.iter();
        histograms.find(|histogram| histogram.column == column)
    }

    /// The bucket in which a duration lies.
    pub(super) fn bucket(&self, column: Column, ns: i64) -> Option<Range<i64>> {
        let axis = &self.histogram(column)?.axis;
        axis.buckets().get(axis.bucket_of(ns)?).cloned()
    }

    /// The items of a histogram from top to bottom; empty buckets are none.
    fn items_of(&self, column: Column) -> Vec<Item> {
        let buckets = self.histogram(column).into_iter();
        let buckets = buckets.flat_map(Histogram::buckets);
        let filled = buckets.filter(|(_, n)| *n > 0);
        let filled = filled.map(|(bucket, _)| Item::Bucket(column, bucket.start));
        let all = (self.census.series(column).all.n() > 0).then_some(Item::All(column));
        all.into_iter().chain(filled).collect()
    }

    /// The items below the histograms.
    fn items_below(&self) -> Vec<Item> {
        if self.scope != Scope::All {
            let rows = self.groups.rows.iter();
            return rows.map(|group| Item::Group(group.key.clone())).collect();
        }
        let steps = self.steps.steps.iter().filter(|step| {
            let medians = step.medians;
            medians.waited_ns > 0 || medians.warm_ns > 0
        });
        let steps = steps.map(|step| Item::Step(step.name.clone()));
        let lanes = self.lanes.rows.iter().map(|lane| Item::Lane(lane.key));
        steps.chain(lanes).collect()
    }

    /// The selected item as it is called now: a bucket by the start of the one that it has become.
    pub(super) fn selected_item(&self) -> Option<Item> {
        let columns = self.columns();
        let known = match self.selected.clone() {
            Some(Item::Bucket(column, ns)) => self
                .bucket(column, ns)
                .map(|bucket| Item::Bucket(column, bucket.start)),
            other => other,
        };
        let all = columns.iter().flat_map(|column| self.items_of(*column));
        let mut all = all.chain(self.items_below());
        match known {
            Some(item) if all.any(|known| known == item) => Some(item),
            _ => {
                let mut all = columns.iter().flat_map(|column| self.items_of(*column));
                all.next()
            }
        }
    }

    /// The histogram that the selection is in, or was in last.
    fn selected_column(&self) -> Column {
        let columns = self.columns();
        let column = match self.selected_item() {
            Some(Item::All(column) | Item::Bucket(column, _)) => column,
            _ => self.last_column,
        };
        let is_filled = |column: &Column| !self.items_of(*column).is_empty();
        let known = columns.iter().find(|known| **known == column);
        known
            .filter(|column| is_filled(column))
            .or_else(|| columns.iter().find(|column| is_filled(column)))
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn move_by(&mut self, motion: Motion) {
        let column = self.selected_column();
        let mut items = self.items_of(column);
        items.extend(self.items_below());
        let selected = self.selected_item();
        let at = items
            .iter()
            .position(|item| Some(item) == selected.as_ref());
        let to = motion.from_row(at.unwrap_or(0), items.len(), self.page.max(2));
        self.last_column = column;
        self.selected = items.get(to).cloned().or(selected);
    }

    /// Goes to the same row of a histogram beside, or to what is nearest to it.
    pub(super) fn move_aside(&mut self, aside: Aside) {
        let Some(Item::All(column) | Item::Bucket(column, _)) = self.selected_item() else {
            return;
        };
        let columns = self.columns();
        let filled: Vec<Column> = columns
            .into_iter()
            .filter(|column| !self.items_of(*column).is_empty())
            .collect();
        let at = filled.iter().position(|known| *known == column);
        let to = at.and_then(|at| match aside {
            Aside::Left => filled.get(at.checked_sub(1)?),
            Aside::Right => filled.get(at + 1),
        });
        let Some(to) = to.copied() else { return };
        let row = match self.selected_item() {
            Some(Item::Bucket(column, ns)) => {
                self.histogram(column).and_then(|it| it.axis.bucket_of(ns))
            }
            _ => None,
        };
        let items = self.items_of(to);
        let distance = |item: &&Item| match (item, row) {
            (Item::All(_), None) => Some(0),
            (Item::Bucket(column, ns), Some(row)) => {
                let place = self.histogram(*column)?.axis.bucket_of(*ns)?;
                Some(place.abs_diff(row))
            }
            _ => None,
        };
        let near = items.iter().filter(|item| distance(item).is_some());
        let nearest = near.min_by_key(|item| distance(item));
        self.selected = nearest.or(items.first()).cloned();
        self.last_column = to;
    }

    /// The names of the containers of an item, as a filter finds them.
    pub(super) fn containers(&self, item: &Item, context: &ViewContext<'_>) -> Vec<Box<str>> {
        match item {
            Item::Lane(key) => {
                let container = context.store.fleet().container(*key);
                container.map(|it| it.name().into()).into_iter().collect()
            }
            Item::Group(key) => {
                let mut groups = self.groups.rows.iter();
                let group = groups.find(|group| group.key == *key);
                group
                    .map(|group| group.containers.clone())
                    .unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Whether the name of the resource alone would find another one too.
    pub(super) fn needs_service(&self, shown: &Resource) -> bool {
        let resources = self.order.iter().filter_map(|it| self.cards.resource(*it));
        resources.filter(|it| it.name == shown.name).count() > 1
    }

    /// Whether every request is only a part of its trace, of which no filter knows.
    pub(super) fn are_all_parts(
        &self,
        column: Option<Column>,
        bucket: Option<&Range<i64>>,
    ) -> bool {
        let mut cards = self.cards_in(column, bucket).peekable();
        cards.peek().is_some() && cards.all(|(_, card)| card.extent == Extent::Part)
    }

    fn cards_in(
        &self,
        column: Option<Column>,
        bucket: Option<&Range<i64>>,
    ) -> impl Iterator<Item = (&RootKey, &Card)> {
        let cards = self.resource().into_iter().flat_map(|it| &it.cards);
        cards.filter(move |(_, card)| {
            column.is_none_or(|column| column.holds(card))
                && bucket.is_none_or(|bucket| bucket.contains(&card.duration))
        })
    }

    /// The trace of the request of a histogram that is nearest to its median.
    pub(super) fn median(&self, column: Column) -> Option<TraceKey> {
        let middle = self.census.series(column).all.percentile(50)?;
        let cards = self.cards_in(Some(column), None);
        let nearest = cards.min_by_key(|(_, card)| card.duration.abs_diff(middle));
        nearest.map(|(key, _)| key.trace)
    }

    /// The trace of the slowest request of an item.
    pub(super) fn slowest(
        &self,
        item: &Item,
        column: Option<Column>,
        bucket: Option<&Range<i64>>,
    ) -> Option<TraceKey> {
        let group = match item {
            Item::Group(key) => self.groups.keys_of(key),
            _ => None,
        };
        let is_its = |card: &Card| match (item, &group) {
            (Item::Group(GroupKey::Nowhere), _) => card.container.is_none(),
            (Item::Lane(key) | Item::Group(GroupKey::Container(key)), _) => {
                card.container.is_some_and(|it| it.key == *key)
            }
            (_, Some(keys)) => card.container.is_some_and(|it| keys.contains(&it.key)),
            _ => true,
        };
        let cards = self.cards_in(column, bucket);
        let own = cards.filter(|(_, card)| is_its(card));
        own.max_by_key(|(_, card)| card.duration)
            .map(|(key, _)| key.trace)
    }
}
