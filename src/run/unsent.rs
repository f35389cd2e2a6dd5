//! What has not arrived at Datadog when the program ends: it is said, and kept where that was asked; and a
//! file that was sent says so from then on. Sends nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::plural;
use crate::config::{ByHand, DatadogTarget, Settings, quoted};
use crate::export::{self, FileForm, Format, Opened};
use crate::forward::Intake;
use crate::forward::courier::Which;
use crate::io::clock;
use crate::io::files::{Draft, Held};
use crate::store::{Missing, Store, TraceKey};

/// A file that is sent: nobody else sends it meanwhile.
#[derive(Debug)]
pub(super) struct SentFile {
    file: Held,
    /// Why it cannot say what was sent, if it cannot.
    unmarked: Option<&'static str>,
    /// Spans and lines in it.
    n_held: (u64, usize),
    /// How many spans of its traces had arrived before, where any had.
    n_before: BTreeMap<TraceKey, u32>,
    /// How many requests had arrived, by the counters in it.
    n_requests_before: u64,
}

/// Why a file does not say what was sent.
#[derive(Debug)]
enum Unmarked {
    /// For this reason; it holds what it held.
    Left(&'static str),
    /// Somebody else has changed it.
    Changed,
    /// It could not be written.
    Failed(anyhow::Error),
}

impl Unmarked {
    /// As it stands after "because".
    fn why(&self) -> &'static str {
        match self {
            Self::Left(why) => why,
            Self::Changed => "it was changed meanwhile",
            Self::Failed(_) => "it could not be written",
        }
    }
}

impl SentFile {
    /// The file that a store was filled from; what it brought is `None` if it is damaged.
    ///
    /// # Errors
    ///
    /// It could say what was sent, but cannot be written.
    pub(super) fn new(file: Held, opened: Option<&Opened>, store: &Store) -> anyhow::Result<Self> {
        let arrived = store
            .traces()
            .map(|trace| (trace.key(), trace.n_forwarded()));
        let unmarked = match opened {
            None => Some("it is damaged"),
            Some(opened) if opened.form == FileForm::Chunks => {
                Some("it holds nothing but spans as an agent takes them")
            }
            Some(opened) if !is_all_held(opened, store) => Some(
                "not all of its spans and lines are held (one comes twice, or --memory is too small)",
            ),
            Some(opened) if !opened.warnings.is_empty() => Some("not all of it is kept"),
            Some(_) if !file.path().is_file() => Some("it is no file that can be written again"),
            Some(_) => None,
        };
        if unmarked.is_none() {
            let what = || format!("{} is to say what was sent of it", file.path().display());
            file.check_replaceable().with_context(what)?;
        }
        Ok(Self {
            file,
            unmarked,
            n_held: held(store),
            n_before: arrived.filter(|(_, n_spans)| *n_spans > 0).collect(),
            n_requests_before: store.counters().forwarded_payloads,
        })
    }

    /// What the user is to know before it is sent.
    pub(super) fn warning(&self) -> Option<String> {
        let why = self.unmarked?;
        let path = self.file.path().display();
        Some(format!(
            "{path} cannot say what was sent, because {why}: opened so again, it sends the same again."
        ))
    }

    /// What of it goes now, if anything does.
    pub(super) fn sending(&self, store: &Store, target: &DatadogTarget) -> Option<String> {
        // Of those that are wanted sent, the ones of which not all has arrived.
        let n_traces = count(store.missing().traces.len());
        let n_requests = count(store.forwarding().n_unsent_wanted());
        let kept = match target.which {
            Which::Sampled => " as far as the simulated Agent keeps them",
            Which::All | Which::ByHand => "",
        };
        let parts = [
            (n_traces, plural(n_traces, "trace") + kept),
            (n_requests, requests(n_requests)),
        ];
        let what = those(parts, ", and ");
        let path = self.file.path().display();
        let to = target.settings.traces.authority();
        (n_traces + n_requests > 0).then(|| format!("Sending what {path} holds to {to}: {what}."))
    }

    /// What of it does not go, for want of an option.
    pub(super) fn staying(&self, store: &Store) -> Option<String> {
        let forwarding = store.forwarding();
        let n_stay = forwarding.unsent().len() - forwarding.n_unsent_wanted();
        let what = plural(count(n_stay), "request");
        let path = self.file.path().display();
        (n_stay > 0).then(|| {
            format!("Without --forward-logs {what} with log lines of {path} will not be sent.")
        })
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

    /// Has it say what was sent.
    fn mark(&self, store: &Store) -> Result<(), Unmarked> {
        if let Some(why) = self.unmarked {
            return Err(Unmarked::Left(why));
        }
        // What is held no more is nowhere else.
        if held(store) != self.n_held || store.missing().n_lost_requests > 0 {
            return Err(Unmarked::Left("not all of it is held any more"));
        }
        match self.rewrite(store) {
            Ok(Rewritten::Yes) => Ok(()),
            Ok(Rewritten::Changed) => Err(Unmarked::Changed),
            Err(error) => Err(Unmarked::Failed(error)),
        }
    }

    /// Puts what is held in its place, unless somebody else has done so.
    fn rewrite(&self, store: &Store) -> anyhow::Result<Rewritten> {
        let mut draft = Draft::create(self.file.path())?;
        export::write_all(&Format::JSON, store, clock::wall(), &mut draft)?;
        if !self.file.is_unchanged() {
            return Ok(Rewritten::Changed);
        }
        draft.finish()?;
        Ok(Rewritten::Yes)
    }
}

/// Whether a file was written again.
enum Rewritten {
    Yes,
    /// No: somebody else has changed it.
    Changed,
}

/// Spans and lines that are held.
fn held(store: &Store) -> (u64, usize) {
    (store.counters().spans_shown, store.n_logs())
}

fn is_all_held(opened: &Opened, store: &Store) -> bool {
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
    /// Why a file could not be written.
    pub(super) failure: Option<anyhow::Error>,
}

/// Where what has not arrived is in the end.
#[derive(Debug)]
enum Kept {
    /// In a file that says so.
    In(PathBuf),
    /// In a file that holds what was sent, too.
    StillIn(PathBuf),
    Nowhere,
}

/// Keeps what has not arrived at Datadog, in the file it came from or the one of `--spill`.
pub(super) fn keep(settings: &Settings, store: &Store, file: Option<&SentFile>) -> Ending {
    let ByHand::To(target) = &settings.by_hand else {
        return Ending::default();
    };
    let mut missing = store.missing();
    let n_refused = std::mem::take(&mut missing.n_refused_spans);
    let (mut ending, mut kept) = match file {
        Some(file) => mark(file, store, target),
        None => (Ending::default(), Kept::Nowhere),
    };
    let asked = settings.spill.as_deref();
    let is_kept = matches!(kept, Kept::In(_));
    if let Some(asked) = asked.filter(|_| missing.is_held() && !is_kept) {
        match spill_into(asked, store, &missing) {
            Ok(path) => kept = Kept::In(path),
            Err(error) => ending.failure = ending.failure.or(Some(error)),
        }
    }
    if !missing.is_nothing() {
        let where_kept = match (&kept, asked) {
            (Kept::In(path), asked) => {
                let asked = asked.filter(|_| !is_kept);
                said_kept((path, asked), &missing, store)
            }
            (Kept::StillIn(path), _) => format!("it is still in {}", path.display()),
            (Kept::Nowhere, Some(_)) if missing.is_held() => "it could not be kept".to_owned(),
            (Kept::Nowhere, None) if missing.can_be_kept() => {
                "--spill FILE would have kept it".to_owned()
            }
            (Kept::Nowhere, _) => "nothing of it is held".to_owned(),
        };
        let missing = said_missing(&missing, target, store);
        ending.missing = Some(format!("{missing}; {where_kept}."));
    }
    if n_refused > 0 {
        let refused = said_refused(n_refused, target);
        ending.missing = Some(match ending.missing {
            Some(missing) => format!("{missing} {refused}"),
            None => refused,
        });
    }
    ending
}

/// Has a file say what was sent. Returns what is said of that, and what the file holds then.
fn mark(file: &SentFile, store: &Store, target: &DatadogTarget) -> (Ending, Kept) {
    let mut ending = Ending::default();
    let path = file.file.path().to_owned();
    let (name, site) = (path.display(), &target.settings.site);
    if store.forwarding().n_exchanges() == 0 {
        if store.missing().is_nothing() {
            let sentence = format!("Nothing of {name} was left to be sent to Datadog ({site}).");
            ending.sent = Some(sentence);
        }
        // What it says is still true.
        let is_unchanged = file.file.is_unchanged();
        let kept = if is_unchanged {
            Kept::In(path)
        } else {
            Kept::Nowhere
        };
        return (ending, kept);
    }
    let what = match file.n_arrived(store) {
        (0, _) => "what was left beside spans".to_owned(),
        (n_spans, n_traces) => of_traces(n_spans, n_traces),
    };
    let marked = file.mark(store);
    let says = match &marked {
        Ok(()) => format!("{name} says so now"),
        Err(unmarked) => format!(
            "{name} cannot say so, because {}, and would send the same again",
            unmarked.why()
        ),
    };
    if store.counters().forwarded_payloads > file.n_requests_before {
        ending.sent = Some(format!("Sent {what} to Datadog ({site}); {says}."));
    }
    let kept = match marked {
        Ok(()) => Kept::In(path),
        Err(Unmarked::Left(_)) => Kept::StillIn(path),
        Err(Unmarked::Changed) => Kept::Nowhere,
        Err(Unmarked::Failed(error)) => {
            ending.failure = Some(error);
            Kept::StillIn(path)
        }
    };
    (ending, kept)
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
    let n_lost = missing.n_lost_spans;
    let parts = [
        (
            missing.n_spans,
            of_traces(missing.n_spans, count(missing.traces.len())),
        ),
        (n_lost, plural(n_lost, "span") + " of evicted traces"),
        (n_requests, requests(n_requests)),
    ];
    let why = store.forwarding().last_error();
    let why = why.map(|error| format!(" (last error: {error})"));
    format!(
        "{} did not arrive at Datadog ({}){}",
        those(parts, " and "),
        target.settings.site,
        why.unwrap_or_default()
    )
}

/// What was not sent and never will be: a sentence.
fn said_refused(n_spans: u64, target: &DatadogTarget) -> String {
    let (spans, site) = (plural(n_spans, "span"), &target.settings.site);
    format!(
        "{spans} did not go to Datadog ({site}), because no intake takes what has no id, or is larger than a payload may be."
    )
}

/// Where it is kept, if elsewhere than was asked, and what is to be done then: the end of that sentence.
fn said_kept((kept, asked): (&Path, Option<&Path>), missing: &Missing, store: &Store) -> String {
    let is_whole = missing.n_lost_spans == 0 && missing.n_lost_requests == 0;
    let it = if is_whole { "it" } else { "what is held of it" };
    let taken = asked.filter(|asked| *asked != kept);
    let taken = taken.map(|asked| format!(" ({} was there already)", asked.display()));
    let taken = taken.unwrap_or_default();
    let mut unsent = store.forwarding().unsent();
    let has_lines = unsent.any(|request| request.intake == Intake::Logs);
    let logs = if has_lines { " --forward-logs" } else { "" };
    let kept = kept.to_string_lossy();
    let word = quoted(&kept);
    format!(
        "{it} is kept in {kept}{taken}, and `modtrace-tui open --forward datadog{logs} {word}` sends it"
    )
}

/// The parts of which there are some.
fn those<const N: usize>(parts: [(u64, String); N], separator: &str) -> String {
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<_> = parts.map(|(_, said)| said).collect();
    parts.join(separator)
}

fn requests(n_requests: u64) -> String {
    plural(n_requests, "request") + " with statistics or log lines"
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn of_traces(n_spans: u64, n_traces: u64) -> String {
    format!(
        "{} of {}",
        plural(n_spans, "span"),
        plural(n_traces, "trace")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Now;

    #[test]
    fn a_file_of_which_requests_are_held_no_more_is_left_alone() {
        let name = format!("modtrace-tui-{}-unsent.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = r#"{"format":"modtrace","version":1,"traces":[]}"#;
        for (n_lost, is_marked) in [(1, false), (0, true)] {
            std::fs::write(&path, text).unwrap();
            let mut store = Store::new(1 << 20);
            let file = Held::open(&path).unwrap();
            let opened = export::open(file.reader(), &mut store, Now::default()).unwrap();
            let file = SentFile::new(file, Some(&opened), &store).unwrap();
            store.keep_unsent([], n_lost);
            assert_eq!(file.mark(&store).is_ok(), is_marked);
            assert_eq!(std::fs::read_to_string(&path).unwrap() != text, is_marked);
        }
        std::fs::remove_file(path).unwrap();
    }
}
