//! The gate before anything is timed: asks a backend for the vectors of known texts, for what executed the model, and
//! whether it computes a text that it has just seen. What the answers come to is computed in `equivalence`.

use std::sync::Arc;

use tailmark_providers::evidence::{Evidence, ProveRequest};
use tailmark_providers::model::Reference;
use tailmark_providers::provider::{EmbedRequest, Embeddings, Provider, ProviderError};
use tailmark_reports::record::{Equivalence, EquivalenceClass, GradedPairs, Neighbors, RepeatProbe};

use crate::equivalence::{self, Answers, Comparison, Expected, Int8Graph};

/// Texts of different lengths that are embedded in one request: enough to see padding leak into a vector, and few enough
/// to be answered within a request's deadline.
const TOGETHER: usize = 5;

/// Short texts that are embedded in one request where only their vectors matter.
const MANY: usize = 16;

/// Recorded runs of the probe of what executes the model.
const PROBE_RUNS: u32 = 3;

/// The text of that probe: an ordinary sentence.
const PROBE_TEXT: &str = "Which of the two trains to the coast leaves first on a Sunday morning?";

/// Pairs of requests in the probe of repeated texts.
const PAIRS: u32 = 8;

/// The words of the texts of that probe, in an order of its own for each: so they are equally long.
const WORDS: [&str; 12] = [
    "bread", "river", "seven", "garden", "letter", "winter", "music", "paper", "stone", "market", "window",
    "forest",
];

/// Compares the backend's vectors with the reference, and looks at what they are good for.
pub(super) async fn compare(
    provider: &dyn Provider,
    reference: &Reference,
    accepts: EquivalenceClass,
    int8: Option<&Int8Graph>,
) -> Result<Equivalence, ProviderError> {
    let gate = Gate { provider, dimensions: reference.dimensions };
    let texts: Vec<Arc<str>> = reference.texts.iter().map(|text| Arc::from(text.as_str())).collect();
    let mut answers = Answers::default();
    for text in &texts {
        let alone = gate.ask(std::slice::from_ref(text)).await?;
        // 0 is what is not known.
        answers.token_counts.push(alone.token_counts.as_ref().map_or(0, |counts| counts[0]));
        answers.alone.extend(rows(&alone));
    }
    answers.again = gate.vectors(&texts, 1).await?;
    answers.together = gate.vectors(&texts, TOGETHER).await?;
    let expected = Expected {
        texts: &reference.texts,
        vectors: &reference.vectors,
        token_counts: &reference.token_counts,
    };
    let Comparison {
        class,
        min_cosine,
        mean_cosine,
        lowest,
        max_abs_difference,
        max_length_error,
        repeat_difference,
        batch_difference,
        findings,
    } = equivalence::compare(expected, &answers, int8);
    Ok(Equivalence::Checked {
        class,
        accepts,
        // A scenario that is content with the coarsest class is told, and has it timed.
        accepted: class <= accepts
            || class == EquivalenceClass::CannotTell && accepts == EquivalenceClass::Int8,
        texts: u32::try_from(texts.len()).unwrap_or(u32::MAX),
        min_cosine,
        mean_cosine,
        lowest: reference.texts.get(lowest).map(|text| equivalence::quoted(text)).unwrap_or_default(),
        max_abs_difference,
        max_length_error,
        repeat_difference,
        batch_difference,
        findings,
        neighbors: gate.neighbours(reference).await?,
        graded: gate.graded(reference).await?,
    })
}

/// Has the runtime record what executes the model.
pub(super) async fn prove(provider: &dyn Provider) -> Result<Evidence, ProviderError> {
    provider.prove(&ProveRequest { texts: vec![Arc::from(PROBE_TEXT)], runs: PROBE_RUNS }).await
}

/// Sends one text again and again, and in between texts that were never sent: is a repeat computed?
pub(super) async fn repeat(
    provider: &dyn Provider,
    dimensions: u32,
) -> Result<Option<RepeatProbe>, ProviderError> {
    let gate = Gate { provider, dimensions };
    let known = permuted(0);
    let (mut repeated, mut new) = (Vec::new(), Vec::new());
    gate.ask(std::slice::from_ref(&known)).await?;
    for pair in 1..=PAIRS {
        new.extend(gate.ask(&[permuted(pair)]).await?.stages.computing_ns());
        repeated.extend(gate.ask(std::slice::from_ref(&known)).await?.stages.computing_ns());
    }
    if new.len() + repeated.len() < 2 * PAIRS as usize {
        // Without any such time, what is between the backend and here would be taken for its work.
        return Ok(None);
    }
    let found = equivalence::repeats(&repeated, &new);
    Ok(found.map(|found| RepeatProbe {
        pairs: PAIRS,
        repeated_ns: found.repeated_ns,
        new_ns: found.new_ns,
        caching: found.caching,
    }))
}

/// The words in the order of that number, another one for each number below the factorial of twelve.
fn permuted(number: u32) -> Arc<str> {
    let mut left = WORDS.to_vec();
    let mut rest = number as usize;
    let mut words = Vec::with_capacity(WORDS.len());
    while !left.is_empty() {
        let at = rest % left.len();
        rest /= left.len();
        words.push(left.remove(at));
    }
    Arc::from(words.join(" "))
}

struct Gate<'a> {
    provider: &'a dyn Provider,
    dimensions: u32,
}

impl Gate<'_> {
    async fn ask(&self, texts: &[Arc<str>]) -> Result<Embeddings, ProviderError> {
        let request = EmbedRequest { texts: texts.to_vec(), normalize: true };
        let answer = self.provider.embed(&request).await?;
        answer.check(texts.len(), self.dimensions)?;
        Ok(answer)
    }

    /// The texts' vectors, so many texts in a request.
    async fn vectors(&self, texts: &[Arc<str>], at_once: usize) -> Result<Vec<Vec<f32>>, ProviderError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for texts in texts.chunks(at_once) {
            vectors.extend(rows(&self.ask(texts).await?));
        }
        Ok(vectors)
    }

    async fn neighbours(&self, reference: &Reference) -> Result<Option<Neighbors>, ProviderError> {
        let Some(known) = &reference.neighbours else { return Ok(None) };
        let texts: Vec<Arc<str>> = known.texts.iter().map(|text| Arc::from(text.as_str())).collect();
        let vectors = self.vectors(&texts, MANY).await?;
        let agreement = equivalence::nearest_agreement(&known.nearest, &vectors);
        let texts = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        Ok(agreement.map(|agreement| Neighbors { texts, of: known.of, agreement }))
    }

    async fn graded(&self, reference: &Reference) -> Result<Option<GradedPairs>, ProviderError> {
        let Some(known) = &reference.graded_pairs else { return Ok(None) };
        let texts: Vec<Arc<str>> = known
            .pairs
            .iter()
            .flat_map(|pair| [&pair.a, &pair.b])
            .map(|text| Arc::from(text.as_str()))
            .collect();
        let vectors = self.vectors(&texts, MANY).await?;
        let similarities: Vec<f64> =
            vectors.chunks_exact(2).map(|pair| equivalence::cosine(&pair[0], &pair[1])).collect();
        let grades: Vec<f64> = known.pairs.iter().map(|pair| f64::from(pair.grade)).collect();
        let correlation = equivalence::spearman(&similarities, &grades);
        let pairs = u32::try_from(known.pairs.len()).unwrap_or(u32::MAX);
        let reference_spearman = known.spearman;
        Ok(correlation.map(|spearman| GradedPairs { pairs, spearman, reference_spearman }))
    }
}

fn rows(answer: &Embeddings) -> Vec<Vec<f32>> {
    answer.rows().map(<[f32]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_texts_of_the_repeat_probe_are_different_and_equally_long() {
        let texts: BTreeSet<Arc<str>> = (0..=PAIRS).map(permuted).collect();
        assert_eq!(texts.len(), PAIRS as usize + 1);
        let lengths: BTreeSet<usize> = texts.iter().map(|text| text.len()).collect();
        assert_eq!(lengths.len(), 1);
    }
}
