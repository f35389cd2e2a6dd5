//! The figures in the message of a GPU that is out of memory. They are what the message says, not what is true:
//! no sum of them is checked.

use std::fmt::Write as _;

use super::{message, said, words};
use crate::trace::{Span, Text, tag};

/// What the message of an error says of the GPU's memory; `PyTorch`'s old and new wordings, XLA's, `CuPy`'s and
/// llama.cpp's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomFigures {
    /// What could not be had.
    pub tried_bytes: Option<u64>,
    /// What the GPU has.
    pub capacity_bytes: Option<u64>,
    /// What of it nobody used.
    pub free_bytes: Option<u64>,
    /// What all processes used that the message names, not by `PyTorch` alone.
    pub in_use_bytes: Option<u64>,
    /// What `PyTorch` (or `CuPy`) had given to the program.
    pub allocated_by_torch_bytes: Option<u64>,
    /// What `PyTorch` held in all, given or kept to be given again.
    pub reserved_bytes: Option<u64>,
    /// The number of the GPU, as the process counts them.
    pub gpu: Option<u32>,
}

/// Sizes of one kind that are looked for in one message: as many processes share a GPU at most.
const MENTIONS_MAX: usize = 64;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// The units as the libraries write them. XLA's "17.79G" are powers of two as well.
const UNITS: [(&str, u64); 13] = [
    ("bytes", 1),
    ("byte", 1),
    ("B", 1),
    ("KiB", KIB),
    ("K", KIB),
    ("KB", KIB),
    ("MiB", MIB),
    ("M", MIB),
    ("MB", MIB),
    ("GiB", GIB),
    ("G", GIB),
    ("GB", GIB),
    ("TiB", TIB),
];

/// What stands before the size that was asked for.
const TRIED: [&str; 7] = [
    "ried to allocate ",
    "rying to allocate ",
    "ut of memory allocating ",
    "ut of memory to allocate ",
    "ailed to allocate request for ",
    "ailed to allocate ",
    ": allocating ",
];
/// What stands before the size of the GPU; early releases of `PyTorch` 2 misspell it.
const CAPACITY: [&str; 2] = ["total capacity of ", "total capacty of "];
/// What stands before the number of the GPU.
const GPU: [&str; 4] = ["(GPU ", ". GPU ", "device ordinal ", "on device "];

impl OomFigures {
    /// Reads a message; `None` if it is of something else, or has no figures.
    pub fn read(message: &str) -> Option<Self> {
        Self::of_text(&words::head(Text::from(message)))
    }

    /// Reads the message of a span's error, or without one the end of its traceback.
    pub fn of_span(span: Span<'_>) -> Option<Self> {
        if let Some(message) = message(span) {
            return Self::of_text(&words::head(message));
        }
        Self::of_text(&words::tail(said(span, tag::ERROR_STACK)?))
    }

    fn of_text(text: &str) -> Option<Self> {
        if !text.contains("ut of memory") && !words::is_out_of_memory(text) {
            return None;
        }
        let allocated = before(text, " already allocated")
            .or_else(|| before(text, " is allocated by PyTorch"))
            .or_else(|| after(text, "allocated so far: "));
        let figures = Self {
            tried_bytes: TRIED.iter().find_map(|marker| after(text, marker)),
            capacity_bytes: before(text, " total capacity")
                .or_else(|| CAPACITY.iter().find_map(|marker| after(text, marker))),
            free_bytes: before(text, " is free").or_else(|| before(text, " free;")),
            in_use_bytes: in_use(text),
            allocated_by_torch_bytes: allocated,
            reserved_bytes: reserved(text, allocated),
            gpu: GPU.iter().find_map(|marker| number_after(text, marker)),
        };
        let is_told = figures.tried_bytes.is_some() || figures.capacity_bytes.is_some();
        is_told.then_some(figures)
    }

    /// The figures that explain the failure, in words: "tried to allocate 2.40 GiB of 22.20 GiB, 1.12 GiB free
    /// (GPU 0)".
    pub fn sentence(&self) -> String {
        let mut text = match (self.tried_bytes, self.capacity_bytes) {
            (Some(tried), Some(capacity)) => {
                format!("tried to allocate {} of {}", size(tried), size(capacity))
            }
            (Some(tried), None) => format!("tried to allocate {}", size(tried)),
            (None, Some(capacity)) => format!("{} in all", size(capacity)),
            (None, None) => String::new(),
        };
        if let Some(free) = self.free_bytes {
            let comma = if text.is_empty() { "" } else { ", " };
            let _never_fails = write!(text, "{comma}{} free", size(free));
        }
        if let (Some(gpu), false) = (self.gpu, text.is_empty()) {
            let _never_fails = write!(text, " (GPU {gpu})");
        }
        text
    }
}

/// All that the named processes use. `PyTorch` 2 names them one by one, or its own alone.
fn in_use(text: &str) -> Option<u64> {
    let mentions = text.match_indices(" memory in use").take(MENTIONS_MAX);
    let sizes = mentions.filter_map(|(place, _)| last_size(text.get(..place)?));
    sizes.reduce(u64::saturating_add)
}

/// What `PyTorch` held in all. Later releases of 1 say so; before, as `cached`, and since 2.1 it is only said how
/// much more that was than what it had given.
fn reserved(text: &str, allocated: Option<u64>) -> Option<u64> {
    let more = || {
        let kept = before(text, " cached").or_else(|| before(text, " is reserved by PyTorch"))?;
        allocated?.checked_add(kept)
    };
    before(text, " reserved in total by PyTorch").or_else(more)
}

/// The size that stands behind a marker.
fn after(text: &str, marker: &str) -> Option<u64> {
    let (_, rest) = text.split_once(marker)?;
    let rest = rest.trim_start();
    let length = rest.find(|char| !is_digit(char)).unwrap_or(rest.len());
    let (number, rest) = rest.split_at_checked(length)?;
    let rest = rest.trim_start();
    let length = rest
        .find(|char: char| !char.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    bytes(number, rest.get(..length)?)
}

/// The size that stands before a marker.
fn before(text: &str, marker: &str) -> Option<u64> {
    let (rest, _) = text.split_once(marker)?;
    last_size(rest)
}

/// The size with which a text ends.
fn last_size(text: &str) -> Option<u64> {
    let text = text.trim_end();
    let rest = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = text.get(rest.len()..)?;
    let rest = rest.trim_end();
    let start = rest.trim_end_matches(is_digit).len();
    bytes(rest.get(start..)?, unit)
}

fn number_after(text: &str, marker: &str) -> Option<u32> {
    let (_, rest) = text.split_once(marker)?;
    let length = rest
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.get(..length)?.parse().ok()
}

fn is_digit(char: char) -> bool {
    char.is_ascii_digit() || matches!(char, '.' | ',')
}

/// `2.26` and `GiB` as bytes, in whole numbers, so that no digit is lost.
fn bytes(number: &str, unit: &str) -> Option<u64> {
    const DIGITS_MAX: usize = 9;
    let (_, unit_bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.replace(',', "").parse().ok()?;
    let fraction = fraction.get(..DIGITS_MAX).unwrap_or(fraction);
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part_bytes = u128::from(fraction.parse::<u32>().ok()?) * u128::from(*unit_bytes) / scale;
    whole
        .checked_mul(*unit_bytes)?
        .checked_add(u64::try_from(part_bytes).ok()?)
}

/// As `PyTorch` writes sizes.
fn size(bytes: u64) -> String {
    let units = [("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)];
    let Some((name, unit)) = units.into_iter().find(|(_, unit)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let hundredths = (u128::from(bytes) * 100 + u128::from(unit) / 2) / u128::from(unit);
    format!("{}.{:02} {name}", hundredths / 100, hundredths % 100)
}
