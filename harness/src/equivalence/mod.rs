//! How far a backend's vectors are from the reference: which class they are in, what is wrong with them where that can be
//! recognised, and what the difference comes to in use. Functions of numbers; knows no provider and asks nobody.

mod findings;
mod quality;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

pub use findings::quoted;
pub use quality::{cosine, nearest_agreement, spearman};
use tailmark_reports::record::EquivalenceClass;

/// The least cosine similarity of every text to the reference, for each class but the last. The reasons and the figures
/// they rest on are in METHODOLOGY.md.
const LEAST: [(EquivalenceClass, f64); 3] = [
    (EquivalenceClass::Exact, 0.999_999_9),
    (EquivalenceClass::Fp16, 0.999_5),
    (EquivalenceClass::Int8, 0.95),
];

/// A vector that was to have length one may miss it by this much: 16-bit numbers miss it by less than a thousandth.
const LENGTHS: RangeInclusive<f64> = 0.99..=1.01;

/// What the vectors are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The texts.
    pub texts: &'a [String],
    /// The reference vector of each, of length one.
    pub vectors: &'a [Vec<f32>],
    /// Tokens of each after truncation, special tokens included.
    pub token_counts: &'a [u32],
}

/// What a backend answered, one vector for each of the reference's texts in each list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Each text alone.
    pub alone: Vec<Vec<f32>>,
    /// Each text alone once more.
    pub again: Vec<Vec<f32>>,
    /// Several texts in a request.
    pub together: Vec<Vec<f32>>,
    /// Tokens of each text, as the backend counts them; 0 where it does not.
    pub token_counts: Vec<u32>,
}

/// How the answers compare with what was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The class of all vectors, those of single texts and those of several in a request.
    pub class: EquivalenceClass,
    /// Smallest cosine similarity.
    pub min_cosine: f64,
    /// Mean cosine similarity.
    pub mean_cosine: f64,
    /// Index of the text with the smallest.
    pub lowest: usize,
    /// Largest absolute difference of a number.
    pub max_abs_difference: f64,
    /// Largest difference of a vector's length from 1.
    pub max_length_error: f64,
    /// Largest absolute difference between two answers to one request.
    pub repeat_difference: f64,
    /// Largest absolute difference of a text's vector between alone and together with others.
    pub batch_difference: f64,
    /// What is wrong, a sentence each.
    pub findings: Vec<String>,
}

/// The class of vectors whose smallest cosine similarity to the reference is this.
#[must_use]
pub fn class_of(min_cosine: f64) -> EquivalenceClass {
    let found = LEAST.into_iter().find(|(_, least)| min_cosine >= *least);
    found.map_or(EquivalenceClass::Wrong, |(class, _)| class)
}

/// The least cosine similarity of a class; `None` for wrong vectors, which have no bound.
#[must_use]
pub fn least_cosine(class: EquivalenceClass) -> Option<f64> {
    LEAST.into_iter().find(|(known, _)| *known == class).map(|(_, least)| least)
}

/// Compares every answer with its reference vector.
///
/// # Panics
/// When the lists differ in length: the caller asked for one vector of each text.
#[must_use]
pub fn compare(expected: Expected<'_>, answers: &Answers) -> Comparison {
    let texts = expected.vectors.len();
    for list in [&answers.alone, &answers.again, &answers.together] {
        assert_eq!(list.len(), texts, "one vector for each reference text: this is a bug");
    }
    let alone: Vec<f64> = cosines(&answers.alone, expected.vectors);
    let together: Vec<f64> = cosines(&answers.together, expected.vectors);
    let all = || alone.iter().chain(&together).copied();
    let lowest = (0..texts).min_by(|a, b| {
        let of = |index: &usize| alone[*index].min(together[*index]);
        of(a).total_cmp(&of(b))
    });
    let min_cosine = all().fold(f64::INFINITY, f64::min);
    let lengths = answers.alone.iter().chain(&answers.together).map(|vector| quality::length(vector));
    let max_length_error = lengths.map(|length| (length - 1.0).abs()).fold(0.0, f64::max);
    let has_length_one = LENGTHS.contains(&(1.0 + max_length_error));
    // A text that is cut elsewhere is another text, however near its vector is.
    let is_cut = findings::cut_elsewhere(expected, answers, &alone).is_some();
    let class = if has_length_one && !is_cut { class_of(min_cosine) } else { EquivalenceClass::Wrong };
    let differs = |a: &[Vec<f32>], b: &[Vec<f32>]| {
        a.iter().zip(b).map(|(a, b)| quality::largest_difference(a, b)).fold(0.0, f64::max)
    };
    let mut comparison = Comparison {
        class,
        min_cosine,
        mean_cosine: all().sum::<f64>() / (2 * texts).max(1) as f64,
        lowest: lowest.unwrap_or_default(),
        max_abs_difference: differs(&answers.alone, expected.vectors)
            .max(differs(&answers.together, expected.vectors)),
        max_length_error,
        repeat_difference: differs(&answers.alone, &answers.again),
        batch_difference: differs(&answers.alone, &answers.together),
        findings: Vec::new(),
    };
    comparison.findings = findings::of(expected, answers, &comparison, &alone, &together);
    comparison
}

fn cosines(found: &[Vec<f32>], expected: &[Vec<f32>]) -> Vec<f64> {
    found.iter().zip(expected).map(|(found, expected)| cosine(found, expected)).collect()
}

/// How repeated texts fared against new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Median of the repeated text, in nanoseconds.
    pub repeated_ns: u64,
    /// Median of the new texts, in nanoseconds.
    pub new_ns: u64,
    /// Whether the repeated text was hardly computed.
    pub caching: bool,
}

/// A repeat counts as not computed when its median is below this share of a new text's, and every repeat was faster than
/// every new text: of eight pairs that come from one distribution, fewer than one in ten thousand do that.
const HARDLY_COMPUTED: f64 = 0.5;

/// Compares the service times of one text again and again with those of new texts of the same length; `None` without any.
#[must_use]
pub fn repeats(repeated_ns: &[u64], new_ns: &[u64]) -> Option<Repeats> {
    let median = |times: &[u64]| {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        sorted.get(sorted.len().checked_sub(1)? / 2).copied()
    };
    let (repeated, new) = (median(repeated_ns)?, median(new_ns)?);
    let apart = repeated_ns.iter().max() < new_ns.iter().min();
    let caching = apart && (repeated as f64) < HARDLY_COMPUTED * new as f64;
    Some(Repeats { repeated_ns: repeated, new_ns: new, caching })
}
