//! What the tags of a chunk say of the start of its container. Apps write them by hand, so what they say
//! may be wrong; it is read here, and weighed by the rules.

use crate::trace::tag::{self, Marks};
use crate::trace::{Span, TraceChunk, Value};

/// A model that takes this long was not loaded before.
const SLOW_LOAD_MS: f64 = 500.0;

/// What tags say, in two bytes: requests are held by the hundred thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    cold: Option<ColdTag>,
    guess: Option<Guess>,
}

/// One of the tags that say whether a container was cold, by its place in [`tag::COLD`], and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColdTag {
    True(u8),
    False(u8),
}

/// What is said beside, from which the rest can be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    Warm,
    NotWarm,
    SlowLoad,
    QuickLoad,
}

impl Said {
    /// What the tags of a chunk say: of several that say whether it was cold, one that says so.
    pub fn read(chunk: &TraceChunk) -> Self {
        if !chunk.marks().has(Marks::START) {
            return Self::default();
        }
        let cold_tags = || chunk.spans().flat_map(cold_tags);
        let says_cold = |said: &ColdTag| matches!(said, ColdTag::True(_));
        let warm = || {
            chunk
                .spans()
                .find_map(|span| truth(value(span, tag::WARM)?))
        };
        let load = || chunk.spans().find_map(model_load_ms);
        let by_warm = |is_warm| if is_warm { Guess::Warm } else { Guess::NotWarm };
        let by_load = |load_ms| {
            if load_ms >= SLOW_LOAD_MS {
                Guess::SlowLoad
            } else {
                Guess::QuickLoad
            }
        };
        Self {
            cold: cold_tags().find(says_cold).or_else(|| cold_tags().next()),
            guess: warm().map(by_warm).or_else(|| load().map(by_load)),
        }
    }

    /// What is said here, and where nothing is, what is said there.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            cold: self.cold.or(other.cold),
            guess: self.guess.or(other.guess),
        }
    }

    /// What a tag says of the container having been cold.
    pub fn cold(self) -> Option<bool> {
        self.cold.map(|said| matches!(said, ColdTag::True(_)))
    }

    /// The name of that tag.
    pub fn cold_tag(self) -> Option<&'static str> {
        let (ColdTag::True(place) | ColdTag::False(place)) = self.cold?;
        tag::COLD.get(usize::from(place)).copied()
    }

    /// What the app believes of the container having been warm.
    pub fn warm(self) -> Option<bool> {
        match self.guess? {
            Guess::Warm => Some(true),
            Guess::NotWarm => Some(false),
            Guess::SlowLoad | Guess::QuickLoad => None,
        }
    }

    /// Whether the model took its time to load.
    pub fn is_slow_load(self) -> Option<bool> {
        match self.guess? {
            Guess::SlowLoad => Some(true),
            Guess::QuickLoad => Some(false),
            Guess::Warm | Guess::NotWarm => None,
        }
    }
}

/// How long a span says that its model took to load, in milliseconds.
pub(crate) fn model_load_ms(span: Span<'_>) -> Option<f64> {
    number(span, &tag::MODEL_LOAD_MS)
}

/// How long a span says that its model worked, in milliseconds.
pub(crate) fn infer_ms(span: Span<'_>) -> Option<f64> {
    number(span, &tag::INFER_MS)
}

/// A tag that is a number, as a number or as text.
fn number(span: Span<'_>, keys: &[&str]) -> Option<f64> {
    let found = keys.iter().find_map(|key| value(span, key))?;
    let written = || found.as_text()?.to_str()?.trim().parse().ok();
    let number: f64 = found.as_f64().or_else(written)?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn cold_tags(span: Span<'_>) -> impl Iterator<Item = ColdTag> {
    (0_u8..).zip(tag::COLD).filter_map(move |(place, key)| {
        Some(if truth(value(span, key)?)? {
            ColdTag::True(place)
        } else {
            ColdTag::False(place)
        })
    })
}

fn value<'a>(span: Span<'a>, key: &str) -> Option<Value<'a>> {
    let metric = || span.metrics().find(key);
    span.meta().find(key).or_else(metric)
}

/// What Python's `True`, a number and a word of yes and no say.
fn truth(value: Value<'_>) -> Option<bool> {
    if let Value::Bool(truth) = value {
        return Some(truth);
    }
    if let Some(number) = value.as_f64() {
        return match number {
            1.0 => Some(true),
            0.0 => Some(false),
            _ => None,
        };
    }
    let text = value.as_text()?.to_str()?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "1.0" => Some(true),
        "false" | "0" | "0.0" => Some(false),
        _ => None,
    }
}
