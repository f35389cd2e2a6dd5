//! What the messages say of memory, as people have posted them.

use super::*;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Hundredths of a unit, as they are written; what is left of a byte is cut.
fn hundredths(number: u64, unit: u64) -> u64 {
    number * unit / 100
}

#[track_caller]
fn check(message: &str, expected: OomFigures, sentence: &str) {
    let read = OomFigures::read(message);
    assert_eq!(read, Some(expected), "{message}");
    assert_eq!(expected.sentence(), sentence);
    let chunk = chunk(1, &[(tag::ERROR_MESSAGE, message.as_bytes())]);
    assert_eq!(OomFigures::of_span(chunk.span(0).unwrap()), read);
}

#[test]
fn torch_1_names_them_in_brackets() {
    // pytorch/pytorch, issue 59778.
    check(
        "CUDA out of memory. Tried to allocate 2.26 GiB (GPU 0; 6.00 GiB total capacity; 781.59 MiB already allocated; 3.03 GiB free; 1.24 GiB reserved in total by PyTorch)",
        OomFigures {
            tried_bytes: Some(hundredths(226, GIB)),
            capacity_bytes: Some(6 * GIB),
            free_bytes: Some(hundredths(303, GIB)),
            in_use_bytes: None,
            allocated_by_torch_bytes: Some(hundredths(78159, MIB)),
            reserved_bytes: Some(hundredths(124, GIB)),
            gpu: Some(0),
        },
        "tried to allocate 2.26 GiB of 6.00 GiB, 3.03 GiB free (GPU 0)",
    );
    // JDAI-CV/centerX, issue 51.
    let second = "CUDA out of memory. Tried to allocate 130.00 MiB (GPU 1; 7.80 GiB total capacity; 5.91 GiB already allocated; 33.56 MiB free; 6.09 GiB reserved in total by PyTorch)";
    assert_eq!(OomFigures::read(second).unwrap().gpu, Some(1));
    // pytorch/pytorch, issue 16417: torch 1.0, where `cached` is what is kept beside what is allocated.
    check(
        "CUDA out of memory. Tried to allocate 12.50 MiB (GPU 0; 10.92 GiB total capacity; 8.57 MiB already allocated; 9.28 GiB free; 4.68 MiB cached)",
        OomFigures {
            tried_bytes: Some(hundredths(1250, MIB)),
            capacity_bytes: Some(hundredths(1092, GIB)),
            free_bytes: Some(hundredths(928, GIB)),
            in_use_bytes: None,
            allocated_by_torch_bytes: Some(hundredths(857, MIB)),
            reserved_bytes: Some(hundredths(857, MIB) + hundredths(468, MIB)),
            gpu: Some(0),
        },
        "tried to allocate 12.50 MiB of 10.92 GiB, 9.28 GiB free (GPU 0)",
    );
}

#[test]
fn torch_2_writes_sentences() {
    // carolchenyx/MGFN., issue 35: torch 2.1, which misspells the capacity.
    check(
        "CUDA out of memory. Tried to allocate 1.70 GiB. GPU 0 has a total capacty of 6.00 GiB of which 0 bytes is free. Of the allocated memory 2.93 GiB is allocated by PyTorch, and 2.30 GiB is reserved by PyTorch but unallocated. If reserved but unallocated memory is large try setting max_split_size_mb to avoid fragmentation.",
        OomFigures {
            tried_bytes: Some(hundredths(170, GIB)),
            capacity_bytes: Some(6 * GIB),
            free_bytes: Some(0),
            in_use_bytes: None,
            allocated_by_torch_bytes: Some(hundredths(293, GIB)),
            reserved_bytes: Some(hundredths(293, GIB) + hundredths(230, GIB)),
            gpu: Some(0),
        },
        "tried to allocate 1.70 GiB of 6.00 GiB, 0 bytes free (GPU 0)",
    );
    // vLLM on a card that two processes share, in notes that a user has published: torch 2.5 or later.
    check(
        "CUDA out of memory. Tried to allocate 270.00 MiB. GPU 0 has a total capacity of 21.67 GiB of which 255.75 MiB is free. Process 2109 has 344.00 MiB memory in use. Process 1448259 has 21.07 GiB memory in use. Of the allocated memory 20.08 GiB is allocated by PyTorch, with 328.00 MiB allocated in private pools (e.g., CUDA Graphs), and 56.49 MiB is reserved by PyTorch but unallocated.",
        OomFigures {
            tried_bytes: Some(270 * MIB),
            capacity_bytes: Some(hundredths(2167, GIB)),
            free_bytes: Some(hundredths(25575, MIB)),
            in_use_bytes: Some(hundredths(2107, GIB) + 344 * MIB),
            allocated_by_torch_bytes: Some(hundredths(2008, GIB)),
            reserved_bytes: Some(hundredths(2008, GIB) + hundredths(5649, MIB)),
            gpu: Some(0),
        },
        "tried to allocate 270.00 MiB of 21.67 GiB, 255.75 MiB free (GPU 0)",
    );
    // pytorch/pytorch, issue 16417, a comment of 2024.
    let message = "CUDA out of memory. Tried to allocate 22.00 MiB. GPU 0 has a total capacity of 23.65 GiB of which 11.06 MiB is free. Including non-PyTorch memory, this process has 23.60 GiB memory in use. Of the allocated memory 22.90 GiB is allocated by PyTorch, and 194.87 MiB is reserved by PyTorch but unallocated.";
    let figures = OomFigures::read(message).unwrap();
    assert_eq!(figures.in_use_bytes, Some(hundredths(2360, GIB)));
}

#[test]
fn other_libraries_say_less() {
    let tried = |bytes, gpu| OomFigures {
        tried_bytes: Some(bytes),
        gpu,
        ..OomFigures::default()
    };
    // google-deepmind/alphafold, issue 1023.
    check(
        "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 7406166528 bytes.",
        tried(7_406_166_528, None),
        "tried to allocate 6.90 GiB",
    );
    // onpix/LLNeRF, issue 9.
    check(
        "RESOURCE_EXHAUSTED: Out of memory allocating 20029400304 bytes.",
        tried(20_029_400_304, None),
        "tried to allocate 18.65 GiB",
    );
    // ecmwf-lab/ai-models-graphcast, issue 18.
    check(
        "RESOURCE_EXHAUSTED: Failed to allocate request for 2.99GiB (3206250496B) on device ordinal 0",
        tried(299 * GIB / 100, Some(0)),
        "tried to allocate 2.99 GiB (GPU 0)",
    );
    // philip-huang/PIXOR, issue 31.
    check(
        "failed to allocate 17.79G (19104890880 bytes) from device: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
        tried(1779 * GIB / 100, None),
        "tried to allocate 17.79 GiB",
    );
    // llama.cpp, in a log that users have published.
    check(
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 590.07 MiB on device 0: cudaMalloc failed: out of memory",
        tried(59007 * MIB / 100, Some(0)),
        "tried to allocate 590.07 MiB (GPU 0)",
    );
    // cupy/cupy, issue 2537.
    check(
        "Out of memory allocating 25,600,000 bytes (allocated so far: 3,635,267,072 bytes).",
        OomFigures {
            allocated_by_torch_bytes: Some(3_635_267_072),
            ..tried(25_600_000, None)
        },
        "tried to allocate 24.41 MiB",
    );
}

#[test]
fn what_says_nothing_of_memory_has_no_figures() {
    for message in [
        "",
        "Tried to allocate 2.00 GiB of bandwidth",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA out of memory. Tried to allocate much",
        "CUDA out of memory. Tried to allocate 99999999999999999999 GiB",
        "CUDA out of memory. Tried to allocate 18446744073709551615 GiB",
        "CUDA out of memory. Tried to allocate 1.2.3 GiB",
        "CUDA out of memory. Tried to allocate 5 parsecs",
    ] {
        assert_eq!(OomFigures::read(message), None, "{message}");
    }
    let far = format!(
        "CUDA out of memory{} Tried to allocate 2.00 GiB",
        " ".repeat(5_000)
    );
    assert_eq!(OomFigures::read(&far), None);
}

#[test]
fn a_stack_gives_the_figures_where_no_message_does() {
    let stack = "Traceback (most recent call last):\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n";
    let chunk = chunk(1, &[(tag::ERROR_STACK, stack.as_bytes())]);
    let figures = OomFigures::of_span(chunk.span(0).unwrap()).unwrap();
    assert_eq!(figures.tried_bytes, Some(2 * GIB));
    assert_eq!(
        OomFigures {
            capacity_bytes: Some(24 * GIB),
            free_bytes: Some(GIB),
            ..OomFigures::default()
        }
        .sentence(),
        "24.00 GiB in all, 1.00 GiB free"
    );
}
