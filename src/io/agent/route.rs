//! From method and path to what is to be done. Pure; the token ends here.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::ingest::{PayloadKind, RequestClass};
use crate::wire::endpoint::{self, Action, Endpoint};
use crate::wire::otlp;

use super::reply::Reply;
use super::token::Token;
use crate::trace::{Via, printable};

/// What is known of a request before its body.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    /// As it came, with the token, possibly encoded.
    pub(super) path: &'a str,
    /// `Content-Type`.
    pub(super) content_type: Option<&'a str>,
    /// Whether a web page of another site sent it (`Sec-Fetch-Site`).
    pub(super) is_cross_site: bool,
}

/// Where a request goes.
#[derive(Debug)]
pub(super) struct Route {
    /// The path as it may be shown: without the token, printable, bounded.
    pub(super) path: Cow<'static, str>,
    /// The endpoint's path, empty for a path nobody serves.
    pub(super) endpoint: &'static str,
    pub(super) class: RequestClass,
    pub(super) target: Target,
}

/// What is done with the body.
#[derive(Debug)]
pub(super) enum Target {
    /// It is decoded.
    Payload(PayloadKind),
    /// `/info` is answered.
    Info,
    /// It is read, thrown away, and answered with this.
    Reply(Reply),
}

/// A path longer than this is cut in the request log.
const PATH_BYTES_MAX: usize = 512;

impl Route {
    /// The way a request came: what speaks OTLP came by OTLP, whatever connection that was.
    pub(super) fn via(&self, via: Via) -> Via {
        match self.target {
            Target::Payload(PayloadKind::Traces(format)) => format.via(via),
            _ => via,
        }
    }

    pub(super) fn of(asked: &Asked<'_>, token: Option<&Token>) -> Self {
        let asked_path = endpoint::plain(asked.path);
        let asked_path = asked_path.as_ref();
        let (path, stray) = match token {
            None => (asked_path, None),
            Some(token) => match token.strip(asked_path) {
                Some(path) => (path, None),
                None => (asked_path, Some(token)),
            },
        };
        let redacted = token.map(|token| token.redact(path));
        let shown = printable(redacted.as_deref().unwrap_or(path), PATH_BYTES_MAX);
        if stray.is_some() {
            return Self {
                path: shown.into_string().into(),
                endpoint: "",
                class: class_of_stray(path),
                target: nothing_here(),
            };
        }
        let Some(endpoint) = endpoint::find(path) else {
            let target = Target::Reply(Reply::refusal(404, unknown_path(&shown)));
            return Self {
                path: shown.into_string().into(),
                endpoint: "",
                class: RequestClass::Other,
                target,
            };
        };
        let (class, target) = match refusal(endpoint, asked) {
            Some((class, reply)) => (class, Target::Reply(reply)),
            None => (endpoint.class, target(endpoint, asked)),
        };
        let is_whole = *shown == *endpoint.path;
        Self {
            path: if is_whole {
                endpoint.path.into()
            } else {
                shown.into_string().into()
            },
            endpoint: endpoint.path,
            class,
            target,
        }
    }
}

/// The path below the token: plain, and as it is written in a request. `None` without the token.
pub(super) fn path_below(asked: &str, token: Option<&Token>) -> Option<(String, String)> {
    let plain = endpoint::plain(asked);
    let below = match token {
        Some(token) => token.strip(&plain)?,
        None => &plain,
    };
    let is_written =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let mut written = String::with_capacity(below.len());
    for byte in below.bytes() {
        if is_written(byte) {
            written.push(char::from(byte));
        } else {
            // A string is always written to.
            let _written = write!(written, "%{byte:02X}");
        }
    }
    Some((below.to_owned(), written))
}

fn refusal(endpoint: &Endpoint, asked: &Asked<'_>) -> Option<(RequestClass, Reply)> {
    if asked.is_cross_site {
        // As the Agent: a web page must not post to our port.
        let note = "a web page of another site sent it (Sec-Fetch-Site), which may not; send it from a \
                    program, or from a page of this address";
        let reply = Reply::refusal(403, "cross-site request rejected");
        return Some((endpoint.class, reply.noting(note)));
    }
    if endpoint.methods.allow(asked.method) {
        return None;
    }
    let allow = endpoint.methods.names();
    let reason = format!(
        "{} takes {} only",
        endpoint.path,
        allow.replace(", ", " and ")
    );
    // Whoever asks with another method has no payload: most often a browser.
    Some((
        RequestClass::Other,
        Reply::refusal(405, reason).naming_methods(allow),
    ))
}

fn target(endpoint: &Endpoint, asked: &Asked<'_>) -> Target {
    match endpoint.action {
        Action::Info => Target::Info,
        Action::Take(kind) => Target::Payload(kind),
        Action::Acknowledge { status, note } => {
            Target::Reply(Reply::json(status, bytes::Bytes::from_static(b"{}"), note))
        }
        Action::AcknowledgeOtlp(note) => {
            // Nobody looks at the body: what is not called JSON is answered as protobuf.
            let encoding = otlp::Encoding::of(asked.content_type, b"");
            let encoding = encoding.unwrap_or(otlp::Encoding::Protobuf);
            Target::Reply(Reply::otlp(encoding, note))
        }
    }
}

fn unknown_path(shown: &str) -> String {
    format!("nothing is served at {shown}; GET /info lists what is")
}

/// The same answer however near the token is, and without the path, which may hold most of it. The
/// request log is ours, and says more.
fn nothing_here() -> Target {
    let note = "the path does not begin with the token. Set DD_TRACE_AGENT_URL to the address with \
                the token; tracers that drop its path (Node.js, ddtrace 2) need --uds instead";
    Target::Reply(Reply::refusal(404, "nothing is served at this path").noting(note))
}

/// A payload sent without the token, or with another, is a payload that was refused.
fn class_of_stray(path: &str) -> RequestClass {
    let below_first = || {
        path.strip_prefix('/')?
            .find('/')
            .and_then(|at| path.get(at + 1..))
    };
    let endpoint = endpoint::find(path).or_else(|| endpoint::find(below_first()?));
    endpoint.map_or(RequestClass::Other, |endpoint| endpoint.class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str, token: Option<&str>) -> Route {
        let token = token.map(Token::new);
        Route::of(
            &Asked {
                method,
                path,
                content_type: None,
                is_cross_site: false,
            },
            token.as_ref(),
        )
    }

    #[track_caller]
    fn check(asked: (&str, &str), token: Option<&str>, expected: (&str, RequestClass, u16)) {
        let route = route(asked.0, asked.1, token);
        let status = match route.target {
            Target::Payload(_) | Target::Info => 200,
            Target::Reply(reply) => reply.status,
        };
        assert_eq!((&*route.path, route.class, status), expected, "{asked:?}");
    }

    #[test]
    fn the_token_is_taken_off_and_never_shown() {
        let token = Some("s3cret");
        check(
            ("PUT", "/s3cret/v0.4/traces"),
            token,
            ("/v0.4/traces", RequestClass::Traces, 200),
        );
        check(
            ("GET", "/s3cret/s3cret"),
            token,
            ("/[token]", RequestClass::Other, 404),
        );
        check(
            ("GET", "/s3cret"),
            token,
            ("/[token]", RequestClass::Other, 404),
        );
        check(
            ("GET", "/x/s3cret/info"),
            token,
            ("/x/[token]/info", RequestClass::Other, 404),
        );
    }

    #[test]
    fn a_path_may_be_encoded_and_have_slashes_too_many() {
        let traces = ("/v0.4/traces", RequestClass::Traces, 200);
        for path in ["//v0.4/traces", "/v0.4/%74races", "/v0%2e4//traces"] {
            check(("PUT", path), None, traces);
        }
        for path in ["//s3cret//v0.4/traces", "/s3c%72et/v0.4/traces"] {
            check(("PUT", path), Some("s3cret"), traces);
        }
        // Neither hides the token from us, so that it would be shown.
        check(
            ("GET", "/x/s3c%72et"),
            Some("s3cret"),
            ("/x/[token]", RequestClass::Other, 404),
        );
        check(
            ("GET", "/%1b[2J%0d%0a%00"),
            None,
            (
                "/\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}",
                RequestClass::Other,
                404,
            ),
        );
    }

    #[test]
    fn payloads_without_the_token_count_as_payloads() {
        let token = Some("s3cret");
        check(
            ("POST", "/v0.4/traces"),
            token,
            ("/v0.4/traces", RequestClass::Traces, 404),
        );
        check(
            ("POST", "/guess/v0.4/traces"),
            token,
            ("/guess/v0.4/traces", RequestClass::Traces, 404),
        );
        check(("GET", "/info"), token, ("/info", RequestClass::Other, 404));
        check(
            ("GET", "nonsense"),
            token,
            ("nonsense", RequestClass::Other, 404),
        );
    }

    #[test]
    fn without_the_token_the_client_is_told_less_than_the_request_log() {
        let Target::Reply(reply) = route("PUT", "/v0.4/traces", Some("s3cret")).target else {
            panic!("it is served without the token");
        };
        assert!(reply.note.contains("does not begin with the token"));
        let body = format!("{:?}", reply.into_response().into_body());
        assert!(body.contains("nothing is served") && !body.contains("token"));
    }

    #[test]
    fn another_method_is_no_payload() {
        check(
            ("GET", "/v0.4/traces"),
            None,
            ("/v0.4/traces", RequestClass::Other, 405),
        );
        check(("POST", "/info"), None, ("/info", RequestClass::Other, 405));
    }

    #[test]
    fn long_paths_are_cut() {
        let path = format!("/{}", "é".repeat(10_000));
        assert!(route("GET", &path, None).path.len() <= PATH_BYTES_MAX);
    }
}
