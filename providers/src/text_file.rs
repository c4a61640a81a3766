//! A text file that a user wrote: UTF-8, with or without a byte order mark, which is left out. Anything else is refused with
//! what the file seems to be and what makes a text file of it. Knows nothing of what the text means.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a text file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TextFileError {
    /// The system does not let it be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{}, {source}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Where, and what it seems to be.
        source: NotText,
    },
}

impl TextFileError {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText {
    /// The first line that is not, from 1.
    pub line: usize,
    /// What the bytes seem to be.
    pub seems: Seems,
}

/// What bytes that are not UTF-8 seem to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seems {
    /// Text of 16-bit units, as some editors and spreadsheets save it.
    Utf16,
    /// Text of one byte for each character.
    SingleByte,
    /// A compressed file, and the program that unpacks it.
    Compressed(&'static str),
    /// A file of columns.
    Parquet,
    /// No text at all.
    Binary,
}

impl std::error::Error for NotText {}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.seems {
            Seems::Utf16 => write!(
                f,
                "line {line}: the file seems to be UTF-16; save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8 OLD > NEW`"
            ),
            Seems::SingleByte => write!(
                f,
                "line {line}: the line is not UTF-8 and the file seems to be Latin-1 or Windows-1252; save it as UTF-8, for \
                 example with `iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW`"
            ),
            Seems::Compressed(program) => {
                write!(
                    f,
                    "line {line}: the file is compressed; unpack it first, for example with `{program}`"
                )
            }
            Seems::Parquet => write!(
                f,
                "line {line}: the file is Parquet; write its texts to a text file first, for example with pandas: \
                 `frame[[\"text\"]].to_json(\"texts.jsonl\", orient=\"records\", lines=True)`"
            ),
            Seems::Binary => write!(f, "line {line}: the file is not text; save it as UTF-8"),
        }
    }
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// When the file cannot be read or is not UTF-8.
pub fn read(path: &Path) -> Result<String, TextFileError> {
    let bytes = fs::read(path).map_err(|source| TextFileError::Read { path: path.to_path_buf(), source })?;
    text_of(bytes).map_err(|source| TextFileError::NotText { path: path.to_path_buf(), source })
}

/// The text that bytes are, without a byte order mark.
///
/// # Errors
/// When they are not UTF-8.
pub fn text_of(bytes: Vec<u8>) -> Result<String, NotText> {
    if let Some(seems) = other_format(&bytes) {
        return Err(NotText { line: 1, seems });
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let (valid, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let line = bytes[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        let controls = |byte: &u8| *byte < b' ' && !byte.is_ascii_whitespace();
        let seems = if bytes.iter().any(controls) { Seems::Binary } else { Seems::SingleByte };
        NotText { line, seems }
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// What bytes are by how they begin.
fn other_format(bytes: &[u8]) -> Option<Seems> {
    const COMPRESSED: [(&[u8], &str); 5] = [
        (b"\x1f\x8b", "gunzip FILE"),
        (b"\x28\xb5\x2f\xfd", "zstd -d FILE"),
        (b"BZh", "bunzip2 FILE"),
        (b"\xfd7zXZ", "unxz FILE"),
        (b"PK\x03\x04", "unzip FILE"),
    ];
    if let Some((_, program)) = COMPRESSED.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(Seems::Compressed(program));
    }
    if bytes.starts_with(b"PAR1") {
        return Some(Seems::Parquet);
    }
    let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    // Latin letters in 16-bit units are every other byte zero, which no text in UTF-8 has.
    let zeros = |from: usize| bytes.iter().skip(from).step_by(2).take(64).filter(|byte| **byte == 0).count();
    let looked_at = (bytes.len() / 2).min(64);
    let unmarked = looked_at > 1 && zeros(0).max(zeros(1)) > looked_at / 2;
    (marked || unmarked).then_some(Seems::Utf16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, marked: bool) -> Vec<u8> {
        let mark = marked.then_some(0xfeff);
        mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_is_left_out_and_nothing_else_is() {
        for (bytes, text) in [
            (b"\xef\xbb\xbffirst\r\nsecond".to_vec(), "first\r\nsecond"),
            (b"\xef\xbb\xbf".to_vec(), ""),
            ("in\u{feff}side".as_bytes().to_vec(), "in\u{feff}side"),
            (Vec::new(), ""),
        ] {
            assert_eq!(text_of(bytes).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_not_utf_8_is_named_with_its_line_and_a_way_out() {
        for (bytes, line, seems, remedy) in [
            (utf16("one\ntwo\n", true), 1, Seems::Utf16, "iconv -f UTF-16"),
            (utf16("one\ntwo\n", false), 1, Seems::Utf16, "iconv -f UTF-16"),
            (b"one\ntwo\ncaf\xe9\n".to_vec(), 3, Seems::SingleByte, "iconv -f WINDOWS-1252"),
            (b"\x1f\x8b\x08\x00rest".to_vec(), 1, Seems::Compressed("gunzip FILE"), "gunzip FILE"),
            (b"PAR1\x15\x04".to_vec(), 1, Seems::Parquet, "to_json"),
            (b"a\n\x00\x01\x02\xff\xff".to_vec(), 2, Seems::Binary, "not text"),
        ] {
            let error = text_of(bytes).expect_err(remedy);
            assert_eq!((error.line, error.seems), (line, seems));
            let said = error.to_string();
            assert!(said.contains(&format!("line {line}: ")) && said.contains(remedy), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_told_from_one_that_is_no_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        assert!(read(&path).expect_err("missing").is_missing());
        fs::write(&path, b"\xff\xfeo\0").expect("written");
        let error = read(&path).expect_err("UTF-16");
        assert!(
            !error.is_missing() && error.to_string().starts_with(&format!("{}, line 1: ", path.display()))
        );
    }
}
