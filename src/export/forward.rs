//! The way on to Datadog in exports: where to, what went wrong last, and the requests that have not gone,
//! as they were. Holds no key, and takes nothing from a file that could be one.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

use super::text::decode_base64;
use crate::forward::{Contents, Intake, IntakeRequest};
use crate::store::{Store, UNSENT_BYTES_MAX};

/// The headers that a request may have beside those of its address and the key.
const HEADERS: [&str; 4] = [
    "Content-Type",
    "Content-Encoding",
    "X-Datadog-Reported-Languages",
    "User-Agent",
];

/// Where spans go on to, in exports and in the headless summary.
#[derive(Debug, Serialize)]
pub struct ForwardJson<'a> {
    to: Cow<'a, str>,
    last_error: Option<Cow<'a, str>>,
    /// Left out where no request is kept beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsent: Option<Vec<UnsentJson<'a>>>,
}

impl<'a> ForwardJson<'a> {
    /// Without the requests that have not gone. `None` if nothing goes anywhere.
    pub fn summary(store: &'a Store) -> Option<Self> {
        let (to, last_error) = store.forwarding().way()?;
        Some(Self {
            to: to.into(),
            last_error: last_error.map(Cow::Borrowed),
            unsent: None,
        })
    }

    /// The same, with them.
    pub(super) fn whole(store: &'a Store) -> Option<Self> {
        let unsent = store.forwarding().unsent().map(UnsentJson::new);
        Some(Self {
            unsent: Some(unsent.collect()),
            ..Self::summary(store)?
        })
    }
}

/// A request with statistics or log lines.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UnsentJson<'a> {
    intake: UnsentIntake,
    headers: HeadersJson<'a>,
    body: BodyJson<'a>,
    #[serde(default)]
    plain_bytes: usize,
    /// Spans that it counts, or lines in it.
    #[serde(default)]
    n: u64,
}

/// The intakes whose requests are kept as they were. Spans are kept with their traces.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UnsentIntake {
    Stats,
    Logs,
}

impl<'a> UnsentJson<'a> {
    fn new(request: &'a IntakeRequest) -> Self {
        let (intake, n) = match request.contents {
            Contents::Lines { n_lines } => (
                UnsentIntake::Logs,
                u64::try_from(n_lines).unwrap_or(u64::MAX),
            ),
            Contents::Groups { n_hits, .. } => (UnsentIntake::Stats, n_hits),
            Contents::Spans { .. } => (UnsentIntake::Stats, 0),
        };
        Self {
            intake,
            headers: HeadersJson(Cow::Borrowed(&request.headers)),
            body: BodyJson(Cow::Borrowed(&request.body)),
            plain_bytes: request.plain_bytes,
            n,
        }
    }

    pub(super) fn into_request(self) -> IntakeRequest {
        let (intake, contents) = match self.intake {
            UnsentIntake::Stats => {
                let (n_groups, n_hits) = (0, self.n);
                (Intake::Stats, Contents::Groups { n_groups, n_hits })
            }
            UnsentIntake::Logs => {
                let n_lines = usize::try_from(self.n).unwrap_or(usize::MAX);
                (Intake::Logs, Contents::Lines { n_lines })
            }
        };
        IntakeRequest {
            intake,
            headers: self.headers.0.into_owned(),
            body: self.body.0.into_owned().into(),
            plain_bytes: self.plain_bytes,
            contents,
        }
    }
}

/// Bytes of a body, in base64.
#[derive(Debug)]
struct BodyJson<'a>(Cow<'a, [u8]>);

impl Serialize for BodyJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for BodyJson<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BodyVisitor;

        impl Visitor<'_> for BodyVisitor {
            type Value = BodyJson<'static>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a body in base64")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                // One that there is no room for is as good as lost, which an empty one is, too.
                if text.len() / 4 * 3 > UNSENT_BYTES_MAX {
                    return Ok(BodyJson(Cow::default()));
                }
                let bytes = decode_base64(text);
                let bytes = bytes.ok_or_else(|| E::custom("a body is base64"))?;
                Ok(BodyJson(bytes.into()))
            }
        }

        deserializer.deserialize_str(BodyVisitor)
    }
}

/// Headers in their order.
#[derive(Debug)]
struct HeadersJson<'a>(Cow<'a, [(&'static str, String)]>);

impl Serialize for HeadersJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for HeadersJson<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeadersVisitor;

        impl<'de> Visitor<'de> for HeadersVisitor {
            type Value = HeadersJson<'static>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the headers of a request")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut headers: Vec<(&str, String)> = Vec::new();
                while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                    // Each once: a file does not say where else a request goes, or for whom.
                    let known = HEADERS.into_iter().find(|known| *known == name);
                    let is_new = |name: &&str| headers.iter().all(|(taken, _)| taken != name);
                    let Some(name) = known.filter(is_new) else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let value: String = map.next_value()?;
                    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                        return Err(A::Error::custom("a header that cannot be sent"));
                    }
                    headers.push((name, value));
                }
                Ok(HeadersJson(headers.into()))
            }
        }

        deserializer.deserialize_map(HeadersVisitor)
    }
}
