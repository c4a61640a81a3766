//! The phases of a backend, with the bounds that its numbers must keep.

use std::time::Duration;

use super::wrong::{Wrong, key};
use super::{Phases, Steady, WarmUp};
use crate::scenario::{BackendSection, Scenario, Step};

/// Where a number stands: at the backend when it is the backend's own, else in the scenario's section.
type Place<'a> = &'a dyn Fn(bool, &str, &[&str]) -> Vec<Step>;

/// The phases of one backend: its own numbers where it has some, else the scenario's.
pub(super) fn phases(
    scenario: &Scenario,
    section: &BackendSection,
    at: &[Step; 2],
    quick: bool,
    wrong: &mut Wrong,
) -> Phases {
    // A number of the backend's own is at fault at the backend, one of the scenario's in its section.
    let place = |own: bool, name: &str, common: &[&str]| match own {
        true => vec![at[0].clone(), at[1].clone(), key(name)],
        false => common.iter().copied().map(key).collect(),
    };
    let restarts = section.restarts.or(scenario.phases.restarts).unwrap_or(1);
    if !(1..=1000).contains(&restarts) {
        let path = place(section.restarts.is_some(), "restarts", &["phases", "restarts"]);
        wrong.add(&path, format!("{restarts} restarts; must be between 1 and 1000"));
    }
    let steady = steady(scenario, section, &place, wrong);
    let warm_up = warm_up(scenario, section, wrong);
    if quick {
        // The least count stays for a run in which nothing is decided on the way.
        let steady = Steady { quick, min_time: Duration::ZERO, ..steady };
        return Phases { restarts: 1, warm_up, steady };
    }
    Phases { restarts, warm_up, steady }
}

fn warm_up(scenario: &Scenario, section: &BackendSection, wrong: &mut Wrong) -> WarmUp {
    let common = &scenario.phases.warm_up;
    let (fewest, most) = (common.min_requests.unwrap_or(0), common.max_requests.unwrap_or(0));
    if most < fewest {
        let path = [key("phases"), key("warm_up"), key("max_requests")];
        wrong.add(&path, format!("max_requests {most} is less than min_requests {fewest}"));
    }
    match section.warm_up_requests {
        Some(exactly) => WarmUp::Fixed(exactly),
        None if fewest == most => WarmUp::Fixed(fewest),
        None => WarmUp::Found { fewest, most },
    }
}

fn steady(scenario: &Scenario, section: &BackendSection, place: Place<'_>, wrong: &mut Wrong) -> Steady {
    let common = &scenario.phases.steady;
    let mut seconds = |value: Option<f64>, name: &str, least: f64| match value {
        Some(seconds) if seconds.is_finite() && (least..=1e7).contains(&seconds) => {
            Duration::from_secs_f64(seconds)
        }
        Some(seconds) => {
            let path = place(false, name, &["phases", "steady", name]);
            wrong.add(&path, format!("{seconds} s; it must be between {least} and 10000000"));
            Duration::ZERO
        }
        None => Duration::ZERO,
    };
    let min_time = seconds(common.min_seconds, "min_seconds", 0.0);
    let max_time = seconds(common.max_seconds, "max_seconds", 1e-3);
    let min_requests = section.min_requests.or(common.min_requests).unwrap_or(0);
    let max_requests = match (section.max_requests, section.min_requests) {
        (Some(most), _) => most,
        (None, Some(least)) => common.max_requests.unwrap_or(0).max(least),
        (None, None) => common.max_requests.unwrap_or(0),
    };
    let steady = &["phases", "steady", "min_requests"];
    if min_requests == 0 && min_time.is_zero() {
        let path = place(section.min_requests.is_some(), "min_requests", steady);
        wrong.add(
            &path,
            "neither a minimum count nor a minimum time; set min_requests or min_seconds above 0",
        );
    }
    if max_requests < min_requests {
        let path =
            place(section.max_requests.is_some(), "max_requests", &["phases", "steady", "max_requests"]);
        wrong.add(&path, format!("max_requests {max_requests} is less than min_requests {min_requests}"));
    }
    if max_time < min_time {
        let path = place(false, "max_seconds", &["phases", "steady", "max_seconds"]);
        wrong.add(&path, "max_seconds is less than min_seconds");
    }
    Steady { quick: false, in_blocks: false, min_requests, min_time, max_requests, max_time }
}
