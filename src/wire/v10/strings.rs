//! The strings of a payload, numbered in the order in which they come.
//!
//! After `StringTable` in `pkg/proto/pbgo/trace/idx/internal_span.go` of `DataDog/datadog-agent`: the
//! empty string is number 0, and a string that comes again keeps its number.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::super::error::{DecodeError, Problem};
use super::super::value::{Decoder, Twin};
use crate::trace::{Role, StrId, TooLarge};

/// A string of the payload, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct StringIndex(u32);

impl StringIndex {
    pub(super) const EMPTY: Self = Self(0);

    fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A string of the payload.
#[derive(Clone, Copy, Debug, Default)]
struct Entry<'a> {
    text: &'a [u8],
    twin: Twin,
}

/// What a string takes here, with its place in the table of hashes.
const ENTRY_BYTES: usize = size_of::<Entry<'_>>() + 8;

/// The strings so far.
pub(super) struct Strings<'a> {
    entries: Vec<Entry<'a>>,
    known: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// How many had come where the payload is being read; the others were met while something was
    /// stepped over that lies behind that place.
    n_read: usize,
    chunk: u32,
    limit_bytes: usize,
}

impl<'a> Strings<'a> {
    pub(super) fn within(limit_bytes: usize) -> Self {
        let mut strings = Self {
            entries: vec![Entry::default()],
            known: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            n_read: 1,
            chunk: 0,
            limit_bytes,
        };
        strings.know(0);
        strings
    }

    /// Whether no string has come.
    pub(super) fn is_new(&self) -> bool {
        self.entries.len() == 1
    }

    /// How many strings have come.
    pub(super) fn n_read(&self) -> usize {
        self.n_read
    }

    /// Goes to where so many had come; gives how many have.
    pub(super) fn go_to(&mut self, n_read: usize) -> usize {
        std::mem::replace(&mut self.n_read, n_read)
    }

    /// Begins a chunk: it has none of the strings yet.
    pub(super) fn begin_chunk(&mut self) {
        self.chunk = self.chunk.wrapping_add(1);
    }

    /// A string that comes, possibly again.
    pub(super) fn add(
        &mut self,
        text: &'a [u8],
        offset: usize,
    ) -> Result<StringIndex, DecodeError> {
        let hash = self.hasher.hash_one(text);
        let entries = &self.entries;
        let same = |index: &u32| {
            let entry = entries.get(StringIndex(*index).place());
            entry.is_some_and(|entry| entry.text == text)
        };
        if let Some(index) = self.known.find(hash, same) {
            let index = StringIndex(*index);
            self.n_read = self.n_read.max(index.place() + 1);
            return Ok(index);
        }
        self.push(text, offset)?;
        Ok(StringIndex(last(&self.entries)))
    }

    /// Adds a string without a look for its twin; nothing if it is empty.
    pub(super) fn push(&mut self, text: &'a [u8], offset: usize) -> Result<(), DecodeError> {
        if text.is_empty() {
            return Ok(());
        }
        let limit_bytes = self.limit_bytes;
        if self.entries.len().saturating_mul(ENTRY_BYTES) > limit_bytes {
            let problem = Problem::TooLarge(TooLarge { limit_bytes });
            return Err(DecodeError::new(problem, offset));
        }
        self.entries.push(Entry {
            text,
            ..Entry::default()
        });
        self.know(last(&self.entries));
        self.n_read = self.entries.len();
        Ok(())
    }

    fn know(&mut self, index: u32) {
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash = |index: &u32| {
            let entry = entries.get(StringIndex(*index).place());
            hasher.hash_one(entry.map_or(&[][..], |entry| entry.text))
        };
        self.known.insert_unique(hash(&index), index, hash);
    }

    /// The string with a number.
    pub(super) fn find(&self, index: u64, offset: usize) -> Result<StringIndex, DecodeError> {
        let found = u32::try_from(index).ok().map(StringIndex);
        let found = found.filter(|found| found.place() < self.n_read);
        found.ok_or_else(|| {
            let length = self.n_read;
            DecodeError::new(Problem::DictionaryIndex { index, length }, offset)
        })
    }

    pub(super) fn text(&self, index: StringIndex) -> &'a [u8] {
        let entry = self.entries.get(index.place());
        entry.map_or(&[], |entry| entry.text)
    }

    /// A string as one of the chunk.
    pub(super) fn id(
        &mut self,
        index: StringIndex,
        role: Role,
        decoder: &mut Decoder<'_, '_>,
    ) -> Result<StrId, DecodeError> {
        let Some(entry) = self.entries.get_mut(index.place()) else {
            return decoder.keep(&[]);
        };
        let id = entry
            .twin
            .id((self.chunk, &mut *decoder.builder), entry.text, role);
        id.map_err(|problem| decoder.too_large(problem))
    }
}

fn last(entries: &[Entry<'_>]) -> u32 {
    u32::try_from(entries.len() - 1).unwrap_or(u32::MAX)
}
