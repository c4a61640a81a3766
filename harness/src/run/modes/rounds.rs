//! Measures every backend under its load, in rounds.
//!
//! A round is one restart of every backend, and every other round goes through them backwards: what changes on the
//! machine during a run then falls on all of them alike.

use tailmark_reports::record::RunRecord;

use crate::run::under_way::{Run, Stopped};

/// One restart of every backend that wants one per round, until none does.
pub(super) async fn measure(run: &mut Run<'_>, record: &mut RunRecord) -> Result<(), Stopped> {
    for round in 1_u32.. {
        let mut order: Vec<usize> = (0..run.backends.len()).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        order.retain(|index| run.backends[*index].wants_restart());
        if order.is_empty() {
            break;
        }
        for index in order {
            run.show_time_left();
            let ended = run.restart(index).await;
            run.keep(record);
            ended?;
        }
    }
    run.backends.iter_mut().filter(|backend| backend.measured.has_samples()).for_each(|backend| {
        backend.finish();
    });
    Ok(())
}
