//! Where a trace ran: as the relay in the container says it, else as tags of its spans do, else as
//! its lines do, else the process at least.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{SpanIndex, TraceEntry};
use crate::json::{Kind, Raw};
use crate::logs::LogRecord;
use crate::trace::tag::{self, Marks};
use crate::trace::{ContainerFacts, Hello, RelaySource, Span, Text, TraceChunk};

/// How many processes with a relay are remembered: of more, the newest.
const RELAYS_MAX: usize = 1_024;
/// Among how many containers another trace's is looked for.
const SHELF_MAX: usize = 64;
/// A longer name is none: they are kept beside the budget.
const NAME_BYTES_MAX: usize = 256;
/// How many relays that have not said who they are yet are waited for.
const NAMELESS_MAX: usize = 64;
/// How many spans are asked for their process.
const SPANS_ASKED: usize = 16;

/// How a container is known, the best way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnownBy {
    /// The relay in it says so.
    Relay,
    /// A tag of a span says so.
    Tag,
    /// A line of the trace says so.
    Log,
    /// Only the process is known.
    RuntimeId,
}

impl KnownBy {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Relay, "relay"),
        (Self::Tag, "tag"),
        (Self::Log, "log"),
        (Self::RuntimeId, "runtime_id"),
    ];

    /// Its name in exports.
    pub fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(by, _)| *by == self);
        known.map_or("", |(_, name)| name)
    }

    /// What [`KnownBy::name`] gives, read back.
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        known.map(|(by, _)| *by)
    }
}

/// The container of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContainer<'a> {
    /// What is known of it.
    pub facts: &'a ContainerFacts,
    /// The process that sent the spans, as its tracer names it.
    pub runtime_id: Option<Text<'a>>,
    /// How it is known.
    pub known_by: KnownBy,
}

static NOTHING: ContainerFacts = ContainerFacts {
    task_id: None,
    region: None,
    cloud: None,
    environment: None,
    image_id: None,
    gpu: None,
    pid: None,
    process_start: None,
    started: None,
    python: None,
    restored: None,
};

impl<'a> TraceContainer<'a> {
    /// Of a container of which only the process is known.
    pub(super) fn of_process(runtime_id: Option<Text<'a>>) -> Self {
        Self {
            facts: &NOTHING,
            runtime_id,
            known_by: KnownBy::RuntimeId,
        }
    }
}

impl TraceEntry {
    /// The container it ran in, as far as anything is known of it.
    pub fn container(&self) -> Option<TraceContainer<'_>> {
        let first_spans = self.spans().map(|(_, span)| span).take(SPANS_ASKED);
        let mut asked = self.head().into_iter().chain(first_spans);
        let of_spans = asked.find_map(|span| span.meta_text(tag::RUNTIME_ID));
        let runtime_id = of_spans.or_else(|| self.tracer_runtime_id());
        match self.known_container() {
            Some(known) => Some(TraceContainer {
                facts: &known.facts,
                runtime_id,
                known_by: known.by,
            }),
            None => runtime_id.map(|_| TraceContainer::of_process(runtime_id)),
        }
    }
}

impl TraceEntry {
    /// The process of a local root, as its span or its payload names it.
    pub(super) fn runtime_id(&self, root: SpanIndex) -> Option<Text<'_>> {
        let of_span = self.span(root)?.meta_text(tag::RUNTIME_ID);
        of_span.or_else(|| self.tracer_runtime_id())
    }

    /// The process, where the payload and not its spans names it.
    fn tracer_runtime_id(&self) -> Option<Text<'_>> {
        let runtime_id = &*self.tracer().runtime_id;
        (!runtime_id.is_empty()).then(|| runtime_id.into())
    }
}

/// A container, and how it is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) facts: ContainerFacts,
    pub(super) by: KnownBy,
}

impl Known {
    pub(super) fn name(&self) -> Option<&str> {
        self.facts.task_id.as_deref()
    }

    fn heap_bytes(&self) -> usize {
        let facts = &self.facts;
        let texts = [
            &facts.task_id,
            &facts.region,
            &facts.cloud,
            &facts.environment,
            &facts.image_id,
            &facts.gpu,
            &facts.python,
        ];
        let texts = texts.into_iter().flatten();
        size_of::<Self>() + 32 + texts.map(|text| text.len() + 16).sum::<usize>()
    }
}

/// The containers that traces may share, and what the relays said.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    relays: VecDeque<(RelaySource, Arc<Known>)>,
    /// Relays that have passed on spans and not said yet who they are.
    nameless: VecDeque<RelaySource>,
    recent: VecDeque<Arc<Known>>,
}

/// A container for a trace, and what it occupies if no other trace has it yet.
#[derive(Debug)]
pub(super) struct Shelved {
    pub(super) known: Arc<Known>,
    pub(super) bytes: usize,
}

impl Shelf {
    /// A relay has said who it is. Returns whether it passed on spans before.
    pub(super) fn hello(&mut self, hello: Hello) -> bool {
        let source = hello.source;
        self.relays.retain(|(known, _)| *known != source);
        if self.relays.len() >= RELAYS_MAX {
            self.relays.pop_front();
        }
        let known = Known {
            facts: bounded(hello.container),
            by: KnownBy::Relay,
        };
        self.relays.push_back((source, Arc::new(known)));
        let n_before = self.nameless.len();
        self.nameless.retain(|relay| *relay != source);
        self.nameless.len() < n_before
    }

    /// The container of a relay, if it has said who it is.
    pub(super) fn of_relay(&mut self, source: RelaySource) -> Option<Shelved> {
        let mut newest_first = self.relays.iter().rev();
        let found = newest_first.find(|(known, _)| *known == source);
        let Some((_, known)) = found else {
            if !self.nameless.contains(&source) {
                if self.nameless.len() >= NAMELESS_MAX {
                    self.nameless.pop_front();
                }
                self.nameless.push_back(source);
            }
            return None;
        };
        Some(Shelved {
            known: Arc::clone(known),
            bytes: 0,
        })
    }

    /// The container that the tags of a chunk name.
    pub(super) fn of_chunk(&mut self, chunk: &TraceChunk) -> Option<Shelved> {
        if !chunk.marks().has(Marks::CONTAINER) {
            return None;
        }
        let (span, name) = chunk
            .spans()
            .find_map(|span| Some((span, name_of(span)?)))?;
        Some(self.named(name, KnownBy::Tag, || facts_of_tags(span, name)))
    }

    /// The container that a line names.
    pub(super) fn of_line(&mut self, record: &LogRecord) -> Option<Shelved> {
        let name = record.container.as_deref().filter(|name| is_name(name))?;
        Some(self.named(name, KnownBy::Log, || facts_of_line(record, name)))
    }

    /// A container as an export has it.
    pub(super) fn restored(&mut self, facts: ContainerFacts, by: KnownBy) -> Shelved {
        let known = Known { facts, by };
        let mut newest_first = self.recent.iter().rev();
        match newest_first.find(|other| ***other == known) {
            Some(other) => Shelved {
                known: Arc::clone(other),
                bytes: 0,
            },
            None => self.put(known),
        }
    }

    fn named(
        &mut self,
        name: &str,
        by: KnownBy,
        facts: impl FnOnce() -> ContainerFacts,
    ) -> Shelved {
        let mut newest_first = self.recent.iter().rev();
        let same = |known: &&Arc<Known>| known.by == by && known.name() == Some(name);
        match newest_first.find(same) {
            Some(known) => Shelved {
                known: Arc::clone(known),
                bytes: 0,
            },
            None => self.put(Known { facts: facts(), by }),
        }
    }

    fn put(&mut self, known: Known) -> Shelved {
        if self.recent.len() >= SHELF_MAX {
            self.recent.pop_front();
        }
        let bytes = known.heap_bytes();
        let known = Arc::new(known);
        self.recent.push_back(Arc::clone(&known));
        Shelved { known, bytes }
    }
}

fn name_of(span: Span<'_>) -> Option<&str> {
    let meta = span.meta();
    let name = tag::CONTAINER.iter().find_map(|key| meta.find(key));
    let name = name?.as_text()?.to_str()?;
    is_name(name).then_some(name)
}

/// Whether a text can be the name of a container.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX
}

fn facts_of_tags(span: Span<'_>, name: &str) -> ContainerFacts {
    let meta = span.meta();
    let text = |keys: &[&str]| {
        let text = keys.iter().find_map(|key| meta.find(key)?.as_text());
        short(text?.to_str()?)
    };
    ContainerFacts {
        task_id: Some(name.into()),
        region: text(&["modal.region"]),
        cloud: text(&["modal.cloud_provider", "modal.cloud"]),
        environment: text(&["modal.environment"]),
        image_id: text(&["modal.image_id"]),
        gpu: text(&["modal.gpu"]),
        ..ContainerFacts::default()
    }
}

/// Loggers put what they know of the container into an object `modal`, or into flat keys.
fn facts_of_line(record: &LogRecord, name: &str) -> ContainerFacts {
    let object = record.object();
    let nested = object.and_then(|object| object.get("modal"));
    let nested = nested.filter(|nested| nested.kind() == Kind::Object);
    let text = |keys: &[&str]| {
        let flat = |key: &str| object?.get(&format!("modal.{key}"));
        let of_key = |key: &&str| {
            nested
                .and_then(|nested| nested.get(key))
                .or_else(|| flat(key))
        };
        short(&keys.iter().find_map(of_key).and_then(Raw::string)?)
    };
    ContainerFacts {
        task_id: Some(name.into()),
        region: text(&["region"]),
        cloud: text(&["cloud_provider", "cloud"]),
        environment: text(&["environment"]),
        image_id: text(&["image_id"]),
        gpu: text(&["gpu"]),
        ..ContainerFacts::default()
    }
}

fn short(text: &str) -> Option<Box<str>> {
    is_name(text).then(|| text.into())
}

/// What a relay says, without what is too long to be true.
fn bounded(facts: ContainerFacts) -> ContainerFacts {
    let short = |text: Option<Box<str>>| text.filter(|text| is_name(text));
    ContainerFacts {
        task_id: short(facts.task_id),
        region: short(facts.region),
        cloud: short(facts.cloud),
        environment: short(facts.environment),
        image_id: short(facts.image_id),
        gpu: short(facts.gpu),
        python: short(facts.python),
        ..facts
    }
}
