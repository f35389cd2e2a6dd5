//! The way from everything that brings something to the one loop: bounded in items and in bytes.
//! Nothing waits in here longer than it is told to, and what is refused is counted.
//!
//! ```text
//! handlers, tails, children ── Inbox::reserve, try_send ──▶ [256 items, 64 MiB] ── recv_many ──▶ the loop
//!                           └─ Inbox::refuse ──▶ Overflow, summed ────────────────┘
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use crate::ingest::{Inbound, Keep, Overflow};

/// How much may wait for the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxLimits {
    /// Items that wait at most.
    pub items_max: usize,
    /// Bytes of decoded payloads that wait at most. A single payload above it passes alone.
    pub decoded_bytes_max: u32,
    /// How long [`Inbox::reserve`] waits for room.
    pub wait_max: Duration,
}

impl Default for InboxLimits {
    fn default() -> Self {
        Self {
            items_max: 256,
            decoded_bytes_max: 64 * 1024 * 1024,
            wait_max: Duration::from_secs(1),
        }
    }
}

/// Makes an inbox and the end the loop reads.
pub fn channel(limits: InboxLimits) -> (Inbox, InboxReceiver) {
    let (sender, receiver) = mpsc::channel(limits.items_max.max(1));
    let shared = Arc::new(Shared::default());
    let decoded_bytes_max = limits.decoded_bytes_max.max(1);
    let bytes_permits = usize::try_from(decoded_bytes_max).unwrap_or(Semaphore::MAX_PERMITS);
    let inbox = Inbox {
        sender,
        decoded_bytes: Arc::new(Semaphore::new(bytes_permits)),
        decoded_bytes_max,
        wait_max: limits.wait_max,
        keep: Keep::Nothing,
        shared: Arc::clone(&shared),
    };
    (
        inbox,
        InboxReceiver {
            receiver,
            shared,
            items: Vec::new(),
            not_before: None,
        },
    )
}

/// Where whoever has something for the loop puts it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbox {
    sender: mpsc::Sender<Item>,
    decoded_bytes: Arc<Semaphore>,
    decoded_bytes_max: u32,
    wait_max: Duration,
    keep: Keep,
    shared: Arc<Shared>,
}

/// An item on its way, with the room it takes, which is given back when it is taken out.
struct Item {
    inbound: Inbound,
    _room: Option<OwnedSemaphorePermit>,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inbound, f)
    }
}

/// There was no room within the time, or nobody reads any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the inbox is full")]
pub struct Full;

/// Room for one item.
#[derive(Debug)]
pub struct Slot<'a> {
    place: mpsc::Permit<'a, Item>,
    room: Option<OwnedSemaphorePermit>,
}

impl Slot<'_> {
    /// Puts the item there. Cannot fail and does not wait.
    pub fn send(self, inbound: Inbound) {
        self.place.send(Item {
            inbound,
            _room: self.room,
        });
    }
}

impl Inbox {
    /// The same inbox, for readers of lines that keep what is to be passed on.
    #[must_use]
    pub fn keeping(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// What readers of lines keep for it.
    pub(super) fn keep(&self) -> Keep {
        self.keep
    }

    /// Room for an item that holds so many decoded bytes; waits for it as long as the limits say.
    pub async fn reserve(&self, decoded_bytes: usize) -> Result<Slot<'_>, Full> {
        if let Ok(slot) = self.try_reserve(decoded_bytes) {
            return Ok(slot);
        }
        let waiting = async {
            let room = match self.room_bytes(decoded_bytes) {
                0 => None,
                bytes => {
                    let decoded_bytes = Arc::clone(&self.decoded_bytes);
                    Some(
                        decoded_bytes
                            .acquire_many_owned(bytes)
                            .await
                            .map_err(|_closed| Full)?,
                    )
                }
            };
            let place = self.sender.reserve().await.map_err(|_closed| Full)?;
            Ok(Slot { place, room })
        };
        timeout(self.wait_max, waiting).await.unwrap_or(Err(Full))
    }

    /// Room for an item if there is some at once.
    pub fn try_reserve(&self, decoded_bytes: usize) -> Result<Slot<'_>, Full> {
        let place = self.sender.try_reserve().map_err(|_full| Full)?;
        if self.sender.capacity() * 2 <= self.sender.max_capacity() {
            self.shared.half_full.notify_one();
        }
        let room = match self.room_bytes(decoded_bytes) {
            0 => None,
            bytes => {
                let decoded_bytes = Arc::clone(&self.decoded_bytes);
                Some(
                    decoded_bytes
                        .try_acquire_many_owned(bytes)
                        .map_err(|_full| Full)?,
                )
            }
        };
        Ok(Slot { place, room })
    }

    /// Puts an item there if there is room at once.
    pub fn try_send(&self, inbound: Inbound) -> Result<(), Full> {
        self.try_reserve(0)?.send(inbound);
        Ok(())
    }

    /// Counts what was refused because there was no room; the loop gets the sum with its next batch.
    pub fn refuse(&self, overflow: Overflow) {
        self.shared
            .payloads
            .fetch_add(overflow.payloads, Ordering::Relaxed);
        self.shared
            .chunks
            .fetch_add(overflow.chunks, Ordering::Relaxed);
        self.shared
            .unreadable
            .fetch_add(overflow.unreadable, Ordering::Relaxed);
        self.shared.added.notify_one();
    }

    fn room_bytes(&self, decoded_bytes: usize) -> u32 {
        u32::try_from(decoded_bytes)
            .unwrap_or(u32::MAX)
            .min(self.decoded_bytes_max)
    }
}

/// What both ends know of each other.
#[derive(Debug, Default)]
struct Shared {
    payloads: AtomicU64,
    chunks: AtomicU64,
    unreadable: AtomicU64,
    /// One of them has grown.
    added: Notify,
    /// The inbox is half full, so the loop should not gather any longer.
    half_full: Notify,
}

impl Shared {
    fn take(&self) -> Option<Overflow> {
        let payloads = self.payloads.swap(0, Ordering::Relaxed);
        let chunks = self.chunks.swap(0, Ordering::Relaxed);
        let overflow = Overflow {
            payloads,
            chunks,
            unreadable: self.unreadable.swap(0, Ordering::Relaxed),
        };
        (overflow != Overflow::default()).then_some(overflow)
    }
}

/// The end the loop reads.
#[derive(Debug)]
pub struct InboxReceiver {
    receiver: mpsc::Receiver<Item>,
    shared: Arc<Shared>,
    /// Empty between calls; kept for its space.
    items: Vec<Item>,
    /// When the next batch may be taken.
    not_before: Option<Instant>,
}

/// The shortest time from one batch to the next. Under load, every item would otherwise wake the
/// loop for itself, at the expense of the thread that answers; nobody sees two milliseconds.
const GATHER: Duration = Duration::from_millis(2);

impl InboxReceiver {
    /// Waits for something and appends up to `limit` items to `batch`, and what was refused in the
    /// meantime as one [`Inbound::Overflow`]. Returns how many there were: 0 says that nobody can
    /// send any more. Nothing is lost when it is dropped while waiting.
    pub async fn recv_many(&mut self, batch: &mut Vec<Inbound>, limit: usize) -> usize {
        if let Some(not_before) = self.not_before {
            tokio::select! {
                () = sleep_until(not_before) => {}
                () = self.shared.half_full.notified() => {}
            }
        }
        loop {
            let before = batch.len();
            let is_open = tokio::select! {
                biased;
                n_items = self.receiver.recv_many(&mut self.items, limit.max(1)) => n_items > 0,
                () = self.shared.added.notified() => true,
            };
            batch.extend(self.items.drain(..).map(|item| item.inbound));
            batch.extend(self.shared.take().map(Inbound::Overflow));
            let n_items = batch.len() - before;
            if n_items > 0 || !is_open {
                // A full batch says that more is waiting already.
                self.not_before = (n_items < limit).then(|| Instant::now() + GATHER);
                return n_items;
            }
        }
    }

    /// What is there now, without waiting: up to `limit` items.
    pub fn try_recv_many(&mut self, batch: &mut Vec<Inbound>, limit: usize) -> usize {
        let before = batch.len();
        let items = std::iter::from_fn(|| self.receiver.try_recv().ok());
        batch.extend(items.take(limit).map(|item| item.inbound));
        batch.extend(self.shared.take().map(Inbound::Overflow));
        batch.len() - before
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.receiver.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: &str) -> Inbound {
        Inbound::Notice(text.to_owned())
    }

    fn small() -> InboxLimits {
        InboxLimits {
            items_max: 2,
            decoded_bytes_max: 100,
            wait_max: Duration::from_secs(1),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_inbox_refuses_after_the_wait_and_the_sum_comes_with_the_next_batch() {
        let (inbox, mut receiver) = channel(small());
        inbox.try_send(notice("a")).unwrap();
        inbox.try_send(notice("b")).unwrap();
        assert_eq!(inbox.try_send(notice("c")), Err(Full));
        let before = Instant::now();
        assert!(inbox.reserve(0).await.is_err());
        assert_eq!(before.elapsed(), Duration::from_secs(1));
        inbox.refuse(Overflow {
            payloads: 1,
            chunks: 3,
            unreadable: 0,
        });
        inbox.refuse(Overflow {
            payloads: 1,
            chunks: 4,
            unreadable: 0,
        });
        let mut batch = Vec::new();
        assert_eq!(receiver.recv_many(&mut batch, 10).await, 3);
        assert!(matches!(
            batch[2],
            Inbound::Overflow(Overflow {
                payloads: 2,
                chunks: 7,
                unreadable: 0
            })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_given_back_as_items_are_taken() {
        let (inbox, mut receiver) = channel(small());
        inbox.reserve(60).await.unwrap().send(notice("a"));
        assert!(inbox.reserve(60).await.is_err());
        assert_eq!(receiver.recv_many(&mut Vec::new(), 1).await, 1);
        inbox.reserve(60).await.unwrap().send(notice("b"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_payload_above_the_limit_passes_alone() {
        let (inbox, mut receiver) = channel(small());
        inbox
            .reserve(usize::MAX)
            .await
            .unwrap()
            .send(notice("huge"));
        assert!(inbox.reserve(1).await.is_err());
        assert_eq!(receiver.try_recv_many(&mut Vec::new(), 10), 1);
        assert!(inbox.reserve(1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_the_room_that_comes_free() {
        let (inbox, mut receiver) = channel(small());
        inbox.try_send(notice("a")).unwrap();
        inbox.try_send(notice("b")).unwrap();
        let waiting =
            tokio::spawn(async move { inbox.reserve(1).await.map(|slot| slot.send(notice("c"))) });
        tokio::task::yield_now().await;
        assert_eq!(receiver.recv_many(&mut Vec::new(), 1).await, 1);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_gathers_for_a_moment_unless_it_is_the_first_or_the_last_was_full() {
        let (inbox, mut receiver) = channel(InboxLimits::default());
        let begun = Instant::now();
        for limit in [1, 3, 3] {
            inbox.try_send(notice("a")).unwrap();
            receiver.recv_many(&mut Vec::new(), limit).await;
        }
        assert_eq!(begun.elapsed(), GATHER);
    }

    #[tokio::test(start_paused = true)]
    async fn gathering_ends_when_the_inbox_is_half_full() {
        let (inbox, mut receiver) = channel(small());
        let begun = Instant::now();
        for _ in 0..3 {
            inbox.try_send(notice("a")).unwrap();
            receiver.recv_many(&mut Vec::new(), 3).await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_refusal_alone_wakes_the_loop_and_the_end_is_told_by_zero() {
        let (inbox, mut receiver) = channel(small());
        let mut batch = Vec::new();
        inbox.refuse(Overflow {
            payloads: 1,
            chunks: 0,
            unreadable: 0,
        });
        assert_eq!(receiver.recv_many(&mut batch, 10).await, 1);
        drop(inbox);
        assert_eq!(receiver.recv_many(&mut batch, 10).await, 0);
    }
}
