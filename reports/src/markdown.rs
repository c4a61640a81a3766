//! The report in Markdown.

use std::io::{self, Write};

use crate::page;
use crate::record::RunRecord;

/// Writes the report. It links to those pictures for which the record holds something to draw.
///
/// # Errors
/// Only those of the writer.
pub fn render(record: &RunRecord, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page::of(record).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::record::BackendOutcome;

    fn report(record: &RunRecord) -> String {
        let mut out = Vec::new();
        render(record, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_backend() {
        insta::assert_snapshot!(report(&fixture::one()));
    }

    #[test]
    fn one_of_everything() {
        insta::assert_snapshot!(report(&fixture::five()));
    }

    #[test]
    fn what_ran_and_how_close_its_vectors_are() {
        insta::assert_snapshot!(report(&fixture::executions()));
    }

    #[test]
    fn a_client_has_no_process_and_what_it_does_not_tell_is_not_known() {
        let mut record = fixture::one();
        let backend = &mut record.backends[0];
        backend.placement = "client".to_owned();
        backend.resources = None;
        let runs = backend.runs.as_mut().unwrap();
        (runs.engine, runs.engine_version, runs.device, runs.dtype) = (None, None, None, None);
        for start in &mut backend.cold_starts {
            (start.spawn_ns, start.import_ns) = (None, None);
        }
        let steady = backend.phases.iter_mut().find(|summary| summary.phase == crate::record::Phase::Steady);
        let stages = steady.and_then(|summary| summary.stages.as_mut()).unwrap();
        (stages.tokenize_ns, stages.infer_ns, stages.pool_ns, stages.worker_other_ns) =
            (None, None, None, None);
        let page = report(&record);
        let rows = |heading: &str| {
            let part = page.split_once(heading).unwrap().1;
            part.lines().filter(|line| line.starts_with("| onnx")).take(1).collect::<String>()
        };
        assert_eq!(rows("## What really ran").matches("not known").count(), 3, "{page}");
        let cold_start = rows("## Cold starts");
        assert!(cold_start.contains("no process") && cold_start.contains("not known"), "{cold_start}");
        assert_eq!(rows("## Where the time goes").matches("not known").count(), 4, "{page}");
        assert_eq!(rows("## Resources").matches("no process").count(), 3, "{page}");
    }

    #[test]
    fn an_interrupted_run_says_so() {
        insta::assert_snapshot!(report(&fixture::interrupted()));
    }

    #[test]
    fn a_run_that_measured_nothing_says_why() {
        insta::assert_snapshot!(report(&fixture::nothing()));
    }

    #[test]
    fn the_naive_way_is_shown_beside_the_steady_state() {
        insta::assert_snapshot!(report(&fixture::naive()));
    }

    #[test]
    fn each_of_several_objectives_has_its_own_figures() {
        insta::assert_snapshot!(report(&fixture::several()));
    }

    #[test]
    fn an_open_model_says_what_was_offered_and_what_became_of_it() {
        insta::assert_snapshot!(report(&fixture::open()));
    }

    #[test]
    fn an_overloaded_backend_says_what_it_took_and_what_was_given_up() {
        insta::assert_snapshot!(report(&fixture::overloaded()));
    }

    #[test]
    fn variations_have_a_table_of_their_own() {
        insta::assert_snapshot!(report(&fixture::matrix()));
    }

    #[test]
    fn loads_that_differ_name_their_backends() {
        insta::assert_snapshot!(report(&fixture::think_times()));
    }

    #[test]
    fn a_capacity_has_its_levels_and_its_search() {
        insta::assert_snapshot!(report(&fixture::capacity()));
    }

    #[test]
    fn a_closed_model_says_that_no_arrival_rate_was_promised() {
        let text = report(&fixture::one());
        let (said, figures) = (text.find("no arrival rate was promised"), text.find("## Objective"));
        assert!(said.is_some() && said < figures, "{text}");
    }

    #[test]
    fn a_quick_run_says_what_its_verdicts_hold_for() {
        let mut record = fixture::one();
        (record.mode, record.horizon) = ("quick".into(), None);
        let text = report(&record);
        let (said, figures) = (text.find("holds if requests are independent"), text.find("## Objective"));
        assert!(said.is_some() && said < figures, "{text}");
    }

    #[test]
    fn doubts_and_their_remedies_stand_before_the_figures() {
        let record = fixture::five();
        let text = report(&record);
        let figures = text.find("## Objective").expect("a table of figures");
        for doubt in &record.doubts {
            let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
            assert!(at(&doubt.what) < at(&doubt.remedy) && at(&doubt.remedy) < figures);
        }
    }

    #[test]
    fn what_is_not_what_its_name_says_stands_before_the_figures() {
        let text = report(&fixture::executions());
        let said =
            text.find("- **Partial execution: onnx-coreml**: CoreML 36 of 458 nodes, 11 % of the time");
        assert!(said.is_some() && said < text.find("## Objective"), "{text}");
    }

    #[test]
    fn variations_that_differ_in_what_ran_have_columns_for_it() {
        let heads = |record: &RunRecord| {
            let text = report(record);
            let of = text.split("## Variations").nth(1).expect("a section").to_owned();
            let tables = of.lines().filter(|line| line.contains("| peak RSS")).take(2);
            tables.map(|head| ["| ran on", "| vectors"].map(|name| head.contains(name))).collect::<Vec<_>>()
        };
        assert_eq!(heads(&fixture::matrix()), [[false, false]; 2]);
        assert_eq!(heads(&fixture::varied_executions()), [[true, false], [false, true]]);
    }

    #[test]
    fn every_table_has_as_many_cells_in_each_row_whatever_the_texts_contain() {
        let mut odd = fixture::five();
        odd.backends[0].label = "a|b\nc \\| `d|e`".into();
        odd.backends[3].outcome = BackendOutcome::NotAvailable { why: "x | y".into() };
        odd.warnings[0].what = "one\n\n# z\ntwo | three".into();
        odd.backends[0].load.text = "trace a|b\n# z".into();
        odd.scenario.overrides = vec!["name=a|b\n\n# z".into()];
        let mut varied = fixture::matrix();
        for backend in &mut varied.backends {
            backend.corpus.push_str("|x");
            for axis in backend.cell.iter_mut().flat_map(|cell| &mut cell.axes) {
                axis.value.push_str("|\n# z");
            }
        }
        let mut capacity = fixture::capacity();
        capacity.capacities[2].why_not = Some("a | b\n# z".into());
        for record in fixture::all().into_iter().chain([odd, varied, capacity]) {
            let text = report(&record);
            let lines: Vec<&str> = text.lines().collect();
            let bars = |line: &str| line.replace("\\|", "").matches('|').count();
            for pair in lines.windows(2).filter(|pair| pair.iter().all(|line| line.starts_with('|'))) {
                assert_eq!(bars(pair[0]), bars(pair[1]), "{pair:?}");
            }
            assert!(!text.contains("\n# z"), "a text cannot become a heading");
        }
    }
}
