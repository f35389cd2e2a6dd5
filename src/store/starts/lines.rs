//! Lines that name a container say where the local roots of their trace ran, as far as nothing better is
//! known.

use smallvec::SmallVec;

use crate::store::container::is_name;
use crate::store::fleet::{Discovery, Identity, Placed};
use crate::store::join::is_final;
use crate::store::{KnownBy, LocalRoot, SpanIndex, Store, TraceEntry, TraceKey};
use crate::trace::UnixNanos;

/// So many lines of a trace are asked for the container of its local roots.
const LINES_ASKED: usize = 256;
/// So many of its local roots are.
const ROOTS_ASKED: usize = 64;

/// A container that a line names.
struct Named {
    name: Box<str>,
    at: UnixNanos,
    /// Whether it names a span of the local root, too: then it is of its process.
    line: LineOf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineOf {
    Process,
    Trace,
}

impl Store {
    /// Lines of a trace that name a container say where its local roots ran, as far as nothing better is
    /// known: all of them where there is one, else those of its own spans.
    pub(in crate::store) fn place_by_lines(&mut self, key: TraceKey) {
        let Some(entry) = self.entries.get(key) else {
            return;
        };
        if entry.containers().is_empty() || entry.logs().is_empty() {
            return;
        }
        let is_open = |root: &&LocalRoot| {
            !root.is_told() && root.known_by().is_none_or(|by| by >= KnownBy::Log)
        };
        let roots = entry.local_roots().iter().filter(is_open);
        let spans = roots.map(LocalRoot::span).take(ROOTS_ASKED);
        let spans: SmallVec<[SpanIndex; 4]> = spans.collect();
        for span in spans {
            let known_by = self
                .trace(key)
                .and_then(|entry| entry.local_root(span)?.known_by());
            match self.line_container(key, span) {
                Some(named) => self.place_by_name(key, span, &named),
                None if known_by == Some(KnownBy::Log) => self.place_by_process(key, span),
                None => {}
            }
        }
    }

    /// The first line that names the container of a local root: one of a span below it; else, if there is
    /// no other local root, one of the trace.
    fn line_container(&self, key: TraceKey, root: SpanIndex) -> Option<Named> {
        let entry = self.trace(key)?;
        let is_only = entry.local_roots().len() == 1;
        let lines = entry.logs().iter().filter_map(|key| self.log(*key));
        let mut named = lines.take(LINES_ASKED).filter_map(|line| {
            let record = line.record();
            let name = record.container.as_deref().filter(|name| is_name(name))?;
            let is_sure = |joined| is_final(record, Some(joined));
            line.joined().filter(|joined| is_sure(*joined))?;
            let line = match record.ids.spans().next() {
                None if is_only => LineOf::Trace,
                None => return None,
                Some(_) => {
                    let span = entry.log_span(record)?;
                    let above = entry.local_root_above(span)?;
                    (above.span() == root).then_some(LineOf::Process)?
                }
            };
            Some(Named {
                name: name.into(),
                at: record.at,
                line,
            })
        });
        named.next()
    }

    /// What a line had named it no longer does: another process has come to light.
    fn place_by_process(&mut self, key: TraceKey, span: SpanIndex) {
        let Some(entry) = self.entries.get(key) else {
            return;
        };
        let identity = Identity::of_root(entry, span, None, entry.first_seen().wall);
        let mut discovery = Discovery::default();
        let placed = self.fleet.identify(identity, &mut discovery);
        self.follow(discovery);
        self.move_root(key, span, placed);
    }

    fn place_by_name(&mut self, key: TraceKey, span: SpanIndex, named: &Named) {
        let Named { name, at, line } = named;
        let Some(container) = self.fleet.with_name(name, *at) else {
            return;
        };
        let entry = self.entries.get(key);
        let facts = entry.and_then(TraceEntry::known_container);
        let facts = facts.filter(|known| known.name() == Some(&**name));
        if let Some(known) = facts {
            self.fleet.learn(container, known);
        }
        let runtime_id = entry.and_then(|entry| entry.runtime_id(span)?.to_str());
        let runtime_id = runtime_id.filter(|id| is_name(id) && *line == LineOf::Process);
        let mut discovery = Discovery::default();
        if let Some(runtime_id) = runtime_id {
            self.fleet.link(runtime_id, container, &mut discovery);
        }
        self.follow(discovery);
        let by = KnownBy::Log;
        self.move_root(key, span, Some(Placed { container, by }));
    }
}
