//! The Agent's hashes: what makes two services, or two traces, the same to its samplers.
//!
//! After `pkg/trace/sampler/signature.go` of `DataDog/datadog-agent`.

/// What the samplers count by: a 32-bit hash, which the Agent widens to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature(pub u32);

/// What a span's hash is made of. Absent tags are not hashed; empty ones are, and change nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashedSpan<'a> {
    /// The service.
    pub service: &'a str,
    /// The operation.
    pub name: &'a str,
    /// What the operation works on.
    pub resource: &'a str,
    /// The error flag; one byte of it counts.
    pub error: i32,
    /// The tag `http.status_code`.
    pub status_code: Option<&'a str>,
    /// The tag `error.type`.
    pub error_type: Option<&'a str>,
}

/// Whether a hash tells resources apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// It does.
    Counts,
    /// It does not.
    IsLeftOut,
}

/// A service in an environment (`ServiceSignature.Hash`).
pub fn of_service(service: &str, env: &str) -> Signature {
    let mut hash = Fnv::default();
    hash.write(service.as_bytes());
    hash.write(b",");
    hash.write(env.as_bytes());
    Signature(hash.0)
}

/// A span in an environment (`computeSpanHash`).
pub fn of_span(span: &HashedSpan<'_>, env: &str, resource: Resource) -> u32 {
    let mut hash = Fnv::default();
    hash.write(env.as_bytes());
    hash.write(span.service.as_bytes());
    hash.write(span.name.as_bytes());
    let [lowest, ..] = span.error.to_le_bytes();
    hash.write(&[lowest]);
    if resource == Resource::Counts {
        hash.write(span.resource.as_bytes());
    }
    for tag in [span.status_code, span.error_type].into_iter().flatten() {
        hash.write(tag.as_bytes());
    }
    hash.0
}

/// A trace (`computeSignatureWithRootAndEnv`), from the hash of its root with its resource and those
/// of all its spans without: each distinct one counts once. The list is left sorted.
pub fn of_trace(root: u32, spans: &mut [u32]) -> Signature {
    spans.sort_unstable();
    let mut earlier = None;
    let mut signature = root;
    for hash in spans.iter().copied() {
        if earlier != Some(hash) {
            signature ^= hash;
        }
        earlier = Some(hash);
    }
    Signature(signature)
}

/// FNV-1a of 32 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fnv(pub(super) u32);

impl Default for Fnv {
    fn default() -> Self {
        Self(2_166_136_261)
    }
}

impl Fnv {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(16_777_619);
        }
    }
}
