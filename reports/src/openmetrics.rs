//! A run as OpenMetrics text, which Prometheus and its relatives read from a file: gauges in base units (seconds, bytes, shares)
//! with the backend as a label. What was not measured has no line.
//!
//! The format is that of OpenMetrics 1.0: a family is named once, labels are quoted, the text ends with `# EOF`.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::record::{BackendOutcome, BackendRecord, Comparison, Phase, RunRecord, Verdict};
use crate::view::{latency, one_line, phase};

/// Writes a run.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write(record: &RunRecord, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Families::default();
    let of = |backend: &BackendRecord| {
        vec![("scenario", record.scenario.name.clone()), ("backend", backend.name.clone())]
    };
    let each = |value: &dyn Fn(&BackendRecord) -> Option<f64>| -> Vec<(Labels, f64)> {
        record.backends.iter().filter_map(|backend| Some((of(backend), value(backend)?))).collect()
    };
    let model = crate::sentences::model::model(record).unwrap_or_default();
    let about = vec![
        ("run", record.id.clone()),
        ("scenario", record.scenario.name.clone()),
        ("model", model.trim_start_matches("model: ").to_owned()),
    ];
    text.family("tailmark_run", None, "What was run; always 1.", vec![(about, 1.0)]);
    text.family(
        "tailmark_measured",
        None,
        "1 for a backend that was measured to its end.",
        each(&|backend| Some(f64::from(u8::from(backend.outcome == BackendOutcome::Measured)))),
    );
    let mut times = Vec::new();
    for backend in &record.backends {
        for percentile in latency(backend, Phase::Steady).map_or(&[][..], |times| &times.percentiles) {
            if let Some(value) = percentile.value_ns {
                let mut labels = of(backend);
                labels.push(("quantile", percentile.quantile.to_string()));
                times.push((labels, value as f64 / 1e9));
            }
        }
    }
    text.family(
        "tailmark_response_time_seconds",
        Some("seconds"),
        "Percentile of the response time in steady state.",
        times,
    );
    let steady = |backend: &BackendRecord| phase(backend, Phase::Steady).cloned();
    text.family(
        "tailmark_texts_per_second",
        None,
        "Embedded texts a second in steady state.",
        each(&|backend| steady(backend)?.texts_per_second),
    );
    text.family(
        "tailmark_requests",
        None,
        "Requests of the steady state.",
        each(&|backend| Some(steady(backend)?.requests as f64)),
    );
    text.family(
        "tailmark_failures",
        None,
        "Requests of the steady state that failed.",
        each(&|backend| Some(steady(backend)?.failures as f64)),
    );
    text.family(
        "tailmark_cold_start_seconds",
        Some("seconds"),
        "From spawn to the first vector, the median restart.",
        each(&|backend| Some(crate::view::median_restart(&backend.cold_starts)?.total_ns as f64 / 1e9)),
    );
    text.family(
        "tailmark_peak_rss_bytes",
        Some("bytes"),
        "Largest resident memory.",
        each(&|backend| Some(backend.resources.as_ref()?.peak_rss_bytes? as f64)),
    );
    let mut verdicts = Vec::new();
    for backend in &record.backends {
        for judged in &backend.verdicts {
            let Some(objective) = record.objectives.get(judged.objective) else { continue };
            for (word, verdict) in
                [("PASS", Verdict::Pass), ("INCONCLUSIVE", Verdict::Inconclusive), ("FAIL", Verdict::Fail)]
            {
                let mut labels = of(backend);
                labels.push(("objective", objective.text.clone()));
                labels.push(("verdict", word.to_owned()));
                verdicts.push((labels, f64::from(u8::from(judged.verdict == verdict))));
            }
        }
    }
    text.family(
        "tailmark_verdict",
        None,
        "1 for the verdict that an objective has, 0 for the others.",
        verdicts,
    );
    out.write_all(text.end().as_bytes())
}

/// Writes a comparison: the ratio of each figure.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write_comparison(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut ratios = Vec::new();
    for backend in &comparison.backends {
        for figure in &backend.figures {
            let ends =
                [("value", Some(figure.ratio.value)), ("low", figure.ratio.low), ("high", figure.ratio.high)];
            for (end, value) in ends {
                let Some(value) = value else { continue };
                let labels = vec![
                    ("backend", backend.name.clone()),
                    ("figure", crate::sentences::comparison::name(figure)),
                    ("end", end.to_owned()),
                ];
                ratios.push((labels, value));
            }
        }
    }
    let mut text = Families::default();
    text.family("tailmark_ratio", None, "After / before, and the ends of its 95 % interval.", ratios);
    let worse = f64::from(u8::from(comparison.has_regression()));
    text.family("tailmark_regression", None, "1 if a regression is confirmed.", vec![(Vec::new(), worse)]);
    out.write_all(text.end().as_bytes())
}

type Labels = Vec<(&'static str, String)>;

#[derive(Default)]
struct Families(String);

impl Families {
    /// A family of gauges; one without a sample is left out.
    fn family(&mut self, name: &str, unit: Option<&str>, help: &str, samples: Vec<(Labels, f64)>) {
        if samples.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "# TYPE {name} gauge");
        if let Some(unit) = unit {
            let _ = writeln!(self.0, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.0, "# HELP {name} {help}");
        for (labels, value) in samples {
            let labels = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", quoted(text)));
            let labels = labels.collect::<Vec<_>>().join(",");
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn end(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

fn quoted(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_figure_is_a_line_with_its_labels_and_the_text_ends() {
        let mut record = fixture::decided();
        record.backends[1].name = "a \"b\" \\ \n}".to_owned();
        let mut out = Vec::new();
        write(&record, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        assert!(text.contains("# UNIT tailmark_response_time_seconds seconds\n"), "{text}");
        let line = "tailmark_response_time_seconds{scenario=\"steady_state\",backend=\"onnx-cpu\",quantile=\"0.95\"} 0.00";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("backend=\"a \\\"b\\\" \\\\ }\""), "{text}");
        let verdict = "objective=\"P95 response time < 20 ms\",verdict=\"PASS\"} 1\n";
        assert!(text.contains(verdict), "{text}");
        assert_eq!(text.matches("torch-mps").count(), 1, "what was not measured has no figure: {text}");
    }
}
