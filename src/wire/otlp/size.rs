//! Looks through a body of protobuf before it is decoded: how much memory its messages would take,
//! how deep they nest, whether ids are as long as ids are. An empty span takes two bytes on the wire
//! and some hundred in memory, and the decoder makes all of them at once.

use std::mem::size_of;

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use crate::trace::TooLarge;
use crate::wire::error::{DecodeError, Problem};

/// How deep messages may nest; what `prost` takes as well.
pub(super) const DEPTH_MAX: usize = 100;

/// The numbers of all fields are below this.
const FIELDS_MAX: usize = 17;

/// A list of messages grows by doubling, and then has the old one and the new one.
const GROWTH: usize = 2;

/// What the allocator takes beside the bytes of a string.
const STRING_BYTES: usize = 16;

/// What the messages of a body may still take.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    limit_bytes: usize,
}

impl Budget {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            left: limit_bytes,
            limit_bytes,
        }
    }

    /// One more message of a type.
    pub(super) fn message<T>(&mut self) -> Result<(), TooLarge> {
        self.take(size_of::<T>() * GROWTH)
    }

    /// One more string, or bytes.
    pub(super) fn string(&mut self, length: usize) -> Result<(), TooLarge> {
        self.take(length.saturating_add(STRING_BYTES))
    }

    fn take(&mut self, bytes: usize) -> Result<(), TooLarge> {
        let limit_bytes = self.limit_bytes;
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(TooLarge { limit_bytes })?;
        Ok(())
    }
}

/// What stands in a field that has a length before it.
#[derive(Clone, Copy)]
enum Content {
    Message(Kind),
    /// One of several messages.
    List(Kind),
    Text,
    /// One of several strings.
    Texts,
    /// An id of so many bytes, or of none.
    Id(usize),
}

/// The messages of a request.
#[derive(Clone, Copy)]
enum Kind {
    Request,
    ResourceSpans,
    Resource,
    EntityRef,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    Status,
    KeyValue,
    AnyValue,
    /// `ArrayValue` and `KeyValueList` have one field each, and both stand within an `AnyValue`.
    Array,
    List,
}

impl Kind {
    #[expect(clippy::match_same_arms, reason = "a table: one row a field")]
    /// The name of a field and what stands in it; none for numbers and for what we do not know.
    fn field(self, number: usize) -> Option<(&'static str, Content)> {
        use Content::{Id, List, Message, Text, Texts};
        Some(match (self, number) {
            (Self::Request, 1) => ("resource_spans", List(Self::ResourceSpans)),
            (Self::ResourceSpans, 1) => ("resource", Message(Self::Resource)),
            (Self::ResourceSpans, 2) => ("scope_spans", List(Self::ScopeSpans)),
            (Self::ResourceSpans | Self::ScopeSpans, 3) => ("schema_url", Text),
            (Self::Resource, 1) => ("attributes", List(Self::KeyValue)),
            (Self::Resource, 3) => ("entity_refs", List(Self::EntityRef)),
            (Self::EntityRef, 1 | 2) => ("entity_ref", Text),
            (Self::EntityRef, 3 | 4) => ("entity_ref", Texts),
            (Self::ScopeSpans, 1) => ("scope", Message(Self::Scope)),
            (Self::ScopeSpans, 2) => ("spans", List(Self::Span)),
            (Self::Scope, 1) => ("name", Text),
            (Self::Scope, 2) => ("version", Text),
            (Self::Scope, 3) => ("attributes", List(Self::KeyValue)),
            (Self::Span | Self::Link, 1) => ("trace_id", Id(16)),
            (Self::Span | Self::Link, 2) => ("span_id", Id(8)),
            (Self::Span | Self::Link, 3) => ("trace_state", Text),
            (Self::Span, 4) => ("parent_span_id", Id(8)),
            (Self::Span, 5) => ("name", Text),
            (Self::Span, 9) => ("attributes", List(Self::KeyValue)),
            (Self::Span, 11) => ("events", List(Self::Event)),
            (Self::Span, 13) => ("links", List(Self::Link)),
            (Self::Span, 15) => ("status", Message(Self::Status)),
            (Self::Event, 2) => ("name", Text),
            (Self::Event, 3) => ("attributes", List(Self::KeyValue)),
            (Self::Link, 4) => ("attributes", List(Self::KeyValue)),
            (Self::Status, 2) => ("message", Text),
            (Self::KeyValue, 1) => ("key", Text),
            (Self::KeyValue, 2) => ("value", Message(Self::AnyValue)),
            (Self::AnyValue, 1) => ("string_value", Text),
            (Self::AnyValue, 5) => ("array_value", Message(Self::Array)),
            (Self::AnyValue, 6) => ("kvlist_value", Message(Self::List)),
            (Self::AnyValue, 7) => ("bytes_value", Text),
            (Self::Array, 1) => ("values", List(Self::AnyValue)),
            (Self::List, 1) => ("values", List(Self::KeyValue)),
            _ => return None,
        })
    }

    /// One more in a list. What is no element of one is within another message, whose size has its
    /// own in it.
    fn count(self, budget: &mut Budget) -> Result<(), TooLarge> {
        match self {
            Self::ResourceSpans => budget.message::<ResourceSpans>(),
            Self::EntityRef => budget.message::<EntityRef>(),
            Self::ScopeSpans => budget.message::<ScopeSpans>(),
            Self::Span => budget.message::<Span>(),
            Self::Event => budget.message::<Event>(),
            Self::Link => budget.message::<Link>(),
            Self::KeyValue => budget.message::<KeyValue>(),
            Self::AnyValue => budget.message::<AnyValue>(),
            _ => Ok(()),
        }
    }
}

/// Whether a body may be decoded.
pub(super) fn check(body: &[u8], limit_bytes: usize) -> Result<(), DecodeError> {
    let mut walk = Walk {
        body,
        at: 0,
        budget: Budget::new(limit_bytes),
    };
    walk.message(Kind::Request, body.len(), DEPTH_MAX)
}

struct Walk<'a> {
    body: &'a [u8],
    at: usize,
    budget: Budget,
}

impl Walk<'_> {
    /// The fields of a message that ends at `end`. It calls itself as deep as `depth_left` lets it.
    fn message(&mut self, kind: Kind, end: usize, depth_left: usize) -> Result<(), DecodeError> {
        if depth_left == 0 {
            return Err(self.error(Problem::TooDeep { max: DEPTH_MAX }));
        }
        // How many of each list have been seen, for the path of an error.
        let mut n_items = [0; FIELDS_MAX];
        while self.at < end {
            let key = self.varint(end)?;
            match key & 7 {
                0 => drop(self.varint(end)?),
                1 => self.skip(8, end)?,
                2 => {
                    let field = usize::try_from(key >> 3).ok();
                    let field = field.filter(|number| *number < FIELDS_MAX);
                    let n_items = field.and_then(|number| n_items.get_mut(number));
                    let field = field.and_then(|number| kind.field(number));
                    self.field(field, end, depth_left)
                        .map_err(|error| place(error, field, n_items.as_deref().copied()))?;
                    if let Some(n_items) = n_items {
                        *n_items += 1;
                    }
                }
                5 => self.skip(4, end)?,
                _ => return Err(self.malformed("a group or an unknown type of field")),
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: Option<(&'static str, Content)>,
        end: usize,
        depth_left: usize,
    ) -> Result<(), DecodeError> {
        let length = self.length(end)?;
        let end = self.at + length;
        let Some((_, content)) = field else {
            self.at = end;
            return Ok(());
        };
        let checked = match content {
            Content::Message(kind) => self.message(kind, end, depth_left - 1),
            Content::List(kind) => {
                let counted = kind.count(&mut self.budget);
                counted
                    .map_err(|problem| self.error(problem.into()))
                    .and_then(|()| self.message(kind, end, depth_left - 1))
            }
            Content::Text => self.string(length),
            Content::Texts => {
                let counted = self.budget.message::<String>();
                counted
                    .map_err(|problem| self.error(problem.into()))
                    .and_then(|()| self.string(length))
            }
            Content::Id(expected) => check_id(length, expected)
                .map_err(|sentence| self.error(Problem::Malformed(sentence)))
                .and_then(|()| self.string(length)),
        };
        self.at = end;
        checked
    }

    fn string(&mut self, length: usize) -> Result<(), DecodeError> {
        let counted = self.budget.string(length);
        counted.map_err(|problem| self.error(problem.into()))
    }

    fn varint(&mut self, end: usize) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.body.get(self.at).filter(|_| self.at < end);
            let Some(byte) = byte else {
                return Err(self.error(Problem::Short { needed: 1, left: 0 }));
            };
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.malformed("a number of more than ten bytes"))
    }

    fn length(&mut self, end: usize) -> Result<usize, DecodeError> {
        let length = usize::try_from(self.varint(end)?).unwrap_or(usize::MAX);
        self.check_left(length, end)?;
        Ok(length)
    }

    fn skip(&mut self, length: usize, end: usize) -> Result<(), DecodeError> {
        self.check_left(length, end)?;
        self.at += length;
        Ok(())
    }

    fn check_left(&self, needed: usize, end: usize) -> Result<(), DecodeError> {
        let left = end.saturating_sub(self.at);
        if needed > left {
            return Err(self.error(Problem::Short { needed, left }));
        }
        Ok(())
    }

    #[cold]
    fn malformed(&self, found: &'static str) -> DecodeError {
        let expected = "a field of a protobuf message";
        self.error(Problem::WrongType { expected, found })
    }

    #[cold]
    fn error(&self, problem: Problem) -> DecodeError {
        DecodeError::new(problem, self.at)
    }
}

/// The error, seen from the message whose field it is in.
#[cold]
fn place(
    error: DecodeError,
    field: Option<(&'static str, Content)>,
    index: Option<usize>,
) -> DecodeError {
    match (field, index) {
        (Some((name, Content::List(_))), Some(index)) => error.in_element(index).in_field(name),
        (Some((name, _)), _) => error.in_field(name),
        (None, _) => error,
    }
}

/// Whether an id has its length: all of it or, for an id that is not there, none. Other lengths the
/// collector refuses too (`pdata/internal`, `TraceID.Unmarshal`); ids of zeros it takes.
pub(super) fn check_id(length: usize, expected: usize) -> Result<(), Box<str>> {
    if length == 0 || length == expected {
        return Ok(());
    }
    Err(format!("expected an id of {expected} bytes, found {length}").into())
}
