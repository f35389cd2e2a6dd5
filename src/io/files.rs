//! Files: exports that are whole or not there, names made of safe characters, reading with a cap.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::trace::{TraceId, UnixNanos};

/// What `open` reads at most; more would not fit into memory beside the store.
pub(crate) const OPEN_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Exports of one second that get names of their own.
const SAME_NAMES_MAX: u32 = 1_000;

/// What went wrong with which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It, or its directory, cannot be written.
    #[error("{} cannot be written ({error}): choose another place", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is larger than we read.
    #[error("{} is larger than {limit_bytes} bytes, which is all that is read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
}

/// Writes a file that is either whole or as it was before: to a temporary name beside it, then
/// renamed. What is no regular file (`/dev/stdout`, a pipe) is written directly.
pub(crate) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let outcome = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() => OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| fill(&file, write)),
        // Through a link to what it names, so that the link stays.
        Ok(_regular) => fs::canonicalize(path).and_then(|path| replace(&path, write)),
        Err(_not_there) => replace(path, write),
    };
    outcome.map_err(|error| FileError::Write {
        path: path.to_owned(),
        error,
    })
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let (temporary, file) = create_beside(path)?;
    let written = fill(&file, write).and_then(|()| file.sync_all());
    drop(file);
    let outcome = written.and_then(|()| fs::rename(&temporary, path));
    if outcome.is_err() {
        let _left_behind = fs::remove_file(&temporary);
    }
    outcome
}

fn fill(file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(64 * 1024, file);
    write(&mut buffered)?;
    buffered.flush()
}

/// A new, hidden file in the same directory, named after this process.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_string_lossy();
    let process = std::process::id();
    for number in 0..SAME_NAMES_MAX {
        let temporary = path.with_file_name(format!(".{name}.{process}-{number}.part"));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Checks, before anything is captured, that an export could be written there at the end.
pub(crate) fn check_writable(path: &Path) -> Result<(), FileError> {
    let outcome = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() => Ok(()),
        _ => create_beside(path).and_then(|(temporary, _file)| fs::remove_file(temporary)),
    };
    outcome.map_err(|error| FileError::Write {
        path: path.to_owned(),
        error,
    })
}

/// Writes `STEM.json`, or `STEM-2.json` if that is taken, into the first directory that lets us.
/// Returns where.
pub(crate) fn write_unique(
    directories: &[PathBuf],
    stem: &str,
    write: impl Fn(&mut dyn Write) -> io::Result<()>,
) -> Result<PathBuf, FileError> {
    let nowhere = || FileError::Write {
        path: PathBuf::from(format!("{stem}.json")),
        error: io::ErrorKind::NotFound.into(),
    };
    let mut outcome = Err(nowhere());
    for (index, directory) in directories.iter().enumerate() {
        if index > 0 {
            // The current directory is there; ours under the user's state may not be yet.
            let _told_below = fs::create_dir_all(directory);
        }
        let path = unique_path(directory, stem);
        outcome = write_atomically(&path, &write).map(|()| path);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn unique_path(directory: &Path, stem: &str) -> PathBuf {
    let first = directory.join(format!("{stem}.json"));
    let others = (2..SAME_NAMES_MAX).map(|number| directory.join(format!("{stem}-{number}.json")));
    let mut names = std::iter::once(first.clone()).chain(others);
    names
        .find(|path| fs::symlink_metadata(path).is_err())
        .unwrap_or(first)
}

/// The name of an export without its ending: time, and for a single trace the last eight digits of
/// its id (the first eight are the time again). Nothing a stranger wrote gets into a file name.
pub(crate) fn export_stem(now: UnixNanos, trace_id: Option<TraceId>) -> String {
    let (year, month, day, hour, minute, second) = now.civil();
    let time = format!("modtrace-{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}");
    match trace_id {
        Some(id) => format!("{time}-{:08x}", id.low() & 0xffff_ffff),
        None => time,
    }
}

/// Reads a whole file of at most `limit_bytes`.
pub(crate) fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
    let failed = |error| FileError::Read {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(failed)?;
    let announced = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    if announced <= limit_bytes {
        let capacity = usize::try_from(announced).unwrap_or(0);
        bytes
            .try_reserve(capacity)
            .map_err(|error| failed(io::Error::other(error)))?;
        file.take(limit_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    }
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if announced.max(length) > limit_bytes {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            limit_bytes,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
