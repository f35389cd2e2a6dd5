//! The built program in a pseudo-terminal: what it shows, what it does with keys, how it leaves.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use portable_pty::{ChildKiller, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::fs::{Mode, OFlags};
use vt100::MouseProtocolMode;

/// More than a busy machine needs; reached only when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running program and the terminal around it.
pub(crate) struct Screen {
    shared: Arc<Shared>,
    master: Box<dyn MasterPty + Send>,
    /// Held open, so that the mode the program leaves behind can still be read.
    _slave: Box<dyn SlavePty + Send>,
    keyboard: Box<dyn Write + Send>,
    killer: Box<dyn ChildKiller + Send + Sync>,
    process: i32,
    exit: mpsc::Receiver<u32>,
    mode_before: String,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    terminal: vt100::Parser,
    /// False while the terminal plays dead.
    reads: bool,
}

impl Screen {
    /// Starts the program with nothing in its environment but a terminal and empty directories.
    pub(crate) fn start(arguments: &[&str], rows: u16, columns: u16) -> Self {
        let mut words = vec![env!("CARGO_BIN_EXE_modtrace-tui")];
        words.extend(arguments);
        Self::start_command(&words, rows, columns)
    }

    /// Starts any command that way; `PATH` is set to the usual.
    pub(crate) fn start_command(words: &[&str], rows: u16, columns: u16) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mode_before = mode(&*pair.master);
        let child = pair.slave.spawn_command(command(words)).unwrap();
        let killer = child.clone_killer();
        let process = i32::try_from(child.process_id().unwrap()).unwrap();
        let terminal = vt100::Parser::new(rows, columns, 0);
        let seen = Mutex::new(Seen {
            terminal,
            reads: true,
        });
        let shared = Arc::new(Shared {
            seen,
            changed: Condvar::new(),
        });
        let (reader, reading) = (pair.master.try_clone_reader().unwrap(), Arc::clone(&shared));
        thread::spawn(move || reading.read_all(reader));
        Self {
            shared,
            keyboard: pair.master.take_writer().unwrap(),
            master: pair.master,
            _slave: pair.slave,
            killer,
            process,
            exit: when_it_ends(child),
            mode_before,
        }
    }

    /// Waits until the screen's text is as wished.
    #[track_caller]
    pub(crate) fn wait_for(&self, wish: impl Fn(&str) -> bool) {
        let is_met = self.shared.wait(|screen| wish(&screen.contents()));
        assert!(is_met, "this is not what was waited for:\n{}", self.text());
    }

    /// What the screen shows.
    pub(crate) fn text(&self) -> String {
        self.shared
            .seen
            .lock()
            .unwrap()
            .terminal
            .screen()
            .contents()
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Changes the size, as a window does.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        // vt100 does not know screens of one row or column.
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let mut seen = self.shared.seen.lock().unwrap();
        seen.terminal
            .screen_mut()
            .set_size(rows.max(2), columns.max(2));
        drop(seen);
        self.master.resize(size).unwrap();
    }

    /// Stops or starts reading what the program writes.
    pub(crate) fn set_reading(&self, reads: bool) {
        self.shared.seen.lock().unwrap().reads = reads;
        self.shared.changed.notify_all();
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_raw(self.process).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Waits for the end of the program; its exit code.
    #[track_caller]
    pub(crate) fn exit_code(&self) -> u32 {
        let exit = self.exit.recv_timeout(PATIENCE);
        assert!(exit.is_ok(), "it does not end:\n{}", self.text());
        exit.unwrap()
    }

    /// Checks that nothing of us is left: the other screen, hidden cursor, mouse, raw mode.
    #[track_caller]
    pub(crate) fn assert_restored(&self) {
        let is_restored = self.shared.wait(|screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
        });
        assert!(
            is_restored,
            "something of us is left on the screen:\n{}",
            self.text()
        );
        assert_eq!(mode(&*self.master), self.mode_before, "the terminal's mode");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.set_reading(true);
        let _ended = self.killer.kill();
    }
}

impl Shared {
    fn read_all(&self, mut reader: Box<dyn Read + Send>) {
        let mut bytes = [0; 4096];
        loop {
            let seen = self.seen.lock().unwrap();
            drop(self.changed.wait_while(seen, |seen| !seen.reads).unwrap());
            let Ok(n_bytes @ 1..) = reader.read(&mut bytes) else {
                return;
            };
            self.seen
                .lock()
                .unwrap()
                .terminal
                .process(bytes.get(..n_bytes).unwrap());
            self.changed.notify_all();
        }
    }

    fn wait(&self, wish: impl Fn(&vt100::Screen) -> bool) -> bool {
        let seen = self.seen.lock().unwrap();
        let unmet = |seen: &mut Seen| !wish(seen.terminal.screen());
        let (_seen, timeout) = self
            .changed
            .wait_timeout_while(seen, PATIENCE, unmet)
            .unwrap();
        !timeout.timed_out()
    }
}

/// The exit code of the program whose terminal goes away once it shows something. It is in no session of
/// that terminal, so that no signal tells it.
#[track_caller]
pub(crate) fn exit_code_without_terminal(arguments: &[&str]) -> u32 {
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let name = pair.master.tty_name().unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = File::from(rustix::fs::open(name, flags, Mode::empty()).unwrap());
    let mut program = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    program
        .args(arguments)
        .env_clear()
        .env("TERM", "xterm-256color")
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(slave.try_clone().unwrap())
        .stdout(slave.try_clone().unwrap())
        .stderr(slave);
    let child = program.spawn().unwrap();
    // It holds the program's end of the terminal too.
    drop(program);
    let mut killer = child.clone_killer();
    let exit = when_it_ends(Box::new(child));
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    reader.read_exact(&mut [0; 512]).unwrap();
    drop((reader, pair.master));
    exit.recv_timeout(PATIENCE).unwrap_or_else(|_timeout| {
        let _ended = killer.kill();
        panic!("it does not end")
    })
}

fn command(words: &[&str]) -> CommandBuilder {
    let mut command = CommandBuilder::from_argv(words.iter().map(Into::into).collect());
    command.env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("TERM", "xterm-256color");
    for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
        command.env(variable, env!("CARGO_TARGET_TMPDIR"));
    }
    command.cwd(env!("CARGO_TARGET_TMPDIR"));
    command
}

fn when_it_ends(mut child: Box<dyn portable_pty::Child + Send + Sync>) -> mpsc::Receiver<u32> {
    let (ended, exit) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait().unwrap().exit_code()));
    exit
}

/// The mode of the line: echo, canonical input and the like.
fn mode(master: &(dyn MasterPty + Send)) -> String {
    let mode = master.get_termios().unwrap();
    format!(
        "{:?} {:?} {:?}",
        mode.input_flags, mode.output_flags, mode.local_flags
    )
}
