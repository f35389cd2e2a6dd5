//! From what the simulated Agent has learnt to what tracers are answered.

use tokio::sync::watch;

use crate::config::Answers;
use crate::io::agent::RateAnswers;
use crate::sampler::{AgentModel, DEFAULT_KEY, Model};

/// Sets the answers of the agent whenever they change.
#[derive(Debug)]
pub(super) struct Publisher {
    answers: Answers,
    sender: watch::Sender<RateAnswers>,
    /// What the last ones were made from.
    revision: u64,
}

impl Publisher {
    pub(super) fn new(answers: Answers) -> Self {
        let first = match answers {
            Answers::Observe => RateAnswers::keep_all(),
            // As a new Agent: it knows no rate.
            Answers::Agent => RateAnswers::of_rate(1.0, std::iter::empty()),
            Answers::Rate(rate) => RateAnswers::of_rate(rate, std::iter::once(DEFAULT_KEY)),
        };
        Self {
            answers,
            sender: watch::Sender::new(first),
            revision: 0,
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<RateAnswers> {
        self.sender.subscribe()
    }

    pub(super) fn publish(&mut self, model: &Model) {
        let revision = match self.answers {
            Answers::Observe => return,
            Answers::Agent => model.answers_revision(),
            Answers::Rate(_) => u64::try_from(model.services().len()).unwrap_or(u64::MAX),
        };
        if std::mem::replace(&mut self.revision, revision) == revision {
            return;
        }
        self.sender.send_replace(self.made(model));
    }

    fn made(&self, model: &Model) -> RateAnswers {
        match (self.answers, model.kind()) {
            (Answers::Observe, _) => RateAnswers::keep_all(),
            (Answers::Rate(rate), _) => {
                /// Names come from strangers: of more services the newest are told their rate.
                const SERVICES_TOLD: usize = 1_000;
                // Python looks for nothing but its own service and environment.
                let n_others = model.services().len().saturating_sub(SERVICES_TOLD);
                let services = model.services().iter().skip(n_others);
                let keys: Vec<String> = services
                    .map(|(service, env)| format!("service:{service},env:{env}"))
                    .collect();
                let keys = keys.iter().map(String::as_str);
                RateAnswers::of_rate(rate, std::iter::once(DEFAULT_KEY).chain(keys))
            }
            (Answers::Agent, AgentModel::Agent) => {
                let table = model.tables().next();
                table.map_or_else(
                    || RateAnswers::of_rate(1.0, std::iter::empty()),
                    |(_, table)| RateAnswers::of_table(table),
                )
            }
            (Answers::Agent, AgentModel::Serverless) => {
                RateAnswers::of_containers(model.tables().map(|(number, table)| (number, &**table)))
            }
        }
    }
}
