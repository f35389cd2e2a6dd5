//! Statistics as requests: msgpack `StatsPayload`s, split where the intake has a limit. Counts nothing.
//!
//! After `pkg/trace/writer/stats.go` (`buildPayloads`, `splitPayload`, `SendPayload`) in
//! `DataDog/datadog-agent`; which group goes into which part is not told by its place in a round.

use libdd_trace_protobuf::pb;

use super::super::compress::compress;
use super::super::payload::{headers, joined};
use super::super::{AgentFacts, Coding, Contents, Intake, IntakeRequest};

/// Groups in a payload (`maxEntriesPerPayload`).
const GROUPS_MAX: usize = 4_000;
/// Bytes of them, sketches and names, before they are compressed. The Agent counts on 375 compressed
/// ones each.
const BYTES_MAX: usize = 3_000_000;

/// Who counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Computed {
    /// We, from spans.
    Here,
    /// The client.
    ByClient,
}

/// The requests for what was counted; none for nothing.
pub(super) fn requests(
    agent: &AgentFacts,
    payloads: Vec<pb::ClientStatsPayload>,
    computed: Computed,
) -> Vec<IntakeRequest> {
    let mut parts = Parts::default();
    for payload in payloads {
        parts.add(payload);
    }
    let is_split = parts.0.len() > 1;
    let parts = parts.0.into_iter().filter_map(|part| {
        let message = pb::StatsPayload {
            agent_hostname: (*agent.host_name).to_owned(),
            agent_env: (*agent.env).to_owned(),
            stats: part.payloads,
            agent_version: (*agent.version).to_owned(),
            client_computed: computed == Computed::ByClient,
            split_payload: is_split,
        };
        request(&message)
    });
    parts.collect()
}

/// What goes in one request.
#[derive(Default)]
struct Part {
    payloads: Vec<pb::ClientStatsPayload>,
    n_groups: usize,
    bytes: usize,
}

#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn add(&mut self, mut payload: pb::ClientStatsPayload) {
        let buckets = std::mem::take(&mut payload.stats);
        // What goes into a part before belongs to another client.
        let mut is_begun = false;
        for mut bucket in buckets {
            let groups = std::mem::take(&mut bucket.stats);
            let mut is_bucket_begun = false;
            for group in groups {
                let bytes = group_bytes(&group);
                let fits = self.0.last().is_some_and(|part| {
                    part.n_groups < GROUPS_MAX && part.bytes + bytes <= BYTES_MAX
                });
                if !fits {
                    self.0.push(Part::default());
                    (is_begun, is_bucket_begun) = (false, false);
                }
                let Some(part) = self.0.last_mut() else {
                    return;
                };
                part.n_groups += 1;
                part.bytes += bytes;
                if !is_begun {
                    part.payloads.push(payload.clone());
                }
                let Some(begun) = part.payloads.last_mut() else {
                    return;
                };
                if !is_bucket_begun {
                    begun.stats.push(bucket.clone());
                }
                (is_begun, is_bucket_begun) = (true, true);
                if let Some(bucket) = begun.stats.last_mut() {
                    bucket.stats.push(group);
                }
            }
        }
    }
}

fn group_bytes(group: &pb::ClientGroupedStats) -> usize {
    const NAMES_AND_NUMBERS: usize = 300;
    let tags = group.peer_tags.iter().map(String::len).sum::<usize>();
    let texts = [&group.service, &group.name, &group.resource, &group.r#type];
    let texts = texts.iter().map(|text| text.len()).sum::<usize>();
    NAMES_AND_NUMBERS + texts + tags + group.ok_summary.len() + group.error_summary.len()
}

fn request(message: &pb::StatsPayload) -> Option<IntakeRequest> {
    // Only a writer can fail, and this one is memory.
    let plain = rmp_serde::to_vec_named(message).ok()?;
    let plain_bytes = plain.len();
    let (body, coding) = compress(plain, Coding::Gzip);
    let languages = joined(message.stats.iter().map(|payload| &*payload.lang));
    let buckets = message.stats.iter().flat_map(|payload| &payload.stats);
    let (mut n_groups, mut n_hits) = (0, 0_u64);
    for group in buckets.flat_map(|bucket| &bucket.stats) {
        n_groups += 1;
        n_hits = n_hits.saturating_add(group.hits);
    }
    Some(IntakeRequest {
        intake: Intake::Stats,
        headers: headers("application/msgpack", coding, languages),
        body: body.into(),
        plain_bytes,
        contents: Contents::Groups { n_groups, n_hits },
    })
}
