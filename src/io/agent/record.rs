//! The line of the request log: made before the body is read, so that a request whose client goes
//! away still leaves one.

use std::sync::Arc;

use crate::ingest::{Brought, Inbound, Overflow, Request, RequestRecord};
use crate::io::clock;
use crate::io::inbox::Inbox;
use crate::trace::{UnixNanos, Via, printable};
use crate::wire::endpoint::known_method;
use crate::wire::header::TraceHeaders;

use super::route::Route;

/// A request that has begun. Unless it is [finished](Pending::finish), it is recorded as one whose
/// client went away.
#[derive(Debug)]
pub(super) struct Pending<'a> {
    record: Option<RequestRecord>,
    inbox: &'a Inbox,
}

impl<'a> Pending<'a> {
    pub(super) fn new(record: RequestRecord, inbox: &'a Inbox) -> Self {
        Self {
            record: Some(record),
            inbox,
        }
    }

    /// Counts bytes of the body.
    pub(super) fn count(&mut self, bytes: usize) {
        if let Some(record) = &mut self.record {
            record.bytes = record
                .bytes
                .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    /// The record with the answer in it, and a note that may be shown.
    pub(super) fn finish(mut self, status: u16, note: Box<str>) -> Option<RequestRecord> {
        self.take(status, note)
    }

    /// Ends it where there is no room for the record: only the numbers are kept.
    pub(super) fn overflow(mut self, status: u16) {
        if let Some(record) = self.take(status, Box::default()) {
            self.inbox.refuse(overflow(&record));
        }
    }

    fn take(&mut self, status: u16, note: Box<str>) -> Option<RequestRecord> {
        let mut record = self.record.take()?;
        record.at = clock::wall();
        record.status = status;
        record.note = note;
        Some(record)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.record.is_none() {
            return;
        }
        let note = "the client closed the connection before the answer, or this program stopped; nothing was taken";
        if let Some(record) = self.take(400, note.into()) {
            send_now(self.inbox, record);
        }
    }
}

/// Puts a record without spans into the inbox without waiting; counts it if there is no room.
pub(super) fn send_now(inbox: &Inbox, record: RequestRecord) {
    let overflow = overflow(&record);
    let request = Request {
        record,
        brought: Brought::Nothing,
    };
    if inbox.try_send(Inbound::Request(Box::new(request))).is_err() {
        inbox.refuse(overflow);
    }
}

fn overflow(record: &RequestRecord) -> Overflow {
    if record.is_refused_payload() {
        Overflow {
            payloads: 1,
            chunks: record.announced_chunks,
            unreadable: 0,
        }
    } else {
        Overflow {
            unreadable: u64::from(record.method.is_empty()),
            ..Overflow::default()
        }
    }
}

/// The record of a request before its answer.
pub(super) fn begun(
    route: &Route,
    method: &str,
    headers: &TraceHeaders,
    via: Via,
) -> RequestRecord {
    RequestRecord {
        at: UnixNanos::default(),
        via,
        method: match known_method(method) {
            Some(name) => name.into(),
            None => printable(method, METHOD_BYTES_MAX).into_string().into(),
        },
        path: route.path.clone(),
        endpoint: route.endpoint.into(),
        class: route.class,
        status: 0,
        bytes: 0,
        client: Arc::clone(&headers.client),
        note: Box::default(),
        announced_chunks: headers.announced_chunks,
    }
}

pub(super) const NOTE_BYTES_MAX: usize = 1024;
const METHOD_BYTES_MAX: usize = 16;
