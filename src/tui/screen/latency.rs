//! How long the requests of a resource took, cold and warm apart, what cold starts cost, where their time
//! goes, and where they ran. What is not known to be warm is never counted as warm.
//!
//! ```text
//! cards    a few facts of each request, read once and when its trace grows, only once the screen is seen
//! census   those of the resource that is shown, counted four times a second at most
//! rows     what is said; the selection is what a row stands for, never its place
//! ```

mod border;
mod cards;
mod census;
mod draw;
mod filter;
mod groups;
mod items;
mod lanes;
mod paths;
mod rows;
mod rule;
mod table;
mod work;

use ratatui::layout::Rect;

use super::unread::{Progress, is_due};
use super::{Outcome, Place, ViewContext};
use crate::analysis::latency::Scale;
use crate::analysis::steps::{Breakdown, breakdown};
use crate::store::TraceKey;
use crate::trace::UnixNanos;
use crate::tui::action::{Action, Motion};
use border::Borders;
use cards::{Cards, Resource};
use census::{Census, Column};
use filter::Wanted;
use groups::{Groups, Scope};
use items::{Histogram, Item};
use lanes::Lanes;
use paths::Paths;

/// Requests are counted again no sooner than this.
const COUNT_INTERVAL_NS: u64 = 250_000_000;
/// Nor, if there are so many that it takes its time, than this.
const MANY_REQUESTS: usize = 25_000;
const MANY_INTERVAL_NS: u64 = 1_000_000_000;
/// Steps that are told apart; the others are one.
const STEPS_MAX: usize = 8;

/// Whether the histograms have one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Axes {
    #[default]
    Same,
    Own,
}

/// Whether what is shown is what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Freshness {
    /// It has to be counted again.
    #[default]
    Stale,
    Fresh,
}

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct LatencyPane {
    cards: Cards,
    borders: Borders,
    paths: Paths,
    /// What the store was and when, as its traces were read last.
    counted: Option<(u64, u64)>,
    /// How many traces have been read, as long as that is not all.
    reading: Option<(usize, usize)>,
    freshness: Freshness,
    /// The resource that was asked for; without one the busiest is shown.
    asked: Option<usize>,
    /// The resources, the busiest first.
    order: Vec<usize>,
    shown: Option<usize>,
    scope: Scope,
    scale: Scale,
    axes: Axes,
    census: Census,
    steps: Breakdown,
    groups: Groups,
    lanes: Lanes,
    histograms: Vec<Histogram>,
    selected: Option<Item>,
    /// The histogram that the selection was in last.
    last_column: Column,
    /// Which median trace `enter` opens next.
    next_median: Column,
    /// Lines above the first one that is seen, where there is one frame.
    skipped: usize,
    page: usize,
    /// Rows that the histograms had last.
    n_buckets: usize,
    /// Where what was drawn last.
    drawn: Vec<(Rect, Item)>,
}

impl LatencyPane {
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
        let n_requests = self.resource().map_or(0, |resource| resource.cards.len());
        let interval_ns = match n_requests {
            0..MANY_REQUESTS => COUNT_INTERVAL_NS,
            _ => MANY_INTERVAL_NS,
        };
        if is_due(self.counted, interval_ns, context) {
            if let Progress::Reading(n_read) = self.cards.refresh(store) {
                self.counted = None;
                self.reading = Some((n_read, store.n_traces()));
                return;
            }
            self.reading = None;
            self.counted = Some((store.revision(), now.uptime_ns));
            self.borders.refresh(store);
            self.freshness = Freshness::Stale;
        }
        if self.freshness == Freshness::Stale {
            self.count(context);
        }
    }

    fn count(&mut self, context: &ViewContext<'_>) {
        let store = context.store;
        self.freshness = Freshness::Fresh;
        self.order = self.cards.busiest();
        let asked = self.asked.filter(|number| self.order.contains(number));
        self.shown = asked.or_else(|| self.order.first().copied());
        let spans = self.borders.spans();
        let Some(resource) = self.shown.and_then(|number| self.cards.resource(number)) else {
            self.census = Census::default();
            self.steps = Breakdown::default();
            (self.groups, self.lanes) = (Groups::default(), Lanes::default());
            return;
        };
        self.census = Census::count(resource, spans.as_ref(), store);
        let newest = |column| self.census.series(column).newest.as_slice();
        let (cold, warm) = (newest(Column::Cold), newest(Column::Warm));
        let (waited, ready) = (self.paths.read(cold, store), self.paths.read(warm, store));
        self.paths.keep(&[cold, warm]);
        self.steps = breakdown(&waited, &ready, STEPS_MAX);
        match self.scope {
            Scope::All => {
                let extent = self.census.extent;
                let lanes = extent.map(|extent| Lanes::count(resource, extent, store));
                self.lanes = lanes.unwrap_or_default();
            }
            scope => {
                let at = (store, context.now.wall);
                self.groups = Groups::count(resource, scope, at, context.theme.glyphs);
            }
        }
        self.histograms.clear();
    }

    fn resource(&self) -> Option<&Resource> {
        self.cards.resource(self.shown?)
    }

    /// What there is to say in the line of tabs, at length and more and more briefly.
    pub(crate) fn facts(&self, context: &ViewContext<'_>) -> Vec<String> {
        rows::facts(self, context.theme.glyphs)
    }

    pub(crate) fn update(&mut self, action: Action, context: &ViewContext<'_>) -> Outcome {
        // Whoever looks closer wants this one to stay, whichever is the busiest by then.
        self.asked = self.asked.or(self.shown);
        match action {
            Action::Move(motion) => self.move_by(motion),
            Action::Scroll(rows) => {
                let motion = if rows < 0 { Motion::Up } else { Motion::Down };
                self.move_by(motion);
            }
            Action::ColumnLeft => self.move_aside(Aside::Left),
            Action::ColumnRight => self.move_aside(Aside::Right),
            Action::Click { column, row } => {
                let mut drawn = self.drawn.iter();
                let hit = drawn.find(|(area, _)| area.contains((column, row).into()));
                if let Some((_, item)) = hit {
                    self.selected = Some(item.clone());
                }
            }
            Action::NextResource => self.go_to_resource(1),
            Action::PreviousResource => self.go_to_resource(-1),
            Action::Scope => {
                self.scope = self.scope.next();
                self.freshness = Freshness::Stale;
            }
            Action::LogAxis => {
                self.scale = match self.scale {
                    Scale::Linear => Scale::Log,
                    Scale::Log => Scale::Linear,
                };
                self.histograms.clear();
            }
            Action::SameAxis => {
                self.axes = match self.axes {
                    Axes::Same => Axes::Own,
                    Axes::Own => Axes::Same,
                };
                self.histograms.clear();
            }
            Action::NextBorder => {
                self.borders.next();
                self.freshness = Freshness::Stale;
            }
            Action::Open => return self.open(context),
            _ => return Outcome::Ignored,
        }
        Outcome::Handled
    }

    /// Compares what lies before a moment with what lies after it.
    pub(crate) fn set_border(&mut self, at: UnixNanos) {
        self.borders.set(at);
        self.freshness = Freshness::Stale;
    }

    fn go_to_resource(&mut self, step: isize) {
        let at = self
            .order
            .iter()
            .position(|number| Some(*number) == self.shown);
        let n_resources = self.order.len();
        let to = at.and_then(|at| {
            let to = at
                .checked_add_signed(step)
                .unwrap_or(n_resources.checked_sub(1)?);
            self.order.get(to).or_else(|| self.order.first())
        });
        self.asked = to.copied();
        self.skipped = 0;
        self.selected = None;
        self.freshness = Freshness::Stale;
    }

    /// Lists what is counted, as far as a filter can say it, else opens the slowest of it.
    fn open(&mut self, context: &ViewContext<'_>) -> Outcome {
        let Some((item, resource)) = self.selected_item().zip(self.resource()) else {
            return Outcome::Handled;
        };
        let (column, bucket) = match &item {
            Item::Step(_) => return self.open_median(),
            Item::All(column) => (Some(*column), None),
            Item::Bucket(column, ns) => (Some(*column), self.bucket(*column, *ns)),
            Item::Lane(_) | Item::Group(_) => (None, None),
        };
        let containers = self.containers(&item, context);
        let is_listed = match (&item, &containers) {
            (Item::Lane(_) | Item::Group(_), names) => !names.is_empty(),
            _ => !self.are_all_parts(column, bucket.as_ref()),
        };
        let wanted = Wanted {
            service: self.needs_service(resource).then_some(&resource.service),
            column: column.map(|column| (column, self.census.series(column))),
            bucket: bucket.clone(),
            containers: &containers,
        };
        let filter = filter::filter(resource, &wanted).filter(|_| is_listed);
        if let Some(filter) = filter {
            return Outcome::List(filter);
        }
        let slowest = self.slowest(&item, column, bucket.as_ref());
        slowest.map_or(Outcome::Handled, |key| Outcome::Open(Place::TraceOf(key)))
    }

    /// A median cold trace; the next time a median warm one.
    fn open_median(&mut self) -> Outcome {
        let column = self.next_median;
        let other = match column {
            Column::Cold => Column::Warm,
            _ => Column::Cold,
        };
        let trace = self.median(column).or_else(|| self.median(other));
        self.next_median = other;
        trace.map_or(Outcome::Handled, |key| Outcome::Open(Place::TraceOf(key)))
    }
}

/// A way to go from one histogram to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aside {
    Left,
    Right,
}
