//! A recipe's head: the vectors of a text's tokens become the text's, module by module, in the recipe's order.
//! Knows no runtime; padding is at the right, so a count of tokens says all that a mask would.

use super::recipe::{Module, PoolingMode, Recipe, RecipeError};

/// The smallest length a vector is divided by, so that a zero vector stays zero (as torch's `normalize` does).
const SMALLEST_NORM: f32 = 1e-12;

/// Where the token vectors of a batch lie: row-major `[texts, sequence, dimensions]`.
#[derive(Clone, Copy, Debug)]
pub struct TokenVectors<'a> {
    /// `texts * sequence * dimensions` numbers.
    pub values: &'a [f32],
    /// Tokens per text, padding included.
    pub sequence: usize,
    /// Length of one token's vector.
    pub dimensions: usize,
}

/// The modules of a recipe's head, known to fit one another and the model's token vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pooling: PoolingMode,
    /// Those after the pooling.
    modules: Vec<Module>,
    dimensions: u32,
}

impl Head {
    /// The head of a recipe, for token vectors of this length.
    ///
    /// # Errors
    /// When the recipe cannot be followed, or a module asks for more numbers than the one before it gives.
    pub fn new(recipe: &Recipe, token_dimensions: u32) -> Result<Self, RecipeError> {
        recipe.check()?;
        let Some((Module::Pooling { mode }, modules)) = recipe.head.split_first() else {
            unreachable!("a recipe that was checked begins with a pooling: this is a bug")
        };
        let mut dimensions = token_dimensions;
        for module in modules {
            dimensions = match module {
                Module::Pooling { .. } | Module::Normalize => dimensions,
                Module::Truncate { dimensions: kept } if (1..=dimensions).contains(kept) => *kept,
                Module::Truncate { dimensions: kept } => {
                    return Err(RecipeError(format!(
                        "it keeps {kept} numbers of a vector that has {dimensions}; between 1 and {dimensions} are possible"
                    )));
                }
            };
        }
        Ok(Self { pooling: *mode, modules: modules.to_vec(), dimensions })
    }

    /// The length of a text's vector.
    #[must_use]
    pub fn dimensions(&self) -> u32 {
        self.dimensions
    }

    /// The vector of each text, row-major `[texts, dimensions]`. With `normalize` it has length one, whatever the last module is.
    ///
    /// A text of no tokens has the zero vector.
    #[must_use]
    pub fn apply(&self, tokens: TokenVectors<'_>, token_counts: &[u32], normalize: bool) -> Vec<f32> {
        let mut vectors = match self.pooling {
            PoolingMode::Mean => mean(tokens, token_counts),
            PoolingMode::Cls => first(tokens, token_counts),
        };
        let mut dimensions = tokens.dimensions;
        for module in &self.modules {
            match module {
                Module::Pooling { .. } => {}
                Module::Truncate { dimensions: kept } => {
                    vectors = truncated(&vectors, dimensions, *kept as usize);
                    dimensions = *kept as usize;
                }
                Module::Normalize => normalize_rows(&mut vectors, dimensions),
            }
        }
        // A second time would move the last digits, and the usual model ends in it.
        if normalize && self.modules.last() != Some(&Module::Normalize) {
            normalize_rows(&mut vectors, dimensions);
        }
        vectors
    }
}

/// The mean of each text's first `token_counts[text]` token vectors, row-major `[texts, dimensions]`.
///
/// A text of no tokens has the zero vector.
fn mean(tokens: TokenVectors<'_>, token_counts: &[u32]) -> Vec<f32> {
    let TokenVectors { values, sequence, dimensions } = tokens;
    let mut means = vec![0.0_f32; token_counts.len() * dimensions];
    let rows = means.chunks_exact_mut(dimensions).zip(values.chunks_exact(sequence * dimensions));
    for ((mean, text), &count) in rows.zip(token_counts) {
        for token in text.chunks_exact(dimensions).take(count as usize) {
            for (sum, number) in mean.iter_mut().zip(token) {
                *sum += number;
            }
        }
        let divisor = count.max(1) as f32;
        for sum in mean {
            *sum /= divisor;
        }
    }
    means
}

/// Each text's first token vector, row-major `[texts, dimensions]`.
///
/// A text of no tokens has the zero vector.
fn first(tokens: TokenVectors<'_>, token_counts: &[u32]) -> Vec<f32> {
    let TokenVectors { values, sequence, dimensions } = tokens;
    let mut firsts = vec![0.0_f32; token_counts.len() * dimensions];
    let rows = firsts.chunks_exact_mut(dimensions).zip(values.chunks_exact(sequence * dimensions));
    for ((first, text), _) in rows.zip(token_counts).filter(|(_, count)| **count > 0) {
        first.copy_from_slice(&text[..dimensions]);
    }
    firsts
}

/// The first `kept` numbers of each row.
fn truncated(rows: &[f32], dimensions: usize, kept: usize) -> Vec<f32> {
    rows.chunks_exact(dimensions).flat_map(|row| &row[..kept]).copied().collect()
}

/// Scales each row of `dimensions` numbers to length one; a zero row stays zero.
fn normalize_rows(rows: &mut [f32], dimensions: usize) {
    for row in rows.chunks_exact_mut(dimensions) {
        let scale = sum_of_squares(row).sqrt().max(SMALLEST_NORM).recip();
        for number in row {
            *number *= scale;
        }
    }
}

/// Eight sums side by side: one running sum could not be vectorized, because floating-point addition is not associative
/// and the compiler may not regroup it.
fn sum_of_squares(row: &[f32]) -> f32 {
    let (blocks, rest) = row.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for block in blocks {
        for (sum, number) in sums.iter_mut().zip(block) {
            *sum += number * number;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|number| number * number).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_of_the_mean() {
        let values = [
            1.0, 2.0, 3.0, 4.0, 900.0, 900.0, // two tokens and one of padding
            5.0, 6.0, 900.0, 900.0, 900.0, 900.0, // one token and two of padding
        ];
        let tokens = TokenVectors { values: &values, sequence: 3, dimensions: 2 };
        assert_eq!(mean(tokens, &[2, 1]), [2.0, 3.0, 5.0, 6.0]);
    }

    #[test]
    fn a_text_of_no_tokens_has_the_zero_vector() {
        let tokens = TokenVectors { values: &[7.0, 7.0], sequence: 1, dimensions: 2 };
        assert_eq!(mean(tokens, &[0]), [0.0, 0.0]);
    }

    #[test]
    fn the_first_token_is_the_texts_own_and_not_that_of_its_neighbour() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.0, 9.0, 9.0];
        let tokens = TokenVectors { values: &values, sequence: 2, dimensions: 2 };
        assert_eq!(first(tokens, &[2, 1, 0]), [1.0, 2.0, 5.0, 6.0, 0.0, 0.0]);
    }

    #[test]
    fn each_row_is_scaled_to_length_one() {
        let mut rows = [3.0, 4.0, 0.0, -2.0];
        normalize_rows(&mut rows, 2);
        assert_eq!(rows, [0.6, 0.8, 0.0, -1.0]);
    }

    #[test]
    fn rows_longer_than_a_block_are_scaled_by_all_their_numbers() {
        let mut row = [1.0_f32; 19];
        normalize_rows(&mut row, 19);
        let length = row.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }

    #[test]
    fn a_zero_vector_stays_zero() {
        let mut row = [0.0_f32; 16];
        normalize_rows(&mut row, 16);
        assert_eq!(row, [0.0; 16]);
    }

    /// One row of the committed suite, which the Python package runs too: what a head makes of token vectors.
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        name: String,
        head: Vec<Module>,
        /// `[texts, sequence, dimensions]`.
        tokens: Vec<Vec<Vec<f32>>>,
        /// One for a token, zero for padding.
        attention_mask: Vec<Vec<u32>>,
        normalize: bool,
        vectors: Vec<Vec<f32>>,
    }

    #[test]
    fn every_example_of_the_suite_has_the_vectors_that_it_says() {
        let suite = include_str!("../../conformance/recipes/heads.json");
        let examples: Vec<Example> = serde_json::from_str(suite).unwrap();
        assert!(examples.len() >= 8, "only {} examples", examples.len());
        for example in examples {
            let (sequence, dimensions) = (example.tokens[0].len(), example.tokens[0][0].len());
            let recipe = Recipe { head: example.head, ..Recipe::pooling(PoolingMode::Mean, 8) };
            let head = Head::new(&recipe, dimensions as u32).unwrap();
            let values: Vec<f32> = example.tokens.into_iter().flatten().flatten().collect();
            let tokens = TokenVectors { values: &values, sequence, dimensions };
            let counts: Vec<u32> = example.attention_mask.iter().map(|mask| mask.iter().sum()).collect();
            let found = head.apply(tokens, &counts, example.normalize);
            let expected: Vec<f32> = example.vectors.concat();
            assert_eq!(found.len(), expected.len(), "{}", example.name);
            assert_eq!(head.dimensions() as usize, expected.len() / counts.len(), "{}", example.name);
            let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest <= 1e-6, "{}: {found:?}, expected {expected:?}", example.name);
        }
    }

    #[test]
    fn a_head_that_keeps_more_numbers_than_there_are_is_refused() {
        let mut recipe = Recipe::pooling(PoolingMode::Mean, 8);
        recipe.head.push(Module::Truncate { dimensions: 9 });
        assert_eq!(Head::new(&recipe, 9).unwrap().dimensions(), 9);
        let error = Head::new(&recipe, 8).unwrap_err().to_string();
        assert!(
            error.ends_with("it keeps 9 numbers of a vector that has 8; between 1 and 8 are possible"),
            "{error}"
        );
    }
}
