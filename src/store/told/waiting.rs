//! Spans that arrived before their client told of their time, by the second in which they ended.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Arrived, OperationKey, raise};
use crate::trace::UnixNanos;

/// Groups that may wait, over all seconds: clients tell after twenty seconds.
const WAITING_MAX: usize = 20_000;
/// What one takes beside its texts.
const WAITING_BYTES: usize = 160;

/// A second, and the process whose spans ended in it.
pub(super) type Slot = (i64, Box<str>);

type Groups = BTreeMap<(OperationKey, Box<str>), u64>;

/// The spans that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    slots: BTreeMap<Slot, Groups>,
    n_groups: usize,
    bytes: usize,
}

/// The second in which a span ended.
pub(super) fn second(end: UnixNanos) -> i64 {
    end.0.div_euclid(1_000_000_000)
}

/// The first second that is not told of. Buckets begin and end with whole seconds.
pub(super) fn first_untold(told_until: UnixNanos) -> i64 {
    second(told_until.plus(999_999_999))
}

impl Waiting {
    /// Adds a span. Returns how many others wait no longer, because there was no room for them.
    pub(super) fn add(&mut self, (second, process): (i64, &str), span: Arrived) -> u64 {
        let texts = span.operation.service.len() + span.operation.name.len() + span.resource.len();
        let groups = self.slots.entry((second, process.into())).or_default();
        match groups.entry((span.operation, span.resource)) {
            Entry::Occupied(mut waiting) => {
                raise(waiting.get_mut(), 1);
                return 0;
            }
            Entry::Vacant(place) => place.insert(1),
        };
        self.n_groups += 1;
        self.bytes += WAITING_BYTES + texts;
        let mut n_gone = 0;
        while self.n_groups > WAITING_MAX
            && let Some(n_spans) = self.forget_oldest()
        {
            raise(&mut n_gone, n_spans);
        }
        n_gone
    }

    /// The seconds before one, with their processes.
    pub(super) fn before(&self, second: i64) -> Vec<Slot> {
        let slots = self.slots.range(..(second, Box::default()));
        slots.map(|(slot, _)| slot.clone()).collect()
    }

    /// Takes out what ended in a second.
    pub(super) fn take(&mut self, slot: &Slot) -> Vec<(OperationKey, Box<str>, u64)> {
        let groups = self.slots.remove(slot).unwrap_or_default();
        self.left(&groups);
        let group = |((operation, resource), n_spans)| (operation, resource, n_spans);
        groups.into_iter().map(group).collect()
    }

    /// Gives up the oldest second of a process; how many spans it had.
    pub(super) fn forget_oldest(&mut self) -> Option<u64> {
        let (_, groups) = self.slots.pop_first()?;
        self.left(&groups);
        Some(groups.values().fold(0, |sum, n| sum.saturating_add(*n)))
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn left(&mut self, groups: &Groups) {
        self.n_groups -= groups.len().min(self.n_groups);
        let texts = groups.keys().map(|(operation, resource)| {
            WAITING_BYTES + operation.service.len() + operation.name.len() + resource.len()
        });
        self.bytes = self.bytes.saturating_sub(texts.sum());
    }
}
