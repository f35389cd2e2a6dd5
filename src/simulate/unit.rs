//! Rows: one function of the Agent each, with its arguments and what it gave.

use serde_json::{Value, json};

use super::{Object, VectorError, number, text, whole};
use crate::sampler::{self, HashedId, HashedSpan, Probabilistic, Resource};
use crate::trace::TraceId;

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
    let spans = spans.ok_or(VectorError::Member {
        member: "spans",
        wanted: "a list of spans",
    })?;
    let spans: Vec<Object> = spans
        .iter()
        .filter_map(|span| span.as_object().cloned())
        .collect();
    let with_resource: Vec<u32> = hashes(&spans, env, Resource::Counts);
    let mut without = hashes(&spans, env, Resource::IsLeftOut);
    let rare = hashes(&spans, "", Resource::Counts);
    let computed_spans = (without.iter().zip(&with_resource).zip(&rare)).map(
        |((hash, with), rare)| json!({"hash": hash, "hash_with_resource": with, "rare_hash": rare}),
    );
    let computed_spans: Vec<Value> = computed_spans.collect();
    let root = usize::try_from(whole(row, "root_index")?).ok();
    let root = root.and_then(|root| with_resource.get(root));
    let root = root.ok_or(VectorError::Member {
        member: "root_index",
        wanted: "the place of a span",
    })?;
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

fn hashes(spans: &[Object], env: &str, resource: Resource) -> Vec<u32> {
    let hash = |span: &Object| sampler::of_span(&hashed_span(span), env, resource);
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
    let is_kept = full_id(row, low, sampler.id).is_some_and(|id| sampler.keeps(id));
    let mut computed = members([("kept", is_kept.into())]);
    if is_kept {
        let written = json!({"_dd.prob_sr": sampler.rate()});
        computed.insert("set_metrics".to_owned(), written);
    }
    Ok(computed)
}

fn of_members(row: &Object) -> Result<Probabilistic, VectorError> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the Agent's setting is an f32"
    )]
    let percentage = number(row, "percentage")? as f32;
    let seed = row.get("hash_seed").and_then(Value::as_u64).unwrap_or(0);
    let is_full = row.get("full_trace_id") == Some(&Value::Bool(true));
    Ok(Probabilistic {
        percentage,
        hash_seed: u32::try_from(seed).unwrap_or(u32::MAX),
        id: if is_full {
            HashedId::Full
        } else {
            HashedId::Low
        },
    })
}

/// The whole id (`probabilistic.go`, `get128BitTraceID`); `None` if a tag that should say it does not.
fn full_id(row: &Object, low: u64, id: HashedId) -> Option<TraceId> {
    let meta = row.get("meta").and_then(Value::as_object);
    let tag = |key: &str| {
        let value = meta.and_then(|meta| meta.get(key)).and_then(Value::as_str);
        value.filter(|value| !value.is_empty())
    };
    if id == HashedId::Low {
        return Some(TraceId::from_halves(0, low));
    }
    if let Some(hex) = tag("otel.trace_id") {
        return (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok().map(TraceId))?;
    }
    match tag("_dd.p.tid") {
        Some(hex) => {
            let high = u64::from_str_radix(hex, 16).ok()?;
            Some(TraceId::from_halves(high, low))
        }
        None => Some(TraceId::from_halves(0, low)),
    }
}

fn share(row: &Object) -> Result<Object, VectorError> {
    let target = number(row, "target_tps")?;
    let seen = row.get("seen_tps").and_then(Value::as_array);
    let seen = seen.into_iter().flatten().filter_map(Value::as_f64);
    let share = sampler::share(target, seen.collect());
    Ok(members([("tps_per_signature", share.into())]))
}

fn sample_by_rate(row: &Object, header: &Object) -> Result<Object, VectorError> {
    let id = whole(row, "trace_id")?;
    let rates = header.get("rates").and_then(Value::as_array);
    let rates = rates.ok_or(VectorError::Member {
        member: "rates",
        wanted: "a list of rates, in the first line",
    })?;
    let rates = rates.iter().filter_map(Value::as_f64);
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
