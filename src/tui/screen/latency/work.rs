//! What of a request was model: how long it loaded and how long it worked, as tags of its spans say.

use smallvec::SmallVec;

use crate::analysis::start::{infer_ms, model_load_ms};
use crate::store::{SpanIndex, TraceEntry};
use crate::trace::TraceChunk;
use crate::trace::tag::Marks;

/// Of a trace no more spans are asked.
const SPANS_MAX: usize = 2_000;

/// What tags say of a request; nothing where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) load_ns: Option<i64>,
    pub(super) infer_ns: Option<i64>,
}

impl Work {
    fn add(&mut self, other: Self) {
        let sum = |one: Option<i64>, other: Option<i64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        self.load_ns = sum(self.load_ns, other.load_ns);
        self.infer_ns = sum(self.infer_ns, other.infer_ns);
    }
}

/// The work of each request of a trace: what the root says itself, else the sum of what the spans below
/// it say.
#[derive(Debug, Default)]
pub(super) struct Works {
    own: SmallVec<[(SpanIndex, Work); 1]>,
    below: SmallVec<[(SpanIndex, Work); 1]>,
}

impl Works {
    pub(super) fn read(entry: &TraceEntry) -> Self {
        let mut works = Self::default();
        let mut marks = entry.chunks().map(TraceChunk::marks);
        if !marks.any(|marks| marks.has(Marks::START) || marks.has(Marks::INFER)) {
            return works;
        }
        let only = match entry.local_roots() {
            [only] => Some(only.span()),
            _ => None,
        };
        for (index, span) in entry.spans().take(SPANS_MAX) {
            let work = Work {
                load_ns: model_load_ms(span).map(nanos),
                infer_ns: infer_ms(span).map(nanos),
            };
            if work == Work::default() {
                continue;
            }
            let root = only.or_else(|| Some(entry.local_root_above(index)?.span()));
            match root {
                Some(root) if root == index => works.own.push((root, work)),
                Some(root) => works.add(root, work),
                None => {}
            }
        }
        works
    }

    fn add(&mut self, root: SpanIndex, work: Work) {
        match self.below.iter_mut().find(|(known, _)| *known == root) {
            Some((_, known)) => known.add(work),
            None => self.below.push((root, work)),
        }
    }

    pub(super) fn of(&self, root: SpanIndex) -> Work {
        let find = |works: &[(SpanIndex, Work)]| {
            let found = works.iter().find(|(known, _)| *known == root);
            found.map(|(_, work)| *work).unwrap_or_default()
        };
        let (own, below) = (find(&self.own), find(&self.below));
        Work {
            load_ns: own.load_ns.or(below.load_ns),
            infer_ns: own.infer_ns.or(below.infer_ns),
        }
    }
}

fn nanos(millis: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates: nothing takes longer"
    )]
    let nanos = (millis * 1e6) as i64;
    nanos
}
