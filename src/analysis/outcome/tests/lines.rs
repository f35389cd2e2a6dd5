//! Which lines tell of an end.

use super::*;

#[track_caller]
fn check(line: &str, expected: Option<Outcome>) {
    let record = LogRecord::parse(line, LogSource::Stdout, UnixNanos(1));
    assert_eq!(of_line(&record), expected, "{line}");
}

#[test]
fn modals_own_words_of_an_end_count() {
    let id = "in-01KPJ3A91C01CVK1YZXBJKX4K1:1776576439351-0";
    let timeout = Some(Outcome::Timeout);
    check(
        &format!("Task's current input {id} hit its timeout of 3600s"),
        timeout,
    );
    // As `modal app logs` prints it, with a time and ids before it.
    let prefixed = format!(
        "2026-01-09 23:06:40+00:00 fu-AAAA fc-1 ta-A Task's current input {id} hit its timeout of 3600s"
    );
    check(&prefixed, timeout);
    let record = LogRecord::parse(&prefixed, LogSource::Stdout, UnixNanos(1));
    assert_eq!(record.container.as_deref(), Some("ta-A"));
    check(
        &format!(
            "[modal-client] 2026-04-19T06:27:26+0000 Received a cancellation signal while processing input ('{id}',)"
        ),
        Some(Outcome::Cancelled),
    );
    check("Runner failed with exit code: 137", Some(Outcome::Error));
    check("Restoring Function from memory snapshot.", None);
    check("Creating memory snapshot for Function.", None);
}

#[test]
fn the_last_line_of_a_traceback_counts() {
    for (line, expected) in [
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
            Outcome::CudaOom,
        ),
        ("RuntimeError: CUDA error: out of memory", Outcome::CudaOom),
        (
            "[rank3]: torch.OutOfMemoryError: CUDA out of memory.",
            Outcome::CudaOom,
        ),
        (
            "ModuleNotFoundError: No module named 'torch'",
            Outcome::ImportError,
        ),
        (
            "ImportError: cannot import name 'x' from 'y'",
            Outcome::ImportError,
        ),
        ("asyncio.exceptions.CancelledError", Outcome::Cancelled),
        ("KeyboardInterrupt", Outcome::Cancelled),
        (
            "modal.exception.InputCancellation: Input was cancelled by user",
            Outcome::Cancelled,
        ),
        ("TimeoutError", Outcome::Timeout),
        (
            "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='x', port=443): Read timed out.",
            Outcome::Timeout,
        ),
        ("socket.timeout: timed out", Outcome::Timeout),
    ] {
        check(line, Some(expected));
        check(&format!("    {line}"), None);
    }
}

#[test]
fn ordinary_lines_tell_nothing() {
    for line in [
        "",
        "hello",
        "KeyError: 'a'",
        "ERROR:root:it broke",
        "2026-11-20 20:27:25,577 ERROR [app] [x.py:42] - could not parse",
        r#"{"level":"error","event":"it broke","error":"'a'"}"#,
        "timeout: 30",
        "Timeout: 30",
        "Timeout",
        "server.timeout: 30",
        "CUDA out of memory is what you will see",
        "batch size 8: TimeoutError",
        // Tracers speak of themselves.
        "failed to send, dropping 3 traces to intake at http://localhost:8126/v0.5/traces: client error (TimeoutError)",
    ] {
        check(line, None);
    }
}

#[test]
fn what_was_handled_tells_nothing() {
    for level in ["debug", "info", "warning"] {
        check(
            &format!(
                r#"{{"level":"{level}","event":"retrying with a smaller batch","error_type":"cuda_oom","exception":"torch.OutOfMemoryError: CUDA out of memory."}}"#
            ),
            None,
        );
    }
    check("WARNING:root:TimeoutError, trying again", None);
    check("INFO CUDA out of memory", None);
}

#[test]
fn an_error_line_is_known_by_its_message() {
    for (message, expected) in [
        (
            "inference failed: CUDA out of memory. Tried to allocate 2 GiB",
            Outcome::CudaOom,
        ),
        (
            "call failed with modal.exception.FunctionTimeoutError: it took too long",
            Outcome::Timeout,
        ),
        ("raised TimeoutError.", Outcome::Timeout),
        (
            "worker: asyncio.exceptions.CancelledError()",
            Outcome::Cancelled,
        ),
        (
            "InputCancellation('Input was cancelled by user')",
            Outcome::Cancelled,
        ),
        (
            "could not start: ModuleNotFoundError(\"No module named 'x'\")",
            Outcome::ImportError,
        ),
    ] {
        check(&format!("ERROR:app:{message}"), Some(expected));
        let quoted = serde_json::to_string(message).unwrap();
        check(
            &format!(r#"{{"event":{quoted},"level":"error"}}"#),
            Some(expected),
        );
        check(
            &format!(r#"{{"event":"failed","level":"critical","error":{quoted}}}"#),
            Some(expected),
        );
        check(&format!(r#"{{"event":{quoted}}}"#), None);
    }
    // vllm-project/vllm prints like this.
    check(
        "(EngineCore_DP0 pid=17374) ERROR 09-28 15:47:24 [core.py:718] torch.OutOfMemoryError: CUDA out of memory.",
        Some(Outcome::CudaOom),
    );
}

#[test]
fn a_structured_line_is_known_by_its_class_and_its_exception() {
    check(
        r#"{"event":"failed","level":"error","error_type":"cuda_oom"}"#,
        Some(Outcome::CudaOom),
    );
    check(
        r#"{"event":"failed","error_type":"timeout"}"#,
        Some(Outcome::Timeout),
    );
    check(
        r#"{"event":"failed","level":"error","error_type":"unknown"}"#,
        None,
    );
    check(
        r#"{"event":"failed","level":"error","exception":"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nModuleNotFoundError: No module named 'torch'"}"#,
        Some(Outcome::ImportError),
    );
    // structlog's `dict_tracebacks`: what was caused first, then its cause. A timeout of asyncio is
    // raised from a cancellation.
    check(
        r#"{"event":"failed","level":"error","exception":[{"exc_type":"TimeoutError","exc_value":"","frames":[]},{"exc_type":"CancelledError","exc_value":"","frames":[]}]}"#,
        Some(Outcome::Timeout),
    );
    check(
        r#"{"event":"failed","level":"error","error":{"kind":"builtins.TimeoutError","message":"slow","stack":"File x"}}"#,
        Some(Outcome::Timeout),
    );
    check(
        r#"{"event":"failed","level":"error","exception":"KeyError: 'a'"}"#,
        None,
    );
    check(
        r#"{"event":"fine","level":"info","document":{"error":"TimeoutError"}}"#,
        None,
    );
}
