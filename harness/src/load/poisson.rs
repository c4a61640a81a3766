//! The open model of many independent callers: arrivals are a Poisson process, so gaps are exponential.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp1};

use super::open::{self, Bounds, Endless};
use super::rule::{Limits, LoadKind, LoadModel, ReadFault, Rule, Schedule};
use crate::scenario::LoadSection;

/// The entry in the table of load models.
pub(super) const KIND: LoadKind = LoadKind {
    name: "poisson",
    summary: "requests arrive at random, like those of many independent callers",
    keys: &["rate", "seed", "max_in_flight", "max_queue"],
    fill_in: |load| {
        load.seed.get_or_insert(1);
    },
    at_rate: Some(at_rate),
    read,
};

#[derive(Debug)]
struct Poisson {
    rate: f64,
    seed: u64,
    bounds: Bounds,
}

fn read(section: &LoadSection, _: Option<&Path>) -> Result<LoadModel, Vec<ReadFault>> {
    let mut faults = Vec::new();
    let rate = open::rate(section.rate.as_deref(), "rate", &mut faults);
    let bounds = Bounds::read(section, rate, &mut faults);
    let seed = section.seed.unwrap_or(1);
    if faults.is_empty() { Ok(Arc::new(Poisson { rate, seed, bounds })) } else { Err(faults) }
}

fn at_rate(rate: f64, section: &LoadSection) -> LoadModel {
    let bounds = Bounds::read(section, rate, &mut Vec::new());
    Arc::new(Poisson { rate, seed: section.seed.unwrap_or(1), bounds })
}

impl Rule for Poisson {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn text(&self) -> String {
        format!("poisson, {}", open::per_second(self.rate))
    }

    fn note(&self) -> String {
        open::note("Poisson arrivals, like those of many independent callers")
    }

    fn limits(&self) -> Limits {
        self.bounds.limits()
    }

    fn due_within(&self, time: Duration) -> f64 {
        self.rate * time.as_secs_f64()
    }

    fn schedule(&self, stream: u64) -> Box<dyn Schedule> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(stream);
        let (rate, mut at) = (self.rate, 0.0_f64);
        Box::new(Endless(move || {
            let gap: f64 = Exp1.sample(&mut random);
            at += gap / rate;
            Some(Duration::from_secs_f64(at))
        }))
    }
}
