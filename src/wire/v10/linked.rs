//! Links and events, as the maps that v0.4 has for them.

use super::super::error::DecodeError;
use super::attributes::{DEPTH_MAX, Kind};
use super::{Mark, Payload, StringIndex};
use crate::trace::{Attribute, Role};

#[derive(Default)]
struct Link<'a> {
    trace_id: Option<(u64, u64)>,
    span_id: u64,
    attributes: Option<Mark<'a>>,
    tracestate: StringIndex,
    flags: u32,
}

#[derive(Default)]
struct Event<'a> {
    time: u64,
    name: StringIndex,
    attributes: Option<Mark<'a>>,
}

impl<'a> Payload<'a, '_> {
    pub(super) fn links(&mut self) -> Result<(), DecodeError> {
        self.maps(Attribute::SpanLinks, Self::link)
    }

    pub(super) fn events(&mut self) -> Result<(), DecodeError> {
        self.maps(Attribute::SpanEvents, Self::event)
    }

    /// A list of maps; v0.4 leaves it out where it is empty.
    fn maps(
        &mut self,
        attribute: Attribute,
        map: fn(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let n_maps = self.decoder.reader.array()?;
        if n_maps == 0 {
            return Ok(());
        }
        let opened = self.decoder.builder.attribute(attribute).open_array();
        for index in 0..n_maps {
            let opened = self.decoder.builder.writer().open_map();
            map(self).map_err(|error| error.in_element(index))?;
            self.decoder.builder.writer().close(opened);
            self.check()?;
        }
        self.decoder.builder.writer().close(opened);
        Ok(())
    }

    fn link(&mut self) -> Result<(), DecodeError> {
        let mut link = Link::default();
        for _ in 0..self.decoder.reader.map()? {
            match self.field()? {
                None => {}
                Some(1) => {
                    let id = self.trace_id();
                    link.trace_id = Some(id.map_err(|error| error.in_field("trace_id"))?);
                }
                Some(2) => {
                    let id = self.decoder.reader.id();
                    link.span_id = id.map_err(|error| error.in_field("span_id"))?;
                }
                Some(3) => link.attributes = Some(self.pass()?),
                Some(4) => {
                    let state = self.string();
                    link.tracestate = state.map_err(|error| error.in_field("tracestate"))?;
                }
                Some(5) => {
                    let flags = self.decoder.reader.u32();
                    link.flags = flags.map_err(|error| error.in_field("flags"))?;
                }
                Some(_) => self.skip()?,
            }
        }
        if let Some((high, low)) = link.trace_id {
            self.uint(b"trace_id", low)?;
            self.uint(b"trace_id_high", high)?;
        }
        self.uint(b"span_id", link.span_id)?;
        self.attributes_of(link.attributes, |payload, kind| {
            let value = payload.value_of(kind)?;
            payload.write_plain(value)
        })?;
        if link.tracestate != StringIndex::EMPTY {
            self.key(b"tracestate")?;
            self.text(link.tracestate)?;
        }
        if link.flags != 0 {
            self.uint(b"flags", link.flags.into())?;
        }
        Ok(())
    }

    fn event(&mut self) -> Result<(), DecodeError> {
        let mut event = Event::default();
        for _ in 0..self.decoder.reader.map()? {
            match self.field()? {
                None => {}
                Some(1) => {
                    let time = self.decoder.reader.id();
                    event.time = time.map_err(|error| error.in_field("time_unix_nano"))?;
                }
                Some(2) => {
                    event.name = self.string().map_err(|error| error.in_field("name"))?;
                }
                Some(3) => event.attributes = Some(self.pass()?),
                Some(_) => self.skip()?,
            }
        }
        self.uint(b"time_unix_nano", event.time)?;
        self.key(b"name")?;
        self.text(event.name)?;
        self.attributes_of(event.attributes, |payload, kind| {
            payload.any_value(kind, DEPTH_MAX)
        })
    }

    /// The attributes of a link or an event; v0.4 leaves them out where there are none.
    fn attributes_of(
        &mut self,
        mark: Option<Mark<'a>>,
        write: fn(&mut Self, Kind) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let Some(mark) = mark else { return Ok(()) };
        let written = self.at(mark, |payload| {
            let n_tags = payload.groups(3)?;
            if n_tags == 0 {
                return Ok(());
            }
            payload.key(b"attributes")?;
            let opened = payload.decoder.builder.writer().open_map();
            for _ in 0..n_tags {
                let key = payload.string()?;
                let id = payload.id(key, Role::Key)?;
                payload.decoder.builder.writer().key(id);
                let kind = payload.kind();
                kind.and_then(|kind| write(payload, kind))
                    .map_err(|error| error.in_key(payload.strings.text(key)))?;
                payload.check()?;
            }
            payload.decoder.builder.writer().close(opened);
            Ok(())
        });
        written.map_err(|error| error.in_field("attributes"))
    }

    /// A value in a map that names its type, as the events of v0.4 have it. Bytes and lists, which have
    /// no such map, stand for themselves.
    fn any_value(&mut self, kind: Kind, depth_left: usize) -> Result<(), DecodeError> {
        let (number, name): (i64, &[u8]) = match kind {
            Kind::Text => (0, b"string_value"),
            Kind::Bool => (1, b"bool_value"),
            Kind::Int => (2, b"int_value"),
            Kind::Float => (3, b"double_value"),
            Kind::Array => (4, b"array_value"),
            Kind::Bytes | Kind::List => return self.write_next(kind, depth_left),
        };
        let opened = self.decoder.builder.writer().open_map();
        self.key(b"type")?;
        self.decoder.builder.writer().int(number);
        self.key(name)?;
        match kind {
            Kind::Array => self.array_value()?,
            plain => self.write_next(plain, depth_left)?,
        }
        self.decoder.builder.writer().close(opened);
        Ok(())
    }

    /// `{"values": […]}`. An array in it, which v0.4 does not have there, stands for itself.
    fn array_value(&mut self) -> Result<(), DecodeError> {
        let n_items = self.groups(2)?;
        let map = self.decoder.builder.writer().open_map();
        self.key(b"values")?;
        let array = self.decoder.builder.writer().open_array();
        for index in 0..n_items {
            let item = self.kind();
            item.and_then(|kind| match kind {
                Kind::Array => self.write_next(kind, DEPTH_MAX - 1),
                other => self.any_value(other, DEPTH_MAX - 1),
            })
            .map_err(|error| error.in_element(index))?;
            self.check()?;
        }
        self.decoder.builder.writer().close(array);
        self.decoder.builder.writer().close(map);
        Ok(())
    }

    fn key(&mut self, name: &[u8]) -> Result<(), DecodeError> {
        let key = self.decoder.key(name)?;
        self.decoder.builder.writer().key(key);
        Ok(())
    }

    fn uint(&mut self, name: &[u8], number: u64) -> Result<(), DecodeError> {
        self.key(name)?;
        self.decoder.builder.writer().uint(number);
        Ok(())
    }

    fn text(&mut self, text: StringIndex) -> Result<(), DecodeError> {
        let text = self.id(text, Role::Other)?;
        self.decoder.builder.writer().text(text);
        Ok(())
    }
}
