//! What this program understands of a line beside its text: who else speaks through the pipe.

use super::modal;

/// What a line says that this program understands beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Modal's client speaks of itself.
    Modal(modal::Status),
    /// Modal's platform begins a container from a memory snapshot.
    Restoring,
    /// Modal says how an input ended that did not end itself.
    Ended {
        /// How.
        end: modal::End,
        /// The input, where it is named: `in-…`.
        input: Option<Box<str>>,
    },
    /// A tracer could not reach its agent: `failed to send, dropping N traces to intake at …`.
    Unsent {
        /// How many traces it dropped.
        traces: u64,
        /// The address it tried.
        url: Box<str>,
        /// Why, in its words.
        reason: Box<str>,
    },
    /// datadog-init speaks of itself; harmless.
    DatadogInit,
}

/// What ddtrace says when an agent does not answer (4.1.2 and 4.16.0).
const UNSENT: &str = "failed to send, dropping ";

/// What datadog-init says when all is well.
const DATADOG_INIT: [&str; 2] = [
    "| SERVERLESS_INIT |",
    "Workloadmeta collectors are not ready",
];

impl Remark {
    /// The remark a message makes; mostly none.
    pub(super) fn of(message: &str) -> Option<Self> {
        if let Some(remark) = Self::of_platform(message) {
            return Some(remark);
        }
        if let Some((_, rest)) = message.split_once(UNSENT) {
            return unsent(rest);
        }
        let is_init = DATADOG_INIT.iter().any(|words| message.contains(words));
        is_init.then_some(Self::DatadogInit)
    }

    /// What Modal says of a container or of an input. Nearly every line is dismissed by its first byte.
    fn of_platform(message: &str) -> Option<Self> {
        if !matches!(message.as_bytes().first(), Some(b'R' | b'S' | b'T' | b'[')) {
            return None;
        }
        if modal::restores(message) {
            return Some(Self::Restoring);
        }
        modal::end(message).map(|(end, input)| Self::Ended {
            end,
            input: input.map(Into::into),
        })
    }

    /// Whether Modal speaks, and not the app.
    pub(crate) fn is_of_modal(&self) -> bool {
        matches!(self, Self::Modal(_) | Self::Restoring | Self::Ended { .. })
    }

    /// What a plain line says as one of Modal's client.
    pub(super) fn of_client(line: &str) -> Option<Self> {
        modal::status(line).map(Self::Modal)
    }
}

fn unsent(rest: &str) -> Option<Remark> {
    let (number, rest) = rest.split_once(" trace")?;
    let (_, rest) = rest.split_once(" to intake at ")?;
    let (url, reason) = rest.split_once(": ").unwrap_or((rest, ""));
    Some(Remark::Unsent {
        traces: number.trim().parse::<u32>().ok()?.into(),
        url: url.trim().into(),
        reason: reason.trim().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracer_without_an_agent_is_heard() {
        let line = "failed to send, dropping 3 traces to intake at http://localhost:8126/v0.5/traces: \
                    client error (Connect) [23 skipped]";
        let expected = Remark::Unsent {
            traces: 3,
            url: "http://localhost:8126/v0.5/traces".into(),
            reason: "client error (Connect) [23 skipped]".into(),
        };
        assert_eq!(Remark::of(line), Some(expected));
        assert_eq!(
            Remark::of("failed to send, dropping many traces to intake at x"),
            None
        );
        assert_eq!(Remark::of("failed to send"), None);
    }

    #[test]
    fn datadog_init_is_harmless() {
        let lines = [
            "2026-01-09 23:06:40 UTC | SERVERLESS_INIT | INFO | (cmd/serverless-init/main.go) | started",
            "2026-01-09 23:06:40 UTC | X | WARN | Workloadmeta collectors are not ready after 5 s",
        ];
        for line in lines {
            assert_eq!(Remark::of(line), Some(Remark::DatadogInit));
        }
        assert_eq!(Remark::of("ordinary"), None);
    }

    #[test]
    fn modals_platform_is_heard() {
        let restoring = "Restoring Function from memory snapshot.";
        assert_eq!(Remark::of(restoring), Some(Remark::Restoring));
        let making = "Creating memory snapshot for Function.";
        assert_eq!(Remark::of(making), None);
        assert_eq!(
            Remark::of_client(making),
            Some(Remark::Modal(modal::Status::Other))
        );
        let timeout = Remark::Ended {
            end: modal::End::Timeout,
            input: Some("in-7:1-0".into()),
        };
        assert_eq!(
            Remark::of("Task's current input in-7:1-0 hit its timeout of 20s"),
            Some(timeout.clone())
        );
        assert!(timeout.is_of_modal() && Remark::Restoring.is_of_modal());
        assert!(!Remark::DatadogInit.is_of_modal());
    }
}
