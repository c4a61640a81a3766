//! What `[pairing]` asks for: which two backends, in how many blocks, and when they count as the same.

use std::time::Duration;

use tailmark_reports::record::Warning;
use tailmark_reports::units;

use super::wrong::{Wrong, key};
use super::{BackendPlan, PairingPlan, Phases, Steady};
use crate::objective::{Indicator, Objective};
use crate::scenario::{self, PairingSection, Scenario, did_you_mean};

/// Fresh processes of each, where the scenario does not say: with three, an interval is more than twice as wide for the same variation. An
/// even number, so that each order in which they are started has its mirror image.
pub(super) const RESTARTS: u32 = 6;
pub(super) const BLOCKS: u32 = 8;
pub(super) const REQUESTS: u64 = 125;
pub(super) const WITHIN: &str = "5%";
pub(super) const CONFIDENCE: f64 = 0.95;

/// Beyond this nobody would call two backends the same.
const MOST_WITHIN: f64 = 0.5;
/// The percentile that is asked about where no objective names one.
const USUAL_QUANTILE: f64 = 0.95;
/// Of a block's requests, those before it that do not count: the backend has the machine's caches to itself again.
const SETTLING_SHARE: u64 = 10;
const FEWEST_SETTLING: u64 = 5;

/// The defaults of the section.
pub(super) fn fill_in(section: &mut PairingSection) {
    section.blocks.get_or_insert(BLOCKS);
    section.requests.get_or_insert(REQUESTS);
    section.within.get_or_insert_with(|| WITHIN.to_owned());
    section.confidence.get_or_insert(CONFIDENCE);
    section.control.get_or_insert(false);
    section.stop_early.get_or_insert(false);
}

/// Reads `[pairing]`, if there is one; `all` are the backends that it can name.
pub(super) fn pairing(
    scenario: &Scenario,
    all: &[(BackendPlan, bool)],
    objectives: &[Objective],
) -> Result<Option<PairingPlan>, Wrong> {
    let Some(section) = &scenario.pairing else { return Ok(None) };
    let mut wrong = Wrong::default();
    let at = |name: &str| [key("pairing"), key(name)];
    if scenario.capacity.is_some() {
        wrong.add(
            &[key("pairing")],
            "[capacity] is there as well, and a run measures in one way; remove one of the two",
        );
    }
    let blocks = section.blocks.unwrap_or(BLOCKS);
    if !(2..=1000).contains(&blocks) || blocks % 2 == 1 {
        wrong.add(
            &at("blocks"),
            format!("{blocks}; must be an even number from 2 to 1000, as each order is followed by its mirror image"),
        );
    }
    let requests = section.requests.unwrap_or(REQUESTS);
    if !(10..=1_000_000).contains(&requests) {
        wrong.add(&at("requests"), format!("{requests} requests in a block; must be between 10 and 1000000"));
    }
    let confidence = section.confidence.unwrap_or(CONFIDENCE);
    if !(confidence > 0.5 && confidence < 1.0) {
        wrong.add(&at("confidence"), format!("{confidence}; must be above 0.5 and below 1"));
    }
    let within = within(section).unwrap_or_else(|why| {
        wrong.add(&at("within"), why);
        0.0
    });
    let two = two_of(section, all).unwrap_or_else(|why| {
        wrong.add(&at("backends"), why);
        None
    });
    let Some([first, second]) = two.filter(|_| wrong.is_empty()) else {
        return if wrong.is_empty() { Ok(None) } else { Err(wrong) };
    };
    Ok(Some(PairingPlan {
        backends: [first.name.clone(), second.name.clone()],
        blocks,
        requests,
        settling: (requests / SETTLING_SHARE).max(FEWEST_SETTLING),
        quantile: quantile(objectives, first),
        within,
        confidence,
        control: section.control.unwrap_or_default(),
        stop_early: section.stop_early.unwrap_or_default(),
    }))
}

fn within(section: &PairingSection) -> Result<f64, String> {
    let share = scenario::share(section.within.as_deref().unwrap_or(WITHIN))?;
    let too_much = || format!("{} %; must be at most {} %", 100.0 * share, 100.0 * MOST_WITHIN);
    if share <= MOST_WITHIN { Ok(share) } else { Err(too_much()) }
}

/// The two, if they were asked the same; `None` where their own faults are said already.
fn two_of<'a>(
    section: &PairingSection,
    all: &'a [(BackendPlan, bool)],
) -> Result<Option<[&'a BackendPlan; 2]>, String> {
    let names = section.backends.as_deref().unwrap_or_default();
    let [first, second] = names else {
        return Err(format!(
            "{}; write the two that are to be compared",
            units::counted(names.len() as u64, "name")
        ));
    };
    if all.is_empty() {
        return Ok(None);
    }
    let find = |name: &str| {
        all.iter().map(|(backend, _)| backend).find(|backend| backend.name == name).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|(backend, _)| backend.name.as_str()).collect();
            let guess = did_you_mean(name, known.iter().copied());
            format!("no backend is named `{name}`{guess}; the scenario has {}", known.join(", "))
        })
    };
    let (one, other) = (find(first)?, find(second)?);
    let differ = |what: &str, a: String, b: String| {
        (a != b).then(|| {
            format!(
                "the {what} of {first} is {a} and that of {second} is {b}; only the same work can be compared"
            )
        })
    };
    let unlike = differ("corpus", one.corpus.name.clone(), other.corpus.name.clone())
        .or_else(|| differ("batch size", one.batch_size.to_string(), other.batch_size.to_string()))
        .or_else(|| differ("load", one.load.text(), other.load.text()));
    unlike.map_or(Ok(Some([one, other])), Err)
}

/// The percentile that the first objective of them judges.
fn quantile(objectives: &[Objective], first: &BackendPlan) -> f64 {
    let judged = objectives.iter().filter(|objective| objective.applies_to(first.base()));
    judged
        .filter_map(|objective| match objective.indicator {
            Indicator::ResponseTime { quantile } => Some(quantile),
            _ => None,
        })
        .next()
        .unwrap_or(USUAL_QUANTILE)
}

/// The phases of a backend that is measured in these blocks: as many requests as they have.
pub(super) fn phases(section: &PairingSection, phases: Phases) -> Phases {
    let (blocks, requests) = (section.blocks.unwrap_or(BLOCKS), section.requests.unwrap_or(REQUESTS));
    let all = requests.saturating_mul(u64::from(blocks)).saturating_mul(u64::from(phases.restarts));
    let steady = Steady {
        in_blocks: true,
        min_requests: all,
        min_time: Duration::ZERO,
        max_requests: all,
        ..phases.steady
    };
    Phases { steady, ..phases }
}

/// What the scenario says of the steady state and the blocks decide.
pub(super) fn not_used(written: &Scenario, plan: &PairingPlan) -> Option<Warning> {
    let steady = &written.phases.steady;
    let set = [
        ("min_requests", steady.min_requests.is_some()),
        ("max_requests", steady.max_requests.is_some()),
        ("min_seconds", steady.min_seconds.is_some()),
    ];
    let set: Vec<&str> = set.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect();
    (!set.is_empty()).then(|| Warning {
        backend: None,
        what: format!(
            "[pairing] says how many requests there are ({} blocks of {} in each replicate), so {} of [phases.steady] \
             {} nothing",
            plan.blocks,
            plan.requests,
            set.join(" and "),
            if set.len() == 1 { "changes" } else { "change" },
        ),
        remedy: "set `blocks` and `requests` of [pairing] instead, or remove [pairing]".to_owned(),
    })
}
