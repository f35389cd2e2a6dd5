//! The Agents that a model assumes, and the rates that each client holds: from a chunk to a verdict.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use hashbrown::HashMap;

use super::replay::WhatIf;
use super::{
    Agent, AgentDecision, Delivery, Digest, RareSpans, RateTable, Reader, Redraw, Sampler,
    Services, Settings, Verdict, came_at, draw,
};
use crate::trace::tag::{self, Marks};
use crate::trace::{
    ChunkFacts, RelaySource, SamplingPriority, TraceChunk, TracerInfo, TracerPayload, UnixNanos,
    Via,
};

/// So many processes and containers are told apart at a time.
const PROCESSES_MAX: usize = 4_096;

/// Which Agents are assumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentModel {
    /// One for everything, as beside a host or a cluster.
    #[default]
    Agent,
    /// One in each container, as `serverless-init` runs it.
    Serverless,
}

/// Who sends, by numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    /// The process: it holds the rates of the last answer.
    pub client: u64,
    /// The container: in a serverless model it has an Agent of its own.
    pub container: u64,
}

impl Process {
    /// Who sent a payload: the process behind the relay that passed it on, else the one its tracer
    /// names, in the payload or on its spans. The container by the task that its spans name, else by
    /// the process. Whoever says nothing is one and the same.
    pub fn of(payload: &TracerPayload, relay: Option<RelaySource>) -> Self {
        Self::of_chunk(&payload.tracer, payload.chunks.first(), relay)
    }

    /// The same of a chunk that a tracer sent.
    pub(crate) fn of_chunk(
        tracer: &TracerInfo,
        chunk: Option<&TraceChunk>,
        relay: Option<RelaySource>,
    ) -> Self {
        /// Tracers say it on the root, which is mostly the first.
        const SPANS_ASKED: usize = 4;
        let asked = || {
            chunk
                .into_iter()
                .flat_map(TraceChunk::spans)
                .take(SPANS_ASKED)
        };
        let said = |key: &str| asked().find_map(|span| span.meta_text(key));
        let client = match relay {
            Some(RelaySource(source)) => numbered(&source.to_le_bytes()),
            None if !tracer.runtime_id.is_empty() => numbered(tracer.runtime_id.as_bytes()),
            None => said(tag::RUNTIME_ID).map_or(0, |id| numbered(id.as_bytes())),
        };
        let names_one = chunk.is_some_and(|chunk| chunk.marks().has(Marks::CONTAINER));
        let task = || tag::CONTAINER.iter().find_map(|key| said(key));
        let task = if names_one { task() } else { None };
        Self {
            client,
            container: task.map_or(client, |task| numbered(task.as_bytes())),
        }
    }
}

fn numbered(name: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The simulated Agents and what the clients know of their rates.
#[derive(Clone, Debug)]
pub struct Model {
    kind: AgentModel,
    settings: Settings,
    services: Services,
    agents: HashMap<u64, Agent>,
    held: HashMap<u64, Arc<RateTable>>,
    /// Counts how often an Agent has changed what it answers.
    answers_revision: u64,
    pieces: Pieces,
}

/// What is made of the chunks that a client sent before its part of the trace had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pieces {
    /// They count, as they do in an Agent.
    Counted,
    /// They are there only because we asked for spans as they end: what is left of the trace once
    /// its local root comes counts for all of it.
    LeftOut,
}

impl Pieces {
    /// Whether a chunk is one: Python says that it flushed early, and marks its local root.
    pub(super) fn leave_out(self, chunk: &TraceChunk) -> bool {
        const FLUSHED_EARLY: &str = "_dd.py.partial_flush";
        let says = |key| chunk.spans().any(|span| span.metric(key).is_some());
        self == Self::LeftOut && says(FLUSHED_EARLY) && !says(tag::LOCAL_ROOT)
    }
}

/// One delivery on its way through the model.
#[derive(Debug)]
pub struct Turn<'a> {
    delivery: Delivery<'a>,
    /// The first environment that a chunk has named, if the payload names none: it is that of all that
    /// follow.
    env: Option<Arc<str>>,
    agent: u64,
    held: Arc<RateTable>,
    n_dropped: u64,
    /// The chunks that are not dropped yet.
    n_left: usize,
}

impl Turn<'_> {
    /// The delivery as the next chunk finds it (`pkg/trace/agent/agent.go`, `setPayloadAttributes`).
    fn delivery(&self) -> Delivery<'_> {
        Delivery {
            env: self.env.as_deref().unwrap_or(self.delivery.env),
            ..self.delivery
        }
    }

    fn note_env(&mut self, digest: &Digest, services: &Services) {
        if self.env.is_none() && self.delivery.env.is_empty() {
            let env = services.env(digest.asks);
            self.env = Some(env).filter(|env| !env.is_empty());
        }
    }

    /// The next chunk is this one ([`came_at`]).
    pub fn chunk_came(&mut self, via: Via, chunk: &TraceChunk) {
        self.delivery.at = came_at(via, self.delivery.at, chunk);
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::new(AgentModel::Agent, Settings::default())
    }
}

impl Model {
    /// Agents that have seen nothing.
    pub fn new(kind: AgentModel, settings: Settings) -> Self {
        Self {
            kind,
            settings,
            services: Services::default(),
            agents: HashMap::new(),
            held: HashMap::new(),
            answers_revision: 0,
            pieces: Pieces::Counted,
        }
    }

    /// Agents that have seen nothing, for chunks that were read with these services.
    pub(super) fn with_services(what_if: &WhatIf, services: Services) -> Self {
        Self {
            services,
            ..Self::new(what_if.model, what_if.agent.clone())
        }
    }

    /// The same, with another way to take pieces of traces.
    #[must_use]
    pub fn with_pieces(mut self, pieces: Pieces) -> Self {
        self.pieces = pieces;
        self
    }

    /// What is made of pieces of traces.
    pub fn pieces(&self) -> Pieces {
        self.pieces
    }

    /// Which Agents are assumed.
    pub fn kind(&self) -> AgentModel {
        self.kind
    }

    /// How they are set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The services met so far.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Changes whenever an Agent answers otherwise than before.
    pub fn answers_revision(&self) -> u64 {
        self.answers_revision
    }

    /// What each Agent answers now, by the number of its container: 0, if there is one for all.
    pub fn tables(&self) -> impl Iterator<Item = (u64, &Arc<RateTable>)> {
        let agents = self.agents.iter();
        agents.map(|(number, agent)| (*number, agent.table()))
    }

    /// The rates that each Agent will answer once a chunk is counted in a later bucket than any before:
    /// service, environment, rate.
    pub fn next_rates(&self, at: UnixNanos) -> impl Iterator<Item = (&str, &str, f64)> {
        let agents = self.agents.values();
        let rates = agents.flat_map(move |agent| agent.next_rates(at, &self.services));
        rates.map(|(service, rate)| {
            let (service, env) = self.services.names(service);
            (service, env, rate)
        })
    }

    /// A delivery begins. The client has decided its traces with the rates of the answer before; the
    /// Agent answers before it looks at what came (`pkg/trace/api/api.go`, `handleTraces`), so those
    /// it gets now are from before this delivery.
    pub fn begin<'a>(
        &mut self,
        delivery: Delivery<'a>,
        process: Process,
        n_chunks: usize,
        n_dropped: u64,
    ) -> Turn<'a> {
        let agent = self.agent_of(process);
        if self.agents.len() >= PROCESSES_MAX && !self.agents.contains_key(&agent) {
            self.agents.clear();
        }
        let settings = &self.settings;
        let answered = self
            .agents
            .entry(agent)
            .or_insert_with(|| Agent::new(settings))
            .table();
        if self.held.len() >= PROCESSES_MAX && !self.held.contains_key(&process.client) {
            self.held.clear();
        }
        let held = self.held.insert(process.client, Arc::clone(answered));
        Turn {
            delivery,
            env: None,
            agent,
            held: held.unwrap_or_default(),
            n_dropped,
            n_left: n_chunks,
        }
    }

    /// Decides one chunk of a delivery; `None` for a piece that does not count. `root` is what the tracer
    /// would have decided of the trace, if its root has been here.
    pub fn decide(
        &mut self,
        turn: &mut Turn<'_>,
        chunk: &TraceChunk,
        facts: Option<&ChunkFacts>,
        root: Option<Redraw>,
    ) -> Option<Verdict> {
        if self.pieces.leave_out(chunk) {
            return None;
        }
        let mut reader = Reader {
            delivery: turn.delivery(),
            default_env: &self.settings.default_env,
            services: &mut self.services,
            rare: match self.settings.rare {
                Some(_) => RareSpans::Read,
                None => RareSpans::LeftOut,
            },
        };
        Some(match reader.read(chunk, facts) {
            Ok(digest) => {
                turn.note_env(&digest, &self.services);
                self.decide_digest(turn, &digest, root)
            }
            // The Agent takes none of it, and says so to nobody.
            Err(_refused) => {
                turn.n_left = turn.n_left.saturating_sub(1);
                Verdict::default()
            }
        })
    }

    /// The same, of a chunk that has been read.
    pub fn decide_digest(
        &mut self,
        turn: &mut Turn<'_>,
        digest: &Digest,
        root: Option<Redraw>,
    ) -> Verdict {
        let Some(agent) = self.agents.get_mut(&turn.agent) else {
            return Verdict::default();
        };
        let tracer = redraw(digest, turn);
        let inherits = || root.filter(|_| digest.priority == Some(SamplingPriority::AUTO_KEEP));
        let redrawn = tracer.or_else(inherits).map(|redraw| {
            if redraw.is_kept {
                SamplingPriority::AUTO_KEEP
            } else {
                SamplingPriority::AUTO_REJECT
            }
        });
        let dropped_weight = share_of(turn.n_dropped, turn.n_left);
        let answered = Arc::clone(agent.table());
        let follows = redrawn.is_none() && digest.priority == Some(SamplingPriority::AUTO_KEEP);
        let if_rejected = (follows && agent.would_keep_error(digest)).then_some(Sampler::Error);
        let decisions = agent.decide(digest, redrawn, dropped_weight, &mut self.services);
        self.answers_revision += u64::from(!Arc::ptr_eq(&answered, agent.table()));
        if !decisions.received.is_kept {
            turn.n_left = turn.n_left.saturating_sub(1);
        }
        let received = decisions.received;
        let agent = AgentDecision {
            by: received.kept_by(),
            rate: match received.by {
                Sampler::Error => received.error_rate,
                _ => received.rate,
            },
        };
        Verdict::new(tracer, agent, decisions.redrawn.kept_by()).or_if_rejected(if_rejected)
    }

    fn agent_of(&self, process: Process) -> u64 {
        match self.kind {
            AgentModel::Agent => 0,
            AgentModel::Serverless => process.container,
        }
    }
}

/// What the tracer would have decided with the rates it would hold. Python looks for exactly its own
/// service and environment and keeps all if there is no such rate; others take the rate for everybody
/// then.
fn redraw(digest: &Digest, turn: &Turn<'_>) -> Option<Redraw> {
    if !digest.is_drawn {
        return None;
    }
    let own = turn.held.rate(digest.asks);
    let default = || match turn.delivery.language {
        "python" => None,
        _ => turn.held.default_rate(),
    };
    let rate = own.or_else(default).unwrap_or(1.0);
    Some(Redraw {
        is_kept: draw::is_within(digest.trace_id.low(), rate),
        rate,
    })
}

/// `pkg/trace/agent/agent.go`, `processedTrace`: shared out among the chunks that are left.
fn share_of(n_dropped: u64, n_left: usize) -> f64 {
    let to_f64 = |number: u64| u32::try_from(number).map_or(f64::from(u32::MAX), f64::from);
    let n_left = u64::try_from(n_left.max(1)).unwrap_or(u64::MAX);
    to_f64(n_dropped) / to_f64(n_left)
}
