//! The lines that are held, by key: each is found at once and can go alone, and what goes leaves
//! nothing behind.
//!
//! ```text
//! key 0 … 127   ─▶ block 0: [line, line, -, line, …]     a block goes with its last line
//! key 128 … 255 ─▶ block 1: …
//! ```

use std::collections::BTreeMap;

use super::{LogEntry, LogKey};

/// Lines in one block: few enough that one line left of it wastes little.
const BLOCK_LINES: u64 = 128;
/// A block without its lines: a place for each, and itself in the map.
const BLOCK_BYTES: usize = 128 * 8 + 64;
/// What the allocator takes for a line beside it.
const ALLOCATION_BYTES: usize = 16;

#[derive(Debug)]
struct Block {
    lines: Box<[Option<Box<LogEntry>>]>,
    n_held: u32,
}

/// The lines, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct HeldLines {
    blocks: BTreeMap<u64, Block>,
    n_lines: usize,
    bytes: usize,
}

impl HeldLines {
    pub(super) fn push(&mut self, entry: LogEntry) {
        self.bytes += line_bytes(&entry);
        self.n_lines += 1;
        let (number, place) = address(entry.key());
        let block = self.blocks.entry(number).or_insert_with(|| {
            self.bytes += BLOCK_BYTES;
            Block {
                lines: (0..BLOCK_LINES).map(|_| None).collect(),
                n_held: 0,
            }
        });
        if let Some(slot) = block.lines.get_mut(place) {
            *slot = Some(Box::new(entry));
            block.n_held += 1;
        }
    }

    pub(super) fn get(&self, key: LogKey) -> Option<&LogEntry> {
        let (number, place) = address(key);
        let block = self.blocks.get(&number)?;
        block.lines.get(place)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, key: LogKey) -> Option<&mut LogEntry> {
        let (number, place) = address(key);
        let block = self.blocks.get_mut(&number)?;
        block.lines.get_mut(place)?.as_deref_mut()
    }

    #[expect(
        clippy::unnecessary_box_returns,
        reason = "moved out of its slot, not copied"
    )]
    pub(super) fn remove(&mut self, key: LogKey) -> Option<Box<LogEntry>> {
        let (number, place) = address(key);
        let block = self.blocks.get_mut(&number)?;
        let entry = block.lines.get_mut(place)?.take()?;
        block.n_held -= 1;
        if block.n_held == 0 {
            self.blocks.remove(&number);
            self.bytes -= BLOCK_BYTES;
        }
        self.n_lines -= 1;
        self.bytes -= line_bytes(&entry);
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.blocks.values().flat_map(Block::iter)
    }

    /// The lines from a key on.
    pub(super) fn range_from(&self, key: LogKey) -> impl Iterator<Item = &LogEntry> {
        let (number, _) = address(key);
        let blocks = self.blocks.range(number..);
        blocks
            .flat_map(|(_, block)| block.iter())
            .skip_while(move |entry| entry.key() < key)
    }

    pub(super) fn len(&self) -> usize {
        self.n_lines
    }

    /// What they occupy, by our own count.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Block {
    fn iter(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.lines.iter().flatten().map(Box::as_ref)
    }
}

/// What a line occupies.
pub(in crate::store) fn line_bytes(entry: &LogEntry) -> usize {
    let beside_the_record = size_of::<LogEntry>() - size_of_val(entry.record());
    entry.record().heap_bytes() + beside_the_record + ALLOCATION_BYTES
}

fn address(key: LogKey) -> (u64, usize) {
    let place = usize::try_from(key.0 % BLOCK_LINES).unwrap_or(usize::MAX);
    (key.0 / BLOCK_LINES, place)
}
