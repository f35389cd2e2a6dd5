//! What is said of a trace beside its spans: the same members in the same order in an export and
//! on a headless `trace` line.

use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

use super::span::DisplayJson;
use super::text::{FloatJson, TextJson};
use crate::store::{Arrival, TraceEntry};
use crate::trace::{SamplingFacts, Span, TracerInfo};

/// The `trace` line of the headless stream: how many spans, and the summary.
pub fn trace_event(trace: &TraceEntry) -> impl Serialize + '_ {
    #[derive(Serialize)]
    struct TraceEvent<'a> {
        event: &'static str,
        trace_id: DisplayJson<crate::trace::TraceId>,
        spans: usize,
        #[serde(flatten)]
        summary: TraceSummary<'a>,
    }
    TraceEvent {
        event: "trace",
        trace_id: DisplayJson(trace.trace_id()),
        spans: trace.n_spans(),
        summary: TraceSummary::new(trace),
    }
}

/// The members between `trace_id` and `spans`. Those whose part is not built yet are null.
#[derive(Serialize)]
pub(super) struct TraceSummary<'a> {
    root: TextJson<'a>,
    service: TextJson<'a>,
    resource: TextJson<'a>,
    start: i64,
    duration: i64,
    error: u8,
    complete: bool,
    outcome: (),
    arrivals: Vec<ArrivalJson>,
    tracer: Option<TracerJson<'a>>,
    container: (),
    start_kind: (),
    start_evidence: (),
    sampling: SamplingJson<'a>,
    forwarded: (),
}

impl<'a> TraceSummary<'a> {
    pub(super) fn new(trace: &'a TraceEntry) -> Self {
        let head = trace.head();
        Self {
            root: TextJson(trace.name()),
            service: TextJson(head.map(Span::service).unwrap_or_default()),
            resource: TextJson(head.map(Span::resource).unwrap_or_default()),
            start: trace.start().0,
            duration: trace.duration(),
            error: trace.is_error().into(),
            complete: trace.is_complete(),
            outcome: (),
            arrivals: trace.arrivals().iter().map(ArrivalJson::new).collect(),
            tracer: TracerJson::new(trace.tracer()),
            container: (),
            start_kind: (),
            start_evidence: (),
            sampling: SamplingJson(trace.sampling()),
            forwarded: (),
        }
    }
}

#[derive(Serialize)]
struct ArrivalJson {
    at: i64,
    via: DisplayJson<crate::trace::Via>,
    spans: u32,
}

impl ArrivalJson {
    fn new(arrival: &Arrival) -> Self {
        Self {
            at: arrival.at.0,
            via: DisplayJson(arrival.via),
            spans: arrival.n_spans,
        }
    }
}

/// Who sent a trace, in exports.
#[derive(Serialize, Deserialize)]
pub(super) struct TracerJson<'a> {
    #[serde(default)]
    language: std::borrow::Cow<'a, str>,
    #[serde(default)]
    language_version: std::borrow::Cow<'a, str>,
    #[serde(default)]
    tracer_version: std::borrow::Cow<'a, str>,
}

impl<'a> TracerJson<'a> {
    /// `None` for a tracer that says nothing.
    fn new(tracer: &'a TracerInfo) -> Option<Self> {
        (!tracer.is_empty()).then(|| Self {
            language: (&*tracer.language).into(),
            language_version: (&*tracer.language_version).into(),
            tracer_version: (&*tracer.tracer_version).into(),
        })
    }

    pub(super) fn into_tracer(self) -> TracerInfo {
        TracerInfo {
            language: self.language.into(),
            language_version: self.language_version.into(),
            tracer_version: self.tracer_version.into(),
        }
    }
}

struct SamplingJson<'a>(SamplingFacts<'a>);

impl Serialize for SamplingJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let facts = &self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("priority", &facts.priority.map(|priority| priority.0))?;
        let decision_maker = facts.decision_maker.map(|maker| TextJson(maker.0));
        map.serialize_entry("decision_maker", &decision_maker)?;
        map.serialize_entry("mechanism", &facts.mechanism().map(DisplayJson))?;
        map.serialize_entry("rule_rate", &facts.rule_rate.map(FloatJson))?;
        map.serialize_entry("agent_rate", &facts.agent_rate.map(FloatJson))?;
        map.serialize_entry("limit_rate", &facts.limit_rate.map(FloatJson))?;
        map.serialize_entry("simulated", &())?;
        map.end()
    }
}
