//! Streams to an intake: plain or with TLS, directly or through a proxy.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::forward::proxy::Proxy;
use crate::forward::settings::{Address, Scheme};

/// Something that bytes go through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The head of a proxy's answer.
const PROXY_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Opens streams.
#[derive(Clone)]
pub(super) struct Opener {
    tls: TlsConnector,
}

impl Opener {
    /// One that trusts whom the system trusts. Where it trusts nobody, connections fail and say so.
    pub(super) fn new() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    /// A stream to an address.
    pub(super) async fn open(&self, to: &Address) -> io::Result<Box<dyn Stream>> {
        if to.scheme == Scheme::Http {
            return Ok(Box::new(connect(&to.host, to.port).await?));
        }
        let stream = match &to.proxy {
            None => connect(&to.host, to.port).await?,
            Some(proxy) => through(proxy, to).await?,
        };
        let name = ServerName::try_from(String::from(&*to.host)).map_err(io::Error::other)?;
        Ok(Box::new(self.tls.connect(name, stream).await?))
    }
}

/// Whether a stream could not be opened because nobody here trusts the certificate of whoever answers.
pub(super) fn is_untrusted(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Asks a proxy for a way to the address.
async fn through(proxy: &Proxy, to: &Address) -> io::Result<TcpStream> {
    let mut stream = connect(&proxy.host, proxy.port).await?;
    let host = if to.host.contains(':') {
        format!("[{}]", to.host)
    } else {
        String::from(&*to.host)
    };
    let target = format!("{host}:{}", to.port);
    let authorization = proxy.authorization.as_deref();
    let authorization = authorization.map(|value| format!("Proxy-Authorization: {value}\r\n"));
    let authorization = authorization.unwrap_or_default();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        // Nothing may be taken of what follows.
        answer.push(stream.read_u8().await?);
        if answer.len() > PROXY_ANSWER_BYTES_MAX {
            return Err(io::Error::other("the proxy's answer does not end"));
        }
    }
    let status = answer.get(9..12).unwrap_or_default();
    if status == b"200" {
        return Ok(stream);
    }
    let status = status.escape_ascii();
    Err(io::Error::other(format!(
        "the proxy answers with status {status}"
    )))
}
