//! Each screen at each size, as it was reviewed.

use super::fixture::{at, record, story};
use super::terminal::{Seat, options};
use crate::ingest::{Inbound, Request, RequestRecord};
use crate::tui::app::{Listening, UiOptions};
use crate::tui::theme::{Color, Glyphs};

fn seated(width: u16, height: u16) -> Seat {
    let mut seat = Seat::new(width, height);
    seat.receive(story());
    seat
}

#[test]
fn the_traces_at_every_size() {
    for (width, height) in [(120, 36), (80, 24), (60, 15), (30, 5), (1, 1)] {
        let seat = seated(width, height);
        insta::assert_snapshot!(format!("traces_{width}x{height}"), seat.picture());
    }
}

#[test]
fn connect_at_every_size() {
    for (width, height) in [(120, 36), (80, 24), (60, 15), (30, 5)] {
        let mut seat = Seat::new(width, height);
        let refused = RequestRecord {
            note: "byte 0: not msgpack".into(),
            ..record("PUT", "/v0.4/traces", 400, at(7_300))
        };
        for record in [record("GET", "/info", 200, at(7_100)), refused] {
            seat.inbound(Inbound::Request(Box::new(Request {
                record,
                brought: crate::ingest::Brought::Nothing,
            })));
        }
        seat.draw();
        insta::assert_snapshot!(format!("connect_{width}x{height}"), seat.picture());
    }
}

#[test]
fn one_trace_at_every_size() {
    for (width, height) in [(120, 36), (80, 24), (60, 15)] {
        let mut seat = seated(width, height);
        seat.keys("<enter>");
        insta::assert_snapshot!(format!("trace_{width}x{height}"), seat.picture());
    }
}

#[test]
fn what_lies_on_top() {
    for (name, keys) in [("help", "?"), ("export", "x"), ("filter", "/gen")] {
        for (width, height) in [(120, 36), (80, 24)] {
            let mut seat = seated(width, height);
            seat.keys(keys);
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), seat.picture());
        }
    }
}

#[test]
fn the_filter_line_says_what_is_wrong() {
    let mut lines = String::new();
    let texts = [
        "",
        "svc:vllm or",
        "err dur>abc svc:vllm",
        "(lvl>=loud",
        "\"out of",
        "ü\u{202e}ü prio:x",
        "a filter that is much longer than the line it is written in and then svc: is wrong",
    ];
    for width in [80, 40] {
        for text in texts {
            let mut seat = seated(width, 24);
            seat.keys("/");
            seat.keys(text);
            lines.push_str(&seat.underlined_line(22));
        }
    }
    insta::assert_snapshot!("filter_faults", lines);
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
    insta::assert_snapshot!("traces_ascii_80x24", seat.picture());
    assert!(seat.lines().iter().all(|line| line.is_ascii()));
}

#[test]
fn opened_files_without_spans() {
    let listening = Listening {
        opened_files: vec!["empty.json".into()],
        ..Listening::default()
    };
    let options = UiOptions {
        listening,
        ..UiOptions::default()
    };
    let seat = Seat::with(80, 24, options);
    insta::assert_snapshot!("connect_opened_80x24", seat.picture());
}
