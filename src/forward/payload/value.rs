//! Values as the intake's messages hold them: tags are strings, attributes of events have one of five
//! types. What is neither becomes its JSON text, so that nothing is lost.

use std::fmt::Write as _;

use libdd_trace_protobuf::pb;
use pb::attribute_any_value::AttributeAnyValueType as Any;
use pb::attribute_array_value::AttributeArrayValueType as Element;

use crate::trace::{ATTRIBUTE_DEPTH_MAX, Entries, Text, Value};

/// A value that is a tag. A nil is an empty one, as in the Agent.
pub(super) fn plain_text(value: Value<'_>) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.to_lossy().into_owned(),
        Value::Bytes(bytes) => base64_text(bytes),
        other => {
            let mut text = String::new();
            write_json(&mut text, other, ATTRIBUTE_DEPTH_MAX);
            text
        }
    }
}

/// A value of `meta_struct`: msgpack, which some clients send as text.
pub(super) fn bytes(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) | Value::Text(Text(bytes)) => Some(bytes),
        _ => None,
    }
}

/// An attribute of an event. Before v1.0 it is a map that names its type (`pkg/proto/datadog/trace/
/// span.proto`, `AttributeAnyValue`); in v1.0 it is the value itself.
pub(super) fn any_value(value: Value<'_>) -> pb::AttributeAnyValue {
    let value = match value {
        Value::Map(entries) => typed(entries).unwrap_or(value),
        other => other,
    };
    let mut any = pb::AttributeAnyValue::default();
    let of_type = match value {
        Value::Bool(bool) => {
            any.bool_value = bool;
            Any::BoolValue
        }
        Value::Int(int) => {
            any.int_value = int;
            Any::IntValue
        }
        Value::Float(float) => {
            any.double_value = float;
            Any::DoubleValue
        }
        Value::Array(items) => {
            let values = items.map(element).collect();
            any.array_value = Some(pb::AttributeArray { values });
            Any::ArrayValue
        }
        other => {
            any.string_value = plain_text(other);
            Any::StringValue
        }
    };
    any.r#type = of_type.into();
    any
}

fn element(value: Value<'_>) -> pb::AttributeArrayValue {
    let value = match value {
        Value::Map(entries) => typed(entries).unwrap_or(value),
        other => other,
    };
    let mut element = pb::AttributeArrayValue::default();
    let of_type = match value {
        Value::Bool(bool) => {
            element.bool_value = bool;
            Element::BoolValue
        }
        Value::Int(int) => {
            element.int_value = int;
            Element::IntValue
        }
        Value::Float(float) => {
            element.double_value = float;
            Element::DoubleValue
        }
        other => {
            element.string_value = plain_text(other);
            Element::StringValue
        }
    };
    element.r#type = of_type.into();
    element
}

/// The member that a map names as its value; `None` if it is a map of another kind. A member that is
/// left out is zero.
fn typed(entries: Entries<'_>) -> Option<Value<'_>> {
    const MEMBERS: [&str; 5] = [
        "string_value",
        "bool_value",
        "int_value",
        "double_value",
        "array_value",
    ];
    let said = entries.find("type").and_then(Value::as_id);
    let has_member = MEMBERS.iter().any(|member| entries.find(member).is_some());
    if said.is_none() && !has_member {
        return None;
    }
    let number = |value: Value<'_>| value.as_f64().map(Value::Float);
    Some(match said.unwrap_or(0) {
        0 => entries.find("string_value").unwrap_or(Value::Null),
        1 => entries.find("bool_value").unwrap_or(Value::Bool(false)),
        2 => entries.find("int_value").unwrap_or(Value::Int(0)),
        3 => {
            let sent = entries.find("double_value");
            sent.and_then(number).unwrap_or(Value::Float(0.0))
        }
        4 => {
            let array = entries.find("array_value").map(Value::entries);
            let values = array.unwrap_or_default().find("values");
            Value::Array(values.map(Value::items).unwrap_or_default())
        }
        _ => return None,
    })
}

/// Writes a value as JSON, as far as it may be nested.
fn write_json(text: &mut String, value: Value<'_>, depth_left: usize) {
    // Writing to a string does not fail.
    let _written = match value {
        Value::Bool(bool) => write!(text, "{bool}"),
        Value::Int(int) => write!(text, "{int}"),
        Value::Uint(uint) => write!(text, "{uint}"),
        Value::Float(float) if float.is_finite() => write!(text, "{float}"),
        Value::Null | Value::Float(_) => write!(text, "null"),
        Value::Text(sent) => write!(text, "{}", quoted(&sent.to_lossy())),
        Value::Bytes(bytes) => write!(text, "{}", quoted(&base64_text(bytes))),
        Value::Array(_) | Value::Map(_) if depth_left == 0 => write!(text, "null"),
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                write_json(text, item, depth_left - 1);
            }
            write!(text, "]")
        }
        Value::Map(entries) => {
            text.push('{');
            for (place, (key, value)) in entries.enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                text.push_str(&quoted(&key.to_lossy()));
                text.push(':');
                write_json(text, value, depth_left - 1);
            }
            write!(text, "}}")
        }
    };
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn base64_text(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
