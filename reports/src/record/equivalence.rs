//! Whether a backend's vectors are those of the model, and what their differences come to in use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a backend's vectors are right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Equivalence {
    /// Not checked, and why.
    NotChecked {
        /// For example `answers without a model`.
        why: String,
    },
    /// Compared with the reference vectors, each text alone and several in a request.
    Checked {
        /// The class that the vectors are in.
        class: EquivalenceClass,
        /// The least class that the scenario accepts.
        accepts: EquivalenceClass,
        /// Whether the backend was accepted.
        accepted: bool,
        /// Texts compared.
        texts: u32,
        /// Smallest cosine similarity to the reference over the texts.
        min_cosine: f64,
        /// Mean cosine similarity.
        mean_cosine: f64,
        /// The text with the smallest cosine similarity, shortened, in quotes.
        lowest: String,
        /// Largest absolute difference of any number from the reference's.
        max_abs_difference: f64,
        /// Largest difference of a vector's length from 1.
        max_length_error: f64,
        /// Largest absolute difference between two answers to the same request: 0 is deterministic.
        repeat_difference: f64,
        /// Largest absolute difference of a text's vector between alone and in a request with others: 0 is batch invariant.
        batch_difference: f64,
        /// What is wrong with the vectors, a sentence each; empty unless something was recognized.
        findings: Vec<String>,
        /// How many of the reference's nearest neighbors are found; absent when the vectors are wrong beyond use.
        #[serde(alias = "neighbours")]
        neighbors: Option<Neighbors>,
        /// How well similarities follow graded ones; absent when the vectors are wrong beyond use.
        graded: Option<GradedPairs>,
    },
}

/// How close vectors are to the reference, closest first. The bounds are in METHODOLOGY.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EquivalenceClass {
    /// The same but for the order of summation.
    Exact,
    /// As far off as 16-bit floating point puts them.
    Fp16,
    /// As far off as careful 8-bit weights put them.
    Int8,
    /// Near the reference, and so are those of every other text: how near says nothing.
    #[serde(rename = "cannot-tell")]
    CannotTell,
    /// Other vectors than the model's.
    Wrong,
}

/// Agreement on nearest neighbors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbors {
    /// Texts whose neighbors were looked for, among each other.
    pub texts: u32,
    /// Neighbors looked for per text.
    pub of: u32,
    /// Mean share of the reference's neighbors that are the backend's too, 0 to 1.
    pub agreement: f64,
}

/// Rank correlation between cosine similarities and grades given by people.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GradedPairs {
    /// Pairs of sentences.
    pub pairs: u32,
    /// Spearman's rank correlation of the backend's similarities with the grades, -1 to 1.
    pub spearman: f64,
    /// The reference's.
    pub reference_spearman: f64,
}
