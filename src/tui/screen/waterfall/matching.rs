//! Whether a span matches what the reader looks for: as in the list, but nothing matches when
//! nothing is looked for.

use crate::trace::Span;
use crate::tui::screen::filter::Filter;

/// What is looked for. Empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needle(Filter);

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        Self(Filter::new(text))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.text()
    }

    /// Whether the span matches; none does if nothing is looked for.
    pub(crate) fn is_in(&self, span: Span<'_>) -> bool {
        !self.is_empty() && self.0.matches_span(span)
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
            kind: "llm",
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
    fn names_resources_services_types_tag_values_and_ids_are_looked_through() {
        for needle in [
            "FASTAPI",
            "generate",
            "Gen-API",
            " qwen2 ",
            "16",
            "LLM",
            "0000000000000001",
        ] {
            check(needle, true);
        }
        for needle in ["", " ", "model", "absent"] {
            check(needle, false);
        }
    }
}
