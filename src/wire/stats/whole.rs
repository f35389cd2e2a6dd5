//! The statistics of a client with everything in them, to be passed on: as tolerant as the reader beside
//! it, and as bounded. Repairs texts, and judges nothing.

use libdd_trace_protobuf::pb;

use super::super::error::DecodeError;
use super::super::msgpack::Item;
use super::{BUCKETS_MAX, Decoder, GROUPS_MAX};

/// Tags of one group, or of all, at most.
const TAGS_MAX: usize = 256;

/// Decodes a body. What follows the map is ignored; members that no Agent knows are left out.
pub(crate) fn decode_whole(body: &[u8]) -> Result<pb::ClientStatsPayload, DecodeError> {
    Decoder::new(body).whole_payload()
}

impl Decoder<'_> {
    fn whole_payload(&mut self) -> Result<pb::ClientStatsPayload, DecodeError> {
        let mut payload = pb::ClientStatsPayload::default();
        for _ in 0..self.reader.map()? {
            let key = self.reader.key()?;
            self.payload_field(key, &mut payload)
                .map_err(|error| error.in_key(key))?;
        }
        Ok(payload)
    }

    fn payload_field(
        &mut self,
        key: &[u8],
        payload: &mut pb::ClientStatsPayload,
    ) -> Result<(), DecodeError> {
        let text = match key {
            b"Hostname" => &mut payload.hostname,
            b"Env" => &mut payload.env,
            b"Version" => &mut payload.version,
            b"Lang" => &mut payload.lang,
            b"TracerVersion" => &mut payload.tracer_version,
            b"RuntimeID" => &mut payload.runtime_id,
            b"AgentAggregation" => &mut payload.agent_aggregation,
            b"Service" => &mut payload.service,
            b"ContainerID" => &mut payload.container_id,
            b"GitCommitSha" => &mut payload.git_commit_sha,
            b"ImageTag" => &mut payload.image_tag,
            b"ProcessTags" => &mut payload.process_tags,
            b"Sequence" => {
                payload.sequence = self.number()?;
                return Ok(());
            }
            b"ProcessTagsHash" => {
                payload.process_tags_hash = self.number()?;
                return Ok(());
            }
            b"Tags" => {
                payload.tags = self.texts()?;
                return Ok(());
            }
            b"Stats" => return self.whole_buckets(&mut payload.stats),
            _ => return self.reader.skip(),
        };
        *text = self.whole_text()?;
        Ok(())
    }

    fn whole_buckets(
        &mut self,
        buckets: &mut Vec<pb::ClientStatsBucket>,
    ) -> Result<(), DecodeError> {
        for index in 0..self.array()? {
            if buckets.len() == BUCKETS_MAX {
                return Err(self.too_many("buckets", BUCKETS_MAX));
            }
            let bucket = self.whole_bucket();
            buckets.push(bucket.map_err(|error| error.in_element(index))?);
        }
        Ok(())
    }

    fn whole_bucket(&mut self) -> Result<pb::ClientStatsBucket, DecodeError> {
        let mut bucket = pb::ClientStatsBucket::default();
        for _ in 0..self.map()? {
            let key = self.reader.key()?;
            let read = match key {
                b"Start" => self.number().map(|start| bucket.start = start),
                b"Duration" => self.number().map(|length| bucket.duration = length),
                b"Stats" => self.whole_groups(&mut bucket.stats),
                _ => self.reader.skip(),
            };
            read.map_err(|error| error.in_key(key))?;
        }
        Ok(bucket)
    }

    fn whole_groups(
        &mut self,
        groups: &mut Vec<pb::ClientGroupedStats>,
    ) -> Result<(), DecodeError> {
        for index in 0..self.array()? {
            self.n_groups += 1;
            if self.n_groups > GROUPS_MAX {
                return Err(self.too_many("groups", GROUPS_MAX));
            }
            let group = self.whole_group();
            groups.push(group.map_err(|error| error.in_element(index))?);
        }
        Ok(())
    }

    fn whole_group(&mut self) -> Result<pb::ClientGroupedStats, DecodeError> {
        let mut group = pb::ClientGroupedStats::default();
        for _ in 0..self.map()? {
            let key = self.reader.key()?;
            self.group_field(key, &mut group)
                .map_err(|error| error.in_key(key))?;
        }
        Ok(group)
    }

    fn group_field(
        &mut self,
        key: &[u8],
        group: &mut pb::ClientGroupedStats,
    ) -> Result<(), DecodeError> {
        let text = match key {
            b"Service" => &mut group.service,
            b"Name" => &mut group.name,
            b"Resource" => &mut group.resource,
            b"Type" => &mut group.r#type,
            b"DBType" => &mut group.db_type,
            b"SpanKind" => &mut group.span_kind,
            b"GRPCStatusCode" => &mut group.grpc_status_code,
            b"HTTPMethod" => &mut group.http_method,
            b"HTTPEndpoint" => &mut group.http_endpoint,
            b"srv_src" => &mut group.service_source,
            _ => return self.group_number(key, group),
        };
        *text = self.whole_text()?;
        Ok(())
    }

    fn group_number(
        &mut self,
        key: &[u8],
        group: &mut pb::ClientGroupedStats,
    ) -> Result<(), DecodeError> {
        match key {
            b"Hits" => group.hits = self.number()?,
            b"Errors" => group.errors = self.number()?,
            b"Duration" => group.duration = self.number()?,
            b"TopLevelHits" => group.top_level_hits = self.number()?,
            b"HTTPStatusCode" => {
                group.http_status_code = u32::try_from(self.number()?).unwrap_or_default();
            }
            b"IsTraceRoot" => {
                let said = i32::try_from(self.number()?).unwrap_or_default();
                group.is_trace_root = pb::Trilean::try_from(said).unwrap_or_default().into();
            }
            b"Synthetics" => group.synthetics = self.is_true()?,
            b"OkSummary" => group.ok_summary = self.bytes()?.to_vec(),
            b"ErrorSummary" => group.error_summary = self.bytes()?.to_vec(),
            b"PeerTags" => group.peer_tags = self.texts()?,
            b"SpanDerivedPrimaryTags" => group.span_derived_primary_tags = self.texts()?,
            b"AdditionalMetricTags" => group.additional_metric_tags = self.texts()?,
            _ => self.reader.skip()?,
        }
        Ok(())
    }

    fn whole_text(&mut self) -> Result<String, DecodeError> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    fn texts(&mut self) -> Result<Vec<String>, DecodeError> {
        let mut texts = Vec::new();
        for index in 0..self.array()? {
            if texts.len() == TAGS_MAX {
                return Err(self.too_many("tags", TAGS_MAX));
            }
            let text = self.whole_text();
            texts.push(text.map_err(|error| error.in_element(index))?);
        }
        Ok(texts)
    }

    /// A truth, which may be written as a number.
    fn is_true(&mut self) -> Result<bool, DecodeError> {
        let mut ahead = self.reader;
        if let Item::Bool(said) = ahead.item()? {
            self.reader = ahead;
            return Ok(said);
        }
        Ok(self.number()? != 0)
    }
}

#[cfg(test)]
mod tests;
