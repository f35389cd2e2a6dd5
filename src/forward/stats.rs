//! Statistics for the intake, which makes none of the traces it gets: hits, errors and durations of
//! spans that are alike, in buckets of ten seconds. Counts what it is given and knows no span again:
//! each must come once.
//!
//! After `pkg/trace/stats/concentrator.go` (`addNow`), `span_concentrator.go` (`NewStatSpanWithConfig`,
//! `addSpan`, `Flush`), `statsraw.go` (`add`, `export`) and `weight.go` in `DataDog/datadog-agent`.
//! Like an Agent outside Fargate it makes no difference between containers.

mod client;
mod key;
mod peer;
mod send;

use std::collections::BTreeMap;

use hashbrown::HashMap;
use libdd_ddsketch::DDSketch;
use libdd_trace_protobuf::pb;

use super::{AgentFacts, CountedBy, IntakeRequest, Prepared};
use crate::normalize::Normalized;
use crate::stats::rounded;
use crate::trace::UnixNanos;
pub use client::ClientAggregator;
use key::{GroupKey, PayloadKey, is_counted_kind};
use send::{Computed, requests};

/// `pkg/trace/config/config.go`, `BucketInterval`.
pub const BUCKET_NS: i64 = 10_000_000_000;
/// Buckets that are held back: the current one and the one before (`defaultBufferLen`).
const N_BUCKETS_HELD: i64 = 2;
/// How far ahead a clock may be. The Agent knows no limit; one that jumps would leave a bucket behind
/// that is never old enough to go.
const AHEAD_NS: i64 = 60_000_000_000;
/// Groups at once. One takes a kilobyte as services have them; with the longest names and two sketches
/// of 16 KiB, which takes durations from nanoseconds to years, 38.
const GROUPS_MAX: usize = 10_000;

/// `statsraw.go`, `relativeAccuracy`, as the width of a bin: 1 % to either side. Its `maxNumBins`, 2,048,
/// is the crate's own.
const GAMMA: f64 = 1.01 / 0.99;

/// What is counted and not sent yet.
#[derive(Debug)]
pub struct Concentrator {
    agent: AgentFacts,
    buckets: BTreeMap<i64, HashMap<(PayloadKey, GroupKey), Counts>>,
    /// No bucket before this one takes any more: it may have gone.
    oldest: i64,
    n_groups: usize,
    n_left_out: u64,
}

/// Counts of spans that are alike.
#[derive(Debug, Default)]
struct Counts {
    hits: f64,
    top_level_hits: f64,
    errors: f64,
    duration: f64,
    ok: Option<Box<DDSketch>>,
    error: Option<Box<DDSketch>>,
}

impl Concentrator {
    /// Begins now: what ended before is counted now, since an Agent that ran before may have sent its
    /// bucket (`NewSpanConcentrator`).
    pub fn new(agent: AgentFacts, now: UnixNanos) -> Self {
        Self {
            agent,
            buckets: BTreeMap::new(),
            oldest: aligned(now.0),
            n_groups: 0,
            n_left_out: 0,
        }
    }

    /// Counts the spans of a chunk that go, also those that a sampler drops later; none of a client who
    /// counts them itself.
    pub fn add(&mut self, prepared: &Prepared<'_>, now: UnixNanos) {
        if prepared.counted_by() == CountedBy::Client {
            return;
        }
        let weight = weight(prepared.chunk().client_rate());
        let mut payload = None;
        for (place, _, span) in prepared.spans() {
            let is_top_level = prepared.chunk().is_top_level(place);
            if !is_counted(span, is_top_level) {
                continue;
            }
            let payload = payload.get_or_insert_with(|| PayloadKey::of(prepared, &self.agent));
            let key = (
                payload.clone(),
                GroupKey::of(span, prepared.chunk().origin()),
            );
            let bucket = self.bucket_of(span, now);
            match self.counts(bucket, key) {
                Some(counts) => counts.add(span, is_top_level, weight),
                None => self.n_left_out += 1,
            }
        }
    }

    /// Buckets that are old enough, as requests.
    pub fn flush(&mut self, now: UnixNanos) -> Vec<IntakeRequest> {
        let newest = now.0.saturating_sub(N_BUCKETS_HELD * BUCKET_NS);
        let held = self.buckets.split_off(&newest.saturating_add(1));
        let old = std::mem::replace(&mut self.buckets, held);
        let oldest = aligned(now.0).saturating_sub((N_BUCKETS_HELD - 1) * BUCKET_NS);
        self.oldest = self.oldest.max(oldest);
        self.sent(old)
    }

    /// All buckets, at the end.
    pub fn drain(&mut self) -> Vec<IntakeRequest> {
        let all = std::mem::take(&mut self.buckets);
        // What comes now must not go into one of them again.
        if let Some((last, _)) = all.last_key_value() {
            self.oldest = self.oldest.max(last.saturating_add(BUCKET_NS));
        }
        self.sent(all)
    }

    /// Groups that wait.
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Spans that were not counted, since there were too many groups.
    pub fn n_left_out(&self) -> u64 {
        self.n_left_out
    }

    /// `addSpan`: when it ended, unless that bucket has gone.
    fn bucket_of(&self, span: &Normalized<'_>, now: UnixNanos) -> i64 {
        let end = span.start().plus(span.duration());
        if end.since(now) > AHEAD_NS {
            return aligned(now.0).max(self.oldest);
        }
        aligned(end.0).max(self.oldest)
    }

    fn counts(&mut self, bucket: i64, key: (PayloadKey, GroupKey)) -> Option<&mut Counts> {
        if self.n_groups >= GROUPS_MAX {
            return self.buckets.get_mut(&bucket)?.get_mut(&key);
        }
        let n_groups = &mut self.n_groups;
        let groups = self.buckets.entry(bucket).or_default();
        Some(groups.entry(key).or_insert_with(|| {
            *n_groups += 1;
            Counts::default()
        }))
    }

    fn sent(
        &mut self,
        buckets: BTreeMap<i64, HashMap<(PayloadKey, GroupKey), Counts>>,
    ) -> Vec<IntakeRequest> {
        let mut payloads: BTreeMap<PayloadKey, Vec<pb::ClientStatsBucket>> = BTreeMap::new();
        for (start, groups) in buckets {
            self.n_groups = self.n_groups.saturating_sub(groups.len());
            let mut of_payload: BTreeMap<PayloadKey, Vec<pb::ClientGroupedStats>> = BTreeMap::new();
            for ((payload, key), counts) in groups {
                of_payload
                    .entry(payload)
                    .or_default()
                    .push(counts.message(key));
            }
            for (payload, stats) in of_payload {
                let bucket = bucket(start, stats);
                payloads.entry(payload).or_default().push(bucket);
            }
        }
        let payloads = payloads.into_iter();
        let payloads = payloads.map(|(key, stats)| key.message(stats)).collect();
        requests(&self.agent, payloads, Computed::Here)
    }
}

impl Counts {
    /// `statsraw.go`, `add`. The sketches count each span once, whatever it stands for.
    fn add(&mut self, span: &Normalized<'_>, is_top_level: bool, weight: f64) {
        self.hits += weight;
        self.duration += span.duration() as f64 * weight;
        if is_top_level {
            self.top_level_hits += weight;
        }
        let sketch = if span.error() == 0 {
            &mut self.ok
        } else {
            self.errors += weight;
            &mut self.error
        };
        let sketch = sketch.get_or_insert_with(|| Box::new(new_sketch()));
        // Only what is no number, or below zero, is refused.
        let _added = sketch.add(sketched(span.duration()));
    }

    fn message(self, key: GroupKey) -> pb::ClientGroupedStats {
        let summary = |sketch: Option<Box<DDSketch>>| {
            let sketch = sketch.map_or_else(new_sketch, |sketch| *sketch);
            sketch.encode_to_vec()
        };
        pb::ClientGroupedStats {
            hits: rounded(self.hits),
            errors: rounded(self.errors),
            top_level_hits: rounded(self.top_level_hits),
            duration: rounded(self.duration),
            ok_summary: summary(self.ok),
            error_summary: summary(self.error),
            ..key.message()
        }
    }
}

/// `span_concentrator.go`, `NewStatSpanWithConfig`.
fn is_counted(span: &Normalized<'_>, is_top_level: bool) -> bool {
    (is_top_level || span.is_measured() || is_counted_kind(span)) && !span.is_snapshot()
}

/// `weight.go`, `weight`: how many spans one stands for.
fn weight(client_rate: f64) -> f64 {
    if client_rate > 0.0 && client_rate <= 1.0 {
        1.0 / client_rate
    } else {
        1.0
    }
}

/// `statsraw.go`, `nsTimestampToFloat`: ten bits of it are enough, so that equal durations stay equal.
fn sketched(nanos: i64) -> f64 {
    f64::from_bits((nanos as f64).to_bits() & 0xffff_f800_0000_0000)
}

/// A sketch with the Agent's bins (`statsraw.go`, `newGroupedStats`).
fn new_sketch() -> DDSketch {
    let mapping = libdd_ddsketch::pb::IndexMapping {
        gamma: GAMMA,
        ..Default::default()
    };
    let empty = libdd_ddsketch::pb::DdSketch {
        mapping: Some(mapping),
        ..Default::default()
    };
    DDSketch::from_pb(empty).unwrap_or_default()
}

fn bucket(start: i64, stats: Vec<pb::ClientGroupedStats>) -> pb::ClientStatsBucket {
    pb::ClientStatsBucket {
        start: u64::try_from(start).unwrap_or(0),
        duration: BUCKET_NS.cast_unsigned(),
        stats,
        agent_time_shift: 0,
    }
}

/// `concentrator.go`, `alignTs`.
fn aligned(nanos: i64) -> i64 {
    nanos - nanos.rem_euclid(BUCKET_NS)
}

#[cfg(test)]
mod tests;
