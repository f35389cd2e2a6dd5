//! How many services a trace has, as it grows: of a large one only the new spans are looked at.

use hashbrown::HashSet;

use crate::store::{SpanIndex, TraceEntry};

/// The services of the spans that were looked at.
#[derive(Debug, Default)]
pub(super) struct Services {
    names: HashSet<Box<[u8]>>,
    n_looked_at: u32,
}

impl Services {
    /// Takes the trace as it is now. It has to be the same one each time.
    pub(super) fn count(&mut self, trace: &TraceEntry) {
        // A snapshot may have made room for a newer one.
        if trace.may_have_replaced() {
            *self = Self::default();
        }
        let n_spans = u32::try_from(trace.n_spans()).unwrap_or(u32::MAX);
        for index in self.n_looked_at..n_spans {
            let span = trace.span(SpanIndex(index));
            let name = span.map(crate::trace::Span::service).unwrap_or_default();
            if !self.names.contains(name.as_bytes()) {
                self.names.insert(name.as_bytes().into());
            }
        }
        self.n_looked_at = n_spans;
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::screen::waterfall::sample::{Sample, span, store_of};

    #[test]
    fn services_are_counted_as_the_trace_grows_and_when_a_snapshot_is_replaced() {
        let of = |service, version| Sample {
            service,
            metrics: version,
            ..span(1, 0, 0, 10, "root")
        };
        let open: &[(&str, f64)] = &[("_dd.partial_version", 1.0)];
        let mut services = Services::default();
        let cases: [(&[Sample<'_>], usize); 3] = [
            (&[of("a", open)], 1),
            (
                &[
                    of("a", open),
                    Sample {
                        service: "b",
                        ..span(2, 1, 1, 2, "child")
                    },
                ],
                2,
            ),
            (&[of("a", open), of("b", &[])], 1),
        ];
        for (samples, expected) in cases {
            let (store, key) = store_of(samples);
            services.count(store.trace(key).unwrap());
            assert_eq!(services.len(), expected);
        }
    }
}
