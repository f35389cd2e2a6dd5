//! What holds for any traces, keys and sizes.

use proptest::prelude::*;

use super::fixture::{SpanSpec, chunk};
use super::terminal::Seat;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z./ ]{0,20}",
        Just("\x1b[31mred\x1b]52;c;AAAA\x07".to_owned()),
        Just("two\nlines\tand\r\u{9b}0m".to_owned()),
        Just("東京\u{202e}都\u{200b}e\u{301}".to_owned()),
        ".{0,30}",
    ]
}

fn any_span() -> impl Strategy<Value = (u64, SpanSpec)> {
    let ids = (0_u64..4, 0_u64..8, 0_u64..8);
    let times = (prop_oneof![0_i64..5_000, any::<i64>()], any::<i64>());
    (ids, times, any_text(), any_text(), any::<bool>()).prop_map(
        |((trace, id, parent), (start_ms, duration_ns), name, resource, error)| {
            let span = SpanSpec {
                id,
                parent,
                service: name.clone(),
                name,
                resource: resource.clone(),
                start_ms,
                duration_ns,
                error,
                meta: vec![("error.message".into(), resource)],
                metrics: vec![("_sampling_priority_v1".into(), 1.0)],
            };
            (trace, span)
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Receive(u64, SpanSpec),
    Keys(&'static str),
    Resize(u16, u16),
    Click(u16, u16),
}

fn any_step() -> impl Strategy<Value = Step> {
    let keys = prop::sample::select(vec![
        "j",
        "k",
        "g",
        "G",
        "<enter>",
        "<esc>",
        "<tab>",
        "<backtab>",
        "e",
        "E",
        "h",
        "l",
        "f",
        "[",
        "]",
        "/a<enter>",
        "/",
        "x",
        "?",
        "d",
        "n",
        "N",
        "<space>",
        "<ctrl+d>",
        "<pgup>",
        "y",
        "Y",
    ]);
    prop_oneof![
        3 => any_span().prop_map(|(trace, span)| Step::Receive(trace, span)),
        4 => keys.prop_map(Step::Keys),
        1 => (1_u16..140, 1_u16..50).prop_map(|(width, height)| Step::Resize(width, height)),
        1 => (0_u16..140, 0_u16..50).prop_map(|(column, row)| Step::Click(column, row)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_panics_and_no_control_character_reaches_a_cell(
        steps in prop::collection::vec(any_step(), 1..24)
    ) {
        let mut seat = Seat::new(120, 36);
        for step in steps {
            match step {
                Step::Receive(trace, span) => {
                    seat.receive(vec![chunk(trace, &[span])]);
                }
                Step::Keys(keys) => {
                    seat.keys(keys);
                }
                Step::Resize(width, height) => seat.resize(width, height),
                Step::Click(column, row) => seat.click(column, row),
            }
            for cell in &seat.buffer().content {
                prop_assert!(!cell.symbol().chars().any(char::is_control));
            }
        }
    }
}
