//! Our own diagnostics, to a file and never to the screen. `RUST_LOG` says how much.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::config::{LogOrigin, LogTarget};
use crate::trace::harmless_lines;

/// What is logged when `RUST_LOG` says nothing.
const FILTER_DEFAULT: &str = "info";
/// A log that has grown beyond this starts anew with the program.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Opens the log file and sends diagnostics there from now on. Only a file the user named must be
/// writable; without the default one the program runs as well.
pub(crate) fn start(target: &LogTarget) -> Result<(), super::files::FileError> {
    let Some(path) = &target.path else {
        return Ok(());
    };
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if target.origin == LogOrigin::Asked => {
            return Err(super::files::FileError::Write {
                path: path.clone(),
                error,
            });
        }
        Err(_no_log) => return Ok(()),
    };
    let filter = target.filter.as_deref().unwrap_or(FILTER_DEFAULT);
    // It fails only if somebody logs already, which is as good.
    let _already = tracing::subscriber::set_global_default(subscriber(file, filter));
    Ok(())
}

fn subscriber(
    file: impl Write + Send + 'static,
    filter: &str,
) -> impl tracing::Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .with_writer(Mutex::new(Harmless(file)))
        .with_ansi(false)
        .finish()
}

/// A log that somebody will look at in a terminal: one line for each event, whatever is in it.
#[derive(Debug)]
struct Harmless<W>(W);

impl<W: Write> Write for Harmless<W> {
    /// Comes once for each event, with a newline at its end.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let event = String::from_utf8_lossy(bytes);
        let text = event.trim_end_matches('\n');
        let line = harmless_lines(text).replace('\n', "\u{23ce}") + "\n";
        self.0.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let is_long = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX);
    let mut options = OpenOptions::new();
    if is_long {
        options.write(true).truncate(true)
    } else {
        options.append(true)
    };
    options.create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::written::Written;
    use crate::trace::nasty;

    #[test]
    fn an_event_is_one_line_that_a_terminal_only_shows() {
        let file = Written::default();
        tracing::subscriber::with_default(subscriber(file.clone(), "info"), || {
            for text in nasty::TEXTS {
                tracing::warn!("{text}");
                tracing::warn!(error = %text, path = text, "it failed");
            }
        });
        let written = String::from_utf8(file.bytes()).unwrap();
        assert_eq!(written.lines().count(), 2 * nasty::TEXTS.len(), "{written}");
        nasty::assert_harmless(&written, &['\n', '\t']);
    }
}
