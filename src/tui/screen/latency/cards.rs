//! A few facts of each request that is held, by resource, so that counting walks no spans. Nothing is read
//! before the screen is opened; from then on only traces that came or grew are read again.

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;

use super::work::{Work, Works};
use crate::analysis::{Outcome, StartKind, StartReason, outcome};
use crate::store::{ContainerKey, LocalRoot, SpanIndex, Store, TraceEntry, TraceKey};
use crate::trace::{Span, UnixNanos};
use crate::tui::screen::unread::{Kept, Progress, Unread};

/// Resources that are told apart; the others are one.
const RESOURCES_MAX: usize = 1_000;
/// Names longer than this are among the others: they are kept beside the budget.
const NAME_BYTES_MAX: usize = 512;
/// Of a trace no more requests are read.
const ROOTS_MAX: usize = 1_000;
/// Of a trace with more requests, each is asked for its own error alone.
const OUTCOMES_MAX: usize = 64;

/// A request: a local root of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RootKey {
    pub(super) trace: TraceKey,
    pub(super) span: SpanIndex,
}

/// What is counted of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    pub(super) kind: StartKind,
    pub(super) reason: StartReason,
    pub(super) start: UnixNanos,
    pub(super) duration: i64,
    pub(super) outcome: Outcome,
    pub(super) container: Option<Contained>,
    pub(super) work: Work,
    pub(super) extent: Extent,
}

impl Card {
    pub(super) fn end(&self) -> UnixNanos {
        self.start.plus(self.duration)
    }
}

/// Where a request ran: in which container, and which of all that cards know, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contained {
    pub(super) key: ContainerKey,
    place: u32,
}

/// Rows of containers, found without hashing: requests are counted by the hundred thousand.
#[derive(Debug, Default)]
pub(super) struct ByContainer {
    rows: Vec<Option<usize>>,
}

impl ByContainer {
    /// The row of a container; of one that has none yet the one that is added.
    pub(super) fn row(&mut self, contained: Contained, add: impl FnOnce() -> usize) -> usize {
        let place = usize::try_from(contained.place).unwrap_or(usize::MAX);
        if place >= self.rows.len() {
            self.rows.resize(place.saturating_add(1), None);
        }
        match self.rows.get_mut(place) {
            Some(row) => *row.get_or_insert_with(add),
            None => add(),
        }
    }
}

/// What a request is of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The trace takes as long as it.
    Whole,
    /// It is a part, as one of a fan-out is.
    Part,
}

/// A resource of a service, and its requests in order of first arrival.
#[derive(Debug, Default)]
pub(super) struct Resource {
    pub(super) service: Box<str>,
    pub(super) name: Box<str>,
    pub(super) cards: BTreeMap<RootKey, Card>,
    /// Those that have not ended.
    pub(super) n_open: usize,
    /// Whether it is all that are not told apart.
    pub(super) is_rest: bool,
}

/// Where a request of a trace was counted.
#[derive(Clone, Copy, Debug)]
enum Place {
    Ended(usize, SpanIndex),
    Open(usize),
}

/// The cards of the traces that are held.
#[derive(Debug, Default)]
pub(super) struct Cards {
    resources: Vec<Resource>,
    numbers: HashMap<Box<str>, usize>,
    rest: Option<usize>,
    containers: HashMap<ContainerKey, u32>,
    places: BTreeMap<TraceKey, SmallVec<[Place; 1]>>,
    unread: Unread,
}

impl Cards {
    /// Says which traces came or grew.
    pub(super) fn touch(&mut self, touched: &[TraceKey]) {
        if self.unread.touch(touched) == Kept::Outdated {
            self.places = BTreeMap::new();
            for resource in &mut self.resources {
                resource.cards = BTreeMap::new();
                resource.n_open = 0;
            }
        }
    }

    /// Reads what came or grew, as far as a frame has time for it, and forgets what has gone.
    pub(super) fn refresh(&mut self, store: &Store) -> Progress {
        let mut unread = std::mem::take(&mut self.unread);
        if unread.read(store, |entry| self.add(entry, store)) == Kept::Outdated {
            let keys = self.places.keys().copied();
            let gone: Vec<TraceKey> = keys.filter(|key| store.trace(*key).is_none()).collect();
            for key in gone {
                self.remove(key);
            }
        }
        self.unread = unread;
        self.unread.progress(store, self.places.len())
    }

    /// A resource by its number.
    pub(super) fn resource(&self, number: usize) -> Option<&Resource> {
        self.resources.get(number)
    }

    /// The numbers of the resources that have requests, the busiest first.
    pub(super) fn busiest(&self) -> Vec<usize> {
        let resources = self.resources.iter().enumerate();
        let used = resources.filter(|(_, it)| !it.cards.is_empty() || it.n_open > 0);
        let mut numbers: Vec<(usize, &Resource)> = used.collect();
        numbers.sort_by(|(_, one), (_, other)| {
            let by_number = other.cards.len().cmp(&one.cards.len());
            by_number
                .then_with(|| one.name.cmp(&other.name))
                .then_with(|| one.service.cmp(&other.service))
        });
        numbers.into_iter().map(|(number, _)| number).collect()
    }

    fn remove(&mut self, trace: TraceKey) {
        for place in self.places.remove(&trace).into_iter().flatten() {
            match place {
                Place::Ended(number, span) => {
                    if let Some(resource) = self.resources.get_mut(number) {
                        resource.cards.remove(&RootKey { trace, span });
                    }
                }
                Place::Open(number) => {
                    if let Some(resource) = self.resources.get_mut(number) {
                        resource.n_open = resource.n_open.saturating_sub(1);
                    }
                }
            }
        }
    }

    fn add(&mut self, entry: &TraceEntry, store: &Store) {
        self.remove(entry.key());
        let works = Works::read(entry);
        let own = entry.own_root().map(LocalRoot::span);
        let mut places = SmallVec::new();
        for root in entry.local_roots().iter().take(ROOTS_MAX) {
            let (Some(kind), Some(span)) = (root.start_kind(), entry.span(root.span())) else {
                continue;
            };
            let number = self.number(span);
            if span.is_snapshot() {
                if let Some(resource) = self.resources.get_mut(number) {
                    resource.n_open += 1;
                }
                places.push(Place::Open(number));
                continue;
            }
            let duration = span.duration().max(0);
            let is_whole = own == Some(root.span()) && entry.duration() == span.duration();
            let card = Card {
                kind,
                reason: root.reason(),
                start: span.start(),
                duration,
                outcome: outcome_of(entry, root, store),
                container: root.container().map(|key| self.contained(key)),
                work: works.of(root.span()),
                extent: if is_whole {
                    Extent::Whole
                } else {
                    Extent::Part
                },
            };
            let key = RootKey {
                trace: entry.key(),
                span: root.span(),
            };
            if let Some(resource) = self.resources.get_mut(number) {
                resource.cards.insert(key, card);
            }
            places.push(Place::Ended(number, root.span()));
        }
        if !places.is_empty() {
            self.places.insert(entry.key(), places);
        }
    }

    fn contained(&mut self, key: ContainerKey) -> Contained {
        let next = u32::try_from(self.containers.len()).unwrap_or(u32::MAX);
        let place = *self.containers.entry(key).or_insert(next);
        Contained { key, place }
    }

    fn number(&mut self, span: Span<'_>) -> usize {
        let (service, name) = (span.service().to_lossy(), span.resource().to_lossy());
        // No name holds a zero, or it is among the others.
        let both = format!("{service}\0{name}");
        if let Some(number) = self.numbers.get(both.as_str()) {
            return *number;
        }
        let is_rest = self.resources.len() >= RESOURCES_MAX
            || both.len() > NAME_BYTES_MAX
            || both.matches('\0').count() != 1;
        if let Some(rest) = self.rest.filter(|_| is_rest) {
            return rest;
        }
        let number = self.resources.len();
        let (service, name) = if is_rest {
            self.rest = Some(number);
            ("".into(), "all others".into())
        } else {
            self.numbers.insert(both.as_str().into(), number);
            (service.as_ref().into(), name.as_ref().into())
        };
        self.resources.push(Resource {
            service,
            name,
            is_rest,
            ..Resource::default()
        });
        number
    }
}

fn outcome_of(entry: &TraceEntry, root: &LocalRoot, store: &Store) -> Outcome {
    if entry.local_roots().len() <= OUTCOMES_MAX {
        return store.root_outcome(entry, root);
    }
    let span = entry.span(root.span());
    span.and_then(outcome::of_span).unwrap_or(Outcome::Ok)
}
