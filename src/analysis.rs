//! What is computed from what was captured. It changes nothing and draws nothing.

pub(crate) mod percentile;
