# In app.py, so that a request says its container, input and call, and whether it was the first there:
#     with tracer.trace("document.process"), modal_tags():
# Its log lines say the same with structlog.contextvars.merge_contextvars as one of the processors.
import contextlib, os, tempfile, modal

@contextlib.contextmanager
def modal_tags():
    task_id, tags = os.environ.get("MODAL_TASK_ID"), {}  # Anew each time: a restored snapshot has another one.
    if not task_id:  # Not in a container.
        yield
        return
    import structlog, ddtrace.trace  # Here: `modal serve` reads app.py where both may be missing.
    root = ddtrace.trace.tracer.current_root_span()
    if root:
        tags = {"modal.task_id": task_id, "modal.input_id": modal.current_input_id(),
                "modal.function_call_id": modal.current_function_call_id()}
        if root.name not in ("modal.init", "modal.exit") and (tags["modal.input_id"] or modal.is_local()):
            with contextlib.suppress(OSError):
                span_id, link = str(root.span_id), os.path.join(tempfile.gettempdir(), f"first-on-{task_id}")
                with contextlib.suppress(FileExistsError):
                    os.symlink(span_id, link)  # Of all threads, tasks and forks that begin, one can.
                tags["cold_start"] = "true" if os.readlink(link) == span_id else "false"
        tags = {name: tag for name, tag in tags.items() if tag}
        root.set_tags(tags)
    with structlog.contextvars.bound_contextvars(**tags):
        yield
