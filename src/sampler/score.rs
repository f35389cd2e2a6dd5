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
}

impl Score {
    /// Whether it would keep a chunk now, without counting it.
    pub(super) fn would_keep(&self, digest: &Digest, signed: Signed) -> bool {
        let Some(core) = &self.core else {
            return false;
        };
        let signature = signed.signature;
        let is_apart = core.len() < usize::try_from(SIGNATURES).unwrap_or(usize::MAX)
            || core.own_rate(signature).is_some();
        let rate = core.rate(if is_apart {
            signature
        } else {
            Signature(signature.0 % SIGNATURES)
        });
        draw::is_within(digest.trace_id.low(), digest.client_rate * rate)
    }
}

/// `shrink`: a sampler that counts many signatures folds the new ones.
fn shrunk(
    core: &Core<Signature>,
    known: &mut Option<HashSet<Signature>>,
    signature: Signature,
) -> Signature {
    if core.len() < usize::try_from(SIGNATURES).unwrap_or(usize::MAX) {
        *known = None;
        return signature;
    }
    let known = known.get_or_insert_with(|| core.rated().collect());
    if known.contains(&signature) {
        return signature;
    }
    Signature(signature.0 % SIGNATURES)
}
