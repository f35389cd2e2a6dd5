//! The guard: a second process of ours that ends the group of the child when this program is gone,
//! be it by SIGKILL. It knows by the end of a pipe that only we hold open.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// The hidden first argument. Never in the help.
const GUARD: &str = "__guard";
/// Between SIGTERM and SIGKILL a group is looked at so often, two seconds in all.
const LOOKS_MAX: u32 = 40;
const LOOK_WAIT: Duration = Duration::from_millis(50);

/// A guard at its post; relieved, without a word to the group, when this is dropped.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Posts a guard for the group that a child leads.
    pub(super) fn post(own_program: &Path, group: Pid) -> io::Result<Self> {
        let mut command = Command::new(own_program);
        command.args([GUARD, &group.as_raw_nonzero().to_string()]);
        // What ends us from the terminal must not end it before.
        command.process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before the pipe ends, which `wait` sees to.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// In the second process: stands guard, if it was started for that.
pub fn guard(mut arguments: impl Iterator<Item = OsString>) -> bool {
    if arguments.nth(1).is_none_or(|argument| argument != GUARD) {
        return false;
    }
    let group = arguments
        .next()
        .and_then(|argument| argument.to_str()?.parse().ok());
    if let Some(group) = group.and_then(Pid::from_raw) {
        // Nothing ever comes.
        let _end = io::stdin().read(&mut [0]);
        end(group);
    }
    true
}

fn end(group: Pid) {
    let _gone = kill_process_group(group, Signal::TERM);
    for _ in 0..LOOKS_MAX {
        thread::sleep(LOOK_WAIT);
        if test_kill_process_group(group).is_err() {
            return;
        }
    }
    let _gone = kill_process_group(group, Signal::KILL);
}
