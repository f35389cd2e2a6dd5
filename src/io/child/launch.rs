//! How a program is started without `unsafe`: this program starts itself with a hidden argument, and
//! that second process gives itself a session of its own, asks to die with us, and becomes CMD.
//!
//! ```text
//! we ── spawn ──▶ modtrace-tui __launch PID FILE CMD ARG… ── setsid, death signal, exec ──▶ CMD ARG…
//!  ◀── the errno of a failed exec, or the end of the pipe, which exec closes ── its stdin
//! ```

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::Access;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::ChildError;

/// The hidden first argument. Never in the help.
const LAUNCH: &str = "__launch";
/// Where programs are looked for when `PATH` is not set.
const PATH_DEFAULT: &str = "/usr/bin:/bin";

/// A program to start, and what is to be changed of the environment it inherits.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Name, and value or that it is taken away.
    pub environment: Vec<(String, Option<String>)>,
    /// This program, which starts the other one; a test is another program.
    pub own_program: PathBuf,
}

impl Launch {
    /// Starts a command from this very program.
    pub fn new(command: Vec<OsString>, environment: Vec<(String, Option<String>)>) -> Self {
        Self {
            command,
            environment,
            own_program: own_program(),
        }
    }

    /// The name of the program, for a sentence.
    pub(super) fn name(&self) -> String {
        let program = self.command.first();
        program.map_or_else(String::new, |program| {
            program.to_string_lossy().into_owned()
        })
    }

    pub(super) fn not_started(&self, error: io::Error) -> ChildError {
        ChildError::NotStarted {
            program: self.name(),
            error,
        }
    }
}

/// This program, on Linux also when its file has been replaced since.
fn own_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        "/proc/self/exe".into()
    } else {
        // Without its own path it cannot be started, which is told then.
        std::env::current_exe().unwrap_or_default()
    }
}

/// Starts a program whose stdout and stderr are pipes and whose stdin is empty. On Linux it ends
/// with the *thread* that calls this.
pub(super) fn start(launch: &Launch) -> Result<Child, ChildError> {
    let program = launch.command.first().map(OsString::as_os_str);
    let file = find(program.unwrap_or_default())?;
    let (report, told) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|error| launch.not_started(error.into()))?;
    let mut command = Command::new(&launch.own_program);
    command
        .args([LAUNCH, &std::process::id().to_string()])
        .arg(file)
        .args(&launch.command);
    for (name, value) in &launch.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .stdin(Stdio::from(told))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| launch.not_started(error))?;
    // It holds our end of the pipe open, whose end is what we wait for.
    drop(command);
    match failure(report) {
        None => Ok(child),
        Some(error) => {
            let _reaped = child.wait();
            Err(launch.not_started(error))
        }
    }
}

/// Why the launched process did not become the program, if so.
fn failure(report: OwnedFd) -> Option<io::Error> {
    let mut told = Vec::new();
    match File::from(report).read_to_end(&mut told) {
        Ok(0) => None,
        Ok(_) => match <[u8; 4]>::try_from(told.as_slice()) {
            Ok(errno) => Some(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
            Err(_cut) => Some(io::ErrorKind::Other.into()),
        },
        Err(error) => Some(error),
    }
}

/// The file a command names: itself if it has a slash, else the first of that name in `PATH`.
fn find(program: &OsStr) -> Result<PathBuf, ChildError> {
    let name = || program.to_string_lossy().into_owned();
    let not_found = || ChildError::NotFound { program: name() };
    let not_started = |error: Errno| ChildError::NotStarted {
        program: name(),
        error: error.into(),
    };
    if program.is_empty() {
        return Err(not_found());
    }
    if program.as_encoded_bytes().contains(&b'/') {
        return match check(Path::new(program)) {
            Ok(()) => Ok(program.into()),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(not_found()),
            Err(errno) => Err(not_started(errno)),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH_DEFAULT.into());
    let mut refused = None;
    for folder in std::env::split_paths(&path) {
        // An empty part is the current directory. With a slash it is not looked for again.
        let file = Path::new(".").join(folder).join(program);
        match check(&file) {
            Ok(()) => return Ok(file),
            Err(Errno::ACCESS) if file.is_file() => refused = Some(Errno::ACCESS),
            Err(_not_here) => {}
        }
    }
    Err(refused.map_or_else(not_found, not_started))
}

/// Whether a file can be executed.
fn check(file: &Path) -> Result<(), Errno> {
    if rustix::fs::stat(file).is_ok() && file.is_dir() {
        return Err(Errno::ISDIR);
    }
    rustix::fs::access(file, Access::EXEC_OK)
}

/// In the second process: becomes the program, if it was started for that. `None` if not; else it
/// returns only when that failed, which it has reported.
pub fn launch(mut arguments: impl Iterator<Item = OsString>) -> Option<Failed> {
    if arguments.nth(1)? != LAUNCH {
        return None;
    }
    match become_program(arguments) {
        Ok(never) => match never {},
        Err(_nobody_listens) => Some(Failed),
    }
}

/// The program could not be started, and whoever asked for it knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

fn become_program(mut arguments: impl Iterator<Item = OsString>) -> io::Result<Infallible> {
    let stdin = io::stdin();
    // Closed by exec, above 2 so that it does not stand for something else.
    let mut report = File::from(rustix::io::fcntl_dupfd_cloexec(stdin.as_fd(), 3)?);
    let error = match prepare(&mut arguments) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    };
    let errno = error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error());
    report.write_all(&errno.to_ne_bytes())?;
    Err(error)
}

fn prepare(arguments: &mut impl Iterator<Item = OsString>) -> io::Result<Command> {
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::process::setsid()?;
    let missing = || io::Error::from(io::ErrorKind::InvalidInput);
    let parent = arguments.next().ok_or_else(missing)?;
    die_with(&parent)?;
    let file = arguments.next().ok_or_else(missing)?;
    let name = arguments.next().ok_or_else(missing)?;
    let mut command = Command::new(file);
    command.arg0(name).args(arguments);
    Ok(command)
}

/// Has the system end us with our parent. The module above says why with this signal.
#[cfg(target_os = "linux")]
fn die_with(parent: &OsStr) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have ended before that.
    let now = getppid().map(|parent| parent.as_raw_nonzero().to_string());
    if now.is_none_or(|now| OsStr::new(&now) != parent) {
        return Err(Errno::SRCH.into());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
fn die_with(_parent: &OsStr) -> io::Result<()> {
    Ok(())
}
