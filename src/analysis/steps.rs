//! Where the time goes by which requests that waited for a start are slower than warm ones: per name of
//! operation. Plain names and self times; it knows no traces.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::percentile::{P50, percentile};

/// The self times of the spans of one trace, each with its operation; a name may come more than once.
pub type SelfTimes = Vec<(Box<str>, i64)>;

/// An operation in both groups, per trace at the median.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Medians {
    /// Among those that waited; 0 where it is absent from most.
    pub waited_ns: i64,
    /// Among the warm ones; 0 where it is absent from most.
    pub warm_ns: i64,
    /// How much longer it took in those that waited.
    pub difference_ns: i64,
    /// Its part of all that took longer; 0 if it did not.
    pub share: f64,
}

/// An operation, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The operation.
    pub name: Box<str>,
    /// How long it took.
    pub medians: Medians,
}

/// What those that waited are slower by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breakdown {
    /// The operations that cost most, the dearest first.
    pub steps: Vec<Step>,
    /// All other spans, summed; `None` if there are none.
    pub others: Option<Medians>,
    /// How many operations those are.
    pub n_others: usize,
}

/// Which operations those that waited are slower by: at most so many, the rest summed.
///
/// The time of an operation in a trace is that of all of its spans there. The shares of all that took longer
/// add up to 1.
pub fn breakdown(waited: &[SelfTimes], warm: &[SelfTimes], n_steps_max: usize) -> Breakdown {
    let (waited_ns, warm_ns) = (by_name(waited), by_name(warm));
    let mut names: Vec<&str> = waited_ns.keys().chain(warm_ns.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let median = |times: &BTreeMap<&str, Vec<i64>>, name: &str, n_traces: usize| {
        let times = times.get(name).map(Vec::as_slice).unwrap_or_default();
        median_of(times, n_traces)
    };
    let steps = names.into_iter().map(|name| {
        let waited_ns = median(&waited_ns, name, waited.len());
        let warm_ns = median(&warm_ns, name, warm.len());
        Step {
            name: name.into(),
            medians: Medians {
                waited_ns,
                warm_ns,
                difference_ns: waited_ns - warm_ns,
                share: 0.0,
            },
        }
    });
    let mut steps: Vec<Step> = steps.collect();
    share_out(&mut steps);
    // It is stable: equal ones stand by name.
    steps.sort_by_key(|step| std::cmp::Reverse(step.medians.difference_ns));
    let others = steps.split_off(n_steps_max.min(steps.len()));
    Breakdown {
        steps,
        n_others: others.len(),
        others: (!others.is_empty()).then(|| summed(&others)),
    }
}

/// What each operation took in the traces that have it, the shortest first.
fn by_name(traces: &[SelfTimes]) -> BTreeMap<&str, Vec<i64>> {
    let mut times = BTreeMap::<&str, Vec<i64>>::new();
    let mut in_trace = BTreeMap::<&str, i64>::new();
    for trace in traces {
        in_trace.clear();
        for (name, self_ns) in trace {
            let sum = in_trace.entry(name).or_default();
            *sum = sum.saturating_add((*self_ns).max(0));
        }
        for (name, self_ns) in &in_trace {
            times.entry(name).or_default().push(*self_ns);
        }
    }
    for times in times.values_mut() {
        times.sort_unstable();
    }
    times
}

/// The median over all traces, where those that do not have it took no time for it.
fn median_of(sorted: &[i64], n_traces: usize) -> i64 {
    let mut all = vec![0; n_traces.saturating_sub(sorted.len())];
    all.extend_from_slice(sorted);
    percentile(&all, P50).unwrap_or(0)
}

fn share_out(steps: &mut [Step]) {
    let longer = |step: &Step| i128::from(step.medians.difference_ns.max(0));
    let all: i128 = steps.iter().map(longer).sum();
    if all == 0 {
        return;
    }
    for step in steps {
        step.medians.share = longer(step) as f64 / all as f64;
    }
}

fn summed(steps: &[Step]) -> Medians {
    let mut sum = Medians::default();
    for step in steps {
        let one = step.medians;
        sum.waited_ns = sum.waited_ns.saturating_add(one.waited_ns);
        sum.warm_ns = sum.warm_ns.saturating_add(one.warm_ns);
        sum.difference_ns = sum.difference_ns.saturating_add(one.difference_ns);
        sum.share += one.share;
    }
    sum
}
