//! The lines to paste, so that spans and log lines come here: for an app on Modal, for Docker, for a
//! shell, and for a program that prints its spans. Pure; `env` prints them and the screen shows them.

mod rule;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{AGENT_PORT, Flush};
pub use rule::{RuleFor, sampling_rules};

/// The file that brings requests through a container's stdout.
pub const RELAY: &str = include_str!("../assets/modtrace_relay.py");

/// What an app on Modal pastes, so that its requests tell their container, input and call.
pub const MODAL_TAGS: &str = include_str!("../assets/modal_tags.py");

/// Adds formatted text to a text.
macro_rules! add {
    ($text:ident, $($format:tt)*) => {
        // A text takes everything.
        let _infallible = write!($text, $($format)*);
    };
}

/// What the lines are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Topic {
    /// An app on Modal: through its output, or a tunnel
    Modal,
    /// A container on this machine
    Docker,
    /// A program started in a shell
    Shell,
    /// A program that prints its spans
    Stdout,
    /// The file that an app on Modal imports
    Relay,
}

/// Where programs reach us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Where we listen.
    pub listen: SocketAddr,
    /// Where we listen for OTLP as well.
    pub otlp: Option<SocketAddr>,
    /// Under which address programs reach us, if that is another one: a tunnel's.
    pub url: Option<String>,
    /// The token, or what stands for it.
    pub token: Option<String>,
    /// When ddtrace is to send.
    pub flush: Flush,
}

impl Reach {
    /// The value of `DD_TRACE_AGENT_URL`.
    pub fn agent_url(&self) -> String {
        let local = format!("http://{}", self.local());
        let url = self.url.as_deref().unwrap_or(&local);
        with_token(url, self.token.as_deref())
    }

    /// The value of `OTEL_EXPORTER_OTLP_ENDPOINT`: the port of its own, or the one for all.
    fn otlp_url(&self) -> String {
        match self.otlp.filter(|otlp| otlp.port() != 0) {
            Some(otlp) => with_token(&format!("http://{}", near(otlp)), self.token.as_deref()),
            None => self.agent_url(),
        }
    }

    /// The address for programs on this machine.
    fn local(&self) -> SocketAddr {
        near(self.listen)
    }

    /// The options that tell us to listen there, each with a space before it.
    fn options(&self) -> String {
        let usual = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), AGENT_PORT);
        let mut options = String::new();
        if self.listen != usual {
            add!(options, " --listen {}", self.listen);
        }
        if let Some(otlp) = self.otlp {
            add!(options, " --otlp {otlp}");
        }
        if let Some(token) = &self.token {
            add!(options, " --token {token}");
        }
        options
    }
}

/// An address as programs on this machine have it.
fn near(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// With the slash at the end ddtrace keeps the token for every kind of request.
fn with_token(url: &str, token: Option<&str>) -> String {
    let url = url.trim_end_matches('/');
    match token {
        Some(token) => format!("{url}/{token}/"),
        None => url.to_owned(),
    }
}

/// What `env` prints.
pub fn print(topic: Option<Topic>, reach: &Reach) -> String {
    match topic {
        Some(Topic::Modal) => modal_lines(reach),
        Some(Topic::Docker) => docker_lines(reach),
        Some(Topic::Shell) => shell_lines(reach),
        Some(Topic::Stdout) => stdout_lines(reach),
        Some(Topic::Relay) => RELAY.to_owned(),
        None => {
            let all = [shell_lines, stdout_lines, docker_lines, modal_lines];
            all.map(|lines| lines(reach)).join("\n")
        }
    }
}

/// For a program started in a shell.
pub fn shell_lines(reach: &Reach) -> String {
    let mut lines = String::from("# shell: a program on this machine sends its spans\n");
    add!(lines, "export DD_TRACE_AGENT_URL={}\n", reach.agent_url());
    if let Some((name, value)) = live(reach) {
        add!(lines, "export {name}={value}\n");
    }
    add!(
        lines,
        "# or, with an SDK of OpenTelemetry (over HTTP, not gRPC):\n\
         export OTEL_EXPORTER_OTLP_ENDPOINT={} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n",
        reach.otlp_url()
    );
    let (live, options) = (live_option(reach), reach.options());
    add!(
        lines,
        "python service.py\n# or, set by us, and with its log lines:\n"
    );
    add!(
        lines,
        "modtrace-tui run{live}{options} -- python service.py\n"
    );
    lines
}

/// For a program that prints its spans.
pub fn stdout_lines(reach: &Reach) -> String {
    let (live, live_variable) = match live(reach) {
        Some((name, value)) => (" --live", format!("{name}={value} ")),
        None => ("", String::new()),
    };
    let options = reach.options();
    format!(
        "\
# stdout: a program prints its spans among its log lines, and sends nothing
AWS_LAMBDA_FUNCTION_NAME=modtrace modtrace-tui run{live}{options} -- python service.py
# or without being its parent:
{live_variable}AWS_LAMBDA_FUNCTION_NAME=modtrace python service.py | modtrace-tui{options} --logs -
# or through a file, that may be read while it grows:
{live_variable}AWS_LAMBDA_FUNCTION_NAME=modtrace python service.py > service.log
modtrace-tui{options} --logs service.log
# ddtrace looks for nothing but the variable, as long as DD_TRACE_AGENT_URL and DD_AGENT_HOST are
# not set; other libraries may take the program for an AWS Lambda. With Node.js set
# DD_TRACE_EXPERIMENTAL_EXPORTER=log instead.
"
    )
}

/// For a container on this machine.
pub fn docker_lines(reach: &Reach) -> String {
    let port = reach.listen.port();
    let token = reach.token.as_deref().unwrap_or("TOKEN");
    let local = format!("http://host.docker.internal:{port}");
    let url = with_token(reach.url.as_deref().unwrap_or(&local), Some(token));
    let (mut option, mut variable) = (String::new(), String::new());
    // With the network of this machine, its localhost is the container's.
    let (mut shared, mut listen) = (String::new(), String::new());
    if port != AGENT_PORT {
        add!(shared, "-e DD_TRACE_AGENT_URL=http://127.0.0.1:{port} ");
        add!(listen, " --listen 127.0.0.1:{port}");
    }
    if let Some((name, value)) = live(reach) {
        add!(option, "-e {name}={value} ");
        add!(variable, "\n      {name}: \"{value}\"");
    }
    format!(
        "\
# docker: a container on this machine, where localhost is the container itself
modtrace-tui --listen 0.0.0.0:{port} --token {token}
docker run --add-host host.docker.internal:host-gateway \\
  -e DD_TRACE_AGENT_URL={url} {option}IMAGE
# the same in compose.yaml:
    environment:
      DD_TRACE_AGENT_URL: {url}{variable}
    extra_hosts:
      - \"host.docker.internal:host-gateway\"
# or, on Linux, with this machine's network, where no token is needed:
modtrace-tui{listen}
docker run --network host {shared}{option}IMAGE
"
    )
}

/// What goes into an app on Modal, so that its spans come over stdout.
pub const RELAY_APP: [&str; 3] = [
    "import modtrace_relay; modtrace_relay.start()  # before ddtrace",
    "relay = {\"MODTRACE_RELAY\": os.environ.get(\"MODTRACE_RELAY\", \"\")}",
    "image = image.env(relay).add_local_python_source(\"modtrace_relay\")",
];

/// What is typed beside it.
pub const RELAY_COMMANDS: [&str; 2] = [
    "modtrace-tui env relay > modtrace_relay.py",
    "modtrace-tui run -- modal serve app.py",
];

/// For an app on Modal.
pub fn modal_lines(reach: &Reach) -> String {
    let live_variable = live(reach).map_or_else(String::new, |(name, value)| {
        format!(", \"{name}\": \"{value}\"")
    });
    let live = live_option(reach);
    let listen = Reach {
        token: None,
        ..reach.clone()
    };
    let listen = listen.options();
    let port = reach.listen.port();
    let token = reach.token.as_deref().unwrap_or("TOKEN");
    let url = reach.url.as_deref().unwrap_or("https://TUNNEL");
    format!(
        "\
# modal: code on Modal cannot reach this machine. Three ways; take the first unless it does not do.

# 1. The relay: spans as lines of text in what `modal serve` prints. Nothing is exposed, any version
#    of ddtrace will do, also beside datadog-init, and what is lost on the way is counted.
modtrace-tui env relay > modtrace_relay.py
#    In app.py, the first before ddtrace is imported, the others where the image is made:
import modtrace_relay; modtrace_relay.start()  # before ddtrace
relay = {{\"MODTRACE_RELAY\": os.environ.get(\"MODTRACE_RELAY\", \"\"){live_variable}}}
image = image.env(relay).add_local_python_source(\"modtrace_relay\")
#    `run` sets MODTRACE_RELAY; without it the relay does nothing, so the lines may stay.
modtrace-tui run{live}{listen} -- modal serve app.py

# 2. No file, one variable: ddtrace prints its spans by itself. For a first try: what is lost on the
#    way is not known, and libraries like boto3 may take the container for an AWS Lambda. Works only
#    where neither DD_TRACE_AGENT_URL nor DD_AGENT_HOST is set, so not together with 3.
@app.cls(env={{\"AWS_LAMBDA_FUNCTION_NAME\": \"modtrace\"{live_variable}}})
modtrace-tui run{live}{listen} -- modal serve app.py

# 3. A tunnel: when lines get torn or lost on their way (the header says so), or the app is deployed
#    and nobody reads its output. Its address is public, so it takes a token. Use one of:
cloudflared tunnel --url http://localhost:{port}
ngrok http {port}
tailscale funnel {port}
#    `run` sets DD_TRACE_AGENT_URL to {url}/{token}/ and the app passes it on:
@app.cls(env={{\"DD_TRACE_AGENT_URL\": os.environ.get(\"DD_TRACE_AGENT_URL\", \"\"){live_variable}}})
modtrace-tui run{live}{listen} --url {url} --token {token} -- modal serve app.py

# `env=` came with modal 1.2.0; before it: secrets=[modal.Secret.from_dict({{...}})]

{MODAL_TAGS}",
        url = url.trim_end_matches('/'),
    )
}

/// What has ddtrace send each span as it ends.
fn live(reach: &Reach) -> Option<(&'static str, &'static str)> {
    match reach.flush {
        Flush::AsItIs => None,
        Flush::EachSpan => Some(("DD_TRACE_PARTIAL_FLUSH_MIN_SPANS", "1")),
    }
}

fn live_option(reach: &Reach) -> &'static str {
    match reach.flush {
        Flush::AsItIs => "",
        Flush::EachSpan => " --live",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(listen: &str, url: Option<&str>, token: Option<&str>) -> Reach {
        Reach {
            listen: listen.parse().unwrap(),
            otlp: None,
            url: url.map(str::to_owned),
            token: token.map(str::to_owned),
            flush: Flush::AsItIs,
        }
    }

    #[track_caller]
    fn check_url(listen: &str, url: Option<&str>, token: Option<&str>, expected: &str) {
        assert_eq!(reach(listen, url, token).agent_url(), expected);
    }

    #[test]
    fn programs_are_told_an_address_that_they_can_reach() {
        check_url("127.0.0.1:8126", None, None, "http://127.0.0.1:8126");
        check_url(
            "0.0.0.0:8136",
            None,
            Some("s3"),
            "http://127.0.0.1:8136/s3/",
        );
        check_url("[::]:1", None, None, "http://[::1]:1");
        let tunnel = Some("https://t.example/");
        check_url("127.0.0.1:8126", tunnel, None, "https://t.example");
        check_url(
            "127.0.0.1:8126",
            tunnel,
            Some("s3"),
            "https://t.example/s3/",
        );
    }

    #[test]
    fn the_screen_shows_the_lines_that_are_printed() {
        let printed = modal_lines(&reach("127.0.0.1:8126", None, None));
        for line in RELAY_APP.into_iter().chain(RELAY_COMMANDS) {
            assert!(printed.lines().any(|other| other == line), "{line}");
        }
    }

    #[test]
    fn the_lines_for_an_app_end_with_the_helper_word_for_word() {
        let printed = print(Some(Topic::Modal), &reach("127.0.0.1:8126", None, None));
        // The same file is what the tests with a real client import.
        let (lines, helper) = printed.split_once("\n\n# In app.py, so that").unwrap();
        assert_eq!(format!("# In app.py, so that{helper}"), MODAL_TAGS);
        assert!(lines.contains("modal serve app.py"), "{lines}");
        assert!(include_str!("../README.md").contains(MODAL_TAGS));
    }

    #[test]
    fn the_lines_are_made_for_the_address_the_token_and_the_flush() {
        let mut own = reach("127.0.0.1:8136", None, Some("s3cret"));
        own.flush = Flush::EachSpan;
        let all = print(None, &own);
        for part in [
            "export DD_TRACE_AGENT_URL=http://127.0.0.1:8136/s3cret/\n",
            "export DD_TRACE_PARTIAL_FLUSH_MIN_SPANS=1\n",
            "modtrace-tui run --live --listen 127.0.0.1:8136 --token s3cret -- python service.py\n",
            "modtrace-tui --listen 0.0.0.0:8136 --token s3cret\n",
            "DD_TRACE_AGENT_URL: http://host.docker.internal:8136/s3cret/\n",
            "cloudflared tunnel --url http://localhost:8136\n",
            "modtrace-tui run --live --listen 127.0.0.1:8136 -- modal serve app.py\n",
            "--url https://TUNNEL --token s3cret -- modal serve app.py\n",
            "\"\"), \"DD_TRACE_PARTIAL_FLUSH_MIN_SPANS\": \"1\"})\n",
        ] {
            assert!(all.contains(part), "{part} in\n{all}");
        }
    }

    #[test]
    fn the_sdks_of_opentelemetry_are_sent_to_their_port_or_to_the_one_for_all() {
        let check = |otlp: Option<&str>, token: Option<&str>, expected: &str| {
            let mut own = reach("127.0.0.1:8126", None, token);
            own.otlp = otlp.map(|address| address.parse().unwrap());
            let lines = shell_lines(&own);
            let line = format!("export OTEL_EXPORTER_OTLP_ENDPOINT={expected} ");
            assert!(lines.contains(&line), "{expected} in\n{lines}");
            let option = otlp.map(|address| format!(" --otlp {address}"));
            assert_eq!(option.is_some_and(|it| lines.contains(&it)), otlp.is_some());
        };
        check(None, None, "http://127.0.0.1:8126");
        check(Some("127.0.0.1:4318"), None, "http://127.0.0.1:4318");
        check(
            Some("0.0.0.0:4318"),
            Some("s3"),
            "http://127.0.0.1:4318/s3/",
        );
    }

    #[test]
    fn the_usual_port_needs_no_option() {
        let all = print(None, &reach("127.0.0.1:8126", None, None));
        assert!(
            all.contains("modtrace-tui run -- modal serve app.py\n"),
            "{all}"
        );
        assert!(!all.contains("--listen 127"), "{all}");
        assert!(!all.contains("LIVE"), "{all}");
    }
}
