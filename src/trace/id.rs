//! Ids as tracers draw them: 128 bits for a trace, 64 for a span. Never a number in a float.

use std::fmt;
use std::str::FromStr;

/// A trace id. Wire formats before v1.0 carry the low 64 bits in the span and the high 64 as hex
/// in the tag `_dd.p.tid`; here both are together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(pub u128);

impl TraceId {
    /// Puts the two halves together.
    pub fn from_halves(high: u64, low: u64) -> Self {
        Self(u128::from(high) << 64 | u128::from(low))
    }

    /// The half that every format carries, and that samplers hash.
    pub fn low(self) -> u64 {
        let [_, _, _, _, _, _, _, _, low @ ..] = self.0.to_be_bytes();
        u64::from_be_bytes(low)
    }

    /// The half that travels as `_dd.p.tid`; 0 when the tracer draws 64-bit ids.
    pub fn high(self) -> u64 {
        let [high @ .., _, _, _, _, _, _, _, _] = self.0.to_be_bytes();
        u64::from_be_bytes(high)
    }
}

/// 32 lower-case hex digits, the form of exports and of `dd.trace_id` in logs.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads what [`TraceId`]'s `Display` writes.
impl FromStr for TraceId {
    type Err = std::num::ParseIntError;

    fn from_str(hex: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(hex, 16).map(Self)
    }
}

/// A span id; 0 as a parent means "no parent". Shown in decimal, as Datadog does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(pub u64);

impl SpanId {
    /// The parent id of a root.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SpanId {
    type Err = std::num::ParseIntError;

    fn from_str(decimal: &str) -> Result<Self, Self::Err> {
        decimal.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_come_back() {
        let id = TraceId::from_halves(0x6b00_a83d_0000_0000, 0x6f0d_bd9e_7942_056a);
        assert_eq!(id.to_string(), "6b00a83d000000006f0dbd9e7942056a");
        assert_eq!(
            (id.high(), id.low()),
            (0x6b00_a83d_0000_0000, 0x6f0d_bd9e_7942_056a)
        );
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn the_largest_span_id_keeps_its_last_digit() {
        assert_eq!(SpanId(u64::MAX).to_string(), "18446744073709551615");
    }
}
