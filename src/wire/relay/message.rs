//! A message of which lines have come, but not all. Copies of one may complete each other, and a
//! damaged line does not spoil a good one: the checksum decides.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::Crc;
use flate2::read::ZlibDecoder;

use super::{BYTES_MAX, Reason, RelayLine};

/// Copies that do not agree on what they are copies of.
const CANDIDATES_MAX: usize = 4;

/// Different texts of one part that are kept.
const TEXTS_MAX: usize = 2;

/// Parts of which the other text is tried as well.
const DOUBTS_MAX: u32 = 4;

/// A message that is not whole.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    candidates: Vec<Candidate>,
    /// What is known to be wrong with it.
    problem: Option<Reason>,
    bytes_held: usize,
}

/// Lines that agree on checksum and number of parts.
#[derive(Debug)]
struct Candidate {
    crc: u32,
    parts: u32,
    /// For each part that has come its texts, decoded; the newest last.
    texts: BTreeMap<u32, Vec<Vec<u8>>>,
}

impl Unfinished {
    /// Takes a line, and gives the message if it is whole with it.
    pub(super) fn take(&mut self, line: &RelayLine<'_>) -> Option<Vec<u8>> {
        let Some(bytes) = line.bytes() else {
            self.problem = self.problem.or(Some(Reason::TornPart { part: line.part }));
            return None;
        };
        let n_bytes = bytes.len();
        let candidate = self.candidate(line)?;
        let texts = candidate.texts.entry(line.part).or_default();
        if texts.len() == TEXTS_MAX || texts.contains(&bytes) {
            return None;
        }
        texts.push(bytes);
        let whole = candidate.whole(line.part);
        self.bytes_held += n_bytes;
        whole?.map_err(|reason| self.problem = Some(reason)).ok()
    }

    /// Bytes in memory, decoded.
    pub(super) fn bytes_held(&self) -> usize {
        self.bytes_held
    }

    /// Why it is lost, should it stay as it is.
    pub(super) fn reason(&self) -> Reason {
        let fullest = self
            .candidates
            .iter()
            .max_by_key(|candidate| candidate.texts.len());
        let incomplete = fullest.map(|candidate| Reason::Incomplete {
            parts_seen: u32::try_from(candidate.texts.len()).unwrap_or(u32::MAX),
            parts: candidate.parts,
        });
        self.problem.or(incomplete).unwrap_or(Reason::Missing)
    }

    fn candidate(&mut self, line: &RelayLine<'_>) -> Option<&mut Candidate> {
        let known = self
            .candidates
            .iter()
            .position(|known| (known.crc, known.parts) == (line.crc, line.parts));
        let place = match known {
            Some(place) => place,
            None if self.candidates.len() < CANDIDATES_MAX => {
                self.candidates.push(Candidate {
                    crc: line.crc,
                    parts: line.parts,
                    texts: BTreeMap::new(),
                });
                self.candidates.len() - 1
            }
            None => return None,
        };
        self.candidates.get_mut(place)
    }
}

impl Candidate {
    /// The message with the newest text of one part, once every part has come.
    fn whole(&self, newest: u32) -> Option<Result<Vec<u8>, Reason>> {
        if u32::try_from(self.texts.len()) != Ok(self.parts) {
            return None;
        }
        let doubts = self
            .texts
            .iter()
            .filter(|(part, texts)| **part != newest && texts.len() > 1);
        let doubts: Vec<u32> = doubts
            .map(|(part, _)| *part)
            .take(usize::try_from(DOUBTS_MAX).unwrap_or_default())
            .collect();
        let n_choices = 1_u32 << doubts.len();
        let mut reason = Reason::Damaged;
        for choice in 0..n_choices {
            let is_chosen = |part: u32| {
                let doubt = doubts.iter().position(|doubt| *doubt == part);
                part == newest || doubt.is_some_and(|place| choice >> place & 1 == 1)
            };
            let chosen = self.texts.iter().filter_map(|(part, texts)| {
                if is_chosen(*part) {
                    texts.last()
                } else {
                    texts.first()
                }
            });
            let joined: Vec<u8> = chosen.flatten().copied().collect();
            match inflate(&joined, self.crc) {
                Ok(bytes) => return Some(Ok(bytes)),
                Err(why) => reason = why,
            }
        }
        Some(Err(reason))
    }
}

/// What follows the end of the zlib stream is something else that was glued to the last line.
fn inflate(deflated: &[u8], crc: u32) -> Result<Vec<u8>, Reason> {
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let inflated = ZlibDecoder::new(deflated)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes);
    let mut sum = Crc::new();
    match inflated {
        Ok(_) if bytes.len() > BYTES_MAX => return Err(Reason::TooLarge),
        Ok(_) => sum.update(&bytes),
        Err(_) => return Err(Reason::Damaged),
    }
    if sum.sum() == crc {
        Ok(bytes)
    } else {
        Err(Reason::Damaged)
    }
}
