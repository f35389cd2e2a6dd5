//! Lines of relays in any order and state: each message once, or once as lost.

use std::collections::BTreeSet;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::trace::UnixNanos;

const SOURCE: RelaySource = RelaySource(0x0a1b_2c3d);
const SECOND: i64 = 1_000_000_000;

/// The lines of a message, with so many bytes in each.
fn lines_of(source: u32, seq: u64, body: &[u8], part_bytes: usize) -> Vec<String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    let deflated = encoder.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let crc = crc.sum();
    let parts: Vec<_> = deflated.chunks(part_bytes).collect();
    let n_parts = parts.len();
    let base64 = |part: &&[u8]| base64::engine::general_purpose::STANDARD.encode(part);
    let numbered = parts.iter().map(base64).enumerate();
    numbered
        .map(|(index, base64)| {
            let part = index + 1;
            format!("{MARK}{source:08x} {seq} {part}/{n_parts} {crc:08x} {base64}")
        })
        .collect()
}

/// A body that does not compress to nothing.
fn body(seq: u64) -> Vec<u8> {
    let numbers = (0..20_u64).map(|n| (n + seq).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    numbers.flat_map(u64::to_be_bytes).collect()
}

fn line(seq: u64) -> String {
    lines_of(SOURCE.0, seq, &body(seq), 1_000).concat()
}

/// A message in three lines.
fn long(seq: u64) -> Vec<String> {
    let lines = lines_of(SOURCE.0, seq, &body(seq), 60);
    assert_eq!(lines.len(), 3);
    lines
}

#[derive(Default)]
struct Reader {
    assembler: Assembler,
    messages: Vec<Message>,
    losses: Vec<Loss>,
}

impl Reader {
    fn read_at(&mut self, line: &str, seconds: i64) {
        let at = UnixNanos(seconds * SECOND);
        let Some((line, _)) = RelayLine::parse(line) else {
            self.losses.extend(self.assembler.give_up(at));
            return;
        };
        self.messages.extend(self.assembler.push(line, at));
        self.losses.extend(self.assembler.give_up_after(&line, at));
    }

    fn read(lines: &[String]) -> Self {
        let mut reader = Self::default();
        for line in lines {
            reader.read_at(line, 0);
        }
        reader
    }

    fn finish(mut self) -> (Vec<u64>, Vec<(u64, Reason)>) {
        self.losses.extend(self.assembler.finish());
        assert_eq!(self.assembler.finish(), []);
        for message in &self.messages {
            assert_eq!(message.bytes, body(message.seq), "{}", message.seq);
        }
        let losses = self.losses.iter().map(|loss| (loss.seq, loss.reason));
        (
            self.messages.iter().map(|message| message.seq).collect(),
            losses.collect(),
        )
    }
}

#[track_caller]
fn check(lines: &[String], messages: &[u64], losses: &[(u64, Reason)]) {
    let (found, lost) = Reader::read(lines).finish();
    assert_eq!((&*found, &*lost), (messages, losses));
}

#[track_caller]
fn check_parse(text: &str, length: Option<usize>) {
    assert_eq!(
        RelayLine::parse(text).map(|(_, length)| length),
        length,
        "{text}"
    );
}

#[test]
fn a_line_ends_where_its_base64_does() {
    let whole = "modtrace1 0a1b2c3d 12 1/2 00ff00FF QUJD";
    let (line, length) = RelayLine::parse(whole).unwrap();
    let expect = RelayLine {
        source: SOURCE,
        seq: 12,
        part: 1,
        parts: 2,
        crc: 0x00ff_00ff,
        base64: "QUJD",
    };
    assert_eq!((line, length), (expect, whole.len()));
    for glued in [
        "",
        " x",
        "{\"a\":1}",
        "modtrace1 0a1b2c3d 13 1/1 00000000 QQ==",
        "-",
        "é",
    ] {
        check_parse(&format!("{whole}{glued}"), Some(whole.len()));
    }
    check_parse(&format!("{whole}Q=="), Some(whole.len() + 3));
    check_parse(&format!("{whole}QUI=="), Some(whole.len() + 4));
    check_parse("modtrace1 0a1b2c3d 12 1/1 00000000 QQ==QQ==", Some(39));
    check_parse("modtrace1 0a1b2c3d 12 1/1 00000000 QUI=x", Some(39));
    check_parse("modtrace1 0a1b2c3d 12 1/1 00000000 ", Some(35));
}

#[test]
fn what_only_looks_like_a_line_is_none() {
    for text in [
        "",
        "modtrace1",
        "modtrace1 ",
        "modtrace1 is what it is called",
        "modtrace2 0a1b2c3d 1 1/1 00000000 QQ==",
        "modtrace1 0a1b2c3 1 1/1 00000000 QQ==",
        "modtrace1 0a1b2c3d 0 1/1 00000000 QQ==",
        "modtrace1 0a1b2c3d +1 1/1 00000000 QQ==",
        "modtrace1 0a1b2c3d 99999999999999999999 1/1 00000000 QQ==",
        "modtrace1 0a1b2c3d 18446744073709551615 1/1 00000000 QQ==",
        "modtrace1 0a1b2c3d 1 2/1 00000000 QQ==",
        "modtrace1 0a1b2c3d 1 0/1 00000000 QQ==",
        "modtrace1 0a1b2c3d 1 1/16385 00000000 QQ==",
        "modtrace1 0a1b2c3d 1 1/1 0000000g QQ==",
        "modtrace1 0a1b2c3d 1 1/1 00000000",
        "modtrace1 0a1b modtrace1 0a1b2c3d 1 1/1 00000000 QQ==",
    ] {
        check_parse(text, None);
    }
}

#[test]
fn parts_come_in_any_order_and_twice() {
    let [a, b, c] = <[String; 3]>::try_from(long(1)).unwrap();
    let lines = [&c, &a, &a, &line(2), &b, &c, &b, &a].map(String::clone);
    check(&lines, &[2, 1], &[]);
}

#[test]
fn other_output_glued_to_the_last_line_is_let_be() {
    for length in 157..=160 {
        let body = &body(1)[..length];
        for glued in [
            "",
            "I",
            "IN",
            "INF",
            "INFO",
            "INFO: x",
            "{\"a\": 1}",
            "=",
            "modtrace1 ",
        ] {
            let mut lines = lines_of(SOURCE.0, 1, body, 60);
            *lines.last_mut().unwrap() += glued;
            let reader = Reader::read(&lines);
            assert_eq!(reader.messages[0].bytes, body, "{length} {glued}");
        }
    }
}

#[test]
fn copies_complete_each_other_and_a_damaged_line_does_not_spoil_a_good_one() {
    let [a, b, c] = <[String; 3]>::try_from(long(1)).unwrap();
    let spoil = |line: &String| {
        let mut line = line.clone();
        let place = line.len() - 12;
        let letter = if line.as_bytes()[place] == b'A' {
            "B"
        } else {
            "A"
        };
        line.replace_range(place..=place, letter);
        line
    };
    check(&[a.clone(), c.clone(), spoil(&b), b.clone()], &[1], &[]);
    check(&[a.clone(), b.clone(), spoil(&b), c.clone()], &[1], &[]);
    check(&[a.clone(), spoil(&b), b.clone(), c.clone()], &[1], &[]);
    check(
        &[spoil(&a), spoil(&b), a.clone(), c.clone(), b.clone()],
        &[1],
        &[],
    );
    check(
        &[a.clone(), c.clone(), b.replace("/3", "/4"), b.clone()],
        &[1],
        &[],
    );
    check(&[a, c, spoil(&b)], &[], &[(1, Reason::Damaged)]);
}

#[test]
fn what_is_missing_torn_or_damaged_is_lost_for_its_reason() {
    let [a, b, c] = <[String; 3]>::try_from(long(2)).unwrap();
    let incomplete = Reason::Incomplete {
        parts_seen: 2,
        parts: 3,
    };
    check(&[line(1), line(3)], &[1, 3], &[(2, Reason::Missing)]);
    check(&[line(1), a.clone(), c.clone()], &[1], &[(2, incomplete)]);
    let torn = b
        .split_at(b.find(" 2/3 ").unwrap() + 5 + 9 + 5)
        .0
        .to_owned();
    check(
        &[line(1), a.clone(), torn, c.clone(), line(3)],
        &[1, 3],
        &[(2, Reason::TornPart { part: 2 })],
    );
    let crc = a.split(' ').nth(4).unwrap();
    let wrong = [&a, &b, &c].map(|line| line.replace(crc, "00000000"));
    check(&wrong, &[], &[(1, Reason::Missing), (2, Reason::Damaged)]);
    check(
        &[line(3)],
        &[3],
        &[(1, Reason::Missing), (2, Reason::Missing)],
    );
}

#[test]
fn a_loss_is_told_once_enough_has_come_after_it() {
    let mut reader = Reader::default();
    for seq in (1..=40).filter(|seq| *seq != 5) {
        reader.read_at(&line(seq), 0);
        assert_eq!(reader.losses.len(), usize::from(seq >= 37), "{seq}");
    }
    assert_eq!(
        reader.losses[0].to_string(),
        "message 5 of the relay 0a1b2c3d is lost: none of its lines arrived"
    );
    // It is taken all the same, once.
    reader.read_at(&line(5), 9);
    reader.read_at(&line(5), 9);
    reader.read_at(&line(6), 9);
    assert_eq!(reader.messages.len(), 40);
    let (messages, losses) = reader.finish();
    assert_eq!((messages.len(), losses.len()), (40, 1));
}

#[test]
fn a_loss_is_told_once_enough_time_has_passed() {
    let mut reader = Reader::default();
    for (line, seconds, n_losses) in [
        (line(1), 0, 0),
        (line(3), 0, 0),
        (line(4), 4, 0),
        (line(4), 5, 1),
        (line(4), 60, 1),
    ] {
        reader.read_at(&line, seconds);
        assert_eq!(reader.losses.len(), n_losses);
    }
}

#[test]
fn a_message_that_still_grows_is_not_given_up() {
    let lines = long(1);
    let mut reader = Reader::default();
    reader.read_at(&lines[0], 0);
    for seq in 2..60 {
        reader.read_at(&line(seq), 1);
    }
    reader.read_at(&lines[1], 4);
    reader.read_at(&line(60), 8);
    assert_eq!(reader.losses, []);
    reader.read_at(&line(61), 9);
    assert_eq!(reader.losses.len(), 1);
    reader.read_at(&lines[1], 9);
    reader.read_at(&lines[2], 9);
    assert_eq!(reader.messages.len(), 60);
    reader.read_at(&lines[0], 9);
    let (messages, losses) = reader.finish();
    assert_eq!((messages.len(), losses.len()), (61, 1));
}

#[test]
fn a_relay_that_began_before_we_listened_has_lost_nothing() {
    let lines = [line(5_000), line(4_999), line(5_002), line(4_999)];
    check(&lines, &[5_000, 4_999, 5_002], &[(5_001, Reason::Missing)]);
}

#[test]
fn a_number_that_cannot_be_is_no_gap() {
    let lines = [line(1), line(1 << 31), line(2), line(4)];
    let (messages, losses) = Reader::read(&lines).finish();
    assert_eq!((messages, losses), (vec![1, 1 << 31, 2, 4], vec![]));
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    let zeros = vec![0; BYTES_MAX + 1];
    let lines = lines_of(SOURCE.0, 1, &zeros, 2_000);
    check(&lines, &[], &[(1, Reason::TooLarge)]);
    let lines = lines_of(SOURCE.0, 1, &zeros[1..], 2_000);
    assert_eq!(Reader::read(&lines).messages[0].bytes.len(), BYTES_MAX);
}

#[test]
fn unfinished_messages_are_bounded_and_the_oldest_are_counted() {
    let lines: Vec<_> = (1..=1_000).map(|seq| long(seq).swap_remove(0)).collect();
    let mut reader = Reader::read(&lines);
    assert_eq!(reader.losses.len(), 1_000 - 64);
    assert!(
        reader
            .losses
            .iter()
            .all(|loss| loss.reason == Reason::NoRoom)
    );
    reader.read_at(&long(1_000)[1], 0);
    reader.read_at(&long(1_000)[2], 0);
    let (messages, losses) = reader.finish();
    assert_eq!((messages.len(), losses.len()), (1, 999));

    let sources = (1..=600_u32).flat_map(|source| {
        (1..=2).map(move |seq| lines_of(source, seq, &body(seq), 60).swap_remove(0))
    });
    let reader = Reader::read(&sources.collect::<Vec<_>>());
    let (messages, losses) = reader.finish();
    assert_eq!((messages.len(), losses.len()), (0, 1_200));
}

#[test]
fn bytes_of_unfinished_messages_are_bounded() {
    let mut reader = Reader::default();
    reader.assembler.bytes_held_max = 300;
    for seq in 1..=4 {
        for line in &long(seq)[..2] {
            reader.read_at(line, 0);
        }
    }
    let lost: Vec<_> = reader
        .losses
        .iter()
        .map(|loss| (loss.seq, loss.reason))
        .collect();
    assert_eq!(lost, [(1, Reason::NoRoom), (2, Reason::NoRoom)]);
    reader.read_at(&long(4)[2], 0);
    let (messages, losses) = reader.finish();
    assert_eq!((messages, losses.len()), (vec![4], 3));
}

/// Lines of several sources, each with messages of one or more lines, and for each its number.
fn sources() -> impl Strategy<Value = Vec<(u32, u64, String)>> {
    vec((1_u64..=32, 20_usize..400), 1..4).prop_map(|sources| {
        let sources = (1_u32..).zip(sources);
        sources
            .flat_map(|(source, (n_messages, part_bytes))| {
                (1..=n_messages).flat_map(move |seq| {
                    lines_of(source, seq, &body(seq), part_bytes)
                        .into_iter()
                        .map(move |line| (source, seq, line))
                })
            })
            .collect()
    })
}

/// A source, and the number of a message of it.
type Id = (u32, u64);

fn read_all(lines: &[(u32, u64, String)]) -> (BTreeSet<Id>, Vec<Id>) {
    let mut reader = Reader::default();
    for (_, _, line) in lines {
        reader.read_at(line, 0);
    }
    reader.losses.extend(reader.assembler.finish());
    let n_messages = reader.messages.len();
    let messages: BTreeSet<_> = reader
        .messages
        .iter()
        .map(|message| {
            assert_eq!(message.bytes, body(message.seq));
            (message.source.0, message.seq)
        })
        .collect();
    assert_eq!(messages.len(), n_messages, "a message came twice");
    let losses = reader.losses.iter().map(|loss| (loss.source.0, loss.seq));
    (messages, losses.collect())
}

fn messages_of(lines: &[(u32, u64, String)]) -> BTreeSet<Id> {
    lines
        .iter()
        .map(|(source, seq, _)| (*source, *seq))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_order_and_repeated_each_message_comes_once_and_none_is_lost(
        (sent, shuffled) in sources().prop_flat_map(|lines| {
            let repeated = vec(prop::sample::select(lines.clone()), 0..20);
            (Just(lines.clone()), repeated).prop_flat_map(|(lines, repeated)| {
                let all: Vec<_> = lines.iter().cloned().chain(repeated).collect();
                (Just(lines), Just(all).prop_shuffle())
            })
        }),
    ) {
        let (messages, losses) = read_all(&shuffled);
        prop_assert_eq!(messages, messages_of(&sent));
        prop_assert_eq!(losses, vec![]);
    }

    #[test]
    fn of_dropped_and_damaged_lines_exactly_their_messages_are_lost(
        lines in sources(),
        hurt in vec((any::<prop::sample::Index>(), any::<bool>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let sent = messages_of(&lines);
        let mut lines: Vec<_> = lines.into_iter().map(Some).collect();
        let last = lines.last().cloned().flatten().map(|(source, seq, _)| (source, seq));
        let mut expected = BTreeSet::new();
        for (which, is_dropped, place) in hurt {
            let slot = which.get_mut(&mut lines);
            let Some((source, seq, line)) = slot else {
                continue;
            };
            expected.insert((*source, *seq));
            if is_dropped {
                *slot = None;
                continue;
            }
            // Within checksum and base64; padding may be anything.
            let from = line.match_indices(' ').nth(3).unwrap().0 + 1;
            let end = line.trim_end_matches('=').len() - 1;
            let place = from + place.index(end - from);
            let letter = match line.as_bytes()[place] {
                b' ' => continue,
                b'0' => "1",
                _ => "0",
            };
            line.replace_range(place..=place, letter);
        }
        let lines: Vec<_> = lines.into_iter().flatten().collect();
        // Of what is lost at the very end nobody can know.
        let known: BTreeSet<_> = sent
            .iter()
            .filter(|(source, seq)| lines.iter().any(|line| line.0 == *source && line.1 >= *seq))
            .copied()
            .collect();
        let (messages, losses) = read_all(&lines);
        let lost: BTreeSet<_> = losses.iter().copied().collect();
        prop_assert_eq!(lost.len(), losses.len(), "counted twice");
        let whole: BTreeSet<_> = sent.difference(&lost).copied().filter(|one| known.contains(one)).collect();
        prop_assert_eq!(&messages, &whole);
        prop_assert!(lost.is_subset(&expected));
        prop_assert!(last.is_some());
    }

    #[test]
    fn any_text_is_a_line_or_none(text in "modtrace1 [0-9a-f /modtrace1=+é-]{0,80}") {
        if let Some((_, length)) = RelayLine::parse(&text) {
            prop_assert!(text.get(..length).is_some());
        }
    }
}

/// To look for what is lost of every process after every line took ten milliseconds a line here.
#[test]
fn gaps_of_many_processes_cost_a_line_of_another_nothing() {
    let gaps = |source| (1..=30).map(move |half| lines_of(source, half * 2, b"x", 100).concat());
    let mut reader = Reader::default();
    for line in (1..=255).flat_map(gaps) {
        reader.read_at(&line, 1);
    }
    for seq in 1..=20_000 {
        reader.read_at(&lines_of(0, seq, b"x", 100).concat(), 1);
    }
    assert_eq!((reader.losses.len(), reader.messages.len()), (0, 27_650));
    // Of 255 processes each 30 are missing; what came last tells that of one, time that of all.
    reader.read_at(&lines_of(0, 20_001, b"x", 100).concat(), 7);
    assert_eq!(reader.losses.len(), 255 * 30);
}
