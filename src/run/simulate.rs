//! `simulate FILE`: reads the file, prints what the simulated Agent makes of each line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use anyhow::Context as _;

use crate::config::SamplingSettings;
use crate::export::{self, write_json};
use crate::io::files;
use crate::simulate::{self, Answer, Balance, Simulation};
use crate::store::Store;
use crate::trace::{Now, harmless_lines};

/// A line of a million events has less than half of it.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Prints what a file comes to; the exit code says whether anything differs from what it expects.
pub(super) fn simulate(
    path: &Path,
    sampling: &SamplingSettings,
    (store, now): (Store, Now),
) -> anyhow::Result<u8> {
    let mut reader = BufReader::new(files::open(path)?);
    let mut printer = Printer::default();
    let beginning = reader.fill_buf().context(path.display().to_string())?;
    let outcome = if simulate::is_export(beginning) {
        replay(reader, (store, now), sampling, &mut printer)
    } else {
        compute(reader, sampling, &mut printer)
    };
    match outcome.and_then(|()| Ok(printer.line(&printer.balance.clone())?)) {
        Err(error) if is_closed(&error) => {}
        outcome => outcome.with_context(|| path.display().to_string())?,
    }
    Ok(u8::from(printer.balance.differ > 0))
}

/// Vectors, line by line.
fn compute(
    mut reader: BufReader<File>,
    sampling: &SamplingSettings,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let mut simulation: Option<Simulation> = None;
    let mut bytes = Vec::new();
    for number in 1_u64.. {
        bytes.clear();
        let mut line = reader.by_ref().take(LINE_BYTES_MAX);
        line.read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            break;
        }
        let place = || format!("line {number}");
        if line.limit() == 0 {
            anyhow::bail!("line {number} is longer than 64 MiB");
        }
        let line = std::str::from_utf8(&bytes).with_context(place)?.trim();
        if line.is_empty() {
            continue;
        }
        if let Some(simulation) = &mut simulation {
            printer.answer(&simulation.line(line).with_context(place)?)?;
        } else {
            let begun = Simulation::begin(line, &sampling.agent).with_context(place)?;
            warn_of(begun.unknown_settings());
            simulation = Some(begun);
        }
    }
    anyhow::ensure!(simulation.is_some(), "there is nothing in it");
    Ok(())
}

/// An export, trace by trace.
fn replay(
    reader: BufReader<File>,
    (mut store, now): (Store, Now),
    sampling: &SamplingSettings,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let opened = export::open(reader, &mut store, now)?;
    for warning in &opened.warnings {
        warn(warning);
    }
    let n_traces = u64::try_from(store.n_traces()).unwrap_or(u64::MAX);
    if n_traces < opened.kept.n_traces {
        warn("not all of its traces have room: raise --memory");
    }
    for answer in simulate::traces(&store, sampling.model()) {
        printer.answer(&answer)?;
    }
    Ok(())
}

fn warn_of(unknown: &[String]) {
    if !unknown.is_empty() {
        let unknown = unknown.join("`, `");
        warn(&format!(
            "its `config` says what is not known here: `{unknown}`"
        ));
    }
}

fn warn(sentence: &str) {
    let _closed = writeln!(io::stderr(), "warning: {}", harmless_lines(sentence));
}

/// Whether whoever reads what we print has seen enough.
fn is_closed(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Standard output, and how many lines agreed.
#[derive(Debug, Default)]
struct Printer {
    line: Vec<u8>,
    balance: Balance,
}

impl Printer {
    fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        self.balance.count(answer);
        self.line(&answer.computed)
    }

    /// A line at a time, so that whoever reads along sees each once it is computed.
    fn line(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        self.line.clear();
        write_json(&mut self.line, value)?;
        self.line.push(b'\n');
        let mut stdout = io::stdout().lock();
        stdout.write_all(&self.line)?;
        stdout.flush()
    }
}
