//! Beginnings of objects whose rest may stand in a later line. Each is tried with the next fragments;
//! what fits is whole again, what does not is given back as it came.

use crate::json::Raw;
use crate::trace::UnixNanos;

/// How many beginnings wait, each of another container.
const TORN_MAX: usize = 8;
/// How many fragments that do not fit a beginning waits through.
const MISSES_MAX: u32 = 4;
/// How many fragments one object may have: one printed over several lines has as many.
const FRAGMENTS_MAX: u32 = 200;
/// How long a beginning waits.
const WAIT_NS: i64 = 2_000_000_000;
/// Bytes of a beginning.
const BYTES_MAX: usize = super::split::LINE_BYTES_MAX;

/// The beginning of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Torn {
    /// Whose line it is, where the line says so.
    pub(super) container: Option<Box<str>>,
    pub(super) text: String,
    at: UnixNanos,
    n_misses: u32,
    n_fragments: u32,
}

/// What became of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It belongs to no beginning.
    Alone,
    /// It is a part of one that is still not whole.
    Waits,
    /// With it, a text is whole; more may follow behind the object.
    Whole(String),
}

/// The beginnings that wait.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    waiting: Vec<Torn>,
}

impl Beginnings {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps a beginning. Returns the one that gives up its place for it.
    pub(super) fn keep(
        &mut self,
        text: &str,
        container: Option<&str>,
        at: UnixNanos,
    ) -> Option<Torn> {
        let same = |torn: &Torn| torn.container.as_deref() == container;
        let given_up = match self.waiting.iter().position(same) {
            Some(place) => Some(self.waiting.remove(place)),
            None if self.waiting.len() >= TORN_MAX => Some(self.waiting.remove(0)),
            None => None,
        };
        self.waiting.push(Torn {
            container: container.map(Into::into),
            text: text.to_owned(),
            at,
            n_misses: 0,
            n_fragments: 1,
        });
        given_up
    }

    /// Tries a fragment, which is no object in itself, with the beginning of the same container. A
    /// beginning that has waited in vain is returned beside.
    pub(super) fn try_with(
        &mut self,
        fragment: &str,
        container: Option<&str>,
    ) -> (Tried, Option<Torn>) {
        let same = |torn: &Torn| torn.container.as_deref() == container;
        let Some(place) = self.waiting.iter().position(same) else {
            return (Tried::Alone, None);
        };
        let mut torn = self.waiting.remove(place);
        let length = torn.text.len();
        if length + fragment.len() > BYTES_MAX {
            return (Tried::Alone, Some(torn));
        }
        torn.text.push_str(fragment);
        let fault = match Raw::first(&torn.text) {
            Ok(_) => return (Tried::Whole(torn.text), None),
            Err(fault) => fault,
        };
        // Cut between two values it may go on; within a string, anything would.
        let goes_on = fault.is_end && fault.token == fault.at;
        if goes_on && torn.n_fragments < FRAGMENTS_MAX {
            torn.n_fragments += 1;
            self.waiting.insert(place, torn);
            return (Tried::Waits, None);
        }
        torn.text.truncate(length);
        torn.n_misses += 1;
        if torn.n_misses >= MISSES_MAX {
            return (Tried::Alone, Some(torn));
        }
        self.waiting.insert(place, torn);
        (Tried::Alone, None)
    }

    /// The beginnings that have waited for too long.
    pub(super) fn give_up(&mut self, at: UnixNanos) -> Vec<Torn> {
        let is_over = |torn: &mut Torn| at.since(torn.at) >= WAIT_NS;
        self.waiting.extract_if(.., is_over).collect()
    }

    /// All of them.
    pub(super) fn drain(&mut self) -> Vec<Torn> {
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixNanos = UnixNanos(0);

    #[test]
    fn a_beginning_and_its_rest_are_whole_again() {
        let mut beginnings = Beginnings::default();
        assert_eq!(beginnings.keep(r#"{"event":"a","#, None, AT), None);
        let (tried, given_up) = beginnings.try_with("unrelated", None);
        assert_eq!((tried, given_up), (Tried::Alone, None));
        let (tried, _) = beginnings.try_with(r#""n":1} and more"#, None);
        assert_eq!(
            tried,
            Tried::Whole(r#"{"event":"a","n":1} and more"#.to_owned())
        );
        assert!(beginnings.is_empty());
    }

    #[test]
    fn an_object_may_stand_over_many_lines() {
        let mut beginnings = Beginnings::default();
        beginnings.keep("{", None, AT);
        for line in [r#"  "event": "a","#, r#"  "list": ["#, "    1", "  ]"] {
            assert_eq!(
                beginnings.try_with(line, None),
                (Tried::Waits, None),
                "{line}"
            );
        }
        let (tried, _) = beginnings.try_with("}", None);
        assert!(matches!(tried, Tried::Whole(_)));
    }

    #[test]
    fn containers_do_not_complete_each_other() {
        let mut beginnings = Beginnings::default();
        beginnings.keep(r#"{"event":"a","#, Some("ta-1"), AT);
        let (tried, _) = beginnings.try_with(r#""n":1}"#, Some("ta-2"));
        assert_eq!(tried, Tried::Alone);
        let (tried, _) = beginnings.try_with(r#""n":1}"#, Some("ta-1"));
        assert!(matches!(tried, Tried::Whole(_)));
    }

    #[test]
    fn what_waits_in_vain_is_given_back_as_it_came() {
        let mut beginnings = Beginnings::default();
        let head = r#"{"event":"cut in a str"#;
        beginnings.keep(head, None, AT);
        for n_misses in 1..=MISSES_MAX {
            let (tried, given_up) = beginnings.try_with("other text", None);
            assert_eq!(tried, Tried::Alone);
            assert_eq!(given_up.is_some(), n_misses == MISSES_MAX);
            if let Some(torn) = given_up {
                assert_eq!(torn.text, head);
            }
        }
        beginnings.keep(head, None, AT);
        assert_eq!(beginnings.give_up(UnixNanos(WAIT_NS - 1)), []);
        assert_eq!(beginnings.give_up(UnixNanos(WAIT_NS)).len(), 1);
    }

    #[test]
    fn few_wait_at_a_time() {
        let mut beginnings = Beginnings::default();
        for number in 0..20 {
            let container = format!("ta-{number}");
            let given_up = beginnings.keep("{", Some(&container), AT);
            assert_eq!(given_up.is_some(), number >= TORN_MAX);
        }
        assert!(beginnings.keep("{", Some("ta-19"), AT).is_some());
        assert_eq!(beginnings.drain().len(), TORN_MAX);
    }
}
