//! What is known of the way on: where to, what is still to be handed over, and what became of the last requests.
//! Sends nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;

use super::counters::raise;
use super::departed::{Departed, Leg, SpanSet};
use super::wanted::{Wanted, Wish};
use super::{LogKey, SpanIndex, Store, TraceEntry, TraceKey};
use crate::forward::courier::{Courier, LinesGo, Which};
use crate::forward::{Exchange, Forwarded, Intake, IntakeRequest, Ticket};
use crate::trace::printable;

/// How many attempts are kept.
const EXCHANGES_MAX: usize = 200;
/// What requests that have not gone may occupy: as much as those that wait in the queue. A file may hold larger
/// ones; those are left out.
pub const UNSENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of what a file says that are kept.
const TOLD_BYTES_MAX: usize = 200;

/// The way on, to a real Agent or to Datadog.
#[derive(Debug, Default)]
pub struct Forwarding {
    /// Whoever takes spans on to Datadog.
    pub(super) courier: Option<Box<Courier>>,
    /// The line that goes next, if lines go.
    pub(super) next_line: LogKey,
    /// Lines that have found their trace after their turn.
    pub(super) late_lines: BTreeSet<LogKey>,
    /// Traces of which the rest is to go as soon as there is room.
    pub(super) wanted: BTreeMap<TraceKey, Wanted>,
    /// Where spans go.
    to: Option<Box<str>>,
    exchanges: VecDeque<Exchange>,
    n_exchanges: u64,
    last_error: Option<Box<str>>,
    /// Where those of a capture that was opened went, and what went wrong last.
    told: Option<(Box<str>, Option<Box<str>>)>,
    pub(super) unsent: Unsent,
    /// Spans that were not taken, and are held no more.
    pub(super) n_lost_spans: u64,
    /// Spans that no intake takes.
    pub(super) n_refused_spans: u64,
}

/// What an export says of the way on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToldForward {
    /// Where spans went.
    pub to: Box<str>,
    /// What went wrong last.
    pub last_error: Option<Box<str>>,
}

/// Requests without spans that have not gone, as far as there is room.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    requests: VecDeque<IntakeRequest>,
    bytes: usize,
    /// How many are to be sent again, of the first.
    n_wanted: usize,
    /// How many there was no room for.
    pub(super) n_lost: u64,
}

impl Unsent {
    fn keep(&mut self, requests: impl IntoIterator<Item = IntakeRequest>) {
        for request in requests {
            let bytes = self.bytes.saturating_add(request.heap_bytes());
            // One without a body brings nothing to anybody.
            if request.body.is_empty() || bytes > UNSENT_BYTES_MAX {
                self.n_lost += 1;
            } else {
                self.bytes = bytes;
                self.requests.push_back(request);
            }
        }
    }

    /// Has what is held sent again, but for lines if none go: those stay.
    fn want(&mut self, lines: LinesGo) {
        let goes = |request: &IntakeRequest| {
            lines == LinesGo::WithTheirTraces || request.intake != Intake::Logs
        };
        let requests = mem::take(&mut self.requests).into_iter();
        let (wanted, stay): (VecDeque<_>, VecDeque<_>) = requests.partition(goes);
        self.n_wanted = wanted.len();
        self.requests = wanted;
        self.requests.extend(stay);
    }

    fn next_wanted(&mut self) -> Option<IntakeRequest> {
        self.n_wanted = self.n_wanted.checked_sub(1)?;
        let request = self.requests.pop_front()?;
        self.bytes = self.bytes.saturating_sub(request.heap_bytes());
        Some(request)
    }
}

impl Forwarding {
    /// Which spans go to Datadog; `None` if none can.
    pub fn which(&self) -> Option<Which> {
        self.courier.as_ref().map(|courier| courier.which())
    }

    /// Whether lines go with them.
    pub fn lines_go(&self) -> LinesGo {
        let courier = self.courier.as_ref();
        courier.map_or(LinesGo::Nowhere, |courier| courier.lines_go())
    }

    /// The last attempts to deliver a request, the oldest first.
    pub fn exchanges(&self) -> impl DoubleEndedIterator<Item = &Exchange> + ExactSizeIterator {
        self.exchanges.iter()
    }

    /// How many attempts there were.
    pub fn n_exchanges(&self) -> u64 {
        self.n_exchanges
    }

    /// What went wrong last.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// How many traces are still to be handed over.
    pub fn n_wanted(&self) -> usize {
        self.wanted.len()
    }

    /// Where spans go, and what went wrong last; if none goes anywhere, what a capture that was opened says.
    pub fn way(&self) -> Option<(&str, Option<&str>)> {
        let by_hand = |courier: &Courier| courier.which() == Which::ByHand;
        let is_idle = self.n_exchanges == 0 && self.wanted.is_empty();
        let waits = is_idle && self.courier.as_deref().is_some_and(by_hand);
        let own = self.to.as_deref().filter(|_| !waits);
        let own = own.map(|to| (to, self.last_error()));
        let told = self.told.as_ref();
        own.or_else(|| told.map(|(to, last_error)| (&**to, last_error.as_deref())))
    }

    /// Requests without spans that have not gone.
    pub fn unsent(&self) -> impl ExactSizeIterator<Item = &IntakeRequest> {
        self.unsent.requests.iter()
    }

    /// How many requests without spans are still to be handed over: the first of those that have not gone.
    pub fn n_unsent_wanted(&self) -> usize {
        self.unsent.n_wanted
    }

    /// Whether more is to be handed over.
    pub fn wants_more(&self) -> bool {
        self.unsent.n_wanted > 0 || !self.wanted.is_empty()
    }

    pub(super) fn want_as_they_came(&mut self, keys: impl IntoIterator<Item = TraceKey>) {
        for key in keys {
            // What the user chose goes whatever the sampler says.
            let wanted = self
                .wanted
                .entry(key)
                .or_insert(Wanted::all(Wish::AsItCame));
            wanted.from = SpanIndex(0);
        }
    }

    /// Has the requests that have not gone sent again, as far as such go.
    pub(super) fn want_unsent(&mut self) {
        self.unsent.want(self.lines_go());
    }

    /// Hands over the next of them. Returns whether there was one.
    pub(super) fn resend_next(&mut self) -> bool {
        let Some(courier) = &mut self.courier else {
            return false;
        };
        let Some(request) = self.unsent.next_wanted() else {
            return false;
        };
        courier.resend(request);
        true
    }

    fn note(&mut self, forwarded: &Forwarded) {
        let came = &forwarded.exchanges;
        self.n_exchanges += u64::try_from(came.len()).unwrap_or(u64::MAX);
        self.exchanges.extend(came.iter().cloned());
        let excess = self.exchanges.len().saturating_sub(EXCHANGES_MAX);
        self.exchanges.drain(..excess);
        if forwarded.last_error.is_some() {
            self.last_error.clone_from(&forwarded.last_error);
        }
    }
}

/// Which spans of a trace have arrived at Datadog, or were counted there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Went<I> {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// These, in order of arrival; none, of what was to arrive and has not.
    Only(I),
}

impl TraceEntry {
    /// Which spans have arrived at Datadog.
    pub fn forwarded(&self) -> Went<impl Iterator<Item = SpanIndex>> {
        let arrived = self.those(Departed::arrived);
        if self.departed().is_none_or(|departed| !departed.has_begun()) {
            Went::None
        } else if arrived.clone().count() == self.n_spans() {
            Went::All
        } else {
            Went::Only(arrived)
        }
    }

    /// Which spans are counted in statistics that went, or are to go.
    pub fn counted(&self) -> Went<impl Iterator<Item = SpanIndex>> {
        let counted = self.those(Departed::counted);
        match counted.clone().count() {
            0 => Went::None,
            n_spans if n_spans == self.n_spans() => Went::All,
            _ => Went::Only(counted),
        }
    }

    fn those(
        &self,
        set: impl Fn(&Departed) -> &SpanSet,
    ) -> impl Iterator<Item = SpanIndex> + Clone {
        let set = self.departed().map(set);
        self.indices()
            .filter(move |span| set.is_some_and(|set| set.contains(*span)))
    }

    /// How many spans have arrived at Datadog.
    pub fn n_forwarded(&self) -> u32 {
        self.departed()
            .map_or(0, |departed| departed.arrived().len())
    }

    /// How many spans were to go to Datadog and have not arrived.
    pub fn n_missing(&self) -> u32 {
        self.departed().map_or(0, Departed::n_missing)
    }

    /// The spans that are neither there nor on their way.
    pub(super) fn left(&self) -> impl Iterator<Item = SpanIndex> {
        let departed = self.departed();
        let is_left = move |span: &SpanIndex| {
            let leg = departed.map_or(Leg::Here, |departed| departed.leg(*span));
            matches!(leg, Leg::Here | Leg::Returned)
        };
        self.indices().filter(is_left)
    }

    fn indices(&self) -> impl Iterator<Item = SpanIndex> + Clone + use<> {
        let n_spans = u32::try_from(self.n_spans()).unwrap_or(u32::MAX);
        (0..n_spans).map(SpanIndex)
    }
}

impl Store {
    /// What is known of the way on.
    pub fn forwarding(&self) -> &Forwarding {
        &self.forwarding
    }

    /// The same, with the name of the place that spans go to.
    #[must_use]
    pub fn with_forwarding_to(mut self, to: String) -> Self {
        self.forwarding.to = Some(to.into());
        self
    }

    /// Puts back what an export says of the way on.
    pub fn restore_forward(&mut self, told: ToldForward) {
        let shown = |text: Box<str>| printable(&text, TOLD_BYTES_MAX);
        self.forwarding.told = Some((shown(told.to), told.last_error.map(shown)));
        self.revision += 1;
    }

    /// Keeps requests without spans that did not arrive, beside so many that there was no room for. Returns for
    /// how many there is none.
    pub fn keep_unsent(
        &mut self,
        requests: impl IntoIterator<Item = IntakeRequest>,
        n_lost: u64,
    ) -> u64 {
        let unsent = &mut self.forwarding.unsent;
        let n_lost_before = unsent.n_lost;
        unsent.keep(requests);
        raise(&mut unsent.n_lost, n_lost);
        self.revision += 1;
        self.forwarding.unsent.n_lost - n_lost_before
    }

    /// Takes note of what became of requests that were passed on.
    pub fn forwarded(&mut self, forwarded: &Forwarded) {
        for (counter, by) in [
            (&mut self.counters.forwarded_payloads, forwarded.payloads),
            (&mut self.counters.forwarded_spans, forwarded.spans),
            (&mut self.counters.forwarded_bytes, forwarded.bytes),
            (&mut self.counters.forward_failed, forwarded.failed),
            (&mut self.counters.forward_dropped, forwarded.dropped),
        ] {
            raise(counter, by);
        }
        self.forwarding.note(forwarded);
        let is_held = |ticket: &&Ticket| self.trace(TraceKey(ticket.trace)).is_some();
        let returned = &forwarded.returned;
        let n_lost = returned.len() - returned.iter().filter(is_held).count();
        raise(&mut self.forwarding.n_lost_spans, super::count(n_lost));
        self.tell_each(&forwarded.arrived, Departed::arrive);
        self.tell_each(&forwarded.returned, Departed::give_back);
        self.revision += 1;
    }

    /// Has something known of spans. Of those that were evicted nobody asks any more.
    pub(super) fn tell_each(
        &mut self,
        tickets: &[Ticket],
        tell: impl Fn(&mut Departed, SpanIndex) + Copy,
    ) {
        for of_trace in tickets.chunk_by(|one, next| one.trace == next.trace) {
            let Some(key) = of_trace.first().map(|ticket| TraceKey(ticket.trace)) else {
                continue;
            };
            self.change(key, |entry| {
                let departed = entry.departed_mut();
                for ticket in of_trace {
                    let span = SpanIndex(ticket.span);
                    // What is said of a snapshot is not said of the span as it is now.
                    if departed.version(span) == ticket.version {
                        tell(departed, span);
                    }
                }
            });
        }
    }
}
