//! Binding: the TCP port and the unix socket, and what to tell when that fails. A file that is not
//! a socket nobody listens on is never touched.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::holder::Holder;

/// Which of our TCP ports it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The one where the Agent is expected.
    Agent,
    /// The one where an OTLP collector is.
    Otlp,
}

impl Port {
    /// The option that chooses it.
    fn option(self) -> &'static str {
        match self {
            Self::Agent => "--listen",
            Self::Otlp => "--otlp",
        }
    }

    /// The variable by which a program learns of it.
    fn variable(self) -> &'static str {
        match self {
            Self::Agent => "DD_TRACE_AGENT_URL",
            Self::Otlp => "OTEL_EXPORTER_OTLP_ENDPOINT",
        }
    }
}

/// Why the agent could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else listens there.
    #[error(
        "Port {} of {} is in use by {holder}: stop it ({} shows who it is), or start with \
         {} {other} and set {}=http://{other} for the app",
        address.port(), address.ip(), who_holds(*address), port.option(), port.variable(),
        other = another_address(*address)
    )]
    PortInUse {
        /// The address asked for.
        address: SocketAddr,
        /// Who it is, as far as it can be found out.
        holder: Holder,
        /// Which port that is to us.
        port: Port,
    },
    /// The address cannot be bound for another reason.
    #[error(
        "Cannot listen on {address}: {source}; choose {} with {}",
        bindable(source), port.option()
    )]
    Bind {
        /// Which port that is to us.
        port: Port,
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A program listens on the unix socket.
    #[error("{} is in use by a running program; stop it or choose another path with --uds", path.display())]
    SocketInUse {
        /// The path asked for.
        path: PathBuf,
    },
    /// A file is in the place of the unix socket.
    #[error("{} exists and is not a socket; choose another path with --uds", path.display())]
    NotASocket {
        /// The path asked for.
        path: PathBuf,
    },
    /// The unix socket cannot be made for another reason.
    #[error("Cannot make the unix socket {}: {source}; choose another path with --uds", path.display())]
    Socket {
        /// The path asked for.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The thread of the agent cannot be started.
    #[error("Cannot start the agent's thread: {0}; close some programs and start again")]
    Thread(io::Error),
}

/// What the agent listens on.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) tcp: TcpListener,
    pub(super) otlp: Option<TcpListener>,
    pub(super) uds: Option<UnixListener>,
}

pub(super) fn bind_tcp(
    address: SocketAddr,
    port: Port,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let local_addr = listener.local_addr()?;
        Ok((listener, local_addr))
    };
    bind().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse {
            address,
            holder: Holder::of(address),
            port,
        },
        _ => StartError::Bind {
            port,
            address,
            source,
        },
    })
}

/// Who may connect: the owner, and everybody who may write. As with the Agent's own socket
/// (`pkg/trace/api/api.go::listenUnix`), since an app in a container often has another user id.
/// A directory that only its owner may enter keeps others out.
const SOCKET_MODE: u32 = 0o722;

pub(super) fn bind_uds(path: &Path) -> Result<(UnixListener, SocketFile), StartError> {
    make_way(path)?;
    let bind = || {
        let listener = UnixListener::bind(path)?;
        let file = SocketFile {
            path: path.to_owned(),
            inode: inode(path)?,
        };
        fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
        listener.set_nonblocking(true)?;
        Ok((listener, file))
    };
    bind().map_err(|source| StartError::Socket {
        path: path.to_owned(),
        source,
    })
}

/// Removes a socket nobody listens on.
fn make_way(path: &Path) -> Result<(), StartError> {
    let path_buf = || path.to_owned();
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(StartError::NotASocket { path: path_buf() });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(StartError::Socket {
                path: path_buf(),
                source,
            });
        }
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| StartError::Socket {
                path: path_buf(),
                source,
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(StartError::SocketInUse { path: path_buf() }),
        Err(source) => Err(StartError::Socket {
            path: path_buf(),
            source,
        }),
    }
}

/// The file of our unix socket; removed with this, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            // If it cannot be removed, the next start replaces it.
            let _removed = fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

fn who_holds(address: SocketAddr) -> String {
    let port = address.port();
    if cfg!(target_os = "linux") {
        format!("`ss -ltnp 'sport = :{port}'`")
    } else {
        format!("`lsof -nP -iTCP:{port} -sTCP:LISTEN`")
    }
}

fn bindable(refusal: &io::Error) -> &'static str {
    match refusal.kind() {
        io::ErrorKind::PermissionDenied => "a port from 1024 on",
        _ => "an address of this machine",
    }
}

fn another_address(mut address: SocketAddr) -> SocketAddr {
    address.set_port(address.port().checked_add(10).unwrap_or(8136));
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_with_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind_tcp(address, Port::Agent).unwrap_err().to_string();
        let other = format!("127.0.0.1:{}", another_address(address).port());
        for part in [
            &format!("Port {} of 127.0.0.1 is in use by ", address.port()),
            &format!("--listen {other} and "),
            &format!("DD_TRACE_AGENT_URL=http://{other} "),
        ] {
            assert!(
                error.contains(part.as_str()),
                "{part:?} is not in {error:?}"
            );
        }
    }

    #[test]
    fn the_port_for_otlp_in_use_is_told_with_its_own_option_and_variable() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind_tcp(address, Port::Otlp).unwrap_err().to_string();
        let other = another_address(address);
        for part in [
            format!("--otlp {other} and "),
            format!("OTEL_EXPORTER_OTLP_ENDPOINT=http://{other} "),
        ] {
            assert!(error.contains(&part), "{part:?} is not in {error:?}");
        }
    }

    #[test]
    fn the_way_out_of_the_agents_port_is_the_one_in_the_documentation() {
        let check = |address: &str, other: &str| {
            assert_eq!(
                another_address(address.parse().unwrap()),
                other.parse().unwrap()
            );
        };
        check("127.0.0.1:8126", "127.0.0.1:8136");
        check("0.0.0.0:8126", "127.0.0.1:8136");
        check("127.0.0.1:65535", "127.0.0.1:8136");
        check("[::1]:8126", "[::1]:8136");
    }

    #[test]
    fn an_address_of_another_machine_is_told_apart_from_a_port_in_use() {
        let error = bind_tcp("192.0.2.1:0".parse().unwrap(), Port::Agent).unwrap_err();
        assert!(matches!(error, StartError::Bind { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains("choose an address of this machine"), "{told}");
    }
}
