//! Putting back what an export says of the local roots of a trace: as it was said, not judged anew.

use crate::analysis::{Said, SeenRoot, StartKind, StartReason};
use crate::store::container::Known;
use crate::store::fleet::{Discovery, Identity};
use crate::store::{
    KnownBy, LocalRoot, SpanIndex, Store, ToldRoot, ToldTrace, TraceEntry, TraceKey,
};
use crate::trace::{ContainerFacts, UnixNanos};

impl Store {
    /// Puts back what an export says of the local roots of a trace, in place of what its spans show.
    pub(in crate::store) fn restore_roots(
        &mut self,
        key: TraceKey,
        told: Vec<ToldRoot>,
        at: UnixNanos,
    ) {
        for root in told {
            let entry = self.trace(key);
            let span = entry.and_then(|entry| entry.index_of(root.span_id, root.began));
            let Some(span) = span else {
                continue;
            };
            let is_here = self
                .trace(key)
                .is_some_and(|entry| entry.local_root(span).is_some());
            if !is_here {
                self.add_told_root(key, span, root.container, at);
            }
            if let Some((kind, evidence)) = root.start {
                self.tell(key, span, kind, evidence);
            }
        }
    }

    /// Puts back what an export says of a trace as a whole. That its own local root is not found again is
    /// possible: its spans came in parts, and are one chunk now.
    pub(in crate::store) fn restore_told_trace(&mut self, key: TraceKey, told: ToldTrace) {
        // Exports from before said nothing of starts, and nothing of outcomes.
        if told.start.is_none() && told.outcome.is_none() {
            return;
        }
        let own = self.trace(key).and_then(TraceEntry::own_root);
        let span = own.filter(|root| !root.is_lifecycle()).map(LocalRoot::span);
        match (span, told.start.clone()) {
            (Some(span), Some((kind, evidence))) => self.tell(key, span, kind, evidence),
            (Some(span), None) if told.outcome.is_some() => self.tell_none(key, span),
            _ => {}
        }
        self.change(key, |entry| entry.set_told(told));
    }

    /// What an export says nothing of, beside its outcome, is no request.
    fn tell_none(&mut self, key: TraceKey, span: SpanIndex) {
        let entry = self.entries.get_mut(key);
        if let Some(root) = entry.and_then(|entry| entry.local_root_mut(span)) {
            root.set_reason(StartReason::ToldNone);
        }
    }

    fn tell(&mut self, key: TraceKey, span: SpanIndex, kind: StartKind, evidence: Box<str>) {
        self.change(key, |entry| {
            entry.tell_evidence(span, evidence);
            if let Some(root) = entry.local_root_mut(span) {
                root.set_reason(StartReason::Told(kind));
            }
        });
    }

    fn add_told_root(
        &mut self,
        key: TraceKey,
        span: SpanIndex,
        container: Option<(ContainerFacts, KnownBy)>,
        at: UnixNanos,
    ) {
        let known = container.map(|(facts, by)| Known { facts, by });
        let entry = self.entries.get(key);
        let Some((entry, found)) = entry.and_then(|entry| Some((entry, entry.span(span)?))) else {
            return;
        };
        let identity = Identity::of_root(entry, span, known.as_ref(), at);
        let lifecycle = self.fleet.names().lifecycle(found.name());
        let seen = SeenRoot {
            span_id: found.span_id(),
            start: found.start(),
            lifecycle,
        };
        let placed = self.fleet.identify(identity, &mut Discovery::default());
        self.add_root(key, seen, Said::default(), placed);
    }
}
