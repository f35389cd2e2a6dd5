//! Small and deterministic: seeds changed in the ways that break readers of formats. The same number
//! gives the same bytes on every machine.

/// Numbers that look random (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("64 bits");
        usize::try_from(self.next() % end.max(1)).expect("it was one")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let (one, other) = (self.below(length + 1), self.below(length + 1));
        one.min(other)..one.max(other)
    }
}

/// What a mutation may become at most, unless a seed is larger.
const BYTES_MAX: usize = 64 * 1024;

/// Ways to change a seed. Each is given the others, too.
type Change = fn(&mut Vec<u8>, &mut Random, &[Vec<u8>]);

const CHANGES: [Change; 10] = [
    flip, overwrite, truncate, splice, announce, count, repeat, remove, nest, swap,
];

/// One of the seeds, changed once to four times, mostly once: what is broken at its head says
/// nothing of what reads the rest.
pub(crate) fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    let n_changes = random.below(4) + 1;
    for _ in 0..=random.below(n_changes) {
        let change = CHANGES[random.below(CHANGES.len())];
        change(&mut bytes, random, seeds);
    }
    bytes
}

/// Single bits.
#[expect(clippy::ptr_arg, reason = "a row of the table")]
fn flip(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    for _ in 0..=random.below(8) {
        let place = random.below(bytes.len());
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << random.below(8);
        }
    }
}

/// A byte that means something: heads of msgpack's values, JSON's punctuation, line ends.
#[expect(clippy::ptr_arg, reason = "a row of the table")]
fn overwrite(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    const TELLING: &[u8] = b"\x80\x81\x8f\x90\x91\x9c\x9f\xa0\xa1\xbf\xc0\xc1\xc2\xc3\xc4\xc6\xc7\xc9\xca\xcb\xcc\xcf\xd0\xd3\xd4\xd8\xd9\xdb\xdc\xdd\xde\xdf\xe0\xff\x00\x01\x7f{}[]\",:\\\n\r \x1b-.e0";
    let place = random.below(bytes.len());
    let byte = if random.below(4) == 0 {
        random.byte()
    } else {
        TELLING[random.below(TELLING.len())]
    };
    if let Some(place) = bytes.get_mut(place) {
        *place = byte;
    }
}

fn truncate(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    bytes.truncate(random.below(bytes.len() + 1));
}

/// The beginning of it and the end of another.
fn splice(bytes: &mut Vec<u8>, random: &mut Random, seeds: &[Vec<u8>]) {
    let other = &seeds[random.below(seeds.len())];
    bytes.truncate(random.below(bytes.len() + 1));
    bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
}

/// The head of something that is larger than it can be, or only larger than it is.
fn announce(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    const HEADS: [&[u8]; 9] = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\x7f\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\x80\x00\x00\x00",
        b"\xc9\xff\xff\xff\xff",
        b"\xdc\x04\x00",
        b"\xde\x02\x00",
        b"\xda\x10\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ];
    let head = HEADS[random.below(HEADS.len())];
    let place = random.below(bytes.len() + 1);
    let end = (place + head.len() * random.below(2)).min(bytes.len());
    bytes.splice(place..end, head.iter().copied());
}

/// Another number where digits stand.
fn count(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    const NUMBERS: [&str; 9] = [
        "18446744073709551616",
        "18446744073709551615",
        "-9223372036854775808",
        "9223372036854775808",
        "4294967296",
        "1e999",
        "-0",
        "0.1e-400",
        "00",
    ];
    let from = random.below(bytes.len());
    let digits = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes.iter().skip(from).position(digits) else {
        return;
    };
    let start = from + start;
    let length = bytes[start..]
        .iter()
        .take_while(|byte| digits(byte))
        .count();
    let number = NUMBERS[random.below(NUMBERS.len())];
    bytes.splice(start..start + length, number.bytes());
}

/// A part of it, again and again.
fn repeat(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    let range = random.range(bytes.len());
    let part = bytes[range.clone()].to_vec();
    if part.is_empty() {
        return;
    }
    let n_max = BYTES_MAX.saturating_sub(bytes.len()) / part.len();
    // Mostly a few times: large inputs are slow, and find less.
    let n_times = match random.below(16) {
        0 => n_max,
        _ => n_max.min(random.below(4)),
    };
    bytes.splice(range.end..range.end, part.repeat(n_times));
}

fn remove(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    let range = random.range(bytes.len());
    let end = range.end.min(range.start + 64);
    bytes.drain(range.start..end);
}

/// Depth.
fn nest(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    const HEADS: [&[u8]; 6] = [
        b"\x91",
        b"\x81\xa1a",
        b"[",
        b"{\"a\":",
        b"(",
        b"{\"traces\":[[",
    ];
    let place = random.below(bytes.len() + 1);
    let n_times = [1, 2, 40, 70, 5_000][random.below(5)];
    let heads = HEADS[random.below(HEADS.len())].repeat(n_times);
    bytes.splice(place..place, heads);
}

/// A part of it somewhere else, too.
fn swap(bytes: &mut Vec<u8>, random: &mut Random, _: &[Vec<u8>]) {
    let range = random.range(bytes.len());
    let part: Vec<u8> = bytes[range].iter().take(256).copied().collect();
    let place = random.below(bytes.len() + 1);
    bytes.splice(place..place, part);
}
