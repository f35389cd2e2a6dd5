//! Whether a span matches what the reader looks for: a piece of its name, resource, service, type
//! or of a tag's value, in any case.

use crate::trace::{Span, Value};

/// What is looked for. Empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needle(Box<str>);

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the span matches; none does if nothing is looked for.
    pub(crate) fn is_in(&self, span: Span<'_>) -> bool {
        if self.is_empty() {
            return false;
        }
        let fields = [
            span.name(),
            span.resource(),
            span.service(),
            span.span_type(),
        ];
        fields.iter().any(|text| self.is_in_bytes(text.as_bytes()))
            || span.meta().any(|(_, value)| self.is_in_value(value))
            || span.metrics().any(|(_, value)| self.is_in_value(value))
    }

    fn is_in_value(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.is_in_bytes(text.as_bytes()),
            Value::Int(int) => self.is_in_bytes(int.to_string().as_bytes()),
            Value::Uint(uint) => self.is_in_bytes(uint.to_string().as_bytes()),
            Value::Float(float) => self.is_in_bytes(float.to_string().as_bytes()),
            _ => false,
        }
    }

    fn is_in_bytes(&self, text: &[u8]) -> bool {
        let needle = self.0.as_bytes();
        text.windows(needle.len().max(1))
            .any(|window| window.eq_ignore_ascii_case(needle))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, span, store_of};
    use super::*;
    use crate::store::SpanIndex;

    #[track_caller]
    fn check(needle: &str, expected: bool) {
        let sample = Sample {
            service: "gen-api",
            resource: "POST /v1/generate",
            meta: &[("model", "Qwen2-7b")],
            metrics: &[("batch_size", 16.0)],
            ..span(1, 0, 0, 1, "fastapi.request")
        };
        let (store, key) = store_of(&[sample]);
        let span = store.trace(key).unwrap().span(SpanIndex(0)).unwrap();
        assert_eq!(Needle::new(needle).is_in(span), expected, "{needle}");
    }

    #[test]
    fn names_resources_services_and_tag_values_are_looked_through() {
        for needle in ["FASTAPI", "generate", "Gen-API", " qwen2 ", "16"] {
            check(needle, true);
        }
        for needle in ["", " ", "model", "absent"] {
            check(needle, false);
        }
    }
}
