//! Lines that name a container say where the local roots of their trace ran, as far as nothing better is
//! known.

use smallvec::SmallVec;

use crate::store::container::is_name;
use crate::store::fleet::{Discovery, Placed};
use crate::store::join::is_final;
use crate::store::{KnownBy, LocalRoot, SpanIndex, Store, TraceEntry, TraceKey};
use crate::trace::{UnixNanos, tag};

/// So many lines of a trace are asked for the container of its local roots.
const LINES_ASKED: usize = 256;

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
        let spans: SmallVec<[SpanIndex; 4]> = roots.map(LocalRoot::span).collect();
        for span in spans {
            if let Some((name, at)) = self.line_container(key, span) {
                self.place_by_name(key, span, &name, at);
            }
        }
    }

    fn line_container(&self, key: TraceKey, root: SpanIndex) -> Option<(Box<str>, UnixNanos)> {
        let entry = self.trace(key)?;
        let is_only = entry.local_roots().len() == 1;
        let lines = entry.logs().iter().filter_map(|key| self.log(*key));
        let named = lines.take(LINES_ASKED).filter_map(|line| {
            let name = line.record().container.as_deref()?;
            let is_sure = line
                .joined()
                .is_some_and(|joined| is_final(line.record(), Some(joined)));
            (is_sure && is_name(name)).then_some((line, name))
        });
        let mut of_root = named.filter(|(line, _)| {
            let above = || {
                let span = entry.log_span(line.record())?;
                entry.local_root_above(span).map(LocalRoot::span)
            };
            is_only || above() == Some(root)
        });
        of_root
            .next()
            .map(|(line, name)| (name.into(), line.record().at))
    }

    fn place_by_name(&mut self, key: TraceKey, span: SpanIndex, name: &str, at: UnixNanos) {
        let Some(container) = self.fleet.with_name(name, at) else {
            return;
        };
        let entry = self.entries.get(key);
        let facts = entry.and_then(TraceEntry::known_container);
        let facts = facts.filter(|known| known.name() == Some(name));
        if let Some(known) = facts {
            self.fleet.learn(container, known);
        }
        let runtime_id = entry
            .and_then(|entry| entry.span(span)?.meta_text(tag::RUNTIME_ID)?.to_str())
            .filter(|id| is_name(id));
        let mut discovery = Discovery::default();
        if let Some(runtime_id) = runtime_id {
            self.fleet.link(runtime_id, container, &mut discovery);
        }
        self.follow(discovery);
        let by = KnownBy::Log;
        self.move_root(key, span, Some(Placed { container, by }));
    }
}
