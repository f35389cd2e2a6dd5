//! A set of numbers that are mostly consecutive, as ranges: what has come of a source is one range
//! and one more for each gap.

use std::collections::BTreeMap;

/// Numbers, as ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    /// First to last.
    ranges: BTreeMap<u64, u64>,
}

impl Sequence {
    pub(super) fn contains(&self, number: u64) -> bool {
        let range = self.ranges.range(..=number).next_back();
        range.is_some_and(|(_, last)| *last >= number)
    }

    /// Adds `first..=last`; what it touches becomes one range with it.
    pub(super) fn insert(&mut self, mut first: u64, mut last: u64) {
        let after = last.saturating_add(1);
        while let Some((start, end)) = self.ranges.range(..=after).next_back() {
            let (start, end) = (*start, *end);
            if end.saturating_add(1) < first {
                break;
            }
            self.ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
    }

    /// Takes a number out.
    pub(super) fn remove(&mut self, number: u64) {
        let range = self.ranges.range(..=number).next_back();
        let Some((first, last)) = range.map(|(first, last)| (*first, *last)) else {
            return;
        };
        if last < number {
            return;
        }
        self.ranges.remove(&first);
        if first < number {
            self.ranges.insert(first, number - 1);
        }
        if number < last {
            self.ranges.insert(number + 1, last);
        }
    }

    /// The highest number.
    pub(super) fn last(&self) -> Option<u64> {
        self.ranges.last_key_value().map(|(_, last)| *last)
    }

    /// Takes the lowest range out.
    pub(super) fn drop_lowest(&mut self) {
        self.ranges.pop_first();
    }

    /// How many ranges it takes.
    pub(super) fn n_ranges(&self) -> usize {
        self.ranges.len()
    }

    /// The gaps between the ranges, first to last.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (u64, u64)> {
        let next = self.ranges.keys().skip(1);
        self.ranges
            .values()
            .zip(next)
            .map(|(last, first)| (last.saturating_add(1), first.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_set_of_numbers_holds(
            changes in prop::collection::vec((any::<bool>(), 0_u64..60, 0_u64..6), 0..40),
        ) {
            let mut sequence = Sequence::default();
            let mut set = BTreeSet::new();
            for (is_insert, first, more) in changes {
                if is_insert {
                    sequence.insert(first, first + more);
                    set.extend(first..=first + more);
                } else {
                    sequence.remove(first);
                    set.remove(&first);
                }
            }
            prop_assert_eq!(sequence.last(), set.last().copied());
            for number in 0..70 {
                prop_assert_eq!(sequence.contains(number), set.contains(&number));
            }
            let gaps: BTreeSet<_> = sequence.gaps().flat_map(|(first, last)| first..=last).collect();
            let missing: BTreeSet<_> = match (set.first(), set.last()) {
                (Some(first), Some(last)) => (*first..=*last).filter(|number| !set.contains(number)).collect(),
                _ => BTreeSet::new(),
            };
            prop_assert_eq!(gaps, missing);
        }
    }
}
