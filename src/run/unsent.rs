//! What has not arrived at Datadog when the program ends: it is said, and kept where that was asked; and a
//! file that was sent says so from then on. Sends nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::plural;
use crate::config::{ByHand, DatadogTarget, Settings, quoted};
use crate::export::{self, FileForm, Format, Opened};
use crate::io::clock;
use crate::io::files::{self, Draft};
use crate::store::{Missing, Store, TraceKey};

/// A file that is sent.
#[derive(Debug)]
pub(super) struct SentFile {
    path: PathBuf,
    /// Why it cannot say what was sent, if it cannot.
    unmarked: Option<&'static str>,
    /// Spans and lines in it.
    n_held: (u64, usize),
    /// How many spans of its traces had arrived before, where any had.
    n_before: BTreeMap<TraceKey, u32>,
    /// How many requests had arrived, by the counters in it.
    n_requests_before: u64,
}

impl SentFile {
    /// The file that a store was filled from; `None` if it is damaged.
    ///
    /// # Errors
    ///
    /// It could say what was sent, but cannot be written.
    pub(super) fn new(path: &Path, opened: Option<&Opened>, store: &Store) -> anyhow::Result<Self> {
        let arrived = store
            .traces()
            .map(|trace| (trace.key(), trace.n_forwarded()));
        let mut file = Self {
            path: path.to_owned(),
            unmarked: None,
            n_held: held(store),
            n_before: arrived.filter(|(_, n_spans)| *n_spans > 0).collect(),
            n_requests_before: store.counters().forwarded_payloads,
        };
        file.unmarked = match opened {
            None => Some("it is damaged"),
            Some(opened) if opened.form == FileForm::Chunks => {
                Some("it holds nothing but spans as an agent takes them")
            }
            Some(opened) if !fits(opened, store) => Some("not all of it fits into --memory"),
            Some(opened) if !opened.warnings.is_empty() => Some("not all of it is kept"),
            Some(_) if !path.is_file() => Some("it is no file that can be written again"),
            Some(_) => None,
        };
        if file.unmarked.is_none() {
            let what = || format!("{} is to say what was sent of it", path.display());
            files::check_writable(path).with_context(what)?;
        }
        Ok(file)
    }

    /// What the user is to know before it is sent.
    pub(super) fn warning(&self) -> Option<String> {
        let why = self.unmarked?;
        let path = self.path.display();
        Some(format!(
            "{path} cannot say what was sent, because {why}: opened so again, it sends the same again."
        ))
    }

    /// What of it arrived just now: spans, and their traces.
    fn n_arrived(&self, store: &Store) -> (u64, u64) {
        let mut arrived = (0, 0);
        for trace in store.traces() {
            let before = self.n_before.get(&trace.key()).copied().unwrap_or(0);
            let n_spans = trace.n_forwarded().saturating_sub(before);
            arrived.0 += u64::from(n_spans);
            arrived.1 += u64::from(n_spans > 0);
        }
        arrived
    }

    /// Has it say what was sent. Returns whether it does.
    fn mark(&self, store: &Store) -> anyhow::Result<bool> {
        // What was evicted since is nowhere else.
        if self.unmarked.is_some() || held(store) != self.n_held {
            return Ok(false);
        }
        let mut draft = Draft::create(&self.path)?;
        export::write_all(&Format::JSON, store, clock::wall(), &mut draft)?;
        draft.finish()?;
        Ok(true)
    }
}

/// Spans and lines that are held.
fn held(store: &Store) -> (u64, usize) {
    (store.counters().spans_shown, store.n_logs())
}

fn fits(opened: &Opened, store: &Store) -> bool {
    let (n_spans, n_lines) = held(store);
    let all_lines = usize::try_from(opened.kept.n_lines).unwrap_or(usize::MAX);
    n_spans >= opened.kept.n_spans && n_lines >= all_lines
}

/// What is to be said at the end, a sentence each.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// What was sent of a file.
    pub(super) sent: Option<String>,
    /// What has not arrived.
    pub(super) missing: Option<String>,
}

/// Keeps what has not arrived at Datadog, in the file it came from or the one of `--spill`.
///
/// # Errors
///
/// That file cannot be written.
pub(super) fn keep(
    settings: &Settings,
    store: &Store,
    file: Option<&SentFile>,
) -> anyhow::Result<Ending> {
    let ByHand::To(target) = &settings.by_hand else {
        return Ok(Ending::default());
    };
    let missing = store.missing();
    let sent = file.map(|file| mark(file, store, target)).transpose()?;
    let (sent, marked) = sent.unwrap_or_default();
    let spill = settings.spill.as_deref().filter(|_| missing.is_held());
    let kept = match (marked, spill) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Some(path)) => Some(spill_into(path, store, &missing)?),
        (None, None) => None,
    };
    let missing = (!missing.is_nothing()).then(|| {
        let where_kept = match (&kept, file) {
            (Some(kept), _) => {
                let asked = spill.filter(|_| marked.is_none());
                said_kept(kept, asked, &missing)
            }
            (None, Some(file)) => format!("it is still in {}", file.path.display()),
            (None, None) if missing.is_held() => "--spill FILE would keep it".to_owned(),
            (None, None) => "nothing of it is held".to_owned(),
        };
        format!("{}; {where_kept}.", said_missing(&missing, target, store))
    });
    Ok(Ending { sent, missing })
}

/// Has a file say what was sent. Returns what is said of that, and the file, if it does.
fn mark<'f>(
    file: &'f SentFile,
    store: &Store,
    target: &DatadogTarget,
) -> anyhow::Result<(Option<String>, Option<&'f Path>)> {
    let (path, site) = (file.path.display(), &target.settings.site);
    if store.forwarding().n_exchanges() == 0 {
        let nothing = format!("Nothing of {path} was left to be sent to Datadog ({site}).");
        let is_all = store.missing().is_nothing();
        return Ok((is_all.then_some(nothing), Some(&file.path)));
    }
    let what = match file.n_arrived(store) {
        (0, _) => "what was left beside spans".to_owned(),
        (n_spans, n_traces) => of_traces(n_spans, n_traces),
    };
    let is_marked = file.mark(store)?;
    let says = if is_marked {
        format!("{path} says so now")
    } else {
        format!("{path} cannot say so, and would send the same again")
    };
    let has_sent = store.counters().forwarded_payloads > file.n_requests_before;
    let sent = has_sent.then(|| format!("Sent {what} to Datadog ({site}); {says}."));
    Ok((sent, is_marked.then_some(&*file.path)))
}

/// Writes what has not arrived under a name that is free. Returns the name.
fn spill_into(path: &Path, store: &Store, missing: &Missing) -> anyhow::Result<PathBuf> {
    let mut draft = Draft::create_new(path)?;
    export::write_missing(store, missing, clock::wall(), &mut draft)?;
    Ok(draft.finish()?)
}

/// What has not arrived, and why: the beginning of a sentence.
fn said_missing(missing: &Missing, target: &DatadogTarget, store: &Store) -> String {
    let n_requests = missing.n_requests + missing.n_lost_requests;
    let n_traces = u64::try_from(missing.traces.len()).unwrap_or(u64::MAX);
    let spans = of_traces(missing.n_spans, n_traces);
    let lost = plural(missing.n_lost_spans, "span") + " of evicted traces";
    let requests = plural(n_requests, "request") + " with statistics or log lines";
    let parts = [
        (missing.n_spans, spans),
        (missing.n_lost_spans, lost),
        (n_requests, requests),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<_> = parts.map(|(_, said)| said).collect();
    let why = store.forwarding().last_error();
    let why = why.map(|error| format!(" (last error: {error})"));
    format!(
        "{} did not arrive at Datadog ({}){}",
        parts.join(" and "),
        target.settings.site,
        why.unwrap_or_default()
    )
}

/// Where it is kept, and what is to be done then: the end of that sentence.
fn said_kept(kept: &Path, asked: Option<&Path>, missing: &Missing) -> String {
    let is_whole = missing.n_lost_spans == 0 && missing.n_lost_requests == 0;
    let it = if is_whole { "it" } else { "what is held of it" };
    let taken = asked.filter(|asked| *asked != kept);
    let taken = taken.map(|asked| format!(" ({} was there already)", asked.display()));
    let taken = taken.unwrap_or_default();
    let kept = kept.to_string_lossy();
    let word = quoted(&kept);
    format!(
        "{it} is kept in {kept}{taken}, and `modtrace-tui open --forward datadog {word}` sends it"
    )
}

fn of_traces(n_spans: u64, n_traces: u64) -> String {
    format!(
        "{} of {}",
        plural(n_spans, "span"),
        plural(n_traces, "trace")
    )
}
