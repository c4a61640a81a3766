//! Token vectors to one vector per text: the mean over the tokens that are not padding or the first of them, and scaling
//! to length one.
//! Knows no runtime; padding is on the right, so a count of tokens says all that a mask would.

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

/// The mean of each text's first `token_counts[text]` token vectors, row-major `[texts, dimensions]`.
///
/// A text of no tokens has the zero vector.
#[must_use]
pub fn mean(tokens: TokenVectors<'_>, token_counts: &[u32]) -> Vec<f32> {
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
#[must_use]
pub fn first(tokens: TokenVectors<'_>, token_counts: &[u32]) -> Vec<f32> {
    let TokenVectors { values, sequence, dimensions } = tokens;
    let mut firsts = vec![0.0_f32; token_counts.len() * dimensions];
    let rows = firsts.chunks_exact_mut(dimensions).zip(values.chunks_exact(sequence * dimensions));
    for ((first, text), _) in rows.zip(token_counts).filter(|(_, count)| **count > 0) {
        first.copy_from_slice(&text[..dimensions]);
    }
    firsts
}

/// Scales each row of `dimensions` numbers to length one; a zero row stays zero.
pub fn normalize(rows: &mut [f32], dimensions: usize) {
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
        normalize(&mut rows, 2);
        assert_eq!(rows, [0.6, 0.8, 0.0, -1.0]);
    }

    #[test]
    fn rows_longer_than_a_block_are_scaled_by_all_their_numbers() {
        let mut row = [1.0_f32; 19];
        normalize(&mut row, 19);
        let length = row.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }

    #[test]
    fn a_zero_vector_stays_zero() {
        let mut row = [0.0_f32; 16];
        normalize(&mut row, 16);
        assert_eq!(row, [0.0; 16]);
    }
}
