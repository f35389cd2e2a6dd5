//! Rows: one function of the Agent each, with its arguments and what it gave.

use serde_json::{Value, json};

use super::settings::f32_of;
use super::{Object, VectorError, number, numbers, text, whole};
use crate::sampler::{self, HashedId, HashedSpan, Probabilistic, Resource};
use crate::trace::{PayloadForm, TraceId};

/// What a row comes to, and what it says it should.
pub(super) fn line(row: &Object, header: &Object) -> Result<(Object, Object), VectorError> {
    match row.get("kind").and_then(Value::as_str) {
        Some("service") => Ok(beside(row, service(row), &["key", "signature"])),
        Some("trace") => trace(row),
        None if row.contains_key("percentage") => {
            let computed = probabilistic(row)?;
            Ok(beside(row, computed, &["kept", "set_metrics"]))
        }
        None if row.contains_key("seen_tps") => {
            Ok(beside(row, share(row)?, &["tps_per_signature"]))
        }
        None if row.contains_key("trace_id") => {
            Ok(beside(row, sample_by_rate(row, header)?, &["kept"]))
        }
        _ => Err(VectorError::Unknown),
    }
}

/// What was computed, beside those members of the row that are results.
fn beside(row: &Object, computed: Object, results: &[&str]) -> (Object, Object) {
    let expected = row
        .iter()
        .filter(|(name, _)| results.contains(&name.as_str()));
    let expected = expected.map(|(name, value)| (name.clone(), value.clone()));
    (computed, expected.collect())
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Object {
    let members = members.into_iter();
    members
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn service(row: &Object) -> Object {
    let (service, env) = (text(row, "service"), text(row, "env"));
    let signature = sampler::of_service(service, env);
    members([
        ("key", format!("service:{service},env:{env}").into()),
        ("signature", signature.0.to_string().into()),
    ])
}

fn trace(row: &Object) -> Result<(Object, Object), VectorError> {
    let env = text(row, "env");
    let spans = row.get("spans").and_then(Value::as_array);
    let spans = spans.and_then(|spans| spans.iter().map(Value::as_object).collect());
    let spans: Vec<&Object> = spans.ok_or(VectorError::member("spans", "a list of spans"))?;
    let with_resource: Vec<u32> = hashes(&spans, env, Resource::Counts);
    let mut without = hashes(&spans, env, Resource::IsLeftOut);
    let rare = hashes(&spans, "", Resource::Counts);
    let computed_spans = (without.iter().zip(&with_resource).zip(&rare)).map(
        |((hash, with), rare)| json!({"hash": hash, "hash_with_resource": with, "rare_hash": rare}),
    );
    let computed_spans: Vec<Value> = computed_spans.collect();
    let root = usize::try_from(whole(row, "root_index")?).ok();
    let root = root.and_then(|root| with_resource.get(root));
    let root = root.ok_or(VectorError::member("root_index", "the place of a span"))?;
    let signature = sampler::of_trace(*root, &mut without);
    let computed = members([
        ("signature", signature.0.to_string().into()),
        ("spans", computed_spans.into()),
    ]);
    let results = ["hash", "hash_with_resource", "rare_hash"];
    let expected_spans: Vec<Object> = spans
        .iter()
        .map(|span| beside(span, Object::new(), &results).1)
        .collect();
    let (mut computed, mut expected) = beside(row, computed, &["signature"]);
    if expected_spans.iter().all(Object::is_empty) {
        if !expected.is_empty() {
            computed.remove("spans");
        }
    } else {
        let spans = expected_spans.into_iter().map(Value::Object);
        expected.insert("spans".to_owned(), spans.collect());
    }
    Ok((computed, expected))
}

fn hashes(spans: &[&Object], env: &str, resource: Resource) -> Vec<u32> {
    let hash = |span: &&Object| sampler::of_span(&hashed_span(span), env, resource);
    spans.iter().map(hash).collect()
}

/// A span of a vector, as the hashes see it.
pub(super) fn hashed_span(span: &Object) -> HashedSpan<'_> {
    let meta = span.get("meta").and_then(Value::as_object);
    let tag = |key: &str| meta?.get(key)?.as_str();
    let error = span.get("error").and_then(Value::as_i64);
    HashedSpan {
        service: text(span, "service"),
        name: text(span, "name"),
        resource: text(span, "resource"),
        error: i32::try_from(error.unwrap_or(0)).unwrap_or(i32::MAX),
        status_code: tag("http.status_code"),
        error_type: tag("error.type"),
    }
}

fn probabilistic(row: &Object) -> Result<Object, VectorError> {
    let sampler = of_members(row)?;
    let low = whole(row, "trace_id_low")?;
    let is_kept =
        full_id(row, low, sampler.id).is_some_and(|id| sampler.keeps(id, PayloadForm::Older));
    let written = if is_kept {
        json!({"_dd.prob_sr": sampler.rate()})
    } else {
        json!({})
    };
    Ok(members([
        ("kept", is_kept.into()),
        ("set_metrics", written),
    ]))
}

fn of_members(row: &Object) -> Result<Probabilistic, VectorError> {
    let seed = match row.get("hash_seed") {
        Some(_) => whole(row, "hash_seed")?,
        None => 0,
    };
    let is_full = row.get("full_trace_id") == Some(&Value::Bool(true));
    Ok(Probabilistic {
        percentage: f32_of(number(row, "percentage")?),
        hash_seed: u32::try_from(seed).unwrap_or(u32::MAX),
        id: if is_full {
            HashedId::Full
        } else {
            HashedId::Low
        },
    })
}

/// The whole id (`probabilistic.go`, `get128BitTraceID`); `None` if a tag that should say it does not.
pub(super) fn full_id(span: &Object, low: u64, id: HashedId) -> Option<TraceId> {
    let meta = span.get("meta").and_then(Value::as_object);
    let tag = |key: &str| {
        let value = meta.and_then(|meta| meta.get(key)).and_then(Value::as_str);
        value.filter(|value| !value.is_empty())
    };
    let is_hex = |text: &&str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let high = match (id, tag("otel.trace_id"), tag("_dd.p.tid")) {
        (HashedId::Low, _, _) | (HashedId::Full, None, None) => 0,
        (HashedId::Full, Some(whole), _) => {
            let whole = Some(whole)
                .filter(|whole| whole.len() == 32)
                .filter(is_hex)?;
            return u128::from_str_radix(whole, 16).ok().map(TraceId);
        }
        (HashedId::Full, None, Some(high)) => {
            u64::from_str_radix(Some(high).filter(is_hex)?, 16).ok()?
        }
    };
    Some(TraceId::from_halves(high, low))
}

fn share(row: &Object) -> Result<Object, VectorError> {
    let target = number(row, "target_tps")?;
    let share = sampler::share(target, numbers(row, "seen_tps")?);
    Ok(members([("tps_per_signature", share.into())]))
}

fn sample_by_rate(row: &Object, header: &Object) -> Result<Object, VectorError> {
    let id = whole(row, "trace_id")?;
    let rates = numbers(header, "rates")?.into_iter();
    let kept: String = rates
        .map(|rate| {
            if sampler::is_within(id, rate) {
                '1'
            } else {
                '0'
            }
        })
        .collect();
    Ok(members([("kept", kept.into())]))
}
