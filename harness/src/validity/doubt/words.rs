//! What each doubt says, and what to do about it.

use std::time::Duration;

use tailmark_reports::units;

use super::{Doubt, TakenBy};
use crate::environment::{PauseCause, processors};

impl Doubt {
    /// What is doubtful, with its figures, as the second half of a sentence.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::OthersBusy { mean_share, disturbed_share } => {
                let bursts = disturbed_share.filter(|share| (0.05..1.0).contains(share));
                let bursts = bursts.map_or_else(String::new, |share| {
                    format!(", and more than a quarter of it during {} of the run", units::percent(share))
                });
                format!(
                    "other processes used {} of the machine's CPU time{bursts}",
                    units::percent(*mean_share)
                )
            }
            Self::Stolen { share } => {
                format!("the hypervisor gave {} of the CPU time to other guests", units::percent(*share))
            }
            Self::Jitter { lost_share, largest_gap, taken_by, .. } => format!(
                "a loop that does nothing but read the clock lost {} of its time, up to {} at once{}",
                units::percent(*lost_share),
                time(*largest_gap),
                whom(*taken_by)
            ),
            Self::DidNotRun { times: 1, longest, at, cause, .. } => {
                format!(
                    "tailmark did not run for at least {}, {} after it began to measure: {}",
                    time(*longest),
                    after(*at),
                    why(*cause)
                )
            }
            Self::DidNotRun { times, total, longest, at, cause } => format!(
                "tailmark did not run for at least {} in all, {times} times; the longest was {}, {} after it began to measure: {}",
                time(*total),
                time(*longest),
                after(*at),
                why(*cause)
            ),
            Self::HeldToQuota { processors: quota, periods, throttled } => format!(
                "a CPU quota of {} throttled tailmark's group in {} of {}",
                processors(*quota),
                units::count(*throttled),
                units::counted(*periods, "period")
            ),
            Self::LoadedBefore { load, processors } => format!(
                "the machine was busy when the run began (load average {load:.2} on {})",
                units::counted(*processors as u64, "processor")
            ),
            Self::SlowProcessor { lowest_mhz, max_mhz } => {
                format!(
                    "the processor ran at {lowest_mhz:.0} MHz under load, although it can reach {max_mhz:.0} MHz"
                )
            }
            Self::UnsteadyFrequency { lowest_mhz, highest_mhz } => format!(
                "the processor's frequency under load varied between {lowest_mhz:.0} and {highest_mhz:.0} MHz"
            ),
            Self::Governor { governor, .. } => format!("the CPU frequency governor is `{governor}`"),
            Self::Throttled { events, share, speed_limit, warning_level } => {
                throttled(*events, *share, *speed_limit, *warning_level)
            }
            Self::OnBattery => "the machine ran on battery power".to_owned(),
            Self::UnoptimizedBuild { opt_level } => {
                format!("tailmark was built without optimization (level {opt_level})")
            }
            Self::CoarseClock { resolution, cost, limit } => format!(
                "the clock ticks in steps of {} and takes {} to read, too coarse for a limit of {}",
                time(*resolution),
                time(*cost),
                time(*limit)
            ),
            Self::Swapping { pages_per_second: Some(pages), .. } => {
                format!("the machine swapped {} pages a second", units::figure(*pages))
            }
            Self::Swapping { pages_per_second: None, grown_bytes } => {
                format!("swap usage grew by {}", units::bytes(*grown_bytes))
            }
            Self::LateGenerator { backend, lateness_p99, limit } => format!(
                "tailmark itself started 1 % of the requests to {backend} at least {} late, against a limit of {}",
                time(*lateness_p99),
                time(*limit)
            ),
            Self::Overloaded { offered, achieved, .. } => format!(
                "it was overloaded: offered {}, achieved {}",
                units::rate(*offered),
                units::rate(*achieved)
            ),
            Self::Lost { workers, .. } => {
                let were = if *workers == 1 { "was" } else { "were" };
                format!(
                    "{workers} of its workers {were} lost; the time that callers would have waited for a new one is in no figure"
                )
            }
            Self::Caching { repeated, new, .. } => format!(
                "a text that it had just seen took {} and new texts of the same length took {}, so it hardly computes repeated texts",
                time(*repeated),
                time(*new)
            ),
            Self::Oversubscribed { threads, processors, .. } => format!(
                "it runs {} on {}",
                units::counted(*threads as u64, "thread"),
                units::counted(*processors as u64, "processor")
            ),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::OthersBusy { .. } => {
                "close other programs (top lists them), or raise min_seconds so that a burst weighs less"
            }
            Self::Stolen { .. } => "measure on a machine, or an instance type, with processors of its own",
            Self::Jitter { taken_by, .. } => remedy_for(*taken_by),
            Self::DidNotRun { cause: PauseCause::Asleep, .. } => {
                "run it again, and keep the machine from going to sleep meanwhile"
            }
            Self::DidNotRun { cause: PauseCause::NoProcessor, .. } => {
                "close other programs (top lists them), or raise the quota if there is one, and run it again"
            }
            Self::DidNotRun { cause: PauseCause::Suspended, .. } => {
                "run it again without suspending it (Ctrl-Z, a debugger, a paused container or virtual machine)"
            }
            Self::HeldToQuota { .. } => {
                "raise the quota, or give the backends fewer threads: threads that run at once use it up sooner"
            }
            Self::LoadedBefore { .. } => "wait until the machine is idle, and run it again",
            Self::SlowProcessor { .. } => {
                "set the frequency governor to `performance`, turn off power saving, and let the machine cool down"
            }
            Self::UnsteadyFrequency { .. } => {
                "set the frequency governor to `performance`, and keep the machine cool"
            }
            Self::Governor { .. } => {
                "set the governor to `performance`, unless the machine you deploy on has the same governor"
            }
            Self::Throttled { .. } => "let the machine cool down, improve its cooling, or pause between runs",
            Self::OnBattery => "plug it in",
            Self::UnoptimizedBuild { .. } => "build it with `cargo build --release`",
            Self::CoarseClock { .. } => {
                "choose a finer clock source for the machine, or, if a sandbox replaces its clock, run outside it"
            }
            Self::Swapping { .. } => {
                "close programs that use a lot of memory, or measure fewer or smaller models at once"
            }
            Self::LateGenerator { .. } => {
                "offer fewer requests per second, or leave a processor free for tailmark"
            }
            Self::Overloaded { .. } => {
                "offer fewer requests per second ([capacity] finds how many it can take), or give it more replicas or threads"
            }
            Self::Lost { .. } => {
                "find the reason in its losses and its stderr log, and fix it before you trust a PASS"
            }
            Self::Caching { .. } => {
                "turn the cache off, or use a corpus with as many different texts as there are requests"
            }
            Self::Oversubscribed { processors, .. } => {
                return format!("give it {} or fewer", units::counted(*processors as u64, "thread"));
            }
        };
        remedy.to_owned()
    }
}

fn whom(taken_by: TakenBy) -> String {
    match taken_by {
        TakenBy::NoneCounted { others, stolen } => format!(
            "; other processes used {} and other guests {}, too little to explain it",
            units::percent(others),
            units::percent(stolen)
        ),
        _ => String::new(),
    }
}

fn remedy_for(taken_by: TakenBy) -> &'static str {
    match taken_by {
        TakenBy::Quota => "raise the CPU quota, or give the backends fewer threads",
        TakenBy::OtherProcesses => "close other programs (top lists them)",
        TakenBy::OtherGuests => "measure on a machine, or an instance type, with processors of its own",
        TakenBy::NoneCounted { .. } => {
            "run it again; if it stays, interrupts, power saving or the hypervisor itself take the time: look at \
             interrupts and power settings, or measure on another machine"
        }
        TakenBy::Unknown => {
            "close other programs; on a virtual machine, ask for processors that are not shared"
        }
    }
}

/// A point in time to which a beat of the heartbeat is right.
fn after(at: Duration) -> String {
    if at < Duration::from_secs(1) { "less than a second".to_owned() } else { time(at) }
}

fn why(cause: PauseCause) -> &'static str {
    match cause {
        PauseCause::Asleep => "the machine slept",
        PauseCause::NoProcessor => "it was ready to run and got no processor",
        PauseCause::Suspended => "it was suspended, or the whole machine stood still",
    }
}

fn throttled(events: u64, share: Option<f64>, speed_limit: Option<f64>, warning_level: u64) -> String {
    let mut signs = Vec::new();
    if let Some(share) = share.filter(|share| *share > 0.0) {
        signs.push(format!("for {} of the run", units::percent(share)));
    }
    if let Some(limit) = speed_limit.filter(|limit| *limit < 1.0) {
        signs.push(format!("to {} of full speed", units::percent(limit)));
    }
    if warning_level > 0 {
        signs.push(format!("with warning level {warning_level}"));
    }
    if events > 0 {
        signs.push(format!("in {}", units::counted(events, "event")));
    }
    format!("heat or a power limit held the processor back {}", signs.join(", "))
}

fn time(duration: Duration) -> String {
    units::duration(duration.as_nanos() as f64)
}
