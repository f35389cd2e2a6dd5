//! What holds for any traces, keys and sizes.

use proptest::prelude::*;

use super::fixture::{SpanSpec, chunk, joined, printed, root};
use super::terminal::Seat;
use crate::logs::Level;
use crate::tui::message::Effect;

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

fn any_line() -> impl Strategy<Value = String> {
    let object = (any_text(), any_text(), any_text()).prop_map(|(event, key, value)| {
        let exception = format!("{key}\n  {value}\nlast");
        serde_json::json!({"event": event, key: value, "exception": exception}).to_string()
    });
    prop_oneof![any_text(), object]
}

#[derive(Clone, Debug)]
enum Step {
    Receive(u64, SpanSpec),
    Line(u64, u64, String),
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
        "1",
        "2",
        "3",
        "3j<enter>",
        "3Mjjlh0",
        "4jjl<enter>",
        "4oLSmMbBC",
        "K",
        "o",
        "t",
        "2/a<enter>",
        "m",
        "M",
        "F",
        "FF",
        "F<enter>",
        "2G<enter>",
        "w",
    ]);
    prop_oneof![
        3 => any_span().prop_map(|(trace, span)| Step::Receive(trace, span)),
        2 => (0_u64..4, 0_u64..8, any_line()).prop_map(|(trace, span, line)| Step::Line(trace, span, line)),
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
                Step::Line(0, _, text) => {
                    seat.receive_lines(vec![printed(&text, 9_000)]);
                }
                Step::Line(trace, span, text) => {
                    seat.receive_lines(vec![joined(&text, Level::Warn, 9_000, (trace, span))]);
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

    #[test]
    fn what_comes_moves_no_selection_but_that_of_the_top_row(
        steps in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec!["j", "k", "g", "G", "<ctrl+d>", "<pgup>", "/7<enter>", "<esc>"]),
                Just("receive"),
            ],
            1..30,
        )
    ) {
        let mut seat = Seat::new(80, 24);
        seat.receive((1..30).map(|id| chunk(id, &[root(id, &format!("GET /{id}"), 5)])).collect());
        let mut next = 100;
        for step in steps {
            if step != "receive" {
                seat.keys(step);
                continue;
            }
            let (before, is_on_top) = (selected(&mut seat), seat.shows("following"));
            next += 1;
            seat.receive(vec![chunk(next, &[root(next, &format!("GET /{next}"), 5)])]);
            if !is_on_top && !seat.shows(" of ") {
                prop_assert_eq!(selected(&mut seat), before);
            }
            let marked = seat.lines().iter().filter(|line| line.contains("│>")).count();
            prop_assert!(marked >= 1 || seat.shows("no trace matches"), "the selected row is visible");
        }
    }
}

/// The trace that is selected, as the key that copies it says.
fn selected(seat: &mut Seat) -> Vec<Effect> {
    seat.keys("Y")
}

#[test]
fn what_strangers_write_does_not_move_the_columns() {
    let names = [
        "plain",
        "\x1b[2J\x1b[31mred",
        "\x1b]52;c;AAAA\x07",
        "two\nlines\tand\r",
        "\u{9b}31m\u{202e}rtl",
        "東京都東京都東京都東京都",
        "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}",
        "e\u{301}e\u{301}e\u{301}",
    ];
    let mut seat = Seat::new(80, 24);
    let trace = |(id, name): (u64, &&str)| chunk(id, &[root(id, name, 5)]);
    seat.receive((1..).zip(&names).map(trace).collect());
    let buffer = seat.buffer();
    for row in 4..4 + 6 {
        let cell = |column: u16| buffer.cell((column, row)).unwrap().symbol();
        assert_eq!((cell(0), cell(79)), ("│", "│"), "row {row}");
        let duration: String = (32..42).map(cell).collect();
        assert_eq!(duration.trim(), "5ms", "row {row}");
    }
}
