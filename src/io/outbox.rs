//! Lines on their way into the inbox. Nothing here waits: what the inbox has no room for is kept up
//! to a limit, in its order, and what is above the limit is dropped and counted.

use std::collections::VecDeque;
use std::mem;

use super::inbox::Inbox;
use crate::ingest::{Brought, Inbound, LineReader, Lines, Overflow, Request};
use crate::logs::LogSource;
use crate::trace::Via;

/// Batches are joined up to this size, so that an item of the inbox is worth its place and the loop
/// has its turn between two of them.
const BATCH_BYTES: usize = 128 * 1024;

/// What one source of lines has for the loop.
#[derive(Debug)]
pub(super) struct Outbox {
    inbox: Inbox,
    kept: VecDeque<Inbound>,
    kept_bytes: usize,
    kept_bytes_max: usize,
    /// What was dropped since lines were kept last, without its contents.
    dropped: Lines,
}

impl Outbox {
    pub(super) fn new(inbox: Inbox, kept_bytes_max: usize) -> Self {
        Self {
            inbox,
            kept: VecDeque::new(),
            kept_bytes: 0,
            kept_bytes_max,
            dropped: Lines::default(),
        }
    }

    /// A reader for its source, which keeps what the inbox is to get.
    pub(super) fn reader(&self, source: LogSource) -> LineReader {
        LineReader::keeping(source, self.inbox.keep())
    }

    /// Takes lines, and drops them if too much is kept already.
    pub(super) fn lines(&mut self, lines: Lines) {
        if lines.is_empty() {
            return;
        }
        let bytes = lines.heap_bytes();
        if !self.kept.is_empty() && self.kept_bytes + bytes > self.kept_bytes_max {
            return self.drop_lines(&lines);
        }
        let mut lines = lines;
        lines.append(mem::take(&mut self.dropped));
        self.kept_bytes += bytes;
        match self.kept.back_mut() {
            Some(Inbound::Lines(last)) if last.heap_bytes() + bytes <= BATCH_BYTES => {
                last.append(lines);
            }
            _ => self.kept.push_back(Inbound::Lines(Box::new(lines))),
        }
    }

    /// Takes something that is small, rare and never dropped.
    pub(super) fn tell(&mut self, inbound: Inbound) {
        let dropped = mem::take(&mut self.dropped);
        if !dropped.is_empty() {
            self.kept.push_back(Inbound::Lines(Box::new(dropped)));
        }
        self.kept.push_back(inbound);
    }

    /// Hands on what there is room for. True when nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(next) = self.kept.front() {
            let bytes = match next {
                Inbound::Lines(lines) => lines.heap_bytes(),
                _ => 0,
            };
            let Ok(slot) = self.inbox.try_reserve(bytes) else {
                return false;
            };
            if let Some(next) = self.kept.pop_front() {
                slot.send(next);
            }
            self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
        }
        if !self.dropped.is_empty() {
            let dropped = mem::take(&mut self.dropped);
            self.kept.push_back(Inbound::Lines(Box::new(dropped)));
            return self.flush();
        }
        true
    }

    fn drop_lines(&mut self, lines: &Lines) {
        let (mut payloads, mut chunks) = (0, 0);
        let mut relayed = 0;
        for request in &lines.requests {
            if request.record.via == Via::Relay {
                relayed += 1;
            } else {
                payloads += 1;
                chunks += n_chunks(request);
            }
        }
        if payloads > 0 {
            self.inbox.refuse(Overflow {
                payloads,
                chunks,
                unreadable: 0,
            });
        }
        let n_lines = u64::try_from(lines.records.len()).unwrap_or(u64::MAX);
        self.dropped.append(Lines {
            relay_messages: lines.relay_messages.saturating_sub(relayed),
            relay_lost: lines.relay_lost + relayed,
            relay_losses: lines.relay_losses.clone(),
            n_dropped: lines.n_dropped + n_lines,
            ..Lines::default()
        });
    }
}

fn n_chunks(request: &Request) -> u64 {
    let held = match &request.brought {
        Brought::Spans(received) => u64::try_from(received.payload.chunks.len()).unwrap_or(0),
        _ => 0,
    };
    held.max(request.record.announced_chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::inbox::{self, InboxLimits, InboxReceiver};
    use crate::logs::{LogRecord, LogSource};
    use crate::trace::UnixNanos;

    fn line(text: &str) -> Lines {
        Lines {
            records: vec![LogRecord::parse(text, LogSource::Stdout, UnixNanos(1))],
            ..Lines::default()
        }
    }

    fn small(items_max: usize) -> (Outbox, InboxReceiver) {
        let limits = InboxLimits {
            items_max,
            ..InboxLimits::default()
        };
        let (inbox, receiver) = inbox::channel(limits);
        (Outbox::new(inbox, 2_000), receiver)
    }

    /// What comes out, as words: a line's text, or how many were dropped.
    fn received(receiver: &mut InboxReceiver) -> Vec<String> {
        let mut batch = Vec::new();
        receiver.try_recv_many(&mut batch, 100);
        let mut words = Vec::new();
        for inbound in batch {
            match inbound {
                Inbound::Lines(lines) => {
                    words.extend(lines.records.iter().map(|record| record.line().to_owned()));
                    if lines.n_dropped > 0 {
                        words.push(format!("-{}", lines.n_dropped));
                    }
                }
                Inbound::Notice(text) => words.push(text),
                _ => {}
            }
        }
        words
    }

    #[test]
    fn lines_and_events_keep_their_order() {
        let (mut outbox, mut receiver) = small(10);
        outbox.lines(line("one"));
        outbox.tell(Inbound::Notice("ended".into()));
        outbox.lines(line("two"));
        assert!(outbox.flush());
        assert_eq!(received(&mut receiver), ["one", "ended", "two"]);
    }

    #[test]
    fn every_reason_for_a_loss_among_what_is_dropped_is_told() {
        let (mut outbox, mut receiver) = small(1);
        outbox.lines(line("first"));
        assert!(outbox.flush());
        outbox.lines(line(&"x".repeat(1_900)));
        for reason in ["message 1", "message 2"] {
            let lost = Lines {
                relay_lost: 1,
                relay_losses: vec![reason.to_owned()],
                ..line(&"y".repeat(1_900))
            };
            outbox.lines(lost);
        }
        outbox.tell(Inbound::Notice("ended".into()));
        let (mut n_lost, mut losses) = (0, Vec::new());
        let mut is_done = false;
        while !is_done {
            is_done = outbox.flush();
            let mut batch = Vec::new();
            receiver.try_recv_many(&mut batch, 100);
            for inbound in batch {
                if let Inbound::Lines(lines) = inbound {
                    losses.extend(lines.relay_losses);
                    n_lost += lines.relay_lost;
                }
            }
        }
        assert_eq!(
            (n_lost, losses),
            (2, vec!["message 1".into(), "message 2".into()])
        );
    }

    #[test]
    fn what_a_full_inbox_leaves_is_kept_up_to_the_limit_and_the_rest_counted() {
        let (mut outbox, mut receiver) = small(1);
        outbox.lines(line("first"));
        assert!(outbox.flush());
        for number in 0..100 {
            outbox.lines(line(&format!("line {number}")));
            outbox.flush();
        }
        outbox.tell(Inbound::Notice("ended".into()));
        let mut words = Vec::new();
        while !outbox.flush() {
            words.extend(received(&mut receiver));
        }
        words.extend(received(&mut receiver));
        let n_lines = words.iter().filter(|word| word.starts_with("line")).count();
        assert!(n_lines > 1, "{words:?}");
        assert_eq!(words.last().unwrap(), "ended");
        let dropped = words
            .iter()
            .find_map(|word| word.strip_prefix('-'))
            .unwrap();
        assert_eq!(n_lines + dropped.parse::<usize>().unwrap(), 100);
    }

    #[test]
    fn batches_that_are_joined_keep_what_each_says() {
        let (mut outbox, mut receiver) = small(10);
        for number in 0..2 {
            outbox.lines(Lines {
                relay_lost: 1,
                relay_losses: vec![format!("loss {number}")],
                ..line("a line")
            });
        }
        assert!(outbox.flush());
        let mut batch = Vec::new();
        receiver.try_recv_many(&mut batch, 100);
        let [Inbound::Lines(lines)] = batch.as_slice() else {
            panic!("{batch:?}");
        };
        assert_eq!((lines.records.len(), lines.relay_lost), (2, 2));
        assert_eq!(lines.relay_losses, ["loss 0", "loss 1"]);
    }
}
