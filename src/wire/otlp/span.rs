//! One span of OTLP to one of Datadog's: `OtelSpanToDDSpan` in `pkg/trace/transform/transform.go` of
//! `DataDog/datadog-agent`, step by step in its order, since what is set first stays.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span, Status};

use super::attributes::{self, Lookup, find, id, id_64, number, text, value};
use super::resource::{Resource, resource_tags, scope_tags};
use super::tags::{Inherited, Tags, write_meta};
use super::{Decision, names, written};
use crate::trace::{ChunkBuilder, Field, TooLarge, TraceId, tag};

const STATUS_CODE: &str = "http.status_code";
const RESPONSE_STATUS_CODE: &str = "http.response.status_code";
const GRPC_STATUS_CODE: &str = "rpc.grpc.status_code";
const SAMPLE_RATE: &str = "_sample_rate";

/// The spans of one resource on their way into chunks.
#[derive(Debug)]
pub(super) struct Mapping<'a> {
    pub(super) resource: Resource<'a>,
    resource_tags: Inherited<'a>,
    scopes: Vec<Inherited<'a>>,
    /// The tags of the span at hand; kept for their room.
    meta: Tags<'a, Cow<'a, str>>,
    metrics: Tags<'a, f64>,
    /// The number of the chunk at hand, from 1.
    chunk: u32,
}

impl<'a> Mapping<'a> {
    pub(super) fn new(resource_spans: &'a ResourceSpans) -> Self {
        let resource = resource_spans.resource.as_ref();
        let scopes = resource_spans.scope_spans.iter();
        let mut mapping = Self {
            resource: Resource::new(resource),
            resource_tags: resource_tags(resource),
            scopes: scopes
                .map(|spans| scope_tags(spans.scope.as_ref()))
                .collect(),
            meta: Tags::default(),
            metrics: Tags::default(),
            chunk: 1,
        };
        mapping.name_database();
        mapping
    }

    /// Where a resource names a database's namespace and no name, its spans get the one as the other.
    fn name_database(&mut self) {
        if self.resource_tags.get("db.name").is_none()
            && let Some(namespace) = self.resource.text("db.namespace")
        {
            let namespace = namespace.to_owned();
            self.resource_tags.set("db.name", namespace);
        }
    }

    /// A new chunk begins.
    pub(super) fn end_chunk(&mut self) {
        self.chunk = self.chunk.wrapping_add(1).max(1);
    }

    /// Adds a span to the chunk that is built. The first says what is said once a chunk.
    pub(super) fn write(
        &mut self,
        span: &'a Span,
        scope: usize,
        first: Option<Decision>,
        builder: &mut ChunkBuilder,
    ) -> Result<(), TooLarge> {
        builder.begin_span()?;
        self.meta.clear();
        self.metrics.clear();
        let lookup = Lookup {
            span: &span.attributes,
            resource: &self.resource,
        };
        write_fields(span, &lookup, builder)?;
        let mut tagging = Tagging {
            span,
            lookup,
            meta: &mut self.meta,
            metrics: &mut self.metrics,
        };
        tagging.first(first);
        tagging.before_attributes();
        tagging.attributes();
        tagging.after_attributes();
        let none = &mut Inherited::default();
        let scope = self.scopes.get_mut(scope).unwrap_or(none);
        write_meta(
            &self.meta,
            &mut self.resource_tags,
            scope,
            (self.chunk, builder),
        )?;
        self.metrics.write(builder)
    }
}

fn write_fields(
    span: &Span,
    lookup: &Lookup<'_>,
    builder: &mut ChunkBuilder,
) -> Result<(), TooLarge> {
    let texts = [
        (Field::Service, names::service(lookup)),
        (Field::Name, names::operation(span, lookup)),
        (Field::Resource, names::resource(span, lookup)),
        (Field::Type, names::span_type(span, lookup)),
    ];
    for (field, text) in texts {
        let text = builder.field_text(field, text.as_bytes())?;
        builder.set_text(field, text);
    }
    let duration = span
        .end_time_unix_nano
        .wrapping_sub(span.start_time_unix_nano);
    let numbers = [
        (Field::TraceId, id_64(&span.trace_id)),
        (Field::SpanId, id_64(&span.span_id)),
        (Field::ParentId, id_64(&span.parent_span_id)),
        (Field::Start, span.start_time_unix_nano),
        (Field::Duration, duration),
        (Field::Error, u64::from(is_error(span))),
    ];
    for (field, bits) in numbers {
        builder.set_number(field, bits);
    }
    Ok(())
}

fn is_error(span: &Span) -> bool {
    span.status
        .as_ref()
        .is_some_and(|status| status.code() == StatusCode::Error)
}

/// The tags of one span.
struct Tagging<'a, 't> {
    span: &'a Span,
    lookup: Lookup<'t>,
    meta: &'t mut Tags<'a, Cow<'a, str>>,
    metrics: &'t mut Tags<'a, f64>,
}

impl<'a> Tagging<'a, '_> {
    /// What v0.4 says once a chunk, on its first span: the high half of the trace's id, which the
    /// Agent leaves to `otel.trace_id`, and who decided about it. What the client says of either goes
    /// before what the receiver would.
    fn first(&mut self, first: Option<Decision>) {
        let Some(decision) = first else {
            return;
        };
        let high = TraceId(id(&self.span.trace_id)).high();
        if high != 0 {
            self.meta
                .set(tag::TRACE_ID_HIGH, format!("{high:016x}").into());
        }
        let is_said = find(&self.span.attributes, tag::DECISION_MAKER).is_some();
        if decision.priority > 0 && !is_said {
            self.meta.set(tag::DECISION_MAKER, decision.maker.into());
        }
    }

    /// `otelSpanToDDSpanMinimal`.
    fn before_attributes(&mut self) {
        self.meta
            .set(tag::SPAN_KIND, names::kind_name(self.span).into());
        if let Some(code) = self.http_status_code().filter(|code| *code >= 0) {
            self.metrics.set(STATUS_CODE, code as f64);
        }
        if let Some(code) = self.grpc_status_code() {
            self.meta.set(GRPC_STATUS_CODE, code.into());
        }
        if self.lookup.whole(tag::MEASURED) == Some(1) {
            self.metrics.set(tag::MEASURED, 1.0);
        }
        let rate = find(&self.span.attributes, SAMPLE_RATE).and_then(number);
        let trace_state = &*self.span.trace_state;
        if let Some(rate) = rate.or_else(|| sample_rate(trace_state)) {
            self.metrics.set(SAMPLE_RATE, rate);
        }
        if !trace_state.is_empty() {
            self.meta.set("w3c.tracestate", trace_state.into());
        }
    }

    /// `ConceptHTTPStatusCode`: as a number or as text, by its old name or its new one.
    fn http_status_code(&self) -> Option<i64> {
        [STATUS_CODE, RESPONSE_STATUS_CODE].iter().find_map(|key| {
            self.lookup.whole(key).or_else(|| {
                let text = self.lookup.text(&[key])?;
                text.parse().ok()
            })
        })
    }

    /// `ConceptGRPCStatusCode`.
    fn grpc_status_code(&self) -> Option<String> {
        const KEYS: [&str; 4] = [
            GRPC_STATUS_CODE,
            "grpc.code",
            "rpc.grpc.status.code",
            "grpc.status.code",
        ];
        let code = self.lookup.text(&KEYS).or_else(|| {
            let system = self.lookup.text(&["rpc.system.name", "rpc.system"])?;
            let code = self.lookup.text(&["rpc.response.status_code"])?;
            (system == "grpc").then_some(code)
        });
        code.map(Cow::into_owned)
    }

    /// Numbers become metrics, everything else text: `conditionallyMapOTLPAttributeTo…`.
    fn attributes(&mut self) {
        for attribute in &self.span.attributes {
            let Some(key) = attributes::tag_key(&attribute.key) else {
                continue;
            };
            let said = value(attribute);
            if let Some(number) = said.and_then(number) {
                match key {
                    Cow::Borrowed(key) => {
                        self.metrics
                            .set_if_absent(attributes::metric_key(key), number);
                    }
                    Cow::Owned(key) => self.metrics.set_if_absent(key, number),
                }
            } else if key == "analytics.event" {
                self.analytics_event(said);
            } else {
                self.meta
                    .set_if_empty(key, said.map(text).unwrap_or_default());
            }
        }
    }

    fn analytics_event(&mut self, said: Option<&Value>) {
        // What Go takes for a truth value.
        let rate = match &*said.map(text).unwrap_or_default() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => 1.0,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => 0.0,
            _ => return,
        };
        self.metrics.set_if_absent("_dd1.sr.eausr", rate);
    }

    fn after_attributes(&mut self) {
        let span = self.span;
        let trace_id = format!("{:032x}", id(&span.trace_id));
        self.meta.set("otel.trace_id", trace_id.into());
        if let Some(version) = self.lookup.tag_value(&["service.version"]) {
            self.meta.set_if_absent("version", version.into());
        }
        if !span.events.is_empty() {
            let json = written::events(&span.events);
            self.meta.set(tag::SPAN_EVENTS_JSON, json.into());
        }
        if span.events.iter().any(|event| event.name == EXCEPTION) {
            self.meta
                .set("_dd.span_events.has_exception", "true".into());
        }
        if !span.links.is_empty() {
            let json = written::links(&span.links);
            self.meta.set(tag::SPAN_LINKS_JSON, json.into());
        }
        self.status(span.status.as_ref());
        let environment = self
            .lookup
            .tag_value(&["deployment.environment.name", "deployment.environment"]);
        if let Some(environment) = environment {
            self.meta.set_if_absent("env", environment.into());
        }
        if let Some(Value::StringValue(namespace)) = find(&span.attributes, "db.namespace")
            && !namespace.is_empty()
            && self.lookup.resource.find("db.name").is_none()
        {
            self.meta.set_if_absent("db.name", namespace.into());
        }
    }

    fn status(&mut self, status: Option<&'a Status>) {
        let code = status.map_or(StatusCode::Unset, Status::code);
        let name = match code {
            StatusCode::Unset => "Unset",
            StatusCode::Ok => "Ok",
            StatusCode::Error => "Error",
        };
        self.meta.set("otel.status_code", name.into());
        let message = status.map_or("", |status| &*status.message);
        if !message.is_empty() {
            self.meta.set("otel.status_description", message.into());
        }
        if code == StatusCode::Error {
            self.exception();
            if let Some(message) = self.error_message(message) {
                self.meta.set_if_absent(tag::ERROR_MSG, message);
            }
        }
    }

    /// What the last exception says of itself. Agents did so until 7.74; newer ones leave it to the
    /// tag `events`, where no eye finds it.
    fn exception(&mut self) {
        const TAGS: [(&str, &str); 3] = [
            ("exception.message", tag::ERROR_MSG),
            ("exception.type", tag::ERROR_TYPE),
            ("exception.stacktrace", tag::ERROR_STACK),
        ];
        let is_exception = |event: &&Event| event.name.eq_ignore_ascii_case(EXCEPTION);
        for event in self.span.events.iter().rev().filter(is_exception) {
            for (key, tag) in TAGS {
                if let Some(said) = find(&event.attributes, key) {
                    self.meta.set_if_absent(tag, text(said));
                }
            }
        }
    }

    /// `Status2Error`: the status's own words, else those of the HTTP status.
    fn error_message(&self, message: &'a str) -> Option<Cow<'a, str>> {
        if !message.is_empty() {
            return Some(message.into());
        }
        let keys = [STATUS_CODE, RESPONSE_STATUS_CODE];
        let code = keys.iter().find_map(|key| self.meta.get(key))?;
        let known = code
            .parse()
            .ok()
            .and_then(|code| hyper::StatusCode::from_u16(code).ok());
        match known.and_then(|known| known.canonical_reason()) {
            Some(reason) => Some(format!("{code} {reason}").into()),
            None => Some(code.clone()),
        }
    }
}

const EXCEPTION: &str = "exception";

/// The head sampler's probability in a W3C trace state, by either of OpenTelemetry's ways to write
/// it: `samplingProbFromTracestate` in `pkg/trace/transform/sampling.go`.
fn sample_rate(trace_state: &str) -> Option<f64> {
    let mut members = trace_state.split(',').map(str::trim);
    let ours = members.find_map(|member| member.strip_prefix("ot="))?;
    let said = |name: &str| ours.split(';').find_map(|pair| pair.strip_prefix(name));
    let threshold = said("th:").filter(|hex| {
        let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (1..=14).contains(&hex.len()) && hex.bytes().all(is_hex)
    });
    if let Some(hex) = threshold {
        let threshold = u64::from_str_radix(&format!("{hex:0<14}"), 16).ok()?;
        let all = 1_u64 << 56;
        return Some(all.saturating_sub(threshold) as f64 / all as f64);
    }
    let power: i32 = said("p:")?.parse().ok()?;
    (0..63).contains(&power).then(|| 2_f64.powi(-power))
}
