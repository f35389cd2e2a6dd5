//! Lines of relays in every order and state, and what comes of them.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;

use super::assembler::Reason;
use super::*;
use crate::trace::UnixNanos;

const AT: UnixNanos = UnixNanos(0);

/// A message as the relay prints it.
fn print(source: u32, seq: u32, text: &[u8], part_bytes: usize) -> Vec<String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    let packed = encoder.finish().unwrap();
    let mut sum = flate2::Crc::new();
    sum.update(text);
    let parts: Vec<&[u8]> = packed.chunks(part_bytes).collect();
    let lines = parts.iter().zip(1..).map(|(part, number)| {
        format!(
            "{MARK}{source:08x} {seq} {number}/{} {:08x} {}",
            parts.len(),
            sum.sum(),
            STANDARD.encode(part)
        )
    });
    lines.collect()
}

fn push(assembler: &mut Assembler, line: &str) -> Option<Message> {
    let (line, _) = RelayLine::parse(line).unwrap();
    assembler.push(line, AT)
}

/// The messages that some lines make, and the numbers of the lost ones.
fn assemble(lines: &[String]) -> (Vec<(u32, u32, Vec<u8>)>, Vec<(u32, u32)>) {
    let mut assembler = Assembler::default();
    let mut messages: Vec<_> = lines
        .iter()
        .filter_map(|line| push(&mut assembler, line))
        .map(|message| (message.source.0, message.seq, message.bytes))
        .collect();
    messages.sort();
    let losses = assembler.finish();
    let mut lost: Vec<_> = losses
        .iter()
        .map(|loss| (loss.source.0, loss.seq))
        .collect();
    lost.sort_unstable();
    (messages, lost)
}

#[track_caller]
fn check_parse(text: &str, data: Option<&str>, behind: &str) {
    match (RelayLine::parse(text), data) {
        (Some((line, length)), Some(data)) => {
            assert_eq!((line.data, &text[length..]), (data, behind), "{text}");
        }
        (found, expected) => assert_eq!(found.map(|(line, _)| line.data), expected, "{text}"),
    }
}

#[test]
fn a_line_ends_where_its_alphabet_does() {
    check_parse(
        "modtrace1 5f3a09c1 7 2/3 9d4ee0b2 eJwD+/8=",
        Some("eJwD+/8="),
        "",
    );
    check_parse(
        "modtrace1 5f3a09c1 7 2/3 9d4ee0b2 eJwD{\"a\":1}",
        Some("eJwD"),
        "{\"a\":1}",
    );
    check_parse(
        "modtrace1 5f3a09c1 7 2/3 9d4ee0b2 eJwDmodtrace1 5f3a09c1 8 1/1 00000000 x",
        Some("eJwD"),
        "modtrace1 5f3a09c1 8 1/1 00000000 x",
    );
    check_parse("modtrace1 5f3a09c1 7 1/1 9d4ee0b2 ", Some(""), "");
    for wrong in [
        "modtrace1 ",
        "modtrace1 5f3a09c1 7 2/3 9d4ee0b2",
        "modtrace1 5f3a09c 7 2/3 9d4ee0b2 x",
        "modtrace1 5f3a09c1 0 2/3 9d4ee0b2 x",
        "modtrace1 5f3a09c1 7 4/3 9d4ee0b2 x",
        "modtrace1 5f3a09c1 7 1/99999 9d4ee0b2 x",
        "modtrace1 5f3a09c1 +7 1/1 9d4ee0b2 x",
        "modtrace1 5f3a09c1 7 1/1 9d4ee0bé x",
        "modtrace2 5f3a09c1 7 1/1 9d4ee0b2 x",
    ] {
        check_parse(wrong, None, "");
    }
}

#[test]
fn a_gap_is_a_loss_once_enough_has_come_after_it() {
    let mut assembler = Assembler::default();
    for seq in (1..=40).filter(|seq| *seq != 5) {
        for line in print(1, seq, b"x", 100) {
            assert!(push(&mut assembler, &line).is_some());
        }
        let lost: Vec<_> = assembler.give_up(AT).iter().map(|loss| loss.seq).collect();
        assert_eq!(lost, if seq == 37 { vec![5] } else { vec![] }, "{seq}");
    }
    let late = push(&mut assembler, &print(1, 5, b"late", 100)[0]);
    assert_eq!(late.unwrap().bytes, b"late");
    assert_eq!(assembler.finish(), []);
}

#[test]
fn time_makes_a_gap_a_loss_too_but_not_the_newest_message() {
    let mut assembler = Assembler::default();
    let lines = print(1, 3, &[7; 500], 10);
    push(&mut assembler, &lines[0]);
    let later = AT.plus(6_000_000_000);
    let losses = assembler.give_up(later);
    assert_eq!(
        losses.iter().map(|loss| loss.seq).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        losses[0].to_string(),
        "message 1 of relay 00000001 is lost: none of its lines could be read"
    );
    let last = assembler.finish();
    assert_eq!(
        last[0].reason,
        Reason::Parts {
            read: 1,
            of: u32::try_from(lines.len()).unwrap()
        }
    );
}

#[test]
fn a_message_printed_twice_is_taken_once_and_damage_in_one_copy_does_no_harm() {
    let text = vec![b'a'; 3_000];
    let mut lines = print(1, 1, &text, 10);
    let copy = lines.clone();
    lines[1] = lines[1]
        .replace(" 2/", " 2/")
        .replace(&lines[1][40..44], "AAAA");
    let both: Vec<_> = lines.iter().chain(&copy).cloned().collect();
    assert_eq!(assemble(&both), (vec![(1, 1, text.clone())], vec![]));
    // Parts of both copies complete each other.
    let (first, second) = (&copy[..1], &copy[1..]);
    let mixed: Vec<_> = first.iter().chain(first).chain(second).cloned().collect();
    assert_eq!(assemble(&mixed), (vec![(1, 1, text)], vec![]));
}

#[test]
fn what_stands_behind_the_last_part_does_no_harm() {
    let mut lines = print(1, 1, b"a request", 1_000);
    lines[0].push_str("glued");
    assert_eq!(
        assemble(&lines),
        (vec![(1, 1, b"a request".to_vec())], vec![])
    );
}

#[test]
fn a_bomb_is_no_message() {
    let lines = print(1, 1, &vec![0; 30 * 1024 * 1024], 3_000);
    assert_eq!(assemble(&lines), (vec![], vec![(1, 1)]));
}

#[test]
fn strangers_cannot_make_it_grow() {
    let mut assembler = Assembler::default();
    push(
        &mut assembler,
        "modtrace1 00000001 4294967295 1/1 00000000 AAAA",
    );
    for source in 2..1_000 {
        push(
            &mut assembler,
            &format!("modtrace1 {source:08x} 1 1/2 00000000 AAAA"),
        );
    }
    assert_eq!(assembler.give_up(AT).len(), 998 - 256);
    assert_eq!(assembler.finish().len(), 256);
}

fn messages() -> impl Strategy<Value = Vec<(u32, u32, Vec<u8>)>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 1..12).prop_map(|texts| {
        let numbered = texts.into_iter().enumerate().map(|(place, text)| {
            let place = u32::try_from(place).unwrap();
            // Two relays take turns.
            (place % 2, place / 2 + 1, text)
        });
        let mut messages: Vec<_> = numbered.collect();
        messages.sort();
        messages
    })
}

proptest! {
    #[test]
    fn any_order_and_repetition_gives_each_message_once(
        messages in messages(),
        part_bytes in 1..200_usize,
        order in any::<u64>(),
        n_copies in 1..3_usize,
    ) {
        let lines: Vec<_> = messages.iter().flat_map(|(source, seq, text)| print(*source, *seq, text, part_bytes)).collect();
        let mut lines: Vec<_> = std::iter::repeat_n(lines, n_copies).flatten().collect();
        // A shuffle that is as good as any.
        lines.sort_by_key(|line| line.bytes().fold(order, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())));
        prop_assert_eq!(assemble(&lines), (messages, vec![]));
    }

    #[test]
    fn a_line_that_is_left_out_loses_its_message_and_no_other(
        messages in messages(),
        part_bytes in 1..200_usize,
        place in any::<prop::sample::Index>(),
    ) {
        let lines: Vec<_> = messages.iter().flat_map(|(source, seq, text)| print(*source, *seq, text, part_bytes)).collect();
        let place = place.index(lines.len());
        let (left_out, _) = RelayLine::parse(&lines[place]).unwrap();
        let lost = (left_out.source.0, left_out.seq);
        let others: Vec<_> = lines.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, line)| line.clone()).collect();
        let (came, said) = assemble(&others);
        let expected: Vec<_> = messages.iter().filter(|(source, seq, _)| (*source, *seq) != lost).cloned().collect();
        prop_assert_eq!(came, expected);
        // The very last message of a relay leaves no gap if none of its lines came.
        let is_last = messages.iter().all(|(source, seq, _)| *source != lost.0 || *seq <= lost.1);
        if !(is_last && left_out.parts == 1) {
            prop_assert_eq!(said, vec![lost]);
        }
    }
}
