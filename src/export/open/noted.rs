//! Values of which the members are read by their names, and those counted that nobody reads. What they are is not
//! kept.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer};
use serde_ignored::Path;

use super::Reading;

/// Reads a value, and counts the members in it that this version does not know.
pub(super) struct NotedSeed<'n, T> {
    n_ignored: &'n mut u64,
    /// Members that are known and not read.
    unread: &'static [&'static str],
    value: PhantomData<T>,
}

impl Reading<'_> {
    /// A value, but for members that are known and not read, nor what is in them.
    pub(super) fn noted<T>(&mut self, unread: &'static [&'static str]) -> NotedSeed<'_, T> {
        NotedSeed {
            n_ignored: &mut self.n_ignored,
            unread,
            value: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for NotedSeed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        serde_ignored::deserialize(deserializer, |path| {
            if !is_in(&path, self.unread) {
                *self.n_ignored += 1;
            }
        })
    }
}

/// Whether a place is one of some members, or in one. How deep it can be follows from our types.
fn is_in(path: &Path<'_>, members: &[&str]) -> bool {
    match path {
        Path::Root => false,
        Path::Map { parent, key } => members.contains(&&**key) || is_in(parent, members),
        Path::Seq { parent, .. }
        | Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => is_in(parent, members),
    }
}
