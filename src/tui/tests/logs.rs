//! Log lines on the screen: under the waterfall, on its time axis, all of them in a list, one whole.

use super::fixture::{SpanSpec, chunk, joined, log_story, printed, root, story};
use super::terminal::{Seat, options};
use crate::logs::{Level, LogRecord};
use crate::tui::app::UiOptions;
use crate::tui::message::Effect;
use crate::tui::theme::{Color, Glyphs};

fn seated(width: u16, height: u16) -> Seat {
    let mut seat = Seat::new(width, height);
    seat.receive(story());
    seat.receive_lines(log_story());
    seat
}

#[test]
fn lines_at_every_size() {
    for (name, keys) in [
        ("traces", ""),
        ("trace", "<enter>"),
        ("all", "2"),
        ("line", "2k<enter>"),
    ] {
        for (width, height) in [(120, 36), (80, 24), (60, 15)] {
            let mut seat = seated(width, height);
            seat.keys(keys);
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), seat.picture());
        }
    }
}

#[test]
fn without_colours_and_beyond_ascii() {
    let plain = UiOptions {
        glyphs: Glyphs::Ascii,
        color: Color::Off,
        ..options()
    };
    let mut seat = Seat::with(80, 24, plain);
    seat.receive(story());
    seat.receive_lines(log_story());
    for keys in ["", "<enter>", "2", "e<enter>"] {
        seat.keys(keys);
        assert!(
            seat.lines().iter().all(|line| line.is_ascii()),
            "after {keys}"
        );
    }
    seat.keys("<esc>1<tab>");
    insta::assert_snapshot!("ascii_80x24", seat.picture());
}

/// Many plain lines, one after another.
fn many(numbers: std::ops::Range<i64>) -> Vec<LogRecord> {
    numbers
        .map(|number| printed(&format!("line {number} of many"), 5_000 + number))
        .collect()
}

#[test]
fn the_list_follows_the_newest_line_only_from_the_last() {
    let mut seat = Seat::new(80, 24);
    seat.keys("2");
    seat.receive_lines(many(0..100));
    assert!(seat.line_with("│>").contains("line 99 "));
    seat.receive_lines(many(100..101));
    assert!(seat.line_with("│>").contains("line 100 "));
    seat.keys("k");
    let before = seat.lines()[3..22].to_vec();
    seat.receive_lines(many(101..113));
    assert_eq!(seat.lines()[3..22], before);
    assert!(seat.shows("+12 new below"));
    seat.keys("G");
    assert!(seat.line_with("│>").contains("line 112 "));
    assert!(!seat.shows("new below"));
    assert!(seat.shows("following"));
}

#[test]
fn a_paused_list_stands_still_and_says_what_waits() {
    let mut seat = seated(80, 24);
    seat.keys("2<space>");
    let before = seat.lines()[4..22].to_vec();
    seat.receive_lines(many(0..7));
    assert_eq!(seat.lines()[4..22], before);
    assert!(seat.shows("+7 new below"));
    seat.keys("<space>");
    assert!(seat.line_with("│>").contains("line 6 "));
}

#[test]
fn the_filter_narrows_lines_that_are_there_and_that_come() {
    let mut seat = seated(80, 24);
    seat.keys("2/split");
    assert!(seat.shows("1 of 9"), "{}", seat.lines().join("\n"));
    seat.keys("<ctrl+u>many<enter>");
    assert!(seat.shows("no line matches many"));
    seat.receive_lines(many(0..3));
    assert!(seat.shows("/many   3 of 12"));
    assert!(seat.line_with("│>").contains("line 2 "));
    seat.keys("<esc>");
    assert!(seat.shows("12/12"));
    seat.keys("<esc>");
    assert!(seat.shows("─ Traces ─"));
}

#[test]
fn a_filter_of_many_lines_is_searched_in_steps() {
    let mut seat = Seat::new(80, 24);
    seat.receive_lines(many(0..40_000));
    seat.keys("2/39998");
    assert!(seat.shows("so far"), "{}", seat.lines().join("\n"));
    for _ in 0..20 {
        seat.draw();
    }
    assert!(seat.shows("1 of 40000"), "{}", seat.lines().join("\n"));
    assert!(!seat.app.is_dirty());
}

#[test]
fn e_goes_through_the_errors_and_says_where_they_end() {
    let mut seat = seated(80, 24);
    seat.keys("2e");
    assert!(seat.line_with("│>").contains("generate.failed"));
    seat.keys("e");
    assert!(seat.shows("No other error here."));
}

#[test]
fn a_line_leads_to_its_span_and_back() {
    let mut seat = seated(80, 24);
    seat.keys("2E<up><up>");
    assert!(seat.line_with("│>").contains("batch.split"));
    seat.keys("o");
    assert!(seat.shows("esc back"));
    assert!(seat.line_with("│>").contains("vllm.decode"));
    assert!(seat.line_with("> +1.611s").contains("batch.split"));
    seat.keys("<esc>");
    assert!(
        seat.line_with("│>").contains("batch.split"),
        "back in the list of lines"
    );
    seat.keys("g");
    seat.keys("o");
    assert!(seat.shows("This line belongs to no trace that is here."));
}

#[test]
fn t_walks_along_the_letters() {
    let mut seat = seated(120, 36);
    seat.keys("<tab>");
    let mut visited = Vec::new();
    for _ in 0..3 {
        seat.keys("t");
        visited.push(seat.line_with("│> +"));
    }
    assert!(visited[0].contains("usage.inserted"));
    assert!(visited[1].contains("model.loaded"), "and begins anew");
    assert!(visited[2].contains("request.accepted"));
}

#[test]
fn o_shows_the_lines_of_the_trace_of_every_container_and_of_the_span() {
    let mut seat = seated(120, 36);
    assert!(seat.shows("Logs of this trace  5"));
    seat.keys("<tab>o");
    assert!(seat.shows("Logs within 2 s of this span, every container  5 of 9 its trace's"));
    assert!(seat.shows("other ta-9P7M"));
    seat.keys("o");
    assert!(
        seat.shows("Logs of this span  2 of 5"),
        "{}",
        seat.lines().join("\n")
    );
    seat.keys("k");
    assert!(seat.shows("Logs of this span  1 of 5"));
    seat.keys("k");
    assert!(seat.shows("No line names this span."));
    seat.keys("o");
    assert!(seat.shows("Logs of this trace  5"));
}

#[test]
fn in_the_pane_t_selects_the_span_of_a_line_and_o_gives_it_the_keys() {
    let mut seat = seated(120, 36);
    seat.keys("<tab><tab><tab>");
    assert!(seat.line_with("│> +").contains("generate.failed"));
    seat.keys("gt");
    assert!(seat.line_with("│> +").contains("model.loaded"));
    assert!(seat.shows("Span 2/5"));
    seat.keys("jo");
    assert!(seat.shows("Span 4/5"));
    assert!(seat.shows("h/l fold"), "the waterfall has the keys");
}

#[test]
fn what_comes_does_not_move_a_line_that_was_chosen() {
    let mut seat = seated(120, 36);
    seat.keys("<tab><tab><tab>gj");
    let chosen = seat.line_with("│> +");
    seat.receive_lines(vec![joined("early", Level::Critical, 10, (106, 14))]);
    assert_eq!(seat.line_with("│> +"), chosen);
    seat.receive(vec![chunk(300, &[root(71, "GET /late", 5)])]);
    assert!(seat.shows("request.accepted"));
}

#[test]
fn a_trace_without_lines_leaves_the_room_to_the_others() {
    let mut seat = seated(120, 36);
    assert!(seat.shows("Logs of this trace"));
    seat.keys("j");
    assert!(!seat.shows("Logs of this trace"));
    seat.keys("<tab><tab><tab>");
    assert!(seat.line_with("newest first").contains("2/6"));
}

#[test]
fn a_line_waits_for_its_span() {
    let mut seat = seated(120, 36);
    assert!(seat.line_with("usage.inserted").contains("span 99"));
    seat.receive(vec![chunk(
        106,
        &[SpanSpec::under(10, 99, "INSERT usage", 1_800, 12)],
    )]);
    seat.keys("<tab>");
    assert!(seat.line_with("usage.inserted").contains("INSERT usage"));
}

#[test]
fn copying_never_hands_on_what_a_terminal_obeys() {
    let mut seat = Seat::new(80, 24);
    seat.keys("2");
    seat.receive_lines(vec![printed("bell\x07\tand \u{9b}2J", 1_000)]);
    assert_eq!(
        seat.keys("y"),
        [Effect::Copy("bell␇\tand \\u{9b}2J".into())]
    );
    let json = r#"{"message":"bell\u0007\tand \u{9b}2J","source":"stdout"}"#;
    assert_eq!(seat.keys("Y"), [Effect::Copy(json.into())]);
    let digits = r#"{"event":"x","dd.trace_id":142230807100249176715567368663504182739}"#;
    seat.receive_lines(vec![printed(digits, 2_000)]);
    assert_eq!(seat.keys("Y"), [Effect::Copy(digits.into())]);
    seat.keys("<enter>]");
    assert!(seat.shows("142230807100249176715567368663504182739"));
}

#[test]
fn a_whole_line_opens_and_closes_on_top() {
    let mut seat = seated(80, 24);
    seat.keys("2e<enter>");
    assert!(seat.shows("CudaOOM: out of memory: tried to allocate 2.4 GiB"));
    assert!(seat.shows("by trace id"));
    seat.keys("<esc>");
    assert!(seat.line_with("│>").contains("generate.failed"));
    seat.keys("<enter>d<enter>2");
    assert!(seat.line_with("│>").contains("generate.failed"));
    seat.keys("<enter>1");
    assert!(seat.shows("─ Traces ─"));
}

#[test]
fn views_are_keys_and_a_line_of_tabs() {
    let mut seat = Seat::new(80, 24);
    assert!(seat.shows("[1 Traces]  2 Logs"));
    seat.keys("2");
    assert!(seat.shows("[2 Logs]"));
    assert!(seat.shows("No line has been read yet."));
    seat.keys("1");
    assert!(seat.shows("Waiting for the first span"));
    seat.receive(story());
    seat.keys("2<enter>1");
    assert!(seat.shows("─ Traces ─"));
    seat.resize(80, 19);
    assert!(!seat.shows("[1 Traces]"));
}

#[test]
fn long_lines_move_sideways() {
    let mut seat = Seat::new(60, 15);
    seat.keys("2");
    let long = format!("{}end", "0123456789".repeat(8));
    seat.receive_lines(vec![printed(&long, 1_000)]);
    assert!(!seat.shows("end"));
    seat.keys("lllh");
    assert!(seat.line_with("│>").contains("…234567890"));
    seat.keys("ll");
    assert!(seat.line_with("│>").contains("end"));
}

#[test]
fn a_click_on_a_letter_selects_its_line() {
    let mut seat = seated(120, 36);
    let lines = seat.lines();
    let row = lines
        .iter()
        .position(|line| line.contains("logs 5"))
        .unwrap();
    let column = lines[row].chars().position(|char| char == 'w').unwrap();
    let cells = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
    seat.click(cells.0, cells.1);
    assert!(seat.line_with("│> +").contains("batch.split"));
    let letter = seat.buffer().cell(cells).unwrap();
    assert!(letter.modifier.contains(ratatui::style::Modifier::REVERSED));
}

#[test]
fn the_lines_have_the_screen_to_themselves_where_only_one_pane_fits() {
    let mut seat = seated(60, 15);
    seat.keys("<tab><tab>");
    assert!(
        seat.shows("Logs of this trace  5"),
        "{}",
        seat.lines().join("\n")
    );
    assert!(seat.line_with("│> +").contains("generate.failed"));
    seat.keys("<tab>");
    assert!(seat.shows("─ Traces ─"));
}
