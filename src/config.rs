//! What the program was asked to do, validated: every other part takes its settings from here and
//! trusts them. Reads no argument, no variable and no file; `cli` does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::forward::settings::ForwardSettings;

mod child;
mod forward;
mod sampling;
mod value;

pub(crate) use child::quoted;
pub use child::{ChildEnvironment, ChildSettings, Flush, Told};
pub use forward::{AgentAddress, ByHand, DatadogTarget, Forward, ForwardTo};
pub use sampling::{Answers, PerSecond, Percent, SamplingSettings};
pub use value::{AppUrl, ByteSize, Idle, ListenAddress, Token, ValueError};

/// The port a Datadog Agent listens on, and so do we.
pub(crate) const AGENT_PORT: u16 = 8126;
/// The store's budget when nothing else is said.
pub(crate) const MEMORY_BYTES_DEFAULT: u64 = 512 * 1024 * 1024;
/// Below this not even one ordinary trace would stay.
pub(crate) const MEMORY_BYTES_MIN: u64 = 64 * 1024;

/// Everything the program was told, with defaults filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What to do.
    pub command: Command,
    /// Where the agent listens; not used by [`Command::Open`].
    pub listen: SocketAddr,
    /// The unix socket it listens on as well.
    pub uds: Option<PathBuf>,
    /// Where it listens for OTLP as well.
    pub otlp: Option<SocketAddr>,
    /// The first path segment every request must carry.
    pub token: Option<Token>,
    /// Under which the app reaches us, if it is not the address we listen on.
    pub url: Option<AppUrl>,
    /// How ddtrace sends in the programs that we start or print lines for.
    pub flush: Flush,
    /// Log files that are read and followed; `-` is standard input.
    pub logs: Vec<PathBuf>,
    /// Where spans go on to.
    pub forward: Option<ForwardTo>,
    /// Whether the user may choose traces that go to Datadog, where they do not all go by themselves.
    pub by_hand: ByHand,
    /// Where is kept at exit what was to go to Datadog and has not arrived.
    pub spill: Option<PathBuf>,
    /// Names of spans that are the start of a container, beside Modal's.
    pub init_spans: Vec<String>,
    /// The simulated Agent, and what tracers are answered.
    pub sampling: SamplingSettings,
    /// What the store may occupy.
    pub memory_bytes: u64,
    /// A screen, or lines for a program.
    pub output: Output,
    /// What is written at exit.
    pub export: Option<ExportTarget>,
    /// Leave when nothing has come for so long.
    pub exit_after_idle: Option<Duration>,
    /// How the screen looks and what it listens to.
    pub screen: ScreenSettings,
    /// How copied text travels.
    pub clipboard: ClipboardRoute,
    /// Where our own diagnostics go.
    pub log: LogTarget,
    /// Where `x` writes a trace: the first of these that can be written to.
    pub export_directories: Vec<PathBuf>,
    /// Panic on purpose once the screen has been up for so long. Debug builds only: it is how the
    /// tests see that a panic gives the terminal back.
    pub panic_after: Option<Duration>,
}

/// The subcommands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stand where the agent would, and show what comes.
    Agent,
    /// The same, and start a program whose output is read.
    Run(ChildSettings),
    /// Show exports, without listening.
    Open(Vec<PathBuf>),
    /// Show the built-in sample service.
    Demo(Story),
    /// Run a file through the simulated Agent, and print what it makes of it.
    Simulate(PathBuf),
    /// Say whether forwarding to Datadog would work.
    Doctor(DoctorSettings),
}

impl Command {
    /// Whether anything can be sent to us.
    pub fn listens(&self) -> bool {
        match self {
            Self::Agent | Self::Run(_) | Self::Demo(_) => true,
            Self::Open(_) | Self::Simulate(_) | Self::Doctor(_) => false,
        }
    }
}

/// What is looked at, and for whom it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctorSettings {
    /// Who is asked; or what is wrong with what the environment says, a sentence.
    pub forwarding: Result<Box<ForwardSettings>, String>,
    /// Who reads it.
    pub report: Report,
}

/// Who reads what `doctor` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// A person.
    Lines,
    /// A program that reads one JSON object.
    Json,
}

/// What the sample service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// Requests one after another, without end.
    Live,
    /// One trace of 2,000 spans.
    LargeTrace,
    /// Fifty requests at once.
    Burst,
}

/// Who reads what we show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A person at a terminal.
    Screen,
    /// A program that reads one JSON object a line.
    Headless,
}

/// What is written at exit, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportTarget {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub format: ExportFormat,
}

/// The formats of `--export-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportFormat {
    /// Everything we know, to be opened again.
    #[default]
    Json,
    /// The array of arrays of spans that an agent takes on /v0.4/traces.
    Datadog,
}

/// How the screen looks and what it listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenSettings {
    /// Whether clicks and the wheel are ours.
    pub mouse: Mouse,
    /// What bars and lines are drawn with.
    pub glyphs: Glyphs,
    /// Whether colours may be used.
    pub color: Color,
}

/// Whether clicks and the wheel are ours; if not, the terminal selects text with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// They are ours.
    Captured,
    /// They are the terminal's.
    Free,
}

/// What bars and lines are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// Block elements and arrows.
    #[default]
    Unicode,
    /// Only what a typewriter has.
    Ascii,
}

/// Whether colours may be used; `NO_COLOR` says no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// The terminal's sixteen; they carry meaning beside the text.
    #[default]
    On,
    /// Bold, dim and reversed only.
    Off,
}

/// How copied text travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipboardRoute {
    /// To the desktop we run on; to the terminal if that fails.
    Desktop,
    /// Through the terminal (OSC 52): over ssh, in a container, on a console.
    Terminal,
}

/// Where our own diagnostics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTarget {
    /// The file; without one (no home directory) nothing is logged.
    pub path: Option<PathBuf>,
    /// Whether the user named it, so that failing to open it is an error.
    pub origin: LogOrigin,
    /// What `RUST_LOG` says.
    pub filter: Option<String>,
}

/// Who chose the log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOrigin {
    /// `--log-file` or the configuration file.
    Asked,
    /// The default place.
    Default,
}
