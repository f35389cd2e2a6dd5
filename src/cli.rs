//! Arguments, environment and configuration file to [`Settings`]. The environment is read in here
//! and nowhere else. Does nothing but read: no port is bound, nothing is printed.

use std::ffi::OsString;
use std::fmt;

use clap::{CommandFactory, FromArgMatches};

use crate::config::Settings;
use crate::env_lines::{self, Topic};

mod arguments;
mod environment;
mod file;
mod resolve;

use arguments::{Arguments, Subcommand};
use environment::Environment;

/// What a command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Run with these settings.
    Run(Box<Settings>),
    /// Print this on stdout and leave: help, the version, completions, the manual page.
    Print(Vec<u8>),
}

/// Wrong usage, exit code 2: what is wrong and what to do instead.
#[derive(Debug)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl UsageError {
    fn new(sentence: impl Into<String>) -> Self {
        Self(format!("error: {}", sentence.into()))
    }
}

/// Reads a command line, the program's name first, and what belongs to it: the environment and the
/// configuration file.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let matches = match Arguments::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => return Err(from_clap(&error)),
        Err(error) => return Ok(Invocation::Print(error.render().to_string().into_bytes())),
    };
    let arguments = Arguments::from_arg_matches(&matches).map_err(|error| from_clap(&error))?;
    match arguments.command {
        Some(Subcommand::Completions { shell }) => Ok(Invocation::Print(completions(shell))),
        Some(Subcommand::Man) => manual().map(Invocation::Print),
        Some(Subcommand::Env {
            topic: Some(Topic::Relay),
        }) => Ok(Invocation::Print(env_lines::RELAY.into())),
        ref command => {
            let printed = match command {
                Some(Subcommand::Env { topic }) => Some(*topic),
                _ => None,
            };
            let environment = Environment::read();
            let given = resolve::given_options(&matches);
            let settings = resolve::settings(arguments, &given, &environment)?;
            match printed {
                Some(topic) => {
                    let lines = resolve::lines(&settings, topic)?;
                    Ok(Invocation::Print(lines.into_bytes()))
                }
                None => Ok(Invocation::Run(Box::new(settings))),
            }
        }
    }
}

fn from_clap(error: &clap::Error) -> UsageError {
    UsageError(error.render().to_string().trim_end().to_owned())
}

fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut Arguments::command(),
        "modtrace-tui",
        &mut script,
    );
    script
}

fn manual() -> Result<Vec<u8>, UsageError> {
    let mut page = Vec::new();
    match clap_mangen::Man::new(Arguments::command()).render(&mut page) {
        Ok(()) => Ok(page),
        Err(error) => Err(UsageError::new(format!(
            "the manual page cannot be written: {error}"
        ))),
    }
}
