//! Clients that mean harm, or are broken: what they do is bounded, told, counted, and felt by nobody
//! else.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use modtrace_tui::ingest::PayloadKind;
use modtrace_tui::ingest::{RequestClass, RequestRecord};
use modtrace_tui::io::agent::{Action, ENDPOINTS};
use modtrace_tui::io::inbox::InboxLimits;

use super::endpoints::{gzip, raw_deflate, zlib, zstd};
use super::limits::{SHORT, limited};
use super::{Client, NO_TRACES, Server, TestDirectory, request};

/// A span: `{"trace_id": 1, "span_id": 2}`.
const ONE_SPAN: &[u8] = b"\x91\x91\x82\xa8trace_id\x01\xa7span_id\x02";

/// An answer that nothing disturbs comes much faster, also on a slow machine.
const AT_ONCE: Duration = Duration::from_secs(2);

fn chunked(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Sends a request; how it is answered and recorded, and that the next client is served.
#[track_caller]
fn check(bytes: &[u8], status: u16, words: &str) -> RequestRecord {
    let mut server = Server::start();
    let mut client = server.connect();
    client.write(bytes);
    assert_eq!(client.full_answer().status, status);
    let record = server.record();
    assert_eq!(record.status, status);
    assert!(
        record.note.contains(words),
        "{words} is not in {}",
        record.note
    );
    let mut next = server.connect();
    assert_eq!(next.ask("PUT", "/v0.4/traces", ONE_SPAN).status, 200);
    record
}

#[test]
fn a_thousand_idle_connections_do_not_keep_a_good_client_waiting() {
    let mut server = Server::start();
    let address = server.agent.local_addr();
    let idle: Vec<TcpStream> = (0..1_000)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let begun = Instant::now();
    let mut good = server.connect();
    for _ in 0..10 {
        assert_eq!(good.ask("PUT", "/v0.4/traces", ONE_SPAN).status, 200);
        assert_eq!(server.record().status, 200);
    }
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    drop(idle);
    assert_eq!(good.ask("PUT", "/v0.4/traces", ONE_SPAN).status, 200);
}

#[test]
fn connections_that_begin_a_request_and_stall_give_way_once_they_are_slow() {
    let mut server = limited(|limits| {
        limits.connections_max = 8;
        limits.crowded_read_max = SHORT * 2;
    });
    let address = server.agent.local_addr();
    let head = b"PUT /v0.4/tra".as_slice();
    let body = b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n\x91";
    let stalled: Vec<TcpStream> = (0..24)
        .map(|n| {
            let mut stream = TcpStream::connect(address).unwrap();
            let bytes = if n % 2 == 0 { head } else { body };
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    let mut good = server.connect();
    assert_eq!(good.ask("PUT", "/v0.4/traces", ONE_SPAN).status, 200);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    let mut notes = Vec::new();
    while notes.last().is_none_or(|(status, _)| *status != 200) {
        let records = server
            .inbound()
            .into_iter()
            .filter_map(|inbound| match inbound {
                modtrace_tui::ingest::Inbound::Request(request) => Some(request.record),
                _ => None,
            });
        notes.extend(records.map(|record| (record.status, record.note)));
    }
    let told = |word: &str| {
        notes.iter().any(|(status, note)| {
            *status == 408 && note.contains(word) && note.contains("others waited")
        })
    };
    assert!(told("the head") && told("the body"), "{notes:?}");
    drop(stalled);
}

#[test]
fn a_body_that_comes_byte_by_byte_is_given_up_in_time() {
    let mut server = limited(|limits| limits.body_read_max = SHORT * 4);
    let mut client = server.connect();
    client.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    let mut other = client.0.get_ref().try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        while other.write_all(b"\x90").is_ok() {
            std::thread::sleep(SHORT / 10);
        }
    });
    assert_eq!(client.full_answer().status, 408);
    let record = server.record();
    assert!(record.note.contains("within 200ms"), "{}", record.note);
    assert!(record.bytes > 1 && record.is_refused_payload());
    assert_eq!(
        server.connect().ask("PUT", "/v0.4/traces", ONE_SPAN).status,
        200
    );
    drop(client);
    drip.join().unwrap();
}

#[test]
fn a_body_shorter_than_announced_is_told_with_its_numbers() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    let record = server.record();
    assert_eq!(record.status, 400);
    assert!(
        record.note.contains("after 3 of 10 bytes"),
        "{}",
        record.note
    );
    assert!(record.is_refused_payload());
}

#[test]
fn a_chunked_body_that_is_cut_or_broken_is_told_apart() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.write(&chunked("", b"5\r\nabc"));
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    let record = server.record();
    assert!(record.note.contains("after 3 bytes"), "{}", record.note);
    for broken in [
        b"zz\r\nabc\r\n".as_slice(),
        b"-1\r\n",
        b"fffffffffffffffff\r\n",
        b"1\r\nabc\r\n",
        b"\r\n\r\n",
    ] {
        check(&chunked("", broken), 400, "chunks of the body");
    }
}

#[test]
fn a_chunk_that_says_it_is_enormous_is_refused_before_it_comes() {
    let begun = Instant::now();
    let mut body = b"fffffffffffffff\r\n".to_vec();
    body.extend(std::iter::repeat_n(0x90, 64));
    let mut server = limited(|limits| limits.body_read_max = SHORT * 4);
    let mut client = server.connect();
    client.write(&chunked("", &body));
    assert_eq!(client.full_answer().status, 408);
    assert_eq!(server.record().bytes, 64);
    assert!(begun.elapsed() < AT_ONCE);
}

#[test]
fn trailers_and_chunk_extensions_are_passed_over() {
    let body = [
        b"16;name=\"a;b\"\r\n",
        ONE_SPAN,
        b"\r\n0;x\r\nX-Trailer: y\r\n\r\n",
    ]
    .concat();
    let record = check(
        &chunked("Trailer: X-Trailer\r\n", &body),
        200,
        "1 chunk, 1 span",
    );
    assert_eq!(record.bytes, 22);
    let endless = [b"1;".as_slice(), &vec![b'x'; 1_000_000]].concat();
    check(&chunked("", &endless), 400, "chunks of the body");
    let trailers = [b"0\r\n".as_slice(), &b"X: y\r\n".repeat(100_000)].concat();
    check(&chunked("", &trailers), 400, "chunks of the body");
}

#[test]
fn with_a_length_and_chunks_the_chunks_count() {
    let body = [b"16\r\n", ONE_SPAN, b"\r\n0\r\n\r\n"].concat();
    check(&chunked("Content-Length: 3\r\n", &body), 200, "1 span");
}

#[test]
fn a_length_said_twice_alike_is_one_length() {
    let twice = format!("Content-Length: {}\r\n", ONE_SPAN.len());
    check(
        &request("PUT", "/v0.4/traces", &twice, ONE_SPAN),
        200,
        "1 span",
    );
}

#[test]
fn who_asks_first_is_told_at_once_that_it_is_too_much() {
    let asking = b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n";
    let record = check(asking, 413, "larger than 26214400 bytes");
    assert_eq!(record.bytes, 0);
    let huge =
        b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551000\r\n\r\n";
    check(huge, 413, "larger than 26214400 bytes");
}

#[test]
fn http_1_0_is_answered() {
    let head = format!(
        "PUT /v0.4/traces HTTP/1.0\r\nContent-Length: {}\r\n\r\n",
        ONE_SPAN.len()
    );
    let mut server = Server::start();
    let mut client = server.connect();
    client.write(&[head.as_bytes(), ONE_SPAN].concat());
    assert_eq!(client.full_answer().status, 200);
    assert!(client.has_ended());
    assert_eq!(&*server.record().note, "1 chunk, 1 span");
}

#[test]
fn whole_urls_and_paths_that_are_encoded_find_their_endpoint() {
    for path in [
        "http://127.0.0.1:8126/v0.4/traces",
        "http://user:secret@other/v0.4/traces?x=1",
        "//v0.4/traces",
        "/v0.4/%74races",
    ] {
        let record = check(&request("PUT", path, "", ONE_SPAN), 200, "1 span");
        assert_eq!(
            (&*record.path, &*record.endpoint),
            ("/v0.4/traces", "/v0.4/traces")
        );
    }
    for (method, path) in [
        ("OPTIONS", "*"),
        ("CONNECT", "a:443"),
        ("GET", "/%00%1b%0a../.."),
    ] {
        let record = check(&request(method, path, "", b""), 404, "GET /info");
        assert!(!record.path.contains(char::is_control), "{:?}", record.path);
    }
}

#[test]
fn headers_of_strangers_do_no_harm() {
    // Bytes that are no UTF-8, the tab, and what only looks like nothing, are all that HTTP lets in.
    let headers = "User-Agent: a\tb\u{202e}c\u{200b}\r\nContent-Type: \u{ff}\r\n";
    let record = check(
        &request("PUT", "/v0.4/traces", headers, ONE_SPAN),
        200,
        "1 span",
    );
    assert!(
        !record
            .client
            .contains(|char: char| char.is_control() || "\u{202e}\u{200b}".contains(char))
    );
    let long = format!("User-Agent: {}\r\n", "x".repeat(100_000));
    let record = check(
        &request("PUT", "/v0.4/traces", &long, ONE_SPAN),
        200,
        "1 span",
    );
    assert!(record.client.len() <= 256);
}

#[test]
fn a_bomb_does_no_harm_at_any_endpoint() {
    let large = vec![b' '; 200 * 1024 * 1024];
    let bombs = [
        ("gzip", gzip(&large)),
        ("deflate", zlib(&large)),
        ("deflate", raw_deflate(&large)),
        ("zstd", zstd(&large)),
        ("gzip, gzip, gzip", gzip(&gzip(&gzip(&large)))),
    ];
    drop(large);
    let mut server = Server::start();
    let mut client = server.connect();
    for endpoint in ENDPOINTS {
        for (coding, bomb) in &bombs {
            let headers = format!("Content-Encoding: {coding}\r\n");
            let begun = Instant::now();
            let answer = client.ask_with("POST", endpoint.path, &headers, bomb);
            assert!(begun.elapsed() < AT_ONCE * 2, "{} {coding}", endpoint.path);
            let record = server.record();
            assert_eq!(record.status, answer.status);
            if matches!(
                endpoint.action,
                Action::Take(PayloadKind::Traces(_) | PayloadKind::Logs)
            ) {
                assert_eq!(answer.status, 413, "{} {coding}", endpoint.path);
                assert!(record.is_refused_payload());
            }
        }
    }
    let too_often = format!("Content-Encoding: {}gzip\r\n", "gzip,".repeat(10_000));
    let answer = client.ask_with("POST", "/v0.4/traces", &too_often, b"");
    assert_eq!(answer.status, 415);
}

#[test]
fn a_client_that_vanishes_before_its_answers_leaves_their_lines() {
    let mut server = Server::start();
    for _ in 0..100 {
        let mut client = server.connect();
        client.write(&request("GET", "/info", "", b""));
        // Unread answers reset the connection.
        drop(client);
        let record = server.record();
        assert_eq!(record.class, RequestClass::Other);
    }
    assert_eq!(
        server.connect().ask("PUT", "/v0.4/traces", ONE_SPAN).status,
        200
    );
}

#[test]
fn a_client_that_never_reads_its_answers_stops_being_served_and_gives_way() {
    let mut server = limited(|limits| limits.connections_max = 2);
    let mut deaf = server.connect();
    let many = request("GET", "/info", "", b"").repeat(1_000);
    let stream = deaf.0.get_mut();
    stream.set_write_timeout(Some(SHORT * 4)).unwrap();
    let drained = std::thread::scope(|scope| {
        let writing = scope.spawn(|| (0..1_000).find(|_| stream.write_all(&many).is_err()));
        let mut n_records = 0;
        while !writing.is_finished() {
            n_records += server.receiver.try_recv_many(&mut Vec::new(), 1_000);
            std::thread::yield_now();
        }
        (writing.join().unwrap(), n_records)
    });
    assert!(drained.0.is_some(), "a million answers are kept somewhere");
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(server.connect().ask("GET", "/info", b"").status, 200);
    }
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[test]
fn requests_sent_at_once_are_answered_in_order_to_the_last() {
    let mut server = Server::start();
    let mut client = server.connect();
    let paths = ["/v0.4/traces", "/nowhere", "/info", "/telemetry/proxy/x"];
    let asked: Vec<&str> = paths.iter().copied().cycle().take(200).collect();
    let requests: Vec<u8> = asked
        .iter()
        .flat_map(|path| request("PUT", path, "", NO_TRACES))
        .collect();
    let mut writer = client.0.get_ref().try_clone().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&requests));
    for path in asked {
        let expected = match path {
            "/v0.4/traces" => 200,
            "/nowhere" => 404,
            "/info" => 405,
            _ => 202,
        };
        assert_eq!(client.full_answer().status, expected);
        assert_eq!(&*server.record().path, path);
    }
    writing.join().unwrap().unwrap();
}

#[test]
fn over_the_unix_socket_a_half_closed_and_a_vanished_client_do_no_harm() {
    let directory = TestDirectory::new("hostile");
    let socket = directory.0.join("apm.socket");
    let mut server = Server::with(
        |settings| settings.uds = Some(socket),
        InboxLimits::default(),
    );
    let mut half = server.connect_uds();
    half.write(&request("PUT", "/v0.4/traces", "", ONE_SPAN));
    half.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(half.full_answer().status, 200);
    assert_eq!(server.record().status, 200);
    let mut cut = server.connect_uds();
    cut.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    drop(cut);
    let record = server.record();
    assert!(
        record.note.contains("after 3 of 10 bytes"),
        "{}",
        record.note
    );
    let idle: Vec<_> = (0..300).map(|_| server.connect_uds()).collect();
    let mut good = server.connect_uds();
    assert_eq!(good.ask("PUT", "/v0.4/traces", ONE_SPAN).status, 200);
    drop(idle);
}

/// The client's own view, kept apart so that nothing above is read with it by mistake.
#[test]
fn a_client_that_shuts_its_writing_side_gets_all_its_answers() {
    let server = Server::start();
    let mut client: Client<TcpStream> = server.connect();
    client.write(&request("PUT", "/v0.4/traces", "", ONE_SPAN).repeat(5));
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    client.0.read_to_string(&mut all).unwrap();
    assert_eq!(all.matches("HTTP/1.1 200").count(), 5, "{all}");
}
