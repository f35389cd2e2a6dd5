//! JSON read from its beginning to its end in one pass: each byte is checked when it is read, and what
//! a place means is known from what was asked there. Strings are slices of the body unless they
//! have escapes; whether they are UTF-8 is left to whoever shows them.
//!
//! Whoever reads asks what comes next ([`Reader::kind`]) and then for exactly that. Knows nothing of
//! spans, and keeps no stack: how deep values nest is bounded by who steps into them.

use std::borrow::Cow;

use super::scanner::{Scanner, unescape};
use super::{Fault, Kind};

/// Reads one value after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    scanner: Scanner<'a>,
    at: usize,
}

/// An array or an object that was stepped into, and whether a comma must come before what is next.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    is_past_first: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self {
            scanner: Scanner::new(body),
            at: 0,
        }
    }

    /// The place in the body: after [`Reader::kind`], that of the value that comes next.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// What comes next. Only its first byte is looked at.
    pub(crate) fn kind(&mut self) -> Result<Kind, Fault> {
        self.at = self.scanner.after_space(self.at);
        let kind = self.scanner.byte(self.at).and_then(Kind::of);
        kind.ok_or_else(|| self.scanner.fault(self.at, self.at))
    }

    /// Steps into the array or object that comes next.
    pub(crate) fn open(&mut self) -> Opened {
        self.at += 1;
        Opened::default()
    }

    /// Whether another element of the array comes next; if not, the array is behind.
    pub(crate) fn item(&mut self, array: &mut Opened) -> Result<bool, Fault> {
        self.member(array, b']')
    }

    /// The key of the object's member whose value comes next; `None` at its end, which is behind.
    pub(crate) fn key(&mut self, object: &mut Opened) -> Result<Option<Cow<'a, [u8]>>, Fault> {
        if !self.member(object, b'}')? {
            return Ok(None);
        }
        if self.scanner.byte(self.at) != Some(b'"') {
            return Err(self.scanner.fault(self.at, self.at));
        }
        let key = self.string()?;
        let colon = self.scanner.after_space(self.at);
        if self.scanner.byte(colon) != Some(b':') {
            return Err(self.scanner.fault(colon, colon));
        }
        self.at = colon + 1;
        Ok(Some(key))
    }

    /// Steps over the comma before another member, or over the bracket at the end.
    fn member(&mut self, opened: &mut Opened, end: u8) -> Result<bool, Fault> {
        self.at = self.scanner.after_space(self.at);
        match self.scanner.byte(self.at) {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if opened.is_past_first => {
                self.at = self.scanner.after_space(self.at + 1);
                Ok(true)
            }
            Some(_) if !opened.is_past_first => {
                opened.is_past_first = true;
                Ok(true)
            }
            _ => Err(self.scanner.fault(self.at, self.at)),
        }
    }

    /// The text of the string that comes next, its escapes resolved.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let start = self.at + 1;
        let plain = self.scanner.after_plain(start);
        if self.scanner.byte(plain) == Some(b'"') {
            self.at = plain + 1;
            return Ok(Cow::Borrowed(self.scanner.slice(start, plain)));
        }
        let end = self.scanner.string(self.at)?;
        self.at = end;
        Ok(unescape(self.scanner.slice(start, end - 1)))
    }

    /// The number that comes next, as it is written.
    pub(crate) fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.at = self.scanner.scalar(start)?;
        let number = self.scanner.slice(start, self.at);
        Ok(std::str::from_utf8(number).unwrap_or_default())
    }

    /// Which of the two the boolean that comes next is.
    pub(crate) fn bool(&mut self) -> Result<bool, Fault> {
        let is_true = self.scanner.byte(self.at) == Some(b't');
        self.at = self.scanner.scalar(self.at)?;
        Ok(is_true)
    }

    /// Whether nothing but white space follows what was read.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        let at = self.scanner.after_space(self.at);
        match self.scanner.byte(at) {
            Some(_) => Err(self.scanner.fault(at, at)),
            None => Ok(()),
        }
    }

    /// Steps over the value that comes next, whatever it is.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        self.at = self.scanner.value(self.at)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
