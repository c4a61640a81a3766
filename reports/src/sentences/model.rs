//! The model in words: which one, and which weights.

use crate::record::{Model, ModelFile, Prompt, RunRecord};
use crate::units::counted;

/// Digits of a hash that tell weights apart at a glance.
const DIGITS: usize = 8;
/// Characters of a prompt that are shown.
const LONGEST_PROMPT: usize = 60;

/// For example `model: sentence-transformers/all-MiniLM-L6-v2, weights 53aa5117…`; `None` for a run without a model.
pub(crate) fn model(record: &RunRecord) -> Option<String> {
    let model = record.model.as_ref()?;
    let weights = weights(model);
    let hash = weights.first().map(|file| {
        let more = if weights.len() > 1 {
            format!(" and {}", counted(weights.len() as u64 - 1, "more file"))
        } else {
            String::new()
        };
        format!(", weights {}…{more}", &file.sha256.get(..DIGITS).unwrap_or(&file.sha256))
    });
    Some(format!("model: {}{}", model.name, hash.unwrap_or_default()))
}

/// What was compared, which prompt was put before the texts, and what else is to be known of the model: one sentence each.
pub(crate) fn about(record: &RunRecord) -> Vec<String> {
    let mut said: Vec<String> = record.model.iter().flat_map(|model| model.about.clone()).collect();
    if let Some(Prompt { name, text, tokens }) = &record.workload.prompt {
        let named =
            name.as_ref().map_or_else(|| "a prompt".to_owned(), |name| format!("the prompt `{name}`"));
        let mut shown: String = text.chars().take(LONGEST_PROMPT).collect();
        if shown.len() < text.len() {
            shown.push_str("...");
        }
        said.push(format!("before every text: {named}, {shown:?}, {}", counted(u64::from(*tokens), "token")));
    }
    said
}

/// The files with the weights: those in a format that holds nothing else, or the largest file.
fn weights(model: &Model) -> Vec<&ModelFile> {
    let plain: Vec<&ModelFile> =
        model.files.iter().filter(|file| file.name.ends_with(".safetensors")).collect();
    let largest = || model.files.iter().max_by_key(|file| file.bytes);
    if plain.is_empty() { largest().into_iter().collect() } else { plain }
}

/// That a graph has no weights of its own, where its size would puzzle; `None` where it would not.
pub(crate) fn graph_without_weights(model: &Model) -> Option<String> {
    let weights = weights(model).first().copied()?;
    // Even 4-bit weights are more than a tenth of their size in 32 bits.
    let is_small = |file: &&ModelFile| file.name.ends_with(".onnx") && file.bytes * 10 < weights.bytes;
    let graph = model.files.iter().find(is_small)?;
    Some(format!("{} is the graph alone: it reads its weights from {}.", graph.name, weights.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn file(name: &str, bytes: u64, sha256: &str) -> ModelFile {
        ModelFile { name: name.into(), bytes, sha256: sha256.into() }
    }

    fn of(files: Vec<ModelFile>) -> (String, Option<String>) {
        let mut record = fixture::one();
        let model = record.model.as_mut().expect("a model");
        model.files = files;
        let without = graph_without_weights(model);
        (super::model(&record).unwrap_or_default(), without)
    }

    #[test]
    fn a_model_is_named_with_the_beginning_of_the_hash_of_its_weights() {
        let small = file("model.onnx", 100, "0123456789");
        let large = file("model.safetensors", 90_000, "53aa51172d");
        let (said, without) = of(vec![small.clone(), large.clone()]);
        assert_eq!(said, "model: sentence-transformers/all-MiniLM-L6-v2, weights 53aa5117…");
        let expected = "model.onnx is the graph alone: it reads its weights from model.safetensors.";
        assert_eq!(without.as_deref(), Some(expected));

        let shard = file("model-2.safetensors", 80_000, "be50");
        assert!(of(vec![large.clone(), shard]).0.ends_with("weights 53aa5117… and 1 more file"));
        let (said, without) =
            of(vec![file("tokenizer.json", 90, "be50"), file("model.onnx", 90_000, "0123456789")]);
        assert!(said.ends_with("weights 01234567…") && without.is_none(), "{said}");
        assert!(of(Vec::new()).0.ends_with("all-MiniLM-L6-v2"));
    }

    #[test]
    fn a_run_without_a_model_has_no_such_line() {
        assert_eq!(model(&fixture::nothing()), None);
    }
}
