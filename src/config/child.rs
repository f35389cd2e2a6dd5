//! The program that `run` starts: its command line, and what we change of its environment.

use std::ffi::OsString;

/// A program to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildSettings {
    /// The program and its arguments; at least the program.
    pub command: Vec<OsString>,
    /// What becomes of its environment.
    pub environment: ChildEnvironment,
}

/// What becomes of the environment that the program inherits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEnvironment {
    /// Nothing: `--no-env`.
    LeftAlone,
    /// It is set up so that its spans come here and its lines can be read.
    Set {
        /// Who says where its agent is.
        agent: Told,
        /// Who says whether the relay is wanted.
        relay: Told,
    },
}

/// Who says something to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A variable that the user has set already.
    ByTheUser,
    /// We do.
    ByUs,
}

/// When ddtrace sends spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flush {
    /// As it is set up: by default when a trace is complete.
    #[default]
    AsItIs,
    /// Each span as it ends: `--live`.
    EachSpan,
}

impl ChildSettings {
    /// The command line, for people: what a shell would take.
    pub fn shown(&self) -> String {
        let words = self
            .command
            .iter()
            .map(|word| quoted(&word.to_string_lossy()));
        words.collect::<Vec<_>>().join(" ")
    }

    /// What is changed of the environment, given the agent's URL: name, and value or that it is
    /// taken away.
    pub fn changes(&self, agent_url: &str, flush: Flush) -> Vec<(String, Option<String>)> {
        let ChildEnvironment::Set { agent, relay } = self.environment else {
            return Vec::new();
        };
        let set = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let mut changes = Vec::new();
        if agent == Told::ByUs {
            changes.push(set("DD_TRACE_AGENT_URL", agent_url));
        }
        if flush == Flush::EachSpan {
            changes.push(set("DD_TRACE_PARTIAL_FLUSH_MIN_SPANS", "1"));
        }
        if relay == Told::ByUs {
            changes.push(set("MODTRACE_RELAY", "1"));
        }
        // Modal's client breaks its own lines at the width of the terminal, 80 columns on a pipe,
        // and with it the addresses in them. Colour would make it redraw them.
        changes.push(set("COLUMNS", "1000"));
        changes.push(set("TTY_COMPATIBLE", "0"));
        changes.push(("FORCE_COLOR".to_owned(), None));
        changes
    }
}

/// A word as a shell would take it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:=@%+,~".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(environment: ChildEnvironment) -> ChildSettings {
        ChildSettings {
            command: ["sh", "-c", "echo 'it'"].map(OsString::from).into(),
            environment,
        }
    }

    /// Checks the variables that are changed, the one taken away with a dash before it.
    #[track_caller]
    fn check(environment: ChildEnvironment, flush: Flush, expected: &str) {
        let changes = settings(environment).changes("http://127.0.0.1:1/", flush);
        let shown = changes.into_iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => format!("-{name}"),
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn the_child_is_told_where_to_send_unless_the_user_has_told_it() {
        let set = |agent, relay| ChildEnvironment::Set { agent, relay };
        check(
            set(Told::ByUs, Told::ByUs),
            Flush::AsItIs,
            "DD_TRACE_AGENT_URL=http://127.0.0.1:1/ MODTRACE_RELAY=1 COLUMNS=1000 \
             TTY_COMPATIBLE=0 -FORCE_COLOR",
        );
        check(
            set(Told::ByTheUser, Told::ByTheUser),
            Flush::EachSpan,
            "DD_TRACE_PARTIAL_FLUSH_MIN_SPANS=1 COLUMNS=1000 TTY_COMPATIBLE=0 -FORCE_COLOR",
        );
        check(ChildEnvironment::LeftAlone, Flush::EachSpan, "");
    }

    #[test]
    fn the_command_line_reads_as_a_shell_would_take_it() {
        let shown = settings(ChildEnvironment::LeftAlone).shown();
        assert_eq!(shown, r"sh -c 'echo '\''it'\'''");
    }
}
