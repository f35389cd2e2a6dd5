//! What tracers are answered: bodies with `rate_by_service`, made when rates change and not when a
//! request waits.

use std::collections::HashMap;

use bytes::Bytes;

use crate::sampler::{Process, RateTable};

/// The answers to accepted spans.
#[derive(Clone, Debug, PartialEq)]
pub struct RateAnswers {
    common: Bytes,
    /// For processes whose container has an Agent of its own.
    of_container: HashMap<u64, Bytes>,
}

impl Default for RateAnswers {
    fn default() -> Self {
        Self::keep_all()
    }
}

impl RateAnswers {
    /// Makes tracers keep every trace.
    pub fn keep_all() -> Self {
        Self::all_with(Bytes::from_static(
            br#"{"rate_by_service":{"service:,env:":1.0}}"#,
        ))
    }

    /// The table of one Agent for everybody.
    pub fn of_table(table: &RateTable) -> Self {
        Self::all_with(body(table.entries()))
    }

    /// One rate for all services; each under the key its tracers look for.
    pub fn of_rate<'a>(rate: f64, keys: impl Iterator<Item = &'a str>) -> Self {
        Self::all_with(body(keys.map(|key| (key, rate))))
    }

    /// A table for each container. One that nobody has met is answered as by a new Agent.
    pub fn of_containers<'a>(tables: impl Iterator<Item = (u64, &'a RateTable)>) -> Self {
        let bodies = tables.map(|(container, table)| (container, body(table.entries())));
        Self {
            common: body(RateTable::default().entries()),
            of_container: bodies.collect(),
        }
    }

    fn all_with(common: Bytes) -> Self {
        Self {
            common,
            of_container: HashMap::new(),
        }
    }

    /// The body for a process, which is only looked for where it matters.
    pub(super) fn body(&self, process: impl FnOnce() -> Process) -> Bytes {
        if self.of_container.is_empty() {
            return self.common.clone();
        }
        let own = self.of_container.get(&process().container);
        own.unwrap_or(&self.common).clone()
    }
}

fn body<'a>(entries: impl Iterator<Item = (&'a str, f64)>) -> Bytes {
    let rates: serde_json::Map<String, serde_json::Value> = entries
        .map(|(key, rate)| (key.to_owned(), rate.into()))
        .collect();
    serde_json::json!({ "rate_by_service": rates })
        .to_string()
        .into()
}
