//! Two backends in turn once more, from their samples: what a run compared, in the order in which it did.

use tailmark_reports::record::{Pairing, Phase};

use crate::pairing::{self, Comparing, Question};
use crate::sample::Sample;
use crate::statistics::paired::Side;

/// A pairing, as far as its samples were read.
pub(super) struct PairedAgain<'a> {
    recorded: &'a Pairing,
    /// The names in the samples: of the first, of the second, of the control.
    names: [String; 3],
    comparing: Comparing,
    control: Option<Comparing>,
    /// The replicate and the block of the last sample.
    present: Option<(usize, u64)>,
}

impl<'a> PairedAgain<'a> {
    pub(super) fn of(recorded: &'a Pairing) -> Self {
        let Pairing { first, second, quantile, within, confidence, .. } = recorded;
        let question = Question { quantile: *quantile, within: *within, confidence: *confidence };
        let second = if first == second { pairing::again(first) } else { second.clone() };
        Self {
            recorded,
            names: [first.clone(), second, pairing::control(first)],
            comparing: Comparing::new(question),
            control: recorded.control.as_ref().map(|_| Comparing::new(question)),
            present: None,
        }
    }

    /// Whether samples of that name belong to it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    pub(super) fn add(&mut self, name: &str, sample: &Sample) {
        let Some(member) = self.names.iter().position(|known| known == name) else { return };
        let counts = |restarts: &Vec<u32>| restarts.get(member) == Some(&sample.restart);
        let replicate = self.recorded.replicates.iter().position(counts);
        let Some(replicate) = replicate.filter(|_| sample.phase == Phase::Steady) else { return };
        self.go_to(replicate, sample.number / self.recorded.requests.max(1));
        match member {
            0 => {
                self.comparing.add(Side::First, sample);
                self.control.iter_mut().for_each(|control| control.add(Side::First, sample));
            }
            1 => self.comparing.add(Side::Second, sample),
            _ => self.control.iter_mut().for_each(|control| control.add(Side::Second, sample)),
        }
    }

    /// Begins the replicate and the pair of blocks, if it is not in them.
    fn go_to(&mut self, replicate: usize, block: u64) {
        if self.present == Some((replicate, block)) {
            return;
        }
        self.look();
        if self.present.map(|(present, _)| present) != Some(replicate) {
            self.comparing.begin_replicate();
            self.control.iter_mut().for_each(Comparing::begin_replicate);
        }
        self.comparing.begin_pair();
        self.control.iter_mut().for_each(Comparing::begin_pair);
        self.present = Some((replicate, block));
    }

    /// A run looks after every second pair of blocks.
    fn look(&mut self) {
        let is_second = |(_, block): (usize, u64)| block % u64::from(self.recorded.blocks.max(1)) % 2 == 1;
        if self.present.is_some_and(is_second) {
            self.comparing.look();
        }
    }

    /// The pairing as the samples give it; what they do not show is the record's.
    pub(super) fn finish(&mut self) -> Pairing {
        self.look();
        Pairing {
            figures: self.comparing.figures(),
            control: self.control.as_ref().map(Comparing::figures),
            sequential: self.comparing.sequential(),
            ..self.recorded.clone()
        }
    }
}
