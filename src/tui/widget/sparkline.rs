//! A handful of numbers as a handful of characters.

use crate::tui::theme::Glyphs;

/// One character a number, the highest at full height; an empty string when all are zero.
pub(crate) fn sparkline(numbers: &[u64], glyphs: Glyphs) -> String {
    let levels = glyphs.pick("▁▂▃▄▅▆▇█", "._-=+*%#");
    let highest = numbers.iter().copied().max().unwrap_or(0);
    if highest == 0 {
        return String::new();
    }
    let level = |number: &u64| {
        let step = (u128::from(*number) * 7).div_ceil(u128::from(highest));
        levels.chars().nth(usize::try_from(step).unwrap_or(7))
    };
    numbers.iter().filter_map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_is_a_full_block() {
        assert_eq!(sparkline(&[0, 1, 7, 14], Glyphs::Unicode), "▁▂▅█");
        assert_eq!(sparkline(&[u64::MAX, 0], Glyphs::Ascii), "#.");
        assert_eq!(sparkline(&[0, 0], Glyphs::Unicode), "");
    }
}
