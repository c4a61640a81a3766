//! What `[capacity]` asks for: the load model of its rates, and which rates.

use std::time::Duration;

use super::wrong::{Wrong, key};
use crate::load::{self, LoadModel};
use crate::scenario::{self, LoadSection, Scenario};

/// Which rates are to be certified for each backend.
#[derive(Clone, Debug)]
pub struct CapacityPlan {
    /// The kind of load that has a rate.
    pub load: &'static str,
    /// Which rates.
    pub levels: Levels,
    /// How long each try of the search lasts at most.
    pub probe: Duration,
    at_rate: fn(f64, &LoadSection) -> LoadModel,
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
        (self.at_rate)(rate, &self.bounds)
    }
}

/// Reads `[capacity]`, if there is one; `written` is the load as the file has it, without defaults.
pub(super) fn capacity(scenario: &Scenario, written: &LoadSection) -> Result<Option<CapacityPlan>, Wrong> {
    let Some(section) = &scenario.capacity else { return Ok(None) };
    let mut wrong = Wrong::default();
    let at = |name: &str| [key("capacity"), key(name)];
    if scenario.objective.is_empty() {
        let why = "no objective; the capacity is the highest rate at which every objective holds, so write at least one \
                   [[objective]]";
        wrong.add(&[key("capacity")], why);
    }
    let own = ["seed", "max_in_flight", "max_queue"];
    let foreign = written.written().into_iter().filter(|name| !own.contains(name));
    for name in foreign.chain(written.kind.as_ref().map(|_| "kind")) {
        wrong.add(
            &[key("load"), key(name)],
            format!("[capacity] sets the rates itself; beside it, [load] may only have {}", own.join(", ")),
        );
    }
    let load = section.load.as_deref().unwrap_or("poisson");
    let with_a_rate = || load::KINDS.iter().filter_map(|kind| Some((kind, kind.at_rate?)));
    let Some((load, at_rate)) = with_a_rate().find(|(kind, _)| kind.name == load) else {
        let known: Vec<String> = with_a_rate().map(|(kind, _)| format!("`{}`", kind.name)).collect();
        wrong.add(&at("load"), format!("`{load}` has no rate to certify; write {}", known.join(" or ")));
        return Err(wrong);
    };
    // At a rate of one a second, to see whether the bounds are possible at all.
    let bounds = LoadSection {
        rate: Some("1/s".to_owned()),
        max_in_flight: written.max_in_flight,
        max_queue: written.max_queue,
        ..LoadSection::default()
    };
    if let Err(faults) = load.read(&bounds, None) {
        wrong.add_all(&[key("load")], faults);
    }
    let count = section.levels.unwrap_or(3);
    if !(1..=5).contains(&count) {
        wrong.add(&at("levels"), format!("{count} levels; must be between 1 and 5"));
    }
    let levels = match &section.rates {
        None => Levels::Found(count),
        Some(rates) => {
            if section.levels.is_some() {
                wrong.add(&at("levels"), "`rates` is set as well; remove one of the two");
            }
            Levels::Given(given(rates, &mut wrong))
        }
    };
    let probe = section.probe.map_or(Duration::from_secs(5), |probe| probe.0);
    if !(Duration::from_millis(100)..=Duration::from_secs(600)).contains(&probe) {
        wrong.add(&at("probe"), "must be between 100ms and 600s");
    }
    if wrong.is_empty() {
        Ok(Some(CapacityPlan { load: load.name, levels, probe, at_rate, bounds: written.clone() }))
    } else {
        Err(wrong)
    }
}

fn given(rates: &[String], wrong: &mut Wrong) -> Vec<f64> {
    let at = [key("capacity"), key("rates")];
    let mut read: Vec<f64> = Vec::new();
    for text in rates {
        match scenario::rate(text) {
            Ok(rate) if rate > load::FASTEST => {
                wrong.add(&at, format!("{rate}/s; at most {}/s", load::FASTEST))
            }
            Ok(rate) if read.last().is_some_and(|before| rate <= *before) => {
                wrong.add(
                    &at,
                    format!(
                        "`{text}` follows a rate that is at least as high; write the rates in rising order"
                    ),
                );
            }
            Ok(rate) => read.push(rate),
            Err(why) => wrong.add(&at, why),
        }
    }
    if rates.is_empty() {
        wrong.add(&at, "an empty list; write at least one rate, or remove the key to have them searched for");
    }
    read
}
