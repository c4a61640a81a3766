//! Whether the conditions of the run allow its verdicts: puts conditions and doubts into the record and turns what they
//! do not allow into INCONCLUSIVE.

use std::time::Duration;

use tailmark_reports::record::{BackendRecord, Indicator, ObjectiveVerdict, Phase, RunRecord, Verdict};

use super::backend_run::BackendRun;
use crate::environment::Conditions;
use crate::objective::Objective;
use crate::plan::Plan;
use crate::validity::{self, BackendFacts, Doubt, RunFacts, Weight};
use crate::verdict;

/// Fills in conditions and doubts, and applies the doubts to the verdicts that are there.
pub(super) fn apply(record: &mut RunRecord, conditions: &Conditions, backends: &[BackendRun], plan: &Plan) {
    let measured = backends.iter().filter(|backend| backend.measured.has_samples());
    let facts = RunFacts {
        processors: record.machine.logical_cores as usize,
        tightest_limit: plan.objectives.iter().filter_map(Objective::time_limit).min(),
        backends: measured
            .map(|backend| BackendFacts {
                name: backend.plan.name.clone(),
                lateness_p99: backend
                    .measured
                    .lateness_p99()
                    .map(|nanoseconds| Duration::from_nanos(nanoseconds as u64)),
                threads: backend.found.threads().map(|threads| threads * backend.plan.replicas as usize),
                caching: backend.found.repeat_probe.filter(|probe| probe.caching).map(|probe| {
                    (Duration::from_nanos(probe.repeated_ns), Duration::from_nanos(probe.new_ns))
                }),
                losses: backend.losses.count(),
                overload: backend.measured.overload().map(|overload| (overload.offered, overload.achieved)),
            })
            .collect(),
    };
    let doubts = validity::doubts(conditions, &facts);
    record.conditions = conditions.figures();
    // The machine was first looked at when the run folder was made; two load averages would make the reader ask which counts.
    record.machine.load_average = conditions.load_at_start.or(record.machine.load_average);
    record.doubts = doubts.iter().map(Doubt::to_record).collect();
    if !plan.doubts_turn_verdicts {
        return;
    }
    for (recorded, backend) in record.backends.iter_mut().zip(backends) {
        let doubts = validity::concerning(&doubts, &recorded.name);
        judge_again(recorded, backend, &doubts, &record.objectives);
    }
}

fn judge_again(
    recorded: &mut BackendRecord,
    backend: &BackendRun,
    doubts: &[Doubt],
    objectives: &[tailmark_reports::record::Objective],
) {
    for judged in &mut recorded.verdicts {
        let Some(objective) = objectives.get(judged.objective) else { continue };
        // Memory and vectors are what they are on a busy machine too.
        if matches!(objective.indicator, Indicator::PeakRss | Indicator::Cosine) {
            continue;
        }
        let over = match objective.indicator {
            Indicator::ResponseTime { .. } | Indicator::ServiceTime { .. } => {
                backend.measured.fastest_decile_is_over(objective.limit as u64)
            }
            _ => false,
        };
        // Noise spared the fastest tenth, and makes no backend answer with an error.
        let stands = over || backend.measured.fails_by_errors_alone(judged.objective);
        let (verdict, doubted) = validity::adjust(judged.verdict, doubts, stands);
        if doubted.is_some() {
            let steady = backend.measured.seen(Phase::Steady);
            let failures = steady.and_then(|steady| verdict::foremost_failures(steady, judged.exceeded));
            withdraw(judged, verdict, doubts, failures);
            judged.doubted = doubted;
        }
    }
}

/// Takes a verdict back. What failed is said before what the machine was like, for no remedy of the machine mends it.
fn withdraw(judged: &mut ObjectiveVerdict, verdict: Verdict, doubts: &[Doubt], failures: Option<String>) {
    judged.verdict = verdict;
    "no decision".clone_into(&mut judged.error_bound);
    let serious: Vec<&Doubt> = doubts.iter().filter(|doubt| doubt.weight() == Weight::Serious).collect();
    let what: Vec<String> = serious.iter().map(|doubt| doubt.what()).collect();
    let conditions = format!("the conditions do not allow a verdict: {}", what.join("; "));
    let remedy = serious.first().map(|doubt| doubt.remedy());
    let failed =
        failures.and_then(|failures| Some((judged.why.strip_prefix(&failures)?.to_owned(), failures)));
    (judged.why, judged.next) = match failed {
        Some((rest, failures)) => {
            let next = judged.next.iter().chain(&remedy).cloned().collect::<Vec<_>>();
            (format!("{failures}; {conditions}{rest}"), Some(next.join("; then ")))
        }
        None => (format!("{conditions}; {}", judged.why), remedy),
    };
}
