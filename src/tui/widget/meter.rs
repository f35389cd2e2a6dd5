//! A bar that begins at the left: how much of a whole, to an eighth of a cell.

use crate::tui::theme::Glyphs;

/// A bar for `part` of `whole` within so many cells; anything above zero shows.
pub(crate) fn meter(part: i64, whole: i64, n_cells: usize, glyphs: Glyphs) -> String {
    if part <= 0 || whole <= 0 || n_cells == 0 {
        return String::new();
    }
    let n_steps = glyphs.pick(8, 1);
    let cells = i128::try_from(n_cells).unwrap_or(0) * n_steps;
    let filled = (i128::from(part) * cells / i128::from(whole)).clamp(1, cells);
    let full = usize::try_from(filled / n_steps).unwrap_or(0);
    let mut bar = glyphs.pick("█", "#").repeat(full);
    let eighths = usize::try_from(filled % n_steps).unwrap_or(0);
    bar.extend(
        eighths
            .checked_sub(1)
            .and_then(|place| "▏▎▍▌▋▊▉".chars().nth(place)),
    );
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        let cases = [
            (0, 100, ""),
            (-5, 100, ""),
            (1, 100_000, "▏"),
            (50, 100, "██"),
            (56, 100, "██▏"),
            (100, 100, "████"),
            (200, 100, "████"),
            (i64::MAX, i64::MAX, "████"),
        ];
        for (part, whole, expected) in cases {
            assert_eq!(meter(part, whole, 4, Glyphs::Unicode), expected);
        }
        assert_eq!(meter(60, 100, 4, Glyphs::Ascii), "##");
    }
}
