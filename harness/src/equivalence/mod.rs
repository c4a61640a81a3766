//! How far a backend's vectors are from the reference: which class they are in, what is wrong with them if that can be
//! recognized, and what the difference means in use. Functions of numbers; knows no provider.

mod comparison;
mod findings;
mod quality;
#[cfg(test)]
mod tests;

use comparison::LENGTHS;
pub use comparison::{Answers, Comparison, Expected, Int8Graph, class_of, class_within, least_cosine};
pub use findings::quoted;
pub use quality::{cosine, nearest_agreement, spearman};
use tailmark_reports::record::EquivalenceClass;

/// Compares every answer with its reference vector. `int8` is what is known of the graph, if it is one of int8.
///
/// # Panics
/// When the lists differ in length: the caller asked for one vector of each text.
#[must_use]
pub fn compare(expected: Expected<'_>, answers: &Answers, int8: Option<&Int8Graph>) -> Comparison {
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
    // A text that is truncated elsewhere is a different text, however close its vector is.
    let is_cut = findings::cut_elsewhere(expected, answers, &alone).is_some();
    let spread = quality::spread(expected.vectors);
    let class = match spread {
        _ if !has_length_one || is_cut => EquivalenceClass::Wrong,
        Some(spread) => class_within(min_cosine, spread),
        None => class_of(min_cosine),
    };
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
    comparison.findings = findings::of(expected, answers, &comparison, &alone, &together, int8);
    if let (EquivalenceClass::CannotTell, Some(spread)) = (comparison.class, spread) {
        comparison.findings.push(format!(
            "the reference vectors of different texts are nearly parallel (their median cosine similarity is {:.5}), so a cosine of \
             {min_cosine:.5} does not tell the model's vectors from others: the weights are probably not trained",
            1.0 - spread
        ));
    }
    comparison
}

fn cosines(found: &[Vec<f32>], expected: &[Vec<f32>]) -> Vec<f64> {
    found.iter().zip(expected).map(|(found, expected)| cosine(found, expected)).collect()
}

/// How fast repeated texts are answered, compared with new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Median of the repeated text, in nanoseconds.
    pub repeated_ns: u64,
    /// Median of the new texts, in nanoseconds.
    pub new_ns: u64,
    /// Whether the repeated text was probably not computed again.
    pub caching: bool,
}

/// Repeats count as not computed if their median is below this share of the new texts' and every repeat was faster than every
/// new text. If both came from one distribution, eight pairs would do that less than once in ten thousand times.
const NOT_COMPUTED: f64 = 0.5;

/// Compares the service times of one repeated text with those of new texts of the same length; `None` without any.
#[must_use]
pub fn repeats(repeated_ns: &[u64], new_ns: &[u64]) -> Option<Repeats> {
    let median = |times: &[u64]| {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        sorted.get(sorted.len().checked_sub(1)? / 2).copied()
    };
    let (repeated, new) = (median(repeated_ns)?, median(new_ns)?);
    let apart = repeated_ns.iter().max() < new_ns.iter().min();
    let caching = apart && (repeated as f64) < NOT_COMPUTED * new as f64;
    Some(Repeats { repeated_ns: repeated, new_ns: new, caching })
}
