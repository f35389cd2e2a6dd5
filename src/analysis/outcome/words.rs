//! The words by which an error is known: names of exceptions, messages, the ends of tracebacks. Nothing here
//! knows a span or a line.
//!
//! What is not counted, on purpose:
//!
//! - as a timeout: a message that only mentions one ("invalid timeout value"), a refused or reset connection, a
//!   status of 504, `modal.exception.OutputExpiredError` (a result was fetched too late; the request had ended);
//! - as out of memory on the GPU: `MemoryError` and `java.lang.OutOfMemoryError` (not the GPU's memory), a quota
//!   (`RESOURCE_EXHAUSTED` alone), vLLM's "No available memory for the cache blocks" (a setting, no allocation);
//! - as cancelled: `SystemExit`, which the program asks for itself.

use std::borrow::Cow;

use super::Outcome;
use crate::trace::Text;

/// How much of a text is read, from its beginning or from its end.
const BYTES_MAX: usize = 4 * 1024;
/// How much of the tracebacks of a chain of exceptions.
const CHAIN_BYTES_MAX: usize = 16 * 1024;

/// How the names of exceptions end, after their module, whatever the case: `modal.exception.FunctionTimeoutError`,
/// `httpx.ReadTimeout`, `socket.timeout`, `google.api_core.exceptions.DeadlineExceeded`.
///
/// An interrupt is a cancellation: it is what Modal sends to a container it takes away, and to an input of
/// several in one process. So is a generator that is closed before its end, and a client that hung up.
const NAMES: [(&str, Outcome); 22] = [
    ("OutOfMemoryError", Outcome::CudaOom),
    ("TimeoutError", Outcome::Timeout),
    ("Timeout", Outcome::Timeout),
    ("TimedOut", Outcome::Timeout),
    ("TimedOutError", Outcome::Timeout),
    ("TimeoutException", Outcome::Timeout),
    ("TimeoutExpired", Outcome::Timeout),
    ("DeadlineExceeded", Outcome::Timeout),
    ("DeadlineExceededError", Outcome::Timeout),
    ("Cancellation", Outcome::Cancelled),
    ("CancelledError", Outcome::Cancelled),
    ("CanceledError", Outcome::Cancelled),
    ("Cancelled", Outcome::Cancelled),
    ("Canceled", Outcome::Cancelled),
    ("CancelledException", Outcome::Cancelled),
    ("CanceledException", Outcome::Cancelled),
    ("AbortError", Outcome::Cancelled),
    ("ClientDisconnect", Outcome::Cancelled),
    ("KeyboardInterrupt", Outcome::Cancelled),
    ("GeneratorExit", Outcome::Cancelled),
    ("ImportError", Outcome::ImportError),
    ("ModuleNotFoundError", Outcome::ImportError),
];

/// How names end that can be nothing but those of exceptions.
const SURE_ENDINGS: [&str; 6] = [
    "Error",
    "Exception",
    "Cancellation",
    "KeyboardInterrupt",
    "GeneratorExit",
    "SystemExit",
];

/// What an app may call a class that it names itself.
const CLASSES: [(&str, Outcome); 15] = [
    ("cuda_oom", Outcome::CudaOom),
    ("oom", Outcome::CudaOom),
    ("gpu_oom", Outcome::CudaOom),
    ("out_of_memory", Outcome::CudaOom),
    ("cuda_out_of_memory", Outcome::CudaOom),
    ("timeout", Outcome::Timeout),
    ("timed_out", Outcome::Timeout),
    ("deadline_exceeded", Outcome::Timeout),
    ("cancelled", Outcome::Cancelled),
    ("canceled", Outcome::Cancelled),
    ("input_cancelled", Outcome::Cancelled),
    ("interrupted", Outcome::Cancelled),
    ("import_error", Outcome::ImportError),
    ("import", Outcome::ImportError),
    ("module_not_found", Outcome::ImportError),
];

/// What it may say instead of leaving the tag out; Python's `None` comes as its name.
const NO_CLASSES: [&str; 7] = ["", "none", "null", "nil", "ok", "false", "no_error"];

/// What GPU libraries say when memory is out: `PyTorch`'s allocator, the driver and the runtime beneath it,
/// Triton, llama.cpp, cuBLAS, cuDNN, XLA (JAX), TensorFlow.
const OUT_OF_MEMORY: [&str; 16] = [
    "CUDA out of memory",
    "HIP out of memory",
    "CUDA error: out of memory",
    "CUDA driver error: out of memory",
    "[CUDA]: out of memory",
    "cuda runtime error (2)",
    "cudaMalloc failed: out of memory",
    "cudaErrorMemoryAllocation",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "RESOURCE_EXHAUSTED: Out of memory",
    "RESOURCE_EXHAUSTED: Failed to allocate request for ",
    "Resource exhausted: Out of memory",
    "Resource exhausted: OOM when allocating",
    "OOM when allocating tensor",
];

/// Phrases that leave no doubt wherever they stand: Modal's of an input, gRPC's and Go's of a call.
const PHRASES: [(&str, Outcome); 6] = [
    (" hit its timeout of ", Outcome::Timeout),
    ("DEADLINE_EXCEEDED", Outcome::Timeout),
    ("context deadline exceeded", Outcome::Timeout),
    ("Input was cancelled by user", Outcome::Cancelled),
    ("Function call was cancelled by user", Outcome::Cancelled),
    ("StatusCode.CANCELLED", Outcome::Cancelled),
];

/// How Python's messages of failed imports begin.
const IMPORT_MESSAGES: [&str; 2] = ["No module named ", "cannot import name "];

/// The beginning of a text.
pub(super) fn head(text: Text<'_>) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    String::from_utf8_lossy(bytes.get(..BYTES_MAX).unwrap_or(bytes))
}

/// The end of a text.
pub(super) fn tail(text: Text<'_>) -> Cow<'_, str> {
    last(text, BYTES_MAX)
}

/// The end of a text in which several tracebacks may stand.
pub(super) fn long_tail(text: Text<'_>) -> Cow<'_, str> {
    last(text, CHAIN_BYTES_MAX)
}

fn last(text: Text<'_>, bytes_max: usize) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let from = bytes.len().saturating_sub(bytes_max);
    String::from_utf8_lossy(bytes.get(from..).unwrap_or(bytes))
}

/// Whether an app says by its own tag that there was no error.
pub(super) fn is_no_class(class: &str) -> bool {
    let class = class.trim();
    NO_CLASSES
        .iter()
        .any(|nothing| nothing.eq_ignore_ascii_case(class))
}

/// The class that an app names itself, in its own spelling or as an exception's name.
pub(super) fn of_class(class: &str) -> Option<Outcome> {
    let class = class.trim();
    let spelled = |word: &str| {
        let letters = class.bytes().map(|byte| match byte {
            b' ' | b'-' => b'_',
            other => other.to_ascii_lowercase(),
        });
        letters.eq(word.bytes())
    };
    let known = CLASSES.iter().find(|(word, _)| spelled(word));
    known
        .map(|(_, outcome)| *outcome)
        .or_else(|| of_type(class))
}

/// The class of an exception's name, with its module or without, also as `str(type(error))` has it.
pub(super) fn of_type(name: &str) -> Option<Outcome> {
    let name = name.trim_end_matches(|char| !is_word(char));
    let last = last_part(name);
    let known = NAMES.iter().find(|(ending, _)| ends_with(last, ending))?;
    let is_of_java = known.1 == Outcome::CudaOom && name.contains("java.");
    (!is_of_java).then_some(known.1)
}

/// The class of an exception's message.
pub(super) fn of_message(message: &str) -> Option<Outcome> {
    if is_out_of_memory(message) {
        return Some(Outcome::CudaOom);
    }
    let phrase = PHRASES.iter().find(|(words, _)| message.contains(words));
    if let Some((_, outcome)) = phrase {
        return Some(*outcome);
    }
    let start = message.trim_start();
    if IMPORT_MESSAGES.iter().any(|words| start.starts_with(words)) {
        return Some(Outcome::ImportError);
    }
    // One exception in the message of another: "TimeoutError: …", `FunctionTimeoutError("…")`.
    let name = start.split(|char| !is_dotted(char)).next()?;
    if is_sure(name) { of_type(name) } else { None }
}

/// Whether GPU memory is out, by the words of the libraries.
pub(super) fn is_out_of_memory(message: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|words| message.contains(words))
}

/// The class of the exception with which a traceback ends.
pub(super) fn of_stack(stack: &str) -> Option<Outcome> {
    stack.lines().rev().find_map(exception)
}

/// The most telling class of the exceptions in a text of tracebacks: loggers put causes before or after what
/// they caused.
pub(super) fn of_exceptions(text: &str) -> Option<Outcome> {
    text.lines()
        .filter_map(exception)
        .filter(|class| is_telling(*class))
        .max()
}

/// The class of a line without a level: the last line of a traceback, as an interpreter prints it.
pub(super) fn of_bare_line(line: &str) -> Option<Outcome> {
    exception(after_rank(line)).filter(|class| is_telling(*class))
}

/// That there was an error is what its spans say.
fn is_telling(outcome: Outcome) -> bool {
    outcome > Outcome::Error
}

/// The class of a message of an error's level, in which an exception may be named anywhere.
pub(super) fn of_error_line(message: &str) -> Option<Outcome> {
    let words = message.split(|char| !is_dotted(char));
    let words = words.map(|word| word.trim_end_matches('.'));
    let by_name = words.filter(|word| is_sure(word)).filter_map(of_type).max();
    of_message(message).max(by_name)
}

/// The class of a line that begins with an exception's name.
fn exception(line: &str) -> Option<Outcome> {
    // The members of an exception group stand behind a bar.
    let line = line.trim_start().strip_prefix("| ").unwrap_or(line);
    let (name, message) = match line.split_once(": ") {
        Some((name, message)) => (name, message),
        None => (line.trim_end().trim_end_matches(':'), ""),
    };
    let is_name = !name.is_empty() && name.chars().all(is_dotted) && is_sure(name);
    let class = || of_type(name).or_else(|| of_message(message));
    is_name.then(|| class().unwrap_or(Outcome::Error))
}

/// What stands behind `[rank0]: `, which `torchrun` puts before the lines of its processes.
fn after_rank(line: &str) -> &str {
    let rest = line.strip_prefix("[rank").unwrap_or_default();
    let rest = rest.trim_start_matches(|char: char| char.is_ascii_digit());
    rest.strip_prefix("]: ").unwrap_or(line)
}

/// Whether a name can be nothing but an exception's: by its ending, or since it has a module before it and is
/// written as a class. A line "timeout: 30" is a setting.
fn is_sure(name: &str) -> bool {
    if SURE_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        return true;
    }
    if name == "socket.timeout" {
        return true;
    }
    let last = last_part(name);
    let is_class = last.starts_with(|char: char| char.is_ascii_uppercase());
    is_class && name.len() > last.len() && of_type(name).is_some()
}

fn last_part(name: &str) -> &str {
    name.rsplit(|char| !is_word(char)).next().unwrap_or(name)
}

fn ends_with(name: &str, ending: &str) -> bool {
    let start = name.len().checked_sub(ending.len());
    let end = start.and_then(|start| name.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(ending))
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

fn is_dotted(char: char) -> bool {
    is_word(char) || char == '.'
}
