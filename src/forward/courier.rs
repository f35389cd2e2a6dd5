//! Everything for the intakes, gathered: spans into payloads, counts into buckets, both flushed by size
//! and by time. Sends nothing and reads no clock: whoever holds it takes what is ready.

use std::mem;

use super::logs::{LogBatch, LogLine};
use super::payload::{Batch, LeftOut, PayloadSettings};
use super::stats::{BUCKET_NS, ClientAggregator, Concentrator};
use super::{AddedTags, AgentFacts, IntakeRequest, Outgoing, Prepared, Ticket};
use crate::sampler::Verdict;
use crate::trace::{TracerInfo, UnixNanos};

/// A payload goes after so long, however little is in it (`pkg/trace/writer/trace.go`,
/// `flush_period_seconds`).
const PAYLOAD_WAIT_NS: i64 = 5_000_000_000;

/// Which spans go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those that the simulated Agent keeps, marked as it marks them.
    Sampled,
    /// None by itself: the user says which.
    ByHand,
}

impl Which {
    /// What is to be asked before a chunk goes.
    pub fn verdict(self, verdict: Option<Verdict>) -> Option<Verdict> {
        match self {
            Self::All | Self::ByHand => None,
            Self::Sampled => Some(verdict.unwrap_or_default()),
        }
    }
}

/// How spans are made ready.
#[derive(Clone, Debug, Default)]
pub struct CourierSettings {
    /// How payloads are made.
    pub payload: PayloadSettings,
    /// Tags that are added.
    pub added: AddedTags,
    /// Which spans go.
    pub which: Which,
    /// Whether lines go with them.
    pub lines: LinesGo,
}

/// Whether the lines of traces go, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinesGo {
    /// No line goes.
    #[default]
    Nowhere,
    /// Those that name a trace or a span which goes.
    WithTheirTraces,
}

/// What became of spans that were handed over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// Those that the simulated Agent drops.
    pub stayed: Vec<Ticket>,
    /// Those that no intake takes: the Agent drops their chunk, or one alone is larger than a payload.
    pub refused: Vec<Ticket>,
    /// Who sent them, if the spans say more of that than the request did: it holds for what follows them in
    /// the same payload, too (`pkg/trace/agent/agent.go`, `Process`).
    pub client: Option<TracerInfo>,
}

/// Spans and counts that have not gone.
#[derive(Debug)]
pub struct Courier {
    settings: CourierSettings,
    batch: Batch,
    concentrator: Concentrator,
    clients: ClientAggregator,
    lines: LogBatch,
    ready: Vec<IntakeRequest>,
    /// When the oldest span that waits came.
    waits_since: Option<UnixNanos>,
    /// When buckets were looked for last.
    looked_at: UnixNanos,
    /// Chunks that the Agent drops whole.
    n_refused: u64,
}

impl Courier {
    /// One that has nothing.
    pub fn new(settings: CourierSettings, now: UnixNanos) -> Self {
        let agent = || -> AgentFacts { settings.payload.agent.clone() };
        Self {
            batch: Batch::new(settings.payload.clone()),
            concentrator: Concentrator::new(agent(), now),
            clients: ClientAggregator::new(agent(), now),
            lines: LogBatch::new(settings.added.clone()),
            settings,
            ready: Vec::new(),
            waits_since: None,
            looked_at: now,
            n_refused: 0,
        }
    }

    /// Which spans go.
    pub fn which(&self) -> Which {
        self.settings.which
    }

    /// Whether lines go with them.
    pub fn lines_go(&self) -> LinesGo {
        self.settings.lines
    }

    /// Takes a line of a trace that goes.
    pub fn take_line(&mut self, line: &LogLine<'_>, now: UnixNanos) {
        let full = self.lines.push(line);
        self.ready.extend(full);
        self.waits_since.get_or_insert(now);
    }

    /// Takes spans of a chunk: each is to come once.
    pub fn take(&mut self, outgoing: Outgoing<'_>, now: UnixNanos) -> Taken {
        let Ok(prepared) = Prepared::new(outgoing, &self.settings.added) else {
            self.n_refused += 1;
            return Taken {
                refused: outgoing.tickets().collect(),
                ..Taken::default()
            };
        };
        self.concentrator.add(&prepared, now);
        let full = self.batch.push(&prepared);
        self.ready.extend(full);
        if self.batch.n_spans() > 0 {
            self.waits_since.get_or_insert(now);
        }
        let left_out = self.batch.left_out_now();
        let client = prepared.client();
        Taken {
            stayed: left_out.sampled,
            refused: left_out.oversized,
            client: (client != outgoing.tracer).then(|| client.clone()),
        }
    }

    /// Takes the body of a request with counts of a client. What cannot be read was refused before.
    pub fn take_stats(&mut self, body: &[u8], tracer: &TracerInfo, now: UnixNanos) {
        match self.clients.add(body, tracer, now) {
            Ok(requests) => self.ready.extend(requests),
            Err(_unreadable) => self.n_refused += 1,
        }
    }

    /// Takes a request that was made some time ago, and has not gone.
    pub fn resend(&mut self, request: IntakeRequest) {
        self.ready.push(request);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: UnixNanos) {
        let waits = self.waits_since.map(|since| now.since(since));
        // A clock that was set back must not keep anything.
        if waits.is_some_and(|waits| !(0..PAYLOAD_WAIT_NS).contains(&waits)) {
            self.flush();
        }
        if !(0..BUCKET_NS / 10).contains(&now.since(self.looked_at)) {
            self.looked_at = now;
            let counted = self.concentrator.flush(now);
            let told = self.clients.flush(now);
            self.ready.extend(counted.into_iter().chain(told));
        }
    }

    /// Makes everything ready, open buckets included: nothing more comes.
    pub fn drain(&mut self) {
        self.flush();
        let counted = self.concentrator.drain();
        let told = self.clients.drain();
        self.ready.extend(counted.into_iter().chain(told));
    }

    /// What is ready to be sent.
    pub fn ready(&mut self) -> Vec<IntakeRequest> {
        mem::take(&mut self.ready)
    }

    /// What did not go, by its reason.
    pub fn left_out(&self) -> LeftOut {
        self.batch.left_out()
    }

    /// Chunks and counts that no Agent would have sent.
    pub fn n_refused(&self) -> u64 {
        self.n_refused
    }

    /// Makes ready what has gathered, but for open buckets: nothing more is at hand.
    pub fn flush(&mut self) {
        self.waits_since = None;
        let flushed = self.batch.flush();
        self.ready.extend(flushed);
        let lines = self.lines.flush();
        self.ready.extend(lines);
    }
}

#[cfg(test)]
mod tests;
