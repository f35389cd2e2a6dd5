//! By which rule requests are cold or warm, in words, with how many each line of it has decided: a popup.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::LatencyPane;
use super::rows::number;
use crate::analysis::StartReason;
use crate::tui::screen::ViewContext;
use crate::tui::screen::sheet::Sheet;
use crate::tui::text;

const WIDTH: u16 = 100;

/// A line of the rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Its name in a list.
    pub(super) short: &'static str,
    /// What it says.
    words: &'static str,
    /// The verdict.
    kind: &'static str,
    holds: fn(StartReason) -> bool,
}

/// The lines in the order in which the first that holds decides.
const LINES: [Line; 15] = [
    Line {
        short: "process start",
        words: "the relay says when the process began, and this is its first request: within 1 s of the init \
                span's end, or of the process start where there is none",
        kind: "cold",
        holds: |it| matches!(it, StartReason::Boot | StartReason::BootWithoutInit),
    },
    Line {
        short: "relay: restored",
        words: "the same, and the relay says that the process came from a memory snapshot",
        kind: "restored",
        holds: |it| it == StartReason::RelayRestored,
    },
    Line {
        short: "process start, ready before",
        words: "the same, but it began later than that: the container was ready",
        kind: "prewarmed",
        holds: |it| {
            matches!(
                it,
                StartReason::ReadyBefore | StartReason::ReadyBeforeWithoutInit
            )
        },
    },
    Line {
        short: "tag",
        words: "a tag says so: cold_start, faas.coldstart, modal.cold_start or modal.is_cold is true",
        kind: "cold",
        holds: |it| it == StartReason::TagCold,
    },
    Line {
        short: "snapshot",
        words: "first on a container that a line of Modal's, or a runtime-id shared with another one, says \
                was restored",
        kind: "restored",
        holds: |it| it == StartReason::Restored,
    },
    Line {
        short: "init span",
        words: "first on its container, at most 1 s after the init span ended",
        kind: "cold",
        holds: |it| it == StartReason::AfterInit,
    },
    Line {
        short: "init span long before",
        words: "first on its container, more than 1 s after the init span ended",
        kind: "prewarmed",
        holds: |it| it == StartReason::LongAfterInit,
    },
    Line {
        short: "first",
        words: "first on a container that cannot be older than the program we started, or than a reload",
        kind: "cold",
        holds: |it| matches!(it, StartReason::FirstOfRun | StartReason::FirstSinceReload),
    },
    Line {
        short: "beside the first",
        words: "began while the first one ran, which had waited: it waited too",
        kind: "cold, shared",
        holds: |it| it == StartReason::Shared,
    },
    Line {
        short: "later request",
        words: "an earlier request ran on the container",
        kind: "warm",
        holds: |it| it == StartReason::Later,
    },
    Line {
        short: "tags (a guess)",
        words: "modal.warm says it; else the model took 500 ms or more to load, or less",
        kind: "cold or warm",
        holds: StartReason::is_guess,
    },
    Line {
        short: "tag that varies",
        words: "a tag says not cold, and has said cold in this service; one that never does proves nothing: \
                MODAL_IS_COLD_START does not exist",
        kind: "warm",
        holds: |it| it == StartReason::TagNotCold,
    },
    Line {
        short: "the file",
        words: "an export that was opened says so",
        kind: "as it says",
        holds: |it| matches!(it, StartReason::Told(_)),
    },
    Line {
        short: "may have served before",
        words: "first that was seen on a container that may have served before, or beside such a one",
        kind: "unknown",
        holds: |it| matches!(it, StartReason::MayPredate | StartReason::SharedUnknown),
    },
    Line {
        short: "no container",
        words: "nothing says where it ran",
        kind: "unknown",
        holds: |it| it == StartReason::NoContainer,
    },
];

impl Line {
    /// The lines that have decided something, and about how many requests.
    pub(super) fn counted(by_reason: &[(StartReason, u64)]) -> Vec<(&'static Self, u64)> {
        let lines = LINES.iter().map(|line| (line, line.n(by_reason)));
        let mut lines: Vec<(&'static Self, u64)> = lines.filter(|(_, n)| *n > 0).collect();
        lines.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        lines
    }

    fn n(&self, by_reason: &[(StartReason, u64)]) -> u64 {
        let decided = by_reason.iter().filter(|(reason, _)| (self.holds)(*reason));
        decided.map(|(_, n)| n).sum()
    }
}

/// Whether a container would say more.
pub(super) fn is_nowhere(reason: StartReason) -> bool {
    reason == StartReason::NoContainer
}

impl LatencyPane {
    /// Paints the rule; `scroll` lines are above what is seen. Returns how far one can scroll.
    pub(crate) fn draw_rule(
        &self,
        scroll: u16,
        context: &ViewContext<'_>,
        (area, buffer): (Rect, &mut Buffer),
    ) -> u16 {
        const KIND: usize = 13;
        const N: usize = 7;
        let theme = context.theme;
        let room = Sheet::room(WIDTH, area);
        let mut lines = Vec::new();
        for line in &LINES {
            let n = number(line.n(&self.census.by_reason));
            let words = text::wrap(line.words, room.saturating_sub(KIND + N), 4, theme.glyphs);
            for (place, words) in words.into_iter().enumerate() {
                let (n, kind) = if place == 0 {
                    (&*n, line.kind)
                } else {
                    ("", "")
                };
                let style = if n == "0" || n.is_empty() {
                    theme.dim
                } else {
                    theme.text
                };
                lines.push((format!("{n:>6} {kind:<KIND$}{words}"), style));
            }
        }
        let tail = "The first line that holds decides. Init and exit spans are no requests: they are in no \
                    histogram. What is unknown is never counted as warm.";
        lines.push((String::new(), theme.text));
        let tail = text::wrap(tail, room, 4, theme.glyphs);
        lines.extend(tail.into_iter().map(|line| (line, theme.text)));
        let sheet = Sheet {
            title: "What is cold, what is warm, and how many each line decided",
            note: "esc closes",
            width: WIDTH,
            lines: &lines,
            scroll: Some(scroll),
        };
        sheet.draw(theme, (area, buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::StartKind;

    #[test]
    fn every_reason_to_be_something_is_in_exactly_one_line() {
        use StartReason as R;
        let told = StartKind::ALL.map(R::Told);
        let reasons = [
            R::RelayRestored,
            R::Boot,
            R::BootWithoutInit,
            R::ReadyBefore,
            R::ReadyBeforeWithoutInit,
            R::TagCold,
            R::Restored,
            R::AfterInit,
            R::LongAfterInit,
            R::FirstOfRun,
            R::FirstSinceReload,
            R::Shared,
            R::SharedUnknown,
            R::Later,
            R::GuessCold,
            R::GuessWarm,
            R::GuessSlowLoad,
            R::GuessQuickLoad,
            R::TagNotCold,
            R::MayPredate,
            R::NoContainer,
        ];
        for reason in reasons.into_iter().chain(told) {
            let lines = LINES.iter().filter(|line| (line.holds)(reason));
            assert_eq!(lines.count(), 1, "{reason:?}");
        }
    }
}
