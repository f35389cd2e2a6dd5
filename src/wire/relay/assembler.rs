//! Puts the messages of relays together, and knows which ones never came.
//!
//! ```text
//! of each relay    1 … highest    open: missing or unfinished    lost    all others came whole
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::Read as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::Crc;
use flate2::read::ZlibDecoder;

use super::RelayLine;
use crate::trace::{RelaySource, UnixNanos};

/// Relays that are remembered; of more, the one that spoke last is kept.
const SOURCES_MAX: usize = 256;
/// Messages of one relay that may be open at a time.
const OPEN_MAX: usize = 4_096;
/// Messages that were called lost and are taken all the same if they come.
const LOST_REMEMBERED_MAX: usize = 4_096;
/// Bytes of parts that wait for the others, of all relays together.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a request, its body being at most 25 MiB.
const REQUEST_BYTES_MAX: u64 = 25 * 1024 * 1024 + 64 * 1024;
/// So many later messages say that one will not come any more …
const LATER_MESSAGES: u32 = 32;
/// … or so much time since it was first missed.
const WAIT_NS: i64 = 5_000_000_000;

/// A request that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) source: RelaySource,
    pub(crate) seq: u32,
    /// The request as it was sent to the relay.
    pub(crate) bytes: Vec<u8>,
}

/// A message that did not come, or not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) source: RelaySource,
    pub(crate) seq: u32,
    pub(crate) reason: Reason,
}

/// Why a message is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// None of its lines was read.
    Missing,
    /// Some of its lines were.
    Parts { read: u32, of: u32 },
    /// It came, and its checksum or compression is wrong.
    Damaged,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            seq,
            reason,
        } = self;
        write!(f, "message {seq} of relay {:08x} is lost: ", source.0)?;
        match reason {
            Reason::Missing => f.write_str("none of its lines could be read"),
            Reason::Parts { read, of } => write!(f, "{read} of its {of} lines could be read"),
            Reason::Damaged => f.write_str("its checksum is wrong"),
        }
    }
}

/// A message that is not whole.
#[derive(Debug)]
struct Open {
    /// When it was first missed, or its first part came.
    since: UnixNanos,
    parts: BTreeMap<u32, Box<str>>,
    /// Number of parts and checksum, as its first line said.
    head: Option<(u32, u32)>,
    was_damaged: bool,
}

impl Open {
    fn missing(since: UnixNanos) -> Self {
        Self {
            since,
            parts: BTreeMap::new(),
            head: None,
            was_damaged: false,
        }
    }

    fn reason(&self) -> Reason {
        match self.head {
            _ if self.was_damaged => Reason::Damaged,
            Some((of, _)) if !self.parts.is_empty() => Reason::Parts {
                read: u32::try_from(self.parts.len()).unwrap_or(u32::MAX),
                of,
            },
            _ => Reason::Missing,
        }
    }

    fn bytes(&self) -> usize {
        self.parts.values().map(|part| part.len()).sum()
    }
}

/// What is known of one relay.
#[derive(Debug, Default)]
struct Source {
    /// The highest message of which a line was read.
    highest: u32,
    open: BTreeMap<u32, Open>,
    /// Messages that were called lost.
    lost: BTreeSet<u32>,
    /// Grows with every line of any relay.
    last_line: u64,
}

impl Source {
    /// Whether a message has been settled, so that another copy of it is none of our business.
    fn is_settled(&self, seq: u32) -> bool {
        let is_below = seq <= self.highest && !self.open.contains_key(&seq);
        is_below && !self.lost.contains(&seq)
    }

    fn settle(&mut self, seq: u32) {
        self.open.remove(&seq);
        self.lost.remove(&seq);
    }

    fn lose(&mut self, seq: u32) -> Option<Reason> {
        let reason = self.open.remove(&seq)?.reason();
        if !self.lost.insert(seq) {
            // Said before: a part of it came late.
            return None;
        }
        if self.lost.len() > LOST_REMEMBERED_MAX {
            self.lost.pop_first();
        }
        Some(reason)
    }
}

/// Parts to messages, for all relays of one stream.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    sources: HashMap<RelaySource, Source>,
    waiting_bytes: usize,
    n_lines: u64,
    /// Losses that are sure already.
    losses: Vec<Loss>,
}

impl Assembler {
    /// Takes a line. Returns the message that it completes.
    pub(crate) fn push(&mut self, line: RelayLine<'_>, at: UnixNanos) -> Option<Message> {
        self.n_lines += 1;
        self.make_room_for(line.source);
        let source = self.sources.entry(line.source).or_default();
        source.last_line = self.n_lines;
        // A number far away is no number of ours: the line was damaged where no checksum sees it.
        let ahead = line.seq.saturating_sub(source.highest);
        if usize::try_from(ahead).is_ok_and(|ahead| ahead > OPEN_MAX) || source.is_settled(line.seq)
        {
            return None;
        }
        for missed in source.highest + 1..line.seq {
            source.open.insert(missed, Open::missing(at));
        }
        source.highest = source.highest.max(line.seq);
        let open = source
            .open
            .entry(line.seq)
            .or_insert_with(|| Open::missing(at));
        let head = (line.parts, line.crc);
        if open.head != Some(head) {
            // The last line to say it wins; a damaged head is outvoted by the copies after it.
            self.waiting_bytes = self.waiting_bytes.saturating_sub(open.bytes());
            open.parts.clear();
            open.head = Some(head);
        }
        if let std::collections::btree_map::Entry::Vacant(place) = open.parts.entry(line.part) {
            self.waiting_bytes += line.data.len();
            place.insert(line.data.into());
        }
        let message = self.complete(line);
        self.bound();
        message
    }

    /// What is lost for sure by now, each message once.
    pub(crate) fn give_up(&mut self, at: UnixNanos) -> Vec<Loss> {
        let Self {
            sources,
            losses,
            waiting_bytes,
            ..
        } = self;
        for (id, source) in sources {
            while let Some((seq, open)) = source.open.first_key_value() {
                let later = source.highest - seq;
                let is_late = later > 0 && at.since(open.since) >= WAIT_NS;
                if later < LATER_MESSAGES && !is_late {
                    break;
                }
                let (seq, bytes) = (*seq, open.bytes());
                *waiting_bytes = waiting_bytes.saturating_sub(bytes);
                let reason = source.lose(seq);
                losses.extend(reason.map(|reason| Loss {
                    source: *id,
                    seq,
                    reason,
                }));
            }
        }
        std::mem::take(losses)
    }

    /// What is lost because nothing more can come.
    pub(crate) fn finish(&mut self) -> Vec<Loss> {
        let ids: Vec<RelaySource> = self.sources.keys().copied().collect();
        for id in ids {
            self.forget(id);
        }
        std::mem::take(&mut self.losses)
    }

    fn complete(&mut self, line: RelayLine<'_>) -> Option<Message> {
        let source = self.sources.get_mut(&line.source)?;
        let open = source.open.get_mut(&line.seq)?;
        if usize::try_from(line.parts) != Ok(open.parts.len()) {
            return None;
        }
        self.waiting_bytes = self.waiting_bytes.saturating_sub(open.bytes());
        let parts = std::mem::take(&mut open.parts);
        let Some(bytes) = inflate(&parts, line.crc) else {
            // Another copy may come whole.
            open.was_damaged = true;
            return None;
        };
        source.settle(line.seq);
        Some(Message {
            source: line.source,
            seq: line.seq,
            bytes,
        })
    }

    /// The relay that has been silent for longest gives up its place.
    fn make_room_for(&mut self, id: RelaySource) {
        if self.sources.len() < SOURCES_MAX || self.sources.contains_key(&id) {
            return;
        }
        let oldest = self
            .sources
            .iter()
            .min_by_key(|(_, source)| source.last_line);
        if let Some(oldest) = oldest.map(|(id, _)| *id) {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, id: RelaySource) {
        let Some(source) = self.sources.remove(&id) else {
            return;
        };
        for (seq, open) in &source.open {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(open.bytes());
            self.losses.push(Loss {
                source: id,
                seq: *seq,
                reason: open.reason(),
            });
        }
    }

    /// Keeps what waits within its limits: the oldest message of the relay that has most is given up.
    fn bound(&mut self) {
        while self.waiting_bytes > WAITING_BYTES_MAX {
            let largest = self
                .sources
                .iter()
                .max_by_key(|(_, source)| source.open.values().map(Open::bytes).sum::<usize>());
            let Some(id) = largest.map(|(id, _)| *id) else {
                return;
            };
            let Some(source) = self.sources.get_mut(&id) else {
                return;
            };
            let first = source.open.iter().find(|(_, open)| !open.parts.is_empty());
            let Some((seq, bytes)) = first.map(|(seq, open)| (*seq, open.bytes())) else {
                return;
            };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
            let reason = source.lose(seq);
            self.losses.extend(reason.map(|reason| Loss {
                source: id,
                seq,
                reason,
            }));
        }
    }
}

/// Base64 as the relay writes it, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The request in the parts, if it is what the checksum says. What follows the compressed stream, as
/// when somebody printed right behind the last part, is left out.
fn inflate(parts: &BTreeMap<u32, Box<str>>, crc: u32) -> Option<Vec<u8>> {
    let mut packed = Vec::new();
    for data in parts.values() {
        let whole = data.trim_end_matches('=');
        // Four characters are three bytes; of a torn rest, what is whole is kept.
        let fits = if whole.len() % 4 == 1 {
            whole.len() - 1
        } else {
            whole.len()
        };
        packed.extend(BASE64.decode(whole.get(..fits)?).ok()?);
    }
    let mut bytes = Vec::new();
    let mut inflated = ZlibDecoder::new(packed.as_slice()).take(REQUEST_BYTES_MAX + 1);
    inflated.read_to_end(&mut bytes).ok()?;
    let mut sum = Crc::new();
    sum.update(&bytes);
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= REQUEST_BYTES_MAX);
    (fits && sum.sum() == crc).then_some(bytes)
}
