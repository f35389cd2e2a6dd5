//! What spans of v1.0 become, and what is refused.
