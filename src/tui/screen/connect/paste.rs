//! The lines that bring spans here, to be pasted: the same that `modtrace-tui env` prints.

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
    [
        "import modtrace_relay; modtrace_relay.start()  # before ddtrace",
        "relay = {\"MODTRACE_RELAY\": os.environ.get(\"MODTRACE_RELAY\", \"\")}",
        "image = image.env(relay).add_local_python_source(\"modtrace_relay\")",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What is typed then.
pub(crate) fn modal_commands() -> Vec<String> {
    [
        "modtrace-tui env relay > modtrace_relay.py",
        "modtrace-tui run -- modal serve app.py",
    ]
    .map(str::to_owned)
    .to_vec()
}
