//! The relay's lines: HTTP requests as text on a program's stdout, in parts short enough to be written
//! at once.
//!
//! ```text
//! modtrace1 SOURCE SEQ PART/PARTS CRC32 BASE64
//! modtrace1 5f3a09c1 7 2/3 9d4ee0b2 eNqrVkrLz1ey…
//! ```
//!
//! SOURCE is one run of a process, SEQ counts its messages from 1. The parts of a message, decoded and
//! joined, inflate to one HTTP/1.1 request, of which CRC32 is the checksum. Whoever else prints into
//! the same pipe may tear lines; what is lost is known.

mod assembler;

pub(crate) use assembler::{Assembler, Loss, Message};

use crate::trace::RelaySource;

/// How a line begins.
pub(crate) const MARK: &str = "modtrace1 ";
/// A message has at most so many parts: more than a body of 25 MiB takes.
const PARTS_MAX: u32 = 20_000;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RelayLine<'a> {
    pub(crate) source: RelaySource,
    pub(crate) seq: u32,
    /// From 1.
    pub(crate) part: u32,
    pub(crate) parts: u32,
    pub(crate) crc: u32,
    /// Base64, possibly with what somebody printed right behind it.
    pub(crate) data: &'a str,
}

impl<'a> RelayLine<'a> {
    /// Reads a line from a text that begins with [`MARK`]; what follows it may be somebody else's.
    /// Returns how many bytes belong to it.
    pub(crate) fn parse(text: &'a str) -> Option<(Self, usize)> {
        let rest = text.strip_prefix(MARK)?;
        let (source, rest) = rest.split_once(' ')?;
        let (seq, rest) = rest.split_once(' ')?;
        let (part_of, rest) = rest.split_once(' ')?;
        let (crc, rest) = rest.split_once(' ')?;
        let (part, parts) = part_of.split_once('/')?;
        let is_base64 = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '/');
        let after = rest.trim_start_matches(is_base64);
        let mut n_data = rest.len() - after.len();
        n_data += after
            .bytes()
            .take(2)
            .take_while(|byte| *byte == b'=')
            .count();
        // The next line may stand right behind, and its mark is all of the alphabet.
        let data = rest.get(..n_data)?;
        let behind = rest.get(n_data..)?;
        let mark = MARK.trim_end();
        let data = match data.strip_suffix(mark) {
            Some(data) if behind.starts_with(' ') => data,
            _ => data,
        };
        let line = Self {
            source: RelaySource(hex(source)?),
            seq: number(seq)?,
            part: number(part)?,
            parts: number(parts)?,
            crc: hex(crc)?,
            data,
        };
        let is_one = line.part <= line.parts && line.parts <= PARTS_MAX;
        is_one.then_some((line, text.len() - rest.len() + data.len()))
    }
}

/// Eight hex digits.
fn hex(text: &str) -> Option<u32> {
    let is_hex = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(text, 16).ok())?
}

/// A decimal number from 1 on.
fn number(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| *number > 0);
    number.filter(|_| is_number)
}

#[cfg(test)]
mod tests;
