//! The texts of a workload, and the seeded order in which requests take them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use tailmark_providers::provider::EmbedRequest;

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
    /// Reads a shipped corpus by name or a user's file: one text per line, or JSON Lines when it ends in `.jsonl`.
    ///
    /// # Errors
    /// One sentence: the file is missing, not UTF-8, has a malformed line (by number), or holds no text.
    pub fn open(name: &str, base: Option<&Path>) -> Result<Self, String> {
        let (text, json_lines) = match scenario::corpus(name) {
            Some(shipped) => (shipped.text.to_owned(), false),
            None => {
                let path = [base.map(|base| base.join(name)), Some(name.into())]
                    .into_iter()
                    .flatten()
                    .find(|path| path.is_file())
                    .ok_or_else(|| no_such_corpus(name))?;
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read corpus {}: {error}", path.display()))?;
                (text, path.extension().is_some_and(|extension| extension == "jsonl"))
            }
        };
        let mut texts = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            texts.push(if json_lines { json_line(line, name, index + 1)? } else { Arc::from(line) });
        }
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

fn no_such_corpus(name: &str) -> String {
    let shipped: Vec<&str> = scenario::CORPORA.iter().map(|corpus| corpus.name).collect();
    let guess = scenario::did_you_mean(name, shipped.iter().copied());
    format!("no corpus `{name}`: it is no file, and the shipped ones are {}{guess}", shipped.join(", "))
}

fn json_line(line: &str, name: &str, number: usize) -> Result<Arc<str>, String> {
    let wrong = |why: String| {
        format!(
            "corpus `{name}`, line {number}: {why}; write a JSON string, or an object with a string member `text`"
        )
    };
    let value: serde_json::Value = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
    value
        .as_str()
        .or_else(|| value.get("text")?.as_str())
        .map(Arc::from)
        .ok_or_else(|| wrong("no text in it".to_owned()))
}

/// Requests made from a corpus, ready before the clock starts: the texts in a seeded order, `size` at a time, going
/// round until every text has stood in every request it can.
#[derive(Clone, Debug, PartialEq)]
pub struct Batches(Vec<EmbedRequest>);

impl Batches {
    /// Cuts the corpus into requests of `size` texts, `1..=texts.len()`.
    #[must_use]
    pub fn new(corpus: &Corpus, size: usize, seed: u64) -> Self {
        let mut texts = corpus.texts.clone();
        texts.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut ring = texts.iter().cycle();
        let count = texts.len() / greatest_common_divisor(texts.len(), size);
        Self(
            (0..count)
                .map(|_| EmbedRequest { texts: ring.by_ref().take(size).cloned().collect(), normalize: true })
                .collect(),
        )
    }

    /// One request for each text, in the order given, at least one.
    #[must_use]
    pub fn one_by_one(texts: &[Arc<str>]) -> Self {
        assert!(!texts.is_empty(), "requests without a text: this is a bug");
        Self(
            texts
                .iter()
                .map(|text| EmbedRequest { texts: vec![Arc::clone(text)], normalize: true })
                .collect(),
        )
    }

    /// The request of that number; numbers beyond the last go round.
    #[must_use]
    pub fn request(&self, number: u64) -> &EmbedRequest {
        let count = self.0.len() as u64;
        &self.0[usize::try_from(number % count).expect("an index below a usize: this is a bug")]
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn numbered(count: usize) -> Corpus {
        Corpus { name: "n".into(), texts: (0..count).map(|n| Arc::from(n.to_string())).collect() }
    }

    fn file(extension: &str, content: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::Builder::new().suffix(extension).tempfile().expect("temporary file");
        file.write_all(content.as_bytes()).expect("write");
        file
    }

    #[test]
    fn the_same_seed_gives_the_same_order_and_another_seed_another() {
        let corpus = numbered(20);
        assert_eq!(Batches::new(&corpus, 3, 1), Batches::new(&corpus, 3, 1));
        assert_ne!(Batches::new(&corpus, 3, 1), Batches::new(&corpus, 3, 2));
    }

    #[test]
    fn every_text_is_used_equally_often_before_the_order_repeats() {
        let batches = Batches::new(&numbered(10), 4, 1);
        let mut uses = std::collections::HashMap::new();
        for text in batches.0.iter().flat_map(|batch| &batch.texts) {
            *uses.entry(text.clone()).or_insert(0) += 1;
        }
        assert_eq!(batches.0.len(), 5);
        assert!(uses.len() == 10 && uses.values().all(|count| *count == 2), "{uses:?}");
        assert_eq!(batches.request(5), batches.request(0));
    }

    #[test]
    fn a_file_of_lines_and_a_file_of_json_lines_are_read() {
        let lines = file(".txt", "one\n\n two \n");
        let corpus = Corpus::open(&lines.path().to_string_lossy(), None).expect("lines");
        assert_eq!(corpus.texts, [Arc::from("one"), Arc::from(" two ")]);
        let json = file(".jsonl", "\"one\"\n{\"id\": 7, \"text\": \"two\"}\n");
        let corpus = Corpus::open(&json.path().to_string_lossy(), None).expect("json lines");
        assert_eq!(corpus.texts, [Arc::from("one"), Arc::from("two")]);
    }

    #[test]
    fn what_is_wrong_with_a_corpus_is_said_with_its_name_and_line() {
        let empty = file(".txt", "\n  \n");
        let malformed = file(".jsonl", "\"one\"\n{\"txt\": \"two\"}\n");
        for (name, part) in [
            (empty.path().to_string_lossy().into_owned(), "holds no text"),
            (malformed.path().to_string_lossy().into_owned(), "line 2: no text in it"),
            ("short_querys".to_owned(), "did you mean `short_queries`?"),
        ] {
            let message = Corpus::open(&name, None).expect_err(&name);
            assert!(message.contains(&name) && message.contains(part), "{message}");
        }
    }

    #[test]
    fn every_shipped_corpus_can_be_read() {
        for shipped in scenario::CORPORA {
            assert!(Corpus::open(shipped.name, None).expect(shipped.name).texts.len() >= 40);
        }
    }
}
