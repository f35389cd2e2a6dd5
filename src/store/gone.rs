//! How long the requests of evicted traces took: their traces are gone, their durations stay counted. It
//! keeps sketches, never a trace.

use std::collections::BTreeMap;

use super::{Store, TraceEntry};
use crate::analysis::StartKind;
use crate::analysis::latency::GoneDurations;
use crate::trace::Text;

/// How many sketches there are at most, one for each service, resource and kind of start: 5 MiB of them if
/// each has seen a request of an hour. They stand beside the budget.
const SKETCHES_MAX: usize = 256;
/// A service and a resource that are longer together are counted among the others.
const NAMES_BYTES_MAX: usize = 1024;

type Resources = BTreeMap<Box<[u8]>, Kinds>;
type Kinds = BTreeMap<StartKind, GoneDurations>;

/// Durations of requests whose traces were evicted.
#[derive(Debug, Default)]
pub struct Gone {
    by_service: BTreeMap<Box<[u8]>, Resources>,
    n_sketches: usize,
    others: Kinds,
    n: u64,
    n_untold: u64,
}

impl Store {
    /// How long the requests took whose traces were evicted.
    pub fn gone(&self) -> &Gone {
        &self.gone
    }
}

impl Gone {
    /// Those of a resource that started so.
    pub fn of(
        &self,
        service: Text<'_>,
        resource: Text<'_>,
        kind: StartKind,
    ) -> Option<&GoneDurations> {
        let resources = self.by_service.get(service.as_bytes())?;
        resources.get(resource.as_bytes())?.get(&kind)
    }

    /// The services and resources that are told apart, in order.
    pub fn resources(&self) -> impl Iterator<Item = (Text<'_>, Text<'_>)> {
        self.by_service.iter().flat_map(|(service, resources)| {
            let resources = resources.keys();
            resources.map(move |resource| (Text(service), Text(resource)))
        })
    }

    /// Those of all resources that are not told apart, because there are too many.
    pub fn others(&self, kind: StartKind) -> Option<&GoneDurations> {
        self.others.get(&kind)
    }

    /// How many requests there were.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many of them are of resources that are not told apart.
    pub fn n_untold(&self) -> u64 {
        self.n_untold
    }

    /// What the sketches take.
    pub fn bytes(&self) -> usize {
        let resources = self.by_service.values().flat_map(BTreeMap::values);
        let kinds = resources.chain([&self.others]);
        let sketches = kinds.flat_map(BTreeMap::values);
        sketches.map(GoneDurations::bytes).sum()
    }

    /// Counts the requests of a trace that goes.
    pub(super) fn remember(&mut self, entry: &TraceEntry) {
        for root in entry.local_roots() {
            let span = entry.span(root.span());
            if let Some((kind, span)) = root.start_kind().zip(span) {
                self.add(span.service(), span.resource(), kind, span.duration());
            }
        }
    }

    pub(super) fn add(
        &mut self,
        service: Text<'_>,
        resource: Text<'_>,
        kind: StartKind,
        duration_ns: i64,
    ) {
        self.n += 1;
        if let Some(sketch) = self.known(service, resource, kind) {
            sketch.add(duration_ns);
            return;
        }
        let (service, resource) = (service.as_bytes(), resource.as_bytes());
        let is_short = service.len() + resource.len() <= NAMES_BYTES_MAX;
        let kinds = if is_short && self.n_sketches < SKETCHES_MAX {
            self.n_sketches += 1;
            let resources = self.by_service.entry(service.into()).or_default();
            resources.entry(resource.into()).or_default()
        } else {
            self.n_untold += 1;
            &mut self.others
        };
        kinds.entry(kind).or_default().add(duration_ns);
    }

    fn known(
        &mut self,
        service: Text<'_>,
        resource: Text<'_>,
        kind: StartKind,
    ) -> Option<&mut GoneDurations> {
        let resources = self.by_service.get_mut(service.as_bytes())?;
        resources.get_mut(resource.as_bytes())?.get_mut(&kind)
    }
}
