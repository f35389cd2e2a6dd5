//! The settings of the Agent that the first line of a file says.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Object, VectorError, read_whole};
use crate::sampler::{HashedId, Probabilistic, RareSettings, Settings};

/// The feature of the Agent by which its probabilistic sampler looks at whole ids.
const FULL_ID: &str = "probabilistic_sampler_full_trace_id";

/// What a `config` says; what it does not say is `None`.
#[derive(Debug, Default)]
struct Config<'a> {
    target_tps: Option<f64>,
    error_tps: Option<f64>,
    extra_rate: Option<f64>,
    default_env: Option<&'a str>,
    rare: Rare,
    probabilistic: Odds,
    unknown: Vec<String>,
}

#[derive(Debug, Default)]
struct Rare {
    is_on: Option<bool>,
    tps: Option<f64>,
    cooldown: Option<f64>,
    cardinality: Option<u64>,
}

#[derive(Debug, Default)]
struct Odds {
    is_on: Option<bool>,
    percentage: Option<f64>,
    hash_seed: Option<u64>,
    is_of_full_id: Option<bool>,
}

/// The settings that a `config` says, others by default; and the members of it that say nothing here.
pub(super) fn read(
    config: Option<&Object>,
    defaults: &Settings,
) -> Result<(Settings, Vec<String>), VectorError> {
    let mut said = Config::default();
    for (name, value) in config.into_iter().flatten() {
        match value {
            // What belongs to one sampler may stand in an object of its own.
            Value::Object(members) if matches!(&**name, "rare" | "probabilistic") => {
                for (member, value) in members {
                    said.read(&format!("{name}_{member}"), value)?;
                }
            }
            _ => said.read(name, value)?,
        }
    }
    let settings = Settings {
        target_tps: said.target_tps.unwrap_or(defaults.target_tps),
        error_tps: said.error_tps.unwrap_or(defaults.error_tps),
        extra_rate: said.extra_rate.unwrap_or(defaults.extra_rate),
        rare: said.rare.over(defaults.rare),
        probabilistic: said.probabilistic.over(defaults.probabilistic),
        default_env: said
            .default_env
            .map_or_else(|| Arc::clone(&defaults.default_env), Into::into),
    };
    Ok((settings, said.unknown))
}

impl<'a> Config<'a> {
    /// The names are those of the vectors, of the Agent's settings, and of rows for one function.
    fn read(&mut self, name: &str, value: &'a Value) -> Result<(), VectorError> {
        let short = name.replace("_sampler_", "_");
        let (rare, probabilistic) = (&mut self.rare, &mut self.probabilistic);
        match &*short {
            "target_tps" => self.target_tps = Some(amount(value, "target_tps")?),
            "error_tps" => self.error_tps = Some(amount(value, "error_tps")?),
            "extra_sample_rate" => self.extra_rate = Some(amount(value, "extra_sample_rate")?),
            "default_env" => {
                let env = value.as_str();
                self.default_env = Some(env.ok_or(VectorError::member("default_env", "a text"))?);
            }
            "rare_enabled" | "rare" => rare.is_on = Some(switch(value, "rare_enabled")?),
            "rare_tps" => rare.tps = Some(amount(value, "rare_tps")?),
            "rare_cooldown_s" => rare.cooldown = Some(amount(value, "rare_cooldown_s")?),
            "rare_cardinality" => rare.cardinality = Some(read_whole(value, "rare_cardinality")?),
            "probabilistic_enabled" | "probabilistic" => {
                probabilistic.is_on = Some(switch(value, "probabilistic_enabled")?);
            }
            "probabilistic_percentage" | "probabilistic_sampling_percentage" => {
                probabilistic.percentage = Some(amount(value, "probabilistic_percentage")?);
            }
            "probabilistic_hash_seed" => {
                probabilistic.hash_seed = Some(read_whole(value, "probabilistic_hash_seed")?);
            }
            "probabilistic_full_trace_id" => {
                let is_full = switch(value, "probabilistic_full_trace_id")?;
                probabilistic.is_of_full_id = Some(is_full);
            }
            "features" => self.features(value),
            _ => self.unknown.push(name.to_owned()),
        }
        Ok(())
    }

    fn features(&mut self, value: &Value) {
        for feature in value.as_array().into_iter().flatten() {
            match feature.as_str() {
                Some(FULL_ID) => self.probabilistic.is_of_full_id = Some(true),
                other => self.unknown.push(other.unwrap_or("features").to_owned()),
            }
        }
    }
}

impl Rare {
    /// Whoever says how it is set up has it on.
    fn over(&self, default: Option<RareSettings>) -> Option<RareSettings> {
        let is_said = self.tps.is_some() || self.cooldown.is_some() || self.cardinality.is_some();
        if !self.is_on.unwrap_or(is_said || default.is_some()) {
            return None;
        }
        let default = default.unwrap_or_default();
        let cooldown = self.cooldown.map(|seconds| {
            let cooldown = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            i64::try_from(cooldown.as_nanos()).unwrap_or(i64::MAX)
        });
        Some(RareSettings {
            tps: self.tps.unwrap_or(default.tps),
            cooldown_nanos: cooldown.unwrap_or(default.cooldown_nanos),
            cardinality: self.cardinality.map_or(default.cardinality, u32_of),
        })
    }
}

impl Odds {
    fn over(&self, default: Option<Probabilistic>) -> Option<Probabilistic> {
        if !self
            .is_on
            .unwrap_or(self.percentage.is_some() || default.is_some())
        {
            return None;
        }
        let mut sampler = default.unwrap_or(Probabilistic::of_percentage(0.0));
        if let Some(percentage) = self.percentage {
            sampler.percentage = f32_of(percentage);
        }
        sampler.hash_seed = self.hash_seed.map_or(sampler.hash_seed, u32_of);
        match self.is_of_full_id {
            Some(true) => sampler.id = HashedId::Full,
            Some(false) => sampler.id = HashedId::Low,
            None => {}
        }
        Some(sampler)
    }
}

fn switch(value: &Value, member: &'static str) -> Result<bool, VectorError> {
    let is_on = value.as_bool();
    is_on.ok_or(VectorError::member(member, "true or false"))
}

fn amount(value: &Value, member: &'static str) -> Result<f64, VectorError> {
    let amount = value.as_f64().filter(|amount| *amount >= 0.0);
    amount.ok_or(VectorError::member(member, "a number that is not below 0"))
}

fn u32_of(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// As the Agent keeps its percentage.
pub(super) fn f32_of(number: f64) -> f32 {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the Agent's setting is an f32"
    )]
    let number = number as f32;
    number
}
