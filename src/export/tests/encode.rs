//! Spans as v0.7 and as v1.0, written from the description of the formats and by nothing that reads
//! them: strings once, whole numbers in their shortest form, a chunk's id after its spans.

use std::collections::HashMap;

use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str, write_str_len, write_uint,
};

use crate::trace::{Attribute, Field, Presence, Span, Text, TraceChunk, Value};

/// How an encoder of v1.0 treats what it says of a chunk: dd-trace-go and libdatadog leave it among the
/// attributes of the span too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    Never,
    Always,
}

fn length(n: usize) -> u32 {
    u32::try_from(n).unwrap()
}

fn text(out: &mut Vec<u8>, text: Text<'_>) {
    write_str_len(out, length(text.as_bytes().len())).unwrap();
    out.extend(text.as_bytes());
}

fn number(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Int(int) => drop(write_sint(out, int).unwrap()),
        Value::Uint(uint) => drop(write_uint(out, uint).unwrap()),
        Value::Float(float) => write_f64(out, float).unwrap(),
        other => panic!("{other:?} is no number"),
    }
}

fn value(out: &mut Vec<u8>, said: Value<'_>) {
    match said {
        Value::Null => write_nil(out).unwrap(),
        Value::Bool(bool) => write_bool(out, bool).unwrap(),
        Value::Text(said) => text(out, said),
        Value::Bytes(bytes) => write_bin(out, bytes).unwrap(),
        Value::Array(items) => {
            write_array_len(out, length(items.count())).unwrap();
            items.for_each(|item| value(out, item));
        }
        Value::Map(entries) => {
            write_map_len(out, length(entries.count())).unwrap();
            for (key, said) in entries {
                text(out, key);
                value(out, said);
            }
        }
        plain => number(out, plain),
    }
}

/// A payload of v0.7 that says this of the tracer and of each chunk.
pub(super) fn v07(chunks: &[TraceChunk]) -> Vec<u8> {
    let mut out = Vec::new();
    write_map_len(&mut out, 3).unwrap();
    write_str(&mut out, "language_name").unwrap();
    write_str(&mut out, "python").unwrap();
    write_str(&mut out, "later").unwrap();
    write_array_len(&mut out, 2).unwrap();
    out.extend([0xc0, 0x81, 0xa1, b'a', 0x01]);
    write_str(&mut out, "chunks").unwrap();
    write_array_len(&mut out, length(chunks.len())).unwrap();
    for chunk in chunks {
        write_map_len(&mut out, 1).unwrap();
        write_str(&mut out, "spans").unwrap();
        write_array_len(&mut out, length(chunk.len())).unwrap();
        chunk.spans().for_each(|span| span_v04(&mut out, span));
    }
    out
}

fn span_v04(out: &mut Vec<u8>, span: Span<'_>) {
    let is_sent = |field: &Field| span.presence(*field) != Presence::Absent;
    let fields: Vec<Field> = Field::ALL.into_iter().filter(is_sent).collect();
    write_map_len(out, length(fields.len() + span.attributes().count())).unwrap();
    for field in fields {
        write_str(out, field.name()).unwrap();
        match (span.presence(field), span.field_text(field)) {
            (Presence::Null, _) => write_nil(out).unwrap(),
            (_, Some(said)) => text(out, said),
            (_, None) if field.is_id() => drop(write_uint(out, span.field_number(field)).unwrap()),
            (_, None) => drop(write_sint(out, span.field_number(field).cast_signed()).unwrap()),
        }
    }
    for (attribute, said) in span.attributes() {
        write_str(out, attribute.name()).unwrap();
        value(out, said);
    }
}

/// A payload of v1.0.
pub(super) fn v10(chunks: &[TraceChunk], repeats: Repeats) -> Vec<u8> {
    let mut encoder = Encoder {
        out: Vec::new(),
        places: HashMap::from([(Vec::new(), 0)]),
        repeats,
    };
    write_map_len(&mut encoder.out, 3).unwrap();
    encoder.out.push(3);
    encoder.string(b"python");
    // A field that nobody knows, with strings in it that are named by their place later.
    encoder.out.extend([99, 0x92]);
    encoder.string(b"service");
    encoder.out.push(0x81);
    encoder.string(b"_dd.p.dm");
    encoder.out.push(1);
    encoder.out.push(11);
    write_array_len(&mut encoder.out, length(chunks.len())).unwrap();
    for chunk in chunks {
        encoder.chunk(chunk);
    }
    encoder.out
}

struct Encoder {
    out: Vec<u8>,
    places: HashMap<Vec<u8>, u64>,
    repeats: Repeats,
}

/// The tags that v1.0 has fields for, in the first span of a chunk and in every one.
const OF_CHUNK: [&str; 4] = [
    "_dd.p.tid",
    "_dd.p.dm",
    "_dd.origin",
    "_sampling_priority_v1",
];
const OF_SPAN: [&str; 4] = ["env", "version", "component", "span.kind"];

/// A flat attribute: its key, its type and its value.
type Flat<'a> = (Text<'a>, u8, Value<'a>);

impl Encoder {
    fn string(&mut self, text: &[u8]) {
        if let Some(place) = self.places.get(text) {
            write_uint(&mut self.out, *place).unwrap();
            return;
        }
        let place = self.places.len().try_into().unwrap();
        self.places.insert(text.to_vec(), place);
        write_str_len(&mut self.out, length(text.len())).unwrap();
        self.out.extend(text);
    }

    fn uint(&mut self, number: u64) {
        write_uint(&mut self.out, number).unwrap();
    }

    fn chunk(&mut self, chunk: &TraceChunk) {
        let first = chunk.span(0).unwrap();
        let mechanism = first.meta_text("_dd.p.dm").and_then(|maker| {
            let (_, number) = maker.to_str()?.split_once('-')?;
            number.parse::<u64>().ok()
        });
        let origin = first.meta_text("_dd.origin");
        let priority = first.metric("_sampling_priority_v1");
        let n_optional = [mechanism.is_some(), origin.is_some(), priority.is_some()];
        let n_optional = n_optional.into_iter().filter(|is_there| *is_there).count();
        write_map_len(&mut self.out, length(2 + n_optional)).unwrap();
        if let Some(origin) = origin {
            self.uint(2);
            self.string(origin.as_bytes());
        }
        self.uint(4);
        write_array_len(&mut self.out, length(chunk.len())).unwrap();
        for (place, span) in chunk.spans().enumerate() {
            self.span(span, place == 0 && self.repeats == Repeats::Never);
        }
        self.uint(6);
        write_bin(&mut self.out, &chunk.trace_id().0.to_be_bytes()).unwrap();
        if let Some(priority) = priority {
            self.uint(1);
            let priority = format!("{priority}").parse().unwrap();
            number(&mut self.out, Value::Int(priority));
        }
        if let Some(mechanism) = mechanism {
            self.uint(7);
            self.uint(mechanism);
        }
    }

    fn span(&mut self, span: Span<'_>, is_bare: bool) {
        let is_sent = |field: Field| span.presence(field) == Presence::Present;
        let fields = [
            (1, Field::Service),
            (2, Field::Name),
            (3, Field::Resource),
            (4, Field::SpanId),
            (5, Field::ParentId),
            (6, Field::Start),
            (7, Field::Duration),
            (8, Field::Error),
            (10, Field::Type),
        ];
        let fields: Vec<_> = fields
            .into_iter()
            .filter(|(_, field)| is_sent(*field))
            .collect();
        let named: Vec<_> = OF_SPAN
            .iter()
            .filter(|name| span.meta_text(name).is_some())
            .collect();
        let flat = Self::flat(span, is_bare);
        let links = span.attribute(Attribute::SpanLinks);
        let events = span.attribute(Attribute::SpanEvents);
        let n_fields = fields.len() + named.len() + 1;
        let n_fields = n_fields + usize::from(links.is_some()) + usize::from(events.is_some());
        write_map_len(&mut self.out, length(n_fields)).unwrap();
        for (number, field) in fields {
            self.uint(number);
            match span.field_text(field) {
                Some(text) => self.string(text.as_bytes()),
                None if field == Field::Error => {
                    write_bool(&mut self.out, span.is_error()).unwrap();
                }
                None => self.uint(span.field_number(field)),
            }
        }
        self.uint(9);
        self.attributes(&flat);
        for name in named {
            let text = span.meta_text(name).unwrap();
            let place = OF_SPAN.iter().position(|known| known == name).unwrap();
            self.uint(13 + u64::try_from(place).unwrap());
            match place {
                3 => {
                    let kinds = ["", "internal", "server", "client", "producer", "consumer"];
                    let kind = kinds.iter().position(|kind| text == *kind).unwrap();
                    self.uint(kind.try_into().unwrap());
                }
                _ => self.string(text.as_bytes()),
            }
        }
        if let Some(links) = links {
            self.uint(11);
            self.maps(links, Self::link);
        }
        if let Some(events) = events {
            self.uint(12);
            self.maps(events, Self::event);
        }
    }

    /// The tags of a span that are attributes in v1.0.
    fn flat(span: Span<'_>, is_bare: bool) -> Vec<Flat<'_>> {
        let is_left = |key: Text<'_>| {
            let is_chunks = is_bare && OF_CHUNK.iter().any(|name| key == *name);
            !is_chunks && !OF_SPAN.iter().any(|name| key == *name)
        };
        let meta = span.meta().filter(|(key, _)| is_left(*key));
        // Nil has no type.
        let meta = meta.filter(|(_, value)| *value != Value::Null);
        let meta = meta.map(|(key, value)| (key, 1, value));
        let metrics = span.metrics().filter(|(key, _)| is_left(*key));
        let metrics = metrics.map(|(key, value)| match value {
            Value::Float(_) => (key, 3, value),
            _ => (key, 4, value),
        });
        let structs = span.attribute(Attribute::MetaStruct);
        let structs = structs.into_iter().flat_map(Value::entries);
        let structs = structs.map(|(key, value)| (key, 5, value));
        meta.chain(metrics).chain(structs).collect()
    }

    fn attributes(&mut self, flat: &[Flat<'_>]) {
        write_array_len(&mut self.out, length(flat.len() * 3)).unwrap();
        for (key, kind, value) in flat {
            self.string(key.as_bytes());
            self.typed(*kind, *value);
        }
    }

    fn typed(&mut self, kind: u8, value: Value<'_>) {
        self.out.push(kind);
        match value {
            Value::Text(text) => self.string(text.as_bytes()),
            Value::Bool(bool) => write_bool(&mut self.out, bool).unwrap(),
            Value::Bytes(bytes) => write_bin(&mut self.out, bytes).unwrap(),
            plain => number(&mut self.out, plain),
        }
    }

    fn maps(&mut self, maps: Value<'_>, map: fn(&mut Self, Value<'_>)) {
        write_array_len(&mut self.out, length(maps.items().count())).unwrap();
        maps.items().for_each(|item| map(self, item));
    }

    fn link(&mut self, link: Value<'_>) {
        let id = |name| link.entries().find(name).and_then(Value::as_id);
        let trace_id = [id("trace_id_high").unwrap_or(0), id("trace_id").unwrap()];
        let attributes = link.entries().find("attributes").map(Value::entries);
        let state = link.entries().find("tracestate").and_then(Value::as_text);
        let flags = id("flags");
        let n_optional = [attributes.is_some(), state.is_some(), flags.is_some()];
        let n_optional = n_optional.into_iter().filter(|is_there| *is_there).count();
        write_map_len(&mut self.out, length(2 + n_optional)).unwrap();
        if let Some(state) = state {
            self.uint(4);
            self.string(state.as_bytes());
        }
        if let Some(attributes) = attributes {
            self.uint(3);
            let flat: Vec<_> = attributes.map(|(key, value)| (key, 1, value)).collect();
            self.attributes(&flat);
        }
        self.uint(1);
        write_bin(&mut self.out, &trace_id.map(u64::to_be_bytes).concat()).unwrap();
        self.uint(2);
        self.uint(id("span_id").unwrap());
        if let Some(flags) = flags {
            self.uint(5);
            self.uint(flags);
        }
    }

    fn event(&mut self, event: Value<'_>) {
        let attributes = event.entries().find("attributes").map(Value::entries);
        write_map_len(&mut self.out, 2 + u32::from(attributes.is_some())).unwrap();
        if let Some(attributes) = attributes {
            self.uint(3);
            write_array_len(&mut self.out, length(attributes.count() * 3)).unwrap();
            for (key, value) in attributes {
                self.string(key.as_bytes());
                self.any_value(value);
            }
        }
        self.uint(2);
        self.string(
            event
                .entries()
                .find("name")
                .unwrap()
                .as_text()
                .unwrap()
                .as_bytes(),
        );
        self.uint(1);
        self.uint(
            event
                .entries()
                .find("time_unix_nano")
                .unwrap()
                .as_id()
                .unwrap(),
        );
    }

    fn any_value(&mut self, value: Value<'_>) {
        let member = |name| value.entries().find(name).unwrap();
        match member("type").as_id().unwrap() {
            0 => self.typed(1, member("string_value")),
            1 => self.typed(2, member("bool_value")),
            2 => self.typed(4, member("int_value")),
            3 => self.typed(3, member("double_value")),
            _ => {
                let items = member("array_value")
                    .entries()
                    .find("values")
                    .unwrap()
                    .items();
                self.out.push(6);
                write_array_len(&mut self.out, length(items.count() * 2)).unwrap();
                items.for_each(|item| self.any_value(item));
            }
        }
    }
}
