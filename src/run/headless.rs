//! The program without a screen: one JSON object a line on stdout, as the contract of the headless
//! stream has it. Waits for no reader: a line about a trace can come late, or, when the trace was
//! evicted meanwhile, be counted instead.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::feed::Feed;
use super::{Told, unsent};
use crate::config::Settings;
use crate::export;
use crate::ingest::{Inbound, RequestRecord};
use crate::io::agent::Agent;
use crate::io::clock::Clock;
use crate::io::ndjson::{Closed, Ndjson};
use crate::io::signals::{Signal, Signals};
use crate::store::{Counters, LogKey, Store, TraceEntry, TraceKey};
use crate::trace::Now;
use crate::tui::message::ChildSignal;

/// A trace is told once nothing has come for it this long.
const QUIET_NS: u64 = 1_000_000_000;
/// Lines that wait for a reader who is behind, in bytes.
const PENDING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Lines are handed on when there are so many bytes of them, or nothing more to say.
const PIECE_BYTES: usize = 64 * 1024;
/// How long a reader that stalls is waited for at the end.
const LAST_LINES_WAIT: Duration = Duration::from_secs(5);
/// What goes on to Datadog is looked at so often.
const CARRY_WAIT: Duration = Duration::from_secs(1);
/// When the reader is behind, this long until it is looked at again.
const STALLED_WAIT: Duration = Duration::from_millis(50);

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    Listening {
        url: Option<&'a str>,
        uds: Option<&'a str>,
        otlp: Option<&'a str>,
    },
    Refused {
        path: &'a str,
        status: u16,
        reason: &'a str,
        bytes: u64,
    },
    Summary {
        counters: &'a Counters,
        /// Where spans go on to; left out when they go nowhere.
        #[serde(skip_serializing_if = "Option::is_none")]
        forward: Option<Box<export::ForwardJson<'a>>>,
        /// What clients counted themselves; null if none told.
        client_stats: Option<export::ToldJson>,
        /// Lines that a reader who stalled did not get; left out when there are none.
        #[serde(skip_serializing_if = "is_zero")]
        lines_dropped: u64,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde calls"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Runs until a signal, the end of the reader, of the program that was started, or
/// `--exit-after-idle`; then writes the export and the summary. Returns the exit code.
pub(super) async fn report(
    settings: &Settings,
    mut feed: Feed,
    (mut store, told): (Store, Told),
    clock: Clock,
) -> anyhow::Result<u8> {
    let mut signals = Signals::catch()?;
    let output = Ndjson::start(std::io::stdout())?;
    let mut reporter = Reporter::new(output);
    reporter.listening(&feed);
    for remark in &told.remarks {
        super::warn(remark);
    }
    told.sending
        .iter()
        .for_each(|sentence| super::say(sentence));
    let opened: Vec<TraceKey> = store.traces().map(TraceEntry::key).collect();
    reporter.touched(&opened, clock.now());
    let started = feed.start_child();
    let mut way_out = WayOut::Asked;
    if started.is_ok() && (feed.agent().is_some() || told.sent.is_some()) {
        let mut listener = Listener {
            reporter: &mut reporter,
            store: &mut store,
            feed: &mut feed,
            clock,
            leaving: Leaving::No,
        };
        way_out = listener
            .listen(&mut signals, settings.exit_after_idle)
            .await;
    }
    let mut stopped = feed.stop(|inbounds| reporter.take(&mut store, inbounds, clock.now()));
    let sent = stopped.send_rest(&mut store, clock.now());
    let ending = unsent::keep(settings, &store, told.sent.as_ref());
    let exported = match &settings.export {
        Some(target) => super::export_at_exit(&store, target),
        None => Ok(()),
    };
    reporter.finish(&store).await;
    if let Some(remark) = &stopped.remark {
        super::warn(remark);
    }
    if let Some(sentence) = &ending.sent {
        super::say(sentence);
    }
    let mut failures = told.damages;
    match (ending.missing, way_out) {
        (Some(sentence), WayOut::Asked) => super::warn(&sentence),
        // To send it was all there was to do.
        (missing, _) => failures.extend(missing),
    }
    let failed = ending.failure.map_or(Ok(()), Err);
    let outcome = sent.and(failed).and(exported);
    let outcome = outcome.and(started.map_err(anyhow::Error::from));
    if outcome.is_err() {
        for sentence in failures.drain(..) {
            super::warn(&sentence);
        }
    }
    outcome?;
    anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(stopped.code)
}

/// The loop and what it needs.
struct Listener<'a> {
    reporter: &'a mut Reporter,
    store: &'a mut Store,
    feed: &'a mut Feed,
    clock: Clock,
    leaving: Leaving,
}

/// Why it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WayOut {
    /// It was asked to, or nothing came any more.
    Asked,
    /// What was to be sent has been, or was given up.
    Done,
}

/// Whether it is time to leave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// As soon as the program that was started has ended, which it has been asked to.
    WithTheChild,
    Now,
}

impl Listener<'_> {
    async fn listen(&mut self, signals: &mut Signals, idle: Option<Duration>) -> WayOut {
        let has_child = self.feed.has_child();
        let mut idle_since = Instant::now();
        let mut has_reader = true;
        while self.leaving != Leaving::Now {
            let idle_end = idle
                .filter(|_| self.leaving == Leaving::No)
                .map(|idle| idle_since + idle);
            let wake = self.reporter.wake(self.clock.now());
            let carry = self.carry_at();
            let wake = idle_end.into_iter().chain(wake).chain(carry).min();
            tokio::select! {
                biased;
                signal = signals.next() => if signal == Signal::Stop { self.leave() },
                () = self.reporter.output.closed(), if has_reader => {
                    has_reader = false;
                    self.leave();
                }
                inbounds = self.feed.next() => {
                    let before = super::n_received(self.store);
                    self.reporter.take(self.store, inbounds, self.clock.now());
                    self.feed.publish(self.store.model());
                    if super::n_received(self.store) > before {
                        idle_since = Instant::now();
                    }
                    if has_child && !self.feed.has_child() {
                        self.leaving = Leaving::Now;
                    }
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    if idle_end.is_some_and(|end| end <= Instant::now()) {
                        self.leave();
                    }
                }
            }
            if let Err(error) = self.feed.carry(self.store, self.clock.now()) {
                tracing::error!("{error:#}");
            }
            self.reporter.tell_quiet(self.store, self.clock.now());
            if self.feed.has_sent_all(self.store) {
                return WayOut::Done;
            }
        }
        WayOut::Asked
    }

    /// When what goes on to Datadog is looked at.
    fn carry_at(&self) -> Option<Instant> {
        let now = Instant::now();
        if self.feed.can_carry(self.store) {
            return Some(now);
        }
        self.feed.carries().then(|| now + CARRY_WAIT)
    }

    /// Leaves, once a program that was started has ended. It is asked to, the second time not to
    /// take its time.
    fn leave(&mut self) {
        if !self.feed.has_child() {
            self.leaving = Leaving::Now;
            return;
        }
        self.feed.signal_child(match self.leaving {
            Leaving::No => ChildSignal::Interrupt,
            Leaving::WithTheChild | Leaving::Now => ChildSignal::Terminate,
        });
        self.leaving = Leaving::WithTheChild;
    }
}

/// What is still to be told of which trace.
struct Reporter {
    output: Ndjson,
    /// Whole lines that are still to be handed on.
    pending: Vec<u8>,
    due: BTreeSet<(u64, TraceKey)>,
    quiet_at: HashMap<TraceKey, u64>,
    /// The log line to be told next.
    next_log: LogKey,
    lines_dropped: u64,
}

impl Reporter {
    fn new(output: Ndjson) -> Self {
        Self {
            output,
            pending: Vec::new(),
            due: BTreeSet::new(),
            quiet_at: HashMap::new(),
            next_log: LogKey(0),
            lines_dropped: 0,
        }
    }

    fn listening(&mut self, feed: &Feed) {
        let url = feed
            .agent()
            .map(|agent| format!("http://{}", agent.local_addr()));
        let uds = feed.agent().and_then(|agent| agent.uds_path());
        let uds = uds.map(|path| path.display().to_string());
        let otlp = feed.agent().and_then(Agent::otlp_addr);
        let otlp = otlp.map(|address| format!("http://{address}"));
        let event = Event::Listening {
            url: url.as_deref(),
            uds: uds.as_deref(),
            otlp: otlp.as_deref(),
        };
        self.tell(&event);
        self.hand_on();
    }

    fn take(&mut self, store: &mut Store, inbounds: Vec<Inbound>, now: Now) {
        for inbound in inbounds {
            if let Inbound::Request(request) = &inbound {
                self.refused(&request.record);
            }
            let revision = store.revision();
            let mut touched = super::take(store, inbound, now);
            // What is told of a trace follows from its spans, not from its lines.
            let has_grown = |trace: &TraceEntry| trace.revision() > revision;
            touched.retain(|key| store.trace(*key).is_none_or(has_grown));
            self.touched(&touched, now);
            self.tell_logs(store);
            for evicted in store.evicted() {
                if let Some(at) = self.quiet_at.remove(&evicted.key()) {
                    self.due.remove(&(at, evicted.key()));
                    self.tell(&export::trace_event(evicted, store));
                }
            }
        }
    }

    fn touched(&mut self, traces: &[TraceKey], now: Now) {
        let at = now.uptime_ns.saturating_add(QUIET_NS);
        for key in traces {
            if let Some(before) = self.quiet_at.insert(*key, at) {
                self.due.remove(&(before, *key));
            }
            self.due.insert((at, *key));
        }
    }

    /// When there is something to tell.
    fn wake(&self, now: Now) -> Option<Instant> {
        if !self.pending.is_empty() {
            return Some(Instant::now() + STALLED_WAIT);
        }
        let (at, _) = self.due.first()?;
        Some(Instant::now() + Duration::from_nanos(at.saturating_sub(now.uptime_ns)))
    }

    /// Tells of the lines that came and of the traces that have been quiet for long enough, as far as
    /// the reader follows.
    fn tell_quiet(&mut self, store: &Store, now: Now) {
        self.tell_logs(store);
        while let Some((at, key)) = self.due.first().copied()
            && at <= now.uptime_ns
            && self.pending.len() < PIECE_BYTES
        {
            self.due.pop_first();
            self.quiet_at.remove(&key);
            if let Some(trace) = store.trace(key) {
                self.tell(&export::trace_event(trace, store));
            }
            if self.pending.len() >= PIECE_BYTES {
                self.hand_on();
            }
        }
        self.hand_on();
    }

    fn tell_logs(&mut self, store: &Store) {
        while self.pending.len() < PIECE_BYTES && self.tell_log(store) {
            if self.pending.len() >= PIECE_BYTES {
                self.hand_on();
            }
        }
    }

    /// Tells of the next log line, with the trace that is known by now: spans that came with it, or
    /// before, are in. A line that joins later names its trace itself, mostly.
    fn tell_log(&mut self, store: &Store) -> bool {
        let Some(line) = store.logs_from(self.next_log).next() else {
            self.lines_dropped += store.next_log_key().0 - self.next_log.0;
            self.next_log = store.next_log_key();
            return false;
        };
        // Lines that went before their turn, because the reader was behind.
        self.lines_dropped += line.key().0 - self.next_log.0;
        self.next_log = LogKey(line.key().0 + 1);
        self.tell(&export::log_event(line, store));
        true
    }

    fn refused(&mut self, record: &RequestRecord) {
        if record.is_refused_payload() {
            self.tell(&Event::Refused {
                path: &record.path,
                status: record.status,
                reason: &record.note,
                bytes: record.bytes,
            });
        }
    }

    /// Adds a line, or counts that it was left out because the reader is too far behind.
    fn tell(&mut self, object: &impl Serialize) {
        let length = self.pending.len();
        if length > PENDING_BYTES_MAX || export::write_json(&mut self.pending, object).is_err() {
            self.pending.truncate(length);
            self.lines_dropped += 1;
            return;
        }
        self.pending.push(b'\n');
    }

    /// Gives the writer what there is to say, if it has room.
    fn hand_on(&mut self) {
        if !self.pending.is_empty() {
            let lines = mem::take(&mut self.pending);
            self.pending = self.output.try_write(lines).err().unwrap_or_default();
        }
    }

    /// Tells the rest and the sums, waiting for the reader as long as is decent.
    async fn finish(mut self, store: &Store) {
        let last_lines = async {
            while self.tell_log(store) {
                if self.pending.len() >= PIECE_BYTES {
                    self.output.write(mem::take(&mut self.pending)).await?;
                }
            }
            for (_, key) in mem::take(&mut self.due) {
                if let Some(trace) = store.trace(key) {
                    self.tell(&export::trace_event(trace, store));
                }
                if self.pending.len() >= PIECE_BYTES {
                    self.output.write(mem::take(&mut self.pending)).await?;
                }
            }
            self.output.write(mem::take(&mut self.pending)).await?;
            let summary = Event::Summary {
                counters: store.counters(),
                forward: export::ForwardJson::summary(store).map(Box::new),
                client_stats: export::ToldJson::summary(store),
                lines_dropped: self.lines_dropped,
            };
            self.tell(&summary);
            self.output.write(mem::take(&mut self.pending)).await
        };
        let told: Result<Result<(), Closed>, _> =
            tokio::time::timeout(LAST_LINES_WAIT, last_lines).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::warn!("nobody read the last lines on stdout");
        }
        let _stalled = self.output.finish(LAST_LINES_WAIT).await;
    }
}
