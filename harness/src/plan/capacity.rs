//! What `[capacity]` asks for: the load model of its rates, and which rates.

use std::time::Duration;

use super::resolve::{Faults, key};
use crate::load::{self, LoadModel};
use crate::scenario::{self, LoadSection, Scenario};

/// Which rates are to be certified for each backend.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityPlan {
    /// `poisson` or `constant`.
    pub load: String,
    /// Which rates.
    pub levels: Levels,
    /// How long each try of the search lasts at most.
    pub probe: Duration,
    bounds: LoadSection,
}

/// The rates to certify, in requests per second, rising.
#[derive(Clone, Debug, PartialEq)]
pub enum Levels {
    /// So many, declared after a search.
    Found(u32),
    /// These.
    Given(Vec<f64>),
}

impl CapacityPlan {
    /// The load of one rate, in requests per second.
    #[must_use]
    pub fn at(&self, rate: f64) -> LoadModel {
        load::at_rate(&self.load, rate, self.bounds.seed.unwrap_or(1), &self.bounds)
            .expect("a load that was looked up: this is a bug")
    }
}

/// Reads `[capacity]`; `written` is the load as the file has it, without defaults.
pub(super) fn capacity(
    scenario: &Scenario,
    written: &LoadSection,
    faults: &mut Faults<'_>,
) -> Option<CapacityPlan> {
    let section = scenario.capacity.as_ref()?;
    let at = |name: &str| [key("capacity"), key(name)];
    if scenario.objective.is_empty() {
        let why = "no objective; the capacity is the highest rate at which every objective holds, so write at least one \
                   [[objective]]";
        faults.add(&[key("capacity")], why);
    }
    let own = ["seed", "max_in_flight", "max_queue"];
    let foreign = written.written().into_iter().filter(|name| !own.contains(name));
    for name in foreign.chain(written.kind.as_ref().map(|_| "kind")) {
        faults.add(
            &[key("load"), key(name)],
            format!("with [capacity] the rates are its own; beside it [load] has {} only", own.join(", ")),
        );
    }
    let load = section.load.clone().unwrap_or_else(|| "poisson".to_owned());
    if !["poisson", "constant"].contains(&load.as_str()) {
        faults.add(&at("load"), format!("`{load}` has no rate to certify; write `poisson` or `constant`"));
        return None;
    }
    // At a rate of one a second, to see whether the bounds are possible at all.
    if let Some(kind) = load::find(&load) {
        let bounds = LoadSection {
            rate: Some("1/s".to_owned()),
            max_in_flight: written.max_in_flight,
            max_queue: written.max_queue,
            ..LoadSection::default()
        };
        for (name, why) in kind.read(&bounds, None).err().into_iter().flatten() {
            faults.add(&[key("load"), key(name)], why);
        }
    }
    let count = section.levels.unwrap_or(3);
    if !(1..=5).contains(&count) {
        faults.add(&at("levels"), format!("{count} levels; between 1 and 5 are possible"));
    }
    let levels = match &section.rates {
        None => Levels::Found(count),
        Some(rates) => {
            if section.levels.is_some() {
                faults.add(&at("levels"), "there are `rates` already; leave one of the two out");
            }
            Levels::Given(given(rates, faults))
        }
    };
    let probe = section.probe.map_or(Duration::from_secs(5), |probe| probe.0);
    if !(Duration::from_millis(100)..=Duration::from_secs(600)).contains(&probe) {
        faults.add(&at("probe"), "between 100ms and 600s are possible");
    }
    Some(CapacityPlan { load, levels, probe, bounds: written.clone() })
}

fn given(rates: &[String], faults: &mut Faults<'_>) -> Vec<f64> {
    let at = [key("capacity"), key("rates")];
    let mut read: Vec<f64> = Vec::new();
    for text in rates {
        match scenario::rate(text) {
            Ok(rate) if rate > load::FASTEST => {
                faults.add(&at, format!("{rate}/s; at most {}/s", load::FASTEST))
            }
            Ok(rate) if read.last().is_some_and(|before| rate <= *before) => {
                faults.add(&at, format!("`{text}` after a rate at least as high; write them rising"));
            }
            Ok(rate) => read.push(rate),
            Err(why) => faults.add(&at, why),
        }
    }
    if rates.is_empty() {
        faults.add(&at, "an empty list; write at least one rate, or leave the key out to have them found");
    }
    read
}
