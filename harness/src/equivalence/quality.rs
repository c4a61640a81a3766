//! What vectors are used for: similarities, nearest neighbors and rank correlation.

/// Cosine similarity; 0 if the lengths differ or a vector is zero, because neither is ever right.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return 0.0;
    }
    let norms = length(a) * length(b);
    if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// How far apart different vectors are: the median of `1 - cosine` over all pairs; `None` without a pair.
#[must_use]
pub(super) fn spread(vectors: &[Vec<f32>]) -> Option<f64> {
    let pairs = (0..vectors.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let mut distances: Vec<f64> = pairs.map(|(a, b)| 1.0 - cosine(&vectors[a], &vectors[b])).collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len().checked_sub(1)? / 2).copied()
}

/// Euclidean length.
pub(super) fn length(vector: &[f32]) -> f64 {
    dot(vector, vector).sqrt()
}

/// Largest absolute difference between two numbers at the same position.
pub(super) fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs()).fold(0.0, f64::max)
}

/// The mean share of the reference's nearest neighbors that are also nearest neighbors by these vectors. Neighbors are searched
/// for among all other vectors, by cosine similarity.
///
/// `nearest` has the indices of each vector's neighbors in the reference. 1 is full agreement; chance alone gives the number
/// of neighbors divided by the number of other vectors. `None` without vectors.
#[must_use]
pub fn nearest_agreement(nearest: &[Vec<u32>], vectors: &[Vec<f32>]) -> Option<f64> {
    let shares = nearest.iter().zip(vectors).enumerate().map(|(own, (expected, vector))| {
        let mut others: Vec<(f64, usize)> = vectors
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != own)
            .map(|(index, other)| (cosine(vector, other), index))
            .collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let found = others.iter().take(expected.len());
        let common = found.filter(|(_, index)| expected.iter().any(|one| *one as usize == *index)).count();
        common as f64 / expected.len().max(1) as f64
    });
    let shares: Vec<f64> = shares.collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

/// Spearman's rank correlation: Pearson's correlation of the ranks, where equal numbers share the mean of their ranks (Spearman
/// 1904; Kendall & Gibbons, Rank Correlation Methods, 5th ed., 3.8). Between -1 and 1; `None` for fewer than two pairs, or
/// if all numbers on one side are equal.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 {
        return None;
    }
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let moment = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = (moment(&a, &a) * moment(&b, &b)).sqrt();
    (spread > 0.0).then(|| moment(&a, &b) / spread)
}

/// The rank of each number, from 1; equal numbers share the mean of their ranks.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut first = 0;
    for group in order.chunk_by(|a, b| numbers[*a] == numbers[*b]) {
        let shared = first as f64 + (group.len() as f64 + 1.0) / 2.0;
        for index in group {
            ranks[*index] = shared;
        }
        first += group.len();
    }
    ranks
}
