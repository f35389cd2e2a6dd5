//! Where requests are put: bounded in number and in bytes, and never waited for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::ForwardLimits;
use super::ledger::{Fate, Ledger, Limit};
use super::worker::Cargo;

/// A request on its way, with the room it takes. However it ends, the ledger hears of it.
#[derive(Debug)]
pub(super) struct Parcel<C: Cargo> {
    cargo: C,
    fate: Fate,
    ledger: Arc<Ledger>,
    _room: OwnedSemaphorePermit,
}

impl<C: Cargo> Parcel<C> {
    pub(super) fn cargo_mut(&mut self) -> &mut C {
        &mut self.cargo
    }

    pub(super) fn arrived(mut self) {
        self.fate = Fate::Arrived;
    }

    pub(super) fn failed(mut self, error: &str) {
        self.fate = Fate::Failed(error.into());
    }
}

impl<C: Cargo> Drop for Parcel<C> {
    fn drop(&mut self) {
        self.ledger.released();
        self.ledger.ended(&self.cargo, &self.fate);
    }
}

/// The other end of a queue, and how many send from there at the same time.
#[derive(Debug)]
pub(super) struct Lane<C: Cargo> {
    pub(super) jobs: mpsc::Receiver<Parcel<C>>,
    /// One at least.
    pub(super) n_senders: usize,
}

/// The way in. Cheap to clone.
#[derive(Debug)]
pub(super) struct Queue<C: Cargo> {
    jobs: mpsc::Sender<Parcel<C>>,
    room: Arc<Semaphore>,
    bytes_max: u32,
    ledger: Arc<Ledger>,
}

impl<C: Cargo> Clone for Queue<C> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
            room: Arc::clone(&self.room),
            bytes_max: self.bytes_max,
            ledger: Arc::clone(&self.ledger),
        }
    }
}

impl<C: Cargo> Queue<C> {
    /// A queue and its other end.
    pub(super) fn new(limits: ForwardLimits, ledger: &Arc<Ledger>) -> (Self, Lane<C>) {
        let (jobs, receiver) = mpsc::channel(limits.requests_max.max(1));
        let permits = usize::try_from(limits.bytes_max).unwrap_or(Semaphore::MAX_PERMITS);
        let queue = Self {
            jobs,
            room: Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS))),
            bytes_max: limits.bytes_max.max(1),
            ledger: Arc::clone(ledger),
        };
        let lane = Lane {
            jobs: receiver,
            n_senders: limits.senders.max(1),
        };
        (queue, lane)
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether half of the room is free: for whoever has so much to send that it has to wait its turn.
    pub(super) fn has_room(&self) -> bool {
        let bytes_max = usize::try_from(self.bytes_max).unwrap_or(usize::MAX);
        self.jobs.capacity() > self.jobs.max_capacity() / 2
            && self.room.available_permits() > bytes_max / 2
    }

    /// Whether there is room for a request now.
    pub(super) fn takes(&self, cargo: &C) -> bool {
        let bytes = usize::try_from(self.bytes_of(cargo)).unwrap_or(usize::MAX);
        self.jobs.capacity() > 0 && self.room.available_permits() >= bytes
    }

    /// The room that a request takes. A single one above the limit passes alone.
    fn bytes_of(&self, cargo: &C) -> u32 {
        let bytes = u32::try_from(cargo.heap_bytes()).unwrap_or(u32::MAX);
        bytes.min(self.bytes_max)
    }

    /// Puts a request there; if there is no room, it is dropped and counted.
    pub(super) fn put(&self, cargo: C) {
        let Ok(place) = self.jobs.try_reserve() else {
            let limit = Limit::Requests(self.jobs.max_capacity());
            return self.ledger.ended(&cargo, &Fate::NoRoom(limit));
        };
        let room = Arc::clone(&self.room).try_acquire_many_owned(self.bytes_of(&cargo));
        let Ok(room) = room else {
            let limit = Limit::Bytes(self.bytes_max);
            return self.ledger.ended(&cargo, &Fate::NoRoom(limit));
        };
        self.ledger.taken();
        place.send(Parcel {
            cargo,
            fate: Fate::NoTime,
            ledger: Arc::clone(&self.ledger),
            _room: room,
        });
    }
}
