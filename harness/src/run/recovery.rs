//! A run that was killed, from what it left: figures from the samples on disk, and no verdict that the run did not come to.
//!
//! A run holds a lock on a file of its folder, which the system takes away with the process, however that ended. So a run that
//! still goes on is told from one that was killed.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;

use tailmark_reports::record::{
    BackendOutcome, BackendRecord, FailureReason, Phase, PhaseSummary, RunRecord, RunStatus, Warning,
};

use crate::driver::{ColumnarError, replay};
use crate::sample::Sample;
use crate::statistics::{Accumulator, Timeline, bridges};
use crate::verdict;

/// The file that is locked: one that every run folder has from the beginning.
const LOCKED: &str = "scenario.toml";

/// An empty file that says that the run came to its end, and could not write its record. Even a full disk has room for it.
const ENDED: &str = ".ended";

/// Locks a run folder until the file is dropped; `None` where that cannot be done.
pub(super) fn lock(folder: &Path) -> Option<File> {
    let file = File::open(folder.join(LOCKED)).ok()?;
    file.try_lock().ok().map(|()| file)
}

/// Whether the run still goes on. On a file system without locks every run counts as ended.
#[must_use]
pub fn is_going_on(folder: &Path) -> bool {
    File::open(folder.join(LOCKED))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Says in the folder that the run came to its end, where its record cannot.
pub(super) fn mark_end(folder: &Path) {
    // Without the mark the run counts as killed, and there is nothing more to be done.
    let _ = File::create(folder.join(ENDED));
}

/// Brings the record of a run that was killed, or could not write its end, up to what its samples show.
///
/// # Errors
/// When there are samples and they cannot be read.
pub fn recover(folder: &Path, record: &mut RunRecord) -> Result<(), ColumnarError> {
    let mut all: BTreeMap<String, Seen> = BTreeMap::new();
    let mut last: Option<(u64, String)> = None;
    replay(folder, |backend, sample| {
        if !all.contains_key(backend) {
            all.insert(backend.to_owned(), Seen::default());
        }
        if let Some(seen) = all.get_mut(backend) {
            seen.add(sample);
        }
        if last.as_ref().is_none_or(|(at, _)| *at <= sample.finished_ns) {
            let during = format!("{} of {backend}, restart {}", sample.phase.name(), sample.restart);
            last = Some((sample.finished_ns, during));
        }
    })?;
    for backend in &mut record.backends {
        if let Some(seen) = all.remove(&backend.name) {
            fill_in(backend, seen);
        }
    }
    let (after_ns, during) = match last {
        Some((at, during)) => (Some(at), during),
        None => (last_sign(folder, record), "the preparation, before any request was answered".to_owned()),
    };
    record.bridges = bridges(&record.backends);
    withdraw_verdicts(record);
    let (by, why, remedy) = if folder.join(ENDED).exists() {
        let by = "its end could not be written";
        (
            by,
            "the end of the run could not be written",
            "free up space on that disk, then run the scenario again to get verdicts",
        )
    } else {
        let by = "tailmark was killed";
        (by, "tailmark was killed before the run ended", "run the scenario again to get verdicts")
    };
    record.status = RunStatus::Interrupted { during, after_ns, by: by.to_owned() };
    record.warnings.push(Warning {
        backend: None,
        what: format!(
            "{why}. The figures are those of the requests on disk; memory, processor time, arrivals and conditions are as they \
             were last written, and nothing that was not finished has a verdict"
        ),
        remedy: remedy.to_owned(),
    });
    Ok(())
}

/// From the beginning of the run to the last time that anything was written into its folder, in nanoseconds; `None` where the
/// system's clock was set back in between.
fn last_sign(folder: &Path, record: &RunRecord) -> Option<u64> {
    let began: jiff::Timestamp = record.started_at.parse().ok()?;
    let logs = std::fs::read_dir(folder.join("stderr")).into_iter().flatten().flatten();
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let written = files.chain(logs).filter_map(|entry| entry.metadata().ok()?.modified().ok()).max()?;
    let written = jiff::Timestamp::try_from(written).ok()?;
    u64::try_from(written.duration_since(began).as_nanos()).ok()
}

/// What the samples of one backend show.
#[derive(Default)]
struct Seen {
    phases: BTreeMap<usize, Accumulator>,
    timeline: Timeline,
    /// When each phase of each restart began, and when it was last heard of.
    spans: BTreeMap<(u32, usize), (u64, u64)>,
    restart: u32,
    /// When the present restart was spawned, and when its last request ended.
    began_ns: u64,
    ended_ns: u64,
    /// How long the restarts before took.
    own_ns: u64,
}

/// The phases in their order; a sample is of one of them.
const PHASES: [Phase; 3] = [Phase::ColdStart, Phase::WarmUp, Phase::Steady];

impl Seen {
    fn add(&mut self, sample: &Sample) {
        if sample.restart != self.restart {
            self.own_ns += self.ended_ns - self.began_ns;
            // The cold start is the first request of a restart, and was due when the process was spawned.
            (self.restart, self.began_ns) = (sample.restart, sample.scheduled_ns);
            self.ended_ns = self.began_ns;
        }
        self.ended_ns = self.ended_ns.max(sample.finished_ns);
        let at = self.own_ns + sample.scheduled_ns.saturating_sub(self.began_ns);
        self.timeline.record(sample.phase, sample.restart, at, sample.response_ns());
        let phase = PHASES.iter().position(|phase| *phase == sample.phase).unwrap_or_default();
        self.phases.entry(phase).or_insert_with(|| Accumulator::new(None)).record(sample);
        let span = self.spans.entry((sample.restart, phase)).or_insert((sample.scheduled_ns, 0));
        *span = (span.0.min(sample.scheduled_ns), span.1.max(sample.finished_ns));
    }

    /// The phases, each with the time from its first request in each restart to the end of the last.
    fn summaries(&mut self) -> Vec<PhaseSummary> {
        for ((_, phase), (began, ended)) in std::mem::take(&mut self.spans) {
            if let Some(figures) = self.phases.get_mut(&phase) {
                figures.add_elapsed(std::time::Duration::from_nanos(ended.saturating_sub(began)));
            }
        }
        let mut mixed = Accumulator::new(None);
        self.phases.values().for_each(|figures| mixed.merge(figures));
        let own = self.phases.iter().map(|(phase, figures)| figures.summary(PHASES[*phase]));
        own.chain([mixed.summary(Phase::Mixed)]).collect()
    }
}

/// Puts the figures of the samples in place of those in the record, unless these are of more requests: the last tenth of a second
/// of samples is lost with the process, and the record may have been written in it.
fn fill_in(backend: &mut BackendRecord, mut seen: Seen) {
    let count = |phases: &[PhaseSummary]| -> u64 {
        phases.iter().filter(|phase| phase.phase != Phase::Mixed).map(|phase| phase.requests).sum()
    };
    let mut phases = seen.summaries();
    if count(&phases) <= count(&backend.phases) {
        return;
    }
    for phase in &mut phases {
        if let Some(before) = backend.phases.iter().find(|before| before.phase == phase.phase) {
            keep_reasons(phase, &before.failure_reasons);
        }
    }
    backend.phases = phases;
    backend.timeline = seen.timeline.groups().to_vec();
    backend.curve = seen.phases.get(&2).map(Accumulator::curve).unwrap_or_default();
}

/// The reasons that the record has, and one more line for the failures since.
fn keep_reasons(phase: &mut PhaseSummary, before: &[FailureReason]) {
    let known: u64 = before.iter().map(|reason| reason.requests).sum();
    if before.is_empty() || known > phase.failures {
        return;
    }
    let unknown = phase.failures - known;
    let not_said = phase.failure_reasons.last().map(|reason| reason.why.clone()).unwrap_or_default();
    phase.failure_reasons = before.to_vec();
    if unknown > 0 {
        phase.failure_reasons.push(FailureReason { why: not_said, requests: unknown });
    }
}

/// Only what was measured to its end has a verdict: what was decided about the rest was decided on other figures than are shown.
fn withdraw_verdicts(record: &mut RunRecord) {
    let RunRecord { backends, capacities, overall, .. } = record;
    let finished = |backend: &BackendRecord| matches!(backend.outcome, BackendOutcome::Measured);
    for backend in backends.iter_mut().filter(|backend| !finished(backend)) {
        backend.verdicts.clear();
    }
    for capacity in capacities {
        for level in &mut capacity.levels {
            let measured = backends.iter().find(|backend| backend.name == level.backend);
            if !measured.is_some_and(finished) {
                (level.verdict, level.littles_law) = (None, None);
            }
        }
        verdict::find_bounds(capacity);
    }
    *overall = None;
    record.decision = None;
}
