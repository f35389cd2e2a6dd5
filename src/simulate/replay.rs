//! Traffic, event by event: the samplers keep their state from line to line.

use serde_json::{Value, json};

use super::unit::{full_id, hashed_span};
use super::{Object, VectorError, number, read_whole, text, whole};
use crate::sampler::{
    Agent, Decision, Digest, HashedId, RareSpan, Resource, Sampler, Services, Settings, Signed,
    SingleSpans, of_service, of_span, of_trace, sampled_priority, weight,
};
use crate::trace::{PayloadForm, SamplingPriority, TraceId, UnixNanos};

/// More events do not come in five seconds, and a line that names more would take long.
const EVENTS_MAX: u64 = 1_000_000;

/// The Agent of one file.
#[derive(Debug)]
pub(super) struct Replay {
    agent: Agent,
    services: Services,
    settings: Settings,
    n_seen: u64,
    n_kept: u64,
}

impl Replay {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            agent: Agent::new(&settings),
            services: Services::default(),
            settings,
            n_seen: 0,
            n_kept: 0,
        }
    }

    /// What an event comes to.
    pub(super) fn line(&mut self, line: &Object) -> Result<Object, VectorError> {
        let computed = match text(line, "op") {
            "chunk" => {
                let chunk = Chunk::read(line)?;
                let id = chunk.root.get("trace_id");
                let id = id.and_then(|id| chunk.id(id)).ok_or(ID)?;
                let mut digest = self.digest(&chunk);
                digest.trace_id = id;
                self.event(&chunk, &digest).members()
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
        let chunk = Chunk::read(line)?;
        let step = nanos(line, "dt")?;
        let ids = Ids::read(line)?;
        let mut digest = self.digest(&chunk);
        let mut runs = Runs::default();
        for place in 0..ids.n {
            digest.trace_id = ids.get(place).and_then(|id| chunk.id(&id)).ok_or(ID)?;
            runs.add(&self.event(&chunk, &digest));
            digest.at = UnixNanos(digest.at.0.saturating_add(step));
        }
        Ok(runs.members())
    }

    fn event(&mut self, chunk: &Chunk<'_>, digest: &Digest) -> Event {
        let dropped = chunk.dropped_weight;
        let services = &mut self.services;
        let decision = self.agent.decide(digest, None, dropped, services).received;
        self.n_seen += 1;
        self.n_kept += u64::from(decision.is_kept);
        let written = decision.metric(digest);
        Event {
            decision,
            rate: match self.settings.probabilistic {
                // It counts for no other sampler, whose rates stay as they are.
                Some(_) => digest
                    .priority
                    .map(|_| self.agent.rate(services.signature(digest.service))),
                None => decision.rate,
            },
            // What the root says already is no news.
            written: written.filter(|(key, value)| chunk.metric(key) != Some(*value)),
        }
    }

    /// All but the trace.
    fn digest(&mut self, chunk: &Chunk<'_>) -> Digest {
        let env = chunk.env;
        let counted_env = if env.is_empty() {
            &self.settings.default_env
        } else {
            env
        };
        let service = self.services.id(text(chunk.root, "service"), counted_env);
        let rates = [
            "_dd.agent_psr",
            "_dd.rule_psr",
            "_sampling_priority_rate_v1",
        ];
        Digest {
            at: chunk.at,
            trace_id: TraceId::default(),
            form: PayloadForm::Older,
            priority: chunk.priority,
            service,
            asks: service,
            weight: weight(chunk.metric("_sample_rate"), chunk.metric("_dd1.sr.rapre")),
            client_rate: chunk.metric("_sample_rate").unwrap_or(1.0),
            stamps_rate: chunk.parent == 0 && rates.iter().all(|key| chunk.metric(key).is_none()),
            is_drawn: false,
            signed: Some(signed(chunk.root, env)),
            // Vectors end where the samplers do, before single spans are looked for.
            single_spans: SingleSpans::None,
            rare: match self.settings.rare {
                Some(_) => rare_spans(chunk).into(),
                None => Box::default(),
            },
        }
    }
}

/// A chunk as a line tells it.
#[derive(Debug)]
struct Chunk<'a> {
    root: &'a Object,
    env: &'a str,
    at: UnixNanos,
    priority: Option<SamplingPriority>,
    parent: u64,
    dropped_weight: f64,
}

impl<'a> Chunk<'a> {
    fn read(line: &'a Object) -> Result<Self, VectorError> {
        let root = line.get("root").and_then(Value::as_object);
        let root = root.ok_or(VectorError::member("root", "a span"))?;
        Ok(Self {
            root,
            env: text(root, "env"),
            at: UnixNanos(nanos(line, "t")?),
            priority: priority(line)?,
            parent: match root.get("parent_id") {
                Some(_) => whole(root, "parent_id")?,
                None => 0,
            },
            dropped_weight: match line.get("client_dropped_p0_weight") {
                None | Some(Value::Null) => 0.0,
                Some(_) => number(line, "client_dropped_p0_weight")?,
            },
        })
    }

    fn metric(&self, key: &str) -> Option<f64> {
        let metrics = self.root.get("metrics").and_then(Value::as_object);
        metrics?.get(key)?.as_f64()
    }

    /// A whole id: 32 hex digits, or a number whose high half the root says.
    fn id(&self, id: &Value) -> Option<TraceId> {
        if let Some(hex) = id.as_str().filter(|hex| hex.len() == 32) {
            return u128::from_str_radix(hex, 16).ok().map(TraceId);
        }
        let low = read_whole(id, "trace_id").ok()?;
        let id = full_id(self.root, low, HashedId::Full);
        let high = id.map_or(0, TraceId::high);
        Some(TraceId::from_halves(high, low))
    }
}

/// No id can be read.
const ID: VectorError =
    VectorError::member("trace_id", "a whole number, as a text, or 32 hex digits");

fn priority(line: &Object) -> Result<Option<SamplingPriority>, VectorError> {
    let said = match line.get("priority") {
        None | Some(Value::Null) => return Ok(None),
        Some(said) => said.as_i64().and_then(|said| i32::try_from(said).ok()),
    };
    let said = said.ok_or(VectorError::member("priority", "a whole number, or null"))?;
    Ok(sampled_priority(said))
}

/// Nanoseconds, as a number or a text.
fn nanos(line: &Object, member: &'static str) -> Result<i64, VectorError> {
    let said = line.get(member);
    let nanos = said.and_then(|said| match said {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    });
    nanos.ok_or(VectorError::member(member, "whole nanoseconds"))
}

/// The ids of a batch.
#[derive(Debug)]
struct Ids<'a> {
    n: usize,
    listed: Option<&'a Vec<Value>>,
    first: u64,
    step: u64,
}

impl<'a> Ids<'a> {
    fn read(line: &'a Object) -> Result<Self, VectorError> {
        let n = whole(line, "n")?;
        if n > EVENTS_MAX {
            return Err(VectorError::member("n", "1,000,000 events at most"));
        }
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let listed = line.get("trace_ids").and_then(Value::as_array);
        if listed.is_some_and(|ids| ids.len() != n) {
            return Err(VectorError::member("trace_ids", "a list of `n` ids"));
        }
        let (first, step) = match listed {
            Some(_) => (0, 0),
            None => (
                whole(line, "trace_id_first")?,
                whole(line, "trace_id_step")?,
            ),
        };
        Ok(Self {
            n,
            listed,
            first,
            step,
        })
    }

    fn get(&self, place: usize) -> Option<Value> {
        if let Some(listed) = self.listed {
            return listed.get(place).cloned();
        }
        let place = u64::try_from(place).ok()?;
        Some(
            self.first
                .wrapping_add(self.step.wrapping_mul(place))
                .into(),
        )
    }
}

/// One chunk, decided.
#[derive(Clone, Copy, Debug)]
struct Event {
    decision: Decision,
    rate: Option<f64>,
    written: Option<(&'static str, f64)>,
}

impl Event {
    fn members(&self) -> Value {
        let decision = self.decision;
        let is_by = |sampler| decision.kept_by() == Some(sampler);
        json!({
            "kept": decision.is_kept,
            "sampler": decision.by.name(),
            "rate": self.rate,
            "error_rate": decision.error_rate,
            "priority_sampled": is_by(Sampler::Priority),
            "error_sampled": is_by(Sampler::Error),
            "set_metrics": written(self.written),
        })
    }
}

fn written(metric: Option<(&str, f64)>) -> Value {
    let written = metric.map(|(key, value)| (key.to_owned(), value.into()));
    Value::Object(written.into_iter().collect())
}

/// Many chunks, decided: each value with the place of the first that has it.
#[derive(Debug, Default)]
struct Runs {
    n: usize,
    kept: String,
    samplers: Vec<(usize, Sampler)>,
    rates: Vec<(usize, Option<f64>)>,
    error_rates: Vec<(usize, Option<f64>)>,
    written: Vec<(usize, Option<(&'static str, f64)>)>,
}

impl Runs {
    fn add(&mut self, event: &Event) {
        let decision = event.decision;
        self.kept.push(if decision.is_kept { '1' } else { '0' });
        extend(&mut self.samplers, self.n, decision.by);
        extend(&mut self.rates, self.n, event.rate);
        extend(&mut self.error_rates, self.n, decision.error_rate);
        extend(&mut self.written, self.n, event.written);
        self.n += 1;
    }

    fn members(self) -> Value {
        let is_one = |kept: char| !self.kept.contains(kept);
        let kept = if is_one('0') {
            "all"
        } else if is_one('1') {
            "none"
        } else {
            &self.kept
        };
        let samplers = self.samplers.iter();
        let samplers: Vec<_> = samplers.map(|(place, by)| (place, by.name())).collect();
        let metrics = self.written.iter();
        let metrics: Vec<_> = metrics
            .map(|(place, metric)| (place, written(*metric)))
            .collect();
        json!({
            "kept": kept,
            "sampler": samplers,
            "rate": self.rates,
            "error_rate": self.error_rates,
            "set_metrics": metrics,
        })
    }
}

fn extend<T: PartialEq>(runs: &mut Vec<(usize, T)>, place: usize, value: T) {
    if runs.last().is_none_or(|(_, last)| *last != value) {
        runs.push((place, value));
    }
}

fn signed(root: &Object, env: &str) -> Signed {
    let span = hashed_span(root);
    let mut spans = [of_span(&span, env, Resource::IsLeftOut)];
    Signed {
        signature: of_trace(of_span(&span, env, Resource::Counts), &mut spans),
        is_error: span.error != 0,
    }
}

fn rare_spans(chunk: &Chunk<'_>) -> Vec<RareSpan> {
    let marks = ["_top_level", "_dd.top_level", "_dd.measured"];
    let is_looked_at = marks.iter().any(|mark| chunk.metric(mark) == Some(1.0));
    let span = hashed_span(chunk.root);
    is_looked_at
        .then(|| RareSpan {
            service: of_service(chunk.env, span.service),
            hash: of_span(&span, "", Resource::Counts),
        })
        .into_iter()
        .collect()
}
