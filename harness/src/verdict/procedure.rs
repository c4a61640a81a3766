//! When a measurement has shown enough: the stopping procedure of one objective of one backend, as a state machine that is
//! fed requests and asked for a decision. It knows no clock, no process and no unit but nanoseconds against a limit; whether
//! the machine was fit to be measured on is asked elsewhere.

use super::decision::{Decision, Findings, Reason, Side};
use super::exceedances::Exceedances;
use super::rules::{Horizon, Rules};
use crate::statistics::correlation::Correlation;
use crate::statistics::heterogeneity::restarts_agree;
use crate::statistics::sequential::{
    Counts, Interval, confidence_sequence, ln_evidence_above, ln_evidence_below, requests_to_decide,
};

/// A run must be this many times as long as its correlation time.
const CORRELATION_TIMES: f64 = 50.0;

/// A run must be this many times as long as the longest pattern it shows: one hot phase in a run says nothing about how
/// often they come. At 50 instead, runs with hot phases of 200 requests passed falsely twice as often.
const MEMORIES: f64 = 150.0;

/// The chance of restarts as unequal as these, below which they disagree.
const DISAGREEMENT: f64 = 0.001;

/// Deviate of a trend that is called a drift: 0.1 %, two-sided.
pub(super) const DRIFT: f64 = 3.29;

/// Requests between two looks, as a factor, in a run with a horizon. Looking more often decides hardly earlier and errs more
/// often, because correlation makes the evidence approximate.
const SPACING: f64 = 1.2;

/// The same in a quick run, where the evidence is exact and every request counts.
const QUICK_SPACING: f64 = 1.02;

/// Requests from which on the confidence sequence is noted to be drawn; before, it is nearly all of 0 to 1.
const FIRST_MARK: u64 = 20;

/// The stopping procedure. Feed it the steady-state requests of each restart in order and ask [`Procedure::decide`] after
/// each; memory grows with the number of restarts and looks, hence with the logarithm of the number of requests.
#[derive(Clone, Debug)]
pub struct Procedure {
    rules: Rules,
    ended: Vec<Restart>,
    present: Option<Counts>,
    exceedances: Exceedances,
    unsteady: u32,
    /// Restarts with requests that were lost before their share was done; they stand for none of the horizon's.
    lost: usize,
    /// Requests of lost restarts since the last one that was not lost: part of the present one's share.
    made_up_for: f64,
    is_lost: bool,
    next_look: u64,
    next_mark: u64,
    settled: Option<Decision>,
    looks: Vec<Look>,
}

/// One fresh process: what it showed, and the correlation within it.
#[derive(Clone, Copy, Debug)]
struct Restart {
    counts: Counts,
    correlation: Correlation,
}

/// What a look at the run found, to draw it later.
#[derive(Clone, Copy, Debug)]
struct Look {
    requests: u64,
    deflated: Counts,
}

/// The confidence sequence at one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandPoint {
    /// Steady-state requests until then.
    pub requests: u64,
    /// The share that exceeded the limit.
    pub share: f64,
    /// The shares not ruled out.
    pub interval: Interval,
}

impl Procedure {
    /// A procedure that has seen nothing.
    ///
    /// # Panics
    /// When a share or a probability in `rules` is not strictly between 0 and 1.
    pub fn new(rules: Rules) -> Self {
        for share in [rules.allowed, rules.alpha, rules.beta] {
            assert!(share > 0.0 && share < 1.0, "{share} is not strictly between 0 and 1: this is a bug");
        }
        let next_look = match rules.horizon {
            Horizon::Quick => 1,
            Horizon::AtLeast { requests, .. } => requests.max(1),
        };
        Self {
            rules,
            ended: Vec::new(),
            present: None,
            exceedances: Exceedances::new(rules.limit_ns),
            unsteady: 0,
            lost: 0,
            made_up_for: 0.0,
            is_lost: false,
            next_look,
            next_mark: FIRST_MARK,
            settled: None,
            looks: Vec::new(),
        }
    }

    /// A fresh process begins; to be called before its first request.
    pub fn begin_restart(&mut self) {
        if !std::mem::take(&mut self.is_lost) {
            self.made_up_for = 0.0;
        }
        self.ended.extend(self.present_restart());
        self.present = Some(Counts::NONE);
        self.exceedances.begin_restart();
    }

    /// The present restart was lost before its end. Its requests count; the next restart makes up for its share, and the
    /// two stand for one restart of the horizon.
    pub fn lose_restart(&mut self) {
        if let Some(present) = self.present_restart() {
            self.lost += 1;
            self.made_up_for += present.counts.requests;
        }
        self.is_lost = true;
    }

    /// The present restart used up its warm-up without becoming steady.
    pub fn no_steady_state(&mut self) {
        self.unsteady += 1;
    }

    /// Adds a steady-state request by its response time; `None` is a failure, which exceeds every limit.
    pub fn observe(&mut self, response_ns: Option<u64>) {
        let exceeded = self.exceedances.observe(response_ns);
        let present = self.present.get_or_insert(Counts::NONE);
        present.requests += 1.0;
        present.exceedances += f64::from(u8::from(exceeded));
    }

    /// Whether to go on. Cheap between looks; what was decided once stays decided.
    pub fn decide(&mut self) -> Decision {
        if let Some(settled) = self.settled {
            return settled;
        }
        let requests = self.requests();
        if requests >= self.next_mark {
            self.next_mark = (requests as f64 * SPACING).ceil() as u64;
            self.mark();
        }
        if requests >= self.rules.most_requests {
            return self.conclude();
        }
        if requests >= self.next_look {
            let spacing = if self.rules.horizon == Horizon::Quick { QUICK_SPACING } else { SPACING };
            self.next_look = (requests + 1).max((requests as f64 * spacing).ceil() as u64);
            match self.look() {
                Ok(side) => return self.settle(side.into()),
                // Nothing measured from here on can undo it.
                Err(reason @ Reason::NoSteadyState { .. }) => {
                    return self.settle(Decision::Inconclusive(reason));
                }
                Err(_) => {}
            }
        }
        Decision::Continue { fresh_process: self.wants_fresh_process() }
    }

    /// The budget is spent: a decision from what is there, never [`Decision::Continue`].
    pub fn conclude(&mut self) -> Decision {
        match self.settled {
            Some(settled) => settled,
            None => {
                let decision = self.look().map_or_else(Decision::Inconclusive, Decision::from);
                self.settle(decision)
            }
        }
    }

    /// Whether the next request should be sent to a fresh process.
    ///
    /// Within the horizon the requests are shared out equally. Beyond it each restart is a third as long as all before it:
    /// further restarts begin in other states of the machine, and growing ones can show longer patterns.
    pub fn wants_fresh_process(&self) -> bool {
        let Some(present) = self.present.map(|present| present.requests) else { return true };
        let Horizon::AtLeast { requests, restarts } = self.rules.horizon else { return false };
        if self.ended.len() - self.lost + 1 < restarts as usize {
            present + self.made_up_for >= (requests as f64 / f64::from(restarts)).ceil()
        } else {
            self.requests() >= requests && present >= (self.total().requests - present) / 3.0
        }
    }

    /// Steady-state requests so far, over all restarts.
    pub fn requests(&self) -> u64 {
        self.total().requests as u64
    }

    /// Everything that the decision rests on, at this moment.
    pub fn findings(&self) -> Findings {
        let Rules { allowed, alpha, beta, .. } = self.rules;
        let total = self.total();
        let restarts = self.restarts();
        let correlation = self.correlation();
        let deflated = total.deflated(correlation.time);
        Findings {
            requests: self.requests(),
            exceedances: total.exceedances as u64,
            restarts: restarts.len() as u32,
            share: (total.requests > 0.0).then(|| total.exceedances / total.requests),
            interval: confidence_sequence(deflated, alpha, beta),
            correlation,
            correlation_was_seen: self.exceedances.shows_correlation(),
            latency_correlation: self.exceedances.correlation_of_latencies(),
            effective_requests: deflated.requests,
            ln_evidence_of_pass: ln_evidence_below(allowed, deflated),
            ln_evidence_of_fail: ln_evidence_above(allowed, deflated),
            agreement: agreement(&restarts),
            drift: self.exceedances.drift(total.requests / restarts.len().max(1) as f64),
            requests_to_settle: self.requests_to_settle(correlation),
        }
    }

    /// The confidence sequence at every look so far, in order.
    pub fn band(&self) -> Vec<BandPoint> {
        let point = |look: &Look| BandPoint {
            requests: look.requests,
            share: look.deflated.exceedances / look.deflated.requests,
            interval: confidence_sequence(look.deflated, self.rules.alpha, self.rules.beta),
        };
        self.looks.iter().filter(|look| look.requests > 0).map(point).collect()
    }

    fn settle(&mut self, decision: Decision) -> Decision {
        self.settled = Some(decision);
        decision
    }

    /// Notes where the confidence sequence stands, to be drawn: also before the horizon, where nothing is decided.
    fn mark(&mut self) {
        let requests = self.requests();
        if self.looks.last().is_none_or(|last| last.requests < requests) {
            let deflated = self.total().deflated(self.correlation().time);
            self.looks.push(Look { requests, deflated });
        }
    }

    fn total(&self) -> Counts {
        let ended = self.ended.iter().map(|restart| restart.counts);
        ended.chain(self.present).fold(Counts::NONE, Counts::plus)
    }

    fn present_restart(&self) -> Option<Restart> {
        let correlation = || self.exceedances.correlation_of_present_restart();
        let counts = self.present.filter(|present| present.requests > 0.0)?;
        Some(Restart { counts, correlation: correlation() })
    }

    fn restarts(&self) -> Vec<Restart> {
        self.ended.iter().copied().chain(self.present_restart()).collect()
    }

    /// A quick run is taken to be independent unless it visibly is not.
    fn correlation(&self) -> Correlation {
        let found = self.exceedances.correlation();
        if self.rules.horizon == Horizon::Quick && found.memory == 0 { Correlation::NONE } else { found }
    }

    /// One look: the side that the evidence is on, if nothing stands against saying so.
    fn look(&mut self) -> Result<Side, Reason> {
        let total = self.total();
        let correlation = self.correlation();
        let deflated = total.deflated(correlation.time);
        self.mark();
        if self.unsteady > 0 {
            return Err(Reason::NoSteadyState { restarts: self.unsteady });
        }
        let restarts = self.restarts();
        let mean_length = total.requests / restarts.len().max(1) as f64;
        let drift = self.exceedances.drift(mean_length).filter(|drift| drift.deviate.abs() > DRIFT);
        let side = match self.rules.horizon {
            Horizon::Quick => self.side(deflated).ok_or(Reason::TooCloseToTheLimit)?,
            Horizon::AtLeast { requests, restarts: fewest } => {
                if total.requests < requests as f64 || restarts.len() - self.lost < fewest as usize {
                    return Err(Reason::HorizonNotReached { requests, restarts: fewest });
                }
                match self.side_of_each_alone(&restarts) {
                    Some(side) => side,
                    // A drift hangs together over the whole run and makes later restarts differ from earlier ones; where
                    // there is one, it is the better name for both.
                    None => {
                        self.side_of_all(&restarts, correlation).map_err(|reason| match (reason, drift) {
                            (
                                Reason::TooShortForItsCorrelation { .. } | Reason::RestartsDisagree { .. },
                                Some(drift),
                            ) => Reason::Drifts { drift },
                            _ => reason,
                        })?
                    }
                }
            }
        };
        let turns = drift.filter(|drift| match side {
            Side::Pass => drift.deviate > 0.0 && drift.projected_share >= self.rules.allowed,
            Side::Fail => drift.deviate < 0.0 && drift.projected_share <= self.rules.allowed,
        });
        turns.map_or(Ok(side), |drift| Err(Reason::Drifts { drift }))
    }

    fn side(&self, counts: Counts) -> Option<Side> {
        let Rules { allowed, alpha, beta, .. } = self.rules;
        if ln_evidence_below(allowed, counts) >= -alpha.ln() {
            Some(Side::Pass)
        } else if ln_evidence_above(allowed, counts) >= -beta.ln() {
            Some(Side::Fail)
        } else {
            None
        }
    }

    /// The side that every restart would take if it were the only one; then it does not matter how they differ.
    fn side_of_each_alone(&self, restarts: &[Restart]) -> Option<Side> {
        let alone = |restart: &Restart| {
            let Restart { counts, correlation } = *restart;
            let long = counts.requests >= fewest_requests(correlation);
            self.side(counts.deflated(correlation.time)).filter(|_| long)
        };
        let side = alone(restarts.first()?)?;
        restarts.iter().all(|restart| alone(restart) == Some(side)).then_some(side)
    }

    /// The side that all restarts take together, if they are one thing and the run is long against its patterns.
    fn side_of_all(&self, restarts: &[Restart], correlation: Correlation) -> Result<Side, Reason> {
        let total = self.total();
        let chance = agreement(restarts);
        if chance < DISAGREEMENT {
            return Err(Reason::RestartsDisagree { chance });
        }
        if total.requests < fewest_requests(correlation) {
            return Err(Reason::TooShortForItsCorrelation { correlation });
        }
        self.side(total.deflated(correlation.time)).ok_or(Reason::TooCloseToTheLimit)
    }

    /// Further requests that would settle it if the share and the correlation stay as they are; 0 when nothing is missing,
    /// `None` when no number of requests would.
    fn requests_to_settle(&self, correlation: Correlation) -> Option<u64> {
        let Rules { allowed, alpha, beta, horizon, .. } = self.rules;
        let total = self.total();
        if matches!(self.settled, Some(Decision::Pass | Decision::Fail)) {
            return Some(0);
        }
        if total.requests <= 0.0 || self.unsteady > 0 {
            return None;
        }
        let share = total.exceedances / total.requests;
        let evidence = requests_to_decide(allowed, share, correlation.time, alpha, beta)?;
        let needed = match horizon {
            Horizon::Quick => evidence,
            Horizon::AtLeast { requests, .. } => {
                evidence.max(requests).max(fewest_requests(correlation).ceil() as u64)
            }
        };
        Some(needed.saturating_sub(total.requests as u64))
    }
}

/// The length of a run that is long against its own correlation.
fn fewest_requests(correlation: Correlation) -> f64 {
    (CORRELATION_TIMES * correlation.time).max(MEMORIES * correlation.memory as f64)
}

/// The chance that equal restarts differ as much as these. Their differences must not weaken the test that looks for them,
/// so the counts are deflated by the largest correlation time within a restart, not by that of all; a mean instead would
/// take a single burst in one of many restarts for a difference.
fn agreement(restarts: &[Restart]) -> f64 {
    let time = restarts.iter().map(|restart| restart.correlation.time).fold(1.0, f64::max);
    let deflated: Vec<Counts> = restarts.iter().map(|restart| restart.counts.deflated(time)).collect();
    restarts_agree(&deflated)
}
