//! Who used the processors: cumulative counters of the machine, less those of tailmark and its workers.
//!
//! Read from `/proc` where there is one, else asked of sysinfo. Does not know when it is read, nor what is too much.

use std::collections::HashMap;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::source::Files;
use super::watched::{self, Watched};

/// Counters since some point in the past, in a unit of processor time that is the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// All there was to be used.
    pub(super) capacity: f64,
    /// What was used, by anybody on this machine.
    pub(super) busy: f64,
    /// What tailmark and its workers used.
    pub(super) own: f64,
    /// What the hypervisor gave to another guest.
    pub(super) stolen: Option<f64>,
}

/// The counters of a machine and of the processes that are tailmark's own.
#[derive(Debug)]
pub(super) enum Counters {
    /// In clock ticks, from `/proc`.
    Proc(ProcCounters),
    /// In processor seconds, from sysinfo.
    Sysinfo(Box<SysinfoCounters>),
}

impl Counters {
    pub(super) fn new(files: &Files) -> Result<Self, String> {
        match files.text("proc/stat") {
            Ok(text) if Totals::parse(&text).is_some() => {
                Ok(Self::Proc(ProcCounters { files: files.clone(), started: Vec::new(), orphaned: 0 }))
            }
            // Without /proc, as on macOS.
            _ => {
                let system = System::new().map_err(|error| error.to_string())?;
                Ok(Self::Sysinfo(Box::new(SysinfoCounters::new(system))))
            }
        }
    }

    /// Counts a worker or a server as tailmark's own.
    pub(super) fn add(&mut self, process: Watched) {
        match self {
            Self::Proc(counters) => counters.add(process),
            Self::Sysinfo(counters) => counters.add(process),
        }
    }

    /// Reads the counters, `since_last` after they were last read.
    pub(super) fn read(&mut self, since_last: Duration) -> Result<Reading, String> {
        match self {
            Self::Proc(counters) => counters.read(),
            Self::Sysinfo(counters) => Ok(counters.read(since_last)),
        }
    }
}

/// The first line of `/proc/stat`, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Totals {
    busy: u64,
    idle: u64,
    stolen: Option<u64>,
}

impl Totals {
    /// Guest time is left alone: the kernel counts it as user time already.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
        let [user, nice, system, idle] = *ticks.first_chunk()?;
        Some(Self {
            busy: user + nice + system + at(5) + at(6),
            idle: idle + at(4),
            stolen: ticks.get(7).copied(),
        })
    }
}

/// A line of `/proc/<process>/stat`, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessTicks {
    parent: u32,
    /// Of the process, all its threads, and the children it has waited for.
    used: u64,
    /// When it began, after the machine did; tells a process from a later one of the same number.
    began: u64,
}

impl ProcessTicks {
    fn parse(stat: &str) -> Option<Self> {
        // The name in brackets may contain anything, so counting begins after the last bracket, with field 3.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let parent = fields.get(1)?.parse().ok()?;
        Some(Self { parent, used: field(14)? + field(15)? + field(16)? + field(17)?, began: field(22)? })
    }
}

/// A process that tailmark started, and what it stands for.
#[derive(Debug)]
struct Started {
    process: Watched,
    began: u64,
    /// What its descendants had used when they were last seen.
    descendants: u64,
}

/// A process that has ended is in the count of children that its parent has waited for, so nothing is lost between looks. Only
/// the children of a server that was killed are waited for by nobody of tailmark's: what they were last seen to have used is kept.
#[derive(Debug)]
pub(super) struct ProcCounters {
    files: Files,
    started: Vec<Started>,
    orphaned: u64,
}

impl ProcCounters {
    fn process(&self, name: &str) -> Option<ProcessTicks> {
        ProcessTicks::parse(&self.files.text(&format!("proc/{name}/stat")).ok()?)
    }

    fn add(&mut self, process: Watched) {
        if let Some(ticks) = self.process(&process.pid.to_string()) {
            self.started.push(Started { process, began: ticks.began, descendants: 0 });
        }
    }

    fn read(&mut self) -> Result<Reading, String> {
        let own = self.process("self").ok_or("/proc/self/stat cannot be read")?;
        let own = own.used + self.started();
        let totals = Totals::parse(&self.files.text("proc/stat")?).ok_or("/proc/stat has no line `cpu`")?;
        let stolen = totals.stolen.unwrap_or(0);
        Ok(Reading {
            capacity: (totals.busy + totals.idle + stolen) as f64,
            busy: totals.busy as f64,
            own: own as f64,
            stolen: totals.stolen.map(|ticks| ticks as f64),
        })
    }

    /// What all that was started has used, but for what is in tailmark's own count. Forgets those that have ended.
    fn started(&mut self) -> u64 {
        let mut started = std::mem::take(&mut self.started);
        let all =
            if started.iter().any(|one| one.process.with_descendants) { self.all() } else { HashMap::new() };
        let mut used = 0;
        started.retain_mut(|one| {
            let now = self.process(&one.process.pid.to_string()).filter(|ticks| ticks.began == one.began);
            let Some(now) = now else {
                self.orphaned += one.descendants;
                return false;
            };
            if one.process.with_descendants {
                one.descendants = below(one.process.pid, &all).map(|ticks| ticks.used).sum();
            }
            used += now.used + one.descendants;
            true
        });
        self.started = started;
        used + self.orphaned
    }

    /// Every process there is, by its id.
    fn all(&self) -> HashMap<u32, ProcessTicks> {
        let entries = self.files.entries("proc").unwrap_or_default();
        let names = entries.iter().filter_map(|path| path.strip_prefix("proc/"));
        names.filter_map(|name| Some((name.parse().ok()?, self.process(name)?))).collect()
    }
}

/// The descendants of a process among these.
fn below(root: u32, all: &HashMap<u32, ProcessTicks>) -> impl Iterator<Item = &ProcessTicks> {
    all.values().filter(move |process| {
        let mut parent = process.parent;
        // Ids of processes that end during a look may be given out again, so a walk up is bounded by how many there are.
        for _ in 0..all.len() {
            if parent == root {
                return true;
            }
            match all.get(&parent) {
                Some(above) => parent = above.parent,
                None => return false,
            }
        }
        false
    })
}

/// sysinfo tells the share that was busy since it was last asked, so counters are made of it here. What a worker used
/// after the last look at it is lost when it ends.
#[derive(Debug)]
pub(super) struct SysinfoCounters {
    system: System,
    processors: f64,
    capacity: f64,
    busy: f64,
    /// Processor time in ms by process, and when the process began.
    own: HashMap<Pid, (u64, u64)>,
    /// Those whose descendants are tailmark's own too.
    with_descendants: Vec<Watched>,
}

impl SysinfoCounters {
    fn new(mut system: System) -> Self {
        system.refresh_cpu_usage();
        let processors = system.cpus().len().max(1) as f64;
        let mut counters = Self {
            system,
            processors,
            capacity: 0.0,
            busy: 0.0,
            own: HashMap::new(),
            with_descendants: Vec::new(),
        };
        counters.add(Watched { pid: std::process::id(), with_descendants: false });
        counters
    }

    fn add(&mut self, process: Watched) {
        watched::refresh(&mut self.system, &[process]);
        for one in process.family(&self.system) {
            self.own.insert(one.pid(), (one.accumulated_cpu_time(), one.start_time()));
        }
        if process.with_descendants {
            self.with_descendants.push(process);
        }
    }

    /// Takes in the descendants that came since the last look.
    fn add_descendants(&mut self) {
        if self.with_descendants.is_empty() {
            return;
        }
        watched::refresh(&mut self.system, &self.with_descendants);
        for process in self.with_descendants.iter().flat_map(|process| process.family(&self.system)) {
            let now = (process.accumulated_cpu_time(), process.start_time());
            self.own.entry(process.pid()).or_insert(now);
        }
    }

    fn refresh(&mut self, processes: &[Pid]) {
        let what = ProcessRefreshKind::nothing().with_cpu();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(processes), true, what);
    }

    fn read(&mut self, since_last: Duration) -> Reading {
        self.system.refresh_cpu_usage();
        let capacity = since_last.as_secs_f64() * self.processors;
        self.capacity += capacity;
        self.busy += f64::from(self.system.global_cpu_usage()) / 100.0 * capacity;
        self.add_descendants();
        let processes: Vec<Pid> = self.own.keys().copied().collect();
        self.refresh(&processes);
        for (process, (used, began)) in &mut self.own {
            if let Some(process) = self.system.process(*process).filter(|now| now.start_time() == *began) {
                *used = process.accumulated_cpu_time();
            }
        }
        let own = self.own.values().map(|(used, _)| *used as f64 / 1000.0).sum();
        Reading { capacity: self.capacity, busy: self.busy, own, stolen: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(pid: u32) -> Watched {
        Watched { pid, with_descendants: false }
    }

    const STAT: &str = "cpu  614561 154421 63765 212126 65425 12 1130 3269 7 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n";

    fn tree(stat: &str, processes: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        write(&folder, "stat", stat);
        for (process, text) in processes {
            write(&folder, &format!("{process}/stat"), text);
        }
        let files = Files::below(folder.path());
        (folder, files)
    }

    fn write(folder: &tempfile::TempDir, path: &str, text: &str) {
        let path = folder.path().join("proc").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn process(used: [u64; 4], began: u64) -> String {
        child_of(1, used, began)
    }

    fn child_of(parent: u32, used: [u64; 4], began: u64) -> String {
        let [user, system, children_user, children_system] = used;
        format!(
            "4242 (tail) mark (x) S {parent} 4242 4242 0 -1 4194304 101 0 0 0 {user} {system} {children_user} \
             {children_system} 20 0 1 0 {began} 3133440 407"
        )
    }

    #[test]
    fn waiting_for_a_disk_is_idle_and_guests_are_not_counted_twice() {
        let totals = Totals::parse(STAT).unwrap();
        let busy = 614_561 + 154_421 + 63_765 + 12 + 1_130;
        assert_eq!(totals, Totals { busy, idle: 212_126 + 65_425, stolen: Some(3_269) });
        let old = Totals::parse("cpu  10 20 30 40\n").unwrap();
        assert_eq!(old, Totals { busy: 60, idle: 40, stolen: None });
        assert_eq!(Totals::parse("cpu0 10 20 30 40\n"), None);
        assert_eq!(Totals::parse("cpu  ten 20 30 40\n"), None);
    }

    #[test]
    fn a_process_may_have_brackets_and_blanks_in_its_name() {
        let ticks = ProcessTicks::parse(&process([5, 6, 7, 8], 558_918)).unwrap();
        assert_eq!(ticks, ProcessTicks { parent: 1, used: 26, began: 558_918 });
        assert_eq!(ProcessTicks::parse("4242 (cat) R 1 2"), None);
    }

    #[test]
    fn workers_are_tailmarks_own_until_their_number_is_another_processes() {
        let own = process([100, 10, 0, 0], 1);
        let worker = process([40, 2, 0, 0], 500);
        let (folder, files) = tree(STAT, &[("self", &own), ("77", &worker)]);
        let mut counters = Counters::new(&files).unwrap();
        assert!(matches!(counters, Counters::Proc(_)));
        assert_eq!(counters.read(Duration::ZERO).unwrap().own, 110.0, "not yet known");
        counters.add(alone(77));
        counters.add(alone(78));
        let reading = counters.read(Duration::ZERO).unwrap();
        assert_eq!(reading.own, 152.0);
        assert_eq!(reading.stolen, Some(3_269.0));
        assert_eq!(reading.capacity, reading.busy + (212_126 + 65_425 + 3_269) as f64);
        write(&folder, "77/stat", &process([9_000, 0, 0, 0], 900));
        assert_eq!(counters.read(Duration::ZERO).unwrap().own, 110.0, "a later process of that number");
        std::fs::remove_dir_all(folder.path().join("proc/77")).unwrap();
        write(&folder, "self/stat", &process([100, 10, 40, 2], 1));
        assert_eq!(counters.read(Duration::ZERO).unwrap().own, 152.0, "waited for");
    }

    #[test]
    fn what_a_server_started_is_tailmarks_own_and_stays_so_when_it_is_killed_with_its_server() {
        let own = process([100, 0, 0, 0], 1);
        let stranger = process([7_000, 0, 0, 0], 3);
        let server = process([10, 0, 0, 0], 500);
        let (folder, files) = tree(STAT, &[("self", &own), ("5", &stranger), ("77", &server)]);
        let mut counters = Counters::new(&files).unwrap();
        counters.add(Watched { pid: 77, with_descendants: true });
        assert_eq!(counters.read(Duration::ZERO).unwrap().own, 110.0);
        write(&folder, "78/stat", &child_of(77, [20, 0, 0, 0], 501));
        write(&folder, "79/stat", &child_of(78, [400, 0, 0, 0], 502));
        assert_eq!(counters.read(Duration::ZERO).unwrap().own, 530.0, "a child and its child");
        std::fs::remove_dir_all(folder.path().join("proc/79")).unwrap();
        write(&folder, "78/stat", &child_of(77, [20, 0, 400, 0], 501));
        assert_eq!(counters.read(Duration::ZERO).unwrap().own, 530.0, "the child has waited for its own");
        for gone in ["77", "78"] {
            std::fs::remove_dir_all(folder.path().join("proc").join(gone)).unwrap();
        }
        write(&folder, "self/stat", &process([100, 0, 10, 0], 1));
        assert_eq!(
            counters.read(Duration::ZERO).unwrap().own,
            530.0,
            "the child is nobody's, and is not forgotten"
        );
        assert_eq!(counters.read(Duration::ZERO).unwrap().own, 530.0, "nor counted again");
    }

    #[test]
    fn without_proc_sysinfo_is_asked_and_tells_own_time_from_busy_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut counters = Counters::new(&Files::below(folder.path())).unwrap();
        assert!(matches!(counters, Counters::Sysinfo(_)));
        counters.add(alone(u32::MAX - 7));
        let Counters::Sysinfo(inside) = &counters else { unreachable!() };
        assert_eq!(inside.own.len(), 1, "a process that is not there is not tailmark's own");
        let first = counters.read(Duration::from_secs(1)).unwrap();
        let second = counters.read(Duration::from_secs(1)).unwrap();
        assert!(second.capacity > first.capacity && first.capacity >= 1.0, "{first:?} {second:?}");
        assert!(second.own >= first.own && second.busy >= first.busy, "{first:?} {second:?}");
        assert!(second.busy <= second.capacity, "{second:?}");
        assert_eq!(second.stolen, None);
    }
}
