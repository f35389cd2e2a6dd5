//! What is assumed of the Agent that the app would have, and what tracers are answered.

use std::str::FromStr;

use serde::Deserialize;

use super::value::{ValueError, Written};
use crate::sampler::{self, AgentModel, Model};

/// The simulated Agent, and what tracers are told.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SamplingSettings {
    /// What tracers are answered.
    pub answers: Answers,
    /// Whether `/info` says that tracers may drop what they reject.
    pub client_drop_p0s: bool,
    /// Which Agents are assumed.
    pub model: AgentModel,
    /// How they are set up.
    pub agent: sampler::Settings,
}

impl SamplingSettings {
    /// Agents that have seen nothing.
    pub fn model(&self) -> Model {
        Model::new(self.model, self.agent.clone())
    }
}

/// `--sampling`: the rates that tracers are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Answers {
    /// Keep everything.
    #[default]
    Observe,
    /// What the simulated Agent would answer.
    Agent,
    /// One rate for all.
    Rate(f64),
}

impl FromStr for Answers {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "observe" => Ok(Self::Observe),
            "agent" => Ok(Self::Agent),
            rate => number(rate)
                .filter(|rate| *rate <= 1.0)
                .map(Self::Rate)
                .ok_or_else(|| {
                    ValueError::new("it is `observe`, `agent`, or a rate from 0 to 1, as in 0.1")
                }),
        }
    }
}

/// Traces a second: not below 0.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct PerSecond(pub f64);

impl FromStr for PerSecond {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        number(text)
            .map(Self)
            .ok_or_else(|| ValueError::new("it is a number that is not below 0, as in 10"))
    }
}

/// So many of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Percent(pub f32);

impl FromStr for Percent {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = text.trim_end_matches('%').parse().ok();
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        percent
            .map(Self)
            .ok_or_else(|| ValueError::new("it is a percentage from 0 to 100, as in 10"))
    }
}

fn number(text: &str) -> Option<f64> {
    let number: Option<f64> = text.parse().ok();
    number.filter(|number| number.is_finite() && *number >= 0.0)
}
