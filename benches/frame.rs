//! How long a frame takes while a trace of 100,000 spans fills the screen, at 120x36: still, with
//! the selection moved, scrolled, folded, found in. Once with spans that branch, once all below one
//! parent, once each below the one before; and with 10,000 log lines of the trace, and a million lines
//! in the list of all; and 100,000 requests of one resource on the screen of latency. A frame must stay
//! under 2 ms whatever the trace; one that counts requests again is allowed more, once a second.
//!
//! ```text
//! cargo bench --bench frame
//! cargo bench --bench frame -- ratios
//! ```
//!
//! The second compares a trace of a million spans with one of a thousand, and counts the bytes of a
//! frame.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock, prints, and says where it cannot go on"
)]

#[path = "support/compare.rs"]
mod compare;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use divan::{Bencher, black_box};
use modtrace_tui::ingest::{Inbound, Lines, Received, Request, RequestClass, RequestRecord};
use modtrace_tui::logs::{LogRecord, LogSource};
use modtrace_tui::store::Store;
use modtrace_tui::trace::{
    Attribute, ChunkBuilder, Field, Now, SpanId, TraceId, TracerInfo, TracerPayload, UnixNanos, Via,
};
use modtrace_tui::tui::app::{App, UiOptions};
use modtrace_tui::tui::message::Message;
use ratatui::backend::{CrosstermBackend, TestBackend};
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use compare::{median, say};

const N_SPANS: u64 = 100_000;
const START: i64 = 1_795_204_425_000_000_000;

fn main() {
    if compare::is_asked() {
        print_ratios();
    } else {
        divan::main();
    }
}

/// How the spans hang together.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Branching,
    Wide,
    Deep,
}

const SHAPES: [Shape; 3] = [Shape::Branching, Shape::Wide, Shape::Deep];

impl Shape {
    fn parent(self, id: u64) -> u64 {
        match self {
            Self::Branching => id / 4,
            Self::Wide => u64::from(id > 1),
            Self::Deep => id - 1,
        }
    }
}

/// The app with the trace on the whole screen, drawn once.
struct Screen {
    app: App,
    terminal: Terminal<TestBackend>,
    uptime_ns: u64,
}

impl Screen {
    fn new(shape: Shape, n_spans: u64) -> Self {
        let app = App::new(Store::new(1 << 30), UiOptions::default());
        let mut screen = Self {
            app,
            terminal: Terminal::new(TestBackend::new(120, 36)).unwrap(),
            uptime_ns: 0,
        };
        screen.send(shape, 1..=n_spans);
        screen.draw();
        screen.press(KeyCode::Enter);
        screen.draw();
        screen
    }

    fn now(&self) -> Now {
        Now {
            wall: UnixNanos(START),
            uptime_ns: self.uptime_ns,
        }
    }

    fn send(&mut self, shape: Shape, ids: impl IntoIterator<Item = u64>) {
        let request = Inbound::Request(Box::new(request(shape, ids)));
        self.app.update(Message::Inbound(request), self.now());
    }

    /// Lines, each of another span of the trace.
    fn send_lines(&mut self, trace: TraceId, numbers: std::ops::Range<u64>) {
        let record = |number: u64| {
            let line = format!(r#"{{"event":"step.done","number":{number},"user":"u_19"}}"#);
            let mut record = LogRecord::parse(&line, LogSource::Stdout, UnixNanos(START));
            let offset = i64::try_from(number).unwrap() * 10_000;
            record.time = Some(UnixNanos(START + offset));
            record.ids.trace = trace;
            record.ids.span = SpanId(number % N_SPANS + 1);
            record
        };
        let lines = Lines {
            records: numbers.map(record).collect(),
            ..Lines::default()
        };
        let lines = Inbound::Lines(Box::new(lines));
        self.app.update(Message::Inbound(lines), self.now());
    }

    fn press(&mut self, code: KeyCode) {
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        self.app.update(Message::Input(Event::Key(key)), self.now());
    }

    fn draw(&mut self) {
        let now = self.now();
        let app = &mut self.app;
        let drawn = self.terminal.draw(|frame| app.view(frame, now));
        black_box(drawn.unwrap());
    }
}

fn request(shape: Shape, ids: impl IntoIterator<Item = u64>) -> Request {
    let mut builder = ChunkBuilder::default();
    for id in ids {
        span(&mut builder, shape, id);
    }
    taken(&mut builder)
}

/// What a builder holds, as it comes from the agent.
fn taken(builder: &mut ChunkBuilder) -> Request {
    let chunks = builder.finish();
    let payload = TracerPayload {
        tracer: TracerInfo::default().into(),
        n_chunks: chunks.len(),
        form: modtrace_tui::trace::PayloadForm::default(),
        chunks,
    };
    let at = UnixNanos(START);
    Request {
        record: RequestRecord {
            at,
            via: Via::Http,
            method: "PUT".into(),
            path: "/v0.4/traces".into(),
            endpoint: "/v0.4/traces".into(),
            class: RequestClass::Traces,
            status: 200,
            bytes: 1,
            client: "bench".into(),
            note: "".into(),
            announced_chunks: 1,
        },
        brought: modtrace_tui::ingest::Brought::Spans(Received::new(at, Via::Http, payload)),
    }
}

fn span(builder: &mut ChunkBuilder, shape: Shape, id: u64) {
    builder.begin_span().unwrap();
    let numbers = [
        (Field::TraceId, 7),
        (Field::SpanId, id),
        (Field::ParentId, shape.parent(id)),
        (Field::Start, START.cast_unsigned() + id * 1_000),
        (Field::Duration, (2 * N_SPANS - id) * 1_000),
        (Field::Error, u64::from(id == N_SPANS)),
    ];
    for (field, number) in numbers {
        builder.set_number(field, number);
    }
    let texts = [
        (Field::Service, format!("service-{}", id % 3)),
        (Field::Name, format!("operation.{}", id % 50)),
        (Field::Resource, format!("GET /documents/{id}")),
        (Field::Type, "web".to_owned()),
    ];
    for (field, text) in texts {
        let text = builder.text(text.as_bytes()).unwrap();
        builder.set_text(field, text);
    }
    let pairs = [("span.kind", "internal"), ("model", "qwen2-7b")];
    let pairs = pairs.map(|(key, value)| {
        let key = builder.text(key.as_bytes()).unwrap();
        (key, builder.text(value.as_bytes()).unwrap())
    });
    let mut writer = builder.attribute(Attribute::Meta);
    let map = writer.open_map();
    for (key, value) in pairs {
        writer.key(key);
        writer.text(value);
    }
    writer.close(map);
}

/// Nothing changed: what composing costs.
#[divan::bench(args = SHAPES)]
fn still(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut screen = Screen::new(shape, N_SPANS);
    bencher.bench_local(|| screen.draw());
}

#[divan::bench(args = SHAPES)]
fn move_selection(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut screen = Screen::new(shape, N_SPANS);
    bencher.bench_local(|| {
        screen.press(KeyCode::Char('j'));
        screen.draw();
    });
}

#[divan::bench(args = SHAPES)]
fn scroll_a_page(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut screen = Screen::new(shape, N_SPANS);
    bencher.bench_local(|| {
        screen.press(KeyCode::PageDown);
        screen.draw();
    });
}

#[divan::bench(args = SHAPES)]
fn fold_and_open_all(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut screen = Screen::new(shape, N_SPANS);
    bencher.bench_local(|| {
        screen.press(KeyCode::Char('['));
        screen.press(KeyCode::Char(']'));
        screen.draw();
    });
}

/// From the root to the only error, the last span that came.
#[divan::bench(args = SHAPES)]
fn find_the_error(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut screen = Screen::new(shape, N_SPANS);
    bencher.bench_local(|| {
        screen.press(KeyCode::Char('g'));
        screen.press(KeyCode::Char('e'));
        screen.draw();
    });
}

/// One more span, and time enough for the tree to be built again.
#[divan::bench(args = SHAPES)]
fn rebuild_after_growth(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut screen = Screen::new(shape, N_SPANS);
    let mut next = N_SPANS;
    bencher.bench_local(|| {
        next += 1;
        screen.uptime_ns += 1_000_000_000;
        screen.send(shape, [next]);
        screen.draw();
    });
}

/// As [`still`], with 10,000 lines of the trace on its axis and in their pane.
#[divan::bench(args = SHAPES)]
fn still_with_lines(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut screen = Screen::new(shape, N_SPANS);
    screen.send_lines(TraceId(7), 0..10_000);
    screen.draw();
    bencher.bench_local(|| screen.draw());
}

/// As [`move_selection`], with 10,000 lines.
#[divan::bench(args = SHAPES)]
fn move_selection_with_lines(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut screen = Screen::new(shape, N_SPANS);
    screen.send_lines(TraceId(7), 0..10_000);
    bencher.bench_local(|| {
        screen.press(KeyCode::Char('j'));
        screen.draw();
    });
}

/// One more line in each frame, beside 10,000.
#[divan::bench]
fn a_line_comes(bencher: Bencher<'_, '_>) {
    let mut screen = Screen::new(Shape::Branching, N_SPANS);
    screen.send_lines(TraceId(7), 0..10_000);
    let mut next = 10_000;
    bencher.bench_local(|| {
        next += 1;
        screen.send_lines(TraceId(7), next..next + 1);
        screen.draw();
    });
}

/// A key of a filter over a million lines, and the frame after it.
#[divan::bench]
fn type_a_filter_over_a_million_lines(bencher: Bencher<'_, '_>) {
    let mut screen = Screen::new(Shape::Branching, 10);
    screen.send_lines(TraceId(0), 0..1_000_000);
    screen.press(KeyCode::Char('2'));
    screen.draw();
    screen.press(KeyCode::Char('/'));
    bencher.bench_local(|| {
        screen.press(KeyCode::Char('9'));
        screen.draw();
    });
}

/// One more line in each frame that shows the last of a million.
#[divan::bench]
fn follow_a_million_lines(bencher: Bencher<'_, '_>) {
    let mut screen = Screen::new(Shape::Branching, 10);
    screen.send_lines(TraceId(0), 0..1_000_000);
    screen.press(KeyCode::Char('2'));
    let mut next = 1_000_000;
    bencher.bench_local(|| {
        next += 1;
        screen.send_lines(TraceId(0), next..next + 1);
        screen.draw();
    });
}

/// The same keys in a trace of ten spans: what the rest of the screen costs.
#[divan::bench]
fn small_trace_move_selection(bencher: Bencher<'_, '_>) {
    let mut screen = Screen::new(Shape::Branching, 10);
    bencher.bench_local(|| {
        screen.press(KeyCode::Char('j'));
        screen.press(KeyCode::Char('k'));
        screen.draw();
    });
}

/// The screen of latency over so many requests of one resource, on ten containers.
struct LatencyScreen {
    screen: Screen,
    n_requests: u64,
}

impl LatencyScreen {
    /// Opened, and not drawn since.
    fn opened(n_requests: u64) -> Self {
        let app = App::new(Store::new(4 << 30), UiOptions::default());
        let screen = Screen {
            app,
            terminal: Terminal::new(TestBackend::new(120, 36)).unwrap(),
            uptime_ns: 0,
        };
        let mut opened = Self {
            screen,
            n_requests: 0,
        };
        opened.receive(n_requests);
        opened.screen.draw();
        opened.screen.press(KeyCode::Char('4'));
        opened
    }

    /// All requests read.
    fn read(n_requests: u64) -> Self {
        let mut read = Self::opened(n_requests);
        while read.screen.app.is_dirty() {
            read.screen.draw();
        }
        read
    }

    fn receive(&mut self, n: u64) {
        let mut builder = ChunkBuilder::default();
        for id in self.n_requests..self.n_requests + n {
            one_request(&mut builder, id);
        }
        self.n_requests += n;
        let request = Inbound::Request(Box::new(taken(&mut builder)));
        let now = self.screen.now();
        self.screen.app.update(Message::Inbound(request), now);
    }
}

/// A request of 100 to 500 ms, on one of ten containers.
fn one_request(builder: &mut ChunkBuilder, id: u64) {
    builder.begin_span().unwrap();
    let millis = 100 + id.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 400;
    let numbers = [
        (Field::TraceId, id + 1),
        (Field::SpanId, id + 1),
        (Field::Start, START.cast_unsigned() + id * 10_000_000),
        (Field::Duration, millis * 1_000_000),
    ];
    for (field, number) in numbers {
        builder.set_number(field, number);
    }
    for field in [Field::Service, Field::Name, Field::Resource] {
        let text = builder.text(b"POST /v1/generate").unwrap();
        builder.set_text(field, text);
    }
    let key = builder.text(b"modal.task_id").unwrap();
    let task = format!("ta-01AAAA{}", id % 10);
    let value = builder.text(task.as_bytes()).unwrap();
    let mut writer = builder.attribute(Attribute::Meta);
    let map = writer.open_map();
    writer.key(key);
    writer.text(value);
    writer.close(map);
}

/// As [`still`], on the screen of latency.
#[divan::bench]
fn latency_still(bencher: Bencher<'_, '_>) {
    let mut read = LatencyScreen::read(100_000);
    bencher.bench_local(|| read.screen.draw());
}

/// Another histogram, bucket, container is selected.
#[divan::bench]
fn latency_move_selection(bencher: Bencher<'_, '_>) {
    let mut read = LatencyScreen::read(100_000);
    bencher.bench_local(|| {
        for key in ['l', 'j', 'G', 'g'] {
            read.screen.press(KeyCode::Char(key));
        }
        read.screen.draw();
    });
}

/// One more request, and time enough for all to be counted again.
#[divan::bench(sample_count = 20)]
fn latency_when_a_request_came(bencher: Bencher<'_, '_>) {
    let mut read = LatencyScreen::read(100_000);
    bencher.bench_local(|| {
        read.screen.uptime_ns += 1_000_000_000;
        read.receive(1);
        read.screen.draw();
    });
}

/// The same, by container.
#[divan::bench(sample_count = 20)]
fn latency_by_container_when_a_request_came(bencher: Bencher<'_, '_>) {
    let mut read = LatencyScreen::read(100_000);
    read.screen.press(KeyCode::Char('o'));
    bencher.bench_local(|| {
        read.screen.uptime_ns += 1_000_000_000;
        read.receive(1);
        read.screen.draw();
    });
}

/// The first frame of the screen: as many requests are read as one has time for.
#[divan::bench(sample_count = 5)]
fn latency_first_frame(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| LatencyScreen::opened(100_000))
        .bench_local_refs(|opened| opened.screen.draw());
}

/// Frames that are drawn for a figure.
const N_FRAMES: usize = 2_000;

fn print_ratios() {
    let [small, middle, large] = [1_000, N_SPANS, 1_000_000].map(|n_spans| {
        let mut screen = Screen::new(Shape::Branching, n_spans);
        let times = scroll(&mut screen);
        println!(
            "{n_spans} spans: {:.3} ms a frame, p99 {:.3} ms",
            median(times.clone()),
            percentile(&times, 99)
        );
        times
    });
    say("frame.p99.ms", percentile(&middle, 99));
    say("frame.million.thousand", median(large) / median(small));
    let mut screen = Screen::new(Shape::Branching, N_SPANS);
    let rebuilds = (1..=100).map(|place| {
        screen.uptime_ns += 1_000_000_000;
        screen.send(Shape::Branching, [N_SPANS + place]);
        let begun = Instant::now();
        screen.draw();
        begun.elapsed().as_secs_f64() * 1e3
    });
    say("frame.rebuild.ms", median(rebuilds.collect()));
    print_latency();
    print_bytes();
}

/// A frame of the screen of latency over 100,000 requests: when nothing came, and when one did.
fn print_latency() {
    let mut read = LatencyScreen::read(100_000);
    let mut draw = |n_new: u64| {
        read.screen.uptime_ns += 1_000_000_000;
        if n_new > 0 {
            read.receive(n_new);
        }
        let begun = Instant::now();
        read.screen.draw();
        begun.elapsed().as_secs_f64() * 1e3
    };
    say(
        "frame.latency.still.ms",
        median((0..100).map(|_| draw(0)).collect()),
    );
    say(
        "frame.latency.counted.ms",
        median((0..50).map(|_| draw(1)).collect()),
    );
}

/// Milliseconds of each frame while the selection runs down a page at a time, and up again.
fn scroll(screen: &mut Screen) -> Vec<f64> {
    let one_frame = |place: usize| {
        let is_down = place % 200 < 100;
        let key = if is_down {
            KeyCode::PageDown
        } else {
            KeyCode::PageUp
        };
        let begun = Instant::now();
        screen.press(key);
        screen.draw();
        begun.elapsed().as_secs_f64() * 1e3
    };
    (0..N_FRAMES).map(one_frame).collect()
}

fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() * percent / 100]
}

/// Counts what would go to the terminal.
#[derive(Clone, Default)]
struct Counter(Rc<Cell<usize>>);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of a frame: when nothing has changed, when a second has passed, when the view moves a row.
fn print_bytes() {
    let mut screen = Screen::new(Shape::Branching, N_SPANS);
    let counter = Counter::default();
    let viewport = Viewport::Fixed(Rect::new(0, 0, 120, 36));
    let backend = CrosstermBackend::new(counter.clone());
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
    let mut bytes_of = |screen: &mut Screen| {
        counter.0.set(0);
        if screen.app.is_dirty() {
            let now = screen.now();
            let app = &mut screen.app;
            terminal.draw(|frame| app.view(frame, now)).unwrap();
        }
        counter.0.get() as f64
    };
    let page_down = |screen: &mut Screen| {
        for _ in 0..40 {
            screen.press(KeyCode::Char('j'));
        }
    };
    page_down(&mut screen);
    bytes_of(&mut screen);
    say("frame.bytes.still", bytes_of(&mut screen));
    screen.uptime_ns += 1_000_000_000;
    screen.app.update(Message::Frame, screen.now());
    say("frame.bytes.tick", bytes_of(&mut screen));
    let rows = (0..100).map(|_| {
        screen.press(KeyCode::Char('j'));
        bytes_of(&mut screen)
    });
    say("frame.bytes.scroll", median(rows.collect()));
}
