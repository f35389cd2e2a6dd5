//! What every span has, in 48 bytes: enough for rows, bars and trees without a look at tags.
//!
//! Strings are numbers of the dictionary in two bytes each. What does not fit, a string of the
//! chunk's own or an odd error flag, stands hidden among the span's attributes.

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
    pub(super) duration: i64,
    /// Service, name, resource and type.
    texts: [u16; 4],
    /// Where its attributes begin; they end where the next span's begin.
    pub(super) attributes: u32,
    /// Two bits for the presence of each [`Field`], then the error flag and whether it is hidden.
    flags: u32,
}

const _: () = assert!(
    size_of::<Record>() == 48,
    "the budget of a span without tags"
);

const HIDDEN: u16 = u16::MAX;
const NULL: u32 = 1;
const PRESENT: u32 = 2;
const ERROR: u32 = 1 << 20;
const ERROR_HIDDEN: u32 = 1 << 21;

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
    pub(super) fn shared_texts(&self) -> impl Iterator<Item = u32> {
        self.texts
            .iter()
            .filter(|text| **text != HIDDEN)
            .map(|text| u32::from(*text))
    }

    /// Sets a number field. An error flag that is neither 0 nor 1 the caller hides among the
    /// attributes.
    pub(super) fn set_number(&mut self, field: Field, bits: u64) -> Stored<()> {
        match field {
            Field::SpanId => self.span_id = bits,
            Field::ParentId => self.parent_id = bits,
            Field::Start => self.start = bits.cast_signed(),
            Field::Duration => self.duration = bits.cast_signed(),
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
        if field == Field::Error && self.flags & ERROR_HIDDEN != 0 {
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

fn text_place(field: Field) -> Option<usize> {
    match field {
        Field::Service => Some(0),
        Field::Name => Some(1),
        Field::Resource => Some(2),
        Field::Type => Some(3),
        _ => None,
    }
}
