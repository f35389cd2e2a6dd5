//! How a request ended: a class for each error, from what a span or a line says of it. It looks at one span or
//! one line at a time, reads no text without a bound, and decides nothing for a trace as a whole.
//!
//! ```text
//! span ─ tag error_type ─ error.type ─ error.message ─ error.stack's end ─▶ the first that names a class
//! line ─ Modal's words of an input's end ─ its exception, its message, if it is an error ─▶ the most telling
//! ```
//!
//! A function that reaches its timeout on Modal is cancelled from without: its span says
//! `modal.exception.InputCancellation`, "Input was cancelled by user", and only the platform's line beside it
//! says that it was the timeout. So a timeout is more telling than a cancellation.

mod memory;
mod words;

use std::borrow::Cow;

pub use memory::OomFigures;

use crate::json::{Kind, Raw};
use crate::logs::{Level, LogRecord, Remark, modal};
use crate::trace::{Span, Text, tag};

/// How a request ended, the most telling last: of all that its spans and lines say, the maximum counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Nothing went wrong.
    Ok,
    /// It has not ended as far as can be seen.
    Unfinished,
    /// An error that is none of those below; also a container that was killed.
    Error,
    /// A module or a name in it could not be imported.
    ImportError,
    /// It was ended from without: cancelled, interrupted, or nobody waited for it any more.
    Cancelled,
    /// Something took longer than it was allowed to.
    Timeout,
    /// There was not enough memory on the GPU.
    CudaOom,
}

impl Outcome {
    /// Every outcome, in their order.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Unfinished,
        Self::Error,
        Self::ImportError,
        Self::Cancelled,
        Self::Timeout,
        Self::CudaOom,
    ];

    /// Its name in exports and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unfinished => "unfinished",
            Self::Error => "error",
            Self::ImportError => "import_error",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::CudaOom => "cuda_oom",
        }
    }

    /// The outcome with a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whether something went wrong.
    pub fn is_failure(self) -> bool {
        self >= Self::Error
    }
}

/// The members of a structured line that name an exception's class.
const CLASS_KEYS: [&str; 5] = [
    tag::ERROR_CLASS,
    tag::ERROR_TYPE,
    "error.kind",
    "exc_type",
    "exception_type",
];
/// The members of a structured line that hold the text of one, beside those that carry a traceback.
const MESSAGE_KEYS: [&str; 6] = [
    "error",
    "err",
    "exc",
    tag::ERROR_MESSAGE,
    "error_message",
    "reason",
];

/// The class of a span's error; `None` if it says of none. A span without an error costs one look at its
/// tags.
pub fn of_span(span: Span<'_>) -> Option<Outcome> {
    let class = span.meta_text(tag::ERROR_CLASS).map(words::head);
    let class = class.filter(|class| !words::is_no_class(class));
    if !span.is_error() && class.is_none() {
        return None;
    }
    let by_hand = class.as_deref().and_then(words::of_class);
    Some(
        by_hand
            .or_else(|| of_exception(span))
            .unwrap_or(Outcome::Error),
    )
}

fn of_exception(span: Span<'_>) -> Option<Outcome> {
    let kind = said(span, tag::ERROR_TYPE);
    let message = message(span);
    if kind.is_none() && message.is_none() {
        let stack = said(span, tag::ERROR_STACK)?;
        return words::of_stack(&words::tail(stack));
    }
    let by_type = kind.and_then(|kind| words::of_type(&words::head(kind)));
    by_type.or_else(|| words::of_message(&words::head(message?)))
}

/// The newer name of the message may be there with nothing in it.
fn message(span: Span<'_>) -> Option<Text<'_>> {
    said(span, tag::ERROR_MESSAGE).or_else(|| said(span, tag::ERROR_MSG))
}

fn said<'a>(span: Span<'a>, key: &str) -> Option<Text<'a>> {
    span.meta_text(key).filter(|text| !text.is_empty())
}

/// The class of the end that a line tells of; `None` if it tells of none. An ordinary error line is none:
/// whether the request failed, its spans say. Nor is anything below the level of an error, with an exception
/// or without: it was handled.
pub fn of_line(record: &LogRecord) -> Option<Outcome> {
    match record.remark.as_deref() {
        Some(Remark::Ended { end, .. }) => return Some(of_end(*end)),
        // A tracer that cannot send speaks of timeouts too, but of its own.
        Some(_) => return None,
        None => {}
    }
    if record.level.is_some_and(|level| level < Level::Error) {
        return None;
    }
    let message = words::head(Text::from(record.message()));
    let of_message = match record.level {
        Some(_) => words::of_error_line(&message),
        None if record.is_structured() => None,
        None => words::of_bare_line(&message),
    };
    of_message.max(record.object().and_then(|object| of_fields(record, object)))
}

fn of_end(end: modal::End) -> Outcome {
    match end {
        modal::End::Timeout => Outcome::Timeout,
        modal::End::Cancelled => Outcome::Cancelled,
        // Why is not said: memory, a worker that was taken away, a crash.
        modal::End::Killed => Outcome::Error,
    }
}

/// What the members of a structured line say.
fn of_fields(record: &LogRecord, object: Raw<'_>) -> Option<Outcome> {
    let mut found = None;
    let mut has_exception = false;
    for (key, value) in object.entries() {
        has_exception |= LogRecord::is_exception(&key);
        has_exception |= value.kind() == Kind::Object;
        let read: fn(&str) -> Option<Outcome> = if CLASS_KEYS.contains(&&*key) {
            words::of_class
        } else if record.level.is_some() && MESSAGE_KEYS.contains(&&*key) {
            words::of_error_line
        } else {
            continue;
        };
        let text = value.string().unwrap_or(Cow::Borrowed(""));
        found = found.max(read(&words::head(Text::from(&*text))));
    }
    if !has_exception {
        return found;
    }
    let exception = record.exception();
    found
        .max(exception.and_then(|text| words::of_exceptions(&words::long_tail(Text::from(&*text)))))
}

#[cfg(test)]
mod tests;
