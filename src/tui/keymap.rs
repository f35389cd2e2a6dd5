//! Keys are data: one table says which key means what in which pane, and footer and help are made
//! from the same table. It does not say what an action does.

use std::collections::HashMap;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::Deserialize;

use super::action::{Action, Motion};

const TABLE: &str = include_str!("../../assets/keymap.toml");

/// Where keys have a meaning of their own.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Section {
    Everywhere,
    /// Before the first span.
    Connect,
    /// When spans came, but a key had been pressed before.
    Connected,
    /// When only files were read, and no span was in them.
    Files,
    List,
    Waterfall,
    Span,
    /// The log lines of a trace.
    TraceLogs,
    /// All log lines.
    Logs,
    /// A whole log line.
    Line,
    /// What Datadog would get.
    Sampling,
    /// How long requests took.
    Latency,
    /// By which rule they are cold or warm.
    ColdRule,
    /// What it would get if.
    WhatIf,
    /// A sampling rule that was written.
    Rule,
    /// Whether traces are to go to Datadog.
    Send,
    /// What went on and what became of it.
    Forward,
    Export,
    Filter,
    /// Beside any pane, once the program that we started has ended.
    Ended,
}

impl Section {
    /// What the help calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Connect | Self::Connected => "Connect",
            Self::Files => "Files",
            Self::List => "Traces",
            Self::Waterfall => "Waterfall",
            Self::Span => "Span",
            Self::TraceLogs => "Logs of a trace",
            Self::Logs => "Logs",
            Self::Line => "Log line",
            Self::Sampling => "Sampling",
            Self::Latency => "Latency",
            Self::ColdRule => "Cold or warm",
            Self::WhatIf => "What if",
            Self::Rule => "Rule",
            Self::Send => "Send",
            Self::Forward => "Forward",
            Self::Export => "Export",
            Self::Filter => "Filter",
            Self::Ended => "Ended",
        }
    }
}

/// A column of the help.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    Move,
    Look,
    Act,
}

impl Group {
    pub(crate) const ALL: [Self; 3] = [Self::Move, Self::Look, Self::Act];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Move => "MOVE",
            Self::Look => "LOOK",
            Self::Act => "ACT",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    keys: Vec<String>,
    action: String,
    group: Group,
    help: String,
    footer: Option<String>,
}

/// A line of the help or a word of the footer: keys and what they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) keys: Vec<String>,
    pub(crate) words: String,
}

/// The whole table.
#[derive(Debug, Default)]
pub(crate) struct Keymap {
    rows: HashMap<Section, Vec<Row>>,
    actions: HashMap<(Section, KeyCode, KeyModifiers), Action>,
    /// Whether the keys of [`Section::Ended`] mean something.
    offers_restart: bool,
}

impl Keymap {
    /// The table that is built in. A test sees to it that it can be read.
    pub(crate) fn built_in() -> Self {
        Self::parse(TABLE).unwrap_or_default()
    }

    fn parse(table: &str) -> Result<Self, String> {
        let rows: HashMap<Section, Vec<Row>> =
            toml::from_str(table).map_err(|error| error.to_string())?;
        let mut actions = HashMap::new();
        for (section, row) in rows
            .iter()
            .flat_map(|(section, rows)| rows.iter().map(move |row| (*section, row)))
        {
            let action = action(&row.action).ok_or_else(|| format!("no action {}", row.action))?;
            for name in &row.keys {
                let (code, modifiers) = key(name).ok_or_else(|| format!("no key {name}"))?;
                if actions.insert((section, code, modifiers), action).is_some() {
                    return Err(format!("{name} has two meanings in {}", section.title()));
                }
            }
        }
        Ok(Self {
            rows,
            actions,
            offers_restart: false,
        })
    }

    /// Says whether there is a program that could be started again.
    pub(crate) fn offer_restart(&mut self, offers_restart: bool) {
        self.offers_restart = offers_restart;
    }

    /// What a key means in a pane.
    pub(crate) fn action(&self, section: Section, event: KeyEvent) -> Option<Action> {
        let modifiers = match event.code {
            // A capital letter says already that shift was held.
            KeyCode::Char(_) | KeyCode::BackTab => event.modifiers - KeyModifiers::SHIFT,
            _ => event.modifiers,
        };
        let own = self.actions.get(&(section, event.code, modifiers));
        if section == Section::Filter {
            // What means nothing here is written.
            return own.copied();
        }
        let ended = (Section::Ended, event.code, modifiers);
        let ended = self.actions.get(&ended).filter(|_| self.offers_restart);
        let everywhere = (Section::Everywhere, event.code, modifiers);
        own.or(ended)
            .or_else(|| self.actions.get(&everywhere))
            .copied()
    }

    /// The footer of a pane: its own keys, then those that work everywhere.
    pub(crate) fn footer(&self, section: Section) -> Vec<Hint> {
        let rows = self.rows(section);
        let named = rows.filter_map(|row| {
            let words = row.footer.as_ref()?;
            Some((row.keys.get(..1)?, words))
        });
        merge(named)
    }

    /// A column of a pane's help: its own keys, then those that work everywhere.
    pub(crate) fn help(&self, section: Section, group: Group) -> Vec<Hint> {
        let rows = self.rows(section);
        let rows = rows.filter(|row| row.group == group);
        merge(rows.map(|row| (row.keys.as_slice(), &row.help)))
    }

    fn rows_of(&self, section: Section) -> impl Iterator<Item = &Row> {
        self.rows.get(&section).into_iter().flatten()
    }

    /// What may be pressed in a pane: what is offered for the moment, its own keys, and those that
    /// work everywhere and mean nothing else in it.
    fn rows(&self, section: Section) -> impl Iterator<Item = &Row> {
        let is_alone = matches!(section, Section::Export | Section::Filter);
        let ended = (self.offers_restart && !is_alone).then_some(Section::Ended);
        let everywhere = (!is_alone).then_some(Section::Everywhere);
        let rows = |section: Option<Section>| {
            let sections = section.into_iter();
            sections.flat_map(|section| self.rows_of(section))
        };
        let is_own = move |key: &String| self.rows_of(section).any(|row| row.keys.contains(key));
        let everywhere = rows(everywhere).filter(move |row| !row.keys.iter().all(is_own));
        rows(ended).chain(rows(Some(section))).chain(everywhere)
    }
}

/// Rows with equal words become one hint, which stands where the first of them stood. The first key
/// of each row comes before their other keys.
fn merge<'a>(rows: impl Iterator<Item = (&'a [String], &'a String)>) -> Vec<Hint> {
    let mut merged: Vec<(&String, Vec<(usize, &String)>)> = Vec::new();
    for (keys, words) in rows {
        let keys = keys.iter().enumerate();
        match merged.iter_mut().find(|(known, _)| *known == words) {
            Some((_, known)) => known.extend(keys),
            None => merged.push((words, keys.collect())),
        }
    }
    let hint = |(words, mut keys): (&String, Vec<(usize, &String)>)| {
        keys.sort_by_key(|(place, _)| *place);
        Hint {
            keys: keys.into_iter().map(|(_, key)| key.clone()).collect(),
            words: words.clone(),
        }
    };
    merged.into_iter().map(hint).collect()
}

/// A key by the name the table gives it.
fn key(name: &str) -> Option<(KeyCode, KeyModifiers)> {
    let mut chars = name.chars();
    let code = match (name, chars.next()?, chars.next()) {
        (_, '^', Some(control)) => return Some((KeyCode::Char(control), KeyModifiers::CONTROL)),
        (_, char, None) => KeyCode::Char(char),
        ("space", ..) => KeyCode::Char(' '),
        ("enter", ..) => KeyCode::Enter,
        ("esc", ..) => KeyCode::Esc,
        ("tab", ..) => KeyCode::Tab,
        ("S-tab", ..) => KeyCode::BackTab,
        ("up", ..) => KeyCode::Up,
        ("down", ..) => KeyCode::Down,
        ("left", ..) => KeyCode::Left,
        ("right", ..) => KeyCode::Right,
        ("pgup", ..) => KeyCode::PageUp,
        ("pgdn", ..) => KeyCode::PageDown,
        ("home", ..) => KeyCode::Home,
        ("end", ..) => KeyCode::End,
        _ => return None,
    };
    Some((code, KeyModifiers::NONE))
}

/// An action by the name the table gives it.
fn action(name: &str) -> Option<Action> {
    Some(match name {
        "up" => Action::Move(Motion::Up),
        "down" => Action::Move(Motion::Down),
        "page_up" => Action::Move(Motion::PageUp),
        "page_down" => Action::Move(Motion::PageDown),
        "half_up" => Action::Move(Motion::HalfUp),
        "half_down" => Action::Move(Motion::HalfDown),
        "first" => Action::Move(Motion::First),
        "last" => Action::Move(Motion::Last),
        "open" => Action::Open,
        "back" => Action::Back,
        "fold" => Action::Fold,
        "unfold" => Action::Unfold,
        "fold_subtree" => Action::FoldSubtree,
        "fold_all" => Action::FoldAll,
        "unfold_all" => Action::UnfoldAll,
        "next_error" => Action::NextError,
        "previous_error" => Action::PreviousError,
        "next_match" => Action::NextMatch,
        "previous_match" => Action::PreviousMatch,
        "filter" => Action::Filter,
        "pause" => Action::Pause,
        "copy" => Action::Copy,
        "copy_json" => Action::CopyJson,
        "export" => Action::Export,
        "export_json" => Action::ExportJson,
        "export_datadog" => Action::ExportDatadog,
        "export_all" => Action::ExportAll,
        "export_all_datadog" => Action::ExportAllDatadog,
        "detail" => Action::Detail,
        "show_traces" => Action::ShowTraces,
        "show_logs" => Action::ShowLogs,
        "show_sampling" => Action::ShowSampling,
        "show_latency" => Action::ShowLatency,
        "next_resource" => Action::NextResource,
        "previous_resource" => Action::PreviousResource,
        "log_axis" => Action::LogAxis,
        "same_axis" => Action::SameAxis,
        "set_border" => Action::SetBorder,
        "next_border" => Action::NextBorder,
        "cold_rule" => Action::ColdRule,
        "column_left" => Action::ColumnLeft,
        "column_right" => Action::ColumnRight,
        "what_if" => Action::WhatIf,
        "reset" => Action::Reset,
        "write_rule" => Action::WriteRule,
        "mark" => Action::Mark,
        "take_marks_off" => Action::TakeMarksOff,
        "forward" => Action::Forward,
        "send" => Action::Send,
        "scope" => Action::Scope,
        "next_line" => Action::NextLine,
        "to_span" => Action::ToSpan,
        "to_time" => Action::ToTime,
        "scroll_left" => Action::ScrollLeft,
        "scroll_right" => Action::ScrollRight,
        "help" => Action::Help,
        "next_pane" => Action::NextPane,
        "previous_pane" => Action::PreviousPane,
        "connect" => Action::Connect,
        "restart" => Action::Restart,
        "redraw" => Action::Redraw,
        "suspend" => Action::Suspend,
        "quit" => Action::Quit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_read() {
        let keymap = Keymap::parse(TABLE).unwrap();
        let press = |code, modifiers| keymap.action(Section::List, KeyEvent::new(code, modifiers));
        let shift = KeyModifiers::SHIFT;
        assert_eq!(
            press(KeyCode::Char('G'), shift),
            Some(Action::Move(Motion::Last))
        );
        assert_eq!(
            press(KeyCode::Char('c'), KeyModifiers::CONTROL),
            Some(Action::Quit)
        );
        assert_eq!(press(KeyCode::BackTab, shift), Some(Action::PreviousPane));
        assert_eq!(press(KeyCode::Char('h'), KeyModifiers::NONE), None);
    }

    #[test]
    fn every_key_of_a_pane_is_in_its_help() {
        let keymap = Keymap::built_in();
        for (section, code, _) in keymap.actions.keys() {
            let hints = Group::ALL.map(|group| keymap.help(*section, group));
            let KeyCode::Char(char) = code else { continue };
            let name = char.to_string();
            let named = |hint: &Hint| hint.keys.iter().any(|key| key.ends_with(&name));
            let is_space = *char == ' ';
            assert!(
                is_space || hints.iter().flatten().any(named),
                "{char} in {section:?}"
            );
        }
    }

    #[test]
    fn a_key_with_two_meanings_in_a_pane_is_refused() {
        let row = "[[list]]\nkeys = [\"j\"]\naction = \"up\"\ngroup = \"move\"\nhelp = \"up\"\n";
        let error = Keymap::parse(&format!("{row}{row}")).unwrap_err();
        assert_eq!(error, "j has two meanings in Traces");
    }

    #[test]
    fn rows_with_equal_words_are_one_hint() {
        let footer = Keymap::built_in().footer(Section::List);
        let error = footer.iter().find(|hint| hint.words == "error").unwrap();
        assert_eq!(error.keys, ["e", "E"]);
    }
}
