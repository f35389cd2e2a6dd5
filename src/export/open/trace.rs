//! A trace of our format: its id, how it came, its spans and lines. What follows from the spans is computed
//! again, not read.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::Reading;
use super::lines::{LinesSeed, Whose};
use super::number::AnyTraceId;
use super::span::SpansSeed;
use crate::export::arrival::ArrivalJson;
use crate::export::start::ReadLocalRoot;
use crate::export::summary::{
    CONTAINER_UNREAD, ContainerJson, ReadSampling, SAMPLING_UNREAD, TracerJson,
};
use crate::export::went::WentJson;
use crate::store::ToldPlace;

/// Reads a trace; the caller begins and finishes it.
pub(super) struct TraceSeed<'r, 's>(pub(super) &'r mut Reading<'s>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    TraceId,
    Arrivals,
    Tracer,
    Outcome,
    Container,
    StartKind,
    StartEvidence,
    LocalRoots,
    Sampling,
    Forwarded,
    ForwardCounted,
    Spans,
    Logs,
    /// What follows from the spans.
    #[serde(
        alias = "root",
        alias = "service",
        alias = "resource",
        alias = "start",
        alias = "duration",
        alias = "error",
        alias = "complete"
    )]
    Follows,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for TraceSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TraceSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trace")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        while let Some(member) = map.next_key()? {
            match member {
                Member::TraceId => {
                    reading.trace.id = Some(map.next_value::<AnyTraceId>()?.whole());
                }
                Member::Arrivals => {
                    let arrivals: Vec<ArrivalJson<'_>> = map.next_value_seed(reading.noted(&[]))?;
                    let arrivals = arrivals.into_iter().map(ArrivalJson::into_arrival);
                    reading.trace.arrivals = arrivals.collect::<Result<_, _>>()?;
                }
                Member::Tracer => {
                    let tracer: Option<TracerJson<'_>> = map.next_value_seed(reading.noted(&[]))?;
                    reading.trace.tracer = tracer.map(TracerJson::into_tracer).unwrap_or_default();
                }
                Member::Container => {
                    let container: Option<ContainerJson<'_>> =
                        map.next_value_seed(reading.noted(&CONTAINER_UNREAD))?;
                    if container.is_none() {
                        reading.trace.place = ToldPlace::Nowhere;
                    }
                    reading.trace.container = container.and_then(ContainerJson::into_facts);
                }
                Member::Outcome => reading.trace.outcome = map.next_value()?,
                Member::StartKind => reading.trace.start_kind = map.next_value()?,
                Member::StartEvidence => reading.trace.start_evidence = map.next_value()?,
                Member::LocalRoots => {
                    let roots: Vec<ReadLocalRoot> =
                        map.next_value_seed(reading.noted(&CONTAINER_UNREAD))?;
                    let roots = roots.into_iter().map(ReadLocalRoot::into_told);
                    reading.trace.local_roots = roots.collect();
                }
                Member::Sampling => {
                    let sampling: Option<ReadSampling> =
                        map.next_value_seed(reading.noted(&SAMPLING_UNREAD))?;
                    reading.trace.verdict = sampling.and_then(ReadSampling::into_verdict);
                }
                Member::Forwarded => {
                    reading.trace.forwarded = map.next_value::<WentJson>()?.into_went();
                }
                Member::ForwardCounted => {
                    reading.trace.counted = map.next_value::<WentJson>()?.into_went();
                }
                Member::Logs => map.next_value_seed(LinesSeed(reading, Whose::OfTrace))?,
                Member::Spans => map.next_value_seed(SpansSeed(reading))?,
                Member::Follows => {
                    map.next_value::<IgnoredAny>()?;
                }
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                    reading.n_ignored += 1;
                }
            }
        }
        match reading.trace.id {
            Some(_) => Ok(()),
            None => Err(A::Error::missing_field("trace_id")),
        }
    }
}
