//! The values options take, written as people write them: `512MiB`, `500ms`, `127.0.0.1:8126`.
//! Arguments, variables and the configuration file all read them through here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::forward::Forward;
use super::sampling::{Answers, PerSecond, Percent};

/// A value that could not be read: what was expected, with an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    pub(super) fn new(expected: &str) -> Self {
        Self(expected.to_owned())
    }
}

/// A number of bytes: `512MiB`, `1GiB`, `100MB`, `65536`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct ByteSize(pub u64);

const SIZE_UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError(
                "a size is a whole number with KB, MB, GB, KiB, MiB or GiB, as in 512MiB".into(),
            )
        };
        let (number, unit) = split_unit(text).ok_or_else(wrong)?;
        let unit = unit.to_ascii_lowercase();
        let (_, factor) = SIZE_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        number.checked_mul(*factor).map(Self).ok_or_else(wrong)
    }
}

/// A span of time to wait for something: `2s`, `500ms`, `1m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Idle(pub Duration);

const TIME_UNITS_MS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl FromStr for Idle {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError("a duration is a whole number with ms, s, m or h, as in 2s or 500ms".into())
        };
        let (number, unit) = split_unit(text).ok_or_else(wrong)?;
        let (_, factor) = TIME_UNITS_MS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let millis = number.checked_mul(*factor).ok_or_else(wrong)?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit.trim_start()))
}

/// Where to listen: an IP address and a port, or `localhost` and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct ListenAddress(pub SocketAddr);

impl FromStr for ListenAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError(
                "an address is an IP address and a port, as in 127.0.0.1:8136 or [::1]:8126".into(),
            )
        };
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_not_a_port| wrong())?;
            return Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        text.parse().map(Self).map_err(|_not_an_address| wrong())
    }
}

/// The address under which an app reaches us: `https://NAME.example/`, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct AppUrl(pub String);

impl FromStr for AppUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let is_plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic());
        match rest {
            Some(rest) if !rest.is_empty() && is_plain(rest) && !rest.contains(['?', '#', '@']) => {
                Ok(Self(text.to_owned()))
            }
            // ddtrace drops a query, and a name and password, without a word.
            _ => Err(ValueError(
                "a URL is http:// or https://, a host and maybe a path, as in https://my-tunnel.example/"
                    .into(),
            )),
        }
    }
}

/// The secret first segment of every path. Never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Token(String);

const TOKEN_BYTES_MAX: usize = 128;

impl Token {
    /// The segment itself, without slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // What RFC 3986 calls unreserved: every client and proxy passes it on as it is.
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let fits = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(unreserved);
        // `.` and `..` are taken out of paths on the way.
        if !fits || text.bytes().all(|byte| byte == b'.') {
            let expected = "a token is 1 to 128 letters, digits, `-`, `.`, `_` or `~`: it becomes a part of the path";
            return Err(ValueError(expected.into()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A value in the configuration file: text, or a bare number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a number")]
pub(super) enum Written {
    Text(String),
    Number(u64),
    Decimal(f64),
}

macro_rules! from_written {
    ($($name:ident)*) => {$(
        impl TryFrom<Written> for $name {
            type Error = ValueError;

            fn try_from(written: Written) -> Result<Self, ValueError> {
                match written {
                    Written::Text(text) => text.parse(),
                    Written::Number(number) => number.to_string().parse(),
                    Written::Decimal(number) => number.to_string().parse(),
                }
            }
        }
    )*};
}
from_written!(Answers AppUrl ByteSize Forward Idle ListenAddress Percent PerSecond Token);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr>(text: &str, read: impl Fn(T) -> u64, expected: Option<u64>) {
        assert_eq!(text.parse::<T>().ok().map(read), expected, "{text}");
    }

    #[test]
    fn sizes_read_in_binary_and_decimal_units() {
        let check = |text, expected| check::<ByteSize>(text, |size| size.0, expected);
        check("512MiB", Some(536_870_912));
        check("1GiB", Some(1_073_741_824));
        check("100MB", Some(100_000_000));
        check("64 kib", Some(65_536));
        check("65536", Some(65_536));
        check("1.5GiB", None);
        check("MiB", None);
        check("-1", None);
        check("", None);
        check("99999999999TiB", None);
    }

    #[test]
    fn durations_need_a_unit() {
        let check = |text, expected| {
            check::<Idle>(
                text,
                |idle| u64::try_from(idle.0.as_millis()).unwrap(),
                expected,
            );
        };
        check("2s", Some(2_000));
        check("500ms", Some(500));
        check("1m", Some(60_000));
        check("1h", Some(3_600_000));
        check("2", None);
        check("s", None);
        check("2 weeks", None);
    }

    #[test]
    fn addresses_need_a_port() {
        let port = |address: ListenAddress| u64::from(address.0.port());
        check("127.0.0.1:8126", port, Some(8126));
        check("localhost:0", port, Some(0));
        check("[::1]:8126", port, Some(8126));
        check("127.0.0.1", port, None);
        check("example.com:8126", port, None);
        check("localhost:65536", port, None);
    }

    #[test]
    fn a_token_is_one_plain_path_segment() {
        let length = |token: Token| token.as_str().len().try_into().unwrap();
        check("a-secret.of_32~characters0123456", length, Some(32));
        check("s3cret", length, Some(6));
        for bad in [
            "",
            "..",
            "a/b",
            "a b",
            "a%20b",
            "caf\u{e9}",
            &"x".repeat(129),
        ] {
            check(bad, length, None);
        }
    }

    #[test]
    fn a_token_does_not_show_in_debug_output() {
        let token: Token = "s3cret".parse().unwrap();
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
