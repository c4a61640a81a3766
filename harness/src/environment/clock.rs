//! What the clock can tell apart, and what a loop that only reads it misses.
//!
//! The loops read the clock; what is made of the readings is pure.

use std::time::{Duration, Instant};

use super::conditions::{Clock, Jitter};

/// Readings to judge the clock by: about 0.1 ms with a clock that costs 25 ns.
const READINGS: u32 = 4096;
/// A clock that costs far more is not read as often.
const LONGEST: Duration = Duration::from_micros(500);
/// How long the busy loop runs.
const PROBE: Duration = Duration::from_millis(20);
/// A time between two readings that is longer counts as lost: a hundred times what a timer interrupt takes.
const LOST_FROM: Duration = Duration::from_micros(50);

/// Measures the clock, in less than a millisecond on an undisturbed machine.
pub(super) fn measure() -> Clock {
    let began = Instant::now();
    let mut last = began;
    let mut resolution = None;
    let mut readings = 0_u32;
    while readings < READINGS && last - began < LONGEST {
        let now = Instant::now();
        let step = now - last;
        if !step.is_zero() {
            resolution = Some(resolution.map_or(step, |smallest: Duration| smallest.min(step)));
        }
        last = now;
        readings += 1;
    }
    // A clock that has not moved in so many readings is coarser than all of them took.
    Clock { resolution: resolution.unwrap_or(LONGEST), cost: (last - began) / readings.max(1) }
}

/// Spins for 20 ms and says what was lost.
pub(super) fn spin() -> Spin {
    let began = Instant::now();
    let mut last = began;
    let mut spin = Spin::default();
    while spin.spun < PROBE {
        let now = Instant::now();
        spin.add(now - last);
        last = now;
    }
    spin
}

/// One run of the busy loop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spin {
    spun: Duration,
    lost: Duration,
    largest: Duration,
}

impl Spin {
    fn add(&mut self, gap: Duration) {
        self.spun += gap;
        self.largest = self.largest.max(gap);
        if gap > LOST_FROM {
            self.lost += gap;
        }
    }
}

/// All runs of the busy loop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spins {
    probes: u32,
    all: Spin,
    worst: Spin,
}

impl Spins {
    pub(super) fn add(&mut self, spin: Spin) {
        self.probes += 1;
        self.all.spun += spin.spun;
        self.all.lost += spin.lost;
        self.all.largest = self.all.largest.max(spin.largest);
        if spin.lost >= self.worst.lost {
            self.worst = spin;
        }
    }

    /// `None` when the loop was never run.
    pub(super) fn jitter(&self) -> Option<Jitter> {
        let share = |lost: Duration, spun: Duration| lost.as_secs_f64() / spun.as_secs_f64();
        let rest = (self.all.lost - self.worst.lost, self.all.spun - self.worst.spun);
        (!self.all.spun.is_zero()).then(|| Jitter {
            probes: self.probes,
            spun: self.all.spun,
            largest_gap: self.all.largest,
            lost_share: share(self.all.lost, self.all.spun),
            lost_share_without_worst: (self.probes > 1).then(|| share(rest.0, rest.1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin_of(gaps_us: &[u64]) -> Spin {
        let mut spin = Spin::default();
        for gap in gaps_us {
            spin.add(Duration::from_micros(*gap));
        }
        spin
    }

    #[test]
    fn only_long_gaps_are_lost_time() {
        let spin = spin_of(&[1, 50, 49, 100, 800]);
        assert_eq!(spin.lost, Duration::from_micros(900));
        assert_eq!(spin.spun, Duration::from_micros(1000));
        assert_eq!(spin.largest, Duration::from_micros(800));
    }

    #[test]
    fn one_hiccup_is_told_from_a_condition() {
        let mut spins = Spins::default();
        assert_eq!(spins.jitter(), None);
        spins.add(spin_of(&[50; 20]));
        assert_eq!(spins.jitter().unwrap().lost_share_without_worst, None);
        spins.add(spin_of(&[500, 500]));
        spins.add(spin_of(&[50; 20]));
        let jitter = spins.jitter().unwrap();
        assert_eq!(jitter.probes, 3);
        assert!((jitter.lost_share - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(jitter.lost_share_without_worst, Some(0.0));
        spins.add(spin_of(&[250, 250, 500]));
        let share = spins.jitter().unwrap().lost_share_without_worst.unwrap();
        assert!((share - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn the_busy_loop_and_the_clock_give_sane_figures() {
        let spin = spin();
        assert!(spin.spun >= PROBE && spin.lost <= spin.spun, "{spin:?}");
        assert!(spin.largest > Duration::ZERO && spin.largest <= spin.spun, "{spin:?}");
        let clock = measure();
        assert!(clock.resolution > Duration::ZERO, "{clock:?}");
    }
}
