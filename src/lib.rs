//! `modtrace-tui` stands where the Datadog Agent would and shows every span that reaches it.
//!
//! A functional core that never waits, never reads a clock and never touches the world, inside a
//! thin shell that does. This page is the map; each module's first lines say its job and what it
//! must not do.
//!
//! # The way of the data
//!
//! ```text
//!              SHELL (async, IO, clocks)                    CORE (pure: no await, no clock, no lock)
//!  tracer ─HTTP/UDS─▶ io::agent ─bytes─▶ ingest ─▶ wire::{v04,v05} ─▶ trace::TraceChunk ─┐
//!                        │ own thread                                                   │ Inbound
//!                        └─────────────▶ io::inbox, bounded in items and bytes ◀────────┘
//!  child ─pipes─▶ io::child ─┬─▶ ingest::LineReader ─▶ io::outbox ─▲
//!  files, stdin ─▶ io::tail ─┘     own threads
//!                                              │
//!                       run: the one loop ◀────┘
//!         keys ─EventStream─▶ │   Message::{Input, Inbound, Notice, Frame} + Now
//!                             ▼
//!                       tui::App::update ─▶ store::Store::insert ─▶ sampler::Model::decide (each chunk)
//!                             │                                        └─rates─▶ run::publisher ─watch─▶ io::agent
//!                             ├─▶ Effects: Export · Copy · SignalChild · Quit ─▶ run ─▶ io::*
//!                             ▼  on Frame, if dirty and the last frame has been written
//!                       tui::App::view ─▶ Buffer ─▶ bytes ─▶ io::terminal's writer thread ─▶ tty
//! ```
//!
//! Headless is the same loop with [`io`]'s `ndjson` where the terminal was, and `open` is the same
//! store filled by [`export`]'s reader instead of the agent.
//!
//! One owner and one loop, because a shared store behind a lock makes drawing and ingest wait for
//! each other. Requests are read, decoded and answered on a thread of their own, so an answer never
//! waits for a frame. The loop takes what has gathered every few milliseconds instead of being woken
//! for each request: that saves most of the cost of handing spans from one thread to the other.
//!
//! # The rooms
//!
//! - [`trace`]: the model, depends on nothing. A `TraceChunk` is packed into one allocation, beside a
//!   `Dictionary` of strings that many of them share; a `Span` is a view of it and says exactly what
//!   the client said, absent and nil told apart.
//! - [`wire`]: bytes to model. One bounded reader (`msgpack`), one file a format (`v04`, `v05`, `v07`,
//!   `v10`, `otlp`, `json`, of which `log_writer` knows printed lines), `stats` and `telemetry` (what
//!   clients counted), `relay` (lines to messages), `encoding` (gzip, deflate, zstd), `header`, `error`
//!   (offset and field path), and `endpoint`: the one table of routes, from which `/info` is printed
//!   too.
//! - [`normalize`]: what the Agent makes of a span before it samples and sends it, and what it corrects.
//! - [`sampler`]: the simulated Agent: what it would keep of what comes, what clients would have sent with
//!   its rates, and the table of rates it would answer. A chunk is read once into a `Digest`, from which
//!   it can be decided again under other settings.
//! - [`forward`]: what goes on to Datadog itself: spans to payloads, counts to buckets, lines to requests;
//!   `courier` gathers them, `retry` says what becomes of one that failed, `outcome` what became of all;
//!   `check` is what `doctor --forward` says.
//! - [`simulate`]: vectors of the Agent's own samplers, replayed line by line.
//! - [`ingest`]: one request to spans, lines or a rejection with its reason; a stream of bytes to
//!   records, spans and relayed requests.
//! - [`stats`]: what a client says it counted itself: hits, errors, durations, the sums of its telemetry.
//! - [`logs`]: a line to a record: message, level, time, ids, fields; Modal's own status lines.
//! - [`analysis`]: what follows from what was captured and no client says: `sight` (where a process begins
//!   its part of a trace), `start` (whether a request paid for the start of its container: the rules, and
//!   the evidence in a sentence), `outcome` (how it ended), `latency` and `percentile` (distributions, axes,
//!   what cold starts cost, two spans of time compared), `steps` (where the cold time goes), `overlap`.
//! - [`query`]: the filter language, one for traces, spans and lines; reads it and matches.
//! - [`env_lines`]: the lines to paste into an app, a shell, a compose file, so that its spans come
//!   here.
//! - `json`: JSON read as slices of its text, every digit and the order of keys kept.
//! - [`store`]: everything captured, within `--memory`. Own keys, since ids on the wire repeat;
//!   duplicates, orphans, the tree in display order, which line belongs to which trace, the `fleet` of
//!   containers and which request of which it was (`starts`), eviction of whole traces, the counters; what goes on to
//!   Datadog and when (`depart`), and what has become of each span on that way (`departed`).
//! - [`export`]: one format a file, and the reader that `open` uses.
//! - [`tui`]: `app` (update, view), `keymap` (keys are data: dispatch, footer and help are drawn
//!   from one table), one file a screen, rows apart from drawing.
//! - [`io`]: `agent`, `forward`, `child`, `tail`, `inbox`, `outbox`, `terminal`, `clipboard`, `ndjson`, `files`,
//!   `log_file`, `demo`, `clock`, `signals`: with [`run`] and [`cli`] the only modules that touch the world.
//!
//! Dependencies point one way: trace ◀ wire ◀ ingest ◀ store ◀ query, export ◀ tui ◀ run ◀ main, and
//! trace ◀ normalize ◀ sampler ◀ store, and trace ◀ logs ◀ analysis ◀ store. `forward` stands on normalize, sampler and
//! stats, and below the store.
//!
//! # Invariants, held by `tests/it/tidy.rs`
//!
//! 1. Only `io`, `run`, `cli`, `config` and `main` read the clock, the environment, a file, a socket
//!    or the terminal.
//! 2. `ratatui` and `crossterm` are named only in `tui`, `io::terminal`, `io::clipboard` and `run`.
//! 3. `io` does not know `tui`; `tui` does not know `io`; they meet in `run`.
//! 4. Only `Store` methods change traces; `view` changes nothing but viewport state.
//! 5. Wire types do not leave `wire`: after `decode` there is one `Span`.
//! 6. No `async fn` outside `io` and `run`; no lock in the core (the shared strings of
//!    `trace::Dictionary` are written once each); no unbounded queue anywhere.
//! 7. Decoding is total: any bytes give a payload or an error with offset and field path.
//! 8. Nothing is dropped without a counter: `spans_received = spans_shown + spans_evicted +
//!    spans_duplicate`, `logs_received = logs_joined + logs_unjoined`.
//! 9. What the client said and what a real Agent would do are never shown in one column without
//!    `(sim)`: facts are `trace::SamplingFacts`, the model's words `sampler::Verdict`.
//!
//! # The queues
//!
//! | queue | from → to | limit | when full |
//! |---|---|---|---|
//! | connections | accept | 256 | the longest idle one is closed; else whoever has taken over 3 s to send a head or body; else wait |
//! | body bytes in flight | handlers | 25 MiB each, 64 MiB together | wait up to 1 s, then 429 and count |
//! | inbox | handlers → loop | 256 items, 64 MiB decoded | wait up to 1 s, then 429 and count |
//! | outbox | a child's lines, stdin's → inbox | 8 MiB | the lines are dropped, and counted |
//! | outbox | a file's lines → inbox | one batch | the file waits |
//! | forward | handlers, loop → forward thread | 64 requests, 32 MiB; for Datadog that is for spans, statistics and log lines have 16 requests, 8 MiB each beside it | spans for Datadog stay in the store until there is room; else it is not sent, counted, one notice a minute |
//! | frames | loop → writer thread | 1 | no frame is computed |
//! | lines of `--headless` | loop → writer thread | 16 pieces, then 4 MiB | the line is left out, and counted |
//! | store | | `--memory` | the oldest whole trace goes with its lines, and is counted; lines of no trace first, beyond a quarter |
//! | lines that wait for spans | within the store | 10,000, 60 s | the line stays as it is: joined by less, or unjoined |
//!
//! # To add …
//!
//! - **a wire version**: `wire/vN.rs`, one row in `wire::endpoint`, a fixture.
//! - **a screen**: a file in `tui/screen/`, its keys a section of `assets/keymap.toml`.
//! - **an export format**: a file in `export/`, one row in its table.

pub mod analysis;
pub mod cli;
pub mod config;
pub mod env_lines;
pub mod export;
pub mod forward;
pub mod ingest;
#[doc(hidden)]
pub mod io;
mod json;
pub mod logs;
pub mod normalize;
pub mod query;
pub mod run;
pub mod sampler;
pub mod simulate;
pub mod stats;
pub mod store;
pub mod trace;
pub mod tui;
pub mod wire;
