//! How fast the processors are clocked, by what the kernel says of them.
//!
//! Reads; knows no threshold. On a virtual machine there is often nothing to read but a nominal figure.

use super::conditions::Frequency;
use super::source::{Files, NOT_TOLD};

/// What is seen at one look.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clocked {
    now_mhz: f64,
    max_mhz: Option<f64>,
    governor: Option<String>,
    driver: Option<String>,
}

/// Looks at the fastest processor at this moment: the one that has work, when any has.
pub(super) fn look(files: &Files) -> Result<Clocked, String> {
    let processors = files.processors().unwrap_or_default();
    let fastest = |name: &str| {
        let all =
            processors.iter().filter_map(|processor| files.number(&format!("{processor}/cpufreq/{name}")));
        all.max().map(|kilohertz| kilohertz as f64 / 1000.0)
    };
    // One rule holds for all processors on nearly every machine; where it does not, all are named.
    let rules = |name: &str| {
        let all =
            processors.iter().filter_map(|processor| files.text(&format!("{processor}/cpufreq/{name}")).ok());
        let mut all: Vec<String> = all.collect();
        all.sort_unstable();
        all.dedup();
        (!all.is_empty()).then(|| all.join(" and "))
    };
    match fastest("scaling_cur_freq") {
        Some(now_mhz) => Ok(Clocked {
            now_mhz,
            max_mhz: fastest("cpuinfo_max_freq"),
            governor: rules("scaling_governor"),
            driver: rules("scaling_driver"),
        }),
        None => {
            let text = files.text("proc/cpuinfo").map_err(|_| NOT_TOLD)?;
            let nominal = megahertz(&text).ok_or("/proc/cpuinfo gives no frequency")?;
            Ok(Clocked { now_mhz: nominal, max_mhz: None, governor: None, driver: None })
        }
    }
}

/// The largest `cpu MHz` in `/proc/cpuinfo`, which some architectures leave out.
fn megahertz(cpuinfo: &str) -> Option<f64> {
    let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let all =
        lines.filter(|(key, _)| key.trim() == "cpu MHz").filter_map(|(_, value)| value.trim().parse().ok());
    all.max_by(f64::total_cmp)
}

/// All looks so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Frequencies {
    last: Option<Clocked>,
    loaded: Option<(f64, f64)>,
}

impl Frequencies {
    /// Adds a look; `loaded` when a processor has just been kept busy, so that its frequency means something.
    pub(super) fn add(&mut self, clocked: Clocked, loaded: bool) {
        if loaded {
            let now = clocked.now_mhz;
            let (low, high) = self.loaded.unwrap_or((now, now));
            self.loaded = Some((low.min(now), high.max(now)));
        }
        self.last = Some(clocked);
    }

    pub(super) fn frequency(&self) -> Option<Frequency> {
        let last = self.last.clone()?;
        Some(Frequency {
            now_mhz: last.now_mhz,
            max_mhz: last.max_mhz,
            loaded_mhz: self.loaded,
            governor: last.governor,
            driver: last.driver,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_processor_counts_and_every_governor_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (processor, now, governor) in [(0, 1_200_000, "powersave"), (1, 3_600_000, "performance")] {
            let place = folder.path().join(format!("sys/devices/system/cpu/cpu{processor}/cpufreq"));
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join("scaling_cur_freq"), format!("{now}\n")).unwrap();
            std::fs::write(place.join("cpuinfo_max_freq"), "4000000\n").unwrap();
            std::fs::write(place.join("scaling_governor"), format!("{governor}\n")).unwrap();
            std::fs::write(place.join("scaling_driver"), "acpi-cpufreq\n").unwrap();
        }
        let clocked = look(&Files::below(folder.path())).unwrap();
        let expected = Clocked {
            now_mhz: 3600.0,
            max_mhz: Some(4000.0),
            governor: Some("performance and powersave".to_owned()),
            driver: Some("acpi-cpufreq".to_owned()),
        };
        assert_eq!(clocked, expected);
    }

    #[test]
    fn a_machine_that_scales_nothing_may_still_name_a_frequency() {
        let cpuinfo = "processor\t: 0\ncpu MHz\t\t: 2599.998\ncache size\t: 512 KB\n\nprocessor\t: 1\ncpu MHz\t\t: 2600.123\n";
        assert_eq!(megahertz(cpuinfo), Some(2600.123));
        assert_eq!(megahertz("processor\t: 0\nBogoMIPS\t: 50.00\n"), None);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc")).unwrap();
        std::fs::write(folder.path().join("proc/cpuinfo"), "BogoMIPS\t: 50.00\n").unwrap();
        let files = Files::below(folder.path());
        assert_eq!(look(&files).unwrap_err(), "/proc/cpuinfo gives no frequency");
        std::fs::remove_file(folder.path().join("proc/cpuinfo")).unwrap();
        assert_eq!(look(&files).unwrap_err(), NOT_TOLD);
    }

    #[test]
    fn only_looks_at_a_processor_with_work_say_how_fast_it_can_be() {
        let mut all = Frequencies::default();
        assert_eq!(all.frequency(), None);
        for (now_mhz, loaded) in [(800.0, false), (3600.0, true), (3200.0, true), (900.0, false)] {
            all.add(Clocked { now_mhz, max_mhz: None, governor: None, driver: None }, loaded);
        }
        let frequency = all.frequency().unwrap();
        assert_eq!((frequency.now_mhz, frequency.loaded_mhz), (900.0, Some((3200.0, 3600.0))));
    }
}
