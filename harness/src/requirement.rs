//! What must execute a backend's model, as data, and whether the recorded execution meets it. Knows no runtime; names are
//! compared with those in the record.

use tailmark_reports::record::{Execution, ExecutionPart, Requirement as Outcome};
use tailmark_reports::{execution, units};

use crate::scenario::RequireSection;

/// Names of execution providers and of devices that can be required.
const PROVIDERS: [&str; 5] = ["cpu", "coreml", "cuda", "openvino", "xnnpack"];
const DEVICES: [&str; 3] = ["cpu", "mps", "cuda"];

/// What must execute the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// Where it must run, in lower case.
    on: String,
    /// Smallest share of the kernel time there, above 0 and up to 1.
    min_time_share: f64,
    /// Smallest share of the nodes there, from 0 to 1.
    min_node_share: f64,
    /// Whether a backend that does not meet it is timed under a label that says so, instead of being rejected.
    pub labels: bool,
}

impl Requirement {
    /// Reads the section. Each fault is a key and a sentence.
    ///
    /// # Errors
    /// Every fault.
    pub fn read(section: &RequireSection) -> Result<Self, Vec<(&'static str, String)>> {
        let mut faults = Vec::new();
        let (key, name, known): (_, _, &[&str]) = match (&section.execution_provider, &section.device) {
            (Some(name), None) => ("execution_provider", name.as_str(), &PROVIDERS),
            (None, Some(name)) => ("device", name.as_str(), &DEVICES),
            (None, None) => {
                let why =
                    "missing; name what must run the model, for example execution_provider = \"coreml\"";
                faults.push(("execution_provider", why.to_owned()));
                ("", "", &[])
            }
            (Some(_), Some(_)) => {
                let why = "cannot stand beside `execution_provider`; name an execution provider of ONNX Runtime or a device of torch";
                faults.push(("device", why.to_owned()));
                ("", "", &[])
            }
        };
        if !key.is_empty() && !known.contains(&name) {
            faults.push((key, format!("unknown `{name}`; write one of {}", known.join(", "))));
        }
        let min_time_share = section.min_time_share.unwrap_or(0.9);
        if !(min_time_share > 0.0 && min_time_share <= 1.0) {
            faults
                .push(("min_time_share", format!("{min_time_share}; a share above 0 and up to 1 is needed")));
        }
        let min_node_share = section.min_node_share.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&min_node_share) {
            faults.push(("min_node_share", format!("{min_node_share}; a share from 0 to 1 is needed")));
        }
        let labels = match section.when_partial.as_deref() {
            None | Some("refuse") => false,
            Some("label") => true,
            Some(other) => {
                faults.push(("when_partial", format!("unknown `{other}`; write `refuse` or `label`")));
                false
            }
        };
        if faults.is_empty() {
            Ok(Self { on: name.to_owned(), min_time_share, min_node_share, labels })
        } else {
            Err(faults)
        }
    }

    /// What is required, in words.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("at least {} of the time on {}", units::percent(self.min_time_share), self.on);
        if self.min_node_share > 0.0 {
            text.push_str(&format!(" and {} of the nodes", units::percent(self.min_node_share)));
        }
        text
    }

    /// Whether the recorded execution meets it.
    #[must_use]
    pub fn judge(&self, execution: &Execution) -> Outcome {
        let text = self.text();
        let Execution::Measured { parts, .. } = execution else {
            let why = match execution {
                Execution::NotMeasured { why } => {
                    format!("what executed the model could not be measured: {why}")
                }
                Execution::Measured { .. } => String::new(),
            };
            return Outcome { text, met: None, why: Some(why) };
        };
        let there = parts.iter().find(|part| part.on.eq_ignore_ascii_case(&self.on));
        let (time, nodes) = there.map_or((Some(0.0), 0.0), |part| (part.time_share, part.node_share));
        // MPS, for one, reports no times. What ran there is all that is known.
        let met = time.unwrap_or(nodes) >= self.min_time_share && nodes >= self.min_node_share;
        let why = (!met).then(|| {
            let ran = execution::headline(execution).unwrap_or_else(|| places(parts));
            format!("the scenario requires {}, but what ran is {ran}", self.text())
        });
        Outcome { text, met: Some(met), why }
    }
}

fn places(parts: &[ExecutionPart]) -> String {
    parts.iter().map(|part| part.on.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(provider: &str) -> RequireSection {
        RequireSection { execution_provider: Some(provider.to_owned()), ..RequireSection::default() }
    }

    fn part(on: &str, node_share: f64, time_share: Option<f64>) -> ExecutionPart {
        let nodes = Some((node_share * 100.0) as u32);
        ExecutionPart {
            on: on.to_owned(),
            nodes,
            node_share,
            partitions: Some(1),
            kernel_ns_per_run: None,
            time_share,
        }
    }

    fn ran(parts: Vec<ExecutionPart>) -> Execution {
        Execution::Measured {
            source: "a profile".to_owned(),
            runs: 3,
            asked: parts[0].on.clone(),
            nodes: Some(100),
            parts,
            elsewhere: Vec::new(),
            weights: Vec::new(),
            output: None,
            attention: None,
            cpu_fallback: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_share_of_the_time_is_what_counts() {
        let required = Requirement::read(&section("coreml")).expect("a requirement");
        assert_eq!(required.text(), "at least 90 % of the time on coreml");
        let whole = ran(vec![part("CoreML", 0.3, Some(0.95)), part("CPU", 0.7, Some(0.05))]);
        assert_eq!(required.judge(&whole).met, Some(true));
        let partial = ran(vec![part("CoreML", 0.95, Some(0.11)), part("CPU", 0.05, Some(0.89))]);
        let judged = required.judge(&partial);
        assert_eq!(judged.met, Some(false));
        let why = judged.why.expect("a reason");
        assert!(
            why.starts_with(
                "the scenario requires at least 90 % of the time on coreml, but what ran is CoreML"
            ),
            "{why}"
        );
        assert!(why.contains("11 % of the time"), "{why}");
        assert_eq!(required.judge(&ran(vec![part("CPU", 1.0, Some(1.0))])).met, Some(false));
    }

    #[test]
    fn without_times_the_nodes_are_counted() {
        let mps = RequireSection { device: Some("mps".to_owned()), ..RequireSection::default() };
        let required = Requirement::read(&mps).expect("a requirement");
        assert_eq!(
            required.judge(&ran(vec![part("mps", 0.97, None), part("cpu", 0.03, None)])).met,
            Some(true)
        );
        assert_eq!(
            required.judge(&ran(vec![part("mps", 0.5, None), part("cpu", 0.5, None)])).met,
            Some(false)
        );
    }

    #[test]
    fn nodes_can_be_required_as_well() {
        let both = RequireSection { min_node_share: Some(0.5), ..section("coreml") };
        let required = Requirement::read(&both).expect("a requirement");
        let few = ran(vec![part("CoreML", 0.3, Some(0.95)), part("CPU", 0.7, Some(0.05))]);
        assert_eq!(required.judge(&few).met, Some(false));
    }

    #[test]
    fn what_was_not_measured_is_not_met_and_says_why() {
        let required = Requirement::read(&section("cpu")).expect("a requirement");
        let judged = required.judge(&Execution::NotMeasured { why: "nothing is recorded".to_owned() });
        assert_eq!(judged.met, None);
        assert_eq!(
            judged.why.as_deref(),
            Some("what executed the model could not be measured: nothing is recorded")
        );
    }

    #[test]
    fn every_fault_of_the_section_is_found() {
        let wrong = RequireSection {
            execution_provider: Some("core-ml".to_owned()),
            min_time_share: Some(90.0),
            min_node_share: Some(-0.1),
            when_partial: Some("warn".to_owned()),
            ..RequireSection::default()
        };
        let keys: Vec<&str> =
            Requirement::read(&wrong).expect_err("faults").into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["execution_provider", "min_time_share", "min_node_share", "when_partial"]);
        let keys = |section: &RequireSection| Requirement::read(section).expect_err("faults")[0].0;
        assert_eq!(keys(&RequireSection::default()), "execution_provider");
        assert_eq!(keys(&RequireSection { device: Some("mps".to_owned()), ..section("cpu") }), "device");
    }
}
