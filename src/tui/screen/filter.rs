//! The filter: a text that is looked for, upper and lower case alike, in names, types,
//! tags and ids, and of a trace in what was decided about its sampling.
//!
//! Ids are found in every form they are shown in somewhere: a trace id as 32 hex digits, as the
//! decimal number of all 128 bits or of the low 64, a span id in hex and in decimal.

use super::traces::sampling;
use crate::store::TraceEntry;
use crate::trace::{Span, Text, Value};

/// Shorter texts are not looked for in ids: `500` would find one trace in ten.
const ID_DIGITS_MIN: usize = 6;
/// How deep tags are looked through.
const DEPTH_MAX: usize = 8;

/// What is looked for. The empty filter matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    text: String,
    folded: String,
    id: Option<IdForm>,
}

/// What an id has to look like to be compared with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdForm {
    Hex,
    /// All digits: may be either.
    DecimalOrHex,
}

impl Filter {
    pub(crate) fn new(text: &str) -> Self {
        let folded = text.trim().to_lowercase();
        let is_long = folded.len() >= ID_DIGITS_MIN;
        let id = match () {
            () if is_long && folded.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(IdForm::DecimalOrHex)
            }
            () if is_long && folded.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Some(IdForm::Hex)
            }
            () => None,
        };
        Self {
            text: text.to_owned(),
            folded,
            id,
        }
    }

    /// As the user wrote it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Whether all that this filter matches is matched by another: then only its matches need be
    /// looked at again.
    pub(crate) fn narrows(&self, other: &Self) -> bool {
        let same_ids = self.id.is_none() || other.id.is_some();
        same_ids && self.folded.contains(&other.folded)
    }

    /// Whether any span of a trace matches, its id, or what the list says of its sampling.
    pub(crate) fn matches_trace(&self, trace: &TraceEntry) -> bool {
        self.is_empty()
            || self.matches_trace_id(trace)
            || sampling::words(&trace.sampling()).contains(&self.folded)
            || trace.spans().any(|(_, span)| self.matches_span(span))
    }

    fn matches_trace_id(&self, trace: &TraceEntry) -> bool {
        let id = trace.trace_id();
        match self.id {
            None => false,
            Some(form) => {
                id.to_string().contains(&self.folded)
                    || form == IdForm::DecimalOrHex
                        && (id.0.to_string().contains(&self.folded)
                            || id.low().to_string().contains(&self.folded))
            }
        }
    }

    /// Whether a span matches by its names, its tags or its own id.
    pub(crate) fn matches_span(&self, span: Span<'_>) -> bool {
        let names = [
            span.resource(),
            span.name(),
            span.service(),
            span.span_type(),
        ];
        names.into_iter().any(|name| self.matches_text(name))
            || self.matches_span_id(span)
            || span
                .attributes()
                .any(|(_, value)| self.matches_value(value, DEPTH_MAX))
    }

    fn matches_span_id(&self, span: Span<'_>) -> bool {
        let id = span.span_id().0;
        match self.id {
            None => false,
            Some(form) => {
                format!("{id:016x}").contains(&self.folded)
                    || form == IdForm::DecimalOrHex && id.to_string().contains(&self.folded)
            }
        }
    }

    fn matches_value(&self, value: Value<'_>, depth_left: usize) -> bool {
        match value {
            Value::Text(text) => self.matches_text(text),
            Value::Null | Value::Bytes(_) => false,
            Value::Bool(bool) => self.matches_shown(&bool),
            Value::Int(int) => self.matches_shown(&int),
            Value::Uint(uint) => self.matches_shown(&uint),
            Value::Float(float) => self.matches_shown(&float),
            Value::Array(_) | Value::Map(_) if depth_left == 0 => false,
            Value::Array(mut items) => items.any(|item| self.matches_value(item, depth_left - 1)),
            Value::Map(mut entries) => {
                entries.any(|(_, value)| self.matches_value(value, depth_left - 1))
            }
        }
    }

    /// Numbers are looked through only for what can stand in a number.
    fn matches_shown(&self, shown: &impl ToString) -> bool {
        let may_be_number = self
            .folded
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'a'..=b'z'));
        may_be_number && shown.to_string().contains(&self.folded)
    }

    fn matches_text(&self, text: Text<'_>) -> bool {
        if self.folded.is_ascii() {
            contains_ignoring_case(text.as_bytes(), self.folded.as_bytes())
        } else {
            text.to_lossy().to_lowercase().contains(&self.folded)
        }
    }
}

/// Whether `text` contains `part`, which is lower-case ASCII.
fn contains_ignoring_case(text: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else {
        return true;
    };
    let upper = first.to_ascii_uppercase();
    let mut from = text;
    while let Some(place) = from.iter().position(|byte| byte == first || *byte == upper) {
        let after = from.get(place + 1..).unwrap_or_default();
        match after.get(..rest.len()) {
            None => return false,
            Some(same) if same.eq_ignore_ascii_case(rest) => return true,
            Some(_) => from = after,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter() {
        let cases = [
            ("POST /v1/generate", "post", true),
            ("POST /v1/generate", "generate", true),
            ("POST /v1/generate", "generates", false),
            ("aab", "ab", true),
            ("", "a", false),
            ("CudaOOM", "daoo", true),
        ];
        for (text, part, expected) in cases {
            let found = contains_ignoring_case(text.as_bytes(), part.as_bytes());
            assert_eq!(found, expected, "{part} in {text}");
        }
        assert!(Filter::new("ÜBER").matches_text(Text::from("über")));
    }

    #[test]
    fn a_longer_text_narrows_unless_it_begins_to_mean_ids() {
        let narrows = |new: &str, old: &str| Filter::new(new).narrows(&Filter::new(old));
        assert!(narrows("generate", "gen"));
        assert!(!narrows("gen", "generate"));
        assert!(!narrows("123456", "12345"));
        assert!(narrows("1234567", "123456"));
    }
}
