//! The containers that requests ran in: which is which, and what each has done. Knows no spans; the store
//! tells it what came, and asks it who that was.
//!
//! ```text
//! the relay that passed a chunk on ─▶ its container
//! else a tag of any of its spans   ─▶ the container of that name
//! else a line of the trace         ─▶ the same
//! else runtime-id and process_id   ─▶ the container that was named beside this runtime-id; of none the process
//! ```
//!
//! A runtime-id that is seen beside two names says that both came from one memory snapshot: it names neither.
//! Containers are kept beside the budget, so their number and the length of their names are bounded.

mod container;
mod runtime;

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

pub(super) use container::Request;
pub use container::{Container, Liveness};

use smallvec::SmallVec;

use super::container::Known;
use super::{KnownBy, TraceKey};
use crate::analysis::{Beginning, LifecycleNames, RestoredBy};
use crate::trace::{ContainerFacts, RelaySource, Text, UnixNanos};
use runtime::{Linked, Runtimes};

/// How many containers are told apart: of more, those whose traces have gone are forgotten, and what comes
/// from others is from nowhere.
const CONTAINERS_MAX: usize = 4_096;
/// How many relays are remembered.
const RELAYS_MAX: usize = 4_096;
/// How many services are remembered whose tags have said cold.
const SERVICES_MAX: usize = 4_096;
/// Names longer than this are none: they are kept beside the budget.
const SERVICE_BYTES_MAX: usize = 256;

/// A container, numbered in the order in which they were first seen. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerKey(NonZeroU32);

/// By what a chunk can say where it ran.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Identity<'a> {
    pub(super) relay: Option<RelaySource>,
    /// What the relay, a tag or an export says of it.
    pub(super) known: Option<&'a Known>,
    pub(super) runtime_id: Option<Text<'a>>,
    pub(super) process_id: Option<f64>,
    pub(super) at: UnixNanos,
}

/// Where a chunk ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) container: ContainerKey,
    pub(super) by: KnownBy,
}

/// What finding out where a chunk ran has brought to light of others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Discovery {
    /// The first of each pair is the second.
    pub(super) merged: Vec<(ContainerKey, ContainerKey)>,
    /// A runtime-id, and the containers that share it: they came from one snapshot.
    pub(super) restored: Option<(Box<str>, Vec<ContainerKey>)>,
}

/// All containers that are known.
#[derive(Debug, Default)]
pub struct Fleet {
    containers: HashMap<ContainerKey, Container>,
    by_name: HashMap<Arc<str>, ContainerKey>,
    relays: VecDeque<(RelaySource, ContainerKey)>,
    runtimes: Runtimes,
    oldest_first: VecDeque<ContainerKey>,
    n_ever: u32,
    n_forgotten: u64,
    n_refused: u64,
    /// Services with the tags that have said cold there.
    cold_sayers: HashSet<(Box<[u8]>, &'static str)>,
    /// In which containers something ran of a trace whose local root there has not come.
    pieces: HashMap<TraceKey, SmallVec<[ContainerKey; 1]>>,
    names: LifecycleNames,
    pub(super) run: Run,
}

/// What is known of the program that we started, if we did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// Whether there is one.
    pub(super) child: ChildRun,
    /// Whether Modal's client has said that it serves an app.
    pub(super) app: AppRun,
    /// How often its app was published again while we listened.
    pub(super) n_reloads: u64,
}

/// Whether this program started another one, whose containers cannot be older.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ChildRun {
    #[default]
    None,
    Started,
}

/// Whether Modal's client has spoken of an app of its own. One that only follows the lines of an app that
/// runs already says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum AppRun {
    #[default]
    Unseen,
    Seen,
}

impl Fleet {
    /// A container, unless it has been forgotten.
    pub fn container(&self, key: ContainerKey) -> Option<&Container> {
        self.containers.get(&key)
    }

    /// The containers in the order in which they were first seen.
    pub fn containers(&self) -> impl DoubleEndedIterator<Item = &Container> {
        let keys = self.oldest_first.iter();
        keys.filter_map(|key| self.containers.get(key))
    }

    /// How many containers were forgotten, or never told apart, because there were too many.
    pub fn n_forgotten(&self) -> u64 {
        self.n_forgotten + self.n_refused
    }

    /// The containers in which something ran of a trace whose local root there has not come.
    pub fn without_root(&self, trace: TraceKey) -> impl Iterator<Item = &Container> {
        let keys = self.pieces.get(&trace).into_iter().flatten();
        keys.filter_map(|key| self.containers.get(key))
    }

    pub(super) fn container_mut(&mut self, key: ContainerKey) -> Option<&mut Container> {
        self.containers.get_mut(&key)
    }

    pub(super) fn names(&self) -> &LifecycleNames {
        &self.names
    }

    pub(super) fn set_names(&mut self, names: LifecycleNames) {
        self.names = names;
    }

    /// Finds out where a chunk ran.
    pub(super) fn identify(
        &mut self,
        identity: Identity<'_>,
        discovery: &mut Discovery,
    ) -> Option<Placed> {
        let runtime_id = identity.runtime_id.and_then(Text::to_str);
        let runtime_id = runtime_id.filter(|id| super::container::is_name(id));
        let named = self.named(identity);
        let Some(placed) = named else {
            let runtime_id = runtime_id?;
            return self.of_runtime(runtime_id, identity);
        };
        if let Some(known) = identity.known
            && let Some(container) = self.container_mut(placed.container)
        {
            container.learn(&known.facts, placed.by);
        }
        if let Some(runtime_id) = runtime_id {
            self.link(runtime_id, placed.container, discovery);
        }
        Some(placed)
    }

    fn named(&mut self, identity: Identity<'_>) -> Option<Placed> {
        if let Some(source) = identity.relay {
            let container = self.of_relay(source, identity)?;
            let by = KnownBy::Relay;
            return Some(Placed { container, by });
        }
        let known = identity.known?;
        let container = self.with_name(known.name()?, identity.at)?;
        Some(Placed {
            container,
            by: known.by,
        })
    }

    /// The container with a name, new if it has to be.
    pub(super) fn with_name(&mut self, name: &str, at: UnixNanos) -> Option<ContainerKey> {
        let known = self.by_name.get(name).copied();
        let key = known.or_else(|| self.add(name.into(), at))?;
        if let Some(container) = self.container_mut(key) {
            container.has_name();
        }
        Some(key)
    }

    /// The container of a relay; as long as that has not said who it is, one of its own.
    fn of_relay(&mut self, source: RelaySource, identity: Identity<'_>) -> Option<ContainerKey> {
        let mut newest_first = self.relays.iter().rev();
        if let Some((_, key)) = newest_first.find(|(known, _)| *known == source) {
            return Some(*key);
        }
        let name = identity.known.and_then(Known::name);
        let key = match name {
            Some(name) => self.with_name(name, identity.at)?,
            None => self.add(format!("relay {:08x}", source.0).into(), identity.at)?,
        };
        self.remember_relay(source, key);
        Some(key)
    }

    fn remember_relay(&mut self, source: RelaySource, key: ContainerKey) {
        self.relays.retain(|(known, _)| *known != source);
        if self.relays.len() >= RELAYS_MAX {
            self.relays.pop_front();
        }
        self.relays.push_back((source, key));
    }

    /// A relay has said who it is, at first or, after a restore, anew. Returns the container that it was
    /// taken for if it is another one.
    pub(super) fn hello(
        &mut self,
        source: RelaySource,
        facts: &ContainerFacts,
        at: UnixNanos,
    ) -> Option<(Option<ContainerKey>, ContainerKey)> {
        let before = self.relays.iter().find(|(known, _)| *known == source);
        let before = before.map(|(_, key)| *key);
        let name = facts.task_id.as_deref();
        let key = match (name, before) {
            (Some(name), _) => self.with_name(name, at)?,
            (None, Some(before)) => before,
            (None, None) => self.add(format!("relay {:08x}", source.0).into(), at)?,
        };
        self.remember_relay(source, key);
        if let Some(container) = self.container_mut(key) {
            container.learn(facts, KnownBy::Relay);
            container.learn_start(facts);
        }
        let is_nameless = |key: &ContainerKey| {
            self.container(*key)
                .is_some_and(|container| container.name().starts_with("relay "))
        };
        let taken_for = before.filter(|before| *before != key && is_nameless(before));
        Some((taken_for, key))
    }

    /// The container that a runtime-id alone names: the one that was named beside it, else the process.
    fn of_runtime(&mut self, runtime_id: &str, identity: Identity<'_>) -> Option<Placed> {
        let process_id = process_number(identity.process_id);
        let by = KnownBy::RuntimeId;
        match self.runtimes.find(runtime_id, process_id) {
            Linked::To(container) => Some(Placed { container, by }),
            Linked::ToSeveral => None,
            Linked::Unknown => {
                let name = match process_id {
                    Some(number) => format!("{runtime_id}:{number}"),
                    None => runtime_id.to_owned(),
                };
                // Known already, if too many were to be remembered by their runtime-id.
                let known = self.by_name.get(&*name).copied();
                let container = known.or_else(|| self.add(name.into(), identity.at))?;
                self.runtimes.add_process(runtime_id, process_id, container);
                if let Some(container) = self.container_mut(container) {
                    container.learn_process(runtime_id, process_id);
                }
                Some(Placed { container, by })
            }
        }
    }

    /// A runtime-id was seen beside the name of a container.
    pub(super) fn link(
        &mut self,
        runtime_id: &str,
        container: ContainerKey,
        discovery: &mut Discovery,
    ) {
        let linked = self.runtimes.link(runtime_id, container);
        if linked.containers.len() > 1 {
            for key in &linked.containers {
                if let Some(container) = self.container_mut(*key) {
                    container.restored_by(RestoredBy::SharedRuntime);
                }
            }
            discovery.restored = Some((runtime_id.into(), linked.containers.into_vec()));
        }
        let processes = linked.processes.into_iter();
        discovery
            .merged
            .extend(processes.map(|process| (process, container)));
    }

    fn add(&mut self, name: Arc<str>, at: UnixNanos) -> Option<ContainerKey> {
        if self.containers.len() >= CONTAINERS_MAX && !self.forget_one() {
            self.n_refused += 1;
            return None;
        }
        let number = NonZeroU32::MIN.checked_add(self.n_ever)?;
        self.n_ever = self.n_ever.saturating_add(1);
        let key = ContainerKey(number);
        let mut container = Container::new(key, Arc::clone(&name), at, self.run.n_reloads);
        if self.n_forgotten() > 0 {
            container.may_be_forgotten();
        }
        self.containers.insert(key, container);
        self.by_name.insert(name, key);
        self.oldest_first.push_back(key);
        Some(key)
    }

    /// Forgets the oldest container of which nothing is held.
    fn forget_one(&mut self) -> bool {
        let mut oldest_first = self.oldest_first.iter();
        let is_idle = |key: &&ContainerKey| {
            self.containers
                .get(*key)
                .is_none_or(|container| !container.is_held())
        };
        let Some(key) = oldest_first.find(is_idle).copied() else {
            return false;
        };
        self.remove(key);
        self.n_forgotten += 1;
        true
    }

    /// Takes out a container; what it was is another one, or forgotten.
    pub(super) fn remove(&mut self, key: ContainerKey) -> Option<Container> {
        let container = self.containers.remove(&key)?;
        self.by_name.remove(container.name());
        self.oldest_first.retain(|known| *known != key);
        self.relays.retain(|(_, known)| *known != key);
        self.runtimes.forget(key);
        Some(container)
    }

    /// One container has turned out to be another.
    pub(super) fn absorb(&mut self, from: ContainerKey, into: ContainerKey) -> Option<()> {
        let sources: Vec<RelaySource> = self.relays_of(from).collect();
        self.runtimes.rename(from, into);
        let absorbed = self.remove(from)?;
        for source in sources {
            self.remember_relay(source, into);
        }
        self.container_mut(into)?.absorb(absorbed);
        Some(())
    }

    fn relays_of(&self, key: ContainerKey) -> impl Iterator<Item = RelaySource> {
        let known = self.relays.iter().filter(move |(_, known)| *known == key);
        known.map(|(source, _)| *source)
    }

    /// Since when a container can have been there.
    pub(super) fn beginning(&self, container: &Container) -> Beginning {
        if container.may_have_been_forgotten() {
            return Beginning::MayPredate;
        }
        if container.generation() > 0 {
            return Beginning::AfterReload(container.generation());
        }
        // Lines of an app that runs already come from containers that may be as old as it is.
        let is_of_modal = ["ta-", "relay "]
            .iter()
            .any(|of| container.name().starts_with(of));
        let is_of_app = !is_of_modal || self.run.app == AppRun::Seen;
        if self.run.child == ChildRun::Started && is_of_app {
            Beginning::WithTheRun
        } else {
            Beginning::MayPredate
        }
    }

    pub(super) fn learn(&mut self, key: ContainerKey, known: &Known) {
        if let Some(container) = self.container_mut(key) {
            container.learn(&known.facts, known.by);
        }
    }

    /// Something ran in a container of a trace whose local root there has not come.
    pub(super) fn add_piece(&mut self, trace: TraceKey, key: ContainerKey) {
        let containers = self.pieces.entry(trace).or_default();
        if !containers.contains(&key) {
            containers.push(key);
        }
        if let Some(container) = self.container_mut(key) {
            container.add_piece(trace);
        }
    }

    /// The local root of a trace has come, or the trace has gone.
    pub(super) fn remove_piece(&mut self, trace: TraceKey) {
        if self.pieces.is_empty() {
            return;
        }
        for key in self.pieces.remove(&trace).unwrap_or_default() {
            if let Some(container) = self.container_mut(key) {
                container.remove_piece(trace);
            }
        }
    }

    /// A tag has said cold in a service. Returns whether it had not before.
    pub(super) fn said_cold(&mut self, service: Text<'_>, tag: &'static str) -> bool {
        let service = service.as_bytes();
        if service.len() > SERVICE_BYTES_MAX || self.cold_sayers.len() >= SERVICES_MAX {
            return false;
        }
        !self.has_said_cold(service, tag) && self.cold_sayers.insert((service.into(), tag))
    }

    pub(super) fn has_said_cold(&self, service: &[u8], tag: &'static str) -> bool {
        !self.cold_sayers.is_empty() && self.cold_sayers.contains(&(service.into(), tag))
    }
}

/// The number of a process, which is sent as a float.
fn process_number(number: Option<f64>) -> Option<u32> {
    let number = number.filter(|number| (0.0..=f64::from(u32::MAX)).contains(number))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within the range"
    )]
    Some(number as u32)
}
