//! A chunk: what is said of it as a whole, and its spans.

use super::super::error::DecodeError;
use super::super::said::Room;
use super::attributes::{Tag, TagValue};
use super::{Mark, Payload, StringIndex};
use crate::trace::{ChunkFacts, SamplingPriority};

/// What is said of a chunk.
#[derive(Default)]
pub(super) struct Head<'a> {
    /// The low half of the trace id.
    pub(super) low: Option<u64>,
    /// What v0.4 says on the first span, by its name there; empty where nothing is said.
    pub(super) tid: String,
    pub(super) decision_maker: String,
    pub(super) origin: StringIndex,
    pub(super) priority: Option<i32>,
    pub(super) tags: Vec<Tag<'a>>,
}

/// The fields of a chunk as they stand there.
#[derive(Default)]
struct Fields<'a> {
    trace_id: Option<(u64, u64)>,
    priority: Option<i32>,
    mechanism: Option<u32>,
    origin: StringIndex,
    is_dropped: bool,
    tags: Vec<Tag<'a>>,
    spans: Option<Mark<'a>>,
}

impl<'a> Payload<'a, '_> {
    /// A chunk. A nil instead of one is empty.
    pub(super) fn chunk(&mut self) -> Result<(), DecodeError> {
        self.strings.begin_chunk();
        let mut fields = Fields::default();
        if !self.decoder.reader.nil() {
            for _ in 0..self.decoder.reader.map()? {
                if let Some(number) = self.field()? {
                    self.chunk_field(number, &mut fields)?;
                }
            }
        }
        let spans = fields.spans;
        let (head, facts) = self.head(fields)?;
        if let Some(spans) = spans {
            self.at(spans, |payload| payload.spans(&head))
                .map_err(|error| error.in_field("spans"))?;
        }
        self.decoder
            .finish_with(&facts, &mut self.decoded, &mut self.room)
    }

    fn chunk_field(&mut self, number: u64, fields: &mut Fields<'a>) -> Result<(), DecodeError> {
        match number {
            1 => {
                let priority = self.decoder.reader.i32_or_bool();
                fields.priority = Some(priority.map_err(|error| error.in_field("priority"))?);
            }
            2 => fields.origin = self.string().map_err(|error| error.in_field("origin"))?,
            3 => {
                fields.tags.clear();
                self.attributes(&mut fields.tags)
                    .map_err(|error| error.in_field("attributes"))?;
            }
            4 => fields.spans = Some(self.pass().map_err(|error| error.in_field("spans"))?),
            5 => {
                let is_dropped = self.decoder.reader.bool();
                fields.is_dropped = is_dropped.map_err(|error| error.in_field("dropped_trace"))?;
            }
            6 => {
                let id = self.trace_id();
                fields.trace_id = Some(id.map_err(|error| error.in_field("trace_id"))?);
            }
            7 => {
                let mechanism = self.decoder.reader.u32();
                let mechanism = mechanism.map_err(|error| error.in_field("sampling_mechanism"))?;
                fields.mechanism = Some(mechanism);
            }
            _ => self.skip()?,
        }
        Ok(())
    }

    /// What goes to the first span, and what stays with the chunk.
    fn head(&self, fields: Fields<'a>) -> Result<(Head<'a>, ChunkFacts), DecodeError> {
        let Fields {
            trace_id,
            mut priority,
            mechanism,
            mut tags,
            ..
        } = fields;
        let mut facts = ChunkFacts {
            tags: self.own_tags(&mut tags)?,
            ..ChunkFacts::default()
        };
        if fields.is_dropped {
            // The tracer dropped the trace, whatever it had thought before. v0.4 has no other way to say
            // so, after `msgpack_encoder/v04/mod.rs` in `DataDog/libdatadog`.
            facts.dropped_trace = true;
            if priority.is_none_or(|priority| priority >= 0) {
                facts.priority = priority.replace(SamplingPriority::USER_REJECT.0);
            }
        }
        // dd-trace-go writes 0 where nobody has decided, and then rejects: whoever decided by default
        // has kept the trace.
        let nobody = mechanism == Some(0) && priority.is_some_and(|priority| priority <= 0);
        let head = Head {
            low: trace_id.map(|(_, low)| low),
            tid: match trace_id {
                Some((high, _)) if high != 0 => format!("{high:016x}"),
                _ => String::new(),
            },
            decision_maker: match mechanism {
                Some(mechanism) if !nobody => format!("-{mechanism}"),
                _ => String::new(),
            },
            origin: fields.origin,
            priority,
            tags,
        };
        Ok((head, facts))
    }

    /// Takes out the tags of which no span is told: dd-trace-go repeats the service of the root here,
    /// which it never had as a tag.
    fn own_tags(&self, tags: &mut Vec<Tag<'a>>) -> Result<crate::trace::Tags, DecodeError> {
        let mut room = Room::within(self.limit_bytes);
        let offset = self.decoder.reader.offset();
        let mut own = Vec::new();
        for tag in tags.iter() {
            if let Some(service) = self.service(*tag) {
                own.push(room.tag((b"service", service), offset)?);
            }
        }
        tags.retain(|tag| self.service(*tag).is_none());
        Ok(own.into())
    }

    fn service(&self, tag: Tag<'a>) -> Option<&'a [u8]> {
        match tag.value {
            TagValue::Text(text) if self.strings.text(tag.key) == b"service" => {
                Some(self.strings.text(text))
            }
            _ => None,
        }
    }
}
