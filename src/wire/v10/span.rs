//! A span, written as v0.4 has it.

use std::collections::HashSet;

use super::super::error::DecodeError;
use super::attributes::{Tag, TagValue};
use super::chunk::Head;
use super::{Mark, Payload, StringIndex};
use crate::trace::{Attribute, Field, Role, StrId, tag};

/// What a span says in fields where v0.4 has tags, and what lies behind it.
#[derive(Default)]
struct Fields<'a> {
    env: StringIndex,
    version: StringIndex,
    component: StringIndex,
    kind: u32,
    links: Option<Mark<'a>>,
    events: Option<Mark<'a>>,
}

/// Tags that have fields of their own, by their names in v0.4; empty where nothing is said.
type Named<'t> = [(&'static str, &'t [u8]); 7];

impl<'a> Payload<'a, '_> {
    /// The spans of a chunk, or nil.
    pub(super) fn spans(&mut self, head: &Head<'a>) -> Result<(), DecodeError> {
        let mut for_first = Some(head);
        for index in 0..self.decoder.array_or_nil()? {
            let is_there = self.span(head, for_first);
            if is_there.map_err(|error| error.in_element(index))? {
                for_first = None;
            }
        }
        Ok(())
    }

    /// A span, and whether it is one: a nil or an empty map, which dd-trace-go writes for nil, is
    /// none.
    fn span(&mut self, head: &Head<'a>, for_first: Option<&Head<'a>>) -> Result<bool, DecodeError> {
        if self.decoder.reader.nil() {
            return Ok(false);
        }
        let n_fields = self.decoder.reader.map()?;
        if n_fields == 0 {
            return Ok(false);
        }
        self.begin(head)?;
        let mut fields = Fields::default();
        let mut tags = std::mem::take(&mut self.tags);
        tags.clear();
        for _ in 0..n_fields {
            if let Some(number) = self.field()? {
                self.span_field(number, &mut fields, &mut tags)?;
            }
        }
        self.write_tags(&fields, &mut tags, for_first)?;
        self.tags = tags;
        if let Some(links) = fields.links {
            self.at(links, Self::links)
                .map_err(|error| error.in_field("span_links"))?;
        }
        if let Some(events) = fields.events {
            self.at(events, Self::events)
                .map_err(|error| error.in_field("span_events"))?;
        }
        Ok(true)
    }

    /// Begins a span with the fields that v0.4 always has; v1.0 leaves them out where they are empty.
    fn begin(&mut self, head: &Head<'a>) -> Result<(), DecodeError> {
        self.decoder.begin_span()?;
        let empty = self.id(StringIndex::EMPTY, Role::Field(Field::Service))?;
        let builder = &mut *self.decoder.builder;
        for field in [Field::Service, Field::Name, Field::Resource] {
            builder.set_text(field, empty);
        }
        builder.set_number(Field::Duration, 0);
        if let Some(low) = head.low {
            builder.set_number(Field::TraceId, low);
        }
        Ok(())
    }

    fn span_field(
        &mut self,
        number: u64,
        fields: &mut Fields<'a>,
        tags: &mut Vec<Tag<'a>>,
    ) -> Result<(), DecodeError> {
        let place = match number {
            1 => return self.text_field(Field::Service),
            2 => return self.text_field(Field::Name),
            3 => return self.text_field(Field::Resource),
            4 => return self.number_field(Field::SpanId),
            5 => return self.number_field(Field::ParentId),
            6 => return self.number_field(Field::Start),
            7 => return self.number_field(Field::Duration),
            8 => return self.number_field(Field::Error),
            9 => {
                tags.clear();
                let attributes = self.attributes(tags);
                return attributes.map_err(|error| error.in_field("attributes"));
            }
            10 => return self.text_field(Field::Type),
            11 => {
                fields.links = Some(self.pass()?);
                return Ok(());
            }
            12 => {
                fields.events = Some(self.pass()?);
                return Ok(());
            }
            13 => (&mut fields.env, "env"),
            14 => (&mut fields.version, "version"),
            15 => (&mut fields.component, "component"),
            16 => {
                let kind = self.decoder.reader.u32();
                fields.kind = kind.map_err(|error| error.in_field("kind"))?;
                return Ok(());
            }
            _ => return self.skip(),
        };
        *place.0 = self.string().map_err(|error| error.in_field(place.1))?;
        Ok(())
    }

    fn text_field(&mut self, field: Field) -> Result<(), DecodeError> {
        let text = self
            .string()
            .and_then(|text| self.id(text, Role::Field(field)));
        let text = text.map_err(|error| error.in_field(field.name()))?;
        self.decoder.builder.set_text(field, text);
        Ok(())
    }

    fn number_field(&mut self, field: Field) -> Result<(), DecodeError> {
        self.decoder
            .number_field(field)
            .map_err(|error| error.in_field(field.name()))
    }

    /// Writes the tags of a span; of the first one of a chunk also those of the chunk that it does not
    /// have itself. A field beats an attribute of the same name.
    fn write_tags(
        &mut self,
        fields: &Fields<'a>,
        tags: &mut Vec<Tag<'a>>,
        for_first: Option<&Head<'a>>,
    ) -> Result<(), DecodeError> {
        let nothing = Head::default();
        let head = for_first.unwrap_or(&nothing);
        let named: Named<'_> = [
            ("env", self.strings.text(fields.env)),
            ("version", self.strings.text(fields.version)),
            ("component", self.strings.text(fields.component)),
            (tag::SPAN_KIND, self.kind_word(fields.kind).as_bytes()),
            (tag::TRACE_ID_HIGH, head.tid.as_bytes()),
            (tag::ORIGIN, self.strings.text(head.origin)),
            (tag::DECISION_MAKER, head.decision_maker.as_bytes()),
        ];
        let is_first_to_say = |key: &[u8]| {
            let is_named =
                |(name, text): &(&str, &[u8])| !text.is_empty() && name.as_bytes() == key;
            let is_priority = head.priority.is_some() && key == tag::SAMPLING_PRIORITY.as_bytes();
            !is_priority && !named.iter().any(is_named)
        };
        tags.retain(|tag| is_first_to_say(self.strings.text(tag.key)));
        if !head.tags.is_empty() {
            let own: HashSet<&[u8]> = tags.iter().map(|own| self.strings.text(own.key)).collect();
            let is_new = |tag: &&Tag<'a>| {
                let key = self.strings.text(tag.key);
                !own.contains(key) && is_first_to_say(key)
            };
            tags.extend(head.tags.iter().filter(is_new));
        }
        self.write_meta(&named, tags)?;
        self.write_metrics(head.priority, tags)?;
        self.write_others(Attribute::MetaStruct, tags)
    }

    fn write_meta(&mut self, named: &Named<'_>, tags: &[Tag<'a>]) -> Result<(), DecodeError> {
        let is_meta = |tag: &Tag<'a>| tag.value.attribute() == Attribute::Meta;
        let is_said = named.iter().any(|(_, text)| !text.is_empty());
        if !is_said && !tags.iter().any(is_meta) {
            return Ok(());
        }
        let opened = self.decoder.builder.attribute(Attribute::Meta).open_map();
        for (name, text) in named.iter().filter(|(_, text)| !text.is_empty()) {
            let (key, text) = self.named(name, text)?;
            let mut writer = self.decoder.builder.writer();
            writer.key(key);
            writer.text(text);
        }
        self.write_these(Attribute::Meta, tags)?;
        self.decoder.builder.writer().close(opened);
        Ok(())
    }

    fn named(&mut self, key: &str, text: &[u8]) -> Result<(StrId, StrId), DecodeError> {
        let builder = &mut *self.decoder.builder;
        let pair = builder
            .key(None, key.as_bytes())
            .and_then(|key| Ok((key, builder.value_of(key, text)?)));
        pair.map_err(|problem| self.decoder.too_large(problem))
    }

    fn write_metrics(
        &mut self,
        priority: Option<i32>,
        tags: &[Tag<'a>],
    ) -> Result<(), DecodeError> {
        let Some(priority) = priority else {
            return self.write_others(Attribute::Metrics, tags);
        };
        let key = self.decoder.key(tag::SAMPLING_PRIORITY.as_bytes())?;
        let mut writer = self.decoder.builder.attribute(Attribute::Metrics);
        let opened = writer.open_map();
        writer.key(key);
        writer.float(priority.into());
        self.write_these(Attribute::Metrics, tags)?;
        self.decoder.builder.writer().close(opened);
        Ok(())
    }

    /// Writes the attributes that belong to one of v0.4, if there are any.
    fn write_others(&mut self, attribute: Attribute, tags: &[Tag<'a>]) -> Result<(), DecodeError> {
        if !tags.iter().any(|tag| tag.value.attribute() == attribute) {
            return Ok(());
        }
        let opened = self.decoder.builder.attribute(attribute).open_map();
        self.write_these(attribute, tags)?;
        self.decoder.builder.writer().close(opened);
        Ok(())
    }

    fn write_these(&mut self, attribute: Attribute, tags: &[Tag<'a>]) -> Result<(), DecodeError> {
        for tag in tags.iter().filter(|tag| tag.value.attribute() == attribute) {
            let key = self.id(tag.key, Role::Key)?;
            self.decoder.builder.writer().key(key);
            let written = match tag.value {
                TagValue::Text(text) => {
                    let text = self.id(text, Role::ValueOf(key));
                    text.map(|text| self.decoder.builder.writer().text(text))
                }
                other => self.write_plain(other),
            };
            written
                .map_err(|error| error.in_key(self.strings.text(tag.key)))
                .map_err(|error| error.in_field("attributes"))?;
        }
        Ok(())
    }

    /// Writes a value where v0.4 has strings: true and false are words.
    pub(super) fn write_plain(&mut self, value: TagValue<'a>) -> Result<(), DecodeError> {
        let TagValue::Bool(bool) = value else {
            return self.write(value);
        };
        let word = self.decoder.intern(if bool { b"true" } else { b"false" })?;
        self.decoder.builder.writer().text(word);
        Ok(())
    }

    /// The word for a kind of span, empty for none. libdatadog writes `internal` for every span that
    /// says nothing, dd-trace-go only for those that say so.
    fn kind_word(&self, kind: u32) -> &'static str {
        match kind {
            1 if &*self.decoded.tracer.language == "go" => "internal",
            2 => "server",
            3 => "client",
            4 => "producer",
            5 => "consumer",
            _ => "",
        }
    }
}
