//! A table with a vector for each token, as model2vec and sentence-transformers' `StaticEmbedding` store it.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::head::numbers::as_f32;

/// The names that the table has in a file of tensors.
pub(crate) const NAMES: [&str; 2] = ["embedding.weight", "embeddings"];

/// A vector for each token.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// Row-major.
    values: Vec<f32>,
    /// Length of a row.
    dimensions: usize,
    /// The number type in the file.
    pub(crate) dtype: String,
}

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub(crate) struct TableError {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

impl Table {
    /// Reads the table in a file. model2vec's may have fewer rows than there are tokens, with a list that says which row is whose, and
    /// a weight for each token; here both are applied, so that there is a row for each token.
    pub(crate) fn read(path: &Path) -> Result<Self, TableError> {
        let fault = |why: String| TableError { path: path.to_owned(), why };
        let content = fs::read(path).map_err(|error| fault(format!("it cannot be read: {error}")))?;
        let file = SafeTensors::deserialize(&content)
            .map_err(|error| fault(format!("it is not a safetensors file: {error}")))?;
        let found = NAMES.iter().find_map(|name| file.tensor(name).ok());
        let found = found.ok_or_else(|| {
            fault(format!("it has no table of vectors: none of its tensors is `{}`", NAMES.join("` or `")))
        })?;
        let [rows, dimensions] = found.shape() else {
            return Err(fault(format!(
                "its table has the shape {:?}, expected [tokens, dimensions]",
                found.shape()
            )));
        };
        let (rows, dimensions) = (*rows, *dimensions);
        let numbers = numbers(&found).map_err(fault)?;
        if rows == 0 || dimensions == 0 {
            return Err(fault("its table is empty".to_owned()));
        }
        let mut values = match file.tensor("mapping") {
            Ok(mapping) => {
                let mapping = indices(&mapping).map_err(fault)?;
                let row = |at: &usize| numbers.get(at * dimensions..(at + 1) * dimensions);
                let rows: Option<Vec<&[f32]>> = mapping.iter().map(row).collect();
                rows.ok_or_else(|| {
                    fault(format!(
                        "its `mapping` names a row beyond the {rows} of its table",
                        rows = rows_of(&numbers, dimensions)
                    ))
                })?
                .concat()
            }
            Err(_) => numbers,
        };
        if let Ok(weights) = file.tensor("weights") {
            let weights = self::numbers(&weights).map_err(fault)?;
            if weights.len() * dimensions != values.len() {
                let (found, expected) = (weights.len(), values.len() / dimensions);
                return Err(fault(format!(
                    "its `weights` are {found}, expected one for each of {expected} tokens"
                )));
            }
            for (row, weight) in values.chunks_exact_mut(dimensions).zip(weights) {
                row.iter_mut().for_each(|number| *number *= weight);
            }
        }
        Ok(Self { values, dimensions, dtype: dtype_name(found.dtype()) })
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// How many tokens there are.
    pub(crate) fn tokens(&self) -> usize {
        self.values.len() / self.dimensions
    }

    /// The vector of a token; `None` for one beyond the table.
    pub(crate) fn row(&self, token: usize) -> Option<&[f32]> {
        self.values.get(token * self.dimensions..(token + 1) * self.dimensions)
    }
}

fn rows_of(numbers: &[f32], dimensions: usize) -> usize {
    numbers.len() / dimensions
}

fn dtype_name(dtype: Dtype) -> String {
    match dtype {
        Dtype::F32 => "float32".to_owned(),
        Dtype::F16 => "float16".to_owned(),
        Dtype::BF16 => "bfloat16".to_owned(),
        Dtype::F64 => "float64".to_owned(),
        Dtype::I8 => "int8".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// Floats of any length, and the whole numbers of a quantized table.
fn numbers(tensor: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F64 => {
            Ok(data.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect())
        }
        Dtype::I8 => Ok(data.iter().map(|byte| f32::from(byte.cast_signed())).collect()),
        dtype => as_f32(dtype, data).ok_or_else(|| format!("its numbers are {dtype}, expected floats or I8")),
    }
}

fn indices(tensor: &TensorView<'_>) -> Result<Vec<usize>, String> {
    let data = tensor.data();
    let found: Option<Vec<usize>> = match tensor.dtype() {
        Dtype::I64 => data
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| usize::try_from(i64::from_le_bytes(*bytes)).ok())
            .collect(),
        Dtype::I32 => data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| usize::try_from(i32::from_le_bytes(*bytes)).ok())
            .collect(),
        _ => None,
    };
    found.ok_or_else(|| "its `mapping` is no list of rows".to_owned())
}
