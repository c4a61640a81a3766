//! Which known name was probably meant by one that is unknown: the one taste of every "did you mean".

/// The candidate most like `word`, if one is alike enough to have been meant: at most one edit, and one more for every three
/// letters of the candidate, but never a word that shares nothing with it. Names of three letters are too alike: `gpu` is no
/// slip for `cpu`.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count() > 3)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(edits, candidate)| {
            *edits <= 1 + candidate.chars().count() / 3 && *edits < word.chars().count()
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognized_and_another_word_is_not() {
        let keys = ["threads", "graph", "max_seconds", "batch_size", "phases"];
        for (word, meant) in [
            ("therads", Some("threads")),
            ("max_secs", Some("max_seconds")),
            ("batchsize", Some("batch_size")),
            ("phasse", Some("phases")),
            ("zzz", None),
            ("dtype", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
        assert_eq!(nearest("gpu", ["cpu", "cuda"]), None);
    }
}
