//! Two backends that were driven in turn, block by block: the ratio of each figure, with an interval that respects fresh processes.
//!
//! What drifts on the machine falls on both alike, since the blocks of one lie between those of the other. What a process brings with it
//! does not, so a replicate, a fresh process of each, is what counts as a draw (Kalibera & Jones, Rigorous Benchmarking in Reasonable
//! Time, ISMM 2013). Of a single replicate the pairs of blocks take their place: they tell of these two processes alone.
//!
//! The interval is the delete-one jackknife of the logarithm of the ratio, with the t quantile of one degree of freedom less than there
//! are draws. How often it covers the truth stands beside the hierarchical bootstrap of the same figures in
//! `examples/paired_errors.rs`.

use super::ratio::{Estimate, jackknife};
use super::unit::{Figure, Unit};
use crate::sample::Sample;

/// The first of the two, or the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    First,
    /// What is compared.
    Second,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    pub(super) fn index(self) -> usize {
        usize::from(self == Self::Second)
    }
}

/// What was seen of two backends.
#[derive(Clone, Debug, Default)]
pub struct Paired {
    replicates: Vec<Vec<Pair>>,
}

/// A block of each.
type Pair = [Unit; 2];

impl Paired {
    /// A fresh process of each follows.
    pub fn begin_replicate(&mut self) {
        self.replicates.push(Vec::new());
    }

    /// A block of each follows.
    pub fn begin_pair(&mut self) {
        if let Some(pairs) = self.replicates.last_mut() {
            pairs.push(Pair::default());
        }
    }

    /// Adds a request of the present pair.
    pub fn add(&mut self, side: Side, sample: &Sample) {
        if let Some(pair) = self.replicates.last_mut().and_then(|pairs| pairs.last_mut()) {
            pair[side.index()].add(sample);
        }
    }

    /// Forgets the present replicate.
    pub fn drop_replicate(&mut self) {
        self.replicates.pop();
    }

    /// Replicates.
    #[must_use]
    pub fn replicates(&self) -> usize {
        self.replicates.len()
    }

    /// Requests of each side, failed ones too.
    #[must_use]
    pub fn requests(&self) -> [u64; 2] {
        [Side::First, Side::Second].map(|side| self.all(side).iter().map(|unit| unit.requests()).sum())
    }

    /// A figure of one side over everything.
    #[must_use]
    pub fn figure(&self, side: Side, figure: Figure) -> Option<f64> {
        figure.of_units(&self.all(side))
    }

    /// The second's figure divided by the first's, and how far that varies from draw to draw.
    #[must_use]
    pub fn estimate(&self, figure: Figure) -> Option<Estimate> {
        let ratio = |draws: &[&[Pair]]| {
            let of = |side: Side| {
                let pairs = draws.iter().flat_map(|pairs| pairs.iter());
                figure.of_units(&pairs.map(|pair| &pair[side.index()]).collect::<Vec<_>>())
            };
            Some(of(Side::Second)? / of(Side::First)?)
        };
        match self.replicates.as_slice() {
            [only] => jackknife(only, |pairs| {
                ratio(&pairs.iter().map(|pair| std::slice::from_ref(*pair)).collect::<Vec<_>>())
            }),
            several => jackknife(several, |draws| {
                ratio(&draws.iter().map(|pairs| pairs.as_slice()).collect::<Vec<_>>())
            }),
        }
    }

    fn all(&self, side: Side) -> Vec<&Unit> {
        self.replicates.iter().flatten().map(|pair| &pair[side.index()]).collect()
    }
}

#[cfg(test)]
mod tests;
