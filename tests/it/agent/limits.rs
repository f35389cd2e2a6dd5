//! What the agent does with clients that send too much, too slowly, too often, or go away.

use std::net::Shutdown;
use std::time::Duration;

use modtrace_tui::ingest::{Inbound, Overflow};
use modtrace_tui::io::agent::Limits;
use modtrace_tui::io::inbox::InboxLimits;

use super::{NO_TRACES, Server, request};

pub(super) const SHORT: Duration = Duration::from_millis(50);

pub(super) fn limited(change: impl FnOnce(&mut Limits)) -> Server {
    Server::with(
        |settings| change(&mut settings.limits),
        InboxLimits::default(),
    )
}

#[test]
fn a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() {
    let mut server = limited(|limits| limits.body_bytes_max = 10);
    let mut client = server.connect();
    client.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nX-Datadog-Trace-Count: 2\r\nContent-Length: 11\r\n\r\n");
    let answer = client.full_answer();
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("10 bytes"), "{}", answer.body);
    let record = server.record();
    assert_eq!(
        (record.status, record.announced_chunks, record.bytes),
        (413, 2, 0)
    );
}

#[test]
fn a_body_that_turns_out_too_large_is_refused() {
    let mut server = limited(|limits| limits.body_bytes_max = 10);
    for path in ["/v0.4/traces", "/telemetry/proxy/x"] {
        let mut client = server.connect();
        client.write(
            format!("PUT {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                .as_bytes(),
        );
        client.write(b"b\r\n01234567890\r\n");
        assert_eq!(client.full_answer().status, 413);
        assert_eq!(server.record().status, 413);
    }
}

#[test]
fn a_client_that_sends_all_of_a_refused_body_first_still_reads_the_answer() {
    let mut server = limited(|limits| limits.body_bytes_max = 4 * 1024 * 1024);
    let mut client = server.connect();
    client.write(&request(
        "PUT",
        "/v0.4/traces",
        "",
        &vec![0x90; 5 * 1024 * 1024],
    ));
    assert_eq!(client.full_answer().status, 413);
    assert_eq!(server.record().status, 413);
}

#[test]
fn a_body_at_the_limit_is_taken_and_decoded_aside() {
    let mut server = limited(|limits| {
        limits.body_bytes_max = 1_000_000;
        limits.decode_inline_bytes_max = 10;
    });
    // So many traces without spans.
    let mut body = vec![0x90; 1_000_000];
    body[..5].copy_from_slice(b"\xdd\x00\x0f\x42\x3b");
    assert_eq!(
        server.connect().ask("PUT", "/v0.4/traces", &body).status,
        200
    );
    assert_eq!(server.record().bytes, 1_000_000);
}

#[test]
fn a_body_that_does_not_arrive_is_given_up() {
    let mut server = limited(|limits| limits.body_read_max = SHORT);
    for path in ["/v0.4/traces", "/telemetry/proxy/x"] {
        let mut client = server.connect();
        client.write(
            format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").as_bytes(),
        );
        assert_eq!(client.full_answer().status, 408);
        let record = server.record();
        assert_eq!((record.status, record.bytes), (408, 3));
    }
}

#[test]
fn a_head_that_does_not_arrive_is_given_up_but_an_idle_connection_is_kept() {
    let mut server = limited(|limits| limits.header_read_max = SHORT);
    let mut idle = server.connect();
    assert_eq!(idle.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
    assert_eq!(server.record().status, 200);
    let mut slow = server.connect();
    slow.write(b"PUT /v0.4/tra");
    assert!(slow.has_ended());
    assert_eq!(server.record().status, 408);
    assert_eq!(idle.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let mut server = limited(|limits| limits.head_bytes_max = 8 * 1024);
    let mut client = server.connect();
    client.write(format!("PUT / HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(9 * 1024)).as_bytes());
    assert_eq!(client.answer().status, 431);
    assert_eq!(server.record().status, 431);
}

#[test]
fn bodies_share_their_memory_and_who_finds_none_is_told_to_come_again() {
    let mut server = limited(|limits| {
        limits.body_bytes_in_flight_max = 8;
        limits.body_room_wait_max = SHORT;
    });
    let five = b"\x95\x90\x90\x90\x90\x90";
    let mut first = server.connect();
    first.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n");
    assert_eq!(first.answer().status, 100);
    first.write(&five[..5]);
    // Until the server has read it there is room for others.
    let refused = loop {
        let answer = server.connect().ask("PUT", "/v0.4/traces", five);
        let record = server.record();
        assert_eq!(record.status, answer.status);
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.status, 429);
    first.write(&five[5..]);
    assert_eq!(first.full_answer().status, 200);
    assert_eq!(
        server.connect().ask("PUT", "/v0.4/traces", five).status,
        200
    );
}

#[test]
fn when_the_loop_does_not_keep_up_payloads_are_refused_and_counted_exactly() {
    let small = InboxLimits {
        items_max: 2,
        wait_max: SHORT,
        ..InboxLimits::default()
    };
    let mut server = Server::with(|_| {}, small);
    let mut client = server.connect();
    let mut ask = |path| {
        client
            .ask_with("PUT", path, "X-Datadog-Trace-Count: 3\r\n", NO_TRACES)
            .status
    };
    let asked = [
        "/v0.4/traces",
        "/v0.4/traces",
        "/v0.3/traces",
        "/v0.4/traces",
        "/v0.2/traces",
        "/telemetry/proxy/x",
    ];
    assert_eq!(asked.map(&mut ask), [200, 200, 429, 429, 415, 202]);
    let first = server.inbound();
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(matches!(
        first[1],
        Inbound::Overflow(Overflow {
            payloads: 3,
            chunks: 9,
            unreadable: 0
        })
    ));
    assert_eq!(server.record().status, 200);
    assert_eq!(
        server
            .connect()
            .ask("PUT", "/v0.4/traces", NO_TRACES)
            .status,
        200
    );
}

#[test]
fn decoded_bytes_that_wait_are_limited_too() {
    let small = InboxLimits {
        decoded_bytes_max: 1,
        wait_max: SHORT,
        ..InboxLimits::default()
    };
    let mut server = Server::with(|_| {}, small);
    let mut client = server.connect();
    let body = b"\x91\x91\x82\xa8trace_id\x01\xa7span_id\x02";
    let mut ask = || {
        client
            .ask_with("PUT", "/v0.4/traces", "X-Datadog-Trace-Count: 1\r\n", body)
            .status
    };
    assert_eq!([ask(), ask()], [200, 429]);
    server.inbound();
    assert_eq!(ask(), 200);
}

#[test]
fn a_client_that_goes_away_leaves_a_refused_payload() {
    let mut server = Server::start();
    for path in ["/v0.4/traces", "/v0.2/traces"] {
        let mut client = server.connect();
        client.write(
            format!("PUT {path} HTTP/1.1\r\nHost: a\r\nX-Datadog-Trace-Count: 2\r\nContent-Length: 10\r\n\r\nabc").as_bytes(),
        );
        client.0.get_ref().shutdown(Shutdown::Write).unwrap();
        let record = server.record();
        assert_eq!(
            (record.status, record.bytes, record.announced_chunks),
            (400, 3, 2)
        );
        assert!(
            record.is_refused_payload() && record.note.contains("closed the connection"),
            "{record:?}"
        );
    }
}

#[test]
fn a_client_that_is_cut_off_leaves_a_refused_payload() {
    let mut server = Server::start();
    let mut client = server.connect();
    // With an unread answer in its buffer, closing a socket resets the connection.
    client.write(&request("GET", "/info", "", b""));
    assert_eq!(server.record().status, 200);
    client.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    let mut first_byte = [0];
    client.0.get_ref().peek(&mut first_byte).unwrap();
    drop(client);
    let record = server.record();
    assert_eq!((record.status, &*record.path), (400, "/v0.4/traces"));
}

#[test]
fn the_longest_idle_connection_makes_place_for_a_new_one() {
    let server = limited(|limits| limits.connections_max = 4);
    let mut good = server.connect();
    assert_eq!(good.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
    let mut idle: Vec<_> = (0..20)
        .map(|_| {
            let mut idle = server.connect();
            assert_eq!(idle.ask("GET", "/info", b"").status, 200);
            assert_eq!(good.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
            idle
        })
        .collect();
    let mut kept = idle.split_off(17);
    assert!(idle.iter_mut().all(super::Client::has_ended));
    assert!(
        kept.iter_mut()
            .all(|client| client.ask("GET", "/info", b"").status == 200)
    );
    assert_eq!(good.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
}

#[test]
fn when_no_connection_is_idle_a_new_one_waits() {
    let server = limited(|limits| limits.connections_max = 1);
    let mut busy = server.connect();
    busy.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(busy.answer().status, 100);
    let mut waiting = server.connect();
    waiting.write(&request("PUT", "/v0.4/traces", "", NO_TRACES));
    waiting.0.get_ref().set_nonblocking(true).unwrap();
    assert!(waiting.0.get_ref().peek(&mut [0]).is_err());
    waiting.0.get_ref().set_nonblocking(false).unwrap();
    busy.write(NO_TRACES);
    assert_eq!(busy.full_answer().status, 200);
    assert_eq!(waiting.full_answer().status, 200);
    assert!(busy.has_ended());
}
