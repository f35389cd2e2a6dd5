//! A frame: brings the panes up to the store, unless the view is paused, and paints them. Changes
//! nothing but what is looked at.

use ratatui::Frame;
use ratatui::buffer::Buffer;

use super::{App, Overlay};
use crate::query;
use crate::trace::Now;
use crate::tui::layout::{Layout, Pane, View, Wanted};
use crate::tui::screen::connect::Facts;
use crate::tui::screen::filter::FilterLine;
use crate::tui::screen::forward::{PanelFacts, draw_panel};
use crate::tui::screen::header::HeaderFacts;
use crate::tui::screen::traces::Follow;
use crate::tui::screen::{Flow, Focus, ViewContext, footer, header, help, tabs};
use crate::tui::text;
use crate::tui::widget::{clear, put, put_right};

/// A notice takes no more lines than this.
const NOTICE_LINES_MAX: usize = 3;

impl App {
    /// Paints how things stand.
    pub fn view(&mut self, frame: &mut Frame<'_>, now: Now) {
        self.refresh();
        if let Some(Overlay::WhatIf(panel)) = &mut self.overlay {
            panel.catch_up(&self.store);
        }
        if let Some(Overlay::Send(question)) = &mut self.overlay {
            question.refresh(&self.store, now);
        }
        self.screen = frame.area();
        let losses = header::losses(&self.store, self.screen.width);
        let is_writing = matches!(self.overlay, Some(Overlay::Filter(..)));
        let notice = self.notice_lines(is_writing, now);
        let wanted = Wanted {
            view: self.view,
            focus: self.focus,
            waterfall_rows: text::cells(self.waterfall.n_lines(&self.store)),
            log_rows: text::cells(self.trace_logs.n_of_trace()),
            loss_lines: text::cells(losses.len()),
            notice_lines: text::cells(notice.len()),
        };
        self.layout = Layout::new(self.screen, wanted);
        self.keep_focus_visible();
        let buffer = frame.buffer_mut();
        if !self.layout.one_line.is_empty() {
            let line = if self.child.is_leaving() {
                "ending the program; q again ends it at once".to_owned()
            } else {
                header::one_line(&self.store)
            };
            put(buffer, self.layout.one_line, 0, &line, self.theme.text);
            self.is_dirty = false;
            return;
        }
        self.draw_panes(buffer, now);
        let context = ViewContext {
            store: &self.store,
            theme: &self.theme,
            now,
            flow: self.flow(),
        };
        header::draw(&self.header_facts(), &context, self.layout.header, buffer);
        if !self.layout.tabs.is_empty() {
            let facts = match self.view {
                View::Latency => self.latency.facts(&context),
                view => tabs::facts(view, &self.store),
            };
            tabs::draw(self.view, &facts, &context, self.layout.tabs, buffer);
        }
        for (losses, line) in losses.iter().zip(self.layout.losses.rows()) {
            put(buffer, line, 1, losses, self.theme.warning);
        }
        for (notice, line) in notice.iter().zip(self.layout.notice.rows()) {
            put(buffer, line, 1, notice, self.theme.notice);
        }
        let section = self.section();
        footer::draw(&self.keymap, section, &context, self.layout.footer, buffer);
        self.draw_overlay(buffer, now);
        self.is_dirty = false;
    }

    /// A pane that has gone with a smaller terminal no longer has the keys.
    fn keep_focus_visible(&mut self) {
        let is_gone = self.layout.of(self.focus).is_empty();
        if !is_gone || self.view == View::Connect || !self.layout.one_line.is_empty() {
            return;
        }
        self.focus = match self.view {
            View::Trace => Pane::Waterfall,
            View::Logs => Pane::AllLogs,
            View::Sampling => Pane::Sampling,
            View::Latency => Pane::Latency,
            View::Connect | View::Traces => Pane::List,
        };
    }

    /// What we wait for before we leave, else the newest notice, in as many lines as it needs and a
    /// terminal of this height can spare. A filter that is written has the first line.
    fn notice_lines(&self, is_writing: bool, now: Now) -> Vec<String> {
        let n_lines = if self.screen.height < 20 {
            NOTICE_LINES_MAX - 1
        } else {
            NOTICE_LINES_MAX
        };
        let room = usize::from(self.screen.width.saturating_sub(2));
        let wrap = |text: String, n_lines| {
            let text = text::visible(text.into(), self.theme.glyphs);
            text::wrap(&text, room, n_lines, self.theme.glyphs)
        };
        let n_lines_read = self.store.counters().logs_received;
        let key = if is_writing { "^c" } else { "q" };
        let waiting = self.child.waiting(n_lines_read, now, key);
        match (waiting, is_writing) {
            (Some(waiting), false) => wrap(waiting, NOTICE_LINES_MAX),
            (Some(waiting), true) => {
                let waiting = wrap(waiting, NOTICE_LINES_MAX);
                std::iter::once(String::new()).chain(waiting).collect()
            }
            (None, true) => vec![String::new()],
            (None, false) => self
                .notices
                .line()
                .map(|notice| wrap(notice, n_lines))
                .unwrap_or_default(),
        }
    }

    /// Takes over what came since the last frame; while the view is paused, only what the filter
    /// leaves of what was there.
    fn refresh(&mut self) {
        if self.flow() == Flow::Live {
            let has_spans = self.store.n_traces() > 0;
            if self.view == View::Connect && has_spans && !self.key_was_pressed {
                self.view = View::Traces;
            }
            let is_at_rest = self.overlay.is_none() && self.focus == Pane::List;
            let follow = if is_at_rest && self.view != View::Trace || self.view == View::Logs {
                Follow::Newest
            } else {
                Follow::Nothing
            };
            self.list.refresh(&self.store, follow);
            self.show_selected();
            self.waterfall.refresh(&self.store);
            if self.view == View::Logs {
                self.logs.refresh(&self.store, self.now.uptime_ns);
            }
        } else {
            self.list.refresh_paused(&self.store);
            self.logs.refresh_paused(&self.store);
            self.show_selected();
        }
        match self.view {
            View::Sampling => self.refresh_sampling(),
            View::Latency => self.refresh_latency(),
            _ => {}
        }
        self.refresh_trace_logs();
        let mut held: Vec<_> = self.list.visible().collect();
        held.extend(self.waterfall.key());
        self.store.hold(held);
    }

    /// The waterfall shows the selected trace, the details its selected span. A trace that has the
    /// screen to itself stays there.
    pub(super) fn show_selected(&mut self) {
        if !matches!(
            self.view,
            View::Trace | View::Logs | View::Sampling | View::Latency
        ) {
            let selected = self.list.selected();
            if selected != self.waterfall.key() {
                self.waterfall.show(selected);
                self.waterfall.refresh(&self.store);
                self.show_error();
            }
        }
        if let (Some(key), Some(span)) = (self.waterfall.key(), self.waterfall.selected()) {
            self.span.show(key, span);
        }
    }

    /// Of a trace with errors, the first below its root is selected at once.
    fn show_error(&mut self) {
        let entry = self.waterfall.key().and_then(|key| self.store.trace(key));
        if entry.is_some_and(crate::store::TraceEntry::is_error) {
            self.waterfall.select_error(&self.store);
        }
    }

    fn draw_panes(&mut self, buffer: &mut Buffer, now: Now) {
        let context = ViewContext {
            store: &self.store,
            theme: &self.theme,
            now: self.paused.map_or(now, |(since, _)| since),
            flow: self.flow(),
        };
        if self.view == View::Connect {
            let (child, seen) = (&self.child, &self.seen);
            let facts = Facts::new(&self.options.listening, (child, seen), &self.store, now);
            self.connect
                .draw(&facts, &context, self.layout.body, buffer);
            return;
        }
        if self.view == View::Logs {
            let focus = match &self.overlay {
                None | Some(Overlay::Filter(..)) => Focus::Focused,
                Some(_) => Focus::Unfocused,
            };
            let area = self.layout.all_logs;
            self.logs.draw(&context, area, buffer, focus);
            return;
        }
        if matches!(self.view, View::Sampling | View::Latency) {
            let focus = match &self.overlay {
                None => Focus::Focused,
                Some(_) => Focus::Unfocused,
            };
            let layout = self.layout;
            match self.view {
                View::Sampling => self.sampling.draw(&context, layout.sampling, buffer, focus),
                _ => self.latency.draw(&context, layout.latency, buffer, focus),
            }
            return;
        }
        let focus = |pane| match (&self.overlay, self.focus == pane) {
            (None | Some(Overlay::Filter(..)), true) => Focus::Focused,
            _ => Focus::Unfocused,
        };
        let areas = self.layout;
        let shown = self.waterfall.key();
        if let Some(entry) = shown.and_then(|key| self.store.trace(key)) {
            let room = areas.trace_line.width.saturating_sub(12);
            let line = header::trace_line(entry, &context, room);
            put(buffer, areas.trace_line, 1, &line, self.theme.title_focused);
        } else {
            let line = "This trace was evicted: the memory budget is reached.";
            put(buffer, areas.trace_line, 1, line, self.theme.warning);
        }
        put_right(buffer, areas.trace_line, "esc back ", self.theme.dim);
        if !areas.list.is_empty() {
            self.list
                .draw(&context, areas.list, buffer, focus(Pane::List));
        }
        if !areas.waterfall.is_empty() {
            let focus = focus(Pane::Waterfall);
            self.waterfall
                .draw(&context, areas.waterfall, buffer, focus);
        }
        self.span
            .set_self_time(self.waterfall.self_time(&self.store));
        if !areas.span.is_empty() {
            self.span
                .draw(&context, areas.span, buffer, focus(Pane::Span));
        }
        if !areas.logs.is_empty() {
            let focus = focus(Pane::Logs);
            self.trace_logs.draw(&context, areas.logs, buffer, focus);
        }
    }

    fn draw_overlay(&mut self, buffer: &mut Buffer, now: Now) {
        let context = ViewContext {
            store: &self.store,
            theme: &self.theme,
            now,
            flow: self.flow(),
        };
        let body = self.layout.body;
        match &self.overlay {
            None => {}
            Some(Overlay::Help(scroll)) => {
                let section = self.section();
                let frame = (body, buffer);
                self.help_scroll_max = help::draw(&self.keymap, section, *scroll, &context, frame);
            }
            Some(Overlay::Export) => help::draw_export(&self.keymap, &context, body, buffer),
            Some(Overlay::Span) => {
                clear(buffer, body);
                self.span.draw(&context, body, buffer, Focus::Focused);
            }
            Some(Overlay::Line) => {
                clear(buffer, body);
                self.line.draw(&context, body, buffer);
            }
            Some(Overlay::WhatIf(panel)) => panel.draw(&context, body, buffer),
            Some(Overlay::Rule(rule)) => rule.draw(&context, body, buffer),
            Some(Overlay::ColdRule(scroll)) => {
                let frame = (body, buffer);
                self.help_scroll_max = self.latency.draw_rule(*scroll, &context, frame);
            }
            Some(Overlay::Send(question)) => {
                let frame = (body, buffer);
                self.help_scroll_max = question.draw(&self.options.by_hand, &context, frame);
            }
            Some(Overlay::Forward(scroll)) => {
                let facts = PanelFacts {
                    forward: &self.options.forward,
                    by_hand: &self.options.by_hand,
                };
                self.help_scroll_max = draw_panel(&facts, *scroll, &context, (body, buffer));
            }
            Some(Overlay::Filter(pane, input)) => {
                let n_matches = self.list.n_matches();
                let n_lines = self.logs.n_matches();
                let found = match pane {
                    Pane::List => format!("{n_matches} of {}", self.store.n_traces()),
                    Pane::AllLogs => format!("{n_lines} of {}", self.store.n_logs()),
                    _ => String::new(),
                };
                let row = self.layout.notice.rows().next().unwrap_or_default();
                let line = FilterLine {
                    input,
                    example: example(*pane),
                    found: &found,
                };
                line.draw(&context, row, buffer);
            }
        }
    }

    pub(super) fn connect_facts(&self) -> Facts<'_> {
        let life = (&self.child, &self.seen);
        Facts::new(&self.options.listening, life, &self.store, self.now)
    }

    fn header_facts(&self) -> HeaderFacts {
        let listening = &self.options.listening;
        let n_files = u64::try_from(listening.opened_files.len()).unwrap_or(u64::MAX);
        let url = listening.url.as_deref().unwrap_or_default();
        let source = match (n_files, url.rsplit_once(':')) {
            (1.., _) => text::count(n_files, "file"),
            (_, Some((_, port))) => format!(":{}", port.trim_end_matches('/')),
            (_, None) => String::new(),
        };
        HeaderFacts {
            source,
            is_file: n_files > 0,
            child: self.child.brief(),
            rates: self.rate.seconds(),
            kept: if self.layout.tabs.is_empty() {
                let [_, briefly] = header::kept(&self.store);
                briefly
            } else {
                String::new()
            },
            forward: self.forward_names(),
            n_waiting: self.paused.map_or(0, |(_, n_waiting)| n_waiting),
        }
    }
}

/// How a filter of a pane can look.
fn example(pane: Pane) -> &'static str {
    match pane {
        Pane::List => query::EXAMPLE_TRACES,
        Pane::Waterfall | Pane::Span => query::EXAMPLE_SPANS,
        Pane::Logs | Pane::AllLogs => query::EXAMPLE_LOGS,
        Pane::Sampling | Pane::Latency => "",
    }
}
