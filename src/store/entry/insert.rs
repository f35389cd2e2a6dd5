//! Taking in chunks: what is new, what is newer, what is here already.

use std::sync::Arc;

use super::super::index::{SCANNED_SPANS_MAX, SpanMap, count_orphans};
use super::super::{SpanIndex, Summary, count, count_u32};
use super::{Arrival, Delivery, Inserted, Slot, TraceEntry, tracer_bytes};
use crate::trace::{Span, TraceChunk};

/// Chunks without a used span are looked for when so many spans, as a part of all, may stand in them.
const NEEDLESS_SHARE: u32 = 4;

impl TraceEntry {
    /// Adds a chunk: new spans to the end, newer snapshots in place of what they replace, and
    /// spans that are here already not at all.
    pub(in crate::store) fn insert(
        &mut self,
        chunk: TraceChunk,
        delivery: Delivery<'_>,
    ) -> Inserted {
        if self.chunks.is_empty() {
            self.brought_bytes += tracer_bytes(delivery.tracer);
            self.tracer = Arc::clone(delivery.tracer);
        }
        let facts_bytes = delivery.arrivals.iter().map(Arrival::heap_bytes);
        self.brought_bytes += facts_bytes.sum::<usize>();
        self.arrivals.extend(delivery.arrivals.iter().cloned());
        if let Some(relay) = delivery.relay {
            self.set_relay(relay);
        }
        if self.map().is_none() && self.n_spans() + chunk.len() > SCANNED_SPANS_MAX {
            let mut map = Box::<SpanMap>::default();
            self.spans().for_each(|(index, span)| map.add(index, span));
            self.rare_mut().map = Some(map);
        }
        let inserted = if self.has_duplicate(&chunk) {
            self.insert_one_by_one(chunk)
        } else {
            self.append(chunk)
        };
        self.n_orphans = match self.map() {
            Some(map) => map.n_orphans(),
            None => count_orphans(&self.spans().map(|(_, span)| span)),
        };
        inserted
    }

    /// Whether a span of the chunk is here already, or twice in the chunk.
    fn has_duplicate(&self, chunk: &TraceChunk) -> bool {
        let identity = |span: Span<'_>| (span.span_id(), span.start());
        match self.map() {
            Some(map) => {
                let mut seen = std::collections::HashSet::with_capacity(chunk.len());
                chunk
                    .spans()
                    .any(|span| map.find(span).is_some() || !seen.insert(identity(span)))
            }
            None => chunk.spans().enumerate().any(|(place, span)| {
                let id = identity(span);
                self.spans().any(|(_, held)| identity(held) == id)
                    || chunk
                        .spans()
                        .take(place)
                        .any(|earlier| identity(earlier) == id)
            }),
        }
    }

    fn append(&mut self, chunk: TraceChunk) -> Inserted {
        let n_new = chunk.len();
        let (first, n_chunk) = (self.n_spans, count_u32(self.chunks.len()));
        if let Some(slots) = self.slots_mut() {
            slots.extend((0..n_new).map(|span| Slot {
                chunk: n_chunk,
                span: count_u32(span),
            }));
        }
        self.brought_bytes += chunk.heap_bytes();
        self.chunks.push((first, chunk));
        self.n_spans = first.saturating_add(count_u32(n_new));
        for index in (first..self.n_spans).map(SpanIndex) {
            self.take_in(index);
        }
        Inserted {
            n_new: count(n_new),
            ..Inserted::default()
        }
    }

    /// A span that is in its place is taken into account.
    fn take_in(&mut self, index: SpanIndex) {
        let (mut map, mut summary) = (self.take_map(), self.summary);
        if let Some(span) = self.span(index) {
            summary.add(index, span, |held| self.span(held));
            if let Some(map) = &mut map {
                map.add(index, span);
            }
        }
        self.put_back(map, summary);
    }

    /// The way for chunks with spans that are here already. An equal span changes nothing; another
    /// span with the same id and start is a newer snapshot and takes the old one's place.
    fn insert_one_by_one(&mut self, chunk: TraceChunk) -> Inserted {
        let n_spans_before = self.n_spans;
        let n_chunk = count_u32(self.chunks.len());
        let n_in_chunk = chunk.len();
        self.give_slots();
        self.brought_bytes += chunk.heap_bytes();
        self.chunks.push((self.n_spans, chunk));
        let (mut n_replaced, mut is_summary_lost) = (0, false);
        let mut renewed = Vec::new();
        for place in 0..n_in_chunk {
            let slot = Slot {
                chunk: n_chunk,
                span: count_u32(place),
            };
            let twin = self.slot_span(slot).and_then(|span| self.find(span));
            match twin {
                Some(twin) => {
                    let was_snapshot = self.span(twin).is_some_and(Span::is_snapshot);
                    let replaced = self.replace(twin, slot);
                    if was_snapshot && replaced.is_some() {
                        renewed.push(twin);
                    }
                    n_replaced += u32::from(replaced.is_some());
                    is_summary_lost |= replaced == Some(true);
                }
                None => self.add_slot(slot),
            }
        }
        let n_new = self.n_spans - n_spans_before;
        self.free_chunks(count_u32(n_in_chunk), n_new + n_replaced);
        if is_summary_lost {
            self.refresh_summary();
        }
        let n_new = u64::from(n_new);
        Inserted {
            n_new,
            n_duplicate: count(n_in_chunk) - n_new,
            renewed,
        }
    }

    /// The span that is here with the id and the start of another.
    pub(in crate::store) fn held(&self, span: Span<'_>) -> Option<Span<'_>> {
        self.span(self.find(span)?)
    }

    fn find(&self, span: Span<'_>) -> Option<SpanIndex> {
        match self.map() {
            Some(map) => map.find(span),
            None => self
                .spans()
                .find(|(_, held)| held.span_id() == span.span_id() && held.start() == span.start())
                .map(|(index, _)| index),
        }
    }

    /// Puts a newer snapshot in a span's place, unless it is the same. Returns whether the summary no
    /// longer holds; `None` if nothing was replaced.
    fn replace(&mut self, twin: SpanIndex, slot: Slot) -> Option<bool> {
        let (mut map, mut summary) = (self.take_map(), self.summary);
        let replaced = match (self.span(twin), self.slot_span(slot)) {
            (Some(old), Some(new)) if !old.same_as(new) => {
                if let Some(map) = &mut map {
                    map.replace(old, new);
                }
                Some(summary.replace(twin, (old, new), |held| self.span(held)))
            }
            _ => None,
        };
        self.put_back(map, summary);
        replaced?;
        if let Some(place) = self
            .slots_mut()
            .and_then(|slots| slots.get_mut(twin.place()))
        {
            *place = slot;
        }
        replaced
    }

    fn add_slot(&mut self, slot: Slot) {
        let index = SpanIndex(self.n_spans);
        self.n_spans = self.n_spans.saturating_add(1);
        if let Some(slots) = self.slots_mut() {
            slots.push(slot);
        }
        self.take_in(index);
    }

    fn give_slots(&mut self) {
        if self.slots().is_none() {
            let slots = self
                .chunks
                .iter()
                .enumerate()
                .flat_map(|(place, (_, chunk))| {
                    let slot = move |span| Slot {
                        chunk: count_u32(place),
                        span: count_u32(span),
                    };
                    (0..chunk.len()).map(slot)
                });
            let slots = slots.collect();
            self.rare_mut().slots = Some(slots);
        }
    }

    fn slots_mut(&mut self) -> Option<&mut Vec<Slot>> {
        self.rare.as_mut()?.slots.as_mut()
    }

    /// Takes the map out, so that it can change while spans are looked at.
    fn take_map(&mut self) -> Option<Box<SpanMap>> {
        self.rare.as_mut()?.map.take()
    }

    fn put_back(&mut self, map: Option<Box<SpanMap>>, summary: Summary) {
        if let Some(rare) = &mut self.rare {
            rare.map = map;
        }
        self.summary = summary;
    }

    /// Gives up what the newest chunk made needless: itself, if none of its spans is used, else at
    /// times, since looking for it costs as much as the trace is large, the chunks of which none is.
    fn free_chunks(&mut self, n_in_chunk: u32, n_used: u32) {
        if n_used == 0
            && let Some((_, chunk)) = self.chunks.pop()
        {
            self.brought_bytes = self.brought_bytes.saturating_sub(chunk.heap_bytes());
            return;
        }
        let n_spans = self.n_spans;
        let n_needless = &mut self.rare_mut().n_needless;
        *n_needless = n_needless.saturating_add(n_in_chunk);
        if n_needless.saturating_mul(NEEDLESS_SHARE) >= n_spans {
            *n_needless = 0;
            self.free_unused_chunks();
        }
    }

    /// Gives up the memory of chunks whose spans have all been replaced or were duplicates.
    fn free_unused_chunks(&mut self) {
        let mut used = vec![false; self.chunks.len()];
        for slot in self.slots().unwrap_or_default() {
            let place = usize::try_from(slot.chunk).unwrap_or(usize::MAX);
            if let Some(used) = used.get_mut(place) {
                *used = true;
            }
        }
        for ((_, chunk), used) in self.chunks.iter_mut().zip(&used) {
            if !used && !chunk.is_empty() {
                self.brought_bytes = self.brought_bytes.saturating_sub(chunk.heap_bytes());
                *chunk = TraceChunk::default();
            }
        }
        while self
            .chunks
            .last()
            .is_some_and(|(_, chunk)| chunk.is_empty())
        {
            self.chunks.pop();
        }
    }

    fn refresh_summary(&mut self) {
        let mut summary = Summary::default();
        self.spans()
            .for_each(|(index, span)| summary.add(index, span, |held| self.span(held)));
        self.summary = summary;
    }
}
