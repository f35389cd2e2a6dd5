//! The lines that bring spans here, to be pasted: the same that `modtrace-tui env` prints.

use crate::env_lines::{RELAY_APP, RELAY_COMMANDS};
use crate::tui::app::Listening;

/// What keeps whole messages where a pipeline tears lines.
pub(crate) const REPEAT: &str = "modtrace_relay.start(repeat=2)";

/// The line that points a tracer at us.
pub(crate) fn line_to_set(listening: &Listening) -> Option<String> {
    let url = listening.app_url.as_ref().or(listening.url.as_ref())?;
    let url = url.trim_end_matches('/');
    // With the slash at the end ddtrace keeps the prefix for every kind of request.
    let token = if listening.token_set { "/TOKEN/" } else { "" };
    Some(format!("export DD_TRACE_AGENT_URL={url}{token}"))
}

/// What goes into an app on Modal, so that its spans come over stdout.
pub(crate) fn modal_app() -> Vec<String> {
    RELAY_APP.map(str::to_owned).to_vec()
}

/// What is typed then.
pub(crate) fn modal_commands() -> Vec<String> {
    RELAY_COMMANDS.map(str::to_owned).to_vec()
}
