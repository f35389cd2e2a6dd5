//! How long many spans took, in bins: quantiles within one per cent, sums of two without loss.

/// Each bin is wider than the one below by this. Bins lie as those of `libdd-ddsketch` in
/// `DataDog/libdatadog`, so that what ddtrace sends falls into them unchanged.
const GAMMA: f64 = 1.015_625;

/// Durations of no nanosecond are in the bin 0, those of 64 bits in the last one.
pub(crate) const BIN_MAX: u16 = 2_864;

/// How long many spans took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Bins with what is in them, in order, none empty.
    bins: Vec<(u16, u64)>,
}

/// Quantiles, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Of how many spans.
    pub n: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// 95 of 100 took no longer.
    pub p95: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// None took longer.
    pub max: u64,
}

impl Sketch {
    /// Adds so many spans that took so many nanoseconds. What is no number is nothing.
    pub fn add(&mut self, nanos: f64, n: u64) {
        if !nanos.is_nan() {
            self.add_to_bin(bin_of(nanos), n);
        }
    }

    /// Adds to a bin; those beyond the last one are the last one.
    pub(crate) fn add_to_bin(&mut self, bin: u16, n: u64) {
        let bin = bin.min(BIN_MAX);
        if n == 0 {
            return;
        }
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(place) => {
                if let Some((_, held)) = self.bins.get_mut(place) {
                    *held = held.saturating_add(n);
                }
            }
            Err(place) => self.bins.insert(place, (bin, n)),
        }
    }

    /// Adds what is in another.
    pub fn merge(&mut self, other: &Self) {
        if self.bins.is_empty() {
            self.bins.clone_from(&other.bins);
            return;
        }
        for (bin, n) in &other.bins {
            self.add_to_bin(*bin, *n);
        }
    }

    /// The bins that are not empty, in order, with what is in them.
    pub(crate) fn bins(&self) -> &[(u16, u64)] {
        &self.bins
    }

    /// The quantiles; none of no span.
    pub fn latency(&self) -> Option<Latency> {
        let (longest, _) = self.bins.last()?;
        Some(Latency {
            n: self.n(),
            p50: self.quantile(0.5),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            max: value_of(*longest),
        })
    }

    fn n(&self) -> u64 {
        let add = |sum: u64, (_, n): &(u16, u64)| sum.saturating_add(*n);
        self.bins.iter().fold(0, add)
    }

    /// As `GetValueAtQuantile` in `ddsketch/ddsketch.go` of `DataDog/sketches-go`: the bin of the
    /// span that has so large a part of the others before it.
    fn quantile(&self, quantile: f64) -> u64 {
        let rank = quantile * (self.n().saturating_sub(1)) as f64;
        let mut n_below = 0_u64;
        let bin = self.bins.iter().find(|(_, n)| {
            n_below = n_below.saturating_add(*n);
            n_below as f64 > rank
        });
        bin.or(self.bins.last())
            .map_or(0, |(bin, _)| value_of(*bin))
    }

    /// What it occupies beside its own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bins.capacity() * size_of::<(u16, u64)>()
    }
}

fn bin_of(nanos: f64) -> u16 {
    // The middle of the bin of a whole nanosecond lies a little below it.
    if nanos < 0.5 {
        return 0;
    }
    let bin = (nanos.ln() / GAMMA.ln() + 0.5).floor() + 1.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held within the bins"
    )]
    let bin = bin.clamp(1.0, f64::from(BIN_MAX)) as u16;
    bin
}

/// The duration that is never further than one per cent from any in the bin.
fn value_of(bin: u16) -> u64 {
    if bin == 0 {
        return 0;
    }
    let lowest = ((f64::from(bin) - 1.5) * GAMMA.ln()).exp();
    let middle = lowest * 2.0 * GAMMA / (1.0 + GAMMA);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above zero, and what is beyond 64 bits becomes the largest number"
    )]
    let nanos = middle.round() as u64;
    nanos
}
