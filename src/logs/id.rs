//! The ids of a line, in every form that loggers write them.

use crate::trace::{SpanId, TraceId};

/// The ids a line names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogIds {
    /// All 128 bits, or the low 64 with the high half 0; 0 when the line names no trace.
    pub trace: TraceId,
    /// The span; 0 when the line names none.
    pub span: SpanId,
}

impl LogIds {
    /// The readings of the trace id, the likelier first: sixteen digits may be decimal or hex.
    pub fn traces(self) -> impl Iterator<Item = TraceId> {
        let other = as_hex_digits(self.trace.0).map(|low| TraceId::from_halves(0, low));
        let first = (self.trace.0 != 0).then_some(self.trace);
        first.into_iter().chain(other)
    }

    /// The readings of the span id, the likelier first.
    pub fn spans(self) -> impl Iterator<Item = SpanId> {
        let other = as_hex_digits(self.span.0.into()).map(SpanId);
        let first = (self.span != SpanId::NONE).then_some(self.span);
        first.into_iter().chain(other)
    }

    /// Takes a trace id unless a better one is known: of two, the one with all 128 bits.
    pub(super) fn add_trace(&mut self, id: u128) {
        let is_better = self.trace.0 == 0 || self.trace.high() == 0 && id >> 64 != 0;
        if id != 0 && is_better {
            self.trace = TraceId(id);
        }
    }

    /// Takes a span id unless one is known. Wider numbers are no span ids.
    pub(super) fn add_span(&mut self, id: u128) {
        if let (SpanId::NONE, Ok(id)) = (self.span, u64::try_from(id)) {
            self.span = SpanId(id);
        }
    }
}

/// A number of at most sixteen decimal digits may have been sixteen hex digits without a letter. What
/// such digits stand for as hex; a small number tells as little as none.
fn as_hex_digits(number: u128) -> Option<u64> {
    let digits = u64::try_from(number).ok()?;
    let is_long = (1_000_000_000_000..10_000_000_000_000_000).contains(&digits);
    if !is_long {
        return None;
    }
    u64::from_str_radix(&format!("{digits:016}"), 16).ok()
}

/// Reads an id as it is written, quotes taken off: 32 hex digits, a decimal number of up to 128
/// bits, 16 hex digits. Digits alone are decimal, except that 32 of them are hex, since a decimal
/// id of 128 bits has 36 or more. 0 stands for none.
pub(super) fn parse(text: &str) -> Option<u128> {
    let text = text.trim();
    let is_decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |text: &str| u128::from_str_radix(text, 16).ok();
    match text.len() {
        0 => None,
        1..=39 if text.len() != 32 && is_decimal(text) => text.parse().ok(),
        36 if text.bytes().filter(|byte| *byte == b'-').count() == 4 => hex(&text.replace('-', "")),
        2..=20 if text.starts_with('-') => {
            // A signed number of 64 bits, as Java prints it.
            let signed: i64 = text.parse().ok()?;
            Some(signed.cast_unsigned().into())
        }
        _ => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            // Shorter words like `bad` and `face` are words.
            let fits = (8..=32).contains(&digits.len());
            if is_hex && fits { hex(digits) } else { None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u128>) {
        assert_eq!(parse(text), expected, "{text}");
    }

    #[test]
    fn ids_are_read_in_every_recorded_form() {
        let whole = 0x6b00_a1cb_0000_0000_f5d1_b9ef_9fc9_72e0;
        check("6b00a1cb00000000f5d1b9ef9fc972e0", Some(whole));
        check("6B00A1CB00000000F5D1B9EF9FC972E0", Some(whole));
        check("6b00a1cb-0000-0000-f5d1-b9ef9fc972e0", Some(whole));
        check(
            "142230677100249176715567368663504182739",
            Some(142_230_677_100_249_176_715_567_368_663_504_182_739),
        );
        check("12809407357786134084", Some(12_809_407_357_786_134_084));
        check("463b59f5272bcafd", Some(0x463b_59f5_272b_cafd));
        check("0x463b59f5272bcafd", Some(0x463b_59f5_272b_cafd));
        check(
            "12345678901234567890123456789012",
            Some(0x1234_5678_9012_3456_7890_1234_5678_9012),
        );
        check("-1", Some(u64::MAX.into()));
        check("0", Some(0));
        check("", None);
        check("none", None);
        check("face", None);
        check("999999999999999999999999999999999999999", None);
        check("6b00a1cb00000000f5d1b9ef9fc972e0ff", None);
    }

    #[test]
    fn sixteen_digits_can_be_either() {
        let ids = LogIds {
            trace: TraceId(1_234_567_890_123_456),
            span: SpanId(123_456_789_012_345),
        };
        let traces: Vec<_> = ids.traces().map(|id| id.0).collect();
        assert_eq!(traces, [1_234_567_890_123_456, 0x1234_5678_9012_3456]);
        let spans: Vec<_> = ids.spans().map(|id| id.0).collect();
        assert_eq!(spans, [123_456_789_012_345, 0x0123_4567_8901_2345]);
        assert_eq!(LogIds::default().traces().count(), 0);
        let long = LogIds {
            trace: TraceId(u128::MAX),
            span: SpanId(u64::MAX),
        };
        assert_eq!((long.traces().count(), long.spans().count()), (1, 1));
    }

    #[test]
    fn of_two_forms_the_whole_id_is_kept() {
        let mut ids = LogIds::default();
        for id in [0, 7, 1 << 64 | 7, 2 << 64 | 7] {
            ids.add_trace(id);
        }
        assert_eq!(ids.trace.0, 1 << 64 | 7);
        for id in [0, 1 << 64, 5, 6] {
            ids.add_span(id);
        }
        assert_eq!(ids.span.0, 5);
    }
}
