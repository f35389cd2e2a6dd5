//! What a payload of v0.7 says of itself, of its chunks and in its spans.
