//! Payloads put together by hand, and what a span says as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use crate::trace::{ChunkBuilder, Field, Presence, Span, TracerPayload, Value};
use crate::wire::v10::decode;

/// Anything as msgpack, put together by hand.
pub(super) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let length = u8::try_from(items.len()).unwrap();
    [&[0xdc, 0, length][..], &items.concat()].concat()
}

pub(super) fn map(fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let length = u8::try_from(fields.len()).unwrap();
    let fields = fields
        .iter()
        .map(|(number, value)| [&[*number][..], value].concat());
    [&[0xde, 0, length][..], &fields.collect::<Vec<_>>().concat()].concat()
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [
        &[0xd9, u8::try_from(text.len()).unwrap()][..],
        text.as_bytes(),
    ]
    .concat()
}

pub(super) fn bin(bytes: &[u8]) -> Vec<u8> {
    [&[0xc4, u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

pub(super) fn float(float: f64) -> Vec<u8> {
    [&[0xcb][..], &float.to_be_bytes()].concat()
}

/// Attributes: keys, types and values.
pub(super) fn tags(tags: &[(&str, u8, Vec<u8>)]) -> Vec<u8> {
    let tags = tags
        .iter()
        .map(|(key, kind, value)| [text(key), vec![*kind], value.clone()]);
    list(&tags.flatten().collect::<Vec<_>>())
}

/// Values with their types.
pub(super) fn values(values: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let values = values
        .iter()
        .map(|(kind, value)| [vec![*kind], value.clone()]);
    list(&values.flatten().collect::<Vec<_>>())
}

pub(super) const NIL: u8 = 0xc0;
pub(super) const TRUE: u8 = 0xc3;
pub(super) const FALSE: u8 = 0xc2;

pub(super) fn id(high: u64, low: u64) -> Vec<u8> {
    bin(&[high, low].map(u64::to_be_bytes).concat())
}

/// A value as JSON; bytes are tagged.
pub(super) fn json_of(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => bool.into(),
        Value::Int(int) => int.into(),
        Value::Uint(uint) => uint.into(),
        Value::Float(float) => float.into(),
        Value::Text(text) => text.to_str().unwrap().into(),
        Value::Bytes(bytes) => json!({ "$bytes": STANDARD.encode(bytes) }),
        Value::Array(items) => items.map(json_of).collect(),
        Value::Map(entries) => {
            let entries =
                entries.map(|(key, value)| (key.to_str().unwrap().to_owned(), json_of(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// What a span says, by the names of v0.4.
pub(super) fn said(span: Span<'_>) -> Json {
    let mut said = Map::new();
    for field in Field::ALL {
        assert_ne!(span.presence(field), Presence::Null);
        if span.presence(field) == Presence::Present && field != Field::TraceId {
            let value = match span.field_text(field) {
                Some(text) => text.to_str().unwrap().into(),
                None => span.field_number(field).into(),
            };
            said.insert(field.name().to_owned(), value);
        }
    }
    for (attribute, value) in span.attributes() {
        let twice = said.insert(attribute.name().to_owned(), json_of(value));
        assert_eq!(twice, None);
    }
    said.into()
}

/// A payload of one chunk.
pub(super) fn with_chunk(fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    map(&[(11, list(&[map(fields)]))])
}

/// A payload of one span.
pub(super) fn with_span(fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    with_chunk(&[(4, list(&[map(fields)])), (6, id(0, 7))])
}

pub(super) fn payload(body: &[u8]) -> TracerPayload {
    decode(body, &mut ChunkBuilder::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
pub(super) fn refused(body: &[u8], expect: &str) {
    let error = decode(body, &mut ChunkBuilder::default()).unwrap_err();
    assert_eq!(error.to_string(), expect);
}
