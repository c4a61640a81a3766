//! What is said of the way a model was executed, the same in every report and in the harness's labels and reasons.
//!
//! Puts what the record has into words. Whether it is enough is decided by whoever requires something of it.

use crate::record::{EquivalenceClass, Execution, ExecutionPart, Operator, Requirement};
use crate::units::{count, counted};
use crate::variations::listed;

/// More operators than these are counted instead of named.
const NAMED: usize = 5;

/// A class as it is written in sentences: `exact`, `fp16-class`, `int8-class`, `cannot tell` or `wrong`.
#[must_use]
pub fn class_name(class: EquivalenceClass) -> &'static str {
    match class {
        EquivalenceClass::Exact => "exact",
        EquivalenceClass::Fp16 => "fp16-class",
        EquivalenceClass::Int8 => "int8-class",
        EquivalenceClass::CannotTell => "cannot tell",
        EquivalenceClass::Wrong => "wrong",
    }
}

/// What executed the model, in a line; `None` when that was not measured.
///
/// - one place for all of it: `CPU, all 458 nodes`, or `cpu, all operator calls` where there is no graph;
/// - several: `CoreML 36 of 458 nodes, 11 % of the time, 24 partitions; CPU 422 nodes, 89 % of the time`, what was asked
///   for first, or `mps 92 % of the operator calls; cpu 8 %`;
/// - nothing where it was asked for: `nothing on CoreML; CPU, all 458 nodes`.
#[must_use]
pub fn headline(execution: &Execution) -> Option<String> {
    let Execution::Measured { nodes, asked, .. } = execution else { return None };
    let ran = ran(execution);
    let mut said = Vec::new();
    if ran.iter().all(|part| part.on != *asked) {
        said.push(format!("nothing on {asked}"));
    }
    if let [only] = ran.as_slice() {
        let all =
            nodes.map_or_else(|| "all operator calls".to_owned(), |all| format!("all {}", of_nodes(all)));
        said.push(format!("{}, {all}", only.on));
        return Some(said.join("; "));
    }
    for (index, part) in ran.iter().enumerate() {
        said.push(part_in_words(part, *nodes, index == 0, part.on == *asked));
    }
    Some(said.join("; "))
}

/// What executed the model, in a few words for a column: `CPU`, `CoreML 11 % of the time`, `mps 92 % of the calls`,
/// `CPU, not CoreML`, or `not measured`.
#[must_use]
pub fn in_short(execution: &Execution) -> String {
    let Execution::Measured { nodes, asked, .. } = execution else { return "not measured".to_owned() };
    let ran = ran(execution);
    let Some(part) = ran.iter().find(|part| part.on == *asked) else {
        let others: Vec<&str> = ran.iter().map(|part| part.on.as_str()).collect();
        return if others.is_empty() {
            "nothing".to_owned()
        } else {
            format!("{}, not {asked}", listed(&others))
        };
    };
    match (part.time_share, part.nodes, nodes) {
        _ if !is_partial(execution) => asked.clone(),
        (Some(share), ..) => format!("{asked} {} of the time", percent(share)),
        (None, Some(own), Some(all)) => format!("{asked} {} of {}", count(own.into()), of_nodes(*all)),
        _ => format!("{asked} {} of the calls", percent(part.node_share)),
    }
}

/// The same as part of a sentence: `ran on CPU`, `execution not measured`.
pub(crate) fn ran_on(execution: &Execution) -> String {
    match execution {
        Execution::NotMeasured { .. } => "execution not measured".to_owned(),
        Execution::Measured { .. } => format!("ran on {}", in_short(execution)),
    }
}

/// What executed the model in full, or why that is not known.
pub(crate) fn in_full(execution: &Execution) -> String {
    match (execution, headline(execution)) {
        (Execution::NotMeasured { why }, _) => format!("execution not measured: {why}"),
        (_, headline) => format!("ran on {}", headline.unwrap_or_default()),
    }
}

/// Whether all of it is known to have run on what was asked for.
pub(crate) fn is_plain(execution: &Execution) -> bool {
    matches!(execution, Execution::Measured { .. }) && !is_partial(execution)
}

/// Whether anything ran elsewhere than what was asked for.
pub(crate) fn is_partial(execution: &Execution) -> bool {
    let Execution::Measured { asked, .. } = execution else { return false };
    ran(execution).iter().any(|part| part.on != *asked)
}

/// The share of what was asked for: of the time, or of the nodes or calls where there are no times. For putting partial
/// executions in order.
pub(crate) fn asked_share(execution: &Execution) -> f64 {
    let Execution::Measured { asked, .. } = execution else { return 1.0 };
    let ran = ran(execution);
    let part = ran.iter().find(|part| part.on == *asked);
    part.map_or(0.0, |part| part.time_share.unwrap_or(part.node_share))
}

/// The operators that did not run on what was asked for, most time first:
/// `on CPU instead: MatMul (96 nodes, 54 % of the time), Gelu (6 nodes, 9 %) and 6 more`.
pub(crate) fn elsewhere(execution: &Execution) -> Option<String> {
    let Execution::Measured { elsewhere, nodes, .. } = execution else { return None };
    let first = elsewhere.first()?;
    let together = elsewhere.iter().all(|operator| operator.on == first.on);
    let noun = if nodes.is_some() { "node" } else { "call" };
    let in_words = |(index, operator): (usize, &Operator)| {
        let mut figures = vec![counted(operator.nodes.into(), noun)];
        if !together {
            figures.insert(0, format!("on {}", operator.on));
        }
        let of = if index == 0 { " of the time" } else { "" };
        figures.extend(operator.time_share.map(|share| format!("{}{of}", percent(share))));
        format!("{} ({})", operator.name, figures.join(", "))
    };
    let mut named: Vec<String> = elsewhere.iter().take(NAMED).enumerate().map(in_words).collect();
    if let Some(more) = elsewhere.len().checked_sub(NAMED).filter(|more| *more > 0) {
        named.push(format!("{more} more"));
    }
    let place = if together { format!("on {} instead", first.on) } else { "elsewhere".to_owned() };
    Some(format!("{place}: {}", listed(&named)))
}

/// Where the weights and the output lie and which implementation ran, as far as the runtime says:
/// `weights float32 on mps:0 (103 tensors); output float32 on mps:0; attention sdpa; falling back to the CPU was allowed`.
pub(crate) fn residence(execution: &Execution) -> Option<String> {
    let Execution::Measured { weights, output, attention, cpu_fallback, .. } = execution else { return None };
    let weights = Some(listed(weights)).filter(|weights| !weights.is_empty());
    let fallback = cpu_fallback.map(|allowed| {
        let not = if allowed { "" } else { "not " };
        format!("falling back to the CPU was {not}allowed")
    });
    let said = [
        weights.map(|weights| format!("weights {weights}")),
        output.as_ref().map(|output| format!("output {output}")),
        attention.as_ref().map(|attention| format!("attention {attention}")),
        fallback,
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    Some(said.join("; ")).filter(|said| !said.is_empty())
}

/// What else the reader should know of the execution.
pub(crate) fn notes(execution: &Execution) -> &[String] {
    match execution {
        Execution::Measured { notes, .. } => notes,
        Execution::NotMeasured { .. } => &[],
    }
}

/// A requirement and what became of it: `required: at least 90 % of the time on CoreML; not met`, with the reason
/// where `why` asks for it.
pub(crate) fn requirement(requirement: &Requirement, why: bool) -> String {
    let state = match requirement.met {
        Some(true) => "met",
        Some(false) => "not met",
        None => "could not be measured",
    };
    let reason = requirement.why.as_ref().filter(|_| why).map(|why| format!(": {why}"));
    format!("required: {}; {state}{}", requirement.text, reason.unwrap_or_default())
}

/// A share in whole percent; what is not quite nothing and not quite all is not rounded to it.
pub(crate) fn percent(share: f64) -> String {
    match share * 100.0 {
        little if little > 0.0 && little < 1.0 => "under 1 %".to_owned(),
        much if much > 99.0 && much < 100.0 => "over 99 %".to_owned(),
        other => format!("{other:.0} %"),
    }
}

/// The parts on which anything ran.
fn ran(execution: &Execution) -> Vec<&ExecutionPart> {
    let Execution::Measured { parts, .. } = execution else { return Vec::new() };
    parts.iter().filter(|part| part.node_share > 0.0).collect()
}

fn of_nodes(nodes: u32) -> String {
    counted(nodes.into(), "node")
}

fn part_in_words(part: &ExecutionPart, nodes: Option<u32>, first: bool, asked: bool) -> String {
    let mut words = match (part.nodes, nodes) {
        (Some(own), Some(all)) if first => format!("{} {} of {}", part.on, count(own.into()), of_nodes(all)),
        (Some(own), Some(_)) => format!("{} {}", part.on, of_nodes(own)),
        _ if first => format!("{} {} of the operator calls", part.on, percent(part.node_share)),
        _ => format!("{} {}", part.on, percent(part.node_share)),
    };
    if let Some(share) = part.time_share {
        // Without a graph a bare share would be taken for another of the calls.
        if part.nodes.is_none() && !first {
            words.push_str(" of the calls");
        }
        words.push_str(&format!(", {} of the time", percent(share)));
    }
    if let Some(partitions) = part.partitions.filter(|count| asked && *count > 1) {
        words.push_str(&format!(", {} partitions", count(partitions.into())));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{all_on_cpu, coreml_in_part, mps_in_part};

    fn changed(mut execution: Execution, change: impl Fn(&mut Vec<ExecutionPart>)) -> Execution {
        if let Execution::Measured { parts, .. } = &mut execution {
            change(parts);
        }
        execution
    }

    fn said(execution: &Execution) -> [String; 2] {
        [headline(execution).unwrap_or_default(), in_short(execution)]
    }

    #[test]
    fn a_model_that_ran_in_one_place_is_said_in_a_few_words() {
        assert_eq!(said(&all_on_cpu()), ["CPU, all 458 nodes", "CPU"]);
        assert!(!is_partial(&all_on_cpu()));
        let mps = changed(mps_in_part(), |parts| {
            parts.truncate(1);
            parts[0].node_share = 1.0;
        });
        assert_eq!(said(&mps), ["mps, all operator calls", "mps"]);
    }

    #[test]
    fn a_model_that_ran_in_part_elsewhere_is_said_with_its_shares() {
        assert_eq!(
            said(&coreml_in_part()),
            [
                "CoreML 36 of 458 nodes, 11 % of the time, 24 partitions; CPU 422 nodes, 89 % of the time",
                "CoreML 11 % of the time"
            ]
        );
        assert_eq!(
            said(&mps_in_part()),
            ["mps 92 % of the operator calls; cpu 8 %", "mps 92 % of the calls"]
        );
        let timed = changed(mps_in_part(), |parts| {
            for (part, share) in parts.iter_mut().zip([0.97, 0.03]) {
                part.time_share = Some(share);
            }
        });
        assert_eq!(
            said(&timed),
            [
                "mps 92 % of the operator calls, 97 % of the time; cpu 8 % of the calls, 3 % of the time",
                "mps 97 % of the time"
            ]
        );
        let untimed = changed(coreml_in_part(), |parts| {
            for part in parts {
                part.time_share = None;
            }
        });
        assert_eq!(
            said(&untimed),
            ["CoreML 36 of 458 nodes, 24 partitions; CPU 422 nodes", "CoreML 36 of 458 nodes"]
        );
        assert!(is_partial(&untimed));
    }

    #[test]
    fn nothing_where_it_was_asked_for_is_said_whether_or_not_the_record_has_an_empty_part() {
        let expected = ["nothing on CoreML; CPU, all 458 nodes", "CPU, not CoreML"];
        let empty = changed(coreml_in_part(), |parts| {
            (parts[0].nodes, parts[0].node_share, parts[0].time_share) = (Some(0), 0.0, Some(0.0));
            parts[1].node_share = 1.0;
        });
        let absent = changed(empty.clone(), |parts| drop(parts.remove(0)));
        for execution in [empty, absent] {
            assert_eq!(said(&execution), expected);
            assert!(is_partial(&execution) && asked_share(&execution) == 0.0);
        }
    }

    #[test]
    fn what_was_not_measured_has_no_headline_but_a_reason() {
        let execution = Execution::NotMeasured { why: "it answers without a model".into() };
        assert_eq!((headline(&execution), in_short(&execution)), (None, "not measured".to_owned()));
        assert_eq!(in_full(&execution), "execution not measured: it answers without a model");
        assert!(!is_partial(&execution));
    }

    #[test]
    fn operators_that_fell_back_are_named_up_to_five_of_them() {
        assert_eq!(
            elsewhere(&coreml_in_part()).as_deref(),
            Some(
                "on CPU instead: MatMul (96 nodes, 54 % of the time), LayerNormalization (25 nodes, 12 %), \
                 Erf (6 nodes, 9 %), Softmax (6 nodes, 5 %), Add (79 nodes, 4 %) and 4 more"
            )
        );
        assert_eq!(
            elsewhere(&mps_in_part()).as_deref(),
            Some("on cpu instead: aten::cumsum (1 call) and aten::index_select (22 calls)")
        );
        assert_eq!(elsewhere(&all_on_cpu()), None);
    }

    #[test]
    fn operators_in_several_places_say_which() {
        let mut execution = coreml_in_part();
        if let Execution::Measured { elsewhere, .. } = &mut execution {
            elsewhere.truncate(2);
            elsewhere[1].on = "XNNPACK".into();
        }
        let expected = "elsewhere: MatMul (on CPU, 96 nodes, 54 % of the time) and \
                        LayerNormalization (on XNNPACK, 25 nodes, 12 %)";
        assert_eq!(elsewhere(&execution).as_deref(), Some(expected));
    }

    #[test]
    fn weights_output_attention_and_fallback_are_said_as_far_as_they_are_known() {
        assert_eq!(residence(&all_on_cpu()), None);
        let mut execution = mps_in_part();
        let expected = "weights float32 on mps:0 (103 tensors); output float32 on mps:0; attention sdpa; \
                        falling back to the CPU was allowed";
        assert_eq!(residence(&execution).as_deref(), Some(expected));
        if let Execution::Measured { weights, output, attention, cpu_fallback, .. } = &mut execution {
            weights.clear();
            (*output, *attention, *cpu_fallback) = (None, None, Some(false));
        }
        assert_eq!(residence(&execution).as_deref(), Some("falling back to the CPU was not allowed"));
    }

    #[test]
    fn a_requirement_is_met_or_not_or_could_not_be_measured() {
        let of = |met, why: Option<&str>| Requirement {
            text: "at least 90 % of the time on CoreML".into(),
            met,
            why: why.map(Into::into),
        };
        let text = "required: at least 90 % of the time on CoreML";
        assert_eq!(requirement(&of(Some(true), None), true), format!("{text}; met"));
        let missed = of(Some(false), Some("CoreML took 11 %"));
        assert_eq!(requirement(&missed, true), format!("{text}; not met: CoreML took 11 %"));
        assert_eq!(requirement(&missed, false), format!("{text}; not met"));
        let unknown = of(None, Some("no profile was written"));
        assert_eq!(
            requirement(&unknown, true),
            format!("{text}; could not be measured: no profile was written")
        );
    }

    #[test]
    fn nearly_nothing_is_not_nothing_and_nearly_all_is_not_all() {
        let written = [0.0, 0.004, 0.11, 0.991, 0.9999, 1.0].map(percent);
        assert_eq!(written, ["0 %", "under 1 %", "11 %", "over 99 %", "over 99 %", "100 %"]);
    }
}
