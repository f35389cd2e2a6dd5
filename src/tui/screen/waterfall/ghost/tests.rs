//! What is drawn of a start before the request that paid for it.

use super::*;
use crate::store::TraceKey;
use crate::trace::{ContainerFacts, Hello, Now, RelaySource};
use crate::tui::action::{Action, Motion};
use crate::tui::screen::waterfall::WaterfallPane;
use crate::tui::screen::waterfall::sample::{START, Sample, send, send_by, span};
use crate::tui::screen::{Flow, Focus};
use crate::tui::theme::{Color, Glyphs, Theme};

const TASK: &[(&str, &str)] = &[("modal.task_id", "ta-01J8QK")];

fn request(trace: u64, start: i64, duration: i64) -> Sample<'static> {
    Sample {
        trace,
        meta: TASK,
        ..span(trace * 10, 0, start, duration, "handle")
    }
}

fn init(start: i64, duration: i64) -> Vec<Sample<'static>> {
    let child = |id, at, duration, name| Sample {
        trace: 99,
        ..span(id, 990, at, duration, name)
    };
    vec![
        Sample {
            name: "modal.init",
            ..request(99, start, duration)
        },
        child(991, start, duration / 2, "import torch"),
        child(992, start + duration / 2, duration / 4, "model.load"),
        child(993, start, 1, "read config"),
        child(994, start, 0, "nothing"),
    ]
}

fn lines(store: &Store, key: TraceKey, (width, height): (u16, u16), glyphs: Glyphs) -> Vec<String> {
    let mut pane = WaterfallPane::default();
    pane.show(Some(key));
    drawn(&mut pane, store, (width, height), glyphs)
}

fn drawn(
    pane: &mut WaterfallPane,
    store: &Store,
    (width, height): (u16, u16),
    glyphs: Glyphs,
) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let theme = Theme::new(glyphs, Color::Off);
    let context = ViewContext {
        store,
        theme: &theme,
        now: Now::default(),
        flow: Flow::Live,
    };
    pane.refresh(store);
    pane.draw(&context, area, &mut buffer, Focus::Focused);
    let line = |y| -> String {
        let cells = (1..width - 1).filter_map(|x| buffer.cell((x, y)));
        let line: String = cells.map(|cell| cell.symbol().to_owned()).collect();
        line.trim_end().to_owned()
    };
    (1..height - 1).map(line).collect()
}

fn cold() -> (Store, TraceKey) {
    let mut store = Store::new(64 << 20);
    send(&mut store, &init(0, 2_000));
    let key = send(&mut store, &[request(1, 2_100, 2_000)]);
    (store, key)
}

#[test]
fn an_init_stands_before_the_request_on_one_axis() {
    let (store, key) = cold();
    let drawn = lines(&store, key, (80, 26), Glyphs::Unicode).join("\n");
    insta::assert_snapshot!(drawn);
    let drawn = lines(&store, key, (80, 26), Glyphs::Ascii).join("\n");
    assert!(drawn.is_ascii() && drawn.contains("...."), "{drawn}");
}

#[test]
fn the_relay_tells_when_the_process_began() {
    let mut store = Store::new(64 << 20);
    let container = ContainerFacts {
        task_id: Some("ta-01J8QK".into()),
        process_start: Some(UnixNanos(START - 500_000_000)),
        ..ContainerFacts::default()
    };
    let source = RelaySource(7);
    store.hello(Hello { source, container }, UnixNanos(START));
    send_by(&mut store, 7, &init(0, 1_000));
    let tagged = Sample {
        metrics: &[("modal.infer_ms", 300.0)],
        ..request(1, 1_100, 2_000)
    };
    let key = send_by(&mut store, 7, &[tagged]);
    let drawn = lines(&store, key, (80, 34), Glyphs::Unicode).join("\n");
    for words in [
        "process to init",
        "500ms",
        "inference, by its tag",
        "300ms",
        "the queue before the process is not visible in spans",
    ] {
        assert!(drawn.contains(words), "{words}\n{drawn}");
    }
}

#[test]
fn a_model_load_that_only_a_tag_tells_is_said() {
    let mut store = Store::new(64 << 20);
    let mut start = init(0, 2_000);
    start.truncate(2);
    start[0].metrics = &[("modal.model_load_ms", 912.0)];
    send(&mut store, &start);
    let key = send(&mut store, &[request(1, 2_100, 2_000)]);
    let drawn = lines(&store, key, (80, 30), Glyphs::Unicode).join("\n");
    assert!(drawn.contains("model load, by its tag"), "{drawn}");
    assert!(drawn.contains("912ms"), "{drawn}");
}

#[test]
fn a_long_init_is_cut_so_that_the_request_keeps_a_quarter() {
    let mut store = Store::new(64 << 20);
    send(&mut store, &init(0, 60_000));
    let key = send(&mut store, &[request(1, 60_100, 1_000)]);
    let drawn = lines(&store, key, (80, 26), Glyphs::Unicode);
    let of_init = drawn
        .iter()
        .find(|line| line.contains("init (other"))
        .unwrap();
    assert!(
        of_init.contains("◂") && of_init.ends_with("1m00s"),
        "{of_init}"
    );
    let root = drawn.iter().find(|line| line.contains("handle")).unwrap();
    let n_cells = root.chars().filter(|char| *char == '█').count();
    assert!((8..=12).contains(&n_cells), "{n_cells}: {root}");
}

#[test]
fn an_init_that_is_far_away_leaves_the_axis_to_the_request() {
    let mut store = Store::new(64 << 20);
    send(&mut store, &init(0, 2_000));
    let key = send(&mut store, &[request(1, 900_000, 10)]);
    let ghost = Ghost::of(&store, store.trace(key).unwrap()).unwrap();
    assert_eq!(ghost.axis_start, store.trace(key).unwrap().summary().start);
    let drawn = lines(&store, key, (80, 26), Glyphs::Unicode).join("\n");
    assert!(drawn.contains("init (other trace)"), "{drawn}");
}

#[test]
fn who_came_later_or_is_the_start_itself_has_no_ghost() {
    let (mut store, _) = cold();
    let warm = send(&mut store, &[request(2, 9_000, 10)]);
    assert_eq!(Ghost::of(&store, store.trace(warm).unwrap()), None);
    let start = store.traces().next().unwrap();
    assert_eq!(Ghost::of(&store, start), None);
    let (mut store, _) = cold();
    let beside = send(&mut store, &[request(2, 2_200, 10)]);
    assert!(Ghost::of(&store, store.trace(beside).unwrap()).is_some());
}

#[test]
fn where_room_is_short_the_request_keeps_two_thirds_of_it() {
    let (store, key) = cold();
    let n_ghosts = |height: u16| {
        let drawn = lines(&store, key, (80, height), Glyphs::Unicode).join("\n");
        let all = ["init (other", "gap", "queue and boot", "import torch"];
        all.map(|words| drawn.contains(words))
    };
    assert_eq!(n_ghosts(7), [false; 4]);
    assert_eq!(n_ghosts(24), [true; 4]);
    let ghost = Ghost::of(&store, store.trace(key).unwrap()).unwrap();
    let n_lines = text::cells(ghost.n_lines());
    let shown = [(6, 20), (9, 20), (9, 7), (9, 0), (40, 1)];
    let shown = shown.map(|(height, n_rows)| ghost.n_shown(height, n_rows));
    assert_eq!(shown, [2, 3, 3, n_lines.min(9), n_lines]);
    for (width, height) in [(3, 30), (10, 9), (24, 30), (40, 12)] {
        lines(&store, key, (width, height), Glyphs::Unicode);
    }
}

#[test]
fn the_selection_never_lands_on_a_ghost() {
    let (store, key) = cold();
    let mut pane = WaterfallPane::default();
    pane.show(Some(key));
    let root = |drawn: Vec<String>| {
        drawn
            .iter()
            .any(|line| line.starts_with('>') && line.contains("handle"))
    };
    assert!(root(drawn(&mut pane, &store, (80, 26), Glyphs::Unicode)));
    for action in [
        Action::Move(Motion::Up),
        Action::Click { column: 5, row: 3 },
        Action::Scroll(-3),
    ] {
        pane.update(action, &store);
        assert!(root(drawn(&mut pane, &store, (80, 26), Glyphs::Unicode)));
    }
}
