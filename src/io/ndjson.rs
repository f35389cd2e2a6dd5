//! The headless stream: lines, flushed at once, written by a thread of its own so that a reader who
//! stalls stops neither capture nor signals. What stands in the lines is not its business.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// Pieces, of one line or many, waiting for a reader that is slower than we are.
const PIECES_MAX: usize = 16;

/// Nobody reads any more, or nothing can be written: time to leave quietly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader of standard output is gone")]
pub(crate) struct Closed;

/// The stream of lines.
#[derive(Debug)]
pub(crate) struct Ndjson {
    lines: mpsc::Sender<Vec<u8>>,
    written: oneshot::Receiver<()>,
}

impl Ndjson {
    /// Writes to `output`, usually standard output.
    pub(crate) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, mut received) = mpsc::channel::<Vec<u8>>(PIECES_MAX);
        let (done, written) = oneshot::channel();
        thread::Builder::new()
            .name("ndjson".into())
            .spawn(move || {
                let mut output = output;
                while let Some(line) = received.blocking_recv() {
                    if output
                        .write_all(&line)
                        .and_then(|()| output.flush())
                        .is_err()
                    {
                        return;
                    }
                }
                let _nobody_waits = done.send(());
            })?;
        Ok(Self { lines, written })
    }

    /// Takes whole lines if there is room for them at once, else gives them back.
    pub(crate) fn try_write(&self, lines: Vec<u8>) -> Result<(), Vec<u8>> {
        self.lines.try_send(lines).map_err(TrySendError::into_inner)
    }

    /// Takes whole lines; waits while the reader is that far behind.
    pub(crate) async fn write(&self, lines: Vec<u8>) -> Result<(), Closed> {
        self.lines.send(lines).await.map_err(|_gone| Closed)
    }

    /// Resolves when the reader has gone.
    pub(crate) async fn closed(&self) {
        self.lines.closed().await;
    }

    /// Waits until everything is written, but not longer than `wait`.
    pub(crate) async fn finish(self, wait: Duration) -> Result<(), Closed> {
        drop(self.lines);
        let written = tokio::time::timeout(wait, self.written).await;
        if matches!(written, Ok(Ok(()))) {
            Ok(())
        } else {
            Err(Closed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::written::Written;

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn lines_come_in_order_and_are_all_there_at_the_end() {
        let output = Written::default();
        let ndjson = Ndjson::start(output.clone()).unwrap();
        for number in 0..2 * PIECES_MAX {
            ndjson
                .write(format!("line {number}\n").into_bytes())
                .await
                .unwrap();
        }
        ndjson.finish(Duration::from_secs(10)).await.unwrap();
        let text = String::from_utf8(output.bytes()).unwrap();
        let numbers = text.lines().enumerate();
        assert_eq!(text.lines().count(), 2 * PIECES_MAX);
        for (number, line) in numbers {
            assert_eq!(line, format!("line {number}"));
        }
    }

    #[tokio::test]
    async fn a_reader_that_leaves_is_noticed() {
        let ndjson = Ndjson::start(Broken).unwrap();
        ndjson.write(b"1\n".to_vec()).await.unwrap();
        ndjson.closed().await;
        assert_eq!(ndjson.write(b"2\n".to_vec()).await, Err(Closed));
        assert_eq!(ndjson.finish(Duration::from_secs(10)).await, Err(Closed));
    }
}
