//! Whether heat held the processors back: throttling counters where the kernel keeps them, else what `pmset` prints.
//!
//! Reads; knows no threshold. The parser is data-driven and runs on every machine; the command is on some only.

use std::collections::BTreeMap;
use std::time::Duration;

use super::conditions::Thermal;
use super::source::{Files, ask};

const EVENTS: [&str; 2] = ["core_throttle_count", "package_throttle_count"];
const TIMES: [&str; 2] = ["core_throttle_total_time_ms", "package_throttle_total_time_ms"];

/// What the machine says of heat, from the first look on.
#[derive(Clone, Debug)]
pub(super) enum Heat {
    /// Counters since the machine began, by file.
    Counters { first: BTreeMap<String, u64>, last: BTreeMap<String, u64> },
    /// What the power manager allowed at each look, put together.
    Limits(Thermal),
}

impl Heat {
    pub(super) fn first_look(files: &Files) -> Result<Self, String> {
        let counters = counters(files);
        if !counters.is_empty() {
            return Ok(Self::Counters { first: counters.clone(), last: counters });
        }
        let text = ask("pmset", &["-g", "therm"])?;
        parse(&text).map(Self::Limits).ok_or_else(|| "pmset reports nothing about heat".to_owned())
    }

    /// Looks again. What can no longer be read stays as it was.
    pub(super) fn look(&mut self, files: &Files) {
        match self {
            Self::Counters { last, .. } => last.extend(counters(files)),
            Self::Limits(seen) => {
                if let Some(now) = ask("pmset", &["-g", "therm"]).ok().and_then(|text| parse(&text)) {
                    *seen = worse(*seen, now);
                }
            }
        }
    }

    /// What was seen in all that time.
    pub(super) fn thermal(&self, watched: Duration) -> Thermal {
        let (first, last) = match self {
            Self::Limits(thermal) => return *thermal,
            Self::Counters { first, last } => (first, last),
        };
        let most = |names: [&str; 2]| {
            let grown = last.iter().filter(|(path, _)| names.iter().any(|name| path.ends_with(name)));
            grown.filter_map(|(path, now)| now.checked_sub(*first.get(path)?)).max()
        };
        let watched_ms = watched.as_secs_f64() * 1000.0;
        Thermal {
            events: most(EVENTS),
            throttled_share: most(TIMES)
                .filter(|_| watched_ms > 0.0)
                .map(|ms| (ms as f64 / watched_ms).min(1.0)),
            ..Thermal::default()
        }
    }
}

fn counters(files: &Files) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for processor in files.processors().unwrap_or_default() {
        for name in EVENTS.into_iter().chain(TIMES) {
            let path = format!("{processor}/thermal_throttle/{name}");
            if let Some(count) = files.number(&path) {
                found.insert(path, count);
            }
        }
    }
    found
}

/// Reads `pmset -g therm`: `key = number` lines, and notes that nothing was recorded. Percentages are of full speed.
fn parse(text: &str) -> Option<Thermal> {
    let mut seen = Thermal::default();
    for line in text.lines() {
        let line = line.trim().to_ascii_lowercase();
        if line.starts_with("note:") && line.contains("warning level has been recorded") {
            seen.warning_level.get_or_insert(0);
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let Ok(value) = value.trim().parse::<u64>() else { continue };
        let key: String = key.chars().filter(char::is_ascii_alphabetic).collect();
        match key.as_str() {
            "cpuspeedlimit" | "cpuschedulerlimit" => {
                let limit = (value as f64 / 100.0).min(1.0);
                seen.speed_limit = Some(seen.speed_limit.map_or(limit, |lowest| lowest.min(limit)));
            }
            key if key.ends_with("warninglevel") => seen.warning_level = seen.warning_level.max(Some(value)),
            _ => {}
        }
    }
    (seen != Thermal::default()).then_some(seen)
}

fn worse(one: Thermal, other: Thermal) -> Thermal {
    let speed_limit = match (one.speed_limit, other.speed_limit) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Thermal { speed_limit, warning_level: one.warning_level.max(other.warning_level), ..one }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As recorded: the equals sign stands between a blank with a tab before it and a blank.
    const NOMINAL: &str = "Note: No thermal warning level has been recorded\n\
                           Note: No performance warning level has been recorded\n\
                           2026-03-01 10:08:37 +0100 CPU Power notify\n\
                           \tCPU_Scheduler_Limit \t= 100\n\tCPU_Available_CPUs \t= 12\n\tCPU_Speed_Limit \t= 100\n";
    const THROTTLED: &str = "2026-03-01 10:08:37 +0100 CPU Power notify\n\
                             \tCPU_Scheduler_Limit \t= 80\n\tCPU_Available_CPUs \t= 12\n\tCPU_Speed_Limit \t= 62\n";

    #[test]
    fn a_cool_machine_is_told_from_one_that_is_held_back() {
        let cool = Thermal { speed_limit: Some(1.0), warning_level: Some(0), ..Thermal::default() };
        assert_eq!(parse(NOMINAL), Some(cool));
        assert_eq!(parse(THROTTLED), Some(Thermal { speed_limit: Some(0.62), ..Thermal::default() }));
        let silent = Thermal { warning_level: Some(0), ..Thermal::default() };
        assert_eq!(parse("Note: No thermal warning level has been recorded\n"), Some(silent));
        let warned =
            parse("Thermal Warning Level = 2\nNote: No performance warning level has been recorded\n");
        assert_eq!(warned.unwrap().warning_level, Some(2));
        assert_eq!(parse("usage: pmset <options>\n"), None);
    }

    #[test]
    fn the_worst_of_all_looks_is_kept() {
        let (cool, hot) = (parse(NOMINAL).unwrap(), parse(THROTTLED).unwrap());
        for seen in [worse(cool, hot), worse(hot, cool)] {
            assert_eq!((seen.speed_limit, seen.warning_level), (Some(0.62), Some(0)));
        }
        assert_eq!(Heat::Limits(hot).thermal(Duration::from_secs(1)), hot);
    }

    #[test]
    fn throttling_before_the_watch_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::below(folder.path());
        let set = |processor: u32, name: &str, count: u64| {
            let place = folder.path().join(format!("sys/devices/system/cpu/cpu{processor}/thermal_throttle"));
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(name), format!("{count}\n")).unwrap();
        };
        set(0, "core_throttle_count", 900);
        set(1, "core_throttle_count", 100);
        set(1, "core_throttle_total_time_ms", 40);
        let mut heat = Heat::first_look(&files).unwrap();
        let watched = Duration::from_secs(2);
        let calm = Thermal { events: Some(0), throttled_share: Some(0.0), ..Thermal::default() };
        assert_eq!(heat.thermal(watched), calm);
        set(1, "core_throttle_count", 103);
        set(1, "core_throttle_total_time_ms", 240);
        heat.look(&files);
        let hot = Thermal { events: Some(3), throttled_share: Some(0.1), ..Thermal::default() };
        assert_eq!(heat.thermal(watched), hot);
    }
}
