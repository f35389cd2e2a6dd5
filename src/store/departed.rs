//! Which spans of a trace have gone on to Datadog. Sends nothing, and does not say what is to go.

use smallvec::SmallVec;

use super::SpanIndex;

/// Spans of a trace: a bit for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SpanSet(SmallVec<[u64; 1]>);

impl SpanSet {
    pub(super) fn contains(&self, span: SpanIndex) -> bool {
        let (word, bit) = Self::place(span);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(super) fn insert(&mut self, span: SpanIndex) {
        let (word, bit) = Self::place(span);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    pub(super) fn remove(&mut self, span: SpanIndex) {
        let (word, bit) = Self::place(span);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn place(span: SpanIndex) -> (usize, u64) {
        (span.place() / 64, 1 << (span.0 % 64))
    }

    fn heap_bytes(&self) -> usize {
        super::entry::spilled_bytes(&self.0)
    }
}

/// What has become of the spans of a trace on their way to Datadog.
#[derive(Clone, Debug, Default)]
pub(super) struct Departed {
    /// Handed over, some time.
    handed: SpanSet,
    /// Arrived there.
    arrived: SpanSet,
    /// Handed over, and not taken.
    returned: SpanSet,
    /// Counted in statistics, by us or by the client.
    counted: SpanSet,
    /// No intake takes them.
    refused: SpanSet,
    /// How often a newer snapshot has taken the place of a span, where that happened.
    versions: Vec<(SpanIndex, u32)>,
    /// An export says that some of it was handed over.
    had_begun: bool,
}

/// Where a span stands on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// It was not to go.
    Here,
    /// It is on its way.
    InFlight,
    /// It was to go, and was not taken.
    Returned,
    /// It is there.
    Arrived,
    /// No intake takes it.
    Refused,
}

impl Departed {
    pub(super) fn leg(&self, span: SpanIndex) -> Leg {
        if self.arrived.contains(span) {
            Leg::Arrived
        } else if self.returned.contains(span) {
            Leg::Returned
        } else if self.refused.contains(span) {
            Leg::Refused
        } else if self.handed.contains(span) {
            Leg::InFlight
        } else {
            Leg::Here
        }
    }

    pub(super) fn hand(&mut self, span: SpanIndex) {
        self.handed.insert(span);
        self.returned.remove(span);
        self.arrived.remove(span);
    }

    pub(super) fn arrive(&mut self, span: SpanIndex) {
        if self.handed.contains(span) {
            self.arrived.insert(span);
            self.returned.remove(span);
        }
    }

    pub(super) fn give_back(&mut self, span: SpanIndex) {
        if self.handed.contains(span) {
            self.returned.insert(span);
            self.arrived.remove(span);
        }
    }

    /// It was handed over and does not go: it stays, as if it had not been.
    pub(super) fn stay(&mut self, span: SpanIndex) {
        self.handed.remove(span);
    }

    /// It was handed over and never goes.
    pub(super) fn refuse(&mut self, span: SpanIndex) {
        self.handed.remove(span);
        self.refused.insert(span);
    }

    /// A newer snapshot has taken its place, and has yet to go.
    pub(super) fn renew(&mut self, span: SpanIndex) {
        let sets = [&mut self.handed, &mut self.arrived, &mut self.returned];
        for set in sets
            .into_iter()
            .chain([&mut self.counted, &mut self.refused])
        {
            set.remove(span);
        }
        let place = self
            .versions
            .binary_search_by_key(&span, |(known, _)| *known);
        match place {
            Ok(place) => {
                if let Some((_, version)) = self.versions.get_mut(place) {
                    *version = version.wrapping_add(1);
                }
            }
            Err(place) => self.versions.insert(place, (span, 1)),
        }
    }

    /// Which snapshot of a span stands here now.
    pub(super) fn version(&self, span: SpanIndex) -> u32 {
        let place = self
            .versions
            .binary_search_by_key(&span, |(known, _)| *known);
        let known = place.ok().and_then(|place| self.versions.get(place));
        known.map_or(0, |(_, version)| *version)
    }

    pub(super) fn count(&mut self, span: SpanIndex) {
        self.counted.insert(span);
    }

    pub(super) fn is_counted(&self, span: SpanIndex) -> bool {
        self.counted.contains(span)
    }

    /// Whether some of it was handed over, now or before it was exported.
    pub(super) fn has_begun(&self) -> bool {
        self.had_begun || !self.handed.is_empty()
    }

    /// Some of it was handed over, as an export says.
    pub(super) fn begin(&mut self) {
        self.had_begun = true;
    }

    pub(super) fn arrived(&self) -> &SpanSet {
        &self.arrived
    }

    pub(super) fn counted(&self) -> &SpanSet {
        &self.counted
    }

    /// How many are to go, and have not arrived.
    pub(super) fn n_missing(&self) -> u32 {
        self.handed.len().saturating_sub(self.arrived.len())
    }

    /// How many came back.
    pub(super) fn n_returned(&self) -> u32 {
        self.returned.len()
    }

    /// As an export says it.
    pub(super) fn tell(&mut self, span: SpanIndex) {
        self.hand(span);
        self.arrive(span);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let sets = [&self.handed, &self.arrived, &self.returned, &self.counted];
        let sets = sets.into_iter().chain([&self.refused]);
        let versions = self.versions.capacity() * size_of::<(SpanIndex, u32)>();
        size_of::<Self>() + 16 + versions + sets.map(SpanSet::heap_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_was_not_taken_may_go_again_and_one_that_arrived_may_not() {
        let mut departed = Departed::default();
        let (first, far) = (SpanIndex(0), SpanIndex(1_000));
        assert_eq!(departed.leg(far), Leg::Here);
        for span in [first, far] {
            departed.hand(span);
            assert_eq!(departed.leg(span), Leg::InFlight);
        }
        departed.arrive(first);
        departed.give_back(far);
        assert_eq!(
            (departed.leg(first), departed.leg(far)),
            (Leg::Arrived, Leg::Returned)
        );
        assert_eq!(departed.n_missing(), 1);
        departed.hand(far);
        assert_eq!(departed.leg(far), Leg::InFlight);
        departed.arrive(far);
        assert_eq!((departed.leg(far), departed.n_missing()), (Leg::Arrived, 0));
    }

    #[test]
    fn a_newer_snapshot_has_yet_to_go_and_to_be_counted() {
        let mut departed = Departed::default();
        let span = SpanIndex(63);
        departed.hand(span);
        departed.count(span);
        departed.arrive(span);
        departed.renew(span);
        assert_eq!(departed.leg(span), Leg::Here);
        assert!(!departed.is_counted(span) && !departed.has_begun());
        assert_eq!(
            (departed.version(span), departed.version(SpanIndex(0))),
            (1, 0)
        );
    }

    #[test]
    fn what_nobody_handed_over_does_not_arrive() {
        let mut departed = Departed::default();
        departed.arrive(SpanIndex(3));
        departed.give_back(SpanIndex(3));
        assert_eq!(departed.leg(SpanIndex(3)), Leg::Here);
    }
}
