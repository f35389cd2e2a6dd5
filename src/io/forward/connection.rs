//! One connection to the Agent, opened when it is needed and kept while it lasts.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::queue::AgentAnswer;
use crate::config::AgentAddress;
use crate::ingest::Original;

/// An answer larger than this is none that a tracer could use.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// No connection.
    #[error("cannot be reached ({0})")]
    Connect(#[from] io::Error),
    /// It broke off.
    #[error("broke off the connection ({0})")]
    Broken(#[from] hyper::Error),
    /// The answer was cut off, or endless.
    #[error("sent an answer that cannot be read ({0})")]
    Answer(Box<dyn std::error::Error + Send + Sync>),
    /// No request can be made of what came.
    #[error("cannot be sent a request that has no valid path ({0})")]
    Request(#[from] hyper::http::Error),
}

/// A connection, or none yet.
#[derive(Debug, Default)]
pub(super) struct Connection {
    open: Option<SendRequest<Full<Bytes>>>,
}

/// What was answered, and when it may be tried again.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) answer: AgentAnswer,
    pub(super) retry_after: Option<String>,
}

impl Connection {
    /// Sends a request and reads its answer.
    pub(super) async fn exchange(
        &mut self,
        to: &AgentAddress,
        original: &Original,
    ) -> Result<Exchanged, ExchangeError> {
        let request = request(to, original)?;
        let mut open = match self.open.take() {
            Some(open) => match still_open(open).await {
                Some(open) => open,
                None => connect(to).await?,
            },
            None => connect(to).await?,
        };
        let response = open.send_request(request).await?;
        let exchanged = read(response).await?;
        self.open = Some(open);
        Ok(exchanged)
    }
}

/// The Agent may have closed it meanwhile.
async fn still_open(mut open: SendRequest<Full<Bytes>>) -> Option<SendRequest<Full<Bytes>>> {
    let is_open = !open.is_closed() && open.ready().await.is_ok();
    is_open.then_some(open)
}

async fn connect(to: &AgentAddress) -> Result<SendRequest<Full<Bytes>>, ExchangeError> {
    match to {
        AgentAddress::Tcp { host, port, .. } => {
            let stream = TcpStream::connect((&**host, *port)).await?;
            stream.set_nodelay(true)?;
            shake(stream).await
        }
        AgentAddress::Unix(path) => shake(UnixStream::connect(path).await?).await,
    }
}

async fn shake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (open, driver) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // Its end is seen by whoever sends next.
        let _closed = driver.await;
    });
    Ok(open)
}

fn request(
    to: &AgentAddress,
    original: &Original,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let (before, authority) = match to {
        AgentAddress::Tcp { path, .. } => (&**path, to.to_string()),
        // As tracers do.
        AgentAddress::Unix(_) => ("", "localhost".to_owned()),
    };
    let mut request = Request::builder()
        .method(&*original.method)
        .uri(format!("{before}{}", original.path))
        .header(HOST, authority)
        .body(Full::new(original.body.clone()))?;
    for (name, value) in &original.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        // What cannot be said in a header was not read in one either, but for texts out of lines.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

async fn read(response: Response<Incoming>) -> Result<Exchanged, ExchangeError> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX);
    let body = body.collect().await.map_err(ExchangeError::Answer)?;
    let retry_after = parts.headers.get("retry-after");
    let retry_after = retry_after.and_then(|value| value.to_str().ok());
    Ok(Exchanged {
        answer: AgentAnswer {
            status: parts.status.as_u16(),
            body: body.to_bytes(),
            rates_version: parts.headers.get("datadog-rates-payload-version").cloned(),
        },
        retry_after: retry_after.map(str::to_owned),
    })
}
