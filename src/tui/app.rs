//! The program as a value: [`App::update`] takes what happened and says what is to be done,
//! [`App::view`] paints how it stands. Neither waits, reads a clock or touches the world.

mod act;
mod child;
mod draw;
mod forward;
mod input;
mod latency;
mod logs;
mod notice;
mod rate;
mod sampling;
mod seen;

use ratatui::layout::Rect;
use tui_input::Input;

use super::keymap::{Keymap, Section};
use super::layout::{Layout, Pane, View};
use super::message::{Effects, Message};
use super::screen::Flow;
use super::screen::connect::ConnectPane;
use super::screen::forward::Question;
use super::screen::latency::LatencyPane;
use super::screen::log_detail::LogDetail;
use super::screen::logs::LogList;
use super::screen::sampling::{Assumed, SamplingPane, WhatIfPanel, WrittenRule};
use super::screen::span::SpanPane;
use super::screen::trace_logs::TraceLogs;
use super::screen::traces::TraceList;
use super::screen::waterfall::WaterfallPane;
use super::theme::{Color, Glyphs, Theme};
use crate::config::SamplingSettings;
use crate::ingest::{ChildEvent, Inbound, RequestRecord};
use crate::store::{Store, TraceKey};
use crate::trace::Now;
pub(crate) use child::{Child, Run, ended};
pub use forward::ByHandTo;
use notice::Notices;
use rate::Rate;
#[cfg(test)]
pub(crate) use seen::UnsentSeen;
pub(crate) use seen::{RouteSeen, Seen};

/// How the screen looks and what it says of the rest of the program.
#[derive(Clone, Debug, Default)]
pub struct UiOptions {
    /// Which characters may be used.
    pub glyphs: Glyphs,
    /// Whether colours may be used.
    pub color: Color,
    /// Where spans come from.
    pub listening: Listening,
    /// What tracers are told.
    pub sampling: SamplingSettings,
    /// Where spans go on to: `agent 127.0.0.1:8125`; empty if nowhere.
    pub forward: String,
    /// Where traces go that the user chooses.
    pub by_hand: ByHandTo,
}

/// Where spans come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// The address that is bound, `http://127.0.0.1:8126`, without the token.
    pub url: Option<String>,
    /// Under which the app reaches us, where that is another address: a tunnel's.
    pub app_url: Option<String>,
    /// The unix socket.
    pub uds: Option<String>,
    /// The second address, for OTLP: `127.0.0.1:4318`.
    pub otlp: Option<String>,
    /// Whether paths begin with a token. The token itself is never shown.
    pub token_set: bool,
    /// The files that were opened instead.
    pub opened_files: Vec<String>,
    /// The files whose lines are read.
    pub log_files: Vec<String>,
    /// The program that we start.
    pub child: Option<ChildCommand>,
}

/// A program that we start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChildCommand {
    /// Its command line, for people.
    pub command: String,
    /// What we changed of its environment: name, and value or that it was taken away. The token in a
    /// value is replaced by `TOKEN`.
    pub environment: Vec<(String, Option<String>)>,
}

/// Something on top of the panes that has the keys.
#[derive(Debug)]
enum Overlay {
    /// The keys, scrolled by some lines.
    Help(u16),
    /// The choice of exports.
    Export,
    /// The line in which the filter of a pane is written.
    Filter(Pane, Box<Input>),
    /// The details of the selected span, where they have no pane.
    Span,
    /// A whole log line.
    Line,
    /// What Datadog would get if.
    WhatIf(Box<WhatIfPanel>),
    /// A sampling rule that was written.
    Rule(Box<WrittenRule>),
    /// By which rule requests are cold or warm, scrolled by some lines.
    ColdRule(u16),
    /// Whether traces are to go to Datadog.
    Send(Box<Question>),
    /// What went on and what became of it, scrolled by some lines.
    Forward(u16),
}

/// The state of the screen, and the store.
#[derive(Debug)]
pub struct App {
    store: Store,
    options: UiOptions,
    theme: Theme,
    keymap: Keymap,
    view: View,
    focus: Pane,
    overlay: Option<Overlay>,
    child: Child,
    seen: Seen,
    connect: ConnectPane,
    /// Where the Connect screen was opened from.
    connect_from: Option<View>,
    list: TraceList,
    waterfall: WaterfallPane,
    span: SpanPane,
    /// The log lines of the trace in the waterfall.
    trace_logs: TraceLogs,
    /// All log lines.
    logs: LogList,
    line: LogDetail,
    sampling: SamplingPane,
    latency: LatencyPane,
    /// The view that a trace on the whole screen was opened from.
    opened_from: View,
    /// Since when the view stands still, and how many traces came since.
    paused: Option<(Now, u64)>,
    /// The newest trace that has been counted as new.
    newest: Option<TraceKey>,
    /// The moment of the last message.
    now: Now,
    notices: Notices,
    /// How many traces the user has had sent.
    n_sent_by_hand: u64,
    rate: Rate,
    /// How far the help can be scrolled.
    help_scroll_max: u16,
    /// Where things were drawn last.
    layout: Layout,
    screen: Rect,
    is_dirty: bool,
    key_was_pressed: bool,
}

impl App {
    /// The screen over a store, which may hold traces already.
    pub fn new(store: Store, options: UiOptions) -> Self {
        let view = if store.n_traces() > 0 {
            View::Traces
        } else {
            View::Connect
        };
        let newest = store
            .traces()
            .next_back()
            .map(crate::store::TraceEntry::key);
        let child = options.listening.child.as_ref();
        let child = child.map(|child| Child::starting(&child.command));
        Self {
            theme: Theme::new(options.glyphs, options.color),
            list: TraceList::of(options.listening.child.as_ref()),
            child: child.unwrap_or_default(),
            seen: Seen::default(),
            connect: ConnectPane::default(),
            connect_from: None,
            store,
            keymap: Keymap::built_in(),
            view,
            focus: Pane::List,
            overlay: None,
            waterfall: WaterfallPane::default(),
            span: SpanPane::default(),
            trace_logs: TraceLogs::default(),
            logs: LogList::default(),
            line: LogDetail::default(),
            sampling: SamplingPane::new(Assumed {
                settings: options.sampling.clone(),
                is_file: !options.listening.opened_files.is_empty(),
            }),
            latency: LatencyPane::default(),
            opened_from: View::Traces,
            now: Now::default(),
            paused: None,
            newest,
            notices: Notices::default(),
            n_sent_by_hand: 0,
            rate: Rate::default(),
            help_scroll_max: 0,
            layout: Layout::default(),
            screen: Rect::default(),
            is_dirty: true,
            key_was_pressed: false,
            options,
        }
    }

    /// Takes what happened. Returns what is to be done outside.
    pub fn update(&mut self, message: Message, now: Now) -> Effects {
        self.now = now;
        match message {
            Message::Input(event) => return self.input(&event, now),
            Message::Inbound(inbound) => return self.inbound(inbound, now),
            Message::Notice(text) => self.notice(text, now),
            Message::Stop => return self.quit(now),
            Message::Frame => self.tick(now),
        }
        Vec::new()
    }

    /// Whether the screen no longer shows how things stand.
    pub fn is_dirty(&self) -> bool {
        // A waterfall catches up when it is drawn: out of sight, frames would follow without end.
        let is_drawn = self.flow() == Flow::Live && !self.layout.waterfall.is_empty();
        let is_searching = match self.view {
            View::Logs => self.logs.is_searching(),
            View::Sampling => self.sampling.is_behind(),
            View::Latency => self.latency.is_behind(),
            _ => self.list.is_searching(),
        };
        let is_replaying =
            matches!(&self.overlay, Some(Overlay::WhatIf(panel)) if panel.is_behind());
        self.is_dirty || is_searching || is_replaying || (is_drawn && self.waterfall.is_behind())
    }

    /// Whether a filter is still being compared with traces that are listed.
    pub fn is_searching(&self) -> bool {
        let lists_traces = !matches!(self.view, View::Logs | View::Sampling | View::Latency);
        lists_traces && self.list.is_searching()
    }

    /// Goes on comparing, a few milliseconds long.
    pub fn go_on_searching(&mut self) {
        if self.is_searching() {
            self.list.go_on_searching(&self.store);
        }
    }

    /// What was captured.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What was captured, to be restored from a file.
    pub fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    fn flow(&self) -> Flow {
        match self.paused {
            Some(_) => Flow::Paused,
            None => Flow::Live,
        }
    }

    /// Whose keys are pressed.
    fn section(&self) -> Section {
        match (&self.overlay, self.view, self.focus) {
            (Some(Overlay::Export), ..) => Section::Export,
            (Some(Overlay::Filter(..)), ..) => Section::Filter,
            (Some(Overlay::Line), ..) => Section::Line,
            (Some(Overlay::WhatIf(_)), ..) => Section::WhatIf,
            (Some(Overlay::Rule(_)), ..) => Section::Rule,
            (Some(Overlay::ColdRule(_)), ..) => Section::ColdRule,
            (Some(Overlay::Send(_)), ..) => Section::Send,
            (Some(Overlay::Forward(_)), ..) => Section::Forward,
            (Some(Overlay::Span), ..) => Section::Span,
            (_, View::Connect, _) if self.store.n_traces() > 0 => Section::Connected,
            (_, View::Connect, _) if !self.options.listening.opened_files.is_empty() => {
                Section::Files
            }
            (_, View::Connect, _) => Section::Connect,
            (_, View::Logs, _) | (_, _, Pane::AllLogs) => Section::Logs,
            (_, View::Sampling, _) | (_, _, Pane::Sampling) => Section::Sampling,
            (_, View::Latency, _) | (_, _, Pane::Latency) => Section::Latency,
            (_, _, Pane::List) => Section::List,
            (_, _, Pane::Waterfall) => Section::Waterfall,
            (_, _, Pane::Span) => Section::Span,
            (_, _, Pane::Logs) => Section::TraceLogs,
        }
    }

    fn notice(&mut self, text: String, now: Now) {
        self.notices.add(text, now);
        self.is_dirty = true;
    }

    fn inbound(&mut self, inbound: Inbound, now: Now) -> Effects {
        self.is_dirty = true;
        self.seen.take(&inbound, now);
        match inbound {
            Inbound::Request(request) => {
                self.note_refused(&request.record, now);
                let before = self.store.counters().spans_received;
                let touched = self.store.take_request(*request, now);
                self.touched(&touched, before, now);
            }
            Inbound::Lines(lines) => {
                for request in &lines.requests {
                    self.note_refused(&request.record, now);
                }
                for loss in &lines.relay_losses {
                    self.notices.add(loss.clone(), now);
                }
                let before = self.store.counters().spans_received;
                let touched = self.store.take_lines(*lines, now);
                self.touched(&touched, before, now);
            }
            Inbound::Child(event) => return self.child_event(event, now),
            Inbound::Overflow(overflow) => {
                let payloads = super::text::count(overflow.payloads, "payload");
                self.notices
                    .add(format!("refused {payloads}: too many at once (429)"), now);
                self.store.overflow(overflow);
            }
            Inbound::Notice(text) => self.notices.add(text, now),
            Inbound::Forwarded(forwarded) => self.store.forwarded(&forwarded),
        }
        Vec::new()
    }

    fn note_refused(&mut self, record: &RequestRecord, now: Now) {
        if record.is_refused_payload() {
            self.notices.add(refusal(record), now);
        }
    }

    fn child_event(&mut self, event: ChildEvent, now: Now) -> Effects {
        let effect = self.child.take(event, now);
        if matches!(event, ChildEvent::Ended { .. }) && !self.child.is_leaving() {
            self.notices.extend(self.child.obituary(), now);
        }
        self.keymap.offer_restart(self.child.can_restart());
        effect.into_iter().collect()
    }

    /// Traces came or changed; `n_before` is how many spans had come before.
    fn touched(&mut self, touched: &[TraceKey], n_before: u64, now: Now) {
        let n_spans = self.store.counters().spans_received - n_before;
        self.rate.add(n_spans, now);
        self.list.touch(touched);
        self.sampling.touch(touched);
        self.latency.touch(touched);
        let newest = touched.iter().max().copied();
        if newest > self.newest {
            let known = self.newest;
            let new = touched.iter().filter(|key| Some(**key) > known).count();
            if let Some((_, n_waiting)) = &mut self.paused {
                *n_waiting += u64::try_from(new).unwrap_or(u64::MAX);
            }
            self.newest = newest;
        }
    }

    /// Time has passed: ages move once a second, notices fade.
    fn tick(&mut self, now: Now) {
        let faded = self.notices.fade(now);
        let is_told = self.flow() == Flow::Live || self.child.is_leaving();
        let second_passed = self.rate.advance(now) && is_told;
        self.is_dirty |= faded || second_passed;
    }
}

/// A refused payload in one line: path, reason, size, client.
fn refusal(record: &RequestRecord) -> String {
    let client = match &*record.client {
        "" => String::new(),
        client => format!(" from {client}"),
    };
    format!(
        "refused {} {} {}: {}   {}{client}",
        record.method,
        record.path,
        record.status,
        record.note,
        super::text::bytes(record.bytes),
    )
}
