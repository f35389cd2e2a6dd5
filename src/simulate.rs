//! Vectors of the Agent's own samplers, replayed by the simulated one: line by line what it computes,
//! and whether that is what the line expects.
//!
//! A tool for comparing with a real Agent. Expectations are looked at only once the answer is there,
//! and may be absent. An export is replayed as well: its traces, as they came. Reading and writing
//! files is not its business.

mod captured;
mod replay;
mod settings;
mod unit;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub use captured::{is_export, traces};
use replay::Replay;

/// Numbers that differ by no more than this part are the same.
const TOLERANCE: f64 = 1e-9;

/// An object, by its members.
pub type Object = Map<String, Value>;

/// Why a file cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// The line is no JSON object.
    #[error("it is no JSON object: {0}")]
    NotAnObject(String),
    /// A member is missing or is not what it should be.
    #[error("`{member}` should be {wanted}")]
    Member {
        /// Its name.
        member: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The first line is one of those that come after it.
    #[error("the first line should be an object with a `config`, or with a `scenario`")]
    NoHeader,
    /// Nothing is known of such a line.
    #[error("it is none of the lines that sampler vectors have (an `op`, a `kind`, or a row)")]
    Unknown,
}

impl VectorError {
    const fn member(member: &'static str, wanted: &'static str) -> Self {
        Self::Member { member, wanted }
    }
}

/// What a line comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was computed.
    pub computed: Object,
    /// Whether that is what the line expects; `None` if it expects nothing.
    pub agrees: Option<bool>,
}

/// A file of vectors on its way through the samplers.
#[derive(Debug)]
pub struct Simulation {
    header: Object,
    replay: Replay,
    unknown_settings: Vec<String>,
}

/// How many lines agree, and how many differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Balance {
    /// Those that agree.
    pub agree: u64,
    /// Those that differ.
    pub differ: u64,
}

impl Balance {
    /// Counts an answer, if anything was expected.
    pub fn count(&mut self, answer: &Answer) {
        match answer.agrees {
            Some(true) => self.agree += 1,
            Some(false) => self.differ += 1,
            None => {}
        }
    }
}

impl Simulation {
    /// Begins with the first line of a file.
    ///
    /// # Errors
    ///
    /// It is no JSON object, is an event itself, or says settings that are none.
    pub fn begin(header: &str, defaults: &crate::sampler::Settings) -> Result<Self, VectorError> {
        let header = object(header)?;
        if header.contains_key("op") || header.contains_key("kind") {
            return Err(VectorError::NoHeader);
        }
        let config = match header.get("config") {
            None | Some(Value::Null) => None,
            Some(Value::Object(config)) => Some(config),
            Some(_) => return Err(VectorError::member("config", "an object")),
        };
        let (settings, unknown_settings) = settings::read(config, defaults)?;
        Ok(Self {
            replay: Replay::new(settings),
            header,
            unknown_settings,
        })
    }

    /// Computes one line after the header.
    ///
    /// # Errors
    ///
    /// It is none of the lines that vectors have. Those before it count.
    pub fn line(&mut self, line: &str) -> Result<Answer, VectorError> {
        let line = object(line)?;
        let (mut computed, expected) = if line.contains_key("op") {
            let expected = line.get("expect").and_then(Value::as_object).cloned();
            (self.replay.line(&line)?, expected.unwrap_or_default())
        } else {
            unit::line(&line, &self.header)?
        };
        let agrees = (!expected.is_empty()).then(|| agrees(&mut computed, &expected));
        Ok(Answer { computed, agrees })
    }

    /// What the `config` says and nobody here heeds.
    pub fn unknown_settings(&self) -> &[String] {
        &self.unknown_settings
    }
}

/// Whether an answer is what is expected, after it has been cut to that.
fn agrees(computed: &mut Object, expected: &Object) -> bool {
    computed.retain(|name, value| expected.contains_key(name) || !is_extra(name, value));
    same_members(computed, expected)
}

/// Whether a member that is not expected is no difference: all but what was written, of which nothing
/// is expected where nothing is said.
fn is_extra(name: &str, value: &Value) -> bool {
    name != "set_metrics" || *value == json!({}) || *value == json!([[0, {}]])
}

fn same_members(computed: &Object, expected: &Object) -> bool {
    computed.len() == expected.len()
        && expected
            .iter()
            .all(|(name, value)| computed.get(name).is_some_and(|ours| same(ours, value)))
}

fn same(computed: &Value, expected: &Value) -> bool {
    match (computed, expected) {
        (Value::Number(ours), Value::Number(theirs)) => match (ours.as_f64(), theirs.as_f64()) {
            (Some(ours), Some(theirs)) => {
                (ours - theirs).abs() <= TOLERANCE * theirs.abs().max(1.0)
            }
            _ => ours == theirs,
        },
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => same_members(ours, theirs),
        _ => computed == expected,
    }
}

fn object(line: &str) -> Result<Object, VectorError> {
    match serde_json::from_str(line) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(VectorError::NotAnObject(kind(&other).to_owned())),
        Err(error) => Err(VectorError::NotAnObject(error.to_string())),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A whole number, written as one or as a text.
fn whole(line: &Object, member: &'static str) -> Result<u64, VectorError> {
    read_whole(line.get(member).unwrap_or(&Value::Null), member)
}

fn read_whole(value: &Value, member: &'static str) -> Result<u64, VectorError> {
    let read = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    read.ok_or(VectorError::member(
        member,
        "a whole number, or one as a text",
    ))
}

fn text<'a>(line: &'a Object, member: &'static str) -> &'a str {
    line.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn number(line: &Object, member: &'static str) -> Result<f64, VectorError> {
    let value = line.get(member).and_then(Value::as_f64);
    value.ok_or(VectorError::member(member, "a number"))
}

/// Numbers of a list.
fn numbers(line: &Object, member: &'static str) -> Result<Vec<f64>, VectorError> {
    let list = line.get(member).and_then(Value::as_array);
    let numbers = list.and_then(|list| list.iter().map(Value::as_f64).collect());
    numbers.ok_or(VectorError::member(member, "a list of numbers"))
}
