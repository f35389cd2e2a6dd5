//! The built program in a terminal: what the user chooses goes to an intake, and nothing else.

use super::agent::MockAgent;
use super::datadog::{KEY, spans, taken};
use crate::pty::screen::Screen;

#[test]
fn a_trace_goes_when_the_user_says_so_and_no_other() {
    let intake = MockAgent::start(|_, _| taken());
    let (key, url) = (
        format!("DD_API_KEY={KEY}"),
        format!("DD_APM_DD_URL={}", intake.url()),
    );
    let program = env!("CARGO_BIN_EXE_modtrace-tui");
    let mut screen = Screen::start_command(&["env", &key, &url, program, "demo"], 36, 120);
    screen.wait_for(|text| text.contains("document.process") && text.contains("fwd off"));
    screen.press("GF");
    screen.wait_for(|text| text.contains("Send to Datadog?") && text.contains("at 127.0.0.1"));
    screen.press("\x1b");
    screen.wait_for(|text| !text.contains("Send to Datadog?"));
    assert!(screen.text().contains("fwd off") && intake.n_asked() == 0);
    screen.press("F\r");
    screen.wait_for(|text| text.contains("fwd by hand datadog datadoghq.com 1 sent"));
    screen.press("FF");
    screen.wait_for(|text| text.contains("/api/v0.2/traces") && text.contains("  200  "));
    assert!(!screen.text().contains(KEY));
    let arrived = spans(&intake);
    let traces: Vec<_> = arrived.keys().map(|(trace, _)| trace).collect();
    assert!(
        traces.windows(2).all(|pair| pair[0] == pair[1]),
        "{traces:?}"
    );
    assert!(arrived.values().all(|times| *times == 1) && !arrived.is_empty());
    screen.press("\x1bq");
    assert_eq!(screen.exit_code(), 0);
    screen.assert_restored();
}
