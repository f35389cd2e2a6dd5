//! Keys, mouse and paste to actions, or into the filter that is being written.

use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use tui_input::{Input, InputRequest};

use super::{App, Overlay};
use crate::query::Query;
use crate::trace::Now;
use crate::tui::action::Action;
use crate::tui::layout::{Pane, View};
use crate::tui::message::Effects;

/// Rows the wheel moves at a time.
const WHEEL_ROWS: i16 = 3;
/// A filter is never longer, whatever is pasted.
const FILTER_CHARS_MAX: usize = 512;

impl App {
    pub(super) fn input(&mut self, event: &Event, now: Now) -> Effects {
        self.is_dirty = true;
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key, now),
            Event::Mouse(mouse) => self.mouse(*mouse, now),
            Event::Paste(text) => {
                self.paste(text);
                Vec::new()
            }
            Event::Resize(..) => Vec::new(),
            _ => {
                self.is_dirty = false;
                Vec::new()
            }
        }
    }

    fn key(&mut self, key: KeyEvent, now: Now) -> Effects {
        self.key_was_pressed = true;
        let Some(typed) = typed_after_escape(key) else {
            return self.press(key, now);
        };
        let mut effects = self.press(KeyCode::Esc.into(), now);
        effects.extend(self.press(typed, now));
        effects
    }

    fn press(&mut self, key: KeyEvent, now: Now) -> Effects {
        match self.keymap.action(self.section(), key) {
            Some(action) => return self.perform(action, now),
            None => self.edit_filter(edit(key)),
        }
        Vec::new()
    }

    fn paste(&mut self, text: &str) {
        // A paste begins the filter where there is one to write.
        let has_filter = !matches!(
            self.focus,
            Pane::Span | Pane::Logs | Pane::Sampling | Pane::Latency
        );
        if self.overlay.is_none() && self.view != View::Connect && has_filter {
            self.open_filter();
        }
        let chars = text.trim().chars();
        let chars = chars.map(|char| if char.is_control() { ' ' } else { char });
        self.edit_filter(chars.take(FILTER_CHARS_MAX).map(InputRequest::InsertChar));
    }

    fn edit_filter(&mut self, requests: impl IntoIterator<Item = InputRequest>) {
        let Some(Overlay::Filter(pane, input)) = &mut self.overlay else {
            return;
        };
        for request in requests {
            let grows = matches!(request, InputRequest::InsertChar(_));
            if !grows || input.value().len() < FILTER_CHARS_MAX {
                input.handle(request);
            }
        }
        let (pane, filter) = (*pane, input.value().to_owned());
        self.set_filter(pane, Query::new(&filter));
    }

    pub(super) fn open_filter(&mut self) {
        let (pane, filter) = match self.focus {
            Pane::List => (Pane::List, self.list.filter()),
            Pane::AllLogs => (Pane::AllLogs, self.logs.filter()),
            _ => (Pane::Waterfall, self.waterfall.filter()),
        };
        let text = filter.text().to_owned();
        self.overlay = Some(Overlay::Filter(pane, Box::new(Input::new(text))));
    }

    /// Takes over what of a filter is right: one that is half written leaves what was found before.
    pub(super) fn set_filter(&mut self, pane: Pane, filter: Query) {
        match pane {
            Pane::List => self.list.set_filter(filter.sound()),
            Pane::AllLogs => self.logs.set_filter(filter.sound()),
            _ => self.waterfall.set_filter(filter.sound()),
        }
    }

    fn mouse(&mut self, mouse: MouseEvent, now: Now) -> Effects {
        let (column, row) = (mouse.column, mouse.row);
        let action = match mouse.kind {
            MouseEventKind::ScrollUp => Action::Scroll(-WHEEL_ROWS),
            MouseEventKind::ScrollDown => Action::Scroll(WHEEL_ROWS),
            MouseEventKind::Down(MouseButton::Left) => Action::Click { column, row },
            _ => {
                self.is_dirty = false;
                return Vec::new();
            }
        };
        if matches!(
            self.overlay,
            Some(
                Overlay::Help(_)
                    | Overlay::Export
                    | Overlay::Span
                    | Overlay::Line
                    | Overlay::WhatIf(_)
                    | Overlay::Rule(_)
                    | Overlay::ColdRule(_)
                    | Overlay::Send(_)
                    | Overlay::Forward(_)
            )
        ) {
            return self.perform(action, now);
        }
        let Some(pane) = self.layout.pane_at(column, row) else {
            return Vec::new();
        };
        if matches!(action, Action::Click { .. }) {
            self.focus = pane;
        }
        self.give(pane, action)
    }
}

/// The character that was typed right after escape: a terminal sends both like the character with Alt
/// held, which no key here needs.
fn typed_after_escape(mut key: KeyEvent) -> Option<KeyEvent> {
    let is_alt = key.modifiers.contains(KeyModifiers::ALT);
    key.modifiers.remove(KeyModifiers::ALT);
    (is_alt && matches!(key.code, KeyCode::Char(_))).then_some(key)
}

/// What a key does to the filter that is being written, after readline.
fn edit(key: KeyEvent) -> Option<InputRequest> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('w') if is_control => InputRequest::DeletePrevWord,
        KeyCode::Char('u') if is_control => InputRequest::DeleteLine,
        KeyCode::Char('k') if is_control => InputRequest::DeleteTillEnd,
        KeyCode::Char('a') if is_control => InputRequest::GoToStart,
        KeyCode::Char('e') if is_control => InputRequest::GoToEnd,
        KeyCode::Char('h') if is_control => InputRequest::DeletePrevChar,
        KeyCode::Char(char) if !is_control => InputRequest::InsertChar(char),
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        _ => return None,
    })
}
