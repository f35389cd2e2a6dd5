//! When which container was at work for a resource: a lane each, on one axis of time. Reads cards; it
//! paints nothing.

use super::cards::{ByContainer, Card, Resource};
use super::census::Column;
use crate::store::{Container, ContainerKey, Store};
use crate::trace::UnixNanos;

/// No more of the past is shown.
const EXTENT_NS_MAX: i64 = 600_000_000_000;
/// Of more containers, those that were at work last.
const LANES_MAX: usize = 64;
/// Nothing is told apart that is this part of the whole.
const STEPS: i64 = 1_000;

/// What a container did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// It served, and it is not known whether it was cold.
    Unknown,
    Busy,
    /// It started, or served who had waited for that.
    Cold,
}

/// What a container did from one moment to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: UnixNanos,
    pub(super) end: UnixNanos,
    pub(super) doing: Doing,
}

/// A container.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) key: ContainerKey,
    pub(super) name: String,
    pub(super) n: u64,
    pub(super) pieces: Vec<Piece>,
}

/// All lanes, in the order in which their containers began.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    pub(super) start: UnixNanos,
    pub(super) end: UnixNanos,
    pub(super) rows: Vec<Lane>,
    pub(super) n_left_out: usize,
    /// Requests of which is not known where they ran.
    pub(super) n_nowhere: u64,
}

impl Lanes {
    /// Of the requests that are held, of which the first began and the last ended at these moments.
    pub(super) fn count(
        resource: &Resource,
        (first, end): (UnixNanos, UnixNanos),
        store: &Store,
    ) -> Self {
        let limit = end.plus(-EXTENT_NS_MAX);
        let mut lanes = Self {
            start: first.max(limit),
            end,
            ..Self::default()
        };
        let (mut rows, mut places) = (Vec::<Lane>::new(), ByContainer::default());
        let step_ns = lanes.end.since(lanes.start) / STEPS;
        for card in resource.cards.values() {
            let Some(container) = card.container else {
                lanes.n_nowhere += 1;
                continue;
            };
            let row = places.row(container, || {
                rows.push(lane(container.key, store));
                rows.len() - 1
            });
            let Some(lane) = rows.get_mut(row) else {
                continue;
            };
            lane.n += 1;
            if card.end() >= lanes.start {
                lane.add(piece(card), step_ns);
            }
        }
        rows.retain(|lane| lane.pieces.iter().any(|piece| piece.end >= lanes.start));
        rows.sort_by_key(|lane| std::cmp::Reverse((lane.end(), lane.key)));
        lanes.n_left_out = rows.len().saturating_sub(LANES_MAX);
        rows.truncate(LANES_MAX);
        rows.sort_by_key(|lane| (lane.start(), lane.key));
        let began = rows.iter().map(Lane::start).min();
        lanes.start = began.unwrap_or(lanes.start).min(lanes.start).max(limit);
        lanes.rows = rows;
        lanes
    }
}

impl Lane {
    fn start(&self) -> UnixNanos {
        let starts = self.pieces.iter().map(|piece| piece.start);
        starts.min().unwrap_or_default()
    }

    fn end(&self) -> UnixNanos {
        let ends = self.pieces.iter().map(|piece| piece.end);
        ends.max().unwrap_or_default()
    }

    /// Adds what it did; what goes on without a gap that could be seen is one piece.
    fn add(&mut self, piece: Piece, step_ns: i64) {
        if let Some(last) = self.pieces.last_mut()
            && last.doing == piece.doing
            && piece.start >= last.start
            && piece.start.since(last.end) < step_ns
        {
            last.end = last.end.max(piece.end);
            return;
        }
        self.pieces.push(piece);
    }
}

/// A lane with what the container did before its first request: its start.
fn lane(key: ContainerKey, store: &Store) -> Lane {
    let container = store.fleet().container(key);
    let mut pieces = Vec::new();
    if let Some(past) = container.map(Container::past) {
        let inits = past.inits.iter();
        pieces.extend(inits.map(|init| Piece {
            start: init.start,
            end: init.end,
            doing: Doing::Cold,
        }));
        if let Some((start, opening)) = past.process_start.zip(past.opening)
            && start <= opening.start
        {
            let ready = past.init_before(opening.start).map(|init| init.end);
            pieces.push(Piece {
                start,
                end: ready.unwrap_or(opening.start),
                doing: Doing::Cold,
            });
        }
    }
    Lane {
        key,
        name: container.map_or_else(|| "forgotten".to_owned(), Container::label),
        n: 0,
        pieces,
    }
}

fn piece(card: &Card) -> Piece {
    Piece {
        start: card.start,
        end: card.end(),
        doing: match Column::of(card.kind) {
            Column::Cold => Doing::Cold,
            Column::Warm => Doing::Busy,
            Column::Unknown => Doing::Unknown,
        },
    }
}
