//! The outermost JSON: an object, ours, or an array of chunks.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::forward::ForwardSeed;
use super::lines::{LinesSeed, Whose};
use super::span::SpansSeed;
use super::trace::TraceSeed;
use super::{OpenError, Reading, Shape};
use crate::export::json::{FORMAT, RequestJson, VERSION};
use crate::export::told::{ToldJson, UNREAD};
use crate::store::{Counters, REQUESTS_MAX};

/// No counter gets here by counting, and sums of what files say stay far from the end of the range.
const COUNTER_MAX: u64 = 1 << 53;

/// Reads a file.
pub(super) struct FileSeed<'r, 's>(pub(super) &'r mut Reading<'s>);

/// The members of our files that are read. The rest follows from these.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Format,
    Version,
    Counters,
    Forward,
    Traces,
    Logs,
    Requests,
    ClientStats,
    Findings,
    /// Which program wrote it, and when.
    #[serde(alias = "captured_by", alias = "exported_at")]
    Writer,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for FileSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FileSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of chunks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        while let Some(member) = map.next_key()? {
            match member {
                Member::Format => reading.check_format(&map.next_value::<String>()?)?,
                Member::Version => reading.check_version(map.next_value()?)?,
                Member::Counters => {
                    let counters = map.next_value_seed(reading.noted(&[]))?;
                    reading.take_counters(counters)?;
                }
                Member::Forward => map.next_value_seed(ForwardSeed(reading))?,
                Member::Traces => map.next_value_seed(TracesSeed(reading))?,
                Member::Logs => map.next_value_seed(LinesSeed(reading, Whose::Nobodys))?,
                Member::Requests => map.next_value_seed(RequestsSeed(reading))?,
                Member::ClientStats => {
                    let told: Option<ToldJson> = map.next_value_seed(reading.noted(&UNREAD))?;
                    reading.told = told.filter(|told| told.is_credible(COUNTER_MAX));
                }
                Member::Findings => {
                    let findings: Option<Vec<IgnoredAny>> = map.next_value()?;
                    reading.n_ignored +=
                        findings.map_or(0, |findings| super::count(findings.len()));
                }
                Member::Writer => {
                    map.next_value::<IgnoredAny>()?;
                }
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                    reading.n_ignored += 1;
                }
            }
        }
        if reading.shape == Shape::Unknown && reading.kept.n_traces == 0 {
            return Err(A::Error::custom(
                "an object without `\"format\":\"modtrace\"`",
            ));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut chunks: A) -> Result<(), A::Error> {
        let reading = self.0;
        reading.shape = Shape::Chunks;
        for number in 1.. {
            reading.begin_trace(number);
            if chunks.next_element_seed(SpansSeed(reading))?.is_none() {
                break;
            }
            reading.finish_trace();
        }
        reading.place = super::Place::default();
        Ok(())
    }
}

impl Reading<'_> {
    fn check_format<E: Error>(&mut self, format: &str) -> Result<(), E> {
        if format == FORMAT {
            self.shape = Shape::Modtrace;
            return Ok(());
        }
        let found = format!(
            "its format is {:?}",
            format.chars().take(40).collect::<String>()
        );
        self.refuse(OpenError::OtherFormat { found })
    }

    fn check_version<E: Error>(&mut self, version: u64) -> Result<(), E> {
        if version <= VERSION {
            return Ok(());
        }
        self.refuse(OpenError::NewerVersion { version })
    }

    fn refuse<E: Error>(&mut self, why: OpenError) -> Result<(), E> {
        self.refused = Some(why);
        Err(E::custom("refused"))
    }

    fn take_counters<E: Error>(&mut self, counters: Option<Counters>) -> Result<(), E> {
        let is_credible = |counters: &Counters| counters.largest() <= COUNTER_MAX;
        if !counters.as_ref().is_none_or(is_credible) {
            return Err(E::custom("a counter that nothing could have counted"));
        }
        self.counters = counters;
        Ok(())
    }
}

struct TracesSeed<'r, 's>(&'r mut Reading<'s>);

impl<'de> DeserializeSeed<'de> for TracesSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for TracesSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of traces")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut traces: A) -> Result<(), A::Error> {
        let reading = self.0;
        for number in 1.. {
            reading.begin_trace(number);
            if traces.next_element_seed(TraceSeed(reading))?.is_none() {
                break;
            }
            reading.finish_trace();
        }
        reading.place = super::Place::default();
        Ok(())
    }
}

struct RequestsSeed<'r, 's>(&'r mut Reading<'s>);

impl<'de> DeserializeSeed<'de> for RequestsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RequestsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of requests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut requests: A) -> Result<(), A::Error> {
        let reading = self.0;
        while let Some(request) =
            requests.next_element_seed(reading.noted::<RequestJson<'_>>(&[]))?
        {
            let kept = &mut reading.requests;
            if kept.len() >= REQUESTS_MAX {
                kept.pop_front();
            }
            kept.push_back(request.into_record());
        }
        Ok(())
    }
}
