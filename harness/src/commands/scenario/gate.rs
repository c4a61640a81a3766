//! The gate before anything is timed: are the backend's vectors the right ones?

use std::sync::Arc;

use tailmark_providers::model::Reference;
use tailmark_providers::provider::{EmbedRequest, Embeddings, Provider, ProviderError};
use tailmark_reports::record::{Equivalence, EquivalenceClass};

/// The smallest cosine similarity to the reference that is accepted for any text.
pub(super) const THRESHOLD: f64 = 0.9999;

/// Texts of different lengths that are embedded in one request: enough to see padding leak into a vector, and few enough
/// to be answered within a request's deadline.
const TOGETHER: usize = 5;

/// Embeds the reference texts, each alone and then several in a request, and compares with the reference vectors.
pub(super) async fn compare(
    provider: &dyn Provider,
    dimensions: u32,
    reference: &Reference,
) -> Result<Equivalence, ProviderError> {
    let texts: Vec<Arc<str>> = reference.texts.iter().map(|text| Arc::from(text.as_str())).collect();
    let mut cosines = Vec::with_capacity(2 * texts.len());
    for (text, expected) in texts.iter().zip(&reference.vectors) {
        let alone = ask(provider, vec![Arc::clone(text)], dimensions).await?;
        cosines.push(cosine(alone.row(0).unwrap_or_default(), expected));
    }
    for (texts, expected) in texts.chunks(TOGETHER).zip(reference.vectors.chunks(TOGETHER)) {
        let together = ask(provider, texts.to_vec(), dimensions).await?;
        for (index, expected) in expected.iter().enumerate() {
            cosines.push(cosine(together.row(index).unwrap_or_default(), expected));
        }
    }
    let min_cosine = cosines.iter().copied().fold(f64::INFINITY, f64::min);
    let class = if min_cosine >= THRESHOLD { EquivalenceClass::Exact } else { EquivalenceClass::Wrong };
    Ok(Equivalence::Checked {
        class,
        accepts: EquivalenceClass::Exact,
        accepted: class == EquivalenceClass::Exact,
        texts: u32::try_from(texts.len()).unwrap_or(u32::MAX),
        min_cosine,
        mean_cosine: cosines.iter().sum::<f64>() / cosines.len() as f64,
        lowest: String::new(),
        max_abs_difference: 0.0,
        max_length_error: 0.0,
        repeat_difference: 0.0,
        batch_difference: 0.0,
        findings: Vec::new(),
        neighbours: None,
        graded: None,
    })
}

async fn ask(
    provider: &dyn Provider,
    texts: Vec<Arc<str>>,
    dimensions: u32,
) -> Result<Embeddings, ProviderError> {
    let request = EmbedRequest { texts, normalize: true };
    let answer = provider.embed(&request).await?;
    answer.check(request.texts.len(), dimensions)?;
    Ok(answer)
}

/// Cosine similarity; 0 when the lengths differ or a vector is null, which is never right.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return 0.0;
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_vector_and_one_of_the_wrong_length_are_like_nothing() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[1.0], &[1.0, 0.0]), 0.0);
        assert!((cosine(&[3.0, 0.0], &[1.0, 0.0]) - 1.0).abs() < 1e-12);
        assert!((cosine(&[1.0, 1.0], &[1.0, 0.0]) - 0.5_f64.sqrt()).abs() < 1e-12);
    }
}
