//! The priority sampler: follows what the client decided, counts it, and makes the table of rates that
//! clients are answered with.
//!
//! After `pkg/trace/sampler/prioritysampler.go`, `catalog.go`, `env.go` and `dynamic_config.go` of
//! `DataDog/datadog-agent`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::core::{Core, Rates};
use super::signature::Signature;
use super::{Digest, ServiceId, Services};
use crate::trace::{SamplingPriority, UnixNanos};

/// The services an Agent remembers; of more, those that sent last.
const CATALOG_MAX: usize = 5_000;
/// The rate for whoever has none of its own, by the name the Agent gives it.
pub const DEFAULT_KEY: &str = "service:,env:";

/// What an Agent answers: a rate for each service in its environment, and one for all others. Empty
/// until it has counted something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateTable {
    by_key: BTreeMap<Box<str>, f64>,
    by_service: HashMap<ServiceId, f64>,
}

impl RateTable {
    /// The entries as they are answered: `service:gen-api,env:dev` and its rate, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, f64)> {
        self.by_key.iter().map(|(key, rate)| (&**key, *rate))
    }

    /// The rate under exactly the key a client asks for.
    pub fn rate(&self, asks: ServiceId) -> Option<f64> {
        self.by_service.get(&asks).copied()
    }

    /// The rate for whoever has none of its own.
    pub fn default_rate(&self) -> Option<f64> {
        self.by_key.get(DEFAULT_KEY).copied()
    }

    fn add(&mut self, services: &mut Services, (service, env): (&str, &str), rate: f64) {
        let rate = rate.clamp(0.0, 1.0);
        self.by_service.insert(services.id(service, env), rate);
        let key = format!("service:{service},env:{env}");
        self.by_key.insert(key.into(), rate);
    }
}

#[derive(Clone, Debug)]
pub(super) struct Priority {
    core: Core<Signature>,
    default_env: Arc<str>,
    /// When each was counted last, by the number of the count.
    catalog: HashMap<ServiceId, u64>,
    n_counted: u64,
    table: Arc<RateTable>,
}

impl Priority {
    pub(super) fn new(target_tps: f64, extra_rate: f64, default_env: &Arc<str>) -> Self {
        Self {
            core: Core::new(target_tps, extra_rate),
            default_env: Arc::clone(default_env),
            catalog: HashMap::new(),
            n_counted: 0,
            table: Arc::default(),
        }
    }

    /// What it answers now.
    pub(super) fn table(&self) -> &Arc<RateTable> {
        &self.table
    }

    /// The rate of a service now. It moves within a bucket for one that has none of its own.
    pub(super) fn rate(&self, service: Signature) -> f64 {
        self.core.rate(service)
    }

    /// The rates that the table will have once a chunk is counted in a later bucket than any before.
    pub(super) fn next_rates(&self, at: UnixNanos, services: &Services) -> Vec<(ServiceId, f64)> {
        let next = self.core.next(at);
        let known = self.catalog.keys();
        known
            .filter_map(|id| Some((*id, next.own_rate(services.signature(*id))?.clamp(0.0, 1.0))))
            .collect()
    }

    /// Counts a chunk that the client decided by a rate (`Sample`, `countSignature`).
    pub(super) fn count(&mut self, digest: &Digest, dropped_weight: f64, services: &mut Services) {
        let by_rate = [SamplingPriority::AUTO_REJECT, SamplingPriority::AUTO_KEEP];
        if !digest.priority.is_some_and(|said| by_rate.contains(&said)) {
            return;
        }
        self.register(digest.service);
        let signature = services.signature(digest.service);
        let weight = digest.weight + to_f32(dropped_weight);
        if self.core.count(digest.at, signature, weight) == Rates::Computed {
            self.publish(services);
        }
    }

    fn register(&mut self, service: ServiceId) {
        self.n_counted += 1;
        self.catalog.insert(service, self.n_counted);
        if self.catalog.len() > CATALOG_MAX {
            let oldest = self.catalog.iter().min_by_key(|(_, counted)| **counted);
            if let Some(oldest) = oldest.map(|(service, _)| *service) {
                self.catalog.remove(&oldest);
            }
        }
    }

    /// `ratesByService`: those with a rate of their own, the others are forgotten.
    fn publish(&mut self, services: &mut Services) {
        let mut table = RateTable::default();
        let mut known: Vec<ServiceId> = self.catalog.keys().copied().collect();
        known.sort_unstable();
        for id in known {
            let Some(rate) = self.core.own_rate(services.signature(id)) else {
                self.catalog.remove(&id);
                continue;
            };
            let (service, env) = services.names(id);
            let (service, env) = (service.to_owned(), env.to_owned());
            table.add(services, (&service, &env), rate);
            if *env == *self.default_env {
                table.add(services, (&service, ""), rate);
            }
        }
        table.add(services, ("", ""), self.core.default_rate());
        if table != *self.table {
            self.table = Arc::new(table);
        }
    }
}

fn to_f32(weight: f64) -> f32 {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the Agent counts in f32"
    )]
    let weight = weight as f32;
    weight
}
