//! What is known of the way on: where to, what is still to be handed over, and what became of the last requests.
//! Sends nothing.

use std::collections::VecDeque;

use super::counters::raise;
use super::departed::{Departed, Leg};
use super::{LogKey, SpanIndex, Store, TraceEntry, TraceKey};
use crate::forward::courier::{Courier, LinesGo, Which};
use crate::forward::{Exchange, Forwarded, Ticket};

/// How many attempts are kept.
const EXCHANGES_MAX: usize = 200;

/// The way on, to a real Agent or to Datadog.
#[derive(Debug, Default)]
pub struct Forwarding {
    /// Whoever takes spans on to Datadog.
    pub(super) courier: Option<Box<Courier>>,
    /// The line that goes next, if lines go.
    pub(super) next_line: LogKey,
    /// Traces that the user wants sent, in order.
    pub(super) wanted: VecDeque<TraceKey>,
    exchanges: VecDeque<Exchange>,
    n_exchanges: u64,
    last_error: Option<Box<str>>,
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
    /// These, in order of arrival.
    Only(I),
}

impl TraceEntry {
    /// Which spans have arrived at Datadog.
    pub fn forwarded(&self) -> Went<impl Iterator<Item = SpanIndex>> {
        self.went(|departed, span| departed.arrived().contains(span))
    }

    /// Which spans are counted in statistics that went, or are to go.
    pub fn counted(&self) -> Went<impl Iterator<Item = SpanIndex>> {
        self.went(|departed, span| departed.counted().contains(span))
    }

    fn went(
        &self,
        is_in: impl Fn(&Departed, SpanIndex) -> bool + Copy,
    ) -> Went<impl Iterator<Item = SpanIndex>> {
        let departed = self.departed();
        let is_in = move |span: &SpanIndex| departed.is_some_and(|departed| is_in(departed, *span));
        let all = || self.indices();
        if departed.is_none() || !all().any(|span| is_in(&span)) {
            Went::None
        } else if all().all(|span| is_in(&span)) {
            Went::All
        } else {
            Went::Only(all().filter(is_in))
        }
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

    fn indices(&self) -> impl Iterator<Item = SpanIndex> + use<> {
        let n_spans = u32::try_from(self.n_spans()).unwrap_or(u32::MAX);
        (0..n_spans).map(SpanIndex)
    }
}

impl Store {
    /// What is known of the way on.
    pub fn forwarding(&self) -> &Forwarding {
        &self.forwarding
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
                    tell(departed, SpanIndex(ticket.span));
                }
            });
        }
    }
}
