//! The thread of the agent: accepts connections, serves each in a task, stops them. One thread for
//! all, so that a busy screen or store cannot delay an answer; only large bodies are decoded aside.

use std::io;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use crate::ingest::Inbound;
use crate::io::forward::ForwardQueue;
use crate::io::inbox::Inbox;
use crate::trace::Via;

use super::address::Listeners;
use super::body::Budget;
use super::connection::{Close, Connection, Connections, Place, Watched};
use super::request::answer;
use super::token::Token;
use super::unreadable::{Fault, Faults};
use super::{AgentSettings, Limits, RateAnswers};

/// What all requests need.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) token: Option<Token>,
    pub(super) limits: Limits,
    pub(super) rates: watch::Receiver<RateAnswers>,
    pub(super) info: Bytes,
    pub(super) inbox: Inbox,
    pub(super) budget: Budget,
    pub(super) faults: Faults,
    pub(super) forward: Option<ForwardQueue>,
}

impl Shared {
    pub(super) fn new(settings: AgentSettings, inbox: Inbox, info: Bytes) -> Self {
        let budget = Budget::new(settings.limits.body_bytes_in_flight_max);
        let AgentSettings {
            token,
            limits,
            rates,
            forward,
            listen: _,
            client_drop_p0s: _,
            otlp: _,
            uds: _,
        } = settings;
        Self {
            token,
            limits,
            rates,
            info,
            inbox,
            budget,
            faults: Faults::default(),
            forward,
        }
    }
}

/// Large bodies that are decoded at the same time.
const DECODE_THREADS_MAX: usize = 2;

/// How long a connection may take to write the rest of its answer when it is closed.
const CLOSE_WAIT_MAX: Duration = Duration::from_millis(100);

/// Pause after an accept that failed, most often for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Starts the thread. It ends when the sender of `stopped` is dropped.
pub(super) fn spawn(
    listeners: Listeners,
    shared: Shared,
    stopped: watch::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(DECODE_THREADS_MAX)
        .thread_name("agent-decode")
        .build()?;
    let entered = runtime.enter();
    let tcp = std::iter::once(listeners.tcp).chain(listeners.otlp);
    let tcp: io::Result<Vec<_>> = tcp.map(TcpListener::from_std).collect();
    let uds = listeners.uds.map(UnixListener::from_std).transpose();
    drop(entered);
    let (tcp, uds) = match (tcp, uds) {
        (Ok(tcp), Ok(uds)) => (tcp, uds),
        (Err(error), _) | (_, Err(error)) => {
            runtime.shutdown_background();
            return Err(error);
        }
    };
    let run = move || run(runtime, shared, tcp, uds, stopped);
    thread::Builder::new().name("agent".into()).spawn(run)
}

fn run(
    runtime: Runtime,
    shared: Shared,
    tcp: Vec<TcpListener>,
    uds: Option<UnixListener>,
    mut stopped: watch::Receiver<()>,
) {
    let shared = Rc::new(shared);
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let connections = Connections::new(&shared.limits);
        let slow_heads = Rc::clone(&connections).close_slow_heads(shared.limits.header_read_max);
        let mut tasks = vec![spawn_local(slow_heads)];
        for tcp in tcp {
            tasks.push(spawn_local(accept_tcp(
                tcp,
                Rc::clone(&shared),
                Rc::clone(&connections),
            )));
        }
        if let Some(uds) = uds {
            tasks.push(spawn_local(accept_uds(
                uds,
                Rc::clone(&shared),
                Rc::clone(&connections),
            )));
        }
        // Nothing is ever sent: it ends when the sender is dropped.
        let _dropped = stopped.changed().await;
        for task in tasks {
            task.abort();
        }
        let _in_time = timeout(shared.limits.stop_wait_max, connections.close_all()).await;
        Faults::tell_rest(&shared);
    });
    drop(local);
    runtime.shutdown_background();
}

async fn accept_tcp(listener: TcpListener, shared: Rc<Shared>, connections: Rc<Connections>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it, small answers may wait for the client's acknowledgement.
                let _set = stream.set_nodelay(true);
                let place = connections.admit().await;
                spawn_local(serve(stream, Via::Http, place, Rc::clone(&shared)));
            }
            Err(error) => pause_accepting(&shared, &error).await,
        }
    }
}

async fn accept_uds(listener: UnixListener, shared: Rc<Shared>, connections: Rc<Connections>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let place = connections.admit().await;
                spawn_local(serve(stream, Via::Uds, place, Rc::clone(&shared)));
            }
            Err(error) => pause_accepting(&shared, &error).await,
        }
    }
}

async fn pause_accepting(shared: &Shared, error: &io::Error) {
    let gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !gone {
        tracing::warn!(%error, "cannot accept a connection");
        let notice =
            format!("Cannot accept connections: {error}; close programs or raise `ulimit -n`");
        // When the inbox is full as well, the log has it.
        let _sent = shared.inbox.try_send(Inbound::Notice(notice));
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

async fn serve<S>(stream: S, via: Via, place: Place, shared: Rc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let connection = &place.connection;
    let service = service_fn(|request| async {
        connection.begin_request();
        let response = answer((&shared, connection), via, request).await;
        connection.end_request();
        Ok::<_, std::convert::Infallible>(response)
    });
    let stream = TokioIo::new(Watched {
        stream,
        connection: Rc::clone(connection),
    });
    // Hyper's own time-out for heads also ends idle connections, which tracers keep open for long.
    let http = http1::Builder::new()
        .half_close(true)
        // Answers are small: one piece costs less to send than a list of two.
        .writev(false)
        .max_buf_size(shared.limits.head_bytes_max.max(8 * 1024))
        .serve_connection(stream, service);
    let mut http = std::pin::pin!(http);
    let ended = loop {
        // What has come is read first: who seemed idle may have said something meanwhile.
        let why = tokio::select! {
            biased;
            ended = http.as_mut() => break ended,
            why = connection.closing() => why,
        };
        if why == Close::Evicted && connection.stay_unless_idle() {
            continue;
        }
        if let Some(fault) = Fault::of_close(why) {
            return Faults::tell(&shared, via, fault, "");
        }
        http.as_mut().graceful_shutdown();
        let wait_max = if why == Close::Stop {
            shared.limits.stop_wait_max
        } else {
            CLOSE_WAIT_MAX
        };
        break timeout(wait_max, http).await.unwrap_or(Ok(()));
    };
    // What hyper refuses by itself never becomes a request; it is recorded all the same.
    if let Err(error) = ended
        && let Some(fault) = Fault::of(&error, connection)
    {
        Faults::tell(
            &shared,
            via,
            fault,
            &what_is_wrong(fault, &error, connection),
        );
    }
}

/// The beginning of what is no HTTP, else what the HTTP library says.
fn what_is_wrong(fault: Fault, error: &hyper::Error, connection: &Connection) -> String {
    if fault == Fault::NoHttp {
        format!("\"{}\"", connection.first_bytes().escape_ascii())
    } else {
        error.to_string()
    }
}
