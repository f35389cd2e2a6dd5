//! Lists of log lines: those of a trace, and those of none.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Reading;
use super::number::{AnyTraceId, DecimalId};
use crate::logs::{JoinedBy, LogRecord};
use crate::trace::{SpanId, UnixNanos};

/// To whom the lines of a list belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// To the trace that is being read.
    OfTrace,
    /// To no trace.
    Nobodys,
}

/// Reads a list of lines.
pub(super) struct LinesSeed<'r, 's>(pub(super) &'r mut Reading<'s>, pub(super) Whose);

impl<'de> DeserializeSeed<'de> for LinesSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for LinesSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of log lines")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<(), A::Error> {
        while let Some(line) = lines.next_element_seed(self.0.noted::<ReadLog<'_>>(&UNREAD))? {
            let (record, joined_by) = line.into_record()?;
            match self.1 {
                Whose::OfTrace => self.0.trace.lines.push((record, joined_by)),
                Whose::Nobodys => self.0.restore_line(record, None),
            }
        }
        Ok(())
    }
}

/// Members of a line of which no more is read than whether there are any.
const UNREAD: [&str; 1] = ["fields"];

/// A line of an export, read.
#[derive(Deserialize)]
struct ReadLog<'a> {
    line: Cow<'a, str>,
    source: Cow<'a, str>,
    #[serde(default)]
    time: Option<i64>,
    #[serde(default)]
    trace_id: Option<AnyTraceId>,
    #[serde(default)]
    span_id: Option<DecimalId>,
    #[serde(default)]
    level: Option<Cow<'a, str>>,
    #[serde(default)]
    message: Option<Cow<'a, str>>,
    #[serde(default)]
    joined_by: Option<Cow<'a, str>>,
    #[serde(default)]
    fields: Emptiness,
    #[serde(default)]
    at: Option<i64>,
    #[serde(default)]
    container: Option<Box<str>>,
    #[serde(default)]
    n_cut: u64,
}

impl ReadLog<'_> {
    /// The line as it was read then: it is read again, but where the file says something else, by a
    /// program that read it otherwise, the file is right. (Its fields follow from the line, or are
    /// none.)
    fn into_record<E: serde::de::Error>(self) -> Result<(LogRecord, Option<JoinedBy>), E> {
        let source = self.source.parse().map_err(E::custom)?;
        let at = UnixNanos(self.at.or(self.time).unwrap_or(0));
        let mut record = LogRecord::parse(&self.line, source, at);
        if let Some(message) = &self.message {
            record = record.restored(&self.line, message, self.fields.is_empty);
        }
        record.at = at;
        record.time = self.time.map(UnixNanos);
        record.level = match self.level {
            Some(level) => Some(level.parse().map_err(E::custom)?),
            None => None,
        };
        record.ids.trace = self.trace_id.map(AnyTraceId::whole).unwrap_or_default();
        record.ids.span = SpanId(self.span_id.map_or(0, |id| id.0));
        record.container = self.container;
        record.n_cut = self.n_cut;
        let joined_by = match self.joined_by {
            Some(by) => Some(by.parse().map_err(E::custom)?),
            None => None,
        };
        Ok((record, joined_by))
    }
}

/// Whether an object has no members; what they are is not looked at.
#[derive(Default)]
struct Emptiness {
    is_empty: bool,
}

impl<'de> Deserialize<'de> for Emptiness {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EmptinessVisitor;

        impl<'de> Visitor<'de> for EmptinessVisitor {
            type Value = Emptiness;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the fields of a line")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Emptiness, A::Error> {
                let mut is_empty = true;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    is_empty = false;
                }
                Ok(Emptiness { is_empty })
            }
        }

        deserializer.deserialize_map(EmptinessVisitor)
    }
}
