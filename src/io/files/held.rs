//! A file that is read, and may be written again later: no other program of ours has it meanwhile, and what
//! somebody else makes of it is seen. Writes nothing.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation, access, flock};
use rustix::io::Errno;

use super::FileError;

/// So often a file is opened again because another was put in its place just then.
const TRIES_MAX: u32 = 8;

/// A file that was opened, under an advisory lock until this is dropped. What is no regular file has none.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
    file: File,
    state: State,
}

/// Which file it is and what is in it, as far as the system tells without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds, and nanoseconds.
    modified: (i64, i64),
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Held {
    /// Opens a file to be read, and locks it.
    ///
    /// # Errors
    ///
    /// Somebody else has locked it, or it cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        for _ in 0..TRIES_MAX {
            let file = super::open(path)?;
            let metadata = file.metadata();
            let metadata = metadata.map_err(|error| FileError::read(path, error))?;
            if metadata.is_file()
                && flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
            {
                break;
            }
            // Where there are no locks, it goes without.
            let held = Self {
                path: path.to_owned(),
                file,
                state: State::of(&metadata),
            };
            // Whoever had it until now may have put another in its place.
            if !metadata.is_file() || held.is_unchanged() {
                return Ok(held);
            }
        }
        let path = path.to_owned();
        Err(FileError::InUse { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it, from where it was read last.
    pub(crate) fn reader(&self) -> impl io::Read {
        &self.file
    }

    /// Whether what has its name is still this file, as it was when it was opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|now| State::of(&now) == self.state)
    }

    /// Checks that another can be put in its place. One that nobody may write is not replaced.
    pub(crate) fn check_replaceable(&self) -> Result<(), FileError> {
        let permissions = fs::metadata(&self.path).map(|metadata| metadata.permissions());
        let is_allowed = permissions.and_then(|permissions| {
            if permissions.readonly() {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Ok(access(&self.path, Access::WRITE_OK)?)
        });
        is_allowed.map_err(|error| FileError::write(&self.path, error))?;
        super::check_writable(&self.path)
    }
}
