//! Why a request counts as cold, warm or neither, in one sentence; and where a tag says otherwise. What is
//! not known is said as well.

use super::{Beginning, ContainerPast, Opening, RestoredBy, StartKind, StartReason};

/// What a sentence can name.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// The rule that decided.
    pub reason: StartReason,
    /// The request.
    pub request: Opening,
    /// Its container, as it is shown: `ta-01J8…`.
    pub container: Option<String>,
    /// What that has done.
    pub past: Option<&'a ContainerPast>,
    /// Which of its requests it is, from 1.
    pub number: Option<u64>,
}

impl Evidence<'_> {
    /// The sentence; without a capital and a full stop, since it stands in lists. `None` for what is no
    /// request.
    pub fn sentence(&self) -> Option<String> {
        let mut sentence = self.why()?;
        if let Some(contradiction) = self.contradiction() {
            sentence.push_str("; ");
            sentence.push_str(&contradiction);
        }
        Some(sentence)
    }

    /// Where a tag of the app says otherwise.
    pub fn contradiction(&self) -> Option<String> {
        let kind = self.reason.kind()?;
        let said = self.request.said;
        let tag = said.cold_tag().unwrap_or_default();
        // Of several that began together one says that it was the first, the others that they were not.
        let is_beside = matches!(self.reason, StartReason::TagCold | StartReason::Shared);
        if kind.waited() && !is_beside && said.cold() == Some(false) {
            return Some(format!(
                "the tag says warm: {tag} is false, as it always is where it is read from \
                 MODAL_IS_COLD_START, which does not exist"
            ));
        }
        if kind.waited() && said.warm() == Some(true) && !self.reason.is_guess() {
            return Some("modal.warm says warm".to_owned());
        }
        let is_later =
            self.reason == StartReason::TagCold && self.number.is_some_and(|nth| nth > 1);
        if is_later {
            return Some(format!("but it is {}", self.which()));
        }
        let init = self
            .past
            .and_then(|past| past.init_before(self.request.start));
        let was_ready =
            init.is_some_and(|init| self.request.start.since(init.end) > super::GAP_MAX_NS);
        let is_restored = self.past.is_some_and(|past| past.restored_by.is_some());
        if self.reason == StartReason::TagCold && is_restored {
            let container = self.container.as_deref().unwrap_or("its container");
            return Some(format!("but {container} came from a memory snapshot"));
        }
        if self.reason == StartReason::TagCold && was_ready {
            return Some(format!(
                "but modal.init had ended {} before",
                self.since_init()
            ));
        }
        if kind == StartKind::Prewarmed && said.cold() == Some(true) {
            return Some(format!("the tag says cold: {tag} is true"));
        }
        None
    }

    fn why(&self) -> Option<String> {
        let container = self.container.as_deref().unwrap_or("its container");
        Some(match self.reason {
            StartReason::Init
            | StartReason::Exit
            | StartReason::DuringInit
            | StartReason::ToldNone
            | StartReason::Told(_) => return None,
            StartReason::RelayRestored => format!(
                "first on {container}, which the relay in it says was restored from a memory snapshot"
            ),
            StartReason::Boot => format!(
                "modal.init ended {} before, {} after the process began",
                self.since_init(),
                self.since_process_start()
            ),
            StartReason::BootWithoutInit => {
                format!("the process began {} before", self.since_process_start())
            }
            StartReason::ReadyBefore | StartReason::LongAfterInit => format!(
                "first on {container}, which had been ready for {}: modal.init ended then",
                self.since_init()
            ),
            StartReason::ReadyBeforeWithoutInit => format!(
                "first on {container}, whose process began {} before; what it did in between no init \
                 span says",
                self.since_process_start()
            ),
            StartReason::TagCold => self.tag_says_cold(),
            StartReason::Restored => self.restored(container),
            StartReason::AfterInit => format!("modal.init ended {} before", self.since_init()),
            StartReason::FirstOfRun => {
                format!("first on {container}, which cannot be older than this run")
            }
            StartReason::FirstSinceReload => match self.past.map(|past| past.beginning) {
                Some(Beginning::AfterReload(number)) => {
                    format!("first on {container}, which came after reload {number}")
                }
                _ => format!("first on {container}, which came after a reload"),
            },
            StartReason::Shared => format!(
                "began {} after the first request on {container}, which was waiting for the start",
                self.since_opening()
            ),
            StartReason::SharedUnknown => format!(
                "began while the first request seen on {container} ran, and whether that was cold is \
                 not known"
            ),
            StartReason::Later => self.which(),
            StartReason::GuessCold => "a guess: modal.warm says no".to_owned(),
            StartReason::GuessWarm => "a guess: modal.warm says yes".to_owned(),
            StartReason::GuessSlowLoad => {
                "a guess: the model took 500 ms or more to load".to_owned()
            }
            StartReason::GuessQuickLoad => {
                "a guess: the model took less than 500 ms to load".to_owned()
            }
            StartReason::TagNotCold => {
                let tag = self.request.said.cold_tag().unwrap_or_default();
                format!("the tag {tag} says so, and has said cold of others of this service")
            }
            StartReason::MayPredate => format!(
                "first seen on {container}, which may have served before without being seen"
            ),
            StartReason::NoContainer => {
                "nothing says in which container it ran: the tag modal.task_id would".to_owned()
            }
        })
    }

    fn tag_says_cold(&self) -> String {
        if self.request.said.cold() == Some(true) {
            let tag = self.request.said.cold_tag().unwrap_or_default();
            return format!("the tag {tag} says so");
        }
        let tag = self.past.and_then(|past| past.tag_of_first(&self.request));
        let tag = tag.unwrap_or_default();
        format!("the tag {tag} of a request that began while it ran says so")
    }

    fn restored(&self, container: &str) -> String {
        match self.past.and_then(|past| past.restored_by) {
            Some(RestoredBy::SharedRuntime) => format!(
                "first on {container}, which shares its runtime-id with another container: they came \
                 from one memory snapshot"
            ),
            _ => format!("first on {container} since Modal restored it from a memory snapshot"),
        }
    }

    /// `request 7 on ta-01J8…`.
    fn which(&self) -> String {
        let container = self.container.as_deref().unwrap_or("its container");
        match self.number {
            Some(number) => format!("request {number} on {container}"),
            None => format!("an earlier request ran on {container}"),
        }
    }

    fn since_init(&self) -> String {
        let init = self
            .past
            .and_then(|past| past.init_before(self.request.start));
        duration(init.map(|init| self.request.start.since(init.end)))
    }

    fn since_process_start(&self) -> String {
        let start = self.past.and_then(|past| past.process_start);
        duration(start.map(|start| self.request.start.since(start)))
    }

    fn since_opening(&self) -> String {
        let opening = self.past.and_then(|past| past.opening);
        duration(opening.map(|opening| self.request.start.since(opening.start)))
    }
}

/// `12 ms`, `6.1 s`, `4 min`.
fn duration(nanos: Option<i64>) -> String {
    const MS: i64 = 1_000_000;
    let Some(nanos) = nanos else {
        return "some time".to_owned();
    };
    match nanos {
        ..MS => "less than 1 ms".to_owned(),
        MS..1_000_000_000 => format!("{} ms", nanos / MS),
        1_000_000_000..120_000_000_000 => {
            let tenths = nanos / (100 * MS);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ => format!("{} min", nanos / 60_000_000_000),
    }
}
