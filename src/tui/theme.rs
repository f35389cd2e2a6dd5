//! Styles by meaning and the characters pictures are drawn with. Sixteen terminal colours on the
//! terminal's own background; a style never carries a meaning that is not also in words.

use std::hash::{DefaultHasher, Hash, Hasher};

use ratatui::style::{Color as AnsiColor, Modifier, Style};
use ratatui::symbols::border;

use super::screen::Focus;
use crate::logs::Level;
use crate::trace::Text;

pub use crate::config::{Color, Glyphs};

impl Glyphs {
    /// One of two characters.
    pub(crate) fn pick<T>(self, unicode: T, ascii: T) -> T {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }

    /// What stands for text that was cut off.
    pub(crate) fn ellipsis(self) -> &'static str {
        self.pick("…", "~")
    }

    /// What stands before something that the user has marked.
    pub(crate) fn mark(self) -> &'static str {
        self.pick("◆", "*")
    }

    /// The frame of a pane.
    pub(crate) fn border(self) -> border::Set<'static> {
        self.pick(border::PLAIN, ASCII_BORDER)
    }
}

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// How things look, by what they mean.
#[derive(Clone, Debug)]
pub struct Theme {
    pub(crate) glyphs: Glyphs,
    pub(crate) color: Color,
    /// Ordinary text.
    pub(crate) text: Style,
    /// What is there but not asked for: labels, ids, spans that do not match.
    pub(crate) dim: Style,
    /// The title of a pane that has no keys.
    pub(crate) title: Style,
    /// The title of the pane with the keys.
    pub(crate) title_focused: Style,
    /// The frame of a pane that has no keys.
    pub(crate) border: Style,
    /// The frame of the pane with the keys.
    pub(crate) border_focused: Style,
    /// The selected row of the pane with the keys.
    pub(crate) selected: Style,
    /// The selected row of another pane.
    pub(crate) selected_unfocused: Style,
    /// Errors.
    pub(crate) error: Style,
    /// What needs attention: losses, orphans, partial traces.
    pub(crate) warning: Style,
    /// What went well.
    pub(crate) ok: Style,
    /// The name of a key in footer and help.
    pub(crate) key: Style,
    /// The part of a text that matches the filter.
    pub(crate) matched: Style,
    /// What is wrong with a filter.
    pub(crate) fault: Style,
    /// The word `LIVE`.
    pub(crate) live: Style,
    /// The word `PAUSED`.
    pub(crate) paused: Style,
    /// The line above the footer.
    pub(crate) notice: Style,
    /// A log line that only informs.
    info: Style,
}

/// The colours of bars; red is kept for errors.
const BAR_COLORS: [AnsiColor; 8] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Blue,
    AnsiColor::Magenta,
    AnsiColor::Yellow,
    AnsiColor::LightCyan,
    AnsiColor::LightGreen,
    AnsiColor::LightMagenta,
];

impl Theme {
    pub(crate) fn new(glyphs: Glyphs, color: Color) -> Self {
        let plain = Style::new();
        let colored = |name: AnsiColor| match color {
            Color::On => plain.fg(name),
            Color::Off => plain,
        };
        let reversed = plain.add_modifier(Modifier::REVERSED);
        Self {
            glyphs,
            color,
            text: plain,
            dim: plain.add_modifier(Modifier::DIM),
            title: plain,
            title_focused: plain.add_modifier(Modifier::BOLD),
            border: plain.add_modifier(Modifier::DIM),
            border_focused: colored(AnsiColor::Cyan),
            selected: reversed,
            selected_unfocused: plain.add_modifier(Modifier::BOLD),
            error: colored(AnsiColor::Red).add_modifier(Modifier::BOLD),
            warning: colored(AnsiColor::Yellow),
            ok: colored(AnsiColor::Green),
            key: plain.add_modifier(Modifier::BOLD),
            matched: plain.add_modifier(Modifier::UNDERLINED),
            fault: colored(AnsiColor::Red).add_modifier(Modifier::UNDERLINED),
            live: colored(AnsiColor::Green).add_modifier(Modifier::BOLD),
            paused: reversed,
            notice: colored(AnsiColor::Yellow).add_modifier(Modifier::BOLD),
            info: colored(AnsiColor::Green),
        }
    }

    /// The level of a log line, which is a word or a letter too.
    pub(crate) fn level(&self, level: Option<Level>) -> Style {
        match level {
            None | Some(Level::Trace | Level::Debug) => self.dim,
            Some(Level::Info) => self.info,
            Some(Level::Warn) => self.warning,
            Some(Level::Error | Level::Critical) => self.error,
        }
    }

    /// The selected row of a pane.
    pub(crate) fn selection(&self, focus: Focus) -> Style {
        match focus {
            Focus::Focused => self.selected,
            Focus::Unfocused => self.selected_unfocused,
        }
    }

    /// The bar of a span: a colour of its service, the same in every run.
    pub(crate) fn bar(&self, service: Text<'_>) -> Style {
        let mut hasher = DefaultHasher::new();
        service.as_bytes().hash(&mut hasher);
        self.bar_at(usize::try_from(hasher.finish() % 8).unwrap_or(0))
    }

    /// The bar of the first, the second, ... of some; there are only so many colours, so they come
    /// again.
    pub(crate) fn bar_at(&self, place: usize) -> Style {
        let color = BAR_COLORS.get(place % BAR_COLORS.len());
        match (self.color, color) {
            (Color::On, Some(color)) => self.text.fg(*color),
            _ => self.text,
        }
    }
}
