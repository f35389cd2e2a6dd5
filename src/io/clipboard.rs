//! Copies text: to the desktop we run on, else through the terminal (OSC 52). Says which way it
//! took, or why neither can. Never waits on the thread that draws.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::oneshot;

use crate::config::ClipboardRoute;
use crate::trace::harmless_lines;

/// A display server that hangs must not take the user's text with it.
const DESKTOP_WAIT: Duration = Duration::from_secs(2);
/// What terminals take in one sequence: 100,000 bytes of it, as base64.
const TERMINAL_TEXT_BYTES_MAX: usize = 74_994;

/// Where the text went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// To the desktop's clipboard.
    Desktop,
    /// Nowhere yet: these bytes, sent to the terminal, make it copy. Whether it does, no terminal
    /// tells.
    Terminal(Vec<u8>),
}

/// Why nothing was copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CopyError {
    /// Larger than any terminal takes, and there is no desktop.
    #[error(
        "{bytes} bytes are more than a terminal copies ({TERMINAL_TEXT_BYTES_MAX}): press x to export to a file"
    )]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
}

/// The way to the clipboard. Kept while the program runs: on X11 and Wayland the text is served by
/// whoever copied it.
#[derive(Debug)]
pub(crate) struct Clipboard {
    desktop: Option<SyncSender<Job>>,
}

struct Job {
    text: String,
    done: oneshot::Sender<Result<(), arboard::Error>>,
}

impl Clipboard {
    pub(crate) fn new(route: ClipboardRoute) -> Self {
        Self {
            desktop: (route == ClipboardRoute::Desktop).then(start).flatten(),
        }
    }

    /// Copies text, control characters but newlines and tabs made visible; names come without those
    /// already. To be awaited in a task.
    pub(crate) fn copy(
        &self,
        text: &str,
    ) -> impl Future<Output = Result<Copied, CopyError>> + Send + 'static {
        let text = harmless_lines(text).into_owned();
        let (done, outcome) = oneshot::channel();
        let job = Job {
            text: text.clone(),
            done,
        };
        let is_taken = self
            .desktop
            .as_ref()
            .is_some_and(|desktop| match desktop.try_send(job) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            });
        async move {
            if is_taken && let Ok(Ok(Ok(()))) = tokio::time::timeout(DESKTOP_WAIT, outcome).await {
                return Ok(Copied::Desktop);
            }
            through_terminal(&text).map(Copied::Terminal)
        }
    }
}

/// A thread of its own, because display servers answer when they like.
fn start() -> Option<SyncSender<Job>> {
    let (jobs, received) = sync_channel(1);
    let thread = thread::Builder::new()
        .name("clipboard".into())
        .spawn(move || serve(&received));
    thread.is_ok().then_some(jobs)
}

fn serve(jobs: &Receiver<Job>) {
    let mut clipboard = None;
    for job in jobs {
        let outcome = match clipboard.take().map_or_else(arboard::Clipboard::new, Ok) {
            Ok(opened) => clipboard.insert(opened).set_text(job.text),
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            tracing::info!(%error, "the desktop's clipboard does not take text");
            clipboard = None;
        }
        // Nobody waits any longer after the time-out.
        let _late = job.done.send(outcome);
    }
}

fn through_terminal(text: &str) -> Result<Vec<u8>, CopyError> {
    if text.len() > TERMINAL_TEXT_BYTES_MAX {
        return Err(CopyError::TooLong { bytes: text.len() });
    }
    Ok(format!("\x1b]52;c;{}\x1b\\", STANDARD.encode(text)).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::nasty;

    #[tokio::test]
    async fn nothing_that_a_terminal_obeys_is_copied() {
        let clipboard = Clipboard::new(ClipboardRoute::Terminal);
        for text in nasty::TEXTS {
            let Ok(Copied::Terminal(bytes)) = clipboard.copy(text).await else {
                panic!("it was not copied");
            };
            let sequence = String::from_utf8(bytes).unwrap();
            let payload = sequence.strip_prefix("\x1b]52;c;").unwrap();
            let payload = payload.strip_suffix("\x1b\\").unwrap();
            nasty::assert_harmless(payload, &[]);
            let pasted = String::from_utf8(STANDARD.decode(payload).unwrap()).unwrap();
            nasty::assert_harmless(&pasted, &['\n', '\t']);
        }
    }

    #[tokio::test]
    async fn without_a_desktop_the_terminal_is_asked() {
        let clipboard = Clipboard::new(ClipboardRoute::Terminal);
        let copied = clipboard.copy("hello").await;
        assert_eq!(
            copied,
            Ok(Copied::Terminal(b"\x1b]52;c;aGVsbG8=\x1b\\".to_vec()))
        );
    }

    #[tokio::test]
    async fn more_than_a_terminal_takes_is_told() {
        let clipboard = Clipboard::new(ClipboardRoute::Terminal);
        let bytes = TERMINAL_TEXT_BYTES_MAX + 1;
        assert_eq!(
            clipboard.copy(&"x".repeat(bytes)).await,
            Err(CopyError::TooLong { bytes })
        );
        assert!(clipboard.copy(&"x".repeat(bytes - 1)).await.is_ok());
    }
}
