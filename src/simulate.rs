//! Vectors of the Agent's own samplers, replayed by the simulated one: line by line what it computes,
//! and whether that is what the line expects.
//!
//! A tool for comparing with a real Agent. Expectations are looked at only once the answer is there,
//! and may be absent. Reading and writing files is not its business.

mod replay;
mod unit;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use replay::Replay;

/// Numbers that differ by no more than this part are the same.
const TOLERANCE: f64 = 1e-9;

/// An object, by its members.
type Object = Map<String, Value>;

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
    /// Nothing is known of such a line.
    #[error("it is none of the lines that sampler vectors have (an `op`, a `kind`, or a row)")]
    Unknown,
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
    n_agree: u64,
    n_differ: u64,
}

impl Simulation {
    /// Begins with the first line of a file.
    ///
    /// # Errors
    ///
    /// It is no JSON object, or says settings that are none.
    pub fn begin(header: &str, defaults: &crate::sampler::Settings) -> Result<Self, VectorError> {
        let header = object(header)?;
        let config = header.get("config").and_then(Value::as_object);
        let settings = replay::settings(config, defaults)?;
        Ok(Self {
            replay: Replay::new(&settings),
            header,
            n_agree: 0,
            n_differ: 0,
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
        let agrees = (!expected.is_empty()).then(|| {
            computed.retain(|name, value| expected.contains_key(name) || !is_extra(name, value));
            same_members(&computed, &expected)
        });
        match agrees {
            Some(true) => self.n_agree += 1,
            Some(false) => self.n_differ += 1,
            None => {}
        }
        Ok(Answer { computed, agrees })
    }

    /// How many lines agree, and how many differ.
    pub fn balance(&self) -> (u64, u64) {
        (self.n_agree, self.n_differ)
    }
}

/// Whether a member is more than some vectors tell, and no difference where they do not: all but the
/// decision and what was written.
fn is_extra(name: &str, value: &Value) -> bool {
    const TOLD_BY_SOME: [&str; 4] = ["rate", "error_rate", "priority_sampled", "error_sampled"];
    TOLD_BY_SOME.contains(&name) || value.as_object().is_some_and(Map::is_empty)
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
    let value = line.get(member);
    let read = value.and_then(|value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    });
    read.ok_or(VectorError::Member {
        member,
        wanted: "a whole number, or one as a text",
    })
}

fn text<'a>(line: &'a Object, member: &'static str) -> &'a str {
    line.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn number(line: &Object, member: &'static str) -> Result<f64, VectorError> {
    let value = line.get(member).and_then(Value::as_f64);
    value.ok_or(VectorError::Member {
        member,
        wanted: "a number",
    })
}
