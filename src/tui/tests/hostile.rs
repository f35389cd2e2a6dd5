//! What strangers send, as the whole screen shows it: nothing a terminal obeys gets into a cell or
//! onto the clipboard, and huge traces do not stop the keys.

#![expect(
    clippy::disallowed_methods,
    reason = "whether a frame comes in time is told by the clock"
)]

use std::time::{Duration, Instant};

use super::fixture::{SpanSpec, at, chunk, joined, lines, payload, printed, record, root};
use super::terminal::{Seat, options};
use crate::ingest::{Brought, Inbound, Lines, Request, RequestRecord};
use crate::logs::{Level, LogRecord, LogSource};
use crate::trace::{ContainerFacts, Hello, RelaySource, is_invisible, is_obeyed, nasty};
use crate::tui::app::{ChildCommand, Listening, UiOptions};
use crate::tui::message::{Effect, Message};
use crate::tui::theme::Glyphs;

const SIZES: [(u16, u16); 5] = [(120, 36), (200, 60), (60, 15), (30, 6), (12, 1)];
/// Bytes of what stands in one cell: a letter with its marks.
const CELL_BYTES_MAX: usize = 32;

#[track_caller]
fn assert_cells(seat: &Seat) {
    let wide = usize::from(seat.buffer().area.width);
    for (place, cell) in seat.buffer().content.iter().enumerate() {
        let symbol = cell.symbol();
        let is_harmless = !symbol.contains(is_obeyed)
            && !symbol.contains(is_invisible)
            && symbol.len() <= CELL_BYTES_MAX;
        let line = || seat.lines()[place / wide].escape_debug().to_string();
        assert!(is_harmless, "{symbol:?} in {}", line());
    }
}

/// A text wherever a stranger can put one into a span.
fn spans(text: &str) -> Vec<SpanSpec> {
    let named = |span: SpanSpec| SpanSpec {
        service: format!("{text}s"),
        name: format!("{text}n"),
        resource: format!("{text}r"),
        ..span
    };
    vec![
        named(root(1, text, 50))
            .tag(text, text)
            .tag("_dd.p.dm", text)
            .tag("modal.task_id", text)
            .tag("modal.region", text)
            .metric(text, 1.5),
        named(SpanSpec::under(1, 2, text, 5, 20))
            .failed(text, text)
            .tag("error.stack", text)
            .tag("json", &serde_json::json!({text: [text]}).to_string()),
    ]
}

fn log_lines(text: &str) -> Vec<LogRecord> {
    let object = serde_json::json!({
        "event": text, "level": text, text: text, "exception": text, "logger": text,
        "modal": {"task_id": text, "region": text},
    });
    let mut of_container = joined(&object.to_string(), Level::Error, 10, (7, 1));
    of_container.container = Some(text.into());
    vec![
        printed(text, 20),
        of_container,
        LogRecord::parse(
            &format!("✓ Created web function {text} => https://{text}.modal.run"),
            LogSource::Stdout,
            at(5).wall,
        ),
        LogRecord::parse(
            &format!("failed to send, dropping 3 traces to intake at http://{text}: {text}"),
            LogSource::Stderr,
            at(6).wall,
        ),
    ]
}

fn requests(text: &str) -> Vec<Inbound> {
    let note = RequestRecord {
        method: text.to_owned().into(),
        path: text.to_owned().into(),
        client: text.into(),
        note: text.into(),
        ..record("PUT", "/v0.4/traces", 400, at(30))
    };
    let fact = || Some(text.into());
    let hello = Hello {
        source: RelaySource(7),
        container: ContainerFacts {
            task_id: fact(),
            region: fact(),
            cloud: fact(),
            environment: fact(),
            image_id: fact(),
            gpu: fact(),
            python: fact(),
            ..ContainerFacts::default()
        },
    };
    let told = Request {
        record: record("POST", text, 200, at(31)),
        brought: Brought::Hello(Box::new(hello)),
    };
    let refused = Request {
        record: note,
        brought: Brought::Nothing,
    };
    vec![
        Inbound::Request(Box::new(refused)),
        Inbound::Request(Box::new(told)),
        Inbound::Lines(Box::new(Lines {
            relay_losses: vec![text.to_owned()],
            relay_lost: 1,
            ..Lines::default()
        })),
        Inbound::Notice(text.to_owned()),
    ]
}

fn seat_of(text: &str, glyphs: Glyphs) -> Seat {
    let child = ChildCommand {
        command: text.into(),
        environment: vec![(text.into(), Some(text.into())), (text.into(), None)],
    };
    let listening = Listening {
        app_url: Some(format!("http://{text}")),
        uds: Some(text.into()),
        log_files: vec![text.into()],
        child: Some(child),
        ..options().listening
    };
    let options = UiOptions {
        glyphs,
        listening,
        ..options()
    };
    Seat::with(120, 36, options)
}

/// Everything that can be shown of a text, and everything that can be copied of it.
#[track_caller]
fn check(text: &str, glyphs: Glyphs, sizes: &[(u16, u16)]) {
    let mut seat = seat_of(text, glyphs);
    assert_cells(&seat);
    for inbound in requests(text) {
        seat.inbound(inbound);
        seat.draw();
        assert_cells(&seat);
    }
    seat.message(Message::Notice(text.into()));
    seat.inbound(payload(vec![chunk(7, &spans(text))], at(40)));
    seat.inbound(lines(log_lines(text)));
    let mut copied = Vec::new();
    for (width, height) in sizes {
        seat.resize(*width, *height);
        for keys in [
            "1", "y", "Y", "<enter>", "y", "j", "y", "d", "]", "j", "y", "j", "y", "j", "y", "j",
            "j", "j", "y", "G", "y", "<esc>", "<tab>", "y", "<tab>", "j", "y", "Y", "<enter>", "y",
            "<esc>", "2", "g", "y", "j", "<enter>", "y", "j", "y", "<esc>", "t", "?", "<esc>", "c",
            "y", "<esc>", "1", "x", "<esc>", "/", "a", "<esc>", "w", "w", "4", "j", "G", "o", "j",
            "G", "C", "<esc>", "o", "o", "o", "<enter>", "<esc>", "w",
        ] {
            copied.extend(seat.keys(keys));
            assert_cells(&seat);
        }
    }
    let texts = copied.iter().filter_map(|effect| match effect {
        Effect::Copy(text) => Some(text),
        _ => None,
    });
    for text in texts {
        nasty::assert_harmless(text, &['\n', '\t']);
    }
}

#[test]
fn nothing_a_terminal_obeys_gets_into_a_cell_or_a_copy() {
    for text in nasty::TEXTS {
        check(text, Glyphs::Unicode, &SIZES[..1]);
    }
    let text = nasty::TEXTS.concat();
    check(&text, Glyphs::Unicode, &SIZES);
    check(&text, Glyphs::Ascii, &SIZES);
    check(&nasty::towering(), Glyphs::Unicode, &SIZES[..1]);
}

#[test]
fn names_of_a_megabyte_cost_no_more_than_their_beginning() {
    let huge = format!("{}\x1b[2J東京", "é".repeat(500_000));
    let span = root(1, &huge, 50).tag("key", &huge).tag(&huge, "value");
    let span = SpanSpec {
        name: huge.clone(),
        service: huge.clone(),
        ..span
    };
    let mut seat = Seat::with_memory(120, 36, 1 << 30);
    seat.receive(vec![chunk(7, &[span])]);
    seat.receive_lines(vec![printed(&huge, 20)]);
    for keys in [
        "j", "k", "<enter>", "d", "j", "k", "<esc>", "2", "j", "<enter>", "<esc>", "1",
    ] {
        let begun = Instant::now();
        seat.keys(keys);
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{keys}: {:?}",
            begun.elapsed()
        );
        assert_cells(&seat);
    }
}

#[test]
fn clusters_that_are_wide_in_every_way_stay_in_their_cells() {
    for text in [
        "👩\u{200d}👩\u{200d}👧\u{200d}👦🏽🇩🇪🇩🇪",
        "\u{fdfd}\u{12031}\u{a9c4}\u{0bcc}",
        "ｆｕｌｌ東京\u{3000}",
        "ก็็็็็็็็็็็็็็็็็็็็",
    ] {
        check(text, Glyphs::Unicode, &SIZES[..2]);
    }
}

#[test]
fn a_name_is_copied_as_one_line() {
    let mut seat = Seat::new(120, 36);
    let name = "GET /\nrm -rf ~\n\x1b[2J";
    seat.receive(vec![chunk(7, &[root(1, name, 5)])]);
    let effects = seat.keys("<enter>y");
    assert_eq!(effects, [Effect::Copy("GET /⏎rm -rf ~⏎␛[2J".into())]);
    // Of the details: name, resource, service are names too.
    let mut copied = seat.keys("d");
    for _ in 0..12 {
        copied.extend(seat.keys("yj"));
    }
    assert!(
        copied.contains(&Effect::Copy("GET /⏎rm -rf ~⏎␛[2J".into())),
        "{copied:?}"
    );
    let has_lines = |effect: &&Effect| matches!(effect, Effect::Copy(text) if text.contains('\n'));
    assert_eq!(copied.iter().find(has_lines), None);
}

#[test]
fn a_hundred_thousand_spans_do_not_stop_the_keys() {
    let spans: Vec<SpanSpec> = (1..=100_000)
        .map(|id| SpanSpec::under(id - 1, id, "work", i64::try_from(id).unwrap() / 100, 1))
        .collect();
    let mut seat = Seat::with_memory(200, 60, 1 << 30);
    seat.receive(vec![chunk(7, &spans)]);
    for keys in [
        "<enter>",
        "G",
        "g",
        "f",
        "f",
        "[",
        "]",
        "d",
        "j",
        "G",
        "/work<enter>",
        "n",
        "N",
        "<esc>",
        "<esc>",
    ] {
        let begun = Instant::now();
        seat.keys(keys);
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{keys}: {:?}",
            begun.elapsed()
        );
    }
    seat.resize(120, 36);
    seat.keys("G");
    assert_cells(&seat);
}
