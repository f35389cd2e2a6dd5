//! The relay's lines, put together again: `modtrace1 SOURCE SEQ PART/PARTS CRC32 BASE64`. The parts
//! of a message, decoded and joined, inflate to one HTTP request.
//!
//! Parts may come out of order, twice, between other output and with other output glued to them;
//! what does not come is counted once enough has come after it to be sure. Bounded in all it holds.
//! Knows nothing of what is in a message.

mod assembler;
mod message;
mod sequence;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::trace::RelaySource;

pub(crate) use assembler::Assembler;

/// What a line of a relay begins with, wherever in a line of output that is.
pub(crate) const MARK: &str = "modtrace1 ";

/// Parts of one message at most: what 25 MiB take that do not compress.
const PARTS_MAX: u32 = 16_384;

/// The highest number of a message; what is above is damaged.
const SEQ_MAX: u64 = 1 << 32;

/// A line of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RelayLine<'a> {
    source: RelaySource,
    /// Counts messages from 1.
    seq: u64,
    /// Counts from 1.
    part: u32,
    parts: u32,
    /// Of the inflated message.
    crc: u32,
    base64: &'a str,
}

impl<'a> RelayLine<'a> {
    /// Reads the line that a text begins with, and says how many bytes of the text belong to it.
    /// `None` if it begins with none, or with one whose head is torn.
    ///
    /// The line ends where its base64 does, whatever is glued to it: another relay line, which
    /// begins with letters that base64 has too, or output whose first letters cannot be told apart.
    pub(crate) fn parse(text: &'a str) -> Option<(Self, usize)> {
        let rest = text.strip_prefix(MARK)?;
        let rest = rest.split(MARK).next().unwrap_or_default();
        let mut words = rest.splitn(5, ' ');
        let source = RelaySource(hex(words.next()?)?);
        let seq = decimal(words.next()?)?;
        let (part, parts) = words.next()?.split_once('/')?;
        let (part, parts) = (part_number(part)?, part_number(parts)?);
        let crc = hex(words.next()?)?;
        let base64 = base64_prefix(words.next()?);
        if !(1..=SEQ_MAX).contains(&seq) || part > parts {
            return None;
        }
        let line = Self {
            source,
            seq,
            part,
            parts,
            crc,
            base64,
        };
        let length = base64.as_ptr().addr() - text.as_ptr().addr() + base64.len();
        Some((line, length))
    }

    /// The bytes of the part; `None` if it is torn.
    fn bytes(&self) -> Option<Vec<u8>> {
        let n_left_over = self.base64.trim_end_matches('=').len() % 4;
        let is_last = self.part == self.parts;
        let text = match n_left_over {
            // A letter of something else: zlib knows where the last part ends.
            1 if is_last => self.base64.get(..self.base64.len() - 1)?,
            _ => self.base64,
        };
        let bytes = TOLERANT.decode(text).ok()?;
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// Takes what glued letters do to the last group; the checksum decides.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// As much of a text as is base64: letters, and padding up to a whole group.
fn base64_prefix(text: &str) -> &str {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let bytes = text.as_bytes();
    let n_letters = bytes.iter().take_while(|byte| is_letter(byte)).count();
    let n_padding_max = (4 - n_letters % 4) % 4;
    let padding = bytes.iter().skip(n_letters).take(n_padding_max.min(2));
    let n_padding = padding.take_while(|byte| **byte == b'=').count();
    text.get(..n_letters + n_padding).unwrap_or_default()
}

/// Exactly eight hex digits.
fn hex(text: &str) -> Option<u32> {
    let well_formed = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then(|| u32::from_str_radix(text, 16).ok())?
}

/// Digits and nothing else.
fn decimal(text: &str) -> Option<u64> {
    let well_formed = text.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| text.parse().ok())?
}

fn part_number(text: &str) -> Option<u32> {
    let number = u32::try_from(decimal(text)?).ok()?;
    (1..=PARTS_MAX).contains(&number).then_some(number)
}

/// A whole message of a relay: what it was told over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The process it was told in.
    pub(crate) source: RelaySource,
    /// Its number, counted from 1.
    pub(crate) seq: u64,
    /// Head and body of the request.
    pub(crate) bytes: Vec<u8>,
}

/// A message that is known to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The process that sent it.
    pub(crate) source: RelaySource,
    /// Its number, counted from 1.
    pub(crate) seq: u64,
    /// What is known of it.
    pub(crate) reason: Reason,
}

/// Why a message is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// None of its lines came.
    Missing,
    /// Some of its lines came.
    Incomplete {
        /// So many.
        parts_seen: u32,
        /// Of so many.
        parts: u32,
    },
    /// A line of it was cut, or something else was written into it.
    TornPart {
        /// Which one.
        part: u32,
    },
    /// All lines came, and they are not what was sent.
    Damaged,
    /// It is larger than a request may be.
    TooLarge,
    /// Too many others were unfinished.
    NoRoom,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source: RelaySource(source),
            seq,
            reason,
        } = self;
        write!(f, "message {seq} of the relay {source:08x} is lost: ")?;
        match reason {
            Reason::Missing => f.write_str("none of its lines arrived"),
            Reason::Incomplete { parts_seen, parts } => {
                write!(f, "{parts_seen} of its {parts} lines arrived")
            }
            Reason::TornPart { part } => {
                write!(f, "line {part} of it arrived torn; {AGAIN}")
            }
            Reason::Damaged => write!(f, "its checksum does not match; {AGAIN}"),
            Reason::TooLarge => write!(f, "inflated, it is larger than {BYTES_MAX} bytes"),
            Reason::NoRoom => f.write_str("too many messages were unfinished at the same time"),
        }
    }
}

/// What helps where a pipeline tears lines.
const AGAIN: &str = "modtrace_relay.start(repeat=2) prints each message twice";

/// Bytes of an inflated message at most: a body and its head.
const BYTES_MAX: usize = super::encoding::BODY_BYTES_MAX + 64 * 1024;
