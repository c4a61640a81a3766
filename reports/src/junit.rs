//! A run as JUnit XML, which test reporters of continuous integration read: a case for each objective and backend. What could not be
//! decided is skipped and not failed, with the reason.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::record::{BackendOutcome, BackendRecord, Change, Comparison, RunRecord, Verdict};
use crate::sentences::comparison::{name, word};
use crate::sentences::decision::ratio;
use crate::view::one_line;
use crate::{indicator, sentences};

/// Writes a run.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write(record: &RunRecord, out: &mut dyn Write) -> io::Result<()> {
    let mut report = Report::new(one_line(&record.scenario.name));
    for backend in &record.backends {
        let mut suite = TestSuite::new(one_line(&backend.name));
        if let Some(model) = sentences::model::model(record) {
            suite.add_property(("model", model.trim_start_matches("model: ")));
        }
        suite.add_test_cases(cases(record, backend));
        report.add_test_suite(suite);
    }
    written(&report, out)
}

/// Writes a comparison: a case for each figure and backend, failed where it is worse.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write_comparison(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut report = Report::new(one_line(&comparison.after.id));
    for backend in &comparison.backends {
        let mut suite = TestSuite::new(one_line(&backend.name));
        for figure in &backend.figures {
            let said = format!("{}: {}", word(figure), ratio(&figure.ratio));
            let status = match (figure.outcome, figure.confirmed) {
                (Change::Worse, true) => failed(NonSuccessKind::Failure, "regression", &said),
                (Change::Worse, false) | (Change::CannotTell, _) => skipped(&said),
                (Change::Better | Change::Equivalent, _) => TestCaseStatus::success(),
            };
            suite.add_test_case(TestCase::new(name(figure), status));
        }
        report.add_test_suite(suite);
    }
    written(&report, out)
}

fn written(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let text = report.to_string().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

/// A case for each verdict, or one that says why there is none.
fn cases(record: &RunRecord, backend: &BackendRecord) -> Vec<TestCase> {
    let whole = |status: TestCaseStatus| vec![TestCase::new("measured", status)];
    match &backend.outcome {
        BackendOutcome::Broken { why } => return whole(failed(NonSuccessKind::Error, "broken", why)),
        BackendOutcome::Wrong { why } => return whole(failed(NonSuccessKind::Failure, "wrong vectors", why)),
        BackendOutcome::NotAvailable { why } => return whole(skipped(&format!("not available here: {why}"))),
        BackendOutcome::NotAsRequired { why } => return whole(skipped(why)),
        BackendOutcome::Pending => return whole(skipped("the run ended before it was measured to its end")),
        BackendOutcome::Measured => {}
    }
    if backend.verdicts.is_empty() {
        return whole(TestCaseStatus::success());
    }
    let case = |judged: &crate::record::ObjectiveVerdict| {
        let objective = record.objectives.get(judged.objective);
        let text = objective.map_or_else(|| "objective".to_owned(), |objective| one_line(&objective.text));
        let evidence = sentences::evidence(objective.map(|objective| &objective.indicator), judged);
        let because =
            [Some(judged.why.clone()), evidence.map(|on| format!("based on {on}")), judged.next.clone()];
        let because = because.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let status = match judged.verdict {
            Verdict::Pass => TestCaseStatus::success(),
            Verdict::Fail => failed(NonSuccessKind::Failure, "FAIL", &because),
            Verdict::Inconclusive => skipped(&format!("INCONCLUSIVE: {because}")),
        };
        let mut case = TestCase::new(text, status);
        if let (Some(estimate), Some(objective)) = (&judged.estimate, objective) {
            case.set_system_out(indicator::value(&objective.indicator, estimate.value));
        }
        case
    };
    backend.verdicts.iter().map(case).collect()
}

fn failed(kind: NonSuccessKind, what: &str, why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(one_line(why)).set_type(what);
    status
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(one_line(why));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn junit(record: &RunRecord) -> String {
        let mut out = Vec::new();
        write(record, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_pass_succeeds_a_fail_fails_what_is_open_is_skipped_and_what_broke_is_an_error() {
        let text = junit(&fixture::five());
        let document = roxmltree::Document::parse(&text).unwrap();
        let of = |suite: &str, child: &str| {
            let suite = document.descendants().find(|node| node.attribute("name") == Some(suite)).unwrap();
            suite
                .descendants()
                .find(|node| node.has_tag_name(child))
                .and_then(|node| node.attribute("message"))
        };
        assert_eq!(of("onnx-cpu", "failure"), None);
        assert!(of("python-onnx-cpu", "failure").is_some());
        assert!(
            of("onnx-embedded", "skipped").unwrap().starts_with("INCONCLUSIVE: other processes took 31 %")
        );
        assert!(of("torch-mps", "skipped").unwrap().starts_with("not available here: "));
        assert!(of("onnx-openvino", "error").unwrap().contains("Segmentation <fault>"));
        let root = document.root_element();
        assert_eq!(
            (root.attribute("tests"), root.attribute("failures"), root.attribute("errors")),
            (Some("6"), Some("2"), Some("1"))
        );
    }

    #[test]
    fn every_run_is_well_formed() {
        for mut record in fixture::all() {
            record.scenario.name = "\u{1b}[31m<\u{202e}]]>".to_owned();
            roxmltree::Document::parse(&junit(&record)).unwrap();
        }
    }
}
