//! An app in front of a terminal of cells: keys go in as they are written, frames come out as text
//! with a plane of styles beside it.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseEvent};
use ratatui::crossterm::event::{MouseButton, MouseEventKind};
use ratatui::style::{Color, Modifier};

use super::fixture::{at, lines as lines_read, payload};
use crate::ingest::Inbound;
use crate::logs::LogRecord;
use crate::store::Store;
use crate::trace::TraceChunk;
use crate::tui::app::{App, Listening, UiOptions};
use crate::tui::message::{Effects, Message};

/// The app, its cells and its clock.
pub(super) struct Seat {
    pub(super) app: App,
    terminal: Terminal<TestBackend>,
    pub(super) millis: i64,
}

pub(super) fn options() -> UiOptions {
    UiOptions {
        listening: Listening {
            url: Some("http://127.0.0.1:8126".into()),
            ..Listening::default()
        },
        ..UiOptions::default()
    }
}

impl Seat {
    pub(super) fn new(width: u16, height: u16) -> Self {
        Self::with(width, height, options())
    }

    pub(super) fn with(width: u16, height: u16, options: UiOptions) -> Self {
        Self::over(Store::new(64 << 20), (width, height), options)
    }

    pub(super) fn with_memory(width: u16, height: u16, bytes_max: usize) -> Self {
        Self::over(Store::new(bytes_max), (width, height), options())
    }

    pub(super) fn over(store: Store, (width, height): (u16, u16), options: UiOptions) -> Self {
        let mut seat = Self {
            app: App::new(store, options),
            terminal: Terminal::new(TestBackend::new(width, height)).unwrap(),
            millis: 7_000,
        };
        seat.draw();
        seat
    }

    /// Chunks that come each for itself, a second apart, and are drawn as they come.
    pub(super) fn receive(&mut self, chunks: Vec<TraceChunk>) -> &mut Self {
        for chunk in chunks {
            self.millis += 1_000;
            self.inbound(payload(vec![chunk], at(self.millis)));
            self.draw();
        }
        self
    }

    /// Lines that come together, a second later.
    pub(super) fn receive_lines(&mut self, records: Vec<LogRecord>) -> &mut Self {
        self.millis += 1_000;
        self.inbound(lines_read(records));
        self.draw();
        self
    }

    pub(super) fn inbound(&mut self, inbound: Inbound) -> &mut Self {
        self.message(Message::Inbound(inbound));
        self
    }

    pub(super) fn message(&mut self, message: Message) -> Effects {
        self.app.update(message, at(self.millis))
    }

    /// Presses keys written as `jj<enter>`, `<ctrl+d>`, with a frame after each.
    pub(super) fn keys(&mut self, keys: &str) -> Effects {
        let mut effects = Vec::new();
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let name = rest
                .strip_prefix('<')
                .and_then(|named| named.split_once('>'));
            let event = if let Some((name, after)) = name {
                rest = after;
                named_key(name)
            } else {
                rest = rest.strip_prefix(first).unwrap_or("");
                KeyEvent::new(KeyCode::Char(first), KeyModifiers::NONE)
            };
            effects.extend(self.message(Message::Input(Event::Key(event))));
            self.draw();
        }
        effects
    }

    pub(super) fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let modifiers = KeyModifiers::NONE;
        let mouse = MouseEvent {
            kind,
            column,
            row,
            modifiers,
        };
        self.message(Message::Input(Event::Mouse(mouse)));
        self.draw();
    }

    pub(super) fn click(&mut self, column: u16, row: u16) {
        self.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
    }

    pub(super) fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.message(Message::Input(Event::Resize(width, height)));
        self.draw();
    }

    pub(super) fn draw(&mut self) {
        let now = at(self.millis);
        self.app.update(Message::Frame, now);
        let (app, terminal) = (&mut self.app, &mut self.terminal);
        terminal.draw(|frame| app.view(frame, now)).unwrap();
    }

    pub(super) fn buffer(&self) -> &Buffer {
        self.terminal.backend().buffer()
    }

    /// The lines of the screen.
    pub(super) fn lines(&self) -> Vec<String> {
        lines(self.buffer(), |cell| cell.symbol().to_owned())
    }

    /// The line that holds a text.
    #[track_caller]
    pub(super) fn line_with(&self, text: &str) -> String {
        let found = self.lines().into_iter().find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("{text:?} is nowhere in\n{}", self.lines().join("\n")))
    }

    pub(super) fn shows(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    /// The resource of the selected row of the list.
    #[track_caller]
    pub(super) fn selected_row(&self) -> String {
        let lines = self.lines();
        let row = lines.iter().find_map(|line| line.split_once("│>"));
        let row = row.unwrap_or_else(|| panic!("nothing is selected in\n{}", lines.join("\n")));
        row.1.trim().split("   ").next().unwrap_or("").to_owned()
    }

    /// A line of the screen, and below it what of it is underlined.
    pub(super) fn underlined_line(&self, row: usize) -> String {
        let marks = lines(self.buffer(), |cell| {
            let is_underlined = cell.modifier.contains(Modifier::UNDERLINED);
            if is_underlined { "^" } else { " " }.to_owned()
        });
        format!("{}\n{}\n", self.lines()[row], marks[row])
    }

    /// The screen as it is kept: its lines, and below them a letter for each cell's style.
    pub(super) fn picture(&self) -> String {
        let mut picture = self.lines().join("\n");
        picture.push_str("\n\nstyles: . plain  d dim  b bold  r reversed  small letter: colour\n");
        picture.push_str("        E bold red  e red  y yellow  Y bold yellow  g green  G bold green  c cyan  m magenta  l blue  o other\n");
        let styles = lines(self.buffer(), |cell| style_letter(cell).to_string());
        picture.push_str(&styles.join("\n"));
        picture
    }
}

fn lines(buffer: &Buffer, cell_text: impl Fn(&Cell) -> String) -> Vec<String> {
    let width = usize::from(buffer.area.width).max(1);
    let row = |cells: &[Cell]| {
        let row: String = cells.iter().map(&cell_text).collect();
        row.trim_end().to_owned()
    };
    buffer.content.chunks(width).map(row).collect()
}

fn style_letter(cell: &Cell) -> char {
    let has = |modifier| cell.modifier.contains(modifier);
    let is_bold = has(Modifier::BOLD);
    match cell.fg {
        _ if has(Modifier::REVERSED) => 'r',
        Color::Red if is_bold => 'E',
        Color::Red => 'e',
        Color::Yellow if is_bold => 'Y',
        Color::Yellow => 'y',
        Color::Green if is_bold => 'G',
        Color::Green => 'g',
        Color::Cyan => 'c',
        Color::Magenta => 'm',
        Color::Blue => 'l',
        Color::Reset if is_bold => 'b',
        Color::Reset if has(Modifier::DIM) => 'd',
        Color::Reset if cell.symbol() == " " => ' ',
        Color::Reset => '.',
        _ => 'o',
    }
}

fn named_key(name: &str) -> KeyEvent {
    let (modifiers, name) = match name.strip_prefix("ctrl+") {
        Some(name) => (KeyModifiers::CONTROL, name),
        None => (KeyModifiers::NONE, name),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "backtab" => KeyCode::BackTab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        _ => KeyCode::Char(name.chars().next().unwrap_or(' ')),
    };
    KeyEvent::new(code, modifiers)
}
