//! Tests to come, of what stands beside.
