//! What the screen says, as rows of words and numbers: the funnel, the rates, what of the lost is worth
//! a look, and what was told. Facts come from payloads; what is ours is marked `(sim)`. Knows no cells
//! and no colours.

use super::cards::Client;
use super::census::{Bucket, Census, Range, ServiceCount, Strip, to_f64};
use super::told;
use crate::config::SamplingSettings;
use crate::sampler::{Fate, Sampler, Settings};
use crate::store::{Store, TraceEntry, TraceKey};
use crate::trace::{Span, Text, UnixNanos};
use crate::tui::text;
use crate::tui::theme::Glyphs;

/// What the rows are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) census: &'a Census,
    pub(super) store: &'a Store,
    pub(super) settings: &'a SamplingSettings,
    /// Whether files were opened in place of a program.
    pub(super) is_file: bool,
    /// Traces that lines name and that are not here.
    pub(super) n_only_in_logs: usize,
    pub(super) glyphs: Glyphs,
}

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Funnel,
    Rates,
    Lost,
    Told,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) part: Part,
    pub(super) kind: Kind,
    /// What `enter` lists; without it the row cannot be selected.
    pub(super) bucket: Option<Bucket>,
    /// What `enter` opens instead.
    pub(super) trace: Option<TraceKey>,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// What matters most.
    Lead(String),
    /// A sentence.
    Words(String),
    /// So many of so many, and what they are.
    Count {
        number: usize,
        of: usize,
        label: String,
        tone: Tone,
    },
    /// The headings of the services.
    ServiceHeading,
    Service(ServiceCount),
    /// Traces in buckets of time.
    Strip(Strip),
    /// The headings of lost traces.
    LostHeading,
    /// Lost traces, and how long the longest of them took.
    Lost {
        label: String,
        n_lost: usize,
        n_seen: usize,
        duration: i64,
    },
    /// A name and what is known of it.
    Fact(&'static str, String),
}

/// What becomes of the traces of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Kept,
    Lost,
}

impl Row {
    fn new(part: Part, kind: Kind) -> Self {
        Self {
            part,
            kind,
            bucket: None,
            trace: None,
        }
    }

    pub(super) fn fact(name: &'static str, words: impl Into<String>) -> Self {
        Self::new(Part::Told, Kind::Fact(name, words.into()))
    }
}

/// All rows, part by part.
pub(super) fn rows(facts: &Facts<'_>) -> Vec<Row> {
    let mut rows = funnel(facts);
    rows.extend(rates(facts));
    rows.extend(lost(facts));
    rows.extend(told::rows(facts));
    rows
}

/// What is said until all traces have been read.
pub(super) fn reading(n_read: usize, n_traces: usize) -> Row {
    let words = format!("Reading the traces: {n_read} of {n_traces}.");
    Row::new(Part::Funnel, Kind::Lead(words))
}

/// The answer in one sentence.
fn lead(facts: &Facts<'_>) -> String {
    let census = facts.census;
    let (n_traces, n_kept) = (census.n_traces, census.n_kept);
    let n_lost = n_traces - n_kept - census.n_unknown;
    if n_traces == 0 {
        return "No trace yet: there is nothing to keep and nothing to lose.".to_owned();
    }
    if census.n_unknown == n_traces {
        return if facts.is_file {
            "The file does not say what an Agent would have kept.".to_owned()
        } else {
            format!("Of {n_traces} traces the root was not seen: nothing is known (sim).")
        };
    }
    if n_lost == 0 && census.n_unknown > 0 {
        return format!(
            "Datadog would have got {n_kept} of {n_traces} traces (sim), none is lost."
        );
    }
    if n_lost == 0 {
        return format!("Datadog would have got all {n_traces} traces (sim).");
    }
    let n_rate = census.of_fate(Fate::DroppedByRate);
    let n_rejected: usize = census
        .by_client
        .iter()
        .filter(|(client, _)| client.is_reject() && **client != Client::RateReject)
        .map(|(_, number)| *number)
        .sum();
    let n_rejected = n_rejected.min(census.of_fate(Fate::Dropped));
    let n_others = n_lost - n_rate - n_rejected;
    let causes = [
        (
            n_rate,
            format!("{n_rate} by {}", rate_words(census.dropped_at)),
        ),
        (n_rejected, format!("{n_rejected} rejected in the app")),
        (n_others, format!("{n_others} by the Agent or a parent")),
    ];
    let causes = causes.into_iter().filter(|(number, _)| *number > 0);
    let causes: Vec<String> = causes.map(|(_, words)| words).collect();
    format!(
        "You would lose {n_lost} of {n_traces} traces (sim): {}.",
        causes.join(", ")
    )
}

/// `rate 0.08`, `rates 0.02 to 0.08`.
fn rate_words(range: Range) -> String {
    match range {
        None => "a rate".to_owned(),
        Some((low, high)) if number(low) == number(high) => format!("rate {}", number(low)),
        Some((low, high)) => format!("rates {} to {}", number(low), number(high)),
    }
}

/// The rate that follows from the busiest five seconds, with its arithmetic.
fn arithmetic(facts: &Facts<'_>) -> Option<String> {
    let settings = facts.store.model().settings();
    if let Some(sampler) = settings.probabilistic {
        let percent = number(sampler.rate() * 100.0);
        return Some(format!(
            "The probabilistic sampler keeps {percent} % of all (sim)."
        ));
    }
    let burst = facts.census.burst.as_ref()?;
    let target = settings.target_tps;
    let extra = extra_rate(settings);
    let words = |extra| format!(", times the extra rate {}", number(extra));
    let extra_words = extra.map(words).unwrap_or_default();
    let tps = burst.per_second();
    let at = text::time_of_day(UnixNanos(burst.start));
    let at = at.split('.').next().unwrap_or("");
    let service = text::visible((&*burst.service).into(), facts.glyphs);
    let busiest = format!(
        "Busiest 5 s, {at}: {} of {service}, {}/s",
        text::count(text::cells(burst.n_traces).into(), "trace"),
        number(tps)
    );
    let share = match burst.n_others {
        0 => format!("the target is {}/s", number(target)),
        _ => format!(
            "its share of the target {}/s beside {} is {}/s",
            number(target),
            text::count(text::cells(burst.n_others).into(), "other service"),
            number(burst.share)
        ),
    };
    if burst.rate() < 1.0 {
        let rate = number(burst.rate() * extra.unwrap_or(1.0));
        let share_of = number(burst.share);
        return Some(format!(
            "{busiest}; {share}: rate {rate} = {share_of}/{}{extra_words}, from the next 5 s on and for 30 s (sim).",
            number(tps)
        ));
    }
    Some(format!(
        "{busiest}; {share}: the rate stays 1{extra_words} (sim)."
    ))
}

/// The factor on every rate, if it is one that changes them.
pub(super) fn extra_rate(settings: &Settings) -> Option<f64> {
    let extra = settings.extra_rate;
    extra.total_cmp(&1.0).is_ne().then_some(extra)
}

/// What it takes to lose most of a burst, in the numbers of this Agent.
pub(super) fn legend(target_tps: f64) -> String {
    format!(
        "a cold Agent keeps all {}; for 2 to 5 it needs rate 0.04 to 0.1, left by {} to {}/s \
         shortly before",
        number(target_tps * 5.0),
        number(target_tps / 0.04),
        number(target_tps / 0.1),
    )
}

fn funnel(facts: &Facts<'_>) -> Vec<Row> {
    let census = facts.census;
    let mut rows = vec![Row::new(Part::Funnel, Kind::Lead(lead(facts)))];
    if let Some(words) = arithmetic(facts) {
        rows.push(Row::new(Part::Funnel, Kind::Words(words)));
    }
    rows.extend(produced(facts));
    for (client, words, tone) in CLIENTS {
        let number = census.of_client(client);
        if number > 0 || client == Client::AutoKeep {
            let words = format!("client  {words}");
            rows.push(count(facts, number, &words, (Bucket::Client(client), tone)));
        }
    }
    let sent = match census.kept_at {
        None => "tracer (sim)  would keep".to_owned(),
        range => format!("tracer (sim)  would keep, {}", rate_words(range)),
    };
    let tone = (Bucket::Sent, Tone::Plain);
    let sent = count(facts, census.n_sent, &sent, tone);
    rows.push(Row {
        bucket: census.sent_filter.and(sent.bucket),
        ..sent
    });
    for (by, _) in Sampler::NAMES {
        let number = census.of_fate(Fate::Kept(by));
        if number > 0 || by == Sampler::Priority {
            let words = format!("Agent (sim)  keeps {}", sampler_words(by));
            rows.push(count(facts, number, &words, (Bucket::Kept(by), Tone::Kept)));
        }
    }
    let by_rate = match census.dropped_at {
        None => "lost (sim)  by a rate".to_owned(),
        range => format!("lost (sim)  by {}", rate_words(range)),
    };
    let tone = (Bucket::DroppedByRate, Tone::Lost);
    let number = census.of_fate(Fate::DroppedByRate);
    rows.push(count(facts, number, &by_rate, tone));
    let number = census.of_fate(Fate::Dropped);
    if number > 0 {
        let words = "lost (sim)  rejected before, or by the Agent";
        let tone = (Bucket::Dropped, Tone::Lost);
        rows.push(count(facts, number, words, tone));
    }
    if census.n_unknown > 0 {
        let words = if facts.is_file {
            "unknown (sim)  root not seen, or not said"
        } else {
            "unknown (sim)  root not seen"
        };
        let tone = (Bucket::Unknown, Tone::Plain);
        rows.push(count(facts, census.n_unknown, words, tone));
    }
    rows
}

const CLIENTS: [(Client, &str, Tone); 8] = [
    (Client::AutoKeep, "kept automatically (prio 1)", Tone::Plain),
    (
        Client::UserKeep,
        "kept by rule or hand (prio 2)",
        Tone::Plain,
    ),
    (Client::Silent, "did not decide (no prio)", Tone::Plain),
    (
        Client::RateReject,
        "rejected by a rate (prio 0)",
        Tone::Lost,
    ),
    (
        Client::RuleReject,
        "rejected by a rule (prio -1)",
        Tone::Lost,
    ),
    (
        Client::LimitReject,
        "rejected by its limiter (prio -1)",
        Tone::Lost,
    ),
    (Client::HandReject, "rejected by hand (prio -1)", Tone::Lost),
    (
        Client::UserReject,
        "rejected by the user (prio -1)",
        Tone::Lost,
    ),
];

fn sampler_words(by: Sampler) -> &'static str {
    match by {
        Sampler::Priority => "what the tracer keeps",
        Sampler::NoPriority => "by its no-priority sampler",
        Sampler::Error => "by its error sampler",
        Sampler::Rare => "by its rare sampler",
        Sampler::Probabilistic => "by its probabilistic sampler",
        Sampler::SingleSpan => "single spans, by a span rule",
    }
}

/// How many traces there were, as far as anybody tells, and how many reached us.
fn produced(facts: &Facts<'_>) -> Vec<Row> {
    let counters = facts.store.counters();
    let n_here = facts.census.n_traces;
    let told = [
        counters.client_dropped_p0_traces,
        counters.client_unsent_traces,
    ];
    let n_told: usize = told
        .iter()
        .filter_map(|number| usize::try_from(*number).ok())
        .sum();
    let n_missing = n_told.max(facts.n_only_in_logs);
    let mut rows = Vec::new();
    let n_produced = n_here.saturating_add(n_missing);
    let all = |number, label: String, tone, bucket| Row {
        bucket,
        ..Row::new(
            Part::Funnel,
            Kind::Count {
                number,
                of: n_produced,
                label,
                tone,
            },
        )
    };
    if n_missing > 0 {
        let parts = [
            (told.first(), "dropped by the client before sending"),
            (told.get(1), "could not be sent"),
        ];
        let parts = parts
            .into_iter()
            .filter_map(|(number, words)| number.map(|number| (*number, words)))
            .chain([(
                text::cells(facts.n_only_in_logs).into(),
                "named only in logs",
            )])
            .filter(|(number, _)| *number > 0)
            .map(|(number, words)| format!("{number} {words}"));
        let parts: Vec<String> = parts.collect();
        let words = "traces the app produced".to_owned();
        rows.push(all(n_produced, words, Tone::Plain, None));
        let words = format!("never came: {}", parts.join(", "));
        rows.push(all(n_missing, words, Tone::Lost, None));
    }
    let words = match (facts.is_file, n_missing) {
        (true, _) => "traces in the file",
        (false, 0) => "traces reached us; nothing tells of more",
        _ => "traces that reached us",
    };
    rows.push(all(
        n_here,
        words.to_owned(),
        Tone::Plain,
        Some(Bucket::All),
    ));
    rows
}

fn rates(facts: &Facts<'_>) -> Vec<Row> {
    let census = facts.census;
    if census.n_traces == 0 {
        return vec![Row::new(Part::Rates, Kind::Words("No service yet.".into()))];
    }
    let mut rows = vec![
        Row::new(Part::Rates, Kind::Strip(census.strip.clone())),
        Row::new(Part::Rates, Kind::ServiceHeading),
    ];
    rows.extend(census.services.iter().map(|service| Row {
        bucket: Some(Bucket::Service(service.number)),
        ..Row::new(Part::Rates, Kind::Service(service.clone()))
    }));
    rows
}

fn lost(facts: &Facts<'_>) -> Vec<Row> {
    let census = facts.census;
    if census.lost.is_empty() {
        let words = match census.n_traces {
            0 => "Nothing yet.",
            _ => "Nothing is lost.",
        };
        return vec![Row::new(Part::Lost, Kind::Words(words.into()))];
    }
    let rows = census.lost.iter().map(|lost| {
        let label = match lost.bucket {
            Bucket::LostErrors => "errors".to_owned(),
            Bucket::LostCold => "cold starts".to_owned(),
            Bucket::LostSlow(beyond) => {
                format!("slower than p95, {}", text::duration(beyond, facts.glyphs))
            }
            _ => {
                let entry = lost.slowest.and_then(|key| facts.store.trace(key));
                let head = entry.and_then(TraceEntry::head);
                let resource = head.map(Span::resource).unwrap_or_default();
                text::show(resource, facts.glyphs).into_owned()
            }
        };
        let kind = Kind::Lost {
            label,
            n_lost: lost.n_lost,
            n_seen: lost.n_seen,
            duration: lost.duration,
        };
        Row {
            bucket: Some(lost.bucket),
            // Of cold starts one looks at all of them: what each container did before tells more than the time.
            trace: lost.slowest.filter(|_| lost.bucket != Bucket::LostCold),
            ..Row::new(Part::Lost, kind)
        }
    });
    let heading = Row::new(Part::Lost, Kind::LostHeading);
    std::iter::once(heading).chain(rows).collect()
}

fn count(facts: &Facts<'_>, number: usize, label: &str, (bucket, tone): (Bucket, Tone)) -> Row {
    let kind = Kind::Count {
        number,
        of: facts.census.n_traces,
        label: label.to_owned(),
        tone,
    };
    Row {
        bucket: Some(bucket),
        ..Row::new(Part::Funnel, kind)
    }
}

/// A rate or a number of traces a second, with up to three digits after the point.
pub(super) fn number(number: f64) -> String {
    crate::sampler::number(number)
}

/// Of a hundred, for people.
pub(super) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return String::new();
    }
    let percent = to_f64(part) / to_f64(whole) * 100.0;
    format!("{}%", percent.round())
}

/// A filter of the list of traces that shows a bucket.
pub(super) fn filter(bucket: Bucket, facts: &Facts<'_>) -> String {
    let by = |by: Sampler| format!("sim:{}", by.name());
    match bucket {
        Bucket::All => String::new(),
        Bucket::Client(client) => match client {
            Client::AutoKeep => "prio:1",
            Client::UserKeep => "prio:>=2",
            Client::Silent => "-prio:>=0 -prio:<0",
            Client::RateReject => "prio:0",
            Client::RuleReject => {
                "prio:<0 (dm:-3 or dm:-11 or dm:-12 or @_dd.rule_psr:*) -dm:-4 -@_dd.limit_psr:<1"
            }
            Client::LimitReject => "prio:-1 @_dd.limit_psr:<1 -dm:-4",
            Client::HandReject => "prio:<0 dm:-4",
            Client::UserReject => {
                "prio:<0 -dm:-3 -dm:-11 -dm:-12 -dm:-4 -@_dd.rule_psr:* -@_dd.limit_psr:<1"
            }
        }
        .to_owned(),
        Bucket::Sent => facts.census.sent_filter.unwrap_or_default().to_owned(),
        Bucket::Unknown => "sim:unknown".to_owned(),
        Bucket::Kept(sampler) => by(sampler),
        Bucket::DroppedByRate => "sim:rate".to_owned(),
        Bucket::Dropped => "sim:drop -sim:rate".to_owned(),
        Bucket::Service(number) => {
            let services = &facts.census.services;
            let service = services.iter().find(|service| service.number == number);
            format!(
                "svc:{}",
                quoted(service.map_or("", |service| &service.name))
            )
        }
        Bucket::LostErrors => "sim:drop err".to_owned(),
        Bucket::LostCold => "sim:drop cold".to_owned(),
        Bucket::LostSlow(beyond) => format!("sim:drop dur>{beyond}ns"),
        Bucket::LostResource(..) => {
            let lost = facts.census.lost.iter().find(|lost| lost.bucket == bucket);
            let entry = lost.and_then(|lost| facts.store.trace(lost.slowest?));
            let head = entry.and_then(TraceEntry::head);
            let resource: Text<'_> = head.map(Span::resource).unwrap_or_default();
            format!("sim:drop resource:{}", quoted(&resource.to_lossy()))
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}
