//! The ruler above bars: round times, as many as have room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bar::Scale;
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// Cells that a label and the gap after it take, roughly.
const LABEL_CELLS: u16 = 10;
const SECOND: i128 = 1_000_000_000;
/// Steps from a minute on; below, steps are 1, 2 and 5 with zeros.
const LONG_STEPS: [i128; 13] = [
    60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000,
];

/// The cell and the label of each mark.
pub(crate) fn marks(scale: Scale, glyphs: Glyphs) -> Vec<(u16, String)> {
    let extent = scale.extent();
    let n_marks = i128::from((scale.width / LABEL_CELLS).max(1));
    let step = step(extent, n_marks);
    let mut marks: Vec<(u16, String)> = Vec::new();
    let mut free_from = 0;
    for number in 0..=n_marks {
        let at = step * number;
        let cell = at * i128::from(scale.width) / extent.max(1);
        let label = label(at, glyphs);
        let after = cell + i128::try_from(text::width(&label)).unwrap_or(i128::MAX);
        if at > extent || after > i128::from(scale.width) || cell < free_from {
            continue;
        }
        free_from = after + 1;
        marks.extend(u16::try_from(cell).ok().map(|cell| (cell, label)));
    }
    marks
}

/// The smallest round time of which at most so many fit into the extent.
fn step(extent: i128, n_marks: i128) -> i128 {
    let short = (0..=10).flat_map(|zeros| [1, 2, 5].map(|digit| digit * 10_i128.pow(zeros)));
    let short = short.take_while(|step| *step <= 30 * SECOND);
    let long = LONG_STEPS.map(|seconds| seconds * SECOND);
    let years = std::iter::successors(Some(10 * 31_536_000 * SECOND), |step| Some(step * 10));
    let mut steps = short.chain(long).chain(years.take(6));
    steps
        .find(|step| extent / step <= n_marks)
        .unwrap_or(extent.max(1))
}

fn label(at: i128, glyphs: Glyphs) -> String {
    let label = text::duration(i64::try_from(at).unwrap_or(i64::MAX), glyphs);
    match label.strip_suffix(".00s") {
        Some(whole) => format!("{whole}s"),
        None if at == 0 => "0".to_owned(),
        None => label,
    }
}

/// Paints it into the first line of its column.
pub(crate) fn draw(scale: Scale, column: Rect, buffer: &mut Buffer, style: Style, glyphs: Glyphs) {
    if !buffer.area.contains(column.as_position()) {
        return;
    }
    for (cell, label) in marks(scale, glyphs) {
        let room = usize::from(column.width.saturating_sub(cell));
        buffer.set_stringn(column.x.saturating_add(cell), column.y, label, room, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::UnixNanos;

    #[track_caller]
    fn check(extent: i64, width: u16, expected: &[(u16, &str)]) {
        let scale = Scale {
            start: UnixNanos(0),
            end: UnixNanos(extent),
            width,
        };
        let marks = marks(scale, Glyphs::Unicode);
        let marks: Vec<(u16, &str)> = marks.iter().map(|(at, label)| (*at, &**label)).collect();
        assert_eq!(marks, expected);
    }

    #[test]
    fn marks_are_round_and_apart() {
        check(0, 40, &[(0, "0")]);
        check(124_675, 40, &[(0, "0"), (16, "50µs"), (32, "100µs")]);
        check(
            1_940_000_000,
            40,
            &[(0, "0"), (10, "500ms"), (20, "1s"), (30, "1.50s")],
        );
        check(300_000_000_000, 20, &[(0, "0"), (8, "2m00s")]);
        check(1_000_000, 5, &[(0, "0")]);
    }

    #[test]
    fn clocks_years_apart_still_have_a_ruler() {
        for width in [0, 1, 9, 60, u16::MAX] {
            let scale = Scale {
                start: UnixNanos(i64::MIN),
                end: UnixNanos(i64::MAX),
                width,
            };
            let marks = marks(scale, Glyphs::Ascii);
            assert!(marks.len() <= usize::from(width / LABEL_CELLS) + 2);
            for pair in marks.windows(2) {
                assert!(usize::from(pair[0].0) + pair[0].1.len() < usize::from(pair[1].0));
            }
        }
    }
}
