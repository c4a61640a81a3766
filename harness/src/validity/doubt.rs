//! The doubts there are, and how heavily each weighs; what each says stands in `words`.
//!
//! Every threshold stands here, beside its reason. They are chosen so that an ordinary idle machine, virtual ones
//! included, trips none of them.

mod words;

use std::time::Duration;

use tailmark_reports::record;

use crate::environment::PauseCause;

/// How heavily a doubt weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It turns a verdict into INCONCLUSIVE.
    Serious,
    /// It is shown, and turns nothing.
    Note,
}

/// What had the processor while a busy loop did not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TakenBy {
    /// Nobody: a CPU quota stopped the loop.
    Quota,
    /// Other processes.
    OtherProcesses,
    /// Other guests of the hypervisor.
    OtherGuests,
    /// Neither: both shares are known, and too small for what was lost.
    NoneCounted {
        /// Other processes' share of all processors' time.
        others: f64,
        /// Other guests' share of it.
        stolen: f64,
    },
    /// The machine does not count enough to say.
    Unknown,
}

/// Something that speaks against believing a run. Shares are between 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// Other processes used the processors: serious above a quarter of all processors' time over the run, or when more
    /// than 5 % of the run was disturbed that much; a note from a tenth on.
    OthersBusy {
        /// Over the whole run.
        mean_share: f64,
        /// Share of the run in stretches with more than a quarter used by others.
        disturbed_share: Option<f64>,
    },
    /// The hypervisor gave processor time to other guests: serious above 5 %, a note above 1 %.
    Stolen {
        /// Of all processors' time.
        share: f64,
    },
    /// A busy loop lost its processor: serious when more than a tenth of its time was lost even without the probe that
    /// lost most, a note above 2 % in all. A tenth and not 5 %: a few probes of 20 ms are a small sample, and two gaps
    /// of a millisecond must not decide.
    Jitter {
        /// Of all probes' time.
        lost_share: f64,
        /// The same without the probe that lost most.
        lost_share_without_worst: Option<f64>,
        /// The longest gap.
        largest_gap: Duration,
        /// What is known to have had the processor meanwhile.
        taken_by: TakenBy,
    },
    /// tailmark itself did not run: serious, however short. A heartbeat is only late by more than half a second when the
    /// process was stopped, the machine slept or no processor was to be had, and what was in flight then looks slow.
    DidNotRun {
        /// How often.
        times: usize,
        /// How long in all.
        total: Duration,
        /// How long at once at most.
        longest: Duration,
        /// When that began, after tailmark began to measure.
        at: Duration,
        /// Why that was.
        cause: PauseCause,
    },
    /// A CPU quota stopped the control group of tailmark and its workers: serious in more than 5 % of the periods, for each
    /// stop lasts up to a period, which is longer than most limits. It may be the quota that the backend will be deployed
    /// with, but tailmark is stopped with it, and times what it misses.
    HeldToQuota {
        /// Processors that the group may use.
        processors: f64,
        /// Periods in which it ran.
        periods: u64,
        /// Those in which it was stopped.
        throttled: u64,
    },
    /// The machine was loaded when the run began: a note from one and a half tasks per processor on. No more than that,
    /// for it tells of the minute before, in which tailmark itself may have been compiled.
    LoadedBefore {
        /// The one-minute load average.
        load: f64,
        /// How many processors there are.
        processors: usize,
    },
    /// The processor ran at less than half its speed although it was kept busy: serious.
    SlowProcessor {
        /// The lowest frequency seen under load.
        lowest_mhz: f64,
        /// The highest that the processor can do.
        max_mhz: f64,
    },
    /// The frequency under load fell below four fifths of its own highest during the run: a note, since drift of the
    /// latency is looked for in the latencies themselves.
    UnsteadyFrequency {
        /// The lowest frequency seen under load.
        lowest_mhz: f64,
        /// The highest frequency seen under load.
        highest_mhz: f64,
    },
    /// A governor that is slow to speed up, or does not: a note, since its effect is what `SlowProcessor` measures.
    Governor {
        /// Its name.
        governor: String,
        /// The driver; those that choose by themselves mean no fixed frequency by `powersave`.
        driver: Option<String>,
    },
    /// Heat or a power limit held the processor back: serious when for more than 5 % of the run, or when less than 95 %
    /// of full speed was allowed, or when the system raised a warning; single events are a note.
    Throttled {
        /// Throttling events of one processor.
        events: u64,
        /// Share of the run in which it was throttled, where that is counted.
        share: Option<f64>,
        /// The lowest speed allowed, 1 being full speed.
        speed_limit: Option<f64>,
        /// The highest warning level; 0 is none.
        warning_level: u64,
    },
    /// The machine ran on its battery: a note, since it may or may not clock itself down.
    OnBattery,
    /// tailmark itself was built without optimization: serious, because its own work is then part of what is measured.
    UnoptimizedBuild {
        /// The level, as cargo names it.
        opt_level: String,
    },
    /// The clock is too coarse or too slow to read: serious above 1 % of the limit.
    CoarseClock {
        /// The smallest step.
        resolution: Duration,
        /// One reading.
        cost: Duration,
        /// The limit that is judged by.
        limit: Duration,
    },
    /// The machine swapped: serious above a hundred pages a second (a fault takes a tenth of a millisecond to ten, so
    /// this is 1 % to all of the time) or, where pages are not counted, when swap grew by more than 64 MiB; less is a
    /// note.
    Swapping {
        /// Pages moved in either direction.
        pages_per_second: Option<f64>,
        /// By how much the space in use grew.
        grown_bytes: u64,
    },
    /// tailmark started requests late: serious when the 99th percentile is above 5 % of the limit, for lateness is part
    /// of the response time and is not the backend's.
    LateGenerator {
        /// The backend that was asked.
        backend: String,
        /// 99th percentile of the lateness.
        lateness_p99: Duration,
        /// The limit that is judged by.
        limit: Duration,
    },
    /// More requests waited for a slot than may, so the backend was not asked any further: serious, for what was offered
    /// is then not what was measured. It speaks against a PASS and not against a FAIL.
    Overloaded {
        /// The backend that was asked.
        backend: String,
        /// Requests per second that were due.
        offered: f64,
        /// Requests per second that were started.
        achieved: f64,
    },
    /// The backend hardly computed a text that it had just seen: serious, because a corpus repeats its texts, and the callers of
    /// the backend may not.
    Caching {
        /// The backend.
        backend: String,
        /// Median service time of the repeated text.
        repeated: Duration,
        /// Median service time of new texts of the same length.
        new: Duration,
    },
    /// A backend computes with more threads than there are processors: a note, for so it would be deployed.
    Oversubscribed {
        /// The backend.
        backend: String,
        /// Its threads.
        threads: usize,
        /// How many processors there are.
        processors: usize,
    },
    /// Workers of a backend were lost and replaced: a note, for the requests that they failed are in every figure as
    /// infinitely slow, and a verdict has weighed them. No more is known to be wrong, but nothing was asked until a fresh
    /// process was warm, which callers would have waited for: so a PASS must not hide it.
    Lost {
        /// The backend.
        backend: String,
        /// How many.
        workers: u64,
    },
}

impl Doubt {
    /// How heavily it weighs.
    #[must_use]
    pub fn weight(&self) -> Weight {
        let serious = match self {
            Self::OthersBusy { mean_share, disturbed_share } => {
                *mean_share > 0.25 || disturbed_share.is_some_and(|share| share > 0.05)
            }
            Self::Stolen { share } => *share > 0.05,
            Self::Jitter { lost_share_without_worst, .. } => {
                lost_share_without_worst.is_some_and(|share| share > 0.1)
            }
            Self::HeldToQuota { periods, throttled, .. } => *throttled as f64 > 0.05 * *periods as f64,
            Self::SlowProcessor { lowest_mhz, max_mhz } => *lowest_mhz < 0.5 * max_mhz,
            Self::Throttled { share, speed_limit, warning_level, .. } => {
                share.is_some_and(|share| share > 0.05)
                    || speed_limit.is_some_and(|limit| limit < 0.95)
                    || *warning_level > 0
            }
            Self::UnoptimizedBuild { opt_level } => opt_level == "0",
            Self::CoarseClock { resolution, cost, limit } => resolution.max(cost) > &(*limit / 100),
            Self::Swapping { pages_per_second: Some(pages), .. } => *pages > 100.0,
            Self::Swapping { pages_per_second: None, grown_bytes } => *grown_bytes > 64 << 20,
            Self::LateGenerator { lateness_p99, limit, .. } => *lateness_p99 > *limit / 20,
            Self::DidNotRun { .. } | Self::Overloaded { .. } | Self::Caching { .. } => true,
            Self::LoadedBefore { .. }
            | Self::UnsteadyFrequency { .. }
            | Self::Governor { .. }
            | Self::OnBattery
            | Self::Lost { .. }
            | Self::Oversubscribed { .. } => false,
        };
        if serious { Weight::Serious } else { Weight::Note }
    }

    /// Whether its figures are such that it should be raised at all.
    pub(super) fn is_worth_a_line(&self) -> bool {
        if self.weight() == Weight::Serious {
            return true;
        }
        match self {
            Self::OthersBusy { mean_share, .. } => *mean_share > 0.1,
            Self::Stolen { share } => *share > 0.01,
            Self::Jitter { lost_share, .. } => *lost_share > 0.02,
            Self::HeldToQuota { throttled, .. } => *throttled > 0,
            Self::LoadedBefore { load, processors } => *load > 1.5 * *processors as f64,
            Self::UnsteadyFrequency { lowest_mhz, highest_mhz } => *lowest_mhz < 0.8 * highest_mhz,
            Self::Governor { governor, driver } => governor_is_slow(governor, driver.as_deref()),
            Self::Throttled { events, share, speed_limit, .. } => {
                *events > 0
                    || share.is_some_and(|share| share > 0.0)
                    || speed_limit.is_some_and(|limit| limit < 1.0)
            }
            Self::OnBattery | Self::Lost { .. } => true,
            Self::Swapping { pages_per_second, grown_bytes } => {
                pages_per_second.is_some_and(|pages| pages > 0.0) || *grown_bytes > 0
            }
            Self::Oversubscribed { threads, processors, .. } => threads > processors,
            Self::DidNotRun { .. }
            | Self::SlowProcessor { .. }
            | Self::UnoptimizedBuild { .. }
            | Self::CoarseClock { .. }
            | Self::LateGenerator { .. }
            | Self::Overloaded { .. }
            | Self::Caching { .. } => false,
        }
    }

    /// The backend it concerns; `None` when it concerns all of them.
    #[must_use]
    pub fn backend(&self) -> Option<&str> {
        match self {
            Self::LateGenerator { backend, .. }
            | Self::Overloaded { backend, .. }
            | Self::Caching { backend, .. }
            | Self::Lost { backend, .. }
            | Self::Oversubscribed { backend, .. } => Some(backend),
            _ => None,
        }
    }

    /// As the record has it.
    #[must_use]
    pub fn to_record(&self) -> record::Doubt {
        record::Doubt {
            backend: self.backend().map(str::to_owned),
            what: self.what(),
            remedy: self.remedy(),
            serious: self.weight() == Weight::Serious,
        }
    }
}

/// Drivers whose `powersave` is a rule that follows the load, and not the lowest frequency.
const DRIVERS_THAT_CHOOSE: [&str; 2] = ["intel_pstate", "amd-pstate-epp"];

fn governor_is_slow(governor: &str, driver: Option<&str>) -> bool {
    match governor {
        "powersave" => !driver.is_some_and(|driver| DRIVERS_THAT_CHOOSE.contains(&driver)),
        "conservative" | "userspace" => true,
        _ => false,
    }
}
