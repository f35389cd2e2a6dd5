//! The built program run without a screen, on a free port, in a folder of its own; and a client that
//! sends what it is told to.
//!
//! Nothing in here knows what that is.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a slow machine may take for what a fast one does at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running `modtrace-tui --headless`.
#[derive(Debug)]
pub(crate) struct Headless {
    process: Process,
    lines: Receiver<String>,
    stderr: JoinHandle<String>,
    stdout: Vec<String>,
    url: String,
    otlp_url: Option<String>,
    scratch: Scratch,
}

/// What a [`Headless`] left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// The lines of its stdout as they were written.
    pub(crate) stdout: Vec<String>,
    /// The same, parsed.
    pub(crate) events: Vec<Value>,
    /// The file of `--export`.
    pub(crate) export: Value,
    pub(crate) stderr: String,
    /// Its folder, so that what it left there can be looked at.
    pub(crate) scratch: Scratch,
}

impl Headless {
    /// Starts it with `args` beside the ones every test needs, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_in(Scratch::new(), args)
    }

    /// The same in a folder that the caller has put something into, or wants to name in `args`.
    #[track_caller]
    pub(crate) fn start_in(scratch: Scratch, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
        // First, since what follows `--` in `args` is for another program.
        command.args(["--headless", "--listen", "127.0.0.1:0", "--export"]);
        command.arg(scratch.path("all.json")).args(args);
        Self::launch(scratch, command)
    }

    /// The same with variables in its environment, and none of Datadog's or of a proxy beside them.
    #[track_caller]
    pub(crate) fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
        command.args(["--headless", "--listen", "127.0.0.1:0", "--export"]);
        command.arg(scratch.path("all.json")).args(args);
        for name in ["DD_", "DATADOG_", "HTTPS_", "https_", "NO_", "no_"] {
            clear_environment(&mut command, name);
        }
        command.envs(variables.iter().copied());
        Self::launch(scratch, command)
    }

    /// Starts `run` with a program that has these variables beside its own.
    #[track_caller]
    pub(crate) fn run(
        scratch: Scratch,
        args: &[&str],
        variables: &[(String, String)],
        program: &[String],
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
        command.args(["run", "--headless", "--listen", "127.0.0.1:0", "--export"]);
        command.arg(scratch.path("all.json")).args(args);
        command.arg("--").args(program);
        for name in ["DD_", "MODAL_", "AWS_LAMBDA"] {
            clear_environment(&mut command, name);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Self::launch(scratch, command)
    }

    #[track_caller]
    fn launch(scratch: Scratch, mut command: Command) -> Self {
        command
            .env("XDG_CONFIG_HOME", scratch.path(""))
            .env("XDG_STATE_HOME", scratch.path(""));
        clear_environment(&mut command, "MODTRACE_");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Process(command.spawn().expect("the built program starts"));
        let lines = read_lines(process.0.stdout.take().expect("stdout is a pipe"));
        let mut pipe = process.0.stderr.take().expect("stderr is a pipe");
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            pipe.read_to_string(&mut text)
                .map_or_else(|error| error.to_string(), |_| text)
        });
        let Ok(first) = lines.recv_timeout(PATIENCE) else {
            panic!("it never listened: {}", stderr.join().unwrap_or_default());
        };
        let listening = parse(&first);
        let url = |name: &str| listening[name].as_str().map(str::to_owned);
        let otlp_url = url("otlp");
        let url = url("url").expect("the first line has the URL");
        Self {
            process,
            lines,
            stderr,
            stdout: vec![first],
            url,
            otlp_url,
            scratch,
        }
    }

    /// The address it listens on, as an application would be told.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The address for OTLP, which was asked for.
    pub(crate) fn otlp_url(&self) -> &str {
        let url = self.otlp_url.as_deref();
        url.expect("`--otlp` stands in its arguments")
    }

    /// Reads on until so many traces with this root have been told of.
    #[track_caller]
    pub(crate) fn wait_for_traces(&mut self, root: &str, n_traces: usize) {
        let is_one = |line: &String| {
            let event = parse(line);
            event["event"] == "trace" && event["root"] == root
        };
        let mut n_told = self.stdout.iter().filter(|line| is_one(line)).count();
        while n_told < n_traces {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    n_told += usize::from(is_one(&line));
                    self.stdout.push(line);
                }
                Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {
                    panic!("{n_told} of {n_traces} came: {:#?}", self.stdout)
                }
            }
        }
    }

    /// Reads on until nothing was said for so long.
    pub(crate) fn read_until_quiet(&mut self, quiet: Duration) {
        while let Ok(line) = self.lines.recv_timeout(quiet) {
            self.stdout.push(line);
        }
    }

    /// A file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process.0)
    }

    /// Asks it to end, and collects what it wrote.
    #[track_caller]
    pub(crate) fn finish(self) -> Finished {
        kill_process(self.pid(), Signal::TERM).expect("it still runs");
        self.wait()
    }

    /// Waits until it ends by itself, and collects what it wrote.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Finished {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.stdout.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        let status = self.process.0.wait().expect("it can be waited for");
        let stderr = self.stderr.join().expect("the reader of stderr ends");
        let text = fs::read_to_string(self.scratch.path("all.json"));
        let text = text.unwrap_or_else(|error| panic!("no export: {error}; stderr: {stderr}"));
        let events = self.stdout.iter().map(|line| parse(line)).collect();
        Finished {
            status,
            stdout: self.stdout,
            events,
            export: parse(&text),
            stderr,
            scratch: self.scratch,
        }
    }
}

impl Finished {
    /// The events of one kind: `trace`, `log`, `refused`, `summary`.
    pub(crate) fn events_named(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.events
            .iter()
            .filter(move |event| event["event"] == name)
    }
}

/// Takes the variables that begin with `prefix` away from a command, so that the machine's own
/// settings do not decide a test.
pub(crate) fn clear_environment(command: &mut Command, prefix: &str) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(prefix) {
            command.env_remove(name);
        }
    }
}

#[track_caller]
fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line:?}"))
}

fn read_lines(pipe: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    lines
}

/// A child that does not outlive its test.
#[derive(Debug)]
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail when it has been waited for already, which is how most tests end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder of its own for one test, short enough for a socket's path, gone with the value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("modtrace-it-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        Self(folder)
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary folder; no test depends on it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A client that says exactly what it is told to.
pub(crate) struct Client<S>(pub(crate) BufReader<S>);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.ask_with(method, path, "", body)
    }

    /// The same with further headers, which end with a line break each.
    pub(crate) fn ask_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Answer {
        self.write(&request(method, path, headers, body));
        let answer = self.answer();
        if method == "HEAD" {
            Answer {
                body: String::new(),
                ..answer
            }
        } else {
            self.with_body(answer)
        }
    }

    /// Reads the head of an answer.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let n_bytes = self.0.read_line(&mut head).unwrap();
            assert_ne!(n_bytes, 0, "the connection ended after {head:?}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_lowercase(),
            body: String::new(),
        }
    }

    fn with_body(&mut self, mut answer: Answer) -> Answer {
        let length = answer.head.split("content-length: ").nth(1).unwrap();
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    /// Reads an answer.
    pub(crate) fn full_answer(&mut self) -> Answer {
        let answer = self.answer();
        self.with_body(answer)
    }

    /// Whatever comes until the connection ends.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // Some are answered by a reset.
        let _reset = self.0.read_to_end(&mut rest);
        String::from_utf8(rest).unwrap()
    }

    /// Whether the agent has ended the connection; waits until it does.
    pub(crate) fn has_ended(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(n_bytes) => n_bytes == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

impl Client<TcpStream> {
    /// Connects to an address such as `http://127.0.0.1:8126`.
    pub(crate) fn of(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }
}

/// Sends one request on a connection of its own, and reads its answer.
pub(crate) fn post(url: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    Client::of(url).ask_with("POST", path, headers, body)
}

/// A request as bytes. `headers` end with a line break each.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: agent\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
