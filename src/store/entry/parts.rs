//! Spans of a trace by the chunks they stand in, for whoever hands them on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::SpanIndex;
use super::{Slot, TraceEntry};
use crate::forward::Placed;
use crate::trace::{ChunkFacts, TraceChunk, TracerInfo, tag};

/// Spans that stand in one chunk.
#[derive(Debug)]
pub(in crate::store) struct Part {
    chunk: u32,
    /// Their places in it, which ascend.
    pub(in crate::store) places: Vec<Placed>,
}

impl TraceEntry {
    /// Spans, by chunk.
    pub(in crate::store) fn parts(&self, spans: impl Iterator<Item = SpanIndex>) -> Vec<Part> {
        let mut parts: BTreeMap<u32, Vec<Placed>> = BTreeMap::new();
        for index in spans {
            if let Some(Slot { chunk, span }) = self.slot(index)
                && let Ok(place) = usize::try_from(span)
            {
                let version = self
                    .departed()
                    .map_or(0, |departed| departed.version(index));
                parts.entry(chunk).or_default().push(Placed {
                    place,
                    span: index.0,
                    version,
                });
            }
        }
        let parts = parts.into_iter().map(|(chunk, mut places)| {
            places.sort_unstable_by_key(|placed| placed.place);
            Part { chunk, places }
        });
        parts.collect()
    }

    /// The chunk of a part.
    pub(in crate::store) fn chunk_of(&self, part: &Part) -> Option<&TraceChunk> {
        let (_, chunk) = self.chunks.get(usize::try_from(part.chunk).ok()?)?;
        Some(chunk)
    }

    /// What the client said of the chunk of a part; where it is no longer known which that was, of the
    /// first that it said anything of.
    pub(in crate::store) fn facts_of(&self, part: &Part) -> Option<&ChunkFacts> {
        let own = usize::try_from(part.chunk).ok()?;
        let own = self.arrivals.get(own);
        let own = own.filter(|_| self.arrivals.len() == self.chunks.len());
        let mut all = own.into_iter().chain(&self.arrivals);
        all.find_map(|arrival| arrival.facts.as_deref())
    }

    /// Who sent the chunk of a part: the tracer of the first chunk, unless the two name different processes.
    /// Of another process is known what its spans say.
    pub(in crate::store) fn tracer_of(&self, part: &Part) -> Arc<TracerInfo> {
        let said = |chunk: Option<&TraceChunk>, key: &str| {
            let said = chunk?.spans().find_map(|span| span.meta_text(key))?;
            Some(said.to_lossy().into_owned())
        };
        let (own, first) = (self.chunk_of(part), self.chunks().next());
        let processes = said(own, tag::RUNTIME_ID).zip(said(first, tag::RUNTIME_ID));
        if processes.is_none_or(|(own, first)| own == first) {
            return Arc::clone(&self.tracer);
        }
        Arc::new(TracerInfo {
            language: said(own, tag::LANGUAGE).unwrap_or_default().into(),
            ..TracerInfo::default()
        })
    }

    fn slot(&self, index: SpanIndex) -> Option<Slot> {
        if let Some(slots) = self.slots() {
            return slots.get(index.place()).copied();
        }
        let after = self.chunks.partition_point(|(first, _)| *first <= index.0);
        let chunk = after.checked_sub(1)?;
        let (first, _) = self.chunks.get(chunk)?;
        Some(Slot {
            chunk: u32::try_from(chunk).ok()?,
            span: index.0 - first,
        })
    }
}
