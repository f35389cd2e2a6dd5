//! The containers of one function that are up, and which of them takes the next input. Sends nothing.

use crate::io::demo::process::Process;
use crate::io::demo::requests::Before;
use crate::trace::UnixNanos;

/// How an app tells on its spans whether a request was cold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColdStartTag {
    Absent,
    /// As the recipe with `MODAL_IS_COLD_START` does: that variable does not exist, so always "no".
    AlwaysFalse,
}

/// A container that has come up.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) process: Process,
    pub(super) cold_start_tag: ColdStartTag,
    pub(super) model_load_ms: i64,
    /// From when on it takes any input: its first one has ended.
    pub(super) open_from: UnixNanos,
    /// From when on nothing runs in it.
    pub(super) free_at: UnixNanos,
    pub(super) n_requests: u32,
}

impl Container {
    pub(super) fn before(&self) -> Before {
        if self.n_requests == 0 {
            Before::Nothing
        } else {
            Before::Requests
        }
    }
}

/// The containers of one function.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    containers: Vec<Container>,
}

impl Fleet {
    pub(super) fn add(&mut self, container: Container) {
        self.containers.push(container);
    }

    /// Takes out the container that has been idle longest, or is idle first.
    pub(super) fn take_next(&mut self, now: UnixNanos) -> Option<Container> {
        let places = self.containers.iter().enumerate();
        let open = places.filter(|(_, container)| container.open_from <= now);
        let (place, _) = open.min_by_key(|(_, container)| container.free_at)?;
        Some(self.containers.remove(place))
    }

    /// Takes out all of them.
    pub(super) fn take_all(&mut self) -> Vec<Container> {
        std::mem::take(&mut self.containers)
    }
}
