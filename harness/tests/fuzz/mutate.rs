//! Changes to valid inputs, the same for every format: to bits, to lines, to numbers and words, and fragments that have
//! broken readers before.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::strategy::BoxedStrategy;

use super::target::LONGEST;

/// Numbers at which types, units and formats end.
pub(super) const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "7",
    "0.5",
    "-0.5",
    "1e-300",
    "5e-324",
    "1e308",
    "-1e308",
    "1e309",
    "1e19",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "+1",
    "01",
    "0x10",
    "1_000",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999",
    "0.000000000000000000001",
    "1000000000000000000000000000000",
];

/// Words at which a reader of words, paths or quantities goes wrong.
pub(super) const WORDS: &[&str] = &[
    "",
    " ",
    ".",
    "..",
    "../x",
    "/",
    "/dev/null",
    "-",
    "--",
    "a b",
    "null",
    "true",
    "{}",
    "[]",
    "\u{0}",
    "\u{feff}",
    "\u{202e}abc",
    "e\u{301}",
    "\u{1f469}\u{200d}\u{1f4bb}",
    "\u{fffd}",
    "ß",
    "İ",
    "\u{1b}[31m",
    "a\\",
    "\\u0000",
    "2600000000000000h",
    "99999999999999999999h",
    "0.0000000001ns",
    "5124095576030431h",
    "1e300s",
    "-1ms",
    "0ms",
    "0 s",
    "1us",
    "1µs",
    "100%",
    "0%",
    "1e-400%",
    "0.1%",
    "1e308/s",
    "0/s",
    "1000000/s",
    "0.001/s",
    "1e308GiB",
    "99999999999GiB",
    "p99.99999999",
    "p0.0000001 response time",
    "throughput",
    "cosine",
    "peak rss",
    "closed",
    "trace",
    "capacity",
];

/// What is put between two bytes.
const FRAGMENTS: &[&[u8]] = &[
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\r",
    b"\r\n",
    b"\n",
    b"\n\n",
    b"\x1b[2J",
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{1f469}\u{200d}\u{1f4bb}".as_bytes(),
    b"\\ud800",
    b"\\u0000",
    b"\"",
    b"'",
    b"\"\"\"",
    b"'''",
    b"=",
    b",",
    b".",
    b"[",
    b"]",
    b"{",
    b"}",
    b"[[",
    b":",
    b"#",
    b" ",
    b"\t",
];

/// What is put there many times over.
const NESTED: &[&[u8]] =
    &[b"[", b"{\"a\":", b"{a=", b"a.", b"[[", b"(", b"\"", b"x", b"9", b"\n", b",", b"\xe2\x80\x8b"];

#[derive(Clone, Debug)]
enum Change {
    FlipBit(Index, u8),
    Truncate(Index),
    Remove(Index, Index),
    RepeatLine(Index, u8),
    RemoveLine(Index),
    MoveLine(Index, Index),
    /// A number or word becomes another.
    Replace(Index, &'static str),
    /// A number or word becomes one of the same input.
    Copy(Index, Index),
    Insert(Index, &'static [u8]),
    Nest(Index, &'static [u8], u16),
    /// The end of another example.
    Splice(Index, Index, Index),
    CarriageReturns,
    ByteOrderMark,
    Utf16(bool),
}

/// The examples with some changes; the fewer the changes, the simpler the input.
pub(super) fn mutated(examples: Vec<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let index = any::<Index>;
    let change = prop_oneof![
        2 => (index(), 0..8_u8).prop_map(|(at, bit)| Change::FlipBit(at, bit)),
        1 => index().prop_map(Change::Truncate),
        1 => (index(), index()).prop_map(|(from, to)| Change::Remove(from, to)),
        1 => (index(), 1..20_u8).prop_map(|(line, times)| Change::RepeatLine(line, times)),
        2 => index().prop_map(Change::RemoveLine),
        1 => (index(), index()).prop_map(|(from, to)| Change::MoveLine(from, to)),
        6 => (index(), select(NUMBERS)).prop_map(|(at, number)| Change::Replace(at, number)),
        4 => (index(), select(WORDS)).prop_map(|(at, word)| Change::Replace(at, word)),
        4 => (index(), index()).prop_map(|(from, to)| Change::Copy(from, to)),
        3 => (index(), select(FRAGMENTS)).prop_map(|(at, what)| Change::Insert(at, what)),
        1 => (index(), select(NESTED), any::<u16>()).prop_map(|(at, what, depth)| Change::Nest(at, what, depth)),
        2 => (index(), index(), index()).prop_map(|(which, from, to)| Change::Splice(which, from, to)),
        1 => Just(Change::CarriageReturns),
        1 => Just(Change::ByteOrderMark),
        1 => any::<bool>().prop_map(Change::Utf16),
    ];
    (any::<Index>(), vec(change, 0..6))
        .prop_map(move |(which, changes)| {
            let first = which.get(&examples).clone();
            changes.iter().fold(first, |bytes, change| apply(bytes, change, &examples))
        })
        .boxed()
}

fn apply(mut bytes: Vec<u8>, change: &Change, examples: &[Vec<u8>]) -> Vec<u8> {
    let place = |at: &Index, length: usize| at.index(length + 1);
    match change {
        Change::FlipBit(at, bit) if !bytes.is_empty() => *at.get_mut(&mut bytes) ^= 1 << bit,
        Change::Truncate(at) => bytes.truncate(place(at, bytes.len())),
        Change::Remove(one, other) => {
            let (one, other) = (place(one, bytes.len()), place(other, bytes.len()));
            bytes.drain(one.min(other)..one.max(other));
        }
        Change::RepeatLine(line, times) => {
            return on_lines(&bytes, |lines| {
                let at = line.index(lines.len());
                (0..*times).for_each(|_| lines.insert(at, lines[at]));
            });
        }
        Change::RemoveLine(line) => {
            return on_lines(&bytes, |lines| {
                lines.remove(line.index(lines.len()));
            });
        }
        Change::MoveLine(from, to) => {
            return on_lines(&bytes, |lines| {
                let line = lines.remove(from.index(lines.len()));
                lines.insert(to.index(lines.len() + 1), line);
            });
        }
        Change::Replace(at, with) => replace(&mut bytes, at, with.as_bytes()),
        Change::Copy(from, to) => {
            let words = words(&bytes);
            if !words.is_empty() {
                let word = bytes[from.get(&words).clone()].to_vec();
                replace(&mut bytes, to, &word);
            }
        }
        Change::Insert(at, what) => insert(&mut bytes, at, what),
        Change::Nest(at, what, depth) => insert(&mut bytes, at, &what.repeat(usize::from(*depth) % 6_000)),
        Change::Splice(which, from, to) => {
            let other = which.get(examples);
            bytes.truncate(place(to, bytes.len()));
            bytes.extend_from_slice(&other[place(from, other.len())..]);
        }
        Change::CarriageReturns => {
            return String::from_utf8_lossy(&bytes).replace('\n', "\r\n").into_bytes();
        }
        Change::ByteOrderMark => drop(bytes.splice(0..0, *b"\xef\xbb\xbf")),
        Change::Utf16(big) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            return units
                .flat_map(|unit| if *big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
        }
        Change::FlipBit(..) => {}
    }
    bytes.truncate(LONGEST);
    bytes
}

fn insert(bytes: &mut Vec<u8>, at: &Index, what: &[u8]) {
    let at = at.index(bytes.len() + 1);
    bytes.splice(at..at, what.iter().copied());
}

fn on_lines(bytes: &[u8], change: impl FnOnce(&mut Vec<&[u8]>)) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    if lines.is_empty() {
        return Vec::new();
    }
    change(&mut lines);
    lines.concat()
}

fn replace(bytes: &mut Vec<u8>, at: &Index, with: &[u8]) {
    let words = words(bytes);
    if !words.is_empty() {
        bytes.splice(at.get(&words).clone(), with.iter().copied());
    }
}

/// The numbers and words: runs of what is no punctuation, with the signs and points that numbers have.
fn words(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._%/".contains(byte) || !byte.is_ascii();
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| belongs(byte)) {
        match found.last_mut() {
            Some(word) if word.end == at => word.end += 1,
            _ => found.push(at..at + usize::from(!byte.is_ascii_control())),
        }
    }
    found
}
