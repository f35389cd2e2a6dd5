//! The program, put together: what brings spans, the one loop that owns them, and what is written
//! at the end. Decides nothing about spans or screens; it waits, and hands on.
//!
//! ```text
//! Feed (agent, child, logs, demo) ─▶ viewer::view ─▶ Store ─▶ at exit: terminal back, feed stopped, export
//!                                 or headless::report
//! ```

mod doctor;
mod feed;
mod headless;
mod publisher;
mod simulate;
mod unsent;
mod viewer;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::analysis::LifecycleNames;
use crate::config::{
    ByHand, Command, DatadogTarget, ExportFormat, ExportTarget, Flush, Output, Settings,
};
use crate::export::{self, Format};
use crate::forward::courier::{Courier, CourierSettings};
use crate::forward::payload::{PAYLOAD_BYTES_MAX, PayloadSettings};
use crate::forward::{AgentFacts, Coding};
use crate::ingest::{AGENT_VERSION, Inbound};
use crate::io::child::ChildError;
use crate::io::clock::{self, Clock};
use crate::io::files::{self, Draft, Held};
use crate::io::log_file;
use crate::sampler::Pieces;
use crate::store::Store;
use crate::trace::{Now, UnixNanos, harmless_lines};
use feed::Feed;
use unsent::SentFile;

/// Runs until the user quits, a signal comes, or there is nothing left to do. Returns the exit code:
/// that of the program that was started, if one was.
///
/// # Errors
///
/// One sentence that says what happened and what to do: a port in use, a file that cannot be read
/// or written, no terminal, a program that cannot be started.
pub fn run(settings: &Settings) -> anyhow::Result<u8> {
    let clock = Clock::start();
    log_file::start(&settings.log)?;
    if let Command::Doctor(asked) = &settings.command {
        return doctor::doctor(asked);
    }
    if let Some(target) = &settings.export {
        files::check_writable(&target.path)?;
    }
    if let (Some(path), ByHand::To(_)) = (&settings.spill, &settings.by_hand) {
        files::check_writable(path)?;
    }
    let store = Store::new(usize::try_from(settings.memory_bytes).unwrap_or(usize::MAX));
    let pieces = match settings.flush {
        Flush::AsItIs => Pieces::Counted,
        Flush::EachSpan => Pieces::LeftOut,
    };
    let mut store = store.with_model(settings.sampling.model().with_pieces(pieces));
    let mut names = LifecycleNames::default();
    names.init.extend(settings.init_spans.iter().cloned());
    store = store.with_lifecycle_names(names);
    if matches!(settings.command, Command::Run(_)) {
        store = store.of_run();
    }
    if let Command::Simulate(path) = &settings.command {
        return simulate::simulate(path, &settings.sampling, (store, clock.now()));
    }
    let mut told = match &settings.command {
        Command::Open(paths) => open_files(paths, settings, &mut store, clock.now())?,
        _ => Told::default(),
    };
    // Not before: what is opened does not go by itself.
    store.pass_lines();
    if let ByHand::To(target) = &settings.by_hand {
        store = store.with_courier(courier(target, settings, clock.now().wall));
    }
    if let Some(to) = forwarding_to(settings) {
        store = store.with_forwarding_to(to);
    }
    if let (Some(file), ByHand::To(target)) = (&told.sent, &settings.by_hand) {
        store.want_opened_sent();
        told.sending = file.sending(&store, target);
        told.remarks.extend(file.staying(&store));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the program cannot wait for anything here")?;
    runtime.block_on(async {
        let feed = match &settings.command {
            Command::Open(_) => Feed::of_files(settings),
            _ => Feed::start(settings)?,
        };
        match settings.output {
            Output::Headless => headless::report(settings, feed, (store, told), clock).await,
            Output::Screen => Box::pin(viewer::view(settings, feed, (store, told), clock)).await,
        }
    })
}

/// The name of the place that spans go to, or may.
fn forwarding_to(settings: &Settings) -> Option<String> {
    match (&settings.forward, &settings.by_hand) {
        (Some(forward), _) => Some(forward.to_string()),
        (None, ByHand::To(target)) => Some(format!("by hand {target}")),
        (None, ByHand::Not(_)) => None,
    }
}

/// What gathers spans for Datadog.
fn courier(target: &DatadogTarget, settings: &Settings, now: UnixNanos) -> Courier {
    let agent = AgentFacts::simulated(&settings.sampling.agent, AGENT_VERSION);
    let settings = CourierSettings {
        payload: PayloadSettings {
            agent,
            coding: Coding::Gzip,
            bytes_max: PAYLOAD_BYTES_MAX,
        },
        added: target.added.clone(),
        which: target.which,
        lines: target.lines,
    };
    Courier::new(settings, now)
}

/// The exit code of a failure.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref().map_or(1, ChildError::exit_code)
}

/// What is to be said of the files that were opened, a sentence each.
#[derive(Debug, Default)]
struct Told {
    /// Of a file that was read to its end.
    remarks: Vec<String>,
    /// Of a file that was not; what stood before the damage is kept.
    damages: Vec<String>,
    /// The file, if it is sent.
    sent: Option<SentFile>,
    /// What of it goes now: no trouble.
    sending: Option<String>,
}

/// Fills a store from exports. That no file brought anything, and one is damaged, is an error.
fn open_files(
    paths: &[PathBuf],
    settings: &Settings,
    store: &mut Store,
    now: Now,
) -> anyhow::Result<Told> {
    let mut told = Told::default();
    for path in paths {
        let about = |sentence: String| format!("{}: {sentence}", path.display());
        let opened = if settings.forward.is_some() {
            let file = Held::open(path)?;
            let opened = export::open(file.reader(), store, now);
            told.sent = Some(SentFile::new(file, opened.as_ref().ok(), store)?);
            opened
        } else {
            export::open(files::open(path)?, store, now)
        };
        match opened {
            Ok(opened) => told.remarks.extend(opened.warnings.into_iter().map(about)),
            Err(error) => told.damages.push(about(error.to_string())),
        }
    }
    told.remarks
        .extend(told.sent.as_ref().and_then(SentFile::warning));
    if store.n_traces() == 0 && !told.damages.is_empty() {
        anyhow::bail!("{}", told.damages.join("\n"));
    }
    Ok(told)
}

/// Gives the store what came.
fn take(store: &mut Store, inbound: Inbound, now: Now) -> Vec<crate::store::TraceKey> {
    match inbound {
        Inbound::Request(request) => store.take_request(*request, now),
        Inbound::Lines(lines) => {
            for loss in &lines.relay_losses {
                tracing::warn!("{loss}");
            }
            store.take_lines(*lines, now)
        }
        Inbound::Child(_) => Vec::new(),
        Inbound::Forwarded(forwarded) => {
            store.forwarded(&forwarded);
            Vec::new()
        }
        Inbound::Overflow(overflow) => {
            store.overflow(overflow);
            Vec::new()
        }
        Inbound::Notice(sentence) => {
            tracing::warn!("{sentence}");
            Vec::new()
        }
    }
}

/// Spans and lines so far; what keeps `--exit-after-idle` waiting.
fn n_received(store: &Store) -> u64 {
    let counters = store.counters();
    counters.spans_received + counters.logs_received + counters.logs_dropped
}

/// Says something on stderr that is no trouble.
fn say(sentence: &str) {
    // Without a stderr, nobody wants to read it.
    let _closed = writeln!(std::io::stderr(), "{}", harmless_lines(sentence));
}

fn plural(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// Says something on stderr that is trouble.
fn warn(remark: &str) {
    // Without a stderr, nobody wants to read it.
    let _closed = writeln!(std::io::stderr(), "warning: {}", harmless_lines(remark));
}

/// The format of a choice.
fn format_of(choice: ExportFormat) -> Format {
    match choice {
        ExportFormat::Json => Format::JSON,
        ExportFormat::Datadog => Format::DATADOG,
    }
}

/// Writes the export that was asked for at the start.
fn export_at_exit(store: &Store, target: &ExportTarget) -> anyhow::Result<()> {
    let format = format_of(target.format);
    let mut draft = Draft::create(&target.path)?;
    export::write_all(&format, store, clock::wall(), &mut draft)?;
    draft.finish()?;
    Ok(())
}
