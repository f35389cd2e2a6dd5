//! Bytes to lines, whatever way a pipe cuts them. A line has a limit; what is beyond it is counted.

/// Bytes of a line that are kept.
pub(super) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteLine<'a> {
    pub(super) bytes: &'a [u8],
    /// Bytes that were cut off.
    pub(super) n_cut: u64,
}

/// What has been read of a line that has not ended.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    begun: Vec<u8>,
    n_cut: u64,
}

impl Splitter {
    /// Calls back with every line that `bytes` completes.
    pub(super) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(ByteLine<'_>)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (part, after) = rest.split_at(end);
            if self.begun.is_empty() && part.len() <= LINE_BYTES_MAX {
                line(ByteLine {
                    bytes: part,
                    n_cut: 0,
                });
            } else {
                self.keep(part);
                self.end(&mut line);
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.keep(rest);
    }

    /// Ends the line that has begun, if one has.
    pub(super) fn end(&mut self, mut line: impl FnMut(ByteLine<'_>)) {
        if !self.begun.is_empty() {
            line(ByteLine {
                bytes: &self.begun,
                n_cut: self.n_cut,
            });
        }
        self.n_cut = 0;
        self.begun.clear();
        // One long line must not cost its memory for ever.
        self.begun.shrink_to(64 * 1024);
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE_BYTES_MAX - self.begun.len();
        let kept = part.get(..room).unwrap_or(part);
        self.begun.extend_from_slice(kept);
        let n_cut = part.len() - kept.len();
        self.n_cut = self
            .n_cut
            .saturating_add(u64::try_from(n_cut).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<(String, u64)> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        let mut add = |line: ByteLine<'_>| {
            lines.push((String::from_utf8_lossy(line.bytes).into_owned(), line.n_cut));
        };
        for piece in pieces {
            splitter.push(piece, &mut add);
        }
        splitter.end(&mut add);
        lines
    }

    #[test]
    fn lines_come_out_whole_however_they_are_cut() {
        let whole = "first\nzweite Zeile é\n\nlast";
        let expected: Vec<_> = ["first", "zweite Zeile é", "", "last"]
            .map(|line| (line.to_owned(), 0))
            .into();
        for cut in 0..=whole.len() {
            let (head, tail) = whole.as_bytes().split_at(cut);
            assert_eq!(lines(&[head, tail]), expected, "{cut}");
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_cut_and_says_so() {
        let long = vec![b'a'; LINE_BYTES_MAX + 10];
        for pieces in [
            vec![&long[..], b"b\nnext\n"],
            vec![&[&long[..], b"b\nnext"].concat()[..]],
        ] {
            let lines = lines(&pieces);
            assert_eq!(lines.len(), 2);
            assert_eq!((lines[0].0.len(), lines[0].1), (LINE_BYTES_MAX, 11));
            assert_eq!(lines[1], ("next".to_owned(), 0));
        }
    }
}
