//! The conditions as lines for people: a name, the figure, and what it needs to be read by.
//!
//! Computes nothing and judges nothing. Every condition has its line: one that could not be read says why.

use std::time::Duration;

use tailmark_reports::record::Condition;
use tailmark_reports::units;

use super::conditions::{
    Conditions, CpuQuota, Frequency, Jitter, OthersCpu, Pause, PowerSource, Swap, Thermal,
};

pub(super) const BUILD: &str = "tailmark's optimization level";
pub(super) const OTHERS: &str = "other processes' CPU share";
pub(super) const STEAL: &str = "CPU share stolen by other guests";
pub(super) const LOAD: &str = "load average at the start and the end";
pub(super) const CLOCK: &str = "clock resolution";
pub(super) const JITTER: &str = "time lost by a busy loop";
pub(super) const FREQUENCY: &str = "CPU frequency under load";
pub(super) const GOVERNOR: &str = "CPU frequency governor";
pub(super) const THERMAL: &str = "thermal pressure";
pub(super) const POWER: &str = "power source";
pub(super) const SWAP: &str = "swap in use";
pub(super) const QUOTA: &str = "CPU quota";
pub(super) const PAUSES: &str = "longest time tailmark did not run";

impl Conditions {
    /// Every condition as the record shows it: a figure with its unit, or `not known` and why.
    #[must_use]
    pub fn figures(&self) -> Vec<Condition> {
        let load = self.load_at_start.zip(self.load_at_end);
        let governor = self.frequency.as_ref().and_then(|frequency| frequency.governor.clone());
        vec![
            self.figure(OTHERS, self.others.map(others)),
            self.figure(STEAL, self.steal_share.map(|share| (units::percent(share), None))),
            self.figure(QUOTA, self.quota.map(quota)),
            self.figure(PAUSES, self.pauses.as_deref().map(pauses)),
            self.figure(LOAD, load.map(|(start, end)| (format!("{start:.2}, {end:.2}"), None))),
            self.figure(JITTER, self.jitter.map(jitter)),
            self.figure(CLOCK, self.clock.map(clock)),
            self.figure(FREQUENCY, self.frequency.as_ref().map(frequency)),
            self.figure(GOVERNOR, governor.map(|governor| (governor, None))),
            self.figure(THERMAL, self.thermal.map(thermal)),
            self.figure(POWER, self.power.map(power)),
            self.figure(SWAP, self.swap.map(swap)),
            self.figure(BUILD, self.build_opt_level.clone().map(|level| (level, None))),
        ]
    }

    fn figure(&self, name: &'static str, known: Option<(String, Option<String>)>) -> Condition {
        let (value, note) = known.unwrap_or_else(|| {
            let why = self.unread.iter().find(|unread| unread.what == name).map(|unread| unread.why.clone());
            ("not known".to_owned(), why)
        });
        Condition { name: name.to_owned(), value, note }
    }
}

fn others(others: OthersCpu) -> (String, Option<String>) {
    let note = others.busiest_share.map(|share| format!("at most {} in any stretch", units::percent(share)));
    (units::percent(others.mean_share), note)
}

fn jitter(jitter: Jitter) -> (String, Option<String>) {
    let note = format!(
        "largest gap {} in {} of 20 ms",
        units::duration(jitter.largest_gap.as_nanos() as f64),
        units::counted(u64::from(jitter.probes), "probe")
    );
    (units::percent(jitter.lost_share), Some(note))
}

fn quota(quota: CpuQuota) -> (String, Option<String>) {
    let CpuQuota::Limited(throttling) = quota else { return ("none".to_owned(), None) };
    let note = format!(
        "throttled in {} of {}",
        units::count(throttling.throttled),
        units::counted(throttling.periods, "period")
    );
    (processors(throttling.processors), Some(note))
}

/// A quota in words, for example `0.3 processors`.
#[must_use]
pub fn processors(quota: f64) -> String {
    let number = format!("{quota:.2}");
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number} processor{}", if number == "1" { "" } else { "s" })
}

fn pauses(pauses: &[Pause]) -> (String, Option<String>) {
    let Some(longest) = pauses.iter().max_by_key(|pause| pause.length) else {
        return ("no pause".to_owned(), None);
    };
    let time = |duration: Duration| units::duration(duration.as_nanos() as f64);
    let total = pauses.iter().map(|pause| pause.length).sum();
    let note = format!("{}, {} in all", units::counted(pauses.len() as u64, "pause"), time(total));
    (time(longest.length), Some(note))
}

fn clock(clock: super::conditions::Clock) -> (String, Option<String>) {
    let cost = units::duration(clock.cost.as_nanos() as f64);
    (units::duration(clock.resolution.as_nanos() as f64), Some(format!("{cost} a reading")))
}

fn frequency(frequency: &Frequency) -> (String, Option<String>) {
    let value = match frequency.loaded_mhz {
        Some((low, high)) if low.round() < high.round() => format!("{low:.0} to {high:.0} MHz"),
        Some((_, high)) => format!("{high:.0} MHz"),
        None => format!("{:.0} MHz", frequency.now_mhz),
    };
    (value, frequency.max_mhz.map(|max| format!("at most {max:.0} MHz")))
}

fn thermal(thermal: Thermal) -> (String, Option<String>) {
    let mut signs = Vec::new();
    if let Some(events) = thermal.events.filter(|events| *events > 0) {
        signs.push(units::counted(events, "throttling event"));
    }
    if let Some(share) = thermal.throttled_share.filter(|share| *share > 0.0) {
        signs.push(format!("throttled {} of the time", units::percent(share)));
    }
    if let Some(limit) = thermal.speed_limit.filter(|limit| *limit < 1.0) {
        signs.push(format!("held to {} of full speed", units::percent(limit)));
    }
    if let Some(level) = thermal.warning_level.filter(|level| *level > 0) {
        signs.push(format!("warning level {level}"));
    }
    (if signs.is_empty() { "none".to_owned() } else { signs.join(", ") }, None)
}

fn power(power: PowerSource) -> (String, Option<String>) {
    let name = match power {
        PowerSource::Mains => "mains",
        PowerSource::Battery => "battery",
    };
    (name.to_owned(), None)
}

fn swap(swap: Swap) -> (String, Option<String>) {
    let note = swap.pages_moved.map(|pages| format!("{} moved", units::counted(pages, "page")));
    (units::bytes(swap.used_bytes), note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Clock, PauseCause, Throttling, Unread};

    fn written(conditions: &Conditions) -> Vec<String> {
        let line = |figure: Condition| match figure.note {
            Some(note) => format!("{}: {} ({note})", figure.name, figure.value),
            None => format!("{}: {}", figure.name, figure.value),
        };
        conditions.figures().into_iter().map(line).collect()
    }

    #[test]
    fn every_condition_has_a_line_with_its_unit() {
        let conditions = Conditions {
            watched: Duration::from_secs(40),
            build_opt_level: Some("3".to_owned()),
            others: Some(OthersCpu {
                mean_share: 0.031,
                disturbed_share: Some(0.0),
                busiest_share: Some(0.123),
            }),
            steal_share: Some(0.0),
            load_at_start: Some(0.4),
            load_at_end: Some(1.25),
            clock: Some(Clock { resolution: Duration::from_nanos(28), cost: Duration::from_nanos(25) }),
            jitter: Some(Jitter {
                probes: 12,
                spun: Duration::from_millis(240),
                largest_gap: Duration::from_micros(412),
                lost_share: 0.0042,
                lost_share_without_worst: Some(0.001),
            }),
            frequency: Some(Frequency {
                now_mhz: 800.0,
                max_mhz: Some(4200.0),
                loaded_mhz: Some((3900.2, 4100.0)),
                governor: Some("performance".to_owned()),
                driver: None,
            }),
            thermal: Some(Thermal { events: Some(3), throttled_share: Some(0.1), ..Thermal::default() }),
            power: Some(PowerSource::Mains),
            swap: Some(Swap { used_at_start_bytes: 0, used_bytes: 3 << 20, pages_moved: Some(7) }),
            quota: Some(CpuQuota::Limited(Throttling { processors: 0.3, periods: 36, throttled: 34 })),
            pauses: Some(vec![
                Pause {
                    at: Duration::from_secs(4),
                    length: Duration::from_secs(3),
                    cause: PauseCause::Suspended,
                },
                Pause {
                    at: Duration::from_secs(9),
                    length: Duration::from_secs(1),
                    cause: PauseCause::Suspended,
                },
            ]),
            unread: Vec::new(),
        };
        let expected = [
            "other processes' CPU share: 3.1 % (at most 12.3 % in any stretch)",
            "CPU share stolen by other guests: 0 %",
            "CPU quota: 0.3 processors (throttled in 34 of 36 periods)",
            "longest time tailmark did not run: 3.00 s (2 pauses, 4.00 s in all)",
            "load average at the start and the end: 0.40, 1.25",
            "time lost by a busy loop: 0.42 % (largest gap 412 µs in 12 probes of 20 ms)",
            "clock resolution: 28.0 ns (25.0 ns a reading)",
            "CPU frequency under load: 3900 to 4100 MHz (at most 4200 MHz)",
            "CPU frequency governor: performance",
            "thermal pressure: 3 throttling events, throttled 10 % of the time",
            "power source: mains",
            "swap in use: 3.00 MiB (7 pages moved)",
            "tailmark's optimization level: 3",
        ];
        assert_eq!(written(&conditions), expected);
    }

    #[test]
    fn a_condition_that_could_not_be_read_says_why() {
        let unread = vec![Unread { what: POWER, why: "/sys/class/power_supply: not found".to_owned() }];
        let lines = written(&Conditions { unread, ..Conditions::default() });
        assert!(lines.contains(&"power source: not known (/sys/class/power_supply: not found)".to_owned()));
        assert!(lines.contains(&"swap in use: not known".to_owned()), "{lines:#?}");
        let limits = Thermal { speed_limit: Some(0.62), warning_level: Some(2), ..Thermal::default() };
        assert_eq!(thermal(limits).0, "held to 62 % of full speed, warning level 2");
        assert_eq!(thermal(Thermal { warning_level: Some(0), ..Thermal::default() }).0, "none");
        assert_eq!(pauses(&[]).0, "no pause");
        assert_eq!(quota(CpuQuota::Unlimited).0, "none");
        assert_eq!(
            [0.3, 1.0, 1.25, 16.0].map(processors),
            ["0.3 processors", "1 processor", "1.25 processors", "16 processors"]
        );
    }
}
