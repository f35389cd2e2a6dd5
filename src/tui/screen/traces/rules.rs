//! The rules between traces from before and after a reload. A rule has a line of the screen to
//! itself and is no row: rows are what is selected and moved through, lines are where they stand.
//!
//! ```text
//! line 0   row 0                    rule.above_row = 1
//! line 1   ─── reload 14:05:12 ───
//! line 2   row 1
//! ```

use crate::trace::UnixNanos;

/// A rule, which stands above a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) above_row: usize,
    /// When the newest reload it stands for was.
    pub(super) at: UnixNanos,
    /// Reloads without a trace between them share a rule.
    pub(super) n_reloads: usize,
}

/// The rules of a list, from its top down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules(Vec<Rule>);

/// What stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Rule(Rule),
    Row(usize),
}

impl Rules {
    /// Rules from where they stand and when the reloads were, the newest and topmost first.
    pub(super) fn new(newest_first: impl IntoIterator<Item = (usize, UnixNanos)>) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        for (above_row, at) in newest_first {
            match rules.last_mut() {
                Some(above) if above.above_row >= above_row => above.n_reloads += 1,
                _ => rules.push(Rule {
                    above_row,
                    at,
                    n_reloads: 1,
                }),
            }
        }
        Self(rules)
    }

    /// The line on which a row stands.
    pub(super) fn line_of(&self, row: usize) -> usize {
        row + self.0.partition_point(|rule| rule.above_row <= row)
    }

    /// The line that comes first when a row is the first visible one: at the very top the rule above
    /// it is seen.
    pub(super) fn first_line(&self, first_row: usize) -> usize {
        match first_row {
            0 => 0,
            row => self.line_of(row),
        }
    }

    /// What stands on a line.
    pub(super) fn on_line(&self, line: usize) -> Line {
        let place = self.0.iter().enumerate();
        let mut above = place.take_while(|(n_above, rule)| rule.above_row + n_above <= line);
        match above.by_ref().last() {
            Some((n_above, rule)) if rule.above_row + n_above == line => Line::Rule(*rule),
            Some((n_above, _)) => Line::Row(line - n_above - 1),
            None => Line::Row(line),
        }
    }

    /// The first row that can be the first visible one so that another still fits on the page.
    pub(super) fn first_row_showing(&self, row: usize, page: usize) -> usize {
        let fits = |first: &usize| self.line_of(row) < self.first_line(*first) + page.max(1);
        let candidates = (0..=row).rev().take(page.max(1));
        candidates.take_while(fits).last().unwrap_or(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(above_rows: &[usize]) -> Rules {
        Rules::new(above_rows.iter().map(|row| (*row, UnixNanos(0))))
    }

    #[track_caller]
    fn check(above_rows: &[usize], n_lines: usize, expected: &str) {
        let rules = rules(above_rows);
        let lines = (0..n_lines).map(|line| match rules.on_line(line) {
            Line::Rule(rule) => "-".repeat(rule.n_reloads),
            Line::Row(row) => {
                assert_eq!(rules.line_of(row), line);
                row.to_string()
            }
        });
        assert_eq!(lines.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn rules_stand_above_their_rows() {
        check(&[], 3, "0 1 2");
        check(&[1], 4, "0 - 1 2");
        check(&[0], 3, "- 0 1");
        check(&[0, 1, 3], 7, "- 0 - 1 2 - 3");
    }

    #[test]
    fn reloads_without_a_trace_between_them_share_a_rule() {
        check(&[1, 1, 2], 6, "0 -- 1 - 2 3");
    }

    #[test]
    fn a_page_holds_fewer_rows_where_rules_are() {
        let with = rules(&[2, 4]);
        assert_eq!(rules(&[]).first_row_showing(5, 4), 2);
        assert_eq!(with.first_row_showing(5, 4), 3, "rows 3, 4, 5 and a rule");
        assert_eq!(with.first_row_showing(1, 4), 0);
        assert_eq!(with.first_row_showing(7, 0), 7);
        let top = rules(&[0]);
        assert_eq!(
            top.first_row_showing(3, 4),
            1,
            "the rule at the top takes a line"
        );
        assert_eq!(top.first_row_showing(2, 4), 0);
    }
}
