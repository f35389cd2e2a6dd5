//! What never becomes a request: other protocols, broken heads, heads that are too large, too slow or
//! cut. Each is answered or ended at once, told with what to do, counted, and harms nobody.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use modtrace_tui::ingest::{Inbound, Overflow, RequestClass, RequestRecord};
use modtrace_tui::io::inbox::InboxLimits;
use modtrace_tui::trace::Via;

use super::limits::{SHORT, limited};
use super::{Client, NO_TRACES, PATIENCE, Server, TestDirectory, request};

/// Beginning of a real handshake.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x8a\x11\x00\x0b-.\x7f";
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Sends bytes, and reads on until the agent has ended the connection: the status of its answer, if
/// there was one.
fn send<S: Read + Write>(client: &mut Client<S>, bytes: &[u8]) -> Option<u16> {
    // The agent may have ended it before all is written.
    let _written = client.0.get_mut().write_all(bytes);
    let mut answer = Vec::new();
    let _reset = client.0.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1)?.parse().ok()
}

/// It is answered so, and told in the log of requests with these words; a good client is served.
#[track_caller]
fn check(bytes: &[u8], status: u16, words: &[&str]) {
    let mut server = Server::start();
    let mut good = server.connect();
    assert_eq!(good.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
    assert_eq!(server.record().status, 200);
    let begun = Instant::now();
    let answered = send(&mut server.connect(), bytes);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert!(answered.is_none_or(|answered| (400..500).contains(&answered)));
    let record = server.record();
    check_record(&record, status, words);
    assert_eq!(good.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
}

#[track_caller]
fn check_record(record: &RequestRecord, status: u16, words: &[&str]) {
    assert_eq!((record.status, record.class), (status, RequestClass::Other));
    assert!(record.method.is_empty() && record.path.is_empty());
    for word in words {
        assert!(
            record.note.contains(word),
            "{word} is not in {}",
            record.note
        );
    }
    assert!(record.note.len() <= 1024);
    assert!(!record.note.contains(char::is_control), "{:?}", record.note);
}

#[test]
fn tls_is_told_by_name_with_what_to_set() {
    check(
        CLIENT_HELLO,
        400,
        &["TLS was spoken to a plain port", "use http://"],
    );
}

#[test]
fn http2_is_told_by_name_with_what_to_set() {
    check(HTTP2, 505, &["HTTP/2", "http/protobuf"]);
}

#[test]
fn bytes_that_are_no_http_are_shown_harmlessly() {
    check(
        b"\x00\x01\x1b[2J\xff\xfe",
        400,
        &["no HTTP", r"\x00\x01\x1b[2J\xff"],
    );
    check(b"EHLO mail\r\n\r\n", 400, &["no HTTP", "EHLO mail"]);
    check(&vec![0xff; 1_000_000], 400, &["no HTTP"]);
}

#[test]
fn heads_that_cannot_be_read_are_refused() {
    let head = |header: &str| {
        format!("PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n").into_bytes()
    };
    for header in [
        "X: a\0b",
        "X: a\x1b[2Jb",
        "X: a\rb",
        "X\u{7}: b",
        "no colon",
        ": no name",
    ] {
        check(
            &head(header),
            400,
            &["head of the request", "client's headers"],
        );
    }
    for length in [
        "Content-Length: -1",
        "Content-Length: +1",
        "Content-Length: 1 1",
        "Content-Length: 0x10",
        "Content-Length: 99999999999999999999999",
        "Content-Length: 1\r\nContent-Length: 2",
        "Transfer-Encoding: gzip",
    ] {
        check(&head(length), 400, &["head of the request"]);
    }
    check(b"PUT /\x01 HTTP/1.1\r\n\r\n", 400, &["head of the request"]);
    check(b"PUT / HTTP/9.9\r\n\r\n", 400, &["head of the request"]);
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let many = "X: y\r\n".repeat(101);
    check(
        format!("PUT / HTTP/1.1\r\n{many}\r\n").as_bytes(),
        431,
        &["100 headers", "fewer or shorter"],
    );
    let long = "x".repeat(200_000);
    check(
        format!("PUT / HTTP/1.1\r\nX: {long}\r\n\r\n").as_bytes(),
        431,
        &["131072 bytes"],
    );
    let path = "x".repeat(70_000);
    check(
        format!("PUT /{path} HTTP/1.1\r\n\r\n").as_bytes(),
        414,
        &["path", "65,534 bytes", "/info"],
    );
}

#[test]
fn what_is_longer_than_announced_is_not_taken_for_a_request() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.write(
        b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\x90\x90\x90\x90\x90",
    );
    assert_eq!(client.full_answer().status, 200);
    assert_eq!(client.answer().status, 400);
    assert!(client.has_ended());
    assert_eq!(server.record().status, 200);
    check_record(
        &server.record(),
        400,
        &["what followed a request", "longer than its Content-Length"],
    );
}

#[test]
fn a_head_that_is_cut_leaves_a_line_and_a_look_at_the_port_none() {
    let mut server = Server::start();
    // Whether the port is open.
    drop(server.connect());
    let mut client = server.connect();
    client.write(b"PUT /v0.4/tra");
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert!(client.has_ended());
    check_record(&server.record(), 400, &["closed the connection within"]);
}

#[test]
fn a_head_that_comes_byte_by_byte_is_given_up_in_time() {
    let mut server = limited(|limits| limits.header_read_max = SHORT * 4);
    let mut client = server.connect();
    let begun = Instant::now();
    let head = b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nX: ".iter();
    for byte in head.chain(std::iter::repeat(&b'x')) {
        if client.0.get_mut().write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(SHORT / 10);
        assert!(begun.elapsed() < PATIENCE, "it is still read");
    }
    check_record(&server.record(), 408, &["within 200ms"]);
}

#[test]
fn a_scanner_cannot_flood_the_log_and_everything_is_counted() {
    let mut server = limited(|limits| limits.alike_told_every = Duration::from_secs(1));
    for _ in 0..300 {
        send(&mut server.connect(), CLIENT_HELLO);
        send(&mut server.connect(), b"\x00\x01\x02");
    }
    let mut good = server.connect();
    assert_eq!(good.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
    let (mut lines, mut n_unsaid, mut n_told) = (0, 0, 0);
    while n_told + n_unsaid < 601 {
        for inbound in server.inbound() {
            match inbound {
                Inbound::Request(request) => {
                    lines += usize::from(request.record.status == 400);
                    n_told += 1;
                }
                Inbound::Overflow(Overflow { unreadable, .. }) => n_unsaid += unreadable,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(n_told + n_unsaid, 601);
    // Two kinds, at most twice a second each.
    assert!(lines <= 40, "{lines} lines");
}

#[test]
fn what_was_only_counted_is_told_at_the_end() {
    let mut server = Server::start();
    for _ in 0..3 {
        send(&mut server.connect(), CLIENT_HELLO);
    }
    check_record(&server.record(), 400, &["TLS"]);
    let Server { agent, receiver } = server;
    agent.stop();
    let mut receiver = receiver;
    let mut rest = Vec::new();
    receiver.try_recv_many(&mut rest, 10);
    let told = rest.iter().any(|inbound| {
        matches!(inbound, Inbound::Request(request) if request.record.note.starts_with("2 more like it"))
    });
    let counted = rest
        .iter()
        .any(|inbound| matches!(inbound, Inbound::Overflow(Overflow { unreadable: 1, .. })));
    assert!(told && counted, "{rest:?}");
}

#[test]
fn over_the_unix_socket_it_is_the_same() {
    let directory = TestDirectory::new("no-http");
    let socket = directory.0.join("apm.socket");
    let mut server = Server::with(
        |settings| settings.uds = Some(socket),
        InboxLimits::default(),
    );
    let cases: [(&[u8], u16, &str); 4] = [
        (CLIENT_HELLO, 400, "http://"),
        (HTTP2, 505, "HTTP/2"),
        (b"\x00\x00", 400, "no HTTP"),
        (b"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "head"),
    ];
    for (bytes, status, words) in cases {
        send(&mut server.connect_uds(), bytes);
        let record = server.record();
        check_record(&record, status, &[words]);
        assert_eq!(record.via, Via::Uds);
    }
    let mut good = server.connect_uds();
    good.write(&request("PUT", "/v0.4/traces", "", NO_TRACES));
    assert_eq!(good.full_answer().status, 200);
}
