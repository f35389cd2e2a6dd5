//! Whether a host is spoken to through a proxy, as `HTTPS_PROXY` and `NO_PROXY` say. Reads texts, and
//! no sentence of it holds what a proxy's address holds: it may be a password.

use std::fmt;

use base64::Engine as _;

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// A name or an IP address.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<Box<str>>,
}

/// Without the password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Proxy {
    /// The proxy for a host; `None` if it is spoken to directly.
    ///
    /// # Errors
    ///
    /// One sentence that says what is wrong with `HTTPS_PROXY`.
    pub fn for_host(
        https_proxy: Option<&str>,
        no_proxy: Option<&str>,
        host: &str,
    ) -> Result<Option<Self>, String> {
        let url = https_proxy.map(str::trim).filter(|url| !url.is_empty());
        match url {
            Some(url) if !is_excepted(no_proxy.unwrap_or_default(), host) => {
                let wrong = "HTTPS_PROXY is written like http://proxy.example.com:3128; a proxy that is \
                             itself spoken to with TLS is not supported.";
                Self::read(url).map(Some).ok_or_else(|| wrong.to_owned())
            }
            _ => Ok(None),
        }
    }

    fn read(url: &str) -> Option<Self> {
        let rest = match url.split_once("://") {
            None => url,
            Some((scheme, rest)) => scheme.eq_ignore_ascii_case("http").then_some(rest)?,
        };
        let rest = rest.split('/').next()?;
        let (user, authority) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((user, authority)) => (Some(user), authority),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = port.map_or(Some(80), |port| port.parse().ok())?;
        let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
        let authorization = user.map(|user| {
            let code = base64::engine::general_purpose::STANDARD.encode(plain(user));
            format!("Basic {code}").into()
        });
        is_host.then_some(Self {
            host: host.into(),
            port,
            authorization,
        })
    }
}

/// A name and a password as they are meant: an address holds them percent-encoded.
fn plain(user: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(user.len());
    let mut rest = user;
    while let Some(char) = rest.chars().next() {
        let code = rest.strip_prefix('%').and_then(|rest| rest.get(..2));
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        let n_bytes = if let Some(byte) = byte {
            plain.push(byte);
            3
        } else {
            plain.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            char.len_utf8()
        };
        rest = rest.get(n_bytes..).unwrap_or_default();
    }
    plain
}

/// `NO_PROXY`: names and what ends with them, or `*`.
fn is_excepted(no_proxy: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let mut exceptions = no_proxy.split(',').map(str::trim);
    exceptions.any(|exception| {
        let exception = exception.to_ascii_lowercase();
        let name = exception.trim_start_matches("*.").trim_start_matches('.');
        let is_below = || {
            let before = host.strip_suffix(name);
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        exception == "*" || !name.is_empty() && is_below()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(proxy: &str, no_proxy: &str, expected: Option<(&str, u16, Option<&str>)>) {
        let found =
            Proxy::for_host(Some(proxy), Some(no_proxy), "trace.agent.datadoghq.eu").unwrap();
        let found = found
            .as_ref()
            .map(|proxy| (&*proxy.host, proxy.port, proxy.authorization.as_deref()));
        assert_eq!(found, expected, "{proxy} {no_proxy}");
    }

    #[test]
    fn a_proxy_is_used_unless_the_host_is_excepted() {
        let proxy = Some(("proxy", 3128, None));
        check("http://proxy:3128", "", proxy);
        check("proxy:3128/", "localhost,example.com", proxy);
        check("http://proxy", "", Some(("proxy", 80, None)));
        check("http://[::1]:8", "", Some(("::1", 8, None)));
        check(
            "http://me:p%40ss@proxy:3128",
            "",
            Some(("proxy", 3128, Some("Basic bWU6cEBzcw=="))),
        );
        for exception in [
            "*",
            "datadoghq.eu",
            ".datadoghq.eu",
            "x, *.datadoghq.eu",
            "TRACE.agent.datadoghq.eu",
        ] {
            check("http://proxy:3128", exception, None);
        }
        check("http://proxy:3128", "hq.eu", proxy);
        check("", "", None);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for proxy in [
            "https://me:secret@proxy",
            "http://",
            "http://me:secret@proxy:x",
            "socks5://p",
        ] {
            let error = Proxy::for_host(Some(proxy), None, "host").unwrap_err();
            assert!(
                error.contains("HTTPS_PROXY") && !error.contains("secret"),
                "{error}"
            );
        }
        let proxy = Proxy::for_host(Some("http://me:secret@proxy"), None, "host").unwrap();
        assert_eq!(format!("{proxy:?}"), "Some(proxy:80)");
    }
}
