//! What is known of the int8 graph that a backend is about to run: how close to torch it was when it was made, and whether this
//! processor can have spoiled that. What follows is said in `equivalence`.

use tailmark_providers::graph_options;
use tailmark_providers::model::variants::Int8;
use tailmark_providers::provider::LoadRequest;

use crate::environment;
use crate::equivalence::Int8Graph;

/// The graph of a backend that is loaded so; `None` unless it is one of int8 that tailmark made.
pub(super) fn graph_of(load: &LoadRequest) -> Option<Int8Graph> {
    let folder = load.model.as_ref()?.folder.display().to_string();
    let variant = graph_options::variant_of(load)?;
    let per_tensor = if variant.form.contains("per tensor") { " --per-tensor" } else { "" };
    let command = format!("tailmark model quantize {folder}{per_tensor}");
    known(&variant.int8?, environment::has_vnni(), environment::machine().cpu.as_deref(), command)
}

fn known(made: &Int8, has_vnni: Option<bool>, processor: Option<&str>, command: String) -> Option<Int8Graph> {
    // A name is the weaker sign, because virtual machines of different processors share one.
    let recorded = || {
        let is_that_one = processor.is_some() && processor == made.processor.as_deref();
        is_that_one.then_some(made.kernels_saturate)
    };
    Some(Int8Graph {
        exact_cosine: made.exact.min_cosine?,
        reduced_range: made.reduced_range,
        kernels_saturate: has_vnni.map(|has_vnni| !has_vnni).or_else(recorded),
        command,
    })
}

#[cfg(test)]
mod tests {
    use tailmark_providers::model::variants::Figures;

    use super::*;

    fn kernels_saturate(recorded: bool, has_vnni: Option<bool>, processor: Option<&str>) -> Option<bool> {
        let made = Int8 {
            reduced_range: false,
            kernels_saturate: recorded,
            processor: Some("AMD EPYC".to_owned()),
            exact: Figures { min_cosine: Some(0.97), ..Figures::default() },
        };
        let graph = known(&made, has_vnni, processor, String::new()).expect("a graph");
        assert_eq!((graph.exact_cosine, graph.reduced_range), (0.97, false));
        graph.kernels_saturate
    }

    #[test]
    fn what_this_processor_has_counts_before_what_one_of_its_name_did() {
        assert_eq!(kernels_saturate(false, Some(false), Some("AMD EPYC")), Some(true));
        assert_eq!(kernels_saturate(true, Some(true), Some("AMD EPYC")), Some(false));
        assert_eq!(kernels_saturate(true, None, Some("AMD EPYC")), Some(true));
        assert_eq!(kernels_saturate(true, None, Some("another")), None);
        assert_eq!(kernels_saturate(true, None, None), None);
    }
}
