//! The seeded order in which requests take the texts of a corpus.

use std::sync::Arc;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use tailmark_providers::provider::EmbedRequest;

use super::Corpus;

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
    use super::*;

    fn numbered(count: usize) -> Corpus {
        Corpus { name: "n".into(), texts: (0..count).map(|n| Arc::from(n.to_string())).collect() }
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
}
