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
use tokio::time::Instant;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// Nothing has come since the last answer, or since it was opened.
    Idle(Instant),
    /// The head of a request has begun to arrive.
    Head(Instant),
    /// A request is being read or answered.
    Serving,
}

/// Why a connection is closed by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// It was idle, and its place was needed.
    Evicted,
    /// The head of a request took too long.
    SlowHead,
    /// The agent stops.
    Stop,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    activity: Cell<Activity>,
    close: Cell<Option<Close>>,
    asked_to_close: Notify,
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

    pub(super) fn begin_request(&self) {
        self.activity.set(Activity::Serving);
    }

    pub(super) fn end_request(&self) {
        self.activity.set(Activity::Idle(Instant::now()));
        self.changed.notify_waiters();
    }

    fn bytes_came(&self) {
        if let Activity::Idle(_) = self.activity.get() {
            self.activity.set(Activity::Head(Instant::now()));
        }
    }

    fn ask_to_close(&self, why: Close) {
        if self.close.get().is_none() {
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
    /// A connection has ended or become idle.
    changed: Rc<Notify>,
}

impl Connections {
    pub(super) fn new(open_max: usize) -> Rc<Self> {
        Rc::new(Self {
            open: RefCell::default(),
            next_id: Cell::new(0),
            open_max: open_max.max(1),
            changed: Rc::default(),
        })
    }

    /// A place for one more. When all are taken, the longest idle one is closed; when none is idle,
    /// waits until one is.
    pub(super) async fn admit(self: &Rc<Self>) -> Place {
        loop {
            let changed = self.changed.notified();
            if self.open.borrow().len() < self.open_max {
                return self.open_one();
            }
            self.evict_longest_idle();
            changed.await;
        }
    }

    fn open_one(self: &Rc<Self>) -> Place {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let connection = Rc::new(Connection {
            activity: Cell::new(Activity::Idle(Instant::now())),
            close: Cell::new(None),
            asked_to_close: Notify::new(),
            changed: Rc::clone(&self.changed),
        });
        self.open.borrow_mut().insert(id, Rc::clone(&connection));
        Place {
            connection,
            id,
            connections: Rc::clone(self),
        }
    }

    fn evict_longest_idle(&self) {
        let open = self.open.borrow();
        if open
            .values()
            .any(|connection| connection.close.get() == Some(Close::Evicted))
        {
            // One is on its way out already, and its end is told.
            return;
        }
        let longest = open
            .values()
            .filter_map(|connection| match connection.activity.get() {
                Activity::Idle(since) => Some((since, connection)),
                Activity::Head(_) | Activity::Serving => None,
            })
            .min_by_key(|(since, _)| *since);
        if let Some((_, connection)) = longest {
            connection.ask_to_close(Close::Evicted);
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
        if buffer.filled().len() > before {
            self.connection.bytes_came();
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
