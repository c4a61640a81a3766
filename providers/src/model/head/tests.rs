use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::*;
use crate::model::recipe::PoolingMode;

/// One row of the committed suite, which the Python package runs too: what a head makes of token vectors.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: String,
    head: Vec<Module>,
    /// What is in the modules' files, by their names, and by the names of the tensors.
    #[serde(default)]
    weights: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    /// With how many tokens of a prompt each text begins.
    #[serde(default)]
    prompt_tokens: u32,
    /// `[texts, sequence, dimensions]`.
    tokens: Vec<Vec<Vec<f32>>>,
    /// One for a token, zero for padding.
    attention_mask: Vec<Vec<u32>>,
    #[serde(default)]
    normalize: bool,
    #[serde(default)]
    vectors: Vec<Vec<f32>>,
    /// A part of what is said of a head that cannot be followed.
    refused: Option<String>,
}

impl Example {
    /// Writes the files of the modules.
    fn write(&self, folder: &Path) {
        for (file, tensors) in &self.weights {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_tensors(&path, tensors);
        }
    }
}

/// Nested lists of numbers as a safetensors file.
fn write_tensors(path: &Path, tensors: &BTreeMap<String, serde_json::Value>) {
    let flat: Vec<(&str, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, value)| {
            let rows = value.as_array().unwrap();
            let (shape, numbers) = match rows.first().and_then(serde_json::Value::as_array) {
                Some(first) => (
                    vec![rows.len(), first.len()],
                    rows.iter().flat_map(|row| row.as_array().unwrap()).collect(),
                ),
                None => (vec![rows.len()], rows.iter().collect::<Vec<_>>()),
            };
            let bytes = numbers.iter().flat_map(|number| (number.as_f64().unwrap() as f32).to_le_bytes());
            (name.as_str(), shape, bytes.collect())
        })
        .collect();
    let views = flat
        .iter()
        .map(|(name, shape, bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn every_example_of_the_suite_has_the_vectors_that_it_says() {
    let suite = include_str!("../../../conformance/recipes/heads.json");
    let examples: Vec<Example> = serde_json::from_str(suite).unwrap();
    assert!(examples.len() >= 8, "only {} examples", examples.len());
    for example in examples {
        let folder = tempfile::tempdir().unwrap();
        example.write(folder.path());
        let (sequence, dimensions) = (example.tokens[0].len(), example.tokens[0][0].len());
        let recipe = Recipe { head: example.head, ..Recipe::pooling(PoolingMode::Mean, 8) };
        let head = Head::new(&recipe, dimensions as u32, folder.path());
        if let Some(part) = example.refused {
            let said = head.expect_err(&example.name).to_string();
            assert!(said.contains(&part), "{}: {said}", example.name);
            continue;
        }
        let head = head.unwrap_or_else(|error| panic!("{}: {error}", example.name));
        let head = head.with_prompt_tokens(example.prompt_tokens);
        let values: Vec<f32> = example.tokens.into_iter().flatten().flatten().collect();
        let tokens = TokenVectors { values: &values, sequence, dimensions };
        let counts: Vec<u32> = example.attention_mask.iter().map(|mask| mask.iter().sum()).collect();
        let found = head.apply(tokens, &counts, example.normalize);
        let expected: Vec<f32> = example.vectors.concat();
        assert_eq!(found.len(), expected.len(), "{}", example.name);
        assert_eq!(head.dimensions() as usize, expected.len() / counts.len(), "{}", example.name);
        let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest <= 1e-6, "{}: {found:?}, expected {expected:?}", example.name);
    }
}

#[test]
fn a_head_that_keeps_more_numbers_than_there_are_is_refused() {
    let mut recipe = Recipe::pooling(PoolingMode::Mean, 8);
    recipe.head.push(Module::Truncate { dimensions: 9 });
    let nowhere = Path::new("/nowhere");
    assert_eq!(Head::new(&recipe, 9, nowhere).unwrap().dimensions(), 9);
    let error = Head::new(&recipe, 8, nowhere).unwrap_err().to_string();
    assert!(
        error.ends_with("it keeps 9 numbers of a vector that has 8; between 1 and 8 are possible"),
        "{error}"
    );
}

fn dense(dimensions: u32, inputs: u32) -> Module {
    Module::Dense(Dense {
        file: "2_Dense/model.safetensors".to_owned(),
        inputs,
        dimensions,
        activation: Activation::Identity,
        bias: false,
        residual: false,
    })
}

#[test]
fn a_file_that_does_not_have_what_a_module_needs_is_named_with_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = Recipe::pooling(PoolingMode::Mean, 8);
    recipe.head.push(dense(2, 2));
    let said = |recipe: &Recipe| Head::new(recipe, 2, folder.path()).unwrap_err().to_string();
    assert!(said(&recipe).contains("2_Dense/model.safetensors: it cannot be read: "), "{}", said(&recipe));
    fs::create_dir(folder.path().join("2_Dense")).unwrap();
    let path = folder.path().join("2_Dense/model.safetensors");
    fs::write(&path, "no tensors").unwrap();
    assert!(said(&recipe).contains("it is not a safetensors file: "), "{}", said(&recipe));
    write_tensors(&path, &BTreeMap::from([("linear.other".to_owned(), serde_json::json!([[1, 0]]))]));
    assert!(
        said(&recipe).ends_with("it has no tensor `linear.weight`; it has linear.other"),
        "{}",
        said(&recipe)
    );
    write_tensors(&path, &BTreeMap::from([("linear.weight".to_owned(), serde_json::json!([[1, 0]]))]));
    assert!(
        said(&recipe).ends_with("its tensor `linear.weight` has the shape [1, 2], expected [2, 2]"),
        "{}",
        said(&recipe)
    );
}

#[test]
fn what_a_graph_has_done_is_not_done_again() {
    let mut recipe = Recipe::pooling(PoolingMode::Mean, 8);
    recipe.head.extend([dense(4, 2), Module::Normalize, Module::Truncate { dimensions: 2 }]);
    let head = Head::of_texts(&recipe, 4).unwrap();
    assert_eq!(head.dimensions(), 2);
    let texts = TokenVectors { values: &[3.0, 4.0, 0.0, 0.0], sequence: 1, dimensions: 4 };
    assert_eq!(head.apply(texts, &[7], false), [0.6, 0.8]);
    assert_eq!(Head::of_texts(&recipe, 2).unwrap().dimensions(), 2, "cut already");
    let error = Head::of_texts(&recipe, 3).unwrap_err().to_string();
    assert!(error.ends_with("the graph's vectors have 3 numbers, and its modules give 4"), "{error}");
}

#[test]
fn half_precision_is_read_as_single() {
    let halves = [half::f16::from_f32(0.5), half::f16::from_f32(-2.0)];
    let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    assert_eq!(super::numbers::as_f32(Dtype::F16, &bytes), Some(vec![0.5, -2.0]));
    let halves = [half::bf16::from_f32(0.5), half::bf16::from_f32(-2.0)];
    let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    assert_eq!(super::numbers::as_f32(Dtype::BF16, &bytes), Some(vec![0.5, -2.0]));
    assert_eq!(super::numbers::as_f32(Dtype::I64, &[0; 8]), None);
}
