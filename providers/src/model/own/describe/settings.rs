//! Reading the JSON files of a model's folder, and what is said of one that is not as it should be.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::model::contents::Contents;
use crate::text_file::{self, TextFileError};

/// Tokenizer files write "no limit" as a huge number; no encoder has positions for this many tokens.
const NO_LIMIT: f64 = 1e6;

/// The longest tokenizers in use have some 35 MB.
const LONGEST: u64 = 512 << 20;

/// Why a folder is not one from which a model can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// Files are missing.
    #[error(
        "{} is not a model folder: it lacks {}; {contents}\n\nhint: {}", folder.display(), missing.join(", "),
        contents.remedy(folder)
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The files.
        missing: Vec<String>,
        /// What is there instead.
        contents: Contents,
    },
    /// A file is not what its name says, or asks for what no backend here does.
    #[error("{}: {why}{}", path.display(), hint.as_deref().map(|hint| format!("\n\nhint: {hint}")).unwrap_or_default())]
    File {
        /// The file.
        path: PathBuf,
        /// What was found and what is allowed.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// A JSON object; `None` where there is no such file.
pub(super) fn object(path: &Path) -> Result<Option<Map<String, Value>>, DescribeError> {
    match json(path)? {
        Some(Value::Object(content)) => Ok(Some(content)),
        Some(_) => Err(wrong(path, "it is not a JSON object", None)),
        None => Ok(None),
    }
}

/// Any JSON; `None` where there is no such file.
pub(super) fn json(path: &Path) -> Result<Option<Value>, DescribeError> {
    if let Some(bytes) = fs::metadata(path).ok().map(|found| found.len()).filter(|bytes| *bytes > LONGEST) {
        let why =
            format!("it has {bytes} bytes, and at most {LONGEST} are read: no model's settings are longer");
        return Err(wrong(path, &why, None));
    }
    let text = match text_file::read(path) {
        Ok(text) => text,
        Err(error) if error.is_missing() => return Ok(None),
        Err(TextFileError::Read { source, .. }) => {
            return Err(wrong(path, &format!("it cannot be read: {source}"), None));
        }
        Err(TextFileError::NotText { source, .. }) => return Err(wrong(path, &source.to_string(), None)),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| wrong(path, &format!("it is not JSON: {error}"), None))
}

/// A whole number that can be a length.
pub(super) fn whole_number(value: Option<&Value>) -> Option<u32> {
    let number = value?.as_f64()?;
    ((1.0..NO_LIMIT).contains(&number) && number.fract() == 0.0).then_some(number as u32)
}

/// The error about a file.
pub(super) fn wrong(path: &Path, why: &str, hint: Option<&str>) -> DescribeError {
    DescribeError::File { path: path.to_owned(), why: why.to_owned(), hint: hint.map(str::to_owned) }
}
