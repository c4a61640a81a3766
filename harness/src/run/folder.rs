//! The folder of a run, and the part of its record that is known before anything is measured.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tailmark_reports::record::{
    self, Horizon, RECORD_VERSION, RunRecord, RunStatus, ScenarioSummary, Tool, Workload,
};

use super::error::{RunError, cannot};
use super::reserve::Reserve;
use super::{recorded, recovery};
use crate::environment;
use crate::objective::Objective;
use crate::plan::Plan;

/// What a plan was made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's path, or `built in`.
    pub file: &'a str,
    /// What it holds.
    pub text: &'a str,
    /// What `--set` changed, as typed.
    pub overrides: &'a [String],
}

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    record: RunRecord,
    /// Locked for as long as the run goes on, so that nobody takes it for one that was killed. A file system without locks is
    /// no reason not to run.
    _lock: Option<fs::File>,
    /// Given back before the end is written.
    reserve: Option<Reserve>,
}

impl RunFolder {
    /// Makes `<runs>/<UTC time>-<scenario>/` with the resolved scenario in it.
    pub(super) fn create(runs: &Path, plan: &Plan, source: Source<'_>) -> Result<Self, RunError> {
        let now = jiff::Timestamp::now();
        let stem = format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), plan.name);
        fs::create_dir_all(runs).map_err(cannot(format!("make the folder {}", runs.display())))?;
        let path = (1..)
            .map(|number| runs.join(if number == 1 { stem.clone() } else { format!("{stem}-{number}") }))
            .find_map(|path| match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                made => Some(made.map(|()| path)),
            })
            .expect("an endless range of names: this is a bug")
            .map_err(cannot(format!("make a folder in {}", runs.display())))?;
        fs::create_dir(path.join("stderr")).map_err(cannot("make the folder for the workers' stderr"))?;
        fs::write(path.join("scenario.toml"), &plan.resolved)
            .map_err(cannot("write the resolved scenario"))?;
        let lock = recovery::lock(&path);
        let id = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let record = opening(plan, source, id, now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let reserve = Some(Reserve::take(&path));
        Ok(Self { path, record, _lock: lock, reserve })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the stderr of a backend's workers goes.
    pub(super) fn stderr_of(&self, backend: &str) -> PathBuf {
        self.path.join("stderr").join(format!("{backend}.log"))
    }

    /// Writes the record as it stands.
    pub(super) fn save(&self, record: &RunRecord) -> Result<(), RunError> {
        let file = self.path.join("run.json");
        record::write(&self.path, record).map_err(cannot(format!("write {}", file.display())))
    }

    /// Writes the record of a run that is over. If that cannot be done, the folder says at least that the run came to its end.
    pub(super) fn finish(&mut self, record: &RunRecord) -> Result<(), RunError> {
        self.reserve = None;
        let saved = self.save(record);
        if saved.is_err() {
            recovery::mark_end(&self.path);
        }
        saved
    }

    /// The record with nothing measured yet.
    pub(super) fn record(&self) -> RunRecord {
        self.record.clone()
    }
}

fn opening(plan: &Plan, source: Source<'_>, id: String, started_at: String) -> RunRecord {
    let sha256 = Sha256::digest(source.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let phases = plan.backends.first().map(|backend| backend.phases);
    let quick = phases.is_some_and(|phases| phases.steady.quick);
    // Backends with numbers of their own say them in their verdicts; this is the one most of them share.
    let horizon = phases
        .filter(|_| !quick)
        .map(|phases| Horizon { requests: phases.steady.min_requests, restarts: phases.restarts });
    RunRecord {
        record_version: RECORD_VERSION,
        id,
        started_at,
        elapsed_ns: None,
        status: RunStatus::Running,
        overall: None,
        decision: None,
        pairing: None,
        tool: Tool {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: if cfg!(debug_assertions) { "dev" } else { "release" }.to_owned(),
        },
        command_line: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        git: std::env::current_dir().ok().and_then(|folder| environment::git(&folder)),
        scenario: ScenarioSummary {
            name: plan.name.clone(),
            title: plan.title.clone(),
            source: source.file.to_owned(),
            sha256,
            overrides: source.overrides.to_vec(),
            resolved: plan.resolved.clone(),
        },
        machine: environment::machine(),
        model: None,
        workload: Workload {
            corpus: plan.corpus.name.clone(),
            texts: plan.corpus.texts.len() as u64,
            batch_size: u32::try_from(plan.batch_size).unwrap_or(u32::MAX),
            seed: plan.seed,
            tokens: None,
            truncated: 0,
            prompt: None,
        },
        load: recorded::load(&*plan.load),
        objectives: plan.objectives.iter().map(Objective::to_record).collect(),
        backends: Vec::new(),
        not_asked_for: plan.not_asked_for.clone(),
        bridges: Vec::new(),
        capacities: Vec::new(),
        mode: if quick { "quick" } else { "default" }.to_owned(),
        horizon,
        conditions: Vec::new(),
        doubts: Vec::new(),
        warnings: plan.warnings.clone(),
    }
}
