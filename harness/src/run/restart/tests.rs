//! Two backends can be alive at once and be driven in turn, by the steps that rounds are made of.

use tailmark_providers::provider::ProviderError;
use tailmark_providers::start::Provision;
use tailmark_providers::worker_command::WorkerCommand;
use tailmark_reports::record::BackendOutcome;
use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::plan::{self, Plan, Selection};
use crate::run::folder::{RunFolder, Source};
use crate::run::provide::provide;
use crate::scenario;
use crate::screen::Screen;

/// Two backends in the harness's own process.
const TWO: &str = "\
[[backend]]
name = \"a\"
kind = \"simulated\"
placement = \"in-process\"

[[backend]]
name = \"b\"
kind = \"simulated\"
placement = \"in-process\"
";

/// Where a run of [`TWO`] takes place.
struct Scene {
    plan: Plan,
    folder: RunFolder,
    screen: Arc<Screen>,
    cancelled: watch::Receiver<bool>,
    _runs: tempfile::TempDir,
    _never: watch::Sender<bool>,
}

impl Scene {
    fn new() -> Self {
        let plan = plan::resolve(&scenario::parse(TWO), "two", None, &Selection::default()).unwrap();
        let runs = tempfile::tempdir().unwrap();
        let source = Source { file: "two.toml", text: TWO, overrides: &[] };
        let folder = RunFolder::create(runs.path(), &plan, source).unwrap();
        let (never, cancelled) = watch::channel(false);
        Self { plan, folder, screen: Arc::new(Screen::new()), cancelled, _runs: runs, _never: never }
    }

    fn begin(&self) -> Run<'_> {
        let cancelled = self.cancelled.clone();
        let mut run = Run::begin(&self.plan, &self.folder, &self.screen, Instant::now(), cancelled).unwrap();
        let mut provision =
            Provision::new(self.folder.path().to_path_buf(), WorkerCommand::default(), None, &*self.screen);
        provide(&self.plan, &mut run.backends, &mut provision, None, &mut self.folder.record()).unwrap();
        run
    }
}

async fn opened(run: &mut Run<'_>, index: usize) -> Restart {
    run.open(index).await.expect("nobody asked to stop").expect("a live restart")
}

/// Sends two steady requests, and gives whose they were and which.
async fn block(run: &mut Run<'_>, restart: &mut Restart, first_number: u64) -> Vec<(usize, u64)> {
    let mut seen = Vec::new();
    let stages =
        [Stage { phase: Phase::Steady, first_number, max_requests: 2, max_time: Duration::from_secs(60) }];
    let load = load::one_caller();
    let requests = Requests { load: &*load, stream: 1, stages: &stages, expected: 2 };
    let ended = run
        .drive(restart, requests, |_, sample| {
            seen.push((sample.backend, sample.number));
            Step::GoOn
        })
        .await;
    assert_eq!(ended, Ended::Done);
    seen
}

#[tokio::test]
async fn two_restarts_are_alive_at_once_and_driven_in_turn() {
    let scene = Scene::new();
    let mut run = scene.begin();
    let mut a = opened(&mut run, 0).await;
    let mut b = opened(&mut run, 1).await;
    let mut order = block(&mut run, &mut a, 0).await;
    order.extend(block(&mut run, &mut b, 0).await);
    order.extend(block(&mut run, &mut b, 2).await);
    order.extend(block(&mut run, &mut a, 2).await);
    run.close(a, Ended::Done).await.expect("nobody asked to stop");
    run.close(b, Ended::Done).await.expect("nobody asked to stop");
    assert_eq!(order, [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (0, 2), (0, 3)]);
    for backend in &run.backends {
        let measured = &backend.measured;
        assert_eq!((measured.restarts(), measured.cold_starts().len()), (1, 1), "{}", backend.plan.name);
        assert_eq!(measured.seen(Phase::Steady).map(|steady| steady.requests()), Some(4));
    }
    run.log.close().unwrap();
    let samples = std::fs::read_to_string(scene.folder.path().join("samples.csv")).unwrap();
    let owners: String = samples.lines().skip(1).filter_map(|row| row.chars().next()).collect();
    assert_eq!(owners, "abaabbbbaa", "both cold starts come before the first block");
}

#[tokio::test]
async fn one_of_two_is_lost_and_the_other_goes_on() {
    let scene = Scene::new();
    let mut run = scene.begin();
    let mut a = opened(&mut run, 0).await;
    let b = opened(&mut run, 1).await;
    let gone = ProviderError::Killed { why: "it was told to".to_owned(), stderr_tail: String::new() };
    run.close(b, Ended::Lost(gone)).await.expect("nobody asked to stop");
    assert_eq!(block(&mut run, &mut a, 0).await, [(0, 0), (0, 1)]);
    run.close(a, Ended::Done).await.expect("nobody asked to stop");
    assert_eq!([run.backends[0].losses.count(), run.backends[1].losses.count()], [0, 1]);
    assert!(run.backends.iter().all(|backend| backend.outcome == BackendOutcome::Pending));
}

#[tokio::test]
async fn a_restart_that_is_closed_because_the_user_asked_to_stop_says_what_was_under_way() {
    let scene = Scene::new();
    let mut run = scene.begin();
    let mut a = opened(&mut run, 0).await;
    block(&mut run, &mut a, 0).await;
    let stopped = run.close(a, Ended::Cancelled).await.expect_err("the user asked to stop");
    assert_eq!(stopped.during, "steady state of a, restart 1 of 3");
}
