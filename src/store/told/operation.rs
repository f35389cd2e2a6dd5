//! What was told of an operation of a service, and what arrived of it, resource by resource.

use std::collections::BTreeMap;

use super::{Compared, raise};
use crate::stats::StatsCounts;

/// A service and one of its operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationKey {
    /// The service.
    pub service: Box<str>,
    /// The operation.
    pub name: Box<str>,
}

/// What was told of a resource, and what arrived of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The type of the spans, as it was told first.
    pub kind: Box<str>,
    /// What the clients counted.
    pub counts: StatsCounts,
    /// Spans that arrived of times the clients have told of.
    pub n_arrived: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        if self.kind.is_empty() {
            self.kind.clone_from(&other.kind);
        }
        self.counts.add(&other.counts);
        raise(&mut self.n_arrived, other.n_arrived);
    }
}

/// The resources of an operation.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    resources: BTreeMap<Box<str>, Tally>,
    sums: Sums,
    bytes: usize,
}

/// Sums over the resources, kept up to date with each.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    hits: u64,
    n_arrived: u64,
    /// Of each resource what is missing of it.
    n_missing: u64,
    /// Resources that were told and of which nothing arrived.
    n_unseen: u64,
    /// Resources that arrived and were not told.
    n_untold: u64,
}

impl Sums {
    fn of(tally: &Tally) -> Self {
        let (hits, n_arrived) = (tally.counts.hits, tally.n_arrived);
        Self {
            hits,
            n_arrived,
            n_missing: hits.saturating_sub(n_arrived),
            n_unseen: u64::from(hits > 0 && n_arrived == 0),
            n_untold: u64::from(hits == 0 && n_arrived > 0),
        }
    }

    fn each(&mut self, other: &Self, change: fn(u64, u64) -> u64) {
        for (ours, theirs) in [
            (&mut self.hits, other.hits),
            (&mut self.n_arrived, other.n_arrived),
            (&mut self.n_missing, other.n_missing),
            (&mut self.n_unseen, other.n_unseen),
            (&mut self.n_untold, other.n_untold),
        ] {
            *ours = change(*ours, theirs);
        }
    }
}

/// What a group takes beside its texts and sketches, its places in maps and queues counted.
const GROUP_BYTES: usize = 4 * size_of::<Tally>();

impl Operation {
    /// The resources, by name.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.resources
            .iter()
            .map(|(resource, tally)| (&**resource, tally))
    }

    /// Whether the clients change the resources before they count, as those of SQL: then some were
    /// told that never arrived, and others arrived that were not told. Only the operation as a whole
    /// can be compared.
    pub fn has_other_resources(&self) -> bool {
        self.sums.n_unseen > 0 && self.sums.n_untold > 0
    }

    /// Hits without a span.
    pub(super) fn n_missing(&self) -> u64 {
        if self.has_other_resources() {
            self.sums.hits.saturating_sub(self.sums.n_arrived)
        } else {
            self.sums.n_missing
        }
    }

    pub(super) fn compared<'a>(&'a self, operation: &'a OperationKey) -> Vec<Compared<'a>> {
        if self.has_other_resources() {
            return vec![Compared {
                operation,
                resource: None,
                hits: self.sums.hits,
                n_arrived: self.sums.n_arrived,
                tally: None,
            }];
        }
        let resources = self.resources();
        let compared = resources.map(|(resource, tally)| Compared {
            operation,
            resource: Some(resource),
            hits: tally.counts.hits,
            n_arrived: tally.n_arrived,
            tally: Some(tally),
        });
        compared.collect()
    }

    pub(super) fn has(&self, resource: &str) -> bool {
        self.resources.contains_key(resource)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    pub(super) fn change(&mut self, resource: Box<str>, change: impl FnOnce(&mut Tally)) {
        let texts = resource.len() * 2;
        let is_new = !self.has(&resource);
        let tally = self.resources.entry(resource).or_default();
        let bytes = tally.counts.heap_bytes() + tally.kind.len();
        self.sums.each(&Sums::of(tally), u64::saturating_sub);
        change(tally);
        self.sums.each(&Sums::of(tally), u64::saturating_add);
        let after = tally.counts.heap_bytes() + tally.kind.len();
        let new = if is_new { GROUP_BYTES + texts } else { 0 };
        self.bytes = (self.bytes + after + new).saturating_sub(bytes);
    }

    pub(super) fn forget(&mut self, resource: &str) {
        let Some(tally) = self.resources.remove(resource) else {
            return;
        };
        self.sums.each(&Sums::of(&tally), u64::saturating_sub);
        let bytes = tally.counts.heap_bytes() + tally.kind.len() + GROUP_BYTES;
        self.bytes = self.bytes.saturating_sub(bytes + resource.len() * 2);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
