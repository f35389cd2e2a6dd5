//! The rules of structure that no compiler checks, held over the sources as text.
//!
//! Matching is simple on purpose: comments and the contents of strings are blanked first; test
//! code (from `#[cfg(test)]` on, files called `tests.rs` and those in a folder `tests`) is left out where a rule is about
//! the program. A rule that needs more than this belongs into a lint.

mod blank;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use blank::blank;

const LINES_MAX: usize = 600;

/// The shell: the only modules that touch the world.
const SHELL: [&str; 5] = ["io", "run", "cli", "config", "main"];

/// The parts of the program that may wait.
const ASYNC: [&str; 2] = ["io", "run"];

/// Who may name `crate::wire`: it decodes for `ingest`, routes for the agent and the demo's client,
/// lends the export its text forms of bytes and of numbers JSON cannot hold, and reads statistics whole
/// for whoever passes them on.
const WIRE_READERS: [&str; 6] = [
    "wire",
    "ingest",
    "io/agent",
    "io/demo",
    "export",
    "forward/stats",
];

#[test]
fn files_are_short() {
    check(|source| {
        let n_lines = source.text.lines().count();
        (n_lines > LINES_MAX).then(|| format!("{n_lines} lines, at most {LINES_MAX}"))
    });
}

#[test]
fn every_file_says_what_it_is_for() {
    check(|source| {
        let first = source.text.lines().next().unwrap_or_default();
        let sentence = first
            .strip_prefix("//! ")
            .is_some_and(|text| text.len() > 10);
        (!sentence).then(|| "does not begin with a `//!` sentence".to_owned())
    });
}

#[test]
fn modules_are_files_beside_their_folder() {
    check(|source| {
        source
            .path
            .ends_with("mod.rs")
            .then(|| "use foo.rs beside foo/".to_owned())
    });
}

#[test]
fn the_terminal_is_named_where_it_is_drawn() {
    let allowed = ["tui", "io/terminal", "io/clipboard", "run"];
    check_names(&allowed, &["ratatui", "crossterm"]);
}

#[test]
fn only_the_shell_touches_the_world() {
    let clocks = ["SystemTime::now", "Instant::now"];
    let places = [
        "std::env",
        "std::fs",
        "tokio::fs",
        "tokio::net",
        "std::net::Tcp",
        "std::net::Udp",
    ];
    check_names(&SHELL, &clocks);
    check_names(&SHELL, &places);
    check_names(
        &SHELL,
        &["std::process::", "std::os::unix::net", "tokio::signal"],
    );
}

#[test]
fn only_the_shell_waits() {
    check_names(&ASYNC, &["async fn", "async move", "async {", ".await"]);
}

#[test]
fn the_core_has_no_locks() {
    check_names(&ASYNC, &["Mutex", "RwLock", "Condvar"]);
}

#[test]
fn every_queue_has_a_limit() {
    check_names(
        &[],
        &["unbounded", "std::sync::mpsc::channel", "mpsc::channel()"],
    );
}

#[test]
fn shell_and_screen_do_not_know_each_other() {
    check_within("io", &["crate::tui"]);
    check_within("tui", &["crate::io"]);
}

#[test]
fn dependencies_point_one_way() {
    let after_the_core = ["io", "tui", "run", "cli", "config", "main"];
    check_names(
        &after_the_core,
        &["crate::tui", "crate::io", "crate::run", "crate::cli"],
    );
    check_within(
        "trace",
        &[
            "crate::wire",
            "crate::ingest",
            "crate::store",
            "crate::export",
        ],
    );
    check_within(
        "stats",
        &[
            "crate::wire",
            "crate::ingest",
            "crate::store",
            "crate::export",
        ],
    );
    check_within("wire", &["crate::ingest", "crate::store", "crate::export"]);
    check_within("store", &["crate::export", "crate::query"]);
    check_within(
        "normalize",
        &[
            "crate::wire",
            "crate::ingest",
            "crate::store",
            "crate::query",
            "crate::export",
        ],
    );
    check_within("query", &["crate::wire", "crate::ingest", "crate::export"]);
}

#[test]
fn wire_types_stay_where_bytes_are_read() {
    check_names(&WIRE_READERS, &["crate::wire", "super::wire"]);
}

#[test]
fn nothing_is_left_half_done() {
    check_names(&[], &["todo!", "unimplemented!", "dbg!"]);
    check(|source| {
        let mut lines = source.text.lines().enumerate();
        let found =
            lines.find(|(_, line)| ["TODO", "FIXME"].iter().any(|mark| line.contains(mark)));
        found.map(|(index, _)| format!("line {}: an open end; do it or leave it out", index + 1))
    });
}

#[test]
fn an_exception_to_a_lint_has_its_reason() {
    check_names(&[], &["#[allow(", "#![allow("]);
}

#[test]
fn the_map_names_every_module() {
    let root = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs is there");
    let map: String = root
        .lines()
        .filter(|line| line.starts_with("//!"))
        .collect();
    let words: BTreeSet<_> = map
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    for module in root.lines().filter_map(module_name) {
        assert!(
            words.contains(module),
            "the map in src/lib.rs does not name `{module}`"
        );
    }
}

#[test]
fn the_documents_name_what_a_user_types() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap_or_default();
    let readme = read("README.md");
    for command in ["cargo run --release -- demo", "cargo test"] {
        assert!(
            readme.contains(command),
            "the README does not say `{command}`"
        );
    }
    let changelog = read("CHANGELOG.md");
    let version = format!("\n## {}", env!("CARGO_PKG_VERSION"));
    let section = changelog.contains("\n## Unreleased") || changelog.contains(&version);
    assert!(section, "the CHANGELOG has no section for this version");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    // Put together here, so that this file does not hold what it looks for.
    let places = ["work", "tmp/wt", "root"].map(|place| format!("/{place}/"));
    for path in tracked_files() {
        if path.starts_with("tests/fixtures") {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            let found = places.iter().find(|place| starts_a_path(line, place));
            assert_eq!(found, None, "{}:{}: {line}", path.display(), index + 1);
        }
    }
}

/// A file of `src`.
struct Source {
    /// From `src`, with `/`: `tui/screen/traces.rs`.
    path: String,
    text: String,
    /// The program's own code: no comments, no strings, no tests; lines stay where they are.
    code: String,
}

impl Source {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a source is text");
        let path = file
            .strip_prefix(root().join("src"))
            .expect("it is below src");
        let path = path.to_string_lossy().replace('\\', "/");
        let code = if path.ends_with("tests.rs") || path.contains("/tests/") {
            String::new()
        } else {
            blank(&text)
        };
        let code = code
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .to_owned();
        Self { path, text, code }
    }

    /// Whether it is this module or below it: `io/terminal` has `io/terminal.rs`, `io/terminal/…`.
    fn is_in(&self, module: &str) -> bool {
        let rest = self.path.strip_prefix(module);
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// The first line of its code with one of `names`.
    fn first_naming(&self, names: &[&str]) -> Option<String> {
        let mut lines = self.code.lines().enumerate();
        lines.find_map(|(index, line)| {
            let name = names.iter().find(|name| has_name(line, name))?;
            Some(format!(
                "line {}: names `{name}`: {}",
                index + 1,
                line.trim()
            ))
        })
    }
}

/// Every file of `src` passes `rule`, which tells what is wrong with one.
#[track_caller]
fn check(rule: impl Fn(&Source) -> Option<String>) {
    let sources = sources();
    assert!(sources.len() > 5, "the sources were not found");
    let wrong = sources
        .iter()
        .filter_map(|source| Some(format!("src/{}: {}", source.path, rule(source)?)));
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// None of `names` stands in the code outside the `allowed` modules.
#[track_caller]
fn check_names(allowed: &[&str], names: &[&str]) {
    check(|source| {
        let is_allowed = allowed.iter().any(|module| source.is_in(module));
        if is_allowed {
            None
        } else {
            source.first_naming(names)
        }
    });
}

/// None of `names` stands in the code of `module`.
#[track_caller]
fn check_within(module: &str, names: &[&str]) {
    check(|source| {
        if source.is_in(module) {
            source.first_naming(names)
        } else {
            None
        }
    });
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut folders = vec![root().join("src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)
            .expect("a folder can be read")
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(Source::read(&path));
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// What git tracks; nothing where the sources came without it.
fn tracked_files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    let names = listed
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    names
        .map(|name| PathBuf::from(String::from_utf8_lossy(name).as_ref()))
        .collect()
}

/// `mod foo;` and `pub mod foo;`, not `mod tests {`.
fn module_name(line: &str) -> Option<&str> {
    let line = line.strip_suffix(';')?;
    let line = line
        .strip_prefix("pub(crate) ")
        .or(line.strip_prefix("pub "))
        .unwrap_or(line);
    line.strip_prefix("mod ")
}

/// Whether `name` stands in the line, not as the end of a longer word.
fn has_name(line: &str, name: &str) -> bool {
    let before = line.split(name).next().unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let within_a_word = name.starts_with(is_word) && before.ends_with(is_word);
    line.contains(name) && !within_a_word
}

/// Whether an absolute path that begins with `place` stands in the line: not `https://host/home/`.
fn starts_a_path(line: &str, place: &str) -> bool {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(place) {
        let continues = |c: char| c.is_alphanumeric() || "._-~/}*$".contains(c);
        if !before.ends_with(continues) {
            return true;
        }
        rest = after;
    }
    false
}
