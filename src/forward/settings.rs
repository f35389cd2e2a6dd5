//! Where to, and with which key: a pure function of what the environment says. Reads nothing itself, and
//! no sentence of it holds a key.

use std::fmt;

use super::proxy::Proxy;
use super::{Intake, Secret};
use crate::trace::printable;

/// Datadog's own when `DD_SITE` is not set.
const DEFAULT_SITE: &str = "datadoghq.com";
const KEY_DIGITS: usize = 32;
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// What the environment says, variable by variable. One that is empty says nothing.
#[derive(Clone, Copy, Default)]
pub struct ForwardOptions<'a> {
    /// `DD_API_KEY`.
    pub api_key: Option<&'a str>,
    /// `DATADOG_API_KEY`, which is a usual mistake.
    pub datadog_api_key: Option<&'a str>,
    /// `DD_SITE`.
    pub site: Option<&'a str>,
    /// `DD_DD_URL`, the address of everything that has none of its own: here, who is asked about the key.
    pub main_url: Option<&'a str>,
    /// `DD_APM_DD_URL`.
    pub traces_url: Option<&'a str>,
    /// `DD_LOGS_CONFIG_LOGS_DD_URL`.
    pub logs_url: Option<&'a str>,
    /// `HTTPS_PROXY`.
    pub https_proxy: Option<&'a str>,
    /// `NO_PROXY`.
    pub no_proxy: Option<&'a str>,
}

/// Keys are not shown.
impl fmt::Debug for ForwardOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = |key: Option<&str>| key.map(|_| "..");
        f.debug_struct("ForwardOptions")
            .field("api_key", &given(self.api_key))
            .field("datadog_api_key", &given(self.datadog_api_key))
            .finish_non_exhaustive()
    }
}

/// Where to, and with which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardSettings {
    /// The key.
    pub key: Secret,
    /// The site: `datadoghq.eu`.
    pub site: Box<str>,
    /// Where traces go.
    pub traces: Address,
    /// Where statistics go.
    pub stats: Address,
    /// Where lines go.
    pub logs: Address,
    /// Where it is asked whether the site knows the key.
    pub validate: Address,
}

impl ForwardSettings {
    /// Reads what the environment says.
    ///
    /// # Errors
    ///
    /// One sentence that says what is missing or wrong, and what to do.
    pub fn read(options: &ForwardOptions<'_>) -> Result<Self, String> {
        let key = key(options)?;
        let site = site(said(options.site).unwrap_or(DEFAULT_SITE))?;
        let traces = match said(options.traces_url) {
            Some(url) => Address::read("DD_APM_DD_URL", url)?,
            None => Address::https(&format!("trace.agent.{site}")),
        };
        let logs = match said(options.logs_url) {
            Some(url) => Address::read("DD_LOGS_CONFIG_LOGS_DD_URL", url)?,
            None => Address::https(&format!("http-intake.logs.{site}")),
        };
        let validate = match said(options.main_url) {
            Some(url) => Address::read("DD_DD_URL", url)?.under_api(),
            None => Address::https(&format!("api.{site}")),
        };
        let traces = traces.behind_proxy(options)?;
        let logs = logs.behind_proxy(options)?;
        let validate = validate.behind_proxy(options)?;
        Ok(Self {
            key,
            stats: traces.at(Intake::Stats.path()),
            traces: traces.at(Intake::Traces.path()),
            logs: logs.at(Intake::Logs.path()),
            validate: validate.at("/api/v1/validate"),
            site: site.into(),
        })
    }

    /// Where requests for an intake go.
    pub fn address(&self, intake: Intake) -> &Address {
        match intake {
            Intake::Traces => &self.traces,
            Intake::Stats => &self.stats,
            Intake::Logs => &self.logs,
        }
    }
}

/// How a host is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear; only where somebody writes so.
    Http,
    /// With TLS.
    Https,
}

/// The address of an intake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// A name or an IP address; one of IPv6 without its brackets.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
    /// The path.
    pub path: Box<str>,
    /// The proxy on the way.
    pub proxy: Option<Proxy>,
}

impl Address {
    fn https(host: &str) -> Self {
        Self {
            scheme: Scheme::Https,
            host: host.into(),
            port: Scheme::Https.port(),
            path: Box::default(),
            proxy: None,
        }
    }

    /// The same, behind the proxy that is named for it. What is sent in the clear takes none.
    fn behind_proxy(mut self, options: &ForwardOptions<'_>) -> Result<Self, String> {
        let proxy = Proxy::for_host(options.https_proxy, options.no_proxy, &self.host)?;
        self.proxy = proxy.filter(|_| self.scheme == Scheme::Https);
        Ok(self)
    }

    fn at(&self, path: &str) -> Self {
        Self {
            path: format!("{}{path}", self.path).into(),
            ..self.clone()
        }
    }

    /// Where the Agent asks about a key (`comp/forwarder/defaultforwarder/forwarder_health.go`,
    /// `getAPIDomain`): on hosts of Datadog's own under `api.`, whatever they are called.
    fn under_api(self) -> Self {
        let mut labels = self.host.rsplit('.');
        let (top, domain, region) = (labels.next(), labels.next(), labels.next());
        let is_own = matches!(
            (domain, top),
            (Some("datadoghq"), Some(_)) | (Some("ddog-gov"), Some("com"))
        );
        let (true, Some(domain), Some(top)) = (is_own, domain, top) else {
            return self;
        };
        let is_region = |label: &&str| {
            matches!(label.as_bytes(), [a, b, n]
                if a.is_ascii_lowercase() && b.is_ascii_lowercase() && n.is_ascii_digit())
        };
        match region.filter(is_region) {
            Some(region) => Self::https(&format!("api.{region}.{domain}.{top}")),
            None => Self::https(&format!("api.{domain}.{top}")),
        }
    }

    /// Reads `https://host:port/path` without what an intake has no use for. Without a scheme it is
    /// https, as the Agent reads the one for lines.
    fn read(variable: &str, text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "{variable} {what}; it is written like https://intake.example.com or http://127.0.0.1:8080."
            )
        };
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some((name, rest)) if name.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((name, rest)) if name.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some(_) => return Err(wrong("is neither an http nor an https address")),
        };
        if rest.contains('@') {
            return Err(wrong("holds a name or a password, which is sent nowhere"));
        }
        if rest.contains(['?', '#']) || rest.contains(|char: char| !char.is_ascii_graphic()) {
            return Err(wrong("holds a ? or a #, or characters that no address has"));
        }
        let (authority, path) = match rest.find('/') {
            Some(place) => rest.split_at(place),
            None => (rest, ""),
        };
        let (host, port) = host_and_port(authority);
        let port = match port {
            None => Some(scheme.port()),
            Some(port) => port.parse().ok().filter(|port| *port != 0),
        };
        let port = port.ok_or_else(|| wrong("has no port from 1 to 65535 after its colon"))?;
        if !is_host(host) {
            return Err(wrong("does not name a host"));
        }
        Ok(Self {
            scheme,
            host: host.to_ascii_lowercase().into(),
            port,
            path: path.trim_end_matches('/').into(),
            proxy: None,
        })
    }

    /// Host and port as they stand in the header `Host`.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            (*self.host).to_owned()
        };
        if self.port == self.scheme.port() {
            return host;
        }
        format!("{host}:{}", self.port)
    }
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The whole address, with its scheme.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

fn said(variable: Option<&str>) -> Option<&str> {
    variable.map(str::trim).filter(|text| !text.is_empty())
}

/// Whatever is wrong with a key, no part of it is told.
fn key(options: &ForwardOptions<'_>) -> Result<Secret, String> {
    let Some(key) = said(options.api_key) else {
        return Err(match said(options.datadog_api_key) {
            Some(_) => {
                "DD_API_KEY is not set, but DATADOG_API_KEY is: like the Agent, this program \
                reads only DD_API_KEY, so set that to the same key."
                    .to_owned()
            }
            None => "DD_API_KEY is not set: start modtrace-tui with it set to an API key of your Datadog \
                organisation (32 hexadecimal digits)."
                .to_owned(),
        });
    };
    let n_characters = key.chars().count();
    if n_characters == 40 && is_hex(key) {
        return Err(
            "DD_API_KEY holds 40 digits, as an application key has: set it to an API key, which has 32."
                .to_owned(),
        );
    }
    if n_characters != KEY_DIGITS {
        return Err(format!(
            "DD_API_KEY holds {n_characters} characters: an API key has {KEY_DIGITS} hexadecimal digits."
        ));
    }
    if !is_hex(key) {
        return Err(
            "DD_API_KEY holds characters that no API key has: it is 32 digits from 0 to 9 and a to f."
                .to_owned(),
        );
    }
    Ok(Secret::new(key))
}

fn is_hex(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.bytes().all(is_digit)
}

/// The shape is checked and no list: new sites appear.
fn site(text: &str) -> Result<&str, String> {
    const EXAMPLES: &str = "it is a host such as datadoghq.com, datadoghq.eu or us3.datadoghq.com";
    if is_site(text) {
        return Ok(text);
    }
    // Whoever mixes up two variables must not read a key in the answer.
    let mut words = text.split(|char: char| !char.is_ascii_hexdigit());
    if words.any(|word| word.len() >= KEY_DIGITS / 2) {
        return Err(format!(
            "DD_SITE does not hold a site, and looks like a key: {EXAMPLES}."
        ));
    }
    let shown = printable(text, 80);
    let has_scheme = text.contains("://");
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let host = host.strip_prefix("app.").unwrap_or(host);
    if (has_scheme || text.contains('/')) && is_site(host) {
        return Err(format!(
            "DD_SITE is {shown:?}, an address: {EXAMPLES}, so set it to {host}."
        ));
    }
    Err(format!("DD_SITE is {shown:?}: {EXAMPLES}."))
}

/// A name with at least one dot, whose last part is letters.
fn is_site(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    text.contains('.') && is_name(text) && last.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= HOST_BYTES_MAX && text.split('.').all(is_label)
}

fn is_host(host: &str) -> bool {
    is_name(&host.to_ascii_lowercase().replace('_', "-"))
        || host.parse::<std::net::Ipv6Addr>().is_ok()
}

fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (host, after.strip_prefix(':'));
    }
    match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests;
