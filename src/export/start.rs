//! Whether requests paid for the start of their container, in exports: of the trace as a whole, and of each
//! local root where it has several.

use serde::{Deserialize, Serialize};

use super::open::DecimalId;
use super::span::DisplayJson;
use super::summary::ContainerJson;
use crate::analysis::StartKind;
use crate::store::{LocalRoot, Store, ToldRoot, TraceEntry};
use crate::trace::{Span, SpanId, UnixNanos};

/// Whether a request paid for the start of its container, and why; both null for what is no request.
#[derive(Default, Serialize)]
pub(super) struct StartJson {
    start_kind: Option<&'static str>,
    start_evidence: Option<String>,
}

impl StartJson {
    pub(super) fn of_trace(trace: &TraceEntry, store: &Store) -> Self {
        Self {
            start_kind: store.start_kind(trace).map(StartKind::name),
            start_evidence: store.start_evidence(trace),
        }
    }

    fn of_root(trace: &TraceEntry, root: &LocalRoot, store: &Store) -> Self {
        Self {
            start_kind: root.start_kind().map(StartKind::name),
            start_evidence: store.evidence(trace, root),
        }
    }
}

/// What is read back of it: a kind that this version does not know is none.
pub(super) fn told(
    kind: Option<&str>,
    evidence: Option<Box<str>>,
) -> Option<(StartKind, Box<str>)> {
    kind.and_then(StartKind::named).zip(evidence)
}

/// A local root of a trace that has several: the span, where it ran, and how that had begun.
#[derive(Serialize)]
pub(super) struct LocalRootJson<'a> {
    span_id: DisplayJson<SpanId>,
    #[serde(rename = "start")]
    began: i64,
    container: Option<ContainerJson<'a>>,
    #[serde(flatten)]
    start: StartJson,
}

impl<'a> LocalRootJson<'a> {
    /// Those of a trace, unless there is one and it is what names the trace.
    pub(super) fn all(trace: &'a TraceEntry, store: &'a Store) -> Vec<Self> {
        let is_head = |root: &LocalRoot| Some(root.span()) == trace.summary().head();
        if matches!(trace.local_roots(), [] | [_]) && trace.local_roots().iter().all(is_head) {
            return Vec::new();
        }
        let json = |root: &'a LocalRoot| Self {
            span_id: DisplayJson(
                trace
                    .span(root.span())
                    .map(Span::span_id)
                    .unwrap_or_default(),
            ),
            began: trace
                .span(root.span())
                .map(Span::start)
                .unwrap_or_default()
                .0,
            container: store.container_of_root(trace, root).map(ContainerJson::new),
            start: StartJson::of_root(trace, root, store),
        };
        trace.local_roots().iter().map(json).collect()
    }
}

/// The same, read back.
#[derive(Deserialize)]
pub(super) struct ReadLocalRoot {
    span_id: DecimalId,
    #[serde(rename = "start")]
    began: i64,
    #[serde(default)]
    container: Option<ContainerJson<'static>>,
    #[serde(default)]
    start_kind: Option<Box<str>>,
    #[serde(default)]
    start_evidence: Option<Box<str>>,
}

impl ReadLocalRoot {
    pub(super) fn into_told(self) -> ToldRoot {
        ToldRoot {
            span_id: SpanId(self.span_id.0),
            began: UnixNanos(self.began),
            container: self.container.and_then(ContainerJson::into_facts),
            start: told(self.start_kind.as_deref(), self.start_evidence),
        }
    }
}
