//! The ways to measure: one file for each, and one line in [`measure`]. A mode says in which order backends are restarted and
//! driven, and when it has seen enough; what is seen of them and what it comes to is the same for all.

mod capacity;
mod paired;
mod rounds;

use tailmark_reports::record::RunRecord;

use super::under_way::{Run, Stopped};
use crate::plan::Mode;

/// Measures as the plan says, keeping the record up to date.
pub(super) async fn measure(run: &mut Run<'_>, record: &mut RunRecord) -> Result<(), Stopped> {
    let plan = run.plan;
    match &plan.mode {
        Mode::Rounds => rounds::measure(run, record).await,
        Mode::Capacity(wanted) => capacity::measure(run, wanted, record).await,
        Mode::Paired(wanted) => paired::measure(run, wanted, record).await,
    }
}
