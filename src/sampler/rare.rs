//! The rare sampler: keeps now and then what has not been seen for a while. Off unless asked for.
//!
//! After `pkg/trace/sampler/rare_sampler.go` of `DataDog/datadog-agent`, and for its limiter
//! `golang.org/x/time/rate` (`Limiter.reserveN`).

use hashbrown::HashMap;

use super::signature::Signature;
use crate::trace::UnixNanos;

const BURST: f64 = 50.0;
const NANOS: f64 = 1e9;
/// An expiry moves only if it moves by this much.
const RENEWAL_NANOS: i64 = 60_000_000_000;
/// So many services are remembered: the Agent has no limit, and names come from strangers.
const SERVICES_MAX: usize = 10_000;

/// What it is told to do; by default as the Agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RareSettings {
    /// How many a second, beyond a first burst of 50.
    pub tps: f64,
    /// How long what was kept is not rare, in nanoseconds.
    pub cooldown_nanos: i64,
    /// How many kinds of spans of one service are told apart.
    pub cardinality: u32,
}

impl Default for RareSettings {
    fn default() -> Self {
        Self {
            tps: 5.0,
            cooldown_nanos: 300_000_000_000,
            cardinality: 200,
        }
    }
}

/// A span that enters a service or is measured: its service in its environment, and its hash with its
/// resource and without an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RareSpan {
    /// The service.
    pub service: Signature,
    /// The kind of span within it.
    pub hash: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Rare {
    settings: RareSettings,
    tokens: f64,
    drawn: Option<UnixNanos>,
    seen: HashMap<Signature, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    expiries: HashMap<u32, i64>,
    is_shrunk: bool,
}

impl Rare {
    pub(super) fn new(settings: RareSettings) -> Self {
        Self {
            settings,
            tokens: BURST,
            drawn: None,
            seen: HashMap::new(),
        }
    }

    /// Whether a chunk has a rare span and a token is left (`handleTrace`).
    pub(super) fn sample(&mut self, at: UnixNanos, spans: &[RareSpan]) -> bool {
        if self.seen.len() >= SERVICES_MAX {
            self.seen.clear();
        }
        let is_kept = spans.iter().any(|span| {
            let seen = self.seen.entry(span.service).or_default();
            let hash = seen.hash(span.hash, self.settings.cardinality);
            let expiry = seen.expiries.get(&hash);
            expiry.is_none_or(|expiry| at.0 > *expiry) && self.take_token(at)
        });
        if is_kept {
            let expiry = at.0.saturating_add(self.settings.cooldown_nanos);
            for span in spans {
                let seen = self.seen.entry(span.service).or_default();
                seen.add(span.hash, expiry, self.settings.cardinality);
            }
        }
        is_kept
    }

    fn take_token(&mut self, at: UnixNanos) -> bool {
        let tps = self.settings.tps;
        let tokens = match self.drawn {
            Some(drawn) => {
                let elapsed = at.0.saturating_sub(drawn.0).max(0);
                (self.tokens + seconds(elapsed) * tps).min(BURST)
            }
            None => self.tokens,
        };
        let left = tokens - 1.0;
        // Less than a nanosecond short is not short.
        let has_one = left >= 0.0 || tps > 0.0 && (-left / tps) * NANOS < 1.0;
        if has_one {
            self.tokens = left;
            self.drawn = Some(at);
        }
        has_one
    }
}

/// As `time.Duration.Seconds` of Go rounds it.
fn seconds(nanos: i64) -> f64 {
    #[expect(clippy::as_conversions, reason = "the Agent's own arithmetic")]
    let (whole, rest) = (
        (nanos / 1_000_000_000) as f64,
        (nanos % 1_000_000_000) as f64,
    );
    whole + rest / NANOS
}

impl Seen {
    fn hash(&self, hash: u32, cardinality: u32) -> u32 {
        if self.is_shrunk {
            hash % cardinality.max(1)
        } else {
            hash
        }
    }

    fn add(&mut self, hash: u32, expiry: i64, cardinality: u32) {
        let hash = self.hash(hash, cardinality);
        let known = self.expiries.get(&hash);
        if known.is_some_and(|known| expiry.saturating_sub(*known) < RENEWAL_NANOS) {
            return;
        }
        self.expiries.insert(hash, expiry);
        if self.expiries.len() > usize::try_from(cardinality).unwrap_or(usize::MAX) {
            self.shrink(cardinality);
        }
    }

    /// Of kinds that become one the Agent keeps any expiry; this is the latest.
    fn shrink(&mut self, cardinality: u32) {
        let mut expiries = HashMap::with_capacity(self.expiries.len());
        for (hash, expiry) in &self.expiries {
            let kept = expiries.entry(hash % cardinality.max(1)).or_insert(*expiry);
            *kept = (*kept).max(*expiry);
        }
        self.expiries = expiries;
        self.is_shrunk = true;
    }
}
