//! Reading a body: never more than is allowed, never longer, and all bodies together within a
//! budget. Knows nothing of what is in it.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Limits;
use super::record::Pending;
use super::reply::Reply;

/// A body in memory, and its part of the budget.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) bytes: Bytes,
    budget: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It is too large, or says it will be.
    TooLarge,
    /// It took too long.
    TooSlow,
    /// Too many other bodies are in memory.
    NoRoom,
    /// It took long, and others waited for a connection.
    CrowdedOut,
    /// The client went away.
    Cut {
        /// Bytes that came.
        n_bytes: usize,
        /// Bytes it said would come; `None` for a chunked body.
        announced: Option<u64>,
    },
    /// Its chunks are not as they should be.
    Broken,
}

impl Problem {
    /// The answer to it.
    pub(super) fn reply(self, limits: &Limits) -> Reply {
        let reply = match self {
            Self::TooLarge => Reply::refusal(
                413,
                format!(
                    "the body is larger than {} bytes; let the client send less at once",
                    limits.body_bytes_max
                ),
            ),
            Self::TooSlow => Reply::refusal(
                408,
                format!(
                    "the body did not arrive within {:?}; is the client, or a tunnel between, stalled?",
                    limits.body_read_max
                ),
            ),
            Self::NoRoom => Reply::busy(),
            Self::CrowdedOut => Reply::refusal(
                408,
                format!(
                    "the body did not arrive within {:?}, and others waited for one of the {} \
                     connections; send it again",
                    limits.crowded_read_max, limits.connections_max
                ),
            ),
            Self::Cut { n_bytes, announced } => Reply::refusal(400, cut(n_bytes, announced)),
            Self::Broken => Reply::refusal(
                400,
                "the chunks of the body are not as Transfer-Encoding: chunked has them; mend the \
                 client, or a proxy between",
            ),
        };
        reply.ending_connection()
    }

    /// Whether the client may still be sending.
    pub(super) fn is_ours(self) -> bool {
        !matches!(self, Self::Cut { .. } | Self::Broken)
    }
}

fn cut(n_bytes: usize, announced: Option<u64>) -> String {
    let of = announced.map_or_else(String::new, |announced| format!(" of {announced}"));
    format!(
        "the client closed the connection after {n_bytes}{of} bytes of the body, and nothing of it \
         was taken; it may have timed out, or said a wrong Content-Length"
    )
}

/// The memory all bodies share.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(
            bytes_max.min(Semaphore::MAX_PERMITS),
        )))
    }

    /// Room for more bytes; asked for as they come, since an announced length costs a stranger
    /// nothing.
    async fn take(&self, bytes: usize, limits: &Limits) -> Result<OwnedSemaphorePermit, Problem> {
        let bytes = u32::try_from(bytes).map_err(|_huge| Problem::TooLarge)?;
        if let Ok(permit) = Arc::clone(&self.0).try_acquire_many_owned(bytes) {
            return Ok(permit);
        }
        let waiting = Arc::clone(&self.0).acquire_many_owned(bytes);
        match timeout(limits.body_room_wait_max, waiting).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Problem::NoRoom),
        }
    }
}

/// Reads a body into memory.
pub(super) async fn keep(
    body: &mut Incoming,
    limits: &Limits,
    budget: &Budget,
    pending: &mut Pending<'_>,
) -> Result<Held, Problem> {
    let reading = async {
        let mut held = Held::default();
        let mut joined = Vec::new();
        let mut n_bytes = 0;
        while let Some(piece) = next(body, &mut n_bytes, limits, pending).await? {
            let room = budget.take(piece.len(), limits).await?;
            match &mut held.budget {
                None => held.budget = Some(room),
                Some(budget) => budget.merge(room),
            }
            if held.bytes.is_empty() && joined.is_empty() {
                // Most bodies are one piece, and are not copied.
                held.bytes = piece;
            } else {
                joined.extend_from_slice(&std::mem::take(&mut held.bytes));
                joined.extend_from_slice(&piece);
            }
        }
        if !joined.is_empty() {
            held.bytes = joined.into();
        }
        Ok(held)
    };
    timeout(limits.body_read_max, reading)
        .await
        .unwrap_or(Err(Problem::TooSlow))
}

/// Reads a body to its end without keeping it.
pub(super) async fn discard(
    body: &mut Incoming,
    limits: &Limits,
    pending: &mut Pending<'_>,
) -> Result<(), Problem> {
    let reading = async {
        let mut n_bytes = 0;
        while next(body, &mut n_bytes, limits, pending).await?.is_some() {}
        Ok(())
    };
    timeout(limits.body_read_max, reading)
        .await
        .unwrap_or(Err(Problem::TooSlow))
}

/// Goes on reading a refused body for a moment, up to twice what is allowed. A client that is still
/// sending would otherwise see a reset connection instead of the answer.
pub(super) fn linger(mut body: Incoming, limits: &Limits) {
    let bytes_max = limits.body_bytes_max.saturating_mul(2);
    let wait_max = limits.body_room_wait_max;
    tokio::task::spawn_local(timeout(wait_max, async move {
        let mut n_bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            n_bytes += frame.data_ref().map_or(0, Bytes::len);
            if n_bytes > bytes_max {
                break;
            }
        }
    }));
}

async fn next(
    body: &mut Incoming,
    n_bytes: &mut usize,
    limits: &Limits,
    pending: &mut Pending<'_>,
) -> Result<Option<Bytes>, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if n_bytes.saturating_add(announced) > limits.body_bytes_max {
        return Err(Problem::TooLarge);
    }
    loop {
        let frame = match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => frame,
            Some(Err(error)) if is_broken(&error) => return Err(Problem::Broken),
            Some(Err(_)) => {
                let missing = body.size_hint().exact();
                let came = u64::try_from(*n_bytes).unwrap_or(u64::MAX);
                return Err(Problem::Cut {
                    n_bytes: *n_bytes,
                    announced: missing.map(|missing| missing.saturating_add(came)),
                });
            }
        };
        // Anything else is trailers, which nobody looks at.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        *n_bytes += piece.len();
        pending.count(piece.len());
        if *n_bytes > limits.body_bytes_max {
            return Err(Problem::TooLarge);
        }
        return Ok(Some(piece));
    }
}

/// Whether the encoding of a body is wrong, not only its end missing.
fn is_broken(error: &hyper::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let mut kinds = causes.filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    kinds.any(|kind| {
        matches!(
            kind,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
        )
    })
}
