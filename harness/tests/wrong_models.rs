//! The gate's comparison on what a real runtime answers when a model is run wrongly: other pooling, other truncation. Needs
//! the weights, which the environment names; without them a test says so and ends.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use tailmark::equivalence::{Answers, Comparison, Expected, compare};
use tailmark_providers::model::recipe::{PoolingMode, Recipe};
use tailmark_providers::model::{self, Reference};
use tailmark_providers::provider::{Backend as _, EmbedRequest, LoadRequest, ModelFolder, Options};
use tailmark_providers::rten::RtenBackend;
use tailmark_reports::record::EquivalenceClass;

fn reference() -> Reference {
    model::find("sentence-transformers/all-MiniLM-L6-v2").expect("in the catalogue").reference()
}

/// What a backend that loads the model so comes to; `None` where there are no weights.
fn run_with(max_tokens: u32, pooling: PoolingMode) -> Option<Comparison> {
    let Some(folder) = std::env::var_os("TAILMARK_TEST_MODEL").map(PathBuf::from) else {
        let _ = writeln!(std::io::stderr(), "not tested: TAILMARK_TEST_MODEL is not set");
        return None;
    };
    let reference = reference();
    let mut backend = RtenBackend::default();
    let model = Some(ModelFolder { folder, recipe: Recipe::pooling(pooling, max_tokens) });
    backend.load(&LoadRequest { model, options: Options::new() }).expect("loaded");
    let mut embed = |texts: &[String]| {
        let texts: Vec<Arc<str>> = texts.iter().map(|text| Arc::from(text.as_str())).collect();
        let answer = backend.embed(&EmbedRequest { texts, normalize: true }).expect("embedded");
        let rows: Vec<Vec<f32>> = answer.rows().map(<[f32]>::to_vec).collect();
        (rows, answer.token_counts.expect("rten counts them"))
    };
    let mut answers = Answers::default();
    for text in &reference.texts {
        let (alone, counts) = embed(std::slice::from_ref(text));
        answers.again.extend(alone.clone());
        answers.alone.extend(alone);
        answers.token_counts.extend(counts);
    }
    for texts in reference.texts.chunks(5) {
        answers.together.extend(embed(texts).0);
    }
    let expected = Expected {
        texts: &reference.texts,
        vectors: &reference.vectors,
        token_counts: &reference.token_counts,
    };
    Some(compare(expected, &answers, None))
}

#[test]
fn the_model_as_it_is_is_exact() {
    let Some(found) = run_with(256, PoolingMode::Mean) else { return };
    assert_eq!((found.class, found.findings.len()), (EquivalenceClass::Exact, 0), "{found:?}");
    assert_eq!(found.repeat_difference, 0.0);
}

#[test]
fn the_first_token_instead_of_the_mean_is_wrong() {
    let Some(found) = run_with(256, PoolingMode::Cls) else { return };
    assert_eq!(found.class, EquivalenceClass::Wrong);
    assert!(found.findings[0].contains("the pooling, the weights or the tokenizer"), "{:?}", found.findings);
}

#[test]
fn a_text_that_is_cut_too_early_is_found_and_named() {
    let Some(found) = run_with(128, PoolingMode::Mean) else { return };
    assert_eq!(found.class, EquivalenceClass::Wrong, "{found:?}");
    let cut = found
        .findings
        .iter()
        .find(|finding| finding.contains("has 128 tokens here and 256 in the reference"));
    assert!(cut.is_some(), "{:?}", found.findings);
}
