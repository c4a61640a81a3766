//! The first module of a head: the vectors of a text's tokens become one.

use std::ops::Range;

use super::numbers::dot;
use crate::model::recipe::PoolingMode;

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

/// How tokens are pooled.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    /// One or more, whose vectors are put side by side.
    pub(super) modes: Vec<PoolingMode>,
    /// Whether the prompt's tokens are pooled.
    pub(super) include_prompt: bool,
    /// With how many tokens of a prompt each text begins.
    pub(super) prompt_tokens: u32,
}

impl Pool {
    /// One vector for each text, row-major.
    ///
    /// A text of no tokens has the zero vector, and so has one that is all prompt if the prompt is left out; but for CLS pooling,
    /// which then takes the first token of all.
    pub(super) fn apply(&self, tokens: TokenVectors<'_>, token_counts: &[u32]) -> Vec<f32> {
        let TokenVectors { values, sequence, dimensions } = tokens;
        let width = self.modes.len() * dimensions;
        let mut pooled = vec![0.0_f32; token_counts.len() * width];
        let rows = pooled.chunks_exact_mut(width).zip(values.chunks_exact((sequence * dimensions).max(1)));
        for ((row, text), &count) in rows.zip(token_counts) {
            let count = count as usize;
            let left_out = if self.include_prompt { 0 } else { (self.prompt_tokens as usize).min(count) };
            for (mode, out) in self.modes.iter().zip(row.chunks_exact_mut(dimensions)) {
                pool(*mode, text, left_out..count, out);
            }
        }
        pooled
    }
}

/// Pools a range of a text's tokens into `out`, which is zero.
fn pool(mode: PoolingMode, text: &[f32], range: Range<usize>, out: &mut [f32]) {
    let dimensions = out.len();
    let token = |at: usize| &text[at * dimensions..][..dimensions];
    match mode {
        PoolingMode::Cls => {
            let first = if range.is_empty() { 0 } else { range.start };
            if range.end > 0 {
                out.copy_from_slice(token(first));
            }
        }
        PoolingMode::Last if !range.is_empty() => out.copy_from_slice(token(range.end - 1)),
        PoolingMode::Max if !range.is_empty() => {
            out.copy_from_slice(token(range.start));
            for at in range.skip(1) {
                for (largest, number) in out.iter_mut().zip(token(at)) {
                    *largest = largest.max(*number);
                }
            }
        }
        PoolingMode::Last | PoolingMode::Max => {}
        PoolingMode::Mean => {
            let divisor = range.len().max(1) as f32;
            sum(text, range, out);
            out.iter_mut().for_each(|sum| *sum /= divisor);
        }
        PoolingMode::MeanSqrtLen => {
            let divisor = (range.len().max(1) as f32).sqrt();
            sum(text, range, out);
            out.iter_mut().for_each(|sum| *sum /= divisor);
        }
        PoolingMode::WeightedMean => {
            let mut weights = 0.0_f32;
            for at in range {
                let weight = (at + 1) as f32;
                weights += weight;
                for (sum, number) in out.iter_mut().zip(token(at)) {
                    *sum += weight * number;
                }
            }
            out.iter_mut().for_each(|sum| *sum /= weights.max(1.0));
        }
    }
}

fn sum(text: &[f32], range: Range<usize>, out: &mut [f32]) {
    let dimensions = out.len();
    for token in text.chunks_exact(dimensions).take(range.end).skip(range.start) {
        for (sum, number) in out.iter_mut().zip(token) {
            *sum += number;
        }
    }
}

/// Scales each row of `dimensions` numbers to length one; a zero row stays zero.
pub(super) fn normalize_rows(rows: &mut [f32], dimensions: usize) {
    for row in rows.chunks_exact_mut(dimensions) {
        let scale = dot(row, row).sqrt().max(SMALLEST_NORM).recip();
        for number in row {
            *number *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(mode: PoolingMode, tokens: TokenVectors<'_>, counts: &[u32]) -> Vec<f32> {
        Pool { modes: vec![mode], include_prompt: true, prompt_tokens: 0 }.apply(tokens, counts)
    }

    #[test]
    fn padding_is_left_out_of_the_mean() {
        let values = [
            1.0, 2.0, 3.0, 4.0, 900.0, 900.0, // two tokens and one of padding
            5.0, 6.0, 900.0, 900.0, 900.0, 900.0, // one token and two of padding
        ];
        let tokens = TokenVectors { values: &values, sequence: 3, dimensions: 2 };
        assert_eq!(pooled(PoolingMode::Mean, tokens, &[2, 1]), [2.0, 3.0, 5.0, 6.0]);
    }

    #[test]
    fn a_text_of_no_tokens_has_the_zero_vector_in_every_mode() {
        let tokens = TokenVectors { values: &[7.0, 7.0], sequence: 1, dimensions: 2 };
        for mode in [
            PoolingMode::Mean,
            PoolingMode::Cls,
            PoolingMode::Max,
            PoolingMode::MeanSqrtLen,
            PoolingMode::WeightedMean,
            PoolingMode::Last,
        ] {
            assert_eq!(pooled(mode, tokens, &[0]), [0.0, 0.0], "{mode:?}");
            let nothing = TokenVectors { values: &[], sequence: 0, dimensions: 2 };
            assert_eq!(pooled(mode, nothing, &[0]), [0.0, 0.0], "{mode:?}, no tokens in the whole batch");
        }
    }

    #[test]
    fn the_first_token_is_the_texts_own_and_not_that_of_its_neighbour() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.0, 9.0, 9.0];
        let tokens = TokenVectors { values: &values, sequence: 2, dimensions: 2 };
        assert_eq!(pooled(PoolingMode::Cls, tokens, &[2, 1, 0]), [1.0, 2.0, 5.0, 6.0, 0.0, 0.0]);
    }

    #[test]
    fn a_prompt_is_left_out_and_keeps_its_place_in_the_weights() {
        let tokens = TokenVectors { values: &[9.0, 2.0, 5.0, 7.0], sequence: 4, dimensions: 1 };
        let without =
            |mode| Pool { modes: vec![mode], include_prompt: false, prompt_tokens: 1 }.apply(tokens, &[3])[0];
        assert_eq!(without(PoolingMode::Mean), 3.5);
        assert_eq!(without(PoolingMode::Cls), 2.0);
        assert_eq!(without(PoolingMode::Max), 5.0);
        assert_eq!(without(PoolingMode::Last), 5.0);
        assert_eq!(without(PoolingMode::WeightedMean), (2.0 * 2.0 + 3.0 * 5.0) / 5.0);
        let cut = Pool { modes: vec![PoolingMode::Cls], include_prompt: false, prompt_tokens: 8 };
        assert_eq!(cut.apply(tokens, &[3]), [9.0], "all of the text is prompt");
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
}
