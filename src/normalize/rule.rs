//! What the Agent corrects and why: each rule with the code by which the Agent counts it, the place in
//! its source, and a sentence for the screen.

/// Why the Agent writes something else than the tracer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A text is not UTF-8.
    NotUtf8,
    /// No service.
    ServiceEmpty,
    /// A service longer than 100 bytes.
    ServiceTruncate,
    /// Nothing is left of a service once it is cleaned.
    ServiceInvalid,
    /// A service with characters that no tag has.
    ServiceCharacters,
    /// `peer.service` longer than 100 bytes.
    PeerServiceTruncate,
    /// Nothing is left of `peer.service`.
    PeerServiceInvalid,
    /// `peer.service` with characters that no tag has.
    PeerServiceCharacters,
    /// `_dd.base_service` longer than 100 bytes.
    BaseServiceTruncate,
    /// Nothing is left of `_dd.base_service`.
    BaseServiceInvalid,
    /// `_dd.base_service` with characters that no tag has.
    BaseServiceCharacters,
    /// No name.
    SpanNameEmpty,
    /// A name longer than 100 bytes.
    SpanNameTruncate,
    /// A name without any ASCII letter.
    SpanNameInvalid,
    /// A name with characters that no metric has.
    SpanNameCharacters,
    /// No resource.
    ResourceEmpty,
    /// A resource longer than 5,000 bytes.
    ResourceTruncate,
    /// A trace id, span id and parent id that are all the same, as Zipkin has it.
    ParentIsItself,
    /// A duration below 0, or one that ends after the last moment that can be told.
    InvalidDuration,
    /// A start before the year 2000.
    InvalidStartDate,
    /// A type longer than 100 bytes.
    TypeTruncate,
    /// `env` with characters that no tag has, or longer than 200.
    EnvCharacters,
    /// `http.status_code` that is no number from 100 to 599.
    InvalidHttpStatusCode,
    /// The name of a link, held to what names are held to.
    LinkName,
    /// The key of a tag longer than 200 bytes.
    MetaKeyTruncate,
    /// The value of a tag longer than 25,000 bytes.
    MetaValueTruncate,
    /// The key of a metric longer than 200 bytes.
    MetricKeyTruncate,
}

impl Rule {
    /// The code by which the Agent counts and logs it (`info.SpansMalformed`); `None` for what it
    /// corrects without a word.
    pub fn reason(self) -> Option<&'static str> {
        Some(match self {
            Self::ServiceEmpty => "service_empty",
            Self::ServiceTruncate => "service_truncate",
            Self::ServiceInvalid => "service_invalid",
            Self::PeerServiceTruncate => "peer_service_truncate",
            Self::PeerServiceInvalid => "peer_service_invalid",
            Self::BaseServiceTruncate => "base_service_truncate",
            Self::BaseServiceInvalid => "base_service_invalid",
            Self::SpanNameEmpty => "span_name_empty",
            Self::SpanNameTruncate => "span_name_truncate",
            Self::SpanNameInvalid => "span_name_invalid",
            Self::ResourceEmpty => "resource_empty",
            Self::InvalidDuration => "invalid_duration",
            Self::InvalidStartDate => "invalid_start_date",
            Self::TypeTruncate => "type_truncate",
            Self::InvalidHttpStatusCode => "invalid_http_status_code",
            Self::NotUtf8
            | Self::ServiceCharacters
            | Self::PeerServiceCharacters
            | Self::BaseServiceCharacters
            | Self::SpanNameCharacters
            | Self::ResourceTruncate
            | Self::ParentIsItself
            | Self::EnvCharacters
            | Self::LinkName
            | Self::MetaKeyTruncate
            | Self::MetaValueTruncate
            | Self::MetricKeyTruncate => return None,
        })
    }

    /// File and function in `DataDog/datadog-agent`.
    pub fn source(self) -> &'static str {
        match self {
            Self::NotUtf8 => "pkg/proto/pbgo/trace/decoder_bytes.go repairUTF8",
            Self::ServiceEmpty
            | Self::ServiceTruncate
            | Self::ServiceInvalid
            | Self::ServiceCharacters => {
                "pkg/trace/traceutil/normalize/normalize.go NormalizeService"
            }
            Self::PeerServiceTruncate
            | Self::PeerServiceInvalid
            | Self::PeerServiceCharacters
            | Self::BaseServiceTruncate
            | Self::BaseServiceInvalid
            | Self::BaseServiceCharacters => {
                "pkg/trace/traceutil/normalize/normalize.go NormalizePeerService"
            }
            Self::SpanNameEmpty
            | Self::SpanNameTruncate
            | Self::SpanNameInvalid
            | Self::SpanNameCharacters => {
                "pkg/trace/traceutil/normalize/normalize.go NormalizeName"
            }
            Self::ResourceEmpty | Self::ParentIsItself | Self::EnvCharacters => {
                "pkg/trace/agent/normalizer.go normalize"
            }
            Self::InvalidDuration => "pkg/trace/agent/normalizer.go validateAndFixDuration",
            Self::InvalidStartDate => "pkg/trace/agent/normalizer.go validateAndFixStartTime",
            Self::TypeTruncate => "pkg/trace/agent/normalizer.go validateAndFixType",
            Self::InvalidHttpStatusCode => "pkg/trace/agent/normalizer.go isValidStatusCode",
            Self::LinkName => "pkg/trace/agent/normalizer.go normalizeSpanLinks",
            Self::ResourceTruncate
            | Self::MetaKeyTruncate
            | Self::MetaValueTruncate
            | Self::MetricKeyTruncate => "pkg/trace/agent/truncator.go Truncate",
        }
    }

    /// Why, for a reader of the screen.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotUtf8 => "it is not UTF-8",
            Self::ServiceEmpty => "a span needs a service",
            Self::ServiceTruncate
            | Self::PeerServiceTruncate
            | Self::BaseServiceTruncate
            | Self::SpanNameTruncate
            | Self::TypeTruncate => "at most 100 bytes",
            Self::ServiceInvalid | Self::PeerServiceInvalid | Self::BaseServiceInvalid => {
                "no character of it may stay"
            }
            Self::ServiceCharacters
            | Self::PeerServiceCharacters
            | Self::BaseServiceCharacters
            | Self::EnvCharacters => "tags are lower case, of letters, digits, and :./-_",
            Self::SpanNameEmpty => "a span needs a name",
            Self::SpanNameInvalid => "a name needs an ASCII letter",
            Self::SpanNameCharacters | Self::LinkName => {
                "names are of ASCII letters, digits, . and _"
            }
            Self::ResourceEmpty => "a span needs a resource: its name",
            Self::ResourceTruncate => "at most 5000 bytes",
            Self::ParentIsItself => "trace, span and parent have one id: a root",
            Self::InvalidDuration => "it is below 0, or ends after all time",
            Self::InvalidStartDate => "it is before the year 2000: taken from the arrival",
            Self::InvalidHttpStatusCode => "it is no number from 100 to 599",
            Self::MetaKeyTruncate | Self::MetricKeyTruncate => "keys have at most 200 bytes",
            Self::MetaValueTruncate => "values have at most 25000 bytes",
        }
    }
}

/// Why the Agent drops a whole chunk, while it still answers 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// No span in it.
    #[error("it holds no span")]
    EmptyTrace,
    /// The low half of a span's trace id is 0.
    #[error("its trace id is 0")]
    TraceIdZero,
    /// A span's own id is 0.
    #[error("a span's id is 0")]
    SpanIdZero,
    /// Spans of two traces in one chunk.
    #[error("it holds spans of two traces")]
    ForeignSpan,
}

impl Dropped {
    /// The code by which the Agent counts and logs it (`info.TracesDropped`).
    pub fn reason(self) -> &'static str {
        match self {
            Self::EmptyTrace => "empty_trace",
            Self::TraceIdZero => "trace_id_zero",
            Self::SpanIdZero => "span_id_zero",
            Self::ForeignSpan => "foreign_span",
        }
    }
}
