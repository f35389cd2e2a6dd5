//! What clients say they counted, compared with the spans that arrived of the same time.
//!
//! A client tells of a time ten to twenty seconds after it, so spans wait here, by the second in
//! which they ended, until it has told of that second. Only spans of deliveries that say the client
//! counts (`Datadog-Client-Computed-Stats`) are compared. Where the process of a span is none that
//! told, as with ddtrace 4.1.2, whose statistics have an id of their own, whoever told latest says how
//! far it has been told.
//!
//! ```text
//! spans ─▶ waiting: second, process ─▶ groups        told ─▶ clients: who, until when
//!                        └──────── until when ─▶ operations: hits, errors, spans arrived ◀─┘
//! ```

mod operation;
mod waiting;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

pub use operation::{Operation, OperationKey, Tally};

use super::counters::raise_to_exact as raise;
use crate::stats::{
    ClientStats, ClientTelemetry, StatsBucket, StatsGroup, StatsSource, TelemetrySums,
};
use crate::trace::UnixNanos;
use waiting::Waiting;

/// Clients that are told apart.
const CLIENTS_MAX: usize = 64;
/// Groups that are kept; sketches of them may be far larger than they are.
const GROUPS_MAX: usize = 10_000;

/// What clients told, and what arrived of it.
#[derive(Debug)]
pub struct Told {
    sums: ToldSums,
    clients: VecDeque<ToldClient>,
    operations: BTreeMap<OperationKey, Operation>,
    /// The groups, the oldest first.
    by_age: VecDeque<(OperationKey, Box<str>)>,
    waiting: Waiting,
    /// Hits without a span, so far.
    n_missing: u64,
    bytes: usize,
    bytes_max: usize,
}

/// Sums of all that was told, also of what is no longer kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldSums {
    /// Buckets of time.
    pub n_buckets: u64,
    /// Spans counted.
    pub hits: u64,
    /// Spans counted that failed.
    pub errors: u64,
    /// What telemetry counted.
    pub telemetry: TelemetrySums,
    /// Clients, the oldest ones, that are no longer kept.
    pub n_clients_evicted: u64,
    /// Groups, the oldest ones, that are no longer kept.
    pub n_groups_evicted: u64,
    /// Spans that were counted by a client that did not tell of their time.
    pub n_spans_untold: u64,
    /// Whether a delivery said that its client counts.
    pub any_counted: bool,
    /// Whether spans came that no client counts.
    pub any_uncounted: bool,
}

/// A client and how much it told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldClient {
    /// Who it is.
    pub source: StatsSource,
    /// Buckets of time.
    pub n_buckets: u64,
    /// Spans counted.
    pub hits: u64,
    /// Spans counted that failed.
    pub errors: u64,
    /// The end of the newest bucket.
    pub told_until: UnixNanos,
}

/// Hits beside the spans of them that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared<'a> {
    /// Of which service and operation.
    pub operation: &'a OperationKey,
    /// Of which resource; of all where the client changes them before it counts.
    pub resource: Option<&'a str>,
    /// What the client counted.
    pub hits: u64,
    /// What arrived.
    pub n_arrived: u64,
    /// All that was told of the resource.
    pub tally: Option<&'a Tally>,
}

impl Compared<'_> {
    /// Hits without a span.
    pub fn n_missing(&self) -> u64 {
        self.hits.saturating_sub(self.n_arrived)
    }
}

/// A span that a client has counted, or will.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) operation: OperationKey,
    pub(super) resource: Box<str>,
    pub(super) end: UnixNanos,
}

impl Told {
    /// Keeps at most so many bytes, by its own count.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            sums: ToldSums::default(),
            clients: VecDeque::new(),
            operations: BTreeMap::new(),
            by_age: VecDeque::new(),
            waiting: Waiting::default(),
            n_missing: 0,
            bytes: 0,
            bytes_max,
        }
    }

    /// Whether no client told anything.
    pub fn is_empty(&self) -> bool {
        let sums = &self.sums;
        self.clients.is_empty() && sums.n_buckets == 0 && sums.telemetry == TelemetrySums::default()
    }

    /// The sums.
    pub fn sums(&self) -> &ToldSums {
        &self.sums
    }

    /// Who told, the oldest first.
    pub fn clients(&self) -> impl Iterator<Item = &ToldClient> {
        self.clients.iter()
    }

    /// What was told and what arrived, by service and operation.
    pub fn operations(&self) -> impl Iterator<Item = (&OperationKey, &Operation)> {
        self.operations.iter()
    }

    /// Whether hits can be compared with spans: not if spans came and none was said to be counted.
    pub fn is_compared(&self) -> bool {
        self.sums.any_counted || !self.sums.any_uncounted
    }

    /// Everything that is compared: where most spans are missing first, then by hits.
    pub fn compared(&self) -> Vec<Compared<'_>> {
        let operations = self.operations.iter();
        let compared = operations.map(|(key, operation)| operation.compared(key));
        let mut compared: Vec<_> = compared.flatten().collect();
        // Stable: among equals in the order of their names.
        compared.sort_by_key(|it| Reverse((it.n_missing(), it.hits)));
        compared
    }

    /// Hits without a span, so far.
    pub(super) fn n_missing(&self) -> u64 {
        if self.is_compared() {
            self.n_missing
        } else {
            0
        }
    }

    /// What it occupies, by its own count.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.waiting.bytes()
    }

    /// A delivery has come; whether its spans are counted by their client.
    pub(super) fn delivered(&mut self, is_counted: bool, any_spans: bool) {
        self.sums.any_counted |= is_counted;
        self.sums.any_uncounted |= !is_counted && any_spans;
    }

    /// Spans that a client counts have arrived from a process.
    pub(super) fn arrived(&mut self, process: &str, spans: Vec<Arrived>) {
        let told_until = self.told_until(process);
        for span in spans {
            let second = waiting::second(span.end);
            if told_until.is_some_and(|until| second < waiting::first_untold(until)) {
                self.change(span.operation, span.resource, |tally| {
                    raise(&mut tally.n_arrived, 1);
                });
            } else {
                let n_untold = self.waiting.add((second, process), span);
                raise(&mut self.sums.n_spans_untold, n_untold);
            }
        }
        self.keep_limits();
    }

    /// A client has told.
    pub(super) fn hear(&mut self, stats: ClientStats) {
        let (hits, errors) = stats.hits_and_errors();
        let n_buckets = super::count(stats.buckets.len());
        let ends = stats.buckets.iter().map(StatsBucket::end);
        let sums = ToldSums {
            n_buckets,
            hits,
            errors,
            ..ToldSums::default()
        };
        let client = ToldClient {
            source: stats.source,
            n_buckets,
            hits,
            errors,
            told_until: ends.max().unwrap_or_default(),
        };
        self.add(&sums, vec![client]);
        for group in stats.buckets.into_iter().flat_map(|bucket| bucket.groups) {
            self.hear_group(group);
        }
        self.settle();
        self.keep_limits();
    }

    /// A client has said what it did.
    pub(super) fn hear_telemetry(&mut self, telemetry: ClientTelemetry) {
        let sums = ToldSums {
            telemetry: telemetry.sums,
            ..ToldSums::default()
        };
        let client = ToldClient {
            source: telemetry.source,
            ..ToldClient::default()
        };
        let is_named = client.source != StatsSource::default();
        self.add(&sums, is_named.then_some(client).into_iter().collect());
    }

    /// Adds what clients told, or what an export holds of it, to what is here.
    pub(super) fn add(&mut self, sums: &ToldSums, clients: Vec<ToldClient>) {
        let ours = &mut self.sums;
        for (ours, theirs) in [
            (&mut ours.n_buckets, sums.n_buckets),
            (&mut ours.hits, sums.hits),
            (&mut ours.errors, sums.errors),
            (&mut ours.n_clients_evicted, sums.n_clients_evicted),
            (&mut ours.n_groups_evicted, sums.n_groups_evicted),
            (&mut ours.n_spans_untold, sums.n_spans_untold),
        ] {
            raise(ours, theirs);
        }
        ours.telemetry.add(&sums.telemetry);
        ours.any_counted |= sums.any_counted;
        ours.any_uncounted |= sums.any_uncounted;
        for client in clients {
            self.add_client(client);
        }
    }

    /// Puts back a group of an export.
    pub(super) fn restore_group(&mut self, key: OperationKey, resource: Box<str>, tally: &Tally) {
        self.change(key, resource, |ours| ours.add(tally));
        self.keep_limits();
    }

    fn hear_group(&mut self, group: StatsGroup) {
        let StatsGroup {
            service,
            name,
            resource,
            kind,
            counts,
        } = group;
        let tally = Tally {
            kind,
            counts,
            n_arrived: 0,
        };
        self.change(OperationKey { service, name }, resource, |ours| {
            ours.add(&tally);
        });
    }

    /// Changes the tally of a group, which may be new.
    fn change(&mut self, key: OperationKey, resource: Box<str>, change: impl FnOnce(&mut Tally)) {
        let known = self.operations.get(&key);
        if !known.is_some_and(|operation| operation.has(&resource)) {
            self.by_age.push_back((key.clone(), resource.clone()));
        }
        let operation = self.operations.entry(key).or_default();
        let (bytes, n_missing) = (operation.bytes(), operation.n_missing());
        operation.change(resource, change);
        self.bytes = (self.bytes + operation.bytes()).saturating_sub(bytes);
        self.n_missing = self
            .n_missing
            .saturating_sub(n_missing)
            .saturating_add(operation.n_missing());
    }

    /// Compares the spans that waited for what has been told by now.
    fn settle(&mut self) {
        let Some(latest) = self.latest() else {
            return;
        };
        for slot in self.waiting.before(waiting::first_untold(latest)) {
            let (second, process) = &slot;
            let told_until = self.told_until(process);
            if told_until.is_none_or(|until| *second >= waiting::first_untold(until)) {
                continue;
            }
            for (operation, resource, n_spans) in self.waiting.take(&slot) {
                self.change(operation, resource, |tally| {
                    raise(&mut tally.n_arrived, n_spans);
                });
            }
        }
    }

    /// Until when the spans of a process have been told of.
    fn told_until(&self, process: &str) -> Option<UnixNanos> {
        let told = self.clients.iter().filter(|client| client.n_buckets > 0);
        let own = told
            .clone()
            .find(|client| !process.is_empty() && same_id(&client.source.runtime_id, process));
        own.map(|client| client.told_until)
            .or_else(|| self.latest())
    }

    fn latest(&self) -> Option<UnixNanos> {
        let told = self.clients.iter().filter(|client| client.n_buckets > 0);
        told.map(|client| client.told_until).max()
    }

    /// Adds to what is known of a client, which may be new. The one that told last stands last.
    fn add_client(&mut self, told: ToldClient) {
        let source = &told.source;
        let is_same = |client: &ToldClient| {
            let known = &client.source;
            if source.runtime_id.is_empty() {
                known == source
            } else {
                same_id(&known.runtime_id, &source.runtime_id)
            }
        };
        let place = self.clients.iter().position(is_same);
        let known = place.and_then(|place| self.clients.remove(place));
        if self.clients.len() >= CLIENTS_MAX {
            self.clients.pop_front();
            raise(&mut self.sums.n_clients_evicted, 1);
        }
        let mut client = known.unwrap_or_default();
        client.source.complete(told.source);
        raise(&mut client.n_buckets, told.n_buckets);
        raise(&mut client.hits, told.hits);
        raise(&mut client.errors, told.errors);
        client.told_until = client.told_until.max(told.told_until);
        self.clients.push_back(client);
    }

    /// Gives up the oldest groups, then the spans that waited longest.
    fn keep_limits(&mut self) {
        while self.by_age.len() > GROUPS_MAX
            || (self.bytes() > self.bytes_max && !self.by_age.is_empty())
        {
            self.forget_oldest();
        }
        while self.bytes() > self.bytes_max
            && let Some(n_spans) = self.waiting.forget_oldest()
        {
            raise(&mut self.sums.n_spans_untold, n_spans);
        }
    }

    fn forget_oldest(&mut self) {
        let Some((key, resource)) = self.by_age.pop_front() else {
            return;
        };
        let Some(operation) = self.operations.get_mut(&key) else {
            return;
        };
        let bytes = operation.bytes();
        operation.forget(&resource);
        self.bytes = (self.bytes + operation.bytes()).saturating_sub(bytes);
        if operation.is_empty() {
            self.operations.remove(&key);
        }
        raise(&mut self.sums.n_groups_evicted, 1);
    }
}

/// Ids of processes are written with and without hyphens.
fn same_id(one: &str, other: &str) -> bool {
    digits(one).eq(digits(other))
}

fn digits(id: &str) -> impl Iterator<Item = u8> {
    let digits = id.bytes().filter(|byte| *byte != b'-');
    digits.map(|digit| digit.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
