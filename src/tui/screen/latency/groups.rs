//! The requests of a resource by where they ran: by container, by GPU or by region. What is known of a
//! container is put into words here, so that a paused view keeps them.

use std::collections::HashMap;

use super::cards::{ByContainer, Card, Resource};
use super::census::Column;
use crate::analysis::Outcome;
use crate::analysis::latency::Distribution;
use crate::analysis::overlap::most_at_once;
use crate::store::{Container, ContainerKey, KnownBy, Liveness, Store};
use crate::trace::UnixNanos;
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// Of more groups, those with the most requests are shown.
const GROUPS_MAX: usize = 200;
/// Of so many containers a filter can still be written and read.
pub(super) const NAMED_MAX: usize = 12;

/// By what requests are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    #[default]
    All,
    Container,
    Gpu,
    Region,
}

impl Scope {
    pub(super) fn next(self) -> Self {
        match self {
            Self::All => Self::Container,
            Self::Container => Self::Gpu,
            Self::Gpu => Self::Region,
            Self::Region => Self::All,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Container => "By container",
            Self::Gpu => "By GPU",
            Self::Region => "By region",
        }
    }
}

/// What the requests of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum GroupKey {
    Container(ContainerKey),
    /// A GPU or a region.
    Named(Box<str>),
    /// It is not known.
    Nowhere,
}

/// The requests of a group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) name: String,
    pub(super) columns: [Distribution; 3],
    pub(super) n: u64,
    pub(super) n_errors: u64,
    pub(super) n_out_of_memory: u64,
    pub(super) n_timeouts: u64,
    /// Its containers: of more than a filter can name, one more.
    pub(super) keys: Vec<ContainerKey>,
    /// Their names, as a filter finds them; empty if there are too many.
    pub(super) containers: Vec<Box<str>>,
    /// What else is known, in a few sentences.
    pub(super) about: String,
}

/// The groups, and how many there are beyond those.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    pub(super) rows: Vec<Group>,
    pub(super) n_left_out: usize,
}

#[derive(Debug, Default)]
struct Counted {
    durations: [Vec<i64>; 3],
    n_by_outcome: Vec<(Outcome, u64)>,
    containers: Vec<ContainerKey>,
    /// When its requests began and ended.
    intervals: Vec<(UnixNanos, UnixNanos)>,
}

impl Counted {
    fn add(&mut self, card: &Card) {
        if let Some(durations) = self.durations.get_mut(Column::of(card.kind).place()) {
            durations.push(card.duration);
        }
        let known = self.n_by_outcome.iter_mut();
        match known.into_iter().find(|(it, _)| *it == card.outcome) {
            Some((_, n)) => *n += 1,
            None => self.n_by_outcome.push((card.outcome, 1)),
        }
        self.intervals.push((card.start, card.end()));
    }

    fn n(&self, is_wanted: impl Fn(Outcome) -> bool) -> u64 {
        let wanted = self.n_by_outcome.iter().filter(|(it, _)| is_wanted(*it));
        wanted.map(|(_, n)| n).sum()
    }
}

impl Groups {
    pub(super) fn count(
        resource: &Resource,
        scope: Scope,
        (store, now): (&Store, UnixNanos),
        glyphs: Glyphs,
    ) -> Self {
        let mut counting = Counting::default();
        for card in resource.cards.values() {
            counting.add(card, scope, store);
        }
        let rows = counting.groups.into_iter();
        let rows = rows.map(|(key, counted)| group(key, counted, (store, now), glyphs));
        let mut rows: Vec<Group> = rows.collect();
        rows.sort_by(|one, other| {
            let by_number = other.n.cmp(&one.n);
            by_number.then_with(|| one.name.cmp(&other.name))
        });
        let n_left_out = rows.len().saturating_sub(GROUPS_MAX);
        rows.truncate(GROUPS_MAX);
        Self { rows, n_left_out }
    }

    /// The containers of a group, as far as they are remembered.
    pub(super) fn keys_of(&self, key: &GroupKey) -> Option<&[ContainerKey]> {
        let group = self.rows.iter().find(|group| group.key == *key)?;
        Some(&group.keys)
    }
}

/// All groups while they are counted.
#[derive(Debug, Default)]
struct Counting {
    groups: Vec<(GroupKey, Counted)>,
    rows: HashMap<GroupKey, usize>,
    by_container: ByContainer,
}

impl Counting {
    fn add(&mut self, card: &Card, scope: Scope, store: &Store) {
        let (groups, rows) = (&mut self.groups, &mut self.rows);
        let mut row_of = |key: GroupKey| {
            *rows.entry(key.clone()).or_insert_with(|| {
                groups.push((key, Counted::default()));
                groups.len() - 1
            })
        };
        let row = match card.container {
            Some(container) => self
                .by_container
                .row(container, || row_of(key_of(container.key, scope, store))),
            None => row_of(GroupKey::Nowhere),
        };
        let Some((_, counted)) = self.groups.get_mut(row) else {
            return;
        };
        counted.add(card);
        if let Some(container) = card.container
            && counted.containers.len() <= NAMED_MAX
            && !counted.containers.contains(&container.key)
        {
            counted.containers.push(container.key);
        }
    }
}

fn key_of(key: ContainerKey, scope: Scope, store: &Store) -> GroupKey {
    let facts = store.fleet().container(key).map(Container::facts);
    let name = match scope {
        Scope::All | Scope::Container => return GroupKey::Container(key),
        Scope::Gpu => facts.and_then(|facts| facts.gpu.clone()),
        Scope::Region => facts.and_then(|facts| facts.region.clone()),
    };
    name.map_or(GroupKey::Nowhere, GroupKey::Named)
}

fn group(
    key: GroupKey,
    mut counted: Counted,
    (store, now): (&Store, UnixNanos),
    glyphs: Glyphs,
) -> Group {
    let fleet = store.fleet();
    let peak = most_at_once(std::mem::take(&mut counted.intervals));
    let known = |key: &ContainerKey| fleet.container(*key);
    let (name, about) = match &key {
        GroupKey::Container(key) => match known(key) {
            Some(container) => (container.label(), about(container, peak, now, glyphs)),
            None => ("forgotten".to_owned(), String::new()),
        },
        GroupKey::Named(name) => (name.to_string(), String::new()),
        GroupKey::Nowhere => ("not known".to_owned(), String::new()),
    };
    let names = counted.containers.iter().filter_map(known);
    let names: Vec<Box<str>> = names.map(|container| container.name().into()).collect();
    Group {
        n: counted.n(|_| true),
        n_errors: counted
            .n(|it| it.is_failure() && !matches!(it, Outcome::CudaOom | Outcome::Timeout)),
        n_out_of_memory: counted.n(|it| it == Outcome::CudaOom),
        n_timeouts: counted.n(|it| it == Outcome::Timeout),
        key,
        name,
        containers: if counted.containers.len() > NAMED_MAX {
            Vec::new()
        } else {
            names
        },
        about,
        keys: counted.containers,
        columns: counted.durations.map(Distribution::of),
    }
}

/// What is known of a container beside its requests.
fn about(container: &Container, peak: usize, now: UnixNanos, glyphs: Glyphs) -> String {
    let took = |ns: i64| text::duration(ns, glyphs);
    let facts = container.facts();
    let mut words = vec![state(container, now, glyphs)];
    let n_in_flight = container.n_in_flight();
    words.push(format!(
        "{}, {n_in_flight} in flight, {peak} of these at once",
        text::count(container.n_requests(), "request")
    ));
    words.extend(container.init_ns().map(|ns| format!("init {}", took(ns))));
    words.extend(
        container
            .boot_ns()
            .map(|ns| format!("boot to first request {}", took(ns))),
    );
    let by = match container.known_by() {
        KnownBy::Relay => "the relay in it",
        KnownBy::Tag => "a tag",
        KnownBy::Log => "a log line",
        KnownBy::RuntimeId => "runtime-id: only the process is known",
    };
    words.push(format!("known by {by}"));
    words.push(match container.generation() {
        0 => "before any reload".to_owned(),
        number => format!("since reload {number}"),
    });
    let places = [
        &facts.gpu,
        &facts.region,
        &facts.cloud,
        &facts.environment,
        &facts.image_id,
    ];
    words.extend(places.into_iter().flatten().map(ToString::to_string));
    words.join("   ")
}

/// Whether it is alive, as far as it can be seen.
fn state(container: &Container, now: UnixNanos, glyphs: Glyphs) -> String {
    let time = |at: UnixNanos| text::time_of_day(at).chars().take(8).collect::<String>();
    let first = time(container.first_seen());
    let last = container.last_seen();
    match container.liveness(now) {
        Liveness::Alive => format!("alive since {first}"),
        Liveness::Quiet => {
            let silent = text::duration(now.since(last), glyphs);
            format!("{first} to {}, quiet for {silent}", time(last))
        }
        Liveness::Ended => {
            let exit = container.exit().unwrap_or(last);
            format!("{first} to {}, ended", time(exit))
        }
    }
}
