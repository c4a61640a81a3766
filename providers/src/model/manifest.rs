//! What a model is made of: its recipe, and every file with its hash. Written once for a known model and once for each of the
//! user's own, in the same form; where files are fetched from is not part of it.

use std::borrow::Cow;
use std::io;
use std::iter;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::aside;
use super::digest::{self, PinnedFile};
use super::recipe::{Module, Recipe};
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Which of them hold the weights; none if only a graph has them.
    #[serde(default = "usual_weights")]
    pub weights: Vec<String>,
    /// Where the graph has its weights.
    pub form: GraphForm,
    /// The graph; none for a table of vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<PinnedFile>,
    /// The files that the graph takes its weights from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<GraphData>,
    /// Other graphs that the model came with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graphs: Vec<OtherGraph>,
    /// The reference vectors.
    pub reference: PinnedFile,
    /// What the vectors were compared with when the model was made; not known of manifests of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_against: Option<CheckedAgainst>,
    /// Where on the model hub it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<HubRevision>,
    /// Which of the files are Python code that has to run for the model to be loaded by torch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_code: Vec<String>,
    /// What a person should know of how the model was read: one sentence each, shown in every report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Whether a folder says that it is a model of the user's own.
#[must_use]
pub fn is_in(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file()
}

/// A file that a graph takes weights from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphData {
    /// Its name below the model's folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// The file of the model that it is, under another name; `None` for one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// Another graph that a model came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherGraph {
    /// The graph.
    pub graph: PinnedFile,
    /// The files that it takes its weights from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<PinnedFile>,
}

/// What a model's vectors were compared with when it was made, and how alike they were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedAgainst {
    /// `sentence-transformers`; or `onnxruntime`, if there was nothing but the graph to compare with.
    pub library: String,
    /// Its version.
    pub version: String,
    /// The smallest cosine similarity between its vectors and those by the recipe, over all texts, prompts and batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_cosine: Option<f64>,
    /// The graph that the reference vectors were made with, if they were made with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
}

/// A state of a repository of the model hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubRevision {
    /// For example `BAAI/bge-small-en-v1.5`.
    pub repository: String,
    /// The commit, 40 hexadecimal digits.
    pub revision: String,
}

/// Where a graph has its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphForm {
    /// In files beside it, which are the model's own files of weights under other names.
    GraphOnly,
    /// In itself.
    SelfContained,
    /// In files beside it that are nothing else.
    DataFiles,
    /// There is no graph: the model is a table with a vector for each token.
    Table,
}

fn usual_weights() -> Vec<String> {
    vec![WEIGHTS.to_owned()]
}

impl GraphForm {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::GraphOnly, Self::SelfContained, Self::DataFiles, Self::Table];

    /// Its name in a manifest and in what the exporter says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GraphOnly => "graph-only",
            Self::SelfContained => "self-contained",
            Self::DataFiles => "data-files",
            Self::Table => "table",
        }
    }

    /// The form of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
}

/// The files that a manifest is to pin, and where they are now.
#[derive(Clone, Copy, Debug)]
pub struct ToPin<'a> {
    /// The folder of the files that the model came with.
    pub folder: &'a Path,
    /// Their names.
    pub files: &'a [String],
    /// Which of them are weights.
    pub weights: &'a [String],
    /// Where the graph has its weights.
    pub form: GraphForm,
    /// The folder that the graph and its data are in.
    pub graph_folder: &'a Path,
    /// The graph's name.
    pub graph: Option<&'a str>,
    /// The names of its files of data, each with the weights that it is.
    pub data: &'a [(String, Option<String>)],
    /// The folder that the reference vectors are in.
    pub reference_folder: &'a Path,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence about the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut manifest: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        manifest.name_usual_data();
        manifest.check()?;
        Ok(manifest)
    }

    /// An earlier version had no list: a graph without its weights read them from one file of one name.
    pub(crate) fn name_usual_data(&mut self) {
        if self.form != GraphForm::GraphOnly || !self.data.is_empty() {
            return;
        }
        let weights = self.files.iter().find(|file| file.name == WEIGHTS);
        self.data.extend(weights.map(|file| GraphData {
            name: GRAPH_DATA.to_owned(),
            bytes: file.bytes,
            sha256: file.sha256.clone(),
            of: Some(file.name.clone()),
        }));
    }

    /// Whether it describes a model that can be run.
    pub(crate) fn check(&self) -> Result<(), String> {
        let names = self.all_files().map(|file| file.name.clone());
        let mut names = names.chain(self.data.iter().map(|file| file.name.clone()));
        if let Some(name) = names.find(|name| !is_below(name)) {
            return Err(format!("`{name}` is no file below the model's folder"));
        }
        let listed = |name: &str| self.files.iter().find(|file| file.name == name);
        let modules = self.recipe.head.iter().filter_map(Module::file);
        let named = self.weights.iter().chain(&self.custom_code).map(String::as_str).chain(modules);
        if let Some(name) = named.into_iter().find(|name| listed(name).is_none()) {
            return Err(format!("it does not list {name}"));
        }
        if self.reference.name != REFERENCE {
            return Err(format!(
                "its reference vectors are in `{}`, expected {REFERENCE}",
                self.reference.name
            ));
        }
        if self.graph.is_none() != (self.form == GraphForm::Table) {
            return Err(format!(
                "its form is `{}`, which has {} graph",
                self.form.name(),
                match self.form {
                    GraphForm::Table => "no",
                    _ => "a",
                }
            ));
        }
        let is_weights = |data: &GraphData| {
            let of = data.of.as_deref().filter(|name| self.weights.iter().any(|weights| weights == name));
            of.and_then(listed).is_some_and(|file| (file.bytes, &file.sha256) == (data.bytes, &data.sha256))
        };
        if let Some(data) = self.data.iter().find(|data| data.of.is_some() && !is_weights(data)) {
            return Err(format!("its graph's data `{}` is none of its weights", data.name));
        }
        let fits = match self.form {
            GraphForm::GraphOnly => !self.data.is_empty() && self.data.iter().all(is_weights),
            GraphForm::DataFiles => !self.data.is_empty(),
            GraphForm::SelfContained | GraphForm::Table => self.data.is_empty(),
        };
        if !fits {
            return Err(format!(
                "its form is `{}`, and its graph's files of data do not fit that",
                self.form.name()
            ));
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

    /// Every file it pins, but for weights that have a second name.
    pub fn all_files(&self) -> impl Iterator<Item = Cow<'_, PinnedFile>> {
        let data = self.data.iter().filter(|data| data.of.is_none()).map(|data| Cow::Owned(data.file()));
        let graphs = self.graphs.iter().flat_map(|other| iter::once(&other.graph).chain(&other.data));
        let own = self.files.iter().chain(&self.graph).chain(graphs).chain([&self.reference]);
        own.map(Cow::Borrowed).chain(data)
    }

    /// The files of weights; none if only the graph has them.
    pub fn weights(&self) -> impl Iterator<Item = &PinnedFile> {
        self.files.iter().filter(|file| self.weights.contains(&file.name))
    }

    /// What tells the weights of one model from those of another: the SHA-256 of their file. For several files, or a graph and its
    /// data if they are nowhere else, it is that of a list with a line of hash and name, two spaces apart, for each, sorted by name.
    #[must_use]
    pub fn weights_sha256(&self) -> String {
        let own: Vec<PinnedFile> = self.weights().cloned().collect();
        let mut files = if own.is_empty() {
            self.graph.iter().cloned().chain(self.data.iter().map(GraphData::file)).collect()
        } else {
            own
        };
        if let ([file], false) = (&files[..], self.weights.is_empty()) {
            return file.sha256.clone();
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let lines: String = files.iter().map(|file| format!("{}  {}\n", file.sha256, file.name)).collect();
        digest::sha256_of(lines.as_bytes())
    }

    /// The files that the graph takes its weights from.
    #[must_use]
    pub fn graph_data(&self) -> &[GraphData] {
        &self.data
    }

    /// Every graph of the model that is pinned: its own first, then those it came with.
    pub fn all_graphs(&self) -> impl Iterator<Item = &PinnedFile> {
        self.graph.iter().chain(self.graphs.iter().map(|other| &other.graph))
    }

    /// Pins files as they are now. What was found out beside them is added to what this gives.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn pin(name: &str, (dimensions, recipe): (u32, &Recipe), to_pin: &ToPin<'_>) -> io::Result<Self> {
        let measure = |within: &Path, name: &str| digest::measure(name, &within.join(name));
        let files: Vec<PinnedFile> =
            to_pin.files.iter().map(|name| measure(to_pin.folder, name)).collect::<io::Result<_>>()?;
        let data = to_pin.data.iter().map(|(name, of)| {
            let weights = of.as_ref().and_then(|of| files.iter().find(|file| file.name == *of));
            let file = weights.map_or_else(|| measure(to_pin.graph_folder, name), |file| Ok(file.clone()))?;
            Ok(GraphData { name: name.clone(), bytes: file.bytes, sha256: file.sha256, of: of.clone() })
        });
        Ok(Self {
            name: name.to_owned(),
            dimensions,
            recipe: recipe.clone(),
            weights: to_pin.weights.to_vec(),
            form: to_pin.form,
            graph: to_pin.graph.map(|name| measure(to_pin.graph_folder, name)).transpose()?,
            data: data.collect::<io::Result<_>>()?,
            graphs: Vec::new(),
            reference: measure(to_pin.reference_folder, REFERENCE)?,
            checked_against: None,
            source: None,
            custom_code: Vec::new(),
            notes: Vec::new(),
            files,
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
            ("weights", said(&reference.weights_sha256), said(&self.weights_sha256())),
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

impl GraphData {
    /// The file as it is pinned.
    #[must_use]
    pub fn file(&self) -> PinnedFile {
        PinnedFile { name: self.name.clone(), bytes: self.bytes, sha256: self.sha256.clone() }
    }
}

/// Whether a name leads to a file below the folder, and nowhere else.
pub(crate) fn is_below(name: &str) -> bool {
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    !name.is_empty() && Path::new(name).components().all(plain)
}
