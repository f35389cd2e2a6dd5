//! What is said of a trace beside its spans: the same members in the same order in an export and
//! on a headless `trace` line.

use std::borrow::Cow;

use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

use super::arrival::{ArrivalJson, TextTags};
use super::span::DisplayJson;
use super::start::{LocalRootJson, StartJson};
use super::text::{FloatJson, TextJson};
use super::went::WentJson;
use crate::sampler::{AgentDecision, Redraw, Sampler, Verdict};
use crate::store::{KnownBy, Store, TraceContainer, TraceEntry};
use crate::trace::{ContainerFacts, SamplingFacts, Span, TraceId, TracerInfo};

/// The `trace` line of the headless stream: how many spans, and the summary.
pub fn trace_event<'a>(trace: &'a TraceEntry, store: &'a Store) -> impl Serialize + 'a {
    #[derive(Serialize)]
    struct TraceEvent<'a> {
        event: &'static str,
        trace_id: DisplayJson<TraceId>,
        spans: usize,
        #[serde(flatten)]
        summary: TraceSummary<'a>,
    }
    TraceEvent {
        event: "trace",
        trace_id: DisplayJson(trace.trace_id()),
        spans: trace.n_spans(),
        summary: TraceSummary::new(trace, store),
    }
}

/// The members between `trace_id` and `spans`. Those whose part is not built yet are null.
#[derive(Serialize)]
pub(super) struct TraceSummary<'a> {
    root: TextJson<'a>,
    service: TextJson<'a>,
    resource: TextJson<'a>,
    #[serde(rename = "start")]
    began: i64,
    duration: i64,
    error: u8,
    complete: bool,
    outcome: &'static str,
    arrivals: Vec<ArrivalJson<'a>>,
    tracer: Option<TracerJson<'a>>,
    container: Option<ContainerJson<'a>>,
    #[serde(flatten)]
    start: StartJson,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    local_roots: Vec<LocalRootJson<'a>>,
    sampling: SamplingJson<'a>,
    forwarded: WentJson,
    #[serde(skip_serializing_if = "WentJson::is_none")]
    forward_counted: WentJson,
}

impl<'a> TraceSummary<'a> {
    pub(super) fn new(trace: &'a TraceEntry, store: &'a Store) -> Self {
        let head = trace.head();
        Self {
            root: TextJson(trace.name()),
            service: TextJson(head.map(Span::service).unwrap_or_default()),
            resource: TextJson(head.map(Span::resource).unwrap_or_default()),
            began: trace.start().0,
            duration: trace.duration(),
            error: trace.is_error().into(),
            complete: trace.is_complete(),
            outcome: store.outcome(trace).name(),
            arrivals: trace.arrivals().iter().map(ArrivalJson::new).collect(),
            tracer: TracerJson::new(trace.tracer()),
            container: store.container(trace).map(ContainerJson::new),
            start: StartJson::of_trace(trace, store),
            local_roots: LocalRootJson::all(trace, store),
            sampling: SamplingJson(trace.sampling(), trace),
            forwarded: WentJson::new(trace.forwarded(), trace),
            forward_counted: WentJson::new(trace.counted(), trace),
        }
    }
}

/// Who sent a trace, in exports. What only some formats can say is there only if it was said.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TracerJson<'a> {
    language: Cow<'a, str>,
    language_version: Cow<'a, str>,
    tracer_version: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    container_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    runtime_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    env: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    hostname: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    app_version: Cow<'a, str>,
    #[serde(skip_serializing_if = "TextTags::is_empty")]
    tags: TextTags<'a>,
}

impl<'a> TracerJson<'a> {
    /// `None` for a tracer that says nothing.
    fn new(tracer: &'a TracerInfo) -> Option<Self> {
        (!tracer.is_empty()).then(|| Self {
            language: (&*tracer.language).into(),
            language_version: (&*tracer.language_version).into(),
            tracer_version: (&*tracer.tracer_version).into(),
            container_id: (&*tracer.container_id).into(),
            runtime_id: (&*tracer.runtime_id).into(),
            env: (&*tracer.env).into(),
            hostname: (&*tracer.hostname).into(),
            app_version: (&*tracer.app_version).into(),
            tags: TextTags::new(&tracer.tags),
        })
    }

    pub(super) fn into_tracer(self) -> TracerInfo {
        TracerInfo {
            language: self.language.into(),
            language_version: self.language_version.into(),
            tracer_version: self.tracer_version.into(),
            container_id: self.container_id.into(),
            runtime_id: self.runtime_id.into(),
            env: self.env.into(),
            hostname: self.hostname.into(),
            app_version: self.app_version.into(),
            tags: self.tags.into_tags(),
        }
    }
}

/// Members of containers that are written and not read.
pub(super) const CONTAINER_UNREAD: [&str; 1] = ["runtime_id"];

/// Where a trace ran, in exports.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ContainerJson<'a> {
    task_id: Option<Cow<'a, str>>,
    region: Option<Cow<'a, str>>,
    cloud: Option<Cow<'a, str>>,
    environment: Option<Cow<'a, str>>,
    image_id: Option<Cow<'a, str>>,
    gpu: Option<Cow<'a, str>>,
    /// Follows from the spans.
    #[serde(skip_deserializing)]
    runtime_id: Option<TextJson<'a>>,
    known_by: Cow<'a, str>,
}

impl<'a> ContainerJson<'a> {
    pub(super) fn new(container: TraceContainer<'a>) -> Self {
        let facts = container.facts;
        let text = |fact: &'a Option<Box<str>>| fact.as_deref().map(Cow::Borrowed);
        Self {
            task_id: text(&facts.task_id),
            region: text(&facts.region),
            cloud: text(&facts.cloud),
            environment: text(&facts.environment),
            image_id: text(&facts.image_id),
            gpu: text(&facts.gpu),
            runtime_id: container.runtime_id.map(TextJson),
            known_by: container.known_by.name().into(),
        }
    }

    /// What was known beside the spans; nothing, if only they said something.
    pub(super) fn into_facts(self) -> Option<(ContainerFacts, KnownBy)> {
        let known_by = KnownBy::named(&self.known_by)?;
        let text = |fact: Option<Cow<'_, str>>| fact.map(|fact| Box::from(&*fact));
        let facts = ContainerFacts {
            task_id: text(self.task_id),
            region: text(self.region),
            cloud: text(self.cloud),
            environment: text(self.environment),
            image_id: text(self.image_id),
            gpu: text(self.gpu),
            ..ContainerFacts::default()
        };
        let says_more = known_by != KnownBy::RuntimeId || facts != ContainerFacts::default();
        says_more.then_some((facts, known_by))
    }
}

struct SamplingJson<'a>(SamplingFacts<'a>, &'a TraceEntry);

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
        let verdict = self.1.verdict();
        let simulated =
            verdict.map(|verdict| SimulatedJson::new(verdict, facts, self.1.trace_id()));
        map.serialize_entry("simulated", &simulated)?;
        map.end()
    }
}

/// Members of `sampling` that are written and not read.
pub(super) const SAMPLING_UNREAD: [&str; 7] = [
    "priority",
    "decision_maker",
    "mechanism",
    "rule_rate",
    "agent_rate",
    "limit_rate",
    "reason",
];

/// What the client decided and the model makes of it, of which only the model's part is read back: the
/// rest follows from the spans.
#[derive(Deserialize)]
pub(super) struct ReadSampling {
    simulated: Option<SimulatedJson>,
}

impl ReadSampling {
    pub(super) fn into_verdict(self) -> Option<Verdict> {
        self.simulated.map(SimulatedJson::into_verdict)
    }
}

/// A verdict in exports.
#[derive(Serialize, Deserialize)]
pub(crate) struct SimulatedJson {
    kept: bool,
    /// Who keeps it in the end.
    #[serde(default)]
    by: Option<SamplerName>,
    tracer: Option<RedrawJson>,
    agent: AgentJson,
    #[serde(default, skip_deserializing)]
    reason: String,
}

#[derive(Serialize, Deserialize)]
struct RedrawJson {
    kept: bool,
    rate: f64,
}

#[derive(Serialize, Deserialize)]
struct AgentJson {
    kept: bool,
    by: Option<SamplerName>,
    rate: Option<f64>,
}

/// A sampler by its name; one that this version does not know is read as the priority sampler.
struct SamplerName(Sampler);

impl Serialize for SamplerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for SamplerName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self(name.parse().unwrap_or(Sampler::Priority)))
    }
}

impl SimulatedJson {
    pub(crate) fn new(verdict: Verdict, facts: &SamplingFacts<'_>, trace_id: TraceId) -> Self {
        let agent = verdict.agent();
        Self {
            kept: verdict.is_kept(),
            by: verdict.kept_by().map(SamplerName),
            tracer: verdict.tracer().map(|tracer| RedrawJson {
                kept: tracer.is_kept,
                rate: tracer.rate,
            }),
            agent: AgentJson {
                kept: agent.by.is_some(),
                by: agent.by.map(SamplerName),
                rate: agent.rate,
            },
            reason: verdict.reason(facts, trace_id),
        }
    }

    fn into_verdict(self) -> Verdict {
        let tracer = self.tracer.map(|tracer| Redraw {
            is_kept: tracer.kept,
            rate: tracer.rate,
        });
        let agent = AgentDecision {
            by: self.agent.by.map(|SamplerName(by)| by),
            rate: self.agent.rate,
        };
        let by = self.by.map(|SamplerName(by)| by).or(agent.by);
        let by = by.unwrap_or(Sampler::Priority);
        Verdict::new(tracer, agent, self.kept.then_some(by))
    }
}
