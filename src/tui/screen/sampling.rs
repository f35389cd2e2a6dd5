//! What Datadog would have got, and why: the funnel from the app to the Agent, the rates, what of the
//! lost is worth a look, and the counters. What clients decided are facts; what an Agent would do is
//! ours, and marked `(sim)`.
//!
//! ```text
//! cards    a few facts of each trace, read once and when it grows, only once the screen is seen
//! census   the cards counted, four times a second at most; of many traces once
//! rows     what is said; the selection is what a row stands for, never its place
//! ```

mod cards;
mod census;
mod draw;
mod named;
mod rows;
mod rule;
mod told;
mod what_if;

use ratatui::layout::Rect;

use super::unread::{Progress, is_due};
use super::{Outcome, Place, ViewContext};
use crate::config::SamplingSettings;
use crate::store::{Store, TraceKey};
use crate::tui::action::{Action, Motion};
use cards::Cards;
use census::{Bucket, Census};
use named::Named;
use rows::{Facts, Part, Row};
pub(crate) use rule::WrittenRule;
pub(crate) use what_if::WhatIfPanel;

/// The traces are counted again no sooner than this.
const COUNT_INTERVAL_NS: u64 = 250_000_000;
/// Nor, if there are so many that it takes its time, than this.
const MANY_TRACES: usize = 25_000;
const MANY_INTERVAL_NS: u64 = 1_000_000_000;

/// What is assumed of the program beside what it sends.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Assumed {
    pub(crate) settings: SamplingSettings,
    pub(crate) is_file: bool,
}

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct SamplingPane {
    assumed: Assumed,
    cards: Cards,
    census: Census,
    named: Named,
    /// What the store was and when, as it was counted last.
    counted: Option<(u64, u64)>,
    rows: Vec<Row>,
    selected: Option<(Part, Bucket)>,
    /// Lines above the first one that is seen, where there is one frame.
    skipped: usize,
    page: usize,
    /// Where which row was drawn last.
    drawn: Vec<(Rect, usize)>,
}

impl SamplingPane {
    pub(crate) fn new(assumed: Assumed) -> Self {
        Self {
            assumed,
            ..Self::default()
        }
    }

    /// Says which traces came or grew.
    pub(crate) fn touch(&mut self, touched: &[TraceKey]) {
        self.cards.touch(touched);
    }

    /// Whether not all traces have been read yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.counted.is_none()
    }

    /// Takes over what the store has gained and lost, unless it did so a moment ago; while the view is
    /// paused, only what it has never shown.
    pub(crate) fn refresh(&mut self, context: &ViewContext<'_>) {
        let (store, now) = (context.store, context.now);
        let interval_ns = match store.n_traces() {
            0..MANY_TRACES => COUNT_INTERVAL_NS,
            _ => MANY_INTERVAL_NS,
        };
        if !is_due(self.counted, interval_ns, context) {
            return;
        }
        if let Progress::Reading(n_read) = self.cards.refresh(store) {
            self.counted = None;
            self.rows = vec![rows::reading(n_read, store.n_traces())];
            return;
        }
        self.counted = Some((store.revision(), now.uptime_ns));
        self.named.refresh(store);
        let model = store.model();
        self.census = Census::count(&self.cards, model.settings().target_tps);
        let answered = model.tables().flat_map(|(_, table)| table.entries());
        let answered = answered.filter_map(|(key, rate)| {
            let (service, env) = key.strip_prefix("service:")?.rsplit_once(",env:")?;
            Some((service, env, rate))
        });
        self.census.add_rates(answered, model.next_rates(now.wall));
        self.rows = rows::rows(&self.facts(context));
        if self.selected_row().is_none() {
            let first = self.selectable().next();
            self.selected = first.and_then(|row| self.identity(row));
        }
    }

    fn facts<'a>(&'a self, context: &ViewContext<'a>) -> Facts<'a> {
        Facts {
            census: &self.census,
            store: context.store,
            settings: &self.assumed.settings,
            is_file: self.assumed.is_file,
            n_only_in_logs: self.named.n_missing(context.store),
            glyphs: context.theme.glyphs,
        }
    }

    pub(crate) fn update(&mut self, action: Action, context: &ViewContext<'_>) -> Outcome {
        match action {
            Action::Move(motion) => self.move_by(motion),
            Action::Scroll(rows) => {
                let motion = if rows < 0 { Motion::Up } else { Motion::Down };
                self.move_by(motion);
            }
            Action::Click { column, row } => {
                let hit = self
                    .drawn
                    .iter()
                    .find(|(area, _)| area.contains((column, row).into()));
                if let Some(selected) = hit.and_then(|(_, row)| self.identity(*row)) {
                    self.selected = Some(selected);
                }
            }
            Action::Open => return self.open(context),
            Action::WriteRule => return self.write_rule(context.store),
            _ => return Outcome::Ignored,
        }
        Outcome::Handled
    }

    fn open(&self, context: &ViewContext<'_>) -> Outcome {
        let row = self.selected_row().and_then(|row| self.rows.get(row));
        match row.map(|row| (row.trace, row.bucket)) {
            Some((Some(trace), _)) => Outcome::Open(Place::TraceOf(trace)),
            Some((None, Some(bucket))) => Outcome::List(rows::filter(bucket, &self.facts(context))),
            _ => Outcome::Handled,
        }
    }

    fn write_rule(&self, store: &Store) -> Outcome {
        let bucket = self.selected.map(|(_, bucket)| bucket);
        let rule = bucket.and_then(|bucket| WrittenRule::of_bucket(bucket, &self.cards, store));
        rule.map_or(Outcome::Ignored, |rule| Outcome::Rule(Box::new(rule)))
    }

    fn move_by(&mut self, motion: Motion) {
        let rows: Vec<usize> = self.selectable().collect();
        let selected = self.selected_row();
        let at = rows.iter().position(|row| Some(*row) == selected);
        let to = motion.from_row(at.unwrap_or(0), rows.len(), self.page);
        let to = rows.get(to).and_then(|row| self.identity(*row));
        self.selected = to.or(self.selected);
    }

    fn selectable(&self) -> impl Iterator<Item = usize> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.bucket.is_some())
            .map(|(place, _)| place)
    }

    fn is_selectable(&self, row: usize) -> bool {
        self.identity(row).is_some()
    }

    fn is_first_selectable(&self, row: Option<usize>) -> bool {
        self.selectable().next() == row
    }

    /// What a row stands for.
    fn identity(&self, row: usize) -> Option<(Part, Bucket)> {
        let row = self.rows.get(row)?;
        Some((row.part, row.bucket?))
    }

    fn selected_row(&self) -> Option<usize> {
        let (part, selected) = self.selected?;
        let is_it =
            |row: &Row| row.part == part && row.bucket.is_some_and(|bucket| bucket.is(selected));
        self.rows.iter().position(is_it)
    }

    fn selected_part(&self) -> Option<Part> {
        self.selected.map(|(part, _)| part)
    }
}

/// `model: agent, target 10/s  (sim)`: what is assumed, for the line of tabs.
pub(crate) fn assumed(store: &Store) -> String {
    let model = store.model();
    let words = told::assumed(model.kind(), model.settings().target_tps);
    format!("(sim) {words}")
}
