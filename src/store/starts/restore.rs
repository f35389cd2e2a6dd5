//! Putting back what an export says of the local roots of a trace: as it was said, not judged anew.

use crate::analysis::{Said, SeenRoot, StartReason};
use crate::store::container::Known;
use crate::store::fleet::{Discovery, Identity};
use crate::store::{KnownBy, LocalRoot, SpanIndex, Store, ToldRoot, TraceKey};
use crate::trace::{ContainerFacts, SpanId, UnixNanos, tag};

impl Store {
    /// Puts back what an export says of the local roots of a trace, in place of what its spans show.
    pub(in crate::store) fn restore_roots(
        &mut self,
        key: TraceKey,
        told: Vec<ToldRoot>,
        at: UnixNanos,
    ) {
        for root in told {
            let Some(span) = self.told_span(key, root.span_id) else {
                continue;
            };
            let is_here = self
                .trace(key)
                .is_some_and(|entry| entry.local_root(span).is_some());
            if !is_here {
                self.add_told_root(key, span, root.container, at);
            }
            let Some((kind, evidence)) = root.start else {
                continue;
            };
            let Some(entry) = self.entries.get_mut(key) else {
                return;
            };
            let bytes = entry.bytes();
            entry.tell_evidence(span, evidence);
            if let Some(root) = entry.local_root_mut(span) {
                root.set_reason(StartReason::Told(kind));
            }
            self.bytes = (self.bytes + entry.bytes()).saturating_sub(bytes);
        }
    }

    /// The span of a local root: by its id, else the one that the trace as a whole stands for.
    fn told_span(&self, key: TraceKey, id: Option<SpanId>) -> Option<SpanIndex> {
        let entry = self.trace(key)?;
        match id {
            Some(id) => entry.span_with_id(id),
            None => entry.own_root().map(LocalRoot::span),
        }
    }

    fn add_told_root(
        &mut self,
        key: TraceKey,
        span: SpanIndex,
        container: Option<(ContainerFacts, KnownBy)>,
        at: UnixNanos,
    ) {
        let known = container.map(|(facts, by)| Known { facts, by });
        let Some(found) = self.entries.get(key).and_then(|entry| entry.span(span)) else {
            return;
        };
        let identity = Identity {
            relay: None,
            known: known.as_ref(),
            runtime_id: found.meta_text(tag::RUNTIME_ID),
            process_id: found.metric(tag::LOCAL_ROOT),
            at,
        };
        let lifecycle = self.fleet.names().lifecycle(found.name());
        let seen = SeenRoot {
            span_id: found.span_id(),
            start: found.start(),
            end: found.end(),
            lifecycle,
        };
        let placed = self.fleet.identify(identity, &mut Discovery::default());
        self.add_root(key, seen, Said::default(), placed);
    }
}
