//! A file that is followed by its name.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::{IDLE_LOOKS, LOOK_WAIT, READ_BYTES, Stop, hand_on, open, shown};
use crate::ingest::{Inbound, LineReader, Lines};
use crate::io::clock;
use crate::io::inbox::Inbox;
use crate::io::outbox::Outbox;
use crate::logs::LogSource;

/// Bytes before the place in a file that are remembered, to notice that it was begun anew although it
/// is not shorter.
const MARK_BYTES: usize = 64;
/// Reads the file until somebody wants us to leave, and then to its end.
pub(super) fn follow(path: &Path, inbox: Inbox, stop: &Stop) {
    let outbox = Outbox::new(inbox, usize::MAX);
    let mut follower = Follower {
        path,
        stop,
        reader: outbox.reader(LogSource::File),
        outbox,
        opened: None,
        trouble: None,
        n_idle: 0,
        buffer: vec![0; READ_BYTES],
    };
    loop {
        // Asked before it is looked at: what was written by then is read.
        let is_last = stop.is_asked();
        follower.look();
        if is_last {
            break;
        }
        stop.wait(LOOK_WAIT);
    }
    follower.end_of_file();
}

struct Follower<'a> {
    path: &'a Path,
    stop: &'a Stop,
    outbox: Outbox,
    reader: LineReader,
    opened: Option<Opened>,
    /// Why it cannot be opened, said once.
    trouble: Option<io::ErrorKind>,
    n_idle: u32,
    buffer: Vec<u8>,
}

/// The file as it was when it was opened, and how far it is read.
struct Opened {
    file: File,
    identity: (u64, u64),
    /// None for what cannot be read from a place: a pipe, a device.
    place: Option<Place>,
}

#[derive(Default)]
struct Place {
    at: u64,
    /// What stood before it.
    mark: Vec<u8>,
}

impl Follower<'_> {
    /// Reads what is new.
    fn look(&mut self) {
        let Some(opened) = &mut self.opened else {
            if self.open() {
                self.read();
            }
            return;
        };
        // First, so that what the old file got last is not missed.
        let is_replaced = match fs::metadata(self.path) {
            Ok(metadata) => identity(&metadata) != opened.identity,
            Err(_renamed_or_unreadable) => false,
        };
        if opened.was_begun_anew() {
            opened.begin_anew();
            self.end_of_file();
        }
        self.read();
        if is_replaced {
            self.end_of_file();
            self.opened = None;
            self.look();
        }
    }

    fn open(&mut self) -> bool {
        match open(self.path).and_then(Opened::new) {
            Ok(opened) => {
                self.opened = Some(opened);
                self.trouble = None;
                true
            }
            Err(error) => {
                self.say(&error);
                false
            }
        }
    }

    fn say(&mut self, error: &io::Error) {
        if self.trouble == Some(error.kind()) {
            return;
        }
        self.trouble = Some(error.kind());
        let path = shown(self.path);
        let sentence = match error.kind() {
            io::ErrorKind::NotFound => format!("{path} is not there yet: waiting for it."),
            _ => format!("{path} cannot be read ({error}): trying again."),
        };
        self.outbox.tell(Inbound::Notice(sentence));
        hand_on(&mut self.outbox, self.stop);
    }

    /// Reads to the end, in pieces.
    fn read(&mut self) {
        let mut has_read = false;
        while let Some(opened) = &mut self.opened {
            let n_bytes = match opened.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(n_bytes) => n_bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.say(&error);
                    break;
                }
            };
            has_read = true;
            let bytes = self.buffer.get(..n_bytes).unwrap_or_default();
            let mut lines = Lines::default();
            self.reader.read(bytes, clock::wall(), &mut lines);
            self.outbox.lines(lines);
            hand_on(&mut self.outbox, self.stop);
        }
        self.n_idle = if has_read {
            0
        } else {
            self.n_idle.saturating_add(1)
        };
        if self.n_idle == IDLE_LOOKS {
            let mut lines = Lines::default();
            self.reader.idle(clock::wall(), &mut lines);
            self.outbox.lines(lines);
            hand_on(&mut self.outbox, self.stop);
        }
    }

    /// Takes a line that has no end: there will be none.
    fn end_of_file(&mut self) {
        let mut lines = Lines::default();
        self.reader.finish(clock::wall(), &mut lines);
        self.reader = self.outbox.reader(LogSource::File);
        self.outbox.lines(lines);
        hand_on(&mut self.outbox, self.stop);
    }
}

impl Opened {
    fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            identity: identity(&metadata),
            place: metadata.is_file().then(Place::default),
            file,
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = match self.file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            outcome => outcome?,
        };
        if let Some(place) = &mut self.place {
            place.at += u64::try_from(n_bytes).unwrap_or_default();
            place
                .mark
                .extend(buffer.iter().take(n_bytes).rev().take(MARK_BYTES).rev());
            let n_old = place.mark.len().saturating_sub(MARK_BYTES);
            place.mark.drain(..n_old);
        }
        Ok(n_bytes)
    }

    /// Whether the file is shorter than we have read, or what we have read last is no longer there.
    fn was_begun_anew(&self) -> bool {
        let Some(place) = &self.place else {
            return false;
        };
        let mut found = vec![0; place.mark.len()];
        let mark_bytes = u64::try_from(found.len()).unwrap_or_default();
        let start = place.at.saturating_sub(mark_bytes);
        match self.file.read_exact_at(&mut found, start) {
            Ok(()) => found != place.mark,
            Err(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        }
    }

    fn begin_anew(&mut self) {
        self.place = Some(Place::default());
        // It can be read from any place, or it would have none.
        let _at_start = self.file.seek(SeekFrom::Start(0));
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
