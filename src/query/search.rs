//! A query on its way through many traces. What it finds out about the strings that traces share it
//! keeps, so that a trace without a word in it is passed over without a look at its tags.
//!
//! ```text
//! dictionary ─▶ Found: which of its strings hold the word, and a sketch of them
//! chunk: sketch meets, or its own text holds the word ─▶ its values by number ─▶ the exact look
//! ```

use std::sync::{Arc, Weak};

use super::Query;
use super::expression::Expression;
use super::matching::DEPTH_MAX;
use super::term::{State, Term};
use super::word::Word;
use crate::store::{LogEntry, Store, TraceEntry};
use crate::trace::{Dictionary, Leaf, Sketch, Text, TraceChunk};

/// Of more dictionaries than this the oldest are read again.
const DICTIONARIES_MAX: usize = 16;

/// A query, and what it found in the strings that traces share.
#[derive(Debug, Default)]
pub struct Search {
    query: Query,
    words: Vec<WordSearch>,
}

impl Search {
    /// Begins a search.
    pub fn new(query: Query) -> Self {
        let mut words = Vec::new();
        collect_words(&query.expression, &mut words);
        Self { query, words }
    }

    /// What is looked for.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The same as [`Query::matches_trace`].
    pub fn matches_trace(&mut self, store: &Store, trace: &TraceEntry) -> bool {
        for word in &mut self.words {
            word.learn(trace);
        }
        let lines = trace.logs().iter().filter_map(|key| store.log(*key));
        let has = |term: &Term| match word_of(term) {
            Some(word) => self.word_is_in_trace(word, trace, lines.clone()),
            None => term.is_of_trace(store, trace, lines.clone()),
        };
        self.query.expression.holds(&has)
    }

    fn word_is_in_trace<'a>(
        &self,
        word: &Word,
        trace: &TraceEntry,
        mut lines: impl Iterator<Item = &'a LogEntry>,
    ) -> bool {
        let known = self.words.iter().find(|known| known.word == *word);
        let in_spans = known.map_or(Look::Unsure, |known| known.look_at_spans(trace));
        in_spans == Look::There
            || word.is_in_trace_itself(trace)
            || in_spans == Look::Unsure && word.is_in_spans(trace)
            || lines.any(|line| word.is_in_record(line.record()))
    }
}

fn collect_words(expression: &Expression, words: &mut Vec<WordSearch>) {
    match expression {
        Expression::All(parts) | Expression::Any(parts) => {
            for part in parts {
                collect_words(part, words);
            }
        }
        Expression::Not(part) => collect_words(part, words),
        Expression::Term(term) => words.extend(word_of(term).map(|word| WordSearch {
            word: word.clone(),
            found: Vec::new(),
        })),
    }
}

/// The word that a term looks for in all of a trace.
fn word_of(term: &Term) -> Option<&Word> {
    match term {
        Term::Word(word) | Term::State(State::Joined | State::Unjoined, word) => Some(word),
        _ => None,
    }
}

/// A word, and where it was found.
#[derive(Debug)]
struct WordSearch {
    word: Word,
    /// The newest dictionary stands last.
    found: Vec<Found>,
}

/// The strings of a dictionary that hold a word.
#[derive(Debug)]
struct Found {
    dictionary: Weak<Dictionary>,
    /// So many strings were looked at; a dictionary grows.
    n_strings: u32,
    /// A bit for each of them.
    holding: Vec<u64>,
    sketch: Sketch,
}

impl Found {
    fn learn(&mut self, word: &Word, dictionary: &Dictionary) {
        for (place, text) in dictionary.strings_from(self.n_strings) {
            self.n_strings = place.saturating_add(1);
            if !word.is_in(Text(text)) {
                continue;
            }
            self.sketch.add_place(place);
            let (index, bit) = index_and_bit(place);
            if self.holding.len() <= index {
                self.holding.resize(index + 1, 0);
            }
            if let Some(bits) = self.holding.get_mut(index) {
                *bits |= bit;
            }
        }
    }

    fn holds(&self, place: u32) -> bool {
        let (index, bit) = index_and_bit(place);
        self.holding.get(index).is_some_and(|bits| bits & bit != 0)
    }
}

fn index_and_bit(place: u32) -> (usize, u64) {
    let index = usize::try_from(place / u64::BITS).unwrap_or(usize::MAX);
    (index, 1 << (place % u64::BITS))
}

impl WordSearch {
    /// Looks at what is new in the dictionaries of a trace.
    fn learn(&mut self, trace: &TraceEntry) {
        for dictionary in trace.chunks().filter_map(TraceChunk::dictionary) {
            let place = self.place_of(dictionary).unwrap_or_else(|| {
                if self.found.len() >= DICTIONARIES_MAX {
                    self.found.remove(0);
                }
                self.found.push(Found {
                    dictionary: Arc::downgrade(dictionary),
                    n_strings: 0,
                    holding: Vec::new(),
                    sketch: Sketch::default(),
                });
                self.found.len() - 1
            });
            if let Some(found) = self.found.get_mut(place) {
                found.learn(&self.word, dictionary);
            }
        }
    }

    fn place_of(&self, dictionary: &Arc<Dictionary>) -> Option<usize> {
        let is_same =
            |found: &Found| std::ptr::eq(found.dictionary.as_ptr(), Arc::as_ptr(dictionary));
        self.found.iter().rposition(is_same)
    }

    /// Looks at the spans without reading what they share.
    fn look_at_spans(&self, trace: &TraceEntry) -> Look {
        let mut ids = trace.spans().map(|(_, span)| span.span_id());
        if self.word.may_be_id() && ids.any(|id| self.word.is_in_span_id(id)) {
            return Look::There;
        }
        let mut unsure = false;
        for chunk in trace.chunks() {
            match self.look_at(chunk) {
                Look::There if trace.may_have_replaced() => unsure = true,
                Look::There => return Look::There,
                Look::Unsure => unsure = true,
                Look::Nowhere => {}
            }
        }
        if unsure { Look::Unsure } else { Look::Nowhere }
    }

    fn look_at(&self, chunk: &TraceChunk) -> Look {
        let place = chunk
            .dictionary()
            .map(|dictionary| self.place_of(dictionary));
        let found = match place {
            None => None,
            Some(Some(place)) => self.found.get(place),
            Some(None) => return Look::Unsure,
        };
        // All of the chunk's own strings at once: which of them are values the walk tells.
        let in_own = self.word.is_in(Text(chunk.own_text()));
        let shared = found.filter(|found| found.sketch.meets(chunk.sketch()));
        let is_there = if in_own || shared.is_some() {
            chunk.any_leaf(DEPTH_MAX, &mut |leaf| match leaf {
                Leaf::Shared(place) => shared.is_some_and(|found| found.holds(place)),
                Leaf::Own(text) => in_own && self.word.is_in(text),
                Leaf::Other(value) => self.word.is_in_scalar(value),
            })
        } else {
            self.word.may_be_number()
                && chunk.any_number(DEPTH_MAX, &mut |value| self.word.is_in_scalar(value))
        };
        if is_there { Look::There } else { Look::Nowhere }
    }
}

/// What a look at a chunk without reading its shared strings says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The word is there.
    There,
    /// It may be: only an exact look tells.
    Unsure,
    /// It is not.
    Nowhere,
}

#[cfg(test)]
mod tests;
