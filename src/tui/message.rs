//! What goes into the app and what it asks for in return. Nothing here does anything.

use ratatui::crossterm::event::Event;

pub use crate::config::ExportFormat;
use crate::ingest::Inbound;
use crate::store::TraceKey;

/// Something that happened.
#[derive(Debug)]
pub enum Message {
    /// A key, the mouse, a paste, a new size.
    Input(Event),
    /// A request and what it brought.
    Inbound(Inbound),
    /// A signal asks us to leave, as `q` does.
    Stop,
    /// One sentence for the user: what became of an effect, or what went wrong elsewhere.
    Notice(String),
    /// Time has passed: ages move, notices fade. Comes with every tick, whether or not something
    /// is to be drawn.
    Frame,
}

/// What the app asks the shell to do. The answer comes back as [`Message::Notice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write an export to a file and say where.
    Export(ExportScope, ExportFormat),
    /// Put a text on the clipboard and say by which way.
    Copy(String),
    /// Put a trace on the clipboard, in our JSON.
    CopyTrace(TraceKey),
    /// Give the terminal back to the shell until we are resumed.
    Suspend,
    /// Clear the terminal and draw everything again.
    Redraw,
    /// Send a signal to the child and everything it started.
    SignalChild(ChildSignal),
    /// Start the child again.
    RestartChild,
    /// End.
    Quit,
}

/// How a child is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildSignal {
    /// As Ctrl-C does: it may take its time, and print.
    Interrupt,
    /// At once; it is killed if it has not ended a moment later.
    Terminate,
}

/// The effects of one message, in order; mostly none.
pub type Effects = Vec<Effect>;

/// What an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportScope {
    /// One trace.
    Trace(TraceKey),
    /// Everything captured.
    All,
}
