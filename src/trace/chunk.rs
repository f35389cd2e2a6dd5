//! A trace chunk, packed: the spans of one trace out of one delivery.
//!
//! ```text
//! TraceChunk { blob: [44-byte records | packed values | its own strings], dictionary }
//! ```
//!
//! One allocation however many tags there are. A string that many chunks share stands in the
//! dictionary, one that repeats within the chunk is held once. Freed as a whole, so nothing is left
//! behind when its trace is evicted.

use std::sync::Arc;

use super::dictionary::Dictionary;
use super::payload::tags_bytes;
use super::record::{Packed, RECORD_BYTES, Record, attributes_start};
use super::tag::Marks;
use super::value::{Leaf, Leaves, Reader};
use super::{SamplingPriority, Span, SpanId, Tags, Text, TraceId, Value, tag};

/// A string of one chunk, by number: its place in the dictionary, or where it begins among the
/// chunk's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrId(pub(super) u32);

impl StrId {
    const OWN: u32 = 1 << 31;
    /// No string: reads as empty.
    pub(super) const NONE: Self = Self(u32::MAX);
    /// The chunk's own strings end before this.
    pub(super) const OWN_BYTES_MAX: usize = (Self::OWN - 1) as usize;

    pub(super) fn shared(place: u32) -> Self {
        Self(place)
    }

    pub(super) fn own(start: u32) -> Self {
        Self(start | Self::OWN)
    }

    /// Its place in the dictionary, or where it begins among the chunk's own.
    pub(super) fn split(self) -> Result<u32, u32> {
        if self.0 & Self::OWN == 0 {
            Ok(self.0)
        } else {
            Err(self.0 & !Self::OWN)
        }
    }

    /// Whether it stands in the dictionary, where it stays for other chunks.
    pub(crate) fn is_shared(self) -> bool {
        self.split().is_ok()
    }

    /// Its place in the dictionary.
    pub(super) fn place(self) -> Option<usize> {
        self.split()
            .ok()
            .and_then(|place| usize::try_from(place).ok())
    }
}

impl Default for StrId {
    fn default() -> Self {
        Self::NONE
    }
}

/// A few bits for each string of the dictionary: whether a chunk can hold any of some strings is
/// told without looking through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sketch(u64);

impl Sketch {
    pub(super) fn add(&mut self, id: StrId) {
        if let Ok(place) = id.split() {
            self.add_place(place);
        }
    }

    pub(crate) fn add_place(&mut self, place: u32) {
        // The upper bits of a product by the golden ratio are spread evenly.
        self.0 |= 1 << (place.wrapping_mul(0x9e37_79b9) >> 26);
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The spans of one trace that came together, as they came.
#[derive(Debug, Default)]
pub struct TraceChunk {
    pub(super) low: u64,
    pub(super) high: u64,
    /// The records of its spans, packed values, then the chunk's own strings, each after its length.
    pub(super) blob: Box<[u8]>,
    pub(super) dictionary: Option<Arc<Dictionary>>,
    pub(super) facts: Option<Box<ChunkFacts>>,
    /// The strings of the dictionary that are values or names in it.
    pub(super) sketch: Sketch,
    pub(super) text_start: u32,
    pub(super) marks: Marks,
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
    /// The priority, unless it is the one that says nothing: `PriorityNone` in
    /// `pkg/trace/sampler/sampler.go` of `DataDog/datadog-agent`.
    pub fn said_priority(&self) -> Option<SamplingPriority> {
        const NONE: i32 = -128;
        let said = self.priority.filter(|priority| *priority != NONE);
        said.map(SamplingPriority)
    }

    /// A tag of the chunk; the first, should it have come twice.
    pub fn tag(&self, key: &str) -> Option<Text<'_>> {
        let (_, value) = self.tags.iter().find(|(known, _)| **known == *key)?;
        Some(Text::from(&**value))
    }

    /// What it occupies in memory, boxed.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.origin.len() + tags_bytes(&self.tags)
    }
}

impl TraceChunk {
    /// The trace all its spans belong to. The high half comes from the first span that has a
    /// readable `_dd.p.tid`, and is 0 if none has.
    pub fn trace_id(&self) -> TraceId {
        TraceId::from_halves(self.high, self.low)
    }

    /// What the client said of it as a whole.
    pub fn facts(&self) -> Option<&ChunkFacts> {
        self.facts.as_deref()
    }

    /// Gives up what the client said of it as a whole.
    pub(crate) fn take_facts(&mut self) -> Option<Box<ChunkFacts>> {
        self.facts.take()
    }

    /// Keeps what the client said of it as a whole; nothing is kept of facts that say nothing.
    pub fn set_facts(&mut self, facts: ChunkFacts) {
        self.facts = (facts != ChunkFacts::default()).then(|| Box::new(facts));
    }

    /// How many spans it holds.
    pub fn len(&self) -> usize {
        self.records().len()
    }

    /// Whether it holds no span.
    pub fn is_empty(&self) -> bool {
        self.records().is_empty()
    }

    /// The span at a place, in the order of the wire.
    pub fn span(&self, index: usize) -> Option<Span<'_>> {
        let record = self.records().get(index)?;
        Some(self.view(index, record))
    }

    /// All spans in the order of the wire.
    pub fn spans(&self) -> impl DoubleEndedIterator<Item = Span<'_>> + ExactSizeIterator {
        let records = self.records().iter().enumerate();
        records.map(|(index, record)| self.view(index, record))
    }

    fn view(&self, index: usize, record: &Packed) -> Span<'_> {
        let next = self.records().get(index + 1);
        let end = next.map_or(self.text_start, attributes_start);
        Span::new(self, Record::unpacked(record), end)
    }

    /// They end where the attributes of the first span begin.
    fn records(&self) -> &[Packed] {
        let records = self.blob.get(..self.attributes_place());
        records.unwrap_or_default().as_chunks().0
    }

    fn attributes_place(&self) -> usize {
        let first = self.blob.first_chunk::<RECORD_BYTES>();
        let start = first.map_or(0, attributes_start);
        usize::try_from(start).unwrap_or(usize::MAX)
    }

    /// What kinds of tags it may hold.
    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    /// Where its shared strings stand.
    pub fn dictionary(&self) -> Option<&Arc<Dictionary>> {
        self.dictionary.as_ref()
    }

    /// Which strings of the dictionary may be values or names in it.
    pub(crate) fn sketch(&self) -> Sketch {
        self.sketch
    }

    /// Whether any name of its spans is so, or any value in their attributes down to a depth.
    pub(crate) fn any_leaf(&self, depth_max: usize, is: &mut impl FnMut(Leaf<'_>) -> bool) -> bool {
        let texts = |record| Record::unpacked(record).shared_texts();
        let mut names = self.records().iter().flat_map(texts);
        names.any(|place| is(Leaf::Shared(place)))
            || self.values().any_leaf(Leaves::All, depth_max, is)
    }

    /// Whether any value in their attributes that is no string is so. Maps of nothing but strings,
    /// which tags mostly are, are stepped over.
    pub(crate) fn any_number(
        &self,
        depth_max: usize,
        is: &mut impl FnMut(Value<'_>) -> bool,
    ) -> bool {
        let mut is = |leaf: Leaf<'_>| match leaf {
            Leaf::Shared(_) | Leaf::Own(_) => false,
            Leaf::Other(value) => is(value),
        };
        let values = self.values();
        values.any_leaf(Leaves::NoStrings, depth_max, &mut is)
    }

    fn values(&self) -> Reader<'_> {
        let start = self.records().first().map_or(0, attributes_start);
        self.reader(start, self.text_start)
    }

    /// Its own strings beside each other, with their lengths between them.
    pub(crate) fn own_text(&self) -> &[u8] {
        let start = usize::try_from(self.text_start).unwrap_or(usize::MAX);
        self.blob.get(start..).unwrap_or_default()
    }

    /// Whether a span with this id is in it.
    pub fn contains(&self, id: SpanId) -> bool {
        self.spans().any(|span| span.span_id() == id)
    }

    /// What it occupies in memory, allocator overhead included (16 bytes each). Its dictionary is
    /// not its own.
    pub fn heap_bytes(&self) -> usize {
        self.blob.len() + 16 + self.facts.as_ref().map_or(0, |facts| facts.heap_bytes())
    }

    pub(super) fn text(&self, id: StrId) -> Text<'_> {
        Text(match id.split() {
            Ok(place) => self
                .dictionary
                .as_ref()
                .map_or(&[][..], |dictionary| dictionary.get(place)),
            Err(start) => own_string(self.own_text(), start).unwrap_or_default(),
        })
    }

    pub(super) fn reader(&self, from: u32, to: u32) -> Reader<'_> {
        let place = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
        let bytes = self.blob.get(place(from)..place(to));
        Reader::new(self, bytes.unwrap_or_default())
    }

    /// Gives it the low half of its trace's id; the high half is found in its spans.
    pub(super) fn named(mut self, low: u64) -> Self {
        let high = self.spans().find_map(|span| {
            span.meta_text(tag::TRACE_ID_HIGH)?
                .to_str()
                .and_then(parse_high)
        });
        self.high = high.unwrap_or(0);
        self.low = low;
        self
    }
}

/// The string that begins at a place: its length as a varint, then its bytes.
pub(super) fn own_string(text: &[u8], start: u32) -> Option<&[u8]> {
    let mut rest = text.get(usize::try_from(start).ok()?..)?;
    let mut length = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if *byte < 0x80 {
            return rest.get(..length);
        }
    }
    None
}

fn parse_high(hex: &str) -> Option<u64> {
    let well_formed = hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if well_formed {
        u64::from_str_radix(hex, 16).ok()
    } else {
        None
    }
}
