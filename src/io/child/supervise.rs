//! The thread of the child: starts it, reads what it prints, carries out orders, and says what
//! becomes of it.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell reads the clock and passes it on"
)]

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};

use super::guard::Guard;
use super::launch::{self, Launch};
use super::output::Output;
use super::{ChildError, Order};
use crate::ingest::{ChildEvent, Inbound, Lines};
use crate::io::clock;
use crate::io::inbox::Inbox;
use crate::io::outbox::Outbox;
use crate::logs::LogSource;

/// Lines that wait for room in the inbox, in bytes.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What is read at once from a pipe: some hundred lines, a batch that is worth its place.
const READ_BYTES: usize = 64 * 1024;
/// A continuation of a line that is not there by then is not to be expected.
const IDLE_WAIT: Duration = Duration::from_millis(200);
/// Until the inbox is asked for room again.
const ROOM_WAIT: Duration = Duration::from_millis(2);
/// After SIGTERM, until SIGKILL.
const TERMINATE_WAIT: Duration = Duration::from_secs(2);
/// After SIGINT it may be silent so long. Modal waits up to ten seconds for the last lines.
const INTERRUPT_SILENCE_MAX: Duration = Duration::from_secs(15);
/// Once it has ended, something it started may hold its pipes: so long without a line.
const ORPHAN_SILENCE_MAX: Duration = Duration::from_secs(2);

/// Starts the program in a thread of its own, which lives until it is told to stop. Returns once the
/// program runs.
pub(super) fn start(
    launch: Launch,
    inbox: Inbox,
    (orders, heard): (&UnixStream, UnixStream),
) -> Result<JoinHandle<()>, ChildError> {
    let unstarted = launch.clone();
    let not_started = |error| unstarted.not_started(error);
    // The waiting thread speaks as the loop does.
    let speaker = orders.try_clone().map_err(not_started)?;
    let (started, told) = sync_channel(1);
    let supervisor = move || Supervisor::run(launch, inbox, (heard, speaker), &started);
    let thread = thread::Builder::new()
        .name("child".into())
        .spawn(supervisor)
        .map_err(not_started)?;
    match told.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        // It panicked, which the hook has reported.
        Err(_gone) => Err(not_started(io::ErrorKind::Other.into())),
    }
}

struct Supervisor {
    launch: Launch,
    heard: UnixStream,
    speaker: UnixStream,
    outbox: Outbox,
    child: Option<Running>,
    buffer: Vec<u8>,
    is_stopping: bool,
}

/// A program that was started and is not done with.
struct Running {
    process: process::Child,
    /// Its process, which leads its group. Not reaped before its output has ended, so that the
    /// number stays its own.
    group: Pid,
    outputs: [Output; 2],
    guard: Option<Guard>,
    pressure: Pressure,
    /// When it printed something, was interrupted or ended last.
    heard_at: Instant,
    /// Whether what may be waiting for a continuation has been given up.
    is_idle: bool,
    /// Its output may still go on.
    has_ended: bool,
}

/// How it is asked to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pressure {
    None,
    Interrupted,
    /// Killed at this moment, and all of its group.
    Terminated(Instant),
}

impl Supervisor {
    fn run(
        launch: Launch,
        inbox: Inbox,
        (heard, speaker): (UnixStream, UnixStream),
        started: &SyncSender<Result<(), ChildError>>,
    ) {
        let mut supervisor = Self {
            launch,
            heard,
            speaker,
            outbox: Outbox::new(inbox, KEPT_BYTES_MAX),
            child: None,
            buffer: vec![0; READ_BYTES],
            is_stopping: false,
        };
        let outcome = supervisor.begin();
        let is_started = outcome.is_ok();
        let _nobody_waits = started.send(outcome);
        while is_started && !(supervisor.is_stopping && supervisor.child.is_none()) {
            supervisor.turn();
        }
        supervisor.outbox.flush();
    }

    /// Starts the program.
    fn begin(&mut self) -> Result<(), ChildError> {
        let mut process = launch::start(&self.launch)?;
        let group = Pid::from_child(&process);
        match self.watch(&mut process, group) {
            Ok(outputs) => {
                let guard = Guard::post(&self.launch.own_program, group)
                    .inspect_err(|error| tracing::warn!(%error, "the child has no guard"));
                self.child = Some(Running {
                    process,
                    group,
                    outputs,
                    guard: guard.ok(),
                    pressure: Pressure::None,
                    heard_at: Instant::now(),
                    is_idle: true,
                    has_ended: false,
                });
                let pid = group.as_raw_nonzero().get().unsigned_abs();
                self.tell(ChildEvent::Started { pid });
                Ok(())
            }
            Err(error) => {
                let _gone = kill_process_group(group, Signal::KILL);
                let _reaped = process.wait();
                Err(self.launch.not_started(error))
            }
        }
    }

    /// Takes the pipes, and waits for the end in a thread that speaks when it comes.
    fn watch(&self, process: &mut process::Child, group: Pid) -> io::Result<[Output; 2]> {
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let outputs = [
            Output::new(
                process.stdout.take().ok_or_else(missing)?,
                self.outbox.reader(LogSource::Stdout),
            )?,
            Output::new(
                process.stderr.take().ok_or_else(missing)?,
                self.outbox.reader(LogSource::Stderr),
            )?,
        ];
        let speaker = self.speaker.try_clone()?;
        thread::Builder::new()
            .name("child-end".into())
            .spawn(move || {
                while matches!(wait_for(group, WaitIdOptions::EXITED), Err(Errno::INTR)) {}
                Order::Ended.send(&speaker);
            })?;
        Ok(outputs)
    }

    /// Waits for something and does what there is to do.
    fn turn(&mut self) {
        let is_flushed = self.outbox.flush();
        self.wait(is_flushed);
        for order in self.orders() {
            self.obey(order);
        }
        self.read();
        self.look_at_the_clock();
    }

    fn tell(&mut self, event: ChildEvent) {
        self.outbox.tell(Inbound::Child(event));
    }

    fn wait(&self, is_flushed: bool) {
        let now = Instant::now();
        let room = (!is_flushed).then_some(ROOM_WAIT);
        let clock = self.child.as_ref().and_then(|child| child.next_look(now));
        let timeout = room.into_iter().chain(clock).min();
        let timeout = timeout.and_then(|wait| Timespec::try_from(wait).ok());
        let mut fds = vec![PollFd::new(&self.heard, PollFlags::IN)];
        if let Some(child) = &self.child {
            fds.extend(child.outputs.iter().filter_map(Output::poll_fd));
        }
        // Whatever it says, everything is looked at, and nothing is waited for there.
        let _interrupted = poll(&mut fds, timeout.as_ref());
    }

    fn orders(&self) -> Vec<Order> {
        let mut bytes = [0; 64];
        let mut fds = [PollFd::new(&self.heard, PollFlags::IN)];
        let now = Timespec::default();
        if !matches!(poll(&mut fds, Some(&now)), Ok(1..)) {
            return Vec::new();
        }
        let n_bytes = (&self.heard).read(&mut bytes).unwrap_or_default();
        let bytes = bytes.iter().take(n_bytes);
        bytes.filter_map(|byte| Order::of(*byte)).collect()
    }

    fn obey(&mut self, order: Order) {
        let Some(child) = &mut self.child else {
            match order {
                Order::Restart => self.restart(),
                Order::Stop => self.is_stopping = true,
                Order::Interrupt | Order::Terminate | Order::Ended => {}
            }
            return;
        };
        match order {
            Order::Interrupt => child.interrupt(),
            Order::Terminate => child.terminate(),
            Order::Ended => {
                child.has_ended = true;
                child.heard_at = Instant::now();
                let code = exit_code(child.group);
                self.tell(ChildEvent::Ended { code });
            }
            Order::Stop => {
                self.is_stopping = true;
                child.terminate();
            }
            Order::Restart if child.has_ended => {
                self.end_output();
                self.restart();
            }
            Order::Restart => {}
        }
    }

    fn restart(&mut self) {
        if let Err(error) = self.begin() {
            self.outbox.tell(Inbound::Notice(error.to_string()));
            self.tell(ChildEvent::Ended {
                code: error.exit_code(),
            });
            self.tell(ChildEvent::OutputEnded);
        }
    }

    /// Reads each pipe once, so that neither is far ahead of the other.
    fn read(&mut self) {
        let Some(child) = &mut self.child else {
            return;
        };
        let mut lines = Lines::default();
        let at = clock::wall();
        for output in &mut child.outputs {
            if output.read(&mut self.buffer, at, &mut lines) {
                child.heard_at = Instant::now();
                child.is_idle = false;
            }
        }
        if !child.is_idle && child.heard_at.elapsed() >= IDLE_WAIT {
            child.is_idle = true;
            for output in &mut child.outputs {
                output.idle(at, &mut lines);
            }
        }
        self.outbox.lines(lines);
    }

    fn look_at_the_clock(&mut self) {
        let Some(child) = &mut self.child else {
            return;
        };
        let silence = child.heard_at.elapsed();
        match child.pressure {
            Pressure::Interrupted if silence >= INTERRUPT_SILENCE_MAX => child.terminate(),
            Pressure::Terminated(kill_at) if kill_at <= Instant::now() => child.kill(),
            _ => {}
        }
        let is_read = !child.outputs.iter().any(Output::is_open);
        if child.has_ended && (is_read || silence >= ORPHAN_SILENCE_MAX) {
            self.end_output();
        }
    }

    /// Reads no more from a child that has ended, and is done with it.
    fn end_output(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let mut lines = Lines::default();
        for output in &mut child.outputs {
            output.close(clock::wall(), &mut lines);
        }
        self.outbox.lines(lines);
        if child.pressure != Pressure::None {
            // What it started and left behind was to end as well.
            let _none = kill_process_group(child.group, Signal::TERM);
        }
        drop(child.guard.take());
        let _reaped = child.process.wait();
        self.tell(ChildEvent::OutputEnded);
    }
}

impl Running {
    /// How long until something is due without a word from anybody.
    fn next_look(&self, now: Instant) -> Option<Duration> {
        let pressed = match self.pressure {
            Pressure::None => None,
            Pressure::Interrupted => Some(self.heard_at + INTERRUPT_SILENCE_MAX),
            Pressure::Terminated(kill_at) => Some(kill_at),
        };
        let orphan = self.has_ended.then(|| self.heard_at + ORPHAN_SILENCE_MAX);
        let idle = (!self.is_idle).then(|| self.heard_at + IDLE_WAIT);
        let due = pressed.into_iter().chain(orphan).chain(idle).min()?;
        // A moment more, so that it is over when it is looked at.
        Some(due.saturating_duration_since(now) + Duration::from_millis(1))
    }

    fn interrupt(&mut self) {
        if self.pressure == Pressure::None {
            self.pressure = Pressure::Interrupted;
            self.heard_at = Instant::now();
        }
        let _gone = kill_process_group(self.group, Signal::INT);
    }

    fn terminate(&mut self) {
        if !matches!(self.pressure, Pressure::Terminated(_)) {
            self.pressure = Pressure::Terminated(Instant::now() + TERMINATE_WAIT);
        }
        let _gone = kill_process_group(self.group, Signal::TERM);
    }

    fn kill(&mut self) {
        // Once more if even that takes its time.
        self.pressure = Pressure::Terminated(Instant::now() + TERMINATE_WAIT);
        let _gone = kill_process_group(self.group, Signal::KILL);
    }
}

fn wait_for(group: Pid, options: WaitIdOptions) -> Result<Option<WaitIdStatus>, Errno> {
    waitid(WaitId::Pid(group), options | WaitIdOptions::NOWAIT)
}

/// The code a shell would give a process that has ended: its own, or 128 and the signal.
fn exit_code(group: Pid) -> u8 {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = wait_for(group, options).ok().flatten();
    let code = status.and_then(|status| {
        let signal = status.terminating_signal().map(|signal| 128 + signal);
        status.exit_status().or(signal)
    });
    code.and_then(|code| u8::try_from(code & 0xff).ok())
        .unwrap_or(1)
}
