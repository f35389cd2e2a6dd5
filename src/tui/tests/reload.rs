//! The rule that a reload leaves in the list: seen, never selected.

use super::child::running;
use super::fixture::{at, chunk, root};
use super::terminal::Seat;
use ratatui::crossterm::event::MouseEventKind;

/// The first line of the rows of the list.
const ROWS_AT: u16 = 4;

fn seated(width: u16, height: u16) -> Seat {
    Seat::with(width, height, running("modal serve app.py"))
}

fn trace(seat: &mut Seat, id: u64) {
    seat.receive(vec![chunk(id, &[root(id, &format!("GET /{id}"), 5)])]);
}

fn reload(seat: &mut Seat) {
    seat.millis += 500;
    let now = at(seat.millis);
    let reloads = &mut seat.app.store_mut().modal_mut().reloads;
    reloads.push((now.wall, now));
    seat.millis += 500;
    seat.draw();
}

/// Traces 1 to 3, a reload, and the traces 4 and 5.
fn reloaded(width: u16, height: u16) -> Seat {
    let mut seat = seated(width, height);
    (1..=3).for_each(|id| trace(&mut seat, id));
    reload(&mut seat);
    (4..=5).for_each(|id| trace(&mut seat, id));
    seat
}

/// The row and the number of the line that says so.
#[track_caller]
fn check_line(seat: &Seat, line: usize, says: &str) {
    let found = &seat.lines()[usize::from(ROWS_AT) + line];
    assert!(found.contains(says), "{says:?} is not in {found}");
}

#[test]
fn a_rule_parts_the_traces_before_and_after_a_reload() {
    for (width, height) in [(120, 36), (80, 24), (60, 15)] {
        let seat = reloaded(width, height);
        insta::assert_snapshot!(format!("reload_{width}x{height}"), seat.picture());
    }
}

#[test]
fn the_selection_steps_over_a_rule() {
    let mut seat = reloaded(80, 24);
    check_line(&seat, 2, "── reload 12:00:10 app.py ──");
    seat.keys("jj");
    assert!(seat.selected_row().contains("GET /3"));
    check_line(&seat, 3, "│>");
    seat.keys("k");
    assert!(seat.selected_row().contains("GET /4"));
    check_line(&seat, 1, "│>");
}

#[test]
fn a_click_on_a_rule_selects_nothing_and_below_it_what_is_there() {
    let mut seat = reloaded(80, 24);
    seat.click(10, ROWS_AT + 1);
    assert!(seat.selected_row().contains("GET /4"));
    seat.click(10, ROWS_AT + 2);
    assert!(seat.selected_row().contains("GET /4"));
    seat.click(10, ROWS_AT + 3);
    assert!(seat.selected_row().contains("GET /3"));
    seat.click(10, ROWS_AT + 5);
    assert!(seat.selected_row().contains("GET /1"));
}

#[test]
fn a_reload_without_traces_since_is_seen_on_top_and_several_are_one_rule() {
    let mut seat = seated(80, 24);
    trace(&mut seat, 1);
    reload(&mut seat);
    check_line(&seat, 0, "─ reload 12:00:08 app.py ─");
    check_line(&seat, 1, "GET /1");
    reload(&mut seat);
    check_line(&seat, 0, "─ 2 reloads, the last 12:00:09 app.py ─");
    trace(&mut seat, 2);
    check_line(&seat, 0, "GET /2");
    check_line(&seat, 1, "2 reloads");
}

#[test]
fn a_reload_before_the_first_trace_leaves_no_rule() {
    let mut seat = seated(80, 24);
    reload(&mut seat);
    trace(&mut seat, 1);
    assert!(!seat.shows("reload 12:"));
}

#[test]
fn the_selection_stays_in_sight_whatever_moves() {
    let mut seat = seated(80, 24);
    for id in 1..60 {
        trace(&mut seat, id);
        if id % 3 == 0 {
            reload(&mut seat);
        }
    }
    let wheel = |seat: &mut Seat, kind| seat.mouse(kind, 10, ROWS_AT + 1);
    for keys in [
        "G", "g", "<pgdn>", "<pgdn>", "<ctrl+d>", "j", "k", "<ctrl+u>",
    ] {
        seat.keys(keys);
        let marked = seat
            .lines()
            .iter()
            .filter(|line| line.contains("│>"))
            .count();
        assert!(marked >= 1, "after {keys}\n{}", seat.lines().join("\n"));
        wheel(&mut seat, MouseEventKind::ScrollDown);
        wheel(&mut seat, MouseEventKind::ScrollDown);
        let marked = seat
            .lines()
            .iter()
            .filter(|line| line.contains("│>"))
            .count();
        assert!(marked >= 1, "scrolled after {keys}");
        seat.resize(80, if keys == "j" { 36 } else { 24 });
    }
    seat.keys("G");
    assert!(seat.selected_row().contains("GET /1"));
    let before = seat.lines()[4..10].to_vec();
    wheel(&mut seat, MouseEventKind::ScrollDown);
    assert_eq!(seat.lines()[4..10], before, "the end is the end");
}

#[test]
fn a_paused_list_gets_no_new_rule() {
    let mut seat = seated(80, 24);
    trace(&mut seat, 1);
    seat.keys("<space>");
    reload(&mut seat);
    seat.keys("/GET<enter>");
    assert!(!seat.shows("reload 12:"));
    seat.keys("<space>");
    assert!(seat.shows("reload 12:"));
}
