//! Puts the layers together: option, then variable, then configuration file, then default; and
//! refuses what does not fit together. Pure, but for reading the configuration file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::UsageError;
use super::arguments::{Arguments, Options, Subcommand};
use super::environment::{DatadogVariables, Environment, ToldToChildren};
use super::file::{self, FileOptions};
use crate::config::{
    AGENT_PORT, Answers, ByHand, ByteSize, ChildEnvironment, ChildSettings, Color, Command,
    DatadogTarget, DoctorSettings, ExportTarget, Flush, Forward, ForwardTo, Glyphs, ListenAddress,
    LogOrigin, LogTarget, MEMORY_BYTES_DEFAULT, MEMORY_BYTES_MIN, Mouse, Output, PerSecond,
    Percent, Report, SamplingSettings, ScreenSettings, Settings, Story, Told,
};
use crate::env_lines::{self, Reach, Topic};
use crate::forward::AddedTags;
use crate::forward::courier::{LinesGo, Which};
use crate::forward::settings::ForwardSettings;
use crate::sampler::{self, Probabilistic, RareSettings};

/// Options that make no sense where nothing listens.
const AGENT_OPTIONS: [&str; 8] = [
    "listen",
    "uds",
    "otlp",
    "token",
    "insecure_listen",
    "logs",
    "sampling",
    "client_drop_p0s",
];
/// Options about what goes on.
const FORWARD_OPTIONS: [&str; 5] = [
    "forward",
    "forward_sampled",
    "forward_logs",
    "forward_tag",
    "spill",
];
/// Options for whoever looks at traces, or keeps them.
const VIEWER_OPTIONS: [&str; 4] = ["export", "export_format", "headless", "exit_after_idle"];
/// Options about the program that is started, or that lines are printed for.
const CHILD_OPTIONS: [&str; 2] = ["no_env", "live"];

/// Which of the options that do not fit every command stand on the command line itself.
pub(super) fn given_options(matches: &ArgMatches) -> Vec<&'static str> {
    let given = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    let options = AGENT_OPTIONS.into_iter().chain(CHILD_OPTIONS);
    let options = options.chain(FORWARD_OPTIONS).chain(VIEWER_OPTIONS);
    options.filter(given).collect()
}

/// The lines that `env` prints.
pub(super) fn lines(settings: &Settings, topic: Option<Topic>) -> Result<String, UsageError> {
    if settings.listen.port() == 0 && settings.url.is_none() {
        return Err(UsageError::new(
            "with port 0 the address is not known before it listens: name a port with --listen",
        ));
    }
    let reach = Reach {
        listen: settings.listen,
        otlp: settings.otlp,
        url: settings.url.as_ref().map(|url| url.0.clone()),
        token: settings.token.as_ref().map(|token| token.as_str().into()),
        flush: settings.flush,
    };
    Ok(env_lines::print(topic, &reach))
}

/// The settings of this invocation.
pub(super) fn settings(
    arguments: Arguments,
    given: &[&str],
    environment: &Environment,
) -> Result<Settings, UsageError> {
    let default = environment.config_directory.as_ref();
    let default = default.map(|directory| directory.join("modtrace-tui").join("config.toml"));
    let file = file::read(arguments.options.config.as_deref(), default.as_deref())?;
    layered(arguments, file, given, environment)
}

fn layered(
    arguments: Arguments,
    file: FileOptions,
    given: &[&str],
    environment: &Environment,
) -> Result<Settings, UsageError> {
    let Arguments { command, options } = arguments;
    let screen = screen_of(&options, &file, environment);
    let sampling = sampling_of(&options, &file)?;
    let asked = ForwardAsked::of(&options, &file);
    let spill = options.spill.clone().or_else(|| file.spill.clone());
    check_fit(command.as_ref(), given)?;
    let no_env = options.no_env || file.no_env == Some(true);
    let flush = pick(
        options.live || file.live == Some(true),
        Flush::EachSpan,
        Flush::AsItIs,
    );
    let child = child_environment(no_env, environment.told);
    let command = command_of(command, child, &environment.datadog)?;
    let (listen, otlp) = addresses_of(&command, &options, &file, given);
    let token = options.token.or(file.token);
    let insecure = options.insecure_listen || file.insecure_listen == Some(true);
    if token.is_none() && !insecure && command.listens() {
        check_private(listen)?;
        otlp.map_or(Ok(()), check_private)?;
    }
    let uds = options.uds.or(file.uds);
    let forward = asked
        .heeded_by(&command, given)?
        .resolve(&environment.datadog)?;
    let bound = [Some(listen), otlp];
    check_forward(forward.as_ref(), bound, uds.as_deref(), sampling.answers)?;
    let memory_bytes = memory_bytes(options.memory.or(file.memory))?;
    let format = options
        .export_format
        .or(file.export_format)
        .unwrap_or_default();
    let headless = options.headless || file.headless == Some(true);
    let output = pick(headless, Output::Headless, Output::Screen);
    let by_hand = by_hand(forward.as_ref(), output, &environment.datadog);
    check_spill(&by_hand, given)?;
    Ok(Settings {
        command,
        listen,
        uds,
        otlp,
        token,
        url: options.url.or(file.url),
        logs: or_file(options.logs, file.logs),
        flush,
        forward,
        by_hand,
        spill,
        init_spans: or_file(options.init_span, file.init_span),
        sampling,
        memory_bytes,
        output,
        export: options
            .export
            .or(file.export)
            .map(|path| ExportTarget { path, format }),
        exit_after_idle: options
            .exit_after_idle
            .or(file.exit_after_idle)
            .map(|idle| idle.0),
        screen,
        clipboard: environment.clipboard,
        log: log_of(options.log_file.or(file.log_file), environment),
        export_directories: export_directories(environment),
        #[cfg(debug_assertions)]
        panic_after: options.panic_after.map(|after| after.0),
        #[cfg(not(debug_assertions))]
        panic_after: None,
    })
}

fn memory_bytes(asked: Option<ByteSize>) -> Result<u64, UsageError> {
    let bytes = asked.map_or(MEMORY_BYTES_DEFAULT, |size| size.0);
    if bytes < MEMORY_BYTES_MIN {
        return Err(UsageError::new("--memory needs at least 64KiB"));
    }
    Ok(bytes)
}

fn screen_of(options: &Options, file: &FileOptions, environment: &Environment) -> ScreenSettings {
    ScreenSettings {
        mouse: pick(
            options.no_mouse || file.no_mouse == Some(true),
            Mouse::Free,
            Mouse::Captured,
        ),
        glyphs: pick(
            options.ascii || file.ascii == Some(true),
            Glyphs::Ascii,
            Glyphs::Unicode,
        ),
        color: pick(environment.no_color, Color::Off, Color::On),
    }
}

fn sampling_of(options: &Options, file: &FileOptions) -> Result<SamplingSettings, UsageError> {
    let answers = options.sampling.or(file.sampling).unwrap_or_default();
    let is_agent = answers == Answers::Agent;
    let client_drop_p0s = options.client_drop_p0s || file.client_drop_p0s == Some(true) && is_agent;
    if client_drop_p0s && !is_agent {
        return Err(UsageError::new(
            "--client-drop-p0s needs --sampling agent: with any other rates every trace is to come",
        ));
    }
    let tps = |asked: Option<PerSecond>, from_file: Option<PerSecond>, default: f64| {
        asked.or(from_file).map_or(default, |PerSecond(tps)| tps)
    };
    let default = sampler::Settings::default();
    let rare = options.rare || file.rare == Some(true);
    let percent = options.probabilistic.or(file.probabilistic);
    Ok(SamplingSettings {
        answers,
        client_drop_p0s,
        model: options.agent_model.or(file.agent_model).unwrap_or_default(),
        agent: sampler::Settings {
            target_tps: tps(options.target_tps, file.target_tps, default.target_tps),
            error_tps: tps(options.error_tps, file.error_tps, default.error_tps),
            extra_rate: tps(options.extra_rate, file.extra_rate, default.extra_rate),
            rare: rare.then(RareSettings::default),
            probabilistic: percent.map(|Percent(percent)| Probabilistic::of_percentage(percent)),
            ..default
        },
    })
}

/// A list as it is given, else as the file has it.
fn or_file<T>(given: Vec<T>, of_file: Option<Vec<T>>) -> Vec<T> {
    if given.is_empty() {
        of_file.unwrap_or_default()
    } else {
        given
    }
}

fn pick<T>(condition: bool, then: T, otherwise: T) -> T {
    if condition { then } else { otherwise }
}

/// Refuses options that the command would not heed.
fn check_fit(command: Option<&Subcommand>, given: &[&str]) -> Result<(), UsageError> {
    let refused = |options: &[&str]| {
        let option = given.iter().find(|option| options.contains(option));
        option.map(|option| option.replace('_', "-"))
    };
    let sentence = match command {
        Some(Subcommand::Open { .. }) => refused(&AGENT_OPTIONS)
            .map(|option| format!("`open` binds no port and follows no log: leave out --{option}")),
        Some(Subcommand::Simulate { .. }) => refused(&AGENT_OPTIONS)
            .or_else(|| refused(&FORWARD_OPTIONS))
            .or_else(|| refused(&VIEWER_OPTIONS))
            .map(|option| format!("`simulate` only reads FILE and prints: leave out --{option}")),
        Some(Subcommand::Doctor { .. }) => {
            // It has a --forward of its own.
            refused(&AGENT_OPTIONS)
                .or_else(|| refused(&FORWARD_OPTIONS[1..]))
                .or_else(|| refused(&VIEWER_OPTIONS))
                .map(|option| format!("`doctor` only checks and prints: leave out --{option}"))
        }
        Some(Subcommand::Env { .. }) => refused(&["logs", "no_env"])
            .map(|option| format!("`env` only prints lines: leave out --{option}")),
        _ => None,
    };
    let starts_one = matches!(
        command,
        Some(Subcommand::Run { .. } | Subcommand::Env { .. })
    );
    let about_child = || {
        let option = refused(&CHILD_OPTIONS).filter(|_| !starts_one)?;
        Some(format!(
            "--{option} is about a program that we start: modtrace-tui run --{option} -- CMD"
        ))
    };
    match sentence.or_else(about_child) {
        Some(sentence) => Err(UsageError::new(sentence)),
        None => Ok(()),
    }
}

fn child_environment(no_env: bool, told: ToldToChildren) -> ChildEnvironment {
    if no_env {
        return ChildEnvironment::LeftAlone;
    }
    ChildEnvironment::Set {
        agent: pick(told.agent, Told::ByTheUser, Told::ByUs),
        relay: pick(told.relay, Told::ByTheUser, Told::ByUs),
    }
}

fn command_of(
    command: Option<Subcommand>,
    environment: ChildEnvironment,
    said: &DatadogVariables,
) -> Result<Command, UsageError> {
    Ok(match command {
        Some(Subcommand::Run { command }) => Command::Run(ChildSettings {
            command,
            environment,
        }),
        Some(Subcommand::Open { files }) => Command::Open(files),
        Some(Subcommand::Demo { story }) => Command::Demo(match story {
            2 => Story::LargeTrace,
            3 => Story::Burst,
            _ => Story::Live,
        }),
        Some(Subcommand::Simulate { file }) => Command::Simulate(file),
        Some(Subcommand::Doctor { forward, json }) => {
            let report = pick(json, Report::Json, Report::Lines);
            Command::Doctor(doctor_of(forward.as_ref(), report, said)?)
        }
        // Those that only print need no more than the settings of the agent.
        None | Some(Subcommand::Env { .. } | Subcommand::Completions { .. } | Subcommand::Man) => {
            Command::Agent
        }
    })
}

/// What is wrong with key or site is what it tells, and no wrong usage.
fn doctor_of(
    forward: Option<&Forward>,
    report: Report,
    said: &DatadogVariables,
) -> Result<DoctorSettings, UsageError> {
    match forward {
        Some(Forward::Datadog) => {}
        Some(Forward::Agent(_)) => {
            return Err(UsageError::new(
                "`doctor` checks forwarding to Datadog, not to an Agent: modtrace-tui doctor --forward",
            ));
        }
        None => {
            return Err(UsageError::new(
                "today `doctor` checks forwarding, and nothing else: modtrace-tui doctor --forward",
            ));
        }
    }
    let settings = ForwardSettings::read(&said.options());
    Ok(DoctorSettings {
        forwarding: settings.map(Box::new),
        report,
    })
}

/// Where to listen, and where for OTLP. The demo takes a free port, and none for OTLP, unless this very
/// command line names one: the agent that the environment or the file is about may well be running.
fn addresses_of(
    command: &Command,
    options: &Options,
    file: &FileOptions,
    given: &[&str],
) -> (SocketAddr, Option<SocketAddr>) {
    let is_demo = matches!(command, Command::Demo(_));
    let asked = |name: &str, address: Option<ListenAddress>| {
        let address = address.filter(|_| !is_demo || given.contains(&name));
        address.map(|address| address.0)
    };
    let port = if is_demo { 0 } else { AGENT_PORT };
    let listen = asked("listen", options.listen.or(file.listen));
    (
        listen.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        asked("otlp", options.otlp.or(file.otlp)),
    )
}

/// Refuses an address that strangers can reach.
fn check_private(address: SocketAddr) -> Result<(), UsageError> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(UsageError::new(format!(
        "{address} can be reached from other machines: add --token TOKEN so that only your app \
         can send, or --insecure-listen if anybody may"
    )))
}

/// What is asked of sending on.
#[derive(Default)]
struct ForwardAsked {
    to: Option<Forward>,
    which: Which,
    lines: LinesGo,
    tags: Vec<String>,
}

impl ForwardAsked {
    fn of(options: &Options, file: &FileOptions) -> Self {
        Self {
            to: options.forward.clone().or_else(|| file.forward.clone()),
            which: pick(
                options.forward_sampled || file.forward_sampled == Some(true),
                Which::Sampled,
                Which::All,
            ),
            lines: pick(
                options.forward_logs || file.forward_logs == Some(true),
                LinesGo::WithTheirTraces,
                LinesGo::Nowhere,
            ),
            tags: or_file(options.forward_tag.clone(), file.forward_tag.clone()),
        }
    }

    /// What of it a command heeds: files are only sent if this very command line says so.
    fn heeded_by(self, command: &Command, given: &[&str]) -> Result<Self, UsageError> {
        let Command::Open(paths) = command else {
            return Ok(pick(command.listens(), self, Self::default()));
        };
        if !given.iter().any(|option| FORWARD_OPTIONS.contains(option)) {
            return Ok(Self::default());
        }
        let to = self.to.filter(|_| given.contains(&"forward"));
        let wrong = match (&to, paths.len()) {
            (Some(Forward::Agent(_)), _) => Some(
                "`open` sends what FILE holds to Datadog, not to an Agent: --forward datadog, or leave out --forward",
            ),
            (Some(Forward::Datadog), 2..) => Some(
                "with --forward datadog `open` takes one FILE at a time, which then says what was sent",
            ),
            _ => None,
        };
        match wrong {
            Some(sentence) => Err(UsageError::new(sentence)),
            None => Ok(Self { to, ..self }),
        }
    }

    fn resolve(self, said: &DatadogVariables) -> Result<Option<ForwardTo>, UsageError> {
        match self.to {
            Some(Forward::Datadog) => {
                let target = self.datadog(said).map_err(UsageError::new)?;
                Ok(Some(ForwardTo::Datadog(Box::new(target))))
            }
            _ if self.is_about_datadog() => Err(UsageError::new(
                "--forward-sampled, --forward-logs and --forward-tag need --forward datadog: a real Agent gets what came",
            )),
            Some(Forward::Agent(agent)) => Ok(Some(ForwardTo::Agent(agent))),
            None => Ok(None),
        }
    }

    fn is_about_datadog(&self) -> bool {
        self.which == Which::Sampled || self.lines != LinesGo::Nowhere || !self.tags.is_empty()
    }

    fn datadog(self, said: &DatadogVariables) -> Result<DatadogTarget, String> {
        let settings = ForwardSettings::read(&said.options())?;
        Ok(DatadogTarget {
            settings,
            which: self.which,
            lines: self.lines,
            added: AddedTags::parse(self.tags.iter().map(String::as_str))?,
        })
    }
}

/// Whether the user may choose traces that go to Datadog.
fn by_hand(forward: Option<&ForwardTo>, output: Output, said: &DatadogVariables) -> ByHand {
    let target = match (forward, output) {
        (Some(ForwardTo::Datadog(target)), _) => return ByHand::To(target.clone()),
        (Some(ForwardTo::Agent(agent)), _) => Err(format!(
            "Everything goes on to the Agent at {agent} as it comes: nothing is chosen by hand."
        )),
        (None, Output::Headless) => Err("There is no screen on which to choose.".to_owned()),
        (None, Output::Screen) => ForwardAsked {
            which: Which::ByHand,
            ..ForwardAsked::default()
        }
        .datadog(said),
    };
    target.map_or_else(ByHand::Not, |target| ByHand::To(Box::new(target)))
}

/// Refuses to keep what was not sent where nothing is sent.
fn check_spill(by_hand: &ByHand, given: &[&str]) -> Result<(), UsageError> {
    match by_hand {
        ByHand::Not(_) if given.contains(&"spill") => Err(UsageError::new(
            "--spill keeps what did not arrive at Datadog: it needs --forward datadog",
        )),
        ByHand::To(_) | ByHand::Not(_) => Ok(()),
    }
}

/// Refuses to send to ourselves what would come back at once, and rates of ours where the Agent's are
/// answered.
fn check_forward(
    forward: Option<&ForwardTo>,
    bound: [Option<SocketAddr>; 2],
    uds: Option<&Path>,
    answers: Answers,
) -> Result<(), UsageError> {
    let Some(ForwardTo::Agent(agent)) = forward else {
        return Ok(());
    };
    let mut bound = bound.into_iter().flatten();
    if bound.any(|bound| agent.is_at(bound)) || uds.is_some_and(|uds| agent.is_socket(uds)) {
        return Err(UsageError::new(format!(
            "--forward agent= names {agent}, where this program listens itself: give one of the two \
             another address, as in --listen 127.0.0.1:8136"
        )));
    }
    match answers {
        Answers::Observe => Ok(()),
        Answers::Agent | Answers::Rate(_) => Err(UsageError::new(
            "with --forward agent= tracers are answered with that Agent's rates: leave out --sampling",
        )),
    }
}

fn log_of(asked: Option<PathBuf>, environment: &Environment) -> LogTarget {
    let filter = environment.log_filter.clone();
    if asked.is_some() {
        return LogTarget {
            path: asked,
            origin: LogOrigin::Asked,
            filter,
        };
    }
    let directory = environment.state_directory.as_deref();
    LogTarget {
        path: directory.map(|directory| directory.join("modtrace-tui.log")),
        origin: LogOrigin::Default,
        filter,
    }
}

fn export_directories(environment: &Environment) -> Vec<PathBuf> {
    let current = environment
        .current_directory
        .as_deref()
        .unwrap_or(Path::new("."));
    let others = [&environment.state_directory, &environment.home_directory];
    let others = others.into_iter().filter_map(Clone::clone);
    std::iter::once(current.to_owned()).chain(others).collect()
}

#[cfg(test)]
mod tests;
