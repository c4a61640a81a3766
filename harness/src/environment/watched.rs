//! Which processes one that is watched stands for: itself, or itself with its descendants.

use std::collections::BTreeSet;

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System};

/// A process that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its id.
    pub pid: u32,
    /// Whether what its descendants use counts as its own. One whose parent has ended is nobody's descendant.
    pub with_descendants: bool,
}

impl Watched {
    /// The processes it stands for, as they were last seen; none when it is not there.
    #[must_use]
    pub fn family(self, system: &System) -> Vec<&Process> {
        let root = Pid::from_u32(self.pid);
        let Some(first) = system.process(root) else { return Vec::new() };
        let mut family = vec![first];
        if !self.with_descendants {
            return family;
        }
        let mut known = BTreeSet::from([root]);
        loop {
            let is_new = |process: &&Process| {
                !known.contains(&process.pid())
                    && process.parent().is_some_and(|parent| known.contains(&parent))
            };
            let found: Vec<&Process> = system.processes().values().filter(is_new).collect();
            if found.is_empty() {
                return family;
            }
            known.extend(found.iter().map(|process| process.pid()));
            family.extend(found);
        }
    }
}

/// Looks at the processes, and at all there are when descendants are among them.
pub fn refresh(system: &mut System, watched: &[Watched]) {
    let what = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
    if watched.iter().any(|one| one.with_descendants) {
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
        return;
    }
    let pids: Vec<Pid> = watched.iter().map(|one| Pid::from_u32(one.pid)).collect();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, what);
}
