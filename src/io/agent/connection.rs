//! The open connections: how many there are, which one has been idle longest, and which takes too
//! long over the head of a request. All of it in one thread, so there are cells and no locks.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::Limits;
use crate::wire::header::{Sender, TraceHeaders};

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// Nothing has come since the last answer, or since it was opened.
    Idle(Instant),
    /// The head of a request has begun to arrive.
    Head(Instant),
    /// The head has come, and the body is being read.
    Body(Instant),
    /// A request is being decoded or answered.
    Serving,
}

/// Why a connection is closed by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// It was idle, and its place was needed.
    Evicted,
    /// The head of a request took too long.
    SlowHead,
    /// The head of a request took long, and its place was needed.
    CrowdedOut,
    /// The agent stops.
    Stop,
}

/// So many bytes of what came first on a connection tell what is spoken.
const FIRST_BYTES: usize = 16;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    activity: Cell<Activity>,
    close: Cell<Option<Close>>,
    asked_to_close: Notify,
    /// The body that is being read has to end now.
    asked_to_give_way: Notify,
    first_bytes: RefCell<Vec<u8>>,
    has_served: Cell<bool>,
    sender: RefCell<Sender>,
    changed: Rc<Notify>,
}

impl Connection {
    /// Waits until we have a reason to close it.
    pub(super) async fn closing(&self) -> Close {
        loop {
            if let Some(close) = self.close.get() {
                return close;
            }
            self.asked_to_close.notified().await;
        }
    }

    /// Waits until the place of a body that is slow to come is needed for others.
    pub(super) async fn giving_way(&self) {
        loop {
            self.asked_to_give_way.notified().await;
            if let Activity::Body(_) = self.activity.get() {
                return;
            }
        }
    }

    /// The headers of a request on it.
    pub(super) fn headers<'h>(
        &self,
        header: impl Fn(&'static str) -> Option<&'h [u8]>,
    ) -> TraceHeaders {
        TraceHeaders::read_after(&mut self.sender.borrow_mut(), header)
    }

    /// What came first on it, the beginning.
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        self.first_bytes.borrow().clone()
    }

    /// Whether a request has come on it.
    pub(super) fn has_served(&self) -> bool {
        self.has_served.get()
    }

    /// Whether a head has begun and not ended.
    pub(super) fn is_within_head(&self) -> bool {
        matches!(self.activity.get(), Activity::Head(_))
    }

    /// A head has come to its end.
    pub(super) fn begin_request(&self) {
        self.has_served.set(true);
        self.activity.set(Activity::Body(Instant::now()));
    }

    /// A body has come to its end.
    pub(super) fn end_body(&self) {
        self.activity.set(Activity::Serving);
    }

    pub(super) fn end_request(&self) {
        self.activity.set(Activity::Idle(Instant::now()));
        self.changed.notify_waiters();
    }

    fn bytes_came(&self, bytes: &[u8]) {
        if !self.has_served.get() {
            let mut first = self.first_bytes.borrow_mut();
            let n_missing = FIRST_BYTES.saturating_sub(first.len());
            first.extend(bytes.iter().take(n_missing));
        }
        if let Activity::Idle(_) = self.activity.get() {
            self.activity.set(Activity::Head(Instant::now()));
        }
    }

    /// Takes back that it is to be closed, if a request has begun since. Returns whether one has.
    pub(super) fn stay_unless_idle(&self) -> bool {
        let is_idle = matches!(self.activity.get(), Activity::Idle(_));
        if !is_idle {
            self.close.set(None);
            self.changed.notify_waiters();
        }
        !is_idle
    }

    fn ask_to_close(&self, why: Close) {
        if self.close.get().is_none() || why == Close::Stop {
            self.close.set(Some(why));
        }
        self.asked_to_close.notify_one();
    }
}

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    open: RefCell<HashMap<u64, Rc<Connection>>>,
    next_id: Cell<u64>,
    open_max: usize,
    crowded_read_max: Duration,
    /// A connection has ended or become idle.
    changed: Rc<Notify>,
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Rc<Self> {
        Rc::new(Self {
            open: RefCell::default(),
            next_id: Cell::new(0),
            open_max: limits.connections_max.max(1),
            crowded_read_max: limits.crowded_read_max,
            changed: Rc::default(),
        })
    }

    /// A place for one more. When all are taken, the longest idle one is closed; when none is idle,
    /// that of whoever takes longest to say what it wants, once that is too long; else waits.
    pub(super) async fn admit(self: &Rc<Self>) -> Place {
        loop {
            let changed = self.changed.notified();
            if self.open.borrow().len() < self.open_max {
                return self.open_one();
            }
            self.make_place();
            // Nobody tells when something has taken too long.
            let _in_time = timeout(self.crowded_read_max / 4, changed).await;
        }
    }

    fn open_one(self: &Rc<Self>) -> Place {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let connection = Rc::new(Connection {
            activity: Cell::new(Activity::Idle(Instant::now())),
            close: Cell::new(None),
            asked_to_close: Notify::new(),
            asked_to_give_way: Notify::new(),
            first_bytes: RefCell::default(),
            has_served: Cell::new(false),
            sender: RefCell::default(),
            changed: Rc::clone(&self.changed),
        });
        self.open.borrow_mut().insert(id, Rc::clone(&connection));
        Place {
            connection,
            id,
            connections: Rc::clone(self),
        }
    }

    fn make_place(&self) {
        let open = self.open.borrow();
        let is_leaving = |connection: &Rc<Connection>| {
            matches!(
                connection.close.get(),
                Some(Close::Evicted | Close::CrowdedOut)
            )
        };
        if open.values().any(is_leaving) {
            // One is on its way out already, and its end is told.
            return;
        }
        let longest = |since: fn(Activity) -> Option<Instant>| {
            let all = open.values();
            let since = all.filter_map(|found| Some((since(found.activity.get())?, found)));
            since.min_by_key(|(since, _)| *since)
        };
        let idle = longest(|activity| match activity {
            Activity::Idle(since) => Some(since),
            _ => None,
        });
        if let Some((_, idle)) = idle {
            return idle.ask_to_close(Close::Evicted);
        }
        let reading = longest(|activity| match activity {
            Activity::Head(since) | Activity::Body(since) => Some(since),
            _ => None,
        });
        let Some((since, slow)) = reading else {
            return;
        };
        if since.elapsed() < self.crowded_read_max {
            return;
        }
        match slow.activity.get() {
            Activity::Body(_) => slow.asked_to_give_way.notify_one(),
            _ => slow.ask_to_close(Close::CrowdedOut),
        }
    }

    /// Closes those that have sent the beginning of a head and not the rest, again and again.
    pub(super) async fn close_slow_heads(self: Rc<Self>, header_read_max: Duration) {
        let mut ticks = tokio::time::interval((header_read_max / 4).max(Duration::from_millis(1)));
        loop {
            let now = ticks.tick().await;
            for connection in self.open.borrow().values() {
                if let Activity::Head(since) = connection.activity.get()
                    && now.saturating_duration_since(since) > header_read_max
                {
                    connection.ask_to_close(Close::SlowHead);
                }
            }
        }
    }

    /// Closes all, those that serve a request after it, and waits until none is open.
    pub(super) async fn close_all(&self) {
        for connection in self.open.borrow().values() {
            connection.ask_to_close(Close::Stop);
        }
        loop {
            let changed = self.changed.notified();
            if self.open.borrow().is_empty() {
                return;
            }
            changed.await;
        }
    }
}

/// A place among the open connections, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) connection: Rc<Connection>,
    id: u64,
    connections: Rc<Connections>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open.borrow_mut().remove(&self.id);
        self.connections.changed.notify_waiters();
    }
}

/// A stream that notes when bytes come.
#[derive(Debug)]
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) connection: Rc<Connection>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some(came) = buffer
            .filled()
            .get(before..)
            .filter(|came| !came.is_empty())
        {
            self.connection.bytes_came(came);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
