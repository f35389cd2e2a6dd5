//! What a client says of itself while it runs: the JSON of instrumentation telemetry, of which only
//! the counts of spans and chunks are read. What cannot be read is counted and ignored: no client is
//! told of it.
//!
//! After what ddtrace 4.1.2 and 4.16.0 send, and `libdd-telemetry/src/data` in `DataDog/libdatadog`.

use crate::json::{Kind, Raw};
use crate::stats::{COUNT_MAX, ClientTelemetry, StatsSource, TelemetrySums, kept_text};

/// A body larger than this is not looked at: with 250 settings in it, one has 30 kB.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Reads a body.
pub(crate) fn read(body: &[u8]) -> ClientTelemetry {
    let text = std::str::from_utf8(body).ok();
    let text = text.filter(|text| text.len() <= BODY_BYTES_MAX);
    let Some(message) = text.and_then(|text| Raw::whole(text).ok()) else {
        return ClientTelemetry::unreadable();
    };
    if message.kind() != Kind::Object {
        return ClientTelemetry::unreadable();
    }
    let mut telemetry = ClientTelemetry {
        source: source(message),
        ..ClientTelemetry::default()
    };
    take(message, &mut telemetry);
    telemetry
}

/// Who says it. The parts of a batch say it once, around them.
fn source(message: Raw<'_>) -> StatsSource {
    let text = |value: Option<Raw<'_>>| {
        let text = value.and_then(Raw::string).unwrap_or_default();
        Box::from(&*kept_text(text.as_bytes()))
    };
    let application = message.get("application");
    let said = |key| text(application.and_then(|it| it.get(key)));
    StatsSource {
        service: said("service_name"),
        env: said("env"),
        version: said("service_version"),
        runtime_id: text(message.get("runtime_id")),
        language: said("language_name"),
        tracer_version: said("tracer_version"),
    }
}

fn take(message: Raw<'_>, telemetry: &mut ClientTelemetry) {
    match (request_type(message).as_deref(), message.get("payload")) {
        (Some("message-batch"), Some(parts)) if parts.kind() == Kind::Array => {
            for part in parts.items() {
                take_part(part, telemetry);
            }
        }
        (Some("message-batch"), _) => telemetry.n_unreadable += 1,
        _ => take_part(message, telemetry),
    }
}

fn request_type(message: Raw<'_>) -> Option<std::borrow::Cow<'_, str>> {
    message.get("request_type")?.string()
}

fn take_part(message: Raw<'_>, telemetry: &mut ClientTelemetry) {
    match request_type(message).as_deref() {
        Some("generate-metrics") => {}
        Some(_) => return,
        None => {
            telemetry.n_unreadable += 1;
            return;
        }
    }
    let series = message.get("payload").and_then(|it| it.get("series"));
    let Some(series) = series.filter(|series| series.kind() == Kind::Array) else {
        telemetry.n_unreadable += 1;
        return;
    };
    for one in series.items() {
        if take_series(one, &mut telemetry.sums).is_none() {
            telemetry.n_unreadable += 1;
        }
    }
}

/// Adds a series of counts that is one of ours. Nothing if it cannot be read.
fn take_series(series: Raw<'_>, sums: &mut TelemetrySums) -> Option<()> {
    let metric = series.get("metric")?.string()?;
    let namespace = series.get("namespace").and_then(Raw::string);
    if namespace.is_some_and(|namespace| namespace != "tracers") {
        return Some(());
    }
    let Some(sum) = sums.by_metric(&metric) else {
        return Some(());
    };
    let points = series.get("points")?;
    if points.kind() != Kind::Array {
        return None;
    }
    for point in points.items() {
        let value: f64 = point.items().nth(1)?.number()?.parse().ok()?;
        *sum = sum.saturating_add(super::stats::rounded(value).min(COUNT_MAX));
    }
    Some(())
}

#[cfg(test)]
mod tests;
