//! Request to reply, over the real server on loopback and on a unix socket.

use modtrace_tui::io::agent::{Agent, AgentSettings};
use modtrace_tui::io::inbox::{self, InboxLimits};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn it_runs() {
    let (inbox, mut receiver) = inbox::channel(InboxLimits::default());
    let agent = Agent::start(
        AgentSettings::new("127.0.0.1:0".parse::<SocketAddr>().unwrap()),
        inbox,
    )
    .unwrap();
    let mut s = TcpStream::connect(agent.local_addr()).unwrap();
    s.write_all(b"POST /v0.4/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n\x91GET").unwrap();
    let mut out = String::new();
    s.read_to_string(&mut out).unwrap();
    println!("{out}");
    let t = Instant::now();
    agent.stop();
    assert!(t.elapsed() < Duration::from_millis(300));
    let mut batch = vec![];
    println!("{} {batch:?}", receiver.try_recv_many(&mut batch, 10));
    println!("{batch:?}");
}
