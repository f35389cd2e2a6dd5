//! What one term asks for, read from how it is written.

use super::lex::{Key, Operator, Value, Written};
use super::pattern::Pattern;
use super::word::Word;
use crate::analysis::{Outcome, StartKind};
use crate::logs::Level;
use crate::sampler::{Fate, Sampler};
use crate::trace::Field;

/// One thing to be true.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// Some text holds it.
    Word(Word),
    /// A state; for things that cannot be in it, an ordinary word.
    State(State, Word),
    /// A name is like this.
    Name(Field, Pattern),
    /// A tag, or the field of a line, has such a value.
    Tag(String, Wanted),
    /// It took so long, in nanoseconds.
    Duration(Operator, i64),
    /// A line is so severe.
    Level(Operator, Level),
    /// It came this way: the name of the way begins so.
    Source(String),
    /// It ran there.
    Container(Container),
    /// It is the first, the second … request of its container.
    Request(Operator, f64),
    /// It ended so.
    Ended(Outcome),
    /// The client's sampling priority compares so.
    Priority(Operator, f64),
    /// The client decided by this mechanism.
    Mechanism(u8),
    /// A simulated Agent does this.
    Simulated(Simulated),
    /// A log line holds it.
    Log(Word),
}

/// What a simulated Agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Simulated {
    Kept,
    Dropped,
    /// By this sampler, or by a rate of the tracer's.
    As(Fate),
}

/// What can be asked for; the beginning of a name is enough.
const SIMULATED: [(&str, Simulated); 11] = [
    ("keep", Simulated::Kept),
    ("kept", Simulated::Kept),
    ("dropped", Simulated::Dropped),
    ("rate", Simulated::As(Fate::DroppedByRate)),
    ("error", Simulated::As(Fate::Kept(Sampler::Error))),
    ("rare", Simulated::As(Fate::Kept(Sampler::Rare))),
    ("priority", Simulated::As(Fate::Kept(Sampler::Priority))),
    (
        "no_priority",
        Simulated::As(Fate::Kept(Sampler::NoPriority)),
    ),
    (
        "probabilistic",
        Simulated::As(Fate::Kept(Sampler::Probabilistic)),
    ),
    (
        "single_span",
        Simulated::As(Fate::Kept(Sampler::SingleSpan)),
    ),
    ("unknown", Simulated::As(Fate::Unknown)),
];

/// What a thing can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Error,
    Open,
    Orphan,
    /// The user has marked it.
    Marked,
    Joined,
    Unjoined,
    /// The client wants it kept.
    Kept,
    /// The client wants it dropped.
    Dropped,
    /// It paid so for the start of its container.
    Started(StartKind),
    /// It ended so.
    Ended(Outcome),
}

/// How it ended, as one word. A cancellation has none, for `cancelled` is looked for in texts (of orders, of
/// jobs) more often than Modal cancels an input: `outcome:cancelled` asks for it. Who looks for the text
/// "timeout" puts it in quotes; as a word it has to find what reached its timeout.
const ENDS: [(&str, Outcome); 3] = [
    ("oom", Outcome::CudaOom),
    ("timeout", Outcome::Timeout),
    ("import_error", Outcome::ImportError),
];

/// What a value has to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// Like this text, or this number however it is written.
    Like(Pattern, Option<f64>),
    /// A number that compares so.
    Number(Operator, f64),
}

/// A container by its id `ta-01J8…QK`: how it begins, or how its short form `ta-QK` goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Like(Pattern),
    /// Lower-case.
    Named(String),
}

/// Integers beyond this are not told apart by a float.
pub(super) const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Term {
    /// Reads a term.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a few words.
    pub(super) fn read(written: &Written<'_>) -> Result<Self, &'static str> {
        let Some(key) = written.key else {
            return Ok(match &written.value {
                Value::Bare(word) => Self::word(word),
                Value::Quoted(phrase) | Value::Unclosed(phrase) if phrase.is_empty() => {
                    return Err("nothing is between the quotes");
                }
                Value::Quoted(phrase) | Value::Unclosed(phrase) => {
                    Self::Word(Word::literal(phrase))
                }
            });
        };
        let value = &written.value;
        let known = Known::of(key);
        // `->`, `a=b` and `<tag>` are text; `from>` may be on its way to a number.
        let compares = match key.operator {
            Operator::Equal => false,
            _ => *value == Value::Bare("") || read_number(value).is_some(),
        };
        if known.is_none() && !key.is_tag && !key.has_colon && !compares {
            return Ok(Self::Word(Word::new(key.term)));
        }
        if *value == Value::Bare("") {
            return Err("a value is missing");
        }
        match known {
            // What is no outcome of ours is a tag of the app's: many have one of that name.
            Some(Known::Outcome) => match read_outcome(value.text(), key.operator) {
                Some(outcome) => Ok(Self::Ended(outcome)),
                None => Self::tag(key, value),
            },
            Some(known) => Self::known(known, key.operator, value),
            None => Self::tag(key, value),
        }
    }

    fn word(text: &str) -> Self {
        let word = Word::new(text);
        let text = text.to_ascii_lowercase();
        let started = || StartKind::named(&text).map(State::Started);
        let ended = || {
            let mut ends = ENDS.iter();
            let found = ends.find(|(name, _)| *name == text);
            found.map(|(_, outcome)| State::Ended(*outcome))
        };
        let state = match text.as_str() {
            "err" => State::Error,
            "open" | "partial" => State::Open,
            "orphan" => State::Orphan,
            "marked" => State::Marked,
            "joined" => State::Joined,
            "unjoined" => State::Unjoined,
            "kept" => State::Kept,
            "dropped" => State::Dropped,
            _ => match started().or_else(ended) {
                Some(state) => state,
                None => return Self::Word(word),
            },
        };
        Self::State(state, word)
    }

    fn tag(key: Key<'_>, value: &Value<'_>) -> Result<Self, &'static str> {
        let wanted = match key.operator {
            Operator::Equal => Wanted::Like(
                pattern(value),
                read_number(value).filter(|number| number.abs() < EXACT_MAX),
            ),
            operator => Wanted::Number(operator, read_number(value).ok_or("not a number")?),
        };
        Ok(Self::Tag(key.name.to_owned(), wanted))
    }

    fn known(known: Known, operator: Operator, value: &Value<'_>) -> Result<Self, &'static str> {
        let text = value.text();
        Ok(match known {
            Known::Duration => Self::Duration(
                operator,
                read_duration(text).ok_or("not a time: 250us 500ms 2s 1m")?,
            ),
            Known::Level => Self::Level(
                operator,
                read_level(text).ok_or("not a level: debug info warn error")?,
            ),
            Known::Priority => Self::Priority(operator, read_number(value).ok_or("not a number")?),
            Known::Request => {
                let number = text.trim_start_matches('#').parse().ok();
                let number = number.filter(|number: &f64| number.is_finite());
                Self::Request(operator, number.ok_or("not a number")?)
            }
            _ if operator != Operator::Equal => return Err("text is not greater or less"),
            Known::Name(field) => Self::Name(field, pattern(value)),
            Known::Container => Self::Container(Container::new(value)),
            Known::Source => {
                let begins = text.to_ascii_lowercase();
                let is_source = SOURCES.iter().any(|source| source.starts_with(&begins));
                if !is_source {
                    return Err("not a source: stdout stderr file stdin http uds relay");
                }
                Self::Source(begins)
            }
            Known::Mechanism => {
                let number = text.trim_start_matches('-').parse();
                Self::Mechanism(number.map_err(|_no_number| "not a number: -0 to -13")?)
            }
            Known::Simulated => Self::Simulated(
                read_simulated(text)
                    .ok_or("not a verdict: keep drop rate error rare priority single_span")?,
            ),
            Known::Log | Known::Outcome => Self::Log(match value {
                Value::Bare(word) => Word::new(word),
                Value::Quoted(phrase) | Value::Unclosed(phrase) => Word::literal(phrase),
            }),
        })
    }
}

/// The keys that mean something of their own; all others are tags.
#[derive(Clone, Copy, Debug)]
enum Known {
    Name(Field),
    Duration,
    Level,
    Source,
    Container,
    Request,
    Outcome,
    Priority,
    Mechanism,
    Simulated,
    Log,
}

impl Known {
    fn of(key: Key<'_>) -> Option<Self> {
        if key.is_tag {
            return None;
        }
        Some(match key.name.to_ascii_lowercase().as_str() {
            "svc" | "service" => Self::Name(Field::Service),
            "name" => Self::Name(Field::Name),
            "resource" => Self::Name(Field::Resource),
            "type" => Self::Name(Field::Type),
            "dur" | "duration" => Self::Duration,
            "lvl" | "level" => Self::Level,
            "source" => Self::Source,
            "container" => Self::Container,
            "req" => Self::Request,
            "outcome" => Self::Outcome,
            "prio" | "priority" => Self::Priority,
            "dm" => Self::Mechanism,
            "sim" => Self::Simulated,
            "log" => Self::Log,
            _ => return None,
        })
    }
}

/// The ways by which lines and spans come.
const SOURCES: [&str; 8] = [
    "stdout", "stderr", "file", "stdin", "http", "uds", "relay", "otlp",
];

impl Container {
    fn new(value: &Value<'_>) -> Self {
        let text = value.text();
        if text.contains('*') {
            return Self::Like(pattern(value));
        }
        Self::Named(text.to_ascii_lowercase())
    }
}

fn pattern(value: &Value<'_>) -> Pattern {
    match value {
        Value::Bare(text) => Pattern::whole(text),
        Value::Quoted(text) | Value::Unclosed(text) => Pattern::literal(text),
    }
}

fn read_number(value: &Value<'_>) -> Option<f64> {
    let number: f64 = value.text().parse().ok()?;
    number.is_finite().then_some(number)
}

/// `500ms`, `1.5s`, `2m`; a bare 0 needs no unit.
fn read_duration(text: &str) -> Option<i64> {
    let is_digit = |char: char| char.is_ascii_digit() || matches!(char, '.' | '-');
    let unit = text.trim_start_matches(is_digit);
    let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
    let nanos = match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3_600e9,
        "" if number == 0.0 => 1.0,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates: no span takes longer"
    )]
    let nanos = (number * nanos).round() as i64;
    Some(nanos)
}

/// An outcome by the beginning of its name.
fn read_outcome(text: &str, operator: Operator) -> Option<Outcome> {
    let text = text.to_ascii_lowercase().replace('-', "_");
    let begins = |outcome: &Outcome| outcome.name().starts_with(&text);
    let by_end = ENDS.iter().find(|(name, _)| *name == text);
    let found = by_end.map(|(_, outcome)| *outcome);
    let found = found.or_else(|| Outcome::ALL.into_iter().find(begins));
    found.filter(|_| operator == Operator::Equal && !text.is_empty())
}

/// A verdict by the beginning of its name, with either kind of dash.
fn read_simulated(text: &str) -> Option<Simulated> {
    let text = text.to_ascii_lowercase().replace('-', "_");
    let mut named = SIMULATED.iter();
    let found = named.find(|(name, _)| !text.is_empty() && name.starts_with(&text));
    found.map(|(_, wanted)| *wanted)
}

/// A level by the beginning of its name, or by the name others give it.
fn read_level(text: &str) -> Option<Level> {
    const OTHERS: [(&str, &str); 4] = [
        ("warning", "warn"),
        ("err", "error"),
        ("fatal", "critical"),
        ("notice", "info"),
    ];
    const NAMES: [&str; 6] = ["trace", "debug", "info", "warn", "error", "critical"];
    let text = text.to_ascii_lowercase();
    if text.is_empty() {
        return None;
    }
    let begins = NAMES.into_iter().find(|name| name.starts_with(&text));
    let other = OTHERS.iter().find(|(other, _)| other.starts_with(&text));
    let name = begins.or_else(|| other.map(|(_, name)| *name))?;
    name.parse().ok()
}
