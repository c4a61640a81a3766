//! The other graphs of a model: fused, in half precision, quantized. What is known of each stands in `variants.json` beside
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
    /// What its int8 products come to; absent if it has none, and in lists of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8: Option<Int8>,
}

/// What the int8 products of a graph come to. It depends on the processor: without VNNI, x86 kernels add two products in 16
/// bits and cut off what is larger, which is called saturation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Int8 {
    /// Whether the weights have 7 bits instead of 8. Then nothing saturates on any processor.
    pub reduced_range: bool,
    /// Whether int8 kernels saturate on the processor that it was made on. This is measured, with a sum that is known.
    pub kernels_saturate: bool,
    /// The name of that processor, as far as the system tells it. Virtual machines share names.
    pub processor: Option<String>,
    /// How close its vectors are to torch's if no sum is cut off.
    pub exact: Figures,
}

impl Int8 {
    /// On which processors the graph can be run, for the line of a list.
    #[must_use]
    pub fn note(&self) -> String {
        if self.reduced_range {
            return "reduced range: its int8 products saturate on no processor".to_owned();
        }
        let place = self.processor.as_ref().map_or_else(String::new, |name| format!(", made on {name}"));
        let there = if self.kernels_saturate { ", as on that one" } else { "" };
        format!("full range{place}: on a processor without VNNI{there}, its int8 products saturate")
    }
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
            int8: Some(Int8 {
                reduced_range: false,
                kernels_saturate: false,
                processor: Some("a processor".to_owned()),
                exact: Figures { min_cosine: Some(0.99), ..Figures::default() },
            }),
        }
    }

    #[test]
    fn a_list_of_an_earlier_version_says_nothing_of_int8_products() {
        let folder = tempfile::tempdir().unwrap();
        let list = r#"[{"file":{"name":"a.onnx","bytes":3,"sha256":"00"},"form":"int8","made_from":"11","figures":{},"made_with":{}}]"#;
        let text =
            format!("{{\"sha256\": \"{}\", \"variants\": {list}}}\n", digest::sha256_of(list.as_bytes()));
        fs::write(folder.path().join(VARIANTS), text).unwrap();
        let variants = read(folder.path()).unwrap();
        assert_eq!(variants.iter().map(|variant| &variant.int8).collect::<Vec<_>>(), [&None]);
    }

    #[test]
    fn the_note_says_where_products_saturate() {
        let full = variant("a.onnx", b"one").int8.unwrap();
        assert_eq!(
            full.note(),
            "full range, made on a processor: on a processor without VNNI, its int8 products saturate"
        );
        let kept = Int8 { kernels_saturate: true, processor: None, ..full.clone() };
        assert_eq!(
            kept.note(),
            "full range: on a processor without VNNI, as on that one, its int8 products saturate"
        );
        let reduced = Int8 { reduced_range: true, ..full };
        assert_eq!(reduced.note(), "reduced range: its int8 products saturate on no processor");
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
