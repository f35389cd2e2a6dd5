//! A few facts of each trace that is held, so that counting never walks spans. Nothing is read before
//! the screen is opened; from then on only traces that came or grew are read again.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::analysis::StartKind;
use crate::normalize;
use crate::sampler::{Fate, Verdict};
use crate::store::{LocalRoot, Store, TraceEntry, TraceKey};
use crate::trace::{SamplingFacts, SamplingMechanism, SamplingPriority, Span, Text, UnixNanos};
use crate::tui::screen::unread::{Kept, Progress, Unread};

/// Services in their environments that are told apart; the others are one.
const SERVICES_MAX: usize = 1_000;

/// What the client decided, and how: facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Client {
    /// Kept by a rate, or for want of one.
    AutoKeep,
    /// Kept by a rule or a person.
    UserKeep,
    /// Rejected by a person.
    HandReject,
    /// Rejected by a sampling rule.
    RuleReject,
    /// Rejected by the limiter of the rules.
    LimitReject,
    /// Rejected, and nothing says by what.
    UserReject,
    /// Rejected by the rate of an Agent.
    RateReject,
    /// It does not say.
    Silent,
}

impl Client {
    fn of(facts: &SamplingFacts<'_>) -> Self {
        let mechanism = facts.mechanism();
        match facts.priority {
            None => Self::Silent,
            Some(SamplingPriority(1)) => Self::AutoKeep,
            Some(SamplingPriority(0)) => Self::RateReject,
            Some(SamplingPriority(2..)) => Self::UserKeep,
            Some(_) if mechanism == Some(SamplingMechanism::MANUAL) => Self::HandReject,
            Some(_) if facts.is_limited() => Self::LimitReject,
            Some(_)
                if facts.rule_rate.is_some()
                    || mechanism.is_some_and(SamplingMechanism::is_rule) =>
            {
                Self::RuleReject
            }
            Some(_) => Self::UserReject,
        }
    }

    /// Whether the client wants it dropped.
    pub(super) fn is_reject(self) -> bool {
        !matches!(self, Self::AutoKeep | Self::UserKeep | Self::Silent)
    }
}

/// A service in its environment, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ServiceNumber(pub(super) u32);

/// What is counted of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    pub(super) service: ServiceNumber,
    /// Of the text; two that are equal here are taken for one.
    pub(super) resource: u64,
    /// When its first chunk came.
    pub(super) at: UnixNanos,
    pub(super) duration: i64,
    pub(super) client: Client,
    /// As the list of traces shows it: unknown while only a missing root can tell.
    pub(super) fate: Fate,
    /// What the model said when its chunks came, which is what counters count.
    pub(super) counted: Fate,
    /// Whether the tracer would have kept it with the Agent's rates; `None` if no rate decides.
    pub(super) redraw: Option<bool>,
    /// The rate it would have been drawn with.
    pub(super) rate: Option<f32>,
    pub(super) is_error: bool,
    /// Whether any of its processes paid for the start of its container.
    pub(super) is_cold: bool,
}

impl Card {
    /// Whether Datadog would have got it.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.fate, Fate::Kept(_))
    }

    /// Whether Datadog would not have got it.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.fate, Fate::Dropped | Fate::DroppedByRate)
    }

    /// Whether anything is known of what an Agent would make of it.
    pub(super) fn is_settled(&self) -> bool {
        self.fate != Fate::Unknown
    }

    /// Whether the tracer would send it as one to keep.
    pub(super) fn is_sent(&self) -> bool {
        self.is_settled() && self.redraw.unwrap_or(!self.client.is_reject())
    }

    /// Whether the priority sampler of an Agent counts it: what people and rules decide it does not.
    pub(super) fn counts(&self) -> bool {
        matches!(self.client, Client::AutoKeep | Client::RateReject)
    }
}

/// The cards of the traces that are held.
#[derive(Debug, Default)]
pub(super) struct Cards {
    by_trace: BTreeMap<TraceKey, Card>,
    services: Vec<(Box<str>, Box<str>)>,
    numbers: HashMap<(Box<str>, Box<str>), ServiceNumber>,
    unread: Unread,
}

impl Cards {
    /// Says which traces came or grew.
    pub(super) fn touch(&mut self, touched: &[TraceKey]) {
        if self.unread.touch(touched) == Kept::Outdated {
            self.by_trace = BTreeMap::new();
        }
    }

    /// Reads what came or grew, as far as a frame has time for it, and forgets what has gone.
    pub(super) fn refresh(&mut self, store: &Store) -> Progress {
        let mut unread = std::mem::take(&mut self.unread);
        if unread.read(store, |entry| self.add(entry)) == Kept::Outdated {
            self.by_trace.retain(|key, _| store.trace(*key).is_some());
        }
        self.unread = unread;
        self.unread.progress(store, self.by_trace.len())
    }

    /// In order of first arrival.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (TraceKey, &Card)> {
        self.by_trace.iter().map(|(key, card)| (*key, card))
    }

    /// The name of a service and its environment.
    pub(super) fn names(&self, service: ServiceNumber) -> (&str, &str) {
        let place = usize::try_from(service.0).unwrap_or(usize::MAX);
        let known = self.services.get(place);
        known.map_or(("(other)", ""), |(name, env)| (name, env))
    }

    fn add(&mut self, entry: &TraceEntry) {
        let head = entry.head();
        let env = match &*entry.tracer().env {
            "" => head.and_then(|head| head.meta_text("env")),
            env => Some(Text::from(env)),
        };
        let env = normalize::env(env.unwrap_or_default());
        let name = head.map(Span::service).unwrap_or_default();
        let facts = entry.sampling();
        let verdict = entry.settled_verdict();
        let redraw = verdict.as_ref().and_then(Verdict::tracer);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a rate to be shown with three digits"
        )]
        let rate = redraw.map(|redraw| redraw.rate as f32);
        let resource = head.map(Span::resource).unwrap_or_default();
        let card = Card {
            service: self.number(&name.to_lossy(), &env),
            resource: hashed(resource),
            at: entry.first_seen().wall,
            duration: entry.duration(),
            client: Client::of(&facts),
            fate: verdict.as_ref().map_or(Fate::Unknown, Verdict::fate),
            counted: entry.fate(),
            redraw: redraw.map(|redraw| redraw.is_kept),
            rate,
            is_error: entry.is_error(),
            is_cold: entry.local_roots().iter().any(is_cold),
        };
        self.by_trace.insert(entry.key(), card);
    }

    fn number(&mut self, name: &str, env: &str) -> ServiceNumber {
        let names: (Box<str>, Box<str>) = (name.into(), env.into());
        if let Some(number) = self.numbers.get(&names) {
            return *number;
        }
        let number = u32::try_from(self.services.len()).unwrap_or(u32::MAX);
        if self.services.len() >= SERVICES_MAX {
            return ServiceNumber(u32::MAX);
        }
        self.services.push(names.clone());
        self.numbers.insert(names, ServiceNumber(number));
        ServiceNumber(number)
    }
}

/// As the word `cold` of a filter has it, so that the list holds what was counted.
fn is_cold(root: &LocalRoot) -> bool {
    root.start_kind().is_some_and(StartKind::is_cold)
}

fn hashed(text: Text<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.as_bytes().hash(&mut hasher);
    hasher.finish()
}
