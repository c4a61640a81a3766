//! The conditions a run was measured under, as plain data: what is absent could not be read, and [`Unread`] says why.
//!
//! Decides nothing: whether a figure casts doubt on a run is the business of the module that judges validity.

use std::time::Duration;

/// What was seen of the machine while it was watched. Shares are between 0 and 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// From the first look to the last.
    pub watched: Duration,
    /// The optimization level tailmark itself was built at, as cargo names it: `0` to `3`, `s` or `z`.
    pub build_opt_level: Option<String>,
    /// Processor time of processes that are neither tailmark nor its workers.
    pub others: Option<OthersCpu>,
    /// Share of all processors' time that the hypervisor gave to another guest.
    pub steal_share: Option<f64>,
    /// One-minute load average when the watch began.
    pub load_at_start: Option<f64>,
    /// One-minute load average at the last look.
    pub load_at_end: Option<f64>,
    /// The clock that the run is timed with.
    pub clock: Option<Clock>,
    /// What the busy-loop probe saw.
    pub jitter: Option<Jitter>,
    /// Processor frequencies.
    pub frequency: Option<Frequency>,
    /// Whether the processors were held back by heat.
    pub thermal: Option<Thermal>,
    /// What the machine ran on.
    pub power: Option<PowerSource>,
    /// Swap space.
    pub swap: Option<Swap>,
    /// The CPU quota of tailmark's control group.
    pub quota: Option<CpuQuota>,
    /// When tailmark itself did not run although it should have.
    pub pauses: Option<Vec<Pause>>,
    /// What could not be read, and why.
    pub unread: Vec<Unread>,
}

/// Processor time of processes that are neither tailmark nor its workers, as shares of all processors' time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OthersCpu {
    /// Over the whole watch.
    pub mean_share: f64,
    /// Share of the time in stretches (half a second or longer) in which it was above [`DISTURBED_FROM`]; absent when
    /// the watch was shorter than a stretch.
    pub disturbed_share: Option<f64>,
    /// The largest of any stretch.
    pub busiest_share: Option<f64>,
}

/// From this share of all processors' time on, a stretch counts as disturbed: on two processors it is half of one.
pub const DISTURBED_FROM: f64 = 0.25;

/// How finely and how cheaply the clock can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The smallest step seen between two readings that differ.
    pub resolution: Duration,
    /// One reading, on average.
    pub cost: Duration,
}

/// A busy loop that does nothing but read the clock is late only when something else had its processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// How many times the loop was run.
    pub probes: u32,
    /// How long it ran in all.
    pub spun: Duration,
    /// The largest time between two readings.
    pub largest_gap: Duration,
    /// Share of the time in gaps longer than 50 us.
    pub lost_share: f64,
    /// The same without the probe that lost most, so that one hiccup is told from a condition; absent below two probes.
    pub lost_share_without_worst: Option<f64>,
}

/// Processor frequencies in MHz, of the fastest processor at each look.
#[derive(Clone, Debug, PartialEq)]
pub struct Frequency {
    /// At the last look.
    pub now_mhz: f64,
    /// The most the processor can do, short boosts included.
    pub max_mhz: Option<f64>,
    /// Lowest and highest right after a busy-loop probe, when an idle processor has had cause to speed up.
    pub loaded_mhz: Option<(f64, f64)>,
    /// The rule that chooses the frequency, for example `performance`.
    pub governor: Option<String>,
    /// The driver that carries it out; in some, `powersave` is no fixed frequency.
    pub driver: Option<String>,
}

/// Signs that heat (or a power limit) held the processors back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thermal {
    /// Throttling events during the watch, of the processor that had most.
    pub events: Option<u64>,
    /// Share of the watch in which that processor was throttled.
    pub throttled_share: Option<f64>,
    /// The lowest speed allowed at any look, 1 being full speed.
    pub speed_limit: Option<f64>,
    /// The highest warning level at any look; 0 is none.
    pub warning_level: Option<u64>,
}

/// What a machine draws its power from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerSource {
    /// A socket.
    Mains,
    /// Its battery, or an uninterruptible power supply.
    Battery,
}

/// Swap space of the whole machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swap {
    /// In use when the watch began, in bytes.
    pub used_at_start_bytes: u64,
    /// In use at the last look, in bytes.
    pub used_bytes: u64,
    /// Pages moved in either direction during the watch.
    pub pages_moved: Option<u64>,
}

/// How much processor time the control group may use that tailmark and its workers run in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CpuQuota {
    /// All there is.
    Unlimited,
    /// So many processors, and no more.
    Limited(Throttling),
}

/// A CPU quota and how often the kernel held the group to it during the watch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttling {
    /// Processors that the group may use at once, on average over a period.
    pub processors: f64,
    /// Periods in which the group ran.
    pub periods: u64,
    /// Those in which it used up its quota and was stopped until the next.
    pub throttled: u64,
}

/// A time in which tailmark did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it began, after the watch did, to a quarter of a second.
    pub at: Duration,
    /// How long it lasted at least; a quarter of a second more is possible.
    pub length: Duration,
    /// Why, as far as the clocks tell.
    pub cause: PauseCause,
}

/// Why tailmark did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseCause {
    /// The machine slept.
    Asleep,
    /// It was ready to run, and had no processor.
    NoProcessor,
    /// It was stopped, or all of the machine stood still.
    Suspended,
}

/// A condition that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Which, as [`Conditions::figures`] names it.
    pub what: &'static str,
    /// Why.
    pub why: String,
}
