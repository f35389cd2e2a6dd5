//! What a part of the screen counts, as a filter of the list of traces. A filter speaks of traces: of a
//! request inside a fan-out it may find more or less.

use std::ops::Range;

use super::cards::Resource;
use super::census::{Column, Series};
use crate::analysis::StartKind;

/// What is to be listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted<'a> {
    /// The service, where several have a resource of this name.
    pub(super) service: Option<&'a str>,
    pub(super) column: Option<(Column, &'a Series)>,
    pub(super) bucket: Option<Range<i64>>,
    pub(super) containers: &'a [Box<str>],
}

/// The filter; `None` where the language cannot say it.
pub(super) fn filter(resource: &Resource, wanted: &Wanted<'_>) -> Option<String> {
    if resource.is_rest {
        return None;
    }
    let mut terms = Vec::new();
    terms.extend(
        wanted
            .service
            .map(|service| format!("svc:{}", quoted(service))),
    );
    terms.push(format!("resource:{}", quoted(&resource.name)));
    terms.extend(wanted.column.map(|(column, series)| kinds(column, series)));
    if let Some(bucket) = &wanted.bucket {
        terms.push(format!("dur:>={}", duration(bucket.start)));
        // The last bucket of all has no end that could be written.
        if bucket.end < i64::MAX {
            terms.push(format!("dur:<{}", duration(bucket.end)));
        }
    }
    match wanted.containers {
        [] => {}
        [only] => terms.push(container(only)),
        several => {
            let several: Vec<String> = several.iter().map(|name| container(name)).collect();
            terms.push(format!("({})", several.join(" or ")));
        }
    }
    Some(terms.join(" "))
}

/// The words for how the requests of a histogram started; `cold` finds who waited beside as well.
fn kinds(column: Column, series: &Series) -> String {
    let has = |kind| series.n_by_kind.iter().any(|(known, _)| *known == kind);
    match column {
        Column::Cold if has(StartKind::Restored) => "(cold or restored)",
        Column::Cold => "cold",
        Column::Warm if has(StartKind::Prewarmed) => "(warm or prewarmed)",
        Column::Warm => "warm",
        Column::Unknown => "unknown",
    }
    .to_owned()
}

fn container(name: &str) -> String {
    format!("container:{}", quoted(name))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

/// A duration in the largest unit in which it can be written exactly.
fn duration(ns: i64) -> String {
    match ns {
        1_000_000_000.. if ns % 1_000_000 == 0 => {
            let written = format!("{}.{:03}", ns / 1_000_000_000, ns / 1_000_000 % 1_000);
            format!("{}s", written.trim_end_matches('0').trim_end_matches('.'))
        }
        1_000_000.. if ns % 1_000_000 == 0 => format!("{}ms", ns / 1_000_000),
        1_000.. if ns % 1_000 == 0 => format!("{}us", ns / 1_000),
        _ => format!("{ns}ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

    fn resource(name: &str) -> Resource {
        Resource {
            name: name.into(),
            ..Resource::default()
        }
    }

    #[track_caller]
    fn check(name: &str, wanted: &Wanted<'_>, expected: &str) {
        let filter = filter(&resource(name), wanted).unwrap();
        assert_eq!(filter, expected);
        assert_eq!(Query::new(&filter).fault(), None);
    }

    #[test]
    fn a_bucket_is_written_as_the_list_reads_it() {
        let series = Series::default();
        let bucket = |start, end| Wanted {
            column: Some((Column::Cold, &series)),
            bucket: Some(start..end),
            ..Wanted::default()
        };
        check(
            "POST /v1/generate",
            &bucket(1_200_000_000, 1_400_000_000),
            r#"resource:"POST /v1/generate" cold dur:>=1.2s dur:<1.4s"#,
        );
        check(
            "say \"hi\"",
            &bucket(500_000, 1_000_000),
            r#"resource:"say \"hi\"" cold dur:>=500us dur:<1ms"#,
        );
        check("a", &bucket(0, i64::MAX), r#"resource:"a" cold dur:>=0ns"#);
    }

    #[test]
    fn kinds_that_stand_together_are_asked_for_together() {
        let of = |kinds: &[StartKind]| Series {
            n_by_kind: kinds.iter().map(|kind| (*kind, 1)).collect(),
            ..Series::default()
        };
        let cold = of(&[StartKind::Cold, StartKind::Restored]);
        let warm = of(&[StartKind::Prewarmed, StartKind::Warm]);
        for (column, series, expected) in [
            (Column::Cold, &cold, r#"resource:"a" (cold or restored)"#),
            (Column::Warm, &warm, r#"resource:"a" (warm or prewarmed)"#),
            (Column::Unknown, &cold, r#"resource:"a" unknown"#),
        ] {
            let wanted = Wanted {
                column: Some((column, series)),
                ..Wanted::default()
            };
            check("a", &wanted, expected);
        }
    }

    #[test]
    fn several_containers_are_asked_for_together() {
        let containers = ["ta-1".into(), "ta-2".into()];
        let wanted = Wanted {
            service: Some("gen"),
            containers: &containers,
            ..Wanted::default()
        };
        let expected = r#"svc:"gen" resource:"a" (container:"ta-1" or container:"ta-2")"#;
        check("a", &wanted, expected);
    }

    #[test]
    fn what_is_not_told_apart_cannot_be_asked_for() {
        let rest = Resource {
            is_rest: true,
            ..Resource::default()
        };
        assert_eq!(filter(&rest, &Wanted::default()), None);
    }
}
