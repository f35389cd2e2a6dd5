//! Log files, read from their beginning and followed, and standard input as one of them. Each has a
//! thread of its own.
//!
//! A file is kept by its name: when another file gets the name, the old one is read to its end and the
//! new one from its beginning. A file that became shorter, or that no longer holds what was read last,
//! was begun anew. A file waits for room in the inbox; standard input is written by a program that
//! must not wait for us, so what there is no room for is dropped and counted.

mod followed;
mod stdin;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::fs::OFlags;

use super::files::FileError;
use super::inbox::Inbox;
use super::outbox::Outbox;

/// Until a file is looked at again.
const LOOK_WAIT: Duration = Duration::from_millis(100);
/// Until the inbox is asked for room again.
const ROOM_WAIT: Duration = Duration::from_millis(2);
/// Looks without a byte, until what may wait for a continuation is given up.
const IDLE_LOOKS: u32 = 2;
/// What is read at once.
const READ_BYTES: usize = 64 * 1024;
/// Lines of standard input that wait for room in the inbox, in bytes.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A file that is followed until this is dropped.
#[derive(Debug)]
pub struct Tail {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Tail {
    /// Follows a file; `-` is standard input. A file that is not there yet is waited for; one that
    /// cannot be read is an error.
    pub fn start(path: &Path, inbox: Inbox) -> Result<Self, FileError> {
        let stop = Stop::default();
        let stopped = stop.clone();
        let failed = |error: io::Error| FileError::Read {
            path: path.to_owned(),
            error,
        };
        let thread = thread::Builder::new().name("tail".into());
        let thread = if path == Path::new("-") {
            stdin::check().map_err(failed)?;
            thread.spawn(move || stdin::read(inbox, &stopped))
        } else {
            check(path).map_err(failed)?;
            let path = path.to_owned();
            thread.spawn(move || followed::follow(&path, inbox, &stopped))
        };
        Ok(Self {
            stop,
            thread: Some(thread.map_err(failed)?),
        })
    }

    /// Asks it to take what is there, a line without an end included, and to leave.
    pub fn stop(&self) {
        self.stop.0.store(true, Ordering::Relaxed);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Whether it has left.
    pub fn has_stopped(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by the panic hook.
            let _ended = thread.join();
        }
    }
}

/// Whether somebody wants a tail to leave.
#[derive(Clone, Debug, Default)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits so long, or until somebody wants it to leave.
    fn wait(&self, wait: Duration) {
        if !self.is_asked() {
            thread::park_timeout(wait);
        }
    }
}

/// Opens without waiting for somebody who writes, which a named pipe would do.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

fn check(path: &Path) -> io::Result<()> {
    match open(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Hands on everything, waiting for room; at the end of the program not for long.
fn hand_on(outbox: &mut Outbox, stop: &Stop) {
    let mut n_waits = 0;
    while !outbox.flush() {
        n_waits += 1;
        if stop.is_asked() && n_waits > LAST_WAITS_MAX {
            return;
        }
        thread::sleep(ROOM_WAIT);
    }
}

/// How often room is asked for once the program ends: for a second.
const LAST_WAITS_MAX: u32 = 500;

/// The name of a file, for a sentence.
fn shown(path: &Path) -> String {
    PathBuf::from(path).display().to_string()
}
