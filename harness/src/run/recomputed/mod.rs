//! The figures of a record once more, from the samples beside it: the same requests in the same order go through the same
//! statistics and judges, and what comes out is compared with what the record says.
//!
//! What samples do not show is taken from the record, and [`Recomputed::not_recomputed`] names it.

mod backend;
mod difference;
mod figures;
mod paired;

use std::collections::BTreeMap;
use std::path::Path;

use backend::Again;
pub use difference::Difference;
use difference::Differences;
use paired::PairedAgain;
use tailmark_reports::record::{BackendOutcome, RunRecord, RunStatus};
use tailmark_reports::units::counted;

use crate::decision;
use crate::driver::{ColumnarError, replay};
use crate::objective::Objective;
use crate::plan::Asked;
use crate::statistics::bridges;
use crate::verdict;

/// Why the figures of a run cannot be computed again.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The run is not over, or was killed.
    #[error(
        "run {id} has no end: its record says `running`\n\nhint: wait for its end; if tailmark was killed, `tailmark report FOLDER` \
         completes the record first"
    )]
    NoEnd {
        /// The run.
        id: String,
    },
    /// There is nothing to compute from.
    #[error(
        "run {id} has no samples.csv, and its record tells of {}; figures are computed again from the samples alone\n\nhint: copy \
         samples.csv of the run into the folder",
        counted(*requests, "request")
    )]
    NoSamples {
        /// The run.
        id: String,
        /// Requests of the record.
        requests: u64,
    },
    /// The samples cannot be read.
    #[error("{0}\n\nhint: copy samples.csv of the run again; no line of it may be changed")]
    Samples(#[from] ColumnarError),
    /// The scenario that the record holds is none.
    #[error(
        "the scenario in the record of run {id} cannot be read: {why}\n\nhint: verify it with the tailmark that wrote it"
    )]
    Scenario {
        /// The run.
        id: String,
        /// Its first fault.
        why: String,
    },
}

/// What came out.
#[derive(Debug)]
pub struct Recomputed {
    /// Samples that were read.
    pub samples: u64,
    /// Backends that have some.
    pub backends: usize,
    /// Figures that were compared.
    pub figures: u64,
    /// Those that are not what the record says.
    pub differences: Vec<Difference>,
    /// What samples do not show.
    pub not_recomputed: Vec<&'static str>,
}

/// Whether a record is of a run that was killed, and was completed from what was on disk.
fn was_killed(record: &RunRecord) -> bool {
    matches!(&record.status, RunStatus::Interrupted { by, .. } if by != "stopped by the user")
}

/// Computes the figures of a run again.
///
/// # Errors
/// When there is nothing to compute from, or it cannot be read.
pub fn recompute(folder: &Path, record: &RunRecord) -> Result<Recomputed, VerifyError> {
    let id = || record.id.clone();
    if record.status == RunStatus::Running {
        return Err(VerifyError::NoEnd { id: id() });
    }
    let asked = Asked::read(&record.scenario.resolved, record.mode == "quick")
        .map_err(|why| VerifyError::Scenario { id: id(), why })?;
    let requests = record.backends.iter().flat_map(|backend| &backend.phases);
    let requests = requests.map(|phase| phase.requests).max().unwrap_or_default();
    if requests > 0 && !folder.join("samples.csv").exists() {
        return Err(VerifyError::NoSamples { id: id(), requests });
    }
    let killed = was_killed(record);
    let mut all: BTreeMap<&str, Again<'_>> = BTreeMap::new();
    for backend in &record.backends {
        let base = backend.cell.as_ref().map_or(&backend.name, |cell| &cell.of);
        if let Some(of) = asked.backends.get(base) {
            let recovered = killed && backend.outcome == BackendOutcome::Pending;
            all.insert(&backend.name, Again::of(backend, base, &asked, *of, recovered));
        }
    }
    let mut paired = record.pairing.as_ref().map(PairedAgain::of);
    let mut foreign: BTreeMap<String, u64> = BTreeMap::new();
    let samples = replay(folder, |name, sample| {
        if let Some(paired) = &mut paired {
            paired.add(name, sample);
        }
        match all.get_mut(name) {
            Some(again) => again.add(sample),
            // A second process of a backend that is compared with itself is in the comparison and in no other figure.
            None if paired.as_ref().is_some_and(|paired| paired.has(name)) => {}
            None => *foreign.entry(name.to_owned()).or_default() += 1,
        }
    })?;
    let mut found = Differences::default();
    let on_disk = std::fs::read_to_string(folder.join("scenario.toml"));
    found.texts("scenario.toml", &record.scenario.resolved, on_disk.as_deref().unwrap_or("no such file"));
    for (name, requests) in foreign {
        // The requests of a search for a capacity are in no figure but its own.
        if !record.capacities.iter().any(|capacity| capacity.backend == name) {
            found.add(
                &name,
                "no such backend, or none that was timed".to_owned(),
                counted(requests, "request"),
            );
        }
    }
    let backends = all.values().filter(|again| again.has_samples()).count();
    let mut again = record.clone();
    for backend in &mut again.backends {
        match all.get_mut(backend.name.as_str()) {
            Some(seen) => *backend = seen.finish(),
            None => {
                found.add(&backend.name, "a backend of the run".to_owned(), "none in its scenario".to_owned())
            }
        }
    }
    again.objectives = asked.objectives.iter().map(Objective::to_record).collect();
    again.pairing = paired.as_mut().map(PairedAgain::finish);
    again.bridges = bridges(&again.backends);
    if !killed {
        let laws: BTreeMap<String, _> = record
            .capacities
            .iter()
            .flat_map(|capacity| &capacity.levels)
            .map(|level| (level.backend.clone(), level.littles_law))
            .collect();
        verdict::judge_levels(&mut again, |name| laws.get(name).copied().flatten());
        again.overall = verdict::overall(&again.backends, &again.capacities);
    }
    if record.decision.is_some() {
        again.decision = decision::decide(&again, &asked.wish, |name| {
            let seen = all.get(name)?;
            Some(decision::Known { series: seen.series(), price_per_hour: seen.price_per_hour() })
        });
    }
    figures::compare(record, &again, &mut found);
    for seen in all.values() {
        seen.compare_times(&mut found);
    }
    let (figures, differences) = found.into_parts();
    Ok(Recomputed { samples, backends, figures, differences, not_recomputed: not_recomputed(record, killed) })
}

/// What is in a record and in no sample.
fn not_recomputed(record: &RunRecord, killed: bool) -> Vec<&'static str> {
    let mut list = vec![
        "time spent in each phase (rates are texts of the samples over it)",
        "offered and achieved load",
        "reasons of failures",
        "parts of the cold start",
        "when a point of the timeline was",
        "memory and processor time",
        "vectors and their check",
        "execution proof",
        "lost workers",
        "how doubts turned verdicts",
        "with min_seconds, from which request on the run could decide",
        "conditions, doubts and warnings",
    ];
    if !record.capacities.is_empty() {
        list.push("search for the capacity, and Little's law");
    }
    if record.pairing.is_some() {
        list.push("which replicates of the pairing count, and whether it stopped early");
    }
    if killed {
        list.push("warm-up, cold starts and verdicts of backends that were not measured to their end");
    }
    if record.decision.is_none() {
        list.push("decision (the record has none)");
    }
    list
}
