//! What the `modal` command line client says of itself, between the lines of the containers. On a
//! pipe nothing but the words tells them apart; they were taken from modal 1.3.1 and 1.6.4.

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

/// How the other lines begin.
const OTHERS: [&str; 12] = [
    "├── ",
    "└── ",
    "│   ",
    "=> Step ",
    "Building image im-",
    "Built image im-",
    "Runner failed with exit code: ",
    "Runner terminated",
    "Creating memory snapshot for Function.",
    "Snapshot created. Restoring Function from memory snapshot.",
    "Restoring Function from memory snapshot.",
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
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<Status>) {
        assert_eq!(status(line), expected, "{line}");
    }

    #[test]
    fn lines_of_the_client_are_recognised() {
        check(
            "✓ Initialized. View run at https://modal.com/apps/mock/main/ap-kdGVwaWBfNwVym97ZkYPCp",
            Some(Status::App {
                id: "ap-kdGVwaWBfNwVym97ZkYPCp".into(),
                page: Some("https://modal.com/apps/mock/main/ap-kdGVwaWBfNwVym97ZkYPCp".into()),
            }),
        );
        check("✓ Created objects.", Some(Status::Created));
        check(
            "\u{fe0f}\u{fe0f}⚡\u{fe0f} Serving... hit Ctrl-C to stop!",
            Some(Status::Serving),
        );
        let url = "https://acme--gen-dev.modal.run";
        check(
            &format!("├── 🔨 Created web function web => {url}"),
            Some(Status::WebUrl(url.into())),
        );
        check(&format!("│   └── {url}"), Some(Status::WebUrl(url.into())));
        check("└── Watching /home/dev/service.", Some(Status::Other));
        check("├── 🔨 Created function process.", Some(Status::Other));
        check("Serve process 4259 terminated", Some(Status::Reloading));
        check("🧹 Terminating running containers", Some(Status::Reloading));
        check(
            "Disconnecting from Modal - This will terminate your Modal app in a few seconds.",
            Some(Status::Disconnecting),
        );
        check(
            "✓ App aborted. View run at https://modal.com/apps/mock/main/ap-UCnDmmC4xhiypuHeJD26hK",
            Some(Status::Stopped),
        );
        check("=> Step 0: FROM base", Some(Status::Other));
        check("✓ App deployed in 3.1s! 🎉", Some(Status::Other));
    }

    #[test]
    fn lines_of_containers_are_not() {
        for line in [
            "Serving",
            "✓",
            "Created objects.",
            "ap-kdGVwaWBfNwVym97ZkYPCp",
            "",
            "Serve process",
            "⚡",
        ] {
            check(line, None);
        }
    }
}
