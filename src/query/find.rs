//! A text in another one, upper and lower case of ASCII alike: first looked for by its first and last
//! letter, in blocks that the processor compares at once.

/// So many places are looked at together.
const BLOCK: usize = 16;

/// The first place of `part`, which is lower-case, in `text`.
pub(super) fn find_ignoring_case(text: &[u8], part: &[u8]) -> Option<usize> {
    let (Some(first), Some(last)) = (part.first(), part.last()) else {
        return Some(0);
    };
    let ends = text.get(part.len() - 1..)?;
    let starts = text.get(..ends.len())?;
    let (first, last) = (Letter::new(*first), Letter::new(*last));
    let is_at = |place: &usize| {
        let here = text.get(*place..*place + part.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(part))
    };
    let (start_blocks, rest) = starts.as_chunks::<BLOCK>();
    let (end_blocks, _) = ends.as_chunks::<BLOCK>();
    let mut place = 0;
    for (starts, ends) in start_blocks.iter().zip(end_blocks) {
        let pairs = starts.iter().zip(ends);
        // No branch in it, so that it becomes a few instructions for all of the block.
        let hits = pairs.fold(0, |hits, (start, end)| {
            hits | u8::from(first.is(*start) & last.is(*end))
        });
        if hits != 0
            && let Some(found) = (place..place + BLOCK).find(is_at)
        {
            return Some(found);
        }
        place += BLOCK;
    }
    let mut places = place..place + rest.len();
    places.find(|place| starts.get(*place).is_some_and(|start| first.is(*start)) && is_at(place))
}

/// A letter in lower case, compared with either case.
#[derive(Clone, Copy)]
struct Letter {
    byte: u8,
    /// The bit that tells the cases apart, of a letter that has two.
    case: u8,
}

impl Letter {
    fn new(byte: u8) -> Self {
        Self {
            byte,
            case: u8::from(byte.is_ascii_lowercase()) << 5,
        }
    }

    fn is(self, byte: u8) -> bool {
        byte | self.case == self.byte
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_part_is_found_where_it_first_stands(text in "[aAb0@`é]{0,120}", part in "[ab0@`é]{0,3}") {
            let plain = text.to_ascii_lowercase();
            let expected = plain.as_bytes().windows(part.len().max(1)).position(|at| at.starts_with(part.as_bytes()));
            let expected = if part.is_empty() { Some(0) } else { expected };
            prop_assert_eq!(find_ignoring_case(text.as_bytes(), part.as_bytes()), expected);
        }
    }
}
