//! Traffic, event by event: the samplers keep their state from line to line.

use serde_json::{Value, json};

use super::unit::hashed_span;
use super::{Object, VectorError, number, text, whole};
use crate::sampler::{
    Agent, Decision, Digest, HashedId, Probabilistic, RareSettings, RareSpan, Resource, Sampler,
    Services, Settings, Signed, SingleSpans, of_service, of_span, of_trace, sampled_priority,
    weight,
};
use crate::trace::{TraceId, UnixNanos};

/// The Agent of one file.
#[derive(Debug)]
pub(super) struct Replay {
    agent: Agent,
    services: Services,
    default_env: String,
    reads_rare: bool,
    n_seen: u64,
    n_kept: u64,
}

/// The settings that a header says, and others by default.
pub(super) fn settings(
    config: Option<&Object>,
    defaults: &Settings,
) -> Result<Settings, VectorError> {
    let mut settings = defaults.clone();
    let Some(config) = config else {
        return Ok(settings);
    };
    let fields = [
        ("target_tps", &mut settings.target_tps),
        ("error_tps", &mut settings.error_tps),
        ("extra_sample_rate", &mut settings.extra_rate),
    ];
    for (name, field) in fields {
        if config.contains_key(name) {
            *field = number(config, name)?;
        }
    }
    if config.contains_key("default_env") {
        settings.default_env = text(config, "default_env").into();
    }
    let is_on = |name: &str| config.get(name).map(|on| *on == Value::Bool(true));
    if let Some(is_on) = is_on("rare_enabled") {
        settings.rare = if is_on { Some(rare(config)?) } else { None };
    }
    if let Some(is_on) = is_on("probabilistic_enabled") {
        settings.probabilistic = if is_on {
            Some(probabilistic(config)?)
        } else {
            None
        };
    }
    Ok(settings)
}

fn rare(config: &Object) -> Result<RareSettings, VectorError> {
    let mut rare = RareSettings::default();
    if config.contains_key("rare_tps") {
        rare.tps = number(config, "rare_tps")?;
    }
    if config.contains_key("rare_cooldown_s") {
        let seconds = number(config, "rare_cooldown_s")?;
        let nanos = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
        rare.cooldown_nanos = i64::try_from(nanos.as_nanos()).unwrap_or(i64::MAX);
    }
    if config.contains_key("rare_cardinality") {
        let cardinality = whole(config, "rare_cardinality")?;
        rare.cardinality = u32::try_from(cardinality).unwrap_or(u32::MAX);
    }
    Ok(rare)
}

fn probabilistic(config: &Object) -> Result<Probabilistic, VectorError> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the Agent's setting is an f32"
    )]
    let percentage = number(config, "probabilistic_percentage")? as f32;
    let mut sampler = Probabilistic::of_percentage(percentage);
    if config.contains_key("probabilistic_hash_seed") {
        let seed = whole(config, "probabilistic_hash_seed")?;
        sampler.hash_seed = u32::try_from(seed).unwrap_or(u32::MAX);
    }
    if config.get("probabilistic_full_trace_id") == Some(&Value::Bool(true)) {
        sampler.id = HashedId::Full;
    }
    Ok(sampler)
}

impl Replay {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            agent: Agent::new(settings),
            services: Services::default(),
            default_env: settings.default_env.to_string(),
            reads_rare: settings.rare.is_some(),
            n_seen: 0,
            n_kept: 0,
        }
    }

    /// What an event comes to.
    pub(super) fn line(&mut self, line: &Object) -> Result<Object, VectorError> {
        let computed = match text(line, "op") {
            "chunk" => {
                let root = root(line)?;
                let id = trace_id(root, whole(root, "trace_id")?);
                let event = self.event(line, root, nanos(line)?, id)?;
                event.members()
            }
            "chunks" => self.batch(line)?,
            "rates" => {
                let table = self.agent.table().entries();
                let rates: Object = table
                    .map(|(key, rate)| (key.to_owned(), rate.into()))
                    .collect();
                json!({ "rates": rates })
            }
            "end" => json!({"seen": self.n_seen, "kept": self.n_kept}),
            _ => return Err(VectorError::Unknown),
        };
        match computed {
            Value::Object(members) => Ok(members),
            _ => Err(VectorError::Unknown),
        }
    }

    /// `n` equal chunks, told run by run.
    fn batch(&mut self, line: &Object) -> Result<Value, VectorError> {
        let (root, start) = (root(line)?, nanos(line)?);
        let (n, step) = (whole(line, "n")?, number(line, "dt")?);
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "whole nanoseconds between events"
        )]
        let step = step as i64;
        let ids = ids(line, n)?;
        let mut events = Vec::with_capacity(ids.len());
        for (place, id) in (0_i64..).zip(ids) {
            let at = UnixNanos(start.0.saturating_add(step.saturating_mul(place)));
            events.push(self.event(line, root, at, trace_id(root, id))?);
        }
        Ok(batch_members(&events))
    }

    fn event(
        &mut self,
        line: &Object,
        root: &Object,
        at: UnixNanos,
        id: TraceId,
    ) -> Result<Event, VectorError> {
        let digest = self.digest(line, root, at, id)?;
        let dropped = line.get("client_dropped_p0_weight").and_then(Value::as_f64);
        let decisions =
            self.agent
                .decide(&digest, None, dropped.unwrap_or(0.0), &mut self.services);
        let decision = decisions.received;
        self.n_seen += 1;
        self.n_kept += u64::from(decision.is_kept);
        Ok(Event {
            decision,
            written: decision.metric(&digest),
        })
    }

    fn digest(
        &mut self,
        line: &Object,
        root: &Object,
        at: UnixNanos,
        id: TraceId,
    ) -> Result<Digest, VectorError> {
        let said = line.get("priority").and_then(Value::as_i64);
        let said = said.and_then(|said| i32::try_from(said).ok());
        let priority = said.and_then(sampled_priority);
        let metrics = root.get("metrics").and_then(Value::as_object);
        let metric = |key: &str| metrics?.get(key)?.as_f64();
        let env = text(root, "env");
        let counted_env = if env.is_empty() {
            &self.default_env
        } else {
            env
        };
        let service = self.services.id(text(root, "service"), counted_env);
        let rates = [
            "_dd.agent_psr",
            "_dd.rule_psr",
            "_sampling_priority_rate_v1",
        ];
        let parent = match root.get("parent_id") {
            Some(_) => whole(root, "parent_id")?,
            None => 0,
        };
        Ok(Digest {
            at,
            trace_id: id,
            priority,
            service,
            asks: service,
            weight: weight(metric("_sample_rate"), metric("_dd1.sr.rapre")),
            client_rate: metric("_sample_rate").unwrap_or(1.0),
            stamps_rate: parent == 0 && rates.iter().all(|key| metric(key).is_none()),
            is_drawn: false,
            signed: Some(signed(root, env)),
            single_spans: if metric("_dd.span_sampling.mechanism").is_some() {
                SingleSpans::Some
            } else {
                SingleSpans::None
            },
            rare: if self.reads_rare {
                rare_spans(root, env).into()
            } else {
                Box::default()
            },
        })
    }
}

/// One chunk, decided.
#[derive(Clone, Copy, Debug)]
struct Event {
    decision: Decision,
    written: Option<(&'static str, f64)>,
}

impl Event {
    fn written(&self) -> Value {
        let written: Object = self
            .written
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).into()))
            .collect();
        Value::Object(written)
    }

    fn members(&self) -> Value {
        let decision = self.decision;
        let is_by = |sampler| decision.kept_by() == Some(sampler);
        let mut members = json!({
            "kept": decision.is_kept,
            "sampler": decision.by.name(),
            "rate": decision.rate,
            "priority_sampled": is_by(Sampler::Priority),
            "error_sampled": is_by(Sampler::Error),
        });
        if let Value::Object(members) = &mut members {
            if self.written.is_some() {
                members.insert("set_metrics".to_owned(), self.written());
            }
            if let Some(rate) = decision.error_rate {
                members.insert("error_rate".to_owned(), rate.into());
            }
        }
        members
    }
}

fn batch_members(events: &[Event]) -> Value {
    let kept: String = events
        .iter()
        .map(|event| if event.decision.is_kept { '1' } else { '0' })
        .collect();
    let kept = match kept.as_str() {
        all if !all.contains('0') => "all".to_owned(),
        none if !none.contains('1') => "none".to_owned(),
        _ => kept,
    };
    let rates = |rate: fn(&Event) -> Option<f64>| runs(events, |event| json!(rate(event)));
    let mut members = json!({
        "kept": kept,
        "sampler": runs(events, |event| event.decision.by.name().into()),
        "rate": rates(|event| event.decision.rate),
        "set_metrics": runs(events, Event::written),
    });
    let asked = |event: &Event| event.decision.error_rate.is_some();
    if let Value::Object(members) = &mut members
        && events.iter().any(asked)
    {
        let error_rates = rates(|event| event.decision.error_rate);
        members.insert("error_rate".to_owned(), error_rates);
    }
    members
}

/// `[[first place, value], …]`: a value holds until the next place.
fn runs(events: &[Event], value: impl Fn(&Event) -> Value) -> Value {
    let mut runs: Vec<(usize, Value)> = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let value = value(event);
        if runs.last().is_none_or(|(_, last)| *last != value) {
            runs.push((place, value));
        }
    }
    json!(runs)
}

fn root(line: &Object) -> Result<&Object, VectorError> {
    let root = line.get("root").and_then(Value::as_object);
    root.ok_or(VectorError::Member {
        member: "root",
        wanted: "a span",
    })
}

fn nanos(line: &Object) -> Result<UnixNanos, VectorError> {
    let at = line.get("t").and_then(Value::as_i64);
    at.map(UnixNanos).ok_or(VectorError::Member {
        member: "t",
        wanted: "nanoseconds since 1970",
    })
}

/// The whole id of a chunk whose root says the high half.
fn trace_id(root: &Object, low: u64) -> TraceId {
    let meta = root.get("meta").and_then(Value::as_object);
    let high = meta
        .and_then(|meta| meta.get("_dd.p.tid"))
        .and_then(Value::as_str);
    let high = high.and_then(|hex| u64::from_str_radix(hex, 16).ok());
    TraceId::from_halves(high.unwrap_or(0), low)
}

fn ids(line: &Object, n: u64) -> Result<Vec<u64>, VectorError> {
    if let Some(ids) = line.get("trace_ids").and_then(Value::as_array) {
        let read = |id: &Value| match id {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let ids: Option<Vec<u64>> = ids.iter().map(read).collect();
        return ids.ok_or(VectorError::Member {
            member: "trace_ids",
            wanted: "a list of ids as texts",
        });
    }
    let (first, step) = (
        whole(line, "trace_id_first")?,
        whole(line, "trace_id_step")?,
    );
    Ok((0..n)
        .map(|place| first.wrapping_add(step.wrapping_mul(place)))
        .collect())
}

fn signed(root: &Object, env: &str) -> Signed {
    let span = hashed_span(root);
    let mut spans = [of_span(&span, env, Resource::IsLeftOut)];
    Signed {
        signature: of_trace(of_span(&span, env, Resource::Counts), &mut spans),
        is_error: span.error != 0,
    }
}

fn rare_spans(root: &Object, env: &str) -> Vec<RareSpan> {
    let metrics = root.get("metrics").and_then(Value::as_object);
    let marks = ["_top_level", "_dd.top_level", "_dd.measured"];
    let is_looked_at = marks.iter().any(|mark| {
        let metric = metrics.and_then(|metrics| metrics.get(*mark));
        metric.and_then(Value::as_f64) == Some(1.0)
    });
    let span = hashed_span(root);
    is_looked_at
        .then(|| RareSpan {
            service: of_service(env, span.service),
            hash: of_span(&span, "", Resource::Counts),
        })
        .into_iter()
        .collect()
}
