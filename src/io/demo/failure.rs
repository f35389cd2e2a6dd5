//! What goes wrong in the sample service, in the words of the libraries that say it. Pure.

use super::process::Gpu;

/// An exception, as ddtrace puts it on a span.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) class: &'static str,
    pub(super) message: String,
    pub(super) stack: String,
}

impl Failure {
    fn new(class: &'static str, message: String, frames: &str) -> Self {
        let stack = format!("Traceback (most recent call last):\n{frames}{class}: {message}\n");
        Self {
            class,
            message,
            stack,
        }
    }
}

/// The allocator of torch gives up.
pub(super) fn out_of_memory(gpu: Gpu) -> Failure {
    let (capacity, free, in_use, allocated, reserved) = match gpu {
        Gpu::A10g => (
            "22.20 GiB",
            "1.12 GiB",
            "21.08 GiB",
            "20.41 GiB",
            "312.45 MiB",
        ),
        Gpu::L4 => (
            "22.03 GiB",
            "1.35 GiB",
            "20.68 GiB",
            "19.94 GiB",
            "402.18 MiB",
        ),
    };
    let message = format!(
        "CUDA out of memory. Tried to allocate 2.40 GiB. GPU 0 has a total capacity of {capacity} of which {free} is free. \
         Including non-PyTorch memory, this process has {in_use} memory in use. Of the allocated memory {allocated} is \
         allocated by PyTorch, and {reserved} is reserved by PyTorch but unallocated. If reserved but unallocated memory \
         is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.  See documentation \
         for Memory Management  (https://pytorch.org/docs/stable/notes/cuda.html#environment-variables)"
    );
    let frames = "  File \"/app/app.py\", line 118, in extract
    pages = self.model.generate(batch, max_new_tokens=4096)
  File \"/usr/local/lib/python3.11/site-packages/torch/utils/_contextlib.py\", line 116, in decorate_context
    return func(*args, **kwargs)
  File \"/app/model.py\", line 71, in generate
    attention = torch.matmul(query, key.transpose(-1, -2))
";
    Failure::new("torch.OutOfMemoryError", message, frames)
}

/// Another Modal function took longer than it may: what its caller is told.
pub(super) fn timeout(input_id: &str, seconds: i64) -> Failure {
    let message = format!("Task's current input {input_id} hit its timeout of {seconds}s");
    let frames = "  File \"/app/app.py\", line 141, in summarize
    summary = Summarizer().run.remote(pages)
  File \"/usr/local/lib/python3.11/site-packages/modal/_utils/async_utils.py\", line 289, in proxy_method
    return wrapper_method(*args, **kwargs)
  File \"/usr/local/lib/python3.11/site-packages/modal/_functions.py\", line 1612, in remote
    return await self._call_function(args, kwargs)
";
    Failure::new("modal.exception.FunctionTimeoutError", message, frames)
}

/// A file that is no PDF to its end.
pub(super) fn broken_document() -> Failure {
    let frames = "  File \"/app/app.py\", line 96, in parse
    reader = PdfReader(stream)
  File \"/usr/local/lib/python3.11/site-packages/pypdf/_reader.py\", line 153, in __init__
    self._initialize_stream(stream)
";
    let message = "EOF marker not found".to_owned();
    Failure::new("pypdf.errors.PdfReadError", message, frames)
}
