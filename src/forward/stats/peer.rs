//! The tags by which a span says whom it talks to, with addresses of machines left out. Reads one span.
//!
//! After `pkg/trace/stats/span_concentrator.go` (`matchingPeerTags`), `pkg/trace/stats/peer_tags.ini`
//! and `pkg/obfuscate/ip_address.go` (`QuantizePeerIPAddresses`) in `DataDog/datadog-agent`.

use std::net::Ipv6Addr;

use crate::normalize::Normalized;

const BASE_SERVICE: &str = "_dd.base_service";

/// The precursors in `peer_tags.ini`, and the base service (`pkg/trace/config/peer_tags.go`), sorted.
const PEER_TAGS: [&str; 42] = [
    BASE_SERVICE,
    "amqp.destination",
    "amqp.exchange",
    "amqp.queue",
    "aws.queue.name",
    "bucketname",
    "cassandra.keyspace",
    "db.cassandra.contact.points",
    "db.couchbase.seed.nodes",
    "db.hostname",
    "db.instance",
    "db.name",
    "db.system",
    "grpc.host",
    "hostname",
    "http.host",
    "http.server_name",
    "messaging.destination",
    "messaging.destination.name",
    "messaging.kafka.bootstrap.servers",
    "messaging.rabbitmq.exchange",
    "messaging.system",
    "mongodb.db",
    "msmq.queue.path",
    "net.peer.name",
    "network.destination.ip",
    "network.destination.name",
    "out.host",
    "peer.cluster.name",
    "peer.hostname",
    "peer.service",
    "queuename",
    "rpc.service",
    "rpc.system",
    "rulename",
    "server.address",
    "statemachinename",
    "streamname",
    "tablename",
    "topicname",
    "dns.hostname",
    "hazelcast.instance",
];

/// Addresses that say nothing of a network (`allowedIPAddresses`).
const KNOWN_TO_ALL: [&str; 5] = [
    "127.0.0.1",
    "::1",
    "169.254.169.254",
    "fd00:ec2::254",
    "169.254.170.2",
];
const SCHEMES: [&str; 5] = ["dnspoll", "ftp", "file", "http", "https"];
const BLOCKED: &str = "blocked-ip-address";

/// `peerTagKeysToAggregateForSpan`: those of a span that calls somebody; of one within its service only
/// the service it replaces.
pub(super) fn peer_tags(span: &Normalized<'_>, kind: &str) -> Vec<String> {
    let is = |other: &&str| kind.eq_ignore_ascii_case(other);
    let keys: &[&str] = match () {
        () if ["client", "producer", "consumer"].iter().any(is) => &PEER_TAGS,
        () if ["", "internal"].iter().any(is) => &[BASE_SERVICE],
        () => &[],
    };
    let read = |key: &&str| {
        let value = span.meta_text(key).filter(|value| !value.is_empty())?;
        Some(format!("{key}:{}", without_addresses(&value)))
    };
    let mut tags: Vec<String> = keys.iter().filter_map(read).collect();
    tags.sort_unstable();
    tags
}

fn without_addresses(hosts: &str) -> String {
    let mut known: Vec<String> = Vec::new();
    for host in hosts.split(',') {
        let host = without_address(host);
        if !known.contains(&host) {
            known.push(host);
        }
    }
    known.join(",")
}

/// `quantizeIP`: a port and what follows the address stay.
fn without_address(sent: &str) -> String {
    let (prefix, rest) = split_prefix(sent);
    let (host, port) = split_port(rest);
    let Some(length) = address_length(host) else {
        return sent.to_owned();
    };
    let (address, suffix) = host.split_at_checked(length).unwrap_or((host, ""));
    if KNOWN_TO_ALL.contains(&address) {
        return sent.to_owned();
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{prefix}{BLOCKED}{port}{suffix}")
}

/// `splitPrefix`: `ip-` as machines of EC2 are called, or a scheme.
fn split_prefix(sent: &str) -> (&str, &str) {
    if let Some(rest) = sent.strip_prefix("ip-") {
        return ("ip-", rest);
    }
    for scheme in SCHEMES {
        for slashes in [":///", "://"] {
            let found = sent.split_once(slashes);
            if let Some((before, rest)) = found
                && before.ends_with(scheme)
                && !rest.is_empty()
            {
                let prefix_bytes = sent.len() - rest.len();
                let prefix = sent.get(before.len() - scheme.len()..prefix_bytes);
                return (prefix.unwrap_or_default(), rest);
            }
        }
    }
    ("", sent)
}

/// `splitHostPort`: `host:port` or `[host]:port`; else all of it is a host.
fn split_port(sent: &str) -> (&str, Option<&str>) {
    let Some((host, port)) = sent.rsplit_once(':') else {
        return (sent, None);
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(bare) => (bare, Some(port)),
        None if host.contains([':', '[', ']']) || port.contains(['[', ']']) => (sent, None),
        None => (host, Some(port)),
    }
}

/// `isParseableIP`: how many bytes of it are an address, if it begins with one.
fn address_length(host: &str) -> Option<usize> {
    let first = host.bytes().next()?;
    if !(first.is_ascii_hexdigit() || first == b':') {
        return None;
    }
    let separator = host.bytes().find(|byte| b"._-:%".contains(byte))?;
    match separator {
        b'%' => None,
        b':' => {
            let bare = host.split_once('%').map_or(host, |(bare, _zone)| bare);
            bare.parse::<Ipv6Addr>().is_ok().then_some(host.len())
        }
        separator => v4_length(host, separator),
    }
}

/// `parseIPv4`: four numbers up to 255 with one separator between them, and whatever follows.
fn v4_length(host: &str, separator: u8) -> Option<usize> {
    let mut n_numbers = 0;
    let mut digits = 0_usize;
    let mut number = 0_u32;
    for (place, byte) in host.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits > 0 && number == 0 {
                    return None;
                }
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
                if number > 255 {
                    return None;
                }
            }
            _ if n_numbers == 3 => return (digits > 0).then_some(place),
            _ if byte == separator && digits > 0 && place + 1 < host.len() => {
                n_numbers += 1;
                (digits, number) = (0, 0);
            }
            _ => return None,
        }
    }
    (n_numbers == 3 && digits > 0).then_some(host.len())
}
