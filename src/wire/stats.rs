//! The statistics a client computes: the body of `/v0.6/stats`, msgpack with sketches in protobuf.
//!
//! Every key may be missing, unknown ones are skipped. After `pkg/proto/datadog/trace/stats.proto` and
//! `stats_gen.go` in `DataDog/datadog-agent`.

mod sketch;
mod whole;

use super::error::{DecodeError, Problem};
use super::msgpack::{Item, Reader, wrong_type};
use crate::stats::{COUNT_MAX, ClientStats, StatsBucket, StatsGroup, kept_text, rounded};
use crate::trace::UnixNanos;
pub(crate) use whole::decode_whole;

/// Groups in a payload at most. The Agent sends on 4,000 at once, and the intake takes 8,000.
const GROUPS_MAX: usize = 16_384;
/// Buckets in a payload at most: clients hold back two, and send the others at once.
const BUCKETS_MAX: usize = 1_024;

/// Decodes a body. What follows the map is ignored.
pub(crate) fn decode(body: &[u8]) -> Result<ClientStats, DecodeError> {
    Decoder::new(body).payload()
}

struct Decoder<'a> {
    reader: Reader<'a>,
    n_groups: usize,
}

impl<'a> Decoder<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(body),
            n_groups: 0,
        }
    }
}

impl Decoder<'_> {
    fn payload(&mut self) -> Result<ClientStats, DecodeError> {
        let mut stats = ClientStats::default();
        let source = &mut stats.source;
        for _ in 0..self.reader.map()? {
            let key = self.reader.key()?;
            let text = match key {
                b"Service" => &mut source.service,
                b"Env" => &mut source.env,
                b"Version" => &mut source.version,
                b"RuntimeID" => &mut source.runtime_id,
                b"Lang" => &mut source.language,
                b"TracerVersion" => &mut source.tracer_version,
                b"Stats" => {
                    let buckets = self.buckets(&mut stats.buckets);
                    buckets.map_err(|error| error.in_field("Stats"))?;
                    continue;
                }
                _ => {
                    self.reader.skip().map_err(|error| error.in_key(key))?;
                    continue;
                }
            };
            *text = self.text().map_err(|error| error.in_key(key))?;
        }
        Ok(stats)
    }

    fn buckets(&mut self, buckets: &mut Vec<StatsBucket>) -> Result<(), DecodeError> {
        for index in 0..self.array()? {
            if buckets.len() == BUCKETS_MAX {
                return Err(self.too_many("buckets", BUCKETS_MAX));
            }
            let bucket = self.bucket().map_err(|error| error.in_element(index))?;
            buckets.push(bucket);
        }
        Ok(())
    }

    fn bucket(&mut self) -> Result<StatsBucket, DecodeError> {
        let mut bucket = StatsBucket::default();
        for _ in 0..self.map()? {
            let key = self.reader.key()?;
            match key {
                b"Start" => bucket.start = UnixNanos(self.nanos(key)?),
                b"Duration" => bucket.duration = self.nanos(key)?,
                b"Stats" => {
                    let groups = self.groups(&mut bucket.groups);
                    groups.map_err(|error| error.in_field("Stats"))?;
                }
                _ => {
                    self.reader.skip().map_err(|error| error.in_key(key))?;
                }
            }
        }
        Ok(bucket)
    }

    fn groups(&mut self, groups: &mut Vec<StatsGroup>) -> Result<(), DecodeError> {
        for index in 0..self.array()? {
            self.n_groups += 1;
            if self.n_groups > GROUPS_MAX {
                return Err(self.too_many("groups", GROUPS_MAX));
            }
            let group = self.group().map_err(|error| error.in_element(index))?;
            groups.push(group);
        }
        Ok(())
    }

    fn group(&mut self) -> Result<StatsGroup, DecodeError> {
        let mut group = StatsGroup::default();
        for _ in 0..self.map()? {
            let key = self.reader.key()?;
            self.field(key, &mut group)
                .map_err(|error| error.in_key(key))?;
        }
        Ok(group)
    }

    fn field(&mut self, key: &[u8], group: &mut StatsGroup) -> Result<(), DecodeError> {
        let counts = &mut group.counts;
        match key {
            b"Service" => group.service = self.text()?,
            b"Name" => group.name = self.text()?,
            b"Resource" => group.resource = self.text()?,
            b"Type" => group.kind = self.text()?,
            b"Hits" => counts.hits = self.number()?.min(COUNT_MAX),
            b"Errors" => counts.errors = self.number()?.min(COUNT_MAX),
            b"TopLevelHits" => counts.top_level_hits = self.number()?.min(COUNT_MAX),
            b"Duration" => counts.duration = self.number()?.min(DURATION_MAX),
            b"OkSummary" | b"ErrorSummary" => {
                let start = self.reader.offset();
                let bytes = self.bytes()?;
                let sketch = sketch::read(bytes).map_err(|it| DecodeError::new(it, start))?;
                if key == b"OkSummary" {
                    counts.ok = sketch;
                } else {
                    counts.error = sketch;
                }
            }
            _ => {
                self.reader.skip()?;
            }
        }
        Ok(())
    }

    fn array(&mut self) -> Result<usize, DecodeError> {
        if self.reader.nil() {
            return Ok(0);
        }
        self.reader.array()
    }

    fn map(&mut self) -> Result<usize, DecodeError> {
        if self.reader.nil() {
            return Ok(0);
        }
        self.reader.map()
    }

    fn bytes(&mut self) -> Result<&[u8], DecodeError> {
        if self.reader.nil() {
            return Ok(&[]);
        }
        self.reader.text()
    }

    fn text(&mut self) -> Result<Box<str>, DecodeError> {
        Ok(kept_text(self.bytes()?).into())
    }

    fn nanos(&mut self, key: &[u8]) -> Result<i64, DecodeError> {
        let nanos = self.number().map_err(|error| error.in_key(key))?;
        Ok(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// A count, however it is written. Nothing is less than none.
    fn number(&mut self) -> Result<u64, DecodeError> {
        let start = self.reader.offset();
        match self.reader.item()? {
            Item::Nil => Ok(0),
            Item::Int(int) => Ok(u64::try_from(int).unwrap_or(0)),
            Item::Uint(uint) => Ok(uint),
            Item::Float(float) => Ok(rounded(float)),
            other => Err(wrong_type("a number", other, start)),
        }
    }

    #[cold]
    fn too_many(&self, what: &'static str, max: usize) -> DecodeError {
        DecodeError::new(Problem::TooMany { what, max }, self.reader.offset())
    }
}

/// Nobody's requests take longer together: more would leave the range of exact numbers in JSON.
const DURATION_MAX: u64 = 1 << 52;

#[cfg(test)]
mod tests;
