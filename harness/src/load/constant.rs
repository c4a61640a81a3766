//! The open model with even intervals: a request is due every so often.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::open::{self, Bounds, Endless};
use super::rule::{Limits, LoadKind, LoadModel, ReadFault, Rule, Schedule};
use crate::scenario::LoadSection;

/// The entry in the table of load models.
pub(super) const KIND: LoadKind = LoadKind {
    name: "constant",
    summary: "requests arrive at even intervals, whether or not the one before was answered",
    keys: &["rate", "max_in_flight", "max_queue"],
    fill_in: |_| (),
    at_rate: Some(at_rate),
    read,
};

#[derive(Debug)]
struct Constant {
    rate: f64,
    bounds: Bounds,
}

fn read(section: &LoadSection, _: Option<&Path>) -> Result<LoadModel, Vec<ReadFault>> {
    let mut faults = Vec::new();
    let rate = open::rate(section.rate.as_deref(), "rate", &mut faults);
    let bounds = Bounds::read(section, rate, &mut faults);
    if faults.is_empty() { Ok(Arc::new(Constant { rate, bounds })) } else { Err(faults) }
}

fn at_rate(rate: f64, section: &LoadSection) -> LoadModel {
    Arc::new(Constant { rate, bounds: Bounds::read(section, rate, &mut Vec::new()) })
}

impl Rule for Constant {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn text(&self) -> String {
        format!("constant, {}", open::per_second(self.rate))
    }

    fn note(&self) -> String {
        open::note("arrivals at even intervals")
    }

    fn limits(&self) -> Limits {
        self.bounds.limits()
    }

    fn due_within(&self, time: Duration) -> f64 {
        self.rate * time.as_secs_f64()
    }

    fn schedule(&self, _: u64) -> Box<dyn Schedule> {
        let (rate, mut number) = (self.rate, 0_u64);
        Box::new(Endless(move || {
            // From the count and not by adding gaps, whose rounding would add up.
            let at = Duration::from_secs_f64(number as f64 / rate);
            number += 1;
            Some(at)
        }))
    }
}
