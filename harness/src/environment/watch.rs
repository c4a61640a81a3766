//! Watches the machine while a run is on, at moments the caller chooses: between blocks, when nothing is being timed.
//!
//! The counters it reads are cumulative, so nothing has to look in between and disturb what it watches. The one thread of
//! its own is the heartbeat, which reads two clocks four times a second: a gap leaves no trace in any counter.

use std::time::{Duration, Instant};

use sysinfo::System;

use super::clock::{self, Spins};
use super::conditions::{Clock, Conditions, Pause, Unread};
use super::figures;
use super::frequency::{self, Frequencies};
use super::heartbeat::Heartbeat;
use super::power;
use super::processors::Counters;
use super::quota::Quotas;
use super::source::Files;
use super::swap::{self, Swapped};
use super::thermal::Heat;
use super::usage::{SHORTEST_STRETCH, Usage};
use super::watched::Watched;

/// The machine being watched.
#[derive(Debug)]
pub struct ConditionsWatch {
    files: Files,
    began: Instant,
    last_look: Instant,
    clock: Clock,
    counters: Result<Counters, String>,
    usage: Usage,
    spins: Spins,
    frequencies: Result<Frequencies, String>,
    heat: Result<Heat, String>,
    power: Result<super::PowerSource, String>,
    swap: Result<(Swapped, Swapped), String>,
    load: Result<(f64, f64), String>,
    quotas: Result<Quotas, String>,
    heartbeat: Result<Heartbeat, String>,
}

impl ConditionsWatch {
    /// Takes the first look, which lasts a few milliseconds.
    #[must_use]
    pub fn start() -> Self {
        Self::of(Files::of_this_machine())
    }

    fn of(files: Files) -> Self {
        let clock = clock::measure();
        let began = Instant::now();
        let mut watch = Self {
            began,
            last_look: began,
            clock,
            counters: Counters::new(&files),
            usage: Usage::default(),
            spins: Spins::default(),
            frequencies: frequency::look(&files).map(|clocked| {
                let mut all = Frequencies::default();
                all.add(clocked, false);
                all
            }),
            heat: Heat::first_look(&files),
            power: power::look(&files),
            swap: swap::look(&files).map(|first| (first, first)),
            load: load().map(|now| (now, now)),
            quotas: Quotas::first_look(&files),
            heartbeat: Heartbeat::start(&files),
            files,
        };
        watch.read_counters(began);
        watch
    }

    /// Counts a process as tailmark's own, with its descendants if it is watched so. To be called soon after it was started, for all it
    /// ever used counts.
    pub fn add_process(&mut self, process: Watched) {
        if let Ok(counters) = &mut self.counters {
            counters.add(process);
        }
    }

    /// Looks at the processors' counters, unless it has done so within the last half second. Where there is no `/proc`,
    /// what a worker used after the last look at it is taken for another's: look before it is shut down.
    pub fn look(&mut self) {
        let now = Instant::now();
        if now - self.last_look >= SHORTEST_STRETCH {
            self.read_counters(now);
        }
        if let Ok(quotas) = &mut self.quotas {
            quotas.look(&self.files);
        }
    }

    /// Runs a busy loop on this thread for 20 ms, and looks at the processors' frequency while it is warm.
    pub fn probe_jitter(&mut self) {
        self.spins.add(clock::spin());
        if let Ok(frequencies) = &mut self.frequencies
            && let Ok(clocked) = frequency::look(&self.files)
        {
            frequencies.add(clocked, true);
        }
        self.look();
    }

    /// What was seen so far, without another look.
    #[must_use]
    pub fn so_far(&self) -> Conditions {
        let watched = self.last_look - self.began;
        let mut unread = Vec::new();
        let frequency = known(figures::FREQUENCY, &self.frequencies, &mut unread);
        let frequency = frequency.and_then(Frequencies::frequency);
        let governor = frequency.as_ref().and_then(|frequency| frequency.governor.as_ref());
        if governor.is_none() {
            let why = "this machine reports no governor".to_owned();
            unread.push(Unread { what: figures::GOVERNOR, why });
        }
        let counted = known(figures::OTHERS, &self.counters, &mut unread);
        let (others, steal_share) = (self.usage.others(), self.usage.steal_share());
        let mut silent = |what, missing: bool, why: &str| {
            if missing {
                unread.push(Unread { what, why: why.to_owned() });
            }
        };
        silent(figures::OTHERS, counted.is_some() && others.is_none(), "the counters did not move");
        silent(figures::STEAL, steal_share.is_none(), "this machine does not count it");
        silent(figures::JITTER, self.spins.jitter().is_none(), "no probe was run");
        let build_opt_level = option_env!("TAILMARK_OPT_LEVEL").map(str::to_owned);
        silent(figures::BUILD, build_opt_level.is_none(), "the build did not record it");
        let load = known(figures::LOAD, &self.load, &mut unread);
        Conditions {
            watched,
            build_opt_level,
            others,
            steal_share,
            load_at_start: load.map(|(start, _)| *start),
            load_at_end: load.map(|(_, end)| *end),
            clock: Some(self.clock),
            jitter: self.spins.jitter(),
            frequency,
            thermal: known(figures::THERMAL, &self.heat, &mut unread).map(|heat| heat.thermal(watched)),
            power: known(figures::POWER, &self.power, &mut unread).copied(),
            swap: known(figures::SWAP, &self.swap, &mut unread)
                .map(|(first, last)| swap::between(*first, *last)),
            quota: known(figures::QUOTA, &self.quotas, &mut unread).map(Quotas::quota),
            pauses: known(figures::PAUSES, &self.heartbeat, &mut unread).map(Heartbeat::so_far),
            unread,
        }
    }

    /// Takes the last look at everything and says what was seen.
    #[must_use]
    pub fn finish(mut self) -> Conditions {
        self.read_counters(Instant::now());
        if let Ok(heat) = &mut self.heat {
            heat.look(&self.files);
        }
        if let (Ok((_, last)), Ok(now)) = (&mut self.swap, swap::look(&self.files)) {
            *last = now;
        }
        if let (Ok((_, last)), Ok(now)) = (&mut self.load, load()) {
            *last = now;
        }
        // Unplugged on the way counts as unplugged, and so does plugged in on the way.
        if let Ok(super::PowerSource::Battery) = power::look(&self.files) {
            self.power = Ok(super::PowerSource::Battery);
        }
        if let Ok(quotas) = &mut self.quotas {
            quotas.look(&self.files);
        }
        let conditions = self.so_far();
        // Only the heartbeat's last beat sees a pause that has just ended.
        let pauses: Option<Vec<Pause>> = self.heartbeat.ok().map(Heartbeat::finish);
        Conditions { pauses, ..conditions }
    }

    fn read_counters(&mut self, now: Instant) {
        let since_last: Duration = now - self.last_look;
        self.last_look = now;
        if let Ok(counters) = &mut self.counters {
            match counters.read(since_last) {
                Ok(reading) => self.usage.add(now - self.began, reading),
                Err(reason) => self.counters = Err(reason),
            }
        }
    }
}

fn load() -> Result<f64, String> {
    System::load_average().map(|load| load.one).map_err(|error| error.to_string())
}

/// What was read, or one more line in the list of what was not.
fn known<'a, T>(what: &'static str, read: &'a Result<T, String>, unread: &mut Vec<Unread>) -> Option<&'a T> {
    match read {
        Ok(read) => Some(read),
        Err(why) => {
            unread.push(Unread { what, why: why.clone() });
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_of_this_machine_sees_its_own_probes() {
        let mut watch = ConditionsWatch::start();
        watch.add_process(Watched { pid: u32::MAX - 7, with_descendants: true });
        for _ in 0..2 {
            watch.probe_jitter();
        }
        let half_way = watch.so_far();
        assert_eq!(half_way.jitter.map(|jitter| jitter.probes), Some(2));
        let conditions = watch.finish();
        assert!(conditions.watched >= Duration::from_millis(40), "{conditions:?}");
        let jitter = conditions.jitter.unwrap();
        assert!((0.0..=1.0).contains(&jitter.lost_share), "{jitter:?}");
        assert!(conditions.clock.unwrap().resolution > Duration::ZERO);
        let all = conditions.figures();
        for figure in &all {
            assert!(figure.value != "not known" || figure.note.is_some(), "{figure:?} says why");
        }
    }

    #[test]
    fn a_machine_without_any_of_the_files_is_watched_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = ConditionsWatch::of(Files::below(folder.path()));
        watch.probe_jitter();
        let conditions = watch.finish();
        assert_eq!((conditions.frequency.clone(), conditions.steal_share), (None, None));
        assert!(conditions.jitter.is_some());
        let reasons: Vec<_> = conditions.unread.iter().map(|unread| unread.what).collect();
        assert!(reasons.contains(&figures::FREQUENCY) && reasons.contains(&figures::STEAL), "{reasons:?}");
        let foreign = conditions
            .unread
            .iter()
            .find(|unread| ["/proc", "/sys"].iter().any(|place| unread.why.contains(place)));
        assert_eq!(foreign, None, "no file of another system is named");
    }
}
