//! Borders in time, and the two spans of time that are compared at one: from the border before it, and up
//! to the one after it. A reload of the app sets a border by itself.

use std::ops::Range;

use crate::store::Store;
use crate::trace::UnixNanos;

/// How many borders of the user's are kept.
const MARKS_MAX: usize = 64;

/// A moment at which something may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeBorder {
    pub(super) at: UnixNanos,
    pub(super) by: BorderBy,
}

/// Who has set a border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BorderBy {
    /// The user.
    Hand,
    /// The app was published again: 1 for the first time that is known.
    Reload(usize),
}

/// A border, what lies before it and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spans {
    pub(super) border: TimeBorder,
    pub(super) before: Range<UnixNanos>,
    pub(super) after: Range<UnixNanos>,
}

/// At which border is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Chosen {
    #[default]
    Newest,
    At(TimeBorder),
    None,
}

/// All borders.
#[derive(Debug, Default)]
pub(super) struct Borders {
    marks: Vec<UnixNanos>,
    /// In order of time.
    known: Vec<TimeBorder>,
    chosen: Chosen,
}

impl Borders {
    /// Sets a border, at which is compared from now on.
    pub(super) fn set(&mut self, at: UnixNanos) {
        if self.marks.len() >= MARKS_MAX {
            self.marks.remove(0);
        }
        self.marks.push(at);
        let border = TimeBorder {
            at,
            by: BorderBy::Hand,
        };
        self.known.push(border);
        self.known.sort_by_key(|border| border.at);
        self.chosen = Chosen::At(border);
    }

    /// Takes over which reloads there have been.
    pub(super) fn refresh(&mut self, store: &Store) {
        let reloads = (1..).zip(&store.modal().reloads);
        let reloads = reloads.map(|(number, (at, _))| TimeBorder {
            at: *at,
            by: BorderBy::Reload(number),
        });
        let marks = self.marks.iter().map(|at| TimeBorder {
            at: *at,
            by: BorderBy::Hand,
        });
        self.known = reloads.chain(marks).collect();
        self.known.sort_by_key(|border| border.at);
    }

    /// Compares at the border before the present one; before the first there is none, then the newest.
    pub(super) fn next(&mut self) {
        let present = match self.chosen {
            Chosen::None => {
                self.chosen = Chosen::Newest;
                return;
            }
            Chosen::Newest => self.known.len().checked_sub(1),
            Chosen::At(border) => self.known.iter().position(|known| *known == border),
        };
        let before = present.and_then(|place| self.known.get(place.checked_sub(1)?));
        self.chosen = before.map_or(Chosen::None, |border| Chosen::At(*border));
    }

    /// The two spans of time that are compared.
    pub(super) fn spans(&self) -> Option<Spans> {
        let place = match self.chosen {
            Chosen::None => return None,
            Chosen::Newest => self.known.len().checked_sub(1)?,
            Chosen::At(border) => {
                let place = self.known.iter().position(|known| *known == border);
                place.or_else(|| self.known.len().checked_sub(1))?
            }
        };
        let at = |place: usize| self.known.get(place).map(|border| border.at);
        let border = *self.known.get(place)?;
        let start = place.checked_sub(1).and_then(at);
        Some(Spans {
            border,
            before: start.unwrap_or(UnixNanos(i64::MIN))..border.at,
            after: border.at..at(place + 1).unwrap_or(UnixNanos(i64::MAX)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn borders(marks: &[i64]) -> Borders {
        let mut borders = Borders::default();
        for at in marks {
            borders.set(UnixNanos(*at));
        }
        borders
    }

    #[track_caller]
    fn check(borders: &Borders, expected: Option<(i64, i64, i64)>) {
        let spans = borders.spans();
        let found = spans.map(|it| (it.before.start.0, it.border.at.0, it.after.end.0));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_border_is_compared_with_what_lies_between_its_neighbours() {
        let mut borders = borders(&[10, 20, 30]);
        check(&borders, Some((20, 30, i64::MAX)));
        borders.next();
        check(&borders, Some((10, 20, 30)));
        borders.next();
        check(&borders, Some((i64::MIN, 10, 20)));
        borders.next();
        check(&borders, None);
        borders.next();
        check(&borders, Some((20, 30, i64::MAX)));
    }

    #[test]
    fn without_a_border_nothing_is_compared() {
        let mut none = Borders::default();
        check(&none, None);
        none.next();
        check(&none, None);
        none.next();
        check(&none, None);
    }

    #[test]
    fn borders_are_not_kept_without_end() {
        let many: Vec<i64> = (0..1_000).collect();
        let mut borders = borders(&many);
        borders.refresh(&Store::new(1 << 20));
        assert_eq!(borders.known.len(), MARKS_MAX);
        check(&borders, Some((998, 999, i64::MAX)));
    }
}
