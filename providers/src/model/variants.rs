//! The other graphs of a model: fused, in half precision, quantised. What is known of each stands in `variants.json` beside
//! them, so that they can be checked and shown. How they are made is not known here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::aside;
use super::digest::{self, PinnedFile};

/// Name of the list in the model's folder.
pub const VARIANTS: &str = "variants.json";

/// A graph that was made from the model's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The file.
    pub file: PinnedFile,
    /// What it is, in the words of the tool that made it, for example `float16`.
    pub form: String,
    /// SHA-256 of the graph it was made from.
    pub made_from: String,
    /// How close its vectors were to torch's when it was made.
    pub figures: Figures,
    /// Libraries and their versions.
    pub made_with: BTreeMap<String, String>,
}

/// How close a graph's vectors are to torch's in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The smallest cosine similarity over the texts that were compared.
    pub min_cosine: Option<f64>,
    /// The mean of the cosine similarities.
    pub mean_cosine: Option<f64>,
    /// The largest difference between two numbers of vectors of length one.
    pub max_abs_difference: Option<f64>,
    /// How much of each text's ten nearest neighbours stays the same, from 0 to 1.
    pub neighbour_agreement: Option<f64>,
    /// Spearman's rank correlation with graded similarities, from -1 to 1.
    pub spearman: Option<f64>,
}

/// The list of variants cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}\n\nhint: {hint}", path.display())]
pub struct VariantsError {
    path: PathBuf,
    why: String,
    hint: &'static str,
}

impl VariantsError {
    /// What is wrong with it, as the end of a sentence that begins with its name.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// The list as it is written. The hash covers the text of the list itself, figures included.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    sha256: String,
    #[serde(borrow)]
    variants: &'a RawValue,
}

/// The variants of the model in a folder; none where there is no list.
///
/// # Errors
/// When there is a list that cannot be read or was changed.
pub fn read(folder: &Path) -> Result<Vec<Variant>, VariantsError> {
    let path = folder.join(VARIANTS);
    let error = |why: String| VariantsError {
        path: path.clone(),
        why,
        hint: "make the variants anew after `tailmark model remove NAME --variants`, or remove the file",
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(error(format!("cannot be read: {cause}"))),
    };
    let senseless = |cause: serde_json::Error| error(format!("makes no sense: {cause}"));
    let written: Written<'_> = serde_json::from_str(&text).map_err(senseless)?;
    let found = digest::sha256_of(written.variants.get().as_bytes());
    if found != written.sha256 {
        return Err(error(format!(
            "is not as it was written: its list has SHA-256 {found}, expected {}",
            written.sha256
        )));
    }
    let variants: Vec<Variant> = serde_json::from_str(written.variants.get()).map_err(senseless)?;
    match variants.iter().find(|variant| !is_plain(&variant.file.name)) {
        Some(variant) => {
            Err(error(format!("names `{}`, which is no file of the model's folder", variant.file.name)))
        }
        None => Ok(variants),
    }
}

/// Adds a variant to the list, in place of the one of the same name.
///
/// # Errors
/// When the list cannot be read or written.
pub fn record(folder: &Path, variant: Variant) -> Result<(), VariantsError> {
    let mut variants = read(folder)?;
    variants.retain(|other| other.file.name != variant.file.name);
    variants.push(variant);
    variants.sort_by(|one, other| one.file.name.cmp(&other.file.name));
    let path = folder.join(VARIANTS);
    let list = serde_json::to_string(&variants).expect("variants are JSON: this is a bug");
    let text = format!("{{\"sha256\": \"{}\", \"variants\": {list}}}\n", digest::sha256_of(list.as_bytes()));
    aside::replace(&path, &text).map_err(|cause| VariantsError {
        path,
        why: format!("cannot be written: {cause}"),
        hint: "variants are kept in the model's folder: give yourself the right to write there, or name another model store with \
               --model-store",
    })
}

/// Describes a file that was just made in a folder.
///
/// # Errors
/// When it cannot be read.
pub fn measure(folder: &Path, name: &str) -> io::Result<PinnedFile> {
    digest::measure(name, &folder.join(name))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn variant(name: &str, content: &[u8]) -> Variant {
        let file = PinnedFile {
            name: name.to_owned(),
            bytes: content.len() as u64,
            sha256: digest::sha256_of(content),
        };
        Variant {
            file,
            form: "int8".to_owned(),
            made_from: "00".repeat(32),
            figures: Figures { min_cosine: Some(0.987_654_321_012_345_6), ..Figures::default() },
            made_with: BTreeMap::from([("onnx".to_owned(), "1.2".to_owned())]),
        }
    }

    #[test]
    fn a_variant_is_recorded_once_with_its_figures_to_the_last_digit() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        for (name, content) in [("b.onnx", b"one"), ("a.onnx", b"two"), ("b.onnx", b"six")] {
            record(folder.path(), variant(name, content)).unwrap();
        }
        assert_eq!(read(folder.path()).unwrap(), [variant("a.onnx", b"two"), variant("b.onnx", b"six")]);
    }

    #[test]
    fn a_change_of_any_digit_of_the_list_is_found() {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path(), variant("a.onnx", b"one")).unwrap();
        let path = folder.path().join(VARIANTS);
        let text = fs::read_to_string(&path).unwrap();
        for (from, to) in [("0.98", "0.99"), ("int8", "int9"), ("\"sha256\": \"", "\"sha256\": \"0")] {
            assert!(text.contains(from));
            fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let why = read(folder.path()).unwrap_err().why().to_owned();
            assert!(why.starts_with("is not as it was written: its list has SHA-256 "), "{why}");
        }
    }

    #[test]
    fn a_list_that_leads_out_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path(), variant("../elsewhere.onnx", b"one")).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("names `../elsewhere.onnx`, which is no file of the model's folder\n\nhint: "),
            "{error}"
        );
    }
}
