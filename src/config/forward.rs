//! What `--forward` says: where spans go on to. Opens no connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use super::AGENT_PORT;
use super::value::{ValueError, Written};
use crate::forward::AddedTags;
use crate::forward::courier::{LinesGo, Which};
use crate::forward::settings::ForwardSettings;

/// Where spans go on to, as `--forward` says it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Forward {
    /// To a real Agent, as they come.
    Agent(AgentAddress),
    /// To Datadog itself.
    Datadog,
}

/// Where spans go on to, with all that is needed for it.
#[derive(Clone, Debug)]
pub enum ForwardTo {
    /// A real Agent.
    Agent(AgentAddress),
    /// Datadog itself.
    Datadog(Box<DatadogTarget>),
}

/// How spans go to Datadog.
#[derive(Clone, Debug)]
pub struct DatadogTarget {
    /// The intakes, and the key.
    pub settings: ForwardSettings,
    /// Which spans go.
    pub which: Which,
    /// Whether lines go with them.
    pub lines: LinesGo,
    /// Tags that are added.
    pub added: AddedTags,
}

/// Whether the user may choose traces that go to Datadog.
#[derive(Clone, Debug)]
pub enum ByHand {
    /// They go there.
    To(Box<DatadogTarget>),
    /// They cannot, for this reason: a sentence.
    Not(String),
}

impl ForwardTo {
    /// The real Agent, if it is one.
    pub fn agent(&self) -> Option<&AgentAddress> {
        match self {
            Self::Agent(agent) => Some(agent),
            Self::Datadog(_) => None,
        }
    }
}

/// As the header names it: `agent 127.0.0.1:8125`, `datadog datadoghq.eu`.
impl fmt::Display for ForwardTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(agent) => write!(f, "agent {agent}"),
            Self::Datadog(target) => write!(f, "{target}"),
        }
    }
}

/// `datadog datadoghq.eu`.
impl fmt::Display for DatadogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "datadog {}", self.settings.site)
    }
}

/// Where a real Agent listens.
#[derive(Clone, PartialEq, Eq)]
pub enum AgentAddress {
    /// HTTP over TCP.
    Tcp {
        /// A name or an IP address; one of IPv6 without its brackets.
        host: Box<str>,
        /// The port.
        port: u16,
        /// What stands before every path, possibly empty. It may be a secret.
        path: Box<str>,
    },
    /// HTTP over a unix socket.
    Unix(PathBuf),
}

impl AgentAddress {
    /// Whether a socket with this address is the one: what is sent there would come back.
    pub fn is_at(&self, bound: SocketAddr) -> bool {
        let Self::Tcp { host, port, .. } = self else {
            return false;
        };
        let is_local = |ip: IpAddr| {
            let (ip, ours) = (ip.to_canonical(), bound.ip().to_canonical());
            let meets = ip == ours || ours.is_unspecified() && ip.is_loopback();
            meets || ip.is_unspecified() && ours.is_loopback()
        };
        let host_ip = host.parse::<IpAddr>();
        let names_us = match host_ip {
            Ok(ip) => is_local(ip),
            Err(_name) => {
                let ours = bound.ip().to_canonical();
                host.eq_ignore_ascii_case("localhost")
                    && (ours.is_loopback() || ours.is_unspecified())
            }
        };
        *port == bound.port() && names_us
    }

    /// Whether it is this unix socket.
    pub fn is_socket(&self, bound: &Path) -> bool {
        matches!(self, Self::Unix(path) if path == bound)
    }
}

/// As it may be shown: without the path, which may be a secret.
impl fmt::Display for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Forward {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('=') {
            Some(("agent", url)) => url.parse().map(Self::Agent),
            None if text == "datadog" => Ok(Self::Datadog),
            _ => Err(ValueError::new(
                "it is datadog or agent=URL, as in agent=http://127.0.0.1:8125 or agent=unix:/var/run/datadog/apm.socket",
            )),
        }
    }
}

impl FromStr for AgentAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = match path.strip_prefix("//") {
                Some(path) => path,
                None => path,
            };
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(ValueError::new(
                    "a unix socket is written with its whole path, as in agent=unix:/var/run/datadog/apm.socket",
                ))
            };
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return Err(ValueError::new(
                "an Agent is at http:// or unix:, as in agent=http://127.0.0.1:8125; it speaks no TLS",
            ));
        };
        let is_plain = rest.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || rest.contains(['?', '#', '@', '"', '<', '>', '\\', '`', '{', '}']) {
            return Err(ValueError::new(
                "an Agent's URL is a host, a port and maybe a path, as in agent=http://127.0.0.1:8125",
            ));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = host_and_port(authority).ok_or_else(|| {
            ValueError::new(
                "an Agent's URL needs a host, and a port from 1 to 65535 if any, as in agent=http://127.0.0.1:8125",
            )
        })?;
        Ok(Self::Tcp {
            host: host.into(),
            port,
            path: path.trim_end_matches('/').into(),
        })
    }
}

/// Without a port it is the one that Agents listen on.
fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (
                host,
                after.strip_prefix(':').or(after.is_empty().then_some(""))?,
            )
        }
        None => match authority.split_once(':') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (authority, ""),
        },
    };
    let port = match port {
        "" => AGENT_PORT,
        port => port.parse().ok().filter(|port| *port != 0)?,
    };
    let is_host =
        !host.is_empty() && (authority.starts_with('[') || !host.contains([':', '[', ']', ',']));
    is_host.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        let Ok(Forward::Agent(address)) = text.parse::<Forward>() else {
            panic!("{text} is refused");
        };
        assert_eq!(address.to_string(), shown);
    }

    #[test]
    fn an_agent_is_named_by_its_url() {
        check("agent=http://127.0.0.1:8125", "127.0.0.1:8125");
        check("agent=http://agent", "agent:8126");
        check("agent=http://agent:9/token/", "agent:9");
        check("agent=http://[::1]:8125/", "[::1]:8125");
        check("agent=http://[::1]", "[::1]:8126");
        check("agent=unix:/run/apm.socket", "/run/apm.socket");
        check("agent=unix:///run/apm.socket", "/run/apm.socket");
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "",
            "agent",
            "agent=",
            "agent=https://agent:8126",
            "agent=agent:8126",
            "agent=http://",
            "agent=http://:8126",
            "agent=http://agent:",
            "agent=http://agent:0",
            "agent=http://agent:70000",
            "agent=http://agent:8126?x",
            "agent=http://me:secret@agent",
            "agent=http://a b",
            "agent=http://::1",
            "agent=unix:relative",
            "nobody",
        ] {
            let error = text.parse::<Forward>().unwrap_err().to_string();
            assert!(error.contains("agent="), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[track_caller]
    fn check_loop(url: &str, bound: &str, expected: bool) {
        let address: AgentAddress = url.parse().unwrap();
        assert_eq!(
            address.is_at(bound.parse().unwrap()),
            expected,
            "{url} {bound}"
        );
    }

    #[test]
    fn our_own_address_is_known_by_all_its_names() {
        for url in [
            "http://127.0.0.1:8126",
            "http://localhost",
            "http://0.0.0.0:8126",
            "http://[::ffff:127.0.0.1]:8126",
        ] {
            check_loop(url, "127.0.0.1:8126", true);
        }
        check_loop("http://127.0.0.1:8126", "0.0.0.0:8126", true);
        check_loop("http://127.0.0.1:8125", "127.0.0.1:8126", false);
        check_loop("http://agent:8126", "127.0.0.1:8126", false);
        check_loop("unix:/run/a", "127.0.0.1:8126", false);
    }
}
