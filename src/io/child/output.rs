//! One pipe of the child, read without waiting.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::ingest::{LineReader, Lines};
use crate::trace::UnixNanos;

/// What a pipe may hold for us, where that can be chosen: so much a burst brings before the child has
/// to wait for the thread that reads.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 1024 * 1024;

/// A pipe and the lines in it.
#[derive(Debug)]
pub(super) struct Output {
    /// None once it has ended.
    pipe: Option<OwnedFd>,
    reader: LineReader,
}

impl Output {
    pub(super) fn new(pipe: impl Into<OwnedFd>, reader: LineReader) -> io::Result<Self> {
        let pipe = pipe.into();
        rustix::io::ioctl_fionbio(&pipe, true)?;
        #[cfg(target_os = "linux")]
        // There is a limit for each user, and the usual size does as well.
        let _as_it_is = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
        Ok(Self {
            pipe: Some(pipe),
            reader,
        })
    }

    /// Whether more can come.
    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// What to wait for.
    pub(super) fn poll_fd(&self) -> Option<PollFd<'_>> {
        let pipe = self.pipe.as_ref()?;
        Some(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN))
    }

    /// Reads what is there, once. True if something was.
    pub(super) fn read(&mut self, buffer: &mut [u8], at: UnixNanos, lines: &mut Lines) -> bool {
        let Some(pipe) = &self.pipe else {
            return false;
        };
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => {
                self.close(at, lines);
                false
            }
            Ok(n_bytes) => {
                let bytes = buffer.get(..n_bytes).unwrap_or_default();
                self.reader.read(bytes, at, lines);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(_broken) => {
                self.close(at, lines);
                false
            }
        }
    }

    /// Nothing has come for a while.
    pub(super) fn idle(&mut self, at: UnixNanos, lines: &mut Lines) {
        if self.is_open() {
            self.reader.idle(at, lines);
        }
    }

    /// Reads no more, whoever may still hold the other end.
    pub(super) fn close(&mut self, at: UnixNanos, lines: &mut Lines) {
        if self.pipe.take().is_some() {
            self.reader.finish(at, lines);
        }
    }
}
