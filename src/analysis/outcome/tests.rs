//! What real messages are classed as, by table; and that no text does harm.

mod figures;
mod lines;

use crate::trace::tag::ERROR_CLASS;
use proptest::prelude::*;

use super::*;
use crate::logs::LogSource;
use crate::trace::{Attribute, ChunkBuilder, Field, TraceChunk, UnixNanos};

/// A chunk of one span with the error flag and the tags.
fn chunk(error: u64, tags: &[(&str, &[u8])]) -> TraceChunk {
    let mut builder = ChunkBuilder::default();
    builder.begin_span().unwrap();
    builder.set_number(Field::SpanId, 1);
    builder.set_number(Field::TraceId, 1);
    builder.set_number(Field::Error, error);
    let opened = builder.attribute(Attribute::Meta).open_map();
    for (key, value) in tags {
        let key = builder.key(None, key.as_bytes()).unwrap();
        let value = builder.value_of(key, value).unwrap();
        builder.writer().key(key);
        builder.writer().text(value);
    }
    builder.writer().close(opened);
    builder.finish().remove(0)
}

#[track_caller]
fn check_span(error: u64, tags: &[(&str, &str)], expected: Option<Outcome>) {
    let tags: Vec<_> = tags
        .iter()
        .map(|(key, value)| (*key, value.as_bytes()))
        .collect();
    let chunk = chunk(error, &tags);
    assert_eq!(of_span(chunk.span(0).unwrap()), expected);
}

/// An exception as ddtrace tags it.
#[track_caller]
fn check_exception(kind: &str, message: &str, expected: Outcome) {
    let tags = [(tag::ERROR_TYPE, kind), (tag::ERROR_MESSAGE, message)];
    check_span(1, &tags, Some(expected));
    check_span(
        1,
        &[(tag::ERROR_TYPE, kind), (tag::ERROR_MSG, message)],
        Some(expected),
    );
}

#[test]
fn outcomes_have_names_and_an_order() {
    let names = Outcome::ALL.map(Outcome::name);
    assert_eq!(
        names,
        [
            "ok",
            "unfinished",
            "error",
            "import_error",
            "cancelled",
            "timeout",
            "cuda_oom"
        ]
    );
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::named(outcome.name()), Some(outcome));
    }
    assert_eq!(Outcome::named("OK"), None);
    assert!(Outcome::ALL.is_sorted());
    let failures = Outcome::ALL.into_iter().filter(|it| it.is_failure());
    assert_eq!(failures.count(), 5);
}

#[test]
fn a_span_without_an_error_says_nothing() {
    check_span(0, &[], None);
    check_span(0, &[("env", "dev")], None);
    // What is left of an exception that was handled, without the flag.
    check_span(0, &[(tag::ERROR_TYPE, "builtins.TimeoutError")], None);
    for nothing in ["", "None", "none", "null", " ", "ok", "False"] {
        check_span(0, &[(ERROR_CLASS, nothing)], None);
    }
    check_span(1, &[], Some(Outcome::Error));
    check_span(1, &[(ERROR_CLASS, "None")], Some(Outcome::Error));
}

#[test]
fn the_tag_that_an_app_sets_counts_first_and_without_the_flag() {
    let by_hand = |class: &'static str| [(ERROR_CLASS, class)];
    check_span(0, &by_hand("timeout"), Some(Outcome::Timeout));
    check_span(0, &by_hand("cuda_oom"), Some(Outcome::CudaOom));
    check_span(0, &by_hand("unknown"), Some(Outcome::Error));
    check_span(0, &by_hand("CUDA OOM"), Some(Outcome::CudaOom));
    check_span(0, &by_hand("timed-out"), Some(Outcome::Timeout));
    check_span(0, &by_hand("canceled"), Some(Outcome::Cancelled));
    check_span(0, &by_hand("ImportError"), Some(Outcome::ImportError));
    check_span(
        0,
        &by_hand("torch.OutOfMemoryError"),
        Some(Outcome::CudaOom),
    );
    check_span(0, &by_hand("validation"), Some(Outcome::Error));
    let contradicted = [
        (ERROR_CLASS, "timeout"),
        (tag::ERROR_TYPE, "torch.OutOfMemoryError"),
    ];
    check_span(1, &contradicted, Some(Outcome::Timeout));
    // "unknown" is what the app knows; the exception says more.
    let unknown = [
        (ERROR_CLASS, "unknown"),
        (tag::ERROR_TYPE, "torch.OutOfMemoryError"),
    ];
    check_span(0, &unknown, Some(Outcome::CudaOom));
}

#[test]
fn memory_of_the_gpu_is_told_by_type_or_by_message() {
    let oom = Outcome::CudaOom;
    check_exception("torch.OutOfMemoryError", "", oom);
    check_exception("torch.cuda.OutOfMemoryError", "CUDA out of memory.", oom);
    check_exception("torch.cuda.OutOfMemoryError", "x", oom);
    check_exception("cupy.cuda.memory.OutOfMemoryError", "Out of memory", oom);
    for message in [
        // chnsh/DCRNN_PyTorch, issue 6: torch 1.x, where it is a RuntimeError.
        "CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 5.80 GiB total capacity; 4.36 GiB already allocated; 6.69 MiB free; 4.63 GiB reserved in total by PyTorch)",
        // taohan10200/IIM, issue 28.
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call,so the stacktrace below might be incorrect.",
        // layumi/Person_reID_baseline_pytorch, issue 286.
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        // MVIG-SJTU/AlphaPose, issue 154: torch 0.4.
        "cuda runtime error (2) : out of memory at /pytorch/aten/src/THC/generic/THCStorage.cu:58",
        // philip-huang/PIXOR, issue 31: TensorFlow.
        "failed to allocate 17.79G (19104890880 bytes) from device: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
        // cupy/cupy, pull request 314.
        "cudaErrorMemoryAllocation: out of memory",
    ] {
        check_exception("builtins.RuntimeError", message, oom);
    }
    for message in [
        // google-deepmind/alphafold, issue 1023.
        "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 7406166528 bytes.",
        // ecmwf-lab/ai-models-graphcast, issue 18.
        "RESOURCE_EXHAUSTED: Failed to allocate request for 2.99GiB (3206250496B) on device ordinal 0",
    ] {
        check_exception("jaxlib.xla_extension.XlaRuntimeError", message, oom);
    }
}

#[test]
fn what_is_not_the_memory_of_the_gpu_is_an_error() {
    check_exception("builtins.MemoryError", "", Outcome::Error);
    check_exception(
        "java.lang.OutOfMemoryError",
        "Java heap space",
        Outcome::Error,
    );
    check_exception(
        "google.api_core.exceptions.ResourceExhausted",
        "429 RESOURCE_EXHAUSTED: Quota exceeded",
        Outcome::Error,
    );
    // QwenLM/Qwen3, issue 12: nothing was allocated.
    check_exception(
        "builtins.ValueError",
        "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.",
        Outcome::Error,
    );
}

#[test]
fn timeouts_are_told_by_type_or_by_message() {
    for kind in [
        "builtins.TimeoutError",
        "asyncio.exceptions.TimeoutError",
        "modal.exception.FunctionTimeoutError",
        "modal.exception.SandboxTimeoutError",
        "concurrent.futures._base.TimeoutError",
        "requests.exceptions.ReadTimeout",
        "httpx.ConnectTimeout",
        "httpx.PoolTimeout",
        "aiohttp.client_exceptions.ServerTimeoutError",
        "socket.timeout",
        "subprocess.TimeoutExpired",
        "google.api_core.exceptions.DeadlineExceeded",
        "java.net.SocketTimeoutException",
        "<class 'TimeoutError'>",
        "TimeoutError",
    ] {
        check_exception(kind, "", Outcome::Timeout);
    }
    // axolotl-ai-cloud/axolotl, pull request 1289, as the caller sees it.
    check_exception(
        "modal.exception.RemoteError",
        "Task's current input in-wrd5Ktt6HmXMgu9T6pyhAj hit its timeout of 2700s",
        Outcome::Timeout,
    );
    check_exception(
        "app.Failed",
        "FunctionTimeoutError(\"it took too long\")",
        Outcome::Timeout,
    );
    check_exception(
        "grpc._channel._InactiveRpcError",
        "<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.DEADLINE_EXCEEDED",
        Outcome::Timeout,
    );
}

#[test]
fn what_only_mentions_a_timeout_is_an_error() {
    for (kind, message) in [
        ("builtins.ValueError", "invalid timeout value: 30"),
        ("builtins.ValueError", "timeout: must be positive"),
        ("app.TimeoutConfigurationError", "x"),
        ("modal.exception.OutputExpiredError", ""),
        (
            "builtins.ConnectionRefusedError",
            "[Errno 111] Connection refused",
        ),
        ("httpx.HTTPStatusError", "504 Gateway Time-out"),
        ("", "Timeout: 30"),
    ] {
        check_exception(kind, message, Outcome::Error);
    }
}

#[test]
fn cancellations_and_imports_are_told_by_type_or_by_message() {
    for kind in [
        // `modal/exception.py` of modal-labs/modal-client.
        "modal.exception.InputCancellation",
        "asyncio.exceptions.CancelledError",
        "concurrent.futures._base.CancelledError",
        "builtins.KeyboardInterrupt",
        "builtins.GeneratorExit",
        "starlette.requests.ClientDisconnect",
        "AbortError",
    ] {
        check_exception(kind, "", Outcome::Cancelled);
    }
    check_exception(
        "modal.exception.RemoteError",
        "Function call was cancelled by user or a failure.",
        Outcome::Cancelled,
    );
    check_exception("builtins.SystemExit", "1", Outcome::Error);

    let missing = "No module named 'torch'";
    check_exception(
        "builtins.ModuleNotFoundError",
        missing,
        Outcome::ImportError,
    );
    check_exception(
        "builtins.ImportError",
        "cannot import name 'x' from 'y' (/app/y.py)",
        Outcome::ImportError,
    );
    check_exception("app.StartFailed", missing, Outcome::ImportError);
    check_exception(
        "modal.exception.ExecutionError",
        "Could not deserialize result due to error:\nNo module named 'torch'",
        Outcome::Error,
    );
}

#[test]
fn a_stack_is_asked_only_where_nothing_else_is_said() {
    let stack = "Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in f\n    raise TimeoutError()\nasyncio.exceptions.CancelledError\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/app/a.py\", line 9, in g\nRuntimeError: CUDA error: out of memory\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\n";
    let only = |stack: &'static str| [(tag::ERROR_STACK, stack)];
    check_span(1, &only(stack), Some(Outcome::CudaOom));
    check_span(
        1,
        &[
            (tag::ERROR_STACK, stack),
            (tag::ERROR_TYPE, "builtins.KeyError"),
        ],
        Some(Outcome::Error),
    );
    check_span(
        1,
        &[
            (tag::ERROR_STACK, stack),
            (tag::ERROR_TYPE, ""),
            (tag::ERROR_MESSAGE, ""),
            (tag::ERROR_MSG, "No module named 'x'"),
        ],
        Some(Outcome::ImportError),
    );
    // The last exception counts, and not the one that it came from.
    check_span(
        1,
        &only("TimeoutError: slow\n\nKeyError: 'a'\n"),
        Some(Outcome::Error),
    );
    check_span(
        1,
        &only(
            "  + Exception Group Traceback (most recent call last):\n    | TimeoutError: slow\n    +----",
        ),
        Some(Outcome::Timeout),
    );
    check_span(1, &only("not a traceback"), Some(Outcome::Error));
    check_span(0, &only("TimeoutError"), None);
}

#[test]
fn long_texts_are_read_in_part() {
    let far = format!("{}CUDA out of memory", "x ".repeat(4 * 1024));
    check_exception("builtins.RuntimeError", &far, Outcome::Error);
    let near = format!("CUDA out of memory{}", " x".repeat(1 << 20));
    check_exception("builtins.RuntimeError", &near, Outcome::CudaOom);
    let long = format!("TimeoutError: x\n{}", "  File x\n".repeat(1 << 14));
    check_span(1, &[(tag::ERROR_STACK, &*long)], Some(Outcome::Error));
}

proptest! {
    #[test]
    fn no_span_does_harm(
        error in 0_u64..2,
        key in prop::sample::select(vec![ERROR_CLASS, tag::ERROR_TYPE, tag::ERROR_MESSAGE, tag::ERROR_MSG, tag::ERROR_STACK]),
        value in prop::collection::vec(any::<u8>(), 0..200),
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..8),
    ) {
        let mut text = value;
        text.extend(pieces.concat().into_bytes());
        let chunk = chunk(error, &[(key, &text)]);
        let span = chunk.span(0).unwrap();
        let outcome = of_span(span);
        prop_assert!(outcome.is_none_or(Outcome::is_failure));
        prop_assert!(error == 0 || outcome.is_some());
        prop_assert!(error == 1 || key == ERROR_CLASS || outcome.is_none());
        if let Some(figures) = OomFigures::of_span(span) {
            prop_assert!(!figures.sentence().is_empty());
        }
    }

    #[test]
    fn no_line_does_harm(
        before in any::<String>(),
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..8),
    ) {
        let text = before + &pieces.concat();
        let record = LogRecord::parse(&text, LogSource::Stdout, UnixNanos(1));
        prop_assert!(of_line(&record).is_none_or(Outcome::is_failure));
        if let Some(figures) = OomFigures::read(&text) {
            prop_assert!(!figures.sentence().is_empty());
        }
    }
}

/// What the readers look for, and what may stand around it.
const PIECES: [&str; 24] = [
    "CUDA out of memory. ",
    "Tried to allocate ",
    "2.26 GiB ",
    "18446744073709551615.99 TiB ",
    "0 bytes",
    "(GPU ",
    "99999999999",
    "; ",
    " total capacity",
    " already allocated",
    " free;",
    " memory in use",
    " reserved in total by PyTorch",
    "total capacty of ",
    "TimeoutError",
    ": ",
    "\n",
    "[rank",
    "]: ",
    "{\"level\":\"error\",\"exception\":\"",
    "\"}",
    "ERROR ",
    "\u{301}é",
    "...",
];
