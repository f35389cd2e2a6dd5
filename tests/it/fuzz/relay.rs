//! Bytes to the lines of relays, as `modtrace_relay.py` prints them, damaged as the bytes say: so
//! that random bytes reach what is behind the checksum. Shared with the crate in `fuzz/`.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// Messages that are made of one input.
const MESSAGES_MAX: usize = 64;

/// The head of a message in the input: how many lines, how they are damaged, its length.
const HEAD_BYTES: usize = 4;

/// Damage, a bit each.
const DROPPED: u8 = 1;
const TWICE: u8 = 2;
const TORN: u8 = 4;
const CHANGED: u8 = 8;
const BACKWARDS: u8 = 16;
const GLUED: u8 = 32;
const OTHER_SOURCE: u8 = 64;
const GAP: u8 = 128;

/// An input that becomes this message.
pub(crate) fn input(n_lines: u8, damage: u8, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let message = &message[..usize::from(length)];
    [&[n_lines, damage], &length.to_be_bytes()[..], message].concat()
}

/// The lines that an input stands for.
pub(crate) fn lines(input: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut rest = input;
    let mut seq = 0;
    for _ in 0..MESSAGES_MAX {
        let Some((head, after)) = rest.split_at_checked(HEAD_BYTES) else {
            break;
        };
        let length = usize::from(u16::from_be_bytes([head[2], head[3]])).min(after.len());
        let (message, after) = after.split_at(length);
        rest = after;
        seq += if head[1] & GAP == 0 { 1 } else { 40 };
        write_message(&mut output, (head[0], head[1]), seq, message);
    }
    // What is left over is output of the program itself.
    output.extend_from_slice(rest);
    output
}

fn write_message(output: &mut Vec<u8>, (n_lines, damage): (u8, u8), seq: u64, message: &[u8]) {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message).expect("memory takes all");
    let deflated = encoder.finish().expect("memory takes all");
    let mut crc = Crc::new();
    crc.update(message);
    let is = |bit: u8| damage & bit != 0;
    let source = if is(OTHER_SOURCE) { 2 } else { 1 };
    let n_parts = usize::from(n_lines % 8) + 1;
    let parts: Vec<_> = deflated.chunks(deflated.len().div_ceil(n_parts)).collect();
    let line = |(index, part): (usize, &&[u8])| {
        let text = BASE64_STANDARD.encode(part);
        let (part, parts, crc) = (index + 1, parts.len(), crc.sum());
        format!("modtrace1 {source:08x} {seq} {part}/{parts} {crc:08x} {text}").into_bytes()
    };
    let mut lines: Vec<Vec<u8>> = parts.iter().enumerate().map(line).collect();
    let place = usize::from(n_lines) % lines.len();
    if is(TORN) {
        let half = lines[place].len() / 2;
        lines[place].truncate(half);
    }
    if is(CHANGED) {
        *lines[place].last_mut().expect("a line has a mark") ^= 1;
    }
    if is(TWICE) {
        lines.extend(lines.clone());
    }
    if is(DROPPED) {
        lines.remove(place);
    }
    if is(BACKWARDS) {
        lines.reverse();
    }
    let end: &[u8] = if is(GLUED) { b"glued" } else { b"\n" };
    for line in lines {
        output.extend_from_slice(&line);
        output.extend_from_slice(end);
    }
}
