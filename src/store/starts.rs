//! Which container each request ran in and whether it paid for its start, kept true while chunks, lines and
//! relays speak in any order. Judged again is only what can have changed: the requests that began before the
//! first one of their container had ended.

mod asked;
mod lines;
mod restore;

use smallvec::SmallVec;

use super::container::Known;
use super::fleet::{AppRun, ChildRun, Container, Discovery, Identity, Placed, Request};
use super::root::LocalRoot;
use super::{ContainerKey, Fleet, KnownBy, SpanIndex, Store, TraceEntry, TraceKey};
use crate::analysis::{
    self, ContainerPast, InitPart, InitSpan, LifecycleNames, Opening, RestoredBy, Said, SeenRoot,
    Sighting, StartReason, TagVaries,
};
use crate::trace::{
    Hello, RelaySource, Span, Text, TraceChunk, TraceId, TracerInfo, UnixNanos, tag,
};

/// More work than this is not looked through for the first request after the init.
const EARLY_MAX: usize = 4_096;

/// Whence a chunk came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whence<'a> {
    pub(super) at: UnixNanos,
    pub(super) relay: Option<RelaySource>,
    pub(super) tracer: &'a TracerInfo,
}

/// What a chunk shows of its start, beside its spans.
#[derive(Debug)]
pub(super) struct Seen {
    roots: SmallVec<[SeenRoot; 1]>,
    inits: SmallVec<[InitSpan; 1]>,
    exit: Option<UnixNanos>,
    said: Said,
    end: UnixNanos,
    placed: Option<Placed>,
    discovery: Discovery,
    input: Option<Box<str>>,
    at: UnixNanos,
}

impl Seen {
    /// What an export says of local roots stands in place of what is seen.
    pub(super) fn without_roots(&mut self) {
        self.roots.clear();
    }
}

impl Store {
    /// The containers that requests ran in.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The same, for what a program sends that this one has started: no container is older.
    #[must_use]
    pub fn of_run(mut self) -> Self {
        self.fleet.run.child = ChildRun::Started;
        self
    }

    /// The same, taking spans of these names for the start and the end of containers.
    #[must_use]
    pub fn with_lifecycle_names(mut self, names: LifecycleNames) -> Self {
        self.fleet.set_names(names);
        self
    }

    /// Looks at a chunk before it is taken in: what ran, and where.
    pub(super) fn see(
        &mut self,
        chunk: &TraceChunk,
        whence: Whence<'_>,
        known: Option<&Known>,
    ) -> Seen {
        let sighting = Sighting::of(chunk, self.fleet.names());
        let at = whence.at;
        let of_payload = Some(&*whence.tracer.runtime_id).filter(|id| !id.is_empty());
        let identity = Identity {
            relay: whence.relay,
            known,
            runtime_id: sighting.runtime_id.or(of_payload.map(Into::into)),
            process_id: sighting.process_id,
            at,
        };
        let mut discovery = Discovery::default();
        let placed = self.fleet.identify(identity, &mut discovery);
        Seen {
            end: sighting.end,
            roots: sighting.roots,
            inits: sighting.inits,
            exit: sighting.exit,
            said: sighting.said,
            placed,
            discovery,
            input: super::outcome::input_of(chunk),
            at,
        }
    }

    /// The trace that a chunk belongs to. Containers that came from one snapshot may give the same ids to
    /// different traces: two roots with one id, that ran in two containers at two times, are two traces.
    pub(super) fn home(&self, id: TraceId, seen: &Seen) -> Option<TraceKey> {
        let newest = self.twin_for(id)?;
        let Some(placed) = seen.placed else {
            return Some(newest);
        };
        let entry = self.trace(newest)?;
        if entry.older_twin().is_none() && !repeats(entry, seen, placed) {
            return Some(newest);
        }
        let same_id = || self.twins(id.low()).filter(|entry| entry.trace_id() == id);
        let ran_there = |entry: &&TraceEntry| {
            let mut roots = entry.local_roots().iter();
            roots.any(|root| root.container() == Some(placed.container))
        };
        let may_be = |entry: &&TraceEntry| !repeats(entry, seen, placed);
        let found = same_id().filter(may_be).find(ran_there);
        let found = found.or_else(|| same_id().find(may_be));
        found
            .map(TraceEntry::key)
            .or_else(|| may_be(&entry).then_some(newest))
    }

    /// Takes in what a chunk showed, once its spans are in their trace.
    pub(super) fn settle(&mut self, key: TraceKey, seen: Seen) {
        self.follow(seen.discovery);
        if let Some(input) = &seen.input {
            self.note_input(key, input);
        }
        let mut added = SmallVec::<[SpanIndex; 1]>::new();
        for root in &seen.roots {
            added.extend(self.add_root(key, *root, seen.said, seen.placed));
        }
        if let Some(placed) = seen.placed {
            let is_piece = self.trace(key).is_some_and(|entry| {
                let mut roots = entry.local_roots().iter();
                !roots.any(|root| root.container() == Some(placed.container))
            });
            if let Some(container) = self.fleet.container_mut(placed.container) {
                container.seen(seen.at, seen.end);
                seen.inits
                    .into_iter()
                    .for_each(|init| container.add_init(init));
                seen.exit.into_iter().for_each(|at| container.ended(at));
            }
            if is_piece {
                self.fleet.add_piece(key, placed.container);
            } else {
                self.fleet.remove_piece(key);
            }
            self.refresh(placed.container);
        }
        for span in added {
            self.judge_root(key, span);
        }
        self.place_by_lines(key);
    }

    /// Adds a local root, or takes what a newer snapshot of it says. Returns it, if there was room for it.
    fn add_root(
        &mut self,
        key: TraceKey,
        seen: SeenRoot,
        said: Said,
        placed: Option<Placed>,
    ) -> Option<SpanIndex> {
        let entry = self.entries.get(key)?;
        let index = entry.index_of(seen.span_id, seen.start)?;
        if let Some(known) = entry.local_root(index).copied() {
            let is_better =
                placed.is_some_and(|placed| known.known_by().is_none_or(|by| placed.by < by));
            if is_better && !known.is_told() {
                self.move_root(key, index, placed);
            }
            // A newer snapshot may say more, and have taken longer.
            let root = self.entries.get_mut(key)?.local_root_mut(index)?;
            root.add_said(said);
        } else {
            let root = LocalRoot::new(index, seen.lifecycle, said, placed);
            let had_room = self.change(key, |entry| entry.add_local_root(root))?;
            had_room.then_some(())?;
        }
        let root = *self.entries.get(key)?.local_root(index)?;
        self.enter(key, root);
        if root.said().cold() == Some(true) {
            self.note_said_cold(key, index, root.said());
        }
        Some(index)
    }

    /// A local root is entered with its container.
    fn enter(&mut self, key: TraceKey, root: LocalRoot) {
        let entry = self.entries.get(key);
        let request = entry.and_then(|entry| request(entry, &root));
        let container = root
            .container()
            .and_then(|key| self.fleet.container_mut(key));
        let (Some(request), Some(container)) = (request, container) else {
            return;
        };
        if root.is_lifecycle() {
            container.add_lifecycle(request);
            let span = entry.and_then(|entry| entry.span(root.span()));
            if let Some(span) = span.filter(|_| root.reason() == StartReason::Init) {
                container.add_init(analysis::init_span(span, InitPart::Own));
            }
        } else {
            container.add_request(request);
            let says_cold = root.said().cold() == Some(true);
            if let Some(tag) = root.said().cold_tag().filter(|_| says_cold) {
                container.said_cold(request.start, tag);
            }
        }
    }

    /// A request that said cold ran elsewhere: what the others say is told again.
    fn tell_cold_again(&mut self, key: ContainerKey) {
        let Some(container) = self.fleet.container_mut(key) else {
            return;
        };
        container.forget_said_cold();
        let held: Vec<Request> = container.first_requests().collect();
        for request in held {
            let entry = self.entries.get(request.trace);
            let root = entry.and_then(|entry| entry.local_root(request.span));
            if let Some(root) = root.copied() {
                self.enter(request.trace, root);
            }
        }
    }

    /// A tag has said cold: where it says otherwise, that proves something now.
    fn note_said_cold(&mut self, key: TraceKey, span: SpanIndex, said: Said) {
        let (Some(tag), Some(entry)) = (said.cold_tag(), self.entries.get(key)) else {
            return;
        };
        let service = entry.span(span).map(Span::service).unwrap_or_default();
        if !self.fleet.said_cold(service, tag) {
            return;
        }
        let says_so = |root: &LocalRoot| {
            root.said().cold() == Some(false) && root.said().cold_tag() == Some(tag)
        };
        let mut changed: Vec<(TraceKey, LocalRoot)> = Vec::new();
        for entry in self.entries.iter() {
            let roots = entry.local_roots().iter().filter(|root| says_so(root));
            changed.extend(roots.map(|root| (entry.key(), *root)));
        }
        let mut containers: Vec<ContainerKey> = changed
            .iter()
            .filter_map(|(_, root)| root.container())
            .collect();
        containers.sort_unstable();
        containers.dedup();
        for key in containers {
            self.refresh(key);
        }
        for (key, root) in changed {
            self.judge_root(key, root.span());
        }
    }

    /// What a new name has brought to light: processes that are a container, and containers that came
    /// from one snapshot.
    pub(super) fn follow(&mut self, discovery: Discovery) {
        for (from, into) in discovery.merged {
            self.merge(from, into);
        }
        if let Some((runtime_id, containers)) = discovery.restored {
            for key in containers {
                self.release(key, &runtime_id);
                self.refresh(key);
            }
        }
    }

    fn merge(&mut self, from: ContainerKey, into: ContainerKey) {
        let Some(container) = self.fleet.container(from) else {
            return;
        };
        let held: Vec<Request> = container.held().collect();
        for request in &held {
            let entry = self.entries.get_mut(request.trace);
            if let Some(root) = entry.and_then(|entry| entry.local_root_mut(request.span)) {
                root.set_container(into);
            }
            self.note_changed(request.trace);
        }
        self.fleet.absorb(from, into);
        self.refresh(into);
        for request in held {
            self.judge_root(request.trace, request.span);
        }
    }

    /// A runtime-id no longer names a container: what was only known by it is from nowhere.
    fn release(&mut self, key: ContainerKey, runtime_id: &str) {
        let Some(container) = self.fleet.container(key) else {
            return;
        };
        let held: Vec<Request> = container.held().collect();
        let is_by_it = |request: &Request| {
            let entry = self.entries.get(request.trace);
            let root = entry.and_then(|entry| Some((entry, entry.local_root(request.span)?)));
            root.is_some_and(|(entry, root)| {
                !root.is_told()
                    && root.known_by() == Some(KnownBy::RuntimeId)
                    && entry.runtime_id(request.span).and_then(Text::to_str) == Some(runtime_id)
            })
        };
        let released: Vec<Request> = held.into_iter().filter(is_by_it).collect();
        for request in &released {
            let entry = self.entries.get_mut(request.trace);
            if let Some(root) = entry.and_then(|entry| entry.local_root_mut(request.span)) {
                root.place(None);
            }
            if let Some(container) = self.fleet.container_mut(key) {
                container.remove(*request);
            }
            self.note_changed(request.trace);
        }
        self.tell_cold_again(key);
        for request in released {
            self.judge_root(request.trace, request.span);
        }
    }

    /// A local root ran elsewhere than it was known.
    fn move_root(&mut self, key: TraceKey, span: SpanIndex, placed: Option<Placed>) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let Some(root) = entry.local_root_mut(span) else {
            return;
        };
        let before = root.container();
        root.place(placed);
        let root = *root;
        let request = request(entry, &root);
        if before == root.container() {
            return;
        }
        if let (Some(before), Some(request)) = (before, request) {
            if let Some(container) = self.fleet.container_mut(before) {
                container.remove(request);
            }
            if root.said().cold() == Some(true) {
                self.tell_cold_again(before);
            }
            self.refresh(before);
        }
        self.enter(key, root);
        if let Some(container) = root.container() {
            self.refresh(container);
        }
        self.judge_root(key, span);
        self.note_changed(key);
    }

    /// Finds out again what bears on the start of the requests of a container, and judges those again
    /// for which it matters.
    fn refresh(&mut self, key: ContainerKey) {
        let Some(container) = self.fleet.container(key) else {
            return;
        };
        let held = container
            .first_requests()
            .take(EARLY_MAX)
            .find_map(|request| {
                let entry = self.trace(request.trace)?;
                let opening = self.opening(entry, entry.local_root(request.span)?)?;
                let is_of_init = container.past().is_during_init(opening.start, opening.end);
                (!is_of_init).then_some(opening)
            });
        let gone = container.gone_opening();
        let gone = gone.filter(|gone| !container.past().is_during_init(gone.start, gone.end));
        let both = [held, gone];
        let opening = both.into_iter().flatten().min_by_key(Opening::rank);
        let beginning = self.fleet.beginning(container);
        let Some(container) = self.fleet.container_mut(key) else {
            return;
        };
        container.past.opening = opening;
        container.past.beginning = beginning;
        let Some(until) = container.judged_anew_until() else {
            return;
        };
        let early = container
            .first_requests()
            .take_while(|request| request.start <= until);
        let early: Vec<Request> = early.collect();
        for request in early {
            self.judge_root(request.trace, request.span);
        }
    }

    fn judge_root(&mut self, key: TraceKey, span: SpanIndex) {
        let Some(entry) = self.entries.get(key) else {
            return;
        };
        let root = entry.local_root(span).filter(|root| root.is_judged());
        let Some((root, request)) = root.and_then(|root| Some((*root, self.opening(entry, root)?)))
        else {
            return;
        };
        let container = root.container().and_then(|key| self.fleet.container(key));
        let past: Option<&ContainerPast> = container.map(Container::past);
        let reason = analysis::start::judge(past, &request);
        if reason == root.reason() {
            return;
        }
        if let Some(entry) = self.entries.get_mut(key)
            && let Some(root) = entry.local_root_mut(span)
        {
            root.set_reason(reason);
        }
        self.note_changed(key);
    }

    /// A local root as the rules see it.
    fn opening(&self, entry: &TraceEntry, root: &LocalRoot) -> Option<Opening> {
        let span = entry.span(root.span())?;
        let said = root.said();
        let varies = said.cold() == Some(false)
            && said
                .cold_tag()
                .is_some_and(|tag| self.fleet.has_said_cold(span.service().as_bytes(), tag));
        Some(Opening {
            start: span.start(),
            end: span.end(),
            span_id: span.span_id(),
            said,
            tag_varies: if varies {
                TagVaries::Yes
            } else {
                TagVaries::No
            },
        })
    }

    /// A relay has said who it is, at first or anew.
    pub(super) fn hear_relay(&mut self, hello: &Hello, at: UnixNanos) {
        let Some((taken_for, key)) = self.fleet.hello(hello.source, &hello.container, at) else {
            return;
        };
        if let Some(taken_for) = taken_for {
            self.merge(taken_for, key);
        }
        self.refresh(key);
    }

    /// Modal's client has said something of its app.
    pub(super) fn hear_app(&mut self, n_new_reloads: u64) {
        self.fleet.run.n_reloads += n_new_reloads;
        if self.fleet.run.app == AppRun::Unseen {
            self.fleet.run.app = AppRun::Seen;
            let keys: Vec<ContainerKey> = self.fleet.containers().map(Container::key).collect();
            for key in keys {
                self.refresh(key);
            }
        }
    }

    /// Modal says that a container comes back from a snapshot.
    pub(super) fn hear_restore(&mut self, container: &str, at: UnixNanos) {
        let is_name = super::container::is_name(container);
        if let Some(key) = is_name
            .then(|| self.fleet.with_name(container, at))
            .flatten()
        {
            if let Some(container) = self.fleet.container_mut(key) {
                container.restored_by(RestoredBy::Line);
            }
            self.refresh(key);
        }
    }

    /// The requests of a trace that goes stay counted with their containers.
    pub(super) fn remember_requests(&mut self, entry: &TraceEntry) {
        for root in entry.local_roots() {
            let opening = self.opening(entry, root);
            let container = root
                .container()
                .and_then(|key| self.fleet.container_mut(key));
            let (Some(opening), Some(container)) = (opening, container) else {
                continue;
            };
            if root.is_lifecycle() {
                container.remove_lifecycle(entry.key());
            } else {
                container.request_gone(opening, entry.key());
            }
        }
        self.fleet.remove_piece(entry.key());
        self.gone.remember(entry);
    }
}

/// Where a local root stands among the requests of its container.
fn request(entry: &TraceEntry, root: &LocalRoot) -> Option<Request> {
    let span = entry.span(root.span())?;
    Some(Request {
        start: span.start(),
        span_id: span.span_id(),
        trace: entry.key(),
        span: root.span(),
    })
}

impl Identity<'_> {
    /// What a local root that is held says of where it ran.
    fn of_root<'a>(
        entry: &'a TraceEntry,
        root: SpanIndex,
        known: Option<&'a Known>,
        at: UnixNanos,
    ) -> Identity<'a> {
        let span = entry.span(root);
        Identity {
            relay: None,
            known,
            runtime_id: entry.runtime_id(root),
            process_id: span.and_then(|span| span.metric(tag::LOCAL_ROOT)),
            at,
        }
    }
}

/// Whether a chunk has a root of a trace again, from another container and time.
fn repeats(entry: &TraceEntry, seen: &Seen, placed: Placed) -> bool {
    seen.roots.iter().any(|root| {
        entry.local_roots().iter().any(|known| {
            let elsewhere = known.container().is_some_and(|key| key != placed.container);
            let span = entry.span(known.span());
            elsewhere
                && span.is_some_and(|span| {
                    span.span_id() == root.span_id && span.start() != root.start
                })
        })
    })
}
