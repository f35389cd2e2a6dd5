//! The loop with a screen: keys before frames before what came, and a frame only when something
//! changed and the last one has been written.

use std::path::Path;
use std::time::Duration;

use crossterm::event::Event;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::feed::Feed;
use super::{Told, plural, unsent};
use crate::config::{ByHand, Command, Settings};
use crate::export::{self, Export, Progress};
use crate::io::agent::Agent;
use crate::io::clipboard::{Clipboard, Copied, CopyError};
use crate::io::clock::Clock;
use crate::io::files::{self, Draft};
use crate::io::signals::{Signal, Signals};
use crate::io::terminal::{Input, Suspended, Terminal};
use crate::store::Store;
use crate::tui::app::{App, ByHandTo, Listening, UiOptions};
use crate::tui::message::{ChildSignal, Effect, ExportFormat, ExportScope, Message};

/// At most this often a frame is drawn.
const FRAME_INTERVAL: Duration = Duration::from_millis(33);
/// Ages move this often.
const TICK_INTERVAL: Duration = Duration::from_secs(1);
/// Spans of a running export written between two looks at keys and requests.
const EXPORT_STEP_SPANS: usize = 4_000;

/// Shows what comes until the user quits or a signal comes; then gives the terminal back, stops the
/// feed and writes the export that was asked for.
pub(super) async fn view(
    settings: &Settings,
    mut feed: Feed,
    (store, told): (Store, Told),
    clock: Clock,
) -> anyhow::Result<u8> {
    let signals = Signals::catch()?;
    let terminal = Terminal::enter(settings.screen.mouse)?;
    let app = App::new(store, options(settings, &feed));
    let started = feed.start_child();
    let mut viewer = Viewer {
        app,
        feed,
        terminal,
        clock,
        settings,
        clipboard: Clipboard::new(settings.clipboard),
        copies: JoinSet::new(),
        export: None,
        is_over: started.is_err(),
        is_alone: false,
    };
    // Trouble last: it is what stays.
    let sentences = told.sending.iter().chain(&told.remarks);
    for sentence in sentences.chain(&told.damages) {
        viewer.notice(sentence.clone());
    }
    let outcome = viewer.run(signals).await;
    let Viewer {
        mut app,
        feed,
        terminal,
        ..
    } = viewer;
    drop(terminal);
    let mut stopped = feed.stop(|inbounds| {
        for inbound in inbounds {
            super::take(app.store_mut(), inbound, clock.now());
        }
    });
    let sent = stopped.send_rest(app.store_mut(), clock.now());
    let ending = unsent::keep(settings, app.store(), told.sent.as_ref());
    let exported = match &settings.export {
        Some(target) => super::export_at_exit(app.store(), target),
        None => Ok(()),
    };
    if let Some(remark) = &stopped.remark {
        super::warn(remark);
    }
    if let Some(sentence) = &ending.sent {
        super::say(sentence);
    }
    if let Some(sentence) = &ending.missing {
        super::warn(sentence);
    }
    sent?;
    ending.failure.map_or(Ok(()), Err)?;
    exported?;
    started?;
    outcome?;
    Ok(stopped.code)
}

fn options(settings: &Settings, feed: &Feed) -> UiOptions {
    let agent = feed.agent();
    let opened_files = match &settings.command {
        Command::Open(paths) => paths
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
        Command::Agent
        | Command::Run(_)
        | Command::Demo(_)
        | Command::Simulate(_)
        | Command::Doctor(_) => Vec::new(),
    };
    UiOptions {
        glyphs: settings.screen.glyphs,
        color: settings.screen.color,
        listening: Listening {
            url: agent.map(|agent| format!("http://{}", agent.local_addr())),
            app_url: settings.url.as_ref().map(|url| url.0.clone()),
            uds: agent
                .and_then(|agent| agent.uds_path())
                .map(|path| path.display().to_string()),
            otlp: agent
                .and_then(Agent::otlp_addr)
                .map(|address| address.to_string()),
            token_set: settings.token.is_some(),
            opened_files,
            log_files: settings.logs.iter().map(|path| log_name(path)).collect(),
            child: feed.child_command(settings),
        },
        sampling: settings.sampling.clone(),
        forward: settings
            .forward
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        by_hand: match &settings.by_hand {
            ByHand::To(target) => ByHandTo::Datadog {
                host: target.settings.traces.authority(),
                site: target.settings.site.to_string(),
            },
            ByHand::Not(why) => ByHandTo::Nowhere(why.clone()),
        },
    }
}

/// What the screen calls a log file.
fn log_name(path: &Path) -> String {
    if path == Path::new("-") {
        "stdin".to_owned()
    } else {
        path.display().to_string()
    }
}

struct Viewer<'a> {
    app: App,
    feed: Feed,
    terminal: Terminal,
    clock: Clock,
    settings: &'a Settings,
    clipboard: Clipboard,
    copies: JoinSet<CopyOutcome>,
    export: Option<RunningExport>,
    is_over: bool,
    /// The terminal is gone, and with it whoever looked at it.
    is_alone: bool,
}

/// An export that is written a step at a time, so that capture goes on meanwhile.
struct RunningExport {
    export: Export,
    draft: Draft,
}

impl Viewer<'_> {
    async fn run(&mut self, mut signals: Signals) -> anyhow::Result<()> {
        let mut input = Input::default();
        let panics = self.terminal.panics();
        let mut next_frame = Instant::now();
        let mut next_tick = Instant::now() + TICK_INTERVAL;
        let panic_at = self
            .settings
            .panic_after
            .map(|after| Instant::now() + after);
        let idle = self.settings.exit_after_idle;
        let mut idle_end = idle.map(|idle| Instant::now() + idle);
        while !self.is_over {
            let is_dirty = self.app.is_dirty();
            let is_ready = self.terminal.is_ready();
            tokio::select! {
                biased;
                event = input.next(), if !self.is_alone => match event {
                    Some(Ok(event)) => self.step(Message::Input(event)),
                    Some(Err(_)) | None => self.go_alone(),
                },
                signal = signals.next() => match signal {
                    Signal::Stop => self.step(Message::Stop),
                    Signal::Continue => {
                        self.terminal.resume()?;
                        self.step(Message::Frame);
                    }
                    // Not every change of size comes as an event when a key comes with it.
                    Signal::Resized => {
                        self.terminal.redraw_in_full();
                        self.step(Message::Input(Event::Resize(0, 0)));
                    }
                },
                sentence = panics.next() => self.step(Message::Notice(sentence)),
                () = sleep_until(next_frame), if is_dirty && is_ready => {
                    self.draw()?;
                    next_frame = Instant::now() + FRAME_INTERVAL;
                }
                () = self.terminal.ready(), if is_dirty && !is_ready => {}
                () = sleep_until(next_tick) => {
                    next_tick = Instant::now() + TICK_INTERVAL;
                    self.tick();
                }
                Some(copied) = self.copies.join_next() => self.copied(copied),
                () = sleep_until(idle_end.unwrap_or(next_tick)), if idle_end.is_some() => {
                    idle_end = None;
                    self.step(Message::Stop);
                }
                inbounds = self.feed.next() => {
                    let before = super::n_received(self.app.store());
                    for inbound in inbounds {
                        self.step(Message::Inbound(inbound));
                    }
                    self.publish();
                    if let (Some(end), Some(idle)) = (&mut idle_end, idle)
                        && super::n_received(self.app.store()) > before
                    {
                        *end = Instant::now() + idle;
                    }
                    self.is_over |= self.is_alone && !self.feed.has_child();
                }
                () = sleep_until(panic_at.unwrap_or(next_tick)), if panic_at.is_some() => {
                    #[expect(clippy::panic, reason = "asked for, to see that the terminal comes back")]
                    { panic!("asked to panic") }
                }
                () = turn(), if self.has_more() => {}
            }
            self.go_on();
        }
        Ok(())
    }

    /// Whether something takes long, and can be gone on with.
    fn has_more(&self) -> bool {
        let store = self.app.store();
        self.export.is_some() || self.app.is_searching() || self.feed.can_carry(store)
    }

    /// Does some more of what takes long.
    fn go_on(&mut self) {
        if self.feed.can_carry(self.app.store()) {
            self.carry();
        }
        self.go_on_exporting();
        self.app.go_on_searching();
    }

    /// Hands on what follows from what came: rates for tracers, spans for Datadog.
    fn publish(&mut self) {
        self.feed.publish(self.app.store().model());
        self.carry();
    }

    fn carry(&mut self) {
        let carried = self.feed.carry(self.app.store_mut(), self.clock.now());
        if let Err(error) = carried {
            self.notice(format!("{error:#}"));
        }
    }

    fn tick(&mut self) {
        self.step(Message::Frame);
        self.carry();
        if !self.is_alone && self.terminal.is_gone() {
            self.go_alone();
        }
    }

    /// Leaves, once a program that was started has ended.
    fn go_alone(&mut self) {
        self.is_alone = true;
        self.is_over = !self.feed.has_child();
        self.feed.signal_child(ChildSignal::Interrupt);
    }

    fn step(&mut self, message: Message) {
        for effect in self.app.update(message, self.clock.now()) {
            self.carry_out(effect);
        }
    }

    fn notice(&mut self, sentence: impl Into<String>) {
        self.step(Message::Notice(sentence.into()));
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let (app, now) = (&mut self.app, self.clock.now());
        self.terminal.draw(|frame| app.view(frame, now))
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Export(scope, format) => self.begin_export(scope, format),
            Effect::Copy(text) => self.copy(&text),
            Effect::CopyTrace(key) => match export::trace_json(self.app.store(), key) {
                Ok(json) => self.copy(&json),
                Err(error) => self.notice(error.to_string()),
            },
            Effect::Suspend => self.suspend(),
            Effect::Redraw => self.terminal.redraw_in_full(),
            Effect::SignalChild(signal) => self.feed.signal_child(signal),
            Effect::RestartChild => self.feed.restart_child(),
            Effect::Quit => self.is_over = true,
        }
    }

    fn suspend(&mut self) {
        match self.terminal.suspend() {
            Ok(Suspended::Stopped) => {}
            Ok(Suspended::NotPossible) => {
                self.notice("There is no shell to come back from: nothing was suspended.");
            }
            Err(error) => self.notice(format!("Suspending failed ({error}).")),
        }
    }

    fn copy(&mut self, text: &str) {
        let n_lines = text.lines().count().max(1);
        let copying = self.clipboard.copy(text);
        self.copies
            .spawn(async move { copying.await.map(|copied| (copied, n_lines)) });
    }

    /// Says how many lines were copied, so that nobody takes several for one.
    fn copied(&mut self, copied: Result<CopyOutcome, tokio::task::JoinError>) {
        let lines = |n_lines: usize| match n_lines {
            1 => String::new(),
            _ => format!(" {n_lines} lines"),
        };
        match copied {
            Ok(Ok((Copied::Desktop, n_lines))) => {
                self.notice(format!("Copied{} to the clipboard.", lines(n_lines)));
            }
            Ok(Ok((Copied::Terminal(bytes), n_lines))) => {
                self.terminal.send_bytes(&bytes);
                let lines = lines(n_lines);
                self.notice(format!(
                    "Copied{lines} through the terminal (OSC 52), if it allows that."
                ));
            }
            Ok(Err(error)) => self.notice(format!("Nothing was copied: {error}.")),
            Err(_panicked) => {}
        }
    }

    fn begin_export(&mut self, scope: ExportScope, format: ExportFormat) {
        if self.export.is_some() {
            return self.notice("An export is being written; try again when it is done.");
        }
        match self.new_export(scope, format) {
            Ok(export) => self.export = Some(export),
            Err(error) => self.notice(error.to_string()),
        }
    }

    fn new_export(
        &self,
        scope: ExportScope,
        format: ExportFormat,
    ) -> anyhow::Result<RunningExport> {
        let store = self.app.store();
        let wall = self.clock.now().wall;
        let format = super::format_of(format);
        let (export, trace_id) = match scope {
            ExportScope::All => (Export::begin(&format, store, wall)?, None),
            ExportScope::Trace(key) => (
                Export::begin_trace(&format, store, wall, key)?,
                store.trace(key).map(crate::store::TraceEntry::trace_id),
            ),
        };
        let stem = files::export_stem(wall, trace_id);
        let draft =
            Draft::create_unique(&self.settings.export_directories, &stem, format.extension)?;
        Ok(RunningExport { export, draft })
    }

    fn go_on_exporting(&mut self) {
        let Some(RunningExport { export, draft }) = &mut self.export else {
            return;
        };
        match export.step(self.app.store(), draft, EXPORT_STEP_SPANS) {
            Ok(Progress::Working(_)) => {}
            Ok(Progress::Done(written)) => self.end_export(&written),
            Err(error) => {
                self.export = None;
                self.notice(error.to_string());
            }
        }
    }

    fn end_export(&mut self, written: &export::Written) {
        let Some(RunningExport { draft, .. }) = self.export.take() else {
            return;
        };
        let cut = match written.n_cut {
            0 => String::new(),
            n_cut => format!(", {} cut short by eviction", plural(n_cut, "trace")),
        };
        match draft.finish() {
            Ok(path) => self.notice(format!(
                "Wrote {} ({}, {}{cut}).",
                path.display(),
                plural(written.n_traces, "trace"),
                plural(written.n_spans, "span"),
            )),
            Err(error) => self.notice(error.to_string()),
        }
    }
}

/// What became of a text that was to be copied, and how many lines it has.
type CopyOutcome = Result<(Copied, usize), CopyError>;

/// Lets the runtime see to timers, signals, sockets and other tasks, and is ready then. What is ready
/// at once would keep it from that as long as an export runs.
async fn turn() {
    tokio::task::yield_now().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_running_export_leaves_other_tasks_their_turn() {
        let other = tokio::spawn(async {});
        for _ in 0..100 {
            tokio::select! {
                biased;
                () = std::future::pending() => {}
                () = turn() => {}
            }
        }
        assert!(other.is_finished());
    }
}
