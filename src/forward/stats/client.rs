//! Statistics that clients count themselves, on their way through. Nothing is counted anew; counts of
//! several clients for the same time are added, since two with one time would replace each other.
//!
//! After `pkg/trace/stats/client_stats_aggregator.go` (`add`, `getAggregationBucketTime`, `flushOnTime`,
//! `aggregationToPayloads`, `trimCounts`, `alignAggTs`) and `pkg/trace/agent/agent.go` (`processStats`)
//! in `DataDog/datadog-agent`. Times are moved to odd seconds, so that they never meet those of the
//! [`super::Concentrator`].

use std::collections::BTreeMap;

use hashbrown::HashMap;
use libdd_trace_protobuf::pb;

use super::super::{AgentFacts, IntakeRequest};
use super::BUCKET_NS;
use super::send::{Computed, requests};
use crate::normalize::{self, GroupNames, group_names};
use crate::trace::{Text, TracerInfo, UnixNanos};
use crate::wire::DecodeError;
use crate::wire::stats::decode_whole;

/// `bucketDuration`.
const STEP_NS: i64 = 2_000_000_000;
/// `oldestBucketStart`.
const HELD_NS: i64 = 20_000_000_000;
/// Groups whose counts wait to be added. Beyond that they go as they came.
const GROUPS_MAX: usize = 10_000;

/// `keyDistributions`, `keyCounts`: what a payload holds once counts and sketches go apart.
const DISTRIBUTIONS: &str = "distributions";
const COUNTS: &str = "counts";

/// What clients counted, and has not gone.
#[derive(Debug)]
pub struct ClientAggregator {
    agent: AgentFacts,
    buckets: BTreeMap<i64, Bucket>,
    oldest: i64,
    n_groups: usize,
}

/// Payloads of one time.
#[derive(Debug, Default)]
struct Bucket {
    /// The only one so far.
    first: Option<pb::ClientStatsPayload>,
    /// Counts of several.
    sums: HashMap<ClientKey, HashMap<GroupKey, Sums>>,
    has_several: bool,
}

/// Clients whose counts are added (`PayloadAggregationKey`): environment, machine, version, container,
/// commit, image.
type ClientKey = [String; 6];

/// A group without its counts and sketches.
type GroupKey = pb::ClientGroupedStats;

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    hits: u64,
    errors: u64,
    duration: u64,
}

impl ClientAggregator {
    /// Begins now.
    pub fn new(agent: AgentFacts, now: UnixNanos) -> Self {
        Self {
            agent,
            buckets: BTreeMap::new(),
            oldest: oldest(now),
            n_groups: 0,
        }
    }

    /// Takes the body of a request to `/v0.6/stats`, with who sent it; gives what goes at once.
    ///
    /// # Errors
    ///
    /// The body is not what clients send there.
    pub fn add(
        &mut self,
        body: &[u8],
        tracer: &TracerInfo,
        now: UnixNanos,
    ) -> Result<Vec<IntakeRequest>, DecodeError> {
        let mut payload = decode_whole(body)?;
        self.complete(&mut payload, tracer);
        let mut out = Vec::new();
        for mut bucket in std::mem::take(&mut payload.stats) {
            let start = self.place(&mut bucket, now);
            let alone = pb::ClientStatsPayload {
                stats: vec![bucket],
                ..payload.clone()
            };
            out.extend(self.add_to(start, alone));
        }
        Ok(requests(&self.agent, out, Computed::ByClient))
    }

    /// What is old enough, as requests.
    pub fn flush(&mut self, now: UnixNanos) -> Vec<IntakeRequest> {
        let newest = oldest(now);
        let held = self.buckets.split_off(&newest);
        let old = std::mem::replace(&mut self.buckets, held);
        self.oldest = self.oldest.max(newest);
        self.sent(old)
    }

    /// Everything, at the end.
    pub fn drain(&mut self) -> Vec<IntakeRequest> {
        let all = std::mem::take(&mut self.buckets);
        self.sent(all)
    }

    /// Groups that wait.
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// `agent.go`, `processStats`. Containers are not told apart, as outside Fargate.
    fn complete(&self, payload: &mut pb::ClientStatsPayload, tracer: &TracerInfo) {
        payload.container_id.clear();
        payload.tags.clear();
        if payload.env.is_empty() {
            (*self.agent.env).clone_into(&mut payload.env);
        }
        payload.env = normalize::env(Text::from(&*payload.env)).into_owned();
        for (said, header) in [
            (&mut payload.lang, &tracer.language),
            (&mut payload.tracer_version, &tracer.tracer_version),
        ] {
            if said.is_empty() {
                (**header).clone_into(said);
            }
        }
        for group in payload
            .stats
            .iter_mut()
            .flat_map(|bucket| &mut bucket.stats)
        {
            let sent = GroupNames {
                service: &group.service,
                name: &group.name,
                resource: &group.resource,
            };
            let [service, name, resource] = group_names(&sent, &payload.lang);
            (group.service, group.name, group.resource) = (service, name, resource);
        }
    }

    /// `getAggregationBucketTime`: what is too old goes with the oldest, what is ahead with the newest.
    fn place(&self, bucket: &mut pb::ClientStatsBucket, now: UnixNanos) -> i64 {
        let sent = i64::try_from(bucket.start).unwrap_or(i64::MAX);
        let place = match sent {
            _ if sent < self.oldest => self.oldest,
            _ if sent > now.0 => aligned(now.0).max(self.oldest),
            _ => return aligned(sent).max(self.oldest),
        };
        bucket.agent_time_shift = place.saturating_sub(sent);
        bucket.start = u64::try_from(place).unwrap_or(0);
        place
    }

    /// `bucket.add`: the first waits whole; from the second on, counts wait and sketches go.
    fn add_to(
        &mut self,
        start: i64,
        payload: pb::ClientStatsPayload,
    ) -> Vec<pb::ClientStatsPayload> {
        let n_new = n_groups(&payload);
        if self.n_groups + n_new > GROUPS_MAX {
            return vec![payload];
        }
        self.n_groups += n_new;
        let bucket = self.buckets.entry(start).or_default();
        if !bucket.has_several && bucket.first.is_none() {
            bucket.first = Some(payload);
            return Vec::new();
        }
        bucket.has_several = true;
        let first = bucket.first.take();
        let both = first.into_iter().chain([payload]);
        both.map(|payload| bucket.summed(payload)).collect()
    }

    fn sent(&mut self, buckets: BTreeMap<i64, Bucket>) -> Vec<IntakeRequest> {
        let payloads = buckets.into_iter();
        let payloads = payloads.flat_map(|(start, bucket)| bucket.payloads(start));
        let payloads = payloads.collect();
        let waiting = self.buckets.values().map(Bucket::n_groups);
        self.n_groups = waiting.sum();
        requests(&self.agent, payloads, Computed::ByClient)
    }
}

impl Bucket {
    /// `aggregateCounts`, `trimCounts`: its counts wait, the rest goes.
    fn summed(&mut self, mut payload: pb::ClientStatsPayload) -> pb::ClientStatsPayload {
        let groups = self.sums.entry(client_key(&payload)).or_default();
        for group in payload
            .stats
            .iter_mut()
            .flat_map(|bucket| &mut bucket.stats)
        {
            let sums = groups.entry(group_key(group)).or_default();
            sums.hits = sums.hits.saturating_add(group.hits);
            sums.errors = sums.errors.saturating_add(group.errors);
            sums.duration = sums.duration.saturating_add(group.duration);
            (group.hits, group.errors, group.duration) = (0, 0, 0);
        }
        DISTRIBUTIONS.clone_into(&mut payload.agent_aggregation);
        payload
    }

    /// `flush`.
    fn payloads(self, start: i64) -> Vec<pb::ClientStatsPayload> {
        let sums = self.sums.into_iter().map(|(client, groups)| {
            let stats = groups.into_iter().map(|(group, sums)| GroupKey {
                hits: sums.hits,
                errors: sums.errors,
                duration: sums.duration,
                ..group
            });
            let bucket = pb::ClientStatsBucket {
                start: u64::try_from(start).unwrap_or(0),
                duration: BUCKET_NS.cast_unsigned(),
                stats: stats.collect(),
                agent_time_shift: 0,
            };
            counts_of(client, bucket)
        });
        self.first.into_iter().chain(sums).collect()
    }

    fn n_groups(&self) -> usize {
        let first = self.first.as_ref().map_or(0, n_groups);
        first + self.sums.values().map(HashMap::len).sum::<usize>()
    }
}

fn n_groups(payload: &pb::ClientStatsPayload) -> usize {
    payload.stats.iter().map(|bucket| bucket.stats.len()).sum()
}

fn client_key(payload: &pb::ClientStatsPayload) -> ClientKey {
    [
        payload.env.clone(),
        payload.hostname.clone(),
        payload.version.clone(),
        payload.container_id.clone(),
        payload.git_commit_sha.clone(),
        payload.image_tag.clone(),
    ]
}

/// `newBucketAggregationKey`. Hits of spans that enter a service stay with the sketches.
fn group_key(group: &pb::ClientGroupedStats) -> GroupKey {
    GroupKey {
        hits: 0,
        errors: 0,
        duration: 0,
        top_level_hits: 0,
        ok_summary: Vec::new(),
        error_summary: Vec::new(),
        ..group.clone()
    }
}

/// `aggregationToPayloads`.
fn counts_of(client: ClientKey, bucket: pb::ClientStatsBucket) -> pb::ClientStatsPayload {
    let [
        env,
        hostname,
        version,
        container_id,
        git_commit_sha,
        image_tag,
    ] = client;
    pb::ClientStatsPayload {
        env,
        hostname,
        version,
        container_id,
        git_commit_sha,
        image_tag,
        stats: vec![bucket],
        agent_aggregation: COUNTS.to_owned(),
        ..pb::ClientStatsPayload::default()
    }
}

/// `alignAggTs`: odd seconds.
fn aligned(nanos: i64) -> i64 {
    (nanos - nanos.rem_euclid(STEP_NS)).saturating_add(STEP_NS / 2)
}

fn oldest(now: UnixNanos) -> i64 {
    aligned(now.0.saturating_add(STEP_NS - HELD_NS))
}

#[cfg(test)]
mod tests;
