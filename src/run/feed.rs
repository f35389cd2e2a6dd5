//! Everything that brings spans and lines, behind one inbox.

mod later;

use std::mem;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use crate::config::{
    AgentAddress, ByHand, ChildSettings, Command, DatadogTarget, ForwardTo, Settings, Story,
};
use crate::env_lines::Reach;
use crate::forward::Forwarded;
use crate::forward::courier::{Courier, Which};
use crate::ingest::{ChildEvent, Inbound, Keep};
use crate::io::agent::{Agent, AgentSettings, Token};
use crate::io::child::{Child, ChildError, Launch};
use crate::io::clock;
use crate::io::demo::{self, DemoTarget};
use crate::io::forward::{Ended, ForwardLimits, ForwardQueue, Forwarder, IntakeQueue};
use crate::io::inbox::{self, Inbox, InboxLimits, InboxReceiver};
use crate::io::tail::Tail;
use crate::sampler::Model;
use crate::store::{Due, Store, UNSENT_BYTES_MAX};
use crate::trace::Now;
use crate::tui::app::ChildCommand;
use crate::tui::message::ChildSignal;

use super::publisher::Publisher;
use later::{put_all_back, put_back};

/// What the loop takes at a time, so that keys and frames have their turn.
const BATCH_ITEMS_MAX: usize = 256;
/// When something has been asked to leave, this long until it is looked at again.
const LEAVE_LOOK: Duration = Duration::from_millis(2);

/// What brings spans and lines, while the program runs.
#[derive(Debug)]
pub(super) struct Feed {
    source: Option<Source>,
    batch: Vec<Inbound>,
}

#[derive(Debug)]
struct Source {
    /// None once it has been stopped.
    agent: Option<Agent>,
    inbox: InboxReceiver,
    publisher: Publisher,
    demo: Option<watch::Sender<bool>>,
    tails: Vec<Tail>,
    /// What sends on to a real Agent, if anything does.
    forwarder: Option<Forwarder<ForwardQueue>>,
    /// What sends on to Datadog: started once there is something to send.
    intake: Option<Forwarder<IntakeQueue>>,
    /// Counts and lines for which there was no room there, and that wait for it.
    n_late: usize,
    /// How that is reached.
    datadog: Option<Box<DatadogTarget>>,
    /// How much waits for it, and what is kept of it.
    limits: ForwardLimits,
    /// The program that is started, if that was asked for.
    launch: Option<Launch>,
    child: Option<Child>,
    life: Life,
    /// Where the child puts what it prints.
    entrance: Inbox,
}

/// What becomes of spans for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoRoom {
    /// They stay in the store until there is.
    Later,
    /// They are counted as dropped: there is no later.
    Lost,
}

/// How far the child is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    /// There is none, or none yet.
    #[default]
    None,
    /// It runs, or its output is still being read; the code it has ended with.
    Going(Option<u8>),
    /// It has ended, and all of its output is read.
    Over(u8),
}

impl Life {
    fn after(self, event: ChildEvent) -> Self {
        match (event, self) {
            (ChildEvent::Started { .. }, _) => Self::Going(None),
            (ChildEvent::Ended { code }, _) => Self::Going(Some(code)),
            (ChildEvent::OutputEnded, Self::Going(code)) => Self::Over(code.unwrap_or_default()),
            (ChildEvent::OutputEnded, other) => other,
        }
    }

    fn exit_code(self) -> u8 {
        match self {
            Self::Over(code) | Self::Going(Some(code)) => code,
            Self::None | Self::Going(None) => 0,
        }
    }
}

impl Feed {
    /// Nothing comes: only files are looked at. What is in them may go on.
    pub(super) fn of_files(settings: &Settings) -> Self {
        let (entrance, inbox) = inbox::channel(InboxLimits::default());
        Self::of(Source {
            agent: None,
            inbox,
            publisher: Publisher::new(settings.sampling.answers),
            demo: None,
            tails: Vec::new(),
            forwarder: None,
            intake: None,
            n_late: 0,
            datadog: datadog(settings),
            limits: intake_limits(settings),
            launch: None,
            child: None,
            life: Life::None,
            entrance,
        })
    }

    fn of(source: Source) -> Self {
        Self {
            source: Some(source),
            batch: Vec::new(),
        }
    }

    /// Starts the agent, whoever reads log files, and a client of our own if a story is to be told.
    /// A program is only started by [`Feed::start_child`].
    pub(super) fn start(settings: &Settings) -> anyhow::Result<Self> {
        let (inbox, receiver) = inbox::channel(InboxLimits::default());
        let mut agent_settings = AgentSettings::new(settings.listen);
        agent_settings.uds.clone_from(&settings.uds);
        agent_settings.otlp = settings.otlp;
        agent_settings.token = settings
            .token
            .as_ref()
            .map(|token| Token::new(token.as_str()));
        let publisher = Publisher::new(settings.sampling.answers);
        agent_settings.rates = publisher.subscribe();
        agent_settings.client_drop_p0s = settings.sampling.client_drop_p0s;
        let forwarder = settings.forward.as_ref().and_then(ForwardTo::agent);
        let forwarder = forwarder.map(|agent| to_agent(agent, &inbox)).transpose()?;
        let queue = forwarder.as_ref().map(Forwarder::queue);
        agent_settings.forward = queue.cloned();
        let agent = Agent::start(agent_settings, inbox.clone())?;
        check_ways_part(settings, &agent)?;
        let inbox = inbox.keeping(match forwarder {
            Some(_) => Keep::Originals,
            None => Keep::Nothing,
        });
        let tails = settings.logs.iter();
        let tails = tails.map(|path| Tail::start(path, inbox.clone()));
        let tails = tails.collect::<Result<Vec<_>, _>>()?;
        let (launch, demo) = match &settings.command {
            Command::Run(child) => (Some(launch(child, settings, &agent)), None),
            Command::Demo(story) => (None, Some(tell(*story, settings, &agent))),
            Command::Agent | Command::Open(_) | Command::Simulate(_) | Command::Doctor(_) => {
                (None, None)
            }
        };
        Ok(Self::of(Source {
            agent: Some(agent),
            inbox: receiver,
            publisher,
            demo,
            tails,
            forwarder,
            intake: None,
            n_late: 0,
            datadog: datadog(settings),
            limits: intake_limits(settings),
            launch,
            child: None,
            life: Life::None,
            entrance: inbox,
        }))
    }

    /// Hands on to Datadog what has gathered and is due, and what the user wants sent, as far as there is
    /// room.
    ///
    /// # Errors
    ///
    /// The thread that sends cannot be started.
    pub(super) fn carry(&mut self, store: &mut Store, now: Now) -> anyhow::Result<()> {
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        store.depart_lines(Due::Settled, now);
        if let Some(courier) = store.courier_mut() {
            courier.tick(now.wall);
        }
        source.send_ready(store, NoRoom::Later)?;
        source.carry_wanted(store, now)?;
        let is_all = source.is_of_files() && !store.forwarding().wants_more();
        let courier = store.courier_mut().filter(|_| is_all);
        // What is chosen by hand may go on for long, and counts go when their time has passed.
        if let Some(courier) = courier.filter(|courier| courier.which() != Which::ByHand) {
            courier.drain();
            source.send_ready(store, NoRoom::Later)?;
        }
        Ok(())
    }

    /// Whether more is wanted sent, and there is room for it.
    pub(super) fn can_carry(&self, store: &Store) -> bool {
        let source = self.source.as_ref();
        store.forwarding().wants_more() && source.is_some_and(Source::has_room)
    }

    /// Whether files were to be sent, and all that was wanted has been, or was given up.
    pub(super) fn has_sent_all(&self, store: &Store) -> bool {
        let is_idle = |source: &Source| {
            let intake = source.intake.as_ref();
            let is_idle = intake.is_none_or(|intake| intake.queue().is_idle());
            source.is_of_files() && source.n_late == 0 && is_idle
        };
        !store.forwarding().wants_more() && self.source.as_ref().is_some_and(is_idle)
    }

    /// Whether spans are carried on as time passes.
    pub(super) fn carries(&self) -> bool {
        self.source
            .as_ref()
            .is_some_and(|source| source.datadog.is_some())
    }

    /// Starts the program that was asked for, if any.
    pub(super) fn start_child(&mut self) -> Result<(), ChildError> {
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        if let Some(launch) = source.launch.clone() {
            source.child = Some(Child::start(launch, source.entrance.clone())?);
            source.life = Life::Going(None);
        }
        Ok(())
    }

    /// The agent, if there is one.
    pub(super) fn agent(&self) -> Option<&Agent> {
        self.source.as_ref()?.agent.as_ref()
    }

    /// Whether a program that we started runs, or its output is still being read.
    pub(super) fn has_child(&self) -> bool {
        let life = self.source.as_ref().map(|source| source.life);
        matches!(life, Some(Life::Going(_)))
    }

    /// Sends a signal to the program that we started.
    pub(super) fn signal_child(&self, signal: ChildSignal) {
        if let Some(source) = &self.source {
            source.press(signal);
        }
    }

    /// Has tracers answered by what the simulated Agent has learnt.
    pub(super) fn publish(&mut self, model: &Model) {
        if let Some(source) = &mut self.source {
            source.publisher.publish(model);
        }
    }

    /// Starts the program again, if it has ended.
    pub(super) fn restart_child(&self) {
        if let Some(child) = self
            .source
            .as_ref()
            .and_then(|source| source.child.as_ref())
        {
            child.restart();
        }
    }

    /// Waits for something and gives what there is. Nothing is
    /// lost when this is dropped while it waits.
    pub(super) async fn next(&mut self) -> Vec<Inbound> {
        let Some(source) = &mut self.source else {
            return std::future::pending().await;
        };
        source
            .inbox
            .recv_many(&mut self.batch, BATCH_ITEMS_MAX)
            .await;
        source.take_note(&mut self.batch);
        mem::take(&mut self.batch)
    }

    /// Stops everything that brings spans and lines; a child that still runs is terminated. What they
    /// still bring goes to `take`. Then what waits to be sent on is, as far as time allows.
    pub(super) fn stop(mut self, mut take: impl FnMut(Vec<Inbound>)) -> Stopped {
        take(mem::take(&mut self.batch));
        let Some(mut source) = self.source else {
            return Stopped::default();
        };
        if let Some(demo) = &source.demo {
            demo.send_replace(true);
        }
        source.tails.iter().for_each(Tail::stop);
        // Whoever wanted to give it time has done so.
        source.press(ChildSignal::Terminate);
        // Room all the time: whoever has something left may wait for it.
        while !source.has_left() {
            take(source.drain());
            std::thread::sleep(LEAVE_LOOK);
        }
        take(source.drain());
        if let Some(agent) = source.agent.take() {
            agent.stop();
        }
        take(source.drain());
        let mut remark = None;
        if let Some(forwarder) = source.forwarder.take() {
            let Ended { rest, .. } = forwarder.stop();
            remark = unsent(&rest);
            take(source.drain());
            take(vec![Inbound::Forwarded(rest)]);
        }
        Stopped {
            code: source.life.exit_code(),
            remark,
            rest: source.datadog.is_some().then_some(source),
        }
    }

    /// What the screen says of the program that we start: its command line, and what is changed of
    /// its environment, without the token.
    pub(super) fn child_command(&self, settings: &Settings) -> Option<ChildCommand> {
        let Command::Run(child) = &settings.command else {
            return None;
        };
        let agent = self.agent()?;
        let token = settings.token.as_ref().map(|_secret| "TOKEN".to_owned());
        let url = reach(settings, agent, token).agent_url();
        Some(ChildCommand {
            command: child.shown(),
            environment: child.changes(&url, settings.flush),
        })
    }
}

/// What is left of a feed.
#[derive(Debug, Default)]
pub(super) struct Stopped {
    /// The exit code.
    pub(super) code: u8,
    /// What was not sent on to an Agent in time, in a sentence.
    pub(super) remark: Option<String>,
    /// Whoever sends the rest to Datadog.
    rest: Option<Source>,
}

impl Stopped {
    /// Sends the rest to Datadog: nothing more comes to the store.
    ///
    /// # Errors
    ///
    /// The thread that sends cannot be started.
    pub(super) fn send_rest(&mut self, store: &mut Store, now: Now) -> anyhow::Result<()> {
        let Some(mut source) = self.rest.take() else {
            return Ok(());
        };
        store.depart_lines(Due::All, now);
        while source.carry_wanted(store, now)? {}
        if let Some(courier) = store.courier_mut() {
            courier.drain();
        }
        source.send_ready(store, NoRoom::Lost)?;
        let Some(intake) = source.intake.take() else {
            return Ok(());
        };
        let Ended {
            rest,
            leftovers,
            n_lost,
        } = intake.stop();
        store.keep_unsent(leftovers, n_lost);
        let mut told = source.drain();
        told.push(Inbound::Forwarded(rest));
        for inbound in told {
            super::take(store, inbound, now);
        }
        Ok(())
    }
}

/// What was not sent on to the Agent before the end, and why.
fn unsent(rest: &Forwarded) -> Option<String> {
    let requests = match rest.dropped {
        0 => return None,
        1 => "1 request was".to_owned(),
        number => format!("{number} requests were"),
    };
    let why = rest.last_error.as_deref();
    let why = why.map(|error| format!(": the Agent {error}"));
    let why = why.unwrap_or_default();
    Some(format!("{requests} not sent on before the end{why}"))
}

impl Source {
    /// Looks at what goes to the loop: what became of the child, and what is to be sent on.
    fn take_note(&mut self, inbounds: &mut [Inbound]) {
        for inbound in inbounds {
            match (inbound, &self.forwarder) {
                (Inbound::Child(event), _) => self.life = self.life.after(*event),
                (Inbound::Lines(lines), Some(forwarder)) => {
                    let queue = forwarder.queue();
                    lines
                        .originals
                        .take()
                        .for_each(|original| queue.send(original));
                }
                _ => {}
            }
        }
    }

    /// Puts what is ready for Datadog into the queue.
    fn send_ready(&mut self, store: &mut Store, no_room: NoRoom) -> anyhow::Result<()> {
        let ready = store.courier_mut().map(Courier::ready);
        let ready = ready.unwrap_or_default();
        if let (false, Some(target), None) = (ready.is_empty(), &self.datadog, &self.intake) {
            match to_datadog(target, self.limits, &self.entrance) {
                Ok(intake) => self.intake = Some(intake),
                Err(error) => {
                    put_all_back(store, ready, self.limits.requests_max);
                    return Err(error);
                }
            }
        }
        let Some(intake) = &self.intake else {
            return Ok(());
        };
        self.n_late = 0;
        for request in ready {
            // Of what comes by itself there is no end.
            let has_spans = !request.spans().is_empty();
            let may_wait = has_spans || self.is_of_files();
            if no_room == NoRoom::Lost || !may_wait || intake.queue().takes(&request) {
                intake.queue().send(request);
            } else {
                self.n_late += usize::from(!has_spans);
                put_back(store, request);
            }
        }
        Ok(())
    }

    /// Hands on some of what is wanted sent, if there is room. Returns whether there was anything.
    fn carry_wanted(&mut self, store: &mut Store, now: Now) -> anyhow::Result<bool> {
        let is_anything = self.has_room() && store.depart_next(now);
        self.send_ready(store, NoRoom::Later)?;
        Ok(is_anything)
    }

    /// Whether nothing comes beside what was opened.
    fn is_of_files(&self) -> bool {
        self.agent.is_none()
    }

    /// Whether there is room for more than what comes by itself.
    fn has_room(&self) -> bool {
        let intake = self.intake.as_ref();
        intake.is_none_or(|intake| intake.queue().has_room())
    }

    fn drain(&mut self) -> Vec<Inbound> {
        let mut rest = Vec::new();
        self.inbox.try_recv_many(&mut rest, BATCH_ITEMS_MAX);
        self.take_note(&mut rest);
        rest
    }

    /// Whether nobody has anything more to say, but for the agent.
    fn has_left(&self) -> bool {
        let is_over = !matches!(self.life, Life::Going(_));
        is_over && self.tails.iter().all(Tail::has_stopped) && self.inbox.is_empty()
    }

    fn press(&self, signal: ChildSignal) {
        match (&self.child, self.life, signal) {
            (Some(child), Life::Going(_), ChildSignal::Interrupt) => child.interrupt(),
            (Some(child), Life::Going(_), ChildSignal::Terminate) => child.terminate(),
            _ => {}
        }
    }
}

const NO_THREAD: &str =
    "the thread that sends on cannot be started; close some programs and start again";

fn to_agent(agent: &AgentAddress, inbox: &Inbox) -> anyhow::Result<Forwarder<ForwardQueue>> {
    Forwarder::<ForwardQueue>::start(agent.clone(), ForwardLimits::default(), inbox.clone())
        .context(NO_THREAD)
}

fn to_datadog(
    target: &DatadogTarget,
    limits: ForwardLimits,
    inbox: &Inbox,
) -> anyhow::Result<Forwarder<IntakeQueue>> {
    let settings = target.settings.clone();
    Forwarder::<IntakeQueue>::start(settings, limits, inbox.clone()).context(NO_THREAD)
}

/// Requests that do not arrive are kept where there is a file for them.
fn intake_limits(settings: &Settings) -> ForwardLimits {
    let is_sent = matches!(settings.command, Command::Open(_)) && settings.forward.is_some();
    let is_kept = is_sent || settings.spill.is_some();
    ForwardLimits {
        leftover_bytes_max: if is_kept { UNSENT_BYTES_MAX } else { 0 },
        ..ForwardLimits::default()
    }
}

/// How Datadog is reached, if anything may go there.
fn datadog(settings: &Settings) -> Option<Box<DatadogTarget>> {
    match &settings.by_hand {
        ByHand::To(target) => Some(target.clone()),
        ByHand::Not(_) => None,
    }
}

/// Which port is ours is known for certain once it is bound.
fn check_ways_part(settings: &Settings, agent: &Agent) -> anyhow::Result<()> {
    let Some(to) = settings.forward.as_ref().and_then(ForwardTo::agent) else {
        return Ok(());
    };
    let mut bound = [Some(agent.local_addr()), agent.otlp_addr()]
        .into_iter()
        .flatten();
    anyhow::ensure!(
        !bound.any(|bound| to.is_at(bound)),
        "--forward agent= names {to}, where this program listens itself: give one of the two another address"
    );
    Ok(())
}

/// Where programs reach us.
fn reach(settings: &Settings, agent: &Agent, token: Option<String>) -> Reach {
    Reach {
        listen: agent.local_addr(),
        otlp: agent.otlp_addr(),
        url: settings.url.as_ref().map(|url| url.0.clone()),
        token,
        flush: settings.flush,
    }
}

fn launch(child: &ChildSettings, settings: &Settings, agent: &Agent) -> Launch {
    let token = settings
        .token
        .as_ref()
        .map(|token| token.as_str().to_owned());
    let url = reach(settings, agent, token).agent_url();
    let environment = child.changes(&url, settings.flush);
    Launch::new(child.command.clone(), environment)
}

fn tell(story: Story, settings: &Settings, agent: &Agent) -> watch::Sender<bool> {
    let (stop, stopped) = watch::channel(false);
    let target = DemoTarget {
        address: agent.local_addr(),
        token: settings.token.clone(),
    };
    tokio::spawn(demo::run(target, story, clock::wall, stopped));
    stop
}
