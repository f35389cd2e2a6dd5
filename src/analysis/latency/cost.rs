//! What cold starts cost, and where the time of requests went. It judges nothing: who waited is known.

use super::{Distribution, float};
use crate::analysis::percentile::{P50, P95};

/// What it costs that some requests wait for a start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColdCost {
    /// The part of the p95 of both together by which that of the warm ones alone is lower; below zero if it
    /// is higher.
    pub share_of_p95: f64,
    /// How much longer those that waited took, at the median.
    pub extra_p50_ns: i64,
    /// How many times as long; a warm one of no length counts as one of 1 ns.
    pub factor_p50: f64,
}

/// What cold starts cost, by the requests that waited for one and those that did not. `None` where there are
/// none of either.
pub fn cold_cost(waited: &Distribution, warm: &Distribution) -> Option<ColdCost> {
    let (waited_p50, warm_p50) = (waited.per_mille(P50)?, warm.per_mille(P50)?);
    let all_p95 = Distribution::joined(&[waited, warm]).per_mille(P95)?;
    let saved = all_p95 - warm.per_mille(P95)?;
    Some(ColdCost {
        share_of_p95: float(saved) / float(all_p95.max(1)),
        extra_p50_ns: waited_p50 - warm_p50,
        factor_p50: float(waited_p50) / float(warm_p50.max(1)),
    })
}

/// Where the time of some requests went, summed over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeShare {
    /// In the start of their containers: before the first of them began.
    pub init_ns: i64,
    /// In loading the model.
    pub load_ns: i64,
    /// In inference.
    pub infer_ns: i64,
    /// In the requests, all told.
    pub request_ns: i64,
}

impl TimeShare {
    /// Counts what one request says.
    pub fn add(&mut self, one: Self) {
        let add = |sum: &mut i64, ns: i64| *sum = sum.saturating_add(ns.max(0));
        add(&mut self.init_ns, one.init_ns);
        add(&mut self.load_ns, one.load_ns);
        add(&mut self.infer_ns, one.infer_ns);
        add(&mut self.request_ns, one.request_ns);
    }

    /// The part of the time of starts and requests together that went into starts. `None` if no time went.
    pub fn init_share(&self) -> Option<f64> {
        self.share(self.init_ns)
    }

    /// The part of it that went into loading the model, in a start or in a request.
    pub fn load_share(&self) -> Option<f64> {
        self.share(self.load_ns)
    }

    /// The part of it that went into inference.
    pub fn infer_share(&self) -> Option<f64> {
        self.share(self.infer_ns)
    }

    fn share(&self, part_ns: i64) -> Option<f64> {
        let all = self.init_ns.saturating_add(self.request_ns);
        (all > 0).then(|| float(part_ns) / float(all))
    }
}
