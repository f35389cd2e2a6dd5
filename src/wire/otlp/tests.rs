//! The mapping, rule by rule.
