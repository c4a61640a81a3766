//! What a model is made of: its recipe, and every file with its hash. Written once for a known model and once for each of the
//! user's own, in the same form; where files are fetched from is not part of it.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::aside;
use super::digest::{self, PinnedFile};
use super::recipe::Recipe;
use super::reference::Reference;

/// Name of the manifest in the model's folder.
pub const MANIFEST: &str = "tailmark-model.json";
/// Name of the reference vectors in the model's folder.
pub const REFERENCE: &str = "reference.json";
/// Name of the file that holds the weights.
pub const WEIGHTS: &str = "model.safetensors";
/// Name of the ONNX graph.
pub const GRAPH: &str = "model.onnx";
/// Name under which the graph looks for its weights, in its own folder.
pub const GRAPH_DATA: &str = "model.onnx_data";

/// A model.
///
/// What it says of name, recipe and weights stands in the reference vectors too, whose hash it holds, so that a change of either
/// is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name a scenario uses.
    pub name: String,
    /// Length of its vectors.
    pub dimensions: u32,
    /// How texts become vectors.
    pub recipe: Recipe,
    /// The files that the model came with, its weights and tokenizer among them.
    ///
    /// All of them are pinned by hash, and not the weights alone: another tokenizer gives other tokens, hence other vectors and
    /// another amount of work, and the results of two machines could no longer be compared.
    pub files: Vec<PinnedFile>,
    /// Where the graph has its weights.
    pub form: GraphForm,
    /// The graph.
    pub graph: PinnedFile,
    /// The reference vectors.
    pub reference: PinnedFile,
}

/// Where a graph has its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphForm {
    /// In `model.onnx_data` beside it, which is `model.safetensors` under another name.
    GraphOnly,
    /// In itself.
    SelfContained,
}

impl GraphForm {
    /// Every form.
    pub const ALL: [Self; 2] = [Self::GraphOnly, Self::SelfContained];

    /// Its name in a manifest and in what the exporter says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GraphOnly => "graph-only",
            Self::SelfContained => "self-contained",
        }
    }

    /// The form of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence about the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether it describes a model that can be run.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(file) = self.all_files().find(|file| !is_below(&file.name)) {
            return Err(format!("`{}` is no file below the model's folder", file.name));
        }
        if !self.files.iter().any(|file| file.name == WEIGHTS) {
            return Err(format!("it does not list {WEIGHTS}"));
        }
        if self.graph.name != GRAPH || self.reference.name != REFERENCE {
            return Err(format!("graph and reference are {GRAPH} and {REFERENCE}"));
        }
        self.recipe.check().map_err(|error| error.to_string())
    }

    /// Writes it into a folder, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).expect("a manifest is JSON: this is a bug");
        aside::replace(&folder.join(MANIFEST), &format!("{text}\n"))
    }

    /// Every file it pins.
    pub fn all_files(&self) -> impl Iterator<Item = &PinnedFile> {
        self.files.iter().chain([&self.graph, &self.reference])
    }

    /// The weights.
    #[must_use]
    pub fn weights(&self) -> &PinnedFile {
        let found = self.files.iter().find(|file| file.name == WEIGHTS);
        found.expect("a manifest that was read lists the weights: this is a bug")
    }

    /// The weights if the graph reads them from a file beside it.
    #[must_use]
    pub fn graph_data(&self) -> Option<&PinnedFile> {
        (self.form == GraphForm::GraphOnly).then(|| self.weights())
    }

    /// Pins files as they are now: those `named` in `folder`, graph and reference vectors in `made`, where they may still lie
    /// aside.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn pin(
        name: &str,
        (dimensions, recipe): (u32, &Recipe),
        (folder, named): (&Path, &[String]),
        (made, form): (&Path, GraphForm),
    ) -> io::Result<Self> {
        let measure = |within: &Path, name: &str| digest::measure(name, &within.join(name));
        Ok(Self {
            name: name.to_owned(),
            dimensions,
            recipe: recipe.clone(),
            files: named.iter().map(|name| measure(folder, name)).collect::<io::Result<_>>()?,
            form,
            graph: measure(made, GRAPH)?,
            reference: measure(made, REFERENCE)?,
        })
    }

    /// Whether these are the reference vectors of this model.
    ///
    /// # Errors
    /// What does not fit between the two, as a sentence about the reference vectors.
    pub fn check_reference(&self, reference_json: &str) -> Result<(), String> {
        let reference = Reference::parse(reference_json)
            .map_err(|error| format!("holds no reference vectors: {error}"))?;
        let said = |value: &dyn std::fmt::Debug| format!("{value:?}");
        let recipe =
            |recipe: &Recipe| serde_json::to_string(recipe).expect("a recipe is JSON: this is a bug");
        let mut pairs = vec![
            ("name", said(&reference.model), said(&self.name)),
            ("weights", said(&reference.weights_sha256), said(&self.weights().sha256)),
            ("dimensions", said(&reference.dimensions), said(&self.dimensions)),
        ];
        // An earlier tailmark wrote none into the reference vectors.
        if let Some(found) = &reference.recipe {
            pairs.push(("recipe", recipe(found), recipe(&self.recipe)));
        }
        match pairs.into_iter().find(|(_, found, expected)| found != expected) {
            None => Ok(()),
            Some((what, found, expected)) => {
                Err(format!("is of another model: its {what} is {found}, the manifest's {expected}"))
            }
        }
    }
}

/// Whether a name leads to a file below the folder, and nowhere else.
fn is_below(name: &str) -> bool {
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    !name.is_empty() && Path::new(name).components().all(plain)
}
