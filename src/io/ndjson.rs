//! The headless stream: one JSON object a line, flushed at once, written by a thread of its own so
//! that a reader who stalls stops neither capture nor signals. Sends no raw control character.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::ser::Formatter;
use tokio::sync::{mpsc, oneshot};

use super::clipboard::is_direction;

/// Lines waiting for a reader that is slower than we are.
const LINES_MAX: usize = 256;

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
        let (lines, mut received) = mpsc::channel::<Vec<u8>>(LINES_MAX);
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

    /// How many lines are taken without waiting.
    pub(crate) fn room(&self) -> usize {
        self.lines.capacity()
    }

    /// Writes one object as a line; waits while the reader is that far behind.
    pub(crate) async fn write(&self, object: &impl Serialize) -> Result<(), Closed> {
        let line = line(object).ok_or(Closed)?;
        self.lines.send(line).await.map_err(|_gone| Closed)
    }

    /// Writes one object as a line if there is room for it at once; says whether there was.
    pub(crate) fn try_write(&self, object: &impl Serialize) -> bool {
        line(object).is_some_and(|line| self.lines.try_send(line).is_ok())
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

/// An object as a line, or nothing if it cannot be told in JSON (a map with keys of no text).
fn line(object: &impl Serialize) -> Option<Vec<u8>> {
    let mut line = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut line, Plain);
    object.serialize(&mut serializer).ok()?;
    line.push(b'\n');
    Some(line)
}

/// Compact JSON in which also the characters JSON itself would allow are escaped, when a terminal
/// would obey them: DEL, the C1 controls, line separators, changes of direction.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, letter)) = rest
            .char_indices()
            .find(|(_, letter)| letter.is_control() || is_direction(*letter))
        {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            writer.write_all(before.as_bytes())?;
            write!(writer, "\\u{:04x}", u32::from(letter))?;
            rest = from.get(letter.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let line = String::from_utf8(line(&text).unwrap()).unwrap();
        assert_eq!(line, format!("\"{expected}\"\n"));
        let back: String = serde_json::from_str(&line).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn no_character_a_terminal_obeys_is_sent_raw() {
        check("\x1b[31m\r\n", "\\u001b[31m\\r\\n");
        check("\x7f\u{9b}2J", "\\u007f\\u009b2J");
        check("a\u{2028}b\u{202e}c\u{2069}", "a\\u2028b\\u202ec\\u2069");
        check("\"größer\" ☃", "\\\"größer\\\" ☃");
    }

    #[tokio::test]
    async fn lines_come_in_order_and_are_all_there_at_the_end() {
        let output = Shared::default();
        let ndjson = Ndjson::start(output.clone()).unwrap();
        for number in 0..2 * LINES_MAX {
            ndjson
                .write(&serde_json::json!({"event": "trace", "n": number}))
                .await
                .unwrap();
        }
        ndjson.finish(Duration::from_secs(10)).await.unwrap();
        let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        let numbers = text.lines().enumerate();
        assert_eq!(text.lines().count(), 2 * LINES_MAX);
        for (number, line) in numbers {
            assert_eq!(line, format!(r#"{{"event":"trace","n":{number}}}"#));
        }
    }

    #[tokio::test]
    async fn a_reader_that_leaves_is_noticed() {
        let ndjson = Ndjson::start(Broken).unwrap();
        ndjson.write(&1).await.unwrap();
        ndjson.closed().await;
        assert_eq!(ndjson.write(&2).await, Err(Closed));
        assert_eq!(ndjson.finish(Duration::from_secs(10)).await, Err(Closed));
    }
}
