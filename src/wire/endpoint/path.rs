//! Paths as clients write them: the same one percent-encoded, or with a slash too many, because an
//! address with a slash at its end was joined to a path that begins with one.

use std::borrow::Cow;

/// A path with `%74` decoded and runs of slashes joined. What is no UTF-8 then is repaired; that
/// anything could be in it now, line breaks too, is for whoever shows it.
pub(crate) fn plain(path: &str) -> Cow<'_, str> {
    if !path.contains('%') && !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = next(rest) {
        if byte != b'/' || bytes.last() != Some(&b'/') {
            bytes.push(byte);
        }
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The next byte, decoded, and what follows it.
fn next(bytes: &[u8]) -> Option<(u8, &[u8])> {
    if let [b'%', high, low, rest @ ..] = bytes
        && let (Some(high), Some(low)) = (digit(*high), digit(*low))
    {
        return Some((high << 4 | low, rest));
    }
    bytes.split_first().map(|(byte, rest)| (*byte, rest))
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(plain(path), expected);
    }

    #[test]
    fn a_path_is_read_as_it_is_meant() {
        check("/v0.4/traces", "/v0.4/traces");
        check("/v0.4/%74races", "/v0.4/traces");
        check("//v0.4///traces", "/v0.4/traces");
        check("/%2f%2Fv0.4%2Ftraces", "/v0.4/traces");
        check("/a%20b", "/a b");
        check("/%1b[2J%0A", "/\x1b[2J\n");
        check("/%ff", "/\u{fffd}");
    }

    #[test]
    fn what_is_no_escape_stays() {
        check("/50%", "/50%");
        check("/%4", "/%4");
        check("/%zz/%+1", "/%zz/%+1");
        // Decoded once, not twice.
        check("/%2574races", "/%74races");
        check("", "");
    }
}
