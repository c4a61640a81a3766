//! Reference vectors: what a correct backend answers. Made once by another runtime, read here; the comparison is made
//! elsewhere.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Deserialize;

use super::recipe::Recipe;

/// Texts with the vectors that the model gives for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The model's name.
    pub model: String,
    /// SHA-256 of the weights that gave the vectors.
    pub weights_sha256: String,
    /// What they were made with: library and version.
    pub made_with: BTreeMap<String, String>,
    /// The recipe that they follow; the vectors themselves have length one. `None` where an earlier tailmark wrote them.
    pub recipe: Option<Recipe>,
    /// Length of each vector.
    pub dimensions: u32,
    /// The texts; the empty text may be among them.
    pub texts: Vec<String>,
    /// Tokens of each text after truncation, special tokens included.
    pub token_counts: Vec<u32>,
    /// One vector for each text.
    pub vectors: Vec<Vec<f32>>,
    /// Texts whose nearest neighbours among each other are known; `None` for a model without.
    pub neighbours: Option<KnownNeighbours>,
    /// Pairs of texts with grades of similarity; `None` for a model without.
    pub graded_pairs: Option<GradedPairs>,
}

/// Texts, and which of the others are nearest to each by cosine similarity.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownNeighbours {
    /// SHA-256 of the texts joined by line breaks.
    pub corpus_sha256: String,
    /// How many neighbours are known of each.
    pub of: u32,
    /// The texts.
    pub texts: Vec<String>,
    /// For each text the indices of its neighbours, nearest first.
    pub nearest: Vec<Vec<u32>>,
}

/// Pairs of texts with the similarity that people see in them, and the one that the reference sees.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradedPairs {
    /// The pairs.
    pub pairs: Vec<GradedPair>,
    /// The reference's cosine similarity of each.
    pub cosines: Vec<f64>,
    /// Spearman's rank correlation of those with the grades.
    pub spearman: f64,
}

/// Two texts and how similar they are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradedPair {
    /// One text.
    pub a: String,
    /// The other.
    pub b: String,
    /// From 0, nothing in common, to 5, the same meaning.
    pub grade: f32,
}

/// The file as it is written: vectors are base64 of little-endian binary32. An earlier tailmark wrote length and pooling in place
/// of the recipe; they are read past.
#[derive(Deserialize)]
struct Written {
    model: String,
    weights_sha256: String,
    made_with: BTreeMap<String, String>,
    #[serde(default)]
    recipe: Option<Recipe>,
    dimensions: u32,
    texts: Vec<String>,
    token_counts: Vec<u32>,
    vectors: Vec<String>,
    #[serde(default)]
    neighbours: Option<KnownNeighbours>,
    #[serde(default)]
    graded_pairs: Option<GradedPairs>,
}

impl Reference {
    /// Reads `reference.json`; the error is one sentence.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let texts = written.texts.len();
        if written.vectors.len() != texts || written.token_counts.len() != texts {
            let (vectors, counts) = (written.vectors.len(), written.token_counts.len());
            return Err(format!("{texts} texts have {vectors} vectors and {counts} token counts"));
        }
        let vectors: Vec<Vec<f32>> =
            written.vectors.iter().map(|text| numbers(text)).collect::<Result<_, _>>()?;
        if let Some(KnownNeighbours { texts, nearest, .. }) = &written.neighbours {
            let all = texts.len();
            let is_one = |index: &u32| (*index as usize) < all;
            if nearest.len() != all || !nearest.iter().flatten().all(is_one) {
                return Err(format!(
                    "the neighbours of {} of {all} texts, or of texts that are not there",
                    nearest.len()
                ));
            }
        }
        match vectors.iter().position(|vector| vector.len() != written.dimensions as usize) {
            Some(at) => Err(format!(
                "vector {at} has {} numbers, and {} were promised",
                vectors[at].len(),
                written.dimensions
            )),
            None => Ok(Self {
                model: written.model,
                weights_sha256: written.weights_sha256,
                made_with: written.made_with,
                recipe: written.recipe,
                dimensions: written.dimensions,
                texts: written.texts,
                token_counts: written.token_counts,
                vectors,
                neighbours: written.neighbours,
                graded_pairs: written.graded_pairs,
            }),
        }
    }
}

fn numbers(text: &str) -> Result<Vec<f32>, String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| error.to_string())?;
    let (chunks, rest) = bytes.as_chunks::<4>();
    if rest.is_empty() {
        Ok(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
    } else {
        Err(format!("a vector of {} bytes is no row of 4-byte numbers", bytes.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(dimensions: u32, vector: &str) -> String {
        format!(
            r#"{{"model": "m", "weights_sha256": "00", "made_with": {{"torch": "2"}}, "dimensions": {dimensions}, "texts": ["a"],
                "token_counts": [3], "vectors": ["{vector}"]}}"#
        )
    }

    #[test]
    fn vectors_are_little_endian_binary32() {
        let reference = Reference::parse(&json(2, "AACAPwAAAMA=")).unwrap();
        assert_eq!(reference.vectors, [[1.0, -2.0]]);
    }

    #[test]
    fn a_vector_of_the_wrong_length_is_refused() {
        let error = Reference::parse(&json(3, "AACAPwAAAMA=")).unwrap_err();
        assert_eq!(error, "vector 0 has 2 numbers, and 3 were promised");
    }
}
