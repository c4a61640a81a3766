//! What is compared and the result, as data: the answers, what was expected, and the classes of vectors.

use std::ops::RangeInclusive;

use tailmark_reports::record::EquivalenceClass;

/// The smallest cosine similarity to the reference that each class allows for any text; the last class allows every one.
/// METHODOLOGY.md has the reasons and the measurements behind them.
const LEAST: [(EquivalenceClass, f64); 3] = [
    (EquivalenceClass::Exact, 0.999_999_9),
    (EquivalenceClass::Fp16, 0.999_5),
    (EquivalenceClass::Int8, 0.95),
];

/// A vector that should have length one may be off by this much. With 16-bit numbers it is off by less than a thousandth.
pub(super) const LENGTHS: RangeInclusive<f64> = 0.99..=1.01;

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

/// What is known about the int8 graph that a backend runs, apart from its vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Graph {
    /// The smallest cosine similarity to torch over these texts when it was made, in exact arithmetic.
    pub exact_cosine: f64,
    /// Whether its weights have 7 bits, so that its products saturate on no processor.
    pub reduced_range: bool,
    /// Whether int8 kernels saturate on this processor, if that is known.
    pub kernels_saturate: Option<bool>,
    /// The command that makes it again.
    pub command: String,
}

/// What a backend answered: each list has one vector for each text of the reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Each text alone.
    pub alone: Vec<Vec<f32>>,
    /// Each text alone once more.
    pub again: Vec<Vec<f32>>,
    /// Several texts in a request.
    pub together: Vec<Vec<f32>>,
    /// Tokens of each text, as the backend counts them; 0 if it does not.
    pub token_counts: Vec<u32>,
}

/// How the answers compare with what was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The class of all vectors, of texts alone and of several in a request.
    pub class: EquivalenceClass,
    /// Smallest cosine similarity.
    pub min_cosine: f64,
    /// Mean cosine similarity.
    pub mean_cosine: f64,
    /// Index of the text that has it.
    pub lowest: usize,
    /// Largest absolute difference of any number from the reference's.
    pub max_abs_difference: f64,
    /// Largest difference of a vector's length from 1.
    pub max_length_error: f64,
    /// Largest absolute difference between two answers to one request.
    pub repeat_difference: f64,
    /// Largest absolute difference between a text's vector alone and among others.
    pub batch_difference: f64,
    /// What is wrong, one sentence for each finding.
    pub findings: Vec<String>,
}

/// The class of vectors whose smallest cosine similarity to the reference is this.
#[must_use]
pub fn class_of(min_cosine: f64) -> EquivalenceClass {
    let found = LEAST.into_iter().find(|(_, least)| min_cosine >= *least);
    found.map_or(EquivalenceClass::Wrong, |(class, _)| class)
}

/// The reference's different texts must be at least this many times as far apart as a class lets a text be from its reference.
const APART: f64 = 2.0;

/// The class, unless every text of the reference is so near every other that it could be another text's vector as well.
///
/// `spread` is the median of `1 - cosine` over pairs of different reference texts: the yardstick for how far is far. A class whose
/// bound is half of that or more would take vectors of another text, hence of another pooling or another model, for right ones.
#[must_use]
pub fn class_within(min_cosine: f64, spread: f64) -> EquivalenceClass {
    let class = class_of(min_cosine);
    match least_cosine(class) {
        Some(least) if (1.0 - least) * APART > spread => EquivalenceClass::CannotTell,
        _ => class,
    }
}

/// The smallest cosine similarity that a class allows; `None` for wrong vectors, which have no bound.
#[must_use]
pub fn least_cosine(class: EquivalenceClass) -> Option<f64> {
    LEAST.into_iter().find(|(known, _)| *known == class).map(|(_, least)| least)
}
