//! What if: another target, another model, a rule, another load. Each change replays the traces that
//! were held when the panel was opened; all of it is `(sim)`.

use std::num::NonZeroUsize;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::rows::number;
use crate::sampler::replay::{Outcome, Tape, WhatIf};
use crate::sampler::{AgentModel, Fate, Probabilistic, RareSettings, RareSpans};
use crate::store::{Store, TraceKey};
use crate::tui::action::{Action, Motion};
use crate::tui::screen::{Focus, Outcome as Done, ViewContext, help};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widget::{Border, clear, draw_border, fill_style, meter, put, put_right};

/// How many at a time are always shown.
const AT_A_TIME: [usize; 4] = [1, 8, 16, 50];
const WIDTH: u16 = 78;

/// What can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knob {
    Target,
    Errors,
    Model,
    Rare,
    Probabilistic,
    Extra,
    Rule,
    Slots,
}

impl Knob {
    const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::Target, "target, traces/s", "DD_APM_TARGET_TPS"),
        (Self::Errors, "errors/s", "DD_APM_ERROR_TPS"),
        (Self::Model, "model", "--agent-model"),
        (Self::Rare, "rare sampler", "DD_APM_ENABLE_RARE_SAMPLER"),
        (
            Self::Probabilistic,
            "probabilistic",
            "DD_APM_PROBABILISTIC_SAMPLER_*",
        ),
        (Self::Extra, "extra rate", "--extra-rate"),
        (Self::Rule, "a rule for all", "DD_TRACE_SAMPLING_RULES"),
        (Self::Slots, "at a time", "the app's concurrency"),
    ];
}

/// Whether there is to be more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Less,
    More,
}

/// The panel.
#[derive(Debug)]
pub(crate) struct WhatIfPanel {
    tape: Tape,
    /// Where the tape goes on, until all traces are on it.
    next: Option<TraceKey>,
    present: WhatIf,
    asked: WhatIf,
    before: Outcome,
    after: Outcome,
    /// How many of the same traces were kept when they came.
    n_kept_then: usize,
    /// How many are kept when so many run at a time, as far as it has been replayed.
    kept_at: Vec<(usize, usize)>,
    selected: usize,
}

impl WhatIfPanel {
    /// Reads the traces that are held.
    pub(crate) fn new(store: &Store) -> Self {
        let model = store.model();
        let present = WhatIf {
            model: model.kind(),
            agent: model.settings().clone(),
            rule: None,
            slots: None,
        };
        let kept = store
            .traces()
            .filter(|entry| matches!(entry.fate(), Fate::Kept(_)));
        let n_kept_then = kept.count();
        let mut panel = Self {
            tape: Tape::new(model, rare_of(&present)),
            next: Some(TraceKey(0)),
            asked: present.clone(),
            present,
            after: Outcome::default(),
            before: Outcome::default(),
            n_kept_then,
            kept_at: Vec::new(),
            selected: 0,
        };
        panel.read(store);
        panel
    }

    pub(crate) fn update(&mut self, action: Action, store: &Store) -> Done {
        match action {
            Action::Move(motion) => {
                let n_rows = Knob::ALL.len();
                self.selected = motion.from_row(self.selected, n_rows, n_rows);
            }
            Action::Scroll(rows) => {
                let motion = if rows < 0 { Motion::Up } else { Motion::Down };
                return self.update(Action::Move(motion), store);
            }
            Action::Fold => self.change(Step::Less, store),
            Action::Unfold => self.change(Step::More, store),
            Action::Reset => {
                self.asked = self.present.clone();
                self.replay();
            }
            _ => return Done::Ignored,
        }
        Done::Handled
    }

    fn change(&mut self, step: Step, store: &Store) {
        const PER_SECOND: [f64; 12] = [
            0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 10_000.0,
        ];
        const RATES: [f64; 9] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0];
        let Some((knob, ..)) = Knob::ALL.get(self.selected) else {
            return;
        };
        let agent = &mut self.asked.agent;
        let maybe = || std::iter::once(None).chain(RATES.map(Some));
        match knob {
            Knob::Target => agent.target_tps = stepped(agent.target_tps, PER_SECOND, step),
            Knob::Errors => agent.error_tps = stepped(agent.error_tps, PER_SECOND, step),
            Knob::Extra => agent.extra_rate = stepped(agent.extra_rate, RATES, step),
            Knob::Model => {
                self.asked.model = match self.asked.model {
                    AgentModel::Agent => AgentModel::Serverless,
                    AgentModel::Serverless => AgentModel::Agent,
                }
            }
            Knob::Rare => {
                agent.rare = match agent.rare {
                    None => Some(self.present.agent.rare.unwrap_or_default()),
                    Some(RareSettings { .. }) => None,
                }
            }
            Knob::Probabilistic => {
                let rate = agent.probabilistic.map(|it| it.rate());
                let rate = stepped(rate, maybe(), step);
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the Agent's own percentage has 32 bits"
                )]
                let of_rate = |rate: f64| Probabilistic {
                    percentage: (rate * 100.0) as f32,
                    ..agent
                        .probabilistic
                        .unwrap_or_else(|| Probabilistic::of_percentage(0.0))
                };
                agent.probabilistic = rate.map(of_rate);
            }
            Knob::Rule => self.asked.rule = stepped(self.asked.rule, maybe(), step),
            Knob::Slots => {
                let slots = [1, 2, 4, 8, 16, 32, 50, 100, 200].map(NonZeroUsize::new);
                let slots = std::iter::once(None).chain(slots);
                self.asked.slots = stepped(self.asked.slots, slots, step);
            }
        }
        let rare = rare_of(&self.asked);
        if rare == RareSpans::Read && self.tape.rare() != rare {
            self.tape = Tape::new(store.model(), rare);
            self.next = Some(TraceKey(0));
            self.read(store);
        }
        self.replay();
    }

    /// Reads as many traces as a frame has time for.
    fn read(&mut self, store: &Store) {
        const TRACES_A_FRAME: usize = 10_000;
        let Some(next) = self.next else {
            return;
        };
        self.next = store.tape_from(&mut self.tape, next, TRACES_A_FRAME);
        if self.next.is_none() {
            self.before = self.tape.replay(&self.present);
            self.replay();
        }
    }

    fn replay(&mut self) {
        self.kept_at.clear();
        if self.next.is_none() {
            self.after = self.tape.replay(&self.asked);
        }
    }

    /// Whether there is more to be replayed.
    pub(crate) fn is_behind(&self) -> bool {
        self.next.is_some() || self.kept_at.len() < AT_A_TIME.len()
    }

    /// Reads on, then replays one of the loads that are always shown: all at once would hold up a
    /// frame if there are many traces.
    pub(crate) fn catch_up(&mut self, store: &Store) {
        if self.next.is_some() {
            return self.read(store);
        }
        if let Some(n_slots) = AT_A_TIME.get(self.kept_at.len()) {
            let what_if = WhatIf {
                slots: NonZeroUsize::new(*n_slots),
                ..self.asked.clone()
            };
            let n_kept = self.tape.replay(&what_if).n_kept;
            self.kept_at.push((*n_slots, n_kept));
        }
    }

    pub(crate) fn draw(&self, context: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = context.theme;
        let width = WIDTH.min(area.width);
        let room = usize::from(width.saturating_sub(4));
        let wrap = |words: &String| text::wrap(words, room, 3, theme.glyphs);
        let words: Vec<String> = self.words().iter().flat_map(wrap).collect();
        let n_knobs = Knob::ALL.len();
        // The answer, the bars of before and after, and a blank line.
        let is_low = usize::from(area.height) < n_knobs + words.len() + 6;
        let n_leading = if is_low { 1 } else { 4 };
        let height = text::cells(n_leading + n_knobs + words.len() + 2);
        let place = help::centered(area, width, height);
        clear(buffer, place);
        let held = u64::try_from(self.tape.n_traces()).unwrap_or(u64::MAX);
        let border = Border {
            title: "What if (sim)",
            note: &format!("{} held   esc closes", text::count(held, "trace")),
            focus: Focus::Focused,
            ..Border::default()
        };
        let inner = draw_border(buffer, place, &border, theme);
        let mut rows = inner.rows();
        for line in self.leading(theme, room).into_iter().take(n_leading) {
            if let Some(row) = rows.next() {
                for (column, words, style) in line {
                    put(buffer, row, column, &words, style);
                }
            }
        }
        let left = usize::from(inner.height).saturating_sub(n_leading);
        let skipped = (self.selected + 1).saturating_sub(left);
        for place in skipped..n_knobs {
            if let Some(row) = rows.next() {
                self.draw_knob(place, theme, row, buffer);
            }
        }
        for (words, row) in words.iter().zip(rows) {
            put(buffer, row, 1, words, theme.text);
        }
    }

    /// The answer, in words and as bars.
    fn leading(&self, theme: &Theme, room: usize) -> [Vec<(u16, String, Style)>; 4] {
        let (before, after) = (&self.before, &self.after);
        let reading = format!("Reading the traces: {}.", self.tape.n_traces());
        let answer = format!(
            "Kept {} of {}  {}  {} of {}",
            before.n_kept,
            before.n_traces,
            arrow(theme),
            after.n_kept,
            after.n_traces
        );
        let said = if self.next.is_some() { reading } else { answer };
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let bar = |name: &str, outcome: &Outcome| {
            let of = whole(outcome.n_traces);
            let cells = room.saturating_sub(8);
            let bar = meter(whole(outcome.n_kept), of, cells, theme.glyphs);
            vec![(1, name.to_owned(), theme.dim), (9, bar, theme.ok)]
        };
        [
            vec![(1, said, theme.title_focused)],
            bar("before", before),
            bar("after", after),
            Vec::new(),
        ]
    }

    fn draw_knob(&self, place: usize, theme: &Theme, row: Rect, buffer: &mut Buffer) {
        let Some((knob, label, variable)) = Knob::ALL.get(place) else {
            return;
        };
        let present = value(&self.present, *knob);
        let asked = value(&self.asked, *knob);
        let (words, style) = if present == asked {
            (asked, theme.text)
        } else {
            (format!("{present} {} {asked}", arrow(theme)), theme.key)
        };
        put(buffer, row, 2, label, style);
        put(buffer, row, 20, variable, theme.dim);
        put_right(buffer, row, &format!("{words}  "), style);
        if place == self.selected {
            fill_style(buffer, row, theme.selected);
            put(buffer, row, 0, ">", theme.selected);
        }
    }

    /// What is to be known beside the numbers.
    fn words(&self) -> Vec<String> {
        let known = |n_slots| self.kept_at.iter().find(|(known, _)| *known == n_slots);
        let kept = AT_A_TIME.map(|n_slots| match known(n_slots) {
            Some((_, n_kept)) => format!("{n_slots}: {n_kept}"),
            None => format!("{n_slots}: .."),
        });
        let mut words = vec![
            format!(
                "Kept if so many run at a time: {}   (of {}; each begins as soon as one has ended)",
                kept.join("   "),
                self.after.n_traces
            ),
            "Replayed with Agents that have seen nothing before: what comes within their first 5 s they \
             keep whole. What clients dropped themselves is not in it; what a rule keeps passes their \
             limiter, 100/s."
                .to_owned(),
        ];
        if self.next.is_none() && self.n_kept_then != self.before.n_kept {
            words.push(format!(
                "When they came {} were kept: the Agents had seen what is no longer held, or never was.",
                self.n_kept_then
            ));
        }
        words
    }
}

fn arrow(theme: &Theme) -> &'static str {
    theme.glyphs.pick("→", "->")
}

fn value(what_if: &WhatIf, knob: Knob) -> String {
    let agent = &what_if.agent;
    let rate = |rate: Option<f64>| rate.map_or_else(|| "off".to_owned(), number);
    match knob {
        Knob::Target => number(agent.target_tps),
        Knob::Errors => number(agent.error_tps),
        Knob::Extra => number(agent.extra_rate),
        Knob::Model => match what_if.model {
            AgentModel::Agent => "agent".to_owned(),
            AgentModel::Serverless => "serverless".to_owned(),
        },
        Knob::Rare => match agent.rare {
            None => "off".to_owned(),
            Some(_) => "on".to_owned(),
        },
        Knob::Probabilistic => rate(agent.probabilistic.map(|it| it.rate())),
        Knob::Rule => rate(what_if.rule),
        Knob::Slots => match what_if.slots {
            None => "as they ran".to_owned(),
            Some(slots) => slots.to_string(),
        },
    }
}

fn rare_of(what_if: &WhatIf) -> RareSpans {
    match what_if.agent.rare {
        Some(_) => RareSpans::Read,
        None => RareSpans::LeftOut,
    }
}

/// The next of some values beyond the present one, which need not be among them.
fn stepped<T: PartialOrd + Copy>(present: T, values: impl IntoIterator<Item = T>, step: Step) -> T {
    let mut values = values.into_iter();
    match step {
        Step::More => values.find(|value| *value > present),
        Step::Less => values.take_while(|value| *value < present).last(),
    }
    .unwrap_or(present)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_step_from_wherever_they_are() {
        let values = [1, 2, 5];
        let cases = [(2, 1, 5), (3, 2, 5), (1, 1, 2), (9, 5, 9)];
        for (present, less, more) in cases {
            assert_eq!(stepped(present, values, Step::Less), less);
            assert_eq!(stepped(present, values, Step::More), more);
        }
        let maybe = [None, Some(1)];
        assert_eq!(stepped(None, maybe, Step::More), Some(1));
        assert_eq!(stepped(Some(1), maybe, Step::Less), None);
    }
}
