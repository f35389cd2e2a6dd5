//! What a line of plain text says of itself: its time at the beginning, its level, its ids.

use super::id::{self, LogIds};
use super::time::{self, Written};

/// How far into a text its time may begin: `[`, `(`, a program's name before it.
const TIME_OFFSET_MAX: usize = 2;

/// The time a text begins with.
pub(super) fn time(text: &str) -> Option<Written> {
    let text = text.trim_start();
    let begins = text
        .char_indices()
        .take(TIME_OFFSET_MAX)
        .find(|(_, char)| char.is_ascii_digit());
    let (offset, _) = begins?;
    time::iso(text.get(offset..)?).map(|(written, _)| written)
}

/// The ids in a text: `dd.trace_id=6b00… dd.span_id=111…`, `trace_id: '142…'`.
pub(super) fn ids(text: &str) -> LogIds {
    let mut ids = LogIds::default();
    each_id(text, &["trace_id", "traceId", "trace.id"], |id| {
        ids.add_trace(id)
    });
    if ids.trace.0 != 0 || text.contains("span") {
        each_id(text, &["span_id", "spanId", "span.id"], |id| {
            ids.add_span(id)
        });
    }
    ids
}

/// Calls back with every id that stands behind one of the names.
fn each_id(text: &str, names: &[&str], mut take: impl FnMut(u128)) {
    const IDS_MAX: usize = 8;
    for name in names {
        for (place, _) in text.match_indices(name).take(IDS_MAX) {
            let behind = text.get(place + name.len()..).unwrap_or_default();
            if let Some(id) = id_behind(behind) {
                take(id);
            }
        }
    }
}

/// The id behind `=`, `:`, quotes and spaces, of which `=` or `:` must be there.
fn id_behind(text: &str) -> Option<u128> {
    let value = text.trim_start_matches(['=', ':', '\'', '"', ' ', '\\']);
    let marks = text.get(..text.len() - value.len())?;
    if !marks.contains(['=', ':']) {
        return None;
    }
    let is_digit = |char: char| char.is_ascii_hexdigit() || char == '-';
    let rest = value.trim_start_matches(is_digit);
    let digits = value.get(..value.len() - rest.len())?;
    // A longer word only begins like an id.
    let ends = !rest.starts_with(|char: char| char.is_alphanumeric() || char == '_');
    if ends { id::parse(digits) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, trace: u128, span: u64) {
        let ids = ids(text);
        assert_eq!((ids.trace.0, ids.span.0), (trace, span), "{text}");
    }

    #[test]
    fn ids_are_found_behind_their_names() {
        let trace = 0x6b00_ad2d_0000_0000_d583_a31a_709d_a8b0;
        let forms = [
            "[dd.service=svc dd.trace_id=6b00ad2d00000000d583a31a709da8b0 dd.span_id=11157619747559561211] - in-root",
            "INFO [dd.trace_id=6b00ad2d00000000d583a31a709da8b0 dd.span_id=11157619747559561211] in-root",
            "[info     ] in-root   dd={'trace_id': '142230907971114743296971210119928719536', 'span_id': '11157619747559561211'} k=1",
            "trace_id=6b00ad2d00000000d583a31a709da8b0 span_id=9ad7c2ba9a2c90bb done",
        ];
        for form in &forms[..3] {
            check(form, trace, 11_157_619_747_559_561_211);
        }
        check(forms[3], trace, 0x9ad7_c2ba_9a2c_90bb);
        check("[dd.trace_id=0 dd.span_id=0] no-span", 0, 0);
        check("the trace_id of the request", 0, 0);
        check("trace_id=deadbeefs", 0, 0);
        check("trace_id=", 0, 0);
        check("", 0, 0);
    }

    #[test]
    fn a_text_begins_with_its_time() {
        let shown = |text| time(text).map(|written| written.nanos.to_string());
        let expected = Some("2026-11-20T20:27:25.577Z".to_owned());
        assert_eq!(shown("2026-11-20 20:27:25,577 INFO x"), expected);
        assert_eq!(shown(" [2026-11-20T20:27:25.577Z] x"), expected);
        assert_eq!(shown("at 2026-11-20 20:27:25,577"), None);
        assert_eq!(shown("127.0.0.1 - -"), None);
    }
}
