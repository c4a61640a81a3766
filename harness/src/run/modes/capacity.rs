//! How much load each backend takes: a search on throw-away data, then the declared rates one by one, each measured and
//! judged as a backend of its own, until one does not pass.
//!
//! Testing in a fixed order and stopping at the first that does not pass keeps the chance of any wrong PASS at that of one
//! test (Maurer, Hothorn and Lehmacher 1995).

use tailmark_reports::record::{
    Axis, BackendOutcome, Capacity, Cell, Level, Phase, Probe, RunRecord, Verdict, Warning,
};
use tokio::time::Instant;

use crate::capacity::Search;
use crate::driver::{Block, Ended, Stage, Step};
use crate::load::{self, Limits, Rule};
use crate::objective::{Indicator, Objective};
use crate::plan::{CapacityPlan, Levels};
use crate::run::session::Session;
use crate::run::under_way::{Run, Stopped};
use crate::sample::Sample;
use crate::statistics::Accumulator;
use crate::verdict::{self, Bounds, Horizon, Judge};

/// Requests that warm the backend up before the search.
const WARM_UP: u64 = 50;
/// Requests of a try at least: a P95 of fewer says nothing.
const FEWEST: u64 = 40;
/// Requests of a try at most.
const MOST: u64 = 5_000;

/// A backend that is searched, and how its requests are counted.
struct Searched<'a> {
    index: usize,
    name: String,
    session: &'a Session,
    made: u64,
}

/// Finds and certifies the rates of every backend that can be started, one backend after the other.
pub(super) async fn measure(
    run: &mut Run<'_>,
    wanted: &CapacityPlan,
    record: &mut RunRecord,
) -> Result<(), Stopped> {
    for base in 0..run.plan.backends.len() {
        let backend = &mut run.backends[base];
        if backend.outcome != BackendOutcome::Pending || backend.found.launch.is_none() {
            continue;
        }
        backend.is_stood_in_for = true;
        let mut capacity = Capacity {
            backend: backend.plan.name.clone(),
            load: wanted.load.to_owned(),
            search: Vec::new(),
            levels: Vec::new(),
            highest_pass: None,
            lowest_fail: None,
            why_not: None,
        };
        let rates = match wanted.levels {
            Levels::Given(ref rates) => Ok(rates.clone()),
            Levels::Found(count) => {
                run.search(base, wanted, count, &mut capacity, &mut record.warnings).await
            }
        };
        let rates = match rates {
            Ok(rates) => rates,
            Err(why) => {
                capacity.why_not = Some("the search ended before it declared a rate".to_owned());
                record.capacities.push(capacity);
                match why {
                    NoRates::Stopped(stopped) => return Err(stopped),
                    NoRates::Broken(why) => {
                        run.backends[base].is_stood_in_for = false;
                        run.backends[base].outcome = BackendOutcome::Broken { why };
                        continue;
                    }
                }
            }
        };
        capacity.levels = rates
            .iter()
            .map(|rate| Level {
                offered_per_second: *rate,
                backend: format!("{}-at-{rate}", capacity.backend),
                verdict: None,
                littles_law: None,
            })
            .collect();
        record.capacities.push(capacity);
        for rate in rates {
            if run.certify(base, wanted, rate, record).await? != Some(Verdict::Pass) {
                break;
            }
        }
    }
    Ok(())
}

impl Run<'_> {
    /// Measures one rate until its objectives are decided.
    async fn certify(
        &mut self,
        base: usize,
        plan: &CapacityPlan,
        rate: f64,
        record: &mut RunRecord,
    ) -> Result<Option<Verdict>, Stopped> {
        let mut level = self.backends[base].plan.clone();
        let mut axes = level.cell.as_ref().map(|cell| cell.axes.clone()).unwrap_or_default();
        axes.push(Axis { name: "rate".to_owned(), value: format!("{rate}/s") });
        level.cell = Some(Cell { of: level.base().to_owned(), axes });
        level.name = format!("{}-at-{rate}", level.name);
        level.load = plan.at(rate);
        let index = self.add_again(base, level);
        self.keep(record);
        while self.backends[index].wants_restart() {
            let ended = self.restart(index).await;
            self.keep(record);
            ended?;
        }
        self.backends[index].finish();
        self.keep(record);
        let name = &self.backends[index].plan.name;
        let measured = record.backends.iter().find(|backend| backend.name == *name);
        Ok(measured.and_then(|backend| verdict::worst(backend.verdicts.iter().map(|judged| judged.verdict))))
    }

    /// Tries rates in one process until it is clear which are worth certifying; in another one from the beginning when its worker
    /// is lost.
    async fn search(
        &mut self,
        base: usize,
        plan: &CapacityPlan,
        count: u32,
        capacity: &mut Capacity,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<f64>, NoRates> {
        let name = self.backends[base].plan.name.clone();
        let Some(launch) = self.backends[base].found.launch.clone() else { return Ok(Vec::new()) };
        let during = format!("search for the capacity of {name}");
        let stderr = self.folder.stderr_of(&name);
        let (mut made, mut lost) = (0, 0);
        loop {
            self.screen.phase(&during, None);
            let opening = Session::open(&launch, self.plan.deadlines, &stderr);
            let levels = match self.or_stopped(&during, opening).await.map_err(NoRates::Stopped)? {
                Ok(session) => {
                    self.watch_processes(&session);
                    let mut searched = Searched { index: base, name: name.clone(), session: &session, made };
                    let levels = self.search_with(&mut searched, plan, count, capacity).await;
                    made = searched.made;
                    session.close().await;
                    levels
                }
                Err(error) => Err(NoRates::Broken(error.to_string())),
            };
            match levels {
                // What was searched is thrown away in any case, so the search simply begins again.
                Err(NoRates::Broken(why)) if lost < self.plan.workers.max_replacements => {
                    lost += 1;
                    capacity.search.clear();
                    warnings.push(self.lost_while_searching(&name, lost, &why));
                }
                levels => return levels,
            }
        }
    }

    fn lost_while_searching(&self, name: &str, lost: u32, why: &str) -> Warning {
        let most = self.plan.workers.max_replacements;
        let what = format!(
            "a worker was lost during the search for the capacity, so the search started again with another one ({lost} of \
             {most}): {why}"
        );
        self.screen.say(&format!("{name}: {what}"));
        let remedy = format!("fix the error in stderr/{name}.log before trusting this capacity");
        Warning { backend: Some(name.to_owned()), what, remedy }
    }

    async fn search_with(
        &mut self,
        searched: &mut Searched<'_>,
        plan: &CapacityPlan,
        count: u32,
        capacity: &mut Capacity,
    ) -> Result<Vec<f64>, NoRates> {
        let callers = match plan.at(1.0).limits() {
            Limits::Queue { max_in_flight: Some(most), .. } => most,
            _ => searched.session.loaded.concurrency,
        };
        let closed = load::callers(callers.max(1), std::time::Duration::ZERO);
        self.probe(searched, plan, &*closed, WARM_UP).await?;
        let closed_rate = self.probe(searched, plan, &*closed, MOST).await?.achieved_per_second;
        let mut search = Search::below(closed_rate.max(f64::MIN_POSITIVE));
        while let Some(rate) = search.next() {
            self.screen.phase(&format!("search for the capacity of {}: {rate}/s", searched.name), None);
            let requests = ((rate * plan.probe.as_secs_f64()) as u64).clamp(FEWEST, MOST);
            // A few hundred requests that wait for each other are few: what was missed once is tried again. A search that is too
            // hopeful costs a level at the top, one that is too timid costs the answer.
            for _ in 0..2 {
                let mut probe = self.probe(searched, plan, &*plan.at(rate), requests).await?;
                probe.offered_per_second = rate;
                capacity.search.push(probe);
                if capacity.search.last().is_some_and(|probe| probe.met) {
                    break;
                }
            }
            search.tell(rate, capacity.search.last().is_some_and(|probe| probe.met));
        }
        Ok(search.levels(count))
    }

    /// One try. Its requests are in the samples file as warm-up of the backend, and in no figure but these.
    async fn probe(
        &mut self,
        searched: &mut Searched<'_>,
        plan: &CapacityPlan,
        load: &dyn Rule,
        requests: u64,
    ) -> Result<Probe, NoRates> {
        let backend = &self.backends[searched.index];
        let batches = backend.batches.clone();
        let open = load.limits().is_open();
        let block = Block {
            backend: backend.index,
            restart: 1,
            batches: &batches,
            epoch: self.epoch,
            at_once: searched.session.loaded.concurrency as usize,
            stream: searched.made,
        };
        let base = backend.plan.base().to_owned();
        // A closed load has no end of its own; an open one lasts as long as its requests take to come.
        let max_time = if open { 4 * plan.probe } else { plan.probe };
        let stages =
            [Stage { phase: Phase::WarmUp, first_number: searched.made, max_requests: requests, max_time }];
        let mut tries: Vec<Tried> = self
            .plan
            .objectives
            .iter()
            .filter(|objective| objective.applies_to(&base))
            .map(Tried::new)
            .collect();
        let mut figures = Accumulator::new(None);
        let began = Instant::now();
        let driven = self
            .drive_unrecorded(searched.session.provider(), load, block, &stages, |sample| {
                figures.record(sample);
                tries.iter_mut().for_each(|tried| tried.add(sample));
                Step::GoOn
            })
            .await;
        let seconds = began.elapsed().as_secs_f64();
        for flow in &driven.stages {
            figures.add_flow(flow, open);
            searched.made += flow.arrived;
        }
        match driven.ended {
            Ended::Cancelled => {
                return Err(NoRates::Stopped(Stopped {
                    during: format!("search for the capacity of {}", searched.name),
                }));
            }
            Ended::Lost(error) => return Err(NoRates::Broken(error.to_string())),
            Ended::Done | Ended::Overloaded => {}
        }
        let overloaded = driven.ended == Ended::Overloaded;
        let summary = figures.summary(Phase::WarmUp);
        let arrivals = summary.arrivals.as_ref();
        Ok(Probe {
            offered_per_second: arrivals.and_then(|arrivals| arrivals.offered_per_second).unwrap_or_default(),
            achieved_per_second: arrivals
                .and_then(|arrivals| arrivals.achieved_per_second)
                .unwrap_or_default(),
            requests: figures.requests(),
            response_time: summary.response_time,
            met: !overloaded && tries.iter().all(|tried| tried.is_met(seconds)),
            overloaded,
        })
    }
}

/// Why no rate was declared.
enum NoRates {
    Stopped(Stopped),
    Broken(String),
}

/// An objective in one try: whether its estimate is within its limit.
struct Tried {
    judge: Judge,
    requests: u64,
    missed: u64,
    texts: u64,
}

impl Tried {
    fn new(objective: &Objective) -> Self {
        let bounds = Bounds { horizon: Horizon::Quick, most_requests: MOST };
        Self { judge: Judge::new(0, objective, bounds), requests: 0, missed: 0, texts: 0 }
    }

    fn add(&mut self, sample: &Sample) {
        self.requests += 1;
        self.missed += u64::from(self.judge.is_missed_by(sample));
        self.texts += u64::from(sample.texts);
    }

    fn is_met(&self, seconds: f64) -> bool {
        let share = self.missed as f64 / self.requests.max(1) as f64;
        let objective = &self.judge.objective;
        match objective.indicator {
            Indicator::ResponseTime { quantile } | Indicator::ServiceTime { quantile } => {
                share <= 1.0 - quantile
            }
            Indicator::FailureShare => share <= objective.limit,
            Indicator::Throughput => self.texts as f64 / seconds >= objective.limit,
            // These do not depend on the rate, or only a whole run shows them.
            Indicator::ColdStart { .. } | Indicator::PeakRss | Indicator::Cosine => true,
        }
    }
}
