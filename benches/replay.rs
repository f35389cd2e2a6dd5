//! What it costs to ask what another Agent would have kept: reading 100,000 held traces once, and each
//! replay of them; and the screen over them that says what this one keeps. Items are traces.
//!
//! ```text
//! cargo bench --bench replay
//! ```

#![expect(clippy::unwrap_used, reason = "a bench says where it cannot go on")]

#[path = "support/payload.rs"]
mod payload;

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use modtrace_tui::ingest::{Brought, Inbound, Received, Request, RequestClass, RequestRecord};
use modtrace_tui::sampler::replay::{Outcome, Tape, WhatIf};
use modtrace_tui::sampler::{RareSettings, RareSpans, Settings};
use modtrace_tui::store::Store;
use modtrace_tui::trace::{ChunkBuilder, Now, UnixNanos, Via};
use modtrace_tui::tui::app::{App, UiOptions};
use modtrace_tui::tui::message::Message;
use modtrace_tui::wire::v04;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use payload::{Format, Tags};

const N_PAYLOADS: u64 = 1_000;
const N_TRACES: usize = 100;
const PLENTY: usize = 4 << 30;

/// A thousand seconds of a hundred traces each.
static STORE: LazyLock<Store> = LazyLock::new(filled);

fn received(seed: u64) -> Received {
    let mut builder = ChunkBuilder::default();
    let body = payload::encode(Format::V04, Tags::Light, N_TRACES, seed);
    let second = i64::try_from(seed).unwrap();
    Received::new(
        UnixNanos(1_795_176_000_000_000_000 + second * 1_000_000_000),
        Via::Http,
        v04::decode(&body, &mut builder).unwrap(),
    )
}

fn filled() -> Store {
    let mut store = Store::new(PLENTY);
    for seed in 0..N_PAYLOADS {
        store.insert(received(seed), Now::default());
    }
    assert_eq!(store.n_traces(), 100_000);
    store
}

static TAPE: LazyLock<Tape> = LazyLock::new(|| STORE.tape(RareSpans::LeftOut));
static TAPE_WITH_RARE: LazyLock<Tape> = LazyLock::new(|| STORE.tape(RareSpans::Read));

fn main() {
    divan::main();
}

#[divan::bench(args = [RareSpans::LeftOut, RareSpans::Read], sample_count = 5)]
fn read(bencher: Bencher<'_, '_>, rare: RareSpans) {
    LazyLock::force(&STORE);
    bencher
        .counter(ItemsCount::new(STORE.n_traces()))
        .bench_local(|| STORE.tape(rare));
}

fn replayed(bencher: Bencher<'_, '_>, tape: &Tape, what_if: &WhatIf) {
    bencher
        .counter(ItemsCount::new(tape.n_traces()))
        .bench_local(|| {
            let Outcome {
                n_traces, n_kept, ..
            } = tape.replay(what_if);
            assert!((1..=n_traces).contains(&n_kept));
            n_kept
        });
}

#[divan::bench]
fn as_it_was(bencher: Bencher<'_, '_>) {
    replayed(bencher, &TAPE, &WhatIf::default());
}

#[divan::bench]
fn with_a_rule(bencher: Bencher<'_, '_>) {
    let what_if = WhatIf {
        rule: Some(0.1),
        ..WhatIf::default()
    };
    replayed(bencher, &TAPE, &what_if);
}

#[divan::bench(args = [1, 8, 50], sample_count = 20)]
fn at_a_time(bencher: Bencher<'_, '_>, slots: usize) {
    let what_if = WhatIf {
        slots: NonZeroUsize::new(slots),
        ..WhatIf::default()
    };
    replayed(bencher, &TAPE, &what_if);
}

#[divan::bench]
fn with_the_rare_sampler(bencher: Bencher<'_, '_>) {
    let what_if = WhatIf {
        agent: Settings {
            rare: Some(RareSettings::default()),
            ..Settings::default()
        },
        ..WhatIf::default()
    };
    replayed(bencher, &TAPE_WITH_RARE, &what_if);
}

/// The screen of sampling.
struct Screen {
    app: App,
    terminal: Terminal<TestBackend>,
    now: Now,
}

impl Screen {
    /// Over all traces, about to be opened.
    fn new() -> Self {
        let mut screen = Self {
            app: App::new(filled(), UiOptions::default()),
            terminal: Terminal::new(TestBackend::new(120, 36)).unwrap(),
            now: Now::default(),
        };
        screen.draw();
        let key = KeyEvent::new(KeyCode::Char('3'), KeyModifiers::NONE);
        screen
            .app
            .update(Message::Input(Event::Key(key)), screen.now);
        screen
    }

    fn draw(&mut self) {
        let (app, now) = (&mut self.app, self.now);
        self.terminal.draw(|frame| app.view(frame, now)).unwrap();
    }
}

/// Reads what is to be counted of all traces.
#[divan::bench(sample_count = 5)]
fn first_frame(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(Screen::new)
        .bench_local_refs(Screen::draw);
}

#[divan::bench]
fn frame_when_nothing_came(bencher: Bencher<'_, '_>) {
    let mut screen = Screen::new();
    screen.draw();
    bencher.bench_local(|| screen.draw());
}

/// Counts all again, as four times a second at most; the payload is decoded and taken too.
#[divan::bench]
fn frame_when_a_payload_came(bencher: Bencher<'_, '_>) {
    let mut screen = Screen::new();
    screen.draw();
    let mut seed = N_PAYLOADS;
    bencher.bench_local(|| {
        seed += 1;
        screen.now.uptime_ns += 1_000_000_000;
        let brought = Brought::Spans(received(seed));
        let record = RequestRecord {
            at: screen.now.wall,
            via: Via::Http,
            method: "PUT".into(),
            path: "/v0.4/traces".into(),
            endpoint: "/v0.4/traces".into(),
            class: RequestClass::Traces,
            status: 200,
            bytes: 1,
            client: "bench".into(),
            note: "".into(),
            announced_chunks: 100,
        };
        let inbound = Inbound::Request(Box::new(Request { record, brought }));
        screen.app.update(Message::Inbound(inbound), screen.now);
        screen.draw();
    });
}
