//! What every span has, in 44 bytes: enough for rows, bars and trees without a look at tags.
//!
//! ```text
//! id 8 | parent 8 | start 8 | four texts, 2 each | duration 5, flags 3 | attributes 4
//! ```
//!
//! Strings are numbers of the dictionary. What does not fit, a string of the chunk's own, an odd
//! error flag, a duration below zero or above 18 minutes, stands hidden among the span's attributes.

use super::{Field, StrId};

/// Whether a tracer sent a field, sent it as nil, or left it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Left out; reads as zero or empty.
    Absent,
    /// Sent as nil; reads as zero or empty.
    Null,
    /// Sent.
    Present,
}

/// The fixed part of a span.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    pub(super) span_id: u64,
    pub(super) parent_id: u64,
    pub(super) start: i64,
    /// 0 where it is hidden.
    duration: u64,
    /// Service, name, resource and type.
    texts: [u16; 4],
    /// Where its attributes begin; they end where the next span's begin.
    pub(super) attributes: u32,
    /// Two bits for the presence of each [`Field`], then the error flag, whether it is hidden, and
    /// whether the duration is.
    flags: u32,
}

/// What a record occupies, packed.
pub(super) const RECORD_BYTES: usize = 44;
pub(super) type Packed = [u8; RECORD_BYTES];

const HIDDEN: u16 = u16::MAX;
const NULL: u32 = 1;
const PRESENT: u32 = 2;
const ERROR: u32 = 1 << 20;
const ERROR_HIDDEN: u32 = 1 << 21;
const DURATION_HIDDEN: u32 = 1 << 22;
const DURATION_BITS: u32 = 40;

/// Where the value of a field is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored<T> {
    /// In the record.
    Here(T),
    /// Among the attributes.
    Hidden,
}

impl Record {
    pub(super) fn starting_at(attributes: u32) -> Self {
        Self {
            texts: [HIDDEN; 4],
            attributes,
            ..Self::default()
        }
    }

    /// Its bytes, in a chunk whose attributes begin at a place.
    pub(super) fn packed(self, attributes_start: u32) -> Packed {
        let texts = self.texts.iter().rev();
        let texts = texts.fold(0, |texts, text| texts << 16 | u64::from(*text));
        let words = [
            self.span_id,
            self.parent_id,
            self.start.cast_unsigned(),
            texts,
            self.duration | u64::from(self.flags) << DURATION_BITS,
        ];
        let mut packed = [0; RECORD_BYTES];
        for (place, word) in packed.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        if let Some(place) = packed.last_chunk_mut() {
            let attributes = self.attributes.saturating_add(attributes_start);
            *place = attributes.to_le_bytes();
        }
        packed
    }

    /// What [`Record::packed`] gives, read back; its attributes begin at a place of the chunk.
    pub(super) fn unpacked(packed: &Packed) -> Self {
        let (words, _) = packed.as_chunks();
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        let texts = word(3).to_le_bytes();
        let (texts, _) = texts.as_chunks();
        let text = |at: usize| texts.get(at).map_or(0, |text| u16::from_le_bytes(*text));
        Self {
            span_id: word(0),
            parent_id: word(1),
            start: word(2).cast_signed(),
            texts: std::array::from_fn(text),
            duration: word(4) & ((1 << DURATION_BITS) - 1),
            flags: u32::try_from(word(4) >> DURATION_BITS).unwrap_or_default(),
            attributes: attributes_start(packed),
        }
    }

    /// Sets a string field. What is not of the dictionary the caller hides among the attributes.
    pub(super) fn set_text(&mut self, field: Field, text: StrId) -> Stored<()> {
        let Some(place) = text_place(field) else {
            return Stored::Here(());
        };
        self.set_presence(field, Presence::Present);
        let shared = text
            .split()
            .ok()
            .and_then(|place| u16::try_from(place).ok());
        let shared = shared.filter(|place| *place != HIDDEN);
        if let Some(text) = self.texts.get_mut(place) {
            *text = shared.unwrap_or(HIDDEN);
        }
        match shared {
            Some(_) => Stored::Here(()),
            None => Stored::Hidden,
        }
    }

    /// A string field that is there.
    pub(super) fn text(&self, field: Field) -> Option<Stored<StrId>> {
        if self.presence(field) != Presence::Present {
            return None;
        }
        Some(match *self.texts.get(text_place(field)?)? {
            HIDDEN => Stored::Hidden,
            place => Stored::Here(StrId::shared(place.into())),
        })
    }

    /// The places of its strings in the dictionary.
    pub(super) fn shared_texts(self) -> impl Iterator<Item = u32> {
        self.texts
            .into_iter()
            .filter(|text| *text != HIDDEN)
            .map(u32::from)
    }

    /// Sets a number field. An error flag that is neither 0 nor 1, and a duration without room here,
    /// the caller hides among the attributes.
    pub(super) fn set_number(&mut self, field: Field, bits: u64) -> Stored<()> {
        match field {
            Field::SpanId => self.span_id = bits,
            Field::ParentId => self.parent_id = bits,
            Field::Start => self.start = bits.cast_signed(),
            Field::Duration => {
                let is_hidden = bits >> DURATION_BITS != 0;
                self.duration = if is_hidden { 0 } else { bits };
                self.flags &= !DURATION_HIDDEN;
                self.flags |= if is_hidden { DURATION_HIDDEN } else { 0 };
            }
            Field::Error => {
                self.flags &= !(ERROR | ERROR_HIDDEN);
                self.flags |= match bits {
                    0 => 0,
                    1 => ERROR,
                    _ => ERROR_HIDDEN,
                };
            }
            Field::TraceId => {}
            _ => return Stored::Here(()),
        }
        self.set_presence(field, Presence::Present);
        let hidden = match field {
            Field::Error => ERROR_HIDDEN,
            Field::Duration => DURATION_HIDDEN,
            _ => 0,
        };
        if self.flags & hidden != 0 {
            return Stored::Hidden;
        }
        Stored::Here(())
    }

    pub(super) fn error(&self) -> Stored<i32> {
        if self.flags & ERROR_HIDDEN != 0 {
            return Stored::Hidden;
        }
        Stored::Here(i32::from(self.flags & ERROR != 0))
    }

    pub(super) fn duration(&self) -> Stored<i64> {
        if self.flags & DURATION_HIDDEN != 0 {
            return Stored::Hidden;
        }
        Stored::Here(self.duration.cast_signed())
    }

    /// Whether the error flag is anything but 0.
    pub(super) fn is_error(&self) -> bool {
        self.flags & (ERROR | ERROR_HIDDEN) != 0
    }

    pub(super) fn set_presence(&mut self, field: Field, presence: Presence) {
        if let Some(text) = text_place(field).and_then(|place| self.texts.get_mut(place)) {
            *text = HIDDEN;
        }
        let shift = 2 * field.place();
        self.flags &= !((NULL | PRESENT) << shift);
        self.flags |= match presence {
            Presence::Absent => 0,
            Presence::Null => NULL << shift,
            Presence::Present => PRESENT << shift,
        };
    }

    pub(super) fn presence(&self, field: Field) -> Presence {
        match (self.flags >> (2 * field.place())) & (NULL | PRESENT) {
            PRESENT => Presence::Present,
            NULL => Presence::Null,
            _ => Presence::Absent,
        }
    }
}

/// Where the attributes of a record begin in its chunk.
pub(super) fn attributes_start(packed: &Packed) -> u32 {
    packed
        .last_chunk()
        .map_or(0, |place| u32::from_le_bytes(*place))
}

fn text_place(field: Field) -> Option<usize> {
    match field {
        Field::Service => Some(0),
        Field::Name => Some(1),
        Field::Resource => Some(2),
        Field::Type => Some(3),
        _ => None,
    }
}
