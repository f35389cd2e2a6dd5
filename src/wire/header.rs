//! What is read from a trace request's headers. They come from strangers: shortened, and repaired
//! where they are not text.
//!
//! After `pkg/trace/api/internal/header/headers.go` and `api.go` in `DataDog/datadog-agent`.

use std::sync::Arc;

use crate::trace::{TracerInfo, printable};

/// Bytes of a header that are kept.
const HEADER_BYTES_MAX: usize = 256;
/// Bytes of a client's name.
const CLIENT_BYTES_MAX: usize = 128;

/// Tracers by the language they present themselves with.
const TRACERS: [(&str, &str); 8] = [
    ("python", "ddtrace-py"),
    ("nodejs", "dd-trace-js"),
    ("go", "dd-trace-go"),
    ("ruby", "dd-trace-rb"),
    ("java", "dd-trace-java"),
    ("dotnet", "dd-trace-dotnet"),
    ("php", "dd-trace-php"),
    ("cpp", "dd-trace-cpp"),
];

/// What a client says beside the spans.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TraceHeaders {
    /// `Datadog-Meta-Lang`, `-Lang-Version`, `-Tracer-Version`.
    pub tracer: Arc<TracerInfo>,
    /// Who asks, for people: `ddtrace-py 4.1.2`, else the user agent, possibly empty.
    pub client: Arc<str>,
    /// `X-Datadog-Trace-Count`: the chunks it says it sent; 0 if it does not say.
    pub announced_chunks: u64,
    /// `Datadog-Client-Dropped-P0-Traces`.
    pub client_dropped_p0_traces: u64,
    /// `Datadog-Client-Dropped-P0-Spans`.
    pub client_dropped_p0_spans: u64,
    /// `Datadog-Client-Computed-Stats`: the client sends statistics of its own.
    pub client_computed_stats: bool,
    /// `Datadog-Client-Computed-Top-Level`: the client marks the spans that enter a service.
    pub client_computed_top_level: bool,
}

/// Who sends, as the headers of a request say. Kept with a connection, since its next request mostly
/// says the same.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    tracer: Arc<TracerInfo>,
    user_agent: Box<str>,
    client: Arc<str>,
}

const LANGUAGE: &str = "datadog-meta-lang";
const LANGUAGE_VERSION: &str = "datadog-meta-lang-version";
const TRACER_VERSION: &str = "datadog-meta-tracer-version";
const USER_AGENT: &str = "user-agent";

impl Sender {
    fn read<'h>(header: &impl Fn(&'static str) -> Option<&'h [u8]>) -> Self {
        let text = |name| header(name).map(shortened).unwrap_or_default();
        let tracer = TracerInfo {
            language: text(LANGUAGE),
            language_version: text(LANGUAGE_VERSION),
            tracer_version: text(TRACER_VERSION),
            ..TracerInfo::default()
        };
        let user_agent = text(USER_AGENT);
        Self {
            client: client(&tracer, &user_agent).into(),
            tracer: tracer.into(),
            user_agent,
        }
    }

    /// Whether the headers say the same again, word for word.
    fn is_said_by<'h>(&self, header: &impl Fn(&'static str) -> Option<&'h [u8]>) -> bool {
        [
            (LANGUAGE, &self.tracer.language),
            (LANGUAGE_VERSION, &self.tracer.language_version),
            (TRACER_VERSION, &self.tracer.tracer_version),
            (USER_AGENT, &self.user_agent),
        ]
        .into_iter()
        .all(|(name, known)| header(name).unwrap_or_default() == known.as_bytes())
    }
}

impl TraceHeaders {
    /// Reads headers by their names, which are asked for in lower case.
    pub fn read<'h>(header: impl Fn(&'static str) -> Option<&'h [u8]>) -> Self {
        Self::read_after(&mut Sender::default(), header)
    }

    /// The same, on a connection whose last request had this sender: what he says again is shared.
    pub(crate) fn read_after<'h>(
        last: &mut Sender,
        header: impl Fn(&'static str) -> Option<&'h [u8]>,
    ) -> Self {
        if !last.is_said_by(&header) {
            *last = Sender::read(&header);
        }
        // Nobody sends more at once; who says so must not spoil the sums.
        let count = |name| {
            let text = std::str::from_utf8(header(name)?).ok()?;
            text.trim().parse::<u32>().ok()
        };
        let count = |name| count(name).map_or(0, u64::from);
        Self {
            tracer: Arc::clone(&last.tracer),
            client: Arc::clone(&last.client),
            announced_chunks: count("x-datadog-trace-count"),
            client_dropped_p0_traces: count("datadog-client-dropped-p0-traces"),
            client_dropped_p0_spans: count("datadog-client-dropped-p0-spans"),
            client_computed_stats: header("datadog-client-computed-stats").is_some_and(is_true),
            client_computed_top_level: header("datadog-client-computed-top-level")
                .is_some_and(is_true),
        }
    }
}

/// The tracer's name and version, or the user agent of whoever is none; as it may be shown.
fn client(tracer: &TracerInfo, user_agent: &str) -> Box<str> {
    let known = TRACERS
        .iter()
        .find(|(language, _)| *language == &*tracer.language);
    match known {
        Some((_, name)) => {
            let client = format!("{name} {}", tracer.tracer_version);
            printable(client.trim_end(), CLIENT_BYTES_MAX)
        }
        None => printable(user_agent, CLIENT_BYTES_MAX),
    }
}

/// Any text but the ones for false, as `isHeaderTrue` has it.
fn is_true(text: &[u8]) -> bool {
    !matches!(
        text,
        b"" | b"0" | b"f" | b"F" | b"false" | b"False" | b"FALSE"
    )
}

pub(super) fn shortened(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes.get(..HEADER_BYTES_MAX).unwrap_or(bytes)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &[u8])]) -> TraceHeaders {
        TraceHeaders::read(|name| {
            headers
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| *value)
        })
    }

    #[track_caller]
    fn check_client(headers: &[(&str, &[u8])], expect: &str) {
        assert_eq!(&*read(headers).client, expect);
    }

    #[test]
    fn the_headers_of_a_python_tracer_are_read() {
        let headers = read(&[
            ("datadog-meta-lang", b"python"),
            ("datadog-meta-lang-version", b"3.11.7"),
            ("datadog-meta-tracer-version", b"4.1.2"),
            ("x-datadog-trace-count", b"7"),
            ("datadog-client-dropped-p0-traces", b"2"),
            ("datadog-client-dropped-p0-spans", b"5"),
            ("datadog-client-computed-stats", b"yes"),
            ("datadog-client-computed-top-level", b"yes"),
        ]);
        let expect = TraceHeaders {
            tracer: TracerInfo {
                language: "python".into(),
                language_version: "3.11.7".into(),
                tracer_version: "4.1.2".into(),
                ..TracerInfo::default()
            }
            .into(),
            client: "ddtrace-py 4.1.2".into(),
            announced_chunks: 7,
            client_dropped_p0_traces: 2,
            client_dropped_p0_spans: 5,
            client_computed_stats: true,
            client_computed_top_level: true,
        };
        assert_eq!(headers, expect);
    }

    #[test]
    fn a_client_that_is_no_known_tracer_is_named_by_its_user_agent() {
        check_client(&[("user-agent", b"curl/8.5")], "curl/8.5");
        check_client(
            &[("user-agent", b"x"), ("datadog-meta-lang", b"cobol")],
            "x",
        );
        check_client(
            &[("user-agent", b"x"), ("datadog-meta-lang", b"go")],
            "dd-trace-go",
        );
        check_client(&[], "");
    }

    #[test]
    fn headers_that_say_nothing_are_zero_and_false() {
        for nothing in ["", "0", "false", "False", "f"] {
            let headers = read(&[
                ("datadog-client-computed-stats", nothing.as_bytes()),
                ("x-datadog-trace-count", nothing.as_bytes()),
            ]);
            assert_eq!(headers, TraceHeaders::default());
        }
        assert_eq!(
            read(&[("x-datadog-trace-count", b"-1")]),
            TraceHeaders::default()
        );
        assert_eq!(
            read(&[("x-datadog-trace-count", b"1e3")]),
            TraceHeaders::default()
        );
        assert_eq!(
            read(&[("x-datadog-trace-count", b"18446744073709551615")]),
            TraceHeaders::default()
        );
    }

    #[test]
    fn what_a_connection_says_again_is_shared_and_what_changes_is_not() {
        let mut last = Sender::default();
        let mut read = |language: &'static str, agent: &'static str| {
            TraceHeaders::read_after(&mut last, |name| match name {
                LANGUAGE => Some(language.as_bytes()),
                USER_AGENT => Some(agent.as_bytes()),
                _ => None,
            })
        };
        let (first, again) = (read("go", "a"), read("go", "a"));
        assert!(Arc::ptr_eq(&first.tracer, &again.tracer));
        assert!(Arc::ptr_eq(&first.client, &again.client));
        assert_eq!(&*read("", "a").client, "a");
        assert_eq!(&*read("", "b").client, "b");
        let other = read("php", "b");
        assert_eq!(
            (&*other.tracer.language, &*other.client),
            ("php", "dd-trace-php")
        );
        assert_eq!(read("", "").tracer.language.len(), 0);
    }

    #[test]
    fn headers_of_strangers_are_shortened_and_repaired() {
        let long = read(&[("user-agent", &vec![b'a'; 100_000])]);
        assert_eq!(long.client.len(), CLIENT_BYTES_MAX);
        check_client(&[("user-agent", b"a\xffb")], "a\u{fffd}b");
    }
}
