//! What the screen says in words: numbers put into sentences and short names. Knows no cells and no colours.

use std::ops::Range;

use super::border::{BorderBy, TimeBorder};
use super::census::{Census, Change, ChangeRow, Column, Series};
use super::groups::Scope;
use super::rule::Line;
use super::{Axes, LatencyPane};
use crate::analysis::StartKind;
use crate::analysis::latency::{Certainty, Distribution, Scale};
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// `6 (shared 2, restored 1)`.
pub(super) fn title(column: Column, series: &Series) -> String {
    let named = series.n_by_kind.iter().filter_map(|(kind, n)| {
        let name = match kind {
            StartKind::ColdShared => "shared",
            StartKind::Restored => "restored",
            StartKind::Prewarmed => "prewarmed",
            StartKind::Cold | StartKind::Warm | StartKind::Unknown => return None,
        };
        Some(format!("{name} {}", number(*n)))
    });
    let named: Vec<String> = named.collect();
    let all = number(series.all.n());
    let title = column.title();
    if named.is_empty() {
        format!("{title}  n {all}")
    } else {
        format!("{title}  n {all} ({})", named.join(", "))
    }
}

/// `p50 1.68s`, `p90 ..`, up to the longest.
pub(super) fn figures(all: &Distribution, glyphs: Glyphs) -> Vec<String> {
    let of = |name: &str, ns: Option<i64>| Some(format!("{name} {}", text::duration(ns?, glyphs)));
    let percentiles = [50, 90, 95, 99].map(|per_cent| {
        let name = format!("p{per_cent}");
        of(&name, all.percentile(per_cent))
    });
    let max = of("max", all.max());
    percentiles.into_iter().chain([max]).flatten().collect()
}

/// Words joined to lines of at most so many cells.
pub(super) fn joined(words: &[String], n_cells: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if text::width(line) + 2 + text::width(word) <= n_cells => {
                line.push_str("  ");
                line.push_str(word);
            }
            _ => lines.push(word.clone()),
        }
    }
    lines
}

/// Below the figures of a histogram: of those in it that did not wait, but were first.
pub(super) fn prewarmed(series: &Series, glyphs: Glyphs) -> Option<String> {
    let part = &series.prewarmed;
    let is_alone = part.n() == series.all.n();
    let (middle, max) = part.percentile(50).zip(part.max())?;
    (!is_alone).then(|| {
        format!(
            "prewarmed {}: p50 {}  max {}",
            part.n(),
            text::duration(middle, glyphs),
            text::duration(max, glyphs)
        )
    })
}

/// The ends of a bucket in one unit: `1.2-1.4s`.
pub(super) fn bucket(range: &Range<i64>, glyphs: Glyphs) -> String {
    let (unit_ns, unit) = match range.end {
        1_000_000_000.. => (1_000_000_000, "s"),
        1_000_000.. => (1_000_000, "ms"),
        1_000.. => (1_000, glyphs.pick("µs", "us")),
        _ => (1, "ns"),
    };
    let in_unit = |ns: i64| {
        let thousandths = i128::from(ns) * 1_000 / unit_ns;
        let written = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
        let written = written.trim_end_matches('0').trim_end_matches('.');
        written.to_owned()
    };
    if range.end == i64::MAX {
        return format!(">={}{unit}", in_unit(range.start));
    }
    format!("{}-{}{unit}", in_unit(range.start), in_unit(range.end))
}

/// What matters most, in a few sentences.
pub(super) fn summary(pane: &LatencyPane, glyphs: Glyphs) -> Vec<String> {
    let census = &pane.census;
    let mut words = vec![cost(census, glyphs)];
    if let Some(hint) = hint(census) {
        words.push(hint);
    }
    words.push(read_from(census));
    words.extend(time(census, glyphs));
    words.push(outcomes(census));
    if census.n_gone() > 0 {
        words.push(format!(
            "of {}, {} evicted: those within 1 %, without outcome and place, and not compared",
            number(census.n()),
            number(census.n_gone())
        ));
    }
    words
}

fn cost(census: &Census, glyphs: Glyphs) -> String {
    let Some(cost) = census.cost else {
        let n = |column: Column| census.series(column).all.n();
        let missing = match (n(Column::Cold), n(Column::Warm)) {
            (0, 0) => "none that is known to be cold or warm",
            (0, _) => "no cold request yet",
            _ => "no warm request yet",
        };
        return format!("what cold starts cost: {missing}");
    };
    let sign = if cost.extra_p50_ns < 0 { "" } else { "+" };
    format!(
        "cold costs {sign}{} at p50 ({:.1} x)   what cold starts cost: {} of p95",
        text::duration(cost.extra_p50_ns, glyphs),
        cost.factor_p50,
        percent(cost.share_of_p95)
    )
}

/// What to do where nothing can be told apart.
fn hint(census: &Census) -> Option<String> {
    let unknown = census.series(Column::Unknown).all.n();
    let n_nowhere = census
        .by_reason
        .iter()
        .filter(|(reason, _)| super::rule::is_nowhere(*reason))
        .map(|(_, n)| n)
        .sum::<u64>();
    (unknown > 0 && n_nowhere * 2 > census.n()).then(|| {
        "nothing says where these ran: tag modal.task_id, `modtrace-tui env modal` prints the helper"
            .to_owned()
    })
}

fn read_from(census: &Census) -> String {
    let lines = Line::counted(&census.by_reason);
    let named = lines
        .iter()
        .map(|(line, n)| format!("{} {}", line.short, number(*n)));
    let named: Vec<String> = named.collect();
    let unknown = census.series(Column::Unknown).all.n();
    let mut words = format!("read from: {}", named.join(", "));
    if unknown == 0 {
        words.push_str("   unknown 0");
    }
    words
}

/// Where the time of starts and requests went.
fn time(census: &Census, glyphs: Glyphs) -> Option<String> {
    let mut words = Vec::new();
    let time = census.time;
    if let (Some(share), Some(middle)) = (time.init_share(), census.inits.percentile(50)) {
        words.push(format!(
            "init {} ({}, p50 {}, before the requests)",
            percent(share),
            text::count(census.inits.n(), "container"),
            text::duration(middle, glyphs)
        ));
    }
    let of = |name: &str, ns: i64, share: Option<f64>| {
        let share = share.filter(|_| ns > 0)?;
        Some(format!("{name} {}", percent(share)))
    };
    words.extend(of("model load", time.load_ns, time.load_share()));
    words.extend(of("inference", time.infer_ns, time.infer_share()));
    if let Some(middle) = census.boots.percentile(50) {
        words.push(format!(
            "boot to first request p50 {}",
            text::duration(middle, glyphs)
        ));
    }
    let is_measured = !words.is_empty();
    is_measured.then(|| format!("time spent: {}", words.join(", ")))
}

fn outcomes(census: &Census) -> String {
    let counted = census.outcomes.iter();
    let counted = counted.map(|(outcome, n)| format!("{} {}", outcome.name(), number(*n)));
    let open = (census.n_open > 0).then(|| format!("still open {}", number(census.n_open)));
    let counted: Vec<String> = counted.chain(open).collect();
    format!("outcomes: {}", counted.join(", "))
}

/// `before and after 14:05:12 (reload 1)`.
pub(super) fn change_title(border: TimeBorder) -> String {
    let by = match border.by {
        BorderBy::Hand => "m".to_owned(),
        BorderBy::Reload(number) => format!("reload {number}"),
    };
    let time = text::time_of_day(border.at);
    let time: String = time.chars().take(8).collect();
    format!("Before and after {time} ({by})")
}

/// `WARM  n 13 before, 60 after`, and below it `p50 450ms → 929ms +479ms  sure (+452ms to +510ms)`.
pub(super) fn change_rows(change: &Change, glyphs: Glyphs) -> Vec<String> {
    if change.rows.is_empty() {
        return vec!["No request on either side.".to_owned()];
    }
    let mut words = Vec::new();
    let mut last = None;
    for row in &change.rows {
        if last.replace(row.column) != Some(row.column) {
            let (before, after) = (number(row.n_before), number(row.n_after));
            let title = row.column.title();
            words.push(format!("{title}  n {before} before, {after} after"));
        }
        words.extend(change_row(row, glyphs));
    }
    words
}

/// `None` where there is nothing on one of the sides.
fn change_row(row: &ChangeRow, glyphs: Glyphs) -> Option<String> {
    let difference = row.difference?;
    let took = |ns| text::duration(ns, glyphs);
    let signed = |ns: i64| format!("{}{}", if ns > 0 { "+" } else { "" }, took(ns));
    let interval = difference.interval_ns;
    let interval = interval.map(|(from, to)| format!(" ({} to {})", signed(from), signed(to)));
    let interval = interval.unwrap_or_default();
    let certainty = match difference.certainty {
        Certainty::Sure => format!("sure{interval}"),
        Certainty::NotEnough { .. } if difference.before_ns == difference.after_ns => {
            "no difference".to_owned()
        }
        Certainty::NotEnough { n_needed: None } => "too few to say".to_owned(),
        Certainty::NotEnough {
            n_needed: Some(needed),
        } => format!("too few: about {} each", number(needed)),
    };
    let by_ns = difference.after_ns.saturating_sub(difference.before_ns);
    Some(format!(
        "- p{}  {:>6} {} {:<6} {:>7}  {certainty}",
        row.per_cent,
        took(difference.before_ns),
        glyphs.pick("→", "->"),
        took(difference.after_ns),
        signed(by_ns),
    ))
}

/// What there is to say in the line of tabs.
pub(super) fn facts(pane: &LatencyPane, glyphs: Glyphs) -> Vec<String> {
    let Some(resource) = pane.resource() else {
        return Vec::new();
    };
    let place = pane
        .order
        .iter()
        .position(|number| Some(*number) == pane.shown);
    let of = format!(
        "resource {} of {}",
        place.map_or(0, |place| place + 1),
        pane.order.len()
    );
    let scope = match pane.scope {
        Scope::All => String::new(),
        scope => format!("   {}", scope.title().to_lowercase()),
    };
    let axis = match (pane.scale, pane.axes) {
        (Scale::Linear, Axes::Same) => "",
        (Scale::Log, Axes::Same) => "   log axis",
        (Scale::Linear, Axes::Own) => "   own axes",
        (Scale::Log, Axes::Own) => "   own log axes",
    };
    let name = text::visible((&*resource.name).into(), glyphs).into_owned();
    let short = text::cut(&name, 30, glyphs).into_owned();
    vec![
        format!("{name}   {of}{scope}{axis}"),
        format!("{short}   {of}{scope}{axis}"),
        format!("{short}{scope}{axis}"),
        short,
    ]
}

/// `31 %`; below one there is a digit more.
pub(super) fn percent(share: f64) -> String {
    let per_cent = share * 100.0;
    if per_cent != 0.0 && per_cent.abs() < 0.95 {
        format!("{per_cent:.1} %")
    } else {
        format!("{per_cent:.0} %")
    }
}

/// `12,400`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_in_one_unit() {
        for (range, expected) in [
            (1_200_000_000..1_400_000_000, "1.2-1.4s"),
            (800_000_000..1_000_000_000, "0.8-1s"),
            (150_000_000..200_000_000, "150-200ms"),
            (0..1_000, "0-1µs"),
            (5..10, "5-10ns"),
            (50_000_000_000..i64::MAX, ">=50s"),
        ] {
            assert_eq!(bucket(&range, Glyphs::Unicode), expected);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (given, expected) in [
            (0, "0"),
            (999, "999"),
            (12_400, "12,400"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(number(given), expected);
        }
    }

    #[test]
    fn small_shares_have_a_digit_more() {
        for (share, expected) in [
            (0.0, "0 %"),
            (0.004, "0.4 %"),
            (0.312, "31 %"),
            (-0.02, "-2 %"),
        ] {
            assert_eq!(percent(share), expected);
        }
    }

    #[test]
    fn figures_are_joined_to_lines() {
        let words = ["p50 1s", "p90 2s", "max 3s"].map(str::to_owned);
        assert_eq!(joined(&words, 14), ["p50 1s  p90 2s", "max 3s"]);
        assert_eq!(joined(&words, 3), ["p50 1s", "p90 2s", "max 3s"]);
    }
}
