//! The samplers that drop by themselves: for traces without a priority, and for errors that nothing
//! else kept.
//!
//! After `pkg/trace/sampler/scoresampler.go` of `DataDog/datadog-agent`.

use hashbrown::HashSet;

use super::core::Core;
use super::draw;
use super::signature::Signature;
use super::{Digest, Signed};

/// From so many signatures on, new ones are told apart no more than so many ways.
const SIGNATURES: u32 = 100;

#[derive(Clone, Debug)]
pub(super) struct Score {
    /// None keeps nothing and counts nothing.
    core: Option<Core<Signature>>,
    /// Those that had a rate when there came to be too many: they stay apart.
    known: Option<HashSet<Signature>>,
}

/// What it makes of a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) is_kept: bool,
    pub(super) rate: f64,
}

impl Score {
    pub(super) fn new(target_tps: f64, extra_rate: f64) -> Self {
        Self {
            core: Some(Core::new(target_tps, extra_rate)),
            known: None,
        }
    }

    /// The Agent's error sampler is off with a target of 0.
    pub(super) fn for_errors(target_tps: f64, extra_rate: f64) -> Self {
        Self {
            core: (target_tps != 0.0).then(|| Core::new(target_tps, extra_rate)),
            known: None,
        }
    }

    /// Counts a chunk and draws (`Sample`); one that is off keeps nothing.
    pub(super) fn sample(&mut self, digest: &Digest, signed: Signed) -> Scored {
        let Some(core) = &mut self.core else {
            return Scored {
                is_kept: false,
                rate: 0.0,
            };
        };
        let signature = shrunk(core, &mut self.known, signed.signature);
        core.count(digest.at, signature, digest.weight);
        let rate = core.rate(signature);
        Scored {
            is_kept: draw::is_within(digest.trace_id.low(), digest.client_rate * rate),
            rate,
        }
    }

    /// Whether it would keep a chunk now, without counting it.
    pub(super) fn would_keep(&self, digest: &Digest, signed: Signed) -> bool {
        let Some(core) = &self.core else {
            return false;
        };
        let rate = core.rate(folded(core, self.known.as_ref(), signed.signature));
        draw::is_within(digest.trace_id.low(), digest.client_rate * rate)
    }
}

/// `shrink`: a sampler that counts many signatures folds those that had no rate when there came to be
/// too many. Who has one is noted then.
fn shrunk(
    core: &Core<Signature>,
    known: &mut Option<HashSet<Signature>>,
    signature: Signature,
) -> Signature {
    if !is_crowded(core) {
        *known = None;
    } else if known.is_none() {
        *known = Some(core.rated().collect());
    }
    folded(core, known.as_ref(), signature)
}

/// What a signature is counted as, by those that are known; by who has a rate now, while none is noted.
fn folded(
    core: &Core<Signature>,
    known: Option<&HashSet<Signature>>,
    signature: Signature,
) -> Signature {
    let is_known = || match known {
        Some(known) => known.contains(&signature),
        None => core.own_rate(signature).is_some(),
    };
    if !is_crowded(core) || is_known() {
        return signature;
    }
    Signature(signature.0 % SIGNATURES)
}

fn is_crowded(core: &Core<Signature>) -> bool {
    core.len() >= usize::try_from(SIGNATURES).unwrap_or(usize::MAX)
}
