//! A container as its requests show it: what it says of itself, when it was at work, and what it has
//! served. What has been evicted stays counted.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ContainerKey;
use crate::analysis::{ContainerPast, Host, InitSpan, Opening, RestoredBy};
use crate::store::{KnownBy, SpanIndex, TraceKey};
use crate::trace::printable;
use crate::trace::{ContainerFacts, SpanId, UnixNanos};

/// More init spans than this are not kept: one container has one, and one more for each class in it.
const INITS_MAX: usize = 16;
/// Among so many of the earliest requests what was work of an init is looked for: an init that ends after
/// more has begun is none, and each row of a list asks.
const EARLY_MAX: usize = 1_024;
/// Room is made for so many more requests, as a part of those that are here.
const GROWTH_SHARE: usize = 16;
/// More unfinished traces than this are not kept apart.
const PIECES_MAX: usize = 1_024;

/// A request that it served, as long as its trace is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Request {
    pub(in crate::store) start: UnixNanos,
    pub(in crate::store) span_id: SpanId,
    pub(in crate::store) trace: TraceKey,
    pub(in crate::store) span: SpanIndex,
}

/// Requests stand in the order in which they began; the key tells two of one snapshot apart.
type Rank = (UnixNanos, SpanId, TraceKey);

impl Request {
    pub(in crate::store) fn rank(&self) -> Rank {
        (self.start, self.span_id, self.trace)
    }
}

/// One that has sent nothing for so long is quiet: tracers send what has ended every second, and this leaves
/// time for a request in which nothing ends.
const QUIET_NS: i64 = 30_000_000_000;

/// Whether a container is still there, as far as what it sends tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It has sent something lately.
    Alive,
    /// It has not. It may be idle, or gone.
    Quiet,
    /// It said that it ends, and nothing has run there since.
    Ended,
}

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    key: ContainerKey,
    name: Arc<str>,
    known_by: KnownBy,
    facts: ContainerFacts,
    process: Option<(Box<str>, Option<u32>)>,
    pub(in crate::store) past: ContainerPast,
    /// Those that are held, in the order in which they began.
    requests: VecDeque<Request>,
    n_gone: u64,
    /// The earliest of those that have gone.
    gone_opening: Option<Opening>,
    /// The local roots of its start and its end.
    lifecycle: Vec<Request>,
    /// What bore on the start of its requests when they were judged last.
    judged: ContainerPast,
    /// The traces of which something ran here while their local root has not come.
    pieces: Vec<TraceKey>,
    first_seen: UnixNanos,
    last_seen: UnixNanos,
    last_end: UnixNanos,
    exit: Option<UnixNanos>,
    generation: u64,
    memory: Memory,
}

/// Whether a container may have been known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// None had been forgotten when it was first seen.
    Complete,
    /// It may be one of those that had.
    Partial,
}

impl Container {
    pub(super) fn new(key: ContainerKey, name: Arc<str>, at: UnixNanos, generation: u64) -> Self {
        Self {
            key,
            name,
            known_by: KnownBy::RuntimeId,
            facts: ContainerFacts::default(),
            process: None,
            past: ContainerPast::default(),
            requests: VecDeque::new(),
            n_gone: 0,
            gone_opening: None,
            lifecycle: Vec::new(),
            judged: ContainerPast::default(),
            pieces: Vec::new(),
            first_seen: at,
            last_seen: at,
            last_end: UnixNanos::default(),
            exit: None,
            generation,
            memory: Memory::Complete,
        }
    }

    pub(super) fn may_be_forgotten(&mut self) {
        self.memory = Memory::Partial;
    }

    pub(super) fn may_have_been_forgotten(&self) -> bool {
        self.memory == Memory::Partial
    }

    /// Our own number for it.
    pub fn key(&self) -> ContainerKey {
        self.key
    }

    /// Its task id; of one that no name is known of, what tells it from others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is called in a sentence: its task id, else the number of its process.
    pub fn label(&self) -> String {
        /// Longer names are cut: they come from strangers.
        const NAME_BYTES_MAX: usize = 64;
        let shown = |name: &str| printable(name, NAME_BYTES_MAX);
        match (&self.facts.task_id, &self.process) {
            (Some(task_id), _) => shown(task_id).into(),
            (None, Some((_, Some(process_id)))) => format!("process {process_id}"),
            (None, Some((runtime_id, None))) => format!("process {}", shown(runtime_id)),
            (None, None) => shown(&self.name).into(),
        }
    }

    /// How it is known: by the best way in which anything was said of it.
    pub fn known_by(&self) -> KnownBy {
        self.known_by
    }

    /// What is known of it.
    pub fn facts(&self) -> &ContainerFacts {
        &self.facts
    }

    /// What bears on the start of its requests.
    pub fn past(&self) -> &ContainerPast {
        &self.past
    }

    /// When the first of it came.
    pub fn first_seen(&self) -> UnixNanos {
        self.first_seen
    }

    /// When the last of it came.
    pub fn last_seen(&self) -> UnixNanos {
        self.last_seen
    }

    /// When the last span of it ended, by its own clock.
    pub fn last_end(&self) -> UnixNanos {
        self.last_end
    }

    /// When it ended, if it said so.
    pub fn exit(&self) -> Option<UnixNanos> {
        self.exit
    }

    /// Whether it is still there.
    pub fn liveness(&self, now: UnixNanos) -> Liveness {
        if self.exit.is_some_and(|exit| exit >= self.last_end) {
            Liveness::Ended
        } else if now.since(self.last_seen) > QUIET_NS {
            Liveness::Quiet
        } else {
            Liveness::Alive
        }
    }

    /// How often the app had been published again when it was first seen.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many requests it has served, those of evicted traces among them.
    pub fn n_requests(&self) -> u64 {
        self.n_gone + super::super::count(self.requests.len())
    }

    /// How many traces have begun here and not shown their local root.
    pub fn n_in_flight(&self) -> usize {
        self.pieces.len()
    }

    /// Those traces.
    pub fn in_flight(&self) -> &[TraceKey] {
        &self.pieces
    }

    /// How long its last init took, in nanoseconds.
    pub fn init_ns(&self) -> Option<i64> {
        let init = self.past.inits.last()?;
        Some(init.end.since(init.start).max(0))
    }

    /// From the process start, which the relay says, to the first request, in nanoseconds: the cold start,
    /// measured.
    pub fn boot_ns(&self) -> Option<i64> {
        let opening = self.past.opening?;
        let boot = opening.start.since(self.past.process_start?);
        (boot >= 0).then_some(boot)
    }

    /// The local roots of its requests that are held, in the order in which they began.
    pub fn requests(
        &self,
    ) -> impl DoubleEndedIterator<Item = (TraceKey, SpanIndex)> + ExactSizeIterator {
        let requests = self.requests.iter();
        requests.map(|request| (request.trace, request.span))
    }

    /// The local roots of its start and its end, as long as their traces are held.
    pub fn lifecycle_roots(&self) -> impl Iterator<Item = (TraceKey, SpanIndex)> {
        let roots = self.lifecycle.iter();
        roots.map(|root| (root.trace, root.span))
    }

    pub(super) fn is_held(&self) -> bool {
        !self.requests.is_empty() || !self.pieces.is_empty()
    }

    /// The local roots of its requests, of its start and its end.
    pub(in crate::store) fn held(&self) -> impl Iterator<Item = Request> {
        self.requests.iter().chain(&self.lifecycle).copied()
    }

    /// The local roots of its requests, the earliest first.
    pub(in crate::store) fn first_requests(&self) -> impl Iterator<Item = Request> {
        self.requests.iter().copied()
    }

    /// Up to when requests have to be judged again, if what bears on their start has changed.
    pub(in crate::store) fn judged_anew_until(&mut self) -> Option<UnixNanos> {
        if self.past == self.judged {
            return None;
        }
        let before = std::mem::replace(&mut self.judged, self.past.clone());
        let openings = [before.opening, self.past.opening].into_iter().flatten();
        let inits = before.inits.iter().chain(&self.past.inits);
        let ends = inits.map(|init| init.end);
        let until = ends
            .chain(openings.map(|opening| opening.end.max(opening.start)))
            .max();
        Some(until.unwrap_or_default())
    }

    pub(in crate::store) fn add_lifecycle(&mut self, root: Request) {
        if self.lifecycle.len() < INITS_MAX && !self.lifecycle.contains(&root) {
            self.lifecycle.push(root);
        }
    }

    pub(in crate::store) fn remove_lifecycle(&mut self, trace: TraceKey) {
        self.lifecycle.retain(|root| root.trace != trace);
    }

    /// Takes what is said of it; what was said first hand stays.
    pub(super) fn learn(&mut self, facts: &ContainerFacts, by: KnownBy) {
        let is_better = by < self.known_by;
        self.known_by = self.known_by.min(by);
        let known = &mut self.facts;
        let pairs = [
            (&mut known.task_id, &facts.task_id),
            (&mut known.region, &facts.region),
            (&mut known.cloud, &facts.cloud),
            (&mut known.environment, &facts.environment),
            (&mut known.image_id, &facts.image_id),
            (&mut known.gpu, &facts.gpu),
            (&mut known.python, &facts.python),
        ];
        for (known, said) in pairs {
            if said.is_some() && (is_better || known.is_none()) && known != said {
                known.clone_from(said);
            }
        }
        known.pid = known.pid.or(facts.pid);
    }

    /// Its name is its task id.
    pub(super) fn has_name(&mut self) {
        self.past.host = Host::Container;
        if self.facts.task_id.is_none() {
            self.facts.task_id = Some((*self.name).into());
        }
    }

    /// Takes what its relay says of its start: of several processes, the earliest.
    pub(super) fn learn_start(&mut self, facts: &ContainerFacts) {
        let starts = [self.past.process_start, facts.process_start];
        self.past.process_start = starts.into_iter().flatten().min();
        self.past.relay_says_restored |= facts.restored == Some(true);
    }

    pub(super) fn learn_process(&mut self, runtime_id: &str, process_id: Option<u32>) {
        self.process = Some((runtime_id.into(), process_id));
    }

    pub(in crate::store) fn restored_by(&mut self, by: RestoredBy) {
        let known = [self.past.restored_by, Some(by)];
        self.past.restored_by = known.into_iter().flatten().min();
    }

    /// Something of it came that had been at work until then.
    pub(in crate::store) fn seen(&mut self, at: UnixNanos, last_end: UnixNanos) {
        self.first_seen = self.first_seen.min(at);
        self.last_seen = self.last_seen.max(at);
        self.last_end = self.last_end.max(last_end);
    }

    pub(in crate::store) fn ended(&mut self, at: UnixNanos) {
        self.exit = self.exit.max(Some(at));
    }

    pub(in crate::store) fn add_init(&mut self, init: InitSpan) {
        let inits = &mut self.past.inits;
        let known = inits.iter_mut().find(|known| known.span_id == init.span_id);
        if let Some(known) = known {
            *known = init;
        } else {
            inits.push(init);
        }
        inits.sort_unstable();
        inits.truncate(INITS_MAX);
    }

    /// Adds a request that is not here yet.
    pub(in crate::store) fn add_request(&mut self, request: Request) {
        if self.requests.len() == self.requests.capacity() {
            // Not twice as many: one container may serve all of them.
            let more = (self.requests.len() / GROWTH_SHARE).max(4);
            self.requests.reserve_exact(more);
        }
        let is_last = self.requests.back();
        if is_last.is_none_or(|last| last.rank() < request.rank()) {
            self.requests.push_back(request);
            return;
        }
        let place = self.place(request.rank());
        if self.requests.get(place).map(Request::rank) != Some(request.rank()) {
            self.requests.insert(place, request);
        }
    }

    /// A local root ran elsewhere after all; so did the init, if it was that.
    pub(in crate::store) fn remove(&mut self, root: Request) {
        self.past.inits.retain(|init| init.span_id != root.span_id);
        self.lifecycle.retain(|known| *known != root);
        self.remove_request(root.rank());
    }

    /// A tag of a request says cold.
    pub(in crate::store) fn said_cold(&mut self, start: UnixNanos, tag: &'static str) {
        let said = [self.past.said_cold, Some((start, tag))];
        self.past.said_cold = said.into_iter().flatten().min();
    }

    /// What tags said is to be told again.
    pub(in crate::store) fn forget_said_cold(&mut self) {
        self.past.said_cold = None;
    }

    fn remove_request(&mut self, rank: Rank) {
        let place = self.place(rank);
        if self.requests.get(place).map(Request::rank) == Some(rank) {
            self.requests.remove(place);
        }
    }

    /// The trace of a request has been evicted.
    pub(in crate::store) fn request_gone(&mut self, request: Opening, trace: TraceKey) {
        self.remove_request((request.start, request.span_id, trace));
        if self.past.is_during_init(request.start, request.end) {
            return;
        }
        match &mut self.gone_opening {
            // A snapshot of it has gone before.
            Some(gone) if gone.rank() == request.rank() => {
                gone.end = gone.end.max(request.end);
                return;
            }
            Some(gone) if gone.rank() < request.rank() => {}
            gone => *gone = Some(request),
        }
        self.n_gone += 1;
    }

    pub(in crate::store) fn gone_opening(&self) -> Option<Opening> {
        self.gone_opening
    }

    /// Which of its requests one is, from 1; work of its init does not count.
    pub(in crate::store) fn number_of(
        &self,
        rank: Rank,
        is_request: impl Fn(&Request) -> bool,
    ) -> u64 {
        // Only what began before the last init ended can be work of an init.
        let inits_end = self.past.inits.iter().map(|init| init.end).max();
        let place = self.place(rank);
        let early = self.requests.iter().take(place);
        let early = early.take_while(|request| Some(request.start) <= inits_end);
        let early = early.take(EARLY_MAX);
        let n_of_init = early.filter(|request| !is_request(request)).count();
        let n_before = super::super::count(place - n_of_init);
        // What was evicted is mostly older than what is held; the first may be held on to.
        let (start, span_id, _) = rank;
        let is_before = |gone: Opening| (start, span_id) < gone.rank();
        let n_gone = if self.gone_opening.is_some_and(is_before) {
            0
        } else {
            self.n_gone
        };
        n_gone + n_before + 1
    }

    fn place(&self, rank: Rank) -> usize {
        self.requests.partition_point(|known| known.rank() < rank)
    }

    /// Of a trace whose local root has not come, something ran here.
    pub(super) fn add_piece(&mut self, trace: TraceKey) {
        if self.pieces.len() < PIECES_MAX && !self.pieces.contains(&trace) {
            self.pieces.push(trace);
        }
    }

    pub(super) fn remove_piece(&mut self, trace: TraceKey) {
        self.pieces.retain(|known| *known != trace);
    }

    /// It has turned out that another one is this.
    pub(super) fn absorb(&mut self, other: Self) {
        self.learn(&other.facts, other.known_by);
        self.process = self.process.take().or(other.process);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.last_end = self.last_end.max(other.last_end);
        self.exit = self.exit.max(other.exit);
        self.generation = self.generation.min(other.generation);
        self.n_gone += other.n_gone;
        let past = other.past;
        let starts = [self.past.process_start, past.process_start];
        self.past.process_start = starts.into_iter().flatten().min();
        self.past.relay_says_restored |= past.relay_says_restored;
        if let Some((start, tag)) = past.said_cold {
            self.said_cold(start, tag);
        }
        if let Some(by) = past.restored_by {
            self.restored_by(by);
        }
        past.inits.into_iter().for_each(|init| self.add_init(init));
        other
            .requests
            .into_iter()
            .for_each(|request| self.add_request(request));
        other
            .lifecycle
            .into_iter()
            .for_each(|root| self.add_lifecycle(root));
        other
            .pieces
            .into_iter()
            .for_each(|trace| self.add_piece(trace));
        let gone = [self.gone_opening, other.gone_opening]
            .into_iter()
            .flatten();
        self.gone_opening = gone.min_by_key(Opening::rank);
    }
}
