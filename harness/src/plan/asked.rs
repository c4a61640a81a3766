//! What a scenario asks of its backends, read again from the text that a run keeps of it. No model, no texts and no load are looked
//! for, so this works on a machine that has none of them.

use std::collections::BTreeMap;
use std::time::Duration;

use tailmark_reports::record::Preference;

use super::phases::phases;
use super::resolve::filled_in;
use super::wrong::{Wrong, key};
use super::{Phases, pairing};
use crate::decision::Wish;
use crate::objective::Objective;
use crate::scenario::{self, Step, dotted};

/// What a scenario asks.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// After which a request counts as timed out.
    pub request_deadline: Duration,
    /// What is preferred.
    pub wish: Wish,
    /// By the name of a backend of the scenario.
    pub backends: BTreeMap<String, AskedOf>,
}

/// What it asks of one backend.
#[derive(Clone, Copy, Debug)]
pub struct AskedOf {
    /// How it is restarted, warmed up and measured.
    pub phases: Phases,
    /// What an hour of its machine costs.
    pub price_per_hour: Option<f64>,
}

impl Asked {
    /// Reads a scenario, with the defaults of what it leaves out; `quick` is whether the run was.
    ///
    /// # Errors
    /// The first fault.
    pub fn read(resolved: &str, quick: bool) -> Result<Self, String> {
        let parsed = scenario::parse(resolved);
        if let Some(fault) = parsed.faults.first() {
            return Err(parsed.describe(fault));
        }
        let scenario = &filled_in(&parsed.scenario, "scenario");
        let mut wrong = Wrong::default();
        let mut objectives = Vec::new();
        for (index, section) in scenario.objective.iter().enumerate() {
            match Objective::read(section) {
                Ok(objective) => objectives.push(objective),
                Err(faults) => wrong.add_all(&[key("objective"), Step::Index(index)], faults),
            }
        }
        let mut backends = BTreeMap::new();
        for (index, section) in scenario.backend.iter().enumerate() {
            let at = [key("backend"), Step::Index(index)];
            let phases = phases(scenario, section, &at, quick, &mut wrong);
            let phases = scenario.pairing.as_ref().map_or(phases, |pairing| pairing::phases(pairing, phases));
            let price_per_hour = section.price_per_hour.or(scenario.decision.price_per_hour);
            let name = section.name.clone().or_else(|| section.kind.clone()).unwrap_or_default();
            backends.insert(name, AskedOf { phases, price_per_hour });
        }
        if let Some((at, why)) = wrong.into_list().into_iter().next() {
            return Err(format!("{}: {why}", dotted(&at)));
        }
        let word = scenario.decision.prefer.as_deref().unwrap_or_default();
        let prefer = Preference::ALL.into_iter().find(|(known, _)| *known == word);
        let same_within = scenario.decision.same_within.as_deref().unwrap_or(super::decision::SAME_WITHIN);
        let wish = Wish {
            prefer: prefer.map(|(_, prefer)| prefer).unwrap_or_default(),
            same_within: scenario::share(same_within)
                .map_err(|why| format!("decision.same_within: {why}"))?,
        };
        let request_deadline = scenario.deadlines.request.map_or(Duration::ZERO, |span| span.0);
        Ok(Self { objectives, request_deadline, wish, backends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_has_its_own_numbers_and_else_the_scenarios() {
        let text = "[phases]\nrestarts = 2\n[phases.steady]\nmin_requests = 7\nmax_requests = 9\nmax_seconds = 1.0\n\
                    [decision]\nprefer = \"cost\"\nprice_per_hour = 2.0\n\
                    [[backend]]\nkind = \"null\"\n[[backend]]\nkind = \"null\"\nname = \"b\"\nrestarts = 5\n";
        let asked = Asked::read(text, false).unwrap();
        let of = |name: &str| asked.backends[name];
        assert_eq!((of("null").phases.restarts, of("b").phases.restarts), (2, 5));
        assert_eq!((of("b").phases.steady.min_requests, of("b").price_per_hour), (7, Some(2.0)));
        assert_eq!(asked.wish.prefer, Preference::Cost);
        assert_eq!(Asked::read(text, true).unwrap().backends["b"].phases.restarts, 1);
    }

    #[test]
    fn backends_that_take_turns_have_the_requests_of_their_blocks() {
        let text = "[pairing]\nbackends = [\"null\", \"null\"]\nblocks = 4\nrequests = 30\n[[backend]]\nkind = \"null\"\n";
        let phases = Asked::read(text, false).unwrap().backends["null"].phases;
        assert_eq!((phases.restarts, phases.steady.in_blocks), (6, true));
        assert_eq!((phases.steady.min_requests, phases.steady.max_requests), (720, 720));
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        let error = Asked::read("[[backend]]\nkind = \"null\"\nrestarts = 0\n", false).unwrap_err();
        assert!(error.starts_with("backend[1].restarts: 0 restarts"), "{error}");
        let error = Asked::read("[[objective]]\nindicator = \"p95 response time\"\n", false).unwrap_err();
        assert!(error.starts_with("objective[1]"), "{error}");
    }
}
