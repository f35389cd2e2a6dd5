//! Bars on a time axis in eighths of a cell. A bar is never wider than its column and never
//! nothing: what is shorter than a cell shows as the thinnest block.
//!
//! ```text
//! ▐█████▌    from the half of a cell to the half of another
//! ▏          shorter than an eighth
//! ▒▒▒▒▒      has not ended
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::trace::UnixNanos;
use crate::tui::theme::Glyphs;

/// The times that a column of cells stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) start: UnixNanos,
    pub(crate) end: UnixNanos,
    /// Cells.
    pub(crate) width: u16,
}

impl Scale {
    /// Nanoseconds from the first to the last moment; may not fit into 64 bits with a sign.
    pub(crate) fn extent(self) -> i128 {
        (i128::from(self.end.0) - i128::from(self.start.0)).max(0)
    }

    /// The eighth of a cell that a moment falls into, stopping at the ends of the column.
    pub(crate) fn eighth(self, at: UnixNanos) -> u32 {
        let from_start = (i128::from(at.0) - i128::from(self.start.0)).max(0);
        let n_eighths = u32::from(self.width) * 8;
        let place = from_start * i128::from(n_eighths) / self.extent().max(1);
        u32::try_from(place).unwrap_or(u32::MAX).min(n_eighths)
    }

    /// The bar of what began and ended at these moments.
    pub(crate) fn bar(self, start: UnixNanos, end: UnixNanos, kind: BarKind) -> Bar {
        let from = self.eighth(start);
        let to = self.eighth(end).max(from.saturating_add(1));
        let last = u32::from(self.width) * 8;
        Bar {
            from: from.min(last.saturating_sub(1)),
            to: to.min(last),
            kind,
        }
    }
}

/// What a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarKind {
    /// Something that ended.
    Closed,
    /// Something that may still run.
    Open,
}

/// A bar in eighths of cells from the left edge of its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) from: u32,
    pub(crate) to: u32,
    kind: BarKind,
}

const LEFT_BLOCKS: [&str; 8] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

fn left_block(n_eighths: u32) -> &'static str {
    let place = usize::try_from(n_eighths.max(1) - 1).unwrap_or(0);
    LEFT_BLOCKS.get(place).unwrap_or(&"█")
}

impl Bar {
    /// The cells it touches: the first, and the one after the last.
    pub(crate) fn cells(self) -> (u16, u16) {
        let cell = |eighths: u32| u16::try_from(eighths).unwrap_or(u16::MAX);
        (cell(self.from / 8), cell(self.to.div_ceil(8)))
    }

    /// What stands in a cell it touches. At its left edge a bar begins with the cell, in its middle
    /// or shortly before its end: there are no other blocks that leave the left of a cell free.
    fn symbol(self, cell: u16, glyphs: Glyphs) -> &'static str {
        let start = u32::from(cell) * 8;
        let end = self.to.saturating_sub(start).min(8);
        let begin = self.from.saturating_sub(start).min(end);
        let is_whole_bar = self.from >= start && self.to < start + 8;
        match (glyphs, self.kind) {
            (Glyphs::Ascii, BarKind::Open) => "#",
            (Glyphs::Ascii, BarKind::Closed) if self.to - self.from < 8 => "|",
            (Glyphs::Ascii, BarKind::Closed) => "=",
            (Glyphs::Unicode, BarKind::Open) => "▒",
            (Glyphs::Unicode, BarKind::Closed) if is_whole_bar => left_block(end - begin),
            (Glyphs::Unicode, BarKind::Closed) => match begin {
                0..=3 => left_block(end),
                4..=5 => "▐",
                _ => "▕",
            },
        }
    }

    /// Paints it into the first line of its column.
    pub(crate) fn draw(self, column: Rect, buffer: &mut Buffer, style: Style, glyphs: Glyphs) {
        let column = column.intersection(buffer.area);
        let (first, after) = self.cells();
        if column.height == 0 {
            return;
        }
        for cell in first..after.min(column.width) {
            if let Some(painted) = buffer.cell_mut((column.x + cell, column.y)) {
                painted.set_symbol(self.symbol(cell, glyphs));
                painted.set_style(style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Rect = Rect::new(0, 0, 14, 3);

    /// Draws into the columns 2 to 11 of the second of three lines.
    fn drawn(scale: Scale, start: i64, end: i64, kind: BarKind, glyphs: Glyphs) -> Buffer {
        let mut buffer = Buffer::empty(ALL);
        let column = Rect::new(2, 1, scale.width, 1);
        let bar = scale.bar(UnixNanos(start), UnixNanos(end), kind);
        bar.draw(column, &mut buffer, Style::new(), glyphs);
        buffer
    }

    fn line(buffer: &Buffer) -> String {
        let cells = (2..12).filter_map(|x| buffer.cell((x, 1)));
        cells.map(|cell| cell.symbol().to_owned()).collect()
    }

    #[track_caller]
    fn check(start: i64, end: i64, unicode: &str, ascii: &str) {
        let scale = Scale {
            start: UnixNanos(0),
            end: UnixNanos(80),
            width: 10,
        };
        let draw = |glyphs| line(&drawn(scale, start, end, BarKind::Closed, glyphs));
        assert_eq!(draw(Glyphs::Unicode), unicode);
        assert_eq!(draw(Glyphs::Ascii), ascii);
    }

    #[test]
    fn bars_end_in_eighths_and_begin_in_halves() {
        check(0, 80, "██████████", "==========");
        check(0, 12, "█▌        ", "==        ");
        check(4, 24, "▐██       ", "===       ");
        check(2, 24, "███       ", "===       ");
        check(6, 24, "▕██       ", "===       ");
        check(10, 13, " ▍        ", " |        ");
        check(15, 17, " ▕▏       ", " ||       ");
    }

    #[test]
    fn nothing_is_shown_as_nothing() {
        check(0, 0, "▏         ", "|         ");
        check(40, 40, "     ▏    ", "     |    ");
        check(80, 80, "         ▕", "         |");
        check(80, 20, "         ▕", "         |");
        check(i64::MIN, i64::MAX, "██████████", "==========");
        check(i64::MAX, i64::MIN, "         ▕", "         |");
    }

    #[test]
    fn what_has_not_ended_is_hatched() {
        let scale = Scale {
            start: UnixNanos(0),
            end: UnixNanos(80),
            width: 10,
        };
        let draw = |glyphs| line(&drawn(scale, 20, 50, BarKind::Open, glyphs));
        assert_eq!(draw(Glyphs::Unicode), "  ▒▒▒▒▒   ");
        assert_eq!(draw(Glyphs::Ascii), "  #####   ");
    }

    fn moment() -> impl Strategy<Value = i64> {
        prop_oneof![-100_i64..100, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
    }

    proptest! {
        #[test]
        fn every_bar_lies_inside_its_column(
            from in moment(), to in moment(), start in moment(), end in moment(),
            width in 1_u16..=10, is_open in any::<bool>(), is_ascii in any::<bool>(),
        ) {
            let scale = Scale { start: UnixNanos(from), end: UnixNanos(to), width };
            let kind = if is_open { BarKind::Open } else { BarKind::Closed };
            let glyphs = if is_ascii { Glyphs::Ascii } else { Glyphs::Unicode };
            let buffer = drawn(scale, start, end, kind, glyphs);
            let mut n_painted = 0;
            for position in ALL.positions() {
                let is_painted = buffer.cell(position).unwrap().symbol() != " ";
                n_painted += u32::from(is_painted);
                let is_inside = position.y == 1 && (2..2 + width).contains(&position.x);
                prop_assert!(is_inside || !is_painted, "painted at {}", position);
            }
            prop_assert!(n_painted > 0);
        }
    }
}
