//! Asks whether spans would get to Datadog: the validation endpoint about the key, and the intakes for
//! no more than a connection. Sends no span, tries nothing twice and decides nothing.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::runtime::Builder;
use tokio::time::{Instant, timeout};

use super::tls::{Opener, is_untrusted};
use crate::forward::check::{Answer, Seen, Trouble};
use crate::forward::settings::{Address, ForwardSettings};
use crate::forward::{self, Secret};

/// Nothing longer speaks of a key.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

type AnyError = Box<dyn Error + Send + Sync>;

/// Asks everybody at the same time, each once, and waits no longer than this for all of them.
///
/// # Errors
///
/// The program cannot wait for anything here.
pub fn check(settings: &ForwardSettings, wait_max: Duration) -> io::Result<Seen> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let seen = runtime.block_on(look(settings, wait_max));
    // Nobody waits for the name of a host.
    runtime.shutdown_background();
    Ok(seen)
}

async fn look(settings: &ForwardSettings, wait_max: Duration) -> Seen {
    // Reading the system's certificates takes time that no host is to be blamed for.
    let opener = Opener::new();
    let reach = async |to: &Address| {
        let begun = Instant::now();
        opener.open(to).await?;
        Ok(begun.elapsed())
    };
    let (validate, traces, logs) = tokio::join!(
        within(wait_max, ask(&opener, &settings.validate, &settings.key)),
        within(wait_max, reach(&settings.traces)),
        within(wait_max, reach(&settings.logs)),
    );
    Seen {
        validate,
        traces,
        logs,
    }
}

async fn within<T>(
    wait_max: Duration,
    asked: impl Future<Output = Result<T, AnyError>>,
) -> Result<T, Trouble> {
    match timeout(wait_max, asked).await {
        Ok(outcome) => outcome.map_err(|error| trouble(&*error)),
        Err(_elapsed) => Err(Trouble::Other(format!("no answer within {wait_max:?}"))),
    }
}

async fn ask(opener: &Opener, to: &Address, key: &Secret) -> Result<Answer, AnyError> {
    let mut key = HeaderValue::from_str(key.expose())?;
    key.set_sensitive(true);
    let request = Request::get(&*to.path)
        .header(HOST, to.authority())
        .header(USER_AGENT, forward::USER_AGENT)
        .header("DD-API-KEY", key)
        .body(Empty::<Bytes>::new())?;
    let begun = Instant::now();
    let stream = opener.open(to).await?;
    let (mut connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // Its end is seen by whoever waits for the answer.
        let _closed = driver.await;
    });
    let response = connection.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let body = body.collect().await?.to_bytes();
    Ok(Answer {
        status,
        body: body.into(),
        after: begun.elapsed(),
    })
}

/// An error in a few words; hyper's do not quote their cause.
fn trouble(error: &(dyn Error + Send + Sync + 'static)) -> Trouble {
    let words = match error.source() {
        Some(cause) if !error.to_string().contains(&cause.to_string()) => {
            format!("{error}: {cause}")
        }
        _ => error.to_string(),
    };
    if error.downcast_ref().is_some_and(is_untrusted) {
        return Trouble::Certificate(words);
    }
    Trouble::Other(words)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::forward::settings::ForwardOptions;

    #[test]
    fn whoever_says_nothing_is_waited_for_once_and_no_longer_than_said() {
        // Connections are taken by the system, and answered by nobody.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let options = ForwardOptions {
            api_key: Some("0123456789abcdef0123456789abcdef"),
            main_url: Some(&url),
            traces_url: Some(&url),
            logs_url: Some(&url),
            ..ForwardOptions::default()
        };
        let settings = ForwardSettings::read(&options).unwrap();
        let seen = check(&settings, Duration::from_millis(50)).unwrap();
        let late = Trouble::Other("no answer within 50ms".to_owned());
        assert_eq!(seen.validate, Err(late));
        assert!(seen.traces.is_ok() && seen.logs.is_ok());
    }
}
