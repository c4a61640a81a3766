//! Two backends that are measured in turn: what was seen of them so far, and what it comes to.
//!
//! The percentile that is asked about carries the finding; the other figures stand beside it, each with an interval of its own.

use tailmark_reports::record::{
    Claim, Indicator, PairedFigure, PairedOutcome, Pairing, RatioInterval, Sequential,
};

use crate::sample::Sample;
use crate::statistics::carries;
use crate::statistics::paired::{Paired, Side};
use crate::statistics::ratio::Ratio;
use crate::statistics::series::Figure;
use crate::statistics::two_quantiles::TwoQuantiles;

/// How often the smallest difference of a report would be found.
const POWER: f64 = 0.8;
/// The percentiles beside the one that is asked about, where the requests carry them.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The name in the samples of a second process of a backend that is compared with itself.
#[must_use]
pub fn again(name: &str) -> String {
    format!("{name}-again")
}

/// The name in the samples of the process that controls the method.
#[must_use]
pub fn control(name: &str) -> String {
    format!("{name}-control")
}

/// What is asked of two backends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// The percentile of the response time, in (0, 1).
    pub quantile: f64,
    /// The same within this share, above 0.
    pub within: f64,
    /// Of each interval and of each claim, in (0.5, 1).
    pub confidence: f64,
}

/// What was seen of two backends, and what could be claimed at each look.
#[derive(Clone, Debug)]
pub struct Comparing {
    question: Question,
    paired: Paired,
    times: TwoQuantiles,
    claimed: Option<Sequential>,
    /// What was claimed before the present replicate.
    claimed_before: Option<Sequential>,
}

impl Comparing {
    /// Nothing yet.
    #[must_use]
    pub fn new(question: Question) -> Self {
        let times = TwoQuantiles::new(question.quantile);
        Self { question, paired: Paired::default(), times, claimed: None, claimed_before: None }
    }

    /// A fresh process of each follows.
    pub fn begin_replicate(&mut self) {
        self.claimed_before.clone_from(&self.claimed);
        self.paired.begin_replicate();
        self.times.begin_replicate();
    }

    /// A block of each follows.
    pub fn begin_pair(&mut self) {
        self.paired.begin_pair();
    }

    /// Adds a request of the present pair.
    pub fn add(&mut self, side: Side, sample: &Sample) {
        self.paired.add(side, sample);
        self.times.add(side, sample.response_ns());
    }

    /// The present replicate does not count, nor does what was claimed in it: a worker was lost.
    pub fn drop_replicate(&mut self) {
        self.claimed.clone_from(&self.claimed_before);
        self.paired.drop_replicate();
        self.times.drop_replicate();
    }

    /// Looks at the evidence, which may be done after any request. A claim that was reached once stands.
    pub fn look(&mut self) -> Claim {
        if let Some(claimed) = &self.claimed {
            return claimed.claim;
        }
        let now = self.now();
        let claim = now.claim;
        if claim != Claim::Open {
            self.claimed = Some(now);
        }
        claim
    }

    fn now(&self) -> Sequential {
        let Question { within, confidence, .. } = self.question;
        let ln_no_slower = self.times.ln_evidence_no_larger(Side::Second, within);
        // That it is slower is that the first one's quantile is below it.
        let ln_slower = self.times.ln_evidence_no_larger(Side::First, 0.0);
        let enough = -(1.0 - confidence).ln();
        let claim = match (ln_no_slower >= enough, ln_slower >= enough) {
            (true, true) => Claim::SlowerWithin,
            (true, false) => Claim::NoSlower,
            (false, true) => Claim::Slower,
            (false, false) => Claim::Open,
        };
        let after = self.paired.requests().into_iter().min().unwrap_or_default();
        Sequential { ln_no_slower, ln_slower, claim, after }
    }

    /// What the sequential test has shown; `None` while there is too little to tell.
    #[must_use]
    pub fn sequential(&self) -> Option<Sequential> {
        let found = self.claimed.clone().unwrap_or_else(|| self.now());
        (found.ln_no_slower.is_finite() && found.ln_slower.is_finite()).then_some(found)
    }

    /// The figures, the one that is asked about first.
    #[must_use]
    pub fn figures(&self) -> Vec<PairedFigure> {
        let asked = self.question.quantile;
        let carried =
            |quantile: f64| self.paired.requests().iter().all(|requests| carries(quantile, *requests));
        let others = QUANTILES.into_iter().filter(|quantile| (quantile - asked).abs() > 1e-9);
        let quantiles = std::iter::once(asked).chain(others).filter(|quantile| carried(*quantile));
        let times = quantiles.map(|quantile| Indicator::ResponseTime { quantile });
        times.chain([Indicator::Throughput]).filter_map(|indicator| self.figure(indicator)).collect()
    }

    fn figure(&self, indicator: Indicator) -> Option<PairedFigure> {
        let Question { within, confidence, .. } = self.question;
        let figure = Figure::of_indicator(indicator)?;
        let estimate = self.paired.estimate(figure)?;
        let ratio = estimate.as_ratio(confidence);
        Some(PairedFigure {
            indicator,
            first: self.paired.figure(Side::First, figure)?,
            second: self.paired.figure(Side::Second, figure)?,
            ratio: RatioInterval {
                value: ratio.value,
                low: ratio.interval.map(|(low, _)| low),
                high: ratio.interval.map(|(_, high)| high),
            },
            smallest: estimate.smallest_difference(confidence, POWER),
            outcome: outcome(&ratio, within, figure.more_is_better()),
        })
    }
}

/// What is equivalent is so even if it is different for certain: the difference is then smaller than anybody asked about.
fn outcome(ratio: &Ratio, within: f64, more_is_better: bool) -> PairedOutcome {
    let Some((low, high)) = ratio.interval else { return PairedOutcome::NoDifference };
    let (larger, smaller) = match more_is_better {
        true => (PairedOutcome::Better, PairedOutcome::Worse),
        false => (PairedOutcome::Worse, PairedOutcome::Better),
    };
    if low >= 1.0 / (1.0 + within) && high <= 1.0 + within {
        PairedOutcome::Equivalent
    } else if low > 1.0 {
        larger
    } else if high < 1.0 {
        smaller
    } else {
        PairedOutcome::NoDifference
    }
}

/// The ratio of `one` to `base`, if a pairing measured the two in turn: what drifted fell on both alike, so its interval is the better
/// one.
#[must_use]
pub fn ratio_of(pairing: &Pairing, one: &str, base: &str, figure: Figure) -> Option<RatioInterval> {
    let of = |found: &&PairedFigure| Figure::of_indicator(found.indicator) == Some(figure);
    let ratio = pairing.figures.iter().find(of)?.ratio;
    if (one, base) == (pairing.second.as_str(), pairing.first.as_str()) {
        return Some(ratio);
    }
    let turned = || RatioInterval {
        value: ratio.value.recip(),
        low: ratio.high.map(f64::recip),
        high: ratio.low.map(f64::recip),
    };
    ((one, base) == (pairing.first.as_str(), pairing.second.as_str())).then(turned)
}

#[cfg(test)]
mod tests;
