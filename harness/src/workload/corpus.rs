//! The texts of a workload, read from a shipped corpus or from a file of the user's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tailmark_providers::text_file::{self, TextFileError};

use crate::scenario;

/// The texts of a workload, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// A shipped corpus's name, or a path.
    pub name: String,
    /// The texts, in the file's order.
    pub texts: Vec<Arc<str>>,
}

impl Corpus {
    /// Reads a shipped corpus by name or a user's file in the format that its extension says.
    ///
    /// # Errors
    /// One sentence: the file is missing, not text, in another format, has a malformed line (by number), or holds no text.
    pub fn open(name: &str, base: Option<&Path>) -> Result<Self, String> {
        let (text, format) = match scenario::corpus(name) {
            Some(shipped) => (shipped.text.to_owned(), Format::Lines),
            None => {
                let path = file_of(name, base).ok_or_else(|| no_such_corpus(name))?;
                // What a name promises is said before what the bytes turn out to be: it is what the user sees.
                let format = Format::of(&path).map_err(|why| format!("corpus `{name}` {why}"))?;
                (text_file::read(&path).map_err(|error| unreadable(name, &error))?, format)
            }
        };
        let texts = match format {
            Format::Lines => written_lines(&text).map(|(_, line)| Arc::from(line)).collect(),
            Format::JsonLines => written_lines(&text)
                .map(|(number, line)| json_line(line).map_err(|why| wrong(name, number, &why)))
                .collect::<Result<Vec<_>, _>>()?,
            Format::Json => json_array(&text, name)?,
        };
        if texts.is_empty() {
            return Err(format!(
                "corpus `{name}` holds no text; it needs at least one line that is not blank"
            ));
        }
        Ok(Self { name: name.to_owned(), texts })
    }

    /// Why so many texts cannot be in one request; `None` when they can. A corpus that could not be read refuses none but 0.
    #[must_use]
    pub fn refuses(&self, batch_size: u32) -> Option<String> {
        let texts = self.texts.len();
        if batch_size == 0 {
            return Some("0 texts per request; a request has at least 1".to_owned());
        }
        (texts > 0 && batch_size as usize > texts).then(|| {
            format!(
                "{batch_size} texts per request, and corpus `{}` has {texts}; take at most that many, or a larger corpus",
                self.name
            )
        })
    }
}

/// How texts stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// One on each line.
    Lines,
    /// A JSON value on each line.
    JsonLines,
    /// One JSON array.
    Json,
}

impl Format {
    /// The format that a file's extension says, in letters of either case; what is plainly another one is refused with what to
    /// do instead.
    fn of(path: &Path) -> Result<Self, String> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let extension = extension.unwrap_or_default();
        let instead = match extension.as_str() {
            "jsonl" | "ndjson" => return Ok(Self::JsonLines),
            "json" => return Ok(Self::Json),
            "csv" | "tsv" | "xls" | "xlsx" | "ods" => {
                "save its column of texts alone, one text per line, as `.txt`, or as `.jsonl` if a text has several lines"
            }
            "parquet" | "arrow" | "feather" => {
                "write its texts to a `.jsonl` first, for example with pandas: \
                 `frame[[\"text\"]].to_json(\"texts.jsonl\", orient=\"records\", lines=True)`"
            }
            "gz" | "zst" | "bz2" | "xz" | "zip" | "7z" | "tgz" => "unpack it first",
            _ => return Ok(Self::Lines),
        };
        Err(format!("is a `.{extension}` file, which is not read; {instead}"))
    }
}

/// The file of that name: relative to the scenario's folder first, then to the working folder.
fn file_of(name: &str, base: Option<&Path>) -> Option<PathBuf> {
    let places = [base.map(|base| base.join(name)), Some(name.into())];
    places.into_iter().flatten().find(|path| path.is_file())
}

fn unreadable(name: &str, error: &TextFileError) -> String {
    match error {
        TextFileError::Read { source, .. } => format!("corpus `{name}` cannot be read: {source}"),
        TextFileError::NotText { source, .. } => format!("corpus `{name}`, {source}"),
    }
}

fn no_such_corpus(name: &str) -> String {
    let shipped: Vec<&str> = scenario::CORPORA.iter().map(|corpus| corpus.name).collect();
    let guess = scenario::did_you_mean(name, shipped.iter().copied());
    format!(
        "no corpus `{name}`: there is no such file, and the shipped corpora are {}{guess}",
        shipped.join(", ")
    )
}

/// The lines that are not blank, with their numbers.
fn written_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty())
}

fn json_line(line: &str) -> Result<Arc<str>, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| without_place(&error))?;
    text_in(&value).ok_or_else(|| "no text in it".to_owned())
}

fn json_array(text: &str, name: &str) -> Result<Vec<Arc<str>>, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| wrong(name, error.line(), &without_place(&error)))?;
    let Value::Array(entries) = value else {
        return Err(format!(
            "corpus `{name}` is not a JSON array; write an array of strings, or name it `.jsonl` if each line is a JSON value"
        ));
    };
    (1..)
        .zip(&entries)
        .map(|(number, entry)| {
            text_in(entry).ok_or_else(|| format!("corpus `{name}`, entry {number}: no text in it; {A_TEXT}"))
        })
        .collect()
}

/// What a JSON value must be to be a text.
const A_TEXT: &str = "write a JSON string, or an object with a string member `text`";

fn text_in(value: &Value) -> Option<Arc<str>> {
    value.as_str().or_else(|| value.get("text")?.as_str()).map(Arc::from)
}

fn wrong(name: &str, line: usize, why: &str) -> String {
    format!("corpus `{name}`, line {line}: {why}; {A_TEXT}")
}

/// What is wrong with JSON, with the column and without the line: counted within what was parsed, it may be another one than
/// that of the file, which is said already.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("{what} at column {}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of a file of that name, or what is said of it.
    fn read(file: &str, content: &[u8]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(file), content).expect("written");
        let corpus = Corpus::open(file, Some(folder.path()))?;
        Ok(corpus.texts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_file_is_read_in_the_format_that_its_extension_says_in_letters_of_either_case() {
        let lines = b"{\"id\": 7, \"text\": \"one\"}\n\n\"two\"\n";
        for file in ["a.jsonl", "a.JSONL", "a.ndjson", "a.NDJson"] {
            assert_eq!(read(file, lines), Ok(vec!["one".to_owned(), "two".to_owned()]), "{file}");
        }
        for file in ["a.json", "a.Json"] {
            let texts = read(file, b"[\n\"one\",\n{\"text\": \"two\"}\n]\n");
            assert_eq!(texts, Ok(vec!["one".to_owned(), "two".to_owned()]), "{file}");
        }
        for file in ["a.txt", "a", "a.md", "queries.2026"] {
            assert_eq!(
                read(file, b"one\r\n\r\n two \r\n"),
                Ok(vec!["one".to_owned(), " two ".to_owned()]),
                "{file}"
            );
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text_and_no_text() {
        assert_eq!(read("a.txt", b"\xef\xbb\xbffirst text\r\n"), Ok(vec!["first text".to_owned()]));
        assert_eq!(read("a.jsonl", b"\xef\xbb\xbf\"one\"\n"), Ok(vec!["one".to_owned()]));
        assert_eq!(read("a.json", b"\xef\xbb\xbf[\"one\"]"), Ok(vec!["one".to_owned()]));
        let empty = read("a.txt", b"\xef\xbb\xbf\r\n").expect_err("no text");
        assert!(empty.contains("holds no text"), "{empty}");
    }

    #[test]
    fn what_is_plainly_another_format_is_refused_with_what_to_do() {
        for (file, content, parts) in [
            ("a.csv", &b"id,text\n1,one\n"[..], ["`.csv`", "one text per line"]),
            ("a.PARQUET", b"PAR1", ["`.parquet`", "to_json"]),
            ("a.txt.gz", b"\x1f\x8b\x08", ["`.gz`", "unpack it first"]),
            ("a.txt", b"\x1f\x8b\x08", ["line 1", "gunzip"]),
            ("a.txt", b"\xff\xfeo\0n\0e\0", ["UTF-16", "iconv -f UTF-16"]),
            ("a.txt", b"one\ncaf\xe9\n", ["line 2", "iconv -f WINDOWS-1252"]),
            ("a.json", b"{\"text\": \"one\"}", ["not a JSON array", "`.jsonl`"]),
        ] {
            let why = read(file, content).expect_err(file);
            assert!(why.contains(file) && parts.iter().all(|part| why.contains(part)), "{why}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_corpus_is_said_with_its_name_and_its_one_line() {
        for (file, content, parts) in [
            ("a.txt", "\n  \n", &["holds no text"][..]),
            ("a.jsonl", "\"one\"\n{\"txt\": \"two\"}\n", &["line 2: no text in it"]),
            ("a.jsonl", "\"one\"\n\n{\"text\": }\n", &["line 3: expected value at column 10; write"]),
            ("a.json", "[\n\"one\",\ntwo]\n", &["line 3: expected ident at column 2; write"]),
            ("a.json", "[\"one\", 2]", &["entry 2: no text in it"]),
            ("a.json", "[]", &["holds no text"]),
        ] {
            let why = read(file, content.as_bytes()).expect_err(file);
            assert!(why.contains(file) && parts.iter().all(|part| why.contains(part)), "{why}");
            assert!(why.matches("line ").count() <= 2, "{why}");
        }
        let why = Corpus::open("short_querys", None).expect_err("no such corpus");
        assert!(why.contains("did you mean `short_queries`?"), "{why}");
    }

    #[test]
    fn every_shipped_corpus_can_be_read() {
        for shipped in scenario::CORPORA {
            assert!(Corpus::open(shipped.name, None).expect(shipped.name).texts.len() >= 40);
        }
    }
}
