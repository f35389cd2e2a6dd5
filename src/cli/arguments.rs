//! The command line as clap knows it. The doc comments are the help text. No default stands here:
//! what was not said must stay apart from what was, so that the configuration file can say it.

#![expect(
    clippy::doc_markdown,
    reason = "the doc comments are help text, printed as they are"
)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser};

use crate::config::{
    Answers, AppUrl, ByteSize, ExportFormat, Forward, Idle, ListenAddress, PerSecond, Percent,
    Token,
};
use crate::env_lines::Topic;
use crate::sampler::AgentModel;

const EXAMPLES: &str = "\
Examples:
  modtrace-tui demo
      Look around: a sample service sends real traffic. Nothing to set up.

  modtrace-tui
      Listen where the Datadog Agent would. Start your service with
      DD_TRACE_AGENT_URL=http://127.0.0.1:8126 and watch its requests.
      Beside a running Agent: --listen 127.0.0.1:8136, and that port in the URL.

  modtrace-tui run -- modal serve app.py
      Start it, and show the spans and log lines in what it prints: nothing has
      to reach this machine. `modtrace-tui env modal` has the lines for the app.

  modtrace-tui --headless --export all.json --exit-after-idle 2s
      In a script or CI: one JSON object a line, all spans in all.json at the end.

  modtrace-tui open all.json
      Look at an export again. No port is bound.
";

/// Shows every span your service sends with ddtrace, live in the terminal
///
/// It stands where the Datadog Agent would (port 8126), captures every span that ddtrace sends or
/// prints, shows live waterfalls with their log lines and exports traces to JSON. Nothing is sent
/// on unless --forward says so.
#[derive(Debug, Parser)]
#[command(
    name = "modtrace-tui",
    version,
    after_long_help = EXAMPLES,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Subcommand>,
    #[command(flatten)]
    pub(super) options: Options,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Subcommand {
    /// Start CMD and show what it sends and prints
    ///
    /// Its stdout and stderr are read, and it is told where to send its spans (see --no-env). `q` and
    /// Ctrl-C interrupt it, read what it still prints, and leave with its exit code; 127 says that
    /// CMD was not found, 128 and more that a signal ended it.
    #[command(override_usage = "modtrace-tui run [OPTIONS] -- CMD [ARG]...")]
    Run {
        /// The program and its arguments, after `--`
        #[arg(required = true, last = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// Print the lines to paste into your app, your shell or your compose file
    ///
    /// They are made for the given --listen, --url and --token. Without a name all of them are
    /// printed but `relay`: that is a Python file, `modtrace-tui env relay > modtrace_relay.py`.
    Env {
        /// For what
        #[arg(value_enum)]
        topic: Option<Topic>,
    },
    /// View exports; no port is bound
    ///
    /// With --forward datadog, what FILE holds and says not to have gone is sent to Datadog, and FILE is
    /// written again and says what has: opened so again, it sends nothing twice. That is done at the end:
    /// of a run that was killed FILE says nothing, and what had arrived goes twice. Two at once cannot send
    /// the same FILE. Requests with log lines in it go with --forward-logs. With --headless it ends when all
    /// of it has been sent or given up.
    Open {
        /// The files `--export` or `x` wrote
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// View a built-in sample service, on a free port
    Demo {
        /// 1: requests without end; 2: one trace of 2,000 spans; 3: fifty requests at once
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
        story: u8,
    },
    /// Run sampler vectors, or an export, through the simulated Agent
    ///
    /// A tool for comparing with a real Agent. FILE is JSON lines: a header, whose `config` wins over
    /// --target-tps and its like, then an event or a row each. For every line what the samplers make of
    /// it is printed, with the members that its expectation has, or all; at last how many agree and
    /// how many differ. Of a file that --export wrote, its traces are run in the order in which they
    /// came, and compared with what it says was simulated then; that some came as v1.0, or early because
    /// of --live, it does not say. Exit code 0 if nothing differs, else 1.
    Simulate {
        /// Vectors, or what --export wrote
        file: PathBuf,
    },
    /// Say without a screen whether forwarding would work
    ///
    /// Today it checks forwarding to Datadog, before a span is sent: whether key and site are set (as
    /// for --forward datadog), whether the site knows the key (asked at api.SITE, or at DD_DD_URL), and
    /// whether the intakes can be reached, through HTTPS_PROXY if that is set. No span is sent; the key
    /// is not shown. Exit code 0: all is fine; 1: something is not; 2: it could not be found out.
    #[command(override_usage = "modtrace-tui doctor --forward [--json]")]
    Doctor {
        /// Check whether spans would get to Datadog: the only WHERE so far
        #[arg(
            long,
            value_name = "WHERE",
            num_args = 0..=1,
            require_equals = true,
            default_missing_value = "datadog",
            hide_possible_values = true
        )]
        forward: Option<Forward>,
        /// Print what is not fine as one JSON object: {"findings":[..]}
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script
    #[command(hide = true)]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "clap makes a bool of each flag; Settings has none"
)]
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Where to listen [default: 127.0.0.1:8126]
    ///
    /// Port 0 takes any free port. An address others can reach needs --token or --insecure-listen.
    #[arg(long, value_name = "ADDR", env = "MODTRACE_LISTEN", global = true)]
    pub(super) listen: Option<ListenAddress>,
    /// Listen on a unix socket as well
    ///
    /// It is removed at exit. A stale socket is replaced; one that somebody answers is an error.
    #[arg(long, value_name = "PATH", env = "MODTRACE_UDS", global = true)]
    pub(super) uds: Option<PathBuf>,
    /// Listen for OTLP too, usually on 127.0.0.1:4318
    ///
    /// OpenTelemetry's SDKs send there by themselves, over HTTP (http/protobuf or http/json; gRPC, on
    /// 4317, is not spoken). /v1/traces is served under --listen too.
    #[arg(long, value_name = "ADDR", env = "MODTRACE_OTLP", global = true)]
    pub(super) otlp: Option<ListenAddress>,
    /// Serve only paths under /TOKEN/
    ///
    /// Anything else gets 404. The app then takes the token as the path of its address:
    /// DD_TRACE_AGENT_URL=http://host:8126/TOKEN/
    #[arg(
        long,
        value_name = "TOKEN",
        env = "MODTRACE_TOKEN",
        hide_env_values = true,
        global = true
    )]
    pub(super) token: Option<Token>,
    /// Where your app reaches us, if elsewhere
    ///
    /// A tunnel's address, say: the screen then shows the line to set with it.
    #[arg(long, value_name = "URL", env = "MODTRACE_URL", global = true)]
    pub(super) url: Option<AppUrl>,
    /// Read the log file PATH and follow it; `-` is stdin
    ///
    /// From its beginning, through rotation and truncation; it may come later. Can be repeated.
    #[arg(long, value_name = "PATH", global = true)]
    pub(super) logs: Vec<PathBuf>,
    /// Send everything on: to Datadog, or to a real Agent
    ///
    /// datadog: every span once, and what it counts for, with DD_API_KEY to DD_SITE (datadoghq.com if
    /// that is not set; DD_APM_DD_URL instead of the site's own address; HTTPS_PROXY and NO_PROXY are
    /// heeded). Ingested spans are billed: --forward-sampled sends what an Agent would. agent=URL: as it
    /// came, with the app's headers, to the same path: agent=http://127.0.0.1:8125 (without a port
    /// it is 8126) or agent=unix:/var/run/datadog/apm.socket. Spans that the app printed, or sent as
    /// OTLP, go as v0.4; log lines and remote configuration do not go. The app is answered with the
    /// Agent's sampling rates. It never waits for the Agent longer than a second, and for one that does
    /// not answer not at all: what cannot be sent is tried again for a minute, and counted when it is
    /// lost. Without this option nothing goes by itself; `F` sends the traces you choose, if DD_API_KEY
    /// is set.
    #[arg(long, value_name = "WHERE", global = true)]
    pub(super) forward: Option<Forward>,
    /// With --forward datadog: only what the simulated Agent keeps
    #[arg(long, hide_short_help = true, global = true)]
    pub(super) forward_sampled: bool,
    /// With --forward datadog: the log lines of what goes, too
    ///
    /// Those that name a trace or a span. DD_LOGS_CONFIG_LOGS_DD_URL instead of the site's own address.
    #[arg(long, hide_short_help = true, global = true)]
    pub(super) forward_logs: bool,
    /// With --forward datadog: add this tag to every span, as in team:vision
    ///
    /// Can be repeated.
    #[arg(long, value_name = "KEY:VALUE", hide_short_help = true, global = true)]
    pub(super) forward_tag: Vec<String>,
    /// At exit write what did not arrive at Datadog to FILE
    ///
    /// Spans with their log lines, statistics and whatever else was to go, without the key; nothing if
    /// all of it arrived. `modtrace-tui open --forward datadog FILE` sends it later. If FILE is there
    /// already, another name beside it is taken.
    #[arg(long, value_name = "FILE", hide_short_help = true, global = true)]
    pub(super) spill: Option<PathBuf>,
    /// With `run`: leave the environment of CMD alone
    ///
    /// Otherwise it gets DD_TRACE_AGENT_URL, unless it is told already where its agent is, and
    /// MODTRACE_RELAY=1, COLUMNS=1000 and TTY_COMPATIBLE=0; FORCE_COLOR is taken away.
    #[arg(long, global = true)]
    pub(super) no_env: bool,
    /// With `run` and `env`: have ddtrace send each span as it ends
    ///
    /// Sets DD_TRACE_PARTIAL_FLUSH_MIN_SPANS=1.
    #[arg(long, global = true)]
    pub(super) live: bool,
    /// What tracers are told about sampling [default: observe]
    ///
    /// observe: keep every trace, so that all of them come here. agent: the rates that the simulated
    /// Agent would answer, so that the app behaves as it would in production; tracers then drop. A
    /// number from 0 to 1: that rate.
    #[arg(long, value_name = "RATES", global = true)]
    pub(super) sampling: Option<Answers>,
    /// With --sampling agent: tell tracers that they may drop what they reject
    ///
    /// As a real Agent does. What a tracer counts instead of sending it is then only seen in its
    /// statistics.
    #[arg(long, hide_short_help = true, global = true)]
    pub(super) client_drop_p0s: bool,
    /// Which Agents are assumed [default: agent]
    ///
    /// agent: one for everything. serverless: one in each container, as serverless-init runs it, each
    /// with the targets below.
    #[arg(
        long,
        value_name = "MODEL",
        value_enum,
        hide_short_help = true,
        global = true
    )]
    pub(super) agent_model: Option<AgentModel>,
    /// The simulated Agent's target, in traces a second [default: 10]
    #[arg(
        long,
        value_name = "N",
        env = "DD_APM_TARGET_TPS",
        hide_short_help = true,
        global = true
    )]
    pub(super) target_tps: Option<PerSecond>,
    /// How many errors a second it keeps beside them; 0 is off [default: 10]
    #[arg(
        long,
        value_name = "N",
        env = "DD_APM_ERROR_TPS",
        hide_short_help = true,
        global = true
    )]
    pub(super) error_tps: Option<PerSecond>,
    /// It has the rare sampler on (DD_APM_ENABLE_RARE_SAMPLER)
    #[arg(long, hide_short_help = true, global = true)]
    pub(super) rare: bool,
    /// It has the probabilistic sampler on, with this percentage
    ///
    /// DD_APM_PROBABILISTIC_SAMPLER_ENABLED and _SAMPLING_PERCENTAGE; it stands in for all others but
    /// the rare sampler and the error sampler.
    #[arg(long, value_name = "PERCENT", hide_short_help = true, global = true)]
    pub(super) probabilistic: Option<Percent>,
    /// It multiplies every rate by this (extra_sample_rate) [default: 1]
    #[arg(long, value_name = "F", hide_short_help = true, global = true)]
    pub(super) extra_rate: Option<PerSecond>,
    /// Spans of this name are the start of a container, as modal.init is
    ///
    /// A request that begins within a second of its end is cold. Can be repeated.
    #[arg(long, value_name = "NAME", hide_short_help = true, global = true)]
    pub(super) init_span: Vec<String>,
    /// Let anybody who reaches the address send
    #[arg(long, global = true)]
    pub(super) insecure_listen: bool,
    /// Memory for captured traces [default: 512MiB]
    ///
    /// When it is full, whole traces are dropped, oldest first, and counted in the header.
    #[arg(long, value_name = "SIZE", global = true)]
    pub(super) memory: Option<ByteSize>,
    /// No screen: one JSON object a line on stdout
    #[arg(long, global = true)]
    pub(super) headless: bool,
    /// At exit write everything captured to FILE
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) export: Option<PathBuf>,
    /// What the export holds [default: json]
    #[arg(long, value_name = "FORMAT", value_enum, global = true)]
    pub(super) export_format: Option<ExportFormat>,
    /// Leave when nothing has come for DUR, as in 2s or 500ms
    #[arg(long, value_name = "DUR", global = true)]
    pub(super) exit_after_idle: Option<Idle>,
    /// Read settings from FILE
    ///
    /// TOML; the keys are the long options without their dashes. Options and variables win over it.
    /// The default is modtrace-tui/config.toml in $XDG_CONFIG_HOME, which may be missing.
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// Leave clicks and the wheel to the terminal
    #[arg(long, global = true)]
    pub(super) no_mouse: bool,
    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub(super) ascii: bool,
    /// Where our own diagnostics go, filtered by RUST_LOG
    ///
    /// The default is modtrace-tui/modtrace-tui.log in $XDG_STATE_HOME.
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) log_file: Option<PathBuf>,
    /// Panic after DUR, to see the terminal come back
    #[cfg(debug_assertions)]
    #[arg(long, value_name = "DUR", hide = true, global = true)]
    pub(super) panic_after: Option<Idle>,
}
