//! What a panic does while the screen is ours. The one that ends the program gives the terminal
//! back before it prints; one in a task, which the program survives, is kept for a notice.

use std::collections::VecDeque;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::Notify;

/// More than these at once are one and the same trouble.
const PANICS_MAX: usize = 16;

/// The panics of tasks and threads that the program survived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panics(Arc<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    sentences: Mutex<VecDeque<String>>,
    came: Notify,
}

impl Panics {
    /// Waits for the next one: a sentence for a notice.
    pub(crate) async fn next(&self) -> String {
        loop {
            if let Some(sentence) = self.take() {
                return sentence;
            }
            self.0.came.notified().await;
        }
    }

    fn take(&self) -> Option<String> {
        let mut sentences = self
            .0
            .sentences
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sentences.pop_front()
    }

    fn record(&self, sentence: String) {
        let mut sentences = self
            .0
            .sentences
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if sentences.len() < PANICS_MAX {
            sentences.push_back(sentence);
        }
        drop(sentences);
        self.0.came.notify_one();
    }
}

/// Whose screen it is when a panic comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The terminal is as the shell left it: the panic is printed as ever.
    Shell,
    /// A frame of ours is on it.
    Us,
}

/// Installs the hook, from the thread that draws. `restore` gives the terminal back and says who
/// had it; `owner` only says it.
pub(super) fn install(
    restore: impl Fn() + Send + Sync + 'static,
    owner: impl Fn() -> Owner + Send + Sync + 'static,
) -> Panics {
    let panics = Panics::default();
    let recorder = panics.clone();
    let ui_thread = thread::current().id();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // A task on this very thread is caught by the runtime, and the program goes on.
        let is_ui = thread::current().id() == ui_thread && tokio::task::try_id().is_none();
        if owner() == Owner::Us && !is_ui {
            recorder.record(sentence(panic));
        } else {
            restore();
            previous(panic);
        }
    }));
    panics
}

fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let text = panic.payload().downcast_ref::<String>().map(String::as_str);
    let message = text.or_else(|| panic.payload().downcast_ref::<&str>().copied());
    let message = message.unwrap_or("no message");
    match panic.location() {
        Some(at) => format!(
            "A task failed at {}:{}: {message}. The rest goes on.",
            at.file(),
            at.line()
        ),
        None => format!("A task failed: {message}. The rest goes on."),
    }
}
