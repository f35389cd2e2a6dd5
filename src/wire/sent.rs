//! What a client might send, for the tests: generated, encoded with `rmp`, and compared with what
//! was decoded.

use proptest::collection::vec;
use proptest::prelude::*;
use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str, write_uint,
};

use crate::trace::{Attribute, Field, Presence, Span, Value};

/// A msgpack value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sent {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Sent>),
    Map(Vec<(String, Sent)>),
}

/// Fields in the order in which they are sent.
pub(super) type SentSpan = Vec<(String, Sent)>;

type Values = BoxedStrategy<Sent>;

/// All spans have it: spans of several traces in a chunk are taken apart.
const TRACE_ID: u64 = 0x8000_0000_0000_0007;

/// Several chunks, also empty ones.
pub(super) fn chunks(
    span: impl Strategy<Value = SentSpan>,
) -> impl Strategy<Value = Vec<Vec<SentSpan>>> {
    vec(vec(span, 0..4), 0..4)
}

/// A span of v0.4: any field may be missing or nil, in any order.
pub(super) fn span_v04() -> impl Strategy<Value = SentSpan> {
    let optional = |(name, values): (&'static str, Values)| {
        let values = prop_oneof![9 => values, 1 => Just(Sent::Nil)];
        prop::option::weighted(0.7, values.prop_map(move |value| (name.to_owned(), value)))
    };
    let mut fields = fields();
    fields.extend([
        (
            "meta_struct",
            map(vec(any::<u8>(), 0..9).prop_map(Sent::Bytes).boxed()),
        ),
        (
            "span_links",
            vec(map(anything()), 0..3).prop_map(Sent::Array).boxed(),
        ),
        (
            "span_events",
            vec(map(anything()), 0..3).prop_map(Sent::Array).boxed(),
        ),
        ("later", anything()),
        ("even later", anything()),
    ]);
    let fields: Vec<_> = fields.into_iter().map(optional).collect();
    let fields = fields.prop_map(|fields| {
        let trace_id = ("trace_id".to_owned(), Sent::Uint(TRACE_ID));
        fields
            .into_iter()
            .flatten()
            .chain([trace_id])
            .collect::<Vec<_>>()
    });
    fields.prop_shuffle()
}

/// A span of v0.5: twelve fields in their order.
pub(super) fn span_v05() -> impl Strategy<Value = SentSpan> {
    let mut fields = fields();
    fields.insert(3, ("trace_id", Just(Sent::Uint(TRACE_ID)).boxed()));
    let named = |(name, values): (&'static str, Values)| {
        values.prop_map(move |value| (name.to_owned(), value))
    };
    fields.into_iter().map(named).collect::<Vec<_>>()
}

/// The fields of both formats but the trace id, in the order of v0.5.
fn fields() -> Vec<(&'static str, Values)> {
    let id = || {
        prop_oneof![any::<u64>(), 0..200_u64]
            .prop_map(Sent::Uint)
            .boxed()
    };
    let time = || any::<i64>().prop_map(Sent::Int).boxed();
    vec![
        ("service", text()),
        ("name", text()),
        ("resource", text()),
        ("span_id", id()),
        ("parent_id", id()),
        ("start", time()),
        ("duration", time()),
        (
            "error",
            any::<i32>()
                .prop_map(|error| Sent::Int(error.into()))
                .boxed(),
        ),
        ("meta", map(text())),
        ("metrics", map(number())),
        ("type", text()),
    ]
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]{0,2}",
        4 => vec(any::<char>(), 0..9).prop_map(String::from_iter),
        1 => prop::sample::select(vec![31, 32, 255, 256, 1024, 1025]).prop_map(|length| "x".repeat(length)),
    ]
}

fn text() -> Values {
    string().prop_map(Sent::Text).boxed()
}

fn number() -> Values {
    prop_oneof![
        any::<i64>().prop_map(Sent::Int),
        any::<u64>().prop_map(Sent::Uint),
        prop::num::f64::ANY.prop_map(Sent::Float),
        (-9..9_i32).prop_map(|whole| Sent::Float(whole.into())),
        Just(Sent::Nil),
    ]
    .boxed()
}

fn map(values: Values) -> Values {
    vec((string(), values), 0..6).prop_map(Sent::Map).boxed()
}

fn anything() -> Values {
    let bytes = vec(any::<u8>(), 0..9).prop_map(Sent::Bytes);
    let leaf = prop_oneof![text(), number(), any::<bool>().prop_map(Sent::Bool), bytes];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Sent::Array),
            map(inner.boxed())
        ]
    })
    .boxed()
}

pub(super) fn encode_v04(chunks: &[Vec<SentSpan>]) -> Vec<u8> {
    let mut out = Vec::new();
    array(&mut out, chunks, |out, chunk| {
        array(out, chunk, |out, span| {
            encode(out, &Sent::Map(span.clone()));
        });
    });
    out
}

pub(super) fn encode_v05(chunks: &[Vec<SentSpan>]) -> Vec<u8> {
    let mut strings = Vec::new();
    let mut spans = Vec::new();
    array(&mut spans, chunks, |out, chunk| {
        array(out, chunk, |out, span| {
            array(out, span, |out, (_, value)| {
                encode_indexed(out, value, &mut strings);
            });
        });
    });
    let mut out = vec![0x92];
    array(&mut out, &strings, |out, text| {
        write_str(out, text).unwrap();
    });
    out.extend(spans);
    out
}

fn array<T>(out: &mut Vec<u8>, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    write_array_len(out, u32::try_from(items.len()).unwrap()).unwrap();
    for one in items {
        item(out, one);
    }
}

fn encode(out: &mut Vec<u8>, value: &Sent) {
    match value {
        Sent::Nil => write_nil(out).unwrap(),
        Sent::Bool(bool) => write_bool(out, *bool).unwrap(),
        Sent::Int(int) => drop(write_sint(out, *int).unwrap()),
        Sent::Uint(uint) => drop(write_uint(out, *uint).unwrap()),
        Sent::Float(float) => write_f64(out, *float).unwrap(),
        Sent::Text(text) => write_str(out, text).unwrap(),
        Sent::Bytes(bytes) => write_bin(out, bytes).unwrap(),
        Sent::Array(items) => array(out, items, encode),
        Sent::Map(entries) => {
            write_map_len(out, u32::try_from(entries.len()).unwrap()).unwrap();
            for (key, value) in entries {
                write_str(out, key).unwrap();
                encode(out, value);
            }
        }
    }
}

/// A value of v0.5: strings and keys are places in the dictionary.
fn encode_indexed(out: &mut Vec<u8>, value: &Sent, strings: &mut Vec<String>) {
    match value {
        Sent::Text(text) => place(out, text, strings),
        Sent::Map(entries) => {
            write_map_len(out, u32::try_from(entries.len()).unwrap()).unwrap();
            for (key, value) in entries {
                place(out, key, strings);
                encode_indexed(out, value, strings);
            }
        }
        other => encode(out, other),
    }
}

fn place(out: &mut Vec<u8>, text: &str, strings: &mut Vec<String>) {
    let known = strings.iter().position(|other| other == text);
    let place = known.unwrap_or_else(|| {
        strings.push(text.to_owned());
        strings.len() - 1
    });
    write_uint(out, u64::try_from(place).unwrap()).unwrap();
}

/// Asserts that a span says what was sent and nothing else.
#[track_caller]
pub(super) fn check(span: Span<'_>, sent: &SentSpan) {
    for field in Field::ALL {
        let value = sent
            .iter()
            .find(|(name, _)| name == field.name())
            .map(|(_, value)| value);
        let presence = match value {
            None => Presence::Absent,
            Some(Sent::Nil) => Presence::Null,
            Some(_) => Presence::Present,
        };
        assert_eq!(span.presence(field), presence, "{field:?}");
        match value {
            Some(Sent::Text(text)) => assert_eq!(span.field_text(field).unwrap(), text.as_str()),
            Some(Sent::Uint(uint)) => assert_eq!(span.field_number(field), *uint),
            Some(Sent::Int(int)) => assert_eq!(span.field_number(field), int.cast_unsigned()),
            _ => {}
        }
    }
    let is_field = |name: &str| Field::ALL.iter().any(|field| field.name() == name);
    let is_attribute = |name: &str| Attribute::ALL.iter().any(|known| known.name() == name);
    let mut expected: Vec<_> = sent
        .iter()
        .filter(|(name, _)| is_attribute(name))
        .cloned()
        .collect();
    let unknown = sent
        .iter()
        .filter(|(name, _)| !is_field(name) && !is_attribute(name));
    let unknown: Vec<_> = unknown
        .map(|(name, value)| {
            let mut bytes = Vec::new();
            encode(&mut bytes, value);
            (name.clone(), Sent::Bytes(bytes))
        })
        .collect();
    if !unknown.is_empty() {
        expected.push((Attribute::Unknown.name().to_owned(), Sent::Map(unknown)));
    }
    assert_eq!(span.attributes().count(), expected.len());
    for ((attribute, value), (name, sent)) in span.attributes().zip(&expected) {
        assert_eq!(attribute.name(), name);
        assert!(same(sent, value), "{name}: {value:?} instead of {sent:?}");
    }
}

fn same(sent: &Sent, value: Value<'_>) -> bool {
    match (sent, value) {
        (Sent::Nil, Value::Null) => true,
        (Sent::Bool(sent), Value::Bool(bool)) => *sent == bool,
        (Sent::Int(sent), Value::Int(int)) => *sent == int,
        (Sent::Uint(sent), Value::Int(int)) => i64::try_from(*sent) == Ok(int),
        (Sent::Uint(sent), Value::Uint(uint)) => *sent == uint,
        (Sent::Float(sent), Value::Float(float)) => sent.to_bits() == float.to_bits(),
        (Sent::Text(sent), Value::Text(text)) => text == sent.as_str(),
        (Sent::Bytes(sent), Value::Bytes(bytes)) => sent == bytes,
        (Sent::Array(sent), Value::Array(items)) => {
            sent.len() == items.count() && sent.iter().zip(items).all(|(a, b)| same(a, b))
        }
        (Sent::Map(sent), Value::Map(entries)) => {
            sent.len() == entries.count()
                && sent
                    .iter()
                    .zip(entries)
                    .all(|((key, a), (name, b))| name == key.as_str() && same(a, b))
        }
        _ => false,
    }
}
