//! Attributes as the Agent reads them: any value as text or as a number, and lookups in which the
//! span goes before its resource.
//!
//! After `Value.AsString` in `pdata/pcommon/value.go` of `open-telemetry/opentelemetry-collector`,
//! and `pkg/trace/semantics/lookup.go` of `DataDog/datadog-agent`.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::resource::Resource;

/// Keys that become fields of the span and no tags: `isDatadogAPMConventionKey` in
/// `pkg/trace/transform/transform.go`.
const FIELD_KEYS: [&str; 4] = [
    "service.name",
    "operation.name",
    "resource.name",
    "span.type",
];

/// Keys that Datadog has another name for: `HTTPMappings` in
/// `pkg/opentelemetry-mapping-go/otlp/attributes/attributes.go`.
const HTTP_KEYS: [(&str, &str); 11] = [
    ("client.address", "http.client_ip"),
    ("http.response.body.size", "http.response.content_length"),
    ("http.response.status_code", "http.status_code"),
    ("http.request.body.size", "http.request.content_length"),
    ("http.request.header.referrer", "http.referrer"),
    ("http.request.method", "http.method"),
    ("http.route", "http.route"),
    ("network.protocol.version", "http.version"),
    ("server.address", "http.server_name"),
    ("url.full", "http.url"),
    ("user_agent.original", "http.useragent"),
];

const REQUEST_HEADER: &str = "http.request.header.";

/// The name of an attribute's tag; none for what becomes a field. `GetDDKeyForOTLPAttribute`.
pub(super) fn tag_key(key: &str) -> Option<Cow<'_, str>> {
    if let Some((_, mapped)) = HTTP_KEYS.iter().find(|(name, _)| *name == key) {
        return Some(Cow::Borrowed(mapped));
    }
    if let Some(header) = key.strip_prefix(REQUEST_HEADER) {
        return Some(Cow::Owned(format!("http.request.headers.{header}")));
    }
    (!FIELD_KEYS.contains(&key)).then_some(Cow::Borrowed(key))
}

/// An id from its bytes, which are as many as they must be, or none.
pub(super) fn id(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |id, byte| id << 8 | u128::from(*byte))
}

/// The low half of such an id.
pub(super) fn id_64(bytes: &[u8]) -> u64 {
    crate::trace::TraceId(id(bytes)).low()
}

/// The value of an attribute with a key: the first, should it have come twice.
pub(super) fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    value(found?)
}

/// What an attribute says, if it says anything.
pub(super) fn value(attribute: &KeyValue) -> Option<&Value> {
    attribute.value.as_ref()?.value.as_ref()
}

/// The number in a value.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::IntValue(int) => Some(*int as f64),
        Value::DoubleValue(double) => Some(*double),
        _ => None,
    }
}

/// The whole number in a value; what is behind a point is cut off.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::IntValue(int) => Some(*int),
        #[expect(clippy::cast_possible_truncation, reason = "saturates, as a code may")]
        Value::DoubleValue(double) => Some(*double as i64),
        _ => None,
    }
}

/// The priority that a span names: the first of the attributes that become
/// `_sampling_priority_v1`.
pub(super) fn span_priority(span: &Span) -> Option<i32> {
    let named = |attribute: &&KeyValue| metric_key(&attribute.key) == PRIORITY;
    let mut said = span.attributes.iter().filter(named).filter_map(value);
    let priority = said.find_map(number)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; a priority is small"
    )]
    Some(priority as i32)
}

const PRIORITY: &str = "_sampling_priority_v1";

/// The name of a number's tag: `SetMetricOTLP`.
pub(super) fn metric_key(key: &str) -> &str {
    match key {
        "sampling.priority" => PRIORITY,
        key => key,
    }
}

/// Any value as text: what is not text in itself as JSON has it.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::StringValue(text) => Cow::Borrowed(text),
        Value::BoolValue(bool) => Cow::Borrowed(if *bool { "true" } else { "false" }),
        Value::IntValue(int) => Cow::Owned(int.to_string()),
        Value::DoubleValue(double) => Cow::Owned(double_text(*double)),
        Value::BytesValue(bytes) => Cow::Owned(STANDARD.encode(bytes)),
        Value::ArrayValue(_) | Value::KvlistValue(_) => {
            let mut json = String::new();
            write_json(Some(value), &mut json);
            Cow::Owned(json)
        }
        // A place in a table that only profiles have.
        Value::StringValueStrindex(_) => Cow::Borrowed(""),
    }
}

/// The shortest text that is this number, as Go and JavaScript write it: exponents only where the
/// digits would not end.
fn double_text(double: f64) -> String {
    let magnitude = double.abs();
    if magnitude != 0.0 && double.is_finite() && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{double:e}");
        return if magnitude < 1.0 {
            text
        } else {
            text.replace('e', "e+")
        };
    }
    match double {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        double => double.to_string(),
    }
}

/// Writes a value as JSON. It calls itself as deep as the messages nest, which their readers bound.
/// What JSON has no number for becomes text, where the Agent gives up the whole value.
pub(super) fn write_json(value: Option<&Value>, json: &mut String) {
    match value {
        None => json.push_str("null"),
        Some(Value::BoolValue(_) | Value::IntValue(_)) => {
            json.push_str(&value.map(text).unwrap_or_default());
        }
        Some(Value::DoubleValue(double)) if double.is_finite() => {
            json.push_str(&double_text(*double));
        }
        Some(Value::ArrayValue(array)) => {
            json.push('[');
            for (index, item) in array.values.iter().enumerate() {
                separate(index, json);
                write_json(item.value.as_ref(), json);
            }
            json.push(']');
        }
        Some(Value::KvlistValue(list)) => write_attributes(&list.values, json),
        Some(other) => write_text(&text(other), json),
    }
}

/// Writes attributes as a JSON object.
pub(super) fn write_attributes(attributes: &[KeyValue], json: &mut String) {
    json.push('{');
    for (index, attribute) in attributes.iter().enumerate() {
        separate(index, json);
        write_text(&attribute.key, json);
        json.push(':');
        write_json(value(attribute), json);
    }
    json.push('}');
}

fn separate(index: usize, json: &mut String) {
    if index > 0 {
        json.push(',');
    }
}

/// Writes a JSON string.
pub(super) fn write_text(text: &str, json: &mut String) {
    // A value's own `Display` writes JSON, and a string takes everything.
    let _infallible = write!(json, "{}", serde_json::Value::from(text));
}

/// Where a span looks for what its attributes mean: in its own first, then in its resource's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup<'r> {
    pub(super) span: &'r [KeyValue],
    pub(super) resource: &'r Resource<'r>,
}

impl<'r> Lookup<'r> {
    /// The text of the first key that says something.
    pub(super) fn text(&self, keys: &[&str]) -> Option<Cow<'r, str>> {
        keys.iter().find_map(|key| {
            let own = find(self.span, key).map(text);
            let own = own.filter(|text| !text.is_empty());
            own.or_else(|| self.resource.text(key).map(Cow::Borrowed))
        })
    }

    /// The same as the value of a tag.
    pub(super) fn tag_value(&self, keys: &[&str]) -> Option<String> {
        let value = tag_value(&self.text(keys)?);
        (!value.is_empty()).then_some(value)
    }

    /// The whole number under a key; not from text.
    pub(super) fn whole(&self, key: &str) -> Option<i64> {
        let own = find(self.span, key).and_then(whole);
        own.or_else(|| self.resource.find(key).and_then(whole))
    }
}

/// Characters of a tag's value that are kept.
const TAG_VALUE_CHARS_MAX: usize = 200;
/// Characters of a text that are looked at for them.
const TAG_VALUE_CHARS_READ: usize = 4096;

/// `NormalizeTagValue` in `pkg/trace/traceutil/normalize`: letters in lower case, digits, `:`, `.`,
/// `/` and `-` stay, anything else is one `_`.
pub(super) fn tag_value(text: &str) -> String {
    let mut value = String::new();
    let mut n_chars = 0;
    for char in text.chars().take(TAG_VALUE_CHARS_READ) {
        if n_chars == TAG_VALUE_CHARS_MAX {
            break;
        }
        if char.is_alphabetic() {
            value.extend(char.to_lowercase());
        } else if char.is_ascii_digit() || matches!(char, ':' | '.' | '/' | '-') {
            value.push(char);
        } else if value.ends_with('_') {
            continue;
        } else {
            value.push('_');
        }
        n_chars += 1;
    }
    value.truncate(value.trim_end_matches('_').len());
    value
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValueList};

    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "the rows below read better")]
    fn check_text(value: Value, expect: &str) {
        assert_eq!(text(&value), expect);
    }

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue {
            key: key.to_owned(),
            value: Some(any(value)),
            key_strindex: 0,
        }
    }

    #[test]
    fn every_value_has_a_text() {
        check_text(Value::StringValue("a\"b".into()), "a\"b");
        check_text(Value::BoolValue(true), "true");
        check_text(Value::IntValue(i64::MIN), "-9223372036854775808");
        check_text(Value::DoubleValue(1.0), "1");
        check_text(Value::DoubleValue(0.1), "0.1");
        check_text(Value::DoubleValue(1e21), "1e+21");
        check_text(Value::DoubleValue(1e20), "100000000000000000000");
        check_text(Value::DoubleValue(-1.5e-7), "-1.5e-7");
        check_text(Value::DoubleValue(f64::NAN), "NaN");
        check_text(Value::DoubleValue(f64::INFINITY), "+Inf");
        check_text(Value::BytesValue(vec![0xff, 0]), "/wA=");
        let array = ArrayValue {
            values: vec![
                any(Value::StringValue("a\"\n".into())),
                any(Value::IntValue(1)),
                any(Value::DoubleValue(f64::NAN)),
                AnyValue { value: None },
            ],
        };
        check_text(Value::ArrayValue(array), r#"["a\"\n",1,"NaN",null]"#);
        let list = KeyValueList {
            values: vec![
                pair("a", Value::BoolValue(false)),
                pair("b", Value::BytesValue(vec![1])),
            ],
        };
        check_text(Value::KvlistValue(list), r#"{"a":false,"b":"AQ=="}"#);
    }

    #[test]
    fn tags_are_named_as_datadog_names_them() {
        let check = |key: &str, expect: Option<&str>| {
            assert_eq!(tag_key(key).as_deref(), expect, "{key}");
        };
        check("http.request.method", Some("http.method"));
        check("url.full", Some("http.url"));
        check("http.request.header.referrer", Some("http.referrer"));
        check("http.request.header.x-a", Some("http.request.headers.x-a"));
        check("db.system", Some("db.system"));
        check("service.name", None);
        check("span.type", None);
    }

    #[test]
    fn values_of_tags_are_written_as_the_agent_writes_them() {
        let check = |text: &str, expect: &str| assert_eq!(tag_value(text), expect, "{text}");
        check("PostgreSQL", "postgresql");
        check("Other SQL!", "other_sql");
        check("  a  b__c ", "_a_b_c");
        check("1.2.3-rc/É:x", "1.2.3-rc/é:x");
        check("!!!", "");
        check(&"a".repeat(300), &"a".repeat(200));
        check(&"!".repeat(100_000), "");
    }
}
