//! TLS to the intake by the certificates that the system trusts, directly and through a proxy.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::agent::{MockAgent, Plan, certificate};
use super::datadog::{check_each_once, check_secret, start_with};
use super::span;
use crate::support::post;

pub(super) fn https(intake: &MockAgent) -> String {
    let url = intake.url();
    let (_, port) = url.rsplit_once(':').unwrap();
    format!("https://localhost:{port}")
}

/// A proxy that connects whoever asks to the port they name, and tells what it was asked.
pub(super) fn proxy() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, asked) = channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut head).unwrap(), 0);
            }
            let port = head.split([' ', ':']).nth(2).unwrap().parse().unwrap();
            told.send(head).unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let mut client = client;
            client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
            let (mut up, mut down) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut reader, &mut up));
            let mut server = server;
            thread::spawn(move || io::copy(&mut server, &mut down));
        }
    });
    (format!("http://me:pa55word@{address}"), asked)
}

#[test]
fn spans_arrive_through_tls_and_a_proxy_whose_password_nobody_reads() {
    let certificate = certificate().display().to_string();
    let intake = MockAgent::start_tls(|_, _| Plan::Take("{}".into()));
    let (proxy, asked) = proxy();
    for variables in [
        &[("SSL_CERT_FILE", &*certificate)][..],
        &[("SSL_CERT_FILE", &*certificate), ("HTTPS_PROXY", &*proxy)],
        &[
            ("SSL_CERT_FILE", &*certificate),
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
            ("NO_PROXY", "localhost"),
        ],
    ] {
        intake.forget();
        let program = start_with(&https(&intake), &[], variables);
        post(program.url(), "/v0.4/traces", "", &span(1));
        let finished = program.finish();
        assert!(
            finished.stderr.is_empty(),
            "{variables:?}: {}",
            finished.stderr
        );
        check_each_once(&intake, 1);
        check_secret(&finished);
        assert!(!format!("{:?}{}", finished.events, finished.export).contains("pa55word"));
    }
    let asked: Vec<_> = asked.try_iter().collect();
    assert!(
        !asked.is_empty()
            && asked.iter().all(|head| {
                head.starts_with("CONNECT localhost:")
                    && head.contains("Proxy-Authorization: Basic ")
            })
    );
}

#[test]
fn nothing_goes_to_whom_the_system_does_not_trust() {
    let intake = MockAgent::start_tls(|_, _| Plan::Take("{}".into()));
    let nobody = certificate()
        .with_file_name("README.md")
        .display()
        .to_string();
    let program = start_with(&https(&intake), &[], &[("SSL_CERT_FILE", &nobody)]);
    post(program.url(), "/v0.4/traces", "", &span(1));
    let finished = program.finish();
    assert!(
        finished.stderr.contains("did not arrive at Datadog"),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains("certificate"),
        "{}",
        finished.stderr
    );
    assert_eq!(intake.n_asked(), 0);
    check_secret(&finished);
}
