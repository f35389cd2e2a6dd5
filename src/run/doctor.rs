//! `doctor`: has the checks made and prints what they mean. No screen, no port, no span.

use std::io::{self, ErrorKind, Write as _};
use std::time::Duration;

use anyhow::Context as _;

use crate::config::{DoctorSettings, Report};
use crate::export::write_json;
use crate::forward::check::{self, Diagnostic};
use crate::io::forward;

/// Nobody is waited for longer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Says whether forwarding would work; the exit code says it too.
pub(super) fn doctor(asked: &DoctorSettings) -> anyhow::Result<u8> {
    let diagnostics = match &asked.forwarding {
        Err(sentence) => vec![Diagnostic::refused(sentence)],
        Ok(settings) => {
            let seen = forward::check(settings, WAIT_MAX);
            let seen = seen.context("the program cannot wait for anything here")?;
            check::diagnostics(settings, &seen)
        }
    };
    let text = match asked.report {
        Report::Lines => check::lines(&diagnostics).into_bytes(),
        Report::Json => {
            let mut line = Vec::new();
            write_json(&mut line, &check::findings(&diagnostics))?;
            line.push(b'\n');
            line
        }
    };
    match io::stdout().write_all(&text) {
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.context("the checks cannot be printed")?,
    }
    Ok(check::exit_code(&diagnostics))
}
