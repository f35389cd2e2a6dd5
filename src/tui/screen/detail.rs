//! Details as a tree: labelled values that can be opened, for a span and for a log line. No ratatui
//! in here; `tree` draws them.

mod items;
pub(crate) mod json;
mod tree;

use std::borrow::Cow;

pub(crate) use items::{numbered, places};
pub(crate) use tree::DetailTree;

use crate::trace::Text;
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// Labels of siblings are padded to at most so many cells.
const LABEL_CELLS_MAX: usize = 24;
/// Tags stand below their heading, members of a tag's JSON a little deeper.
const DEPTH_USUAL: usize = 3;
/// Bytes of a text that are looked at, and copied.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Lines of a stack that are shown below it.
const STACK_LINES_MAX: usize = 5_000;
/// Lines of any other text that are shown below it.
const LINES_MAX: usize = 500;

/// A label, its value, and what can be opened below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) label: String,
    /// One line, harmless.
    pub(crate) value: String,
    /// What is copied, if it is not `value`: may have several lines.
    pub(crate) whole: Option<String>,
    pub(crate) tone: Tone,
    pub(crate) is_open: bool,
    /// Whether a value that is too long goes on below itself.
    pub(crate) wraps: bool,
    pub(crate) below: Vec<Detail>,
}

/// How a value stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// A heading of what is below.
    Heading,
    Warning,
    Error,
}

impl Detail {
    pub(crate) fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            value: value.into(),
            ..Self::default()
        }
    }

    /// A sentence, read to its end.
    pub(crate) fn sentence(label: &str, words: String) -> Self {
        Self {
            is_open: true,
            wraps: true,
            ..Self::new(label, words)
        }
    }

    /// The first so many, and a line that counts the rest.
    pub(crate) fn some<T>(
        mut all: impl Iterator<Item = T>,
        n_max: usize,
        detail: impl FnMut(T) -> Self,
    ) -> Vec<Self> {
        let mut shown: Vec<Self> = all.by_ref().take(n_max).map(detail).collect();
        let n_more = all.count();
        if n_more > 0 {
            shown.push(Self::new("...", format!("{n_more} more")));
        }
        shown
    }

    /// A key as a label.
    pub(crate) fn label(key: Text<'_>, room: Room) -> String {
        text::cut(&text::show(key, room.glyphs), 200, room.glyphs).into_owned()
    }

    pub(crate) fn heading(label: &str, below: Vec<Self>) -> Option<Self> {
        let value = below.len().to_string();
        (!below.is_empty()).then(|| Self {
            tone: Tone::Heading,
            is_open: true,
            below,
            ..Self::new(label, value)
        })
    }

    /// A name: a text that is copied as one line.
    pub(crate) fn name(label: impl Into<String>, name: Text<'_>, room: Room) -> Self {
        Self {
            whole: Some(copyable_name(name)),
            ..Self::text(label, name, room)
        }
    }

    /// A text that is read line by line: how many there are, and all of them below.
    pub(crate) fn stack(label: &str, text: Text<'_>, room: Room) -> Self {
        let n_lines = start(text).0.lines().count();
        let n_lines = u64::try_from(n_lines).unwrap_or(u64::MAX);
        Self {
            whole: Some(copyable(text)),
            below: lines(text, room, STACK_LINES_MAX),
            ..Self::new(label, text::count(n_lines, "line"))
        }
    }

    /// A text of any length: its first line beside the label, and all of it below if that is not
    /// all there is.
    pub(crate) fn text(label: impl Into<String>, text: Text<'_>, room: Room) -> Self {
        let shown = text::show(text, room.glyphs);
        let mut detail = Self::new(label, shown.as_ref());
        // Indentation and the longest padding of a label. Items drop what turns out to fit.
        let before = text::width(&detail.label).max(LABEL_CELLS_MAX) + 2 * DEPTH_USUAL;
        let is_cut = before + text::width(&shown) > room.width;
        if text.as_bytes().contains(&b'\n') || is_cut {
            detail.below = lines(text, room, LINES_MAX);
            detail.whole = Some(copyable(text));
        }
        detail
    }
}

/// How wide the pane is, and with which characters it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) width: usize,
    pub(crate) glyphs: Glyphs,
}

/// All lines of a text with their indentation, long ones continued on the next.
fn lines(text: Text<'_>, room: Room, lines_max: usize) -> Vec<Detail> {
    // Two levels of the tree are left of each line.
    let n_cells = room.width.saturating_sub(4).max(20);
    let (whole, n_bytes_more) = start(text);
    let mut lines = Vec::new();
    let mut rest = whole.lines();
    for line in rest.by_ref() {
        let line = line.replace('\t', "    ");
        let line = text::visible(Cow::Owned(line), room.glyphs);
        wrap(&line, n_cells, lines_max, &mut lines);
        if lines.len() >= lines_max {
            break;
        }
    }
    let n_more = rest.count();
    if n_more > 0 {
        lines.push(Detail::new("", format!("({n_more} more lines)")));
    }
    if n_bytes_more > 0 {
        lines.push(Detail::new("", format!("({n_bytes_more} more bytes)")));
    }
    lines
}

/// Adds a line in pieces of at most so many cells; an empty line is one piece.
fn wrap(line: &str, n_cells: usize, lines_max: usize, lines: &mut Vec<Detail>) {
    let mut piece = String::new();
    let mut used = 0;
    for char in line.chars() {
        let width = text::width(char.encode_utf8(&mut [0; 4]));
        used += width;
        if used > n_cells {
            lines.push(Detail::new("", std::mem::take(&mut piece)));
            used = width;
        }
        if lines.len() >= lines_max {
            return;
        }
        piece.push(char);
    }
    lines.push(Detail::new("", piece));
}

/// A text for the clipboard: its lines and tabs, but nothing that a terminal obeys.
pub(crate) fn copyable(text: Text<'_>) -> String {
    let (whole, _) = start(text);
    let line = |line: &str| {
        let cells = line.split('\t');
        let cells: Vec<_> = cells
            .map(|cell| text::visible(Cow::Borrowed(cell), Glyphs::Unicode))
            .collect();
        cells.join("\t")
    };
    whole.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A name for the clipboard: it stays one line in a shell, whatever is in it.
pub(crate) fn copyable_name(name: Text<'_>) -> String {
    let (whole, _) = start(name);
    text::visible(whole, Glyphs::Unicode).into_owned()
}

/// As much of a text as is ever looked at, and how many bytes more there are.
fn start(text: Text<'_>) -> (Cow<'_, str>, usize) {
    let bytes = text.as_bytes();
    match bytes.split_at_checked(TEXT_BYTES_MAX) {
        Some((start, rest)) => (String::from_utf8_lossy(start), rest.len()),
        None => (text.to_lossy(), 0),
    }
}
