//! What Modal says between the lines of an app: its command line client of itself, its platform and the
//! client within the container of inputs and snapshots. On a pipe nothing but the words tells them apart.
//!
//! The words of the command line client were taken from modal 1.3.1 and 1.6.4.

/// A status line of Modal's client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The app has an id, and maybe a page: `ap-…`.
    App {
        /// `ap-…`.
        id: Box<str>,
        /// Its page on modal.com.
        page: Option<Box<str>>,
    },
    /// `✓ Created objects.`: the functions are there, after the start and after each reload.
    Created,
    /// A web function can be called at this address.
    WebUrl(Box<str>),
    /// `Serving...`: it watches for changes.
    Serving,
    /// The containers of the last generation are stopped, because a file has changed.
    Reloading,
    /// It stops, and sends what is left of the logs.
    Disconnecting,
    /// It has stopped.
    Stopped,
    /// Anything else it says: objects created, images built.
    Other,
}

/// How an input ended that did not end itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It reached the timeout of its function.
    Timeout,
    /// It was cancelled: by whoever called it, by a client that hung up, with its app.
    Cancelled,
    /// Its container was killed, whatever ran in it.
    Killed,
}

/// How the other lines begin.
const OTHERS: [&str; 9] = [
    "├── ",
    "└── ",
    "│   ",
    "=> Step ",
    "Building image im-",
    "Built image im-",
    "Runner terminated",
    "Creating memory snapshot for Function.",
    "✓ ",
];

/// What a line of Modal's client says; `None` for a line of a container.
pub(super) fn status(line: &str) -> Option<Status> {
    // Emoji come with selectors that show nothing.
    let text = line.trim_start_matches(['\u{fe0f}', ' ']).trim_end();
    let starts = |beginning: &str| text.starts_with(beginning);
    if starts("✓ Initialized.") {
        return Some(app(text).unwrap_or(Status::Other));
    }
    if starts("✓ App aborted") || starts("✓ App completed") || starts("✓ App stopped") {
        return Some(Status::Stopped);
    }
    if starts("✓ Created objects") {
        return Some(Status::Created);
    }
    if starts("⚡") && text.contains("Serving") {
        return Some(Status::Serving);
    }
    let served = text.strip_prefix("Serve process ");
    if served.is_some_and(|rest| rest.ends_with(" terminated"))
        || starts("🧹 Terminating running containers")
    {
        return Some(Status::Reloading);
    }
    if starts("Stopping app - ") || starts("Disconnecting from Modal") {
        return Some(Status::Disconnecting);
    }
    if !OTHERS.iter().any(|beginning| starts(beginning)) {
        return None;
    }
    let is_tree = !text.starts_with(|char: char| char.is_ascii());
    Some(match url(text) {
        Some(url) if is_tree && !url.contains("modal.com/") => Status::WebUrl(url.into()),
        _ => Status::Other,
    })
}

/// How the platform says that a container begins from a snapshot, its first one or a later one.
const RESTORING: [&str; 2] = [
    "Restoring Function from memory snapshot",
    "Snapshot created. Restoring Function from memory snapshot",
];

/// How the platform begins to speak of an input, and what it says of a timeout.
const CURRENT_INPUT: &str = "Task's current input";
const HIT_ITS_TIMEOUT: &str = " hit its timeout of ";
const CANCELLED_BECAUSE: &str = " cancelled because: ";

/// The platform on containers that are gone: an exit code of 137 is what it says where memory ran out, and
/// for any other kill; a worker that was taken away; one that did not stop when it should.
const KILLED: [&str; 3] = [
    "Runner failed with exit code: ",
    "Runner failed with exception: ",
    "Runner has been shutting down for too long",
];

/// How the client within the container begins its lines, unless its logger was given another form.
const CONTAINER_CLIENT: &str = "[modal-client] ";

/// `IOContext.cancel` and `handle_input_exception` of `modal/_runtime/container_io_manager.py` in
/// `modal-labs/modal-client`.
const CANCELLED: [&str; 2] = [
    "Received a cancellation signal while processing input ",
    "Successfully canceled input ",
];

/// How much of a line is looked at: an input's id is within the first words.
const END_BYTES_MAX: usize = 1024;

/// Whether the platform says that a container begins from a memory snapshot. That it makes one is
/// nothing of the kind: the container that is copied began as any other.
pub(super) fn restores(line: &str) -> bool {
    RESTORING.iter().any(|words| line.starts_with(words))
}

/// How an input ended, as the platform or the client within its container says it, and the input's id
/// where it is said: `in-…`, as `modal.current_input_id()` gives it.
pub(super) fn end(line: &str) -> Option<(End, Option<&str>)> {
    let text = head(line);
    if text.starts_with(CURRENT_INPUT) {
        // The reason comes after the cancellation, and is what counts.
        let end = if text.contains(HIT_ITS_TIMEOUT) {
            End::Timeout
        } else if text.contains(CANCELLED_BECAUSE) {
            End::Cancelled
        } else {
            return None;
        };
        return Some((end, input_id(text)));
    }
    if KILLED.iter().any(|words| text.starts_with(words)) {
        return Some((End::Killed, None));
    }
    // A time stands between the name and the words.
    let said = match text.strip_prefix(CONTAINER_CLIENT) {
        Some(rest) => rest.split_once(' ').map_or(rest, |(_, said)| said),
        None => text,
    };
    let is_cancelled = CANCELLED.iter().any(|words| said.starts_with(words));
    is_cancelled.then(|| (End::Cancelled, input_id(said)))
}

/// The first input that is named.
fn input_id(text: &str) -> Option<&str> {
    let is_end = |char: char| !(char.is_ascii_alphanumeric() || matches!(char, '-' | ':'));
    let mut words = text.split(is_end).map(|word| word.trim_end_matches(':'));
    words.find(|word| word.len() > "in-".len() && word.starts_with("in-"))
}

fn head(line: &str) -> &str {
    let mut end = line.len().min(END_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.get(..end).unwrap_or_default()
}

fn app(text: &str) -> Option<Status> {
    Some(Status::App {
        id: app_id(text)?.into(),
        page: url(text).map(Into::into),
    })
}

/// `ap-` and 22 letters and digits.
fn app_id(text: &str) -> Option<&str> {
    const ID_BYTES: usize = 25;
    text.match_indices("ap-").find_map(|(start, _)| {
        let id = text.get(start..start + ID_BYTES)?;
        let rest = id.get(3..)?;
        let is_id = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_id.then_some(id)
    })
}

fn url(text: &str) -> Option<&str> {
    let start = text.find("https://")?;
    text.get(start..)?.split_whitespace().next()
}

#[cfg(test)]
mod tests;
