//! What is read from a trace request's headers. They come from strangers: shortened, and repaired
//! where they are not text.
//!
//! After `pkg/trace/api/internal/header/headers.go` and `api.go` in `DataDog/datadog-agent`.

use crate::trace::TracerInfo;

/// Bytes of a header that are kept.
const HEADER_BYTES_MAX: usize = 256;

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
    pub tracer: TracerInfo,
    /// Who asks, for people: `ddtrace-py 4.1.2`, else the user agent, possibly empty.
    pub client: Box<str>,
    /// `X-Datadog-Trace-Count`: the chunks it says it sent; 0 if it does not say.
    pub announced_chunks: u64,
    /// `Datadog-Client-Dropped-P0-Traces`.
    pub client_dropped_p0_traces: u64,
    /// `Datadog-Client-Dropped-P0-Spans`.
    pub client_dropped_p0_spans: u64,
    /// `Datadog-Client-Computed-Stats`: the client sends statistics of its own.
    pub client_computed_stats: bool,
}

impl TraceHeaders {
    /// Reads headers by their names, which are asked for in lower case.
    pub fn read<'h>(header: impl Fn(&'static str) -> Option<&'h [u8]>) -> Self {
        let text = |name| header(name).map(shortened).unwrap_or_default();
        let tracer = TracerInfo {
            language: text("datadog-meta-lang"),
            language_version: text("datadog-meta-lang-version"),
            tracer_version: text("datadog-meta-tracer-version"),
            ..TracerInfo::default()
        };
        // Nobody sends more at once; who says so must not spoil the sums.
        let count = |name| text(name).trim().parse::<u32>().map_or(0, u64::from);
        Self {
            client: client(&tracer, text("user-agent")),
            announced_chunks: count("x-datadog-trace-count"),
            client_dropped_p0_traces: count("datadog-client-dropped-p0-traces"),
            client_dropped_p0_spans: count("datadog-client-dropped-p0-spans"),
            client_computed_stats: is_true(&text("datadog-client-computed-stats")),
            tracer,
        }
    }
}

/// The tracer's name and version, or the user agent of whoever is none.
fn client(tracer: &TracerInfo, user_agent: Box<str>) -> Box<str> {
    let known = TRACERS
        .iter()
        .find(|(language, _)| *language == &*tracer.language);
    match known {
        Some((_, name)) => format!("{name} {}", tracer.tracer_version)
            .trim_end()
            .into(),
        None => user_agent,
    }
}

/// Any text but the ones for false, as `isHeaderTrue` has it.
fn is_true(text: &str) -> bool {
    !matches!(text, "" | "0" | "f" | "F" | "false" | "False" | "FALSE")
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
        ]);
        let expect = TraceHeaders {
            tracer: TracerInfo {
                language: "python".into(),
                language_version: "3.11.7".into(),
                tracer_version: "4.1.2".into(),
                ..TracerInfo::default()
            },
            client: "ddtrace-py 4.1.2".into(),
            announced_chunks: 7,
            client_dropped_p0_traces: 2,
            client_dropped_p0_spans: 5,
            client_computed_stats: true,
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
    fn headers_of_strangers_are_shortened_and_repaired() {
        let long = read(&[("user-agent", &vec![b'a'; 100_000])]);
        assert_eq!(long.client.len(), 256);
        check_client(&[("user-agent", b"a\xffb")], "a\u{fffd}b");
    }
}
