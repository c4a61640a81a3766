//! What a graph's inputs are to be given and which of its outputs is taken, by the names and shapes that the graph declares.
//! One rule for every runtime, here and in the Python package; `conformance/recipes/graphs.json` holds both to it.
//!
//! **Inputs**, by name; `input_ids` must be among them, and an integer may have 64 or 32 bits:
//!
//! | name | what it is given | shape |
//! |---|---|---|
//! | `input_ids` | token ids | `[texts, sequence]` |
//! | `attention_mask` | 1 for a token, 0 for padding | `[texts, sequence]` |
//! | `token_type_ids` | zeros, or the tokenizer's if the recipe says so | `[texts, sequence]` |
//! | `position_ids` | 0, 1, 2, ... | `[texts, sequence]` |
//! | `task_id` | the recipe's `task_id` | `[]`, `[1]` or `[texts]` |
//! | `past_key_values.*` | nothing: its first axis is the texts, every other free axis is 0 | |
//!
//! **Output**: the tokens' vectors, `[texts, sequence, dimensions]`: the output `last_hidden_state`, else `token_embeddings`, else the
//! only one with three axes. A graph that has none is asked for the texts' vectors, `[texts, dimensions]`: the output
//! `sentence_embedding`, else the only one with two axes if it is not `pooler_output`, which is no pooling of the recipe's. A recipe
//! may say which of the two is taken.

use crate::model::recipe::{OutputKind, Recipe};
use crate::provider::ProviderError;

/// A number's type in a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Int64,
    Int32,
    Float32,
    Float16,
    /// Another one, by its name.
    Other(String),
}

/// An input or an output as a graph declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) element: Element,
    /// `None` for an axis of any length.
    pub(crate) axes: Vec<Option<usize>>,
}

/// What an input is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    InputIds,
    AttentionMask,
    TokenTypeIds,
    PositionIds,
    TaskId,
    PastKeyValues,
}

/// An input and what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) role: Role,
    pub(crate) element: Element,
    pub(crate) axes: Vec<Option<usize>>,
}

/// The output that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) is: OutputKind,
    pub(crate) element: Element,
    /// The length of a vector, if it is declared.
    pub(crate) dimensions: Option<u32>,
}

const PAST: &str = "past_key_values.";
const KNOWN: &str = "input_ids, attention_mask, token_type_ids, position_ids, task_id and past_key_values.*";

/// The inputs of a graph, in its own order.
///
/// # Errors
/// When there is one that nothing is known of, one of a type or shape that it does not have elsewhere, or none for the tokens.
pub(crate) fn inputs(declared: &[Declared], recipe: &Recipe) -> Result<Vec<Input>, ProviderError> {
    let inputs = declared.iter().map(|input| self::input(input, recipe)).collect::<Result<Vec<_>, _>>()?;
    if inputs.iter().any(|input| input.role == Role::InputIds) {
        return Ok(inputs);
    }
    let names = listed(declared);
    Err(refused(format!("the graph has no input `input_ids`; it has {names}")))
}

fn input(declared: &Declared, recipe: &Recipe) -> Result<Input, ProviderError> {
    let Declared { name, element, axes } = declared;
    let role = match name.as_str() {
        "input_ids" => Role::InputIds,
        "attention_mask" => Role::AttentionMask,
        "token_type_ids" => Role::TokenTypeIds,
        "position_ids" => Role::PositionIds,
        "task_id" => Role::TaskId,
        past if past.starts_with(PAST) => Role::PastKeyValues,
        other => {
            return Err(refused(format!("the graph has an input `{other}`; only {KNOWN} are supported")));
        }
    };
    let (elements, expected): (&[Element], _) = match role {
        Role::PastKeyValues => (&[Element::Float32, Element::Float16], "float32 or float16"),
        _ => (&[Element::Int64, Element::Int32], "int64 or int32"),
    };
    if !elements.contains(element) {
        let found = element.name();
        return Err(refused(format!("the graph's input `{name}` is {found}, expected {expected}")));
    }
    let fits = match role {
        Role::TaskId => axes.len() <= 1,
        Role::PastKeyValues => !axes.is_empty(),
        _ => axes.len() == 2,
    };
    if !fits {
        let (found, expected) = (axes.len(), if role == Role::TaskId { "none or one" } else { "two" });
        return Err(refused(format!("the graph's input `{name}` has {found} axes, expected {expected}")));
    }
    if role == Role::TaskId && recipe.task_id.is_none() {
        return Err(refused(
            "the graph has an input `task_id`, and the model's recipe does not say which task\n\nhint: set `task_id` in the recipe \
             of tailmark-model.json; the numbers of the tasks are those of the model's own description"
                .to_owned(),
        ));
    }
    Ok(Input { role, element: element.clone(), axes: axes.clone() })
}

/// The output of a graph that is taken.
///
/// # Errors
/// When there is none, or two that could be it; or its numbers are not floats.
pub(crate) fn output(declared: &[Declared], recipe: &Recipe) -> Result<Output, ProviderError> {
    let tokens = || one_of(declared, &["last_hidden_state", "token_embeddings"], 3);
    let text =
        || one_of(declared, &["sentence_embedding"], 2).filter(|output| output.name != "pooler_output");
    let found = match recipe.output {
        Some(OutputKind::Tokens) => tokens().map(|output| (output, OutputKind::Tokens)),
        Some(OutputKind::Text) => text().map(|output| (output, OutputKind::Text)),
        None => tokens()
            .map(|output| (output, OutputKind::Tokens))
            .or_else(|| text().map(|output| (output, OutputKind::Text))),
    };
    let Some((output, is)) = found else {
        let expected = match recipe.output {
            Some(OutputKind::Text) => "`sentence_embedding`, or one with two axes",
            _ => "`last_hidden_state` or `token_embeddings`, or one with three axes; or `sentence_embedding`",
        };
        let names = listed(declared);
        return Err(refused(format!(
            "the graph has no output that is a text's vector or those of its tokens; it has {names}, expected is {expected}"
        )));
    };
    if !matches!(output.element, Element::Float32 | Element::Float16) {
        let (name, found) = (&output.name, output.element.name());
        return Err(refused(format!("the graph's output `{name}` is {found}, expected float32 or float16")));
    }
    let dimensions = output.axes.last().copied().flatten().and_then(|axis| u32::try_from(axis).ok());
    Ok(Output {
        name: output.name.clone(),
        is,
        element: output.element.clone(),
        dimensions: dimensions.filter(|dimensions| *dimensions > 0),
    })
}

/// The first of these names that has so many axes, else the only output that has.
fn one_of<'a>(declared: &'a [Declared], names: &[&str], axes: usize) -> Option<&'a Declared> {
    let mut fitting = declared.iter().filter(|output| output.axes.len() == axes);
    let named = names.iter().find_map(|name| fitting.clone().find(|output| output.name == *name));
    named.or_else(|| fitting.next().filter(|_| fitting.next().is_none()))
}

impl Element {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Other(name) => name,
        }
    }
}

impl Input {
    /// Lets texts and tokens be of any number.
    pub(crate) fn free_square(&mut self) {
        if !matches!(self.role, Role::TaskId | Role::PastKeyValues) {
            self.axes.fill(None);
        }
    }

    /// Refuses a batch that a graph of fixed axes cannot take.
    pub(crate) fn check_shape(&self, texts: usize, sequence: usize) -> Result<(), ProviderError> {
        if matches!(self.role, Role::TaskId | Role::PastKeyValues) {
            return Ok(());
        }
        let fixed = |axis: usize, found: usize| self.axes[axis].filter(|fixed| *fixed != found);
        if let Some(allowed) = fixed(0, texts) {
            return Err(ProviderError::Embed(format!(
                "the graph takes exactly {allowed} texts at once, and this request has {texts}\n\nhint: set `batch_size` of the \
                 workload to {allowed}, or name another graph with the option `graph`"
            )));
        }
        if let Some(allowed) = fixed(1, sequence) {
            return Err(ProviderError::Embed(format!(
                "the graph takes texts of exactly {allowed} tokens, and the longest of this request has {sequence}\n\nhint: pad to \
                 that length with the option `static_shapes`, or name another graph with the option `graph`"
            )));
        }
        Ok(())
    }
}

/// Names with their axes, `?` for one of any length.
fn listed(declared: &[Declared]) -> String {
    let shown = |axis: &Option<usize>| axis.map_or_else(|| "?".to_owned(), |axis| axis.to_string());
    let one = |put: &Declared| {
        let axes: Vec<String> = put.axes.iter().map(shown).collect();
        format!("{} [{}]", put.name, axes.join(", "))
    };
    if declared.is_empty() {
        "none".to_owned()
    } else {
        declared.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

fn refused(why: String) -> ProviderError {
    ProviderError::Load(why)
}

#[cfg(test)]
mod tests;
