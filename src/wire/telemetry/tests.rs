//! Telemetry as recorded, and as strangers might send it.

use proptest::prelude::*;

use super::*;

const OLD: &[u8] = include_bytes!("../../../tests/fixtures/client/telemetry-412-4.json");
const NEW: &[u8] = include_bytes!("../../../tests/fixtures/client/telemetry-416-p0.json");

#[track_caller]
fn check(body: &[u8], sums: TelemetrySums, n_unreadable: u64) {
    let telemetry = read(body);
    assert_eq!(
        (telemetry.sums, telemetry.n_unreadable),
        (sums, n_unreadable)
    );
}

#[test]
fn what_real_tracers_say_of_their_spans_is_read() {
    check(
        OLD,
        TelemetrySums {
            trace_chunks_sent: 2,
            trace_api_requests: 2,
            trace_api_responses: 2,
            ..TelemetrySums::default()
        },
        0,
    );
    check(
        NEW,
        TelemetrySums {
            spans_created: 150,
            spans_finished: 150,
            trace_chunks_sent: 7,
            trace_chunks_dropped: 43,
            trace_api_requests: 1,
            trace_api_responses: 1,
            ..TelemetrySums::default()
        },
        0,
    );
    let source = read(NEW).source;
    assert_eq!(
        (&*source.language, &*source.tracer_version),
        ("python", "4.16.0")
    );
    assert_eq!(&*source.runtime_id, "c5ba80b907b04e53926f6495544c27f4");
}

#[test]
fn a_message_that_starts_an_app_says_who_it_is() {
    let body = br#"{"request_type":"app-started","runtime_id":"a-1","application":
        {"service_name":"api","tracer_version":"4.16.0","env":"dev","service_version":"7"},"payload":{}}"#;
    let source = read(body).source;
    let said = [&source.service, &source.env, &source.version];
    assert_eq!(said.map(|text| &**text), ["api", "dev", "7"]);
    check(body, TelemetrySums::default(), 0);
}

#[test]
fn what_cannot_be_read_is_counted_and_the_rest_taken() {
    let body = br#"{"request_type":"message-batch","payload":[
        7,
        {"request_type":"generate-metrics","payload":{"series":[
            {"namespace":"tracers","metric":"spans_created","points":[[1,"x"]]},
            {"namespace":"other","metric":"spans_created","points":[[1,5]]},
            {"namespace":"tracers","metric":"spans_created","points":[[1,5],[2,-4],[3,1e400]]},
            {"metric":7}
        ]}},
        {"request_type":"generate-metrics","payload":{"series":{}}}
    ]}"#;
    let sums = TelemetrySums {
        spans_created: 5,
        ..TelemetrySums::default()
    };
    check(body, sums, 4);
    for body in [&b""[..], b"[]", b"{", b"\xff", &vec![b' '; 2_000_000]] {
        check(body, TelemetrySums::default(), 1);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_ignored(text in any::<String>(), cut in any::<prop::sample::Index>()) {
        let _read = read(text.as_bytes());
        let _cut = read(&NEW[..cut.index(NEW.len())]);
    }
}
