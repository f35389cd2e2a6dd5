//! Ids: strings in our files, numbers in those of others.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use crate::trace::TraceId;

/// A 64-bit id: a decimal string, or a number. A negative number stands for its bits, as the Agent
/// reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::export) struct DecimalId(pub(in crate::export) u64);

impl<'de> Deserialize<'de> for DecimalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = DecimalId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id of 64 bits in decimal")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<DecimalId, E> {
                let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
                let id = text.parse().ok().filter(|_| is_decimal);
                id.map(DecimalId)
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<DecimalId, E> {
                Ok(DecimalId(id))
            }

            fn visit_i64<E: Error>(self, id: i64) -> Result<DecimalId, E> {
                Ok(DecimalId(id.cast_unsigned()))
            }
        }

        deserializer.deserialize_any(IdVisitor)
    }
}

/// The id of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnyTraceId {
    /// All 128 bits: 32 hex digits.
    Whole(TraceId),
    /// The low half: a number.
    Low(u64),
}

impl AnyTraceId {
    pub(super) fn whole(self) -> TraceId {
        match self {
            Self::Whole(id) => id,
            Self::Low(low) => TraceId::from_halves(0, low),
        }
    }
}

impl<'de> Deserialize<'de> for AnyTraceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = AnyTraceId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a trace id of 32 hex digits")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<AnyTraceId, E> {
                let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                let id = text.parse().ok().filter(|_| is_hex);
                id.map(AnyTraceId::Whole)
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<AnyTraceId, E> {
                Ok(AnyTraceId::Low(id))
            }

            fn visit_i64<E: Error>(self, id: i64) -> Result<AnyTraceId, E> {
                Ok(AnyTraceId::Low(id.cast_unsigned()))
            }
        }

        deserializer.deserialize_any(IdVisitor)
    }
}
