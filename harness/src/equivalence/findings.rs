//! What is wrong with vectors, as far as the vectors themselves show it. Each finding is a sentence that names the symptom and
//! its usual cause.

use tailmark_reports::record::EquivalenceClass;

use super::comparison::{Answers, Comparison, Expected, Int8Graph, LENGTHS, class_of};
use super::quality::{cosine, length};

/// Vectors of different texts that are this close count as the same vector.
const SAME: f64 = 0.999_999;
/// A similarity between two texts that differs from the reference's by less than this counts as the same.
const KEPT: f64 = 0.01;
/// Two answers to one request, or a vector alone and among others, may differ by this much, because sums of 16-bit numbers do
/// when their order changes.
const UNSTEADY: f64 = 0.005;

/// Everything that can be recognized; at least one sentence if the vectors are wrong.
pub(super) fn of(
    expected: Expected<'_>,
    answers: &Answers,
    comparison: &Comparison,
    alone: &[f64],
    together: &[f64],
    int8: Option<&Int8Graph>,
) -> Vec<String> {
    let mut found = Vec::new();
    let is_wrong = |cosine: f64| class_of(cosine) == EquivalenceClass::Wrong;
    if all_the_same(&answers.alone) {
        found.push("every text has the same vector: the output does not depend on the input".to_owned());
    }
    if let Some(text) = answers.alone.iter().position(|vector| !LENGTHS.contains(&length(vector))) {
        found.push(format!(
            "the vector of {} has length {:.3} instead of 1: it is not normalized",
            quoted(&expected.texts[text]),
            length(&answers.alone[text])
        ));
    }
    found.extend(cut_elsewhere(expected, answers, alone));
    let right_alone = alone.iter().all(|cosine| !is_wrong(*cosine));
    if right_alone && together.iter().copied().any(is_wrong) {
        found.push(in_company(expected, answers, together));
    }
    // Each finding so far would by itself make the vectors wrong.
    let is_explained = !found.is_empty();
    if right_alone == together.iter().all(|cosine| !is_wrong(*cosine))
        && comparison.batch_difference > UNSTEADY
    {
        found.push(format!(
            "a text's vector changes by up to {:.3} depending on the other texts in its request: padding is not masked, \
             or numbers are scaled over the whole request",
            comparison.batch_difference
        ));
    }
    if comparison.repeat_difference > UNSTEADY {
        found.push(format!(
            "two requests with the same single text give vectors that differ by up to {:.3}: the backend is not \
             deterministic",
            comparison.repeat_difference
        ));
    }
    let saturation = saturated(comparison, int8).filter(|_| !is_explained);
    if let Some(saturation) = saturation {
        found.push(saturation);
    } else if !is_explained && comparison.class == EquivalenceClass::Wrong {
        found.push(if keeps_similarities(expected.vectors, &answers.alone) {
            "the similarities between texts match the reference, but the vectors do not: they are rotated, or their \
             numbers are in a different order, so they cannot be compared with another backend's vectors"
                .to_owned()
        } else {
            let low = alone.iter().filter(|cosine| is_wrong(**cosine)).count();
            format!(
                "{low} of {} texts have vectors that mean something else: the pooling, the weights or the tokenizer are \
                 not the model's, or the weights have too few bits",
                alone.len()
            )
        });
    }
    found
}

/// What int8 kernels did to a graph that is right.
///
/// Vectors do not show saturation. It is known to be the cause if the vectors are in a worse class than in exact
/// arithmetic, the kernels of this processor saturate, and the weights have the full range.
fn saturated(comparison: &Comparison, int8: Option<&Int8Graph>) -> Option<String> {
    let graph = int8.filter(|graph| !graph.reduced_range && graph.kernels_saturate == Some(true))?;
    (comparison.class > class_of(graph.exact_cosine)).then(|| {
        format!(
            "in exact arithmetic this graph's vectors have a cosine similarity of at least {:.4}, but only {:.4} here: this \
             processor has no VNNI, so its int8 kernels saturate; make the graph again on this machine with `{}`, which \
             reduces the range of the weights if that helps",
            graph.exact_cosine, comparison.min_cosine, graph.command
        )
    })
}

fn all_the_same(vectors: &[Vec<f32>]) -> bool {
    let Some((first, others)) = vectors.split_first() else { return false };
    !others.is_empty() && others.iter().all(|vector| cosine(first, vector) > SAME)
}

/// A text for which the backend counts a different number of tokens than the reference, if its vector is in a worse class than
/// those of the texts with equal counts. Vectors that are coarse everywhere are not a sign of truncation.
pub(super) fn cut_elsewhere(expected: Expected<'_>, answers: &Answers, alone: &[f64]) -> Option<String> {
    let counted = || expected.token_counts.iter().zip(&answers.token_counts).enumerate();
    let alike = counted().filter(|(_, (reference, backend))| reference == backend);
    let usual = class_of(alike.map(|(text, _)| alone[text]).fold(1.0, f64::min));
    let (text, (reference, backend)) = counted()
        .filter(|(text, (reference, backend))| {
            **backend > 0 && reference != backend && class_of(alone[*text]) > usual
        })
        .max_by_key(|(_, (reference, backend))| reference.abs_diff(**backend))?;
    Some(format!(
        "{} has {backend} tokens here and {reference} in the reference: texts are truncated at a different length or \
         tokenized differently",
        quoted(&expected.texts[text])
    ))
}

/// Why vectors that are right alone are wrong in a request of several texts.
fn in_company(expected: Expected<'_>, answers: &Answers, together: &[f64]) -> String {
    let wrong = (0..together.len()).find(|text| class_of(together[*text]) == EquivalenceClass::Wrong);
    let text = wrong.unwrap_or_default();
    let vector = &answers.together[text];
    let other = (0..expected.vectors.len()).find(|other| {
        *other != text && class_of(cosine(vector, &expected.vectors[*other])) != EquivalenceClass::Wrong
    });
    match other {
        Some(other) => format!(
            "vectors are returned in a different order than their texts: in a request of several, {} gets the vector of {}",
            quoted(&expected.texts[text]),
            quoted(&expected.texts[other])
        ),
        None => format!(
            "{} gets the right vector alone and a wrong one in a request of several: padding is not masked, or texts of \
             different lengths are mixed up",
            quoted(&expected.texts[text])
        ),
    }
}

/// Whether the similarity of every two texts is that of the reference.
fn keeps_similarities(expected: &[Vec<f32>], found: &[Vec<f32>]) -> bool {
    let pairs = (0..expected.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let mut looked_at = 0;
    let kept = pairs
        .inspect(|_| looked_at += 1)
        .all(|(a, b)| (cosine(&expected[a], &expected[b]) - cosine(&found[a], &found[b])).abs() < KEPT);
    kept && looked_at > 0
}

/// A text as part of a sentence: shortened, in quotes, on one line.
#[must_use]
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 40;
    let shown: String = text.chars().take(LONGEST).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("{shown:?}{more}")
}
