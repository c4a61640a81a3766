//! Corpora: texts that can be written down and read again, or one sentence with the file and the line.

use std::sync::Arc;

use tailmark::workload::{Batches, Corpus};

use super::examples::{Example, in_repository, made};
use super::scratch::Scratch;
use super::target::{Seen, Target};

/// Names under which the input is read: each ending has rules of its own.
const NAMES: [&str; 6] =
    ["corpus.txt", "corpus.jsonl", "corpus.JSONL", "corpus.ndjson", "corpus.json", "corpus.csv"];

/// What can be wrong with a whole file, and so with no line of it.
const OF_THE_FILE: [&str; 3] = ["holds no text", "cannot read corpus", "which is not read"];

#[test]
fn every_corpus_has_texts_or_is_refused_with_its_line() {
    let mut examples = in_repository("scenarios/corpora", ".txt");
    examples.iter_mut().for_each(shorten);
    examples.extend([
        made("lines", "one\n\n two \n\u{1f469}\u{200d}\u{1f4bb}\n"),
        made("strings", "\"one\"\n\"tw\\u00f6\"\n\"three\\nlines\"\n"),
        made("objects", "{\"text\": \"one\"}\n{\"id\": 7, \"text\": \"two\", \"more\": [1, {}]}\n"),
        made("array", "[\"one\", {\"text\": \"two\"}]\n"),
        made("table", "id,text\n1,one\n2,\"two, three\"\n"),
    ]);
    Target { name: "corpora", cases: 500, examples, made: None, check }.run();
}

fn shorten(example: &mut Example) {
    let lines = example.bytes.split_inclusive(|byte| *byte == b'\n').take(8);
    example.bytes = lines.collect::<Vec<_>>().concat();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let folder = Scratch::new();
    let mut seen = Seen::Refused;
    for name in NAMES {
        let path = folder.write(name, input);
        match Corpus::open(&path.to_string_lossy(), None) {
            Ok(corpus) => {
                check_texts(&corpus, input.len(), &folder)?;
                seen = Seen::Taken;
            }
            Err(why) => check_refusal(&why.to_string(), name, input.len())?,
        }
    }
    Ok(seen)
}

fn check_texts(corpus: &Corpus, length: usize, folder: &Scratch) -> Result<(), String> {
    let Corpus { name, texts } = corpus;
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    // UTF-16 grows by half when it is read.
    if texts.is_empty() || texts.len() > length || 2 * bytes > 3 * length + 3 {
        return Err(format!("{name}: {} texts of {bytes} bytes from {length}", texts.len()));
    }
    let lines: Vec<String> = texts.iter().map(|text| serde_json::to_string(&**text).unwrap()).collect();
    let again = folder.write("again.jsonl", lines.join("\n").as_bytes());
    let read: Vec<Arc<str>> = Corpus::open(&again.to_string_lossy(), None)
        .map_err(|why| format!("{name}: its texts as JSON lines: {why}"))?
        .texts;
    if read != *texts {
        return Err(format!("{name}: written and read again, {texts:?} are {read:?}"));
    }
    for size in [1, texts.len()] {
        let request = Batches::new(corpus, size, 7).request(u64::MAX).clone();
        if request.texts.len() != size {
            return Err(format!("{name}: a batch of {size} has {}", request.texts.len()));
        }
    }
    Ok(())
}

fn check_refusal(why: &str, name: &str, length: usize) -> Result<(), String> {
    if !why.contains(name) {
        return Err(format!("the file {name} is not named: {why}"));
    }
    let placed = why.contains("line ") || why.contains(", entry ");
    if !placed && !OF_THE_FILE.iter().any(|part| why.contains(part)) {
        return Err(format!("{name}: the line is not named: {why}"));
    }
    if why.len() > 2 * length + 1_000 {
        Err(format!("{} characters are no help: {why:.300}", why.len()))
    } else {
        Ok(())
    }
}
