//! Whether a request paid for the start of its container: the rules, in the order in which the first that
//! holds decides. A rule knows the request and what its container has done, and nothing else.
//!
//! An input reaches a container of Modal only once its imports and all of its `@modal.enter` methods have
//! run, so that work is never inside a request: it lies before the first one, in a trace of its own.
//!
//! ```text
//! process start ─ imports ─[ modal.init ]─ gap ─[ first request        ]──[ warm ]──[ warm ]
//!                                                 └─[ cold_shared ]  began while the first one ran
//! ```

mod evidence;
mod said;

use smallvec::SmallVec;

use super::{InitPart, InitSpan};
use crate::trace::{SpanId, UnixNanos};
pub use evidence::Evidence;
pub use said::Said;
pub(crate) use said::{infer_ms, model_load_ms};

/// A first request that begins this soon after the start paid for it; one that begins later found the
/// container ready.
pub const GAP_MAX_NS: i64 = 1_000_000_000;

/// Whether a request paid for the start of its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StartKind {
    /// It waited for the start.
    Cold,
    /// It waited for the start of the first request, beside which it began.
    ColdShared,
    /// It was the first of a container that had been ready for a while.
    Prewarmed,
    /// It was the first after the container came back from a memory snapshot.
    Restored,
    /// The container had served before.
    Warm,
    /// It cannot be told.
    Unknown,
}

impl StartKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Cold,
        Self::ColdShared,
        Self::Restored,
        Self::Prewarmed,
        Self::Warm,
        Self::Unknown,
    ];

    /// Its name in exports and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::ColdShared => "cold_shared",
            Self::Prewarmed => "prewarmed",
            Self::Restored => "restored",
            Self::Warm => "warm",
            Self::Unknown => "unknown",
        }
    }

    /// What [`StartKind::name`] gives, read back.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the word `cold` means it: of its own, or shared.
    pub fn is_cold(self) -> bool {
        matches!(self, Self::Cold | Self::ColdShared)
    }

    /// Whether the request waited for a start: its own, a neighbour's, or a restore.
    pub fn waited(self) -> bool {
        matches!(self, Self::Cold | Self::ColdShared | Self::Restored)
    }
}

/// Which rule decided, from the strongest evidence down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartReason {
    /// It is the init span of its container.
    Init,
    /// It is the exit span of its container.
    Exit,
    /// An export says that it is no request.
    ToldNone,
    /// It ran within the init span of its container: no request has come so far.
    DuringInit,
    /// The relay says that the process was restored.
    RelayRestored,
    /// First, soon after the init span ended; the process start is known.
    Boot,
    /// First, soon after the process start.
    BootWithoutInit,
    /// First, long after the init span ended; the process start is known.
    ReadyBefore,
    /// First, long after the process start, and no init span was seen.
    ReadyBeforeWithoutInit,
    /// A tag says cold.
    TagCold,
    /// The container came from a memory snapshot.
    Restored,
    /// First, soon after the init span ended.
    AfterInit,
    /// First, long after the init span ended.
    LongAfterInit,
    /// First on a container that cannot be older than this program's child.
    FirstOfRun,
    /// First on a container that came after a reload.
    FirstSinceReload,
    /// It began while the first one ran, which waited for the start.
    Shared,
    /// It began while the first one ran, of which is not known whether it waited.
    SharedUnknown,
    /// An earlier one ran on the container.
    Later,
    /// `modal.warm` says false: a guess.
    GuessCold,
    /// `modal.warm` says true: a guess.
    GuessWarm,
    /// The model took its time to load: a guess.
    GuessSlowLoad,
    /// The model was there at once: a guess.
    GuessQuickLoad,
    /// A tag says not cold, and has said cold in this service.
    TagNotCold,
    /// First that was seen, on a container that may have served before.
    MayPredate,
    /// Nothing says where it ran.
    NoContainer,
    /// An export says so.
    Told(StartKind),
}

impl StartReason {
    /// What it means for the request; `None` for what is none.
    pub fn kind(self) -> Option<StartKind> {
        Some(match self {
            Self::Init | Self::Exit | Self::DuringInit | Self::ToldNone => return None,
            Self::Boot
            | Self::BootWithoutInit
            | Self::TagCold
            | Self::AfterInit
            | Self::FirstOfRun
            | Self::FirstSinceReload
            | Self::GuessCold
            | Self::GuessSlowLoad => StartKind::Cold,
            Self::Shared => StartKind::ColdShared,
            Self::ReadyBefore | Self::ReadyBeforeWithoutInit | Self::LongAfterInit => {
                StartKind::Prewarmed
            }
            Self::RelayRestored | Self::Restored => StartKind::Restored,
            Self::Later | Self::GuessWarm | Self::GuessQuickLoad | Self::TagNotCold => {
                StartKind::Warm
            }
            Self::SharedUnknown | Self::MayPredate | Self::NoContainer => StartKind::Unknown,
            Self::Told(kind) => kind,
        })
    }

    /// Whether it rests on a comparison of times that another cause could explain.
    pub fn is_guess(self) -> bool {
        matches!(
            self,
            Self::GuessCold | Self::GuessWarm | Self::GuessSlowLoad | Self::GuessQuickLoad
        )
    }
}

/// How it is known that a container came from a memory snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RestoredBy {
    /// Modal says so in a line of the container.
    Line,
    /// Another container has the same runtime id.
    SharedRuntime,
}

/// Since when a container can have been there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beginning {
    /// Before this program looked: it may have served unseen.
    #[default]
    MayPredate,
    /// Not before the program that this one started.
    WithTheRun,
    /// Not before the app was published again: 1 for the first time.
    AfterReload(u64),
}

/// What requests run in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Host {
    /// A process of which no more is known: it may work before it loads anything.
    #[default]
    Process,
    /// A container with a name: no input reaches it before its init has ended.
    Container,
}

/// A request as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// When it began.
    pub start: UnixNanos,
    /// When it ended.
    pub end: UnixNanos,
    /// The local root.
    pub span_id: SpanId,
    /// What the tags of its chunk say.
    pub said: Said,
    /// Whether the tag that says so varies.
    pub tag_varies: TagVaries,
}

impl Opening {
    /// Which of two is the earlier: by start, then by id, so that the order of arrival does not show.
    pub fn rank(&self) -> (UnixNanos, SpanId) {
        (self.start, self.span_id)
    }
}

/// What a container has done, as far as it bears on the start of its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerPast {
    /// When its process began, as the relay in it says.
    pub process_start: Option<UnixNanos>,
    /// Whether the relay says that it was restored from a snapshot.
    pub relay_says_restored: bool,
    /// How else it is known that it was.
    pub restored_by: Option<RestoredBy>,
    /// What is known to route its requests.
    pub host: Host,
    /// Its init spans, the earliest first.
    pub inits: SmallVec<[InitSpan; 1]>,
    /// Since when it can have been there.
    pub beginning: Beginning,
    /// The earliest request of which a tag says cold, and the tag.
    pub said_cold: Option<(UnixNanos, &'static str)>,
    /// The earliest request it has served.
    pub opening: Option<Opening>,
}

impl ContainerPast {
    /// The last init span that had ended when a request began.
    pub fn init_before(&self, start: UnixNanos) -> Option<InitSpan> {
        let ended = self.inits.iter().filter(|init| init.end <= start);
        ended.max_by_key(|init| init.end).copied()
    }

    /// Whether something ran within an init span, or in a container of Modal before the end of the first:
    /// work of the start, which no request has asked for.
    pub fn is_during_init(&self, start: UnixNanos, end: UnixNanos) -> bool {
        let own = || self.inits.iter().filter(|init| init.part == InitPart::Own);
        let first_end = own().map(|init| init.end).min();
        let is_before = self.host == Host::Container && first_end.is_some_and(|first| end <= first);
        is_before || own().any(|init| init.start <= start && end <= init.end)
    }

    fn is_first(&self, request: &Opening) -> bool {
        self.opening
            .is_none_or(|opening| request.rank() <= opening.rank())
    }

    /// The first rule that holds for a request on it.
    fn judge(&self, request: &Opening) -> StartReason {
        if self.is_during_init(request.start, request.end) {
            return StartReason::DuringInit;
        }
        if self.is_first(request) {
            return self.judge_first(request);
        }
        // Of several that began together any can have been the first to ask whether it is.
        match &self.opening {
            Some(first) if request.start < first.end => match self.judge_first(first).kind() {
                Some(kind) if kind.waited() => StartReason::Shared,
                Some(StartKind::Unknown) | None => StartReason::SharedUnknown,
                Some(_) => StartReason::Later,
            },
            _ if request.said.cold() == Some(true) => StartReason::TagCold,
            _ => StartReason::Later,
        }
    }

    /// The tag by which the first request, or one that began while it ran, says cold.
    pub(super) fn tag_of_first(&self, first: &Opening) -> Option<&'static str> {
        if first.said.cold() == Some(true) {
            return first.said.cold_tag();
        }
        let (start, tag) = self.said_cold?;
        (start < first.end).then_some(tag)
    }

    fn judge_first(&self, request: &Opening) -> StartReason {
        let init = self.init_before(request.start);
        if let Some(process_start) = self.process_start.filter(|start| *start <= request.start) {
            return match init {
                _ if self.relay_says_restored => StartReason::RelayRestored,
                Some(init) if is_soon(init.end, request) => StartReason::Boot,
                Some(_) => StartReason::ReadyBefore,
                None if is_soon(process_start, request) => StartReason::BootWithoutInit,
                // Imports may have taken all of it; where the app says so, they have.
                None if self.tag_of_first(request).is_some() => StartReason::TagCold,
                None => StartReason::ReadyBeforeWithoutInit,
            };
        }
        if self.tag_of_first(request).is_some() {
            return StartReason::TagCold;
        }
        if self.restored_by == Some(RestoredBy::Line) || self.relay_says_restored {
            return StartReason::Restored;
        }
        match (init, self.beginning) {
            // Of containers that share a runtime-id, the one of which the snapshot was made has an init.
            (Some(init), _) if is_soon(init.end, request) => StartReason::AfterInit,
            (Some(_), _) => StartReason::LongAfterInit,
            _ if self.restored_by.is_some() => StartReason::Restored,
            (None, Beginning::WithTheRun) => StartReason::FirstOfRun,
            (None, Beginning::AfterReload(_)) => StartReason::FirstSinceReload,
            (None, Beginning::MayPredate) => by_tags(request).unwrap_or(StartReason::MayPredate),
        }
    }
}

/// Whether the tag by which a request says that it was not cold has said cold in its service: one that
/// never does proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagVaries {
    /// It has said both.
    Yes,
    /// It has only ever said that nothing was cold.
    No,
}

/// Why a request is cold, warm or neither: the first rule that holds.
pub fn judge(past: Option<&ContainerPast>, request: &Opening) -> StartReason {
    match past {
        Some(past) => past.judge(request),
        None if request.said.cold() == Some(true) => StartReason::TagCold,
        None => by_tags(request).unwrap_or(StartReason::NoContainer),
    }
}

fn is_soon(ready: UnixNanos, request: &Opening) -> bool {
    request.start.since(ready) <= GAP_MAX_NS
}

/// What tags alone let one guess.
fn by_tags(request: &Opening) -> Option<StartReason> {
    let said = request.said;
    if let Some(is_warm) = said.warm() {
        return Some(if is_warm {
            StartReason::GuessWarm
        } else {
            StartReason::GuessCold
        });
    }
    if let Some(is_slow) = said.is_slow_load() {
        return Some(if is_slow {
            StartReason::GuessSlowLoad
        } else {
            StartReason::GuessQuickLoad
        });
    }
    let varies = said.cold() == Some(false) && request.tag_varies == TagVaries::Yes;
    varies.then_some(StartReason::TagNotCold)
}
