//! What is said of the way a model was executed, and of the class its vectors are in. Puts what the record has into words.

use crate::record::{EquivalenceClass, Execution, ExecutionPart};

/// A class as it is written in scenarios and reports.
#[must_use]
pub fn class_name(class: EquivalenceClass) -> &'static str {
    match class {
        EquivalenceClass::Exact => "exact",
        EquivalenceClass::Fp16 => "fp16-class",
        EquivalenceClass::Int8 => "int8-class",
        EquivalenceClass::Wrong => "wrong",
    }
}

/// What executed the model, in a line, for example
/// `CoreML 36 of 458 nodes, 11 % of the time, 24 partitions; CPU the rest`; `None` when that was not measured.
#[must_use]
pub fn headline(execution: &Execution) -> Option<String> {
    let Execution::Measured { nodes, parts, .. } = execution else { return None };
    let said = parts.iter().map(|part| part_in_words(part, *nodes));
    Some(said.collect::<Vec<_>>().join("; "))
}

fn part_in_words(part: &ExecutionPart, nodes: Option<u32>) -> String {
    let mut words = part.on.clone();
    match (part.nodes, nodes) {
        (Some(own), Some(all)) => words.push_str(&format!(" {own} of {all} nodes")),
        _ => words.push_str(&format!(" {} of the operator calls", percent(part.node_share))),
    }
    if let Some(share) = part.time_share {
        words.push_str(&format!(", {} of the time", percent(share)));
    }
    if let Some(partitions) = part.partitions.filter(|count| *count > 1) {
        words.push_str(&format!(", {partitions} partitions"));
    }
    words
}

/// A share in whole percent; what is not quite nothing and not quite all is not rounded to it.
fn percent(share: f64) -> String {
    match share * 100.0 {
        little if little > 0.0 && little < 1.0 => "under 1 %".to_owned(),
        much if much > 99.0 && much < 100.0 => "over 99 %".to_owned(),
        other => format!("{other:.0} %"),
    }
}
