//! Who holds a port that we wanted: by what it answers, and on Linux by whose socket it is. Only
//! looks and asks; never waits longer than a moment.

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// Who listens on a port, as far as it can be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// What it seems to be, by its `/info`.
    pub kind: Option<&'static str>,
    /// Its process id and name.
    pub process: Option<(u32, String)>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.unwrap_or("another program"))?;
        match &self.process {
            Some((id, name)) => write!(f, " ({name}, pid {id})"),
            None => Ok(()),
        }
    }
}

/// How long the holder may take to accept, and again for each piece of its answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_millis(200);

/// In how many pieces its answer is read, and how long they are: what is further back, or comes
/// in drops, does not matter.
const ANSWER_PIECES_MAX: usize = 4;
const ANSWER_PIECE_BYTES_MAX: usize = 16 * 1024;

impl Holder {
    /// Looks who it is.
    pub(super) fn of(address: SocketAddr) -> Self {
        let kind = ask(address).and_then(|answer| kind_of(&answer));
        Self {
            kind,
            process: process_on(address.port()),
        }
    }
}

fn ask(mut address: SocketAddr) -> Option<String> {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WAIT_MAX).ok()?;
    stream.set_read_timeout(Some(ANSWER_WAIT_MAX)).ok()?;
    stream.set_write_timeout(Some(ANSWER_WAIT_MAX)).ok()?;
    let request = format!("GET /info HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut piece = [0; ANSWER_PIECE_BYTES_MAX];
    for _ in 0..ANSWER_PIECES_MAX {
        // A time-out ends it like the end of the answer, and what came before counts.
        let n_bytes = stream.read(&mut piece).unwrap_or(0);
        answer.extend(piece.iter().take(n_bytes));
        if n_bytes == 0 {
            break;
        }
    }
    Some(String::from_utf8_lossy(&answer).into_owned())
}

fn kind_of(answer: &str) -> Option<&'static str> {
    let member = |name: &str| answer.contains(&format!("\"{name}\""));
    if member("modtrace_tui") {
        Some("another modtrace-tui")
    } else if member("modtrace_relay") {
        Some("a modtrace relay")
    } else if member("client_drop_p0s") && answer.to_ascii_lowercase().contains("server: python") {
        Some("a ddapm-test-agent")
    } else if member("client_drop_p0s") {
        Some("a Datadog Agent")
    } else {
        None
    }
}

fn process_on(port: u16) -> Option<(u32, String)> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, port))?;
    let link = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        has_open(&entry.path().join("fd"), &link).then(|| (id, process_name(&entry.path())))
    })
}

/// The socket that listens on a port, in a table like `/proc/net/tcp`: columns 1, 3 and 9 are the
/// local address, the state (`0A` listens) and the inode.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let local_end = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let local = columns.next()?;
        let state = columns.nth(1)?;
        let inode = columns.nth(5)?;
        if local.ends_with(&local_end) && state == "0A" {
            inode.parse().ok()
        } else {
            None
        }
    })
}

fn has_open(descriptors: &Path, link: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(descriptors) else {
        return false;
    };
    descriptors
        .flatten()
        .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|to| to.as_os_str() == link))
}

fn process_name(process: &Path) -> String {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    name.trim()
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1FBE 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 111 1
   1: 0100007F:1FBE 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 222 1
";

    #[test]
    fn the_listening_socket_of_a_port_is_found() {
        assert_eq!(listening_inode(TABLE, 8126), Some(222));
        assert_eq!(listening_inode(TABLE, 8127), None);
        assert_eq!(listening_inode("", 8126), None);
        assert_eq!(listening_inode("x\n: :1FBE\n", 8126), None);
    }

    #[test]
    fn agents_are_told_by_what_they_answer() {
        let ours = crate::wire::endpoint::info(&crate::wire::endpoint::InfoSettings::default());
        assert_eq!(kind_of(&ours), Some("another modtrace-tui"));
        assert_eq!(
            kind_of("HTTP/1.1 200 OK\r\n\r\n{\"client_drop_p0s\":true}"),
            Some("a Datadog Agent")
        );
        let test_agent =
            "HTTP/1.1 200 OK\r\nServer: Python/3.11 aiohttp/3.9\r\n\r\n{\"client_drop_p0s\": true}";
        assert_eq!(kind_of(test_agent), Some("a ddapm-test-agent"));
        assert_eq!(kind_of("HTTP/1.1 404 Not Found\r\n\r\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn our_own_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (id, name) = process_on(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(id, std::process::id());
        assert!(!name.is_empty());
    }
}
