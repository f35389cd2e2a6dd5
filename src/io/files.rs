//! Files: exports that are whole or not there, names made of safe characters, and files of which only one
//! program at a time is to make something.

mod held;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::trace::{TraceId, UnixNanos};
pub(crate) use held::Held;

/// Exports of one second that get names of their own.
const SAME_NAMES_MAX: u32 = 1_000;

/// What went wrong with which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It, or its directory, cannot be written.
    #[error("{} cannot be written ({error}): choose another place", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another program of ours sends it.
    #[error(
        "{} is being sent already: wait until the other modtrace-tui has ended, or stop it",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl FileError {
    fn write(path: &Path, error: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            error,
        }
    }

    fn read(path: &Path, error: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            error,
        }
    }
}

/// A file that is being written under a temporary name; what stood under its own name stays until
/// [`Draft::finish`]. Dropped unfinished, it leaves nothing behind. What is no regular file
/// (`/dev/stdout`, a pipe) is written directly.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    temporary: Option<PathBuf>,
    /// What it is called if a file has its name; `None` if that one is replaced.
    others: Option<OtherNames>,
    file: BufWriter<File>,
}

/// Names beside one that is taken: `STEM-2ENDING` and so on.
#[derive(Debug)]
struct OtherNames {
    stem: String,
    /// With its dot.
    ending: String,
}

impl OtherNames {
    /// Takes a name, or the first of these that is free: an empty file has it from then on. Of two who ask
    /// at once, each gets another.
    fn claim(&self, path: &Path) -> io::Result<PathBuf> {
        let Self { stem, ending } = self;
        let others = 2..SAME_NAMES_MAX;
        let others = others.map(|number| path.with_file_name(format!("{stem}-{number}{ending}")));
        for name in std::iter::once(path.to_owned()).chain(others) {
            match File::create_new(&name) {
                Ok(_empty) => return Ok(name),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Draft {
    /// Begins a file under a name.
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        Self::begin(path).map_err(|error| FileError::write(path, error))
    }

    /// Begins `STEM.EXTENSION`, or `STEM-2.EXTENSION` if that is taken when it is finished, in the first
    /// directory that lets us.
    pub(crate) fn create_unique(
        directories: &[PathBuf],
        stem: &str,
        extension: &str,
    ) -> Result<Self, FileError> {
        let name = format!("{stem}.{extension}");
        let mut outcome = Err(FileError::write(
            Path::new(&name),
            io::ErrorKind::NotFound.into(),
        ));
        for (index, directory) in directories.iter().enumerate() {
            if index > 0 {
                // The current directory is there; ours under the user's state may not be yet.
                let _told_below = fs::create_dir_all(directory);
            }
            let others = OtherNames {
                stem: stem.to_owned(),
                ending: format!(".{extension}"),
            };
            outcome = Self::create_beside(&directory.join(&name), others);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Begins a file under a name, or under another beside it (`STEM-2.EXTENSION`) if a file has that
    /// name when it is finished.
    pub(crate) fn create_new(path: &Path) -> Result<Self, FileError> {
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Self::create(path);
        }
        let ending = path.extension();
        let ending = ending.map(|ending| format!(".{}", ending.to_string_lossy()));
        let others = OtherNames {
            stem: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into(),
            ending: ending.unwrap_or_default(),
        };
        Self::create_beside(path, others)
    }

    /// Begins a file that replaces none.
    fn create_beside(path: &Path, others: OtherNames) -> Result<Self, FileError> {
        let (temporary, file) =
            create_beside(path).map_err(|error| FileError::write(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            temporary: Some(temporary),
            others: Some(others),
            file: buffered(file),
        })
    }

    fn begin(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => Ok(Self {
                path: path.to_owned(),
                temporary: None,
                others: None,
                file: buffered(OpenOptions::new().write(true).open(path)?),
            }),
            found => {
                // Through a link to what it names, so that the link stays.
                let path = if found.is_ok() {
                    fs::canonicalize(path)?
                } else {
                    path.to_owned()
                };
                let (temporary, file) = create_beside(&path)?;
                if let Ok(metadata) = found {
                    // Whoever might not read it before may not read it now.
                    fs::set_permissions(&temporary, metadata.permissions())?;
                }
                Ok(Self {
                    path,
                    temporary: Some(temporary),
                    others: None,
                    file: buffered(file),
                })
            }
        }
    }

    /// Gives the file its name, whole. Returns it.
    pub(crate) fn finish(mut self) -> Result<PathBuf, FileError> {
        match self.name() {
            Ok(()) => Ok(self.path.clone()),
            Err(error) => Err(FileError::write(&self.path, error)),
        }
    }

    fn name(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let Some(temporary) = &self.temporary else {
            return Ok(());
        };
        if let Some(others) = &self.others {
            self.path = others.claim(&self.path)?;
        }
        if let Err(error) = fs::rename(temporary, &self.path) {
            if self.others.is_some() {
                let _left_empty = fs::remove_file(&self.path);
            }
            return Err(error);
        }
        self.temporary = None;
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _left_behind = fs::remove_file(temporary);
        }
    }
}

fn buffered(file: File) -> BufWriter<File> {
    BufWriter::with_capacity(64 * 1024, file)
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
        match File::create_new(&temporary) {
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
    outcome.map_err(|error| FileError::write(path, error))
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

/// Opens a file to be read.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    File::open(path).map_err(|error| FileError::read(path, error))
}

#[cfg(test)]
mod tests;
