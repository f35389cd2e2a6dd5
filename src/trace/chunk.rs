//! A trace chunk, packed: the spans of one trace out of one delivery.
//!
//! ```text
//! TraceChunk { spans: [64-byte record], attributes: [packed values], text: [bytes], ends: [u32] }
//! ```
//!
//! Four allocations however many tags there are. A string that repeats within the chunk is held
//! once. Freed as a whole, so nothing is left behind when its trace is evicted.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::payload::tags_bytes;
use super::span::{Presence, Record};
use super::value::Reader;
use super::{Attribute, Field, Span, SpanId, Tags, TraceId, Value, ValueWriter, tag};

/// A string of one chunk, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StrId(pub(super) u32);

/// The spans of one trace that came together, as they came.
#[derive(Debug, Default)]
pub struct TraceChunk {
    trace_id: TraceId,
    pub(super) spans: Box<[Record]>,
    pub(super) attributes: Box<[u8]>,
    text: Box<[u8]>,
    ends: Box<[u32]>,
    facts: Option<Box<ChunkFacts>>,
}

/// What a client says of a chunk as a whole, in the formats that can say it apart from its spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkFacts {
    /// The sampling priority.
    pub priority: Option<i32>,
    /// Where the trace began: `rum`, `synthetics`.
    pub origin: Box<str>,
    /// Whether the client would have dropped it.
    pub dropped_trace: bool,
    /// Tags of the chunk, in the order they came.
    pub tags: Tags,
}

impl ChunkFacts {
    /// What it occupies in memory, boxed.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.origin.len() + tags_bytes(&self.tags)
    }
}

impl TraceChunk {
    /// The trace all its spans belong to. The high half comes from the first span that has a
    /// readable `_dd.p.tid`, and is 0 if none has.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// What the client said of it as a whole.
    pub fn facts(&self) -> Option<&ChunkFacts> {
        self.facts.as_deref()
    }

    /// Keeps what the client said of it as a whole; nothing is kept of facts that say nothing.
    pub fn set_facts(&mut self, facts: ChunkFacts) {
        self.facts = (facts != ChunkFacts::default()).then(|| Box::new(facts));
    }

    /// How many spans it holds.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether it holds no span.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The span at a place, in the order of the wire.
    pub fn span(&self, index: usize) -> Option<Span<'_>> {
        self.spans.get(index).map(|record| Span::new(self, record))
    }

    /// All spans in the order of the wire.
    pub fn spans(&self) -> impl DoubleEndedIterator<Item = Span<'_>> + ExactSizeIterator {
        self.spans.iter().map(|record| Span::new(self, record))
    }

    /// Whether a text stands anywhere in it: as a field, a key or a value. Asks each distinct text
    /// once, not each span.
    pub fn holds_text(&self, text: &str) -> bool {
        let mut start = 0;
        self.ends.iter().any(|end| {
            let n_bytes = end.saturating_sub(start);
            let from = std::mem::replace(&mut start, *end);
            usize::try_from(n_bytes) == Ok(text.len())
                && usize::try_from(from)
                    .ok()
                    .and_then(|from| self.text.get(from..from + text.len()))
                    == Some(text.as_bytes())
        })
    }

    /// What it occupies in memory, allocator overhead included (16 bytes each).
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.spans)
            + self.attributes.len()
            + self.text.len()
            + size_of_val(&*self.ends)
            + 4 * 16
            + self.facts.as_ref().map_or(0, |facts| facts.heap_bytes())
    }

    pub(super) fn text(&self, id: StrId) -> super::Text<'_> {
        super::Text(slice(&self.text, &self.ends, id.0))
    }

    pub(super) fn reader(&self, from: u32) -> Reader<'_> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Reader::new(self, self.attributes.get(from..).unwrap_or_default())
    }
}

fn slice<'a>(text: &'a [u8], ends: &[u32], id: u32) -> &'a [u8] {
    let at = |index: usize| ends.get(index).and_then(|end| usize::try_from(*end).ok());
    let Ok(index) = usize::try_from(id) else {
        return &[];
    };
    let start = if index == 0 { Some(0) } else { at(index - 1) };
    let (Some(start), Some(end)) = (start, at(index)) else {
        return &[];
    };
    text.get(start..end).unwrap_or_default()
}

/// The chunk outgrew what the builder was allowed, or what 32 bits can number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("decoded, the payload is larger than {limit_bytes} bytes")]
pub struct TooLarge {
    /// The limit that was reached.
    pub limit_bytes: usize,
}

/// What to try before looking a string up.
#[derive(Clone, Copy, Debug)]
struct Guess {
    next_key: StrId,
    value: StrId,
}

impl Guess {
    const NONE: StrId = StrId(u32::MAX);
}

impl Default for Guess {
    fn default() -> Self {
        Self {
            next_key: Self::NONE,
            value: Self::NONE,
        }
    }
}

impl StrId {
    fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Strings up to this length are looked for before they are added again.
const SHARED_BYTES_MAX: usize = 1024;

/// Builds chunks span by span, straight into the packed form. Used for one payload after another,
/// so that its scratch space stays warm.
#[derive(Debug)]
pub struct ChunkBuilder {
    spans: Vec<Record>,
    trace_ids: Vec<u64>,
    attributes: Vec<u8>,
    text: Vec<u8>,
    ends: Vec<u32>,
    known: HashTable<u32>,
    /// For each string, as a key: what came with it last time.
    guesses: Vec<Guess>,
    hasher: DefaultHashBuilder,
    /// Bytes of the chunks finished since [`ChunkBuilder::reset`].
    finished_bytes: usize,
    limit_bytes: usize,
}

impl Default for ChunkBuilder {
    fn default() -> Self {
        Self {
            spans: Vec::new(),
            trace_ids: Vec::new(),
            attributes: Vec::new(),
            text: Vec::new(),
            ends: Vec::new(),
            known: HashTable::new(),
            guesses: Vec::new(),
            hasher: DefaultHashBuilder::default(),
            finished_bytes: 0,
            limit_bytes: u32::MAX as usize,
        }
    }
}

impl ChunkBuilder {
    /// Starts a payload: drops what is unfinished, and bounds what its chunks may occupy together.
    pub fn reset(&mut self, limit_bytes: usize) {
        self.clear();
        self.finished_bytes = 0;
        self.limit_bytes = limit_bytes.min(u32::MAX as usize);
    }

    /// Starts a span. Everything up to the next `begin_span` belongs to it; a field that is never
    /// set is absent.
    pub fn begin_span(&mut self) -> Result<(), TooLarge> {
        self.spans
            .push(Record::starting_at(u32_len(self.attributes.len())));
        self.trace_ids.push(0);
        self.check()
    }

    /// Adds a string, or finds it again.
    pub fn text(&mut self, bytes: &[u8]) -> Result<StrId, TooLarge> {
        if bytes.len() > SHARED_BYTES_MAX {
            return self.raw(bytes);
        }
        let hash = self.hasher.hash_one(bytes);
        let same = |id: &u32| slice(&self.text, &self.ends, *id) == bytes;
        if let Some(id) = self.known.find(hash, same) {
            return Ok(StrId(*id));
        }
        let id = self.raw(bytes)?;
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.known
            .insert_unique(hash, id.0, |id| hasher.hash_one(slice(text, ends, *id)));
        Ok(id)
    }

    /// Adds the key of a tag. Spans of one chunk have mostly the same tags in the same order: the key
    /// that followed the `previous` one last time is compared before anything is hashed.
    pub fn key(&mut self, previous: Option<StrId>, bytes: &[u8]) -> Result<StrId, TooLarge> {
        let guess = previous.and_then(|previous| self.guesses.get(previous.place()));
        if let Some(Guess { next_key, .. }) = guess
            && self.is(*next_key, bytes)
        {
            return Ok(*next_key);
        }
        let id = self.text(bytes)?;
        let guess = previous.and_then(|previous| self.guesses.get_mut(previous.place()));
        if let Some(guess) = guess {
            guess.next_key = id;
        }
        Ok(id)
    }

    /// Adds the value of a tag: the one its key had last time is compared first.
    pub fn value_of(&mut self, key: StrId, bytes: &[u8]) -> Result<StrId, TooLarge> {
        if let Some(Guess { value, .. }) = self.guesses.get(key.place())
            && self.is(*value, bytes)
        {
            return Ok(*value);
        }
        let id = self.text(bytes)?;
        if let Some(guess) = self.guesses.get_mut(key.place()) {
            guess.value = id;
        }
        Ok(id)
    }

    fn is(&self, id: StrId, bytes: &[u8]) -> bool {
        id != Guess::NONE && slice(&self.text, &self.ends, id.0) == bytes
    }

    /// Adds bytes without looking whether they are there already.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<StrId, TooLarge> {
        let id = u32_len(self.ends.len());
        // Text is all of it that can repeat what the payload holds once; the rest is checked span by
        // span, and not string by string.
        let text_bytes = self.finished_bytes + self.text.len();
        if text_bytes.saturating_add(bytes.len()) > self.limit_bytes {
            return Err(self.too_large());
        }
        self.text.extend_from_slice(bytes);
        self.ends.push(u32_len(self.text.len()));
        self.guesses.push(Guess::default());
        Ok(StrId(id))
    }

    /// Sets a string field of the current span.
    pub fn set_text(&mut self, field: Field, text: StrId) {
        if let Some(record) = self.spans.last_mut() {
            record.set_text(field, text);
        }
    }

    /// Sets a number of the current span. `Field::TraceId` takes the low 64 bits.
    pub fn set_number(&mut self, field: Field, bits: u64) {
        if let (Field::TraceId, Some(last)) = (field, self.trace_ids.last_mut()) {
            *last = bits;
        }
        if let Some(record) = self.spans.last_mut() {
            record.set_number(field, bits);
        }
    }

    /// Says that a field was there but nil.
    pub fn set_null(&mut self, field: Field) {
        if let Some(record) = self.spans.last_mut() {
            record.set_presence(field, Presence::Null);
        }
    }

    /// Writes the value of an attribute of the current span: exactly one value.
    pub fn attribute(&mut self, attribute: Attribute) -> ValueWriter<'_> {
        if let Some(record) = self.spans.last_mut() {
            record.n_attributes = record.n_attributes.saturating_add(1);
        }
        self.attributes.push(attribute.code());
        ValueWriter::new(&mut self.attributes)
    }

    /// Ends the chunk: one, or several if its spans name different traces, none if it has no span.
    pub fn finish(&mut self) -> Vec<TraceChunk> {
        let chunk = TraceChunk {
            trace_id: TraceId::default(),
            spans: self.spans.as_slice().into(),
            attributes: self.attributes.as_slice().into(),
            text: self.text.as_slice().into(),
            ends: self.ends.as_slice().into(),
            facts: None,
        };
        let trace_ids = std::mem::take(&mut self.trace_ids);
        self.clear();
        let chunks = match trace_ids.first() {
            None => Vec::new(),
            Some(first) if trace_ids.iter().all(|id| id == first) => vec![chunk.named(*first)],
            Some(_) => {
                let limit_bytes = self.limit_bytes.saturating_sub(self.finished_bytes);
                split(&chunk, &trace_ids, limit_bytes).unwrap_or_else(|_too_large| {
                    self.finished_bytes = self.limit_bytes.saturating_add(1);
                    Vec::new()
                })
            }
        };
        self.trace_ids = trace_ids;
        self.trace_ids.clear();
        self.finished_bytes += chunks.iter().map(TraceChunk::heap_bytes).sum::<usize>();
        chunks
    }

    /// Ends the chunk, whose spans all belong to the trace with this low half, whatever they said
    /// so far. For formats that name the trace once, possibly after its spans.
    pub fn finish_as(&mut self, low: u64) -> Option<TraceChunk> {
        self.trace_ids.fill(low);
        self.finish().pop()
    }

    /// Takes back the current span, however much of it was written.
    pub fn abandon_span(&mut self) {
        if let Some(record) = self.spans.pop() {
            self.trace_ids.pop();
            let written = usize::try_from(record.attributes).unwrap_or(usize::MAX);
            self.attributes.truncate(written);
        }
    }

    /// Copies a span of another chunk, tag by tag.
    pub fn copy_span(&mut self, span: Span<'_>) -> Result<(), TooLarge> {
        self.begin_span()?;
        for field in Field::ALL {
            match span.presence(field) {
                Presence::Absent => {}
                Presence::Null => self.set_null(field),
                Presence::Present => match span.field_text(field) {
                    Some(text) => {
                        let text = self.text(text.as_bytes())?;
                        self.set_text(field, text);
                    }
                    None => self.set_number(field, span.field_number(field)),
                },
            }
        }
        for (attribute, value) in span.attributes() {
            self.attribute(attribute);
            self.copy_value(value, ATTRIBUTE_DEPTH_MAX)?;
        }
        Ok(())
    }

    fn copy_value(&mut self, value: Value<'_>, depth_left: usize) -> Result<(), TooLarge> {
        match value {
            Value::Null => self.writer().null(),
            Value::Bool(bool) => self.writer().bool(bool),
            Value::Int(int) => self.writer().int(int),
            Value::Uint(uint) => self.writer().uint(uint),
            Value::Float(float) => self.writer().float(float),
            Value::Text(text) => {
                let text = self.text(text.as_bytes())?;
                self.writer().text(text);
            }
            Value::Bytes(bytes) => {
                let bytes = self.raw(bytes)?;
                self.writer().bytes(bytes);
            }
            Value::Array(_) | Value::Map(_) if depth_left == 0 => self.writer().null(),
            Value::Array(items) => {
                let opened = self.writer().open_array();
                for item in items {
                    self.copy_value(item, depth_left - 1)?;
                }
                self.writer().close(opened);
            }
            Value::Map(entries) => {
                let opened = self.writer().open_map();
                for (key, value) in entries {
                    let key = self.text(key.as_bytes())?;
                    self.writer().key(key);
                    self.copy_value(value, depth_left - 1)?;
                }
                self.writer().close(opened);
            }
        }
        Ok(())
    }

    /// Goes on with a value that was begun by [`ChunkBuilder::attribute`]; between two calls strings
    /// may be added.
    pub fn writer(&mut self) -> ValueWriter<'_> {
        ValueWriter::new(&mut self.attributes)
    }

    /// Whether all that was built since [`ChunkBuilder::reset`] is within the limit. Adding says so by
    /// itself; after [`ChunkBuilder::finish`], which leaves out what it cannot take apart within
    /// the limit, it is asked.
    pub fn check(&self) -> Result<(), TooLarge> {
        let bytes = self.finished_bytes
            + self.spans.len() * size_of::<Record>()
            + self.attributes.len()
            + self.text.len()
            + self.ends.len() * 4;
        if bytes > self.limit_bytes {
            Err(self.too_large())
        } else {
            Ok(())
        }
    }

    fn too_large(&self) -> TooLarge {
        TooLarge {
            limit_bytes: self.limit_bytes,
        }
    }

    fn clear(&mut self) {
        self.spans.clear();
        self.trace_ids.clear();
        self.attributes.clear();
        self.text.clear();
        self.ends.clear();
        self.guesses.clear();
        if self.known.capacity() > 8 * 1024 {
            // Clearing costs its capacity: one huge chunk must not slow every small one after it.
            self.known = HashTable::new();
        } else {
            self.known.clear();
        }
    }
}

/// How deep attribute values may nest; decoders refuse what is deeper.
pub(crate) const ATTRIBUTE_DEPTH_MAX: usize = 64;

/// A chunk for each trace id, in order of first appearance. Each has a copy of the strings that all
/// of them shared, so a few bytes could become many: together they stay within a limit.
fn split(
    chunk: &TraceChunk,
    trace_ids: &[u64],
    limit_bytes: usize,
) -> Result<Vec<TraceChunk>, TooLarge> {
    let mut groups: Vec<(u64, Vec<Span<'_>>)> = Vec::new();
    let mut place = std::collections::HashMap::new();
    for (span, id) in chunk.spans().zip(trace_ids) {
        let index = *place.entry(*id).or_insert_with(|| {
            groups.push((*id, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, spans)) = groups.get_mut(index) {
            spans.push(span);
        }
    }
    let mut chunks = Vec::new();
    let mut builder = ChunkBuilder::default();
    builder.reset(limit_bytes);
    for (id, spans) in groups {
        for span in spans {
            builder.copy_span(span)?;
        }
        chunks.extend(builder.finish_as(id));
    }
    builder.check()?;
    Ok(chunks)
}

impl TraceChunk {
    fn named(mut self, low: u64) -> Self {
        let high = self
            .spans()
            .find_map(|span| {
                span.meta_text(tag::TRACE_ID_HIGH)?
                    .to_str()
                    .and_then(parse_high)
            })
            .unwrap_or(0);
        self.trace_id = TraceId::from_halves(high, low);
        self
    }

    /// Whether a span with this id is in it.
    pub fn contains(&self, id: SpanId) -> bool {
        self.spans().any(|span| span.span_id() == id)
    }
}

fn parse_high(hex: &str) -> Option<u64> {
    let well_formed = hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if well_formed {
        u64::from_str_radix(hex, 16).ok()
    } else {
        None
    }
}

fn u32_len(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_different_traces_become_a_chunk_each() {
        let mut builder = ChunkBuilder::default();
        for (trace_id, span_id) in [(1, 10), (2, 20), (1, 11)] {
            builder.begin_span().unwrap();
            builder.set_number(Field::TraceId, trace_id);
            builder.set_number(Field::SpanId, span_id);
        }
        let chunks: Vec<_> = builder
            .finish()
            .iter()
            .map(|chunk| {
                let spans: Vec<_> = chunk.spans().map(|span| span.span_id().0).collect();
                (chunk.trace_id(), spans)
            })
            .collect();
        assert_eq!(chunks, [(TraceId(1), vec![10, 11]), (TraceId(2), vec![20])]);
    }
}
