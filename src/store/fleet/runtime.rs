//! Which containers the ids of processes stand for.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::ContainerKey;

/// How many runtime ids are remembered: what comes from others has no container but its name.
const RUNTIMES_MAX: usize = 16_384;
/// How many processes of one runtime id are told apart.
const PROCESSES_MAX: usize = 64;

/// What a runtime id stands for.
#[derive(Debug, Default)]
struct Runtime {
    /// The containers that were named beside it.
    containers: SmallVec<[ContainerKey; 2]>,
    /// Its processes, as long as no container was.
    processes: SmallVec<[(Option<u32>, ContainerKey); 1]>,
}

/// The runtime ids that are known.
#[derive(Debug, Default)]
pub(super) struct Runtimes {
    by_id: HashMap<Box<str>, Runtime>,
}

/// The container of a runtime id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linked {
    To(ContainerKey),
    /// They came from one snapshot.
    ToSeveral,
    Unknown,
}

/// What naming a container beside a runtime id has brought to light.
#[derive(Debug, Default)]
pub(super) struct NewLink {
    /// All that were named beside it, if there is one more now.
    pub(super) containers: SmallVec<[ContainerKey; 2]>,
    /// The processes that are the container, then.
    pub(super) processes: SmallVec<[ContainerKey; 1]>,
}

impl Runtimes {
    pub(super) fn find(&self, id: &str, process_id: Option<u32>) -> Linked {
        let Some(runtime) = self.by_id.get(id) else {
            return Linked::Unknown;
        };
        let of_process = || {
            let mut processes = runtime.processes.iter();
            processes.find(|(known, _)| *known == process_id)
        };
        match runtime.containers.as_slice() {
            [] => of_process().map_or(Linked::Unknown, |(_, key)| Linked::To(*key)),
            [container] => Linked::To(*container),
            _ => Linked::ToSeveral,
        }
    }

    pub(super) fn add_process(&mut self, id: &str, process_id: Option<u32>, key: ContainerKey) {
        if let Some(runtime) = self.runtime_mut(id)
            && runtime.processes.len() < PROCESSES_MAX
        {
            runtime.processes.push((process_id, key));
        }
    }

    /// A container was named beside a runtime id.
    pub(super) fn link(&mut self, id: &str, container: ContainerKey) -> NewLink {
        let Some(runtime) = self.runtime_mut(id) else {
            return NewLink::default();
        };
        if runtime.containers.contains(&container) {
            return NewLink::default();
        }
        runtime.containers.push(container);
        let processes = std::mem::take(&mut runtime.processes);
        let others = processes.into_iter().map(|(_, key)| key);
        NewLink {
            containers: runtime.containers.clone(),
            processes: others.filter(|key| *key != container).collect(),
        }
    }

    /// A container has turned out to be another one.
    pub(super) fn rename(&mut self, from: ContainerKey, into: ContainerKey) {
        for runtime in self.by_id.values_mut() {
            let knows_both = runtime.containers.contains(&into);
            runtime
                .containers
                .retain(|known| !knows_both || *known != from);
            let containers = runtime.containers.iter_mut();
            let processes = runtime.processes.iter_mut().map(|(_, key)| key);
            containers
                .chain(processes)
                .filter(|key| **key == from)
                .for_each(|key| *key = into);
        }
    }

    /// A container has gone.
    pub(super) fn forget(&mut self, key: ContainerKey) {
        self.by_id.retain(|_, runtime| {
            runtime.containers.retain(|known| *known != key);
            runtime.processes.retain(|(_, known)| *known != key);
            !runtime.containers.is_empty() || !runtime.processes.is_empty()
        });
    }

    fn runtime_mut(&mut self, id: &str) -> Option<&mut Runtime> {
        if !self.by_id.contains_key(id) {
            if self.by_id.len() >= RUNTIMES_MAX {
                return None;
            }
            self.by_id.insert(id.into(), Runtime::default());
        }
        self.by_id.get_mut(id)
    }
}
