//! Manifests as tailmark 0.1 wrote them before models had recipes: a length and a pooling, and nothing of case, prompts or padding.
//! What they leave out is read from the model's own files again, and a model that they described wrongly is not run.

use std::path::Path;

use serde::Deserialize;

use super::describe;
use crate::model::digest::PinnedFile;
use crate::model::manifest::{GraphForm, Manifest, WEIGHTS};
use crate::model::recipe::{Module, PoolingMode, Recipe};

/// A manifest of that form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Earlier {
    name: String,
    dimensions: u32,
    max_tokens: u32,
    pooling: PoolingMode,
    normalize: bool,
    files: Vec<PinnedFile>,
    form: GraphForm,
    graph: PinnedFile,
    reference: PinnedFile,
}

/// The manifest in a text of that form; `None` if it is of another.
pub(super) fn parse(text: &str) -> Option<Earlier> {
    serde_json::from_str(text).ok()
}

impl Earlier {
    /// The same in the present form.
    ///
    /// # Errors
    /// When the model's files ask for more than a length and a pooling, or for others: its graph and reference vectors were made
    /// without it.
    pub(super) fn described_anew(self, folder: &Path) -> Result<Manifest, String> {
        let described = describe::describe(folder).map_err(|error| {
            format!("an earlier version of tailmark wrote it, and {}", before_hint(&error.to_string()))
        })?;
        let mut head = vec![Module::pooling(self.pooling)];
        head.extend(self.normalize.then_some(Module::Normalize));
        // It had no padding of its own, and prompts without a default are used by nobody who does not name them.
        let known = Recipe {
            head,
            padding_id: described.recipe.padding_id,
            prompts: described.recipe.prompts.clone(),
            ..Recipe::pooling(self.pooling, self.max_tokens)
        };
        if described.recipe != known || described.dimensions != self.dimensions {
            return Err("an earlier version of tailmark wrote it and ignored part of what the model's files say, so its \
             reference vectors may be wrong"
                .to_owned());
        }
        let mut manifest = Manifest {
            name: self.name,
            dimensions: self.dimensions,
            recipe: described.recipe,
            files: self.files,
            weights: vec![WEIGHTS.to_owned()],
            form: self.form,
            graph: Some(self.graph),
            data: Vec::new(),
            graphs: Vec::new(),
            reference: self.reference,
            checked_against: None,
            source: None,
            custom_code: Vec::new(),
            notes: Vec::new(),
        };
        manifest.name_usual_data();
        manifest.check()?;
        Ok(manifest)
    }
}

/// An error's first paragraph: the remedy is one for both.
fn before_hint(error: &str) -> &str {
    error.split("\n\n").next().unwrap_or_default()
}
