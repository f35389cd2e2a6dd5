//! One trace as it stands: its chunks, in whatever order they came.

use std::sync::Arc;

use super::container::{Known, Shelved};
use super::index::{SCANNED_SPANS_MAX, SpanMap, count_orphans};
use super::join::Containers;
use super::{LogKey, SpanIndex, Summary, TraceKey};
use crate::logs::LogRecord;
use crate::trace::{
    Now, RelaySource, SamplingFacts, Span, SpanId, Text, TraceChunk, TraceId, TracerInfo,
    UnixNanos, Via,
};

/// When and how a chunk of the trace came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: UnixNanos,
    /// By which way.
    pub via: Via,
    /// How many spans it held, duplicates counted.
    pub n_spans: u32,
}

/// What is said of a delivery beside its spans.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery<'a> {
    pub(super) arrivals: &'a [Arrival],
    pub(super) tracer: &'a Arc<TracerInfo>,
    pub(super) now: Now,
    pub(super) relay: Option<RelaySource>,
}

/// Where a span is kept.
#[derive(Clone, Copy, Debug)]
struct Slot {
    chunk: u32,
    span: u32,
}

/// What became of the spans of a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inserted {
    pub(super) n_new: u64,
    pub(super) n_duplicate: u64,
}

/// A trace: the spans that came so far and what follows from them.
#[derive(Debug)]
pub struct TraceEntry {
    key: TraceKey,
    trace_id: TraceId,
    older_twin: Option<TraceKey>,
    /// The chunks and the index of the first span of each.
    chunks: Vec<(u32, TraceChunk)>,
    /// Where each span is, once they no longer stand chunk after chunk.
    slots: Option<Vec<Slot>>,
    n_spans: usize,
    n_orphans: u32,
    arrivals: Vec<Arrival>,
    logs: Vec<LogKey>,
    logs_revision: u64,
    /// The names of the containers it ran in.
    containers: Containers,
    container: Option<Arc<Known>>,
    /// What the container occupies, if no other trace had it before.
    container_bytes: usize,
    relay: Option<RelaySource>,
    tracer: Arc<TracerInfo>,
    summary: Summary,
    map: Option<Box<SpanMap>>,
    revision: u64,
    first_seen: Now,
    last_seen: Now,
    chunk_bytes: usize,
}

impl TraceEntry {
    pub(super) fn new(
        key: TraceKey,
        trace_id: TraceId,
        older_twin: Option<TraceKey>,
        now: Now,
    ) -> Self {
        Self {
            key,
            trace_id,
            older_twin,
            chunks: Vec::new(),
            slots: None,
            n_spans: 0,
            n_orphans: 0,
            arrivals: Vec::new(),
            logs: Vec::new(),
            logs_revision: 0,
            containers: Vec::new(),
            container: None,
            container_bytes: 0,
            relay: None,
            tracer: Arc::default(),
            summary: Summary::default(),
            map: None,
            revision: 0,
            first_seen: now,
            last_seen: now,
            chunk_bytes: 0,
        }
    }

    /// Our own number for the trace.
    pub fn key(&self) -> TraceKey {
        self.key
    }

    /// The id on the wire.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// Changes whenever its spans do, and never repeats in one run.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Changes whenever its lines do, and never repeats in one run.
    pub fn logs_revision(&self) -> u64 {
        self.logs_revision
    }

    /// How many spans it has.
    pub fn n_spans(&self) -> usize {
        self.n_spans
    }

    /// How many spans name a parent that is not here.
    pub fn n_orphans(&self) -> u32 {
        self.n_orphans
    }

    /// A span by its index.
    pub fn span(&self, index: SpanIndex) -> Option<Span<'_>> {
        if let Some(slots) = &self.slots {
            return self.slot_span(*slots.get(index.place())?);
        }
        let chunk = self
            .chunks
            .partition_point(|(first, _)| *first <= index.0)
            .checked_sub(1)?;
        let (first, chunk) = self.chunks.get(chunk)?;
        chunk.span(usize::try_from(index.0 - first).ok()?)
    }

    /// The spans in order of first arrival.
    pub fn spans(&self) -> impl Iterator<Item = (SpanIndex, Span<'_>)> + Clone {
        let in_place: &[Slot] = self.slots.as_deref().unwrap_or_default();
        let in_chunks: &[(u32, TraceChunk)] = if self.slots.is_some() {
            &[]
        } else {
            &self.chunks
        };
        let spans = in_chunks
            .iter()
            .flat_map(|(_, chunk)| (0..chunk.len()).filter_map(|at| chunk.span(at)));
        let spans = spans.chain(in_place.iter().filter_map(|slot| self.slot_span(*slot)));
        spans
            .enumerate()
            .map(|(place, span)| (SpanIndex::at(place), span))
    }

    /// The span that names the trace: its root, else its earliest span.
    pub fn head(&self) -> Option<Span<'_>> {
        self.span(self.summary.head()?)
    }

    /// The operation of the span that names the trace.
    pub fn name(&self) -> Text<'_> {
        self.head().map(Span::name).unwrap_or_default()
    }

    /// The extent and the spans of interest.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The root's duration; without a root, from the first start to the last end. In nanoseconds.
    pub fn duration(&self) -> i64 {
        let root = self.summary.root.and_then(|root| self.span(root));
        root.map_or_else(
            || self.summary.end.since(self.summary.start),
            Span::duration,
        )
    }

    /// The root's start; without a root, the earliest start.
    pub fn start(&self) -> UnixNanos {
        self.head().map(Span::start).unwrap_or_default()
    }

    /// Whether a root is here and no span's parent is missing.
    pub fn is_complete(&self) -> bool {
        self.summary.root.is_some() && self.n_orphans == 0
    }

    /// Whether any span has the error flag.
    pub fn is_error(&self) -> bool {
        self.summary.n_errors > 0
    }

    /// When and how its chunks came.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// The tracer that sent its first chunk.
    pub fn tracer(&self) -> &TracerInfo {
        &self.tracer
    }

    /// When its first chunk came.
    pub fn first_seen(&self) -> Now {
        self.first_seen
    }

    /// When its newest chunk came.
    pub fn last_seen(&self) -> Now {
        self.last_seen
    }

    /// The log lines that belong to it, in order of arrival.
    pub fn logs(&self) -> &[LogKey] {
        &self.logs
    }

    /// The span that a line names; `None` if it names none, or none that is here yet. Of spans with
    /// the same id the first.
    pub fn log_span(&self, record: &LogRecord) -> Option<SpanIndex> {
        record.ids.spans().find_map(|id| self.span_with_id(id))
    }

    /// The first span with an id.
    pub fn span_with_id(&self, id: SpanId) -> Option<SpanIndex> {
        if let Some(map) = &self.map {
            return map.first(id);
        }
        let mut spans = self.spans();
        let found = spans.find(|(_, span)| span.span_id() == id);
        found.map(|(index, _)| index)
    }

    /// What the client decided about sampling. Tracers write it on the local root and on the first
    /// span of a chunk; few spans are asked, so that a row costs the same for any trace, and none
    /// is asked by where chunks begin, which an export does not hold.
    pub fn sampling(&self) -> SamplingFacts<'_> {
        const SPANS_ASKED: usize = 16;
        let first_spans = self.spans().map(|(_, span)| span).take(SPANS_ASKED);
        SamplingFacts::read(self.head().into_iter().chain(first_spans))
    }

    /// What it occupies, by our own count.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.chunk_bytes
            + self.chunks.capacity() * size_of::<(u32, TraceChunk)>()
            + self.arrivals.capacity() * size_of::<Arrival>()
            + self.logs.capacity() * size_of::<LogKey>()
            + self.containers.capacity() * size_of::<Arc<str>>()
            + self.container_bytes
            + self
                .slots
                .as_ref()
                .map_or(0, |slots| slots.capacity() * size_of::<Slot>())
            + self.map.as_ref().map_or(0, |map| map.heap_bytes())
    }

    /// The names of the containers it ran in, each once.
    pub(super) fn containers(&self) -> &[Arc<str>] {
        &self.containers
    }

    pub(super) fn add_container(&mut self, name: Arc<str>) {
        self.containers.push(name);
    }

    pub(super) fn known_container(&self) -> Option<&Known> {
        self.container.as_deref()
    }

    pub(super) fn set_container(&mut self, container: Shelved) {
        self.container_bytes = container.bytes;
        self.container = Some(container.known);
    }

    pub(super) fn relay(&self) -> Option<RelaySource> {
        self.relay
    }

    /// Adds a line, in order of arrival.
    pub(super) fn add_log(&mut self, key: LogKey) {
        let is_last = self.logs.last().is_none_or(|last| *last < key);
        let place = if is_last {
            self.logs.len()
        } else {
            self.logs.partition_point(|known| *known < key)
        };
        self.logs.insert(place, key);
    }

    pub(super) fn remove_log(&mut self, key: LogKey) {
        if let Ok(place) = self.logs.binary_search(&key) {
            self.logs.remove(place);
        }
    }

    pub(super) fn drop_logs_from(&mut self, from: LogKey) {
        let n_before = self.logs.partition_point(|key| *key < from);
        self.logs.truncate(n_before);
    }

    pub(super) fn set_logs_revision(&mut self, revision: u64) {
        self.logs_revision = revision;
    }

    pub(super) fn older_twin(&self) -> Option<TraceKey> {
        self.older_twin
    }

    pub(super) fn set_older_twin(&mut self, older: Option<TraceKey>) {
        self.older_twin = older;
    }

    pub(super) fn set_trace_id(&mut self, id: TraceId) {
        self.trace_id = id;
    }

    pub(super) fn set_last_seen(&mut self, now: Now) {
        self.last_seen = now;
    }

    pub(super) fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    /// Adds a chunk: new spans to the end, newer snapshots in place of what they replace, and
    /// spans that are here already not at all.
    pub(super) fn insert(&mut self, chunk: TraceChunk, delivery: Delivery<'_>) -> Inserted {
        if self.chunks.is_empty() {
            self.tracer = Arc::clone(delivery.tracer);
            self.chunks.reserve_exact(1);
            self.arrivals.reserve_exact(delivery.arrivals.len());
        }
        self.arrivals.extend_from_slice(delivery.arrivals);
        self.relay = self.relay.or(delivery.relay);
        self.last_seen = delivery.now;
        if self.map.is_none() && self.n_spans + chunk.len() > SCANNED_SPANS_MAX {
            let mut map = Box::<SpanMap>::default();
            self.spans().for_each(|(index, span)| map.add(index, span));
            self.map = Some(map);
        }
        let inserted = if self.has_duplicate(&chunk) {
            self.insert_one_by_one(chunk)
        } else {
            self.append(chunk)
        };
        self.n_orphans = match &self.map {
            Some(map) => map.n_orphans(),
            None => count_orphans(&self.spans().map(|(_, span)| span)),
        };
        inserted
    }

    /// Whether a span of the chunk is here already, or twice in the chunk.
    fn has_duplicate(&self, chunk: &TraceChunk) -> bool {
        let identity = |span: Span<'_>| (span.span_id(), span.start());
        match &self.map {
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
        let n_new = super::count(chunk.len());
        let n_chunk = super::count_u32(self.chunks.len());
        for (place, span) in chunk.spans().enumerate() {
            let index = SpanIndex::at(self.n_spans + place);
            self.summary.add(index, span);
            if let Some(map) = &mut self.map {
                map.add(index, span);
            }
            if let Some(slots) = &mut self.slots {
                slots.push(Slot {
                    chunk: n_chunk,
                    span: super::count_u32(place),
                });
            }
        }
        let first = super::count_u32(self.n_spans);
        self.n_spans += chunk.len();
        self.chunk_bytes += chunk.heap_bytes();
        self.chunks.push((first, chunk));
        Inserted {
            n_new,
            n_duplicate: 0,
        }
    }

    /// The way for chunks with spans that are here already. An equal span changes nothing; another
    /// span with the same id and start is a newer snapshot and takes the old one's place.
    fn insert_one_by_one(&mut self, chunk: TraceChunk) -> Inserted {
        let n_spans_before = self.n_spans;
        let n_chunk = super::count_u32(self.chunks.len());
        let n_in_chunk = chunk.len();
        self.give_slots();
        let first = super::count_u32(self.n_spans);
        self.chunk_bytes += chunk.heap_bytes();
        self.chunks.push((first, chunk));
        let mut any_replaced = false;
        for place in 0..n_in_chunk {
            let slot = Slot {
                chunk: n_chunk,
                span: super::count_u32(place),
            };
            let twin = self.slot_span(slot).and_then(|span| self.find(span));
            match twin {
                Some(twin) => any_replaced |= self.replace(twin, slot),
                None => self.add_slot(slot),
            }
        }
        self.free_unused_chunks();
        if any_replaced {
            self.refresh_summary();
        }
        let n_new = super::count(self.n_spans - n_spans_before);
        Inserted {
            n_new,
            n_duplicate: super::count(n_in_chunk) - n_new,
        }
    }

    /// The span that is here with the id and the start of another.
    pub(super) fn held(&self, span: Span<'_>) -> Option<Span<'_>> {
        self.span(self.find(span)?)
    }

    fn find(&self, span: Span<'_>) -> Option<SpanIndex> {
        match &self.map {
            Some(map) => map.find(span),
            None => self
                .spans()
                .find(|(_, held)| held.span_id() == span.span_id() && held.start() == span.start())
                .map(|(index, _)| index),
        }
    }

    fn replace(&mut self, twin: SpanIndex, slot: Slot) -> bool {
        let mut map = self.map.take();
        let replaced = match (self.span(twin), self.slot_span(slot)) {
            (Some(old), Some(new)) if !old.same_as(new) => {
                if let Some(map) = &mut map {
                    map.replace(old, new);
                }
                true
            }
            _ => false,
        };
        self.map = map;
        if !replaced {
            return false;
        }
        if let Some(place) = self
            .slots
            .as_mut()
            .and_then(|slots| slots.get_mut(twin.place()))
        {
            *place = slot;
        }
        true
    }

    fn add_slot(&mut self, slot: Slot) {
        let index = SpanIndex::at(self.n_spans);
        self.n_spans += 1;
        if let Some(slots) = &mut self.slots {
            slots.push(slot);
        }
        let mut map = self.map.take();
        let mut summary = self.summary;
        if let Some(span) = self.slot_span(slot) {
            summary.add(index, span);
            if let Some(map) = &mut map {
                map.add(index, span);
            }
        }
        self.map = map;
        self.summary = summary;
    }

    fn give_slots(&mut self) {
        if self.slots.is_none() {
            let slots = self
                .chunks
                .iter()
                .enumerate()
                .flat_map(|(place, (_, chunk))| {
                    let slot = move |span| Slot {
                        chunk: super::count_u32(place),
                        span: super::count_u32(span),
                    };
                    (0..chunk.len()).map(slot)
                });
            self.slots = Some(slots.collect());
        }
    }

    /// Gives up the memory of chunks whose spans have all been replaced or were duplicates.
    fn free_unused_chunks(&mut self) {
        let mut used = vec![false; self.chunks.len()];
        for slot in self.slots.iter().flatten() {
            let place = usize::try_from(slot.chunk).unwrap_or(usize::MAX);
            if let Some(used) = used.get_mut(place) {
                *used = true;
            }
        }
        for ((_, chunk), used) in self.chunks.iter_mut().zip(&used) {
            if !used && !chunk.is_empty() {
                self.chunk_bytes = self.chunk_bytes.saturating_sub(chunk.heap_bytes());
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
            .for_each(|(index, span)| summary.add(index, span));
        self.summary = summary;
    }

    fn slot_span(&self, slot: Slot) -> Option<Span<'_>> {
        let (_, chunk) = self.chunks.get(usize::try_from(slot.chunk).ok()?)?;
        chunk.span(usize::try_from(slot.span).ok()?)
    }
}
