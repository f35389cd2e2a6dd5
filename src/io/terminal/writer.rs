//! The thread that writes to the terminal, so that nobody else waits for it. It holds one piece at
//! a time; while that is on its way, nothing more is taken. Knows nothing of what the bytes mean.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

/// Written in one call. Small, so that giving up takes effect soon after a stuck terminal moves.
const CHUNK_BYTES: usize = 1024;
/// How long to wait before asking a full line again: short for a terminal that is just reading,
/// doubled up to long for one that does not.
const RETRY_WAIT_MIN: Duration = Duration::from_micros(200);
const RETRY_WAIT_MAX: Duration = Duration::from_millis(25);
/// Ends an escape sequence that was cut in the middle.
const CANCEL: u8 = 0x18;

#[derive(Debug)]
pub(super) struct Writer {
    pieces: SyncSender<Vec<u8>>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    busy: Mutex<bool>,
    done: Condvar,
    ready: Notify,
    /// Set to skip the rest of the piece that is being written.
    give_up: AtomicBool,
}

impl Writer {
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (pieces, received) = sync_channel(1);
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        thread::Builder::new()
            .name("terminal".into())
            .spawn(move || write_all_received(output, &received, &shared))?;
        Ok(Self { pieces, progress })
    }

    /// Whether the last piece has been written, so that the next one is taken.
    pub(super) fn is_ready(&self) -> bool {
        !*self.progress.busy()
    }

    /// Waits until [`Writer::is_ready`]. For one waiter at a time.
    pub(super) async fn ready(&self) {
        while !self.is_ready() {
            self.progress.ready.notified().await;
        }
    }

    /// Takes a piece if it is ready; says whether it did.
    pub(super) fn send(&self, piece: Vec<u8>) -> bool {
        let mut busy = self.progress.busy();
        if *busy {
            return false;
        }
        self.progress.give_up.store(false, Ordering::SeqCst);
        *busy = self.pieces.try_send(piece).is_ok();
        *busy
    }

    /// Writes a last piece, whatever is in the way: waits for the one before it, then drops what is
    /// left of that and lets `unstick` throw away what the terminal has not read yet. Returns after
    /// three times `wait` at the latest.
    pub(super) fn send_last(&self, mut piece: Vec<u8>, wait: Duration, unstick: impl FnOnce()) {
        if !self.progress.wait_until_done(wait) {
            self.progress.give_up.store(true, Ordering::SeqCst);
            unstick();
            self.progress.wait_until_done(wait);
            piece.insert(0, CANCEL);
        }
        if self.send(piece) {
            self.progress.wait_until_done(wait);
        }
    }
}

impl Progress {
    fn busy(&self) -> MutexGuard<'_, bool> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        *self.busy() = false;
        self.done.notify_all();
        self.ready.notify_one();
    }

    fn wait_until_done(&self, wait: Duration) -> bool {
        let waited = self
            .done
            .wait_timeout_while(self.busy(), wait, |busy| *busy);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn write_all_received(mut output: impl Write, pieces: &Receiver<Vec<u8>>, progress: &Progress) {
    for piece in pieces {
        if let Err(error) = write_piece(&mut output, &piece, &progress.give_up) {
            // A terminal that is gone sends a hang-up as well, and that ends the program.
            tracing::debug!(%error, "the terminal cannot be written to");
        }
        progress.finish();
    }
}

fn write_piece(output: &mut impl Write, piece: &[u8], give_up: &AtomicBool) -> io::Result<()> {
    let (mut rest, mut wait) = (piece, RETRY_WAIT_MIN);
    while !rest.is_empty() && !give_up.load(Ordering::SeqCst) {
        let (chunk, _) = rest.split_at(rest.len().min(CHUNK_BYTES));
        match output.write(chunk) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                wait = RETRY_WAIT_MIN;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(wait);
                wait = (wait * 2).min(RETRY_WAIT_MAX);
            }
            Err(error) => return Err(error),
        }
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A terminal that reads only when the test says so.
    struct Stalled {
        written: mpsc::Sender<Vec<u8>>,
        reads: Receiver<()>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.reads.recv().map_err(io::Error::other)?;
            self.written
                .send(bytes.to_vec())
                .map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stalled() -> (Writer, mpsc::Sender<()>, Receiver<Vec<u8>>) {
        let (written, seen) = mpsc::channel();
        let (read, reads) = mpsc::channel();
        (
            Writer::start(Stalled { written, reads }).unwrap(),
            read,
            seen,
        )
    }

    #[tokio::test]
    async fn nothing_is_taken_while_a_piece_is_on_its_way() {
        let (writer, read, seen) = stalled();
        assert!(writer.send(b"one".to_vec()));
        assert!(!writer.is_ready());
        assert!(!writer.send(b"two".to_vec()));
        read.send(()).unwrap();
        writer.ready().await;
        assert_eq!(seen.recv().unwrap(), b"one");
        assert!(writer.send(b"three".to_vec()));
        read.send(()).unwrap();
        assert_eq!(seen.recv().unwrap(), b"three");
    }

    #[test]
    fn a_terminal_that_never_reads_does_not_hold_the_last_piece_for_ever() {
        let (writer, _read, seen) = stalled();
        writer.send(b"frame".to_vec());
        writer.send_last(b"restore".to_vec(), Duration::from_millis(1), || ());
        assert!(seen.try_recv().is_err());
    }

    #[test]
    fn giving_up_drops_the_rest_of_a_frame_and_still_restores() {
        let (writer, read, seen) = stalled();
        writer.send(vec![b'x'; 10 * CHUNK_BYTES]);
        writer.send_last(b"restore".to_vec(), Duration::from_millis(300), || {
            read.send(()).unwrap();
            read.send(()).unwrap();
        });
        assert_eq!(seen.recv().unwrap().len(), CHUNK_BYTES);
        assert_eq!(seen.recv().unwrap(), b"\x18restore");
    }
}
