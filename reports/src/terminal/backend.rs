//! What is said of one backend: each verdict with its reasons, or why there is none.

use std::io;

use super::printer::Printer;
use super::words::marked;
use crate::record::{BackendRecord, ObjectiveVerdict, Phase, RunRecord};
use crate::sentences::losses::losses;
use crate::sentences::ran::Among;
use crate::view::{self, trouble, verdict_name};
use crate::{sentences, units};

/// Lines of a lost worker's stderr that are shown.
const LAST_LINES: usize = 2;

impl Printer<'_> {
    /// A backend in a line.
    pub(super) fn in_short(&mut self, among: &Among<'_>, backend: &BackendRecord) -> io::Result<()> {
        let mut said = sentences::in_short(backend);
        if let Some(vectors) = among.vectors_apart(backend) {
            said.push_str(&format!("; {vectors}"));
        }
        if let Some(verdict) = view::worst_verdict(backend) {
            said = said.replacen(verdict_name(verdict), &marked(verdict), 1);
        }
        self.paragraph("  ", &format!("{}: {said}", backend.label))
    }

    /// One verdict with its error bound, why, what it rests on and what next; of several, set in under the backend's own.
    fn judged(
        &mut self,
        record: &RunRecord,
        backend: &BackendRecord,
        judged: &ObjectiveVerdict,
        several: bool,
    ) -> io::Result<()> {
        let objective = record.objectives.get(judged.objective);
        let asked = objective.map_or("", |objective| &objective.text);
        let word = marked(judged.verdict);
        let indent = if several {
            self.paragraph("  ", &format!("{word}, {asked}"))?;
            "    "
        } else {
            self.paragraph("", &format!("{}: {word}, {asked}", backend.label))?;
            "  "
        };
        self.paragraph(indent, &judged.error_bound)?;
        self.paragraph(indent, &judged.why)?;
        if let Some(doubted) = &judged.doubted {
            self.paragraph(indent, &format!("without the doubts: {doubted}"))?;
        }
        let indicator = objective.map(|objective| &objective.indicator);
        if let Some(evidence) = sentences::evidence(indicator, judged) {
            self.paragraph(indent, &format!("based on {evidence}"))?;
        }
        if let Some(next) = &judged.next {
            self.paragraph(indent, &format!("next: {next}"))?;
        }
        Ok(())
    }

    /// Each worker that was lost, with the last of its stderr; the whole tail is in the report in Markdown.
    fn losses(&mut self, backend: &BackendRecord) -> io::Result<()> {
        for lost in losses(backend) {
            self.paragraph("  ", &lost.line)?;
            for line in &lost.tail[lost.tail.len().saturating_sub(LAST_LINES)..] {
                self.paragraph("      ", line)?;
            }
        }
        Ok(())
    }

    /// What is to be said of one backend: what it lacks, and each verdict's reason.
    pub(super) fn backend(&mut self, record: &RunRecord, backend: &BackendRecord) -> io::Result<()> {
        let trouble = trouble(backend);
        self.line("")?;
        if trouble.is_none() && backend.verdicts.is_empty() {
            self.paragraph("", &format!("{}: {}", backend.label, view::verdict_or_state(backend)))?;
        }
        if let Some((what, why)) = trouble {
            let mut said = why.lines();
            let first = said.next().unwrap_or_default();
            self.paragraph("", &format!("{}: {what}: {first}", backend.label))?;
            for line in said {
                self.paragraph("    ", line)?;
            }
        }
        let several = backend.verdicts.len() > 1;
        if let Some(worst) = view::worst_verdict(backend).filter(|_| several) {
            let objectives = backend.verdicts.len();
            let of = format!("the worst of {objectives} objectives");
            self.paragraph("", &format!("{}: {}, {of}", backend.label, marked(worst)))?;
        }
        for judged in &backend.verdicts {
            self.judged(record, backend, judged, several)?;
        }
        for said in sentences::ran::in_full(backend) {
            self.paragraph("  ", &said)?;
        }
        let steady = view::phase(backend, Phase::Steady);
        let arrivals = steady.and_then(|steady| sentences::load::arrivals(steady.arrivals.as_ref()?));
        let drift = backend.drift.as_ref().map(sentences::drift);
        let also = [arrivals, sentences::load::replicas(backend), sentences::warm_up(backend), drift];
        for sentence in also.into_iter().flatten() {
            self.paragraph("  ", &sentence)?;
        }
        self.losses(backend)?;
        for reason in steady.map_or(&[][..], |phase| &phase.failure_reasons) {
            let requests = units::counted(reason.requests, "request");
            self.paragraph("  ", &format!("{requests} failed: {}", reason.why))?;
        }
        Ok(())
    }
}
