//! The terminal while it is ours: entering, frames, keys, suspending, and giving it back on every
//! way out. Draws nothing itself, and never waits for a terminal that does not read.
//!
//! ```text
//! draw ─▶ ratatui ─▶ bytes of one frame ─▶ Writer (a thread, one piece at a time) ─▶ tty
//! ```

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste};
use crossterm::event::{Event, EventStream};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use futures_util::StreamExt;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, TerminalOptions, Viewport};

use crate::config::Mouse;

mod device;
mod hook;
mod job_control;
mod writer;

use hook::Owner;
pub(crate) use hook::Panics;
use writer::Writer;

/// How long each step of giving the terminal back may take.
const RESTORE_WAIT: Duration = Duration::from_millis(250);
/// Larger is no screen but a mistake, and would only cost memory.
const COLUMNS_MAX: u16 = 2_000;
const ROWS_MAX: u16 = 1_000;
/// Clicks and the wheel, with coordinates of any size; no reports of mere movement.
const ENABLE_CLICKS: &str = "\x1b[?1000h\x1b[?1006h";

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TerminalError {
    /// Standard output is a file or a pipe.
    #[error("standard output is not a terminal: use --headless for one JSON object a line")]
    NotATerminal,
    /// The terminal refused.
    #[error("the terminal cannot be set up ({0}): use --headless for one JSON object a line")]
    Setup(#[from] io::Error),
}

/// What became of the wish to be suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspended {
    /// The terminal is given back and the process stops; [`Terminal::resume`] on `SIGCONT`.
    Stopped,
    /// There is no shell to come back from; nothing changed.
    NotPossible,
}

/// The terminal, ours until this is dropped.
pub(crate) struct Terminal {
    screen: ratatui::Terminal<CrosstermBackend<FrameBuffer>>,
    frame: FrameBuffer,
    area: Rect,
    shown: Shown,
    tty: Arc<Tty>,
    panics: Panics,
}

/// Whether the terminal still shows what was drawn last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// It does: the next frame is drawn as a difference.
    LastFrame,
    /// It may not: the next frame is drawn in full.
    Unknown,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("area", &self.area)
            .field("tty", &self.tty)
            .finish_non_exhaustive()
    }
}

impl Terminal {
    /// Takes the terminal: raw mode, the other screen, no cursor. Call it on the thread that draws,
    /// outside any task.
    pub(crate) fn enter(mouse: Mouse) -> Result<Self, TerminalError> {
        if !io::stdout().is_terminal() {
            return Err(TerminalError::NotATerminal);
        }
        let output = device::open()?;
        // NO_COLOR is ours to honour: crossterm's way would also switch bold and reversed off.
        crossterm::style::force_color_output(true);
        let tty = Arc::new(Tty {
            writer: Writer::start(output)?,
            mouse,
            ours: AtomicBool::new(false),
        });
        let (restored, asked) = (Arc::clone(&tty), Arc::clone(&tty));
        let panics = hook::install(move || restored.restore(), move || asked.owner());
        let frame = FrameBuffer::default();
        let area = size();
        let mut terminal = Self {
            screen: screen(&frame, area)?,
            frame,
            area,
            shown: Shown::Unknown,
            tty,
            panics,
        };
        terminal.take()?;
        Ok(terminal)
    }

    /// Whether the last frame has been written and another one can be drawn.
    pub(crate) fn is_ready(&self) -> bool {
        self.tty.owner() == Owner::Us && self.tty.writer.is_ready()
    }

    /// Waits until the last frame has been written; while the shell has the terminal, for ever.
    pub(crate) async fn ready(&self) {
        if self.tty.owner() == Owner::Shell {
            std::future::pending::<()>().await;
        }
        self.tty.writer.ready().await;
    }

    /// Whether nobody is at its other end any more. [`Input::next`] does not say so: crossterm's reader
    /// goes on reading the end of such a terminal as fast as it can.
    pub(crate) fn is_gone(&self) -> bool {
        self.tty.owner() == Owner::Us && device::is_gone()
    }

    /// Draws a frame in the size the terminal has now and hands it to the writer. Does nothing
    /// unless [`Terminal::is_ready`].
    pub(crate) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if !self.is_ready() {
            return Ok(());
        }
        crossterm::queue!(self.frame, BeginSynchronizedUpdate)?;
        if self.shown == Shown::Unknown || size() != self.area {
            self.start_over()?;
        }
        self.screen.draw(view)?;
        crossterm::queue!(self.frame, EndSynchronizedUpdate)?;
        self.send();
        Ok(())
    }

    /// To be called when the size has changed, even if it is the same again by now: a terminal that
    /// was small for a moment has lost what did not fit.
    pub(crate) fn redraw_in_full(&mut self) {
        self.shown = Shown::Unknown;
    }

    /// Sends bytes beside the frames, such as text for the clipboard: at once, or with the next
    /// frame.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.frame.0.borrow_mut().extend_from_slice(bytes);
        self.send();
    }

    /// The panics of tasks, for notices.
    pub(crate) fn panics(&self) -> Panics {
        self.panics.clone()
    }

    /// Gives the terminal back and stops this process and those it was started with, as `^z` does
    /// where the terminal handles it.
    pub(crate) fn suspend(&mut self) -> io::Result<Suspended> {
        if !job_control::is_possible() {
            return Ok(Suspended::NotPossible);
        }
        self.tty.restore();
        match job_control::stop() {
            Ok(()) => Ok(Suspended::Stopped),
            Err(error) => {
                self.take()?;
                Err(error)
            }
        }
    }

    /// Takes the terminal again, after `SIGCONT`; the next frame is drawn in full.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        // Whoever stopped us from outside may have changed the mode meanwhile.
        crossterm::terminal::disable_raw_mode()?;
        self.take()
    }

    fn take(&mut self) -> io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        self.tty.ours.store(true, Ordering::SeqCst);
        crossterm::queue!(self.frame, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
        if self.tty.mouse == Mouse::Captured {
            crossterm::queue!(self.frame, Print(ENABLE_CLICKS))?;
        }
        self.shown = Shown::Unknown;
        self.send();
        Ok(())
    }

    /// Empties the screen, and has the next frame drawn in full and in the size of now.
    fn start_over(&mut self) -> io::Result<()> {
        self.area = size();
        self.shown = Shown::LastFrame;
        self.screen = screen(&self.frame, self.area)?;
        crossterm::queue!(self.frame, Clear(ClearType::All))
    }

    fn send(&mut self) {
        if self.is_ready() {
            self.tty.writer.send(self.frame.0.take());
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tty.restore();
    }
}

/// Keys, clicks, pasted text and changes of size.
#[derive(Debug, Default)]
pub(crate) struct Input(EventStream);

impl Input {
    /// The next one; `None` or an error when the terminal is gone.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Event>> {
        let event = self.0.next().await;
        if let Some(Ok(Event::Resize(..))) = event {
            device::announce_unread();
        }
        event
    }
}

/// The part that the panic hook needs too.
#[derive(Debug)]
struct Tty {
    writer: Writer,
    mouse: Mouse,
    ours: AtomicBool,
}

impl Tty {
    fn owner(&self) -> Owner {
        if self.ours.load(Ordering::SeqCst) {
            Owner::Us
        } else {
            Owner::Shell
        }
    }

    /// Gives the terminal back as it was, once. What fails on the way cannot be helped.
    fn restore(&self) {
        if !self.ours.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut bytes = Vec::new();
        let _never_fails = crossterm::queue!(
            bytes,
            EndSynchronizedUpdate,
            DisableMouseCapture,
            DisableBracketedPaste,
            Show,
            LeaveAlternateScreen
        );
        self.writer
            .send_last(bytes, RESTORE_WAIT, device::discard_unread);
        let _gone = crossterm::terminal::disable_raw_mode();
    }
}

/// The bytes of the frame that is being drawn.
#[derive(Clone, Default)]
struct FrameBuffer(Rc<RefCell<Vec<u8>>>);

impl Write for FrameBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn screen(
    frame: &FrameBuffer,
    area: Rect,
) -> io::Result<ratatui::Terminal<CrosstermBackend<FrameBuffer>>> {
    // Fixed: otherwise ratatui asks for the size itself, and believes one of zero.
    let options = TerminalOptions {
        viewport: Viewport::Fixed(area),
    };
    ratatui::Terminal::with_options(CrosstermBackend::new(frame.clone()), options)
}

fn clamped(columns: u16, rows: u16) -> Rect {
    Rect::new(0, 0, columns.clamp(1, COLUMNS_MAX), rows.clamp(1, ROWS_MAX))
}

fn size() -> Rect {
    let known = device::size().or_else(|| crossterm::terminal::size().ok());
    let (columns, rows) = known.unwrap_or((80, 24));
    clamped(columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_never_zero_and_never_absurd() {
        assert_eq!(clamped(0, 0), Rect::new(0, 0, 1, 1));
        assert_eq!(clamped(120, 36), Rect::new(0, 0, 120, 36));
        assert_eq!(
            clamped(u16::MAX, u16::MAX),
            Rect::new(0, 0, COLUMNS_MAX, ROWS_MAX)
        );
    }
}
