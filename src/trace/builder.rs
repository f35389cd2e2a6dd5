//! Builds trace chunks span by span, straight into the packed form: what every decoder writes to.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::chunk::own_string;
use super::dictionary::{Interner, Role};
use super::record::{RECORD_BYTES, Record, Stored};
use super::tag::Marks;
use super::value::Seen;
use super::{Attribute, Field, Presence, Span, StrId, TraceChunk, TraceId, Value, ValueWriter};

/// The chunk outgrew what the builder was allowed, or what 32 bits can number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("decoded, the payload is larger than {limit_bytes} bytes")]
pub struct TooLarge {
    /// The limit that was reached.
    pub limit_bytes: usize,
}

/// Strings up to this length are looked for before they are added again.
const SHARED_BYTES_MAX: usize = 1024;

/// Builds chunks one after another. Used for many payloads, so that its dictionary and its scratch
/// space stay warm.
#[derive(Debug)]
pub struct ChunkBuilder {
    interner: Interner,
    spans: Vec<Record>,
    trace_ids: Vec<u64>,
    attributes: Vec<u8>,
    /// The chunk's own strings, each after its length.
    text: Vec<u8>,
    /// Where those begin that are looked for.
    known: HashTable<u32>,
    seen: Seen,
    marks: Marks,
    hasher: DefaultHashBuilder,
    /// Bytes of the chunks finished since [`ChunkBuilder::reset`].
    finished_bytes: usize,
    limit_bytes: usize,
}

impl Default for ChunkBuilder {
    fn default() -> Self {
        Self {
            interner: Interner::default(),
            spans: Vec::new(),
            trace_ids: Vec::new(),
            attributes: Vec::new(),
            text: Vec::new(),
            known: HashTable::new(),
            seen: Seen::default(),
            marks: Marks::default(),
            hasher: DefaultHashBuilder::default(),
            finished_bytes: 0,
            limit_bytes: StrId::OWN_BYTES_MAX,
        }
    }
}

impl ChunkBuilder {
    /// Starts a payload: drops what is unfinished, and bounds what its chunks may occupy together.
    pub fn reset(&mut self, limit_bytes: usize) {
        self.clear();
        self.interner.turn_over();
        self.finished_bytes = 0;
        self.limit_bytes = limit_bytes.min(StrId::OWN_BYTES_MAX);
    }

    /// Starts a span. Everything up to the next `begin_span` belongs to it; a field that is never
    /// set is absent.
    pub fn begin_span(&mut self) -> Result<(), TooLarge> {
        self.spans
            .push(Record::starting_at(u32_len(self.attributes.len())));
        self.trace_ids.push(0);
        self.check()
    }

    /// A string of which nothing is known: found again if it is in this chunk already.
    pub fn text(&mut self, bytes: &[u8]) -> Result<StrId, TooLarge> {
        if bytes.len() > SHARED_BYTES_MAX {
            return self.raw(bytes);
        }
        let hash = self.hasher.hash_one(bytes);
        let same = |start: &u32| own_string(&self.text, *start) == Some(bytes);
        if let Some(start) = self.known.find(hash, same) {
            return Ok(StrId::own(*start));
        }
        let start = self.own(bytes)?;
        let (text, hasher) = (&self.text, &self.hasher);
        self.known.insert_unique(hash, start, |start| {
            hasher.hash_one(own_string(text, *start).unwrap_or_default())
        });
        Ok(StrId::own(start))
    }

    /// The key of a tag. Spans have mostly the same tags in the same order: the key that followed the
    /// `previous` one last time is compared before anything is hashed.
    pub fn key(&mut self, previous: Option<StrId>, bytes: &[u8]) -> Result<StrId, TooLarge> {
        let guess = previous.map_or(StrId::NONE, |previous| self.interner.next_key(previous));
        let id = self.guessed(guess, Role::Key, bytes)?;
        if let (Some(previous), true) = (previous, id != guess) {
            self.interner.learn_next_key(previous, id);
        }
        self.key_again(id);
        Ok(id)
    }

    /// A key of an earlier chunk of this payload is used again, by its number in the dictionary.
    pub(crate) fn key_again(&mut self, id: StrId) {
        self.marks.add(self.interner.marks(id));
    }

    /// The value of a tag: the one its key had last time is compared first.
    pub fn value_of(&mut self, key: StrId, bytes: &[u8]) -> Result<StrId, TooLarge> {
        self.text_as(Role::ValueOf(key), bytes)
    }

    /// The string of a field. A long one is not compared with the last: in formats that say it once for
    /// many spans, that would cost its length for each of them.
    pub fn field_text(&mut self, field: Field, bytes: &[u8]) -> Result<StrId, TooLarge> {
        if bytes.len() > SHARED_BYTES_MAX {
            return self.raw(bytes);
        }
        self.text_as(Role::Field(field), bytes)
    }

    /// A string in its role: of a key without the one before it.
    pub(crate) fn text_as(&mut self, role: Role, bytes: &[u8]) -> Result<StrId, TooLarge> {
        let guess = self.interner.guess(role);
        let id = self.guessed(guess, role, bytes)?;
        if id != guess {
            self.interner.learn(role, id);
        }
        Ok(id)
    }

    fn guessed(&mut self, guess: StrId, role: Role, bytes: &[u8]) -> Result<StrId, TooLarge> {
        if self.is(guess, bytes) {
            return Ok(guess);
        }
        match self.interner.intern(role, bytes) {
            Some(id) => Ok(id),
            None => self.text(bytes),
        }
    }

    /// Whether a string says the same. A guess may stem from another chunk: then it is compared with
    /// whatever stands at its place now, if anything does, and if that is equal it is as good.
    fn is(&self, id: StrId, bytes: &[u8]) -> bool {
        match id.split() {
            Ok(place) => self.interner.text(place) == bytes,
            Err(start) => own_string(&self.text, start) == Some(bytes),
        }
    }

    /// Adds bytes without looking whether they are there already.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<StrId, TooLarge> {
        self.own(bytes).map(StrId::own)
    }

    fn own(&mut self, bytes: &[u8]) -> Result<u32, TooLarge> {
        let start = u32_len(self.text.len());
        // Text is all of it that can repeat what the payload holds once; the rest is checked span by
        // span, and not string by string.
        let text_bytes = self.finished_bytes + self.text.len();
        if text_bytes.saturating_add(bytes.len()) > self.limit_bytes {
            return Err(self.too_large());
        }
        self.marks.add(Marks::of(bytes));
        let mut length = bytes.len();
        while length >= 0x80 {
            self.text.push(length.to_le_bytes()[0] | 0x80);
            length >>= 7;
        }
        self.text.push(length.to_le_bytes()[0]);
        self.text.extend_from_slice(bytes);
        Ok(start)
    }

    /// Sets a string field of the current span.
    pub fn set_text(&mut self, field: Field, text: StrId) {
        self.seen.sketch.add(text);
        let Some(record) = self.spans.last_mut() else {
            return;
        };
        if record.set_text(field, text) == Stored::Hidden {
            self.writer().hide_text(field, text);
        }
    }

    /// Sets a number of the current span. `Field::TraceId` takes the low 64 bits.
    pub fn set_number(&mut self, field: Field, bits: u64) {
        if let (Field::TraceId, Some(last)) = (field, self.trace_ids.last_mut()) {
            *last = bits;
        }
        let Some(record) = self.spans.last_mut() else {
            return;
        };
        if record.set_number(field, bits) == Stored::Hidden {
            self.writer().hide_number(field, bits.cast_signed());
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
        self.attributes.push(attribute.code());
        ValueWriter::new(&mut self.attributes, &mut self.seen)
    }

    /// Ends the chunk: one, or several if its spans name different traces, none if it has no span.
    pub fn finish(&mut self) -> Vec<TraceChunk> {
        let chunk = self.pack();
        let trace_ids = std::mem::take(&mut self.trace_ids);
        self.clear();
        let chunks = match trace_ids.first() {
            None => Vec::new(),
            Some(first) if trace_ids.iter().all(|id| id == first) => vec![chunk.named(*first)],
            Some(_) => self.split(&chunk, &trace_ids).unwrap_or_else(|_too_large| {
                self.finished_bytes = self.limit_bytes.saturating_add(1);
                self.clear();
                Vec::new()
            }),
        };
        self.trace_ids = trace_ids;
        self.trace_ids.clear();
        self.finished_bytes += chunks.iter().map(TraceChunk::heap_bytes).sum::<usize>();
        chunks
    }

    fn pack(&self) -> TraceChunk {
        let records_bytes = self.spans.len() * RECORD_BYTES;
        let attributes_start = u32_len(records_bytes);
        let text_place = records_bytes + self.attributes.len();
        let mut blob = Vec::with_capacity(text_place + self.text.len());
        for record in &self.spans {
            blob.extend_from_slice(&record.packed(attributes_start));
        }
        blob.extend_from_slice(&self.attributes);
        blob.extend_from_slice(&self.text);
        TraceChunk {
            blob: blob.into_boxed_slice(),
            dictionary: self.interner.dictionary(),
            sketch: self.seen.sketch,
            text_start: u32_len(text_place),
            marks: self.marks,
            ..TraceChunk::default()
        }
    }

    /// Ends the chunk, whose spans all belong to the trace with this low half, whatever they said
    /// so far. For formats that name the trace once, possibly after its spans.
    pub fn finish_as(&mut self, low: u64) -> Option<TraceChunk> {
        self.trace_ids.fill(low);
        self.finish().pop()
    }

    /// A chunk for each trace id, in order of first appearance. Each has a copy of the strings that
    /// all of them shared, so a few bytes could become many: together they stay within the limit.
    fn split(
        &mut self,
        chunk: &TraceChunk,
        trace_ids: &[u64],
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
        let finished_bytes = self.finished_bytes;
        for (id, spans) in groups {
            for span in spans {
                self.copy_span(span)?;
            }
            let part = self.pack().named(id);
            self.clear();
            self.finished_bytes += part.heap_bytes();
            chunks.push(part);
        }
        let checked = self.check();
        self.finished_bytes = finished_bytes;
        checked.map(|()| chunks)
    }

    /// A chunk of one trace with copies of spans of other chunks; none if there is no span.
    pub(crate) fn copied<'a>(
        &mut self,
        id: TraceId,
        spans: impl IntoIterator<Item = Span<'a>>,
    ) -> Option<TraceChunk> {
        self.reset(usize::MAX);
        for span in spans {
            self.copy_span(span).ok()?;
        }
        let mut chunk = self.finish_as(id.low())?;
        chunk.high = id.high();
        Some(chunk)
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
    fn copy_span(&mut self, span: Span<'_>) -> Result<(), TooLarge> {
        self.begin_span()?;
        for field in Field::ALL {
            match span.presence(field) {
                Presence::Absent => {}
                Presence::Null => self.set_null(field),
                Presence::Present => match span.field_text(field) {
                    Some(text) => {
                        let text = self.field_text(field, text.as_bytes())?;
                        self.set_text(field, text);
                    }
                    None => self.set_number(field, span.field_number(field)),
                },
            }
        }
        for (attribute, value) in span.attributes() {
            self.attribute(attribute);
            self.copy_value(value, None, ATTRIBUTE_DEPTH_MAX)?;
        }
        Ok(())
    }

    fn copy_value(
        &mut self,
        value: Value<'_>,
        key: Option<StrId>,
        depth_left: usize,
    ) -> Result<(), TooLarge> {
        match value {
            Value::Null => self.writer().null(),
            Value::Bool(bool) => self.writer().bool(bool),
            Value::Int(int) => self.writer().int(int),
            Value::Uint(uint) => self.writer().uint(uint),
            Value::Float(float) => self.writer().float(float),
            Value::Text(text) => {
                let text = match key {
                    Some(key) => self.value_of(key, text.as_bytes())?,
                    None => self.text(text.as_bytes())?,
                };
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
                    self.copy_value(item, None, depth_left - 1)?;
                }
                self.writer().close(opened);
            }
            Value::Map(entries) => {
                let opened = self.writer().open_map();
                for (key, value) in entries {
                    let key = self.key(None, key.as_bytes())?;
                    self.writer().key(key);
                    self.copy_value(value, Some(key), depth_left - 1)?;
                }
                self.writer().close(opened);
            }
        }
        Ok(())
    }

    /// Goes on with a value that was begun by [`ChunkBuilder::attribute`]; between two calls strings
    /// may be added.
    pub fn writer(&mut self) -> ValueWriter<'_> {
        ValueWriter::new(&mut self.attributes, &mut self.seen)
    }

    /// Whether all that was built since [`ChunkBuilder::reset`] is within the limit. Adding says so by
    /// itself; after [`ChunkBuilder::finish`], which leaves out what it cannot take apart within
    /// the limit, it is asked.
    pub fn check(&self) -> Result<(), TooLarge> {
        let bytes = self.finished_bytes
            + self.spans.len() * RECORD_BYTES
            + self.attributes.len()
            + self.text.len();
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
        self.seen = Seen::default();
        self.marks = Marks::default();
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

fn u32_len(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::TraceId;
    use super::*;

    #[test]
    fn any_duration_and_error_come_back_as_they_were() {
        let mut builder = ChunkBuilder::default();
        let numbers = [0, 1, 2, -1, (1 << 40) - 1, 1 << 40, i64::MAX, i64::MIN];
        for duration in numbers {
            builder.begin_span().unwrap();
            // The last one counts, whichever of them had room.
            builder.set_number(Field::Duration, (1 << 40) | 7);
            builder.set_number(Field::Duration, duration.cast_unsigned());
            let error = i64::from(i32::try_from(duration).unwrap_or(i32::MIN));
            builder.set_number(Field::Error, error.cast_unsigned());
        }
        let chunks = builder.finish();
        let spans = || chunks[0].spans();
        let durations: Vec<_> = spans().map(Span::duration).collect();
        assert_eq!(durations, numbers);
        let errors: Vec<_> = spans().map(Span::error).collect();
        let far = i32::MIN;
        assert_eq!(errors, [0, 1, 2, -1, far, far, far, far]);
    }

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
