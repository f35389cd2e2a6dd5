//! The program: reads the command line, runs, and says in one sentence what went wrong.

use std::io::Write;
use std::process::ExitCode;

use modtrace_tui::cli::{self, Invocation};
use modtrace_tui::io::child;
use modtrace_tui::trace::harmless_lines;

fn main() -> ExitCode {
    // The second processes of `run`, before anything else is looked at.
    if let Some(child::Failed) = child::launch(std::env::args_os()) {
        return ExitCode::FAILURE;
    }
    if child::guard(std::env::args_os()) {
        return ExitCode::SUCCESS;
    }
    match cli::parse(std::env::args_os()) {
        Err(usage) => say(&usage, 2),
        Ok(Invocation::Print(text)) => {
            // Whoever closed the pipe has seen enough.
            let _closed = std::io::stdout().write_all(&text);
            ExitCode::SUCCESS
        }
        Ok(Invocation::Run(settings)) => match modtrace_tui::run::run(&settings) {
            Ok(code) => ExitCode::from(code),
            Err(error) => say(
                &format_args!("error: {}", sentence(&error)),
                modtrace_tui::run::exit_code(&error),
            ),
        },
    }
}

/// An error and its causes in one sentence, each said once: some errors quote their cause.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// Tells the user why there is nothing more to come.
fn say(reason: &dyn std::fmt::Display, code: u8) -> ExitCode {
    // File names, and what is in files, may be anything.
    let reason = reason.to_string();
    let reason = harmless_lines(&reason);
    let _closed = writeln!(std::io::stderr(), "{reason}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_is_quoted_is_not_said_again() {
        let error = anyhow::anyhow!("full")
            .context("no file (full)")
            .context("no export");
        assert_eq!(sentence(&error), "no export: no file (full)");
    }
}
