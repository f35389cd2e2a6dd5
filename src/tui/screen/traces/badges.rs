//! What is remarkable about a trace, in a word or two each: how its request started, how it ended, what has
//! not come. Words and no cells; a colour only repeats them.
//!
//! ```text
//! COLD init 4.2s   COLD boot 6.1s   COLD tag   COLD first   cold+ (beside the first)   cold~ (a guess)
//! COLD! (a tag says otherwise)   RESTORED   PREWARM   warm   ?   5 cold (workers)   OOM   killed?   partial
//! fwd (it is at Datadog)   fwd 3/5 (so much of it)
//! ```

use std::borrow::Cow;

use crate::analysis::{Outcome, StartKind, StartReason};
use crate::forward::courier::Which;
use crate::store::{Liveness, LocalRoot, Store, TraceEntry, Went};
use crate::trace::UnixNanos;
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// An ended container may send what it has left for so long.
const LAST_WORDS_NS: i64 = 5_000_000_000;

type Word = Cow<'static, str>;

/// How far the words stand out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    #[default]
    Ordinary,
    Warning,
    Error,
}

/// The badges of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Badges {
    start: Start,
    /// `5 cold`.
    workers: Option<Word>,
    /// `OOM`, `3 err`, `partial`, `fwd`, the most telling first.
    end: Vec<Word>,
    pub(super) tone: Tone,
}

/// How the request of a trace started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Start {
    /// `COLD`.
    word: Word,
    /// `init 4.2s`: said where there is room.
    how: Word,
    /// Whether one can do without it.
    is_usual: bool,
}

impl Badges {
    /// The badges of a trace that ended so, which may have taken a look at all of its spans.
    pub(crate) fn of(
        store: &Store,
        entry: &TraceEntry,
        outcome: Outcome,
        now: UnixNanos,
        glyphs: Glyphs,
    ) -> Self {
        let root = entry.own_root();
        let start = root.map(|root| Start::of(store, entry, root, glyphs));
        let start = start.unwrap_or_default();
        let waited = |root: &LocalRoot| root.start_kind().is_some_and(StartKind::waited);
        let n_cold = match root {
            Some(own) if !waited(own) => {
                let roots = entry.local_roots().iter();
                roots.filter(|root| waited(root)).count()
            }
            _ => 0,
        };
        let n_errors = entry.summary().n_errors;
        let tone = if outcome.is_failure() || n_errors > 0 {
            Tone::Error
        } else if n_cold > 0 || !entry.is_complete() || root.is_some_and(waited) {
            Tone::Warning
        } else {
            Tone::Ordinary
        };
        Self {
            start,
            workers: (n_cold > 0).then(|| format!("{n_cold} cold").into()),
            end: end(store, entry, outcome, now),
            tone,
        }
    }

    /// In at most so many cells: how it started in more words or fewer, and left out last what tells most.
    pub(crate) fn words(&self, n_cells: usize) -> String {
        let rest = || self.workers.iter().chain(&self.end).cloned();
        let all = |start: Word| join(std::iter::once(start).chain(rest()));
        let long = match &*self.start.how {
            "" => self.start.word.clone(),
            how => format!("{} {how}", self.start.word).into(),
        };
        let short = [all(long), all(self.start.word.clone())];
        let without = (self.start.is_usual && rest().next().is_some()).then(|| join(rest()));
        let mut fitting = short.into_iter().chain(without);
        if let Some(words) = fitting.find(|words| text::width(words) <= n_cells) {
            return words;
        }
        let start = (!self.start.is_usual).then(|| self.start.word.clone());
        let mut words = String::new();
        for word in start
            .into_iter()
            .chain(rest())
            .filter(|word| !word.is_empty())
        {
            let gap = usize::from(!words.is_empty());
            if gap > 0 && text::width(&words) + gap + text::width(&word) > n_cells {
                break;
            }
            words.push_str(if gap > 0 { " " } else { "" });
            words.push_str(&word);
        }
        words
    }
}

fn join(words: impl Iterator<Item = Word>) -> String {
    let words = words.filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

impl Start {
    fn of(store: &Store, entry: &TraceEntry, root: &LocalRoot, glyphs: Glyphs) -> Self {
        let usual = |word: &'static str| Self {
            word: word.into(),
            is_usual: true,
            ..Self::default()
        };
        let reason = root.reason();
        let Some(kind) = root.start_kind() else {
            return usual(match reason {
                StartReason::Exit => "exit",
                _ => "init",
            });
        };
        let guess = if reason.is_guess() { "~" } else { "" };
        let word = match kind {
            StartKind::Cold if reason.is_guess() => "cold",
            StartKind::Cold => "COLD",
            StartKind::ColdShared => "cold+",
            StartKind::Restored => "RESTORED",
            StartKind::Prewarmed => "PREWARM",
            StartKind::Warm => "warm",
            StartKind::Unknown => return usual("?"),
        };
        let is_usual = kind == StartKind::Warm;
        let contradicted = if !is_usual && store.contradiction(entry, root).is_some() {
            "!"
        } else {
            ""
        };
        Self {
            word: format!("{word}{guess}{contradicted}").into(),
            how: how(store, entry, root, glyphs),
            is_usual,
        }
    }
}

/// What told that a request was cold, and how long that took.
fn how(store: &Store, entry: &TraceEntry, root: &LocalRoot, glyphs: Glyphs) -> Word {
    let container = root
        .container()
        .and_then(|key| store.fleet().container(key));
    let start = entry.span(root.span()).map(crate::trace::Span::start);
    let (Some(past), Some(start)) = (container.map(crate::store::Container::past), start) else {
        return match root.reason() {
            StartReason::TagCold => "tag".into(),
            _ => "".into(),
        };
    };
    match root.reason() {
        StartReason::AfterInit => past.init_before(start).map_or("".into(), |init| {
            format!("init {}", about(init.end.since(init.start), glyphs)).into()
        }),
        StartReason::Boot | StartReason::BootWithoutInit => {
            past.process_start.map_or("".into(), |process_start| {
                format!("boot {}", about(start.since(process_start), glyphs)).into()
            })
        }
        StartReason::TagCold | StartReason::TagNotCold => "tag".into(),
        StartReason::FirstOfRun | StartReason::FirstSinceReload => "first".into(),
        _ => "".into(),
    }
}

/// `412ms`, `4.2s`: a time in few cells.
fn about(nanos: i64, glyphs: Glyphs) -> String {
    match nanos {
        1_000_000_000..100_000_000_000 => {
            let tenths = nanos / 100_000_000;
            format!("{}.{}s", tenths / 10, tenths % 10)
        }
        1_000_000..1_000_000_000 => format!("{}ms", nanos / 1_000_000),
        _ => text::duration(nanos, glyphs),
    }
}

fn end(store: &Store, entry: &TraceEntry, outcome: Outcome, now: UnixNanos) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let class = match outcome {
        Outcome::CudaOom => Some("OOM"),
        Outcome::Timeout => Some("timeout"),
        Outcome::Cancelled => Some("cancelled"),
        Outcome::ImportError => Some("import"),
        // Only a line says so: no span has failed.
        Outcome::Error if entry.summary().n_errors == 0 => Some("err"),
        Outcome::Ok | Outcome::Unfinished | Outcome::Error => None,
    };
    let is_killed = is_killed(store, entry, now);
    words.extend(class.map(Word::from));
    words.extend(is_killed.then_some(Word::Borrowed("killed?")));
    match entry.summary().n_errors {
        0 => {}
        // The class says it already.
        1 if class.is_some() => {}
        1 => words.push("err".into()),
        n_errors => words.push(format!("{n_errors} err").into()),
    }
    if !entry.is_complete() && !is_killed {
        words.push("partial".into());
    }
    words.extend(forwarded(store, entry).map(Word::from));
    words
}

/// `fwd`, or `fwd 3/5`: how many of a trace's spans are at Datadog, once some of them were to go there. Where
/// every trace goes by itself nothing is said.
pub(in crate::tui::screen) fn forwarded(store: &Store, entry: &TraceEntry) -> Option<String> {
    if store.forwarding().which() == Some(Which::All) {
        return None;
    }
    let n_there = match entry.forwarded() {
        Went::All => return Some("fwd".to_owned()),
        Went::None if entry.n_missing() == 0 => return None,
        Went::None => 0,
        Went::Only(spans) => spans.count(),
    };
    Some(format!("fwd {n_there}/{}", entry.n_spans()))
}

/// Whether the container in which something ran of it has gone quiet, and its root there has not come.
fn is_killed(store: &Store, entry: &TraceEntry, now: UnixNanos) -> bool {
    let mut containers = store.fleet().without_root(entry.key());
    containers.any(|container| match container.liveness(now) {
        Liveness::Quiet => true,
        Liveness::Ended => now.since(container.last_seen()) > LAST_WORDS_NS,
        Liveness::Alive => false,
    })
}

#[cfg(test)]
mod tests;
