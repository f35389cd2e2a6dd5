//! The log lines of a trace as letters on its time axis: `i w E` in the cells of their times. The
//! cells are computed again only when the lines, the axis or its width change.
//!
//! ```text
//! ▾ gen-api fastapi.request   ██████████████████████████████    1.94s
//! └─ vllm decode                         ██████████████████    462ms
//!   logs 12                 ◂ii              i   ii  w i w E
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::draw::Columns;
use crate::logs::Level;
use crate::store::LogKey;
use crate::tui::screen::log_row::letter;
use crate::tui::screen::trace_logs::{LineMark, TraceLines};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widget::bar::Scale;
use crate::tui::widget::put;

/// What stands in one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Letter {
    level: Option<Level>,
    /// The line with that level, the first of them.
    key: LogKey,
    /// Whether other lines fall into the same cell.
    is_shared: bool,
}

/// The letters of a trace at one width.
#[derive(Debug, Default)]
pub(super) struct Letters {
    built: Option<(u64, Scale)>,
    cells: Vec<Option<Letter>>,
    n_before: usize,
    n_after: usize,
}

impl Letters {
    /// Computes the cells, unless they are those of this axis already.
    pub(super) fn build(&mut self, lines: &TraceLines, scale: Scale) {
        let wanted = Some((lines.version(), scale));
        if self.built == wanted {
            return;
        }
        self.built = wanted;
        self.cells.clear();
        self.cells.resize(usize::from(scale.width), None);
        (self.n_before, self.n_after) = (0, 0);
        for mark in lines.marks() {
            self.n_before += usize::from(mark.at < scale.start);
            self.n_after += usize::from(mark.at > scale.end);
            let Some(cell) = self.cells.get_mut(cell(*mark, scale)) else {
                continue;
            };
            *cell = Some(match *cell {
                None => Letter {
                    level: mark.level,
                    key: mark.key,
                    is_shared: false,
                },
                Some(known) if mark.level > known.level => Letter {
                    level: mark.level,
                    key: mark.key,
                    is_shared: true,
                },
                Some(known) => Letter {
                    is_shared: true,
                    ..known
                },
            });
        }
    }

    /// The line whose letter stands in a cell.
    pub(super) fn line_at(&self, cell: usize) -> Option<LogKey> {
        Some((*self.cells.get(cell)?)?.key)
    }

    /// Paints the row. The letter of the selected line stands out, whatever else is in its cell.
    pub(super) fn draw(
        &self,
        lines: &TraceLines,
        selected: Option<LineMark>,
        theme: &Theme,
        (line, buffer): (Rect, &mut Buffer),
    ) {
        let columns = Columns::of(line);
        let label = format!("logs {}", lines.marks().len());
        let label = text::cut(&label, usize::from(columns.name.width), theme.glyphs);
        put(buffer, columns.name, 2, &label, theme.dim);
        let scale = self.built.map(|(_, scale)| scale).unwrap_or_default();
        if columns.bars.width == 0 || scale.width != columns.bars.width {
            return;
        }
        let mut paint = |cell: u16, symbol: &str, style: Style| {
            if let Some(painted) = buffer.cell_mut((columns.bars.x + cell, line.y)) {
                painted.set_symbol(symbol);
                painted.set_style(style);
            }
        };
        for (found, place) in self.cells.iter().zip(0..) {
            let Some(found) = found else { continue };
            let style = theme.level(found.level);
            let style = if found.is_shared {
                style.add_modifier(Modifier::BOLD)
            } else {
                style
            };
            paint(place, letter(found.level), style);
        }
        if let Some(mark) = selected {
            let place = text::cells(cell(mark, scale));
            let style = theme.level(mark.level).add_modifier(Modifier::REVERSED);
            paint(place, letter(mark.level), style);
        }
        // There is a gap of one cell on both sides of the bars.
        let beyond = [
            (self.n_before, columns.bars.x.checked_sub(1), ("◂", "<")),
            (self.n_after, Some(columns.bars.right()), ("▸", ">")),
        ];
        for (n_lines, column, (unicode, ascii)) in beyond {
            if let (1.., Some(column)) = (n_lines, column)
                && let Some(painted) = buffer.cell_mut((column, line.y))
            {
                painted.set_symbol(theme.glyphs.pick(unicode, ascii));
                painted.set_style(theme.warning);
            }
        }
    }
}

/// The cell of a line's time; what lies beyond the axis stands at its end.
fn cell(mark: LineMark, scale: Scale) -> usize {
    let cell = usize::try_from(scale.eighth(mark.at) / 8).unwrap_or(0);
    cell.min(usize::from(scale.width).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogRecord, LogSource};
    use crate::store::Store;
    use crate::trace::{Now, UnixNanos};
    use crate::tui::screen::waterfall::sample::{START, TRACE_ID, span, store_of};
    use crate::tui::theme::{Color, Glyphs};

    /// A trace of a second with lines at milliseconds from its start.
    fn lines(at: &[(i64, Option<Level>)]) -> (Store, TraceLines) {
        let (mut store, key) = store_of(&[span(1, 0, 0, 1_000, "request")]);
        let record = |(millis, level): &(i64, Option<Level>)| {
            let mut record = LogRecord::parse("line", LogSource::Stdout, UnixNanos(START));
            record.ids.trace = TRACE_ID.parse().unwrap();
            record.time = Some(UnixNanos(START + millis * 1_000_000));
            record.level = *level;
            record
        };
        store.insert_logs(at.iter().map(record).collect(), Now::default());
        let mut lines = TraceLines::default();
        lines.refresh(store.trace(key).unwrap(), &store);
        (store, lines)
    }

    fn scale(width: u16) -> Scale {
        Scale {
            start: UnixNanos(START),
            end: UnixNanos(START + 1_000_000_000),
            width,
        }
    }

    #[track_caller]
    fn check(at: &[(i64, Option<Level>)], glyphs: Glyphs, expected: &str) {
        let (_, lines) = lines(at);
        let area = Rect::new(0, 0, 60, 1);
        let mut buffer = Buffer::empty(area);
        let mut letters = Letters::default();
        letters.build(&lines, scale(Columns::of(area).bars.width));
        let theme = Theme::new(glyphs, Color::On);
        letters.draw(&lines, None, &theme, (area, &mut buffer));
        let row: String = (0..60)
            .filter_map(|x| buffer.cell((x, 0)))
            .map(|cell| cell.symbol().to_owned())
            .collect();
        assert_eq!(row.trim_end(), expected);
    }

    #[test]
    fn letters_stand_at_their_times() {
        use Level::{Critical, Debug, Error, Info, Warn};
        check(
            &[
                (0, Some(Info)),
                (100, Some(Debug)),
                (500, None),
                (800, Some(Warn)),
                (900, Some(Error)),
                (1_000, Some(Critical)),
            ],
            Glyphs::Unicode,
            "   logs 6              i d           .       w  E E",
        );
    }

    #[test]
    fn the_most_severe_line_has_the_cell() {
        use Level::{Error, Info, Warn};
        let crowd = [
            (500, Some(Info)),
            (501, Some(Error)),
            (502, Some(Warn)),
            (503, None),
        ];
        check(
            &crowd,
            Glyphs::Unicode,
            "   logs 4                            E",
        );
    }

    #[test]
    fn lines_beyond_the_axis_stand_at_its_ends_with_a_mark() {
        let beyond = [(-5_000, Some(Level::Info)), (9_000, Some(Level::Warn))];
        check(
            &beyond,
            Glyphs::Unicode,
            "   logs 2             ◂i                          w▸",
        );
        check(
            &beyond,
            Glyphs::Ascii,
            "   logs 2             <i                          w>",
        );
    }

    #[test]
    fn an_axis_without_extent_or_width_takes_any_line() {
        let (_, lines) = lines(&[(-1, None), (0, None), (1, None)]);
        for (end, width) in [(START, 10), (START - 5, 10), (i64::MAX, 0), (i64::MIN, 1)] {
            let scale = Scale {
                start: UnixNanos(START),
                end: UnixNanos(end),
                width,
            };
            let mut letters = Letters::default();
            letters.build(&lines, scale);
            assert_eq!(letters.cells.len(), usize::from(width));
        }
    }
}
