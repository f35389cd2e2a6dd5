//! From lines to messages, each exactly once, and to the ones that are lost, each exactly once.
//!
//! ```text
//! settled ▓▓▓▓▓▓▓▓▓░▓▓▓··▓▓▒▓▓▓   ▓ whole   ░ given up: counted, still taken if it comes
//!                     ╰ gaps ╯      · missing   ▒ unfinished
//! ```

use std::collections::{BTreeMap, HashMap};

use super::message::Unfinished;
use super::sequence::Sequence;
use super::{Loss, Message, Reason, RelayLine};
use crate::trace::{RelaySource, UnixNanos};

/// Processes that are remembered; the one that has been silent for longest is forgotten.
const SOURCES_MAX: usize = 256;
/// Unfinished messages of one process, and of all.
const UNFINISHED_PER_SOURCE_MAX: usize = 64;
const UNFINISHED_MAX: usize = 512;
/// Bytes of all unfinished messages: as base64 they are 64 MiB.
const BYTES_HELD_MAX: usize = 48 * 1024 * 1024;
/// So many whole messages after a missing one, or one so long ago, and it will not come any more.
const LATER_MESSAGES: usize = 32;
const LATER_NANOS: i64 = 5_000_000_000;
/// How often all processes are looked at while lines come.
const LOOK_NANOS: i64 = 1_000_000_000;
/// A wider gap is no loss: a process that had begun before we listened, or a damaged number. What
/// is in it is taken if it comes.
const GAP_MAX: u64 = 1_024;
/// Gaps of a process, before it is looked which of them are losses; and those that are remembered.
const RANGES_MAX: usize = 1_024;

/// Puts the lines of any number of relays together.
#[derive(Debug)]
pub(crate) struct Assembler {
    sources: HashMap<RelaySource, Source>,
    /// Losses nobody has been told of.
    losses: Vec<Loss>,
    /// Lines so far: what is oldest has the lowest.
    tick: u64,
    /// When all processes were looked at.
    looked_at: UnixNanos,
    bytes_held: usize,
    pub(super) bytes_held_max: usize,
    n_unfinished: usize,
}

impl Default for Assembler {
    fn default() -> Self {
        Self {
            sources: HashMap::new(),
            losses: Vec::new(),
            tick: 0,
            looked_at: UnixNanos::default(),
            bytes_held: 0,
            bytes_held_max: BYTES_HELD_MAX,
            n_unfinished: 0,
        }
    }
}

/// What is known of one process.
#[derive(Debug, Default)]
struct Source {
    touched: u64,
    /// The highest number seen.
    highest: u64,
    /// Whole, or given up.
    settled: Sequence,
    given_up: Sequence,
    unfinished: BTreeMap<u64, Begun>,
    /// When the newest became whole; kept while there are gaps.
    whole_at: BTreeMap<u64, UnixNanos>,
}

/// A message that has begun.
#[derive(Debug, Default)]
struct Begun {
    touched: u64,
    at: UnixNanos,
    message: Unfinished,
}

impl Assembler {
    /// Takes a line. A message is given out once: with the line that makes it whole.
    pub(crate) fn push(&mut self, line: RelayLine<'_>, at: UnixNanos) -> Option<Message> {
        self.tick += 1;
        let tick = self.tick;
        if !self.sources.contains_key(&line.source) {
            self.forget_silent();
        }
        let source = self.sources.entry(line.source).or_default();
        source.touched = tick;
        if source.has_come(line.seq) {
            return None;
        }
        source.reach(line.seq);
        let begun = source.unfinished.entry(line.seq).or_insert_with(|| {
            self.n_unfinished += 1;
            Begun::default()
        });
        (begun.touched, begun.at) = (tick, at);
        self.bytes_held -= begun.message.bytes_held();
        let whole = begun.message.take(&line);
        self.bytes_held += begun.message.bytes_held();
        let Some(bytes) = whole else {
            self.make_room(line.source);
            return None;
        };
        self.drop_unfinished(line.source, line.seq);
        let n_ranges = self.sources.get_mut(&line.source).map(|source| {
            source.complete(line.seq, at);
            source.settled.n_ranges()
        });
        if n_ranges.is_some_and(|n_ranges| n_ranges > RANGES_MAX) {
            self.collect(|source| source.overdue(at));
        }
        Some(Message {
            source: line.source,
            seq: line.seq,
            bytes,
        })
    }

    /// The messages that will not come any more, as it is known by now.
    pub(crate) fn give_up(&mut self, at: UnixNanos) -> Vec<Loss> {
        self.looked_at = at;
        self.collect(|source| source.overdue(at));
        std::mem::take(&mut self.losses)
    }

    /// The same after a line, which tells something of its own process only: to look at all of them
    /// after each line would take longer than to read it, so that is done now and then.
    pub(crate) fn give_up_after(&mut self, line: &RelayLine<'_>, at: UnixNanos) -> Vec<Loss> {
        if !(0..LOOK_NANOS).contains(&at.since(self.looked_at)) {
            return self.give_up(at);
        }
        let source = self.sources.get(&line.source);
        let wanting = source.filter(|source| !source.is_complete());
        let wanting = wanting.map(|source| source.overdue(at)).unwrap_or_default();
        self.settle_all(line.source, wanting);
        std::mem::take(&mut self.losses)
    }

    /// The messages that are missing now that nothing more comes.
    pub(crate) fn finish(&mut self) -> Vec<Loss> {
        self.collect(Source::outstanding);
        std::mem::take(&mut self.losses)
    }

    fn collect(&mut self, wanting: impl Fn(&Source) -> Vec<Wanting>) {
        let wanting: Vec<_> = self
            .sources
            .iter()
            .filter(|(_, source)| !source.is_complete())
            .map(|(id, source)| (*id, wanting(source)))
            .collect();
        for (id, wanting) in wanting {
            self.settle_all(id, wanting);
        }
    }

    fn settle_all(&mut self, id: RelaySource, wanting: Vec<Wanting>) {
        for one in wanting {
            self.settle(id, one);
        }
        if let Some(source) = self.sources.get_mut(&id) {
            source.tidy();
        }
    }

    /// Gives up on numbers of a source.
    fn settle(&mut self, id: RelaySource, wanting: Wanting) {
        let Wanting {
            first,
            last,
            reason,
        } = wanting;
        self.drop_unfinished(id, first);
        let (Some(source), Some(reason)) = (self.sources.get_mut(&id), reason) else {
            return;
        };
        source.settled.insert(first, last);
        source.given_up.insert(first, last);
        let losses = (first..=last).map(|seq| Loss {
            source: id,
            seq,
            reason,
        });
        self.losses.extend(losses);
    }

    fn drop_unfinished(&mut self, id: RelaySource, seq: u64) {
        let source = self.sources.get_mut(&id);
        if let Some(begun) = source.and_then(|source| source.unfinished.remove(&seq)) {
            self.n_unfinished -= 1;
            self.bytes_held -= begun.message.bytes_held();
        }
    }

    /// Gives up on the oldest unfinished messages while there are too many, of the source that has
    /// just begun one or of all.
    fn make_room(&mut self, id: RelaySource) {
        loop {
            let here = self.sources.get(&id);
            let is_full =
                here.is_some_and(|source| source.unfinished.len() > UNFINISHED_PER_SOURCE_MAX);
            let oldest = if is_full {
                here.and_then(|source| Some((id, source.oldest()?)))
            } else if self.n_unfinished > UNFINISHED_MAX || self.bytes_held > self.bytes_held_max {
                let sources = self.sources.iter();
                sources
                    .filter_map(|(id, source)| Some((*id, source.oldest()?)))
                    .min_by_key(|(_, (touched, _))| *touched)
            } else {
                None
            };
            let Some((id, (_, seq))) = oldest else {
                return;
            };
            let is_settled = self
                .sources
                .get(&id)
                .is_some_and(|source| source.settled.contains(seq));
            let wanting = Wanting {
                first: seq,
                last: seq,
                reason: (!is_settled).then_some(Reason::NoRoom),
            };
            self.settle(id, wanting);
        }
    }

    /// Makes room for a source.
    fn forget_silent(&mut self) {
        if self.sources.len() < SOURCES_MAX {
            return;
        }
        let silent = self.sources.iter().min_by_key(|(_, source)| source.touched);
        let Some((id, source)) = silent else {
            return;
        };
        let (id, outstanding) = (*id, source.outstanding());
        for wanting in outstanding {
            self.settle(id, wanting);
        }
        self.sources.remove(&id);
    }
}

/// Numbers that are not whole.
#[derive(Clone, Copy, Debug)]
struct Wanting {
    first: u64,
    last: u64,
    /// Why they are lost; `None` if that was told before, and only what came late of it is dropped.
    reason: Option<Reason>,
}

impl Source {
    /// Whether a message was given out.
    fn has_come(&self, seq: u64) -> bool {
        self.settled.contains(seq) && !self.given_up.contains(seq)
    }

    /// Whether nothing is missing or unfinished.
    fn is_complete(&self) -> bool {
        self.unfinished.is_empty() && self.settled.n_ranges() == 1
    }

    fn reach(&mut self, seq: u64) {
        if self.highest == 0 {
            self.settled.insert(0, 0);
        }
        if seq.saturating_sub(self.highest) > GAP_MAX {
            self.settled.insert(self.highest + 1, seq - 1);
            self.given_up.insert(self.highest + 1, seq - 1);
        }
        self.highest = self.highest.max(seq);
    }

    fn complete(&mut self, seq: u64, at: UnixNanos) {
        self.settled.insert(seq, seq);
        self.given_up.remove(seq);
        self.whole_at.insert(seq, at);
        self.tidy();
    }

    /// Forgets what no gap needs.
    fn tidy(&mut self) {
        if self.is_complete() {
            self.whole_at.clear();
        }
        while self.whole_at.len() > LATER_MESSAGES * 2 {
            self.whole_at.pop_first();
        }
        while self.given_up.n_ranges() > RANGES_MAX {
            self.given_up.drop_lowest();
        }
    }

    /// The unfinished message that has not grown for longest.
    fn oldest(&self) -> Option<(u64, u64)> {
        let begun = self.unfinished.iter();
        begun.map(|(seq, begun)| (begun.touched, *seq)).min()
    }

    /// All that is missing or unfinished.
    fn outstanding(&self) -> Vec<Wanting> {
        let trailing = self.settled.last().map(|last| (last + 1, self.highest));
        let gaps = self.settled.gaps().chain(trailing);
        let mut wanting = Vec::new();
        for (first, last) in gaps.filter(|(first, last)| first <= last) {
            let mut next = first;
            for (seq, begun) in self.unfinished.range(first..=last) {
                wanting.extend(missing(next, seq.saturating_sub(1)));
                wanting.push(Wanting {
                    first: *seq,
                    last: *seq,
                    reason: Some(begun.message.reason()),
                });
                next = seq + 1;
            }
            wanting.extend(missing(next, last));
        }
        // What came late, and not whole, of what was counted before.
        let late = self
            .unfinished
            .keys()
            .filter(|seq| self.settled.contains(**seq));
        wanting.extend(late.map(|seq| Wanting {
            first: *seq,
            last: *seq,
            reason: None,
        }));
        wanting
    }

    /// What of it will not come any more: enough has become whole after it, and none of its own
    /// lines came in the meantime.
    fn overdue(&self, at: UnixNanos) -> Vec<Wanting> {
        let mut wanting = self.outstanding();
        wanting.retain(|one| {
            let begun = self.unfinished.get(&one.first);
            let is_quiet = begun.is_none_or(|begun| at.since(begun.at) >= LATER_NANOS);
            is_quiet && (one.reason.is_none() || self.is_past(one.last, at))
        });
        wanting
    }

    /// Whether enough has become whole after a number, or long enough ago.
    fn is_past(&self, seq: u64, at: UnixNanos) -> bool {
        let later = || self.whole_at.range(seq.saturating_add(1)..);
        later().nth(LATER_MESSAGES - 1).is_some()
            || later().any(|(_, whole)| at.since(*whole) >= LATER_NANOS)
    }
}

fn missing(first: u64, last: u64) -> Option<Wanting> {
    (first <= last).then_some(Wanting {
        first,
        last,
        reason: Some(Reason::Missing),
    })
}
