//! Starting and stopping: ports and sockets that are taken, and what is left behind.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use modtrace_tui::io::agent::{Agent, AgentSettings, StartError};
use modtrace_tui::io::inbox::{self, InboxLimits};

use super::{NO_TRACES, Server, TestDirectory, request};

fn on_socket(socket: &Path) -> Result<Agent, StartError> {
    let mut settings = AgentSettings::new("127.0.0.1:0".parse().unwrap());
    settings.uds = Some(socket.to_owned());
    let (inbox, _receiver) = inbox::channel(InboxLimits::default());
    Agent::start(settings, inbox)
}

#[test]
fn a_port_that_another_of_us_holds_is_told_with_its_process() {
    let server = Server::start();
    let settings = AgentSettings::new(server.agent.local_addr());
    let (inbox, _receiver) = inbox::channel(InboxLimits::default());
    let error = Agent::start(settings, inbox).unwrap_err();
    assert!(matches!(error, StartError::PortInUse { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("in use by another modtrace-tui"), "{said}");
    if cfg!(target_os = "linux") {
        assert!(
            said.contains(&format!("pid {}", std::process::id())),
            "{said}"
        );
    }
}

#[test]
fn the_socket_is_made_for_clients_to_write_to_and_removed_at_the_end() {
    let directory = TestDirectory::new("made");
    let socket = directory.0.join("apm.socket");
    let agent = on_socket(&socket).unwrap();
    assert_eq!(agent.uds_path(), Some(&*socket));
    let metadata = fs::metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o722);
    agent.stop();
    assert!(!socket.exists());
}

#[test]
fn a_stale_socket_is_replaced() {
    let directory = TestDirectory::new("stale");
    let socket = directory.0.join("apm.socket");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    on_socket(&socket).unwrap();
}

#[test]
fn a_live_socket_is_left_to_its_owner() {
    let directory = TestDirectory::new("live");
    let socket = directory.0.join("apm.socket");
    let _owner = UnixListener::bind(&socket).unwrap();
    let error = on_socket(&socket).unwrap_err();
    assert!(matches!(error, StartError::SocketInUse { .. }), "{error:?}");
    assert!(socket.exists());
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let directory = TestDirectory::new("file");
    let file = directory.0.join("notes.txt");
    fs::write(&file, "mine").unwrap();
    let error = on_socket(&file).unwrap_err();
    assert!(matches!(error, StartError::NotASocket { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_socket_that_took_the_place_of_ours_is_left_alone() {
    let directory = TestDirectory::new("taken");
    let socket = directory.0.join("apm.socket");
    let agent = on_socket(&socket).unwrap();
    // Kept under another name, so that its number is not given to the next file.
    fs::rename(&socket, directory.0.join("old")).unwrap();
    let _other = UnixListener::bind(&socket).unwrap();
    agent.stop();
    assert!(socket.exists());
}

#[test]
fn a_socket_in_a_missing_directory_is_told_with_the_option() {
    let directory = TestDirectory::new("missing");
    let error = on_socket(&directory.0.join("no/apm.socket")).unwrap_err();
    assert!(error.to_string().contains("--uds"), "{error}");
}

#[test]
fn stopping_ends_idle_connections_and_lets_a_request_finish() {
    let server = Server::with(
        |settings| settings.limits.stop_wait_max = Duration::from_secs(10),
        InboxLimits::default(),
    );
    let mut fresh = server.connect();
    let mut idle = server.connect();
    assert_eq!(idle.ask("PUT", "/v0.4/traces", NO_TRACES).status, 200);
    let mut busy = server.connect();
    busy.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(busy.answer().status, 100);
    let Server {
        agent,
        receiver: _receiver,
    } = server;
    let address = agent.local_addr();
    let stopping = std::thread::spawn(move || agent.stop());
    assert!(idle.has_ended() && fresh.has_ended());
    busy.write(NO_TRACES);
    let answer = busy.full_answer();
    assert_eq!(answer.status, 200);
    assert!(busy.has_ended());
    stopping.join().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_request_that_does_not_end_is_cut_off_at_the_end_and_recorded() {
    let server = Server::with(
        |settings| settings.limits.stop_wait_max = Duration::from_millis(20),
        InboxLimits::default(),
    );
    let mut stuck = server.connect();
    stuck.write(b"PUT /v0.4/traces HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(stuck.answer().status, 100);
    let Server {
        agent,
        mut receiver,
    } = server;
    agent.stop();
    let mut batch = Vec::new();
    assert_eq!(receiver.try_recv_many(&mut batch, 10), 1);
    assert!(format!("{batch:?}").contains("status: 400"), "{batch:?}");
    assert!(stuck.has_ended());
}

#[test]
fn what_was_answered_before_the_stop_is_in_the_inbox() {
    let server = Server::start();
    let mut client = server.connect();
    client.write(
        &[
            request("PUT", "/v0.4/traces", "", NO_TRACES),
            request("GET", "/info", "", b""),
        ]
        .concat(),
    );
    assert_eq!(
        [client.full_answer().status, client.full_answer().status],
        [200, 200]
    );
    let Server {
        agent,
        mut receiver,
    } = server;
    agent.stop();
    assert_eq!(receiver.try_recv_many(&mut Vec::new(), 10), 2);
}
