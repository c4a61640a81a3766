//! From steady-state requests to PASS, FAIL or INCONCLUSIVE with a stated chance of being wrong.
//!
//! In reading order: [`Rules`] say what is asked, [`Procedure`] is fed requests, [`Decision`] and [`Findings`] come out;
//! a [`Judge`] does that for one objective of one backend and says why; [`simulation`] holds the backends on which the
//! chance of being wrong is measured. Pure: knows no clock, no file, and not how the requests were made.

mod capacity;
mod decision;
mod exceedances;
mod failures;
mod fixed;
mod judge;
mod opinion;
mod procedure;
mod rules;
pub mod simulation;

pub use capacity::{find_bounds, judge_levels, overall};
pub use decision::{Decision, Drift, Findings, Reason};
pub use failures::foremost as foremost_failures;
pub use judge::{Bounds, Judge};
pub use opinion::Figures;
pub use procedure::{BandPoint, Procedure};
pub use rules::{Horizon, Rules};
use tailmark_reports::record::Verdict;

/// The worst of several verdicts: FAIL before INCONCLUSIVE before PASS; `None` of none.
#[must_use]
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Option<Verdict> {
    verdicts.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_is_the_runs() {
        assert_eq!(worst([Verdict::Pass, Verdict::Inconclusive]), Some(Verdict::Inconclusive));
        assert_eq!(worst([Verdict::Fail, Verdict::Inconclusive]), Some(Verdict::Fail));
        assert_eq!(worst([]), None);
    }
}
