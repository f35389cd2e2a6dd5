//! The tags of a span on their way into a chunk: its own, in which a key is set once, and those that
//! it shares with others of its resource or scope.
//!
//! A resource's attributes stand on each of its spans. Their texts are looked up once a chunk and not
//! once a span: a long one under a hundred thousand spans would be compared as often otherwise.

use std::borrow::Cow;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::super::value::Twin;
use crate::trace::{Attribute, ChunkBuilder, Role, TooLarge};

/// Keys and values in the order in which they were first set.
#[derive(Debug)]
pub(super) struct Tags<'a, V> {
    entries: Vec<(Cow<'a, str>, V)>,
    places: HashMap<Cow<'a, str>, usize>,
}

impl<V> Default for Tags<'_, V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<'a, V> Tags<'a, V> {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.places.clear();
    }

    pub(super) fn get(&self, key: &str) -> Option<&V> {
        let place = self.places.get(key)?;
        self.entries.get(*place).map(|(_, value)| value)
    }

    /// Sets a tag, whatever it was before.
    pub(super) fn set(&mut self, key: impl Into<Cow<'a, str>>, value: V) {
        self.set_where(key.into(), value, |_| true);
    }

    /// Sets a tag unless it was.
    pub(super) fn set_if_absent(&mut self, key: impl Into<Cow<'a, str>>, value: V) {
        self.set_where(key.into(), value, |_| false);
    }

    /// Sets a tag unless it was, or if what it was yields.
    fn set_where(&mut self, key: Cow<'a, str>, value: V, yields: impl FnOnce(&V) -> bool) {
        match self.places.entry(key) {
            Entry::Occupied(place) => match self.entries.get_mut(*place.get()) {
                Some((_, before)) if yields(before) => *before = value,
                _ => {}
            },
            Entry::Vacant(place) => {
                let key = place.key().clone();
                place.insert(self.entries.len());
                self.entries.push((key, value));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a> Tags<'a, Cow<'a, str>> {
    /// Sets a tag unless it says something.
    pub(super) fn set_if_empty(&mut self, key: Cow<'a, str>, value: Cow<'a, str>) {
        self.set_where(key, value, |before| before.is_empty());
    }
}

impl Tags<'_, f64> {
    /// Writes the numeric tags of the current span, if there are any.
    pub(super) fn write(&self, builder: &mut ChunkBuilder) -> Result<(), TooLarge> {
        if self.is_empty() {
            return Ok(());
        }
        let opened = builder.attribute(Attribute::Metrics).open_map();
        let mut previous = None;
        for (key, number) in &self.entries {
            let key = builder.key(previous, key.as_bytes())?;
            builder.writer().key(key);
            builder.writer().float(*number);
            previous = Some(key);
        }
        builder.writer().close(opened);
        Ok(())
    }
}

/// Writes the string tags of the current span: its own, what its resource says that the span does
/// not, and what its scope says, which goes before both.
pub(super) fn write_meta(
    own: &Tags<'_, Cow<'_, str>>,
    resource: &mut Inherited<'_>,
    scope: &mut Inherited<'_>,
    (chunk, builder): (u32, &mut ChunkBuilder),
) -> Result<(), TooLarge> {
    let opened = builder.attribute(Attribute::Meta).open_map();
    let mut previous = None;
    for (key, value) in &own.entries {
        let is_outdone = value.is_empty() && resource.tags.get(key).is_some();
        if is_outdone || scope.tags.get(key).is_some() {
            continue;
        }
        let key = builder.key(previous, key.as_bytes())?;
        let value = builder.value_of(key, value.as_bytes())?;
        builder.writer().key(key);
        builder.writer().text(value);
        previous = Some(key);
    }
    let is_said = |key: &str| {
        own.get(key).is_some_and(|value| !value.is_empty()) || scope.tags.get(key).is_some()
    };
    resource.write(is_said, (chunk, builder))?;
    scope.write(|_| false, (chunk, builder))?;
    builder.writer().close(opened);
    Ok(())
}

/// A tag that several spans have, and what stands for its texts in chunks.
#[derive(Debug)]
struct Shared<'a> {
    value: Cow<'a, str>,
    key_twin: Twin,
    value_twin: Twin,
}

/// Tags of a resource or a scope.
#[derive(Debug, Default)]
pub(super) struct Inherited<'a> {
    tags: Tags<'a, Shared<'a>>,
}

impl<'a> Inherited<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(|shared| &*shared.value)
    }

    pub(super) fn set(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let shared = Shared {
            value: value.into(),
            key_twin: Twin::default(),
            value_twin: Twin::default(),
        };
        self.tags.set(key, shared);
    }

    fn write(
        &mut self,
        is_said: impl Fn(&str) -> bool,
        (chunk, builder): (u32, &mut ChunkBuilder),
    ) -> Result<(), TooLarge> {
        for (key, shared) in &mut self.tags.entries {
            if is_said(key) {
                continue;
            }
            let (key, text) = (key.as_bytes(), shared.value.as_bytes());
            let key = shared.key_twin.id((chunk, &mut *builder), key, Role::Key)?;
            let role = Role::ValueOf(key);
            let text = shared.value_twin.id((chunk, &mut *builder), text, role)?;
            builder.writer().key(key);
            builder.writer().text(text);
        }
        Ok(())
    }
}
