use super::*;
use crate::model::recipe::PoolingMode;

/// Inputs or outputs written as `name type [axes]`, where `?` is a free axis.
fn puts(written: &[&str]) -> Vec<Declared> {
    let put = |line: &&str| {
        let (name, rest) = line.split_once(' ').expect("a name");
        let (element, axes) = rest.split_once(" [").expect("axes");
        let axes = axes.trim_end_matches(']').split(',').map(str::trim).filter(|axis| !axis.is_empty());
        let known = [Element::Int64, Element::Int32, Element::Float32, Element::Float16];
        let element = known.into_iter().find(|known| known.name() == element);
        Declared {
            name: name.to_owned(),
            element: element.unwrap_or_else(|| Element::Other("float64".to_owned())),
            axes: axes.map(|axis| axis.parse().ok()).collect(),
        }
    };
    written.iter().map(put).collect()
}

fn recipe() -> Recipe {
    Recipe::pooling(PoolingMode::Mean, 8)
}

/// One row of the committed suite, which the Python package runs too: what a graph declares, and what is made of it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: String,
    inputs: Vec<Put>,
    outputs: Vec<Put>,
    /// Members of the recipe.
    #[serde(default)]
    recipe: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    roles: Vec<String>,
    output: Option<Taken>,
    /// A part of what is said of a graph that cannot be run.
    refused: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    name: String,
    #[serde(rename = "type")]
    element: String,
    axes: Vec<Option<usize>>,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    name: String,
    is: OutputKind,
    dimensions: Option<u32>,
}

impl Put {
    fn declared(&self) -> Declared {
        let known = [Element::Int64, Element::Int32, Element::Float32, Element::Float16];
        let element = known.into_iter().find(|known| known.name() == self.element);
        Declared {
            name: self.name.clone(),
            element: element.unwrap_or_else(|| Element::Other(self.element.clone())),
            axes: self.axes.clone(),
        }
    }
}

#[test]
fn every_graph_of_the_suite_is_taken_or_refused_as_it_says() {
    let suite = include_str!("../../../conformance/recipes/graphs.json");
    let examples: Vec<Example> = serde_json::from_str(suite).expect("the suite");
    assert!(examples.len() >= 15, "only {} examples", examples.len());
    for example in examples {
        let mut members = serde_json::to_value(recipe()).expect("a recipe");
        members.as_object_mut().expect("an object").extend(example.recipe);
        let recipe: Recipe = serde_json::from_value(members).expect("a recipe");
        let declared = |puts: &[Put]| puts.iter().map(Put::declared).collect::<Vec<_>>();
        let found = inputs(&declared(&example.inputs), &recipe)
            .and_then(|inputs| Ok((inputs, output(&declared(&example.outputs), &recipe)?)));
        if let Some(part) = example.refused {
            let said = found.expect_err(&example.name).to_string();
            assert!(said.contains(&part), "{}: {said}", example.name);
            continue;
        }
        let (inputs, output) = found.unwrap_or_else(|error| panic!("{}: {error}", example.name));
        let roles: Vec<String> =
            inputs.iter().map(|input| snake_case(&format!("{:?}", input.role))).collect();
        assert_eq!(roles, example.roles, "{}", example.name);
        let taken = Taken { name: output.name, is: output.is, dimensions: output.dimensions };
        assert_eq!(Some(taken), example.output, "{}", example.name);
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn refusal<T: std::fmt::Debug>(found: Result<T, ProviderError>) -> String {
    found.expect_err("refused").to_string()
}

#[test]
fn inputs_come_in_the_graphs_own_order_with_what_each_is_given() {
    let declared = puts(&[
        "attention_mask int64 [?, ?]",
        "input_ids int32 [?, ?]",
        "position_ids int64 [1, 16]",
        "past_key_values.0.key float32 [?, 2, ?, 16]",
    ]);
    let found = inputs(&declared, &recipe()).expect("known inputs");
    let roles: Vec<Role> = found.iter().map(|input| input.role).collect();
    assert_eq!(roles, [Role::AttentionMask, Role::InputIds, Role::PositionIds, Role::PastKeyValues]);
    assert_eq!(found[1].element, Element::Int32);
    assert_eq!(found[3].axes, [None, Some(2), None, Some(16)]);
}

#[test]
fn what_cannot_be_given_is_named_with_what_can() {
    for (declared, part) in [
        (&["pixel_values float32 [?, ?]"][..], "the graph has an input `pixel_values`; only input_ids,"),
        (
            &["attention_mask int64 [?, ?]"],
            "the graph has no input `input_ids`; it has attention_mask [?, ?]",
        ),
        (&["input_ids float32 [?, ?]"], "the graph's input `input_ids` is float32, expected int64 or int32"),
        (&["input_ids int64 [?]"], "the graph's input `input_ids` has 1 axes, expected two"),
        (&["input_ids int64 [?, ?]", "task_id int64 []"], "the model's recipe does not say which task"),
    ] {
        let said = refusal(inputs(&puts(declared), &recipe()));
        assert!(said.contains(part), "{said}");
    }
    let with_task = Recipe { task_id: Some(4), ..recipe() };
    assert!(inputs(&puts(&["input_ids int64 [?, ?]", "task_id int64 []"]), &with_task).is_ok());
}

#[test]
fn the_tokens_vectors_are_taken_before_the_texts_unless_the_recipe_says_otherwise() {
    let both = puts(&["sentence_embedding float32 [?, 8]", "token_embeddings float16 [?, ?, 8]"]);
    let found = output(&both, &recipe()).expect("an output");
    assert_eq!(
        (found.name.as_str(), found.is, found.dimensions),
        ("token_embeddings", OutputKind::Tokens, Some(8))
    );
    assert_eq!(found.element, Element::Float16);
    let text = Recipe { output: Some(OutputKind::Text), ..recipe() };
    assert_eq!(output(&both, &text).expect("an output").name, "sentence_embedding");
    let alone = puts(&["anything float32 [?, ?]"]);
    let found = output(&alone, &recipe()).expect("an output");
    assert_eq!((found.is, found.dimensions), (OutputKind::Text, None));
}

#[test]
fn an_output_that_is_neither_is_refused_with_what_there_is() {
    for declared in [
        &["pooler_output float32 [?, 8]"][..],
        &["a float32 [?, 8]", "b float32 [?, 8]"],
        &["a float32 [?, ?, 8]", "b float32 [?, ?, 8]"],
        &["logits float32 [?]"],
    ] {
        let said = refusal(output(&puts(declared), &recipe()));
        assert!(said.contains("no output that is a text's vector or those of its tokens; it has "), "{said}");
        assert!(said.contains(declared[0].split(' ').next().expect("a name")), "{said}");
    }
    let said = refusal(output(&puts(&["last_hidden_state float64 [?, ?, 8]"]), &recipe()));
    assert!(said.contains("`last_hidden_state` is float64, expected float32 or float16"), "{said}");
}

#[test]
fn a_batch_that_does_not_fit_fixed_axes_is_refused_before_it_is_run() {
    let declared = puts(&["input_ids int64 [1, 16]", "task_id int64 [1]"]);
    let found = inputs(&declared, &Recipe { task_id: Some(0), ..recipe() }).expect("inputs");
    assert_eq!(found[0].check_shape(1, 16), Ok(()));
    let texts = found[0].check_shape(5, 16).expect_err("too many").to_string();
    assert!(texts.contains("takes exactly 1 texts at once, and this request has 5"), "{texts}");
    let tokens = found[0].check_shape(1, 9).expect_err("too short").to_string();
    assert!(
        tokens.contains("takes texts of exactly 16 tokens, and the longest of this request has 9"),
        "{tokens}"
    );
    assert_eq!(found[1].check_shape(5, 9), Ok(()), "a task has no tokens");
}
