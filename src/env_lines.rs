//! The lines to paste, so that spans and log lines come here: for an app on Modal, for Docker, for a
//! shell, and for a program that prints its spans. Pure; `env` prints them and the screen shows them.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::Flush;

/// The file that brings requests through a container's stdout.
pub const RELAY: &str = include_str!("../assets/modtrace_relay.py");

/// What the lines are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Topic {
    /// An app on Modal: through its output, or a tunnel
    Modal,
    /// A container on this machine
    Docker,
    /// A program started in a shell
    Shell,
    /// A program that prints its spans
    Stdout,
    /// The file that an app on Modal imports
    Relay,
}

/// Where programs reach us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The address, without the token: `http://127.0.0.1:8126`.
    pub url: String,
    /// The port on this machine.
    pub port: u16,
    /// The token, or what stands for it.
    pub token: Option<String>,
    /// When ddtrace is to send.
    pub flush: Flush,
}

impl Reach {
    /// The address for programs on this machine, given what is listened on.
    pub fn url_of(listen: SocketAddr) -> String {
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, listen.port()))
    }

    /// The value of `DD_TRACE_AGENT_URL`. With the slash at the end ddtrace keeps the token for
    /// every kind of request.
    pub fn agent_url(&self) -> String {
        with_token(&self.url, self.token.as_deref())
    }
}

fn with_token(url: &str, token: Option<&str>) -> String {
    let url = url.trim_end_matches('/');
    match token {
        Some(token) => format!("{url}/{token}/"),
        None => url.to_owned(),
    }
}

/// What `env` prints.
pub fn print(topic: Option<Topic>, reach: &Reach) -> String {
    match topic {
        Some(Topic::Modal) => modal_lines(reach),
        Some(Topic::Docker) => docker_lines(reach),
        Some(Topic::Shell) => shell_lines(reach),
        Some(Topic::Stdout) => stdout_lines(reach),
        Some(Topic::Relay) => RELAY.to_owned(),
        None => {
            let all = [shell_lines, stdout_lines, docker_lines, modal_lines];
            all.map(|lines| lines(reach)).join("\n")
        }
    }
}

pub fn modal_lines(reach: &Reach) -> String {
    let _ = reach;
    String::new()
}
pub fn docker_lines(reach: &Reach) -> String {
    let _ = reach;
    String::new()
}
pub fn shell_lines(reach: &Reach) -> String {
    let mut s = String::new();
    let _ = write!(s, "{}", reach.agent_url());
    s
}
pub fn stdout_lines(reach: &Reach) -> String {
    let _ = reach;
    String::new()
}
