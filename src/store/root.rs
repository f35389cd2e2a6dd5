//! A local root: where a process began its part of a trace, in which container that was, and whether it
//! paid for the start of it.

use super::fleet::Placed;
use super::{ContainerKey, KnownBy, SpanIndex, TraceEntry};
use crate::analysis::{Lifecycle, Said, StartKind, StartReason};
use crate::trace::{Span, SpanId};

/// More processes than this take part in no trace; the roots of others are spans like any.
const LOCAL_ROOTS_MAX: usize = 10_000;

/// A local root of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalRoot {
    span: SpanIndex,
    container: Option<ContainerKey>,
    known_by: Option<KnownBy>,
    said: Said,
    reason: StartReason,
}

impl LocalRoot {
    pub(super) fn new(
        span: SpanIndex,
        lifecycle: Lifecycle,
        said: Said,
        placed: Option<Placed>,
    ) -> Self {
        let reason = match lifecycle {
            Lifecycle::Init => StartReason::Init,
            Lifecycle::Exit => StartReason::Exit,
            Lifecycle::Request => StartReason::NoContainer,
        };
        Self {
            span,
            container: placed.map(|placed| placed.container),
            known_by: placed.map(|placed| placed.by),
            said,
            reason,
        }
    }

    /// The span.
    pub fn span(&self) -> SpanIndex {
        self.span
    }

    /// The container it ran in.
    pub fn container(&self) -> Option<ContainerKey> {
        self.container
    }

    /// How that is known.
    pub fn known_by(&self) -> Option<KnownBy> {
        self.known_by
    }

    /// What the tags of its chunk say of its start.
    pub fn said(&self) -> Said {
        self.said
    }

    /// The rule that decided about its start.
    pub fn reason(&self) -> StartReason {
        self.reason
    }

    /// Whether it paid for the start of its container; `None` for what is no request: the start itself,
    /// and the end.
    pub fn start_kind(&self) -> Option<StartKind> {
        self.reason.kind()
    }

    /// Whether it is judged by rules: lifecycle spans and what an export says are what they are.
    pub(super) fn is_judged(&self) -> bool {
        !self.is_lifecycle() && !self.is_told()
    }

    /// Whether an export says what it is.
    pub(super) fn is_told(&self) -> bool {
        matches!(self.reason, StartReason::Told(_) | StartReason::ToldNone)
    }

    pub(super) fn is_lifecycle(&self) -> bool {
        matches!(self.reason, StartReason::Init | StartReason::Exit)
    }

    pub(super) fn place(&mut self, placed: Option<Placed>) {
        self.container = placed.map(|placed| placed.container);
        self.known_by = placed.map(|placed| placed.by);
    }

    /// A newer snapshot says more than those before it.
    pub(super) fn add_said(&mut self, said: Said) {
        self.said = said.or(self.said);
    }

    pub(super) fn set_container(&mut self, container: ContainerKey) {
        self.container = Some(container);
    }

    pub(super) fn set_reason(&mut self, reason: StartReason) {
        self.reason = reason;
    }
}

impl TraceEntry {
    /// Its local roots, in the order of their spans: one for each process that took part, as far as they have come.
    pub fn local_roots(&self) -> &[LocalRoot] {
        &self.roots
    }

    /// The local root that the trace as a whole stands for: its root, else the earliest.
    pub fn own_root(&self) -> Option<&LocalRoot> {
        let head = self.summary().head()?;
        self.local_root(head).or_else(|| {
            let roots = self.local_roots().iter();
            roots.min_by_key(|root| {
                let span = self.span(root.span);
                span.map(|span| (span.start(), span.span_id()))
            })
        })
    }

    /// The local root at a span.
    pub fn local_root(&self, span: SpanIndex) -> Option<&LocalRoot> {
        let place = self.root_place(span).ok()?;
        self.roots.get(place)
    }

    pub(super) fn local_root_mut(&mut self, span: SpanIndex) -> Option<&mut LocalRoot> {
        let place = self.root_place(span).ok()?;
        self.roots.get_mut(place)
    }

    /// Adds one that is not here yet. Returns whether there was room for it.
    pub(super) fn add_local_root(&mut self, root: LocalRoot) -> bool {
        match self.root_place(root.span) {
            Err(place) if self.roots.len() < LOCAL_ROOTS_MAX => {
                self.roots.insert(place, root);
                true
            }
            _ => false,
        }
    }

    fn root_place(&self, span: SpanIndex) -> Result<usize, usize> {
        self.roots.binary_search_by_key(&span, |root| root.span)
    }

    /// The local root that a span belongs to: the nearest above it.
    pub fn local_root_above(&self, span: SpanIndex) -> Option<&LocalRoot> {
        /// Nobody nests deeper by hand, and a cycle ends.
        const DEPTH_MAX: usize = 128;
        let mut at = Some(span);
        for _ in 0..DEPTH_MAX {
            let index = at?;
            if let Some(root) = self.local_root(index) {
                return Some(root);
            }
            let parent = self.span(index).map(Span::parent_id);
            at = parent
                .filter(|parent| *parent != SpanId::NONE)
                .and_then(|id| self.span_with_id(id));
        }
        None
    }
}
