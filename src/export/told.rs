//! What clients told of themselves, and how it compares with the spans: the member `client_stats` of
//! an export, and of the last headless line, where the bins are left out.

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::stats::{Latency, Sketch, StatsCounts, StatsSource, TelemetrySums};
use crate::store::{Operation, OperationKey, Store, Tally, ToldClient, ToldSums};
use crate::trace::UnixNanos;

/// Whether the bins are written beside their quantiles: only from them is a sketch read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Quantiles,
    Bins,
}

/// Members that are written and not read.
pub(super) const UNREAD: [&str; 7] = [
    "hits_without_span",
    "compared_by",
    "n",
    "p50",
    "p95",
    "p99",
    "max",
];

/// All of it. Quantiles, `compared_by` and `hits_without_span` follow from the rest, and are not
/// read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToldJson {
    buckets: u64,
    hits: u64,
    errors: u64,
    #[serde(skip_deserializing)]
    hits_without_span: u64,
    any_counted: bool,
    any_uncounted: bool,
    clients: Vec<ClientJson>,
    told: Vec<GroupJson>,
    clients_evicted: u64,
    groups_evicted: u64,
    spans_untold: u64,
    telemetry: TelemetrySums,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "ReadClient")]
struct ClientJson {
    #[serde(flatten)]
    source: StatsSource,
    buckets: u64,
    hits: u64,
    errors: u64,
    told_until: i64,
}

/// The same as it is read: each member by its name, so that others are seen.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ReadClient {
    service: Box<str>,
    env: Box<str>,
    version: Box<str>,
    runtime_id: Box<str>,
    language: Box<str>,
    tracer_version: Box<str>,
    buckets: u64,
    hits: u64,
    errors: u64,
    told_until: i64,
}

impl From<ReadClient> for ClientJson {
    fn from(read: ReadClient) -> Self {
        Self {
            source: StatsSource {
                service: read.service,
                env: read.env,
                version: read.version,
                runtime_id: read.runtime_id,
                language: read.language,
                tracer_version: read.tracer_version,
            },
            buckets: read.buckets,
            hits: read.hits,
            errors: read.errors,
            told_until: read.told_until,
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct GroupJson {
    service: Box<str>,
    name: Box<str>,
    resource: Box<str>,
    #[serde(rename = "type")]
    kind: Box<str>,
    hits: u64,
    errors: u64,
    top_level_hits: u64,
    duration: u64,
    spans_arrived: u64,
    #[serde(skip_deserializing)]
    compared_by: &'static str,
    ok: Option<SketchJson>,
    error: Option<SketchJson>,
}

/// Durations in nanoseconds.
#[derive(Debug, Serialize)]
struct SketchJson {
    n: u64,
    p50: u64,
    p95: u64,
    p99: u64,
    max: u64,
    /// Numbers of bins, each with what is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bins: Option<Bins>,
}

#[derive(Debug)]
struct Bins(Sketch);

impl ToldJson {
    /// What a store has heard, for the end of the headless stream; none if that is nothing.
    pub fn summary(store: &Store) -> Option<Self> {
        Self::of(store, Detail::Quantiles)
    }

    /// What a store has heard; none if that is nothing.
    pub(super) fn of(store: &Store, detail: Detail) -> Option<Self> {
        let told = store.told();
        if told.is_empty() {
            return None;
        }
        let sums = told.sums();
        let groups = told.operations().flat_map(|(key, operation)| {
            let tallies = operation.resources();
            tallies.map(move |(resource, tally)| {
                GroupJson::new((key, operation), resource, tally, detail)
            })
        });
        Some(Self {
            buckets: sums.n_buckets,
            hits: sums.hits,
            errors: sums.errors,
            hits_without_span: store.counters().client_hits_without_span,
            any_counted: sums.any_counted,
            any_uncounted: sums.any_uncounted,
            clients: told.clients().map(ClientJson::new).collect(),
            told: groups.collect(),
            clients_evicted: sums.n_clients_evicted,
            groups_evicted: sums.n_groups_evicted,
            spans_untold: sums.n_spans_untold,
            telemetry: sums.telemetry,
        })
    }

    /// Whether no number in it is one that nothing could have counted.
    pub(super) fn is_credible(&self, max: u64) -> bool {
        let of_clients = self
            .clients
            .iter()
            .flat_map(|it| [it.buckets, it.hits, it.errors]);
        let of_groups = self
            .told
            .iter()
            .flat_map(|it| [it.hits, it.errors, it.top_level_hits, it.spans_arrived]);
        let sums = [self.buckets, self.hits, self.errors, self.spans_untold];
        let evicted = [self.clients_evicted, self.groups_evicted];
        let all = sums.into_iter().chain(evicted).chain(of_clients);
        let mut all = all.chain(of_groups).chain([self.telemetry.largest()]);
        all.all(|number| number <= max)
    }

    /// Puts it back into a store.
    pub(super) fn restore(self, store: &mut Store) {
        let sums = ToldSums {
            n_buckets: self.buckets,
            hits: self.hits,
            errors: self.errors,
            telemetry: self.telemetry,
            n_clients_evicted: self.clients_evicted,
            n_groups_evicted: self.groups_evicted,
            n_spans_untold: self.spans_untold,
            any_counted: self.any_counted,
            any_uncounted: self.any_uncounted,
        };
        let clients = self.clients.into_iter().map(ClientJson::into_client);
        let groups = self.told.into_iter().map(GroupJson::into_group);
        store.restore_told(&sums, clients.collect(), groups);
    }
}

impl ClientJson {
    fn new(client: &ToldClient) -> Self {
        Self {
            source: client.source.clone(),
            buckets: client.n_buckets,
            hits: client.hits,
            errors: client.errors,
            told_until: client.told_until.0,
        }
    }

    fn into_client(self) -> ToldClient {
        ToldClient {
            source: self.source,
            n_buckets: self.buckets,
            hits: self.hits,
            errors: self.errors,
            told_until: UnixNanos(self.told_until),
        }
    }
}

impl GroupJson {
    fn new(
        (key, operation): (&OperationKey, &Operation),
        resource: &str,
        tally: &Tally,
        detail: Detail,
    ) -> Self {
        let counts = &tally.counts;
        Self {
            service: key.service.clone(),
            name: key.name.clone(),
            resource: resource.into(),
            kind: tally.kind.clone(),
            hits: counts.hits,
            errors: counts.errors,
            top_level_hits: counts.top_level_hits,
            duration: counts.duration,
            spans_arrived: tally.n_arrived,
            compared_by: if operation.has_other_resources() {
                "operation"
            } else {
                "resource"
            },
            ok: SketchJson::new(&counts.ok, detail),
            error: SketchJson::new(&counts.error, detail),
        }
    }

    fn into_group(self) -> (OperationKey, Box<str>, Tally) {
        let sketch = |json: Option<SketchJson>| {
            let bins = json.and_then(|json| json.bins);
            bins.map(|bins| bins.0).unwrap_or_default()
        };
        let tally = Tally {
            kind: self.kind,
            counts: StatsCounts {
                hits: self.hits,
                errors: self.errors,
                top_level_hits: self.top_level_hits,
                duration: self.duration,
                ok: sketch(self.ok),
                error: sketch(self.error),
            },
            n_arrived: self.spans_arrived,
        };
        let key = OperationKey {
            service: self.service,
            name: self.name,
        };
        (key, self.resource, tally)
    }
}

impl SketchJson {
    fn new(sketch: &Sketch, detail: Detail) -> Option<Self> {
        let Latency {
            n,
            p50,
            p95,
            p99,
            max,
        } = sketch.latency()?;
        Some(Self {
            n,
            p50,
            p95,
            p99,
            max,
            bins: (detail == Detail::Bins).then(|| Bins(sketch.clone())),
        })
    }
}

impl<'de> Deserialize<'de> for SketchJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read {
            #[serde(default)]
            bins: Option<Bins>,
        }
        let Read { bins } = Read::deserialize(deserializer)?;
        let sketch = bins.map(|bins| bins.0).unwrap_or_default();
        let Some(read) = Self::new(&sketch, Detail::Bins) else {
            return Err(D::Error::custom("durations without bins"));
        };
        Ok(read)
    }
}

impl Serialize for Bins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.bins())
    }
}

impl<'de> Deserialize<'de> for Bins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bins = Vec::<(u16, u64)>::deserialize(deserializer)?;
        let mut sketch = Sketch::default();
        for (bin, n) in bins {
            sketch.add_to_bin(bin, n);
        }
        Ok(Self(sketch))
    }
}
