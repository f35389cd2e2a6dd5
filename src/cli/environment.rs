//! The variables that are not options: colours, ssh, desktop, directories. Read once, as a value.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::config::ClipboardRoute;
use crate::forward::settings::ForwardOptions;

/// What the environment says, read once.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    pub(super) no_color: bool,
    pub(super) clipboard: ClipboardRoute,
    pub(super) log_filter: Option<String>,
    /// Which variables that a child would inherit are not to be set by us.
    pub(super) told: ToldToChildren,
    pub(super) config_directory: Option<PathBuf>,
    pub(super) state_directory: Option<PathBuf>,
    pub(super) home_directory: Option<PathBuf>,
    pub(super) current_directory: Option<PathBuf>,
    pub(super) datadog: DatadogVariables,
}

/// What says where and with which key spans go to Datadog. Not printed: one of them is the key.
#[derive(Clone, Default)]
pub(super) struct DatadogVariables {
    pub(super) api_key: Option<String>,
    pub(super) datadog_api_key: Option<String>,
    pub(super) site: Option<String>,
    pub(super) main_url: Option<String>,
    pub(super) traces_url: Option<String>,
    pub(super) logs_url: Option<String>,
    pub(super) https_proxy: Option<String>,
    pub(super) no_proxy: Option<String>,
}

impl std::fmt::Debug for DatadogVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatadogVariables(..)")
    }
}

impl DatadogVariables {
    fn read() -> Self {
        let either = |upper, lower| variable(upper).or_else(|| variable(lower));
        Self {
            api_key: variable("DD_API_KEY"),
            datadog_api_key: variable("DATADOG_API_KEY"),
            site: variable("DD_SITE"),
            main_url: variable("DD_DD_URL"),
            traces_url: variable("DD_APM_DD_URL"),
            logs_url: variable("DD_LOGS_CONFIG_LOGS_DD_URL"),
            https_proxy: either("HTTPS_PROXY", "https_proxy"),
            no_proxy: either("NO_PROXY", "no_proxy"),
        }
    }

    /// All but the proxies.
    pub(super) fn options(&self) -> ForwardOptions<'_> {
        ForwardOptions {
            api_key: self.api_key.as_deref(),
            datadog_api_key: self.datadog_api_key.as_deref(),
            site: self.site.as_deref(),
            main_url: self.main_url.as_deref(),
            traces_url: self.traces_url.as_deref(),
            logs_url: self.logs_url.as_deref(),
            https_proxy: self.https_proxy.as_deref(),
            no_proxy: self.no_proxy.as_deref(),
        }
    }
}

/// What the programs we start are told already, by variables that they inherit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ToldToChildren {
    /// Where their agent is, or that they are to print their spans.
    pub(super) agent: bool,
    /// Whether the relay is wanted.
    pub(super) relay: bool,
}

impl ToldToChildren {
    /// `AWS_LAMBDA_FUNCTION_NAME` makes ddtrace print its spans, but only as long as no agent is
    /// named: whoever set it wants them printed, and what is printed we read.
    fn read(is_set: impl Fn(&str) -> bool) -> Self {
        const AGENT: [&str; 4] = [
            "DD_TRACE_AGENT_URL",
            "DD_AGENT_HOST",
            "DATADOG_TRACE_AGENT_HOSTNAME",
            "AWS_LAMBDA_FUNCTION_NAME",
        ];
        Self {
            agent: AGENT.into_iter().any(&is_set),
            relay: is_set("MODTRACE_RELAY"),
        }
    }
}

impl Environment {
    pub(super) fn read() -> Self {
        let base = etcetera::choose_base_strategy().ok();
        let state = base.as_ref().and_then(BaseStrategy::state_dir);
        Self {
            no_color: variable("NO_COLOR").is_some(),
            clipboard: clipboard_route(|name| variable(name).is_some(), cfg!(target_os = "linux")),
            log_filter: variable("RUST_LOG"),
            told: ToldToChildren::read(|name| variable(name).is_some()),
            config_directory: base.as_ref().map(BaseStrategy::config_dir),
            state_directory: state.map(|directory| directory.join("modtrace-tui")),
            home_directory: base.as_ref().map(|base| base.home_dir().to_owned()),
            current_directory: std::env::current_dir().ok(),
            datadog: DatadogVariables::read(),
        }
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

/// Over ssh the desktop we run on is not the one the user sits at, and without a display there is
/// none at all.
fn clipboard_route(is_set: impl Fn(&str) -> bool, needs_display: bool) -> ClipboardRoute {
    let over_ssh = is_set("SSH_CONNECTION") || is_set("SSH_TTY");
    let display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    if over_ssh || needs_display && !display {
        ClipboardRoute::Terminal
    } else {
        ClipboardRoute::Desktop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &[&str], needs_display: bool, expected: ClipboardRoute) {
        assert_eq!(
            clipboard_route(|name| set.contains(&name), needs_display),
            expected
        );
    }

    #[test]
    fn text_is_copied_to_the_desktop_the_user_sits_at() {
        check(&["DISPLAY"], true, ClipboardRoute::Desktop);
        check(&["WAYLAND_DISPLAY"], true, ClipboardRoute::Desktop);
        check(&[], false, ClipboardRoute::Desktop);
        check(&[], true, ClipboardRoute::Terminal);
        check(
            &["DISPLAY", "SSH_CONNECTION"],
            true,
            ClipboardRoute::Terminal,
        );
        check(&["SSH_TTY"], false, ClipboardRoute::Terminal);
    }

    #[test]
    fn a_child_is_told_nothing_that_its_user_has_told_it() {
        let read = |set: &str| ToldToChildren::read(|name| name == set);
        for agent in [
            "DD_TRACE_AGENT_URL",
            "DD_AGENT_HOST",
            "DATADOG_TRACE_AGENT_HOSTNAME",
            "AWS_LAMBDA_FUNCTION_NAME",
        ] {
            assert!(read(agent).agent, "{agent}");
        }
        assert!(!read("MODTRACE_RELAY").agent);
        assert!(read("MODTRACE_RELAY").relay);
    }
}
