//! Programs under load, each in a process of its own: what it costs is read from `/proc`.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{ChildKiller, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a program may take until it accepts a connection. Python takes a while.
const START_MAX: Duration = Duration::from_secs(20);

/// A program that is asked, and stopped with this.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pid: Option<u32>,
    stop: Stop,
}

enum Stop {
    Never,
    Child(Child),
    Screen(
        Box<dyn ChildKiller + Send + Sync>,
        Box<dyn MasterPty + Send>,
    ),
}

impl Program {
    /// One that runs already, with its process if that is known.
    pub(crate) fn running(name: &'static str, address: SocketAddr, pid: Option<u32>) -> Self {
        let program = Self {
            name,
            address,
            pid,
            stop: Stop::Never,
        };
        program.wait();
        program
    }

    /// This bench again, as the server that does nothing with what it reads.
    pub(crate) fn floor() -> Self {
        let address = free_address();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["floor", &address.to_string()]);
        Self::child("floor", address, command)
    }

    /// Ours, which writes its lines to nowhere.
    pub(crate) fn headless(memory: &str) -> Self {
        let address = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
        command.args(["--headless", "--memory", memory, "--listen"]);
        command.arg(address.to_string());
        Self::child("headless", address, command)
    }

    /// Ours, drawing to a terminal whose reader throws everything away.
    pub(crate) fn screen() -> Self {
        let address = free_address();
        let pty = native_pty_system();
        let size = PtySize {
            rows: 36,
            cols: 120,
            ..PtySize::default()
        };
        let pair = pty.openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_modtrace-tui"));
        command.args(["--listen", &address.to_string()]);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        let mut drawn = pair.master.try_clone_reader().unwrap();
        thread::spawn(move || {
            let mut bytes = vec![0; 65_536];
            while drawn.read(&mut bytes).is_ok_and(|n_bytes| n_bytes > 0) {}
        });
        let program = Self {
            name: "screen",
            address,
            pid: child.process_id(),
            stop: Stop::Screen(child.clone_killer(), pair.master),
        };
        program.wait();
        program
    }

    fn child(name: &'static str, address: SocketAddr, mut command: Command) -> Self {
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let program = Self {
            name,
            address,
            pid: Some(child.id()),
            stop: Stop::Child(child),
        };
        program.wait();
        program
    }

    fn wait(&self) {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(
                begun.elapsed() < START_MAX,
                "{} does not accept connections at {}",
                self.name,
                self.address
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// CPU seconds so far, in steps of 10 ms.
    pub(crate) fn cpu_s(&self) -> f64 {
        crate::compare::cpu_s(&self.process())
    }

    /// Bytes of memory it has now.
    pub(crate) fn resident_bytes(&self) -> f64 {
        crate::compare::resident_bytes(&self.process())
    }

    /// Its number, if that is known.
    fn process(&self) -> String {
        self.pid.map(|pid| pid.to_string()).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        match &mut self.stop {
            Stop::Never => {}
            Stop::Child(child) => {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            Stop::Screen(killer, _terminal) => killer.kill().unwrap(),
        }
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
