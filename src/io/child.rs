//! A program that we start, its output as lines, and what becomes of it. It runs on pipes, in a
//! session of its own without a terminal, and is never made to wait for us: see `io::outbox`.
//!
//! ```text
//!              ┌─ orders: interrupt, terminate, restart, stop ──┐
//!  the loop ───┘   (a socket, so that one poll waits for all)   ▼
//!   ▲                                              the thread of the child
//!   └── inbox ◀── Outbox ◀── LineReader ◀── stdout, stderr ◀────┘ spawns, reads, reaps
//! ```
//!
//! If this program is killed, the system sends SIGTERM to the child, on Linux: that signal comes when
//! the *thread* that spawned ends, so the thread lives as long as the program. SIGTERM, because SIGINT
//! leaves `modal serve` 1.3.1 hanging once nobody reads its output, and SIGKILL would leave what a
//! wrapper like `uv run` has started. A guard, a second process of ours, sees to the rest of the group, and to
//! systems without that signal.

mod guard;
mod launch;
mod output;
mod supervise;

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

pub use guard::guard;
pub use launch::{Failed, Launch, launch};

use super::inbox::Inbox;

/// Why a program cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// There is no such program.
    #[error(
        "{program} was not found: check the spelling, or give its path (PATH has the folders that are searched)"
    )]
    NotFound {
        /// As it was asked for.
        program: String,
    },
    /// It is there, or should be, but does not start.
    #[error("{program} cannot be started: {}", reason(error))]
    NotStarted {
        /// As it was asked for.
        program: String,
        /// What the system says.
        error: io::Error,
    },
}

impl ChildError {
    /// The code a shell would give: 127 for a program that is not found.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotStarted { .. } => 1,
        }
    }
}

fn reason(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "; make it executable (chmod +x)",
        io::ErrorKind::IsADirectory => "; name a program in it",
        io::ErrorKind::NotFound => "; the interpreter in its first line is missing",
        _ => "",
    };
    format!("{error}{advice}")
}

/// What the thread of the child is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Order {
    /// SIGINT to its group: it may take its time, but not without a word.
    Interrupt = b'i',
    /// SIGTERM to its group, SIGKILL a moment later.
    Terminate = b't',
    /// Start it again, if it has ended.
    Restart = b'r',
    /// From the thread that waits for it: it has ended.
    Ended = b'e',
    /// End it and leave.
    Stop = b's',
}

impl Order {
    const ALL: [Self; 5] = [
        Self::Interrupt,
        Self::Terminate,
        Self::Restart,
        Self::Ended,
        Self::Stop,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|order| *order as u8 == byte)
    }

    fn send(self, mut to: &UnixStream) {
        // Full, or nobody there: an order was given before, or there is no child any more.
        let _unheard = to.write(&[self as u8]);
    }
}

/// The child, as the loop has it. Ended with everything in its group when this is dropped.
#[derive(Debug)]
pub struct Child {
    orders: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Child {
    /// Starts the program. What it prints and what becomes of it goes to the inbox.
    pub fn start(launch: Launch, inbox: Inbox) -> Result<Self, ChildError> {
        let pair = UnixStream::pair();
        let (orders, heard) = pair.map_err(|error| launch.not_started(error))?;
        let thread = supervise::start(launch, inbox, (&orders, heard))?;
        Ok(Self {
            orders,
            thread: Some(thread),
        })
    }

    /// Asks it to end, as Ctrl-C does. It is terminated if it then prints nothing for long.
    pub fn interrupt(&self) {
        Order::Interrupt.send(&self.orders);
    }

    /// Asks it to end at once, and ends it a moment later.
    pub fn terminate(&self) {
        Order::Terminate.send(&self.orders);
    }

    /// Starts it again, if it has ended.
    pub fn restart(&self) {
        Order::Restart.send(&self.orders);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        Order::Stop.send(&self.orders);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by the panic hook.
            let _ended = thread.join();
        }
    }
}
