//! Whether a run can be believed at all: doubts about the conditions it was measured under, asked before any verdict.
//!
//! Pure: knows no clock, no file, and not how the conditions were read. A condition that could not be read casts no
//! doubt; it is shown as not known.

mod doubt;

use std::time::Duration;

pub use doubt::{Doubt, TakenBy, Weight};
use tailmark_reports::record::Verdict;

use crate::environment::{Conditions, CpuQuota, Jitter, PowerSource};

/// What is known of the run itself, beside the conditions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFacts {
    /// How many processors the run may use.
    pub processors: usize,
    /// The tightest limit of any objective that is a time.
    pub tightest_limit: Option<Duration>,
    /// Each backend that was measured.
    pub backends: Vec<BackendFacts>,
}

/// What is known of the run of one backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackendFacts {
    /// The backend's name in the scenario.
    pub name: String,
    /// How late requests were started for reasons of tailmark's own: the 99th percentile, in steady state, without the
    /// time in which every slot was taken.
    pub lateness_p99: Option<Duration>,
    /// How many threads it computes with, all replicas together.
    pub threads: Option<usize>,
    /// Requests per second that were due and that were started, when more waited than may.
    pub overload: Option<(f64, f64)>,
    /// Median service times of a repeated text and of new ones, when repeats were hardly computed.
    pub caching: Option<(Duration, Duration)>,
    /// How many of its workers were lost while they were timed.
    pub losses: u64,
}

/// The limit that clock and generator are judged by when no objective is a time: the one tailmark was made for.
const USUAL_LIMIT: Duration = Duration::from_millis(20);

/// A gap in the busy loop that is no jitter but tailmark not running at all.
const A_PAUSE: Duration = Duration::from_millis(500);

/// Everything that speaks against believing the run, serious doubts first.
///
/// What is serious is documented on each [`Doubt`]. The thresholds follow from the objective that is usual, a P95: what
/// touches less than 5 % of the time cannot by itself carry the exceedance over what is allowed, what touches more can.
#[must_use]
pub fn doubts(conditions: &Conditions, run: &RunFacts) -> Vec<Doubt> {
    let limit = run.tightest_limit.unwrap_or(USUAL_LIMIT);
    let paused = pauses(conditions);
    let is_explained = |doubt: &Doubt| paused.is_some() && is_made_by_a_pause(doubt);
    let mut all: Vec<Doubt> = paused
        .iter()
        .cloned()
        .chain(of_the_processors(conditions, run.processors))
        .chain(of_the_speed(conditions))
        .chain(of_the_rest(conditions, limit))
        .chain(run.backends.iter().flat_map(|backend| of_the_run(backend, run.processors, limit)))
        .filter(|doubt| doubt.is_worth_a_line() && !is_explained(doubt))
        .collect();
    all.sort_by_key(Doubt::weight);
    all
}

/// The doubt that tailmark did not run all the time.
fn pauses(conditions: &Conditions) -> Option<Doubt> {
    let pauses = conditions.pauses.as_deref()?;
    let longest = pauses.iter().max_by_key(|pause| pause.length)?;
    Some(Doubt::DidNotRun {
        times: pauses.len(),
        total: pauses.iter().map(|pause| pause.length).sum(),
        longest: longest.length,
        at: longest.at,
        cause: longest.cause,
    })
}

/// Whether a pause of tailmark makes such a doubt, which would then name a wrong cause and a wrong remedy.
fn is_made_by_a_pause(doubt: &Doubt) -> bool {
    match doubt {
        Doubt::LateGenerator { .. } => true,
        Doubt::Jitter { largest_gap, .. } => doubt.weight() == Weight::Note && *largest_gap >= A_PAUSE,
        _ => false,
    }
}

/// What had the processor while the busy loop did not: of what is counted the largest share, if it is half of what was lost
/// or more. The counters are of the whole run, and the loop ran for a small part of it.
fn taken_by(conditions: &Conditions, jitter: Jitter) -> TakenBy {
    let throttled = match conditions.quota {
        Some(CpuQuota::Limited(throttling)) => throttling.throttled as f64 / throttling.periods.max(1) as f64,
        _ => 0.0,
    };
    let others = conditions.others.map(|others| others.mean_share.max(others.disturbed_share.unwrap_or(0.0)));
    let stolen = conditions.steal_share;
    // Of equal shares the last counts: what is throttled all the time has no need of others.
    let counted = [
        (stolen.unwrap_or(0.0), TakenBy::OtherGuests),
        (others.unwrap_or(0.0), TakenBy::OtherProcesses),
        (throttled, TakenBy::Quota),
    ];
    let largest = counted.into_iter().max_by(|one, other| one.0.total_cmp(&other.0));
    match (largest, others, stolen) {
        (Some((share, taken_by)), ..) if share >= 0.5 * jitter.lost_share => taken_by,
        (_, Some(others), Some(stolen)) => TakenBy::NoneCounted { others, stolen },
        _ => TakenBy::Unknown,
    }
}

fn of_the_processors(conditions: &Conditions, processors: usize) -> impl Iterator<Item = Doubt> {
    let others = conditions.others.map(|others| Doubt::OthersBusy {
        mean_share: others.mean_share,
        disturbed_share: others.disturbed_share,
    });
    let stolen = conditions.steal_share.map(|share| Doubt::Stolen { share });
    let jitter = conditions.jitter.map(|jitter| Doubt::Jitter {
        lost_share: jitter.lost_share,
        lost_share_without_worst: jitter.lost_share_without_worst,
        largest_gap: jitter.largest_gap,
        taken_by: taken_by(conditions, jitter),
    });
    let quota = match conditions.quota {
        Some(CpuQuota::Limited(throttling)) => Some(Doubt::HeldToQuota {
            processors: throttling.processors,
            periods: throttling.periods,
            throttled: throttling.throttled,
        }),
        _ => None,
    };
    let load = conditions.load_at_start.map(|load| Doubt::LoadedBefore { load, processors });
    [quota, others, stolen, jitter, load].into_iter().flatten()
}

fn of_the_speed(conditions: &Conditions) -> impl Iterator<Item = Doubt> {
    let frequency = conditions.frequency.as_ref();
    let loaded = frequency.and_then(|frequency| frequency.loaded_mhz);
    let slow = loaded.zip(frequency.and_then(|frequency| frequency.max_mhz));
    let governor = frequency.and_then(|frequency| frequency.governor.clone());
    let thermal = conditions.thermal.map(|thermal| Doubt::Throttled {
        events: thermal.events.unwrap_or(0),
        share: thermal.throttled_share,
        speed_limit: thermal.speed_limit,
        warning_level: thermal.warning_level.unwrap_or(0),
    });
    let battery = conditions.power.filter(|power| *power == PowerSource::Battery);
    [
        slow.map(|((lowest_mhz, _), max_mhz)| Doubt::SlowProcessor { lowest_mhz, max_mhz }),
        loaded.map(|(lowest_mhz, highest_mhz)| Doubt::UnsteadyFrequency { lowest_mhz, highest_mhz }),
        governor.map(|governor| Doubt::Governor {
            governor,
            driver: frequency.and_then(|frequency| frequency.driver.clone()),
        }),
        thermal,
        battery.map(|_| Doubt::OnBattery),
    ]
    .into_iter()
    .flatten()
}

fn of_the_rest(conditions: &Conditions, limit: Duration) -> impl Iterator<Item = Doubt> {
    let watched = conditions.watched;
    let build = conditions.build_opt_level.clone();
    [
        build.map(|opt_level| Doubt::UnoptimizedBuild { opt_level }),
        conditions.clock.map(|clock| Doubt::CoarseClock {
            resolution: clock.resolution,
            cost: clock.cost,
            limit,
        }),
        conditions.swap.map(|swap| Doubt::Swapping {
            pages_per_second: swap
                .pages_moved
                .filter(|_| !watched.is_zero())
                .map(|pages| pages as f64 / watched.as_secs_f64()),
            grown_bytes: swap.used_bytes.saturating_sub(swap.used_at_start_bytes),
        }),
    ]
    .into_iter()
    .flatten()
}

fn of_the_run(backend: &BackendFacts, processors: usize, limit: Duration) -> impl Iterator<Item = Doubt> {
    let name = || backend.name.clone();
    let late = backend.lateness_p99.map(|lateness_p99| Doubt::LateGenerator {
        backend: name(),
        lateness_p99,
        limit,
    });
    let overloaded =
        backend.overload.map(|(offered, achieved)| Doubt::Overloaded { backend: name(), offered, achieved });
    let crowded =
        backend.threads.map(|threads| Doubt::Oversubscribed { backend: name(), threads, processors });
    let lost = (backend.losses > 0).then(|| Doubt::Lost { backend: name(), workers: backend.losses });
    let caching = backend.caching.map(|(repeated, new)| Doubt::Caching { backend: name(), repeated, new });
    [overloaded, caching, late, crowded, lost].into_iter().flatten()
}

/// The doubts that concern a backend: those about the machine, and those about its own run.
#[must_use]
pub fn concerning(doubts: &[Doubt], backend: &str) -> Vec<Doubt> {
    let concerns = |doubt: &&Doubt| doubt.backend().is_none_or(|name| name == backend);
    doubts.iter().filter(concerns).cloned().collect()
}

/// Turns a verdict that serious doubts do not allow into INCONCLUSIVE, and says why. The sentence is there only when
/// the verdict was turned.
///
/// A FAIL stands when noise `cannot_have_made_it`. That is so when even the fastest tenth of the requests misses the limit:
/// noise comes and goes, so a tenth of the requests was spared by it, and those were too slow as well. And it is so when the
/// errors that the backend answered exceed what is allowed without any slow request, by the same test at the same confidence:
/// noise makes a backend late, but it does not make it answer with an error.
///
/// It stands, too, where the doubt is about the backend and not about the machine: one that was overloaded did not meet its
/// objective, nor did one that answered from a cache.
#[must_use]
pub fn adjust(verdict: Verdict, doubts: &[Doubt], cannot_have_made_it: bool) -> (Verdict, Option<String>) {
    let weighs = |doubt: &&Doubt| {
        doubt.weight() == Weight::Serious
            && !(verdict == Verdict::Fail
                && matches!(doubt, Doubt::Overloaded { .. } | Doubt::Caching { .. }))
    };
    let serious: Vec<String> = doubts.iter().filter(weighs).map(Doubt::what).collect();
    let would_be = match verdict {
        _ if serious.is_empty() => return (verdict, None),
        Verdict::Inconclusive => return (verdict, None),
        Verdict::Fail if cannot_have_made_it => return (verdict, None),
        Verdict::Fail => "FAIL",
        Verdict::Pass => "PASS",
    };
    (Verdict::Inconclusive, Some(format!("{would_be}, but {}", serious.join("; "))))
}

#[cfg(test)]
mod tests;
