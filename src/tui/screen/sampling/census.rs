//! The cards counted: what clients decided, what the simulated Agent makes of it, by service and over
//! time, and what of the lost is worth a look. Pure; it walks all cards, so the screen counts now and
//! then, and not for each frame.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::cards::{Card, Cards, Client, ServiceNumber};
use crate::sampler::{self, Fate, Sampler};
use crate::store::TraceKey;

/// The Agent counts in buckets of so many nanoseconds, aligned with the clock.
const BUCKET_NANOS: i64 = 5_000_000_000;
/// How much the strip shows: ten minutes.
pub(super) const STRIP_BUCKETS: usize = 120;
/// Resources that are named among the lost.
const RESOURCES_MAX: usize = 8;

/// Some of the traces, by what they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bucket {
    All,
    Client(Client),
    /// What the tracer would keep with the Agent's rates.
    Sent,
    Kept(Sampler),
    DroppedByRate,
    Dropped,
    /// Not known yet.
    Unknown,
    Service(ServiceNumber),
    LostErrors,
    /// Lost, and cold.
    LostCold,
    /// Lost, and longer than so many nanoseconds.
    LostSlow(i64),
    /// Lost, of a resource of a service.
    LostResource(ServiceNumber, u64),
}

impl Bucket {
    /// Whether it is the same one; what slow is changes with what comes.
    pub(super) fn is(self, other: Self) -> bool {
        let is_slow = |bucket| matches!(bucket, Self::LostSlow(_));
        self == other || is_slow(self) && is_slow(other)
    }

    pub(super) fn holds(self, card: &Card) -> bool {
        match self {
            Self::All => true,
            Self::Client(client) => card.client == client,
            Self::Sent => card.is_sent(),
            Self::Kept(by) => card.fate == Fate::Kept(by),
            Self::DroppedByRate => card.fate == Fate::DroppedByRate,
            Self::Dropped => card.fate == Fate::Dropped,
            Self::Unknown => !card.is_settled(),
            Self::Service(service) => card.service == service,
            Self::LostErrors => card.is_lost() && card.is_error,
            Self::LostCold => card.is_lost() && card.is_cold,
            Self::LostSlow(beyond) => card.is_lost() && card.duration > beyond,
            Self::LostResource(service, resource) => {
                card.is_lost() && (card.service, card.resource) == (service, resource)
            }
        }
    }
}

/// Rates from the lowest to the highest.
pub(super) type Range = Option<(f64, f64)>;

fn widen(range: &mut Range, rate: f64) {
    let (low, high) = range.unwrap_or((rate, rate));
    *range = Some((low.min(rate), high.max(rate)));
}

/// A service in its environment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ServiceCount {
    pub(super) number: ServiceNumber,
    pub(super) name: String,
    pub(super) env: String,
    pub(super) n_seen: usize,
    pub(super) n_kept: usize,
    /// What the Agents answer for it.
    pub(super) rate_now: Range,
    /// What they will answer from the next bucket on.
    pub(super) rate_next: Range,
}

/// Traces in buckets of five seconds, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strip {
    /// The number of the first bucket since 1970.
    pub(super) first: i64,
    pub(super) seen: Vec<u32>,
    pub(super) kept: Vec<u32>,
}

/// The bucket in which most traces of a service came.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Burst {
    pub(super) service: String,
    /// When it began, in nanoseconds since 1970.
    pub(super) start: i64,
    /// How many of the service were counted by a priority sampler.
    pub(super) n_traces: usize,
    /// How many other services shared the target.
    pub(super) n_others: usize,
    /// How many of it a second the target leaves to the service.
    pub(super) share: f64,
}

impl Burst {
    pub(super) fn per_second(&self) -> f64 {
        to_f64(self.n_traces) / 5.0
    }

    /// The rate that follows for the bucket after.
    pub(super) fn rate(&self) -> f64 {
        (self.share / self.per_second()).min(1.0)
    }
}

/// Lost traces that have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LostGroup {
    pub(super) bucket: Bucket,
    pub(super) n_lost: usize,
    pub(super) n_seen: usize,
    /// The longest of them.
    pub(super) slowest: Option<TraceKey>,
    pub(super) duration: i64,
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Census {
    pub(super) n_traces: usize,
    pub(super) n_kept: usize,
    pub(super) n_sent: usize,
    pub(super) n_unknown: usize,
    /// Of those, what was counted as kept or as dropped until the root comes.
    pub(super) n_unsettled_kept: usize,
    pub(super) n_unsettled_dropped: usize,
    /// A filter that lists what the tracer would send, if one does.
    pub(super) sent_filter: Option<&'static str>,
    pub(super) by_client: BTreeMap<Client, usize>,
    pub(super) by_fate: BTreeMap<Fate, usize>,
    /// The rates by which the tracer would have dropped.
    pub(super) dropped_at: Range,
    /// Those by which it would have kept.
    pub(super) kept_at: Range,
    pub(super) services: Vec<ServiceCount>,
    pub(super) strip: Strip,
    pub(super) burst: Option<Burst>,
    pub(super) lost: Vec<LostGroup>,
}

impl Census {
    pub(super) fn of_client(&self, client: Client) -> usize {
        self.by_client.get(&client).copied().unwrap_or(0)
    }

    pub(super) fn of_fate(&self, fate: Fate) -> usize {
        self.by_fate.get(&fate).copied().unwrap_or(0)
    }

    /// Counts the cards; so many traces a second are the Agent's target.
    pub(super) fn count(cards: &Cards, target_tps: f64) -> Self {
        let mut census = Self::default();
        let mut services: BTreeMap<ServiceNumber, (usize, usize)> = BTreeMap::new();
        let mut buckets: BTreeMap<i64, BTreeMap<ServiceNumber, usize>> = BTreeMap::new();
        for (_, card) in cards.iter() {
            census.add(card);
            let (n_seen, n_kept) = services.entry(card.service).or_default();
            *n_seen += 1;
            *n_kept += usize::from(card.is_kept());
            if card.counts() {
                let bucket = buckets.entry(bucket(card)).or_default();
                *bucket.entry(card.service).or_default() += 1;
            }
        }
        census.services = services
            .into_iter()
            .map(|(number, (n_seen, n_kept))| {
                let (name, env) = cards.names(number);
                ServiceCount {
                    number,
                    name: name.to_owned(),
                    env: env.to_owned(),
                    n_seen,
                    n_kept,
                    rate_now: None,
                    rate_next: None,
                }
            })
            .collect();
        census
            .services
            .sort_by_key(|service| Reverse(service.n_seen));
        census.strip = strip(cards);
        census.burst = burst(&buckets, cards, target_tps);
        census.lost = lost(cards);
        census.sent_filter = sent_filter(cards);
        census
    }

    fn add(&mut self, card: &Card) {
        self.n_traces += 1;
        self.n_kept += usize::from(card.is_kept());
        self.n_sent += usize::from(card.is_sent());
        if !card.is_settled() {
            self.n_unknown += 1;
            self.n_unsettled_kept += usize::from(matches!(card.counted, Fate::Kept(_)));
            let is_dropped = matches!(card.counted, Fate::Dropped | Fate::DroppedByRate);
            self.n_unsettled_dropped += usize::from(is_dropped);
        }
        *self.by_client.entry(card.client).or_default() += 1;
        *self.by_fate.entry(card.fate).or_default() += 1;
        let Some(rate) = card.rate.map(f64::from) else {
            return;
        };
        match card.fate {
            Fate::DroppedByRate => widen(&mut self.dropped_at, rate),
            Fate::Kept(Sampler::Priority) => widen(&mut self.kept_at, rate),
            _ => {}
        }
    }

    /// Adds what the Agents answer now, and from the next bucket on.
    pub(super) fn add_rates<'a>(
        &mut self,
        now: impl Iterator<Item = Rate<'a>>,
        next: impl Iterator<Item = Rate<'a>>,
    ) {
        let (now, next) = (ranges(now), ranges(next));
        for service in &mut self.services {
            let names = (&*service.name, &*service.env);
            service.rate_now = now.get(&names).copied();
            service.rate_next = next.get(&names).copied();
        }
    }
}

/// The rate of a service in its environment.
pub(super) type Rate<'a> = (&'a str, &'a str, f64);

/// Several Agents may answer for one service.
fn ranges<'a>(rates: impl Iterator<Item = Rate<'a>>) -> HashMap<(&'a str, &'a str), (f64, f64)> {
    let mut ranges: HashMap<_, (f64, f64)> = HashMap::new();
    for (name, env, rate) in rates {
        let range = ranges.entry((name, env)).or_insert((rate, rate));
        *range = (range.0.min(rate), range.1.max(rate));
    }
    ranges
}

fn bucket(card: &Card) -> i64 {
    card.at.0.div_euclid(BUCKET_NANOS)
}

fn strip(cards: &Cards) -> Strip {
    let newest = cards.iter().map(|(_, card)| bucket(card)).max();
    let n_buckets = i64::try_from(STRIP_BUCKETS).unwrap_or(0);
    let Some(first) = newest.map(|newest| newest - n_buckets + 1) else {
        return Strip::default();
    };
    let mut strip = Strip {
        first,
        seen: vec![0; STRIP_BUCKETS],
        kept: vec![0; STRIP_BUCKETS],
    };
    for (_, card) in cards.iter() {
        let Ok(place) = usize::try_from(bucket(card) - first) else {
            continue;
        };
        if let (Some(seen), Some(kept)) = (strip.seen.get_mut(place), strip.kept.get_mut(place)) {
            *seen += 1;
            *kept += u32::from(card.is_kept());
        }
    }
    strip
}

fn burst(
    buckets: &BTreeMap<i64, BTreeMap<ServiceNumber, usize>>,
    cards: &Cards,
    target_tps: f64,
) -> Option<Burst> {
    let each = buckets.iter().flat_map(|(bucket, services)| {
        services
            .iter()
            .map(move |(service, number)| (*number, *bucket, *service))
    });
    let (n_traces, bucket, service) = each.max_by_key(|(number, ..)| *number)?;
    let services = buckets.get(&bucket)?;
    let tps = services.values().map(|number| to_f64(*number) / 5.0);
    Some(Burst {
        service: cards.names(service).0.to_owned(),
        start: bucket.saturating_mul(BUCKET_NANOS),
        n_traces,
        n_others: services.len() - 1,
        share: sampler::share(target_tps, tps.collect()),
    })
}

/// The filter that lists what the tracer would send. No term says so itself: mostly the priority sampler
/// keeps just that, a sampler that goes before it leaves what the clients keep, and where neither is so
/// no list would be the one that was counted.
fn sent_filter(cards: &Cards) -> Option<&'static str> {
    type Lists = fn(&Card) -> bool;
    const FILTERS: [(&str, Lists); 3] = [
        ("sim:priority", is_followed),
        ("-sim:unknown -prio:<=0", |card| {
            card.is_settled() && !card.client.is_reject()
        }),
        (
            "-sim:unknown (sim:priority or prio:>=2 or (-prio:>=0 -prio:<0))",
            |card| {
                let is_undrawn = matches!(card.client, Client::UserKeep | Client::Silent);
                is_followed(card) || card.is_settled() && is_undrawn
            },
        ),
    ];
    let all = |lists: Lists| {
        let mut cards = cards.iter();
        cards.all(|(_, card)| lists(card) == card.is_sent())
    };
    let found = FILTERS.into_iter().find(|(_, lists)| all(*lists));
    found.map(|(filter, _)| filter)
}

fn is_followed(card: &Card) -> bool {
    card.fate == Fate::Kept(Sampler::Priority)
}

/// Errors, cold starts, the slowest, then the resources of which most is lost.
fn lost(cards: &Cards) -> Vec<LostGroup> {
    let beyond = p95(cards);
    let mut errors = LostGroup::none(Bucket::LostErrors);
    let mut cold = LostGroup::none(Bucket::LostCold);
    let mut slow = LostGroup::none(Bucket::LostSlow(beyond));
    let mut by_resource: HashMap<(ServiceNumber, u64), LostGroup> = HashMap::new();
    for (key, card) in cards.iter() {
        if card.is_error {
            errors.add(key, card);
        }
        if card.is_cold {
            cold.add(key, card);
        }
        if card.duration > beyond {
            slow.add(key, card);
        }
        let (service, resource) = (card.service, card.resource);
        let known = by_resource.entry((service, resource));
        known
            .or_insert_with(|| LostGroup::none(Bucket::LostResource(service, resource)))
            .add(key, card);
    }
    let mut by_resource: Vec<LostGroup> = by_resource.into_values().collect();
    by_resource.sort_by_key(|lost| (Reverse(lost.n_lost), lost.slowest));
    by_resource.truncate(RESOURCES_MAX);
    let all = [errors, cold, slow].into_iter().chain(by_resource);
    all.filter(|lost| lost.n_lost > 0).collect()
}

impl LostGroup {
    fn none(bucket: Bucket) -> Self {
        Self {
            bucket,
            n_lost: 0,
            n_seen: 0,
            slowest: None,
            duration: 0,
        }
    }

    fn add(&mut self, key: TraceKey, card: &Card) {
        self.n_seen += 1;
        if !card.is_lost() {
            return;
        }
        self.n_lost += 1;
        if self.slowest.is_none() || card.duration > self.duration {
            (self.slowest, self.duration) = (Some(key), card.duration);
        }
    }
}

/// The duration that nineteen of twenty traces do not exceed.
fn p95(cards: &Cards) -> i64 {
    let mut durations: Vec<i64> = cards.iter().map(|(_, card)| card.duration).collect();
    let place = (durations.len() * 19).div_ceil(20).saturating_sub(1);
    if durations.is_empty() {
        return 0;
    }
    let (_, at, _) = durations.select_nth_unstable(place);
    *at
}

pub(super) fn to_f64(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}
