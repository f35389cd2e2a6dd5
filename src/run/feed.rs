//! Everything that brings spans, behind one inbox.

use std::mem;

use tokio::sync::watch;

use crate::config::{Settings, Story};
use crate::ingest::Inbound;
use crate::io::agent::{Agent, AgentSettings, Token};
use crate::io::clock;
use crate::io::demo::{self, DemoTarget};
use crate::io::inbox::{self, InboxLimits, InboxReceiver};

/// What the loop takes at a time, so that keys and frames have their turn.
const BATCH_ITEMS_MAX: usize = 256;

/// What brings spans, while the program runs.
#[derive(Debug)]
pub(super) struct Feed {
    source: Option<Source>,
    batch: Vec<Inbound>,
}

#[derive(Debug)]
struct Source {
    agent: Agent,
    inbox: InboxReceiver,
    demo: Option<watch::Sender<bool>>,
}

impl Feed {
    /// Nothing: only files are looked at.
    pub(super) fn none() -> Self {
        Self {
            source: None,
            batch: Vec::new(),
        }
    }

    /// Starts the agent, and a client of our own if a story is to be told.
    pub(super) fn start(settings: &Settings, story: Option<Story>) -> anyhow::Result<Self> {
        let (inbox, receiver) = inbox::channel(InboxLimits::default());
        let mut agent_settings = AgentSettings::new(settings.listen);
        agent_settings.uds.clone_from(&settings.uds);
        agent_settings.token = settings
            .token
            .as_ref()
            .map(|token| Token::new(token.as_str()));
        let agent = Agent::start(agent_settings, inbox)?;
        let demo = story.map(|story| {
            let (stop, stopped) = watch::channel(false);
            let target = DemoTarget {
                address: agent.local_addr(),
                token: settings.token.clone(),
            };
            tokio::spawn(demo::run(target, story, clock::wall, stopped));
            stop
        });
        Ok(Self {
            source: Some(Source {
                agent,
                inbox: receiver,
                demo,
            }),
            ..Self::none()
        })
    }

    /// The agent, if there is one.
    pub(super) fn agent(&self) -> Option<&Agent> {
        self.source.as_ref().map(|source| &source.agent)
    }

    /// Waits for something and gives what there is. Nothing is
    /// lost when this is dropped while it waits.
    pub(super) async fn next(&mut self) -> Vec<Inbound> {
        let Some(source) = &mut self.source else {
            return std::future::pending().await;
        };
        if source
            .inbox
            .recv_many(&mut self.batch, BATCH_ITEMS_MAX)
            .await
            == 0
        {
            // The agent's thread is gone; what it brought stays.
            return std::future::pending().await;
        }
        mem::take(&mut self.batch)
    }

    /// Stops everything that brings spans and returns what it still brought.
    pub(super) fn stop(self) -> Vec<Inbound> {
        let mut rest = self.batch;
        let Some(Source {
            agent,
            mut inbox,
            demo,
        }) = self.source
        else {
            return rest;
        };
        if let Some(demo) = demo {
            demo.send_replace(true);
        }
        // Room first: requests that are being answered may wait for it.
        while inbox.try_recv_many(&mut rest, BATCH_ITEMS_MAX) > 0 {}
        agent.stop();
        while inbox.try_recv_many(&mut rest, BATCH_ITEMS_MAX) > 0 {}
        rest
    }
}
