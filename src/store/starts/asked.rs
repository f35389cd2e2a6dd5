//! What is known of the start of a trace and of where it ran, for those who ask. Changes nothing.

use super::request;
use crate::analysis::{Evidence, StartKind, StartReason};
use crate::store::fleet::{Container, Request};
use crate::store::{LocalRoot, Store, ToldPlace, TraceContainer, TraceEntry};

impl Store {
    /// Whether a trace paid for the start of its container; `None` for what is no request.
    pub fn start_kind(&self, trace: &TraceEntry) -> Option<StartKind> {
        if let Some((kind, _)) = trace.told_start() {
            return Some(*kind);
        }
        match trace.own_root() {
            Some(root) => root.start_kind(),
            None => Some(StartKind::Unknown),
        }
    }

    /// Why, in one sentence; `None` for what is no request.
    pub fn start_evidence(&self, trace: &TraceEntry) -> Option<String> {
        if let Some((_, evidence)) = trace.told_start() {
            return Some(evidence.to_string());
        }
        match trace.own_root() {
            Some(root) => self.evidence(trace, root),
            None => Some("its local root has not been seen".to_owned()),
        }
    }

    /// Why a local root counts as cold, warm or neither, in one sentence.
    pub fn evidence(&self, trace: &TraceEntry, root: &LocalRoot) -> Option<String> {
        if let StartReason::Told(_) = root.reason() {
            return trace.told_evidence(root.span()).map(str::to_owned);
        }
        self.evidence_of(trace, root)?.sentence()
    }

    /// Where a tag of the app says otherwise.
    pub fn contradiction(&self, trace: &TraceEntry, root: &LocalRoot) -> Option<String> {
        self.evidence_of(trace, root)?.contradiction()
    }

    fn evidence_of(&self, trace: &TraceEntry, root: &LocalRoot) -> Option<Evidence<'_>> {
        let container = root.container().and_then(|key| self.fleet.container(key));
        Some(Evidence {
            reason: root.reason(),
            request: self.opening(trace, root)?,
            container: container.map(Container::label),
            past: container.map(Container::past),
            number: self.request_number(trace, root),
        })
    }

    /// The container that a trace as a whole ran in, as far as anything is known of it: that of its own
    /// local root. What an export says of it stays as it is said.
    pub fn container<'a>(&'a self, trace: &'a TraceEntry) -> Option<TraceContainer<'a>> {
        match (trace.told(), trace.own_root()) {
            (None, Some(root)) => self.container_of_root(trace, root),
            (Some(told), _) if told.place == ToldPlace::Nowhere => None,
            (Some(_), Some(root)) => {
                let runtime_id = trace.runtime_id(root.span());
                let known = trace.known_container();
                let known = known.map(|known| TraceContainer {
                    facts: &known.facts,
                    runtime_id,
                    known_by: known.by,
                });
                known.or_else(|| runtime_id.map(|_| TraceContainer::of_process(runtime_id)))
            }
            (_, None) => trace.container(),
        }
    }

    /// The container that a local root ran in.
    pub fn container_of_root<'a>(
        &'a self,
        trace: &'a TraceEntry,
        root: &LocalRoot,
    ) -> Option<TraceContainer<'a>> {
        let runtime_id = trace.runtime_id(root.span());
        let container = root.container().and_then(|key| self.fleet.container(key));
        let named = container.zip(root.known_by());
        match named {
            // A relay that has not said where it runs passes on spans of a process.
            Some((container, known_by)) if container.facts().name_a_container() => {
                Some(TraceContainer {
                    facts: container.facts(),
                    runtime_id,
                    known_by,
                })
            }
            _ => runtime_id.map(|_| TraceContainer::of_process(runtime_id)),
        }
    }

    /// Which request of its container a local root is, from 1.
    pub fn request_number(&self, trace: &TraceEntry, root: &LocalRoot) -> Option<u64> {
        let container = self.fleet.container(root.container()?)?;
        root.start_kind()?;
        let request = request(trace, root)?;
        let number = container.number_of(request.rank(), |other| self.is_request(other));
        Some(number)
    }

    fn is_request(&self, request: &Request) -> bool {
        let entry = self.trace(request.trace);
        let root = entry.and_then(|entry| entry.local_root(request.span));
        root.is_some_and(|root| root.reason() != StartReason::DuringInit)
    }
}

impl TraceEntry {
    /// How it began, as an export says of it as a whole.
    fn told_start(&self) -> Option<&(StartKind, Box<str>)> {
        self.told()?.start.as_ref()
    }
}
