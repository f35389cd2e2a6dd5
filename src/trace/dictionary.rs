//! The strings that come again and again, held once for all chunks of a builder: keys, services,
//! operations, values of tags that have few of them.
//!
//! One builder writes, through its [`Interner`]; whoever has a chunk reads, on any thread and without
//! a lock, because a place is written once and never again. A dictionary is bounded. Nothing is ever
//! taken out of it; once it is full its builder begins another, and it goes with the last chunk that
//! names it. So what eviction frees is really freed.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::tag::Marks;
use super::{Field, StrId};

/// Longer strings rarely repeat.
pub(super) const STRING_BYTES_MAX: usize = 128;
/// Each page has twice the places of the one before it.
const PAGES: usize = 10;
const FIRST_PAGE_STRINGS: usize = 64;
const STRINGS_MAX: usize = FIRST_PAGE_STRINGS * ((1 << PAGES) - 1);
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Of a key with more different values than this, further ones are left to their chunks.
const VALUES_MAX: u16 = 256;
/// The same for the names of services, operations, resources and types.
const NAMES_MAX: u16 = 4_096;

type Page = [OnceLock<Box<[u8]>>];

/// The reading side.
pub struct Dictionary {
    pages: [OnceLock<Box<Page>>; PAGES],
    heap_bytes: AtomicUsize,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            pages: std::array::from_fn(|_| OnceLock::new()),
            heap_bytes: AtomicUsize::new(0),
        }
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_strings = self.strings_from(0).count();
        f.debug_struct("Dictionary")
            .field("n_strings", &n_strings)
            .finish_non_exhaustive()
    }
}

impl Dictionary {
    /// The string at a place; empty if none was ever put there.
    pub(super) fn get(&self, id: u32) -> &[u8] {
        self.find(id).unwrap_or_default()
    }

    fn find(&self, id: u32) -> Option<&[u8]> {
        let (page, place) = page_and_place(id)?;
        self.pages
            .get(page)?
            .get()?
            .get(place)?
            .get()
            .map(Box::as_ref)
    }

    /// The strings from a place on, with their places.
    pub(crate) fn strings_from(&self, first: u32) -> impl Iterator<Item = (u32, &[u8])> {
        (first..).map_while(|id| Some((id, self.find(id)?)))
    }

    fn put(&self, id: u32, text: &[u8]) {
        let Some((page, place)) = page_and_place(id) else {
            return;
        };
        let Some(page_once) = self.pages.get(page) else {
            return;
        };
        let mut heap_bytes = text.len() + 16;
        let page = page_once.get_or_init(|| {
            let n_places = FIRST_PAGE_STRINGS << page;
            heap_bytes += n_places * size_of::<OnceLock<Box<[u8]>>>() + 16;
            (0..n_places).map(|_| OnceLock::new()).collect()
        });
        if let Some(place) = page.get(place) {
            place.get_or_init(|| text.into());
        }
        self.heap_bytes.fetch_add(heap_bytes, Ordering::Relaxed);
    }

    /// What it occupies in memory.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.heap_bytes.load(Ordering::Relaxed)
    }
}

fn page_and_place(id: u32) -> Option<(usize, usize)> {
    let place = usize::try_from(id).ok()?.checked_add(FIRST_PAGE_STRINGS)?;
    let page = place.ilog2() - FIRST_PAGE_STRINGS.ilog2();
    Some((
        usize::try_from(page).ok()?,
        place - (FIRST_PAGE_STRINGS << page),
    ))
}

/// What is known of a string as the key of tags, or of a field.
#[derive(Clone, Copy, Debug)]
struct KeyState {
    /// The key that followed it last time.
    next: StrId,
    /// The value it had last time.
    value: StrId,
    n_values: u16,
    marks: Marks,
}

impl Default for KeyState {
    fn default() -> Self {
        Self {
            next: StrId::NONE,
            value: StrId::NONE,
            n_values: 0,
            marks: Marks::default(),
        }
    }
}

/// In whose place a string stands; decides how many different ones are taken in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// The key of a tag.
    Key,
    /// The value of a tag with this key.
    ValueOf(StrId),
    /// The string of a field.
    Field(Field),
    /// Anything else: none of those is taken in.
    Other,
}

/// The writing side: finds a string that is in the dictionary, and takes in new ones.
#[derive(Debug, Default)]
pub(super) struct Interner {
    dictionary: Arc<Dictionary>,
    index: HashTable<u32>,
    /// The strings once more, beside each other: what comes is compared with them all the time.
    text: Vec<u8>,
    ends: Vec<u32>,
    keys: Vec<KeyState>,
    fields: [KeyState; Field::ALL.len()],
    hasher: DefaultHashBuilder,
}

impl Interner {
    /// The dictionary, once anything is in it.
    pub(super) fn dictionary(&self) -> Option<Arc<Dictionary>> {
        (!self.ends.is_empty()).then(|| Arc::clone(&self.dictionary))
    }

    /// Begins another dictionary if this one is full. Between two payloads, since chunks of one
    /// payload may be taken apart and put together again.
    pub(super) fn turn_over(&mut self) {
        if self.is_full() {
            *self = Self::default();
        }
    }

    fn is_full(&self) -> bool {
        self.ends.len() >= STRINGS_MAX || self.text.len() >= TEXT_BYTES_MAX
    }

    /// The string of the dictionary at a place.
    pub(super) fn text(&self, id: u32) -> &[u8] {
        slice(&self.text, &self.ends, id)
    }

    /// What came last in this role. Mostly it comes again.
    pub(super) fn guess(&self, role: Role) -> StrId {
        self.state(role).map_or(StrId::NONE, |state| state.value)
    }

    /// What came is remembered for the next time.
    pub(super) fn learn(&mut self, role: Role, id: StrId) {
        if let Some(state) = self.state_mut(role) {
            state.value = id;
        }
    }

    /// The key that followed this one last time.
    pub(super) fn next_key(&self, previous: StrId) -> StrId {
        self.key(previous).map_or(StrId::NONE, |state| state.next)
    }

    pub(super) fn learn_next_key(&mut self, previous: StrId, next: StrId) {
        if let Some(state) = self.key_mut(previous) {
            state.next = next;
        }
    }

    /// What tags with this key may say.
    pub(super) fn marks(&self, key: StrId) -> Marks {
        self.key(key).map_or(Marks::default(), |state| state.marks)
    }

    /// A string by its place in the dictionary: found there, or taken in if there is room for it in
    /// this role.
    pub(super) fn intern(&mut self, role: Role, bytes: &[u8]) -> Option<StrId> {
        if bytes.len() > STRING_BYTES_MAX || self.is_saturated(role) {
            return None;
        }
        let hash = self.hasher.hash_one(bytes);
        let same = |id: &u32| slice(&self.text, &self.ends, *id) == bytes;
        if let Some(id) = self.index.find(hash, same) {
            return Some(StrId::shared(*id));
        }
        if self.is_full() {
            return None;
        }
        if let Some(state) = self.state_mut(role) {
            state.n_values += 1;
        }
        self.add(hash, bytes)
    }

    fn add(&mut self, hash: u64, bytes: &[u8]) -> Option<StrId> {
        let id = u32::try_from(self.ends.len()).ok()?;
        self.text.extend_from_slice(bytes);
        self.ends.push(u32::try_from(self.text.len()).ok()?);
        self.keys.push(KeyState {
            marks: Marks::of(bytes),
            ..KeyState::default()
        });
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.index
            .insert_unique(hash, id, |id| hasher.hash_one(slice(text, ends, *id)));
        self.dictionary.put(id, bytes);
        Some(StrId::shared(id))
    }

    /// Whether so many different strings came in a role that looking for another is in vain.
    fn is_saturated(&self, role: Role) -> bool {
        let is_above = |most| self.state(role).is_none_or(|state| state.n_values >= most);
        match role {
            Role::Key => false,
            Role::ValueOf(_) => is_above(VALUES_MAX),
            Role::Field(_) => is_above(NAMES_MAX),
            Role::Other => true,
        }
    }

    fn state(&self, role: Role) -> Option<&KeyState> {
        match role {
            Role::ValueOf(key) => self.key(key),
            Role::Field(field) => self.fields.get(field.place()),
            Role::Key | Role::Other => None,
        }
    }

    fn state_mut(&mut self, role: Role) -> Option<&mut KeyState> {
        match role {
            Role::ValueOf(key) => self.key_mut(key),
            Role::Field(field) => self.fields.get_mut(field.place()),
            Role::Key | Role::Other => None,
        }
    }

    fn key(&self, key: StrId) -> Option<&KeyState> {
        self.keys.get(key.place()?)
    }

    fn key_mut(&mut self, key: StrId) -> Option<&mut KeyState> {
        self.keys.get_mut(key.place()?)
    }
}

fn slice<'a>(text: &'a [u8], ends: &[u32], id: u32) -> &'a [u8] {
    let at = |index: usize| ends.get(index).and_then(|end| usize::try_from(*end).ok());
    let Ok(index) = usize::try_from(id) else {
        return &[];
    };
    let start = if index == 0 { Some(0) } else { at(index - 1) };
    let (Some(start), Some(end)) = (start, at(index)) else {
        return &[];
    };
    text.get(start..end).unwrap_or_default()
}
