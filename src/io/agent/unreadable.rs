//! What was no request at all: other protocols, broken heads, heads that never ended. Each leaves a
//! line in the request log that says what to do; more of the same kind are counted and told in one
//! line at the end of a while, so that a scanner cannot fill the log or the inbox.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::ingest::{Overflow, RequestClass, RequestRecord};
use crate::io::clock;
use crate::trace::{Via, printable};

use super::connection::{Close, Connection};
use super::record::{NOTE_BYTES_MAX, send_now};
use super::server::Shared;

/// Why a connection brought no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The beginning of a TLS handshake.
    Tls,
    /// The beginning of HTTP/2, which gRPC speaks too.
    Http2,
    /// Anything else that is no HTTP.
    NoHttp,
    /// A request line and headers that are not as they should be.
    BrokenHead,
    /// It was HTTP, and then no longer.
    AfterRequest,
    /// More bytes, or more headers, than are taken.
    HeadTooLarge,
    /// A request line longer than any.
    PathTooLong,
    /// A head that was begun, and took too long.
    SlowHead,
    /// The same, while others waited for a connection.
    CrowdedOut,
    /// The client went away within a head.
    CutHead,
}

impl Fault {
    /// What an error of the HTTP library says about a connection that ended with it; `None` when
    /// nothing was lost.
    pub(super) fn of(error: &hyper::Error, connection: &Connection) -> Option<Self> {
        if error.is_parse_too_large() {
            // The library tells them apart in words only.
            let is_path = error.to_string().contains("URI");
            return Some(if is_path {
                Self::PathTooLong
            } else {
                Self::HeadTooLarge
            });
        }
        if error.is_parse() {
            return Some(if connection.has_served() {
                Self::AfterRequest
            } else {
                Self::of_beginning(connection.first_bytes().as_slice())
            });
        }
        connection.is_within_head().then_some(Self::CutHead)
    }

    pub(super) fn of_close(why: Close) -> Option<Self> {
        match why {
            Close::SlowHead => Some(Self::SlowHead),
            Close::CrowdedOut => Some(Self::CrowdedOut),
            Close::Evicted | Close::Stop => None,
        }
    }

    fn of_beginning(bytes: &[u8]) -> Self {
        const METHODS: [&[u8]; 7] = [
            b"GET ", b"PUT ", b"POST", b"HEAD", b"OPTI", b"DELE", b"PATC",
        ];
        match bytes {
            [0x16, 0x03, ..] | [0x80, _, 0x01, 0x03, ..] => Self::Tls,
            _ if bytes.starts_with(b"PRI * HTTP/2") => Self::Http2,
            _ if METHODS.iter().any(|method| bytes.starts_with(method)) => Self::BrokenHead,
            _ => Self::NoHttp,
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::HeadTooLarge => 431,
            Self::PathTooLong => 414,
            Self::SlowHead | Self::CrowdedOut => 408,
            Self::Http2 => 505,
            _ => 400,
        }
    }

    /// What happened and what to do.
    fn sentence(self, shared: &Shared, what: &str) -> String {
        let limits = &shared.limits;
        match self {
            Self::Tls => {
                "TLS was spoken to a plain port: use http:// instead of https:// in the client's URL"
                    .to_owned()
            }
            Self::Http2 => {
                "HTTP/2 was spoken, this port speaks HTTP/1.1: for OpenTelemetry set \
                 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, otherwise let the client use HTTP/1.1"
                    .to_owned()
            }
            Self::NoHttp => format!(
                "what came is no HTTP; it begins with {what}. Something that is no tracer has this \
                 address: see what connects to it"
            ),
            Self::BrokenHead => format!(
                "the head of the request cannot be read ({what}); look for line breaks or control \
                 characters in the client's headers"
            ),
            Self::AfterRequest => format!(
                "what followed a request on its connection is no request ({what}): the body was \
                 longer than its Content-Length said; mend the client, or a proxy between"
            ),
            Self::HeadTooLarge => format!(
                "the head of the request has more than {} bytes or 100 headers; let the client send \
                 fewer or shorter headers",
                limits.head_bytes_max
            ),
            Self::PathTooLong => {
                "the path has more than 65,534 bytes; only those that GET /info lists are served"
                    .to_owned()
            }
            Self::SlowHead => format!(
                "the head of the request did not arrive within {:?}; is the client, or a proxy \
                 between, stalled?",
                limits.header_read_max
            ),
            Self::CrowdedOut => format!(
                "the head of the request did not arrive within {:?}, and others waited for one of \
                 the {} connections; close what keeps them open",
                limits.crowded_read_max, limits.connections_max
            ),
            Self::CutHead => {
                "the client closed the connection within the head of a request; it may have timed \
                 out, or was a check whether the port is open"
                    .to_owned()
            }
        }
    }
}

/// What was told a moment ago.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// One for each kind and way, so there are few.
    told: RefCell<Vec<Told>>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    fault: Fault,
    via: Via,
    /// How many came since.
    n_more: u64,
}

impl Faults {
    /// Tells of one, at once if it is the first of its kind for a while.
    pub(super) fn tell(shared: &Rc<Shared>, via: Via, fault: Fault, what: &str) {
        let sentence = fault.sentence(shared, what);
        let mut told = shared.faults.told.borrow_mut();
        if let Some(known) = told
            .iter_mut()
            .find(|told| (told.fault, told.via) == (fault, via))
        {
            known.n_more += 1;
            return;
        }
        told.push(Told {
            fault,
            via,
            n_more: 0,
        });
        drop(told);
        tracing::warn!(?via, status = fault.status(), "{sentence}");
        send_now(&shared.inbox, record(via, fault.status(), &sentence));
        let shared = Rc::clone(shared);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(shared.limits.alike_told_every).await;
            let mut told = shared.faults.told.borrow_mut();
            let place = told
                .iter()
                .position(|told| (told.fault, told.via) == (fault, via));
            let told = place.map(|place| told.swap_remove(place));
            if let Some(told) = told {
                told.tell_more(&shared, &sentence);
            }
        });
    }

    /// Tells of those that were only counted until now.
    pub(super) fn tell_rest(shared: &Shared) {
        for told in shared.faults.told.take() {
            told.tell_more(
                shared,
                &told.fault.sentence(shared, "the first is told above"),
            );
        }
    }
}

impl Told {
    fn tell_more(self, shared: &Shared, sentence: &str) {
        let Some(n_unsaid) = self.n_more.checked_sub(1) else {
            return;
        };
        let within: Duration = shared.limits.alike_told_every;
        let note = format!("{} more like it within {within:?}: {sentence}", self.n_more);
        tracing::warn!(via = ?self.via, status = self.fault.status(), "{note}");
        // The line counts as one request itself.
        shared.inbox.refuse(Overflow {
            unreadable: n_unsaid,
            ..Overflow::default()
        });
        send_now(&shared.inbox, record(self.via, self.fault.status(), &note));
    }
}

fn record(via: Via, status: u16, reason: &str) -> RequestRecord {
    RequestRecord {
        at: clock::wall(),
        via,
        method: Cow::default(),
        path: Cow::default(),
        endpoint: Cow::default(),
        class: RequestClass::Other,
        status,
        bytes: 0,
        client: Arc::default(),
        note: printable(reason, NOTE_BYTES_MAX),
        announced_chunks: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_says_what_was_spoken() {
        let cases: [(&[u8], Fault); 7] = [
            (b"\x16\x03\x01\x02\x00\x01", Fault::Tls),
            (b"\x80\x2e\x01\x03\x01", Fault::Tls),
            (b"PRI * HTTP/2.0\r\n\r\nSM", Fault::Http2),
            (b"PUT /v0.4/traces HTTP/1.1", Fault::BrokenHead),
            (b"\x00\x00\x00", Fault::NoHttp),
            (b"SSH-2.0-OpenSSH", Fault::NoHttp),
            (b"", Fault::NoHttp),
        ];
        for (bytes, fault) in cases {
            assert_eq!(Fault::of_beginning(bytes), fault, "{bytes:?}");
        }
    }
}
