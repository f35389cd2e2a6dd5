//! One connection, opened when it is needed and kept while it lasts.

use std::future::Future;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::tls::{Stream, is_untrusted};

/// An answer larger than this is none that anybody could use.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// No connection.
    #[error("cannot be reached ({0})")]
    Connect(io::Error),
    /// No connection to whom this machine trusts.
    #[error(
        "cannot be reached: whoever answers has a certificate that is not trusted here. SSL_CERT_FILE names \
         those of a company's proxy"
    )]
    Untrusted,
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

impl From<io::Error> for ExchangeError {
    fn from(error: io::Error) -> Self {
        if is_untrusted(&error) {
            Self::Untrusted
        } else {
            Self::Connect(error)
        }
    }
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// A header, if it is a text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A connection, or none yet.
#[derive(Debug, Default)]
pub(super) struct Connection {
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// Sends a request and reads its answer, on what is open or what is opened for it.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        connect: impl Future<Output = io::Result<Box<dyn Stream>>>,
    ) -> Result<Answer, ExchangeError> {
        let kept = match self.open.take() {
            Some(open) => still_open(open).await,
            None => None,
        };
        let mut open = match kept {
            Some(open) => open,
            None => shake(connect.await?).await?,
        };
        let response = open.send_request(request).await?;
        let answer = read(response).await?;
        self.open = Some(open);
        Ok(answer)
    }
}

/// The receiver may have closed it meanwhile.
async fn still_open(mut open: SendRequest<Full<Bytes>>) -> Option<SendRequest<Full<Bytes>>> {
    let is_open = !open.is_closed() && open.ready().await.is_ok();
    is_open.then_some(open)
}

async fn shake(stream: Box<dyn Stream>) -> Result<SendRequest<Full<Bytes>>, ExchangeError> {
    let (open, driver) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // Its end is seen by whoever sends next.
        let _closed = driver.await;
    });
    Ok(open)
}

async fn read(response: Response<Incoming>) -> Result<Answer, ExchangeError> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX);
    let body = body.collect().await.map_err(ExchangeError::Answer)?;
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.to_bytes(),
    })
}
