//! Our own diagnostics, to a file and never to the screen. `RUST_LOG` says how much.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::config::{LogOrigin, LogTarget};

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
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .with_writer(Mutex::new(file))
        .with_ansi(false)
        .try_init();
    // It fails only if somebody logs already, which is as good.
    let _already = started;
    Ok(())
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
