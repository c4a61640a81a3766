//! The CPU quota of the control group that tailmark runs in, and how often the kernel held the group to it.
//!
//! Reads both versions of the kernel's interface below a root; knows no threshold. A group is also held to the quotas of the
//! groups above it, so all of them are looked at.

use super::conditions::{CpuQuota, Throttling};
use super::source::{Files, NOT_TOLD};

/// The groups with a quota, from tailmark's own up, with what each counted at the first and the last look.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quotas(Vec<Group>);

#[derive(Clone, Debug, PartialEq)]
struct Group {
    folder: String,
    processors: f64,
    first: Counts,
    last: Counts,
}

/// Counters since the group was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    periods: u64,
    throttled: u64,
}

impl Quotas {
    pub(super) fn first_look(files: &Files) -> Result<Self, String> {
        let groups = files.text("proc/self/cgroup").map_err(|_| NOT_TOLD.to_owned())?;
        let mounts = files.text("proc/self/mountinfo").unwrap_or_default();
        let folders = cpu_folders(&groups, &mounts);
        if folders.is_empty() {
            return Err("no control group for processors is mounted".to_owned());
        }
        let with_quota = folders.into_iter().filter_map(|folder| {
            let processors = quota(files, &folder)?;
            let first = counts(files, &folder);
            Some(Group { folder, processors, first, last: first })
        });
        Ok(Self(with_quota.collect()))
    }

    /// Looks again. What can no longer be read stays as it was.
    pub(super) fn look(&mut self, files: &Files) {
        for group in &mut self.0 {
            let now = counts(files, &group.folder);
            if now.periods >= group.last.periods {
                group.last = now;
            }
        }
    }

    /// The quota that held tailmark back most often or, when none did, the tightest.
    pub(super) fn quota(&self) -> CpuQuota {
        let throttling = |group: &Group| Throttling {
            processors: group.processors,
            periods: group.last.periods - group.first.periods,
            throttled: group.last.throttled.saturating_sub(group.first.throttled),
        };
        let all = self.0.iter().map(throttling);
        all.min_by(|one, other| {
            other.throttled.cmp(&one.throttled).then(one.processors.total_cmp(&other.processors))
        })
        .map_or(CpuQuota::Unlimited, CpuQuota::Limited)
    }
}

/// The folders of tailmark's group and of those above it, relative to the root: first the group itself.
fn cpu_folders(groups: &str, mounts: &str) -> Vec<String> {
    // A line is `number:controllers:path`. The unified hierarchy has number 0 and names no controllers; where the older one
    // has the processors, the unified one has no quotas.
    let lines: Vec<[&str; 3]> =
        groups.lines().filter_map(|line| line.splitn(3, ':').collect::<Vec<_>>().try_into().ok()).collect();
    let older = lines.iter().find(|[_, controllers, _]| controllers.split(',').any(|name| name == "cpu"));
    let group = older.or_else(|| lines.iter().find(|[number, ..]| *number == "0"));
    let Some([_, controllers, path]) = group else { return Vec::new() };
    let mount = mounts.lines().filter_map(Mount::parse).find(|mount| match controllers.is_empty() {
        true => mount.kind == "cgroup2",
        false => mount.kind == "cgroup" && mount.options.split(',').any(|name| name == "cpu"),
    });
    let Some(mount) = mount else { return Vec::new() };
    // In a container the mount may begin at the container's own group, whose path the host knows by a longer name.
    let below = path.strip_prefix(mount.root.trim_end_matches('/')).unwrap_or_default();
    let below: Vec<&str> = below.split('/').filter(|part| !part.is_empty() && *part != "..").collect();
    let top = mount.place.trim_matches('/');
    let folders = (0..=below.len()).rev();
    folders.map(|depth| [&[top], &below[..depth]].concat().join("/")).collect()
}

/// A line of `/proc/self/mountinfo`.
struct Mount<'a> {
    root: &'a str,
    place: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (here, system) = line.split_once(" - ")?;
        let mut here = here.split(' ').skip(3);
        let mut system = system.split(' ');
        let (root, place) = (here.next()?, here.next()?);
        Some(Self { root, place, kind: system.next()?, options: system.nth(1)? })
    }
}

/// The processors that a group may use, if it may not use all.
fn quota(files: &Files, folder: &str) -> Option<f64> {
    let (quota, period) = match files.text(&format!("{folder}/cpu.max")) {
        Ok(text) => {
            let (quota, period) = text.split_once(' ')?;
            (quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?)
        }
        Err(_) => {
            let number = |name: &str| files.text(&format!("{folder}/{name}")).ok()?.parse::<f64>().ok();
            (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
        }
    };
    // The older interface writes -1 for no quota, the newer one a word.
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn counts(files: &Files, folder: &str) -> Counts {
    let text = files.text(&format!("{folder}/cpu.stat")).unwrap_or_default();
    let count = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == name)?.1.trim().parse::<u64>().ok()
    };
    Counts { periods: count("nr_periods").unwrap_or(0), throttled: count("nr_throttled").unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn of(texts: &[(&str, &str)]) -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            texts.iter().for_each(|(path, text)| tree.write(path, text));
            tree
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }

        fn files(&self) -> Files {
            Files::below(self.0.path())
        }
    }

    const UNIFIED: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
    const OLDER: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                         32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";

    #[test]
    fn the_quota_that_throttled_is_found_in_the_unified_hierarchy() {
        let tree = Tree::of(&[
            ("proc/self/cgroup", "0::/jobs.slice/bench.scope"),
            ("proc/self/mountinfo", UNIFIED),
            ("sys/fs/cgroup/jobs.slice/cpu.max", "30000 100000"),
            ("sys/fs/cgroup/jobs.slice/cpu.stat", "nr_periods 100\nnr_throttled 7\nthrottled_usec 900"),
            ("sys/fs/cgroup/jobs.slice/bench.scope/cpu.max", "max 100000"),
        ]);
        let mut quotas = Quotas::first_look(&tree.files()).unwrap();
        let calm = Throttling { processors: 0.3, periods: 0, throttled: 0 };
        assert_eq!(quotas.quota(), CpuQuota::Limited(calm), "what was throttled before does not count");
        let stat = "usage_usec 5\nnr_periods 136\nnr_throttled 41\nthrottled_usec 2500900";
        tree.write("sys/fs/cgroup/jobs.slice/cpu.stat", stat);
        quotas.look(&tree.files());
        let throttled = Throttling { processors: 0.3, periods: 36, throttled: 34 };
        assert_eq!(quotas.quota(), CpuQuota::Limited(throttled));
    }

    #[test]
    fn the_quota_that_throttled_is_found_in_the_older_hierarchy() {
        let group = "sys/fs/cgroup/cpu,cpuacct/bench";
        let tree = Tree::of(&[
            ("proc/self/cgroup", "4:memory:/x\n1:cpu,cpuacct:/bench\n0::/"),
            ("proc/self/mountinfo", OLDER),
            (&format!("{group}/cpu.cfs_quota_us"), "30000"),
            (&format!("{group}/cpu.cfs_period_us"), "100000"),
            (&format!("{group}/cpu.stat"), "nr_periods 0\nnr_throttled 0\nthrottled_time 0"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000"),
        ]);
        let mut quotas = Quotas::first_look(&tree.files()).unwrap();
        tree.write(&format!("{group}/cpu.stat"), "nr_periods 36\nnr_throttled 34\nthrottled_time 2500000000");
        quotas.look(&tree.files());
        let throttled = Throttling { processors: 0.3, periods: 36, throttled: 34 };
        assert_eq!(quotas.quota(), CpuQuota::Limited(throttled));
        std::fs::remove_file(tree.0.path().join(group).join("cpu.stat")).unwrap();
        quotas.look(&tree.files());
        assert_eq!(quotas.quota(), CpuQuota::Limited(throttled), "what cannot be read stays as it was");
    }

    #[test]
    fn in_a_container_the_mount_begins_at_its_own_group() {
        let mount = OLDER.replace("0:29 / ", "0:29 /docker/abc ");
        let found = cpu_folders("1:cpu,cpuacct:/docker/abc/inner", &mount);
        assert_eq!(found, ["sys/fs/cgroup/cpu,cpuacct/inner", "sys/fs/cgroup/cpu,cpuacct"]);
        let elsewhere = cpu_folders("0::/../other", UNIFIED);
        assert_eq!(elsewhere, ["sys/fs/cgroup/other", "sys/fs/cgroup"]);
    }

    #[test]
    fn a_group_without_a_quota_and_a_system_without_groups_are_told_apart() {
        let tree = Tree::of(&[("proc/self/cgroup", "0::/"), ("proc/self/mountinfo", UNIFIED)]);
        assert_eq!(Quotas::first_look(&tree.files()).unwrap().quota(), CpuQuota::Unlimited);
        assert_eq!(Quotas::first_look(&Tree::of(&[]).files()).unwrap_err(), NOT_TOLD);
        let unmounted = Tree::of(&[("proc/self/cgroup", "0::/")]);
        let reason = Quotas::first_look(&unmounted.files()).unwrap_err();
        assert_eq!(reason, "no control group for processors is mounted");
    }

    #[test]
    fn of_several_quotas_the_one_that_throttled_most_counts_and_else_the_tightest() {
        let group = |processors, throttled| Group {
            folder: String::new(),
            processors,
            first: Counts::default(),
            last: Counts { periods: 40, throttled },
        };
        let chosen = |groups: &[Group]| match Quotas(groups.to_vec()).quota() {
            CpuQuota::Limited(throttling) => throttling.processors,
            CpuQuota::Unlimited => f64::NAN,
        };
        assert_eq!(chosen(&[group(0.5, 0), group(2.0, 9)]), 2.0);
        assert_eq!(chosen(&[group(4.0, 0), group(2.0, 0)]), 2.0);
    }
}
